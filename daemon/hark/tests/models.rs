//! Installing speech models: from a server of our own that breaks off, lies and forgets, from archives that mean harm, and from folders.

#[path = "models/pack.rs"]
mod pack;
#[path = "models/server.rs"]
mod server;

use std::path::{Path, PathBuf};
use std::time::Duration;

use hark::models::Shelf;
use hark::models::download::Patience;
use hark::models::install::{Source, Step, Trust, Wanted, install};
use hark::models::sums;
use pack::{Packed, real_model};
use server::{Behaviour, Server};

const NAME: &str = "vosk-model-small-xx-0.1";

/// A shelf in a folder that goes with the test.
struct Place {
    _folder: tempfile::TempDir,
    shelf: Shelf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::at(&folder.path().join("models"));
    Place { _folder: folder, shelf }
}

impl Place {
    /// What lies in the folder, hidden files too; the lock is always there.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.shelf.folder()).into_iter().flatten();
        let mut names: Vec<String> = entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|it| it != ".lock");
        names.sort();
        names
    }

    fn install(&self, wanted: &Wanted) -> Result<Trust, String> {
        self.told(wanted).0
    }

    fn told(&self, wanted: &Wanted) -> (Result<Trust, String>, Vec<Step>) {
        let mut steps = Vec::new();
        let patience = Patience { piece: Duration::from_secs(5), pauses: vec![Duration::ZERO; 3], ..Patience::default() };
        let result = install(&self.shelf, wanted, patience, &mut |step| steps.push(step));
        (result.map_err(|err| format!("{err:#}")), steps)
    }
}

fn from_url(url: String) -> Wanted {
    Wanted { name: NAME.into(), source: Source::Url(url), size: None, sha256: None }
}

fn from_file(path: &Path) -> Wanted {
    Wanted { name: NAME.into(), source: Source::File(path.to_owned()), size: None, sha256: None }
}

fn archive(folder: &Path) -> PathBuf {
    Packed::model(NAME).write(&folder.join("model.zip"))
}

/// The bytes that the first step said were here already.
fn went_on_from(steps: &[Step]) -> Option<u64> {
    steps.iter().find_map(|it| if let Step::Fetching(progress) = it { Some(progress.before) } else { None })
}

#[test]
fn a_model_is_fetched_verified_unpacked_checked_and_remembered() {
    let (place, zip) = (place(), tempfile::tempdir().unwrap());
    let path = archive(zip.path());
    let (bytes, sum) = (std::fs::read(&path).unwrap(), sums::of(&path).unwrap());
    let server = Server::start(bytes.clone(), Behaviour::default());
    let wanted = Wanted { size: Some(bytes.len() as u64), sha256: Some(sum.clone()), ..from_url(server.url("m.zip")) };
    let (result, steps) = place.told(&wanted);
    assert_eq!(result, Ok(Trust::Verified(sum)));
    assert!(matches!(steps.last(), Some(Step::Checking)), "{steps:?}");
    assert_eq!(place.files(), ["sums.json", NAME]);
    assert_eq!(place.shelf.installed(), [NAME]);
    assert_eq!(place.install(&wanted), Ok(Trust::AlreadyThere));
    assert_eq!(server.n_requests(), 1, "nothing is fetched again");
    // A model that was damaged since is replaced.
    std::fs::write(place.shelf.place(NAME).join("am/final.mdl"), "").unwrap();
    assert!(matches!(place.install(&wanted), Ok(Trust::Verified(_))));
    place.shelf.remove(NAME).unwrap();
    assert_eq!(place.files(), ["sums.json"]);
}

#[test]
fn a_download_goes_on_where_it_broke_off() {
    let (place, zip) = (place(), tempfile::tempdir().unwrap());
    let bytes = std::fs::read(archive(zip.path())).unwrap();
    let server = Server::start(bytes.clone(), Behaviour { breaks_after: vec![100_000, 200_000], ..Behaviour::default() });
    assert!(matches!(place.install(&from_url(server.url("m.zip"))), Ok(Trust::FirstSeen(_))));
    assert_eq!(server.ranges(), [None, Some(100_000), Some(300_000)]);
    assert!(server.sent() < bytes.len() as u64 + 1_000, "nothing came twice");
}

#[test]
fn another_run_goes_on_where_the_last_one_ended() {
    let (place, zip) = (place(), tempfile::tempdir().unwrap());
    let bytes = std::fs::read(archive(zip.path())).unwrap();
    let mut server = Server::start(bytes.clone(), Behaviour { breaks_after: vec![150_000, 0, 0, 0, 0], ..Behaviour::default() });
    let err = place.install(&from_url(server.url("m.zip"))).unwrap_err();
    assert!(err.contains("0.1 MB are here, and the same command goes on from there") || err.contains("0.2 MB are here"), "{err}");
    assert_eq!(place.files(), [format!(".{NAME}.zip.part"), format!(".{NAME}.zip.part.json")]);
    server.behave(Behaviour::default());
    let (result, steps) = place.told(&from_url(server.url("m.zip")));
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(went_on_from(&steps), Some(150_000));
    // The same, but the archive has changed in between: it comes from the beginning.
    place.shelf.remove(NAME).unwrap();
    server.behave(Behaviour { breaks_after: vec![150_000, 0, 0, 0, 0], ..Behaviour::default() });
    place.install(&from_url(server.url("m.zip"))).unwrap_err();
    server.behave(Behaviour { etag: "\"2\"".into(), ..Behaviour::default() });
    let (result, steps) = place.told(&from_url(server.url("m.zip")));
    assert!(matches!(result, Ok(Trust::AsBefore(_))), "{result:?}");
    assert_eq!(went_on_from(&steps), Some(0));
}

#[test]
fn a_server_without_ranges_is_asked_for_everything_again() {
    let (place, zip) = (place(), tempfile::tempdir().unwrap());
    let bytes = std::fs::read(archive(zip.path())).unwrap();
    let behaviour = Behaviour { breaks_after: vec![100_000], no_ranges: true, ..Behaviour::default() };
    let server = Server::start(bytes, behaviour);
    assert!(place.install(&from_url(server.url("m.zip"))).is_ok());
    assert_eq!(place.shelf.installed(), [NAME]);
}

#[test]
fn what_cannot_be_had_is_said_with_what_to_do() {
    let place = place();
    let check = |behaviour: Behaviour, said: &str| {
        let server = Server::start(b"never mind".to_vec(), behaviour);
        let err = place.install(&from_url(server.url("m.zip"))).unwrap_err();
        assert!(err.contains(said), "{err}");
        assert_eq!(place.files(), [""; 0], "{said}");
    };
    let status = |status: &'static str| Behaviour { status, ..Behaviour::default() };
    check(status("404 Not Found"), "is not there (404); name another place with `--mirror`");
    check(status("403 Forbidden"), "try a mirror");
    check(status("503 Service Unavailable"), "the server is in trouble (503)");
    check(Behaviour { kind: "text/html", ..Behaviour::default() }, "is a web page and no archive");
    check(Behaviour::default(), "is no zip archive, or not a whole one");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let err = place.install(&from_url(format!("http://{nobody}/m.zip"))).unwrap_err();
    assert!(
        err.contains("refuses the connection; look whether this machine has a network, try a mirror, or copy the archive"),
        "{err}"
    );
    let err = place.install(&from_url("not an address".into())).unwrap_err();
    assert!(err.contains("is no address"), "{err}");
}

#[test]
fn a_silent_server_is_given_up() {
    let place = place();
    let server = Server::start(vec![0; 1000], Behaviour { silent_after: Some(500), ..Behaviour::default() });
    let patience = Patience { piece: Duration::from_millis(50), pauses: Vec::new(), ..Patience::default() };
    let err = install(&place.shelf, &from_url(server.url("m.zip")), patience, &mut |_| ()).unwrap_err().to_string();
    assert!(err.contains("nothing came for 0 s"), "{err}");
}

#[test]
fn a_wrong_archive_is_refused_and_not_kept() {
    let (place, zip) = (place(), tempfile::tempdir().unwrap());
    let path = archive(zip.path());
    let bytes = std::fs::read(&path).unwrap();
    let server = Server::start(bytes.clone(), Behaviour::default());
    let wrong = "0".repeat(64);
    let err = place.install(&Wanted { sha256: Some(wrong.clone()), ..from_url(server.url("m.zip")) }).unwrap_err();
    assert!(err.contains(&format!("instead of {wrong}")), "{err}");
    let err = place.install(&Wanted { size: Some(7), ..from_url(server.url("m.zip")) }).unwrap_err();
    assert!(err.contains("instead of 7: it is another archive"), "{err}");
    let err = place.install(&Wanted { sha256: Some(wrong.clone()), ..from_file(&path) }).unwrap_err();
    assert!(err.contains("try again, or try a mirror") && path.exists(), "{err}");
    assert_eq!(place.files(), [""; 0]);
    // What is trusted on first use must stay the same.
    assert!(matches!(place.install(&from_file(&path)), Ok(Trust::FirstSeen(_))));
    place.shelf.remove(NAME).unwrap();
    let other = Packed::model(NAME).with("README", b"changed").write(&zip.path().join("other.zip"));
    let err = place.install(&from_file(&other)).unwrap_err();
    assert!(err.contains("when `vosk-model-small-xx-0.1` was first installed") && err.contains("--sha256"), "{err}");
    let sum = sums::of(&other).unwrap();
    assert_eq!(place.install(&Wanted { sha256: Some(sum.clone()), ..from_file(&other) }), Ok(Trust::Verified(sum)));
}

#[test]
fn an_archive_that_means_harm_is_not_unpacked() {
    let (place, zip) = (place(), tempfile::tempdir().unwrap());
    let check = |packed: Packed, said: &str| {
        let path = packed.write(&zip.path().join("evil.zip"));
        let err = place.install(&from_file(&path)).unwrap_err();
        assert!(err.contains(said), "{err}");
        assert_eq!(place.files(), [""; 0], "{said}");
        assert!(!zip.path().join("escaped").exists() && !Path::new("/tmp/hark-escaped").exists());
    };
    check(Packed::model(NAME).with("../../../escaped", b"x"), "would land outside of its folder");
    check(Packed::model(NAME).with("/tmp/hark-escaped", b"x"), "would land outside of its folder");
    check(Packed::model(NAME).link("link", "/etc/passwd"), "holds the link");
    check((0..1100).fold(Packed::model(NAME), |it, n| it.with(&format!("m/{n}"), b"")), "that is no speech model");
    check(Packed::empty(), "is empty");
    check(Packed::model(NAME).announcing("final.mdl", 3 << 30), "that is no small model");
    check(Packed::model(NAME).announcing("final.mdl", 10), "get it again");
    let cut = archive(zip.path());
    let bytes = std::fs::read(&cut).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let err = place.install(&from_file(&cut)).unwrap_err();
    assert!(err.contains("not a whole one"), "{err}");
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 3] ^= 0xff;
    std::fs::write(&cut, damaged).unwrap();
    let err = place.install(&from_file(&cut)).unwrap_err();
    assert!(err.contains("damaged; get it again"), "{err}");
}

#[test]
fn what_is_no_model_that_takes_grammars_does_not_get_its_name() {
    let (place, zip) = (place(), tempfile::tempdir().unwrap());
    let check = |packed: Packed, said: &str| {
        let path = packed.write(&zip.path().join("m.zip"));
        let err = place.install(&from_file(&path)).unwrap_err();
        assert!(err.contains(said) && err.contains("m.zip cannot be used") && !err.contains(".unpacked"), "{err}");
        assert_eq!(place.shelf.installed(), [""; 0]);
    };
    check(Packed::model(NAME).without("graph/Gr.fst"), "has no file `graph/Gr.fst`");
    check(Packed::model(NAME).without("graph/HCLr.fst").with("graph/HCLG.fst", b"x"), "has a fixed graph (HCLG.fst)");
    check(Packed::model(NAME).without("am/final.mdl").with("am/final.mdl", b"junk"), "is not a Kaldi acoustic model");
    check(Packed::empty().with("readme.txt", b"hello"), "has no file");
}

#[test]
fn a_folder_will_do_and_litter_is_left_out() {
    let (first, second) = (place(), place());
    assert_eq!(first.install(&from_file(&real_model())), Ok(Trust::Folder));
    let zip = tempfile::tempdir().unwrap();
    // Without the one folder around everything, and with what some systems add.
    let flat = Packed::model("").with("__MACOSX/am/._final.mdl", b"x").with("am/.DS_Store", b"x");
    assert!(second.install(&from_file(&flat.write(&zip.path().join("flat.zip")))).is_ok());
    for place in [&first, &second] {
        let model = place.shelf.place(NAME);
        assert!(model.join("am/final.mdl").is_file() && !model.join("__MACOSX").exists() && !model.join("am/.DS_Store").exists());
    }
    first.shelf.remove(NAME).unwrap();
    let err = first.install(&from_file(Path::new("/nowhere/m.zip"))).unwrap_err();
    assert!(err.contains("there is no `/nowhere/m.zip`"), "{err}");
}

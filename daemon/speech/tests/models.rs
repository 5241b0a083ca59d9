//! Models that are not there, broken, or of another kind: the file is named, and nothing crashes.

use std::path::{Path, PathBuf};

use speech::Model;
use speech::recognizer::Recognizer;

fn built_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/en")
}

/// A copy of the built-in model that is removed at the end.
struct Copy(PathBuf);

impl Copy {
    fn new(name: &str) -> Self {
        let to = std::env::temp_dir().join(format!("hark-model-{}-{name}", std::process::id()));
        for file in FILES {
            let path = to.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::copy(built_in().join(file), path).unwrap();
        }
        Self(to)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const FILES: [&str; 8] = [
    "am/final.mdl",
    "conf/mfcc.conf",
    "conf/model.conf",
    "graph/HCLr.fst",
    "graph/Gr.fst",
    "graph/disambig_tid.int",
    "graph/phones/word_boundary.int",
    "graph/words.txt",
];

fn error(path: &Path) -> String {
    Model::open(path).err().expect("this model must not open").to_string()
}

#[test]
fn each_missing_or_empty_file_is_named() {
    let copy = Copy::new("missing");
    for file in FILES.iter().filter(|it| **it != "graph/words.txt") {
        std::fs::remove_file(copy.0.join(file)).unwrap();
        let said = error(&copy.0);
        assert!(said.contains(&format!("no file `{file}`")), "{said}");
        std::fs::write(copy.0.join(file), "").unwrap();
        let said = error(&copy.0);
        assert!(said.contains(file) && said.contains("is empty; unpack or install the model again"), "{said}");
        std::fs::copy(built_in().join(file), copy.0.join(file)).unwrap();
    }
    assert!(Model::open(&copy.0).is_ok());
}

#[test]
fn each_truncated_or_foreign_file_is_named() {
    let copy = Copy::new("cut");
    for (file, foreign) in
        [("am/final.mdl", "is not a Kaldi"), ("graph/HCLr.fst", "is not a graph"), ("graph/Gr.fst", "is not a graph")]
    {
        let whole = std::fs::read(built_in().join(file)).unwrap();
        for part in [whole.len() / 3, whole.len() - 5] {
            std::fs::write(copy.0.join(file), &whole[..part]).unwrap();
            let said = error(&copy.0);
            assert!(said.contains(file) && said.contains("is cut short"), "{file} {part}: {said}");
        }
        std::fs::write(copy.0.join(file), "<html>404</html>").unwrap();
        let said = error(&copy.0);
        assert!(said.contains(file) && said.contains(foreign), "{said}");
        std::fs::write(copy.0.join(file), &whole).unwrap();
    }
}

#[test]
fn no_folder_no_model_and_a_fixed_graph_are_told_apart() {
    assert!(error(Path::new("/no/such/模型")).contains("`/no/such/模型` is not there"));
    assert!(error(&built_in().join("graph/Gr.fst")).contains("is not a folder"));
    let copy = Copy::new("fixed");
    std::fs::rename(copy.0.join("graph/HCLr.fst"), copy.0.join("graph/HCLG.fst")).unwrap();
    assert!(error(&copy.0).contains("takes no grammar"));
}

#[test]
fn a_model_in_a_folder_with_a_chinese_name_works() {
    let copy = Copy::new("模型 小");
    assert!(Model::open(&copy.0).unwrap().knows("hello"));
}

#[test]
fn words_that_cannot_be_heard_are_found() {
    let model = Model::open(&built_in()).unwrap();
    let unknown = model.unknown_words(["call mom", "Call  Zzyzx", "call siobhán \"kvitko\""]);
    assert_eq!(unknown.into_iter().collect::<Vec<_>>(), ["kvitko", "siobhán", "zzyzx"]);
    assert!(model.unknown_words(["hello operator", "call the echo test"]).is_empty());
}

#[test]
fn no_grammar_brings_the_library_down() {
    let model = Model::open(&built_in()).unwrap();
    for phrases in [vec![], vec![""], vec!["zzyzx"], vec!["\"\\"], vec!["[unk]"], vec!["call zzyzx", "\0"]] {
        let phrases: Vec<String> = phrases.into_iter().map(str::to_owned).collect();
        assert!(Recognizer::new(&model, &phrases).is_none(), "{phrases:?}");
    }
    let phrases = ["call \"mom\"", "CALL DAD", "call dad", "hang \\ up"].map(str::to_owned);
    let mut recognizer = Recognizer::new(&model, &phrases).unwrap();
    assert!(recognizer.finish().is_empty());
    recognizer.feed(&[0.0; 16_000]);
    recognizer.feed(&[f32::NAN, 2.0, -2.0]);
    recognizer.finish();
    recognizer.reset();
    assert_eq!(recognizer.fed(), 0);
}

//! Models that are not there, broken, or of another kind: the file is named, and nothing crashes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use speech::recognizer::Recognizer;
use speech::{Model, Spoken};

fn built_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/hark")
}

/// A copy of a model that is removed at the end.
struct Copy(PathBuf);

impl Copy {
    /// As it comes with Hark.
    fn ours(name: &str) -> Self {
        Self::of(&built_in(), &OURS, name)
    }

    /// As official models are: with a graph, and no other words than those in it.
    fn official(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("hark-official-{}-{name}", std::process::id()));
        let words = "hello operator call mom dad the echo test hang up".split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
        std::fs::create_dir_all(&folder).unwrap();
        let model = Model::open(&built_in()).unwrap();
        model.write_official(&folder, &words).unwrap();
        let copy = Self::of(&folder, &OFFICIAL, name);
        std::fs::remove_dir_all(folder).unwrap();
        copy
    }

    fn of(model: &Path, files: &[&str], name: &str) -> Self {
        let to = std::env::temp_dir().join(format!("hark-model-{}-{name}", std::process::id()));
        for file in files {
            let path = to.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::copy(model.join(file), path).unwrap();
        }
        Self(to)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const OURS: [&str; 7] =
    ["am/final.mdl", "conf/mfcc.conf", "conf/model.conf", "phones.txt", "ipa.txt", "lm/en.txt", "lexicon/en.txt"];
const OFFICIAL: [&str; 8] = [
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
    for (copy, files) in [(Copy::ours("missing-ours"), &OURS[..]), (Copy::official("missing"), &OFFICIAL[..])] {
        // Without phones.txt ours is none of ours; without words.txt libvosk only cannot look words up.
        for file in files.iter().filter(|it| !["phones.txt", "graph/words.txt"].contains(it)) {
            let whole = std::fs::read(copy.0.join(file)).unwrap();
            std::fs::remove_file(copy.0.join(file)).unwrap();
            let said = error(&copy.0);
            assert!(said.contains(&format!("no file `{file}`")), "{said}");
            std::fs::write(copy.0.join(file), "").unwrap();
            let said = error(&copy.0);
            assert!(said.contains(file) && said.contains("is empty; unpack or install the model again"), "{said}");
            std::fs::write(copy.0.join(file), whole).unwrap();
        }
        assert!(Model::open(&copy.0).is_ok());
    }
}

#[test]
fn each_truncated_or_foreign_file_is_named() {
    let copy = Copy::official("cut");
    for (file, foreign) in
        [("am/final.mdl", "is not a Kaldi"), ("graph/HCLr.fst", "is not a graph"), ("graph/Gr.fst", "is not a graph")]
    {
        let whole = std::fs::read(copy.0.join(file)).unwrap();
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
fn settings_that_libvosk_cannot_read_are_named_with_their_place() {
    for copy in [Copy::ours("options"), Copy::official("options-official")] {
        for (file, text, told) in [
            ("conf/mfcc.conf", "--num-ceps=40\n  --\n", "line 2, column 3: `--` is no option"),
            ("conf/model.conf", "--min-active=200 # few\n\n--beam=\n", "line 3, column 1: `--beam=` is no option"),
            ("conf/model.conf", "hello\n", "line 1, column 1: `hello` is no option"),
        ] {
            let whole = std::fs::read(copy.0.join(file)).unwrap();
            std::fs::write(copy.0.join(file), text).unwrap();
            let said = error(&copy.0);
            assert!(said.contains(file) && said.contains(told), "{said}");
            std::fs::write(copy.0.join(file), whole).unwrap();
        }
    }
}

#[test]
fn a_list_that_ends_within_a_line_is_cut_short() {
    let copy = Copy::ours("half");
    for file in ["phones.txt", "ipa.txt", "lm/en.txt", "lexicon/en.txt"] {
        let whole = std::fs::read(copy.0.join(file)).unwrap();
        std::fs::write(copy.0.join(file), &whole[..whole.len() - 1]).unwrap();
        let said = error(&copy.0);
        assert!(said.contains(file) && said.contains("is cut short"), "{said}");
        std::fs::write(copy.0.join(file), whole).unwrap();
    }
}

#[test]
fn no_byte_that_is_wrong_before_the_weights_brings_the_library_down() {
    let copy = Copy::ours("flipped");
    let file = copy.0.join("am/final.mdl");
    let whole = std::fs::read(&file).unwrap();
    let network = whole.windows(7).position(|it| it == b"<Nnet3>").unwrap();
    for at in (10..network + 400).step_by(331) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x41;
        std::fs::write(&file, bytes).unwrap();
        // What is refused is told by its file; what is taken must work.
        match Model::open(&copy.0) {
            Err(error) => assert!(error.to_string().contains("final.mdl"), "{at}: {error}"),
            Ok(model) => drop(Recognizer::new(&model, &["hello operator".into()]).map(|mut it| it.feed(&[0.1; 16_000]))),
        }
    }
}

#[test]
fn an_acoustic_model_of_other_phones_is_refused() {
    let copy = Copy::ours("phones");
    let file = copy.0.join("phones.txt");
    let phones = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, phones + "MORE\n").unwrap();
    // The table of what follows what is the first that does not fit.
    assert!(error(&copy.0).contains("phones need"), "{}", error(&copy.0));
    let copy = Copy::ours("foreign");
    std::fs::write(copy.0.join("phones.txt"), "SIL\nA\n").unwrap();
    std::fs::write(copy.0.join("ipa.txt"), "a\tA\n").unwrap();
    std::fs::write(copy.0.join("lexicon/en.txt"), "a\tA\n").unwrap();
    std::fs::write(copy.0.join("lm/en.txt"), "-99 0\n-99 -1\n").unwrap();
    let said = error(&copy.0);
    assert!(said.contains("final.mdl` does not belong to the 2 phones of phones.txt"), "{said}");
}

#[test]
fn no_folder_no_model_and_a_fixed_graph_are_told_apart() {
    assert!(error(Path::new("/no/such/模型")).contains("`/no/such/模型` is not there"));
    assert!(error(&built_in().join("phones.txt")).contains("is not a folder"));
    let copy = Copy::official("fixed");
    std::fs::rename(copy.0.join("graph/HCLr.fst"), copy.0.join("graph/HCLG.fst")).unwrap();
    assert!(error(&copy.0).contains("takes no grammar"));
}

#[test]
fn a_model_in_a_folder_with_a_chinese_name_works() {
    for copy in [Copy::ours("我们 小"), Copy::official("模型 小")] {
        let model = Model::open(&copy.0).unwrap();
        assert!(model.knows("hello") && Recognizer::new(&model, &["hello operator".into()]).is_some());
    }
}

#[test]
fn an_official_model_has_its_own_words_and_ours_has_any() {
    let copy = Copy::official("words");
    let sentences = ["call mom", "Call  Zzyzx", "call siobhán \"kvitko\"", "[unk] ..."];
    let unknown = |model: &Model| model.unknown_words(sentences).into_iter().collect::<Vec<_>>().join(", ");
    let official = Model::open(&copy.0).unwrap();
    assert_eq!(unknown(&official), "..., kvitko, siobhán, zzyzx");
    assert!(official.lexicon().is_none() && official.unknown_words(["hello operator", "call the echo test"]).is_empty());
    assert_eq!(unknown(&Model::open(&built_in()).unwrap()), "...");
}

#[test]
fn no_grammar_brings_the_library_down() {
    let copy = Copy::official("grammar");
    for model in [Model::open(&copy.0).unwrap(), Model::open(&built_in()).unwrap()] {
        for phrases in [vec![], vec![""], vec!["..."], vec!["\"\\"], vec!["[unk]"], vec!["call <eps>", "\0"]] {
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
}

/// What is heard when a synthetic voice says it, at 16 kHz.
fn heard(recognizer: &mut Recognizer, text: &str, language: &str) -> String {
    let (samples, rate) = speech::say::speak(&speech::say::Voice::default(), text, language).unwrap();
    let n = samples.len() * speech::RATE_HZ as usize / rate as usize;
    let at = |n: usize| samples[n * rate as usize / speech::RATE_HZ as usize] * 0.5;
    recognizer.feed(&[0.0; 8_000]);
    recognizer.feed(&(0..n).map(at).collect::<Vec<_>>());
    recognizer.feed(&[0.0; 8_000]);
    recognizer.finish().iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn names_that_no_list_has_are_understood_and_new_ones_later() {
    let model = Model::open(&built_in()).unwrap();
    let siobhan = Spoken { text: "siobhán".into(), language: Some("ga".into()), ..Spoken::default() };
    model.learn(&[siobhan]).unwrap();
    let phrases = ["call mom", "call siobhán", "hang up", "hello operator"].map(str::to_owned);
    let mut old = Recognizer::new(&model, &phrases).unwrap();
    assert_eq!(heard(&mut old, "call siobhán", "en"), "call siobhán");
    let phrases = ["call mom", "call kvitko", "call jonn", "hang up", "hello operator"].map(str::to_owned);
    let mut new = Recognizer::new(&model, &phrases).unwrap();
    assert_eq!(heard(&mut new, "call kvitko", "en"), "call kvitko");
    // Written as the grammar has it, although it sounds like another word.
    assert_eq!(heard(&mut new, "call john", "en"), "call jonn");
    assert_eq!(heard(&mut old, "call mom", "en"), "call mom");
}

#[test]
fn two_languages_are_understood_at_once() {
    let model = Model::with(&built_in(), &["en".into(), "zh".into()]).unwrap();
    let phrases = ["call mom", "给 妈妈 打 电话", "hang up", "挂断"].map(str::to_owned);
    let mut recognizer = Recognizer::new(&model, &phrases).unwrap();
    assert_eq!(heard(&mut recognizer, "call mom", "en"), "call mom");
    // In pinyin: Debian's espeak-ng cannot read Chinese characters aloud.
    assert_eq!(heard(&mut recognizer, "gei3 ma1 ma5 da3 dian4 hua4", "cmn-latn-pinyin"), "给 妈妈 打 电话");
}

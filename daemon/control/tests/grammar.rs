//! What is heard and what it means, in the phrases as they ship.

mod house;

use std::collections::{BTreeMap, BTreeSet};

use control::action::Scope;
use control::house::announce::Audience;
use control::intent::grammar::{INTENTS, sentences};
use control::intent::{Intent, Judgement, Sentences, parse};
use control::phrases::Phrases;
use control::speaker::Speaker;

const LANGUAGES: [&str; 3] = ["en", "de", "zh"];

fn all(language: &str) -> Sentences {
    sentences(&house::phrases(language), &house::contacts(), &["112".into()])
}

fn check(language: &str, table: &[(&str, &str)]) {
    let sentences = all(language);
    for (text, meaning) in table {
        let intent = parse(text, &sentences);
        let seen = match &intent {
            None => "-".to_string(),
            Some(Intent::Dial { who, label }) => {
                format!("dial {}{}", who.join(" | "), label.as_ref().map(|it| format!(" @{it}")).unwrap_or_default())
            }
            Some(Intent::DialNumber(digits) | Intent::Dtmf(digits)) => format!("{} {digits}", intent.as_ref().unwrap().name()),
            Some(Intent::Other(who) | Intent::Rather(who) | Intent::Add(who)) => {
                format!("{} {}", intent.as_ref().unwrap().name(), who.join(" | ")).trim().to_string()
            }
            Some(Intent::DialGroup(group)) => format!("dial_group {group}"),
            Some(intent @ Intent::Volume(control::input::VolumeTo::Percent(percent))) => format!("{} {percent}", intent.name()),
            Some(intent) => intent.name().to_string(),
        };
        assert_eq!(&seen, meaning, "{text}");
    }
}

#[test]
fn english_is_understood() {
    check(
        "en",
        &[
            ("call mom", "dial Mom"),
            ("Call  MOM.", "dial Mom"),
            ("please call mum", "dial Mom"),
            ("call anna", "dial Anna Smith | Anna Jones"),
            ("call anna jones", "dial Anna Jones"),
            ("call mom on her mobile", "dial Mom @mobile"),
            ("call mom cell phone", "dial Mom @mobile"),
            ("call dad on his mobile", "-"),
            ("call aunt mary", "dial Aunt Mary"),
            ("call aunt", "-"),
            ("call the echo test", "dial the echo test"),
            ("call she vaughn", "dial Siobhan"),
            ("call", "-"),
            ("mom call", "-"),
            ("call mom please call", "-"),
            ("dial oh three oh double four", "dial_number 03044"),
            ("call star six one hash", "dial_number *61#"),
            ("dial plus four nine triple one", "dial_number +49111"),
            ("dial one double", "-"),
            ("dial one plus two", "-"),
            ("dial double triple one", "-"),
            ("dial plus", "-"),
            ("dial", "-"),
            ("call one one two", "dial_number 112"),
            ("call emergency", "emergency"),
            ("press two", "dtmf 2"),
            ("hang up", "hang_up"),
            ("call back", "call_back"),
            ("redial", "redial"),
            ("volume fifty percent", "volume_percent 50"),
            ("volume a hundred", "volume_percent 100"),
            ("turn it up", "volume_up"),
            ("do not disturb off", "do_not_disturb_off"),
            ("who is calling", "who_is_calling"),
            ("no the other anna", "other Anna Smith | Anna Jones"),
            ("the other one", "other"),
            ("no the other bob", "-"),
            ("never mind", "cancel"),
            ("could you please call mom", "dial Mom"),
            ("call mom please", "dial Mom"),
            ("phone dad for me", "dial Dad"),
            ("give dad a ring", "dial Dad"),
            ("i want to talk to aunt mary", "dial Aunt Mary"),
            ("call mom's mobile", "dial Mom @mobile"),
            ("call mom's", "-"),
            ("call mom at home", "dial Mom @home"),
            ("call dad's mobile", "-"),
            ("please", "-"),
            ("please please", "-"),
            ("mom please", "-"),
            ("call the family", "dial_group family"),
            ("call everybody in the family", "dial_group family"),
            ("no call dad", "dial Dad"),
            ("no stop", "cancel"),
            ("no please hang up", "hang_up"),
            ("no dad", "rather Dad"),
            ("i meant dad", "rather Dad"),
            ("yes do", "yes"),
            ("hang up the phone", "hang_up"),
            ("can you hang up", "hang_up"),
            ("mute the microphone", "mute"),
            ("unmute", "unmute"),
            ("unmute me", "-"),
            ("turn the microphone on please", "unmute"),
            ("dial nine one one", "dial_number 911"),
            ("dial nine eleven", "dial_number 911"),
            ("dial oh thirty forty two", "dial_number 03042"),
            ("dial one eight hundred", "dial_number 1800"),
            ("dial treble seven please", "dial_number 777"),
            ("dial double forty two", "-"),
            ("dial pound", "dial_number #"),
            ("press the star", "-"),
            ("press the key star", "dtmf *"),
            ("volume thirty seven percent", "volume_percent 37"),
            ("volume one hundred percent", "volume_percent 100"),
            ("volume zero", "volume_percent 0"),
            ("don't answer", "decline"),
            ("don't call", "cancel"),
            ("", "-"),
        ],
    );
}

#[test]
fn german_is_understood() {
    check(
        "de",
        &[
            ("ruf mom an", "dial Mom"),
            ("Ruf bitte Mom an!", "dial Mom"),
            ("mom anrufen", "dial Mom"),
            ("ruf mom auf dem handy an", "dial Mom @mobile"),
            ("mom handy anrufen", "dial Mom @mobile"),
            ("wähle null drei doppel vier", "dial_number 0344"),
            ("drücke zwei", "dtmf 2"),
            ("auflegen", "hang_up"),
            ("lautstärke fünfzig prozent", "volume_percent 50"),
            ("nein die andere anna", "other Anna Smith | Anna Jones"),
            ("ruf mom", "-"),
            ("kannst du bitte mom anrufen", "dial Mom"),
            ("ruf mal dad an", "dial Dad"),
            ("ruf moms handy an", "dial Mom @mobile"),
            ("ruf mom zu hause an", "dial Mom @home"),
            ("moms handy anrufen", "dial Mom @mobile"),
            ("ruf die family an", "dial_group family"),
            ("nein ruf dad an", "dial Dad"),
            ("nein stopp", "cancel"),
            ("nein dad", "rather Dad"),
            ("ich meinte dad", "rather Dad"),
            ("ja mach das", "yes"),
            ("wähle null drei null doppelt vier", "dial_number 03044"),
            ("wähle null achthundert vierundvierzig zwo", "dial_number 0800442"),
            ("ruf die nummer eins eins null an", "dial_number 110"),
            ("ruf die nummer eins eins null", "-"),
            ("nummer plus vier neun wählen", "dial_number +49"),
            ("gib eins raute ein", "dtmf 1#"),
            ("lautstärke auf siebenunddreißig prozent", "volume_percent 37"),
            ("mikrofon an", "unmute"),
            ("leg bitte auf", "hang_up"),
            ("bitte auflegen", "hang_up"),
        ],
    );
}

#[test]
fn chinese_is_understood() {
    check(
        "zh",
        &[
            ("打 电话 给 mom", "dial Mom"),
            ("给 mom 打 个 电话", "dial Mom"),
            ("打 mom 的 手机", "dial Mom @mobile"),
            ("拨打 幺 幺 零", "dial_number 110"),
            ("按 二", "dtmf 2"),
            ("挂断 电话", "hang_up"),
            ("音量 百分之 五十", "volume_percent 50"),
            ("不是 另外 一个 anna", "other Anna Smith | Anna Jones"),
            ("请 帮 我 打 电话 给 mom", "dial Mom"),
            ("给 mom 打 电话 好 吗", "dial Mom"),
            ("给 mom 的 手机 打 电话", "dial Mom @mobile"),
            ("打 电话 给 family", "dial_group family"),
            ("不是 打 给 dad", "dial Dad"),
            ("不 打 给 dad", "-"),
            ("不 接", "decline"),
            ("不是 dad", "rather Dad"),
            ("不 对 取消", "cancel"),
            ("好 吧", "yes"),
            ("拨打 零 三 零 两个 四", "dial_number 03044"),
            ("打 八 百", "dial_number 800"),
            ("拨 八十八", "dial_number 88"),
            ("音量 调到 三十七", "volume_percent 37"),
            ("音量 一百", "volume_percent 100"),
            ("打开 麦克风", "unmute"),
            ("请 挂断 电话", "hang_up"),
        ],
    );
}

#[test]
fn all_languages_are_complete_and_equal() {
    let keys = |it: &Phrases| -> BTreeSet<String> {
        let digits = it.digits.values().filter(|it| it.len() == 1 || it.starts_with('x')).map(|it| format!("digit {it}"));
        let numbers = it.numbers.values().map(|it| format!("number {it}"));
        let labels = it.labels.values().map(|it| format!("label {it}"));
        let keys = it.intents.keys().chain(it.prompts.keys()).chain(it.names.keys()).chain(it.around.keys()).cloned();
        keys.chain(digits).chain(numbers).chain(labels).collect()
    };
    let english = keys(&house::phrases("en"));
    for language in LANGUAGES {
        let phrases = house::phrases(language);
        assert_eq!(phrases.language, language);
        assert_eq!(phrases.problems(), Vec::<String>::new(), "{language}");
        assert_eq!(keys(&phrases), english, "{language}");
        for (intent, _) in INTENTS.iter().filter(|(name, _)| !matches!(*name, "first" | "second" | "third")) {
            let ways: usize = phrases.intents[*intent].iter().map(|it| 1 + it.matches(['|', '[']).count()).sum();
            assert!(ways > 1, "{language}: only one way to say `{intent}`");
        }
    }
}

#[test]
fn no_sentence_means_two_things() {
    for language in LANGUAGES {
        let phrases = house::phrases(language);
        let mut seen = std::collections::BTreeMap::new();
        for (intent, slots) in INTENTS.iter().filter(|(_, slots)| slots.is_empty()) {
            assert!(slots.is_empty());
            let only = Phrases { intents: [(intent.to_string(), phrases.intents[*intent].clone())].into(), ..phrases.clone() };
            let only = sentences(&only, &Default::default(), &[]);
            for scope in [Scope::Confirming, Scope::RingOut, Scope::Ringing] {
                let grammar = only.grammar(scope, &["a".into(), "b".into(), "c".into()]);
                for text in grammar.after_wake.into_iter().chain(grammar.at_once) {
                    let before = seen.insert(text.clone(), *intent);
                    assert!(before.is_none_or(|it| it == *intent), "{language}: \"{text}\" is {before:?} and {intent}");
                }
            }
        }
    }
}

/// The sentences after which people say what they like, and for whom that is.
fn open(language: &str) -> BTreeMap<String, Audience> {
    let places = [("Kitchen", Audience::Room("kitchen".into())), ("ground floor", Audience::Floor("ground floor".into()))];
    let places = places.map(|(name, audience)| (name.to_string(), audience));
    control::intent::open::sentences(&house::phrases(language), &house::contacts(), &places)
}

#[test]
fn open_sentences_are_for_places_and_people() {
    let (room, floor) = (|| Audience::Room("kitchen".into()), || Audience::Floor("ground floor".into()));
    let mom = || Audience::Person("Mom".into());
    for (language, text, audience) in [
        ("en", "announce", Audience::House),
        ("en", "tell everybody", Audience::House),
        ("en", "announce to the kitchen", room()),
        ("en", "tell the ground floor", floor()),
        ("en", "tell mom", mom()),
        ("en", "reply", Audience::Sender),
        ("de", "durchsage", Audience::House),
        ("de", "durchsage an die kitchen", room()),
        ("de", "sag mom", mom()),
        ("de", "antworte", Audience::Sender),
        ("zh", "告诉 大家", Audience::House),
        ("zh", "广播 到 kitchen", room()),
        ("zh", "告诉 mom", mom()),
        ("zh", "回复", Audience::Sender),
    ] {
        assert_eq!(open(language).get(text), Some(&audience), "{text}");
    }
    // Two are called Anna: nobody knows which.
    assert_eq!(open("en").get("tell anna"), None);
    let closed = all("en");
    for text in open("en").keys() {
        assert_eq!(parse(text, &closed), None, "{text} is no open sentence, it is a command");
    }
}

#[test]
fn of_many_sentences_a_recognizer_is_taught_some() {
    let person = |n: usize| {
        let label = if n.is_multiple_of(2) { format!("at sip:b{n}@x.example label mobile") } else { String::new() };
        format!("person \"Name{n} Family{n}\" alias Nick{n} at sip:a{n}@x.example label home {label}")
    };
    let contacts = house::contacts_from(&format!("contacts {}", (0..30).map(person).collect::<Vec<_>>().join(" ")));
    for language in LANGUAGES {
        let all = sentences(&house::phrases(language), &contacts, &["112".into(), "110".into()]);
        let (n, taught) = (all.n_sentences(), all.grammar(Scope::Asleep, &[]).after_wake.len());
        println!("{language}: {taught} of {n} sentences, {} without wake phrase", all.grammar(Scope::RingOut, &[]).at_once.len());
        assert!(taught < 8000, "{language}: {taught}");
    }
}

#[test]
fn the_endpointer_is_told_whether_more_may_come() {
    use Judgement::*;
    let grammar = house::speaker("en").grammar(Scope::RingOut);
    for (text, woken, judgement) in [
        ("call dad", true, Complete),
        ("call mom's", true, Prefix),
        ("call dad's", true, NotASentence),
        ("call mom", true, CompleteButExtendable),
        ("call mom on", true, Prefix),
        ("call mom mobile", true, CompleteButExtendable),
        ("call mom cell phone", true, Complete),
        ("call anna", true, CompleteButExtendable),
        ("call", true, Prefix),
        ("call da", true, NotASentence),
        ("call dad dad", true, NotASentence),
        ("dial", true, Prefix),
        ("dial oh", true, CompleteButExtendable),
        ("dial oh double", true, Prefix),
        ("dial oh double four", true, CompleteButExtendable),
        ("dial oh mom", true, NotASentence),
        ("please", true, Prefix),
        ("please call dad", true, Complete),
        ("please call dad p", true, NotASentence),
        ("call dad thank", true, Prefix),
        ("call dad thank you", true, Complete),
        ("dial forty two", true, CompleteButExtendable),
        ("no call dad", false, Complete),
        ("no call dad please", false, NotASentence),
        ("no stop", false, Complete),
        ("hang up the", true, Prefix),
        ("hang up the phone", true, Complete),
        ("no dad", false, Complete),
        ("please hang up", false, NotASentence),
        ("call the number", true, Prefix),
        ("call the", true, Prefix),
        ("hang up", true, Complete),
        ("no", false, CompleteButExtendable),
        ("cancel", false, Complete),
        ("stop", true, CompleteButExtendable),
        ("stop the", true, NotASentence),
        ("call dad", false, NotASentence),
        ("dial oh", false, NotASentence),
        ("", true, Prefix),
        ("", false, Prefix),
    ] {
        assert_eq!(grammar.judge(text, woken), judgement, "{text} woken {woken}");
    }
}

#[test]
fn every_sentence_of_a_grammar_is_understood_and_complete() {
    for language in LANGUAGES {
        let speaker = house::speaker(language);
        for scope in [Scope::Asleep, Scope::Command, Scope::Ringing, Scope::RingOut, Scope::InCall, Scope::Confirming] {
            let grammar = speaker.grammar(scope);
            for text in grammar.after_wake.iter().chain(&grammar.at_once) {
                assert!(speaker.understand(text).is_some(), "{language}: {text}");
                let judgement = grammar.judge(text, true);
                assert!(matches!(judgement, Judgement::Complete | Judgement::CompleteButExtendable), "{language}: {text}");
            }
            assert!(grammar.after_wake.is_sorted() && grammar.at_once.is_sorted());
        }
    }
}

/// Which word may follow which, the beginning and the end included.
fn pairs(sentences: &[String]) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for text in sentences {
        let words: Vec<&str> = std::iter::once("").chain(text.split(' ')).chain([""]).collect();
        all.extend(words.windows(2).map(|it| (it[0].to_string(), it[1].to_string())));
    }
    all
}

#[test]
fn what_is_taught_has_every_word_beside_each_that_may_stand_there() {
    for language in LANGUAGES {
        let all = all(language);
        let taught = pairs(&all.grammar(Scope::Asleep, &[]).after_wake);
        let commands = all.all().into_iter().filter(|(intent, text)| {
            let answers = ["yes", "no", "first", "second", "third", "other", "rather", "dial_number", "dtmf"];
            !answers.contains(intent) && !text.is_empty()
        });
        let spoken = pairs(&commands.map(|(_, text)| text).collect::<Vec<_>>());
        let missing: Vec<_> = spoken.difference(&taught).collect();
        assert!(missing.is_empty(), "{language}: {missing:?}");
    }
}

#[test]
fn five_thousand_contacts_are_learned_and_told_apart() {
    let person = |n: usize| format!("person \"Name{n} Family{n}\" alias Nick{n} at sip:a{n}@x.example label home group friends");
    let contacts = house::contacts_from(&format!("contacts {}", (0..5000).map(person).collect::<Vec<_>>().join(" ")));
    let all = sentences(&house::phrases("en"), &contacts, &[]);
    let grammar = all.grammar(Scope::RingOut, &[]);
    assert!(grammar.after_wake.len() < 40_000 && grammar.at_once.len() < 300, "{}", grammar.after_wake.len());
    assert_eq!(grammar.judge("call nick4711", true), Judgement::CompleteButExtendable);
    assert_eq!(grammar.judge("could you ring nick4711 at home please", true), Judgement::Complete);
    assert_eq!(grammar.judge("call nick5000", true), Judgement::NotASentence);
}

#[test]
fn names_that_sound_the_same_mean_all_who_have_them() {
    let mut contacts = house::contacts();
    contacts.set_sounds_alike(&[vec!["Bob".into(), "rob".into()], vec!["Mum".into(), "Dad".into()]]);
    let all = sentences(&house::phrases("en"), &contacts, &[]);
    for (text, people) in [
        ("call bob", vec!["Bob", "Rob"]),
        ("call rob", vec!["Rob", "Bob"]),
        ("call bobby", vec!["Bob"]),
        ("call dad", vec!["Dad", "Mom"]),
    ] {
        let Some(Intent::Dial { who, .. }) = parse(text, &all) else { panic!("{text}") };
        assert_eq!(who, people, "{text}");
    }
}

#[test]
fn sentences_with_unknown_words_can_be_left_out() {
    let speaker: Speaker = house::speaker("en");
    let grammar = speaker.grammar(Scope::Asleep).without(&BTreeSet::from(["siobhan".to_string(), "double".to_string()]));
    assert!(!grammar.words().contains("siobhan") && !grammar.words().contains("double"));
    assert_eq!(grammar.judge("call she vaughn", true), Judgement::Complete);
    assert_eq!(grammar.judge("dial one", true), Judgement::CompleteButExtendable);
    assert_eq!(grammar.judge("dial double one", true), Judgement::NotASentence);
}

#[test]
fn names_in_writing_may_carry_a_label() {
    for (language, text, expected) in [
        ("en", "mom's mobile", Some("mobile")),
        ("en", "Mom mobile", Some("mobile")),
        ("en", "mom on her cell phone", Some("mobile")),
        ("en", "MOM", None),
        ("de", "moms handy", Some("mobile")),
        ("zh", "mom的手机", Some("mobile")),
    ] {
        let Some(Intent::Dial { who, label }) = all(language).typed(text) else { panic!("{text}") };
        assert_eq!((who, label.as_deref()), (vec!["Mom".to_string()], expected), "{text}");
    }
    assert_eq!(all("en").typed("call mom"), None);
}

//! The examples for Home Assistant, Node-RED and openHAB hold together, and name topics that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hark::mqtt::verbs::VERBS;
use serde_json::Value;

/// What is below a room, besides `do/`.
const TOPICS: [&str; 9] = ["status", "about", "call", "event", "settings", "waiting", "metrics", "do", "done"];

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

fn read(path: &str) -> String {
    fs::read_to_string(configs().join(path)).unwrap()
}

/// Every `hark/ROOM/...` in a text.
fn topics(text: &str) -> Vec<Vec<&str>> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || "/+-_".contains(c));
    let found = text.match_indices("hark/").filter(|(at, _)| text[..*at].ends_with('"'));
    found.map(|(at, _)| text[at..].split(ends).next().unwrap_or_default().split('/').collect()).collect()
}

fn check_topics(name: &str, text: &str, at_least: usize) {
    let found = topics(text);
    assert!(found.len() >= at_least, "{name}: only {} topics found", found.len());
    for topic in found {
        assert!(topic.len() >= 3 && TOPICS.contains(&topic[2]), "{name}: {}", topic.join("/"));
        if topic[2] == "do" {
            assert!(VERBS.split(", ").any(|verb| Some(&verb) == topic.get(3)), "{name}: {}", topic.join("/"));
        }
    }
}

#[test]
fn the_contract_names_every_topic_verb_and_event() {
    let contract = fs::read_to_string(configs().join("../docs/mqtt.md")).unwrap();
    for topic in TOPICS {
        assert!(contract.contains(&format!("`<base>/<room>/{topic}")), "{topic}");
    }
    for name in VERBS.split(", ").chain(hark::mqtt::payload::Dated::EVENTS) {
        assert!(contract.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_flow_for_node_red_is_wired_up() {
    let text = read("nodered/flow.json");
    check_topics("flow.json", &text, 5);
    let nodes: Vec<Value> = serde_json::from_str(&text).unwrap();
    let ids: BTreeSet<&str> = nodes.iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), nodes.len(), "each node has a name of its own");
    for node in &nodes {
        for key in ["broker", "z"] {
            if let Some(other) = node[key].as_str().filter(|_| node["type"] != "mqtt-broker") {
                assert!(ids.contains(other), "{}: {other}", node["id"]);
            }
        }
        for wire in node["wires"].as_array().into_iter().flatten().filter_map(Value::as_array).flatten() {
            assert!(ids.contains(wire.as_str().unwrap()), "{}: {wire}", node["id"]);
        }
    }
}

#[test]
fn the_items_for_openhab_are_those_of_its_things() {
    let (things, items) = (read("openhab/hark.things"), read("openhab/hark.items"));
    check_topics("hark.things", &things, 12);
    let channels: BTreeSet<&str> =
        things.lines().filter_map(|it| it.trim().strip_prefix("Type ")?.split_whitespace().nth(2)).collect();
    let linked: BTreeSet<&str> =
        items.split("channel=\"mqtt:topic:house:kitchen:").skip(1).filter_map(|it| it.split('"').next()).collect();
    assert!(linked.len() > 8 && linked.is_subset(&channels), "{linked:?} {channels:?}");
    assert_eq!(
        things.matches('{').count() - things.matches("{}").count(),
        things.matches('}').count() - things.matches("{}").count()
    );
}

#[test]
fn blueprints_use_the_inputs_that_they_ask_for() {
    let mut n = 0;
    for entry in fs::read_dir(configs().join("homeassistant")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "yaml") {
            continue;
        }
        n += 1;
        let text = fs::read_to_string(&path).unwrap();
        let used: BTreeSet<&str> = text.split("!input ").skip(1).filter_map(|it| it.split([' ', '\n']).next()).collect();
        let below = text.split_once("\n  input:\n").unwrap().1.split("\n\n").next().unwrap();
        let asked: BTreeSet<&str> =
            below.lines().filter_map(|it| it.strip_prefix("    ")?.strip_suffix(':').filter(|it| !it.starts_with(' '))).collect();
        assert_eq!(used, asked, "{}", path.display());
        for key in ["name:", "description:", "domain: automation", "triggers:", "actions:"] {
            assert!(text.contains(key), "{}: {key}", path.display());
        }
        let page = read("homeassistant/README.md");
        assert!(page.contains(&format!("`{}`", path.file_name().unwrap().to_str().unwrap())), "{}", path.display());
    }
    assert_eq!(n, 5);
}

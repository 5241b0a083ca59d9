//! The JSON Schemas that editors complete with say the same as the code: the same keys, and the shipped files pass.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hark::config::reader::Findings;
use hark::config::{contacts, file, phrases, yaml};
use serde_json::Value;

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

fn schema(name: &str) -> Value {
    let path = configs().join(format!("schema/{name}.schema.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Every key that a schema knows, as `sip.accounts[].name`.
fn keys_of(schema: &Value, path: &str, keys: &mut BTreeSet<String>) {
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        keys.insert(path.clone());
        keys_of(below, &path, keys);
    }
    if schema["items"].is_object() {
        keys_of(&schema["items"], &format!("{path}[]"), keys);
    }
    for choice in schema["anyOf"].as_array().into_iter().flatten() {
        keys_of(choice, path, keys);
    }
}

fn same_keys(name: &str, text: &str, read: impl Fn(&yaml::Node, &Findings)) {
    let findings = Findings::default();
    let root = yaml::parse(text, &"test.yaml".into(), &mut findings.problems.borrow_mut()).unwrap();
    read(&root, &findings);
    let mut keys = BTreeSet::new();
    keys_of(&schema(name), "", &mut keys);
    assert_eq!(*findings.keys.borrow(), keys, "left: the code, right: {name}.schema.json");
}

#[test]
fn schemas_know_the_keys_that_the_code_knows() {
    let every_list = "sip: {accounts: [{name: home}]}\nhouse: {paging: [{name: phones}]}\n\
        quiet: [{from: \"22:00\"}]\npresence: [{person: Mom}]\ndevices: [{name: TV}]\n";
    same_keys("hark", every_list, |root, findings| drop(file::read(root, true, findings)));
    same_keys("contacts", "contacts: [{name: Mom, addresses: [{to: sip:mom@host}]}]", |root, findings| {
        contacts::read(root, None, findings);
    });
    same_keys("phrases", "language: en", |root, findings| drop(phrases::read(root, findings)));
}

#[test]
fn shipped_files_pass_their_schemas_and_name_them() {
    let mut files = vec![("hark", configs().join("hark.yaml")), ("contacts", configs().join("contacts.yaml"))];
    files.extend(std::fs::read_dir(configs().join("phrases")).unwrap().map(|it| ("phrases", it.unwrap().path())));
    for (name, path) in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap_or_default();
        let named = first
            .strip_prefix("# yaml-language-server: $schema=")
            .unwrap_or_else(|| panic!("{} names no schema", path.display()));
        assert!(path.parent().unwrap().join(named).ends_with(format!("schema/{name}.schema.json")), "{named}");
        assert!(path.parent().unwrap().join(named).is_file(), "{named}");
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        let mut wrong = Vec::new();
        check(&schema(name), &value, "", &mut wrong);
        assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
    }
}

#[test]
fn the_check_of_this_test_sees_what_is_wrong() {
    let text = "rom: hall\nvolume: {call: 200}\nsip: {codecs: [g729], accounts: [{name: home}]}\naudio: {gain_control: maybe}\n";
    let mut wrong = Vec::new();
    check(&schema("hark"), &serde_saphyr::from_str(text).unwrap(), "", &mut wrong);
    assert_eq!(wrong.len(), 6, "{wrong:?}");
}

/// The part of JSON Schema that our schemas use, without `pattern`.
fn check(schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        several => several.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
    };
    if !types.is_empty() && !types.iter().any(|it| is(it, value)) {
        wrong.push(format!("{at}: not {types:?}"));
    }
    if schema["enum"].as_array().is_some_and(|it| !it.contains(value)) {
        wrong.push(format!("{at}: not one of {}", schema["enum"]));
    }
    if let Some(number) = value.as_f64() {
        let below = schema["minimum"].as_f64().is_some_and(|it| number < it);
        if below || schema["maximum"].as_f64().is_some_and(|it| number > it) {
            wrong.push(format!("{at}: out of range"));
        }
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let passes = |choice: &Value| {
            let mut wrong = Vec::new();
            check(choice, value, at, &mut wrong);
            wrong.is_empty()
        };
        if !choices.iter().any(passes) {
            wrong.push(format!("{at}: none of the choices"));
        }
    }
    for item in value.as_array().into_iter().flatten().filter(|_| schema["items"].is_object()) {
        check(&schema["items"], item, &format!("{at}[]"), wrong);
    }
    let Some(object) = value.as_object() else { return };
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(key) {
            wrong.push(format!("{at}: {key} is missing"));
        }
    }
    for (key, value) in object {
        let at = format!("{at}.{key}");
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => wrong.push(format!("{at}: unknown key")),
            (Value::Null, Value::Object(_)) => check(&schema["additionalProperties"], value, &at, wrong),
            (Value::Null, _) => (),
            (known, _) => check(known, value, &at, wrong),
        }
    }
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    }
}

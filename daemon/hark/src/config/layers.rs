//! Layers of settings: built-in < /etc/hark/hark.yaml < --config FILE < environment. Merged by `config`, places kept.

use std::collections::HashMap;
use std::sync::Arc;

use ::config::{Config, ConfigError, Source, Value as Merged, ValueKind};

use super::problems::{Place, Problem};
use super::yaml::{self, Entry, Node, Value};

/// Variables that begin with `HARK_` and are no settings.
const OTHER_VARIABLES: [&str; 2] = ["HARK_CONFIG", "HARK_LOG"];

/// Lays the later layers over the earlier ones: blocks are merged key by key, everything else is replaced.
pub fn merge(layers: &[Node]) -> Node {
    let builder = layers.iter().fold(Config::builder(), |builder, layer| builder.add_source(Layer(layer.clone())));
    let merged = builder.build().expect("trees of texts always merge");
    node(merged.cache)
}

/// The settings among the variables of the environment: `HARK_MQTT__BROKER` is `mqtt.broker`.
///
/// A value in `[ ]` or `{ }` is YAML, so that lists and accounts can be given too.
pub fn environment(variables: &[(String, String)], problems: &mut Vec<Problem>) -> Node {
    let mut root = Node { place: Place::BuiltIn, value: Value::Map(Vec::new()) };
    for (name, value) in variables {
        let Some(path) = name.strip_prefix("HARK_").filter(|_| !OTHER_VARIABLES.contains(&&**name)) else { continue };
        let place = Place::Variable(name.as_str().into());
        let value = match value.trim().chars().next() {
            None => continue,
            Some('[' | '{') => {
                let mut wrong = Vec::new();
                let parsed = yaml::parse(value, &Arc::from(&**name), &mut wrong);
                problems.extend(wrong.into_iter().map(|it| Problem { place: place.clone(), ..it }));
                parsed.map_or(Value::Nothing, |node| all_at(node, &place).value)
            }
            Some(_) => Value::Text(value.clone()),
        };
        let path = path.to_lowercase();
        put(&mut root, &path.split("__").collect::<Vec<_>>(), Node { place, value });
    }
    root
}

fn put(root: &mut Node, path: &[&str], node: Node) {
    let Value::Map(entries) = &mut root.value else { return };
    let [key, rest @ ..] = path else { return };
    if !entries.iter().any(|entry| entry.key == *key) {
        let value = Value::Map(Vec::new());
        entries.push(Entry {
            key: (*key).to_owned(),
            place: node.place.clone(),
            node: Node { place: node.place.clone(), value },
        });
    }
    let Some(entry) = entries.iter_mut().find(|entry| entry.key == *key) else { return };
    if rest.is_empty() { entry.node = node } else { put(&mut entry.node, rest, node) }
}

fn all_at(node: Node, place: &Place) -> Node {
    let value = match node.value {
        Value::List(list) => Value::List(list.into_iter().map(|node| all_at(node, place)).collect()),
        Value::Map(entries) => {
            let at = |entry: Entry| Entry { key: entry.key, place: place.clone(), node: all_at(entry.node, place) };
            Value::Map(entries.into_iter().map(at).collect())
        }
        value => value,
    };
    Node { place: place.clone(), value }
}

/// One layer as `config` wants it. The origin of each value is its place.
#[derive(Clone, Debug)]
struct Layer(Node);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<HashMap<String, Merged>, ConfigError> {
        match value(&self.0).kind {
            ValueKind::Table(table) => Ok(table),
            _ => Ok(HashMap::new()),
        }
    }
}

/// Keys of which the value is nothing are left out: they leave the layer below as it is.
fn value(node: &Node) -> Merged {
    let kind = match &node.value {
        Value::Nothing => ValueKind::Nil,
        Value::Text(text) => ValueKind::String(text.clone()),
        Value::List(list) => ValueKind::Array(list.iter().map(value).collect()),
        Value::Map(entries) => {
            let written = entries.iter().filter(|entry| entry.node.value != Value::Nothing);
            ValueKind::Table(written.map(|entry| (entry.key.clone(), value(&entry.node))).collect())
        }
    };
    Merged::new(Some(&origin(&node.place)), kind)
}

fn node(merged: Merged) -> Node {
    let place = merged.origin().map_or(Place::BuiltIn, place);
    let value = match merged.kind {
        ValueKind::Nil => Value::Nothing,
        ValueKind::Array(list) => Value::List(list.into_iter().map(node).collect()),
        ValueKind::Table(table) => {
            let mut entries: Vec<Entry> = table
                .into_iter()
                .map(|(key, it)| (key, node(it)))
                .map(|(key, node)| Entry { key, place: node.place.clone(), node })
                .collect();
            entries.sort_by(|a, b| a.key.cmp(&b.key));
            Value::Map(entries)
        }
        other => Value::Text(other.to_string()),
    };
    // A merged block comes from several places: the first of them stands for it.
    let place = match (&value, &place) {
        (Value::Map(entries), Place::BuiltIn) => {
            entries.iter().map(|entry| &entry.place).filter(|it| **it != Place::BuiltIn).min().unwrap_or(&place).clone()
        }
        _ => place,
    };
    Node { place, value }
}

fn origin(place: &Place) -> String {
    match place {
        Place::File(file, line, column) => format!("{file}:{line}:{column}"),
        Place::Variable(name) => format!("${name}"),
        Place::BuiltIn => String::new(),
    }
}

fn place(origin: &str) -> Place {
    if let Some(name) = origin.strip_prefix('$') {
        return Place::Variable(name.into());
    }
    let mut parts = origin.rsplitn(3, ':');
    match (parts.next().map(str::parse), parts.next().map(str::parse), parts.next()) {
        (Some(Ok(column)), Some(Ok(line)), Some(file)) => Place::File(file.into(), line, column),
        _ => Place::BuiltIn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(text: &str, file: &str) -> Node {
        yaml::parse(text, &file.into(), &mut Vec::new()).unwrap()
    }

    #[test]
    fn later_layers_replace_values_and_keep_their_places() {
        let below = layer("room: hall\nmqtt:\n  broker: embedded\n  base: hark\n", "below.yaml");
        let above = layer("mqtt:\n  base: house\n  username:\n", "a:bove.yaml");
        let variables =
            [("HARK_MQTT__BROKER".into(), "off".into()), ("HARK_LOG".into(), "debug".into()), ("PATH".into(), "/bin".into())];
        let merged = merge(&[below, above, environment(&variables, &mut Vec::new())]);
        assert_eq!(merged.get("room").unwrap().place.to_string(), "below.yaml:1:7");
        let mqtt = merged.get("mqtt").unwrap();
        assert_eq!(mqtt.get("base").unwrap().value, Value::Text("house".into()));
        assert_eq!(mqtt.get("base").unwrap().place.to_string(), "a:bove.yaml:2:9");
        assert_eq!(mqtt.get("broker").unwrap().value, Value::Text("off".into()));
        assert_eq!(mqtt.get("broker").unwrap().place.to_string(), "HARK_MQTT__BROKER");
        assert_eq!(mqtt.get("username"), None);
    }

    #[test]
    fn a_variable_may_hold_a_list_of_blocks() {
        let variables = [("HARK_SIP__ACCOUNTS".into(), "[{name: home, user: 7}]".into())];
        let node = environment(&variables, &mut Vec::new());
        let Value::List(accounts) = &node.get("sip").unwrap().get("accounts").unwrap().value else { panic!() };
        assert_eq!(accounts[0].get("user").unwrap().place.to_string(), "HARK_SIP__ACCOUNTS");
    }
}

//! The key tables as JSON Schema (draft 2020-12), for completion and checks in editors.
//!
//! It says what one value can be. What holds between values (a cycle, a name that does not exist) only
//! [`read`](super::read) knows.

use super::keys;
use super::shape::{About, Presence, Shape, Table, Text};
use super::value::{name, size, time};
use super::{Source, document, report::Report, tree};
use crate::ordered::Ordered;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::{Map, Value, json};

/// The whole schema, indented.
pub fn schema() -> String {
    let mut schema = table(&keys::ROOT);
    if let Value::Object(map) = &mut schema {
        map.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        map.insert("title".into(), json!("Orlop configuration"));
    }
    // Pretty printing of a value without maps keyed by anything but strings cannot fail.
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}

fn table(table: &dyn Table) -> Value {
    let abouts = table.abouts();
    let properties: Map<String, Value> =
        abouts.iter().map(|about| (about.name.to_string(), property(about))).ordered();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    let required: Vec<&str> =
        abouts.iter().filter(|a| a.presence == Presence::Required).map(|a| a.name).collect();
    if let (Value::Object(map), false) = (&mut schema, required.is_empty()) {
        map.insert("required".into(), json!(required));
    }
    schema
}

fn property(about: &About) -> Value {
    let mut schema = shape(&about.shape);
    if let Value::Object(map) = &mut schema {
        map.insert("description".into(), json!(about.doc));
        if let Presence::Default(default) = about.presence {
            map.insert("default".into(), default_value(default));
        }
    }
    schema
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Integer { min, max } => bounded("integer", *min != i64::MIN, min, *max != i64::MAX, max),
        Shape::Number { min, max } => bounded("number", *min != f64::MIN, min, *max != f64::MAX, max),
        Shape::Size { .. } => json!({ "type": "string", "pattern": size::PATTERN }),
        Shape::Time { .. } => json!({ "type": "string", "pattern": time::PATTERN }),
        Shape::Text(text) => self::text(text),
        Shape::Word { words, .. } => {
            let words: Vec<&str> = words.iter().map(|word| word.word).collect();
            json!({ "enum": words })
        }
        Shape::OneOrMore(one) => json!({ "anyOf": [self::shape(one), list(one)] }),
        Shape::List(each) => list(each),
        Shape::Map { name, value } => named(name, self::shape(value)),
        Shape::Dotted { name, value } => {
            named(name, json!({ "anyOf": [self::shape(value), { "type": "object" }] }))
        }
        Shape::Table(table) => self::table(*table),
        Shape::Any(shapes) => {
            let shapes: Vec<Value> = shapes.iter().map(self::shape).collect();
            json!({ "anyOf": shapes })
        }
    }
}

fn text(text: &Text) -> Value {
    match text.pattern {
        "" => json!({ "type": "string" }),
        pattern => json!({ "type": "string", "pattern": pattern }),
    }
}

fn list(each: &Shape) -> Value {
    json!({ "type": "array", "items": shape(each) })
}

fn named(name: &Text, mut value: Value) -> Value {
    let whole = match (name.pattern, value.as_object_mut()) {
        // What a template or an instance lacks, the other one may have.
        (name::CONTAINER, Some(table)) => table.remove("required"),
        _ => None,
    };
    let mut schema = json!({ "type": "object", "propertyNames": text(name), "additionalProperties": value });
    if let (Value::Object(map), Some(required)) = (&mut schema, whole) {
        let whole = json!({ "type": "object", "required": required });
        map.insert("allOf".into(), json!([{ "patternProperties": { "^[^@]*$": whole } }]));
    }
    schema
}

fn bounded<T: serde::Serialize>(kind: &str, has_min: bool, min: T, has_max: bool, max: T) -> Value {
    let mut schema = json!({ "type": kind });
    if let Value::Object(map) = &mut schema {
        if has_min {
            map.insert("minimum".into(), json!(min));
        }
        if has_max {
            map.insert("maximum".into(), json!(max));
        }
    }
    schema
}

/// A default is written in TOML in its key's line.
fn default_value(toml: &str) -> Value {
    let source = Source { path: String::new(), text: alloc::format!("default = {toml}") };
    let sources = [source];
    let [source] = &sources;
    let map = document::parse(&mut Report::new(&sources), 0, source);
    map.get("default").map_or(Value::Null, json_of)
}

fn json_of(node: &tree::Node) -> Value {
    match &node.value {
        tree::Value::Text(text) => json!(text),
        tree::Value::Integer { value, .. } => json!(value),
        tree::Value::Float { text } => json!(text.parse::<f64>().ok()),
        tree::Value::Flag(flag) => json!(flag),
        tree::Value::List(items) => items.iter().map(json_of).collect(),
        tree::Value::Table(map) => Value::Object(
            map.entries.iter().map(|(key, entry)| (key.clone(), json_of(&entry.node))).ordered(),
        ),
        tree::Value::Moment | tree::Value::Wrong => Value::Null,
    }
}

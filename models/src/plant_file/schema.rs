//! The JSON Schema of the plant file, for completion and checks in an editor. Made from the same list of keys the loader uses.

use super::keys::{self, Form, Key};
use serde_json::{Map, Value, json};

/// The schema of a plant file (JSON Schema, draft 2020-12).
pub fn schema() -> Value {
    let mut file = object(keys::FILE, true);
    let definitions = json!({
        "scalar": { "type": ["string", "number", "boolean"] },
        "plant": { "anyOf": [{ "type": "string" }, object(keys::PLANT, true)] },
        "shift": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] },
        "source": object(keys::SOURCE, true),
        "target": { "anyOf": [{ "const": "log" }, object(keys::TARGET, true)] },
        "model": object(keys::MODEL, true),
        "child_models": {
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }, object(keys::CHILD, true)]
        },
        "composite": { "anyOf": [{ "type": "null" }, object(keys::COMPOSITE, true)] },
        "mapping": { "type": "object", "additionalProperties": { "type": "string" } },
        "attribute": { "anyOf": [{ "$ref": "#/$defs/scalar" }, object(keys::ATTRIBUTE, true)] },
        "measurement": { "anyOf": [{ "type": "string" }, object(keys::MEASUREMENT, true)] },
        "control": object(keys::CONTROL, true),
        "computed": { "anyOf": [{ "$ref": "#/$defs/scalar" }, object(keys::COMPUTED, true)] },
        "metrics_of_window": map_of("computed"),
        "oee": object(keys::OEE, true),
        "exception": { "anyOf": [{ "type": "string" }, map_of("shift")] },
        "reason": { "anyOf": [{ "enum": ["schedule_loss", "availability", "performance"] }, object(keys::REASON, true)] },
        "detector": object(keys::DETECTOR, true),
        "alarm": object(keys::ALARM, true),
        "escalation": object(keys::ESCALATION, true),
        "state": { "anyOf": [{ "type": "null" }, object(keys::STATE, true)] },
        "rule": object(keys::RULE, true),
        "input": { "anyOf": [{ "type": "null" }, object(keys::INPUT, true)] },
        "keyed_detector": object(keys::KEYED_DETECTOR, true),
        "keyed_alarm": object(keys::KEYED_ALARM, true),
        "keyed_state": { "anyOf": [{ "type": "null" }, object(keys::KEYED_STATE, true)] },
        "keyed_event": object(keys::KEYED_EVENT, true),
        "keyed_transition": object(keys::KEYED_TRANSITION, true),
        "keyed_action": { "type": "object", "minProperties": 1, "maxProperties": 1 },
        // Slots and hierarchies have names of their own.
        "asset": object(keys::ASSET, false),
    });
    if let Value::Object(file) = &mut file {
        file.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        file.insert("title".into(), "Andon plant file".into());
        file.insert("$defs".into(), definitions);
    }
    file
}

fn object(keys: &[Key], closed: bool) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": !closed })
}

fn map_of(name: &str) -> Value {
    json!({ "type": "object", "additionalProperties": { "$ref": format!("#/$defs/{name}") } })
}

fn property(key: &Key) -> Value {
    let mut schema = match key.form {
        Form::Text => json!({ "type": ["string", "number", "boolean"] }),
        Form::Scalar | Form::Formula => json!({ "$ref": "#/$defs/scalar" }),
        Form::Number => json!({ "type": "number" }),
        Form::Flag => json!({ "type": "boolean" }),
        Form::Span => json!({ "type": "string", "pattern": "^[0-9.]+(ms|s|m|h|d|w)" }),
        Form::Choice(words) => choice(words),
        Form::Scalars => json!({ "type": "array", "items": { "$ref": "#/$defs/scalar" } }),
        Form::Texts => json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] }),
        Form::ListOf(name) => json!({ "type": "array", "items": { "$ref": format!("#/$defs/{name}") } }),
        Form::MapOf(name) => map_of(name),
        Form::Of(name) => json!({ "$ref": format!("#/$defs/{name}") }),
    };
    if let Value::Object(fields) = &mut schema {
        fields.insert("description".into(), key.doc.into());
    }
    schema
}

/// Words, and numbers where a word is one.
fn choice(words: &[&str]) -> Value {
    let number = |word: &&str| word.parse::<u32>().ok().map(Value::from);
    let all: Vec<Value> = words.iter().flat_map(|word| [Some(Value::from(*word)), number(word)]).flatten().collect();
    json!({ "enum": all })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` must lead somewhere, or editors show nothing.
    fn check(schema: &Value, definitions: &Map<String, Value>) {
        match schema {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let name = reference.strip_prefix("#/$defs/").unwrap();
                    assert!(definitions.contains_key(name), "{reference}");
                }
                fields.values().for_each(|value| check(value, definitions));
            }
            Value::Array(values) => values.iter().for_each(|value| check(value, definitions)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let schema = schema();
        check(&schema, schema["$defs"].as_object().unwrap());
        assert_eq!(schema["properties"]["models"]["additionalProperties"]["$ref"], "#/$defs/model");
        assert_eq!(schema["$defs"]["source"]["properties"]["version"]["enum"], json!(["3", 3, "5", 5]));
    }
}

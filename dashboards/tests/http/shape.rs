//! Checks a JSON answer against the schema that the OpenAPI document gives for it.

use serde_json::Value as Json;

/// Every way in which a value does not look as documented.
pub fn differences(document: &Json, schema: &Json, value: &Json) -> Vec<String> {
    let mut found = Vec::new();
    check(document, schema, value, "", &mut found);
    found
}

fn check(document: &Json, schema: &Json, value: &Json, place: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target =
            document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference} does not exist"));
        return check(document, target, value, place, found);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return parts.iter().for_each(|part| check(document, part, value, place, found));
    }
    if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        let fits = |choice: &Json| differences(document, choice, value).is_empty();
        if !choices.iter().any(fits) {
            found.push(format!("{place}: {value} fits none of {choices:?}"));
        }
        return;
    }
    if !has_type(&schema["type"], value) {
        found.push(format!("{place}: {value} is not {}", schema["type"]));
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        found.push(format!("{place}: {value} is none of {allowed:?}"));
    }
    if let Some(object) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            if !object.contains_key(name) {
                found.push(format!("{place}: {name} is missing"));
            }
        }
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(value) = object.get(name) {
                check(document, schema, value, &format!("{place}/{name}"), found);
            }
        }
    }
    if let (Some(list), items @ Json::Object(_)) = (value.as_array(), &schema["items"]) {
        for (index, item) in list.iter().enumerate() {
            check(document, items, item, &format!("{place}/{index}"), found);
        }
    }
}

fn has_type(types: &Json, value: &Json) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unknown type {other}"),
    };
    match types {
        Json::Null => true,
        Json::String(name) => is(name),
        Json::Array(names) => names.iter().filter_map(Json::as_str).any(is),
        other => panic!("unknown type {other}"),
    }
}

#[test]
fn a_wrong_shape_is_seen() {
    let document = serde_json::json!({"components": {"schemas": {"A": {"type": "object", "required": ["n"], "properties": {"n": {"type": ["integer", "null"]}}}}}});
    let schema = serde_json::json!({"type": "array", "items": {"$ref": "#/components/schemas/A"}});
    let differences = |value: Json| differences(&document, &schema, &value).len();
    assert_eq!(differences(serde_json::json!([{"n": 1}, {"n": null}])), 0);
    assert_eq!(differences(serde_json::json!([{"n": "1"}, {}, 5])), 3);
    assert_eq!(differences(serde_json::json!({})), 1);
}

//! The members of a JSON payload that the plant file can name, each with its path.

use crate::mqtt::payload::{Found, Payload};
use andon_models::Value;
use serde_json::Value as Json;

/// Members of one payload that are listed.
const MAX_FIELDS: usize = 200;
/// Items of one list that are listed.
const MAX_ITEMS: usize = 20;
/// Levels of members.
const MAX_DEPTH: usize = 8;

/// The values of a payload by path (`power.kw`, `lines[0].speed`), in the order of the document.
pub(super) fn fields(payload: &Payload) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    if let Payload::Json(json @ (Json::Object(_) | Json::Array(_))) = payload {
        walk(json, String::new(), 0, &mut found);
    }
    // What is named here leads back to the same value; a member with a dot in its own name may not.
    found
        .into_iter()
        .filter_map(|(path, value)| (payload.value(&path) == Found::Value(value.clone())).then_some((path, value)))
        .collect()
}

fn walk(json: &Json, path: String, depth: usize, found: &mut Vec<(String, Value)>) {
    if found.len() >= MAX_FIELDS || depth > MAX_DEPTH {
        return;
    }
    match json {
        Json::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(member, path, depth + 1, found);
            }
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate().take(MAX_ITEMS) {
                walk(item, format!("{path}[{index}]"), depth + 1, found);
            }
        }
        scalar => {
            if let Found::Value(value) = Payload::Json(scalar.clone()).value("") {
                found.push((path, value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn paths(payload: &str) -> Vec<String> {
        fields(&Payload::parse(payload.as_bytes())).into_iter().map(|(path, value)| format!("{path}={value}")).collect()
    }

    #[test]
    fn members_and_items_by_path() {
        let payload = r#"{"power": {"kw": 4.5}, "lines": [{"speed": 7}, {"speed": null}], "a.b": {"c": 1}, "x": "on"}"#;
        // `a.b.c` would lead nowhere, and null is no value.
        assert_eq!(paths(payload), ["power.kw=4.5", "lines[0].speed=7", "x=on"]);
        assert_eq!(paths("[1, true]"), ["[0]=1", "[1]=true"]);
        assert!(paths("4.5").is_empty() && paths("no json").is_empty());
    }

    proptest! {
        #[test]
        fn nothing_panics_and_every_path_leads_back(payload in "[\\[\\]{}\":,a-c0-9. ]{0,60}") {
            let payload = Payload::parse(payload.as_bytes());
            for (path, value) in fields(&payload) {
                prop_assert_eq!(payload.value(&path), Found::Value(value));
            }
        }
    }
}

//! A place inside a message: `motorId`, `payload.deviceId`, `` sensor.`motor id`[2].value ``.

use crate::expression::event::PathStep;
use serde_json::Value;
use std::{fmt, sync::Arc};

/// Longest path, as on AWS.
const MAX_BYTES: usize = 128;

/// A checked path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonPath {
    text: Arc<str>,
    steps: Arc<[PathStep]>,
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("a path holds at most {MAX_BYTES} bytes, this one has {}", text.len()));
        }
        let mut steps = Vec::new();
        let mut rest = text.trim();
        loop {
            rest = member(rest, &mut steps)?;
            while let Some(inside) = rest.strip_prefix('[') {
                rest = index(inside, &mut steps)?;
            }
            match rest.strip_prefix('.') {
                Some(more) => rest = more,
                None if rest.is_empty() => break,
                None => return Err(format!("`{rest}` is left over; separate members with a dot")),
            }
        }
        Ok(Self { text: text.trim().into(), steps: steps.into() })
    }

    /// What a message holds there.
    pub fn find<'v>(&self, message: &'v Value) -> Option<&'v Value> {
        PathStep::follow(&self.steps, message)
    }

    /// Its steps, from the outside in.
    pub(super) fn steps(&self) -> &[PathStep] {
        &self.steps
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn member<'t>(rest: &'t str, steps: &mut Vec<PathStep>) -> Result<&'t str, String> {
    if let Some(quoted) = rest.strip_prefix('`') {
        let (name, rest) = quoted.split_once('`').ok_or("a ` is never closed")?;
        steps.push(PathStep::Name(name.into()));
        return Ok(rest);
    }
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    if end == 0 {
        return Err("a member's name is missing".into());
    }
    steps.push(PathStep::Name(rest[..end].into()));
    Ok(&rest[end..])
}

fn index<'t>(inside: &'t str, steps: &mut Vec<PathStep>) -> Result<&'t str, String> {
    let (digits, rest) = inside.split_once(']').ok_or("a [ is never closed")?;
    let index = digits.trim().parse().map_err(|_| format!("`{digits}` is no position in a list"))?;
    steps.push(PathStep::Index(index));
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_leads_into_a_message() {
        let message = json!({ "a": { "motor id": [{ "x": 1 }, { "x": 2 }] }, "motorid": "M1" });
        let find = |path: &str| JsonPath::parse(path).unwrap().find(&message).cloned();
        assert_eq!(find("motorid"), Some(json!("M1")));
        assert_eq!(find("a.`motor id`[1].x"), Some(json!(2)));
        assert_eq!(find("a.`motor id`[7].x"), None);
        assert_eq!(find("motorid.x"), None);
    }

    #[test]
    fn mistakes_are_told() {
        let wrong = |path: &str| JsonPath::parse(path).unwrap_err();
        assert_eq!(wrong("a..b"), "a member's name is missing");
        assert_eq!(wrong("a[x]"), "`x` is no position in a list");
        assert_eq!(wrong("`a"), "a ` is never closed");
        assert!(wrong(&"a".repeat(200)).contains("at most 128 bytes"));
    }
}

//! A walk through a JSON document that knows where it is, reports what does not fit, and goes on.

use super::{
    MAX_TEXT,
    finding::{FindingKind, Findings},
};
use crate::expression::nearest;
use serde_json::{Map, Value};
use std::sync::Arc;

/// A value with its path.
#[derive(Clone)]
pub(super) struct Cursor<'d> {
    pub value: &'d Value,
    pub path: String,
    findings: &'d Findings,
}

/// A JSON object with its path. Members are found in both spellings, `stateName` and `StateName`; `null` is absent.
#[derive(Clone)]
pub(super) struct Object<'d> {
    pub path: String,
    members: &'d Map<String, Value>,
    findings: &'d Findings,
}

impl<'d> Cursor<'d> {
    pub fn new(value: &'d Value, path: impl Into<String>, findings: &'d Findings) -> Self {
        Self { value, path: path.into(), findings }
    }

    pub fn error(&self, message: impl Into<String>) {
        self.findings.error(FindingKind::Structure, &self.path, message);
    }

    pub fn report(&self) -> &'d Findings {
        self.findings
    }

    fn expected(&self, what: &str) {
        self.error(format!("expected {what}, found {}", describe(self.value)));
    }

    pub fn object(&self) -> Option<Object<'d>> {
        match self.value {
            Value::Object(members) => Some(Object { path: self.path.clone(), members, findings: self.findings }),
            _ => {
                self.expected("an object");
                None
            }
        }
    }

    /// An object; nothing at all counts as an empty one.
    pub fn object_or_nothing(&self) -> Option<Object<'d>> {
        static NOTHING: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        match self.value {
            Value::Null => Some(Object { path: self.path.clone(), members: &NOTHING, findings: self.findings }),
            _ => self.object(),
        }
    }

    /// The items of a list that holds at most so many.
    pub fn list(&self, most: usize) -> Vec<Self> {
        let Value::Array(items) = self.value else {
            self.expected("a list");
            return Vec::new();
        };
        if items.len() > most {
            self.findings.error(
                FindingKind::ServiceLimits,
                &self.path,
                format!("the list holds {} items; at most {most} are allowed", items.len()),
            );
        }
        let item = |(position, value)| Self::new(value, format!("{}[{position}]", self.path), self.findings);
        items.iter().take(most).enumerate().map(item).collect()
    }

    /// A text. A number or truth value is taken as its text: people leave quotes out.
    pub fn text(&self) -> Option<Arc<str>> {
        let text: Arc<str> = match self.value {
            Value::String(text) => text.as_str().into(),
            Value::Number(number) => number.to_string().into(),
            Value::Bool(truth) => truth.to_string().into(),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                self.expected("a text");
                return None;
            }
        };
        if text.len() > MAX_TEXT {
            let message = format!("the text has {} bytes; at most {MAX_TEXT} are allowed", text.len());
            self.findings.error(FindingKind::ServiceLimits, &self.path, message);
            return None;
        }
        Some(text)
    }

    pub fn flag(&self) -> Option<bool> {
        match self.value {
            Value::Bool(truth) => Some(*truth),
            Value::String(text) if text == "true" => Some(true),
            Value::String(text) if text == "false" => Some(false),
            _ => {
                self.expected("true or false");
                None
            }
        }
    }

    /// A whole number; a text with one counts, as CloudFormation's parameters are texts.
    pub fn integer(&self) -> Option<i64> {
        let number = match self.value {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().filter(|n| n.fract() == 0.0).map(|n| n as i64)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.expected("a whole number");
        }
        number
    }
}

impl<'d> Object<'d> {
    pub fn cursor(&self, name: &str, value: &'d Value) -> Cursor<'d> {
        let dot = if self.path.is_empty() { "" } else { "." };
        Cursor::new(value, format!("{}{dot}{name}", self.path), self.findings)
    }

    /// A member that is there and not null.
    pub fn get(&self, name: &str) -> Option<Cursor<'d>> {
        let found = self.members.get_key_value(name).or_else(|| self.members.get_key_value(&capitalized(name)))?;
        (!found.1.is_null()).then(|| self.cursor(found.0, found.1))
    }

    /// A member that must be there.
    pub fn need(&self, name: &str) -> Option<Cursor<'d>> {
        let found = self.get(name);
        if found.is_none() {
            self.error(format!("`{name}` is missing"));
        }
        found
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn text(&self, name: &str) -> Option<Arc<str>> {
        self.get(name)?.text()
    }

    /// The items of a list; none if the member is absent.
    pub fn list(&self, name: &str, most: usize) -> Vec<Cursor<'d>> {
        self.get(name).map(|list| list.list(most)).unwrap_or_default()
    }

    /// Names what does not belong here. A slip of the pen would change what the model does without a word, so it is an error; a
    /// stranger is left out with a warning.
    pub fn only(&self, known: &[&str]) {
        for (name, value) in self.members.iter().filter(|(_, value)| !value.is_null()) {
            if known.iter().any(|known| *name == **known || *name == capitalized(known)) {
                continue;
            }
            let place = self.cursor(name, value);
            match nearest(name, known.iter().copied()) {
                Some(near) => place.error(format!("there is no member `{name}` here; did you mean `{near}`?")),
                None => self.findings.warning(
                    FindingKind::Structure,
                    &place.path,
                    format!("there is no member `{name}` here, so it is left out; known are {}", known.join(", ")),
                ),
            }
        }
    }

    /// All members.
    pub fn all_members(&self) -> impl Iterator<Item = (&'d str, Cursor<'d>)> {
        self.members.iter().map(|(name, value)| (name.as_str(), self.cursor(name, value)))
    }

    /// All members that are not null.
    pub fn members(&self) -> impl Iterator<Item = (&'d str, Cursor<'d>)> {
        self.all_members().filter(|(_, cursor)| !cursor.value.is_null())
    }

    pub fn error(&self, message: impl Into<String>) {
        self.findings.error(FindingKind::Structure, if self.path.is_empty() { "(root)" } else { &self.path }, message);
    }

    pub fn report(&self) -> &'d Findings {
        self.findings
    }
}

/// The spelling of CloudFormation.
fn capitalized(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn describe(value: &Value) -> String {
    const SHOWN: usize = 40;
    match value {
        Value::Null => "null".into(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".into(),
        value => {
            let text = value.to_string();
            match text.char_indices().nth(SHOWN) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        }
    }
}

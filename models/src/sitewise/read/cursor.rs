//! A value of a document with its path.

use serde_json::Value;

pub(super) struct Cursor<'d> {
    pub value: &'d Value,
    pub path: String,
    /// The file's members begin with capitals, and so do those of paths.
    capitals: bool,
}

impl<'d> Cursor<'d> {
    pub fn new(value: &'d Value, path: &str, capitals: bool) -> Self {
        Self { value, path: path.to_owned(), capitals }
    }

    /// The path of a member, as the file writes it.
    pub fn path_of(&self, name: &str) -> String {
        let mut letters = name.chars();
        match letters.next().filter(|_| self.capitals) {
            Some(first) => format!("{}.{}{}", self.path, first.to_ascii_uppercase(), letters.as_str()),
            None => format!("{}.{name}", self.path),
        }
    }

    /// A member that is there and not null.
    pub fn member(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Self { value, path: self.path_of(name), capitals: self.capitals })
    }

    pub fn has(&self, name: &str) -> bool {
        self.value.get(name).is_some_and(|value| !value.is_null())
    }

    pub fn names(&self) -> impl Iterator<Item = &'d str> + use<'d> {
        self.value
            .as_object()
            .into_iter()
            .flat_map(|members| members.iter())
            .filter(|(_, value)| !value.is_null())
            .map(|(name, _)| name.as_str())
    }

    /// The items of a list; none if it is not there or no list.
    pub fn items(&self, name: &str) -> Vec<Self> {
        let Some(list) = self.member(name) else { return Vec::new() };
        let Value::Array(items) = list.value else { return Vec::new() };
        items
            .iter()
            .enumerate()
            .map(|(index, value)| Self { value, path: format!("{}[{index}]", list.path), capitals: self.capitals })
            .collect()
    }

    /// A scalar as text.
    pub fn text(&self, name: &str) -> Option<String> {
        scalar(self.value.get(name)?)
    }

    /// A scalar as text, without blanks around it; none if nothing is left.
    pub fn word(&self, name: &str) -> Option<String> {
        self.text(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

/// A scalar as text: numbers and truth values stand where JSON wants texts.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

//! Reads the fields of one map: known keys only, each value in the form it must have. Every slip is reported where it stands.

use super::{
    diagnostic::Report,
    keys::{Form, Key},
    tree::{At, Entry, Kind, Node},
};
use crate::{Value, ValueType, expression::nearest, time::parse_duration};
use std::time::Duration;

/// The fields of one map.
#[derive(Clone, Copy)]
pub(super) struct Fields<'n, 'r> {
    pub report: &'r Report<'r>,
    /// Where the thing is named.
    pub at: At,
    entries: &'n [Entry],
    keys: &'static [Key],
}

const FLOW_HINT: &str = "inside { … } a comma ends a value: put a text with a comma in quotes";

/// A "did you mean", or a list of what there is.
pub(super) fn suggest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str> + Clone, what: &str) -> String {
    if let Some(near) = nearest(name, candidates.clone()) {
        return format!("did you mean `{near}`?");
    }
    let all: Vec<&str> = candidates.into_iter().take(12).collect();
    if all.is_empty() { format!("there are no {what}") } else { format!("{what}: {}", all.join(", ")) }
}

impl<'n, 'r> Fields<'n, 'r> {
    /// The fields of a map; keys that do not belong there are reported. `None` if it is no map.
    pub fn of(report: &'r Report<'r>, what: &str, at: At, node: &'n Node, keys: &'static [Key]) -> Option<Self> {
        let fields = Self::open(report, what, at, node, keys)?;
        for entry in fields.entries {
            if !keys.iter().any(|key| key.name == entry.key) {
                fields.unknown(what, entry, &[]);
            }
        }
        Some(fields)
    }

    /// The fields of a map that has names of its own among its keys.
    pub fn open(report: &'r Report<'r>, what: &str, at: At, node: &'n Node, keys: &'static [Key]) -> Option<Self> {
        match &node.kind {
            Kind::Map(entries) => Some(Self { report, at, entries, keys }),
            Kind::Null => Some(Self { report, at, entries: &[], keys }),
            Kind::Broken => None,
            _ => {
                let first = keys.first().map_or("key", |key| key.name);
                let place = if node.at.end > node.at.start { node.at } else { at };
                report.error(place, "form", format!("{what} must be a map of keys"), format!("write `{{ {first}: … }}`"));
                None
            }
        }
    }

    pub fn unknown(&self, what: &str, entry: &Entry, more: &[&str]) {
        if entry.key.is_empty() {
            return;
        }
        let known = || self.keys.iter().map(|key| key.name).chain(more.iter().copied());
        let hint = match (entry.bare, nearest(&entry.key, known())) {
            (_, Some(near)) => format!("did you mean `{near}`?"),
            (true, None) => FLOW_HINT.into(),
            (false, None) => format!("known here: {}", known().collect::<Vec<_>>().join(", ")),
        };
        self.report.error(entry.at, "unknown-key", format!("{what} has no `{}`", entry.key), hint);
    }

    pub fn entries(&self) -> &'n [Entry] {
        self.entries
    }

    pub fn entry(&self, name: &str) -> Option<&'n Entry> {
        debug_assert!(self.keys.iter().any(|key| key.name == name), "{name} is a listed key");
        self.entries.iter().find(|entry| entry.key == name)
    }

    /// The value of a key; a key with nothing behind it is reported.
    pub fn node(&self, name: &str) -> Option<&'n Node> {
        let entry = self.entry(name)?;
        match entry.value.kind {
            Kind::Broken => None,
            Kind::Null => {
                let hint = if entry.bare { FLOW_HINT } else { "give it one or remove the key" };
                self.report.error(entry.at, "form", format!("`{name}` has no value"), hint);
                None
            }
            _ => Some(&entry.value),
        }
    }

    /// Reports that a key must be given.
    pub fn missing(&self, what: &str, name: &str, example: &str) {
        if self.entry(name).is_none() {
            self.report.error(
                self.at,
                "missing-key",
                format!("{what} needs `{name}`"),
                format!("for example `{name}: {example}`"),
            );
        }
    }

    pub fn text(&self, name: &str) -> Option<(&'n str, &'n Node)> {
        let node = self.node(name)?;
        text_of(self.report, name, node).map(|text| (text, node))
    }

    pub fn owned(&self, name: &str) -> String {
        self.text(name).map(|(text, _)| text.to_owned()).unwrap_or_default()
    }

    pub fn span(&self, name: &str) -> Option<Duration> {
        let (text, node) = self.text(name)?;
        let span = parse_duration(text);
        if span.is_none() {
            let plain = text.trim().parse::<f64>().is_ok();
            let hint = if plain {
                format!("say the unit: `{text}s` or `{text}ms`")
            } else {
                "write 500ms, 30s, 5m, 1h or 1h30m".into()
            };
            self.report.error(node.at, "form", format!("`{name}: {text}` is not a span of time"), hint);
        }
        span
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        let (text, node) = self.text(name)?;
        let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none() {
            let hint = if text.contains(',') {
                "write decimals with a point"
            } else {
                "write a plain number; units have a key of their own"
            };
            self.report.error(node.at, "form", format!("`{name}: {text}` is not a number"), hint);
        }
        number
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        let (text, node) = self.text(name)?;
        let flag = match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        if flag.is_none() {
            self.report.error(node.at, "form", format!("`{name}: {text}` is neither true nor false"), "write true or false");
        }
        flag
    }

    /// One of the words listed for the key.
    pub fn choice(&self, name: &str) -> Option<&'n str> {
        let (text, node) = self.text(name)?;
        let words = self.keys.iter().find(|key| key.name == name).map(|key| key.form);
        let Some(Form::Choice(words)) = words else { return Some(text) };
        if words.contains(&text) {
            return Some(text);
        }
        let hint = suggest(text, words.iter().copied(), "possible");
        self.report.error(node.at, "form", format!("`{name}` cannot be `{text}`"), hint);
        None
    }

    /// `74..80`.
    pub fn band(&self, name: &str) -> Option<(f64, f64)> {
        let (text, node) = self.text(name)?;
        let band = text.split_once("..").and_then(|(low, high)| Some((low.trim().parse().ok()?, high.trim().parse().ok()?)));
        let band: Option<(f64, f64)> =
            band.filter(|(low, high): &(f64, f64)| low.is_finite() && high.is_finite() && low <= high);
        if band.is_none() {
            self.report.error(
                node.at,
                "form",
                format!("`{name}: {text}` is not a band"),
                "write the lower and the upper end: 74..80",
            );
        }
        band
    }

    /// One text or a list of texts.
    pub fn texts(&self, name: &str) -> Vec<(&'n str, &'n Node)> {
        let Some(node) = self.node(name) else { return Vec::new() };
        match &node.kind {
            Kind::List(items) => items.iter().filter_map(|item| Some((text_of(self.report, name, item)?, item))).collect(),
            _ => text_of(self.report, name, node).map(|text| (text, node)).into_iter().collect(),
        }
    }

    /// The entries of a map of names; a list or scalar there is reported.
    pub fn names(&self, name: &str) -> &'n [Entry] {
        match self.entry(name).map(|entry| (entry, &entry.value.kind)) {
            Some((_, Kind::Map(entries))) => entries,
            None | Some((_, Kind::Null | Kind::Broken)) => &[],
            Some((entry, _)) => {
                self.report.error(
                    entry.at,
                    "form",
                    format!("`{name}` must be a map of names"),
                    format!("write `{name}: {{ name: … }}`"),
                );
                &[]
            }
        }
    }
}

/// The text of a scalar; anything else is reported.
pub(super) fn text_of<'n>(report: &Report<'_>, name: &str, node: &'n Node) -> Option<&'n str> {
    match &node.kind {
        Kind::Scalar { text, .. } => Some(text),
        Kind::Broken => None,
        Kind::Null => {
            report.error(node.at, "form", format!("`{name}` has an empty entry"), "give it a value or remove it");
            None
        }
        Kind::List(_) | Kind::Map(_) => {
            let hint = match report.source(node.at).starts_with('{') {
                true => "a text that starts with `{` needs quotes",
                false => "write one value",
            };
            report.error(node.at, "form", format!("`{name}` must be one value, not a list or map"), hint);
            None
        }
    }
}

/// The value a scalar stands for: quoted is text; plain is a truth value or a number if it looks like one.
pub(super) fn literal(node: &Node) -> Option<Value> {
    let Kind::Scalar { text, plain } = &node.kind else { return None };
    if !plain {
        return Some(Value::from(text.as_str()));
    }
    let number_like = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    Some(match text.as_str() {
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        _ => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(integer), _) => Value::Integer(integer),
            (_, Ok(number)) if number_like && number.is_finite() => Value::Double(number),
            _ => Value::from(text.as_str()),
        },
    })
}

/// A scalar as a value of a type; what does not fit is reported.
pub(super) fn typed(report: &Report<'_>, what: &str, node: &Node, value_type: ValueType) -> Option<Value> {
    let text = text_of(report, what, node)?;
    let value = match value_type {
        ValueType::String => Some(Value::from(text)),
        _ => literal(node).and_then(|value| value.coerce(value_type)),
    };
    if value.is_none() {
        let expected = match value_type {
            ValueType::Boolean => "true or false",
            ValueType::Integer => "a whole number",
            ValueType::Double => "a number",
            ValueType::String => "a text",
        };
        report.error(node.at, "type", format!("{what} must be {expected}, not `{text}`"), "");
    }
    value
}

//! YAML read event by event into JSON.

use super::{DocumentError, MAX_DEPTH, MAX_NODES, MAX_WRITTEN_BYTES};
use serde_json::{Map, Number, Value};
use serde_saphyr::granit_parser::{self as yaml, Event, Parser, ScalarStyle, Span, Tag};
use std::collections::HashMap;

/// A list or map that is being read.
struct Open {
    anchor: usize,
    function: Option<String>,
    key: Option<String>,
    value: Value,
}

/// How much something is, aliases written out.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    /// Of its words.
    bytes: usize,
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    /// What each anchor stands for, and how much that is.
    anchors: HashMap<usize, (Value, Size)>,
    size: Size,
    root: Option<Value>,
}

pub(super) fn read(text: &str) -> Result<Value, DocumentError> {
    let mut options = yaml::options! { flow_nesting_limit: MAX_DEPTH, block_nesting_limit: MAX_DEPTH };
    options.set_emit_comments(false);
    let mut reader = Reader::default();
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| DocumentError {
            line: error.marker().line(),
            column: error.marker().col() + 1,
            message: match error.kind() {
                yaml::ErrorKind::RecursionLimitExceeded => format!("it is nested deeper than {MAX_DEPTH} levels"),
                kind => format!("this is not YAML: {kind}"),
            },
        })?;
        documents += usize::from(matches!(event, Event::DocumentStart(..)));
        let taken = if documents > 1 {
            Err("a second document starts here; give each a file of its own".to_owned())
        } else {
            reader.event(event)
        };
        taken.map_err(|message| at(&span, message))?;
    }
    Ok(reader.root.unwrap_or(Value::Null))
}

fn at(span: &Span, message: String) -> DocumentError {
    DocumentError { line: span.start.line(), column: span.start.col() + 1, message }
}

impl Reader {
    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.as_ref().is_none_or(|tag| tag.core_suffix() != Some("str"));
                let scalar = if plain && !self.wants_key() { scalar(&text) } else { Value::String(text.into_owned()) };
                let function = tag.as_deref().and_then(function);
                self.node(wrap(function, scalar), anchor)
            }
            Event::Alias(anchor) => {
                let Some(size) = self.anchors.get(&anchor).map(|(_, size)| *size) else {
                    return Err("this alias stands inside what it repeats".into());
                };
                // Counted before it is written out.
                self.grow(size)?;
                let value = self.anchors.get(&anchor).map(|(value, _)| value.clone()).unwrap_or_default();
                if self.open.len() + super::depth(&value) > MAX_DEPTH {
                    return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
                }
                self.node(value, 0)
            }
            Event::SequenceStart(_, anchor, tag) => self.push(Value::Array(Vec::new()), anchor, tag.as_deref()),
            Event::MappingStart(_, anchor, tag) => self.push(Value::Object(Map::new()), anchor, tag.as_deref()),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(done) => self.node(wrap(done.function, done.value), done.anchor),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn wants_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.value.is_object() && open.key.is_none())
    }

    fn push(&mut self, value: Value, anchor: usize, tag: Option<&Tag>) -> Result<(), String> {
        if self.wants_key() {
            return Err("a list or map cannot be a key".into());
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
        }
        self.open.push(Open { anchor, function: tag.and_then(function), key: None, value });
        Ok(())
    }

    fn grow(&mut self, by: Size) -> Result<(), String> {
        self.size.nodes += by.nodes;
        self.size.bytes += by.bytes;
        if self.size.nodes > MAX_NODES {
            return Err(format!("the file has more than {MAX_NODES} values"));
        }
        if self.size.bytes > MAX_WRITTEN_BYTES {
            return Err(format!("what the file repeats by aliases makes more than {} MiB", MAX_WRITTEN_BYTES >> 20));
        }
        Ok(())
    }

    fn node(&mut self, value: Value, anchor: usize) -> Result<(), String> {
        self.grow(Size { nodes: 1, bytes: value.as_str().map_or(0, str::len) })?;
        if anchor > 0 {
            let size = count(&value);
            // The copy that is kept counts as well: anchors inside anchors would multiply it.
            self.grow(size)?;
            self.anchors.insert(anchor, (value.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(value);
            return Ok(());
        };
        match (&mut open.value, open.key.take()) {
            (Value::Array(items), _) => items.push(value),
            (Value::Object(members), Some(key)) => {
                members.insert(key, value);
            }
            (Value::Object(members), None) => {
                let Value::String(key) = value else { return Err("a key must be a word".into()) };
                if members.contains_key(&key) {
                    return Err(format!("`{key}` is given twice"));
                }
                open.key = Some(key);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The long form a short tag stands for; YAML's own tags stand for none.
fn function(tag: &Tag) -> Option<String> {
    if tag.handle() != "!" {
        return None;
    }
    match tag.suffix() {
        "" => None,
        name @ ("Ref" | "Condition") => Some(name.to_owned()),
        name => Some(format!("Fn::{name}")),
    }
}

fn wrap(function: Option<String>, value: Value) -> Value {
    match function {
        Some(name) => Value::Object(Map::from_iter([(name, value)])),
        None => value,
    }
}

fn count(value: &Value) -> Size {
    let sum = |bytes: usize, inner: &mut dyn Iterator<Item = Size>| {
        let add = |sum: Size, size: Size| Size { nodes: sum.nodes + size.nodes, bytes: sum.bytes + size.bytes };
        inner.fold(Size { nodes: 1, bytes }, add)
    };
    match value {
        Value::Array(items) => sum(0, &mut items.iter().map(count)),
        Value::Object(members) => sum(members.keys().map(String::len).sum(), &mut members.values().map(count)),
        other => Size { nodes: 1, bytes: other.as_str().map_or(0, str::len) },
    }
}

/// A plain scalar: nothing, a truth value, a number as JSON writes one, or text.
fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    // Account numbers with leading zeros, versions and dates stay as they are written.
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    let number = numeric.then(|| serde_json::from_str::<Number>(text).ok()).flatten();
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

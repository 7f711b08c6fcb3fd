//! Paths into JSON documents, the part that means the same everywhere: names, positions, wildcards, slices and any depth.
//!
//! A path of names and positions gives what is there; one with `*`, a slice, a list or `..` gives a list of all it meets.
//! Source: RFC 9535, without filters and functions.

use super::{cell::Cell, evaluate::positions};
use crate::document::weight;
use serde_json::Value as Json;
use std::{fmt, sync::Arc};

/// Most places a path may come by: `$..*..*` over a large document ends here, without a result.
const MAX_PLACES: usize = 10_000;

/// Most bytes of what a path finds: what lies in one another is found, and copied, once at each level.
const MAX_FOUND_BYTES: usize = 1 << 20;

/// Most steps of a path: far beyond what documents nest.
const MAX_STEPS: usize = 32;

/// A path that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    text: Arc<str>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name(Arc<str>),
    Position(i64),
    Names(Vec<Arc<str>>),
    Positions(Vec<i64>),
    Slice([Option<i64>; 3]),
    All,
    /// `..`: what is here and everything below.
    Below,
}

impl JsonPath {
    /// Reads a path.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.trim().strip_prefix('$').ok_or("a path begins with `$`")?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if steps.len() >= MAX_STEPS {
                return Err(format!("a path has at most {MAX_STEPS} steps"));
            }
            rest = if let Some(after) = rest.strip_prefix("..") {
                steps.push(Step::Below);
                if after.starts_with('[') { after } else { dotted(after, &mut steps)? }
            } else if let Some(after) = rest.strip_prefix('.') {
                dotted(after, &mut steps)?
            } else if let Some(after) = rest.strip_prefix('[') {
                bracket(after, &mut steps)?
            } else {
                return Err(format!("`.` or `[` was expected before `{rest}`"));
            };
        }
        Ok(Self { text: text.into(), steps })
    }

    /// What the path finds in a document; none if nothing, or if it is too much.
    pub(super) fn find(&self, document: &Json) -> Cell {
        let mut found: Vec<&Json> = vec![document];
        for step in &self.steps {
            let mut next = Vec::new();
            for place in found {
                step.take(place, &mut next);
                if next.len() > MAX_PLACES {
                    return Cell::Null;
                }
            }
            found = next;
        }
        if self.steps.iter().all(|step| matches!(step, Step::Name(_) | Step::Position(_))) {
            return found.first().map_or(Cell::Null, |found| cell(found));
        }
        let mut bytes = 0;
        for place in &found {
            bytes += weight(place, MAX_FOUND_BYTES);
            if bytes > MAX_FOUND_BYTES {
                return Cell::Null;
            }
        }
        Cell::Json(Arc::new(found.into_iter().cloned().collect::<Vec<_>>().into()))
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A place in a document as a value: true and false are 1 and 0, as everywhere in formulas.
pub(super) fn cell(json: &Json) -> Cell {
    match json {
        Json::Null => Cell::Null,
        Json::Bool(truth) => Cell::Integer(i64::from(*truth)),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Cell::Integer(whole),
            (None, Some(decimal)) => Cell::number(decimal),
            (None, None) => Cell::Null,
        },
        Json::String(text) => Cell::Text(text.as_str().into()),
        Json::Array(_) | Json::Object(_) => Cell::Json(Arc::new(json.clone())),
    }
}

fn dotted<'t>(rest: &'t str, steps: &mut Vec<Step>) -> Result<&'t str, String> {
    if let Some(after) = rest.strip_prefix('*') {
        steps.push(Step::All);
        return Ok(after);
    }
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let name = &rest[..end];
    if name.is_empty() || name.contains(['(', ')', '\'', '"', '?', '@', ' ']) {
        return Err(format!("a name was expected before `{rest}`; other names stand in brackets: `['a name']`"));
    }
    steps.push(Step::Name(name.into()));
    Ok(&rest[end..])
}

fn bracket<'t>(rest: &'t str, steps: &mut Vec<Step>) -> Result<&'t str, String> {
    if rest.trim_start().starts_with(['?', '(']) {
        return Err("filters in a path are not supported".into());
    }
    let (mut names, mut numbers, mut slice): (Vec<Arc<str>>, Vec<i64>, _) = (Vec::new(), Vec::new(), None);
    let mut rest = rest;
    loop {
        rest = rest.trim_start();
        if let Some(quote) = rest.chars().next().filter(|first| matches!(first, '\'' | '"')) {
            let end = rest[1..].find(quote).ok_or("a quote in the path is never closed")? + 1;
            names.push(Arc::from(&rest[1..end]));
            rest = &rest[end + 1..];
        } else {
            let end = rest.find([',', ']']).ok_or("a `[` in the path is never closed")?;
            let part = rest[..end].trim();
            match (part, part.parse::<i64>()) {
                ("*", _) => steps.push(Step::All),
                (_, Ok(number)) => numbers.push(number),
                _ => slice = Some(bounds(part)?),
            }
            if part == "*" {
                return rest[end..].strip_prefix(']').ok_or_else(|| "`]` was expected after `*`".into());
            }
            rest = &rest[end..];
        }
        rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => break,
        }
    }
    let after = rest.strip_prefix(']').ok_or("a `[` in the path is never closed")?;
    steps.push(match (&names[..], &numbers[..], slice) {
        ([name], [], None) => Step::Name(name.clone()),
        ([], [number], None) => Step::Position(*number),
        ([], [], Some(slice)) => Step::Slice(slice),
        (_, [], None) => Step::Names(names),
        ([], _, None) => Step::Positions(numbers),
        _ => return Err("a `[…]` of a path holds names, positions or one slice, not a mixture".into()),
    });
    Ok(after)
}

fn bounds(part: &str) -> Result<[Option<i64>; 3], String> {
    let mut bounds = [None; 3];
    let parts: Vec<&str> = part.split(':').map(str::trim).collect();
    if !(2..=3).contains(&parts.len()) {
        return Err(format!("`{part}` is neither a position nor a name in quotes"));
    }
    for (bound, part) in bounds.iter_mut().zip(parts) {
        if !part.is_empty() {
            *bound = Some(part.parse().map_err(|_| format!("`{part}` is no position"))?);
        }
    }
    if bounds[2] == Some(0) { Err("a slice of a path needs a step other than 0".into()) } else { Ok(bounds) }
}

impl Step {
    fn take<'j>(&self, place: &'j Json, found: &mut Vec<&'j Json>) {
        match self {
            Self::Name(name) => found.extend(place.get(&**name)),
            Self::Position(position) => found.extend(at(place, *position)),
            Self::Names(names) => found.extend(names.iter().filter_map(|name| place.get(&**name))),
            Self::Positions(positions) => found.extend(positions.iter().filter_map(|position| at(place, *position))),
            Self::Slice(bounds) => {
                let Some(list) = place.as_array() else { return };
                found.extend(positions(list.len(), *bounds).into_iter().flatten().map(|at| &list[at]));
            }
            Self::All => children(place, found),
            Self::Below => below(place, found),
        }
    }
}

fn at(place: &Json, position: i64) -> Option<&Json> {
    let list = place.as_array()?;
    let length = i64::try_from(list.len()).ok()?;
    list.get(usize::try_from(if position < 0 { position.checked_add(length)? } else { position }).ok()?)
}

fn children<'j>(place: &'j Json, found: &mut Vec<&'j Json>) {
    match place {
        Json::Array(list) => found.extend(list),
        Json::Object(fields) => found.extend(fields.values()),
        _ => {}
    }
}

/// Here and everything below, without recursion, up to one more than the limit.
fn below<'j>(place: &'j Json, found: &mut Vec<&'j Json>) {
    let mut waiting = vec![place];
    while let Some(next) = waiting.pop() {
        found.push(next);
        if found.len() > MAX_PLACES {
            return;
        }
        let start = waiting.len();
        children(next, &mut waiting);
        waiting[start..].reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_path_finds_is_bounded_in_bytes() {
        let nested = |text: &str| (0..10).fold(Json::from(text), |inner, _| serde_json::json!({ "a": inner }));
        let path = JsonPath::parse("$..a").unwrap();
        assert!(matches!(path.find(&nested("x")), Cell::Json(found) if found.as_array().unwrap().len() == 10));
        assert!(matches!(path.find(&nested(&"x".repeat(200_000))), Cell::Null), "ten times 200 kB");
        // One place is as large as its document allows.
        assert!(matches!(JsonPath::parse("$.a").unwrap().find(&nested(&"x".repeat(2_000_000))), Cell::Json(_)));
    }
}

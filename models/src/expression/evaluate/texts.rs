//! Texts: letters are counted as characters, positions start at 0, negative ones count from the end.

use super::super::{Function, cell::Cell};
use std::sync::Arc;

/// Longest text that an expression makes, in characters: a result that is longer is none. Source: AWS IoT SiteWise, `+` of texts.
pub const MAX_CHARACTERS: usize = 1024;

/// A text as a value, unless it is too long.
pub(super) fn made(text: String) -> Cell {
    let short = text.len() <= MAX_CHARACTERS || text.chars().count() <= MAX_CHARACTERS;
    if short { Cell::Text(text.into()) } else { Cell::Null }
}

/// A value as it stands in a text.
pub(in super::super) fn written(cell: &Cell) -> Option<Arc<str>> {
    Some(match cell {
        Cell::Text(text) => text.clone(),
        Cell::Integer(number) => number.to_string().into(),
        Cell::Double(number) if number.is_finite() => number.to_string().into(),
        Cell::Boolean(truth) => u8::from(*truth).to_string().into(),
        Cell::Null | Cell::Double(_) | Cell::Json(_) => return None,
    })
}

/// Two values, of which one is a text, one after the other.
pub(super) fn concatenate(left: &Cell, right: &Cell) -> Cell {
    match (written(left), written(right)) {
        (Some(left), Some(right)) if left.len() + right.len() <= 4 * MAX_CHARACTERS => made(format!("{left}{right}")),
        _ => Cell::Null,
    }
}

/// `join(delimiter, a, b, …)`.
pub(super) fn join(cells: &[Cell]) -> Cell {
    let parts: Option<Vec<Arc<str>>> = cells.iter().map(written).collect();
    match parts.as_deref() {
        Some([delimiter, parts @ ..]) => {
            let length: usize = parts.iter().map(|part| part.len() + delimiter.len()).sum();
            if length > 8 * MAX_CHARACTERS { Cell::Null } else { made(parts.join(&**delimiter)) }
        }
        _ => Cell::Null,
    }
}

/// The functions of one text.
pub(super) fn one(function: Function, cell: &Cell) -> Cell {
    match (function, cell) {
        (Function::Length, Cell::Text(text)) => count(text.chars().count()),
        (Function::Length, Cell::Json(json)) => json.as_array().map_or(Cell::Null, |list| count(list.len())),
        (Function::Upper, Cell::Text(text)) => made(text.to_uppercase()),
        (Function::Lower, Cell::Text(text)) => made(text.to_lowercase()),
        _ => Cell::Null,
    }
}

/// The functions of two texts.
pub(super) fn two(function: Function, text: &Cell, part: &Cell) -> Cell {
    let (Cell::Text(text), Cell::Text(part)) = (text, part) else { return Cell::Null };
    match function {
        Function::Contains => Cell::Boolean(text.contains(&**part)),
        Function::StartsWith => Cell::Boolean(text.starts_with(&**part)),
        Function::EndsWith => Cell::Boolean(text.ends_with(&**part)),
        Function::Find => match text.find(&**part) {
            Some(byte) => count(text[..byte].chars().count()),
            None => Cell::Integer(-1),
        },
        _ => Cell::Null,
    }
}

fn count(count: usize) -> Cell {
    i64::try_from(count).map_or(Cell::Null, Cell::Integer)
}

/// `s[i]`.
pub(super) fn index(cell: &Cell, position: &Cell) -> Cell {
    let Some(position) = position.as_whole() else { return Cell::Null };
    let place = |length: usize| {
        let length = i64::try_from(length).ok()?;
        usize::try_from(if position < 0 { position.checked_add(length)? } else { position }).ok()
    };
    match cell {
        Cell::Text(text) => {
            let found = place(text.chars().count()).and_then(|place| text.chars().nth(place));
            found.map_or(Cell::Null, |found| Cell::Text(found.to_string().into()))
        }
        Cell::Json(json) => {
            let item = json.as_array().and_then(|list| list.get(place(list.len())?));
            item.map_or(Cell::Null, super::super::json_path::cell)
        }
        _ => Cell::Null,
    }
}

/// `s[from:to:step]`, as in Python; an omitted or missing bound is the end that the step comes from or goes to.
pub(super) fn slice(cell: &Cell, bounds: [&Cell; 3]) -> Cell {
    let mut whole = [None; 3];
    for (whole, bound) in whole.iter_mut().zip(bounds) {
        match (bound, bound.as_whole()) {
            (Cell::Null, _) => {}
            (_, Some(number)) => *whole = Some(number),
            (_, None) => return Cell::Null,
        }
    }
    match cell {
        Cell::Text(text) => {
            let letters: Vec<char> = text.chars().collect();
            positions(letters.len(), whole)
                .map_or(Cell::Null, |places| made(places.into_iter().map(|at| letters[at]).collect()))
        }
        Cell::Json(json) => match json.as_array().and_then(|list| Some((list, positions(list.len(), whole)?))) {
            Some((list, places)) => {
                Cell::Json(Arc::new(places.into_iter().map(|at| list[at].clone()).collect::<Vec<_>>().into()))
            }
            None => Cell::Null,
        },
        _ => Cell::Null,
    }
}

/// The positions a slice takes, in order; none for a step of 0.
pub(in super::super) fn positions(length: usize, [from, to, step]: [Option<i64>; 3]) -> Option<Vec<usize>> {
    let length = i64::try_from(length).ok()?;
    let step = step.unwrap_or(1);
    if step == 0 {
        return None;
    }
    let (lowest, highest) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let place = |bound: Option<i64>, otherwise: i64| match bound {
        None => otherwise,
        Some(bound) if bound < 0 => bound.saturating_add(length).clamp(lowest, highest),
        Some(bound) => bound.clamp(lowest, highest),
    };
    let (first, end) = if step > 0 { (place(from, 0), place(to, length)) } else { (place(from, length - 1), place(to, -1)) };
    let mut found = Vec::new();
    let mut at = first;
    while (step > 0 && at < end) || (step < 0 && at > end) {
        found.push(usize::try_from(at).ok()?);
        at = at.saturating_add(step);
    }
    Some(found)
}

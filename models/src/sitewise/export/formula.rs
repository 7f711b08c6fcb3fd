//! Formulas of the plant file's own form in SiteWise's words, where both mean the same.

use crate::expression::{Expression, Reference};
use std::sync::Arc;

/// Functions that have one name and one meaning in both.
const SHARED: [&str; 16] = [
    "avg",
    "sum",
    "min",
    "max",
    "count",
    "stdev",
    "first",
    "last",
    "latest",
    "earliest",
    "statetime",
    "abs",
    "ceil",
    "floor",
    "sqrt",
    "log10",
];
/// Signs that mean the same in both.
const SIGNS: &str = "+-*/()<>=!., \t\n";

/// A formula's text and its variables.
type Formula = (String, Vec<(Arc<str>, Arc<str>)>);

/// The formula, or why it has no place there.
pub(super) fn of(expression: &Expression) -> Result<Formula, String> {
    let mut text = String::new();
    let mut variables: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    let mut rest = &*expression.text;
    let refused = |what: &str| Err(format!("SiteWise has no `{what}` that means the same"));
    while let Some(letter) = rest.chars().next() {
        if letter.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len());
            text.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if letter.is_alphabetic() || letter == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = after;
            if after.trim_start().starts_with('(') {
                if !SHARED.contains(&word) {
                    return refused(word);
                }
                text.push_str(word);
            } else if matches!(word, "and" | "or" | "not" | "true" | "false") {
                text.push_str(word);
            } else {
                let name = word.replace('.', "_");
                let known = |reference: &Reference| matches!(reference, Reference::Own(_) | Reference::Children { .. });
                let found = expression.references.iter().any(|reference| known(reference) && names(reference, word));
                if !found || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
                    return refused(word);
                }
                text.push_str(&name);
                if !variables.iter().any(|(_, known)| **known == *word) {
                    if variables.iter().any(|(known, _)| **known == *name) {
                        return refused(word);
                    }
                    variables.push((name.into(), word.into()));
                }
            }
        } else if SIGNS.contains(letter) {
            text.push(letter);
            rest = &rest[letter.len_utf8()..];
        } else {
            return refused(&letter.to_string());
        }
    }
    Ok((text, variables))
}

/// Whether a word in a formula is this reference: a metric's name may stand for one of its windows.
fn names(reference: &Reference, word: &str) -> bool {
    let shown = reference.to_string();
    shown == word || shown.strip_prefix(word).is_some_and(|window| window.starts_with('_'))
}

//! Traps of YAML that plant engineers step into, each with the way out: tabs, commas in `{ … }`, `%`, `!` and `{` at the start.

use super::{
    diagnostic::Report,
    tree::{At, Entry, Kind, Node},
};
use serde_saphyr::granit_parser::{ErrorKind, ScanError};

/// Reports why a file is not YAML.
pub(super) fn explain(report: &Report<'_>, file: usize, text: &str, error: &ScanError) {
    let offset = error.marker().byte_offset().unwrap_or(0).min(text.len());
    let at = At { file, start: offset, end: offset + text[offset..].chars().next().map_or(0, char::len_utf8) };
    let line_start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let indent = line.len() - line.trim_start().len();
    if let Some(tab) = line[..indent].find('\t') {
        let at = At { file, start: line_start + tab, end: line_start + tab + 1 };
        return report.error(
            at,
            "tab",
            "this line is indented with a tab",
            "YAML wants spaces: replace each tab by two spaces",
        );
    }
    let hint = match error.kind() {
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation => {
            "YAML wants spaces: replace the tab".to_owned()
        }
        ErrorKind::UnexpectedCharacter { character } => {
            format!("a value cannot start with `{character}`: put it in quotes, \"{character}\"")
        }
        ErrorKind::UnknownAnchor => "a text that starts with `*` needs quotes".to_owned(),
        ErrorKind::UnclosedQuotedScalar => "a quote is opened here or above and never closed".to_owned(),
        ErrorKind::RecursionLimitExceeded => "64 levels are the limit".to_owned(),
        ErrorKind::UnclosedFlowCollection { open } => format!("close the `{open}`"),
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => flow_hint(&text[offset..]),
        _ => guess(line),
    };
    report.error(at, "yaml", format!("this is not YAML: {}", error.kind()), hint);
}

/// What is wrong inside `{ … }` or `[ … ]`, by the text that cannot follow.
fn flow_hint(rest: &str) -> String {
    match rest.chars().next() {
        Some(bracket @ ('{' | '[' | '}' | ']')) => format!("inside {{ … }} and [ … ] a text with `{bracket}` needs quotes"),
        Some('"' | '\'') => "quotes go around the whole value".into(),
        _ => "a comma or a closing bracket is missing, or a text with `: ` needs quotes".into(),
    }
}

/// The likeliest reason by the look of the line.
fn guess(line: &str) -> String {
    let value = line.split_once(": ").map_or("", |(_, value)| value.trim_start());
    let quoted = value.starts_with(['"', '\'']);
    if !quoted && value.starts_with('{') && value.contains('}') && !value.trim_end().ends_with('}') {
        "a text that starts with `{` needs quotes: \"{name} is high\"".into()
    } else if !quoted && value.contains(": ") {
        "a text with `: ` in it needs quotes".into()
    } else {
        "check the indentation, and that every bracket and quote is closed".into()
    }
}

/// Reports a YAML tag: nobody writes one on purpose here.
pub(super) fn tag(report: &Report<'_>, at: At, tag: &str) {
    let hint = "write `not x` instead of `!x`, or put the text in quotes";
    report.error(at, "yaml", format!("`{tag}` is read as a YAML tag, because it starts with `!`"), hint);
}

const COMMA_HINT: &str = "inside { … } and [ … ] a comma ends the value: put it in quotes";

/// Finds formulas that a comma cut in two, `{ when: x in (1, 2) }`, and marks them broken.
pub(super) fn comma_in_map(report: &Report<'_>, entries: &mut Vec<Entry>) {
    let mut position = 0;
    while position < entries.len() {
        let mut depth = depth_of(&entries[position].value);
        let mut end = position;
        while depth > 0 && end + 1 < entries.len() && entries[end + 1].bare {
            end += 1;
            depth += parentheses(&entries[end].key);
        }
        if end > position {
            let last = entries[end].at;
            report.error(
                cut(&entries[position].value, last),
                "comma",
                message(report, &entries[position].value, last),
                COMMA_HINT,
            );
            entries[position].value.kind = Kind::Broken;
            entries.drain(position + 1..=end);
        }
        position += 1;
    }
}

/// Finds actions that a comma cut in two, `[write speed = max(a, b)]`, and marks them broken.
pub(super) fn comma_in_list(report: &Report<'_>, items: &mut Vec<Node>) {
    let mut position = 0;
    while position < items.len() {
        let mut depth = depth_of(&items[position]);
        let mut end = position;
        while depth > 0 && end + 1 < items.len() && matches!(items[end + 1].kind, Kind::Scalar { plain: true, .. }) {
            end += 1;
            depth += parentheses(items[end].text().unwrap_or_default());
        }
        if end > position {
            let last = items[end].at;
            report.error(cut(&items[position], last), "comma", message(report, &items[position], last), COMMA_HINT);
            items[position].kind = Kind::Broken;
            items.drain(position + 1..=end);
        }
        position += 1;
    }
}

fn cut(first: &Node, last: At) -> At {
    At { file: first.at.file, start: first.at.start, end: last.end.max(first.at.end) }
}

fn message(report: &Report<'_>, first: &Node, last: At) -> String {
    format!("the comma cuts `{}` in two", report.source(cut(first, last)))
}

fn depth_of(node: &Node) -> i32 {
    match &node.kind {
        Kind::Scalar { text, plain: true } => parentheses(text),
        _ => 0,
    }
}

/// Opening parentheses without a closing one.
fn parentheses(text: &str) -> i32 {
    text.chars().map(|c| i32::from(c == '(') - i32::from(c == ')')).sum()
}

//! What people say about stops afterwards: a reason, a comment, a border between two parts.
//!
//! Each statement is kept as an ordinary value of the machine's hidden property `stop_edits`, at the time it begins to hold, so it
//! survives when derived data is deleted, is read by the same plan as everything else, and touches the windows it speaks about.
//! Statements never overlap: [`overlay`] says which values to write so that a new one takes exactly its span.

use crate::{Timestamp, window::Window};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Longest reason or comment, in bytes: a paragraph. Bounds what one statement adds to every later computation.
pub const MAX_STATEMENT: usize = 2_000;

/// What somebody said about a span of time in which a machine stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopEdit {
    /// From when to when it holds. [`Timestamp::MAX`] is its end as long as the stop goes on: a blank one follows when the machine runs.
    pub span: Window,
    /// What was said.
    pub statement: Statement,
}

/// The words of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The reason; empty leaves what the machine said.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub reason: Arc<str>,
    /// A comment; may be empty.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub comment: Arc<str>,
    /// Who said it.
    pub by: Arc<str>,
    /// When it was said.
    pub at: Timestamp,
}

/// The stored form: the value stands at the start of the span.
#[derive(Serialize, Deserialize)]
struct Stored {
    until: Timestamp,
    #[serde(flatten)]
    statement: Statement,
}

impl Statement {
    /// Whether nothing is said: it only ends what was said before.
    pub fn is_blank(&self) -> bool {
        self.reason.is_empty() && self.comment.is_empty()
    }
}

impl StopEdit {
    /// Ends what was said before.
    pub fn blank(from: Timestamp) -> Self {
        let statement = Statement { reason: "".into(), comment: "".into(), by: "".into(), at: from };
        Self { span: Window { start: from, end: Timestamp::MAX }, statement }
    }

    /// The text that is stored at the start of the span.
    pub fn text(&self) -> String {
        let stored = Stored { until: self.span.end, statement: self.statement.clone() };
        serde_json::to_string(&stored).expect("a statement is plain data")
    }

    /// Reads what [`Self::text`] wrote; none for anything else.
    pub fn read(start: Timestamp, text: &str) -> Option<Self> {
        let Stored { until, statement } = serde_json::from_str(text).ok()?;
        (start < until).then_some(Self { span: Window { start, end: until }, statement })
    }
}

/// Statements as they hold, in time order: each until its own end or the next one's start.
pub fn in_force(edits: &[StopEdit]) -> Vec<StopEdit> {
    let mut edits = edits.to_vec();
    edits.sort_by_key(|edit| edit.span.start);
    for index in 1..edits.len() {
        let next = edits[index].span.start;
        let before = &mut edits[index - 1].span;
        before.end = before.end.min(next);
    }
    edits.retain(|edit| edit.span.start < edit.span.end);
    edits
}

/// The statements to write so that a new one takes exactly its span: itself, itself again where older ones begin inside, and what
/// it interrupted from its end on.
pub fn overlay(known: &[StopEdit], new: &StopEdit) -> Vec<StopEdit> {
    let Window { start, end } = new.span;
    let known = in_force(known);
    let mut write = vec![new.clone()];
    let inside = known.iter().filter(|old| start < old.span.start && old.span.start < end);
    write.extend(inside.map(|old| StopEdit { span: Window { start: old.span.start, end }, ..new.clone() }));
    let interrupted = known.iter().find(|old| old.span.start < end && end < old.span.end);
    write.extend(interrupted.map(|old| StopEdit { span: Window { start: end, end: old.span.end }, ..old.clone() }));
    write
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn edit(start: i64, end: i64, reason: &str) -> StopEdit {
        let at = Timestamp::from_seconds;
        let statement = Statement { reason: reason.into(), comment: "".into(), by: "anna".into(), at: at(end) };
        StopEdit { span: Window { start: at(start), end: at(end) }, statement }
    }

    #[test]
    fn a_statement_reads_back() {
        let edit = edit(10, 20, "jam");
        assert_eq!(StopEdit::read(edit.span.start, &edit.text()), Some(edit.clone()));
        assert_eq!(StopEdit::read(edit.span.end, &edit.text()), None, "it would hold for no time");
        assert_eq!(StopEdit::read(edit.span.start, "jam"), None);
    }

    #[test]
    fn a_blank_statement_ends_what_was_said_of_a_stop_that_went_on() {
        let mut open = edit(10, 20, "jam");
        open.span.end = Timestamp::MAX;
        let blank = StopEdit::blank(Timestamp::from_seconds(25));
        assert_eq!(StopEdit::read(blank.span.start, &blank.text()), Some(blank.clone()), "it is kept like any");
        let holds = in_force(&[blank, open]);
        assert_eq!((holds[0].span, &*holds[0].statement.reason), (edit(10, 25, "jam").span, "jam"));
        assert!(holds[1].statement.is_blank() && !holds[0].statement.is_blank());
    }

    proptest! {
        /// Whoever speaks last is right for the very span, and for no other instant.
        #[test]
        fn the_last_word_holds_for_its_span(edits in proptest::collection::vec((0_i64..30, 1_i64..12), 1..12)) {
            let mut painted: BTreeMap<i64, String> = BTreeMap::new();
            let mut stored: BTreeMap<Timestamp, StopEdit> = BTreeMap::new();
            for (number, (start, length)) in edits.iter().enumerate() {
                let new = edit(*start, start + length, &number.to_string());
                (*start..start + length).for_each(|second| drop(painted.insert(second, number.to_string())));
                let known: Vec<StopEdit> = stored.values().cloned().collect();
                for write in overlay(&known, &new) {
                    stored.insert(write.span.start, write);
                }
            }
            let all: Vec<StopEdit> = stored.into_values().collect();
            let mut seen = BTreeMap::new();
            for edit in in_force(&all) {
                let seconds = |time: Timestamp| time.as_nanos() / 1_000_000_000;
                for second in seconds(edit.span.start)..seconds(edit.span.end) {
                    seen.insert(second, edit.statement.reason.to_string());
                }
            }
            prop_assert_eq!(seen, painted);
        }
    }
}

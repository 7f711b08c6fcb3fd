//! Changes as text for a terminal and for the record of who changed what.

use super::{Change, ChangeKind, Difference};
use std::fmt::Write as _;

/// Most changes that are written out; a plant that is made anew has thousands.
const MAX_SHOWN: usize = 500;

/// The changes as text: one line each, and what follows from it below. Empty if nothing changes.
pub fn text(difference: &Difference) -> String {
    let mut text = String::new();
    for change in difference.changes.iter().take(MAX_SHOWN) {
        // Writing to a text does not fail.
        let _ = writeln!(text, "{}", line(change));
        change.consequences.iter().for_each(|consequence| {
            let _ = writeln!(text, "    {consequence}");
        });
    }
    if let Some(more) = difference.changes.len().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "… and {more} more changes");
    }
    for consequence in &difference.consequences {
        let _ = writeln!(text, "! {consequence}");
    }
    text
}

/// `~ filler.temp_limit  82 °C → 84 °C`.
fn line(change: &Change) -> String {
    let said = match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("  {before} → {after}"),
        (Some(one), None) | (None, Some(one)) => format!("  {one}"),
        (None, None) => String::new(),
    };
    let sign = match change.kind {
        ChangeKind::Added => '+',
        ChangeKind::Removed => '-',
        ChangeKind::Changed => '~',
    };
    format!("{sign} {}{said}", change.what)
}

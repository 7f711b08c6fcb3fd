//! Values that somebody sets or corrects afterwards: what is written, where it changes what held, and what must follow.
//!
//! An attribute that was another one for a while is stored as ordinary values of its series: [`overlay`] says which, so that the new
//! value holds in exactly its span and what held before goes on after it. A correction is kept in the record of its values until all
//! that depends on it is computed again; a crash in between changes nothing.

mod overlay;
mod value;

pub use self::{
    overlay::{Overlay, RESTATE, overlay},
    value::{ValueRefusal, read_value},
};

use crate::{AssetId, SeriesId, Timestamp, Tqv, window::Window};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Longest note, in bytes: a paragraph. It stands in the cause of every window that follows.
pub const MAX_NOTE: usize = 500;

/// Prefix of the keys of kept documents that hold a [`Correction`] each.
pub const PREFIX: &str = "correction/";

/// Values of the past that are to be others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// The asset.
    pub asset: AssetId,
    /// Key of the property.
    pub property: Arc<str>,
    /// What is done: `set_attribute` or `correct_value`.
    pub verb: Arc<str>,
    /// What was and what is now, in words, for the audit.
    pub detail: Arc<str>,
    /// The same in short, for the revisions that follow.
    pub cause: Arc<str>,
    /// The values that are written.
    pub values: Vec<Tqv>,
    /// Whether one of them is still the newest of the series, so that the present changes as well.
    pub present: bool,
    /// Where another value holds than before: each from its start on up to its end, [`Timestamp::MAX`] as long as no other comes.
    pub spans: Vec<Window>,
}

/// An edit, or values that came late, whose consequences are not computed yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    /// The series that was edited, or of which values came late.
    pub series: SeriesId,
    /// Where; see [`Edit::spans`].
    pub spans: Vec<Window>,
    /// Why figures change.
    pub cause: Arc<str>,
    /// When it was done; tells two corrections of a series apart.
    pub at: Timestamp,
    /// Whether these are values that came late, which nobody has said.
    #[serde(default)]
    pub late: bool,
}

/// Where a correction changed values of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The series.
    pub series: SeriesId,
    /// The first and the last changed value.
    pub values: Window,
    /// Up to when the last one holds; none as long as no other comes.
    pub until: Option<Timestamp>,
    /// Why.
    pub cause: Arc<str>,
}

impl Correction {
    /// The key it is kept under.
    pub fn key(&self) -> String {
        format!("{PREFIX}{}/{}", self.series.0, self.at.as_nanos())
    }

    /// That values of a series came late, the first and the last of them given: what transforms made of it in between is computed
    /// again, and what they made until the next value after the last.
    pub fn late(series: SeriesId, values: Window, cause: Arc<str>, at: Timestamp) -> Self {
        let last = Window { start: values.end, end: Timestamp::MAX };
        let between = (values.start < values.end).then_some(values);
        Self { series, spans: between.into_iter().chain([last]).collect(), cause, at, late: true }
    }

    /// Where it changed the series itself. `next` gives the time of the first value of the series after an instant.
    pub fn reached(&self, span: &Window, next: Option<Timestamp>) -> Reached {
        let until = (span.end < Timestamp::MAX).then_some(span.end).or(next);
        Reached { series: self.series, values: Window { start: span.start, end: span.start }, until, cause: self.cause.clone() }
    }
}

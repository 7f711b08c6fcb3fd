//! AWS IoT Events detector models and inputs: read as they are written there, checked, and analysed.
//!
//! The way in: a document in one of its wrappers ([`wrapper`]) → a definition walked member by member with its JSON path
//! ([`cursor`], [`read`], [`action`]) → a [`DetectorModel`] whose expressions are parsed → doubts about it ([`analysis`]).
//! `andon-detectors` runs the result. The plant file's own `detectors:` outside of asset models are the same type.
//!
//! JSON is walked, not deserialized into structs: real files hold members in two spellings (`stateName`, `StateName`), `null` for
//! what is absent, and every mistake must be named with its path in one run, not only the first.
//! Reading never fails on any document but with [`Finding`]s, and everything read is bounded.

mod action;
mod alarm;
mod analysis;
mod cursor;
mod finding;
mod formula;
mod input;
mod json_path;
mod model;
pub mod plant_form;
mod read;
mod shape;
mod tidy;
mod wrapper;

pub use alarm::MessageAlarm;
pub use finding::{Finding, FindingKind, Level};
pub use formula::Formula;
pub use input::{Input, InputMessage, InputTopic};
pub use json_path::JsonPath;
pub use model::{Action, Content, DetectorModel, Event, Field, Payload, PayloadType, State};
pub use shape::{ActionKind, ActionShape, FieldRule, FieldShape};
pub use tidy::tidy;
pub(crate) use wrapper::read_section;
pub use wrapper::{Document, read, read_value, recognises};

/// Findings kept of one document; a file with more mistakes is mended in rounds.
pub const MAX_FINDINGS: usize = 200;
/// Most events of one state and moment. AWS allows 20.
pub const MAX_EVENTS: usize = 256;
/// Most actions of one event. AWS allows 10.
pub const MAX_ACTIONS: usize = 64;
/// Longest text of one member. AWS allows 1,024 bytes of a payload's expression.
pub const MAX_TEXT: usize = 16 << 10;
/// Longest timer in seconds: a year of 366 days, as on AWS.
pub const MAX_TIMER_SECONDS: i64 = 31_622_400;

#[cfg(test)]
mod tests;

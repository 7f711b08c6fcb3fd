//! The one table of all points, made of buffer and files, and the table of events.

pub(crate) mod asked;
pub(crate) mod choose;
pub(crate) mod columns;
pub(crate) mod dedup;
pub(crate) mod event_columns;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod named;
pub(crate) mod points;
pub(crate) mod prune;
pub(crate) mod reader;

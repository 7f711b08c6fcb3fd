//! Windows: spans of time, start exclusive, end inclusive, stamped at the end. The one place that says where they lie.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a metric's windows follow one another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowSpec {
    /// Equal spans aligned to UTC, moved by `offset`.
    Tumbling {
        /// Length of a window; at least one second.
        every: Duration,
        /// Shift of the borders against UTC.
        offset: Duration,
    },
    /// The shifts of the plant's calendar.
    Shift,
    /// Production days in plant time.
    Day,
    /// Production weeks in plant time.
    Week,
}

/// One window: `(start, end]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    /// The last instant before the window.
    pub start: Timestamp,
    /// The last instant of the window; its results carry this time.
    pub end: Timestamp,
}

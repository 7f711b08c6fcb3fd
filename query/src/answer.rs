//! Questions and answers in plain data.

use andon_models::{AssetId, Timestamp, window::Window};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Kinds as stored (`transition`, `alarm`, …); empty means all.
    pub kinds: Vec<Arc<str>>,
    /// Only of this asset.
    pub asset: Option<AssetId>,
    /// Only of this asset path, or this key of a detector over messages; empty for what has neither.
    pub path: Option<Arc<str>>,
    /// Only of this detector.
    pub detector: Option<Arc<str>>,
    /// Only of this rule; of revisions the kind of their window, `5m`.
    pub rule: Option<Arc<str>>,
    /// Only what is about instants of a window, its end included: of revisions the ends of their windows, of notes the starts of their hours.
    pub about: Option<Window>,
    /// Only after this instant.
    pub from: Option<Timestamp>,
    /// Only up to this instant.
    pub to: Option<Timestamp>,
    /// At most so many; 0 means [`EventFilter::DEFAULT_LIMIT`].
    pub limit: usize,
}

impl EventFilter {
    /// Events given when no limit is named: a few screens.
    pub const DEFAULT_LIMIT: usize = 200;
}

/// What a statement may take.
#[derive(Clone, Copy, Debug)]
pub struct SqlLimits {
    /// How long it may run.
    pub time: Duration,
    /// How many rows it may answer; more are cut off and said to be.
    pub rows: usize,
    /// How many bytes its answer may take in memory.
    pub memory: usize,
}

impl Default for SqlLimits {
    /// What a person at a screen waits for and reads.
    fn default() -> Self {
        Self { time: Duration::from_secs(30), rows: 20_000, memory: 64 << 20 }
    }
}

/// The answer to a statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SqlAnswer {
    /// The columns in order.
    pub columns: Vec<SqlColumn>,
    /// The rows; times are RFC 3339 texts.
    pub rows: Vec<Vec<serde_json::Value>>,
    /// Whether rows were cut off by a limit.
    #[serde(default)]
    pub truncated: bool,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlColumn {
    /// Its name.
    pub name: String,
    /// `boolean`, `integer`, `double`, `timestamp`, `string`, or, rarer, `date`, `interval`, `decimal`, `list of …`, `null` and the like.
    pub r#type: String,
}

/// How the historian is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HistorianStats {
    /// Points taken since it was opened.
    pub points: u64,
    /// Events taken since it was opened.
    pub events: u64,
    /// Points that are not in Parquet yet.
    pub buffered_points: u64,
    /// Series with at least one value.
    pub series: u64,
    /// Parquet files of samples and events.
    pub files: u64,
    /// Rows in those files.
    pub file_rows: u64,
    /// Number of the last durable log record.
    pub log_record: u64,
    /// Times the buffer became Parquet since it was opened.
    pub flushes: u64,
    /// Flushes that failed and were tried again.
    pub flush_failures: u64,
    /// Times files were merged since it was opened.
    pub merges: u64,
    /// Statements that run now.
    pub statements: u64,
}

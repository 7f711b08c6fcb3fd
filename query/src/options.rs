//! How a historian is opened.

use std::{path::PathBuf, time::Duration};

/// How a historian keeps its data. The defaults suit a plant of ten thousand tags.
#[derive(Clone, Debug)]
pub struct HistorianOptions {
    /// The data folder. It is made if it does not exist, and locked.
    pub dir: PathBuf,
    /// How long a record waits for others, so that one `fdatasync` serves them all.
    pub group_commit: Duration,
    /// Buffered points that start a flush: about 60 bytes each until they are Parquet.
    pub flush_rows: usize,
    /// The oldest the buffer may get. A restart reads back at most so much of the log.
    pub flush_age: Duration,
    /// Memory all queries together may take.
    pub query_memory: usize,
}

impl HistorianOptions {
    /// The defaults for a data folder.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            group_commit: Duration::from_millis(2),
            flush_rows: 1_000_000,
            flush_age: Duration::from_secs(1_800),
            query_memory: 1 << 30,
        }
    }
}

//! How a historian is opened.

use std::{path::PathBuf, time::Duration};
use tokio::runtime::Handle;
use url::Url;

/// How a historian keeps its data. The defaults suit a plant of ten thousand tags.
#[derive(Clone, Debug)]
pub struct HistorianOptions {
    /// The data folder. It is made if it does not exist, and locked.
    pub dir: PathBuf,
    /// Where the tables of history are kept instead of in the data folder: `s3://bucket/prefix`. The log stays in the data folder.
    pub bucket: Option<Url>,
    /// Whether a bucket that another Andon has written is taken over.
    pub take_over: bool,
    /// How long a patient record waits for others at most, so that one `fdatasync` serves them all. A writer that is alone never waits.
    pub commit_delay: Duration,
    /// Bytes that go to the log together at most.
    pub commit_bytes: usize,
    /// Buffered points that start a flush, if the memory does not start one before.
    pub flush_rows: usize,
    /// The oldest the buffer may get. A restart reads back at most so much of the log.
    pub flush_age: Duration,
    /// How long a file that was merged into another stays for readers of the tables that may still want it.
    pub keep_removed: Duration,
    /// How long history is kept.
    pub keep: Retention,
    /// Memory for everything that grows with the load: the buffer, making files of it, and all queries together. What is there per
    /// series, and the program itself, comes on top.
    pub memory: usize,
    /// The runtime for everything that computes for long: flushes and merges, and whatever its owner spawns there with
    /// [`crate::Historian::workers`]. What must happen at once lives in another one, and no question holds it up. None: the runtime that
    /// asks.
    pub workers: Option<Handle>,
    /// The disk under the log; tests let it fail.
    #[cfg(test)]
    pub(crate) disk: crate::historian::log::Disk,
}

/// The smallest memory that makes sense: a few thousand rows per file, and a query over a month of one series.
pub const MIN_MEMORY: usize = 64 << 20;

/// How long each class of data is kept; none means for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Samples.
    pub samples: Option<Duration>,
    /// Events.
    pub events: Option<Duration>,
}

impl HistorianOptions {
    /// The defaults for a data folder.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            bucket: None,
            take_over: false,
            commit_delay: Duration::from_millis(2),
            commit_bytes: 8 << 20,
            flush_rows: 1_000_000,
            flush_age: Duration::from_secs(1_800),
            keep_removed: Duration::from_secs(3_600),
            keep: Retention::default(),
            memory: 1 << 30,
            workers: None,
            #[cfg(test)]
            disk: crate::historian::log::Disk::default(),
        }
    }

    /// Buffered bytes that start a flush. Sorting, encoding and compressing them takes about four times as many again.
    pub(crate) fn flush_bytes(&self) -> usize {
        self.memory / 16
    }

    /// Buffered bytes at which appending waits: one flush under way and three times as much while the disk is slow.
    pub(crate) fn buffer_bytes(&self) -> usize {
        self.memory / 4
    }

    /// What all queries together may take.
    pub(crate) fn query_bytes(&self) -> usize {
        self.memory / 8 * 3
    }

    /// What the merge of files that runs may take: batches and decoded pages of its streams.
    pub(crate) fn merge_bytes(&self) -> usize {
        self.memory / 8
    }

    pub(crate) fn group_commit(&self) -> crate::historian::log::GroupCommit {
        crate::historian::log::GroupCommit {
            delay: self.commit_delay,
            bytes: self.commit_bytes,
            #[cfg(test)]
            disk: self.disk.clone(),
            #[cfg(not(test))]
            disk: Default::default(),
        }
    }
}

//! What can go wrong with remembering and answering; a variant exists because a caller acts on it.

use std::path::PathBuf;

/// Why the historian could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Another process has the data folder.
    #[error("the data folder {0} is in use by another Andon; stop that one, or choose another folder with --data")]
    Locked(PathBuf),
    /// A file or folder could not be read or written.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The disk has no room; nothing new is acknowledged until some is freed.
    #[error("there is no room on the disk: {0}; free some, and Andon goes on by itself")]
    StorageFull(String),
    /// The log does not take records any more; nothing new is acknowledged.
    #[error("the log takes no records: {0}")]
    LogFailed(String),
    /// A record is larger than the log allows.
    #[error("a record of {0} bytes is larger than the log takes; send smaller batches")]
    TooLarge(usize),
    /// A value cannot be stored as it is: its series does not take it, or its name cannot be one.
    #[error("{0}")]
    Refused(String),
    /// The statement is not SQL, names what does not exist, or would change something.
    #[error("{0}")]
    Statement(String),
    /// The statement took longer than it may.
    #[error("the statement took longer than {0:?}; narrow it by time or asset")]
    TimedOut(std::time::Duration),
    /// DataFusion failed while running a plan.
    #[error(transparent)]
    DataFusion(#[from] datafusion::error::DataFusionError),
    /// The Delta table could not be read or written.
    #[error("history: {0}")]
    Delta(#[from] deltalake::DeltaTableError),
    /// Parquet could not be written.
    #[error("history: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// Arrow data did not fit together.
    #[error("history: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// The folder holds no history.
    #[error("{0} holds no history; is it the data folder of an Andon?")]
    NoHistory(PathBuf),
    /// It was closed and takes nothing more.
    #[error("the historian is closed")]
    Closed,
    /// Another Andon writes the bucket.
    #[error(
        "{0} is written by another Andon; choose another prefix, or take it over with --take-over when that one is gone for good"
    )]
    Taken(String),
    /// Files of history could not be merged.
    #[error("history could not be compacted: {0}")]
    Compaction(String),
    /// Something that must not happen did; the message helps to report it.
    #[error("internal: {0}")]
    Internal(String),
}

impl QueryError {
    /// Wraps an input or output error with what was being done to which file.
    pub(crate) fn io(doing: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    /// Whether room on the disk is all that is missing: no space, no quota, or a file that may not grow.
    pub fn is_storage_full(&self) -> bool {
        use std::{error::Error, io::ErrorKind};
        if matches!(self, Self::StorageFull(_)) {
            return true;
        }
        let mut cause: Option<&(dyn Error + 'static)> = Some(self);
        while let Some(error) = cause {
            let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            if matches!(kind, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)) {
                return true;
            }
            cause = error.source();
        }
        // Some libraries keep only the words of the cause.
        let text = self.to_string();
        ["os error 28)", "os error 122)", "os error 27)"].iter().any(|code| text.contains(code))
    }
}

//! Whether what is taken in gets on disk, and why not: said by the log's thread and the flush, seen by everyone at once.

use crate::QueryError;
use std::sync::Arc;
use tokio::sync::watch;

/// Why something cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Whether the disk has no room: freeing some is enough.
    pub full: bool,
    /// The reason, in words.
    pub reason: Arc<str>,
}

/// What stands between the historian and its disk. None of both: all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageHealth {
    /// Why the log takes no records. Nothing is acknowledged meanwhile, and new records are refused.
    pub log: Option<Trouble>,
    /// Why the buffer does not become files. Records are taken until the buffer is full.
    pub history: Option<Trouble>,
}

impl Trouble {
    /// The trouble behind an error.
    pub(crate) fn of(error: &QueryError) -> Self {
        Self { full: error.is_storage_full(), reason: error.to_string().into() }
    }
}

impl From<Trouble> for QueryError {
    fn from(trouble: Trouble) -> Self {
        let reason = trouble.reason.to_string();
        if trouble.full { Self::StorageFull(reason) } else { Self::LogFailed(reason) }
    }
}

impl StorageHealth {
    /// What is wrong, the log's trouble first: it stops more.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.log.as_ref().or(self.history.as_ref())
    }
}

/// The one place where storage health stands. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing(Arc<watch::Sender<StorageHealth>>);

impl Standing {
    /// Says how the log is doing.
    pub fn log(&self, trouble: Option<Trouble>) {
        self.set(|health| &mut health.log, trouble);
    }

    /// Says how making files is doing.
    pub fn history(&self, trouble: Option<Trouble>) {
        self.set(|health| &mut health.history, trouble);
    }

    fn set(&self, part: impl FnOnce(&mut StorageHealth) -> &mut Option<Trouble>, trouble: Option<Trouble>) {
        self.0.send_if_modified(|health| {
            let part = part(health);
            let changed = *part != trouble;
            *part = trouble;
            changed
        });
    }

    /// How it is now.
    pub fn now(&self) -> StorageHealth {
        self.0.borrow().clone()
    }

    /// Tells of every change.
    pub fn watch(&self) -> watch::Receiver<StorageHealth> {
        self.0.subscribe()
    }

    /// Whether the log takes records.
    ///
    /// # Errors
    /// Why not.
    pub fn check_log(&self) -> Result<(), QueryError> {
        match &self.0.borrow().log {
            Some(trouble) => Err(trouble.clone().into()),
            None => Ok(()),
        }
    }
}

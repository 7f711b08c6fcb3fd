//! The thread that writes and syncs.

use super::{SEGMENT_BYTES, segment_path, sync_folder};
use crate::error::QueryError;
use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// Records that may wait to be written; when so many wait, appending waits: the disk sets the pace.
const MAX_WAITING: usize = 1_024;
/// Bytes joined into one write at most.
const MAX_GROUP_BYTES: usize = 8 << 20;

/// A record on its way to the disk.
pub struct Submission {
    /// The number of the record.
    pub number: u64,
    /// The record's bytes.
    pub bytes: Vec<u8>,
    /// Whether it begins a new segment.
    pub begin: bool,
    /// Answered when it is on disk, or with the reason why not.
    pub done: oneshot::Sender<Result<(), Arc<str>>>,
}

/// The entrance to the writer thread.
#[derive(Clone)]
pub struct LogWriter {
    queue: mpsc::Sender<Submission>,
    failed: Failure,
}

/// Why nothing is acknowledged; none while all is well.
type Failure = Arc<Mutex<Option<Arc<str>>>>;

struct Thread {
    folder: PathBuf,
    file: Option<File>,
    size: u64,
    failed: Failure,
    /// Whether a sync did not end well. What it left in the page cache is unknown, so nothing after it may be acknowledged.
    unsynced: bool,
    group_commit: Duration,
}

impl LogWriter {
    /// Starts the thread. A new segment begins with the first record.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(folder: &Path, group_commit: Duration) -> Result<(Self, std::thread::JoinHandle<()>), QueryError> {
        let (queue, waiting) = mpsc::channel(MAX_WAITING);
        let failed = Failure::default();
        let thread =
            Thread { folder: folder.to_owned(), file: None, size: 0, failed: failed.clone(), unsynced: false, group_commit };
        let handle = std::thread::Builder::new()
            .name("andon-log".into())
            .spawn(move || thread.run(waiting))
            .map_err(QueryError::io("cannot start the log thread for", folder))?;
        Ok((Self { queue, failed }, handle))
    }

    /// Why nothing is acknowledged, if so.
    pub fn failure(&self) -> Option<Arc<str>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A place in the queue; waits while it is full.
    pub async fn reserve(&self) -> Result<mpsc::OwnedPermit<Submission>, QueryError> {
        self.queue.clone().reserve_owned().await.map_err(|_| QueryError::LogFailed("its thread has ended".into()))
    }
}

impl Thread {
    fn run(mut self, mut waiting: mpsc::Receiver<Submission>) {
        let mut group = Vec::new();
        let mut bytes = Vec::new();
        let mut held: Option<Submission> = None;
        while let Some(first) = held.take().or_else(|| waiting.blocking_recv()) {
            if first.begin {
                self.file = None;
            }
            bytes.clear();
            bytes.extend_from_slice(&first.bytes);
            let first_number = first.number;
            group.push(first.done);
            // While the disk was busy others have queued up; a short pause lets a few more join when nobody has.
            if waiting.is_empty() && !self.group_commit.is_zero() {
                std::thread::park_timeout(self.group_commit);
            }
            while bytes.len() < MAX_GROUP_BYTES {
                let Ok(next) = waiting.try_recv() else { break };
                if next.begin {
                    held = Some(next);
                    break;
                }
                bytes.extend_from_slice(&next.bytes);
                group.push(next.done);
            }
            let written = self.commit(first_number, &bytes);
            for done in group.drain(..) {
                // Whoever does not wait for the answer has chosen not to know.
                let _ = done.send(written.clone());
            }
        }
    }

    fn commit(&mut self, first: u64, bytes: &[u8]) -> Result<(), Arc<str>> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !self.unsynced {
            failed = self.write(first, bytes).err().map(|error| error.to_string().into());
            if let Some(reason) = &failed {
                self.take_back();
                let until = if self.unsynced { "a restart" } else { "there is room again" };
                tracing::error!(%reason, "the log cannot be written; nothing is acknowledged until {until}");
            }
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&failed);
        }
        failed.map_or(Ok(()), Err)
    }

    fn write(&mut self, first: u64, bytes: &[u8]) -> Result<(), QueryError> {
        let path = segment_path(&self.folder, first);
        if self.file.is_none() || self.size >= SEGMENT_BYTES {
            let file = OpenOptions::new().create(true).append(true).open(&path);
            self.file = Some(file.map_err(QueryError::io("cannot make", &path))?);
            self.size = 0;
            sync_folder(&self.folder)?;
        }
        if let Some(file) = &mut self.file {
            file.write_all(bytes).map_err(QueryError::io("cannot write", &self.folder))?;
            self.unsynced = true;
            file.sync_data().map_err(QueryError::io("cannot sync", &self.folder))?;
            self.unsynced = false;
        }
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// After a failed write, as on a full disk: cuts off what was written of it, so that the log can go on when there is room.
    fn take_back(&mut self) {
        if let Some(file) = self.file.as_mut().filter(|_| !self.unsynced) {
            // With rubbish in between, what follows might be taken for damage: better to stop.
            self.unsynced = file.set_len(self.size).is_err();
        }
    }
}

//! The thread that writes and syncs: many records with one `fdatasync`.
//!
//! A record in the queue is visible to queries already, so it must become durable, in its place. When the disk fails, the thread
//! tells everyone who waits, lets nobody else in, keeps the records, and writes them to a new segment until that succeeds.

use super::{
    segment::{Disk, Segment},
    standing::{Standing, Trouble},
};
use crate::error::QueryError;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::{Instant, timeout_at},
};

/// Records that may wait to be written; when so many wait, appending waits: the disk sets the pace.
const MAX_WAITING: usize = 1_024;
/// Bytes that may wait to be written, in KiB: a second of a burst, and little against the memory of the buffer.
const MAX_WAITING_KIB: usize = 32 << 10;
/// How long to leave a failing disk alone: half of the second in which a person should see that it goes on.
const RETRY: Duration = Duration::from_millis(500);

/// How records are joined into one write and one sync.
#[derive(Clone, Debug)]
pub struct GroupCommit {
    /// How long a patient record waits for others at most, when others have come with the last one.
    pub delay: Duration,
    /// Bytes of one group at most; a larger record goes alone.
    pub bytes: usize,
    /// The disk.
    pub disk: Disk,
}

/// What the log says about a record.
pub type Answer = Result<(), Trouble>;

/// A record on its way to the disk.
pub struct Submission {
    /// The number of the record.
    pub number: u64,
    /// The record's bytes.
    pub bytes: Vec<u8>,
    /// Whether it begins a new segment.
    pub begin: bool,
    /// Whether it may wait a moment for others to share its sync.
    pub patient: bool,
    /// Answered when it is on disk, or with the reason why not.
    pub done: oneshot::Sender<Answer>,
}

/// A place in the queue.
pub struct Place {
    slot: mpsc::OwnedPermit<Queued>,
    room: OwnedSemaphorePermit,
}

struct Queued {
    submission: Submission,
    /// Given back when the record is written.
    _room: OwnedSemaphorePermit,
}

/// The entrance to the writer thread.
#[derive(Clone)]
pub struct LogWriter {
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    standing: Standing,
}

impl Place {
    /// Puts a record there.
    pub fn send(self, submission: Submission) {
        self.slot.send(Queued { submission, _room: self.room });
    }
}

impl LogWriter {
    /// Starts the thread. A new segment begins with the first record.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        folder: &Path,
        group_commit: GroupCommit,
        standing: Standing,
    ) -> Result<(Self, std::thread::JoinHandle<()>), QueryError> {
        let (queue, waiting) = mpsc::channel(MAX_WAITING);
        let cannot = || QueryError::io("cannot start the log thread for", folder);
        // For its timers; nothing else runs in it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(cannot())?;
        let thread = Thread { folder: folder.to_owned(), segment: None, waiting, held: None, group_commit, standing };
        let room = Arc::new(Semaphore::new(MAX_WAITING_KIB));
        let writer = Self { queue, room, standing: thread.standing.clone() };
        let run = move || runtime.block_on(thread.run());
        let handle = std::thread::Builder::new().name("andon-log".into()).spawn(run).map_err(cannot())?;
        Ok((writer, handle))
    }

    /// A place for a record of about so many bytes; waits while the queue is full.
    ///
    /// # Errors
    /// When the log takes no records.
    pub async fn reserve(&self, bytes: usize) -> Result<Place, QueryError> {
        self.standing.check_log()?;
        let ended = || QueryError::LogFailed("its thread has ended".into());
        let kib = u32::try_from((bytes >> 10).clamp(1, MAX_WAITING_KIB)).unwrap_or(1);
        let room = self.room.clone().acquire_many_owned(kib).await.map_err(|_| ended())?;
        let slot = self.queue.clone().reserve_owned().await.map_err(|_| ended())?;
        // It may have failed while this one waited.
        self.standing.check_log()?;
        Ok(Place { slot, room })
    }
}

struct Thread {
    folder: PathBuf,
    segment: Option<Segment>,
    waiting: mpsc::Receiver<Queued>,
    /// Begins the next segment, so it was left out of the last group.
    held: Option<Queued>,
    group_commit: GroupCommit,
    standing: Standing,
}

/// Records that are written together.
struct Group {
    first: u64,
    bytes: Vec<u8>,
    done: Vec<oneshot::Sender<Answer>>,
    /// How many of them are patient.
    patient: usize,
}

impl Group {
    fn new(queued: Queued) -> Self {
        let Submission { number, bytes, done, patient, .. } = queued.submission;
        Self { first: number, bytes, done: vec![done], patient: usize::from(patient) }
    }

    fn add(&mut self, queued: Queued) {
        self.bytes.extend_from_slice(&queued.submission.bytes);
        self.done.push(queued.submission.done);
        self.patient += usize::from(queued.submission.patient);
    }

    /// Whether something waits for it that must not be held up.
    fn is_urgent(&self) -> bool {
        self.patient < self.done.len()
    }

    fn answer(&mut self, answer: &Answer) {
        for done in self.done.drain(..) {
            // Whoever does not wait for the answer has chosen not to know.
            let _ = done.send(answer.clone());
        }
    }
}

impl Thread {
    async fn run(mut self) {
        let mut company = 1;
        while let Some(first) = self.next().await {
            if first.submission.begin {
                self.segment = None;
            }
            let mut group = self.gather(first, company).await;
            company = group.patient;
            match self.write(&group) {
                Ok(()) => group.answer(&Ok(())),
                Err(error) => self.hold_out(group, &error).await,
            }
        }
    }

    async fn next(&mut self) -> Option<Queued> {
        match self.held.take() {
            Some(held) => Some(held),
            None => self.waiting.recv().await,
        }
    }

    /// Joins what waits: what has come during the sync before. Patient records wait for more as well, while fewer have come than the
    /// last time: those who write again when they are answered are likely on their way, and one sync serves them too. A writer that is
    /// alone never waits, nor does what a decision or a source waits for.
    async fn gather(&mut self, first: Queued, company: usize) -> Group {
        let mut group = Group::new(first);
        let deadline = Instant::now() + self.group_commit.delay;
        while group.bytes.len() < self.group_commit.bytes {
            let next = match self.waiting.try_recv() {
                Ok(next) => next,
                Err(_) if group.is_urgent() || group.patient >= company => break,
                Err(_) => match timeout_at(deadline, self.waiting.recv()).await {
                    Ok(Some(next)) => next,
                    Ok(None) | Err(_) => break,
                },
            };
            if next.submission.begin {
                self.held = Some(next);
                break;
            }
            group.add(next);
        }
        group
    }

    fn write(&mut self, group: &Group) -> Result<(), QueryError> {
        match self.segment.as_mut().filter(|segment| segment.has_room()) {
            Some(segment) => segment.append(&group.bytes)?,
            None => {
                let segment = Segment::begin(&self.folder, group.first, &group.bytes, &self.group_commit.disk)?;
                self.segment = Some(segment);
            }
        }
        Ok(())
    }

    /// Keeps the records of a failed write, and those that had passed the door before it, until they are on disk.
    async fn hold_out(&mut self, mut kept: Group, error: &QueryError) {
        tracing::error!(%error, "the log cannot be written; nothing is acknowledged until it can");
        let began = Instant::now();
        let mut trouble = Trouble::of(error);
        if let Some(segment) = self.segment.take() {
            segment.give_up();
        }
        loop {
            self.standing.log(Some(trouble.clone()));
            kept.answer(&Err(trouble.clone()));
            let open = self.keep_those_inside(&mut kept, &trouble).await;
            match Segment::begin(&self.folder, kept.first, &kept.bytes, &self.group_commit.disk) {
                Ok(segment) => {
                    self.segment = Some(segment);
                    self.standing.log(None);
                    let seconds = began.elapsed().as_secs_f64();
                    tracing::info!(seconds, bytes = kept.bytes.len(), "the log can be written again, and has what it owed");
                    return;
                }
                Err(_) if !open => {
                    tracing::error!(
                        bytes = kept.bytes.len(),
                        "the log could not be written until the end; these bytes are lost"
                    );
                    return;
                }
                Err(error) => trouble = Trouble::of(&error),
            }
        }
    }

    /// Takes in those who were inside already when the disk failed, and tells them at once, until it is time to try again. False when
    /// nobody can come any more.
    async fn keep_those_inside(&mut self, kept: &mut Group, trouble: &Trouble) -> bool {
        let again = Instant::now() + RETRY;
        if let Some(held) = self.held.take() {
            kept.add(held);
        }
        while let Ok(next) = timeout_at(again, self.waiting.recv()).await {
            let Some(next) = next else { return false };
            kept.add(next);
            kept.answer(&Err(trouble.clone()));
        }
        kept.answer(&Err(trouble.clone()));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        thread: Thread,
        queue: mpsc::Sender<Queued>,
        room: Arc<Semaphore>,
    }

    impl Bench {
        /// A log thread that would wait for company longer than any test runs.
        fn new() -> Self {
            let (queue, waiting) = mpsc::channel(MAX_WAITING);
            let group_commit = GroupCommit { delay: Duration::from_secs(100_000), bytes: 1 << 20, disk: Disk::default() };
            let standing = Standing::default();
            let thread = Thread { folder: PathBuf::new(), segment: None, waiting, held: None, group_commit, standing };
            Self { thread, queue, room: Arc::new(Semaphore::new(MAX_WAITING_KIB)) }
        }

        fn record(&self, number: u64, patient: bool) -> Queued {
            let submission = Submission { number, bytes: vec![0], begin: false, patient, done: oneshot::channel().0 };
            Queued { submission, _room: self.room.clone().try_acquire_owned().unwrap() }
        }

        /// How many records go together when so many patient ones did before.
        async fn gather(&mut self, first: Queued, company: usize) -> usize {
            let gathered = tokio::time::timeout(Duration::from_secs(60), self.thread.gather(first, company));
            gathered.await.expect("it does not wait").done.len()
        }
    }

    #[tokio::test]
    async fn what_a_source_or_a_decision_waits_for_goes_at_once_with_all_that_has_come() {
        let mut bench = Bench::new();
        let (patient, urgent) = (true, false);
        let first = bench.record(1, urgent);
        assert_eq!(bench.gather(first, 5).await, 1);
        for number in 3..6 {
            bench.queue.try_send(bench.record(number, patient)).ok().unwrap();
        }
        let first = bench.record(2, urgent);
        assert_eq!(bench.gather(first, 0).await, 4, "what has come goes with it");
        // It takes the patient ones along that wait.
        bench.queue.try_send(bench.record(7, urgent)).ok().unwrap();
        let first = bench.record(6, patient);
        assert_eq!(bench.gather(first, 5).await, 2);
        // A writer that was alone does not wait, and as many as last time are enough.
        let first = bench.record(8, patient);
        assert_eq!(bench.gather(first, 1).await, 1);
        bench.queue.try_send(bench.record(10, patient)).ok().unwrap();
        let first = bench.record(9, patient);
        assert_eq!(bench.gather(first, 2).await, 2);
    }
}

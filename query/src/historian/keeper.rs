//! The one task that changes the tables: turns the buffer into files, merges files, forgets what is too old, deletes what nobody
//! reads. Merges run beside it, so a flush never waits for one; only their commits come through here.

use super::{
    Inner, bucket, checkpoint,
    compact::{self, Eagerness, Merge},
    delta::{Table, Tables},
    log,
    parquet::Written,
    patience::Patience,
    place::{Draft, blocking},
    trash::Trash,
};
use crate::{QueryError, table::files::DataFile};
use andon_models::Timestamp;
use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior},
};
use tokio_util::task::AbortOnDropHandle;

/// How often it looks for merges that time has made worth while, and for files to delete.
const LOOK: Duration = Duration::from_secs(10);
/// How long it leaves merges alone after one has failed.
const PAUSE: Duration = Duration::from_secs(60);

/// What others may ask of it; each is answered when it is done.
pub enum Request {
    /// Turn the buffer into files.
    Flush(Option<Done>),
    /// Merge all that can be merged.
    Compact(Done),
    /// Forget what is older than the options allow at this instant.
    Retain(Timestamp, Done),
    /// Change nothing any more.
    Stop(Done),
}

/// Where an answer goes.
pub type Done = oneshot::Sender<Result<(), QueryError>>;

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Samples,
    Events,
}

/// A merge that runs.
struct Merging {
    which: Which,
    merge: Arc<Merge>,
    task: AbortOnDropHandle<Result<Vec<(Draft, Written)>, QueryError>>,
}

struct Keeper {
    tables: Tables,
    samples_trash: Trash,
    events_trash: Trash,
    merging: Option<Merging>,
    /// Who waits until nothing more can be merged.
    waiting: Vec<Done>,
    /// No merges before this instant.
    paused: Instant,
    /// When a flush that failed is tried again.
    patience: Patience,
    /// When late rows were last written.
    last_late: Instant,
}

/// Works until it is stopped or the historian is gone.
pub async fn run(inner: Weak<Inner>, tables: Tables, mut requests: mpsc::Receiver<Request>) {
    let Some(options) = inner.upgrade().map(|inner| inner.options.clone()) else { return };
    let mut old = tokio::time::interval_at(Instant::now() + options.flush_age, options.flush_age);
    old.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let trash = || Trash::new(options.keep_removed);
    let (now, waiting) = (Instant::now(), Vec::new());
    let mut keeper = Keeper {
        tables,
        samples_trash: trash(),
        events_trash: trash(),
        merging: None,
        waiting,
        paused: now,
        patience: Patience::default(),
        last_late: now,
    };
    keeper.find_strays().await;
    loop {
        let request = tokio::select! {
            request = requests.recv() => match request {
                Some(request) => Some(request),
                None => return,
            },
            _ = old.tick() => Some(Request::Flush(None)),
            () = keeper.patience.over() => Some(Request::Flush(None)),
            _ = look.tick() => None,
            written = merged(&mut keeper.merging) => {
                let Some(inner) = inner.upgrade() else { return };
                keeper.finish(&inner, written).await;
                None
            }
        };
        let Some(inner) = inner.upgrade() else { return };
        match request {
            Some(Request::Stop(done)) => {
                drop(keeper);
                return answer(done, Ok(()));
            }
            Some(request) => keeper.take(&inner, request).await,
            None => keeper.empty().await,
        }
        keeper.merge(&inner);
    }
}

/// The outcome of the merge that runs; waits for ever while none does.
async fn merged(merging: &mut Option<Merging>) -> Result<Vec<(Draft, Written)>, QueryError> {
    match merging {
        Some(merging) => (&mut merging.task).await.unwrap_or_else(|error| Err(QueryError::Internal(error.to_string()))),
        None => std::future::pending().await,
    }
}

/// A bucket may have been taken over by another machine: then this one changes nothing there any more.
///
/// # Errors
/// When it has been, or cannot be asked.
pub async fn still_ours(inner: &Inner) -> Result<(), QueryError> {
    match &inner.bucket {
        Some(bucket) => bucket::own(bucket, &inner.options.dir).await,
        None => Ok(()),
    }
}

fn answer(to: Done, result: Result<(), QueryError>) {
    // Whoever asked may have gone.
    let _ = to.send(result);
}

impl Keeper {
    async fn take(&mut self, inner: &Inner, request: Request) {
        match request {
            Request::Flush(done) => {
                // What nobody waits for waits itself while the disk fails.
                if done.is_none() && self.patience.is_waiting() {
                    return;
                }
                let flushed = self.flush(inner).await;
                self.report(inner, flushed.as_ref().err());
                if let Some(done) = done {
                    answer(done, flushed);
                }
            }
            Request::Compact(done) => self.waiting.push(done),
            Request::Retain(now, done) => {
                let retained = self.retain(inner, now).await;
                answer(done, retained);
            }
            Request::Stop(done) => answer(done, Ok(())),
        }
    }

    fn report(&mut self, inner: &Inner, failed: Option<&QueryError>) {
        inner.report_flush(failed);
        match failed {
            None => {
                self.patience = Patience::default();
                inner.flushes.fetch_add(1, Ordering::Relaxed);
            }
            Some(error) => {
                self.patience.longer();
                inner.flush_failures.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%error, "the buffer could not be written to history; the log keeps it, it is tried again soon");
            }
        }
    }

    async fn flush(&mut self, inner: &Inner) -> Result<(), QueryError> {
        // After a failed flush its buffer comes first, and what came since then after it.
        if inner.store.is_sealed() {
            self.flush_one(inner).await?;
        }
        self.flush_one(inner).await
    }

    /// In this order, each step durable before the next: names of new streams, files, Delta commits, checkpoint; then queries see files instead of the
    /// buffer, and the log forgets. A crash between any two loses and repeats nothing.
    async fn flush_one(&mut self, inner: &Inner) -> Result<(), QueryError> {
        let Some(sealed) = inner.seal().await? else { return Ok(()) };
        if !sealed.late.is_empty() {
            self.last_late = Instant::now();
        }
        let (dir, directory) = (inner.options.dir.clone(), inner.directory.clone());
        blocking(move || directory.save_streams(&dir)).await?;
        still_ours(inner).await?;
        self.tables.commit(&sealed, &inner.directory).await?;
        let Some(rollups) = inner.rollups() else { return Ok(()) };
        // Held until queries see the files: what counts older history in the background looks at those.
        let mut rollups = rollups.lock().await;
        rollups.flush(&inner.state(), &sealed, self.tables.files(), &inner.directory).await?;
        let (dir, files) = (inner.options.dir.clone(), self.tables.files());
        let forget = blocking(move || checkpoint::save(&dir, &sealed.memory)).await?;
        if let Some(bucket) = &inner.bucket {
            bucket::copy_to(bucket, &inner.options.dir).await?;
        }
        inner.store.settle(files, rollups.files());
        inner.report_room();
        rollups.tidy(&inner.state(), &inner.directory).await;
        inner.store.roll(rollups.files());
        drop(rollups);
        log::remove_up_to(&inner.options.dir.join("log"), forget)
    }

    /// Starts the next merge, if one is worth it and none runs.
    fn merge(&mut self, inner: &Inner) {
        if self.merging.is_some() || (self.waiting.is_empty() && Instant::now() < self.paused) {
            return;
        }
        let eagerness =
            if self.waiting.is_empty() { Eagerness::Economic { quiet: self.last_late.elapsed() } } else { Eagerness::Full };
        for which in [Which::Samples, Which::Events] {
            let table = self.table(which);
            let Some(merge) = compact::choose(table.files(), eagerness) else { continue };
            let (place, directory, memory) = (table.place().clone(), inner.directory.clone(), inner.options.merge_bytes());
            let merge = Arc::new(merge);
            let chosen = merge.clone();
            let task = tokio::spawn(async move {
                match which {
                    Which::Samples => compact::points(place, &chosen, directory, memory).await,
                    Which::Events => compact::events(place, &chosen, memory).await,
                }
            });
            self.merging = Some(Merging { which, merge, task: AbortOnDropHandle::new(task) });
            return;
        }
        self.waiting.drain(..).for_each(|done| answer(done, Ok(())));
    }

    /// Commits a merge.
    async fn finish(&mut self, inner: &Inner, written: Result<Vec<(Draft, Written)>, QueryError>) {
        let Some(Merging { which, merge, .. }) = self.merging.take() else { return };
        let committed = match written {
            Ok(written) => match still_ours(inner).await {
                Ok(()) => compact::commit(self.table_mut(which), &merge, written).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        match committed {
            Ok(true) => {
                inner.merges.fetch_add(1, Ordering::Relaxed);
                self.let_go(inner, which, merge.inputs.clone());
            }
            // What it read was forgotten meanwhile; what it wrote is a stray.
            Ok(false) => self.find_strays().await,
            Err(error) => {
                tracing::error!(%error, "files of history could not be merged; they stay as they are, it is tried again later");
                self.paused = Instant::now() + PAUSE;
                let message = error.to_string();
                self.waiting.drain(..).for_each(|done| answer(done, Err(QueryError::Compaction(message.clone()))));
            }
        }
    }

    /// Forgets what is older than it may be. Whole files only: a day goes when all of it is too old.
    async fn retain(&mut self, inner: &Inner, now: Timestamp) -> Result<(), QueryError> {
        let keep = inner.options.keep;
        for (which, age) in [(Which::Samples, keep.samples), (Which::Events, keep.events)] {
            let Some(age) = age else { continue };
            let table = self.table_mut(which);
            let old: Vec<DataFile> = table.files().iter().filter(|file| file.to < now - age).cloned().collect();
            if old.is_empty() {
                continue;
            }
            tracing::info!(files = old.len(), ?which, ?age, "history that is older than it is to be kept is forgotten");
            still_ours(inner).await?;
            table.replace(&old, Vec::new()).await?;
            self.let_go(inner, which, old);
        }
        self.empty().await;
        Ok(())
    }

    /// Shows queries the new list of files, and keeps the old ones until nobody reads them.
    fn let_go(&mut self, inner: &Inner, which: Which, files: Vec<DataFile>) {
        match which {
            Which::Samples => self.samples_trash.add(files),
            Which::Events => self.events_trash.add(files),
        }
        inner.store.replace_files(self.tables.files());
    }

    async fn find_strays(&mut self) {
        let found = [self.samples_trash.find(&self.tables.samples).await, self.events_trash.find(&self.tables.events).await];
        for error in found.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "the folders of history could not be listed; files of broken writes stay there");
        }
    }

    async fn empty(&mut self) {
        let emptied =
            [self.samples_trash.empty(&self.tables.samples).await, self.events_trash.empty(&self.tables.events).await];
        for error in emptied.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "a file of history that is not needed any more could not be deleted; it is tried again");
        }
    }

    fn table(&self, which: Which) -> &Table {
        match which {
            Which::Samples => &self.tables.samples,
            Which::Events => &self.tables.events,
        }
    }

    fn table_mut(&mut self, which: Which) -> &mut Table {
        match which {
            Which::Samples => &mut self.tables.samples,
            Which::Events => &mut self.tables.events,
        }
    }
}

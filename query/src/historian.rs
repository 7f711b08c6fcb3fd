//! The historian: takes batches, keeps them, answers questions about them.
//!
//! A batch gets its number and its place in the log under one lock, so memory and log agree about the order. One background
//! task turns the buffer into files.

pub(crate) mod bucket;
pub(crate) mod checkpoint;
pub(crate) mod compact;
pub(crate) mod delta;
#[cfg(test)]
mod fault_tests;
pub(crate) mod happened;
pub(crate) mod inspect;
pub(crate) mod keeper;
pub(crate) mod log;
#[cfg(test)]
mod model_tests;
pub(crate) mod newest;
mod open;
pub(crate) mod parquet;
pub(crate) mod patience;
pub(crate) mod place;
pub(crate) mod record;
pub(crate) mod store;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod trash;

use crate::{
    Batch, DataStream, EventFilter, HistorianOptions, HistorianStats, QueryError, Receipt, SqlAnswer, SqlLimits,
    TableDescription, Target,
    directory::Directory,
    history, metric,
    metric::{Extent, Revised},
    raw::{self, StoredPoint},
    replay::{self, Replay},
    rollup, sql,
    table::{events, points::PointsTable},
    transfer::{self, ExportFilter},
    trend,
};
use andon_models::{
    Point, SeriesId, Timestamp, Tqv, ValueType,
    catalog::Catalog,
    definition::{AssetIndex, PropertyIndex},
    event::Event,
    explained::ValueExplanation,
    oee::{OeeRecord, OeeResult},
    window::Window,
};
use datafusion::{execution::SendableRecordBatchStream, prelude::SessionContext};
use keeper::{Done, Request};
pub(crate) use log::Answer;
use log::{LogWriter, Place, Standing, Submission};
pub use log::{StorageHealth, Trouble};
pub(crate) use open::append_offline;
use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use store::{Sealed, Store};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// Remembers samples and events, and answers questions about them. Clones share one historian.
#[derive(Clone)]
pub struct Historian {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) options: HistorianOptions,
    /// Where history is, if it is in a bucket.
    pub(crate) bucket: Option<place::Place>,
    pub(crate) store: Arc<Store>,
    pub(crate) directory: Arc<Directory>,
    catalog: Option<Arc<Catalog>>,
    session: SessionContext,
    tables: Vec<TableDescription>,
    writing: Option<Writing>,
    pub(crate) flushes: AtomicU64,
    pub(crate) flush_failures: AtomicU64,
    pub(crate) merges: AtomicU64,
}

/// What only a historian that may write has.
pub(crate) struct Writing {
    log: Mutex<Option<LogWriter>>,
    log_thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// The number of the next record; held while a record takes its place.
    next: Mutex<u64>,
    keeper: mpsc::Sender<Request>,
    /// About the bytes in memory that are not in files; appending waits while there are too many.
    buffered: watch::Sender<usize>,
    /// How log and history are doing.
    standing: Standing,
    /// Held by whoever changes the roll-up tables.
    rollups: tokio::sync::Mutex<rollup::tables::Tables>,
    /// Locked while this historian lives: two must never write one folder.
    lock: File,
}

impl Historian {
    /// Opens or makes the data folder: locks it, reads the checkpoint and what the log has beyond it. Never scans history.
    ///
    /// # Errors
    /// When another process has the folder, or it cannot be read or written.
    pub async fn open(options: HistorianOptions, catalog: Arc<Catalog>) -> Result<(Self, crate::Recovered), QueryError> {
        open::open(options, catalog).await
    }

    /// Fetches what a new folder has to know of a bucket that was written elsewhere. Does nothing without a bucket.
    ///
    /// # Errors
    /// When the bucket cannot be read or the folder cannot be written.
    pub async fn fetch(options: &HistorianOptions) -> Result<(), QueryError> {
        open::fetch(options).await
    }

    /// Opens a data folder for questions only, also while an Andon writes it. It sees what was there at this moment.
    ///
    /// # Errors
    /// When the folder holds no history or cannot be read.
    pub async fn open_read_only(dir: impl AsRef<Path>) -> Result<Self, QueryError> {
        open::open_read_only(dir.as_ref(), true).await
    }

    /// The same without roll-ups, which is done sooner, for whoever reads points and events alone.
    ///
    /// # Errors
    /// When the folder holds no history or cannot be read.
    pub async fn open_without_rollups(dir: impl AsRef<Path>) -> Result<Self, QueryError> {
        open::open_read_only(dir.as_ref(), false).await
    }

    /// Opens the history in a bucket for questions only, as its writer last flushed it. `spool` takes the few small files that are
    /// fetched whole.
    ///
    /// # Errors
    /// When the bucket holds no history or cannot be read.
    pub async fn open_bucket(bucket: &Url, spool: impl AsRef<Path>) -> Result<Self, QueryError> {
        open::open_bucket(bucket, spool.as_ref()).await
    }

    /// Where to spawn what computes for long: see [`HistorianOptions::workers`].
    ///
    /// # Panics
    /// Outside of a runtime, when it was opened without workers.
    pub fn workers(&self) -> Handle {
        self.inner.options.workers.clone().unwrap_or_else(Handle::current)
    }

    /// Stores a batch. Answers when it is on disk; from then on every question sees it.
    ///
    /// # Errors
    /// When the log cannot be written. The batch may be lost then.
    pub async fn append(&self, batch: Batch) -> Result<(), QueryError> {
        self.enqueue(batch).await.await
    }

    /// Hands in a batch. Batches keep the order in which they are handed in. Waits only while too much is on its way to the disk;
    /// the receipt answers when the batch is there. When the disk takes nothing, the batch is refused at once: nothing of it is stored
    /// or seen, and the receipt gives it back.
    pub async fn enqueue(&self, batch: Batch) -> Receipt {
        self.hand_in(batch, false).await
    }

    /// Like [`Self::enqueue`], for those who write again as soon as they are answered: the batch may wait a moment for theirs to
    /// share its sync.
    pub async fn enqueue_patiently(&self, batch: Batch) -> Receipt {
        self.hand_in(batch, true).await
    }

    async fn hand_in(&self, batch: Batch, patient: bool) -> Receipt {
        let place = match self.admit(&batch).await {
            Ok(place) => place,
            Err(error) => return Receipt::refused(error, batch),
        };
        match self.submit(place, batch, patient) {
            Ok(receipt) => receipt,
            Err((error, batch)) => Receipt::refused(error, *batch),
        }
    }

    /// Waits for room in the buffer and in the queue of the log.
    async fn admit(&self, batch: &Batch) -> Result<Place, QueryError> {
        let writing = self.writing()?;
        let limit = self.inner.options.buffer_bytes();
        let (mut buffered, mut health) = (writing.buffered.subscribe(), writing.standing.watch());
        // The senders live in this historian, so waiting ends with room or with the reason why there will be none.
        tokio::select! {
            biased;
            _ = buffered.wait_for(|buffered| *buffered < limit) => {}
            trouble = health.wait_for(|health| health.trouble().is_some()) => {
                let trouble = trouble.ok().and_then(|health| health.trouble().cloned());
                return Err(trouble.map_or_else(closed, QueryError::from));
            }
        }
        writing.log()?.reserve(batch.bytes()).await
    }

    fn submit(&self, place: Place, mut batch: Batch, patient: bool) -> Result<Receipt, (QueryError, Box<Batch>)> {
        let refuse = |error: QueryError, batch: Batch| Err((error, Box::new(batch)));
        let Some(writing) = &self.inner.writing else { return refuse(closed(), batch) };
        let (done, receipt) = Receipt::new();
        let done = self.inner.directory.define(&mut batch, done);
        {
            let mut next = writing.next.lock().unwrap_or_else(PoisonError::into_inner);
            let mut bytes = Vec::new();
            record::encode(*next, &batch, &mut bytes);
            if bytes.len() > record::MAX_PAYLOAD {
                return refuse(QueryError::TooLarge(bytes.len()), batch);
            }
            if let Err(error) = writing.standing.check_log() {
                return refuse(error, batch);
            }
            // What is visible from here on is in the queue: the log's thread keeps it until it is on disk, whatever happens.
            place.send(Submission { number: *next, bytes, begin: false, patient, done });
            self.inner.store.apply(*next, batch, true, true);
            *next += 1;
        }
        let (rows, bytes) = self.inner.store.hot();
        self.inner.report_room();
        if rows >= self.inner.options.flush_rows || bytes >= self.inner.options.flush_bytes() {
            // A full queue means that a flush is due already.
            let _ = writing.keeper.try_send(Request::Flush(None));
        }
        Ok(receipt)
    }

    /// The newest value of a series, of any quality.
    pub fn latest(&self, series: SeriesId) -> Option<Tqv> {
        self.inner.store.latest(series)
    }

    /// The series that values under a name go to: a property by `/asset path/property`, or a data stream.
    ///
    /// # Errors
    /// When its values are computed or set otherwise.
    pub fn target(&self, alias: &str) -> Result<Option<Target>, QueryError> {
        self.inner.directory.find(alias)
    }

    /// The series that values of an asset's property go to, by path and key.
    ///
    /// # Errors
    /// When its values are computed or set otherwise.
    pub fn property_target(&self, asset: &str, property: &str) -> Result<Option<Target>, QueryError> {
        self.inner.directory.property(asset, property)
    }

    /// Like [`Self::target`], but makes a data stream if there is no such series. Its definition is stored together with its first
    /// points; without points it is forgotten at the next start.
    ///
    /// # Errors
    /// When values of the name are computed or set otherwise, the name cannot be one, or there are too many streams.
    pub fn target_or_new(&self, alias: &str, value_type: ValueType, unit: &str) -> Result<Target, QueryError> {
        self.inner.directory.find_or_add(alias, value_type, unit)
    }

    /// The series of a number; none if nobody has it.
    ///
    /// # Errors
    /// When its values are computed or set otherwise.
    pub fn series_target(&self, series: SeriesId) -> Result<Option<Target>, QueryError> {
        self.inner.directory.by_number(series)
    }

    /// A data stream by number.
    pub fn stream(&self, series: SeriesId) -> Option<DataStream> {
        self.inner.directory.streams.by_number(series)
    }

    /// Runs a statement that only reads.
    ///
    /// # Errors
    /// When the statement is wrong, would change something, or takes more than its limits.
    pub async fn sql(&self, sql: &str, limits: SqlLimits) -> Result<SqlAnswer, QueryError> {
        sql::answer(&self.inner.session, sql, None, limits).await
    }

    /// The same over a span of time: `$from` and `$to` in the statement are its start and its end.
    ///
    /// # Errors
    /// As [`Self::sql`], and when the statement has another parameter.
    pub async fn sql_over(&self, sql: &str, span: Option<Window>, limits: SqlLimits) -> Result<SqlAnswer, QueryError> {
        sql::answer(&self.inner.session, sql, span, limits).await
    }

    /// Runs a statement that only reads, and streams its rows; dropping the stream ends it.
    ///
    /// # Errors
    /// When the statement is wrong, would change something, or is not planned in time.
    pub async fn sql_stream(&self, sql: &str, limits: SqlLimits) -> Result<SendableRecordBatchStream, QueryError> {
        sql::stream(&self.inner.session, sql, None, limits).await
    }

    /// Streams points with their names, day by day: for files of any size.
    ///
    /// # Errors
    /// When nothing can pass the filter, or history cannot be read.
    pub fn export_stream(&self, filter: &ExportFilter) -> Result<SendableRecordBatchStream, QueryError> {
        transfer::export_stream(&self.inner.session, &self.inner.store, &self.inner.directory, filter)
    }

    /// The names of all series, for files of values.
    pub fn names(&self) -> transfer::Names {
        transfer::Names::of(&self.inner.directory)
    }

    /// The tables SQL can read, with their columns.
    pub fn tables(&self) -> Vec<TableDescription> {
        self.inner.tables.clone()
    }

    /// The values of a series in a window, at most about `max_points`: of each stretch the first, the lowest, the highest and
    /// the last, so that a line drawn through them looks like one through all. In time order.
    ///
    /// # Errors
    /// When history cannot be read.
    pub async fn history(&self, series: SeriesId, window: Window, max_points: usize) -> Result<Vec<Tqv>, QueryError> {
        history::history(&self.inner.session, self.points(), series, window, max_points).await
    }

    /// The histories of some series after the start of a window, in one reading and in the order of the series; each thinned as
    /// [`Self::history`] does.
    ///
    /// # Errors
    /// When history cannot be read.
    pub async fn histories(&self, series: &[SeriesId], window: Window, max_points: usize) -> Result<Vec<Vec<Tqv>>, QueryError> {
        trend::histories(&self.inner.session, &self.inner.store, series, window, max_points).await
    }

    /// The last stored points of a series before an instant, newest first: `count` of them, and those of the same time as the oldest.
    ///
    /// # Errors
    /// When history cannot be read.
    pub async fn last_before(&self, series: SeriesId, before: Timestamp, count: usize) -> Result<Vec<StoredPoint>, QueryError> {
        raw::last_before(&self.inner.session, &self.points(), series, before, count, self.oldest()).await
    }

    /// The values of some series in a window for one chart, in the order of the series: as [`Self::history`] of each, but long
    /// spans are made of roll-ups, which do not say when within its window an extreme was. A number may come as a decimal one.
    ///
    /// # Errors
    /// When history cannot be read.
    pub async fn trend(&self, series: &[SeriesId], window: Window, max_points: usize) -> Result<Vec<Vec<Tqv>>, QueryError> {
        trend::trend(&self.inner.session, &self.inner.store, series, window, max_points).await
    }

    /// All points of some series after an instant, as they are, a stretch of time of at most about `most` points after the other.
    pub fn replay(&self, series: &[SeriesId], after: Timestamp, most: usize) -> Replay {
        Replay::new(self.inner.session.clone(), self.inner.store.clone(), series, after, most)
    }

    /// The last values of some series at or before an instant; those that have none are left out.
    ///
    /// # Errors
    /// When history cannot be read.
    pub async fn values_before(&self, series: &[SeriesId], time: Timestamp) -> Result<HashMap<SeriesId, Tqv>, QueryError> {
        replay::values_before(&self.inner.session, &self.inner.store, series, time).await
    }

    /// The last value of a series at or before an instant.
    ///
    /// # Errors
    /// When history cannot be read.
    pub async fn value_before(&self, series: SeriesId, time: Timestamp) -> Result<Option<Tqv>, QueryError> {
        Ok(self.values_before(&[series], time).await?.remove(&series))
    }

    /// Events, newest first.
    ///
    /// # Errors
    /// When history cannot be read.
    pub async fn events(&self, filter: EventFilter) -> Result<Vec<Event>, QueryError> {
        let inner = self.inner.clone();
        let found = self.workers().spawn(async move { events::find(&inner.session, &inner.store, filter).await });
        AbortOnDropHandle::new(found).await.map_err(|error| QueryError::Internal(error.to_string()))?
    }

    /// Computes metrics in one plan. Points carry the end of their window; what has no value makes no point. Metrics of children must be stored before those of their parents.
    ///
    /// # Errors
    /// When history cannot be read, or the historian was opened for questions only.
    pub async fn compute(&self, extent: &Extent<'_>) -> Result<Vec<Point>, QueryError> {
        metric::compute(&self.inner.session, self.points(), self.catalog()?, extent).await
    }

    /// Computes windows again that were computed before. Only figures that are different are given back, with what they were.
    ///
    /// # Errors
    /// When history cannot be read, or the historian was opened for questions only.
    pub async fn revise(&self, extent: &Extent<'_>) -> Result<Revised, QueryError> {
        metric::revise(&self.inner.session, self.points(), self.catalog()?, extent).await
    }

    /// The time of the first value of a series after an instant.
    ///
    /// # Errors
    /// When history cannot be read.
    pub async fn next_time(&self, series: SeriesId, after: Timestamp) -> Result<Option<Timestamp>, QueryError> {
        if self.latest(series).is_none_or(|latest| latest.time <= after) {
            return Ok(None);
        }
        metric::next_time(&self.inner.session, self.points(), series, after).await
    }

    /// The times of the first values of series after instants; what is not among them is followed by none. The instants of a series are
    /// times of values of it, so that each ends where the next begins.
    ///
    /// # Errors
    /// When history cannot be read.
    pub async fn next_times(
        &self,
        after: &[(SeriesId, Timestamp)],
    ) -> Result<HashMap<(SeriesId, Timestamp), Timestamp>, QueryError> {
        let followed =
            |(series, after): &&(SeriesId, Timestamp)| self.latest(*series).is_some_and(|latest| latest.time > *after);
        let after: Vec<(SeriesId, Timestamp)> = after.iter().filter(followed).copied().collect();
        metric::next_times(&self.inner.session, self.points(), &after).await
    }

    /// How a figure or any other value of an asset came about.
    ///
    /// # Errors
    /// When history cannot be read, or the historian was opened for questions only.
    pub async fn explain(
        &self,
        asset: AssetIndex,
        property: PropertyIndex,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<ValueExplanation, QueryError> {
        metric::explain(&self.inner.session, self.points(), self.catalog()?, asset, property, at, now).await
    }

    /// The OEE of an asset in any span, with its stops and losses. None when its model has no `oee:` block of its own.
    ///
    /// # Errors
    /// When history cannot be read, or the historian was opened for questions only.
    pub async fn oee(&self, asset: AssetIndex, window: Window) -> Result<Option<OeeResult>, QueryError> {
        let results = metric::results(&self.inner.session, self.points(), self.catalog()?, &[asset], &[window]).await?;
        Ok(results.into_iter().flatten().next())
    }

    /// The OEE records of assets in windows that are in time order and do not overlap: their own with stops, or made of those of their
    /// children. In the order of the assets, then of the windows; an asset without an `oee:` block has none.
    ///
    /// # Errors
    /// When history cannot be read, or the historian was opened for questions only.
    pub async fn oee_records(
        &self,
        assets: &[AssetIndex],
        windows: &[Window],
    ) -> Result<Vec<(AssetIndex, OeeRecord)>, QueryError> {
        metric::records(&self.inner.session, self.points(), self.catalog()?, assets, windows).await
    }

    /// Turns the buffer into Parquet files and waits for it.
    ///
    /// # Errors
    /// When files cannot be written. Nothing is lost: the log has it, and the next flush tries again.
    pub async fn flush(&self) -> Result<(), QueryError> {
        self.ask(|done| Request::Flush(Some(done))).await
    }

    /// Merges files until each day has as few as it can, without superseded rows. It also happens by itself, when it pays.
    ///
    /// # Errors
    /// When files cannot be read or written; they stay as they were.
    pub async fn compact(&self) -> Result<(), QueryError> {
        self.ask(Request::Compact).await
    }

    /// Forgets what is older than [`HistorianOptions::keep`] allows at this instant, by whole files.
    ///
    /// # Errors
    /// When the tables cannot be changed.
    pub async fn retain(&self, now: Timestamp) -> Result<(), QueryError> {
        self.ask(|done| Request::Retain(now, done)).await
    }

    async fn ask(&self, request: impl FnOnce(Done) -> Request) -> Result<(), QueryError> {
        let (done, answer) = oneshot::channel();
        self.writing()?.keeper.send(request(done)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Flushes and stops writing. Clones can still ask.
    ///
    /// # Errors
    /// When the last flush failed. Nothing is lost: the log has it.
    pub async fn close(self) -> Result<(), QueryError> {
        let flushed = self.flush().await;
        // Another process may have the folder from here on: nothing must be merged any more.
        let stopped = self.ask(Request::Stop).await;
        let writing = self.writing()?;
        writing.log.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = writing.log_thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The thread ends when its queue is empty; a panic there was a failed log, and reported as such.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        writing.lock.unlock().map_err(QueryError::io("cannot unlock", &self.inner.options.dir))?;
        flushed.and(stopped)
    }

    /// Whether it takes and acknowledges batches, and turns them into files.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn health(&self) -> Result<(), QueryError> {
        let writing = self.writing()?;
        writing.log()?;
        match writing.standing.now().trouble() {
            Some(trouble) => Err(trouble.clone().into()),
            None => Ok(()),
        }
    }

    /// Tells of every change of the storage's health.
    ///
    /// # Errors
    /// When it was opened for questions only.
    pub fn watch_storage(&self) -> Result<watch::Receiver<StorageHealth>, QueryError> {
        Ok(self.writing()?.standing.watch())
    }

    /// The time of the oldest point there is, to the microsecond; none without any.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.inner.store.oldest()
    }

    /// Whether points that are too old are forgotten, so that what is oldest may have had something before it.
    pub fn forgets(&self) -> bool {
        self.inner.options.keep.samples.is_some()
    }

    /// How it is doing.
    pub fn stats(&self) -> HistorianStats {
        let (buffered, points, events, series, record) = self.inner.store.counts();
        let files = self.inner.store.files();
        HistorianStats {
            points,
            events,
            buffered_points: buffered as u64,
            series: series as u64,
            files: (files.points.len() + files.events.len()) as u64,
            file_rows: files.points.iter().chain(&files.events).map(|file| file.rows).sum(),
            log_record: record,
            flushes: self.inner.flushes.load(Ordering::Relaxed),
            flush_failures: self.inner.flush_failures.load(Ordering::Relaxed),
            merges: self.inner.merges.load(Ordering::Relaxed),
            statements: sql::Statements::running(&self.inner.session),
        }
    }

    /// The data folder.
    pub fn dir(&self) -> &PathBuf {
        &self.inner.options.dir
    }

    /// The session that statements run in; others are made from it.
    pub(crate) fn session(&self) -> &SessionContext {
        &self.inner.session
    }

    fn points(&self) -> Arc<PointsTable> {
        Arc::new(PointsTable::new(self.inner.store.clone()))
    }

    fn catalog(&self) -> Result<&Arc<Catalog>, QueryError> {
        let missing = || QueryError::Statement("a folder opened without its plant file computes no metrics".into());
        self.inner.catalog.as_ref().ok_or_else(missing)
    }

    fn writing(&self) -> Result<&Writing, QueryError> {
        let closed = || QueryError::LogFailed("the folder was opened for questions only".into());
        self.inner.writing.as_ref().ok_or_else(closed)
    }
}

impl Inner {
    /// Shows queries the roll-up tables, and for what points of up to a log record in files they do not hold.
    pub(crate) async fn compare(&self, rollups: &mut rollup::tables::Tables, record: Option<u64>) -> Result<(), QueryError> {
        rollups.compare(&self.session.state(), &self.store.files(), record).await?;
        self.store.roll(rollups.files());
        Ok(())
    }

    /// Shows queries the roll-up tables of a history that is only read.
    pub(crate) async fn show(&self, rollups: Option<rollup::tables::Tables>, record: Option<u64>) -> Result<(), QueryError> {
        match rollups {
            Some(mut rollups) => self.compare(&mut rollups, record).await,
            None => Ok(()),
        }
    }

    /// The roll-up tables; none where nothing is written.
    pub(crate) fn rollups(&self) -> Option<&tokio::sync::Mutex<rollup::tables::Tables>> {
        self.writing.as_ref().map(|writing| &writing.rollups)
    }

    /// What plans of its own are made with.
    pub(crate) fn state(&self) -> datafusion::execution::SessionState {
        self.session.state()
    }

    /// Closes the buffer, and lets the log begin a new segment there. Answers when all of the buffer is durable in the log.
    pub(crate) async fn seal(&self) -> Result<Option<Arc<Sealed>>, QueryError> {
        let Some(writing) = &self.writing else { return Ok(None) };
        let place = writing.log()?.reserve(0).await?;
        let (done, receipt) = Receipt::new();
        let sealed = {
            let mut next = writing.next.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(sealed) = self.store.seal() else { return Ok(None) };
            let mut bytes = Vec::new();
            record::encode(*next, &Batch::default(), &mut bytes);
            place.send(Submission { number: *next, bytes, begin: true, patient: false, done });
            *next += 1;
            sealed
        };
        receipt.await?;
        Ok(Some(sealed))
    }

    /// Says whether the buffer becomes files.
    pub(crate) fn report_flush(&self, error: Option<&QueryError>) {
        // A flush that fails because the log does is the log's trouble.
        if let Some(writing) = self.writing.as_ref().filter(|writing| error.is_none() || writing.standing.check_log().is_ok()) {
            writing.standing.history(error.map(Trouble::of));
        }
    }

    /// Tells those who wait for room how full the buffer is.
    pub(crate) fn report_room(&self) {
        if let Some(writing) = &self.writing {
            writing.buffered.send_replace(self.store.buffered_bytes());
        }
    }
}

impl Writing {
    fn log(&self) -> Result<LogWriter, QueryError> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        log.ok_or_else(closed)
    }
}

fn closed() -> QueryError {
    QueryError::Closed
}

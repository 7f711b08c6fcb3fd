//! The historian: takes batches, keeps them, answers questions about them.
//!
//! A batch gets its number and its place in the log under one lock, so memory and log agree about the order. One background
//! task turns the buffer into files.

pub(crate) mod checkpoint;
pub(crate) mod delta;
pub(crate) mod flush;
pub(crate) mod log;
mod open;
pub(crate) mod parquet;
pub(crate) mod place;
pub(crate) mod record;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use crate::{
    Batch, DataStream, EventFilter, HistorianOptions, HistorianStats, QueryError, Receipt, SqlAnswer, SqlLimits,
    TableDescription, Target,
    directory::Directory,
    history, metric, sql,
    table::{events, points::PointsTable},
};
use andon_models::{
    Point, SeriesId, Timestamp, Tqv, ValueType,
    catalog::Catalog,
    definition::{AssetIndex, ModelIndex},
    event::Event,
    oee::OeeResult,
    window::{Window, WindowSpec},
};
use datafusion::prelude::SessionContext;
use log::{LogWriter, Submission};
use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use store::{Sealed, Store};
use tokio::sync::{mpsc, oneshot, watch};

/// Remembers samples and events, and answers questions about them. Clones share one historian.
#[derive(Clone)]
pub struct Historian {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) options: HistorianOptions,
    pub(crate) store: Arc<Store>,
    pub(crate) directory: Arc<Directory>,
    catalog: Option<Arc<Catalog>>,
    session: SessionContext,
    tables: Vec<TableDescription>,
    writing: Option<Writing>,
    pub(crate) flushes: AtomicU64,
    pub(crate) flush_failures: AtomicU64,
}

/// What only a historian that may write has.
pub(crate) struct Writing {
    log: Mutex<Option<LogWriter>>,
    log_thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// The number of the next record; held while a record takes its place.
    next: Mutex<u64>,
    flush: mpsc::Sender<FlushRequest>,
    /// Points in memory; appending waits while there are too many.
    buffered: watch::Sender<usize>,
    /// Locked while this historian lives: two must never write one folder.
    lock: File,
}

/// Somebody wants the buffer in files; answered when it is.
pub(crate) type FlushRequest = Option<oneshot::Sender<Result<(), QueryError>>>;

/// The buffer may grow to so many times its flush size while the disk is slow; then appending waits.
const MAX_BUFFER_FLUSHES: usize = 4;

impl Historian {
    /// Opens or makes the data folder: locks it, reads the checkpoint and what the log has beyond it. Never scans history.
    ///
    /// # Errors
    /// When another process has the folder, or it cannot be read or written.
    pub async fn open(options: HistorianOptions, catalog: Arc<Catalog>) -> Result<(Self, crate::Recovered), QueryError> {
        open::open(options, catalog).await
    }

    /// Opens a data folder for questions only, also while an Andon writes it. It sees what was there at this moment.
    ///
    /// # Errors
    /// When the folder holds no history or cannot be read.
    pub async fn open_read_only(dir: impl AsRef<Path>) -> Result<Self, QueryError> {
        open::open_read_only(dir.as_ref()).await
    }

    /// Stores a batch. Answers when it is on disk; from then on every question sees it.
    ///
    /// # Errors
    /// When the log cannot be written. The batch may be lost then.
    pub async fn append(&self, batch: Batch) -> Result<(), QueryError> {
        self.enqueue(batch).await.await
    }

    /// Hands in a batch. Batches keep the order in which they are handed in. Waits only while too much is on its way to the disk;
    /// the receipt answers when the batch is there.
    pub async fn enqueue(&self, batch: Batch) -> Receipt {
        let (done, receipt) = Receipt::new();
        match self.submit(batch, done).await {
            Ok(()) => receipt,
            Err(error) => Receipt::refused(error),
        }
    }

    async fn submit(&self, mut batch: Batch, done: oneshot::Sender<Result<(), Arc<str>>>) -> Result<(), QueryError> {
        let writing = self.writing()?;
        let limit = self.inner.options.flush_rows.saturating_mul(MAX_BUFFER_FLUSHES);
        // The sender lives in this historian, so waiting ends with room.
        let _ = writing.buffered.subscribe().wait_for(|buffered| *buffered < limit).await;
        let permit = writing.log()?.reserve().await?;
        let done = self.inner.directory.define(&mut batch, done);
        {
            let mut next = writing.next.lock().unwrap_or_else(PoisonError::into_inner);
            let mut bytes = Vec::new();
            record::encode(*next, &batch, &mut bytes);
            if bytes.len() > record::MAX_PAYLOAD {
                return Err(QueryError::TooLarge(bytes.len()));
            }
            permit.send(Submission { number: *next, bytes, begin: false, done });
            self.inner.store.apply(*next, batch, true, true);
            *next += 1;
        }
        let (rows, events) = self.inner.store.hot();
        self.inner.report_room();
        if rows >= self.inner.options.flush_rows || events >= self.inner.options.flush_rows / EVENT_WEIGHT {
            // A full queue means that a flush is due already.
            let _ = writing.flush.try_send(None);
        }
        Ok(())
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

    /// A data stream by number.
    pub fn stream(&self, series: SeriesId) -> Option<DataStream> {
        self.inner.directory.streams.by_number(series)
    }

    /// Runs a statement that only reads.
    ///
    /// # Errors
    /// When the statement is wrong, would change something, or takes more than its limits.
    pub async fn sql(&self, sql: &str, limits: SqlLimits) -> Result<SqlAnswer, QueryError> {
        sql::answer(&self.inner.session, sql, limits).await
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

    /// The last value of a series at or before an instant.
    ///
    /// # Errors
    /// When history cannot be read.
    pub async fn value_before(&self, series: SeriesId, time: Timestamp) -> Result<Option<Tqv>, QueryError> {
        if let Some(latest) = self.latest(series).filter(|latest| latest.time <= time) {
            return Ok(Some(latest));
        }
        history::value_before(&self.inner.session, self.points(), series, time).await
    }

    /// Events, newest first.
    ///
    /// # Errors
    /// When history cannot be read.
    pub async fn events(&self, filter: EventFilter) -> Result<Vec<Event>, QueryError> {
        events::find(&self.inner.session, &self.inner.store, filter).await
    }

    /// Computes the metrics of a model's window kind for all its assets and these windows, in one plan. Points carry the end of
    /// their window; what has no value makes no point. Metrics of children must be stored before those of their parents.
    ///
    /// # Errors
    /// When history cannot be read, or the historian was opened for questions only.
    pub async fn compute(&self, model: ModelIndex, spec: &WindowSpec, windows: &[Window]) -> Result<Vec<Point>, QueryError> {
        metric::compute(&self.inner.session, self.points(), self.catalog()?, model, spec, windows).await
    }

    /// The OEE of an asset in any span, with its stops and losses. None when its model has no `oee:` block.
    ///
    /// # Errors
    /// When history cannot be read, or the historian was opened for questions only.
    pub async fn oee(&self, asset: AssetIndex, window: Window) -> Result<Option<OeeResult>, QueryError> {
        metric::oee(&self.inner.session, self.points(), self.catalog()?, asset, window).await
    }

    /// Turns the buffer into Parquet files and waits for it.
    ///
    /// # Errors
    /// When files cannot be written. Nothing is lost: the log has it, and the next flush tries again.
    pub async fn flush(&self) -> Result<(), QueryError> {
        let (done, answer) = oneshot::channel();
        let closed = || QueryError::LogFailed("the historian is closed".into());
        self.writing()?.flush.send(Some(done)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Flushes and stops writing. Clones can still ask.
    ///
    /// # Errors
    /// When the last flush failed. Nothing is lost: the log has it.
    pub async fn close(self) -> Result<(), QueryError> {
        let flushed = self.flush().await;
        let writing = self.writing()?;
        writing.log.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = writing.log_thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The thread ends when its queue is empty; a panic there was a failed log, and reported as such.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        writing.lock.unlock().map_err(QueryError::io("cannot unlock", &self.inner.options.dir))?;
        flushed
    }

    /// Whether it takes and acknowledges batches.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn health(&self) -> Result<(), QueryError> {
        let log = self.writing()?.log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match log.ok_or_else(|| QueryError::LogFailed("the historian is closed".into()))?.failure() {
            Some(reason) => Err(QueryError::LogFailed(reason.to_string())),
            None => Ok(()),
        }
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
        }
    }

    /// The data folder.
    pub fn dir(&self) -> &PathBuf {
        &self.inner.options.dir
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
    /// Closes the buffer, and lets the log begin a new segment there. Answers when all of the buffer is durable in the log.
    pub(crate) async fn seal(&self) -> Result<Option<Arc<Sealed>>, QueryError> {
        let Some(writing) = &self.writing else { return Ok(None) };
        let permit = writing.log()?.reserve().await?;
        let (done, receipt) = Receipt::new();
        let sealed = {
            let mut next = writing.next.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(sealed) = self.store.seal() else { return Ok(None) };
            let mut bytes = Vec::new();
            record::encode(*next, &Batch::default(), &mut bytes);
            permit.send(Submission { number: *next, bytes, begin: true, done });
            *next += 1;
            sealed
        };
        receipt.await?;
        Ok(Some(sealed))
    }

    /// Tells those who wait for room how full the buffer is.
    pub(crate) fn report_room(&self) {
        if let Some(writing) = &self.writing {
            writing.buffered.send_replace(self.store.counts().0);
        }
    }
}

impl Writing {
    fn log(&self) -> Result<LogWriter, QueryError> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        log.ok_or_else(|| QueryError::LogFailed("the historian is closed".into()))
    }
}

/// An event takes as much memory as so many points.
const EVENT_WEIGHT: usize = 20;

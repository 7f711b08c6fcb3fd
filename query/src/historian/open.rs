//! Opening a data folder.

use super::{
    Historian, Inner, Writing, bucket, checkpoint, delta, inspect, keeper,
    log::{self, LogWriter, Recovery, Standing},
    place::Place,
    store::Store,
};
use crate::{Batch, HistorianOptions, QueryError, Recovered, directory::Directory, rollup, sql};
use andon_models::catalog::Catalog;
use deltalake::DeltaTableError;
use std::{
    fs::{File, OpenOptions},
    path::Path,
    sync::{Arc, Mutex},
};
use tokio::sync::{mpsc, watch};
use url::Url;

/// Requests that may wait for the keeper of the tables: one runs, one is due; more flushes would write nothing.
const MAX_REQUESTS: usize = 8;

/// What a folder holds.
pub(super) struct Loaded {
    pub store: Store,
    directory: Directory,
    pub recovered: Recovered,
    next: u64,
}

pub(super) async fn open(options: HistorianOptions, catalog: Arc<Catalog>) -> Result<(Historian, Recovered), QueryError> {
    let dir = options.dir.clone();
    for folder in [dir.clone(), dir.join("log")] {
        std::fs::create_dir_all(&folder).map_err(QueryError::io("cannot make", &folder))?;
    }
    let lock = lock(&dir)?;
    let read = read_log(&dir, true).await?;
    let bucket = options.bucket.as_ref().map(Place::bucket).transpose()?;
    if let Some(bucket) = &bucket {
        bucket::claim(bucket, &dir, options.take_over).await?;
        bucket::copy_from(bucket, &dir).await?;
    }
    let history = history(&dir, bucket.as_ref())?;
    let mut tables = delta::Tables::open_or_create(&history).await?;
    let wrong = inspect::put_aside(&mut tables).await?;
    let mut rollups = rollup::tables::Tables::open_or_create(&history, options.keep_removed).await?;
    rollups.outlive(options.keep.samples.is_some());
    rollups.find_strays().await;
    let mut loaded = load(&dir, read, &tables)?;
    loaded.recovered.notices.extend(wrong);
    loaded.directory.learn(&catalog);
    loaded.directory.save(&dir)?;
    if let Some(bucket) = &bucket {
        bucket::copy_to(bucket, &dir).await?;
    }
    let standing = Standing::default();
    let (log, thread) = LogWriter::start(&dir.join("log"), options.group_commit(), standing.clone())?;
    let (keeper, requests) = mpsc::channel(MAX_REQUESTS);
    let writing = Writing {
        log: Mutex::new(Some(log)),
        log_thread: Mutex::new(Some(thread)),
        next: Mutex::new(loaded.next),
        keeper,
        buffered: watch::Sender::new(0),
        standing,
        rollups: rollups.into(),
        lock,
    };
    let recovered = loaded.recovered.clone();
    let historian = assemble(options, bucket, loaded, Some(catalog), Some(writing)).await?;
    if let Some(writing) = &historian.inner.writing {
        historian.inner.compare(&mut *writing.rollups.lock().await, tables.samples.record()).await?;
    }
    let workers = historian.workers();
    workers.spawn(rollup::fill::run(Arc::downgrade(&historian.inner)));
    workers.spawn(keeper::run(Arc::downgrade(&historian.inner), tables, requests));
    Ok((historian, recovered))
}

pub(super) async fn fetch(options: &HistorianOptions) -> Result<(), QueryError> {
    let Some(url) = &options.bucket else { return Ok(()) };
    std::fs::create_dir_all(&options.dir).map_err(QueryError::io("cannot make", &options.dir))?;
    bucket::copy_from(&Place::bucket(url)?, &options.dir).await
}

pub(super) async fn open_read_only(dir: &Path, with_rollups: bool) -> Result<Historian, QueryError> {
    if !dir.join("history").is_dir() {
        return Err(QueryError::NoHistory(dir.to_owned()));
    }
    // A writer may move records from the log to files meanwhile. Whoever reads the log first and the tables then finds each record
    // at least once, and the tables say which ones they have.
    let read = read_log(dir, false).await?;
    let history = history(dir, None)?;
    // An older history has none: then queries count its points.
    let rollups = if with_rollups { rollup::tables::Tables::open(&history).await.ok() } else { None };
    let tables = delta::Tables::open(&history).await?;
    let loaded = load(dir, read, &tables)?;
    let historian = assemble(HistorianOptions::new(dir), None, loaded, None, None).await?;
    historian.inner.show(rollups, tables.samples.record()).await?;
    Ok(historian)
}

pub(super) async fn open_bucket(url: &Url, spool: &Path) -> Result<Historian, QueryError> {
    let bucket = Place::bucket(url)?;
    bucket::copy_from(&bucket, spool).await?;
    let history = history(spool, Some(&bucket))?;
    let rollups = rollup::tables::Tables::open(&history).await.ok();
    let tables = match delta::Tables::open(&history).await {
        Err(QueryError::Delta(DeltaTableError::NotATable(_) | DeltaTableError::InvalidTableLocation(_))) => {
            return Err(QueryError::NoHistory(url.as_str().into()));
        }
        tables => tables?,
    };
    let loaded = load(spool, ReadLog::default(), &tables)?;
    let historian = assemble(HistorianOptions::new(spool), Some(bucket), loaded, None, None).await?;
    historian.inner.show(rollups, tables.samples.record()).await?;
    Ok(historian)
}

/// Where the tables are.
fn history(dir: &Path, bucket: Option<&Place>) -> Result<Place, QueryError> {
    match bucket {
        Some(bucket) => bucket.join("history"),
        None => Place::local(&dir.join("history")),
    }
}

/// Appends one record to a folder without a plant, as a segment of its own.
pub(crate) async fn append_offline(dir: &Path, batch: Batch) -> Result<(), QueryError> {
    let lock = lock(dir)?;
    let read = read_log(dir, true).await?;
    let tables = delta::Tables::open(&Place::local(&dir.join("history"))?).await?;
    let next = load(dir, read, &tables)?.next;
    let mut bytes = Vec::new();
    super::record::encode(next, &batch, &mut bytes);
    log::write_segment(&dir.join("log"), next, &bytes)?;
    lock.unlock().map_err(QueryError::io("cannot unlock", dir))
}

async fn assemble(
    options: HistorianOptions,
    bucket: Option<Place>,
    loaded: Loaded,
    catalog: Option<Arc<Catalog>>,
    writing: Option<Writing>,
) -> Result<Historian, QueryError> {
    let (store, directory) = (Arc::new(loaded.store), Arc::new(loaded.directory));
    let (session, tables) = sql::session(&options, bucket.as_ref(), &store, &directory).await?;
    let (flushes, flush_failures, merges) = Default::default();
    let inner = Inner { options, bucket, store, directory, catalog, session, tables, writing, flushes, flush_failures, merges };
    Ok(Historian { inner: Arc::new(inner) })
}

/// Only one process may write a folder.
fn lock(dir: &Path) -> Result<File, QueryError> {
    let path = dir.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(QueryError::io("cannot open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(QueryError::Locked(dir.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(QueryError::io("cannot lock", &path)(error)),
    }
}

/// The records of the log with their numbers, and what recovery says about them.
#[derive(Default)]
pub(super) struct ReadLog {
    records: Vec<(u64, Batch)>,
    recovery: Recovery,
}

/// Tries of a reader to find all segments of a log from which a writer removes some.
const MAX_READ_TRIES: usize = 5;

pub(super) async fn read_log(dir: &Path, mend: bool) -> Result<ReadLog, QueryError> {
    let (dir, folder) = (dir.to_owned(), dir.join("log"));
    let read = move || {
        for _ in 1..MAX_READ_TRIES {
            match read_once(&dir, mend) {
                Err(QueryError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound && folder.is_dir() => {}
                read => return read,
            }
        }
        read_once(&dir, mend)
    };
    tokio::task::spawn_blocking(read).await.map_err(|error| QueryError::Internal(error.to_string()))?
}

fn read_once(dir: &Path, mend: bool) -> Result<ReadLog, QueryError> {
    let mut records = Vec::new();
    let recovery =
        log::recover(&dir.join("log"), checkpoint::known(dir)?, mend, |number, batch| records.push((number, batch)))?;
    Ok(ReadLog { records, recovery })
}

/// What is in files already is only remembered, the rest of the log goes to the buffer.
pub(super) fn load(dir: &Path, log: ReadLog, tables: &delta::Tables) -> Result<Loaded, QueryError> {
    let checkpoint::Loaded { memory, mut notices } = checkpoint::load(dir)?;
    let (points, events) = (tables.samples.record(), tables.events.record());
    let record = memory.record;
    let store = Store::restore(memory, tables.files());
    let (directory, lost) = Directory::load(dir)?;
    notices.extend(lost);
    let (mut log_points, mut log_events) = (0, 0);
    for (number, mut batch) in log.records {
        directory.streams.restore(std::mem::take(&mut batch.streams));
        let new = |done: Option<u64>| done.is_none_or(|done| number > done);
        log_points += if new(points) { batch.points.len() as u64 } else { 0 };
        log_events += if new(events) { batch.events.len() as u64 } else { 0 };
        store.apply(number, batch, new(points), new(events));
    }
    notices.extend(log.recovery.notices);
    let last = [log.recovery.last_number, points, events, Some(record)].into_iter().flatten().max().unwrap_or(0);
    let recovered = Recovered { kept: store.kept(), log_points, log_events, notices };
    Ok(Loaded { store, directory, recovered, next: last + 1 })
}

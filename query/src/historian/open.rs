//! Opening a data folder.

use super::{
    Historian, Inner, Writing, checkpoint, delta, flush,
    log::{self, LogWriter},
    store::Store,
};
use crate::{HistorianOptions, QueryError, Recovered, directory::Directory, sql};
use andon_models::catalog::Catalog;
use std::{
    fs::{File, OpenOptions},
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicU64},
};
use tokio::sync::{mpsc, watch};

/// Flushes that may wait their turn: one runs, one is due; more would write nothing.
const MAX_FLUSH_REQUESTS: usize = 8;

/// What a folder holds.
struct Loaded {
    store: Store,
    directory: Directory,
    recovered: Recovered,
    next: u64,
}

pub(super) async fn open(options: HistorianOptions, catalog: Arc<Catalog>) -> Result<(Historian, Recovered), QueryError> {
    let dir = options.dir.clone();
    for folder in [dir.clone(), dir.join("log"), dir.join("history")] {
        std::fs::create_dir_all(&folder).map_err(QueryError::io("cannot make", &folder))?;
    }
    let lock = lock(&dir)?;
    let tables = delta::Tables::open_or_create(&dir).await?;
    let mut loaded = load(&dir, &tables, false)?;
    loaded.directory.learn(&catalog);
    loaded.directory.save(&dir)?;
    let (log, thread) = LogWriter::start(&dir.join("log"), options.group_commit)?;
    let (flush, requests) = mpsc::channel(MAX_FLUSH_REQUESTS);
    let writing = Writing {
        log: Mutex::new(Some(log)),
        log_thread: Mutex::new(Some(thread)),
        next: Mutex::new(loaded.next),
        flush,
        buffered: watch::Sender::new(0),
        lock,
    };
    let recovered = loaded.recovered.clone();
    let historian = assemble(options, loaded, Some(catalog), Some(writing)).await?;
    tokio::spawn(flush::run(Arc::downgrade(&historian.inner), tables, requests));
    Ok((historian, recovered))
}

pub(super) async fn open_read_only(dir: &Path) -> Result<Historian, QueryError> {
    if !dir.join("history").is_dir() {
        return Err(QueryError::NoHistory(dir.to_owned()));
    }
    let tables = delta::Tables::open(dir).await?;
    let loaded = load(dir, &tables, true)?;
    assemble(HistorianOptions::new(dir), loaded, None, None).await
}

async fn assemble(
    options: HistorianOptions,
    loaded: Loaded,
    catalog: Option<Arc<Catalog>>,
    writing: Option<Writing>,
) -> Result<Historian, QueryError> {
    let (store, directory) = (Arc::new(loaded.store), Arc::new(loaded.directory));
    let (session, tables) = sql::session(&options, &store, &directory).await?;
    let (flushes, flush_failures) = (AtomicU64::new(0), AtomicU64::new(0));
    let inner = Inner { options, store, directory, catalog, session, tables, writing, flushes, flush_failures };
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

/// Reads checkpoint and log: what is in files already is only remembered, the rest goes to the buffer.
fn load(dir: &Path, tables: &delta::Tables, read_only: bool) -> Result<Loaded, QueryError> {
    let (memory, mut notices) = checkpoint::load(dir)?;
    let (points, events) = (tables.points_record(), tables.events_record());
    let store = Store::restore(memory.clone(), tables.files());
    let (mut log_points, mut log_events) = (0, 0);
    let replay = |number: u64, batch: crate::Batch| {
        let new = |done: Option<u64>| done.is_none_or(|done| number > done);
        log_points += if new(points) { batch.points.len() as u64 } else { 0 };
        log_events += if new(events) { batch.events.len() as u64 } else { 0 };
        store.apply(number, batch, new(points), new(events));
    };
    let recovery =
        if read_only { log::recover(&dir.join("log"), false, replay)? } else { log::recover(&dir.join("log"), true, replay)? };
    notices.extend(recovery.notices);
    let last = [recovery.last_number, points, events, Some(memory.record)].into_iter().flatten().max().unwrap_or(0);
    let recovered = Recovered { kept: store.kept(), log_points, log_events, notices };
    Ok(Loaded { store, directory: Directory::load(dir)?, recovered, next: last + 1 })
}

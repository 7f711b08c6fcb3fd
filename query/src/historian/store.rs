//! What is in memory: the points and events that are not in Parquet yet, the newest value of every series, the kept documents
//! and the list of files. One writer changes it under the lock; queries take a snapshot and go on without it.

use super::{
    happened::{Happened, Stored},
    newest::{Newest, NewestValues},
};
use crate::{
    Batch,
    batch::{EVENT_BYTES, point_bytes},
    rollup::{stale::Stale, tables::Rollups},
    table::{
        asked::Asked,
        columns::{CHUNK_ROWS, Chunk, PointColumns},
        files::Files,
    },
};
use andon_models::{Point, SeriesId, Timestamp, Tqv};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

const HOUR_NANOS: i64 = 3_600_000_000_000;

/// Number of the hour an instant lies in. Late data is remembered by the hour: only touched hours need de-duplication.
pub fn hour_of(time: Timestamp) -> i64 {
    time.as_nanos().div_euclid(HOUR_NANOS)
}

/// The hours from one instant to another.
pub fn hours(from: Timestamp, to: Timestamp) -> std::ops::RangeInclusive<i64> {
    hour_of(from)..=hour_of(to)
}

/// Everything in memory.
#[derive(Default)]
pub struct Store {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    hot: Buffer,
    /// What is being written to Parquet right now.
    sealed: Option<Arc<Sealed>>,
    files: Arc<Files>,
    rollups: Arc<Rollups>,
    newest: NewestValues,
    kept: HashMap<String, Vec<u8>>,
    /// Number of the last record applied.
    record: u64,
    points: u64,
    events: u64,
}

/// Points and events in the order they came.
#[derive(Default)]
struct Buffer {
    full: Vec<Chunk>,
    open: PointColumns,
    rows: usize,
    /// About what points and events take in memory.
    bytes: usize,
    events: Happened,
    /// Hours in which a row may repeat one in a file or in the sealed buffer.
    late: BTreeSet<i64>,
    /// The windows of such rows.
    stale: Stale,
}

/// A buffer that takes nothing more, with what was known when it was closed.
#[derive(Debug)]
pub struct Sealed {
    /// Its points, in the order they came.
    pub points: Vec<Chunk>,
    /// How many points.
    pub rows: usize,
    /// About what it takes in memory.
    pub bytes: usize,
    /// Its events.
    pub events: Happened,
    /// Hours in which a row may repeat one in a file.
    pub late: BTreeSet<i64>,
    /// The windows of such rows.
    pub stale: Stale,
    /// What was kept beside them when it was closed.
    pub memory: Memory,
}

/// What is kept beside points and events: enough to start without reading history.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Number of the last record it knows.
    pub record: u64,
    /// The newest value of every series.
    pub newest: Vec<Point>,
    /// The kept documents.
    pub kept: HashMap<String, Vec<u8>>,
}

/// One consistent view of all points: a query's whole world.
pub struct Snapshot {
    /// Points that are not in files; rows of the same series, time and quality may repeat.
    pub points: Vec<Chunk>,
    /// Files.
    pub files: Arc<Files>,
    /// Hours in which rows of files and buffers may repeat each other.
    pub late: BTreeSet<i64>,
}

impl Store {
    /// The time of the oldest point there is.
    pub fn oldest(&self) -> Option<Timestamp> {
        let snapshot = self.snapshot();
        let files = snapshot.files.points.iter().map(|file| file.from);
        let chunks = snapshot.points.iter().map(|chunk| Timestamp::from_micros(chunk.from));
        files.chain(chunks).min()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Starts from what an earlier run left behind.
    pub fn restore(memory: Memory, files: Files) -> Self {
        let mut newest = NewestValues::default();
        for point in memory.newest {
            let settled = point.tqv.time;
            newest.remember(point, settled);
        }
        let state = State { newest, kept: memory.kept, record: memory.record, files: Arc::new(files), ..State::default() };
        Self { state: RwLock::new(state) }
    }

    /// Takes a record. `points` and `events` are false when they are in files already.
    pub fn apply(&self, record: u64, batch: Batch, points: bool, events: bool) {
        let mut state = self.write();
        let state = &mut *state;
        let keep = record > state.record;
        state.record = state.record.max(record);
        let seq = i64::try_from(record).unwrap_or(i64::MAX);
        for point in batch.points {
            if points {
                state.hot.push(&point, seq, state.newest.get(point.series));
                state.points += 1;
            }
            let settled = if points { Timestamp::MIN } else { point.tqv.time };
            state.newest.remember(point, settled);
        }
        if events {
            state.events += batch.events.len() as u64;
            state.hot.bytes += batch.events.len() * EVENT_BYTES;
            batch.events.into_iter().for_each(|event| state.hot.events.push(Stored { event: Arc::new(event), record }));
        }
        // The checkpoint may be newer than the oldest records of the log.
        for (key, document) in batch.keep.into_iter().filter(|_| keep) {
            if document.is_empty() {
                state.kept.remove(&key);
            } else {
                state.kept.insert(key, document);
            }
        }
    }

    /// The newest value of a series, of any quality.
    pub fn latest(&self, series: SeriesId) -> Option<Tqv> {
        self.read().newest.get(series).map(|newest| newest.tqv.clone())
    }

    /// The newest values of all series.
    pub fn latest_all(&self) -> Vec<Point> {
        self.read().newest.points()
    }

    /// The kept documents.
    pub fn kept(&self) -> HashMap<String, Vec<u8>> {
        self.read().kept.clone()
    }

    /// Everything as it is now.
    pub fn snapshot(&self) -> Snapshot {
        self.read().snapshot()
    }

    /// The events that are not in files and that a question may mean, in the order they came, and the files.
    pub fn events(&self, asked: &Asked) -> (Vec<Stored>, Arc<Files>) {
        let state = self.read();
        let mut found = state.sealed.as_ref().map_or_else(Vec::new, |sealed| sealed.events.find(asked).0);
        found.extend(state.hot.events.find(asked).0);
        (found, state.files.clone())
    }

    /// The time of the newest event.
    pub fn newest_event(&self) -> Option<Timestamp> {
        let state = self.read();
        let sealed = state.sealed.as_ref().and_then(|sealed| sealed.events.newest());
        let files = state.files.events.iter().map(|file| file.to).max();
        files.max(sealed).max(state.hot.events.newest())
    }

    /// Everything as it is now, the roll-ups of what is in files, and the windows between two ends for which they do not hold.
    pub fn rolled(&self, from: i64, to: i64) -> (Snapshot, Arc<Rollups>, Stale) {
        let state = self.read();
        let mut stale = Stale::default();
        stale.extend(&state.rollups.gap, from, to);
        stale.extend(&state.hot.stale, from, to);
        if let Some(sealed) = &state.sealed {
            stale.extend(&sealed.stale, from, to);
        }
        (state.snapshot(), state.rollups.clone(), stale)
    }

    /// Closes the buffer for a flush, or gives the one whose flush failed again. None when there is nothing to flush.
    pub fn seal(&self) -> Option<Arc<Sealed>> {
        let mut state = self.write();
        if let Some(sealed) = &state.sealed {
            return Some(sealed.clone());
        }
        if state.hot.rows == 0 && state.hot.events.all().is_empty() {
            return None;
        }
        let memory = state.memory();
        let mut hot = std::mem::take(&mut state.hot);
        if hot.open.len() > 0 {
            let rest = hot.open.take();
            hot.full.push(rest);
        }
        state.newest.settle();
        let sealed = Sealed {
            points: hot.full,
            rows: hot.rows,
            bytes: hot.bytes,
            events: hot.events,
            late: hot.late,
            stale: hot.stale,
            memory,
        };
        let sealed = Arc::new(sealed);
        state.sealed = Some(sealed.clone());
        Some(sealed)
    }

    /// Whether a closed buffer waits for its files.
    pub fn is_sealed(&self) -> bool {
        self.read().sealed.is_some()
    }

    /// Takes another list of files with the same rows, or without those that are to be forgotten.
    pub fn replace_files(&self, files: Files) {
        let mut state = self.write();
        state.rollups = Arc::new(Rollups::clone(&state.rollups).beside(&files));
        state.files = Arc::new(files);
    }

    /// Takes files in place of the sealed buffer, with their roll-ups: queries see one or the other.
    pub fn settle(&self, files: Files, rollups: Rollups) {
        let mut state = self.write();
        state.rollups = Arc::new(rollups.beside(&files));
        state.files = Arc::new(files);
        state.sealed = None;
    }

    /// Takes other files of roll-ups that say the same.
    pub fn roll(&self, rollups: Rollups) {
        let mut state = self.write();
        state.rollups = Arc::new(rollups.beside(&state.files));
    }

    /// The list of files.
    pub fn files(&self) -> Arc<Files> {
        self.read().files.clone()
    }

    /// Points not in files, points and events taken, series, last record.
    pub fn counts(&self) -> (usize, u64, u64, usize, u64) {
        let state = self.read();
        let buffered = state.hot.rows + state.sealed.as_ref().map_or(0, |sealed| sealed.rows);
        (buffered, state.points, state.events, state.newest.len(), state.record)
    }

    /// Points in the hot buffer, and about its bytes.
    pub fn hot(&self) -> (usize, usize) {
        let state = self.read();
        (state.hot.rows, state.hot.bytes)
    }

    /// About what everything that is not in files takes in memory.
    pub fn buffered_bytes(&self) -> usize {
        let state = self.read();
        state.hot.bytes + state.sealed.as_ref().map_or(0, |sealed| sealed.bytes)
    }
}

impl State {
    fn snapshot(&self) -> Snapshot {
        let mut late = self.files.late.clone();
        let mut points = Vec::new();
        if let Some(sealed) = &self.sealed {
            points.extend(sealed.points.iter().cloned());
            late.extend(&sealed.late);
        }
        points.extend(self.hot.full.iter().cloned());
        if self.hot.open.len() > 0 {
            points.push(self.hot.open.snapshot());
        }
        late.extend(&self.hot.late);
        Snapshot { points, files: self.files.clone(), late }
    }

    fn memory(&self) -> Memory {
        Memory { record: self.record, newest: self.newest.points(), kept: self.kept.clone() }
    }
}

impl Buffer {
    fn push(&mut self, point: &Point, seq: i64, newest: Option<&Newest>) {
        if newest.is_some_and(|newest| point.tqv.time <= newest.settled) {
            self.late.insert(hour_of(point.tqv.time));
            self.stale.insert(point.series, point.tqv.time);
        }
        self.open.push(point, seq);
        self.rows += 1;
        self.bytes += point_bytes(point);
        if self.open.len() >= CHUNK_ROWS {
            let full = self.open.take();
            self.full.push(full);
        }
    }
}

//! Windows whose stored totals do not hold: late or repeated rows touch them, which are not in the roll-up tables yet.

use super::Resolution;
use crate::table::columns::{NANOS, SERIES, TIME, series_code};
use andon_models::{SeriesId, Timestamp};
use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::{Int16Type, Int32Type, TimestampMicrosecondType},
};
use std::collections::{BTreeSet, HashSet};

/// Minutes by their end in microseconds and the series. As many as late rows in memory at the most.
#[derive(Clone, Debug, Default)]
pub struct Stale {
    minutes: BTreeSet<(i64, i32)>,
}

impl Stale {
    /// A row may repeat an older one, or comes after newer ones were counted.
    pub fn insert(&mut self, series: SeriesId, time: Timestamp) {
        self.insert_nanos(series_code(series), time.as_nanos());
    }

    /// As [`Stale::insert`], with the numbers as they are stored.
    pub fn insert_nanos(&mut self, series: i32, nanos: i64) {
        self.minutes.insert((Resolution::Minute.end_of(nanos), series));
    }

    /// Adds the windows of points.
    pub fn insert_rows(&mut self, points: &RecordBatch) {
        let series = points.column(SERIES).as_primitive::<Int32Type>().values();
        let time = points.column(TIME).as_primitive::<TimestampMicrosecondType>().values();
        let nanos = points.column(NANOS).as_primitive::<Int16Type>().values();
        for row in 0..points.num_rows() {
            self.insert_nanos(series[row], time[row].saturating_mul(1_000).saturating_add(i64::from(nanos[row])));
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.minutes.len()
    }

    /// Adds those of another buffer that lie between two ends, both included.
    pub fn extend(&mut self, other: &Self, from: i64, to: i64) {
        if from <= to {
            self.minutes.extend(other.minutes.range((from, i32::MIN)..=(to, i32::MAX)));
        }
    }

    /// Leaves only those that end after an instant.
    pub fn keep_after(&mut self, end: i64) {
        self.minutes = self.minutes.split_off(&(end.saturating_add(1), i32::MIN));
    }

    /// The same as windows of a resolution: series and end.
    pub fn windows(&self, resolution: Resolution) -> HashSet<(i32, i64)> {
        self.minutes.iter().map(|(minute, series)| (*series, resolution.around(*minute))).collect()
    }
}

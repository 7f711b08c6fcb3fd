//! Totals of windows, and how they grow: by points, by totals of the same window, by totals of finer windows.

use super::{Resolution, columns::StoredRows};
use crate::table::{columns, named::number};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{Float64Type, Int8Type, Int16Type, Int32Type, TimestampMicrosecondType},
};
use datafusion::error::Result;
use std::collections::HashMap;

/// Series, end of the window in microseconds, quality.
pub type Key = (i32, i64, i8);

/// A row at an edge of a window: when it was, and its number if it has one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Nanoseconds since the epoch.
    pub nanos: i64,
    /// Its value as a number.
    pub value: Option<f64>,
}

/// Sum, lowest and highest of some numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Numbers {
    /// How many.
    pub count: i64,
    /// Their sum.
    pub sum: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

/// What is known of the rows of one series and quality in one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Total {
    /// Rows, with and without a number.
    pub count: i64,
    /// All numbers.
    pub all: Numbers,
    /// The numbers before the end of the window.
    pub inner: Numbers,
    /// Sum of the squared distances of all numbers from their mean.
    pub m2: f64,
    /// The earliest row.
    pub first: Row,
    /// The latest row.
    pub last: Row,
    /// The highest log record in it.
    pub seq: i64,
}

impl Numbers {
    /// Takes other numbers as well.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        self.count += other.count;
        self.sum += other.sum;
        if other.min.total_cmp(&self.min).is_lt() {
            self.min = other.min;
        }
        if other.max.total_cmp(&self.max).is_gt() {
            self.max = other.max;
        }
    }

    fn of(value: f64) -> Self {
        Self { count: 1, sum: value, min: value, max: value }
    }

    fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }
}

impl Total {
    /// Of one row in a window with this end.
    pub fn of(row: Row, end: i64, seq: i64) -> Self {
        let all = row.value.map(Numbers::of).unwrap_or_default();
        let inner = if at_end(row.nanos, end) { Numbers::default() } else { all };
        Self { count: 1, all, inner, m2: 0.0, first: row, last: row, seq }
    }

    /// Whether a row lies exactly at the end of the window. There can be one: a point is known by series, time and quality.
    pub fn has_end(&self, end: i64) -> bool {
        at_end(self.last.nanos, end)
    }

    /// Takes the rows of another total of the same window.
    pub fn merge(&mut self, other: &Self) {
        self.inner.merge(&other.inner);
        self.merge_all(other);
    }

    /// Takes the rows of a finer window that is part of this one.
    pub fn merge_finer(&mut self, other: &Self, at_the_end: bool) {
        // A row at the end of a finer window is inside this one, unless both end there.
        self.inner.merge(if at_the_end { &other.inner } else { &other.all });
        self.merge_all(other);
    }

    fn merge_all(&mut self, other: &Self) {
        // Chan, Golub, LeVeque 1979: exact however the rows were split, and stable for small deviations of large numbers.
        let (ours, theirs) = (self.all.count as f64, other.all.count as f64);
        if self.all.count == 0 {
            self.m2 = other.m2;
        } else if other.all.count > 0 {
            let distance = other.all.mean() - self.all.mean();
            self.m2 += other.m2 + distance * distance * (ours * theirs / (ours + theirs));
        }
        self.all.merge(&other.all);
        self.count += other.count;
        if other.first.nanos < self.first.nanos {
            self.first = other.first;
        }
        if other.last.nanos > self.last.nanos {
            self.last = other.last;
        }
        self.seq = self.seq.max(other.seq);
    }

    /// The arithmetic mean; none without a number.
    pub fn avg(&self) -> Option<f64> {
        (self.all.count > 0).then(|| self.all.mean())
    }

    /// The sample deviation; none of fewer than two numbers.
    pub fn stdev(&self) -> Option<f64> {
        (self.all.count > 1).then(|| (self.m2 / (self.all.count - 1) as f64).max(0.0).sqrt())
    }
}

fn at_end(nanos: i64, end: i64) -> bool {
    nanos == end.saturating_mul(1_000)
}

/// Totals of one resolution by key.
#[derive(Debug)]
pub struct Totals {
    resolution: Resolution,
    known: HashMap<Key, Total>,
}

impl Totals {
    /// None yet.
    pub fn new(resolution: Resolution) -> Self {
        Self { resolution, known: HashMap::new() }
    }

    /// How many windows.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Counts points that are known to be the latest writes of their keys, of the series and ends that are wanted. Rows of a window
    /// best follow one another.
    ///
    /// # Errors
    /// When the batch is not one of points.
    pub fn add_points(&mut self, points: &RecordBatch, wanted: impl Fn(i32, i64) -> bool) -> Result<()> {
        let column = |name: &str| points.schema_ref().index_of(name).map(|index| points.column(index).clone());
        let (series, time, nanos) = (column("series")?, column("time")?, column("nanos")?);
        let (series, time) = (series.as_primitive::<Int32Type>(), time.as_primitive::<TimestampMicrosecondType>());
        let (nanos, quality, value) = (nanos.as_primitive::<Int16Type>(), column("quality")?, number(points)?);
        let (quality, value) = (quality.as_primitive::<Int8Type>(), value.as_primitive::<Float64Type>());
        let mut open: Option<(Key, Option<Total>)> = None;
        for row in 0..points.num_rows() {
            let nanos = time.value(row).saturating_mul(1_000).saturating_add(i64::from(nanos.value(row)));
            let key = (series.value(row), self.resolution.end_of(nanos), quality.value(row).clamp(columns::GOOD, 2));
            if open.as_ref().is_none_or(|(known, _)| *known != key) {
                self.close(open.take());
                open = Some((key, None));
                if !wanted(key.0, key.1) {
                    // Remembered as a key without a total.
                    continue;
                }
            } else if open.as_ref().is_some_and(|(_, total)| total.is_none()) {
                continue;
            }
            let total = Total::of(Row { nanos, value: value.is_valid(row).then(|| value.value(row)) }, key.1, 0);
            match &mut open {
                Some((_, Some(known))) => known.merge(&total),
                Some((_, empty)) => *empty = Some(total),
                None => {}
            }
        }
        self.close(open);
        Ok(())
    }

    fn close(&mut self, open: Option<(Key, Option<Total>)>) {
        if let Some((key, Some(total))) = open {
            self.add(key, &total);
        }
    }

    /// Takes a total of a window.
    pub fn add(&mut self, key: Key, total: &Total) {
        self.known.entry(key).and_modify(|known| known.merge(total)).or_insert(*total);
    }

    /// Takes a total of a finer window.
    pub fn add_finer(&mut self, (series, finer, quality): Key, total: &Total) {
        let end = self.resolution.around(finer);
        let at_the_end = end == finer;
        let inner = if at_the_end { total.inner } else { total.all };
        self.known
            .entry((series, end, quality))
            .and_modify(|known| known.merge_finer(total, at_the_end))
            .or_insert(Total { inner, ..*total });
    }

    /// Takes stored totals, those that are wanted.
    ///
    /// # Errors
    /// When the batch is not one of roll-ups.
    pub fn add_stored(&mut self, stored: &RecordBatch, wanted: impl Fn(i32, i64, i64) -> bool) -> Result<()> {
        let rows = StoredRows::new(stored)?;
        for row in 0..stored.num_rows() {
            let (key, total) = (rows.key(row), rows.total(row));
            if wanted(key.0, key.1, total.seq) {
                self.add(key, &total);
            }
        }
        Ok(())
    }

    /// All totals.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Total)> {
        self.known.iter()
    }

    /// All totals by series, time and quality.
    pub fn sorted(self) -> Vec<(Key, Total)> {
        let mut sorted: Vec<(Key, Total)> = self.known.into_iter().collect();
        sorted.sort_unstable_by_key(|(key, _)| *key);
        sorted
    }
}

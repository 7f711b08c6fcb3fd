//! Many series over time, all their points in one order: what a back-test plays.
//!
//! Files are sorted by series, so each stretch of time is read series by series and sorted in memory. A stretch is as long as its
//! rows allow; when there are more than were expected, it is cut while it is read, so memory stays bounded whatever there is.

#[cfg(test)]
mod tests;

use crate::{
    QueryError,
    historian::store::Store,
    history::LOOK_BACK,
    table::{
        columns::{NANOS, PointRows, SEQ, SERIES, TIME, series_code},
        points::{PointsTable, optimized},
        prune::Prune,
    },
};
use andon_models::{Point, SeriesId, Timestamp, Tqv, Value, window::Window};
use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::{Int16Type, Int32Type, TimestampMicrosecondType},
};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Series chosen so densely among those between the lowest and the highest are read as one range: sorting the others out here costs
/// less than a condition on each row.
const DENSE: usize = 4;

/// A stretch is expected to hold this share of the rows that it may: what is expected may be wrong.
const CAUTION: f64 = 0.8;

/// After a stretch with few rows the next one is so much longer.
const GROWTH: f64 = 4.0;

/// Reads some series in order of time.
pub struct Replay {
    session: SessionContext,
    store: Arc<Store>,
    chosen: Chosen,
    /// Up to where all was read.
    from: Timestamp,
    /// Rows of a stretch at most.
    most: usize,
    /// How long the next stretch should be, in nanoseconds; none before the first.
    span: Option<f64>,
}

/// The points of a stretch of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stretch {
    /// In order of time; those of one instant in the order of their series.
    pub points: Vec<Point>,
    /// Up to when these are all, this instant included.
    pub to: Timestamp,
}

/// The series that are wanted.
struct Chosen {
    /// As they are read from files and buffer: perhaps more than are wanted.
    read: BTreeSet<i32>,
    /// The place of each wanted one.
    places: HashMap<i32, u32>,
}

impl Replay {
    /// Reads these series after an instant, at most about so many points at a time.
    pub(crate) fn new(session: SessionContext, store: Arc<Store>, series: &[SeriesId], after: Timestamp, most: usize) -> Self {
        Self { session, store, chosen: Chosen::new(series), from: after, most: most.max(1), span: None }
    }

    /// The points of the next stretch, which ends at `until` at the latest; none when all up to there was read.
    ///
    /// # Errors
    /// When history cannot be read.
    pub async fn next(&mut self, until: Timestamp) -> Result<Option<Stretch>, QueryError> {
        if self.from >= until {
            return Ok(None);
        }
        let left = until.as_nanos().saturating_sub(self.from.as_nanos());
        let span = self.span.unwrap_or_else(|| self.expected_span(until));
        let to = if span >= left as f64 { until } else { Timestamp::from_nanos(self.from.as_nanos() + (span as i64).max(1)) };
        let mut taken = Taken::new(Window { start: self.from, end: to }, self.most);
        self.read(&mut taken).await?;
        let length = taken.window.end.since(taken.window.start).as_nanos() as f64;
        let allowed = length * CAUTION * self.most as f64 / taken.len().max(1) as f64;
        let few = taken.len() * 2 <= self.most;
        self.span = Some(if few { length * GROWTH } else { allowed });
        self.from = taken.window.end;
        Ok(Some(taken.finish()))
    }

    /// How long a stretch of as many rows as it may have is, by what the files say, in nanoseconds.
    fn expected_span(&self, until: Timestamp) -> f64 {
        let snapshot = self.store.snapshot();
        let (from, to) = (self.from.as_micros(), until.as_micros());
        let share = |first: i64, last: i64, rows: f64| {
            let inside = (last.min(to) - first.max(from) + 1).max(0) as f64;
            rows * inside / (last - first + 1).max(1) as f64
        };
        let files = snapshot.files.points.iter().map(|file| {
            let series = self.chosen.read.range(file.series.0..=file.series.1).count() as f64;
            let all = f64::from(file.series.1) - f64::from(file.series.0) + 1.0;
            share(file.from.as_micros(), file.to.as_micros(), file.rows as f64) * (series / all.max(1.0))
        });
        let chunks = snapshot.points.iter().map(|chunk| share(chunk.from, chunk.to, chunk.rows.num_rows() as f64));
        let rows: f64 = files.chain(chunks).sum();
        until.since(self.from).as_nanos() as f64 * CAUTION * self.most as f64 / rows.max(1.0)
    }

    async fn read(&self, taken: &mut Taken) -> Result<(), QueryError> {
        let prune = Prune {
            series: Some(self.chosen.read.clone()),
            from: taken.window.start.as_micros(),
            to: taken.window.end.as_micros(),
            qualities: None,
        };
        each_batch(&self.session, &self.store, &prune, |batch| taken.add(batch, &self.chosen)).await
    }
}

/// The last values of series at or before an instant.
///
/// # Errors
/// When history cannot be read.
pub(crate) async fn values_before(
    session: &SessionContext,
    store: &Arc<Store>,
    series: &[SeriesId],
    time: Timestamp,
) -> Result<HashMap<SeriesId, Tqv>, QueryError> {
    let mut found = HashMap::new();
    for series in series {
        if let Some(latest) = store.latest(*series).filter(|latest| latest.time <= time) {
            found.insert(*series, latest);
        }
    }
    let mut to = time;
    for span in LOOK_BACK {
        let missing: Vec<SeriesId> = series.iter().filter(|series| !found.contains_key(series)).copied().collect();
        if missing.is_empty() {
            break;
        }
        let (chosen, from) = (Chosen::new(&missing), time - span);
        let prune = Prune { series: Some(chosen.read.clone()), from: from.as_micros(), to: to.as_micros(), qualities: None };
        each_batch(session, store, &prune, |batch| {
            let (rows, keys) = (PointRows::new(batch), keys(batch));
            for row in 0..batch.num_rows() {
                let (series, at) = keys(row);
                if at > time || !chosen.places.contains_key(&series) {
                    continue;
                }
                let series = SeriesId(series.cast_unsigned());
                // Of two of one instant the worse one counts, which is the last where they are played: rows come by quality.
                if found.get(&series).is_none_or(|known: &Tqv| known.time <= at) {
                    found.insert(series, rows.tqv(row));
                }
            }
        })
        .await?;
        to = from;
    }
    Ok(found)
}

/// Reads the batches of a plan one after another, on the thread that asks.
async fn each_batch(
    session: &SessionContext,
    store: &Arc<Store>,
    prune: &Prune,
    mut take: impl FnMut(&RecordBatch),
) -> Result<(), QueryError> {
    let state = session.state();
    // The number of the record has chosen the row already where that was needed.
    let columns: Vec<usize> = (0..SEQ).collect();
    let plan = PointsTable::new(store.clone()).plan(&state, prune, Some(&columns))?;
    let plan = optimized(&state, plan)?;
    for partition in 0..plan.properties().output_partitioning().partition_count() {
        let mut batches = plan.execute(partition, session.task_ctx())?;
        while let Some(batch) = batches.next().await.transpose()? {
            take(&batch);
        }
    }
    Ok(())
}

/// Series and instant of each row.
fn keys(batch: &RecordBatch) -> impl Fn(usize) -> (i32, Timestamp) + '_ {
    let series = batch.column(SERIES).as_primitive::<Int32Type>().values();
    let micros = batch.column(TIME).as_primitive::<TimestampMicrosecondType>().values();
    let nanos = batch.column(NANOS).as_primitive::<Int16Type>().values();
    move |row| {
        let time = micros[row].saturating_mul(1_000).saturating_add(i64::from(nanos[row]));
        (series[row], Timestamp::from_nanos(time))
    }
}

impl Chosen {
    fn new(series: &[SeriesId]) -> Self {
        let places: HashMap<i32, u32> = series.iter().map(|series| series_code(*series)).zip(0..).collect();
        let mut read: BTreeSet<i32> = places.keys().copied().collect();
        if let (Some(low), Some(high)) = (read.first().copied(), read.last().copied()) {
            let all = high.abs_diff(low) as usize + 1;
            if all <= read.len().saturating_mul(DENSE) {
                read = (low..=high).collect();
            }
        }
        Self { read, places }
    }
}

/// What of a stretch was read so far.
struct Taken {
    window: Window,
    most: usize,
    /// Instant and place of the series of each row, and its number in `values`.
    keys: Vec<(Timestamp, u32, u32)>,
    values: Vec<Tqv>,
    series: HashMap<u32, SeriesId>,
}

impl Taken {
    fn new(window: Window, most: usize) -> Self {
        Self { window, most, keys: Vec::new(), values: Vec::new(), series: HashMap::new() }
    }

    fn len(&self) -> usize {
        self.keys.len()
    }

    fn add(&mut self, batch: &RecordBatch, chosen: &Chosen) {
        let (rows, key) = (PointRows::new(batch), keys(batch));
        // Rows come series by series.
        let mut known: Option<(i32, Option<u32>)> = None;
        for row in 0..batch.num_rows() {
            let (series, time) = key(row);
            let place = match known {
                Some((same, place)) if same == series => place,
                _ => {
                    let place = chosen.places.get(&series).copied();
                    known = Some((series, place));
                    if let Some(place) = place {
                        self.series.insert(place, SeriesId(series.cast_unsigned()));
                    }
                    place
                }
            };
            let Some(place) = place.filter(|_| self.window.contains(time)) else { continue };
            self.keys.push((time, place, u32::try_from(self.values.len()).unwrap_or(u32::MAX)));
            self.values.push(rows.tqv(row));
        }
        while self.len() > self.most && self.cut() {}
    }

    /// Ends the stretch in the middle of what it holds. Says whether it could: the values of one instant stay together.
    fn cut(&mut self) -> bool {
        let middle = self.keys.len() / 2;
        let mut times: Vec<Timestamp> = self.keys.iter().map(|(time, ..)| *time).collect();
        let (below, median, above) = times.select_nth_unstable(middle);
        let end = match (above.iter().any(|time| *time > *median), below.iter().any(|time| *time < *median)) {
            (true, _) => *median,
            (false, true) => Timestamp::from_nanos(median.as_nanos() - 1),
            (false, false) => return false,
        };
        self.window.end = end;
        let mut kept = Vec::with_capacity(middle + 1);
        self.keys.retain_mut(|(time, _, row)| {
            let stays = *time <= end;
            if stays {
                kept.push(std::mem::replace(&mut self.values[*row as usize], Tqv::good(*time, Value::Null)));
                *row = u32::try_from(kept.len() - 1).unwrap_or(u32::MAX);
            }
            stays
        });
        self.values = kept;
        true
    }

    fn finish(mut self) -> Stretch {
        self.keys.sort_unstable();
        let point = |(time, place, row): &(Timestamp, u32, u32)| {
            let tqv = std::mem::replace(&mut self.values[*row as usize], Tqv::good(*time, Value::Null));
            Point { series: self.series[place], tqv }
        };
        Stretch { points: self.keys.iter().map(point).collect(), to: self.window.end }
    }
}

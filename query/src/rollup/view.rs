//! One consistent view of roll-ups and points at one moment, and the totals it gives.

use super::{
    Resolution,
    resolution::DAY_MICROS,
    stale::Stale,
    tables::Rollups,
    total::{Key, Total, Totals},
};
use crate::{
    historian::store::{Snapshot, Store},
    table::{
        columns::{Chunk, SERIES, TIME},
        dedup::sort_unique,
        files::DataFile,
        points::{PointsTable, optimized, partitioned, read_parquet},
        prune::Prune,
    },
};
use arrow::{
    array::{AsArray, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::{Int32Type, TimestampMicrosecondType},
};
use datafusion::{
    datasource::physical_plan::FileGroup,
    error::Result,
    execution::{SendableRecordBatchStream, SessionState},
    physical_plan::{ExecutionPlan, execute_stream},
};
use futures::{StreamExt, future::BoxFuture};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
    sync::Arc,
};

/// Roll-ups and points at one moment.
#[derive(Clone)]
pub struct View {
    points: Arc<Snapshot>,
    pub(super) rollups: Arc<Rollups>,
    /// The buffered rows, latest writes only, sorted by series and time, by the UTC day of their windows' start.
    buffer: Arc<BTreeMap<i64, RecordBatch>>,
    /// By resolution.
    stale: Arc<[HashSet<(i32, i64)>; 4]>,
    /// Resolutions finer than this one hold the buffer already.
    counted: usize,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("View")
    }
}

impl View {
    /// What a question about windows needs, by their series and ends.
    ///
    /// # Errors
    /// When the buffer holds no points.
    pub fn of(store: &Store, prune: &Prune) -> Result<Self> {
        // A window needs the rows since its start, and the next finer ones those of all its parts.
        let rows = Prune { from: prune.from.saturating_sub(DAY_MICROS), ..prune.clone() };
        let (points, rollups, stale) = store.rolled(rows.from, prune.to.saturating_add(DAY_MICROS));
        let buffer = points.points.clone();
        Self::new(points, &buffer, rollups, &stale, &rows)
    }

    /// Points to count stale windows from, a buffer, and roll-ups of all that is not in the buffer, but for stale windows.
    ///
    /// # Errors
    /// When the buffer holds no points.
    pub fn new(points: Snapshot, buffer: &[Chunk], rollups: Arc<Rollups>, stale: &Stale, prune: &Prune) -> Result<Self> {
        let wanted: Result<Vec<RecordBatch>> = buffer.iter().filter_map(|chunk| prune.filter(chunk).transpose()).collect();
        let buffer = sort_unique(&wanted?, usize::MAX)?.pop().map_or_else(|| Ok(BTreeMap::new()), |rows| by_day(&rows))?;
        let mut stale = stale.clone();
        // What was forgotten cannot be counted again: late rows of such days are added.
        stale.keep_after(rollups.forgotten);
        let stale = Arc::new(Resolution::ALL.map(|resolution| stale.windows(resolution)));
        Ok(Self { points: Arc::new(points), rollups, buffer: Arc::new(buffer), stale, counted: 0 })
    }

    /// The same after the tables of all finer resolutions took the buffer.
    pub fn counted(&self, resolution: Resolution, rollups: Arc<Rollups>) -> Self {
        Self { rollups, counted: resolution as usize, ..self.clone() }
    }

    /// Whether roll-ups are there; without them everything is counted from the points.
    pub fn is_rolled(&self) -> bool {
        self.rollups.complete
    }

    pub(super) fn is_stale(&self, resolution: Resolution, series: i32, end: i64) -> bool {
        resolution as usize >= self.counted && self.stale[resolution as usize].contains(&(series, end))
    }

    pub(super) fn stale(&self, resolution: Resolution) -> &HashSet<(i32, i64)> {
        &self.stale[resolution as usize]
    }

    /// The days of the buffered rows.
    pub(super) fn buffer(&self) -> &BTreeMap<i64, RecordBatch> {
        &self.buffer
    }

    /// The partitions that can hold windows a question needs.
    pub fn partitions(&self, resolution: Resolution, prune: &Prune) -> BTreeSet<i64> {
        // By the end of the day: then its partition is the day's own.
        let of_day = |day: i64| resolution.partition_of((day + 1) * DAY_MICROS);
        let mut found: BTreeSet<i64> = self.buffer.keys().map(|day| of_day(*day)).collect();
        if self.rollups.complete {
            found.extend(self.rollups.of(resolution).iter().filter_map(day_of));
            found.extend(self.stale(resolution).iter().map(|(_, end)| resolution.partition_of(*end)));
        } else {
            // A row at midnight is part of the day before.
            let days = self.points.files.points.iter().filter_map(day_of);
            found.extend(days.flat_map(|day| [of_day(day - 1), of_day(day)]));
        }
        found.retain(|partition| {
            let (first, last) = resolution.ends_of(*partition);
            first <= prune.to && prune.from <= last
        });
        found
    }

    /// The totals of windows by their series and ends. Best asked partition by partition: all of them are in memory.
    pub fn totals<'a>(
        &'a self,
        state: &'a SessionState,
        resolution: Resolution,
        prune: &'a Prune,
    ) -> BoxFuture<'a, Result<Totals>> {
        Box::pin(async move {
            let mut totals = Totals::new(resolution);
            if !self.rollups.complete {
                self.count_points(state, resolution, prune, &mut totals, |_, _| true).await?;
                return Ok(totals);
            }
            self.add_stored(state, prune, &mut totals, resolution).await?;
            if (resolution as usize) < self.counted {
                return Ok(totals);
            }
            self.add_fresh(resolution, prune, &mut totals)?;
            self.add_again(state, resolution, prune, &mut totals).await?;
            Ok(totals)
        })
    }

    /// What the roll-up tables hold and still holds.
    pub(super) async fn add_stored(
        &self,
        state: &SessionState,
        prune: &Prune,
        totals: &mut Totals,
        resolution: Resolution,
    ) -> Result<()> {
        let files = self.rollups.of(resolution).iter();
        let files = files.filter(|file| prune.touches(file.from, file.to) && prune.touches_series(file.series));
        let (replacing, adding): (Vec<&DataFile>, Vec<&DataFile>) = files.partition(|file| !file.late.is_empty());
        let wanted = |series: i32, end: i64| is_wanted(prune, series, end) && !self.is_stale(resolution, series, end);
        let mut since: HashMap<(i32, i64), i64> = HashMap::new();
        let replacements = self.read(state, &replacing, prune)?.collect::<Vec<_>>().await;
        let replacements: Vec<RecordBatch> = replacements.into_iter().collect::<Result<_>>()?;
        for batch in &replacements {
            let rows = super::columns::StoredRows::new(batch)?;
            for row in 0..batch.num_rows() {
                let ((series, end, _), seq) = (rows.key(row), rows.seq(row));
                since.entry((series, end)).and_modify(|known| *known = seq.max(*known)).or_insert(seq);
            }
        }
        for batch in &replacements {
            totals.add_stored(batch, |series, end, seq| wanted(series, end) && since.get(&(series, end)) == Some(&seq))?;
        }
        let mut stream = self.read(state, &adding, prune)?;
        while let Some(batch) = stream.next().await {
            totals.add_stored(&batch?, |series, end, seq| {
                wanted(series, end) && since.get(&(series, end)).is_none_or(|since| *since < seq)
            })?;
        }
        Ok(())
    }

    fn read(&self, state: &SessionState, files: &[&DataFile], prune: &Prune) -> Result<SendableRecordBatchStream> {
        let group: FileGroup = files.iter().map(|file| partitioned(file)).collect();
        let groups = if files.is_empty() { Vec::new() } else { vec![group] };
        let schema = super::columns::schema();
        let plan = read_parquet(state, &self.rollups.root, schema, groups, Vec::new(), prune.condition())?;
        execute_stream(optimized(state, plan)?, state.task_ctx())
    }

    /// What the buffer adds: rows that are newer than all that is stored.
    pub(super) fn add_fresh(&self, resolution: Resolution, prune: &Prune, totals: &mut Totals) -> Result<()> {
        let first = prune.from.saturating_sub(resolution.micros()).div_euclid(DAY_MICROS).saturating_sub(1);
        let last = prune.to.div_euclid(DAY_MICROS);
        for (_, rows) in self.buffer.range(first..=last.max(first)) {
            for rows in of_series(rows, prune) {
                totals.add_points(&rows, |series, end| {
                    is_wanted(prune, series, end) && !self.is_stale(resolution, series, end)
                })?;
            }
        }
        Ok(())
    }

    /// Windows that must be counted again: minutes from the points, coarser ones from finer ones.
    pub(super) async fn add_again(
        &self,
        state: &SessionState,
        resolution: Resolution,
        prune: &Prune,
        totals: &mut Totals,
    ) -> Result<()> {
        // Part by part, so that a few late rows here and there do not make all in between be read.
        let part = match resolution {
            Resolution::Minute => Resolution::Hour.micros(),
            Resolution::Quarter => 6 * Resolution::Hour.micros(),
            Resolution::Hour | Resolution::Day => 8 * DAY_MICROS,
        };
        let stale = self.stale(resolution).iter().filter(|(series, end)| is_wanted(prune, *series, *end));
        let mut parts: BTreeMap<i64, Prune> = BTreeMap::new();
        for (series, end) in stale {
            let hull = parts.entry((end - 1).div_euclid(part)).or_insert_with(|| Prune {
                series: Some(BTreeSet::new()),
                from: *end,
                to: *end,
                ..Prune::default()
            });
            hull.series.get_or_insert_default().insert(*series);
            (hull.from, hull.to) = (hull.from.min(*end), hull.to.max(*end));
        }
        for hull in parts.values() {
            let wanted = |series: i32, end: i64| self.is_stale(resolution, series, end) && is_wanted(hull, series, end);
            match resolution.finer() {
                None => self.count_points(state, resolution, hull, totals, wanted).await?,
                Some(finer) => {
                    let from = hull.from - resolution.micros() + finer.micros();
                    let parts = Prune { from, ..hull.clone() };
                    let parts = self.totals(state, finer, &parts).await?;
                    for (key, total) in parts.iter().filter(|(key, _)| wanted(key.0, resolution.around(key.1))) {
                        totals.add_finer(*key, total);
                    }
                }
            }
        }
        Ok(())
    }

    /// Counts the points themselves.
    async fn count_points(
        &self,
        state: &SessionState,
        resolution: Resolution,
        prune: &Prune,
        totals: &mut Totals,
        wanted: impl Fn(i32, i64) -> bool + Send + Sync,
    ) -> Result<()> {
        let rows = Prune { from: prune.from.saturating_sub(resolution.micros()), ..prune.clone() };
        let plan = self.plan_points(state, &rows, &COUNTED)?;
        let mut stream = execute_stream(optimized(state, plan)?, state.task_ctx())?;
        while let Some(batch) = stream.next().await {
            totals.add_points(&batch?, |series, end| is_wanted(prune, series, end) && wanted(series, end))?;
        }
        Ok(())
    }

    /// A scan of the points themselves.
    ///
    /// # Errors
    /// When the plan cannot be made.
    pub fn plan_points(&self, state: &SessionState, prune: &Prune, columns: &[&str]) -> Result<Arc<dyn ExecutionPlan>> {
        let known = crate::table::columns::schema();
        let columns: Vec<usize> = columns.iter().map(|name| known.index_of(name)).collect::<Result<_, _>>()?;
        PointsTable::plan_of(state, &self.points, prune, Some(&columns))
    }
}

/// Whether a question wants a window.
pub fn is_wanted(prune: &Prune, series: i32, end: i64) -> bool {
    prune.from <= end && end <= prune.to && prune.series.as_ref().is_none_or(|wanted| wanted.contains(&series))
}

/// The columns of points that totals are made of.
pub const COUNTED: [&str; 7] = ["series", "time", "nanos", "double", "integer", "boolean", "quality"];

/// The adds of a total with the log record up to which it counts.
pub fn stamped(totals: Totals, seq: i64) -> Vec<(Key, Total)> {
    let mut sorted = totals.sorted();
    sorted.iter_mut().for_each(|(_, total)| total.seq = seq);
    sorted
}

/// The day of a file's partition.
pub fn day_of(file: &DataFile) -> Option<i64> {
    day_named(file.day())
}

/// The day of a partition's name.
pub fn day_named(name: &str) -> Option<i64> {
    let day: andon_models::Timestamp = format!("{name}T00:00:00Z").parse().ok()?;
    Some(day.as_micros().div_euclid(DAY_MICROS))
}

/// Sorted rows by the UTC day in which their minute starts.
fn by_day(rows: &RecordBatch) -> Result<BTreeMap<i64, RecordBatch>> {
    let time = rows.column(TIME).as_primitive::<TimestampMicrosecondType>().values();
    let nanos = rows.column(crate::table::columns::NANOS).as_primitive::<arrow::datatypes::Int16Type>().values();
    let day = |row: usize| {
        let before = if nanos[row] == 0 { time[row].saturating_sub(1) } else { time[row] };
        before.div_euclid(DAY_MICROS)
    };
    let days: Vec<i64> = (0..rows.num_rows()).map(day).collect();
    let mut found: BTreeMap<i64, RecordBatch> = BTreeMap::new();
    for day in days.iter().copied().collect::<BTreeSet<i64>>() {
        let of_day: BooleanArray = days.iter().map(|other| Some(*other == day)).collect();
        found.insert(day, filter_record_batch(rows, &of_day)?);
    }
    Ok(found)
}

/// The parts of sorted rows that hold the wanted series; all of them when most are wanted.
fn of_series(rows: &RecordBatch, prune: &Prune) -> Vec<RecordBatch> {
    /// More parts cost more than looking at rows in between.
    const MAX_PARTS: usize = 1_000;
    let Some(series) = prune.series.as_ref().filter(|series| series.len() <= MAX_PARTS) else { return vec![rows.clone()] };
    let column = rows.column(SERIES).as_primitive::<Int32Type>().values();
    let part = |series: &i32| {
        let start = column.partition_point(|other| other < series);
        let length = column[start..].partition_point(|other| other <= series);
        (length > 0).then(|| rows.slice(start, length))
    };
    series.iter().filter_map(part).collect()
}

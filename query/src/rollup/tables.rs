//! The roll-up tables: one Delta table per resolution, each with the last log record that it counts.

use super::{
    Resolution,
    resolution::DAY_MICROS,
    stale::Stale,
    view::{day_named, day_of},
};
use crate::{
    QueryError,
    directory::Directory,
    historian::{delta::Table, inspect::accepted_of, place::Place, trash::Trash},
    table::{
        columns,
        files::{DataFile, Files},
        points::{optimized, partitioned, read_parquet},
    },
};
use arrow::{
    array::{AsArray, BooleanArray},
    compute::filter_record_batch,
    datatypes::{Int32Type, Int64Type},
};
use datafusion::{
    execution::{SessionState, object_store::ObjectStoreUrl},
    physical_plan::execute_stream,
    prelude::{col, lit},
};
use futures::{StreamExt, future::try_join_all};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// What queries know of the roll-up tables.
#[derive(Clone, Debug)]
pub struct Rollups {
    /// The store they are in.
    pub root: ObjectStoreUrl,
    pub(super) files: [Vec<DataFile>; 4],
    /// Whether they count all that is in files, but for the gap. If not, they are being made from an older history.
    pub complete: bool,
    /// Windows of rows that are in files of points but not counted: a crash came between the two.
    pub gap: Stale,
    /// Whether points may be forgotten while their roll-ups stay.
    pub outlive: bool,
    /// The last day of which a file of points is lost, and the loss accepted.
    pub lost: Option<i64>,
    /// The points of windows that end up to here, in microseconds, are forgotten.
    pub forgotten: i64,
    /// The points after this instant, in microseconds, are all there.
    pub whole_from: i64,
}

impl Default for Rollups {
    fn default() -> Self {
        let files = std::array::from_fn(|_| Vec::new());
        Self {
            root: ObjectStoreUrl::local_filesystem(),
            files,
            complete: false,
            gap: Stale::default(),
            outlive: false,
            lost: None,
            forgotten: i64::MIN,
            whole_from: i64::MIN,
        }
    }
}

impl Rollups {
    /// Compares days: of which ones only roll-ups are left?
    #[must_use]
    pub fn beside(mut self, points: &Files) -> Self {
        let days: BTreeSet<i64> = points.points.iter().filter_map(day_of).collect();
        // A row at midnight is in the points' next day.
        let rolled = self
            .of(Resolution::Minute)
            .iter()
            .filter_map(|file| day_of(file).filter(|day| file.from.as_micros() < (day + 1) * DAY_MICROS));
        let forgotten = rolled.filter(|day| !days.contains(day)).max();
        // Files of one day are not forgotten all at once.
        let partly = match forgotten {
            Some(day) => days.range(day + 1..).next().copied().or(Some(day)),
            None => days.first().copied().filter(|_| self.outlive),
        };
        // What cannot be read must be missed, not answered from elsewhere.
        let damaged = points.points.iter().filter(|file| file.damage.is_some()).filter_map(day_of).max();
        let partly = partly.max(damaged).max(self.lost);
        let end = |day: Option<i64>| day.map_or(i64::MIN, |day| (day + 1) * DAY_MICROS);
        (self.forgotten, self.whole_from) = (end(forgotten), end(partly));
        self
    }

    /// The files of a resolution.
    pub fn of(&self, resolution: Resolution) -> &[DataFile] {
        &self.files[resolution as usize]
    }
}

/// The open tables.
pub struct Tables {
    pub(super) tables: Vec<Table>,
    pub(super) complete: bool,
    pub(super) gap: Stale,
    outlive: bool,
    lost: Option<i64>,
    /// Their files that were replaced.
    pub(super) trash: Vec<Trash>,
    /// Older days without a row, as far as that is known.
    pub(super) empty: BTreeSet<i64>,
}

impl Tables {
    /// Opens the tables of a history; makes them when they are not there.
    ///
    /// # Errors
    /// When they cannot be read or made.
    pub async fn open_or_create(history: &Place, keep_removed: Duration) -> Result<Self, QueryError> {
        let mut tables = Vec::new();
        for resolution in Resolution::ALL {
            tables.push(Table::open_or_create(history.join(&folder(resolution))?, &super::columns::delta()).await?);
        }
        Ok(Self::new(tables, keep_removed, lost_day(history)))
    }

    /// Opens the tables of a history, to read them. A reader opens them before the points: then no row is counted twice.
    ///
    /// # Errors
    /// When they are not there or cannot be read.
    pub async fn open(history: &Place) -> Result<Self, QueryError> {
        let opened = Resolution::ALL.map(async |resolution| Table::open(history.join(&folder(resolution))?).await);
        Ok(Self::new(try_join_all(opened).await?, Duration::ZERO, lost_day(history)))
    }

    fn new(tables: Vec<Table>, keep_removed: Duration, lost: Option<i64>) -> Self {
        let trash = tables.iter().map(|_| Trash::new(keep_removed)).collect();
        Self { tables, complete: false, gap: Stale::default(), outlive: true, lost, trash, empty: BTreeSet::new() }
    }

    /// Says whether points may be forgotten while roll-ups stay. Who only reads cannot know, and expects it.
    pub fn outlive(&mut self, outlive: bool) {
        self.outlive = outlive;
    }

    /// Looks for files of broken writes.
    pub async fn find_strays(&mut self) {
        for (table, trash) in self.tables.iter().zip(&mut self.trash) {
            if let Err(error) = trash.find(table).await {
                tracing::warn!(%error, "a folder of roll-ups could not be listed; files of broken writes stay there");
            }
        }
    }

    /// Merges small files and deletes those that nobody reads any more. What fails is tried again after the next flush.
    pub async fn tidy(&mut self, state: &SessionState, directory: &Directory) {
        if let Err(error) = self.compact(state, directory).await {
            tracing::warn!(%error, "small files of roll-ups could not be merged; it is tried again after the next flush");
        }
        for (table, trash) in self.tables.iter().zip(&mut self.trash) {
            if let Err(error) = trash.empty(table).await {
                tracing::warn!(%error, "a file of roll-ups that is not needed any more could not be deleted; it is tried again");
            }
        }
    }

    /// Compares them with the points: what a crash kept from being counted will be counted at the next flush, and until then by
    /// every query.
    ///
    /// # Errors
    /// When points cannot be read.
    pub async fn compare(&mut self, state: &SessionState, points: &Files, record: Option<u64>) -> Result<(), QueryError> {
        let counted = self.tables.iter().map(Table::record).min().flatten();
        self.complete = counted.is_some() || record.is_none();
        self.gap = match (counted, record) {
            (Some(counted), Some(record)) if counted < record => gap(state, points, counted).await?,
            _ => Stale::default(),
        };
        Ok(())
    }

    /// What queries need to know.
    pub fn files(&self) -> Rollups {
        Rollups {
            root: self.tables[0].place().root().clone(),
            files: Resolution::ALL.map(|resolution| self.tables[resolution as usize].files().to_vec()),
            complete: self.complete,
            gap: self.gap.clone(),
            outlive: self.outlive,
            lost: self.lost,
            ..Rollups::default()
        }
    }

    pub(super) fn table(&mut self, resolution: Resolution) -> &mut Table {
        &mut self.tables[resolution as usize]
    }
}

fn folder(resolution: Resolution) -> String {
    format!("rollup_{}", resolution.name())
}

/// The last day of a file of points whose loss was accepted.
fn lost_day(history: &Place) -> Option<i64> {
    // Whoever opened the points has said so when it cannot be read.
    let accepted = accepted_of(history.folder()?).ok()?;
    accepted.iter().filter_map(|name| day_named(name.strip_prefix("samples/day=")?.get(..10)?)).max()
}

/// The windows of rows that came after a log record.
pub(super) async fn gap(state: &SessionState, points: &Files, counted: u64) -> Result<Stale, QueryError> {
    let newer: Vec<&DataFile> =
        points.points.iter().filter(|file| record_of(file).is_none_or(|record| record > counted)).collect();
    let mut stale = Stale::default();
    if newer.is_empty() {
        return Ok(stale);
    }
    let group = newer.iter().map(|file| partitioned(file)).collect();
    let counted = i64::try_from(counted).unwrap_or(i64::MAX);
    let condition = Some(col("seq").gt(lit(counted)));
    let plan = read_parquet(state, &points.root, columns::schema(), vec![group], Vec::new(), condition)?;
    let mut rows = execute_stream(optimized(state, plan)?, state.task_ctx())?;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let seq = batch.column(columns::SEQ).as_primitive::<Int64Type>().values();
        let newer: BooleanArray = seq.iter().map(|seq| Some(*seq > counted)).collect();
        stale.insert_rows(&filter_record_batch(&batch, &newer)?);
    }
    Ok(stale)
}

/// The series in some files.
pub(super) async fn series_of(state: &SessionState, root: &ObjectStoreUrl, files: &[DataFile]) -> Result<Vec<i32>, QueryError> {
    let schema = Arc::new(columns::schema().project(&[columns::SERIES])?);
    let mut found = BTreeSet::new();
    if !files.is_empty() {
        let group = files.iter().map(partitioned).collect();
        let plan = read_parquet(state, root, schema, vec![group], Vec::new(), None)?;
        let mut rows = execute_stream(plan, state.task_ctx())?;
        while let Some(batch) = rows.next().await {
            found.extend(batch?.column(0).as_primitive::<Int32Type>().values());
        }
    }
    Ok(found.into_iter().collect())
}

/// The highest log record in a file, which its name says.
pub(super) fn record_of(file: &DataFile) -> Option<u64> {
    file.relative.rsplit('/').next()?.split('-').next()?.parse().ok()
}

/// The name of a partition.
pub(super) fn day_name(day: i64) -> Arc<str> {
    andon_models::Timestamp::from_micros(day * DAY_MICROS).to_string()[..10].into()
}

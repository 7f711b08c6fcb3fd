//! Compaction: many small or overlapping files of a day become few large ones, superseded rows are dropped.
//!
//! What to merge is decided by size alone: a merge never rewrites a file that is much larger than the rest of it, so each row is
//! rewritten a few times however long the plant runs. Files that may repeat each other are merged sooner, because every query of
//! their hours has to tell their rows apart. A merge reads sorted streams and writes one: its memory does not depend on its size.

use super::{
    delta::Table,
    parquet::{self, Names, PointsFile, Purpose, Written, late_mask},
    place::{Draft, Place, blocking},
    store::hours,
};
use crate::{
    QueryError,
    directory::Directory,
    table::{
        columns,
        dedup::{DedupExec, ordering},
        event_columns,
        files::DataFile,
        points::{partitioned, read_parquet},
    },
};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{
    execution::{memory_pool::GreedyMemoryPool, runtime_env::RuntimeEnvBuilder},
    physical_expr::LexOrdering,
    physical_plan::{ExecutionPlan, execute_stream, sorts::sort_preserving_merge::SortPreservingMergeExec, union::UnionExec},
    prelude::{SessionConfig, SessionContext},
};
use futures::StreamExt;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinHandle};

/// So many files of a day that is still being written make a merge worth while.
const MANY: usize = 8;
/// A file takes part in a merge only if it is at most so many times as large as all smaller ones together.
const BALANCE: u64 = 4;
/// Files are not grown beyond this: about 250 MB. A merge of more rows makes several files, each with its own range of series.
const MAX_FILE_ROWS: u64 = 64_000_000;
/// Files that repeat each other are merged at once if at most so many rows have to be rewritten for each that came late.
const LATE_BALANCE: u64 = 16;
/// For each second without late data so many rows more may be rewritten, however few came late: small days are tidy soon.
const SETTLED_ROWS_PER_SECOND: u64 = 50_000;
/// Files of one merge at most: each is an open stream with its buffers.
const MAX_INPUTS: usize = 64;
/// Batches that wait for the writer: reading and writing go on side by side.
const MAX_WAITING: usize = 4;

/// Files of one day that become fewer.
#[derive(Debug)]
pub struct Merge {
    /// The files, of one UTC day.
    pub inputs: Vec<DataFile>,
    /// Hours in which the result may still repeat files that do not take part.
    late: BTreeSet<i64>,
}

/// How eager a merge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eagerness {
    /// When it pays.
    Economic {
        /// How long ago late rows were last written.
        quiet: Duration,
    },
    /// Whenever it makes a day's files fewer, or their rows unique.
    Full,
}

/// Chooses what to merge next; none when nothing is worth it.
pub fn choose(files: &[DataFile], eagerness: Eagerness) -> Option<Merge> {
    let mut days: BTreeMap<&str, Vec<&DataFile>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.damage.is_none()) {
        days.entry(file.day()).or_default().push(file);
    }
    let newest = days.last_key_value().map(|(day, _)| *day);
    let mut late_first = days.values().filter_map(|files| repeating(files, eagerness));
    if let Some(inputs) = late_first.next() {
        return Some(merge(&inputs, files));
    }
    let mut by_size = days.iter().filter_map(|(day, files)| {
        let least = if eagerness != Eagerness::Full && newest == Some(*day) { MANY } else { 2 };
        balanced(files, least, eagerness)
    });
    by_size.next().map(|inputs| merge(&inputs, files))
}

fn merge(inputs: &[&DataFile], all: &[DataFile]) -> Merge {
    let taken: BTreeSet<&str> = inputs.iter().map(|file| file.relative.as_ref()).collect();
    let day = inputs.first().map_or("", |file| file.day());
    let others: Vec<&DataFile> =
        all.iter().filter(|file| file.day() == day && !taken.contains(file.relative.as_ref())).collect();
    let late = inputs.iter().flat_map(|file| file.late.iter().copied());
    let late = late.filter(|hour| others.iter().any(|file| hours(file.from, file.to).contains(hour))).collect();
    Merge { inputs: inputs.iter().map(|file| (*file).clone()).collect(), late }
}

/// The files of a day that may repeat each other, if they are to be merged.
fn repeating<'a>(files: &[&'a DataFile], eagerness: Eagerness) -> Option<Vec<&'a DataFile>> {
    let late: BTreeSet<i64> = files.iter().flat_map(|file| file.late.iter().copied()).collect();
    let mut touched: Vec<&DataFile> = files.iter().copied().filter(|file| touches(file, &late)).collect();
    let came_late: u64 = touched.iter().filter(|file| !file.late.is_empty()).map(|file| file.rows).sum();
    let rows: u64 = touched.iter().map(|file| file.rows).sum();
    let worth_it = match eagerness {
        Eagerness::Economic { quiet } => rows <= came_late * LATE_BALANCE + quiet.as_secs() * SETTLED_ROWS_PER_SECOND,
        Eagerness::Full => true,
    };
    if touched.len() > MAX_INPUTS {
        // Newer files repeat older ones: merging the oldest first leaves fewer to tell apart.
        touched.sort_by_key(|file| file.relative.clone());
        touched.truncate(MAX_INPUTS);
    }
    (touched.len() > 1 && worth_it).then_some(touched)
}

fn touches(file: &DataFile, late: &BTreeSet<i64>) -> bool {
    file.from <= file.to && late.range(hours(file.from, file.to)).next().is_some()
}

/// The largest set of small files in which none is out of proportion.
fn balanced<'a>(files: &[&'a DataFile], least: usize, eagerness: Eagerness) -> Option<Vec<&'a DataFile>> {
    let full = |file: &DataFile| file.rows >= MAX_FILE_ROWS / 2;
    let mut small: Vec<&DataFile> = files.iter().copied().filter(|file| !full(file)).collect();
    small.sort_by_key(|file| (file.rows, file.relative.clone()));
    let (mut count, mut rows) = (0, 0_u64);
    let (mut smaller, mut total) = (0_u64, 0_u64);
    for (index, file) in small.iter().enumerate() {
        total += file.rows;
        if total > MAX_FILE_ROWS || index >= MAX_INPUTS {
            break;
        }
        if eagerness == Eagerness::Full || index == 0 || file.rows <= smaller * BALANCE {
            (count, rows) = (index + 1, total);
        }
        smaller = total;
    }
    small.truncate(count);
    (count >= least && rows > 0).then_some(small)
}

/// Runs a merge of points within so many bytes of memory. The files are written, not yet published.
///
/// # Errors
/// When files cannot be read or written, or the result is not what went in.
pub async fn points(
    place: Place,
    merge: &Merge,
    directory: Arc<Directory>,
    memory: usize,
) -> Result<Vec<(Draft, Written)>, QueryError> {
    let rows = merged(&place, &merge.inputs, Shape { schema: columns::schema(), order: ordering(), unique: true }, memory)?;
    let (day, record, late) = (day(merge), record(merge), late_mask(merge.late.iter().copied()));
    let written = write(rows, move |mut batches| {
        let names = Names::new(&directory);
        let mut done = Vec::new();
        let mut open: Option<PointsFile<'_>> = None;
        let mut rows = 0;
        while let Some(batch) = batches.blocking_recv() {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            let mut file = match open.take() {
                Some(file) => file,
                None => PointsFile::begin(&place, &names, &day, record, late, Purpose::Merge)?,
            };
            file.write(&batch)?;
            if rows >= MAX_FILE_ROWS {
                done.push(file.finish()?);
                rows = 0;
            } else {
                open = Some(file);
            }
        }
        if let Some(file) = open {
            done.push(file.finish()?);
        }
        Ok(done)
    })
    .await?;
    check(merge, &written)?;
    Ok(written)
}

/// Runs a merge of events.
///
/// # Errors
/// As for points.
pub async fn events(place: Place, merge: &Merge, memory: usize) -> Result<Vec<(Draft, Written)>, QueryError> {
    let shape = Shape { schema: event_columns::schema(), order: event_columns::ordering(), unique: false };
    let rows = merged(&place, &merge.inputs, shape, memory)?;
    let (day, record) = (day(merge), record(merge));
    let written = write(rows, move |mut batches| {
        let mut file = parquet::EventsFile::begin(&place, &day, record)?;
        while let Some(batch) = batches.blocking_recv() {
            file.write(&batch?)?;
        }
        Ok(vec![file.finish()?])
    })
    .await?;
    check(merge, &written)?;
    Ok(written)
}

/// Nothing may get lost, or be made up: without repeated rows as many come out as went in.
fn check(merge: &Merge, written: &[(Draft, Written)]) -> Result<(), QueryError> {
    let before: u64 = merge.inputs.iter().map(|file| file.rows).sum();
    let after: u64 = written.iter().map(|(_, written)| written.file.rows).sum();
    let unique = merge.inputs.iter().all(|file| file.late.is_empty());
    if after > before || (unique && after != before) || (after == 0 && before > 0) {
        let day = day(merge);
        return Err(QueryError::Internal(format!(
            "a merge of {day} made {after} rows of {before}; its files stay as they are"
        )));
    }
    Ok(())
}

fn day(merge: &Merge) -> String {
    merge.inputs.first().map_or("", |file| file.day()).to_owned()
}

/// The newest log record in any of the files stands first in their names.
fn record(merge: &Merge) -> u64 {
    let record = |file: &DataFile| file.relative.rsplit('/').next()?.split('-').next()?.parse().ok();
    merge.inputs.iter().filter_map(record).max().unwrap_or(0)
}

type Batches = mpsc::Receiver<Result<RecordBatch, QueryError>>;

/// What the rows of a table are like.
struct Shape {
    schema: SchemaRef,
    order: LexOrdering,
    /// Whether of rows with the same key only the newest counts.
    unique: bool,
}

/// A stream of rows, and the task that reads them.
struct Rows {
    batches: Batches,
    reading: JoinHandle<()>,
}

/// Reads sorted files as one sorted stream.
fn merged(place: &Place, inputs: &[DataFile], rows: Shape, memory: usize) -> Result<Rows, QueryError> {
    let Shape { schema, order, unique } = rows;
    let session = session(place, memory)?;
    let state = session.state();
    let scan = |file: &DataFile| {
        let group = vec![[partitioned(file)].into_iter().collect()];
        read_parquet(&state, place.root(), schema.clone(), group, vec![order.clone()], None)
    };
    let scans: Result<Vec<_>, _> = inputs.iter().map(scan).collect();
    let union = UnionExec::try_new(scans?)?;
    let mut plan: Arc<dyn ExecutionPlan> =
        Arc::new(SortPreservingMergeExec::new(order, union).with_round_robin_repartition(false));
    if unique {
        plan = Arc::new(DedupExec::new(plan));
    }
    let mut rows = execute_stream(plan, session.task_ctx())?;
    let (batches, received) = mpsc::channel(MAX_WAITING);
    let reading = tokio::spawn(async move {
        while let Some(batch) = rows.next().await {
            // The writer has failed; it says why.
            if batches.send(batch.map_err(QueryError::from)).await.is_err() {
                return;
            }
        }
    });
    Ok(Rows { batches: received, reading })
}

async fn write(
    rows: Rows,
    work: impl FnOnce(Batches) -> Result<Vec<(Draft, Written)>, QueryError> + Send + 'static,
) -> Result<Vec<(Draft, Written)>, QueryError> {
    let written = blocking(move || work(rows.batches)).await?;
    // Had it ended before all was read, what was written would be only the beginning.
    rows.reading.await.map_err(|error| QueryError::Internal(error.to_string()))?;
    Ok(written)
}

fn session(place: &Place, memory: usize) -> Result<SessionContext, QueryError> {
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(memory))).build_arc()?;
    runtime.register_object_store(place.root().as_ref(), place.store().clone());
    Ok(SessionContext::new_with_config_rt(SessionConfig::new().with_target_partitions(1), runtime))
}

/// Puts the files of a merge in the place of its inputs, unless those are gone meanwhile.
///
/// # Errors
/// When the files cannot be made durable or committed.
pub async fn commit(table: &mut Table, merge: &Merge, written: Vec<(Draft, Written)>) -> Result<bool, QueryError> {
    let active: BTreeSet<&str> = table.files().iter().map(|file| file.relative.as_ref()).collect();
    if !merge.inputs.iter().all(|file| active.contains(file.relative.as_ref())) {
        return Ok(false);
    }
    let written = parquet::publish(table.place(), written).await?;
    table.replace(&merge.inputs, written).await?;
    Ok(true)
}

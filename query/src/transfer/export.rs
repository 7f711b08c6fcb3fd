//! Points on their way out: as a stream of record batches, never all at once.
//!
//! Days follow one another, and within a day rows are sorted by series and time wherever the files of the day are few enough to be
//! merged without memory.

use crate::{
    QueryError,
    directory::Directory,
    historian::store::{Snapshot, Store},
    table::{
        columns::{NANOS, SERIES, TIME, series_code},
        dedup::ordering,
        named::{self, NamedTable},
        points::PointsTable,
    },
};
use andon_models::Timestamp;
use arrow::{
    array::{Array, AsArray, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::{Int16Type, Int32Type, SchemaRef, TimestampMicrosecondType},
};
use datafusion::{
    error::{DataFusionError, Result},
    execution::SendableRecordBatchStream,
    logical_expr::SortExpr,
    physical_plan::{ExecutionPlan, execute_stream, sorts::sort::SortExec, stream::RecordBatchStreamAdapter},
    prelude::{SessionContext, col, lit},
    scalar::ScalarValue,
};
use futures::{StreamExt, TryStreamExt};
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

const DAY_MICROS: i64 = 86_400_000_000;

/// Files whose statistics say less than a span of so many days are not looked at day by day.
const MAX_FILE_DAYS: i64 = 3;

/// The columns of an export. Another Andon imports them, and any tool understands them.
const COLUMNS: [&str; 10] =
    ["time", "asset", "property", "double", "integer", "boolean", "string", "quality", "status", "unit"];

/// Which points are wanted; none of all these means all.
#[derive(Clone, Debug, Default)]
pub struct ExportFilter {
    /// Path of the asset; `*` stands for any text, `?` for one letter.
    pub asset: Option<String>,
    /// Key of the property, with the same signs.
    pub property: Option<String>,
    /// From this instant on.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub to: Option<Timestamp>,
}

/// Streams the points that pass a filter.
///
/// # Errors
/// When nothing can pass it, or history cannot be read.
pub fn stream(
    session: &SessionContext,
    store: &Arc<Store>,
    directory: &Arc<Directory>,
    filter: &ExportFilter,
) -> Result<SendableRecordBatchStream, QueryError> {
    let series = selected(directory, filter)?;
    let names = Arc::new(NamedTable::new(store.clone(), directory.clone()));
    let all = named::schema();
    let places: Vec<usize> = COLUMNS.iter().map(|name| all.index_of(name)).collect::<Result<_, _>>()?;
    let schema: SchemaRef = Arc::new(all.project(&places)?);
    let alias = (all.index_of("asset")?, all.index_of("property")?, all.index_of("alias")?);
    let wanted = Arc::new(Wanted::new(series, filter));
    let days = days(&store.snapshot(), &wanted);
    let (session, store) = (session.clone(), store.clone());
    let batches = futures::stream::iter(days)
        .then({
            let wanted = wanted.clone();
            move |day| day_stream(session.clone(), store.clone(), day, wanted.clone())
        })
        .try_flatten()
        .map(move |batch| {
            with_aliases(&names.name(&wanted.filter(&batch?)?)?, alias)?.project(&places).map_err(DataFusionError::from)
        })
        .try_filter(|batch| futures::future::ready(batch.num_rows() > 0));
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, Box::pin(batches))))
}

/// Rows of data streams have no asset: `property` says their whole name, so that an import finds them again.
fn with_aliases(named: &RecordBatch, (asset, property, alias): (usize, usize, usize)) -> Result<RecordBatch> {
    let assets = named.column(asset);
    if assets.logical_null_count() == 0 {
        return Ok(named.clone());
    }
    let is_stream = BooleanArray::from_iter((0..named.num_rows()).map(|row| {
        let assets = assets.as_dictionary::<Int32Type>();
        Some(assets.key(row).is_none_or(|key| assets.values().is_null(key)))
    }));
    let mut columns = named.columns().to_vec();
    columns[property] = arrow::compute::kernels::zip::zip(&is_stream, named.column(alias), named.column(property))?;
    Ok(RecordBatch::try_new(named.schema(), columns)?)
}

/// The series whose names pass; none means all.
fn selected(directory: &Directory, filter: &ExportFilter) -> Result<Option<HashSet<i32>>, QueryError> {
    if filter.asset.is_none() && filter.property.is_none() {
        return Ok(None);
    }
    let passes = |pattern: &Option<String>, name: &str| pattern.as_ref().is_none_or(|pattern| matches(pattern, name));
    let rows = directory.series.iter();
    let chosen = rows.filter(|(_, row)| passes(&filter.asset, &row.asset) && passes(&filter.property, &row.property));
    let mut chosen: HashSet<i32> = chosen.map(|(series, _)| series.cast_signed()).collect();
    // Data streams have no asset: their whole name, or the last part of it, is the property.
    if filter.asset.is_none() {
        let streams = directory.streams.look();
        let meant = streams
            .range(0..usize::MAX)
            .filter(|stream| passes(&filter.property, stream.alias) || passes(&filter.property, stream.property()));
        chosen.extend(meant.map(|stream| series_code(stream.series)));
    }
    if chosen.is_empty() {
        let shown = |pattern: &Option<String>| pattern.clone().unwrap_or_else(|| "*".into());
        return Err(QueryError::Statement(format!(
            "no property `{}` of an asset `{}` is known; `*` stands for any text, as in 'Line 2/*'",
            shown(&filter.property),
            shown(&filter.asset)
        )));
    }
    Ok(Some(chosen))
}

/// Whether a name matches a pattern in which `*` stands for any text and `?` for one letter.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut star, mut place) = (0, None, 0);
    while place < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(letter) if *letter == '?' || *letter == name[place] => {
                at += 1;
                place += 1;
            }
            _ => match star {
                // The last star takes one letter more.
                Some((back, taken)) => {
                    star = Some((back, taken + 1));
                    at = back + 1;
                    place = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

/// What passes the filter, as stored.
struct Wanted {
    series: Option<HashSet<i32>>,
    /// Nanoseconds.
    from: i64,
    /// Nanoseconds, not included.
    to: i64,
}

impl Wanted {
    fn new(series: Option<HashSet<i32>>, filter: &ExportFilter) -> Self {
        let (from, to) = (filter.from.unwrap_or(Timestamp::MIN), filter.to.unwrap_or(Timestamp::MAX));
        Self { series, from: from.as_nanos(), to: to.as_nanos() }
    }

    /// The rows that pass.
    fn filter(&self, points: &RecordBatch) -> Result<RecordBatch> {
        if self.series.is_none() && self.from == i64::MIN && self.to == i64::MAX {
            return Ok(points.clone());
        }
        let series = points.column(SERIES).as_primitive::<Int32Type>().values();
        let micros = points.column(TIME).as_primitive::<TimestampMicrosecondType>().values();
        let nanos = points.column(NANOS).as_primitive::<Int16Type>().values();
        let passes = |row: usize| {
            let time = micros[row].saturating_mul(1_000).saturating_add(i64::from(nanos[row]));
            let known = self.series.as_ref().is_none_or(|chosen| chosen.contains(&series[row]));
            Some(known && time >= self.from && (time < self.to || self.to == i64::MAX))
        };
        let passed: BooleanArray = (0..points.num_rows()).map(passes).collect();
        Ok(filter_record_batch(points, &passed)?)
    }

    /// The lowest and the highest series.
    fn range(&self) -> Option<(i32, i32)> {
        let series = self.series.as_ref()?;
        Some((*series.iter().min()?, *series.iter().max()?))
    }
}

/// The stretches to look at, in microseconds, both ends included: days in which something is, or everything at once when files do
/// not say when they are.
fn days(snapshot: &Snapshot, wanted: &Wanted) -> Vec<(i64, i64)> {
    let (from, to) = (wanted.from.div_euclid(1_000), wanted.to.div_euclid(1_000));
    let mut days: BTreeSet<i64> = BTreeSet::new();
    for file in &snapshot.files.points {
        let (first, last) = (file.from.as_micros().div_euclid(DAY_MICROS), file.to.as_micros().div_euclid(DAY_MICROS));
        if last - first > MAX_FILE_DAYS {
            return vec![(from, to)];
        }
        days.extend(first..=last);
    }
    for chunk in &snapshot.points {
        let times = chunk.rows.column(TIME).as_primitive::<TimestampMicrosecondType>().values();
        days.extend(times.iter().map(|time| time.div_euclid(DAY_MICROS)));
    }
    let stretch = |day: i64| ((day * DAY_MICROS).max(from), (day * DAY_MICROS + DAY_MICROS - 1).min(to));
    days.into_iter().map(stretch).filter(|(from, to)| from <= to).collect()
}

async fn day_stream(
    session: SessionContext,
    store: Arc<Store>,
    (from, to): (i64, i64),
    wanted: Arc<Wanted>,
) -> Result<SendableRecordBatchStream> {
    let time = |micros: i64| lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())));
    let mut condition = col("time").between(time(from), time(to));
    if let Some((low, high)) = wanted.range() {
        condition = condition.and(col("series").between(lit(low), lit(high)));
    }
    let points = session.read_table(Arc::new(PointsTable::new(store)))?.filter(condition)?;
    let sorted = points.clone().sort(sorting())?.create_physical_plan().await?;
    // Sorting a day in memory could take more than there is; then its rows come as they lie.
    let plan = if sorts(&sorted) { points.create_physical_plan().await? } else { sorted };
    execute_stream(plan, session.task_ctx())
}

fn sorting() -> Vec<SortExpr> {
    let names = ["series", "time", "nanos", "quality", "seq"];
    let options = ordering().into_iter().map(|by| by.options);
    names.into_iter().zip(options).map(|(name, options)| col(name).sort(!options.descending, options.nulls_first)).collect()
}

fn sorts(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.downcast_ref::<SortExec>().is_some() || plan.children().into_iter().any(sorts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names() {
        for (pattern, name, expected) in [
            ("Line 2/*", "Line 2/Filler 2", true),
            ("Line 2/*", "Line 1/Filler 2", false),
            ("*temp", "fill_temp", true),
            ("*e*p", "fill_temp", true),
            ("fill_?emp", "fill_temp", true),
            ("fill", "fill_temp", false),
            ("*", "", true),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}

//! Parquet files, one per UTC day and flush: sorted by series and time, small row groups, page index, zstd.

use super::store::{Sealed, Stored};
use crate::{
    QueryError,
    directory::Directory,
    table::{
        columns::{SERIES, TIME},
        dedup::sort_unique,
        event_columns,
        files::DataFile,
    },
};
use andon_models::Timestamp;
use arrow::{
    array::{ArrayRef, AsArray, BooleanArray, DictionaryArray, Int32Array, RecordBatch, StringArray},
    compute::filter_record_batch,
    datatypes::{Int32Type, Schema, TimestampMicrosecondType},
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    file::{
        metadata::SortingColumn,
        properties::{EnabledStatistics, WriterProperties, WriterVersion},
    },
    schema::types::ColumnPath,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    path::Path,
    sync::Arc,
};
use uuid::Uuid;

/// Rows of a row group: a query of one series reads little beside it.
const ROW_GROUP_ROWS: usize = 131_072;
/// Rows of a page: what the page index can leave out.
const PAGE_ROWS: usize = 8_192;
/// zstd level: higher ones cost far more time than they save bytes on decimals.
const ZSTD_LEVEL: i32 = 3;

const DAY_MICROS: i64 = 86_400_000_000;
const HOURS_PER_DAY: i64 = 24;

/// A file that was written, to be committed.
pub struct Written {
    /// Its path in the table.
    pub relative: String,
    /// Its partition.
    pub day: String,
    /// Milliseconds since the epoch when it was written.
    pub modified: i64,
    /// The file.
    pub file: DataFile,
}

impl Written {
    /// Its statistics as Delta wants them.
    pub fn statistics(&self) -> serde_json::Value {
        let DataFile { rows, from, to, series, .. } = &self.file;
        let mut statistics = serde_json::json!({
            "numRecords": rows,
            "minValues": { "time": from.to_string() },
            "maxValues": { "time": to.to_string() },
            "nullCount": { "time": 0 },
        });
        if *series != NO_SERIES {
            statistics["minValues"]["series"] = series.0.into();
            statistics["maxValues"]["series"] = series.1.into();
            statistics["nullCount"]["series"] = 0.into();
        }
        statistics
    }
}

/// Of a file of events.
const NO_SERIES: (i32, i32) = (i32::MIN, i32::MAX);

/// Writes the points of a closed buffer, one file per UTC day.
///
/// # Errors
/// When a file cannot be written.
pub fn write_points(folder: &Path, sealed: &Sealed, directory: &Directory) -> Result<Vec<Written>, QueryError> {
    let sorted = sort_unique(sealed.points.iter().map(|chunk| &chunk.rows))?;
    let names = Names::new(directory)?;
    let time = sorted.column(TIME).as_primitive::<TimestampMicrosecondType>().values();
    let days: BTreeSet<i64> = time.iter().map(|time| time.div_euclid(DAY_MICROS)).collect();
    let mut written = Vec::new();
    for day in &days {
        let rows = if days.len() == 1 {
            sorted.clone()
        } else {
            let of_day: BooleanArray = time.iter().map(|time| Some(time.div_euclid(DAY_MICROS) == *day)).collect();
            filter_record_batch(&sorted, &of_day)?
        };
        let late = sealed.late.range(day * HOURS_PER_DAY..(day + 1) * HOURS_PER_DAY);
        let late = late.fold(0_u32, |mask, hour| mask | 1 << hour.rem_euclid(HOURS_PER_DAY));
        let named = names.add(&rows)?;
        let properties = points_properties(&named.schema())?;
        let series = rows.column(SERIES).as_primitive::<Int32Type>().values();
        let series = (series.first().copied().unwrap_or_default(), series.last().copied().unwrap_or_default());
        written.push(write(folder, *day, sealed.memory.record, late, &named, series, properties)?);
    }
    Ok(written)
}

/// Writes the events of a closed buffer, one file per UTC day.
///
/// # Errors
/// When a file cannot be written.
pub fn write_events(folder: &Path, sealed: &Sealed) -> Result<Vec<Written>, QueryError> {
    let mut days: BTreeMap<i64, Vec<Stored>> = BTreeMap::new();
    for stored in &sealed.events {
        days.entry(stored.event.time.as_micros().div_euclid(DAY_MICROS)).or_default().push(stored.clone());
    }
    let mut written = Vec::new();
    for (day, mut events) in days {
        events.sort_by_key(|stored| stored.event.time);
        let batch = event_columns::batch(&events);
        written.push(write(folder, day, sealed.memory.record, 0, &batch, NO_SERIES, common_properties()?.build())?);
    }
    Ok(written)
}

fn write(
    folder: &Path,
    day: i64,
    record: u64,
    late: u32,
    rows: &RecordBatch,
    series: (i32, i32),
    properties: WriterProperties,
) -> Result<Written, QueryError> {
    let day = Timestamp::from_micros(day * DAY_MICROS).to_string()[..10].to_owned();
    let relative = format!("day={day}/{record:012}-{late:06x}-{}.parquet", Uuid::new_v4().simple());
    let path = folder.join(&relative);
    let partition = folder.join(format!("day={day}"));
    std::fs::create_dir_all(&partition).map_err(QueryError::io("cannot make", &partition))?;
    let file = File::create(&path).map_err(QueryError::io("cannot make", &path))?;
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties))?;
    writer.write(rows)?;
    let file = writer.into_inner()?;
    file.sync_all().map_err(QueryError::io("cannot sync", &path))?;
    for folder in [&partition, folder] {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(QueryError::io("cannot sync", folder))?;
    }
    let metadata = file.metadata().map_err(QueryError::io("cannot look at", &path))?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let times = rows.column_by_name("time").map(|time| time.as_primitive::<TimestampMicrosecondType>());
    let bound = |micros: Option<i64>, otherwise| micros.map_or(otherwise, Timestamp::from_micros);
    let file = DataFile {
        path,
        size: metadata.len(),
        rows: rows.num_rows() as u64,
        from: bound(times.and_then(arrow::compute::min), Timestamp::MIN),
        to: bound(times.and_then(arrow::compute::max), Timestamp::MAX),
        series,
        late: late_hours(&relative),
    };
    Ok(Written { relative, day, modified: modified.map_or(0, |span| i64::try_from(span.as_millis()).unwrap_or(0)), file })
}

/// The hours in which a file may repeat older ones. They stand in its name: the middle part is a bit per hour of its day.
pub fn late_hours(relative: &str) -> Vec<i64> {
    let parse = || {
        let (partition, name) = relative.rsplit_once('/')?;
        let day: Timestamp = format!("{}T00:00:00Z", partition.strip_prefix("day=")?).parse().ok()?;
        let mask = u32::from_str_radix(name.split('-').nth(1)?, 16).ok()?;
        let first = super::store::hour_of(day);
        Some((0..HOURS_PER_DAY).filter(|hour| mask & (1 << hour) != 0).map(|hour| first + hour).collect())
    };
    parse().unwrap_or_default()
}

fn common_properties() -> Result<parquet::file::properties::WriterPropertiesBuilder, QueryError> {
    Ok(WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("andon ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Page))
}

fn points_properties(schema: &Schema) -> Result<WriterProperties, QueryError> {
    let position = |name: &str| schema.index_of(name).ok().and_then(|index| i32::try_from(index).ok());
    let sorting = ["series", "time", "nanos"].into_iter().filter_map(position);
    let sorting = sorting.map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: true }).collect();
    let plain = |name: &str| ColumnPath::from(name);
    Ok(common_properties()?
        .set_sorting_columns(Some(sorting))
        // Instants rise within a series: their differences are small. A dictionary of them would only grow.
        .set_column_dictionary_enabled(plain("time"), false)
        .set_column_encoding(plain("time"), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(plain("seq"), false)
        .set_column_encoding(plain("seq"), Encoding::DELTA_BINARY_PACKED)
        .build())
}

/// Names of assets and properties as dictionary columns.
struct Names {
    position: HashMap<i32, i32>,
    assets: ArrayRef,
    properties: ArrayRef,
}

impl Names {
    fn new(directory: &Directory) -> Result<Self, QueryError> {
        let rows = || directory.series.values();
        Ok(Self {
            position: directory.series.keys().map(|series| series.cast_signed()).zip(0..).collect(),
            assets: Arc::new(rows().map(|row| Some(row.asset.to_string())).collect::<StringArray>()),
            properties: Arc::new(rows().map(|row| Some(row.property.to_string())).collect::<StringArray>()),
        })
    }

    /// The same rows with their names, in the order of the table's columns.
    fn add(&self, points: &RecordBatch) -> Result<RecordBatch, QueryError> {
        let series = points.column(SERIES).as_primitive::<Int32Type>();
        let keys: Int32Array = series.values().iter().map(|series| self.position.get(series).copied()).collect();
        let name = |names: &ArrayRef| DictionaryArray::<Int32Type>::try_new(keys.clone(), names.clone());
        let (asset, property) = (name(&self.assets)?, name(&self.properties)?);
        let mut columns: Vec<(String, ArrayRef, bool)> =
            vec![("asset".into(), Arc::new(asset), true), ("property".into(), Arc::new(property), true)];
        let schema = points.schema();
        let own = schema.fields().iter().zip(points.columns());
        let mut own: Vec<_> = own.map(|(field, column)| (field.name().clone(), column.clone(), field.is_nullable())).collect();
        columns.extend(own.split_off(1));
        own.append(&mut columns);
        Ok(RecordBatch::try_from_iter_with_nullable(own)?)
    }
}

//! Parquet files, one per UTC day and flush: sorted by series and time, small row groups, page index, zstd.

mod layout;

pub use layout::{Purpose, rollups};

use super::{
    happened::Stored,
    place::{Draft, Place},
    store::Sealed,
};
use crate::{
    QueryError,
    directory::{self, Directory},
    table::{
        columns::{self, SEQ, SERIES, TIME},
        dedup::sort_unique,
        event_columns,
        files::{DataFile, Pin},
    },
};
use andon_models::Timestamp;
use arrow::{
    array::{AsArray, BooleanArray, Int64Array, RecordBatch},
    compute::filter_record_batch,
    datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimestampMicrosecondType},
};
use parquet::{arrow::ArrowWriter, file::properties::WriterProperties};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    sync::Arc,
};
use uuid::Uuid;

const DAY_MICROS: i64 = 86_400_000_000;
const HOURS_PER_DAY: i64 = 24;

/// A file that was written, to be committed.
pub struct Written {
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
pub fn write_points(place: &Place, sealed: &Sealed, directory: &Directory) -> Result<Vec<(Draft, Written)>, QueryError> {
    let Some(sorted) = sort_unique(sealed.points.iter().map(|chunk| &chunk.rows), usize::MAX)?.pop() else {
        return Ok(Vec::new());
    };
    let sorted = of_record(sorted, sealed.memory.record)?;
    let names = Names::new(directory);
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
        let late = late_mask(sealed.late.range(day * HOURS_PER_DAY..(day + 1) * HOURS_PER_DAY).copied());
        let mut file = PointsFile::begin(place, &names, &day_name(*day), sealed.memory.record, late, Purpose::Flush)?;
        file.write(&rows)?;
        written.push(file.finish()?);
    }
    Ok(written)
}

/// The rows as of one record. Which of them count is settled among themselves; between flushes the last record of each says as much
/// as the record of each row, and takes no space.
fn of_record(rows: RecordBatch, record: u64) -> Result<RecordBatch, QueryError> {
    let (schema, mut columns, count) = rows.into_parts();
    columns[SEQ] = Arc::new(Int64Array::from_value(i64::try_from(record).unwrap_or(i64::MAX), count));
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// Writes the events of a closed buffer, one file per UTC day.
///
/// # Errors
/// When a file cannot be written.
pub fn write_events(place: &Place, sealed: &Sealed) -> Result<Vec<(Draft, Written)>, QueryError> {
    let mut days: BTreeMap<i64, Vec<Stored>> = BTreeMap::new();
    for stored in sealed.events.all() {
        days.entry(stored.event.time.as_micros().div_euclid(DAY_MICROS)).or_default().push(stored.clone());
    }
    let mut written = Vec::new();
    for (day, mut events) in days {
        events.sort_by_key(|stored| stored.event.time);
        let batch = event_columns::batch(&events);
        let mut file = EventsFile::begin(place, &day_name(day), sealed.memory.record)?;
        file.write(&batch)?;
        written.push(file.finish()?);
    }
    Ok(written)
}

/// Makes files durable in their place.
///
/// # Errors
/// When one cannot be synced or uploaded.
pub async fn publish(place: &Place, drafts: Vec<(Draft, Written)>) -> Result<Vec<Written>, QueryError> {
    let mut written = Vec::with_capacity(drafts.len());
    for (draft, file) in drafts {
        place.publish(draft).await?;
        written.push(file);
    }
    Ok(written)
}

/// A file of points that is being written, in the order of points.
pub struct PointsFile<'a> {
    names: &'a Names,
    open: Open,
}

impl<'a> PointsFile<'a> {
    /// Begins a file of one day, with the highest log record in it and the hours in which it may repeat older files.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn begin(
        place: &Place,
        names: &'a Names,
        day: &str,
        record: u64,
        late: u32,
        purpose: Purpose,
    ) -> Result<Self, QueryError> {
        let schema = names.schema(&columns::schema());
        let properties = layout::points(&schema, purpose)?;
        let open = Open::begin(place, relative(day, record, late), schema, properties, (i32::MAX, i32::MIN))?;
        Ok(Self { names, open })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&mut self, points: &RecordBatch) -> Result<(), QueryError> {
        let series = points.column(SERIES).as_primitive::<Int32Type>().values();
        if let (Some(first), Some(last)) = (series.first(), series.last()) {
            self.open.know_series(*first, *last);
        }
        self.open.write(&self.names.add(points)?)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When its end cannot be written.
    pub fn finish(self) -> Result<(Draft, Written), QueryError> {
        self.open.finish()
    }
}

/// A file of events that is being written, in the order of time.
pub struct EventsFile(Open);

impl EventsFile {
    /// Begins a file of one day, with the highest log record in it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn begin(place: &Place, day: &str, record: u64) -> Result<Self, QueryError> {
        let properties = layout::events()?;
        Ok(Self(Open::begin(place, relative(day, record, 0), event_columns::schema(), properties, NO_SERIES)?))
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&mut self, events: &RecordBatch) -> Result<(), QueryError> {
        self.0.write(events)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When its end cannot be written.
    pub fn finish(self) -> Result<(Draft, Written), QueryError> {
        self.0.finish()
    }
}

/// A file that is being written.
pub struct Open {
    draft: Draft,
    writer: ArrowWriter<File>,
    file: DataFile,
}

impl Open {
    /// Begins a file with this name in its table.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn begin(
        place: &Place,
        relative: String,
        schema: SchemaRef,
        properties: WriterProperties,
        series: (i32, i32),
    ) -> Result<Self, QueryError> {
        let draft = place.draft(&relative)?;
        let file = File::create(&draft.path).map_err(QueryError::io("cannot make", &draft.path))?;
        let writer = ArrowWriter::try_new(file, schema, Some(properties))?;
        let late = late_hours(&relative);
        let location = place.file(&relative);
        let (from, to, pin) = (Timestamp::MAX, Timestamp::MIN, Pin::default());
        let file =
            DataFile { location, relative: relative.into(), size: 0, rows: 0, from, to, series, late, pin, damage: None };
        Ok(Self { draft, writer, file })
    }

    /// Says which series are in the next rows.
    pub fn know_series(&mut self, first: i32, last: i32) {
        let (low, high) = self.file.series;
        self.file.series = (low.min(first), high.max(last));
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), QueryError> {
        self.writer.write(rows)?;
        self.file.rows += rows.num_rows() as u64;
        let times = rows.column_by_name("time").map(|time| time.as_primitive::<TimestampMicrosecondType>());
        if let (Some(from), Some(to)) = (times.and_then(arrow::compute::min), times.and_then(arrow::compute::max)) {
            self.file.from = self.file.from.min(Timestamp::from_micros(from));
            self.file.to = self.file.to.max(Timestamp::from_micros(to));
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When its end cannot be written.
    pub fn finish(mut self) -> Result<(Draft, Written), QueryError> {
        let path = &self.draft.path;
        let file = self.writer.into_inner()?;
        let metadata = file.metadata().map_err(QueryError::io("cannot look at", path))?;
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        self.file.size = metadata.len();
        let modified = modified.map_or(0, |span| i64::try_from(span.as_millis()).unwrap_or(0));
        Ok((self.draft, Written { modified, file: self.file }))
    }
}

fn day_name(day: i64) -> String {
    Timestamp::from_micros(day * DAY_MICROS).to_string()[..10].to_owned()
}

/// The name of a new file in its table.
pub fn relative(day: &str, record: u64, late: u32) -> String {
    format!("day={day}/{record:012}-{late:06x}-{}.parquet", Uuid::new_v4().simple())
}

/// A bit per hour of a day.
pub fn late_mask(hours: impl IntoIterator<Item = i64>) -> u32 {
    hours.into_iter().fold(0, |mask, hour| mask | 1 << hour.rem_euclid(HOURS_PER_DAY))
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

/// Names of assets, properties and units as dictionary columns.
pub struct Names(Arc<directory::Names>);

/// The columns of names, which stand behind `series`.
const NAMES: [&str; 3] = ["asset", "property", "unit"];

impl Names {
    /// The names of all series of this moment.
    pub fn new(directory: &Directory) -> Self {
        Self(directory.names())
    }

    /// A schema with the names behind the series, in the order of the table's columns.
    pub fn schema(&self, own: &Schema) -> SchemaRef {
        let name = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let names = NAMES.iter().map(|column| Arc::new(Field::new(*column, name.clone(), true)));
        let (series, rest) = own.fields().split_at(1);
        Arc::new(Schema::new(series.iter().cloned().chain(names).chain(rest.iter().cloned()).collect::<Vec<_>>()))
    }

    /// The same rows with their names; the series is their first column.
    ///
    /// # Errors
    /// When they have other columns.
    pub fn add(&self, points: &RecordBatch) -> Result<RecordBatch, QueryError> {
        let series = points.column(SERIES).as_primitive::<Int32Type>();
        let mut columns = vec![points.column(SERIES).clone()];
        columns.extend(self.0.stored(series.values())?);
        columns.extend(points.columns()[1..].iter().cloned());
        Ok(RecordBatch::try_new(self.schema(points.schema_ref()), columns)?)
    }
}

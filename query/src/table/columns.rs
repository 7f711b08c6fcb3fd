//! Points as columns: the schema of the buffer and of the files, and the way from points to record batches.
//!
//! | column | type | |
//! |---|---|---|
//! | `series` | int32 | number of the series |
//! | `time` | timestamp(µs, UTC) | instant |
//! | `nanos` | int16 | what is left of the instant below the microsecond, 0 to 999 |
//! | `double`, `integer`, `boolean`, `string` | | the value, in the one column of its type; none of them when there is no value |
//! | `quality` | int8 | 0 good, 1 uncertain, 2 bad |
//! | `status` | int64 | the protocol's status code |
//! | `seq` | int64 | number of the log record, in files the last one of their flush; of two rows with the same series, time and quality the higher one counts |
//!
//! Files have `asset` and `property` as well, by name, for readers that know nothing of Andon, and `day` as partition.

use andon_models::{Point, Quality, SeriesId, StatusCode, Timestamp, Tqv, Value};
use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, Float64Array, Float64Builder, Int8Builder, Int16Builder,
        Int32Builder, Int64Array, Int64Builder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondBuilder,
    },
    datatypes::{
        DataType, Field, Float64Type, Int8Type, Int16Type, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType,
    },
};
use std::sync::{Arc, LazyLock};

/// Rows of a full batch: large enough to make work per batch cheap, small enough for the caches.
pub const CHUNK_ROWS: usize = 8_192;

/// Position of `series`.
pub const SERIES: usize = 0;
/// Position of `time`.
pub const TIME: usize = 1;
/// Position of `nanos`.
pub const NANOS: usize = 2;
/// Position of `quality`.
pub const QUALITY: usize = 7;
/// Position of `seq`.
pub const SEQ: usize = 9;

/// Type of `time`.
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("series", DataType::Int32, false),
        Field::new("time", time_type(), false),
        Field::new("nanos", DataType::Int16, false),
        Field::new("double", DataType::Float64, true),
        Field::new("integer", DataType::Int64, true),
        Field::new("boolean", DataType::Boolean, true),
        Field::new("string", DataType::Utf8, true),
        Field::new("quality", DataType::Int8, false),
        Field::new("status", DataType::Int64, false),
        Field::new("seq", DataType::Int64, false),
    ]))
});

/// The schema of points.
pub fn schema() -> SchemaRef {
    SCHEMA.clone()
}

/// The code of Good data in the `quality` column.
pub(crate) const GOOD: i8 = 0;

/// The code of a quality in the `quality` column.
pub fn quality_code(quality: Quality) -> i8 {
    match quality {
        Quality::Good => GOOD,
        Quality::Uncertain => 1,
        Quality::Bad => 2,
    }
}

/// The quality that SQL calls by this name.
pub fn quality_named(name: &str) -> Option<Quality> {
    match name {
        "good" => Some(Quality::Good),
        "uncertain" => Some(Quality::Uncertain),
        "bad" => Some(Quality::Bad),
        _ => None,
    }
}

/// The quality of a code; anything unknown is Bad.
pub fn quality_of(code: i8) -> Quality {
    match code {
        GOOD => Quality::Good,
        1 => Quality::Uncertain,
        _ => Quality::Bad,
    }
}

/// A series number as stored: the same 32 bits, as other tools know no unsigned integers.
pub fn series_code(series: SeriesId) -> i32 {
    series.0.cast_signed()
}

/// Some points, and from when to when they are.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The points.
    pub rows: RecordBatch,
    /// The first microsecond.
    pub from: i64,
    /// The last microsecond.
    pub to: i64,
}

/// Points on their way to a record batch.
pub struct PointColumns {
    series: Int32Builder,
    time: TimestampMicrosecondBuilder,
    nanos: Int16Builder,
    double: Float64Builder,
    integer: Int64Builder,
    boolean: BooleanBuilder,
    string: StringBuilder,
    quality: Int8Builder,
    status: Int64Builder,
    seq: Int64Builder,
    len: usize,
}

impl Default for PointColumns {
    fn default() -> Self {
        Self {
            series: Int32Builder::with_capacity(CHUNK_ROWS),
            time: TimestampMicrosecondBuilder::with_capacity(CHUNK_ROWS).with_timezone("UTC"),
            nanos: Int16Builder::with_capacity(CHUNK_ROWS),
            double: Float64Builder::with_capacity(CHUNK_ROWS),
            integer: Int64Builder::with_capacity(CHUNK_ROWS),
            boolean: BooleanBuilder::with_capacity(CHUNK_ROWS),
            string: StringBuilder::new(),
            quality: Int8Builder::with_capacity(CHUNK_ROWS),
            status: Int64Builder::with_capacity(CHUNK_ROWS),
            seq: Int64Builder::with_capacity(CHUNK_ROWS),
            len: 0,
        }
    }
}

impl PointColumns {
    /// Adds a point.
    pub fn push(&mut self, point: &Point, seq: i64) {
        let Tqv { time, quality, status, value } = &point.tqv;
        self.series.append_value(series_code(point.series));
        self.time.append_value(time.as_micros());
        self.nanos.append_value(i16::try_from(time.as_nanos().rem_euclid(1_000)).unwrap_or(0));
        let (mut double, mut integer, mut boolean, mut string) = (None, None, None, None);
        match value {
            Value::Null => {}
            Value::Boolean(truth) => boolean = Some(*truth),
            Value::Integer(number) => integer = Some(*number),
            Value::Double(number) => double = Some(*number),
            Value::String(text) => string = Some(text.as_ref()),
        }
        self.double.append_option(double);
        self.integer.append_option(integer);
        self.boolean.append_option(boolean);
        self.string.append_option(string);
        self.quality.append_value(quality_code(*quality));
        self.status.append_value(i64::from(status.0));
        self.seq.append_value(seq);
        self.len += 1;
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// A record batch of the points so far; they stay.
    pub fn snapshot(&self) -> Chunk {
        chunk(vec![
            Arc::new(self.series.finish_cloned()),
            Arc::new(self.time.finish_cloned()),
            Arc::new(self.nanos.finish_cloned()),
            Arc::new(self.double.finish_cloned()),
            Arc::new(self.integer.finish_cloned()),
            Arc::new(self.boolean.finish_cloned()),
            Arc::new(self.string.finish_cloned()),
            Arc::new(self.quality.finish_cloned()),
            Arc::new(self.status.finish_cloned()),
            Arc::new(self.seq.finish_cloned()),
        ])
    }

    /// A record batch of the points; none are left.
    pub fn take(&mut self) -> Chunk {
        self.len = 0;
        chunk(vec![
            Arc::new(self.series.finish()),
            Arc::new(self.time.finish()),
            Arc::new(self.nanos.finish()),
            Arc::new(self.double.finish()),
            Arc::new(self.integer.finish()),
            Arc::new(self.boolean.finish()),
            Arc::new(self.string.finish()),
            Arc::new(self.quality.finish()),
            Arc::new(self.status.finish()),
            Arc::new(self.seq.finish()),
        ])
    }
}

fn chunk(columns: Vec<ArrayRef>) -> Chunk {
    let rows = RecordBatch::try_new(schema(), columns).expect("the builders have the types of the schema and equal lengths");
    let time = rows.column(TIME).as_primitive::<TimestampMicrosecondType>();
    let (from, to) = (arrow::compute::min(time), arrow::compute::max(time));
    Chunk { from: from.unwrap_or(i64::MAX), to: to.unwrap_or(i64::MIN), rows }
}

/// The columns of a batch of points, with or without `seq`.
pub struct PointRows<'a> {
    #[cfg(test)]
    series: &'a [i32],
    time: &'a [i64],
    nanos: &'a [i16],
    double: &'a Float64Array,
    integer: &'a Int64Array,
    boolean: &'a BooleanArray,
    string: &'a StringArray,
    quality: &'a [i8],
    status: &'a [i64],
}

impl<'a> PointRows<'a> {
    /// Looks at a batch with the schema of points.
    pub fn new(batch: &'a RecordBatch) -> Self {
        Self {
            #[cfg(test)]
            series: batch.column(SERIES).as_primitive::<arrow::datatypes::Int32Type>().values(),
            time: batch.column(TIME).as_primitive::<TimestampMicrosecondType>().values(),
            nanos: batch.column(NANOS).as_primitive::<Int16Type>().values(),
            double: batch.column(3).as_primitive::<Float64Type>(),
            integer: batch.column(4).as_primitive::<Int64Type>(),
            boolean: batch.column(5).as_boolean(),
            string: batch.column(6).as_string::<i32>(),
            quality: batch.column(QUALITY).as_primitive::<Int8Type>().values(),
            status: batch.column(8).as_primitive::<Int64Type>().values(),
        }
    }

    /// The series of a row.
    #[cfg(test)]
    pub fn series(&self, row: usize) -> SeriesId {
        SeriesId(self.series[row].cast_unsigned())
    }

    /// The instant of a row.
    pub fn time(&self, row: usize) -> Timestamp {
        Timestamp::from_nanos(self.time[row].saturating_mul(1_000).saturating_add(i64::from(self.nanos[row])))
    }

    /// The quality of a row.
    pub fn quality(&self, row: usize) -> Quality {
        quality_of(self.quality[row])
    }

    /// The value of a row.
    pub fn value(&self, row: usize) -> Value {
        if self.double.is_valid(row) {
            Value::Double(self.double.value(row))
        } else if self.integer.is_valid(row) {
            Value::Integer(self.integer.value(row))
        } else if self.boolean.is_valid(row) {
            Value::Boolean(self.boolean.value(row))
        } else if self.string.is_valid(row) {
            Value::String(self.string.value(row).into())
        } else {
            Value::Null
        }
    }

    /// Time, quality and value of a row.
    pub fn tqv(&self, row: usize) -> Tqv {
        Tqv {
            time: self.time(row),
            quality: self.quality(row),
            status: StatusCode(u32::try_from(self.status[row]).unwrap_or(u32::MAX)),
            value: self.value(row),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_back_as_they_were() {
        let values = [Value::Null, true.into(), Value::Integer(-7), 2.5.into(), "Leck".into()];
        let mut columns = PointColumns::default();
        let points: Vec<Point> = (0..)
            .zip(values)
            .map(|(number, value)| Point {
                series: SeriesId(u32::MAX - number),
                tqv: Tqv {
                    time: Timestamp::from_nanos(-1_234_567_891 - i64::from(number)),
                    quality: Quality::Uncertain,
                    status: StatusCode::STALE,
                    value,
                },
            })
            .collect();
        points.iter().for_each(|point| columns.push(point, 1));
        let Chunk { rows: batch, from, to } = columns.snapshot();
        assert_eq!((from, to), (-1_234_568, -1_234_568));
        assert_eq!(batch, columns.take().rows);
        let rows = PointRows::new(&batch);
        let back: Vec<Point> = (0..5).map(|row| Point { series: rows.series(row), tqv: rows.tqv(row) }).collect();
        assert_eq!(back, points);
        assert_eq!(columns.len(), 0);
    }
}

//! Roll-ups as columns: the schema of the files, and the way from totals to record batches and back.
//!
//! | column | type | |
//! |---|---|---|
//! | `series` | int32 | number of the series |
//! | `time` | timestamp(µs, UTC) | end of the window, the last instant in it |
//! | `quality` | int8 | 0 good, 1 uncertain, 2 bad |
//! | `count`, `numbers` | int64 | rows, and those with a number |
//! | `sum`, `min`, `max` | double | of the numbers |
//! | `m2` | double | sum of the squared distances of the numbers from their mean |
//! | `first`, `first_time`, `first_nanos` | | the earliest row: its number, its instant, what that has below the microsecond |
//! | `last`, `last_time`, `last_nanos` | | the latest row |
//! | `inner_sum`, `inner_min`, `inner_max` | double | of the numbers before the end; null when no number lies exactly at the end |
//! | `replaces` | boolean | whether it stands for all rows of the window that were stored before, or adds to them |
//! | `seq` | int64 | number of the log record up to which it counts |
//!
//! Files have `asset`, `property` and `unit` as well.

use super::total::{Key, Numbers, Row, Total};
use crate::table::columns::time_type;
use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, RecordBatch,
        TimestampMicrosecondArray,
    },
    datatypes::{
        DataType, Field, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Schema, SchemaRef, TimestampMicrosecondType,
    },
};
use datafusion::error::{DataFusionError, Result};
use deltalake::kernel::PrimitiveType;
use std::sync::{Arc, LazyLock};

/// The columns as Delta names them: name, type, what a stranger should know about it.
pub const COLUMNS: [(&str, PrimitiveType, &str); 20] = [
    ("series", PrimitiveType::Integer, "number of the series: one property of one asset"),
    ("time", PrimitiveType::Timestamp, "end of the window; the window begins after its start and includes its end"),
    ("quality", PrimitiveType::Byte, "0 good, 1 uncertain, 2 bad"),
    ("count", PrimitiveType::Long, "samples"),
    ("numbers", PrimitiveType::Long, "samples with a number: all but texts and failures"),
    ("sum", PrimitiveType::Double, "sum of the numbers; divided by `numbers` their mean"),
    ("min", PrimitiveType::Double, "lowest number"),
    ("max", PrimitiveType::Double, "highest number"),
    ("m2", PrimitiveType::Double, "sum of the squared distances from the mean; divided by `numbers` - 1 the sample variance"),
    ("first", PrimitiveType::Double, "number of the earliest sample"),
    ("first_time", PrimitiveType::Timestamp, "when the earliest sample was, whole microseconds"),
    ("first_nanos", PrimitiveType::Short, "what that has below the microsecond, in nanoseconds"),
    ("last", PrimitiveType::Double, "number of the latest sample"),
    ("last_time", PrimitiveType::Timestamp, "when the latest sample was, whole microseconds"),
    ("last_nanos", PrimitiveType::Short, "what that has below the microsecond, in nanoseconds"),
    ("inner_sum", PrimitiveType::Double, "sum without the sample exactly at the end; empty when there is none"),
    ("inner_min", PrimitiveType::Double, "lowest number without the sample exactly at the end"),
    ("inner_max", PrimitiveType::Double, "highest number without the sample exactly at the end"),
    ("replaces", PrimitiveType::Boolean, "true: stands for all rows of its window with a lower seq; false: adds to them"),
    ("seq", PrimitiveType::Long, "number of the log record up to which it counts"),
];

/// The columns of the tables: with names, for readers that know nothing of Andon.
pub fn delta() -> Vec<(&'static str, PrimitiveType, &'static str)> {
    let names = [
        ("asset", PrimitiveType::String, "path of the asset"),
        ("property", PrimitiveType::String, "key of the property"),
        ("unit", PrimitiveType::String, "unit of the value"),
    ];
    COLUMNS[..1].iter().cloned().chain(names).chain(COLUMNS[1..].iter().cloned()).collect()
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let field = |(name, kind, _): &(&str, PrimitiveType, &str)| {
        let data_type = match kind {
            PrimitiveType::Integer => DataType::Int32,
            PrimitiveType::Timestamp => time_type(),
            PrimitiveType::Byte => DataType::Int8,
            PrimitiveType::Short => DataType::Int16,
            PrimitiveType::Long => DataType::Int64,
            PrimitiveType::Boolean => DataType::Boolean,
            _ => DataType::Float64,
        };
        Field::new(*name, data_type, *kind == PrimitiveType::Double)
    };
    Arc::new(Schema::new(COLUMNS.iter().map(field).collect::<Vec<_>>()))
});

/// The schema of stored roll-ups.
pub fn schema() -> SchemaRef {
    SCHEMA.clone()
}

/// Sorted totals as they are stored, counting up to a log record.
///
/// # Errors
/// When there are too many.
pub fn batch(totals: &[(Key, Total)], replaces: bool) -> Result<RecordBatch> {
    let double = |value: fn(&Key, &Total) -> Option<f64>| -> ArrayRef {
        Arc::new(totals.iter().map(|(key, total)| value(key, total)).collect::<Float64Array>())
    };
    let long = |value: fn(&Total) -> i64| -> ArrayRef {
        Arc::new(totals.iter().map(|(_, total)| value(total)).collect::<Int64Array>())
    };
    let time = |value: fn(&Key, &Total) -> i64| -> ArrayRef {
        let times = totals.iter().map(|(key, total)| value(key, total));
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
    };
    let nanos = |value: fn(&Total) -> i64| -> ArrayRef {
        let nanos = totals.iter().map(|(_, total)| i16::try_from(value(total).rem_euclid(1_000)).unwrap_or(0));
        Arc::new(Int16Array::from_iter_values(nanos))
    };
    // A number at the end makes the inner ones differ.
    fn inner(key: &Key, total: &Total) -> Option<Numbers> {
        (total.has_end(key.1) && total.last.value.is_some() && total.inner.count > 0).then_some(total.inner)
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter_values(totals.iter().map(|(key, _)| key.0))),
        time(|key, _| key.1),
        Arc::new(Int8Array::from_iter_values(totals.iter().map(|(key, _)| key.2))),
        long(|total| total.count),
        long(|total| total.all.count),
        double(|_, total| some(&total.all).map(|all| all.sum)),
        double(|_, total| some(&total.all).map(|all| all.min)),
        double(|_, total| some(&total.all).map(|all| all.max)),
        double(|_, total| some(&total.all).map(|_| total.m2)),
        double(|_, total| total.first.value),
        time(|_, total| total.first.nanos.div_euclid(1_000)),
        nanos(|total| total.first.nanos),
        double(|_, total| total.last.value),
        time(|_, total| total.last.nanos.div_euclid(1_000)),
        nanos(|total| total.last.nanos),
        double(|key, total| inner(key, total).map(|inner| inner.sum)),
        double(|key, total| inner(key, total).map(|inner| inner.min)),
        double(|key, total| inner(key, total).map(|inner| inner.max)),
        Arc::new(BooleanArray::from(vec![replaces; totals.len()])),
        long(|total| total.seq),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

fn some(numbers: &Numbers) -> Option<&Numbers> {
    (numbers.count > 0).then_some(numbers)
}

/// The rows of a batch of stored roll-ups.
pub struct StoredRows<'a> {
    batch: &'a RecordBatch,
}

impl<'a> StoredRows<'a> {
    /// Looks at a batch with the schema of roll-ups.
    ///
    /// # Errors
    /// When it has another one.
    pub fn new(batch: &'a RecordBatch) -> Result<Self> {
        let known = schema();
        let same = batch.num_columns() == known.fields().len()
            && known.fields().iter().zip(batch.columns()).all(|(field, column)| field.data_type() == column.data_type());
        if same { Ok(Self { batch }) } else { Err(DataFusionError::Internal("roll-ups were read with other columns".into())) }
    }

    /// Whose it is.
    pub fn key(&self, row: usize) -> Key {
        let series = self.batch.column(0).as_primitive::<Int32Type>().value(row);
        (series, self.time(1, row), self.batch.column(2).as_primitive::<Int8Type>().value(row))
    }

    /// Up to which log record it counts.
    pub fn seq(&self, row: usize) -> i64 {
        self.long(19, row)
    }

    /// What is stored.
    pub fn total(&self, row: usize) -> Total {
        let end = self.time(1, row);
        let all = self.numbers(self.long(4, row), [5, 6, 7], row);
        let first = Row { nanos: self.nanos(10, row), value: self.double(9, row) };
        let last = Row { nanos: self.nanos(13, row), value: self.double(12, row) };
        let mut total = Total {
            count: self.long(3, row),
            all,
            inner: all,
            m2: self.double(8, row).unwrap_or(0.0),
            first,
            last,
            seq: self.seq(row),
        };
        if total.has_end(end) && last.value.is_some() {
            total.inner = self.numbers(all.count - 1, [15, 16, 17], row);
        }
        total
    }

    fn numbers(&self, count: i64, [sum, min, max]: [usize; 3], row: usize) -> Numbers {
        let double = |column: usize| self.double(column, row).unwrap_or(0.0);
        if count <= 0 { Numbers::default() } else { Numbers { count, sum: double(sum), min: double(min), max: double(max) } }
    }

    fn time(&self, column: usize, row: usize) -> i64 {
        self.batch.column(column).as_primitive::<TimestampMicrosecondType>().value(row)
    }

    fn nanos(&self, column: usize, row: usize) -> i64 {
        let below = self.batch.column(column + 1).as_primitive::<Int16Type>().value(row);
        self.time(column, row).saturating_mul(1_000).saturating_add(i64::from(below))
    }

    fn long(&self, column: usize, row: usize) -> i64 {
        self.batch.column(column).as_primitive::<Int64Type>().value(row)
    }

    fn double(&self, column: usize, row: usize) -> Option<f64> {
        let column = self.batch.column(column).as_primitive::<Float64Type>();
        column.is_valid(row).then(|| column.value(row))
    }
}

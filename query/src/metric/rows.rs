//! Reads points out of record batches: one row, one value at one time.

use crate::error::QueryError;
use andon_models::{Timestamp, Value};
use arrow::{
    array::{
        Array, ArrayRef, AsArray, Float64Array, Int16Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    },
    compute::cast,
    datatypes::DataType,
};
use datafusion::prelude::{Expr, col, lit};

/// The code of Good in the column `quality`.
const GOOD: i8 = 0;

/// The columns that metrics read of the table of points. Data that is not Good has no value.
pub fn columns() -> Vec<Expr> {
    let good = || col("quality").eq(lit(GOOD));
    let when_good = |value: Expr, name: &str| {
        datafusion::logical_expr::when(good(), value)
            .end()
            .unwrap_or_else(|_| lit(datafusion::scalar::ScalarValue::Null))
            .alias(name)
    };
    let as_double = |name: &str| datafusion::logical_expr::cast(col(name), DataType::Float64);
    let number = datafusion::functions::core::expr_fn::coalesce(vec![
        col("double"),
        as_double("integer"),
        datafusion::logical_expr::cast(datafusion::logical_expr::cast(col("boolean"), DataType::Int8), DataType::Float64),
    ]);
    vec![col("series"), col("time"), col("nanos"), when_good(number, "number"), when_good(col("string"), "text")]
}

/// The columns of one batch.
pub struct Rows {
    series: Int32Array,
    time: TimestampMicrosecondArray,
    nanos: Int16Array,
    number: Float64Array,
    text: StringArray,
}

/// One value at one time; no value when it was not Good.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Nanoseconds since the epoch.
    pub time: i64,
    /// The value as a number, if it is one.
    pub number: Option<f64>,
    /// The value as a text, if it is one.
    pub text: Option<String>,
}

impl Row {
    /// A value that holds at an instant.
    pub fn constant(at: Timestamp, value: &Value) -> Self {
        let text = if let Value::String(text) = value { Some(text.to_string()) } else { None };
        Self { time: at.as_nanos(), number: value.as_f64(), text }
    }

    /// Whether there is a value.
    pub fn is_good(&self) -> bool {
        self.number.is_some() || self.text.is_some()
    }
}

impl Rows {
    /// The rows of a batch with the columns of [`columns`].
    pub fn new(batch: &RecordBatch) -> Result<Self, QueryError> {
        let column = |name: &str, to: &DataType| -> Result<ArrayRef, QueryError> {
            let column =
                batch.column_by_name(name).ok_or_else(|| QueryError::Internal(format!("points have no column {name}")))?;
            Ok(cast(column, to)?)
        };
        let micros = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
        Ok(Self {
            series: column("series", &DataType::Int32)?.as_primitive().clone(),
            time: column("time", &micros)?.as_primitive().clone(),
            nanos: column("nanos", &DataType::Int16)?.as_primitive().clone(),
            number: column("number", &DataType::Float64)?.as_primitive().clone(),
            text: column("text", &DataType::Utf8)?.as_string().clone(),
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// The series of a row.
    pub fn series(&self, row: usize) -> u32 {
        // Series are stored signed, because Delta tables know no unsigned numbers.
        self.series.value(row).cast_unsigned()
    }

    /// A row.
    pub fn row(&self, row: usize) -> Row {
        let nanos = if self.nanos.is_null(row) { 0 } else { i64::from(self.nanos.value(row)) };
        Row {
            time: self.time.value(row).saturating_mul(1_000).saturating_add(nanos),
            number: self.number.is_valid(row).then(|| self.number.value(row)),
            text: self.text.is_valid(row).then(|| self.text.value(row).to_owned()),
        }
    }
}

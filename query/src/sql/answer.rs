//! A statement's answer in plain data.

use super::stream::{statement, stream};
use crate::{QueryError, SqlAnswer, SqlColumn, SqlLimits};
use andon_models::{Timestamp, window::Window};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{
        DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, UInt8Type, UInt16Type,
        UInt32Type, UInt64Type,
    },
    util::display::{ArrayFormatter, FormatOptions},
};
use datafusion::{execution::SendableRecordBatchStream, prelude::SessionContext};
use futures::StreamExt;
use serde_json::Value;

/// Runs a statement.
///
/// # Errors
/// When it is wrong, would change something, or takes longer than it may.
pub async fn answer(
    session: &SessionContext,
    sql: &str,
    span: Option<Window>,
    limits: SqlLimits,
) -> Result<SqlAnswer, QueryError> {
    read(stream(session, sql, span, limits).await?, limits).await
}

async fn read(mut stream: SendableRecordBatchStream, limits: SqlLimits) -> Result<SqlAnswer, QueryError> {
    let schema = stream.schema();
    let columns =
        schema.fields().iter().map(|field| SqlColumn { name: field.name().clone(), r#type: type_name(field.data_type()) });
    let mut answer = SqlAnswer { columns: columns.collect(), ..SqlAnswer::default() };
    let mut bytes = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(statement)?;
        bytes += batch.get_array_memory_size();
        let room = limits.rows - answer.rows.len();
        rows(&batch.slice(0, batch.num_rows().min(room)), &mut answer.rows)?;
        if batch.num_rows() > room || bytes > limits.memory {
            answer.truncated = true;
            break;
        }
    }
    Ok(answer)
}

/// The type of a column in plain words.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean",
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => "integer",
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => "integer",
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "double",
        DataType::Timestamp(..) => "timestamp",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string",
        DataType::Dictionary(_, value) => return type_name(value),
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Interval(_) | DataType::Duration(_) => "interval",
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => "decimal",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "bytes",
        DataType::List(of) | DataType::LargeList(of) | DataType::FixedSizeList(of, _) => {
            return format!("list of {}", type_name(of.data_type()));
        }
        DataType::Struct(_) | DataType::Map(..) => "record",
        DataType::Null => "null",
        other => return other.to_string().to_lowercase(),
    }
    .to_owned()
}

fn rows(batch: &RecordBatch, out: &mut Vec<Vec<Value>>) -> Result<(), QueryError> {
    let columns: Result<Vec<Vec<Value>>, QueryError> = batch.columns().iter().map(|column| cells(column.as_ref())).collect();
    let mut columns: Vec<_> = columns?.into_iter().map(Vec::into_iter).collect();
    for _ in 0..batch.num_rows() {
        out.push(columns.iter_mut().map(|column| column.next().unwrap_or(Value::Null)).collect());
    }
    Ok(())
}

fn cells(column: &dyn Array) -> Result<Vec<Value>, QueryError> {
    macro_rules! numbers {
        ($type:ty) => {
            column.as_primitive::<$type>().iter().map(|number| number.map_or(Value::Null, Value::from)).collect()
        };
    }
    Ok(match column.data_type() {
        DataType::Null => vec![Value::Null; column.len()],
        DataType::Boolean => column.as_boolean().iter().map(|truth| truth.map_or(Value::Null, Value::from)).collect(),
        DataType::Int8 => numbers!(Int8Type),
        DataType::Int16 => numbers!(Int16Type),
        DataType::Int32 => numbers!(Int32Type),
        DataType::Int64 => numbers!(Int64Type),
        DataType::UInt8 => numbers!(UInt8Type),
        DataType::UInt16 => numbers!(UInt16Type),
        DataType::UInt32 => numbers!(UInt32Type),
        DataType::UInt64 => numbers!(UInt64Type),
        DataType::Float32 => numbers!(Float32Type),
        DataType::Float64 => numbers!(Float64Type),
        DataType::Utf8 => column.as_string::<i32>().iter().map(|text| text.map_or(Value::Null, Value::from)).collect(),
        DataType::Timestamp(_, _) => times(column)?,
        _ => {
            let format = ArrayFormatter::try_new(column, &FormatOptions::default())?;
            let cell = |row: usize| if column.is_null(row) { Value::Null } else { Value::from(format.value(row).to_string()) };
            (0..column.len()).map(cell).collect()
        }
    })
}

/// Instants as RFC 3339 in UTC, with as many digits as they need.
fn times(column: &dyn Array) -> Result<Vec<Value>, QueryError> {
    let nanos = arrow::compute::cast(column, &DataType::Timestamp(TimeUnit::Nanosecond, None))?;
    let nanos = nanos.as_primitive::<arrow::datatypes::TimestampNanosecondType>();
    Ok(nanos.iter().map(|time| time.map_or(Value::Null, |time| Timestamp::from_nanos(time).to_string().into())).collect())
}

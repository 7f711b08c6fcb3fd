//! What functions are called with.

use arrow::{
    array::{ArrayRef, AsArray, Int64Array, TimestampNanosecondArray},
    compute::cast,
    datatypes::{DataType, TimeUnit, TimestampNanosecondType},
};
use datafusion::{
    common::{ScalarValue, plan_err},
    error::Result,
    logical_expr::{ColumnarValue, Expr},
};

/// Instants as functions take and give them.
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

/// The type an argument that is an instant is turned into.
///
/// # Errors
/// When it is no instant, nor a text or date that says one.
pub fn as_time(function: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Timestamp(..)
        | DataType::Date32
        | DataType::Date64
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Null => Ok(time_type()),
        DataType::Dictionary(_, value) => as_time(function, value),
        other => plan_err!("{function} wants a time there, not {}", crate::sql::type_name(other)),
    }
}

/// The type an argument that is a number is turned into: truths are 0 and 1.
///
/// # Errors
/// When it is none.
pub fn as_number(function: &str, given: &DataType) -> Result<DataType> {
    if given.is_numeric() || matches!(given, DataType::Boolean | DataType::Null) {
        Ok(DataType::Float64)
    } else {
        plan_err!("{function} wants a number there, not {}", crate::sql::type_name(given))
    }
}

/// The nanoseconds of instants.
///
/// # Errors
/// When they are none.
pub fn nanos(times: &ArrayRef) -> Result<Int64Array> {
    let times = cast(times, &DataType::Timestamp(TimeUnit::Nanosecond, None))?;
    Ok(times.as_primitive::<TimestampNanosecondType>().reinterpret_cast())
}

/// Instants from nanoseconds.
pub fn instants(nanos: Int64Array) -> ArrayRef {
    std::sync::Arc::new(nanos.reinterpret_cast::<TimestampNanosecondType>().with_timezone("UTC") as TimestampNanosecondArray)
}

/// A text that is the same for all rows.
///
/// # Errors
/// Names the argument when it is none.
pub fn constant_text(function: &str, what: &str, value: &ColumnarValue) -> Result<String> {
    match value {
        ColumnarValue::Scalar(value) => match value.try_as_str().flatten() {
            Some(text) => Ok(text.to_owned()),
            None => plan_err!("{what} of {function} is a text, not {value}"),
        },
        ColumnarValue::Array(_) => plan_err!("{what} of {function} is a constant, not a column"),
    }
}

/// A constant argument of a table function.
///
/// # Errors
/// Names the argument when it is no constant.
pub fn literal<'a>(function: &str, what: &str, expression: Option<&'a Expr>) -> Result<&'a ScalarValue> {
    match expression {
        Some(Expr::Literal(value, _)) => Ok(value),
        Some(Expr::Alias(alias)) => literal(function, what, Some(&alias.expr)),
        Some(other) => plan_err!("{what} of {function} is a constant, not {other}"),
        None => plan_err!("{function} misses {what}"),
    }
}

/// A text argument of a table function.
///
/// # Errors
/// Names the argument when it is none.
pub fn literal_text(function: &str, what: &str, expression: Option<&Expr>) -> Result<String> {
    let value = literal(function, what, expression)?;
    match value.try_as_str().flatten() {
        Some(text) => Ok(text.to_owned()),
        None => plan_err!("{what} of {function} is a text, not {value}"),
    }
}

/// An instant given to a table function, as a time or as a text.
///
/// # Errors
/// Names the argument when it is none.
pub fn literal_time(function: &str, what: &str, expression: Option<&Expr>) -> Result<andon_models::Timestamp> {
    let value = literal(function, what, expression)?;
    match value.cast_to(&time_type()) {
        Ok(ScalarValue::TimestampNanosecond(Some(nanos), _)) => Ok(andon_models::Timestamp::from_nanos(nanos)),
        _ => {
            plan_err!("{what} of {function} is a time such as '2026-03-02T06:00:00Z' or now() - INTERVAL '1 day', not {value}")
        }
    }
}

/// A whole number given to a table function.
///
/// # Errors
/// Names the argument when it is none.
pub fn literal_count(function: &str, what: &str, expression: Option<&Expr>) -> Result<usize> {
    let value = literal(function, what, expression)?;
    match value.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(Some(count))) if count > 0 => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
        _ => plan_err!("{what} of {function} is a number above 0, not {value}"),
    }
}

//! A value while the row evaluator calculates with it. Numbers take no memory of their own; texts and documents are shared.

use crate::Value;
use std::{cmp::Ordering, sync::Arc};

/// A value within an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Boolean(bool),
    Integer(i64),
    /// In formulas this may be NaN on the way; a result never is.
    Double(f64),
    Text(Arc<str>),
    /// An object or a list, as `jp` finds them: no result, but what `jp`, `len` and `[…]` look into.
    Json(Arc<serde_json::Value>),
}

impl From<Cell> for Value {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Null | Cell::Json(_) => Self::Null,
            Cell::Boolean(truth) => Self::Boolean(truth),
            Cell::Integer(number) => Self::Integer(number),
            Cell::Double(number) => Self::from(number),
            Cell::Text(text) => Self::String(text),
        }
    }
}

impl From<&Value> for Cell {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Boolean(truth) => Self::Boolean(*truth),
            Value::Integer(number) => Self::Integer(*number),
            Value::Double(number) => Self::number(*number),
            Value::String(text) => Self::Text(text.clone()),
        }
    }
}

impl Cell {
    /// A decimal; what is not finite is no value.
    pub fn number(number: f64) -> Self {
        if number.is_finite() { Self::Double(number) } else { Self::Null }
    }

    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            _ => None,
        }
    }

    /// A number without a fraction, exactly.
    pub fn as_whole(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Double(_) => match Value::from(self.clone()).coerce(crate::ValueType::Integer) {
                Some(Value::Integer(number)) => Some(number),
                _ => None,
            },
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(truth) => Some(*truth),
            _ => None,
        }
    }

    pub fn truth(truth: Option<bool>) -> Self {
        truth.map_or(Self::Null, Self::Boolean)
    }

    /// The order of two values of one type; none if there is none.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Self::Integer(a), Self::Integer(b)) => Some(a.cmp(b)),
            _ => self.as_f64()?.partial_cmp(&other.as_f64()?),
        }
    }

    /// Whether a formula takes it for true: not 0, no empty text, no empty list, not nothing.
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Boolean(truth) => *truth,
            Self::Integer(number) => *number != 0,
            Self::Double(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Json(json) => json.as_array().is_none_or(|list| !list.is_empty()),
        }
    }
}

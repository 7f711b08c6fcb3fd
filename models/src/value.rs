//! Time, quality, value: what a sample is made of.

use crate::{SeriesId, TagId, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// The first number beyond the whole ones an integer holds.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// One value of a property.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// No value: a failed read, or a computation without a result.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A finite decimal number.
    Double(f64),
    /// A text.
    String(Arc<str>),
}

/// The type of a property's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// A decimal number.
    Double,
    /// A text.
    String,
}

/// How far a value may be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quality {
    /// The value is what the device measured.
    Good,
    /// The value may be old or outside its range.
    Uncertain,
    /// The value must not be used.
    Bad,
}

/// The original status code of the protocol; 0 is good. OPC UA codes are kept as they are (OPC 10000-4 section 7.39).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatusCode(pub u32);

impl StatusCode {
    /// Good.
    pub const GOOD: Self = Self(0);
    /// The source is not connected (OPC UA BadNotConnected).
    pub const NOT_CONNECTED: Self = Self(0x808A_0000);
    /// The device did not answer in time (OPC UA BadTimeout).
    pub const TIMEOUT: Self = Self(0x800A_0000);
    /// The device refused the read (OPC UA BadDeviceFailure).
    pub const DEVICE_FAILURE: Self = Self(0x808B_0000);
    /// The value could not be decoded (OPC UA BadDecodingError).
    pub const DECODING_ERROR: Self = Self(0x8007_0000);
    /// A computation had no result (OPC UA BadNoData).
    pub const NO_DATA: Self = Self(0x809B_0000);
    /// The last value is too old (OPC UA UncertainLastUsableValue).
    pub const STALE: Self = Self(0x4090_0000);
    /// The value is outside its engineering range (OPC UA UncertainEngineeringUnitsExceeded).
    pub const OUT_OF_RANGE: Self = Self(0x4094_0000);

    /// The class of an OPC UA status code: its two highest bits.
    pub fn quality(self) -> Quality {
        match self.0 >> 30 {
            0 => Quality::Good,
            1 => Quality::Uncertain,
            _ => Quality::Bad,
        }
    }
}

/// Time, quality and value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tqv {
    /// When the value was true, by the device's clock where it has one.
    pub time: Timestamp,
    /// How far it may be trusted.
    pub quality: Quality,
    /// The protocol's own status code.
    pub status: StatusCode,
    /// The value; `Null` when there is none.
    pub value: Value,
}

/// One reading of a tag, as a collector delivers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The tag that was read.
    pub tag: TagId,
    /// What was read.
    pub tqv: Tqv,
}

/// One TQV of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The series it belongs to.
    pub series: SeriesId,
    /// The value in time.
    pub tqv: Tqv,
}

impl Tqv {
    /// A good value.
    pub fn good(time: Timestamp, value: Value) -> Self {
        Self { time, quality: Quality::Good, status: StatusCode::GOOD, value }
    }

    /// A failed read: Bad, without a value, with the reason as status code.
    pub fn bad(time: Timestamp, status: StatusCode) -> Self {
        Self { time, quality: Quality::Bad, status, value: Value::Null }
    }
}

/// Relative difference of decimal numbers that single precision on the wire explains.
const SINGLE_PRECISION: f64 = 1e-6;

impl Value {
    /// Whether a device that was given this value shows it: decimal numbers may have lost what single precision loses.
    pub fn is_shown_by(&self, reading: &Self) -> bool {
        match (reading, self) {
            (Self::Double(_), Self::Double(_) | Self::Integer(_)) | (Self::Integer(_), Self::Double(_)) => {
                let (reading, written) = (reading.as_f64().unwrap_or(f64::NAN), self.as_f64().unwrap_or(f64::NAN));
                (reading - written).abs() <= SINGLE_PRECISION * written.abs()
            }
            _ => reading == self,
        }
    }

    /// The value as a number: booleans are 0 and 1, texts are none.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Double(number) => Some(*number),
            Self::Integer(number) => Some(*number as f64),
            Self::Boolean(truth) => Some(f64::from(u8::from(*truth))),
            Self::Null | Self::String(_) => None,
        }
    }

    /// The value as a truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The value's own type; none for `Null`.
    pub fn value_type(&self) -> Option<ValueType> {
        match self {
            Self::Null => None,
            Self::Boolean(_) => Some(ValueType::Boolean),
            Self::Integer(_) => Some(ValueType::Integer),
            Self::Double(_) => Some(ValueType::Double),
            Self::String(_) => Some(ValueType::String),
        }
    }

    /// The value stored under a property type. A whole double fits an integer, a number fits a boolean when it is 0 or 1;
    /// `None` means the value does not fit and must be kept as Bad data.
    pub fn coerce(self, to: ValueType) -> Option<Self> {
        match (self, to) {
            (Self::Null, _) => Some(Self::Null),
            (Self::Double(number), ValueType::Integer) => {
                // 2^63 as a double is exact; the range check keeps the cast exact as well.
                let whole = number.fract() == 0.0 && (-TWO_TO_63..TWO_TO_63).contains(&number);
                whole.then_some(Self::Integer(number as i64))
            }
            (Self::Integer(number), ValueType::Double) => Some(Self::Double(number as f64)),
            (Self::Boolean(truth), ValueType::Integer) => Some(Self::Integer(i64::from(truth))),
            (Self::Boolean(truth), ValueType::Double) => Some(Self::Double(f64::from(u8::from(truth)))),
            (Self::Integer(number @ (0 | 1)), ValueType::Boolean) => Some(Self::Boolean(number == 1)),
            (Self::Double(number), ValueType::Boolean) if number == 0.0 || number == 1.0 => Some(Self::Boolean(number == 1.0)),
            (value, to) => (value.value_type() == Some(to)).then_some(value),
        }
    }
}

impl From<f64> for Value {
    /// Non-finite numbers are no value.
    fn from(number: f64) -> Self {
        if number.is_finite() { Self::Double(number) } else { Self::Null }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Boolean(truth)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(truth) => truth.fmt(f),
            Self::Integer(number) => number.fmt(f),
            Self::Double(number) => number.fmt(f),
            Self::String(text) => text.fmt(f),
        }
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::Uncertain => "uncertain",
            Self::Bad => "bad",
        })
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::String => "string",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_by_its_single_precision_form_and_by_no_other() {
        let written = Value::Double(82.1);
        assert!(written.is_shown_by(&Value::Double(f64::from(82.1_f32))));
        assert!(!written.is_shown_by(&Value::Double(82.11)));
        assert!(!written.is_shown_by(&Value::Null));
        assert!(Value::Double(3.0).is_shown_by(&Value::Integer(3)));
        assert!(!Value::Integer(3).is_shown_by(&Value::Integer(4)));
    }
}

//! Values of fields.

use super::{
    number::{double, integer},
    series_key::{text, unescape},
};
use andon_models::Value;

/// A value as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldValue<'a> {
    /// A decimal number: `1`, `1.5`, `-2e-3`.
    Double(f64),
    /// A whole number: `1i`.
    Integer(i64),
    /// A whole number that is not negative: `1u`.
    Unsigned(u64),
    /// `t`, `T`, `true`, `True`, `TRUE`, `f`, `F`, `false`, `False`, `FALSE`.
    Boolean(bool),
    /// A text, what stands between its quotation marks, still with its escapes.
    String(&'a [u8]),
}

impl FieldValue<'_> {
    /// The value itself.
    ///
    /// # Errors
    /// When it does not fit the plant's values.
    pub fn value(&self) -> Result<Value, &'static str> {
        Ok(match self {
            Self::Double(number) => Value::Double(*number),
            Self::Integer(number) => Value::Integer(*number),
            Self::Unsigned(number) => Value::Integer(i64::try_from(*number).map_err(|_| "a number above 2^63 - 1")?),
            Self::Boolean(truth) => Value::Boolean(*truth),
            Self::String(written) => Value::String(unescape(text(written)?, &['"', '\\']).as_ref().into()),
        })
    }
}

/// A value without quotation marks.
pub fn plain(text: &[u8]) -> Result<FieldValue<'_>, &'static str> {
    let Some((last, digits)) = text.split_last() else { return Err("missing field value") };
    match (last, text[0]) {
        (b'i', _) => integer(digits).map(FieldValue::Integer).ok_or("invalid integer"),
        (b'u', _) => unsigned(digits).map(FieldValue::Unsigned).ok_or("invalid unsigned integer"),
        (_, b'0'..=b'9' | b'-' | b'.') => double(text).map(FieldValue::Double).ok_or("invalid number"),
        _ => match text {
            b"t" | b"T" | b"true" | b"True" | b"TRUE" => Ok(FieldValue::Boolean(true)),
            b"f" | b"F" | b"false" | b"False" | b"FALSE" => Ok(FieldValue::Boolean(false)),
            _ => Err(
                "invalid value: a text stands in quotation marks, a truth value is true or false, anything else is a number",
            ),
        },
    }
}

fn unsigned(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

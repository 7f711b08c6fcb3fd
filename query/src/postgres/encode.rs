//! Rows of Arrow batches as PostgreSQL's DataRow messages, in text or binary.
//!
//! Source: PostgreSQL 15 manual, 55.7 "Message Formats"; binary forms are those of the server's `*send` functions.

use super::{
    types::{Type, plain_columns},
    wire::put_field,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::{
        DataType, Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType,
        Time64MicrosecondType, TimestampMicrosecondType,
    },
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};
use bytes::{BufMut, BytesMut};
use std::fmt::Write;

/// Microseconds from 1970, where Arrow counts from, to 2000, where PostgreSQL does.
pub const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// The same in days.
pub const EPOCH_DAYS: i32 = 10_957;

/// A batch whose rows can be encoded.
pub struct Rows {
    columns: Vec<ArrayRef>,
    count: usize,
}

impl Rows {
    /// Makes the columns of a batch ready.
    ///
    /// # Errors
    /// When a number does not fit.
    pub fn new(batch: &RecordBatch) -> Result<Self, ArrowError> {
        Ok(Self { columns: plain_columns(batch)?, count: batch.num_rows() })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Writes a row as a message.
    ///
    /// # Errors
    /// When a value cannot be written as text.
    pub fn encode(&self, row: usize, formats: &[i16], out: &mut BytesMut) -> Result<(), ArrowError> {
        out.put_u8(b'D');
        let start = out.len();
        out.put_i32(0);
        out.put_i16(i16::try_from(self.columns.len()).unwrap_or(i16::MAX));
        for (index, column) in self.columns.iter().enumerate() {
            if column.is_null(row) || *column.data_type() == DataType::Null {
                out.put_i32(-1);
                continue;
            }
            let mut failed = None;
            let binary = format(formats, index) == 1;
            put_field(out, |out| {
                let written = if binary { put_binary(column, row, out) } else { put_text(column, row, out) };
                failed = written.err();
            });
            if let Some(error) = failed {
                return Err(error);
            }
        }
        let length = i32::try_from(out.len() - start).unwrap_or(i32::MAX);
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

/// The form of a column or parameter: none named means text, one is for all.
pub fn format(formats: &[i16], index: usize) -> i16 {
    match formats {
        [] => 0,
        [one] => *one,
        many => many.get(index).copied().unwrap_or(0),
    }
}

fn put_text(column: &ArrayRef, row: usize, out: &mut BytesMut) -> Result<(), ArrowError> {
    match column.data_type() {
        DataType::Boolean => out.put_u8(if column.as_boolean().value(row) { b't' } else { b'f' }),
        DataType::Utf8 => out.put_slice(column.as_string::<i32>().value(row).as_bytes()),
        DataType::Float32 => put_float(column.as_primitive::<Float32Type>().value(row), out),
        DataType::Float64 => put_float(column.as_primitive::<Float64Type>().value(row), out),
        DataType::Int64 => show(out, column.as_primitive::<Int64Type>().value(row)),
        DataType::Timestamp(_, zone) => {
            put_time(column.as_primitive::<TimestampMicrosecondType>().value(row), out);
            out.put_slice(if zone.is_some() { b"+00" } else { b"" });
        }
        DataType::Interval(_) => {
            let span = column.as_primitive::<IntervalMonthDayNanoType>().value(row);
            put_interval(span.months, span.days, span.nanoseconds / 1_000, out);
        }
        DataType::Binary => {
            out.put_slice(b"\\x");
            column.as_binary::<i32>().value(row).iter().for_each(|byte| show(out, format_args!("{byte:02x}")));
        }
        DataType::List(_) => put_list_text(&column.as_list::<i32>().value(row), out)?,
        _ => show(out, ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default())?.value(row)),
    }
    Ok(())
}

/// Writing to memory cannot fail.
fn show(out: &mut BytesMut, value: impl std::fmt::Display) {
    let _ = write!(out, "{value}");
}

fn put_binary(column: &ArrayRef, row: usize, out: &mut BytesMut) -> Result<(), ArrowError> {
    match column.data_type() {
        DataType::Boolean => out.put_u8(column.as_boolean().value(row).into()),
        DataType::Int16 => out.put_i16(column.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => out.put_i32(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => out.put_i64(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => out.put_f32(column.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => out.put_f64(column.as_primitive::<Float64Type>().value(row)),
        DataType::Timestamp(..) => {
            out.put_i64(column.as_primitive::<TimestampMicrosecondType>().value(row).saturating_sub(EPOCH_MICROS));
        }
        DataType::Date32 => out.put_i32(column.as_primitive::<Date32Type>().value(row).saturating_sub(EPOCH_DAYS)),
        DataType::Time64(_) => out.put_i64(column.as_primitive::<Time64MicrosecondType>().value(row)),
        DataType::Interval(_) => {
            let span = column.as_primitive::<IntervalMonthDayNanoType>().value(row);
            out.put_i64(span.nanoseconds / 1_000);
            out.put_i32(span.days);
            out.put_i32(span.months);
        }
        DataType::Binary => out.put_slice(column.as_binary::<i32>().value(row)),
        DataType::List(_) => put_list_binary(&column.as_list::<i32>().value(row), out)?,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            let text = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default())?.value(row).to_string();
            put_numeric(&text, out);
        }
        // Text is the same in both forms.
        _ => put_text(column, row, out)?,
    }
    Ok(())
}

fn put_float(number: impl Into<f64> + std::fmt::Display + Copy, out: &mut BytesMut) {
    let wide: f64 = number.into();
    match wide {
        _ if wide.is_nan() => out.put_slice(b"NaN"),
        f64::INFINITY => out.put_slice(b"Infinity"),
        f64::NEG_INFINITY => out.put_slice(b"-Infinity"),
        _ if wide != 0.0 && !(1e-5..1e15).contains(&wide.abs()) => {
            let text = format!("{wide:e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
            show(out, format_args!("{digits}e{sign}{exponent:0>2}"));
        }
        _ => show(out, number),
    }
}

/// `2026-01-31 12:00:00.25`, the ISO style.
fn put_time(micros: i64, out: &mut BytesMut) {
    let Some(time) = arrow::temporal_conversions::timestamp_us_to_datetime(micros) else {
        return out.put_slice(if micros < 0 { b"-infinity" } else { b"infinity" });
    };
    let text = time.format("%Y-%m-%d %H:%M:%S%.6f").to_string();
    out.put_slice(text.trim_end_matches('0').trim_end_matches('.').as_bytes());
}

fn put_interval(months: i32, days: i32, micros: i64, out: &mut BytesMut) {
    let mut parts = Vec::new();
    if months / 12 != 0 {
        parts.push(format!("{} years", months / 12));
    }
    if months % 12 != 0 {
        parts.push(format!("{} mons", months % 12));
    }
    if days != 0 {
        parts.push(format!("{days} days"));
    }
    if micros != 0 || parts.is_empty() {
        let (sign, all) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
        let (seconds, fraction) = (all / 1_000_000, all % 1_000_000);
        let clock = format!("{sign}{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:06}").trim_end_matches('0').to_owned() };
        parts.push(clock + &fraction);
    }
    out.put_slice(parts.join(" ").as_bytes());
}

fn put_list_text(items: &ArrayRef, out: &mut BytesMut) -> Result<(), ArrowError> {
    out.put_u8(b'{');
    for index in 0..items.len() {
        if index > 0 {
            out.put_u8(b',');
        }
        if items.is_null(index) {
            out.put_slice(b"NULL");
            continue;
        }
        let mut item = BytesMut::new();
        put_text(items, index, &mut item)?;
        let quoted = matches!(items.data_type(), DataType::Utf8 | DataType::Timestamp(..) | DataType::List(_));
        let needed = quoted && (item.is_empty() || item.iter().any(|byte| b"{},\"\\ ".contains(byte)) || &item[..] == b"NULL");
        if !needed {
            out.put_slice(&item);
            continue;
        }
        out.put_u8(b'"');
        for byte in item {
            if byte == b'"' || byte == b'\\' {
                out.put_u8(b'\\');
            }
            out.put_u8(byte);
        }
        out.put_u8(b'"');
    }
    out.put_u8(b'}');
    Ok(())
}

fn put_list_binary(items: &ArrayRef, out: &mut BytesMut) -> Result<(), ArrowError> {
    let count = i32::try_from(items.len()).unwrap_or(i32::MAX);
    out.put_i32((count > 0).into());
    out.put_i32((items.null_count() > 0).into());
    let item = match super::types::pg_type(items.data_type()) {
        known @ (Type::BOOL | Type::INT2 | Type::INT4 | Type::INT8 | Type::FLOAT4 | Type::FLOAT8 | Type::TIMESTAMPTZ) => known,
        _ => Type::TEXT,
    };
    out.put_u32(item.oid());
    if count == 0 {
        return Ok(());
    }
    out.put_i32(count);
    out.put_i32(1);
    for index in 0..items.len() {
        if items.is_null(index) {
            out.put_i32(-1);
            continue;
        }
        let mut failed = None;
        put_field(out, |out| {
            let written = if item == Type::TEXT { put_text(items, index, out) } else { put_binary(items, index, out) };
            failed = written.err();
        });
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(())
}

/// A decimal number in groups of four digits.
fn put_numeric(text: &str, out: &mut BytesMut) {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.trim_start_matches('0');
    let padded = format!("{}{whole}", "0".repeat((4 - whole.len() % 4) % 4));
    let weight = i16::try_from(padded.len() / 4).unwrap_or(i16::MAX) - 1;
    let digits = format!("{padded}{fraction}{}", "0".repeat((4 - fraction.len() % 4) % 4));
    let groups: Vec<i16> =
        digits.as_bytes().chunks(4).map(|four| four.iter().fold(0, |n, d| n * 10 + i16::from(d - b'0'))).collect();
    out.put_i16(i16::try_from(groups.len()).unwrap_or(i16::MAX));
    out.put_i16(weight);
    out.put_u16(if negative { 0x4000 } else { 0 });
    out.put_u16(u16::try_from(fraction.len()).unwrap_or(u16::MAX));
    groups.into_iter().for_each(|group| out.put_i16(group));
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Decimal128Array, DictionaryArray, Float64Array, StringArray, TimestampNanosecondArray};
    use std::sync::Arc;

    fn text(column: ArrayRef) -> Vec<String> {
        let rows = Rows::new(&RecordBatch::try_from_iter([("c", column)]).unwrap()).unwrap();
        (0..rows.len())
            .map(|row| {
                let mut out = BytesMut::new();
                rows.encode(row, &[], &mut out).unwrap();
                String::from_utf8(out[11..].to_vec()).unwrap()
            })
            .collect()
    }

    #[test]
    fn values_read_as_postgres_writes_them() {
        let numbers = [1.0, -0.5, 1e21, 1.5e-7, f64::NAN, f64::NEG_INFINITY, 123456.789];
        assert_eq!(
            text(Arc::new(Float64Array::from(numbers.to_vec()))),
            ["1", "-0.5", "1e+21", "1.5e-07", "NaN", "-Infinity", "123456.789"]
        );
        let times =
            TimestampNanosecondArray::from(vec![1_767_225_600_000_000_000, 1_767_225_600_250_000_000]).with_timezone("UTC");
        assert_eq!(text(Arc::new(times)), ["2026-01-01 00:00:00+00", "2026-01-01 00:00:00.25+00"]);
        let words: DictionaryArray<Int32Type> = ["a", "b", "a"].into_iter().collect();
        assert_eq!(text(Arc::new(words)), ["a", "b", "a"]);
    }

    #[test]
    fn decimals_are_groups_of_four_digits() {
        let numbers = Decimal128Array::from(vec![1_234_567_i128, -5]).with_precision_and_scale(10, 2).unwrap();
        let rows = Rows::new(&RecordBatch::try_from_iter([("c", Arc::new(numbers) as ArrayRef)]).unwrap()).unwrap();
        let mut out = BytesMut::new();
        rows.encode(0, &[1], &mut out).unwrap();
        // 12345.67 = 1 · 10000 + 2345 + 6700/10000
        assert_eq!(&out[11..], [0, 3, 0, 1, 0, 0, 0, 2, 0, 1, 0x09, 0x29, 0x1a, 0x2c]);
        assert_eq!(text(Arc::new(StringArray::from(vec![""]))), [""]);
    }
}

//! One record of the log: a batch in bytes, with a number, a length and a checksum.
//!
//! ```text
//! magic "ANDR" | length u32 | CRC-32C u32 of all that follows | number u64 | payload
//! ```
//! All numbers are little-endian. The magic lets recovery find the next record behind a damaged one.

use crate::{Batch, DataStream};
use andon_models::{Point, Quality, SeriesId, StatusCode, Timestamp, Tqv, Value, ValueType, event::Event};

/// First bytes of every record.
pub const MAGIC: [u8; 4] = *b"ANDR";
/// Bytes before the payload: magic, length, checksum, number.
pub const HEADER: usize = 20;
/// Largest payload: bounds memory of recovery, and tells a damaged length from a real one.
pub const MAX_PAYLOAD: usize = 64 << 20;

/// What stands at a place of the log.
#[derive(Debug, PartialEq)]
pub enum Found {
    /// A whole record and the bytes it takes.
    Record {
        /// Its number.
        number: u64,
        /// Its payload.
        payload: std::ops::Range<usize>,
        /// Where the next one begins.
        next: usize,
    },
    /// Nothing more.
    End,
    /// Bytes that are no record.
    Damaged,
}

/// Writes a record.
pub fn encode(number: u64, batch: &Batch, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&number.to_le_bytes());
    encode_payload(batch, out);
    let length = u32::try_from(out.len() - start - HEADER).unwrap_or(u32::MAX);
    out[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32c::crc32c(&out[start + 12..]);
    out[start + 8..start + 12].copy_from_slice(&checksum.to_le_bytes());
}

/// Looks at what stands at `at`.
pub fn find(bytes: &[u8], at: usize) -> Found {
    let rest = &bytes[at.min(bytes.len())..];
    if rest.is_empty() {
        return Found::End;
    }
    if rest.len() < HEADER || rest[..4] != MAGIC {
        return Found::Damaged;
    }
    let word = |from: usize| u32::from_le_bytes([rest[from], rest[from + 1], rest[from + 2], rest[from + 3]]);
    let length = word(4) as usize;
    if length > MAX_PAYLOAD || rest.len() < HEADER + length || crc32c::crc32c(&rest[12..HEADER + length]) != word(8) {
        return Found::Damaged;
    }
    let number = u64::from(word(12)) | u64::from(word(16)) << 32;
    Found::Record { number, payload: at + HEADER..at + HEADER + length, next: at + HEADER + length }
}

fn encode_payload(batch: &Batch, out: &mut Vec<u8>) {
    put_length(out, batch.points.len());
    for point in &batch.points {
        out.extend_from_slice(&point.series.0.to_le_bytes());
        out.extend_from_slice(&point.tqv.time.as_nanos().to_le_bytes());
        out.push(quality_code(point.tqv.quality));
        out.extend_from_slice(&point.tqv.status.0.to_le_bytes());
        encode_value(&point.tqv.value, out);
    }
    put_length(out, batch.events.len());
    for event in &batch.events {
        put_bytes(out, &serde_json::to_vec(event).expect("an event is plain data"));
    }
    put_length(out, batch.keep.len());
    for (key, document) in &batch.keep {
        put_bytes(out, key.as_bytes());
        put_bytes(out, document);
    }
    // Left out when there are none, as in records of before there were streams.
    if !batch.streams.is_empty() {
        put_length(out, batch.streams.len());
        for stream in &batch.streams {
            out.extend_from_slice(&stream.series.0.to_le_bytes());
            out.push(type_code(stream.value_type));
            put_bytes(out, stream.alias.as_bytes());
            put_bytes(out, stream.unit.as_bytes());
        }
    }
}

fn type_code(value_type: ValueType) -> u8 {
    match value_type {
        ValueType::Boolean => 1,
        ValueType::Integer => 2,
        ValueType::Double => 3,
        ValueType::String => 4,
    }
}

fn encode_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0),
        Value::Boolean(truth) => out.extend_from_slice(&[1, u8::from(*truth)]),
        Value::Integer(number) => {
            out.push(2);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Double(number) => {
            out.push(3);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::String(text) => {
            out.push(4);
            put_bytes(out, text.as_bytes());
        }
    }
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// The code of a quality on disk: 0 good, 1 uncertain, 2 bad.
pub fn quality_code(quality: Quality) -> u8 {
    match quality {
        Quality::Good => 0,
        Quality::Uncertain => 1,
        Quality::Bad => 2,
    }
}

/// The quality of a code; anything unknown is bad.
pub fn quality_of(code: u8) -> Quality {
    match code {
        0 => Quality::Good,
        1 => Quality::Uncertain,
        _ => Quality::Bad,
    }
}

/// Reads a payload back; none if it was written by something else.
pub fn decode(payload: &[u8]) -> Option<Batch> {
    let mut reader = Reader { rest: payload };
    let mut batch = Batch::default();
    for _ in 0..reader.length()? {
        let series = SeriesId(reader.length()?);
        let time = Timestamp::from_nanos(i64::from_le_bytes(reader.array()?));
        let quality = quality_of(reader.array::<1>()?[0]);
        let status = StatusCode(reader.length()?);
        let value = reader.value()?;
        batch.points.push(Point { series, tqv: Tqv { time, quality, status, value } });
    }
    for _ in 0..reader.length()? {
        batch.events.push(serde_json::from_slice::<Event>(reader.bytes()?).ok()?);
    }
    for _ in 0..reader.length()? {
        let key = String::from_utf8(reader.bytes()?.to_vec()).ok()?;
        batch.keep.push((key, reader.bytes()?.to_vec()));
    }
    let streams = if reader.rest.is_empty() { 0 } else { reader.length()? };
    for _ in 0..streams {
        batch.streams.push(reader.stream()?);
    }
    reader.rest.is_empty().then_some(batch)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn length(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length as usize)
    }

    fn stream(&mut self) -> Option<DataStream> {
        let series = SeriesId(self.length()?);
        let value_type = match self.array::<1>()?[0] {
            1 => ValueType::Boolean,
            2 => ValueType::Integer,
            3 => ValueType::Double,
            4 => ValueType::String,
            _ => return None,
        };
        let alias = std::str::from_utf8(self.bytes()?).ok()?.into();
        Some(DataStream { series, alias, value_type, unit: std::str::from_utf8(self.bytes()?).ok()?.into() })
    }

    fn value(&mut self) -> Option<Value> {
        Some(match self.array::<1>()?[0] {
            0 => Value::Null,
            1 => Value::Boolean(self.array::<1>()?[0] != 0),
            2 => Value::Integer(i64::from_le_bytes(self.array()?)),
            3 => Value::Double(f64::from_le_bytes(self.array()?)),
            4 => Value::String(std::str::from_utf8(self.bytes()?).ok()?.into()),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Boolean),
            any::<i64>().prop_map(Value::Integer),
            (-1e12..1e12_f64).prop_map(Value::Double),
            "[a-zäß ]{0,12}".prop_map(|text| Value::String(text.into())),
        ]
    }

    fn point() -> impl Strategy<Value = Point> {
        (any::<u32>(), any::<i64>(), 0..3_u8, any::<u32>(), value()).prop_map(|(series, time, quality, status, value)| Point {
            series: SeriesId(series),
            tqv: Tqv { time: Timestamp::from_nanos(time), quality: quality_of(quality), status: StatusCode(status), value },
        })
    }

    fn stream() -> impl Strategy<Value = DataStream> {
        let types = [ValueType::Boolean, ValueType::Integer, ValueType::Double, ValueType::String];
        (any::<u32>(), "[a-zäß/ ]{1,12}", prop::sample::select(types.to_vec()), "[a-z°]{0,3}").prop_map(
            |(series, alias, value_type, unit)| DataStream {
                series: SeriesId(series),
                alias: alias.into(),
                value_type,
                unit: unit.into(),
            },
        )
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            points in prop::collection::vec(point(), 0..20),
            streams in prop::collection::vec(stream(), 0..4),
            number in any::<u64>(),
        ) {
            let batch = Batch { points, streams, events: Vec::new(), keep: vec![("key".into(), vec![1, 2, 3])] };
            let mut bytes = Vec::new();
            encode(number, &batch, &mut bytes);
            let Found::Record { number: found, payload, next } = find(&bytes, 0) else { panic!("a record was written") };
            prop_assert_eq!((found, next), (number, bytes.len()));
            let read = decode(&bytes[payload]).unwrap();
            prop_assert_eq!((read.points, read.keep, read.streams), (batch.points, batch.keep, batch.streams));
        }

        #[test]
        fn a_flipped_bit_is_noticed(points in prop::collection::vec(point(), 1..5), place in any::<prop::sample::Index>(), bit in 0..8) {
            let mut bytes = Vec::new();
            encode(7, &Batch { points, ..Batch::default() }, &mut bytes);
            let place = place.index(bytes.len());
            bytes[place] ^= 1_u8 << bit;
            prop_assert_eq!(find(&bytes, 0), Found::Damaged);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = find(&bytes, 0);
            let _ = decode(&bytes);
        }
    }
}

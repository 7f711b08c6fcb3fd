//! From lines to points: which series a field belongs to, and what it is worth.
//!
//! The first line with some measurement and tags is taken apart and its series looked up; from then on its bytes are known. A line
//! goes in whole or not at all.

use super::{Intake, LineRefusal, Refusal, refusal::MAX_TOLD};
use crate::line_protocol::{Field, Line, Lines, SeriesKey, field_key};
use andon_models::{Point, Timestamp, Tqv, Value, admission::admit};
use andon_query::{Historian, QueryError, Target};
use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

/// Bytes of known keys; beyond them all are forgotten, which costs only the time to look them up again.
const MAX_KNOWN_BYTES: usize = 96 << 20;
/// What a known field takes beside its name, about.
const FIELD_OVERHEAD: usize = 48;
/// What a known key takes beside its bytes, about.
const KEY_OVERHEAD: usize = 64;

/// The tag that names an asset.
const ASSET: &str = "asset";

/// The unit of time stamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Precision {
    #[default]
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
}

impl Precision {
    /// By the names InfluxDB 1.x and 2.x give it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "" | "ns" | "n" => Self::Nanoseconds,
            "us" | "u" | "µ" => Self::Microseconds,
            "ms" => Self::Milliseconds,
            "s" => Self::Seconds,
            "m" => Self::Minutes,
            "h" => Self::Hours,
            _ => return None,
        })
    }

    fn nanos(self) -> i64 {
        match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
            Self::Minutes => 60_000_000_000,
            Self::Hours => 3_600_000_000_000,
        }
    }

    fn instant(self, time: i64) -> Result<Timestamp, String> {
        let nanos = time.checked_mul(self.nanos());
        nanos.map(Timestamp::from_nanos).ok_or_else(|| {
            format!("the time {time} lies outside the years 1677 to 2262; does `precision` fit the unit of the time stamps?")
        })
    }
}

/// The series of keys that were written before.
#[derive(Debug, Default)]
pub(crate) struct Known(RwLock<Keys>);

/// The fields of a key, by name as written, in the order in which they came first.
type Fields = Vec<(Box<[u8]>, Target)>;

#[derive(Debug, Default)]
struct Keys {
    fields: HashMap<Box<[u8]>, Fields, foldhash::fast::RandomState>,
    bytes: usize,
}

/// Stores the lines of a body.
///
/// # Errors
/// Which lines were refused, or why the rest was not stored.
pub(crate) async fn write_lines(
    historian: &Historian,
    known: &Known,
    mut intake: Intake<'_>,
    text: &[u8],
    precision: Precision,
    now: Timestamp,
) -> Result<(), Refusal> {
    let (mut lines, mut fields, mut targets) = (Lines::new(text), Vec::new(), Vec::new());
    let (mut refused, mut dropped, mut taken) = (Vec::new(), 0, 0);
    while let Some(line) = lines.next_line(&mut fields) {
        let from = intake.points.len();
        let (number, outcome) = match line {
            Err(error) => (error.number, Err(format!("{} in {}", error.reason, shown(error.line)))),
            Ok(line) => {
                let points = known.points(historian, &line, &fields, precision, now, &mut targets, &mut intake.points);
                (line.number, points.map_err(|reason| format!("{reason} in {}", shown(lines.last()))))
            }
        };
        match outcome {
            Ok(()) => {
                taken += 1;
                intake.added(from).await?;
            }
            Err(reason) => {
                intake.points.truncate(from);
                dropped += 1;
                if refused.len() < MAX_TOLD {
                    refused.push(LineRefusal { line: number, reason });
                }
            }
        }
    }
    intake.finish().await?;
    if dropped > 0 { Err(Refusal::lines(refused, dropped, taken)) } else { Ok(()) }
}

/// A line as it is told: the beginning of a long one.
fn shown(line: &[u8]) -> String {
    const MOST: usize = 120;
    let text = String::from_utf8_lossy(line);
    let mut start: String = text.chars().take(MOST).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("{start:?}")
}

impl Known {
    /// The points of a line.
    #[expect(clippy::too_many_arguments, reason = "one call site; the rest are places that are used again for the next line")]
    fn points(
        &self,
        historian: &Historian,
        line: &Line<'_>,
        fields: &[Field<'_>],
        precision: Precision,
        now: Timestamp,
        targets: &mut Vec<Target>,
        points: &mut Vec<Point>,
    ) -> Result<(), String> {
        let time = line.time.map_or(Ok(now), |time| precision.instant(time))?;
        admit(time, now).map_err(|refusal| format!("the time {time} is {refusal}"))?;
        targets.clear();
        if !self.look_up(line.key, fields, targets) {
            targets.clear();
            self.learn(historian, line.key, fields, targets)?;
        }
        for (field, target) in fields.iter().zip(targets.iter()) {
            let value = field.value.value()?;
            let value = match target.accept(value.clone()) {
                Some(value) => value,
                None => return Err(clash(field, &value, target)),
            };
            points.push(Point { series: target.series, tqv: Tqv::good(time, value) });
        }
        Ok(())
    }

    /// The targets of a key that was written before; false if one is missing.
    fn look_up(&self, key: &[u8], fields: &[Field<'_>], targets: &mut Vec<Target>) -> bool {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = keys.fields.get(key) else { return false };
        for (at, field) in fields.iter().enumerate() {
            // Writers repeat their fields in the same order.
            let same = known.get(at).filter(|(name, _)| **name == *field.key);
            match same.or_else(|| known.iter().find(|(name, _)| **name == *field.key)) {
                Some((_, target)) => targets.push(*target),
                None => return false,
            }
        }
        true
    }

    /// Finds or makes the series of a line, and remembers them.
    fn learn(
        &self,
        historian: &Historian,
        written: &[u8],
        fields: &[Field<'_>],
        targets: &mut Vec<Target>,
    ) -> Result<(), String> {
        let key = SeriesKey::parse(written)?;
        let asset = key.tag(ASSET).unwrap_or(&key.measurement);
        // What cannot be a value must not make a stream.
        let values: Result<Vec<Value>, &str> = fields.iter().map(|field| field.value.value()).collect();
        for (field, value) in fields.iter().zip(values?) {
            let name = field_key(field.key)?;
            let found = match historian.property_target(asset.trim_start_matches('/'), &name) {
                Ok(None) => {
                    let value_type = value.value_type().ok_or("a field without a value")?;
                    historian.target_or_new(&key.alias(&name), value_type, "")
                }
                Ok(Some(target)) => Ok(target),
                Err(error) => Err(error),
            };
            targets.push(found.map_err(|error: QueryError| error.to_string())?);
        }
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        keys.remember(written, fields, targets);
        Ok(())
    }
}

impl Keys {
    fn remember(&mut self, key: &[u8], fields: &[Field<'_>], targets: &[Target]) {
        if self.bytes > MAX_KNOWN_BYTES {
            *self = Self::default();
        }
        if !self.fields.contains_key(key) {
            self.bytes += key.len() + KEY_OVERHEAD;
        }
        let known = self.fields.entry(key.into()).or_default();
        for (field, target) in fields.iter().zip(targets) {
            if !known.iter().any(|(name, _)| **name == *field.key) {
                known.push((field.key.into(), *target));
                self.bytes += field.key.len() + FIELD_OVERHEAD;
            }
        }
    }
}

fn clash(field: &Field<'_>, value: &Value, target: &Target) -> String {
    let name = String::from_utf8_lossy(field.key);
    let kind = value.value_type().map_or_else(|| "nothing".to_owned(), |kind| kind.to_string());
    format!("field type conflict: {name} is {kind} here, but its series takes {} and cannot change that", target.value_type)
}

//! `time_bucket(width, time [, time zone] [, offset])`: the start of the span an instant lies in.
//!
//! A bucket includes its start and excludes its end, and is named by its start, as in other time-series databases. Metrics count
//! the other way round; see [`super::window_end`]. Buckets are counted from 1970, weeks from a Monday, and in a time zone days and
//! months are those of its calendar, of 23 or 25 hours when clocks change.

use super::{
    arguments::{as_time, instants, nanos, time_type},
    width::{DAY, Width},
};
use arrow::{array::Int64Array, datatypes::DataType};
use datafusion::{
    common::{exec_err, plan_err},
    error::Result,
    logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
        sort_properties::{ExprProperties, SortProperties},
    },
    scalar::ScalarValue,
};
use jiff::{civil::Date, tz::TimeZone};

const NAME: &str = "time_bucket";
const HOUR: i64 = DAY / 24;
/// The first Monday after the Unix epoch, which was a Thursday.
const MONDAY: i64 = 4 * DAY;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TimeBucket {
    signature: Signature,
}

impl Default for TimeBucket {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(time_type())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [_, time, ..] = given else { return plan_err!("{NAME} wants a width and a time: {NAME}('5m', time)") };
        if given.len() > 4 {
            return plan_err!("{NAME} takes a width, a time, a time zone and an offset, not more");
        }
        let mut types = given.to_vec();
        types[1] = as_time(NAME, time)?;
        Ok(types)
    }

    /// Later instants never lie in earlier buckets, so what is sorted by time is sorted by bucket.
    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        Ok(inputs.get(1).map_or(SortProperties::Unordered, |time| time.sort_properties))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [ColumnarValue::Scalar(width), times, extras @ ..] = args.args.as_slice() else {
            return exec_err!("the width of {NAME} is a constant such as '5m' or INTERVAL '1 day', not a column");
        };
        let mut bucketer = Bucketer::new(width, extras)?;
        let starts = |times: &Int64Array, bucketer: &mut Bucketer| -> Int64Array {
            times.iter().map(|time| time.and_then(|time| bucketer.start(time))).collect()
        };
        Ok(match times {
            ColumnarValue::Array(times) => ColumnarValue::Array(instants(starts(&nanos(times)?, &mut bucketer))),
            ColumnarValue::Scalar(time) => {
                let start = instants(starts(&nanos(&time.to_array()?)?, &mut bucketer));
                ColumnarValue::Scalar(ScalarValue::try_from_array(&start, 0)?)
            }
        })
    }
}

/// Finds buckets; remembers the last one, since rows mostly come in the order of time.
struct Bucketer {
    width: Width,
    zone: Option<TimeZone>,
    offset: i64,
    last: Option<(i64, i64)>,
}

impl Bucketer {
    fn new(width: &ScalarValue, extras: &[ColumnarValue]) -> Result<Self> {
        let Some(width) = Width::of(width) else {
            return plan_err!("'{width}' is no width of a bucket: write '5m', '1 day', '1 month' or an INTERVAL of one unit");
        };
        let mut bucketer = Self { width, zone: None, offset: 0, last: None };
        for extra in extras {
            let ColumnarValue::Scalar(value) = extra else {
                return plan_err!("time zone and offset of {NAME} are constants, not columns");
            };
            if let Some(offset) = Width::of(value) {
                let Some(nanos) = offset.nanos() else { return plan_err!("the offset of {NAME} is no month: {value}") };
                bucketer.offset = nanos;
            } else {
                bucketer.zone = Some(zone(value)?);
            }
        }
        if matches!(width, Width::Months(_)) && bucketer.zone.is_none() {
            bucketer.zone = Some(TimeZone::UTC);
        }
        Ok(bucketer)
    }

    /// The start of the bucket of an instant; none at the ends of time.
    fn start(&mut self, time: i64) -> Option<i64> {
        if let Some((start, end)) = self.last
            && (start..end).contains(&time)
        {
            return Some(start);
        }
        let Some(zone) = &self.zone else {
            let anchor = if matches!(self.width, Width::Days(days) if days % 7 == 0) { MONDAY } else { 0 };
            let width = self.width.nanos()?;
            let start = floor(time, width, i128::from(self.offset) + i128::from(anchor))?;
            self.last = start.checked_add(width).map(|end| (start, end));
            return Some(start);
        };
        let shift = i64::from(zone.to_offset(timestamp(time)?).seconds()) * 1_000_000_000;
        let local = time.checked_add(shift)?.checked_sub(self.offset)?;
        let (start, end) = match self.width {
            // An hour that happens twice stays two hours.
            Width::Nanos(nanos) if nanos <= HOUR => {
                return floor(local, nanos, 0)?.checked_add(self.offset)?.checked_sub(shift);
            }
            Width::Nanos(nanos) => {
                let start = floor(local, nanos, 0)?;
                (start, start.checked_add(nanos)?)
            }
            Width::Days(days) => {
                let (anchor, width) = (if days % 7 == 0 { MONDAY } else { 0 }, days.checked_mul(DAY)?);
                let start = floor(local, width, i128::from(anchor))?;
                (start, start.checked_add(width)?)
            }
            Width::Months(months) => {
                let date = timestamp(local)?.to_zoned(TimeZone::UTC).date();
                let month = i64::from(date.year()) * 12 + i64::from(date.month()) - 1;
                let first = month.div_euclid(months) * months;
                (month_start(first)?, month_start(first + months)?)
            }
        };
        let start = instant(zone, start.checked_add(self.offset)?)?;
        self.last = instant(zone, end.checked_add(self.offset)?).map(|end| (start, end));
        Some(start)
    }
}

fn floor(time: i64, width: i64, anchor: i128) -> Option<i64> {
    let width = i128::from(width);
    i64::try_from((i128::from(time) - anchor).div_euclid(width) * width + anchor).ok()
}

fn timestamp(nanos: i64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_nanosecond(i128::from(nanos)).ok()
}

/// Midnight of the first day of a month, counted from year 0, in nanoseconds of local time.
fn month_start(month: i64) -> Option<i64> {
    let year = i16::try_from(month.div_euclid(12)).ok()?;
    let date = Date::new(year, i8::try_from(month.rem_euclid(12) + 1).ok()?, 1).ok()?;
    i64::try_from(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_nanosecond()).ok()
}

/// The instant at which a clock on the wall shows a time; the earlier one when it does so twice.
fn instant(zone: &TimeZone, local: i64) -> Option<i64> {
    let wall = timestamp(local)?.to_zoned(TimeZone::UTC).datetime();
    i64::try_from(zone.to_ambiguous_zoned(wall).compatible().ok()?.timestamp().as_nanosecond()).ok()
}

fn zone(value: &ScalarValue) -> Result<TimeZone> {
    let Some(name) = value.try_as_str().flatten() else {
        return plan_err!("{NAME} wants a time zone such as 'Europe/Berlin' or an offset such as '6h', not {value}");
    };
    match TimeZone::get(name) {
        Ok(zone) => Ok(zone),
        Err(_) => plan_err!("'{name}' is neither a time zone such as 'Europe/Berlin' nor an offset such as '6h'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::Timestamp;

    fn check(width: &str, extras: &[&str], time: &str, expected: &str) {
        let text = |text: &str| ScalarValue::Utf8(Some(text.to_owned()));
        let extras: Vec<_> = extras.iter().map(|extra| ColumnarValue::Scalar(text(extra))).collect();
        let mut bucketer = Bucketer::new(&text(width), &extras).unwrap();
        let time: Timestamp = time.parse().unwrap();
        for _ in 0..2 {
            let start = bucketer.start(time.as_nanos()).map(|start| Timestamp::from_nanos(start).to_string());
            assert_eq!(start.as_deref(), Some(expected), "{width} {extras:?} {time}");
        }
    }

    #[test]
    fn buckets_begin_where_people_expect() {
        check("5m", &[], "2026-03-02T10:05:00Z", "2026-03-02T10:05:00Z");
        check("5m", &[], "2026-03-02T10:04:59.999999999Z", "2026-03-02T10:00:00Z");
        check("5m", &[], "1969-12-31T23:59:59Z", "1969-12-31T23:55:00Z");
        check("1d", &["6h"], "2026-03-02T05:00:00Z", "2026-03-01T06:00:00Z");
        // A Wednesday.
        check("1w", &[], "2026-03-04T12:00:00Z", "2026-03-02T00:00:00Z");
        check("1 month", &[], "2026-03-31T23:59:59Z", "2026-03-01T00:00:00Z");
        check("3 months", &[], "2026-03-31T23:59:59Z", "2026-01-01T00:00:00Z");
    }

    /// Clocks in Berlin went forward on 2026-03-29 and go back on 2026-10-25.
    #[test]
    fn days_and_months_of_a_time_zone_follow_its_clocks() {
        let berlin = "Europe/Berlin";
        check("1 day", &[berlin], "2026-03-29T21:59:59Z", "2026-03-28T23:00:00Z");
        check("1 day", &[berlin], "2026-03-29T22:00:00Z", "2026-03-29T22:00:00Z");
        check("1 day", &[berlin], "2026-10-25T22:59:59Z", "2026-10-24T22:00:00Z");
        check("1 day", &[berlin, "6h"], "2026-03-29T03:59:59Z", "2026-03-28T05:00:00Z");
        check("1 day", &[berlin, "6h"], "2026-03-29T04:00:00Z", "2026-03-29T04:00:00Z");
        check("1 month", &[berlin], "2026-03-31T22:30:00Z", "2026-03-31T22:00:00Z");
        check("1 week", &[berlin], "2026-03-29T12:00:00Z", "2026-03-22T23:00:00Z");
        // The hour from 2 to 3 happens twice.
        check("1h", &[berlin], "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z");
        check("1h", &[berlin], "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z");
        check("4h", &[berlin], "2026-10-25T02:59:00Z", "2026-10-24T22:00:00Z");
        check("4h", &[berlin], "2026-10-25T03:00:00Z", "2026-10-25T03:00:00Z");
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for width in ["1s", "1 week", "1 month", "100 years", "290 years"] {
            for extras in [vec![], vec!["Europe/Berlin"], vec!["Europe/Berlin", "6h"]] {
                let text = |text: &str| ColumnarValue::Scalar(ScalarValue::Utf8(Some(text.to_owned())));
                let extras: Vec<_> = extras.into_iter().map(text).collect();
                let mut bucketer = Bucketer::new(&ScalarValue::Utf8(Some(width.into())), &extras).unwrap();
                for time in [i64::MIN, -1, 0, 1, i64::MAX] {
                    let start = bucketer.start(time);
                    assert!(start.is_none_or(|start| start <= time), "{width} {time} {start:?}");
                }
            }
        }
    }
}

//! How wide a bucket is: a span of nanoseconds, or of days or months of a calendar.

use arrow::array::types::{IntervalDayTime, IntervalMonthDayNano};
use datafusion::scalar::ScalarValue;

/// A width that has a length; days differ from hours in time zones with daylight saving, months everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// So many nanoseconds.
    Nanos(i64),
    /// So many days.
    Days(i64),
    /// So many months.
    Months(i64),
}

const SECOND: i64 = 1_000_000_000;
/// Nanoseconds of a day of 24 hours.
pub const DAY: i64 = 86_400 * SECOND;

const UNITS: [(&[&str], Width); 10] = [
    (&["ns", "nanosecond"], Width::Nanos(1)),
    (&["us", "µs", "microsecond"], Width::Nanos(1_000)),
    (&["ms", "millisecond"], Width::Nanos(1_000_000)),
    (&["s", "sec", "second"], Width::Nanos(SECOND)),
    (&["m", "min", "minute"], Width::Nanos(60 * SECOND)),
    (&["h", "hour"], Width::Nanos(3_600 * SECOND)),
    (&["d", "day"], Width::Days(1)),
    (&["w", "week"], Width::Days(7)),
    (&["mon", "month"], Width::Months(1)),
    (&["y", "year"], Width::Months(12)),
];

impl Width {
    /// Reads `5m`, `1h30m`, `15 minutes`, `1 day`, `3 months`. None when it is nothing like it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let mut total: Option<Self> = None;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let count: i64 = rest[..digits].parse().ok()?;
            rest = rest[digits..].trim_start();
            let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
            let word = rest[..end].to_lowercase();
            let known =
                |name: &&str| *name == word || word.strip_suffix('s').is_some_and(|word| *name == word && word.len() > 2);
            let (_, unit) = UNITS.iter().find(|(names, _)| names.iter().any(known))?;
            total = Some(Self::add(total, unit.times(count)?)?);
            rest = rest[end..].trim_start();
        }
        total.filter(|width| width.is_positive())
    }

    /// Reads an interval or a text.
    pub fn of(value: &ScalarValue) -> Option<Self> {
        match value {
            ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano { months, days, nanoseconds })) => {
                Self::one_of(i64::from(*months), i64::from(*days), *nanoseconds)
            }
            ScalarValue::IntervalDayTime(Some(IntervalDayTime { days, milliseconds })) => {
                Self::one_of(0, i64::from(*days), i64::from(*milliseconds) * 1_000_000)
            }
            ScalarValue::IntervalYearMonth(Some(months)) => Self::one_of(i64::from(*months), 0, 0),
            ScalarValue::DurationNanosecond(Some(nanos)) => Self::one_of(0, 0, *nanos),
            text => Self::parse(text.try_as_str().flatten()?),
        }
    }

    /// Nanoseconds, days being 24 hours; none for months.
    pub fn nanos(self) -> Option<i64> {
        match self {
            Self::Nanos(nanos) => Some(nanos),
            Self::Days(days) => days.checked_mul(DAY),
            Self::Months(_) => None,
        }
    }

    fn one_of(months: i64, days: i64, nanos: i64) -> Option<Self> {
        let width = match (months, days, nanos) {
            (months, 0, 0) if months != 0 => Self::Months(months),
            (0, days, 0) => Self::Days(days),
            (0, days, nanos) => Self::Nanos(days.checked_mul(DAY)?.checked_add(nanos)?),
            _ => return None,
        };
        Some(width).filter(|width| width.is_positive())
    }

    fn is_positive(self) -> bool {
        matches!(self, Self::Nanos(count) | Self::Days(count) | Self::Months(count) if count > 0)
    }

    fn times(self, count: i64) -> Option<Self> {
        Some(match self {
            Self::Nanos(nanos) => Self::Nanos(nanos.checked_mul(count)?),
            Self::Days(days) => Self::Days(days.checked_mul(count)?),
            Self::Months(months) => Self::Months(months.checked_mul(count)?),
        })
    }

    fn add(total: Option<Self>, part: Self) -> Option<Self> {
        Some(match (total, part) {
            (None, part) => part,
            (Some(Self::Months(a)), Self::Months(b)) => Self::Months(a.checked_add(b)?),
            (Some(Self::Days(a)), Self::Days(b)) => Self::Days(a.checked_add(b)?),
            (Some(total), part) => Self::Nanos(total.nanos()?.checked_add(part.nanos()?)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_read_as_people_write_them() {
        for (text, width) in [
            ("5m", Width::Nanos(300 * SECOND)),
            ("1h30m", Width::Nanos(5_400 * SECOND)),
            ("15 minutes", Width::Nanos(900 * SECOND)),
            ("1 day", Width::Days(1)),
            ("2 weeks", Width::Days(14)),
            ("1 Month", Width::Months(1)),
            ("1 year 6 months", Width::Months(18)),
            ("1d 6h", Width::Nanos(30 * 3_600 * SECOND)),
            ("250 ms", Width::Nanos(250_000_000)),
        ] {
            assert_eq!(Width::parse(text), Some(width), "{text}");
        }
        for text in ["", "5", "m", "0m", "5 moons", "Europe/Berlin", "-1h", "1 month 1 day", "9999999999999999999 years"] {
            assert_eq!(Width::parse(text), None, "{text}");
        }
    }
}

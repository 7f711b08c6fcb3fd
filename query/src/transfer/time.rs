//! Times as files write them: RFC 3339, numbers since the epoch, local times of a time zone.

use andon_models::Timestamp;
use jiff::{
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};

/// Nanoseconds of one unit of a number since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl TimeUnit {
    /// Nanoseconds in it.
    pub const fn nanos(self) -> i64 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Millis => 1_000_000,
            Self::Micros => 1_000,
            Self::Nanos => 1,
        }
    }

    /// The unit a number since the epoch most likely has: with it, the instant lies before the year 5138.
    pub const fn of_magnitude(number: i64) -> Self {
        match number.unsigned_abs() {
            0..100_000_000_000 => Self::Seconds,
            100_000_000_000..100_000_000_000_000 => Self::Millis,
            100_000_000_000_000..100_000_000_000_000_000 => Self::Micros,
            _ => Self::Nanos,
        }
    }
}

/// A time zone by its name.
///
/// # Errors
/// When there is none of that name.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name)
        .map_err(|_| format!("there is no time zone `{name}`; names are like Europe/Berlin, America/New_York and UTC"))
}

/// How times without an offset, and times that are numbers, are read.
#[derive(Clone, Debug, Default)]
pub struct TimeForm {
    /// The unit of numbers; none: by their magnitude.
    pub unit: Option<TimeUnit>,
    /// The zone of times without an offset; none: they are refused.
    pub zone: Option<TimeZone>,
    /// A pattern of other times, as of `strptime`.
    pub pattern: Option<String>,
}

/// Reads the times of one file in their order.
#[derive(Debug)]
pub struct Clock<'a> {
    form: &'a TimeForm,
    /// The last instant that was read.
    last: i64,
}

impl<'a> Clock<'a> {
    /// A clock for a file from its beginning.
    pub fn new(form: &'a TimeForm) -> Self {
        Self { form, last: i64::MIN }
    }

    /// Reads a time. `previous` is the last instant of the same series in this file: it decides which of two hours is meant when
    /// clocks go back.
    ///
    /// # Errors
    /// What is wrong with it, and the way out.
    pub fn read(&mut self, text: &str, previous: i64) -> Result<Timestamp, String> {
        let time = self.parse(text.trim(), previous)?;
        self.last = time.as_nanos();
        Ok(time)
    }

    /// An instant from a number since the epoch.
    ///
    /// # Errors
    /// When it lies outside the years 1677 to 2262.
    pub fn number(&self, number: i64) -> Result<Timestamp, String> {
        let unit = self.form.unit.unwrap_or(TimeUnit::of_magnitude(number));
        let nanos = number.checked_mul(unit.nanos());
        nanos.map(Timestamp::from_nanos).ok_or_else(|| format!("`{number}` is no instant between the years 1677 and 2262"))
    }

    /// An instant from a wall-clock reading in nanoseconds since 1970 on that wall.
    ///
    /// # Errors
    /// When no zone is known, or clocks never showed that time.
    pub fn local(&mut self, nanos: i64, previous: i64) -> Result<Timestamp, String> {
        let wall = jiff::Timestamp::from_nanosecond(i128::from(nanos)).map_err(|error| error.to_string())?;
        let time = self.at_zone(TimeZone::UTC.to_datetime(wall), previous)?;
        self.last = time.as_nanos();
        Ok(time)
    }

    fn parse(&self, text: &str, previous: i64) -> Result<Timestamp, String> {
        if text.is_empty() {
            return Err("there is no time".into());
        }
        if let Some(pattern) = &self.form.pattern {
            return self.by_pattern(text, pattern, previous);
        }
        if text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+')) && is_number(text) {
            return self.decimal(text);
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(time);
        }
        if let Ok(local) = text.parse::<DateTime>() {
            return self.at_zone(local, previous);
        }
        Err(format!(
            "`{text}` is no time; write 2026-01-05T06:00:00Z or a number since 1970, or say --time-format '%d.%m.%Y %H:%M:%S'"
        ))
    }

    fn by_pattern(&self, text: &str, pattern: &str, previous: i64) -> Result<Timestamp, String> {
        let parsed =
            jiff::fmt::strtime::parse(pattern, text).map_err(|error| format!("`{text}` is no `{pattern}`: {error}"))?;
        if let Ok(time) = parsed.to_timestamp() {
            return Ok(time.into());
        }
        let local = parsed.to_datetime().or_else(|_| parsed.to_date().map(|date| date.at(0, 0, 0, 0)));
        self.at_zone(local.map_err(|error| format!("`{text}`: {error}"))?, previous)
    }

    /// A number since the epoch with or without a fraction: `1767225600.25`.
    fn decimal(&self, text: &str) -> Result<Timestamp, String> {
        let wrong = || format!("`{text}` is no number since 1970");
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let number: i64 = whole.parse().map_err(|_| wrong())?;
        let time = self.number(number)?;
        if fraction.is_empty() {
            return Ok(time);
        }
        let unit = self.form.unit.unwrap_or(TimeUnit::of_magnitude(number)).nanos();
        let mut nanos = 0;
        let mut place = unit;
        for digit in fraction.bytes() {
            if !digit.is_ascii_digit() {
                return Err(wrong());
            }
            place /= 10;
            nanos += i64::from(digit - b'0') * place;
        }
        let nanos = if whole.starts_with('-') { -nanos } else { nanos };
        Ok(Timestamp::from_nanos(time.as_nanos().saturating_add(nanos)))
    }

    fn at_zone(&self, local: DateTime, previous: i64) -> Result<Timestamp, String> {
        let Some(zone) = &self.form.zone else {
            return Err(format!(
                "`{local}` does not say its offset; say the zone it was written in, as --timezone Europe/Berlin or UTC"
            ));
        };
        let ambiguous = zone.to_ambiguous_timestamp(local);
        let name = zone.iana_name().unwrap_or("this zone");
        let instant = match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => {
                return Err(format!("clocks in {name} never showed `{local}`: they went forward over it"));
            }
            AmbiguousOffset::Fold { .. } => {
                // A file that goes on in time means the second hour once it has been through the first.
                let earlier = ambiguous.earlier().map_err(|error| error.to_string())?;
                let nanos = Timestamp::from(earlier).as_nanos();
                if nanos < self.last || nanos <= previous { ambiguous.later() } else { Ok(earlier) }
            }
            AmbiguousOffset::Unambiguous { .. } => ambiguous.unambiguous(),
        };
        instant.map(Timestamp::from).map_err(|error| error.to_string())
    }
}

/// `-12` and `1767225600.5` are numbers, `2026-01-05` is none.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && !digits.contains(['-', '+']) && digits.matches('.').count() <= 1 && digits != "."
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: &TimeForm, texts: &[(&str, &str)]) {
        let mut clock = Clock::new(form);
        for (text, expected) in texts {
            let read = clock.read(text, i64::MIN).map_or_else(|error| error, |time| time.to_string());
            assert!(read.starts_with(expected), "{text}: {read}, not {expected}");
        }
    }

    #[test]
    fn texts_and_numbers_of_any_unit_are_instants() {
        check(
            &TimeForm::default(),
            &[
                ("2026-01-05T06:00:00Z", "2026-01-05T06:00:00Z"),
                ("2026-01-05 06:00:00.123456789+01:00", "2026-01-05T05:00:00.123456789Z"),
                ("1767225600", "2026-01-01T00:00:00Z"),
                ("1767225600.000000001", "2026-01-01T00:00:00.000000001Z"),
                ("1767225600123", "2026-01-01T00:00:00.123Z"),
                ("1767225600123.5", "2026-01-01T00:00:00.1235Z"),
                ("1767225600123456", "2026-01-01T00:00:00.123456Z"),
                ("1767225600123456789", "2026-01-01T00:00:00.123456789Z"),
                ("-1.5", "1969-12-31T23:59:58.5Z"),
                ("2026-01-05 06:00", "`2026-01-05T06:00:00` does not say its offset"),
                ("yesterday", "`yesterday` is no time"),
                ("", "there is no time"),
                ("1.2.3", "`1.2.3` is no time"),
            ],
        );
        let form = TimeForm { unit: Some(TimeUnit::Seconds), ..TimeForm::default() };
        check(&form, &[("9999999999999999", "`9999999999999999` is no instant")]);
    }

    #[test]
    fn local_times_follow_the_clocks_of_their_zone() {
        let zone = Some(TimeZone::get("Europe/Berlin").unwrap());
        let form = TimeForm { zone: zone.clone(), ..TimeForm::default() };
        check(
            &form,
            &[
                ("2026-07-01 12:00:00", "2026-07-01T10:00:00Z"),
                ("2026-03-29 02:30:00", "clocks in Europe/Berlin never showed"),
                ("2026-10-25 02:00:00", "2026-10-25T00:00:00Z"),
                ("2026-10-25 02:30:00", "2026-10-25T00:30:00Z"),
                ("2026-10-25 02:00:00", "2026-10-25T01:00:00Z"),
                ("2026-10-25 02:30:00", "2026-10-25T01:30:00Z"),
                ("2026-10-25 03:00:00", "2026-10-25T02:00:00Z"),
            ],
        );
        // Two readings an hour apart of one series: the second is the later hour, although time seems to stand.
        let mut clock = Clock::new(&form);
        let first = clock.read("2026-10-25 02:00:00", i64::MIN).unwrap();
        let second = clock.read("2026-10-25 02:00:00", first.as_nanos()).unwrap();
        assert_eq!(second.since(first).as_secs(), 3_600);
        let form = TimeForm { zone, pattern: Some("%d.%m.%Y %H:%M".into()), ..TimeForm::default() };
        check(&form, &[("05.01.2026 06:30", "2026-01-05T05:30:00Z"), ("2026-01-05 06:30", "`2026-01-05 06:30` is no")]);
    }
}

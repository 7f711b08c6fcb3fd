//! Seconds since 1970, and what calendars and clocks of a time zone make of them.
//!
//! Zones are regions of the IANA database (`Europe/Berlin`), distances from UTC (`+2`, `-05:30`, `GMT+2`, `UTC-01:00`, `Z`), or the
//! three letters of old Java programs, of which some surprise: BST is Dhaka, IST is Kolkata, CST is Chicago, EST is always -05:00.

use super::{cell::Cell, nearest};
use jiff::{
    Zoned, civil,
    tz::{Offset, TimeZone},
};
use std::fmt;

/// A time zone, as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(TimeZone);

/// Three-letter names and what they mean. Source: java.time.ZoneId.SHORT_IDS.
const SHORT: [(&str, &str); 28] = [
    ("ACT", "Australia/Darwin"),
    ("AET", "Australia/Sydney"),
    ("AGT", "America/Argentina/Buenos_Aires"),
    ("ART", "Africa/Cairo"),
    ("AST", "America/Anchorage"),
    ("BET", "America/Sao_Paulo"),
    ("BST", "Asia/Dhaka"),
    ("CAT", "Africa/Harare"),
    ("CNT", "America/St_Johns"),
    ("CST", "America/Chicago"),
    ("CTT", "Asia/Shanghai"),
    ("EAT", "Africa/Addis_Ababa"),
    ("ECT", "Europe/Paris"),
    ("EST", "-05:00"),
    ("HST", "-10:00"),
    ("IET", "America/Indiana/Indianapolis"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("MIT", "Pacific/Apia"),
    ("MST", "-07:00"),
    ("NET", "Asia/Yerevan"),
    ("NST", "Pacific/Auckland"),
    ("PLT", "Asia/Karachi"),
    ("PNT", "America/Phoenix"),
    ("PRT", "America/Puerto_Rico"),
    ("PST", "America/Los_Angeles"),
    ("SST", "Pacific/Guadalcanal"),
    ("VST", "Asia/Ho_Chi_Minh"),
];

/// What a calendar or clock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum DatePart {
    Year,
    /// 1 to 12.
    Month,
    /// Day of the month, 1 to 31.
    Day,
    /// Day of the week, 0 (Sunday) to 6.
    Weekday,
    /// Day of the year, 1 to 366.
    YearDay,
    Hour,
    Minute,
    /// 0 up to 60, with fractions.
    Second,
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// A zone of the plant.
    pub fn of(zone: TimeZone) -> Self {
        Self(zone)
    }

    /// Reads the name of a zone; an error is a hint.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        let name = name.trim();
        if let Some(offset) = offset(name) {
            return Ok(Self(TimeZone::fixed(offset)));
        }
        if let Some((_, meant)) = SHORT.iter().find(|(short, _)| *short == name) {
            return Self::parse(meant);
        }
        TimeZone::get(name).map(Self).map_err(|_| {
            let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
            match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write a region such as `Europe/Berlin`, or a distance from UTC such as `+2`".into(),
            }
        })
    }

    fn at(&self, seconds: f64) -> Option<(Zoned, f64)> {
        let whole = seconds.floor();
        let stamp = jiff::Timestamp::from_second(if whole.abs() < 1e15 { whole as i64 } else { return None }).ok()?;
        Some((stamp.to_zoned(self.0.clone()), seconds - whole))
    }

    /// A part of a time in this zone.
    pub(super) fn part(&self, part: DatePart, seconds: f64) -> Cell {
        let Some((time, fraction)) = self.at(seconds) else { return Cell::Null };
        Cell::Integer(i64::from(match part {
            DatePart::Year => time.year(),
            DatePart::Month => time.month().into(),
            DatePart::Day => time.day().into(),
            DatePart::Weekday => time.weekday().to_sunday_zero_offset().into(),
            DatePart::YearDay => time.day_of_year(),
            DatePart::Hour => time.hour().into(),
            DatePart::Minute => time.minute().into(),
            DatePart::Second if fraction > 0.0 => return Cell::number(f64::from(time.second()) + fraction),
            DatePart::Second => time.second().into(),
        }))
    }

    /// Seconds since 1970 of a time in this zone: year, month, day, hour, minute, second. A time that a clock change skips is moved
    /// by the change, one that happens twice is the first. Source: AWS IoT SiteWise, `mktime`: years 1970 to 2250, seconds 0 to 60.
    pub(super) fn make(&self, parts: [&Cell; 6]) -> Cell {
        let made = || {
            let whole = |cell: &Cell, least: i64, most: i64| cell.as_whole().filter(|whole| (least..=most).contains(whole));
            let year = i16::try_from(whole(parts[0], 1970, 2250)?).ok()?;
            let [month, day, hour, minute] =
                [(1, 1, 12), (2, 1, 31), (3, 0, 23), (4, 0, 59)].map(|(index, least, most): (usize, i64, i64)| {
                    whole(parts[index], least, most).and_then(|it| i8::try_from(it).ok())
                });
            let seconds = parts[5].as_f64().filter(|seconds| (0.0..=60.0).contains(seconds))?;
            let civil = civil::DateTime::new(year, month?, day?, hour?, minute?, 0, 0).ok()?;
            let zoned = self.0.to_ambiguous_zoned(civil).compatible().ok()?;
            Some(zoned.timestamp().as_second() as f64 + seconds)
        };
        made().map_or(Cell::Null, |seconds| match seconds.fract() == 0.0 {
            true => Cell::Integer(seconds as i64),
            false => Cell::number(seconds),
        })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.iana_name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// A distance from UTC: `Z`, `+2`, `-05:30`, `+0200`, `GMT+2`, `UTC-01:00`, `UT`.
fn offset(name: &str) -> Option<Offset> {
    let signed = ["UTC", "GMT", "UT"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    if signed.is_empty() || name == "Z" {
        return Some(Offset::UTC);
    }
    let sign = match signed.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = &signed[1..];
    if !digits.is_ascii() {
        return None;
    }
    let parts: Vec<&str> = match digits.len() {
        4 | 6 if !digits.contains(':') => {
            digits.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok()).collect()
        }
        _ => digits.split(':').collect(),
    };
    if parts.len() > 3 || parts.iter().any(|part| part.is_empty() || part.len() > 2) {
        return None;
    }
    let mut seconds = 0;
    for (part, unit) in parts.iter().zip([3600, 60, 1]) {
        let number = part.parse::<i32>().ok().filter(|number| part.bytes().all(|b| b.is_ascii_digit()) && *number < 60)?;
        seconds += number * unit;
    }
    // No zone is more than 18 hours from UTC.
    (seconds <= 18 * 3600).then(|| Offset::from_seconds(sign * seconds).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-07-01 12:00:30.5 UTC.
    const SUMMER: f64 = 1_782_907_230.5;

    fn shown(zone: &str, part: DatePart) -> String {
        match Zone::parse(zone) {
            Ok(zone) => format!("{:?}", zone.part(part, SUMMER)),
            Err(hint) => hint,
        }
    }

    #[test]
    fn zones_by_every_spelling() {
        let hour = |zone: &str| shown(zone, DatePart::Hour);
        for (zone, expected) in [
            ("Z", 12),
            ("UTC", 12),
            ("GMT", 12),
            ("+2", 14),
            ("-5", 7),
            ("GMT+2", 14),
            ("UTC-01:00", 11),
            ("+0530", 17),
            ("+05:30", 17),
            ("Europe/Berlin", 14),
            ("BST", 18),
            ("IST", 17),
            ("CST", 7),
            ("EST", 7),
            ("PST", 5),
            ("SST", 23),
            ("America/New_York", 8),
        ] {
            assert_eq!(hour(zone), format!("Integer({expected})"), "{zone}");
        }
        assert_eq!(hour("Europe/Berln"), "did you mean `Europe/Berlin`?");
        assert_eq!(hour("+25:99"), "write a region such as `Europe/Berlin`, or a distance from UTC such as `+2`");
    }

    #[test]
    fn parts() {
        let parts = [DatePart::Year, DatePart::Month, DatePart::Day, DatePart::Weekday, DatePart::YearDay, DatePart::Minute];
        let shown: Vec<String> = parts.iter().map(|part| shown("Z", *part)).collect();
        assert_eq!(shown, ["Integer(2026)", "Integer(7)", "Integer(1)", "Integer(3)", "Integer(182)", "Integer(0)"]);
        assert_eq!(Zone::UTC.part(DatePart::Second, SUMMER), Cell::Double(30.5));
        assert_eq!(Zone::UTC.part(DatePart::Year, 1e300), Cell::Null);
        assert_eq!(Zone::UTC.part(DatePart::Year, -1.0), Cell::Integer(1969));
    }

    #[test]
    fn times_are_made_with_clock_changes() {
        let make = |zone: &str, parts: [f64; 6]| {
            let cells = parts.map(Cell::Double);
            Zone::parse(zone).map(|zone| zone.make(cells.each_ref()))
        };
        assert_eq!(make("Z", [2026.0, 7.0, 1.0, 12.0, 0.0, 30.5]), Ok(Cell::Double(SUMMER)));
        assert_eq!(make("Europe/Berlin", [2026.0, 7.0, 1.0, 14.0, 0.0, 30.0]), Ok(Cell::Integer(1_782_907_230)));
        // 02:30 does not exist on the day the clock goes forward: it is 03:30.
        assert_eq!(make("Europe/Berlin", [2026.0, 3.0, 29.0, 2.0, 30.0, 0.0]), make("+2", [2026.0, 3.0, 29.0, 3.0, 30.0, 0.0]));
        for parts in [
            [1969.0, 1.0, 1.0, 0.0, 0.0, 0.0],
            [2251.0, 1.0, 1.0, 0.0, 0.0, 0.0],
            [2026.0, 2.0, 30.0, 0.0, 0.0, 0.0],
            [2026.5, 1.0, 1.0, 0.0, 0.0, 0.0],
            [2026.0, 1.0, 1.0, 0.0, 0.0, 60.5],
        ] {
            assert_eq!(make("Z", parts), Ok(Cell::Null), "{parts:?}");
        }
    }
}

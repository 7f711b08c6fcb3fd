//! Windows of metrics, in every spelling of interval and offset that SiteWise takes.

use crate::{
    time::parse_duration,
    window::{LONGEST, WindowSpec},
};
use std::time::Duration;

/// Buckets of a minute are the shortest there.
const SHORTEST: Duration = Duration::from_secs(60);
const WEEK: i128 = 7 * 24 * 3600;
/// The Unix epoch was a Thursday; weeks begin on Mondays there as here.
const MONDAY: i128 = 4 * 24 * 3600;

/// Reads a window. Intervals are `5m`, `1h`, `1d`, `1w` or `PT5M`; offsets `18h`, `PT18H`, a time of day (`00:03:00`), or an instant with
/// its zone (`2021-07-23T18:00-08`), on which a window ends. Blanks around them do not matter.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn read(interval: &str, offset: Option<&str>) -> Result<WindowSpec, String> {
    let every = span(interval).ok_or_else(|| format!("`{}` is no interval such as 5m, 1h, 1d or PT5M", interval.trim()))?;
    if every < SHORTEST || every > LONGEST {
        return Err(format!("an interval lasts from 1m to 1w, and `{}` does not", interval.trim()));
    }
    let seconds = i128::from(every.as_secs());
    let offset = match offset.map(str::trim).filter(|offset| !offset.is_empty()) {
        None => 0,
        Some(text) => offset_seconds(text, seconds)
            .ok_or_else(|| format!("`{text}` is no offset such as 18h, PT18H, 18:00:00 or 2021-07-23T18:00-08"))?,
    };
    let offset = u64::try_from(offset.rem_euclid(seconds)).unwrap_or(0);
    Ok(WindowSpec::Tumbling { every, offset: Duration::from_secs(offset) })
}

/// How far the borders lie behind UTC's; not yet shorter than a window.
fn offset_seconds(text: &str, every: i128) -> Option<i128> {
    if let Some(span) = span(text) {
        return Some(i128::from(span.as_secs()));
    }
    if let Some(clock) = clock(text) {
        return Some(clock);
    }
    let anchor = if every % WEEK == 0 { MONDAY } else { 0 };
    instant(text).map(|instant| instant - anchor)
}

/// `18h`, `1h30m`, `PT18H`, `P1D`; whole seconds.
fn span(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (sign, rest) = (text.strip_prefix('-'), text.strip_prefix(['P', 'p']));
    if sign.is_some() || text.is_empty() {
        return None;
    }
    let span = match rest {
        None => parse_duration(text)?,
        Some(_) => {
            let span: jiff::Span = text.parse().ok()?;
            // Months and years are no fixed time.
            if span.get_months() != 0 || span.get_years() != 0 {
                return None;
            }
            let total = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
            Duration::try_from(total).ok()?
        }
    };
    Some(Duration::from_secs(span.as_secs()))
}

/// `00:03:00` and `18:00` after midnight.
fn clock(text: &str) -> Option<i128> {
    let mut parts = text.split(':').map(|part| part.trim().parse::<u32>().ok().filter(|_| part.trim().len() <= 2));
    let (hours, minutes) = (parts.next()??, parts.next()??);
    let seconds = match parts.next() {
        Some(seconds) => seconds?,
        None => 0,
    };
    let valid = hours < 24 && minutes < 60 && seconds < 60 && parts.next().is_none();
    valid.then_some(i128::from(hours * 3600 + minutes * 60 + seconds))
}

/// Seconds since the epoch of `2021-07-23T18:00-08`; UTC where no zone is given.
fn instant(text: &str) -> Option<i128> {
    let text = text.strip_suffix(']').and_then(|rest| rest.split_once('[')).map_or(text, |(instant, _)| instant);
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(i128::from(instant.as_second()));
    }
    // `-08`, `+0530`, `+05:30` behind the time of day, whose own separator is `:`.
    let time_from = text.find(['T', 't', ' '])? + 1;
    let sign = text[time_from..].find(['+', '-', 'Z', 'z']).map(|at| time_from + at);
    let (local, zone) = sign.map_or((text, ""), |at| text.split_at(at));
    let civil: jiff::civil::DateTime = local.trim().parse().ok()?;
    if !matches!(zone, "" | "Z" | "z") && !zone[1..].chars().all(|letter| letter.is_ascii_digit() || letter == ':') {
        return None;
    }
    let digits: String = zone.chars().filter(char::is_ascii_digit).collect();
    let number = |range: std::ops::Range<usize>| digits.get(range).map_or(Some(0), |part| part.parse::<i128>().ok());
    let (hours, minutes) = (if digits.is_empty() { 0 } else { number(0..2.min(digits.len()))? }, number(2..4)?);
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let utc = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(i128::from(utc.as_second()) - sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_understood() {
        let check = |interval: &str, offset: Option<&str>, expected: &str| {
            assert_eq!(read(interval, offset).map(|window| window.name()).unwrap_or_else(|said| said), expected);
        };
        for (interval, expected) in
            [("5m", "5m"), ("1h", "1h"), ("1d", "1d"), ("1w", "1w"), ("PT5M", "5m"), (" 5m ", "5m"), ("P1D", "1d")]
        {
            check(interval, None, expected);
        }
        for offset in
            ["18h", "PT18H", "18:00:00", "18:00", "2021-07-23T18:00Z", "2021-07-23T10:00-08", " 18h", "P1DT18H", "64800s"]
        {
            check("1d", Some(offset), "1d offset 18h");
        }
        check("1h", Some("00:03:00"), "1h offset 3m");
        check("1d", Some("2021-07-23T18:00-08"), "1d offset 2h");
        check("1d", Some("2021-07-23T18:00:00+05:30"), "1d offset 12h30m");
        // 23 July 2021 was a Friday: weeks end there, four days and eighteen hours after Sunday midnight.
        check("1w", Some("2021-07-23T18:00Z"), "1w offset 4d18h");
        check("1w", Some("1d"), "1w offset 1d");
        check("1h", Some(""), "1h");
        check("5", None, "`5` is no interval such as 5m, 1h, 1d or PT5M");
        check("30s", None, "an interval lasts from 1m to 1w, and `30s` does not");
        check("2w", None, "an interval lasts from 1m to 1w, and `2w` does not");
        check("P1M", None, "`P1M` is no interval such as 5m, 1h, 1d or PT5M");
        check("1h", Some("noon"), "`noon` is no offset such as 18h, PT18H, 18:00:00 or 2021-07-23T18:00-08");
        for wrong in ["T+", "T", "é", "2021-07-23Té", "2021-07-23T18:00+é", "99:00", "-5h", "P", "[]", "T1+123456789012345678"]
        {
            assert!(read("1d", Some(wrong)).is_err(), "{wrong}");
        }
    }
}

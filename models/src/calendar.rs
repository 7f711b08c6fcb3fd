//! The plant's shift calendar: shifts in plant time, with daylight saving; instants in UTC.

mod instant;

use crate::{Timestamp, window::Window};
use jiff::{
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Weekdays as written, Monday first.
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Most shifts [`ShiftCalendar::shifts_between`] gives at once: a century of three shifts a day.
pub const MAX_SHIFTS: usize = 110_000;

/// Most days of one exception: a year.
const MAX_DATES: usize = 366;

/// When the plant works.
#[derive(Clone, Debug)]
pub struct ShiftCalendar {
    /// The plant's time zone.
    pub time_zone: TimeZone,
    /// The shifts as written, in file order.
    pub shifts: Vec<Shift>,
    /// Days on which the shifts are others.
    pub exceptions: BTreeMap<Date, ShiftException>,
}

/// How the shifts of one day differ: those that start on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShiftException {
    /// Whether none of the usual shifts takes place.
    pub closed: bool,
    /// Shifts of that day: other times for a usual shift of that name, or an extra one; none where a usual one is left out.
    pub shifts: Vec<(Arc<str>, Option<Shift>)>,
}

/// One recurring shift, in plant time. It belongs to the day it starts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// Its name.
    pub name: Arc<str>,
    /// The weekdays it starts on, Monday first.
    pub days: [bool; 7],
    /// Start in plant time.
    pub start: jiff::civil::Time,
    /// End in plant time; on the next day when it is not after the start.
    pub end: jiff::civil::Time,
}

/// One shift that takes place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShiftOccurrence {
    /// The shift's name.
    pub name: Arc<str>,
    /// The production day it belongs to.
    pub date: jiff::civil::Date,
    /// Its span in UTC.
    pub window: Window,
}

impl ShiftCalendar {
    /// A calendar without shifts.
    pub fn new(time_zone: TimeZone) -> Self {
        Self { time_zone, shifts: Vec::new(), exceptions: BTreeMap::new() }
    }

    /// Reads a shift such as `Mon-Fri 06:00-14:00`, `Sat,Sun 06:00-18:00` or `22:00-06:00` (every day).
    ///
    /// # Errors
    /// What is wrong and how it is written.
    pub fn parse_shift(name: &str, text: &str) -> Result<Shift, String> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let (days, times) = match parts[..] {
            [times] => ([true; 7], times),
            [days, times] => (parse_days(days)?, times),
            _ => return Err(format!("a shift is written `Mon-Fri 06:00-14:00`, not `{}`", text.trim())),
        };
        let Some((start, end)) = times.split_once(['-', '–']) else {
            return Err(format!("`{times}` has no end: write `06:00-14:00`"));
        };
        Ok(Shift { name: name.into(), days, start: parse_time(start)?, end: parse_time(end)? })
    }

    /// Reads the dates of an exception: `2026-12-25`, or `2026-12-24..2026-12-26` with both ends.
    ///
    /// # Errors
    /// What is wrong and how it is written.
    pub fn parse_dates(text: &str) -> Result<Vec<Date>, String> {
        let wrong = || format!("`{text}` is no date: write 2026-12-25, or 2026-12-24..2026-12-26");
        let date = |text: &str| text.trim().parse::<Date>().map_err(|_| wrong());
        let (first, last) = match text.split_once("..") {
            Some((first, last)) => (date(first)?, date(last)?),
            None => (date(text)?, date(text)?),
        };
        if last < first {
            return Err(format!("`{text}` ends before it begins"));
        }
        let dates: Vec<Date> =
            first.series(jiff::Span::new().days(1)).take_while(|date| *date <= last).take(MAX_DATES + 1).collect();
        match dates.len() {
            0..=MAX_DATES => Ok(dates),
            _ => Err(format!("`{text}` is longer than a year")),
        }
    }

    /// The shift an instant lies in: after its start, not after its end. If shifts overlap, the one that started last.
    pub fn shift_at(&self, time: Timestamp) -> Option<ShiftOccurrence> {
        let around = self.occurrences(self.local_date(time), 1);
        around.filter(|shift| shift.window.contains(time)).max_by_key(|shift| shift.window.start)
    }

    /// The last shift that ends before the one an instant lies in begins, and the first that begins when that one has ended, within
    /// `reach`. Between shifts, those on either side.
    pub fn neighbours(&self, time: Timestamp, reach: Duration) -> [Option<ShiftOccurrence>; 2] {
        let own = self.shift_at(time).map_or(Window { start: time, end: time }, |shift| shift.window);
        let earlier = self.shifts_between(own.start - reach, own.start);
        let later = self.shifts_between(own.end, own.end + reach);
        let before = earlier.into_iter().filter(|shift| shift.window.end <= own.start).max_by_key(|shift| shift.window.end);
        [before, later.into_iter().find(|shift| shift.window.start >= own.end)]
    }

    /// All shifts that share time with `(from, to]`, by start; at most [`MAX_SHIFTS`].
    pub fn shifts_between(&self, from: Timestamp, to: Timestamp) -> Vec<ShiftOccurrence> {
        let asked = Window { start: from, end: to };
        let (first, last) = (self.local_date(from), self.local_date(to));
        let mut shifts = Vec::new();
        let mut date = first.yesterday().ok();
        while let Some(day) = date.filter(|day| *day <= last && shifts.len() < MAX_SHIFTS) {
            shifts.extend(self.occurrences(day, 0).filter(|shift| shift.window.intersection(&asked).is_some()));
            date = day.tomorrow().ok();
        }
        shifts.sort_by_key(|shift| shift.window);
        shifts
    }

    /// The production day an instant lies in: from the first shift's start to the same plant time next day, and from midnight
    /// if there are no shifts. 23 or 25 hours when the clocks change.
    pub fn day_of(&self, time: Timestamp) -> Window {
        let date = self.production_date(time);
        Window { start: self.day_start(date), end: date.tomorrow().map_or(Timestamp::MAX, |next| self.day_start(next)) }
    }

    /// The production week an instant lies in: from Monday's production day to Sunday's.
    pub fn week_of(&self, time: Timestamp) -> Window {
        let date = self.production_date(time);
        let back = i64::from(date.weekday().to_monday_zero_offset());
        let shifted = |days: i64| date.checked_add(jiff::Span::new().days(days)).ok();
        Window {
            start: shifted(-back).map_or(Timestamp::MIN, |monday| self.day_start(monday)),
            end: shifted(7 - back).map_or(Timestamp::MAX, |monday| self.day_start(monday)),
        }
    }

    /// The date of the production day an instant lies in.
    pub fn production_date(&self, time: Timestamp) -> Date {
        let date = self.local_date(time);
        // The start is exclusive: the first instant of a day still belongs to the day before.
        if self.day_start(date) < time { date } else { date.yesterday().unwrap_or(date) }
    }

    /// The parts of a window inside shifts, joined where shifts touch or overlap; the whole window if there are no shifts.
    pub fn scheduled(&self, window: Window) -> Vec<Window> {
        if self.shifts.is_empty() {
            return vec![window];
        }
        let mut parts: Vec<Window> = Vec::new();
        for shift in self.shifts_between(window.start, window.end) {
            let Some(part) = shift.window.intersection(&window) else { continue };
            match parts.last_mut() {
                Some(last) if part.start <= last.end => last.end = last.end.max(part.end),
                _ => parts.push(part),
            }
        }
        parts
    }

    /// Two shifts that share time in the same week, if there are any: then a shift metric counts some time twice.
    pub fn overlapping(&self) -> Option<(Arc<str>, Arc<str>)> {
        let week = Date::constant(2024, 1, 1);
        let plain = Self { time_zone: TimeZone::UTC, shifts: self.shifts.clone(), exceptions: BTreeMap::new() };
        let shifts: Vec<ShiftOccurrence> = plain.occurrences(week, 8).collect();
        for (index, one) in shifts.iter().enumerate() {
            let other = shifts[index + 1..].iter().find(|other| one.window.intersection(&other.window).is_some());
            if let Some(other) = other {
                return Some((one.name.clone(), other.name.clone()));
            }
        }
        None
    }

    /// The shifts that start within so many days around a date.
    fn occurrences(&self, date: Date, around: i64) -> impl Iterator<Item = ShiftOccurrence> + '_ {
        let dates = (-around..=around).filter_map(move |days| date.checked_add(jiff::Span::new().days(days)).ok());
        dates.flat_map(move |date| {
            let exception = self.exceptions.get(&date);
            let usual = move |shift: &&Shift| {
                exception.is_none_or(|day| !day.closed && !day.shifts.iter().any(|(name, _)| *name == shift.name))
            };
            let extra = exception.into_iter().flat_map(|day| &day.shifts).filter_map(|(_, shift)| shift.as_ref());
            self.shifts.iter().filter(usual).chain(extra).filter_map(move |shift| self.occurrence(shift, date))
        })
    }

    fn occurrence(&self, shift: &Shift, date: Date) -> Option<ShiftOccurrence> {
        if !shift.days[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())] {
            return None;
        }
        let end_date = if shift.end > shift.start { date } else { date.tomorrow().ok()? };
        let window = Window { start: self.instant(date, shift.start), end: self.instant(end_date, shift.end) };
        // A shift that lies wholly in the hour that clocks skip does not take place.
        (window.start < window.end).then(|| ShiftOccurrence { name: shift.name.clone(), date, window })
    }

    /// The first shift's start, by the clock.
    fn day_start(&self, date: Date) -> Timestamp {
        let start = self.shifts.iter().map(|shift| shift.start).min().unwrap_or(Time::midnight());
        self.instant(date, start)
    }

    /// An instant of plant time. What clocks skip is as much later, what they show twice is the first.
    fn instant(&self, date: Date, time: Time) -> Timestamp {
        let ambiguous = self.time_zone.to_ambiguous_timestamp(date.to_datetime(time));
        let far = if date.year() < 1970 { Timestamp::MIN } else { Timestamp::MAX };
        ambiguous.compatible().map_or(far, Timestamp::from)
    }

    fn local_date(&self, time: Timestamp) -> Date {
        self.time_zone.to_datetime(time.into()).date()
    }
}

impl ShiftOccurrence {
    /// How long it lasts: a night shift may last an hour less or more when the clocks change.
    pub fn span(&self) -> Duration {
        self.window.span()
    }
}

fn parse_days(text: &str) -> Result<[bool; 7], String> {
    let mut days = [false; 7];
    if matches!(text, "daily" | "Mon-Sun") {
        return Ok([true; 7]);
    }
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once(['-', '–']).unwrap_or((part, part));
        let (first, last) = (parse_day(first)?, parse_day(last)?);
        // `Sun-Thu` goes over the end of the week.
        let length = (last + 7 - first) % 7;
        (0..=length).for_each(|step| days[(first + step) % 7] = true);
    }
    Ok(days)
}

fn parse_day(text: &str) -> Result<usize, String> {
    let known =
        WEEKDAYS.iter().position(|day| text.len() >= 3 && text.is_char_boundary(3) && day.eq_ignore_ascii_case(&text[..3]));
    let long = Weekday::from_monday_zero_offset(known.and_then(|day| i8::try_from(day).ok()).unwrap_or(0)).ok();
    let name = long.map(|day| format!("{day:?}")).unwrap_or_default();
    let whole = text.len() == 3 || text.eq_ignore_ascii_case(&name);
    known.filter(|_| whole).ok_or_else(|| format!("`{text}` is no weekday: write {}", WEEKDAYS.join(", ")))
}

fn parse_time(text: &str) -> Result<Time, String> {
    let wrong = || format!("`{text}` is no time of day: write 06:00 or 22:30");
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let digits = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || minute.len() != 2 || !digits(minute) {
        return Err(wrong());
    }
    match (hour.parse::<i8>(), minute.parse::<i8>()) {
        (Ok(24), Ok(0)) => Ok(Time::midnight()),
        (Ok(hour), Ok(minute)) => Time::new(hour, minute, 0, 0).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(shifts: &[(&str, &str)]) -> ShiftCalendar {
        let mut calendar = ShiftCalendar::new(TimeZone::get("Europe/Berlin").expect("a known zone"));
        calendar.shifts = shifts.iter().map(|(name, text)| ShiftCalendar::parse_shift(name, text).expect("a shift")).collect();
        calendar
    }

    fn plant() -> ShiftCalendar {
        calendar(&[("early", "Mon-Fri 06:00-14:00"), ("late", "Mon-Fri 14:00-22:00"), ("night", "Sun-Thu 22:00-06:00")])
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn show(shift: Option<ShiftOccurrence>) -> String {
        shift.map_or("none".into(), |shift| {
            format!(
                "{} of {} {} {} {}h",
                shift.name,
                shift.date,
                shift.window.start,
                shift.window.end,
                shift.span().as_secs() / 3600
            )
        })
    }

    #[test]
    fn neighbours_are_found_over_a_weekend() {
        let calendar = calendar(&[("early", "Mon-Fri 06:00-14:00"), ("late", "Mon-Fri 14:00-22:00")]);
        let told = |time: &str, days: u64| {
            let found = calendar.neighbours(at(time), Duration::from_secs(days * 86_400));
            found.map(|shift| shift.map_or("none".into(), |shift| format!("{} {}", shift.name, shift.date))).join(", ")
        };
        // 2026-01-09 is a Friday.
        assert_eq!(told("2026-01-09T13:00:00Z", 9), "late 2026-01-08, late 2026-01-09", "an end belongs to its shift");
        assert_eq!(told("2026-01-09T21:00:00Z", 9), "early 2026-01-09, early 2026-01-12");
        assert_eq!(told("2026-01-10T12:00:00Z", 9), "late 2026-01-09, early 2026-01-12", "between shifts those on either side");
        assert_eq!(told("2026-01-10T12:00:00Z", 1), "late 2026-01-09, none", "no farther than asked");
    }

    /// Clocks go forward on 2026-03-29 at 02:00 and back on 2026-10-25 at 03:00: the night shift that started the day before
    /// (a Saturday, so this plant works at weekends) lasts 7 and 9 hours.
    #[test]
    fn night_shifts_last_7_or_9_hours_when_clocks_change() {
        let calendar = calendar(&[("night", "daily 22:00-06:00")]);
        let spring = calendar.shift_at(at("2026-03-29T00:00:00Z"));
        assert_eq!(show(spring), "night of 2026-03-28 2026-03-28T21:00:00Z 2026-03-29T04:00:00Z 7h");
        let autumn = calendar.shift_at(at("2026-10-25T00:00:00Z"));
        assert_eq!(show(autumn), "night of 2026-10-24 2026-10-24T20:00:00Z 2026-10-25T05:00:00Z 9h");
        let usual = calendar.shift_at(at("2026-07-01T00:00:00Z"));
        assert_eq!(show(usual), "night of 2026-06-30 2026-06-30T20:00:00Z 2026-07-01T04:00:00Z 8h");
    }

    #[test]
    fn days_last_23_or_25_hours_when_clocks_change() {
        let hours = |time: &str| plant().day_of(at(time)).span().as_secs() / 3600;
        assert_eq!(hours("2026-03-28T12:00:00Z"), 23);
        assert_eq!(hours("2026-10-24T12:00:00Z"), 25);
        assert_eq!(hours("2026-07-01T12:00:00Z"), 24);
    }

    #[test]
    fn a_shift_belongs_to_the_day_it_starts_on() {
        // Monday 2026-07-06, 03:00 in Berlin, is still Sunday's night shift and Sunday's production day.
        let time = at("2026-07-06T01:00:00Z");
        assert_eq!(show(plant().shift_at(time)), "night of 2026-07-05 2026-07-05T20:00:00Z 2026-07-06T04:00:00Z 8h");
        assert_eq!(plant().production_date(time).to_string(), "2026-07-05");
        // The border belongs to the shift that ends there.
        assert_eq!(show(plant().shift_at(at("2026-07-06T04:00:00Z"))), show(plant().shift_at(time)));
        // Saturday noon nobody works.
        assert_eq!(show(plant().shift_at(at("2026-07-04T10:00:00Z"))), "none");
    }

    #[test]
    fn scheduled_time_joins_shifts_and_leaves_out_the_weekend() {
        let week = Window { start: at("2026-07-03T12:00:00Z"), end: at("2026-07-06T12:00:00Z") };
        let parts = plant().scheduled(week);
        let friday = Window { start: at("2026-07-03T12:00:00Z"), end: at("2026-07-03T20:00:00Z") };
        let monday = Window { start: at("2026-07-05T20:00:00Z"), end: at("2026-07-06T12:00:00Z") };
        assert_eq!(parts, [friday, monday]);
        assert_eq!(calendar(&[]).scheduled(week), [week]);
        assert_eq!(plant().shifts_between(week.start, week.end).len(), 3);
    }

    #[test]
    fn a_shift_in_the_skipped_hour_does_not_take_place() {
        let calendar = calendar(&[("odd", "daily 02:00-03:00")]);
        assert_eq!(show(calendar.shift_at(at("2026-03-29T01:00:00Z"))), "none");
        assert_eq!(calendar.shifts_between(at("2026-03-28T12:00:00Z"), at("2026-03-30T12:00:00Z")).len(), 1);
    }

    #[test]
    fn shifts_are_read_as_written() {
        let days = |text: &str| {
            ShiftCalendar::parse_shift("x", text)
                .map(|shift| shift.days.map(|day| if day { 'x' } else { '.' }).iter().collect::<String>())
        };
        assert_eq!(days("Sun-Thu 22:00-06:00").as_deref(), Ok("xxxx..x"));
        assert_eq!(days("Mon,Wed-Thu,Sat 6:00-14:00").as_deref(), Ok("x.xx.x."));
        assert_eq!(days("Monday-Friday 06:00-14:00").as_deref(), Ok("xxxxx.."));
        assert_eq!(days("06:00-24:00").as_deref(), Ok("xxxxxxx"));
        for wrong in [
            "",
            "Mon-Fri",
            "Mo-Fr 06:00-14:00",
            "Mon-Fri 06:00",
            "Mon-Fri 6-14",
            "Mon-Fri 25:00-26:00",
            "Mon 06:60-07:00",
            "Mon Tue 06:00-14:00",
            "äöü 06:00-14:00",
        ] {
            assert!(days(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn exceptions_close_days_and_add_shifts() {
        let mut calendar = plant();
        let shift = |name: &str, text: &str| (Arc::from(name), Some(ShiftCalendar::parse_shift(name, text).expect("a shift")));
        let day = |text: &str| ShiftCalendar::parse_dates(text).expect("dates")[0];
        // Wednesday closed; Thursday without a late shift and with a short night; an extra shift on Saturday.
        calendar.exceptions.insert(day("2026-07-08"), ShiftException { closed: true, shifts: Vec::new() });
        let thursday = vec![("late".into(), None), shift("night", "23:00-03:00")];
        calendar.exceptions.insert(day("2026-07-09"), ShiftException { closed: false, shifts: thursday });
        let saturday = ShiftException { closed: true, shifts: vec![shift("extra", "08:00-12:00")] };
        calendar.exceptions.insert(day("2026-07-11"), saturday);
        let shifts = calendar.shifts_between(at("2026-07-07T20:00:00Z"), at("2026-07-11T20:00:00Z"));
        let shown: Vec<String> =
            shifts.iter().map(|shift| format!("{} {} {}", shift.name, shift.window.start, shift.window.end)).collect();
        let expected = [
            "night 2026-07-07T20:00:00Z 2026-07-08T04:00:00Z",
            "early 2026-07-09T04:00:00Z 2026-07-09T12:00:00Z",
            "night 2026-07-09T21:00:00Z 2026-07-10T01:00:00Z",
            "early 2026-07-10T04:00:00Z 2026-07-10T12:00:00Z",
            "late 2026-07-10T12:00:00Z 2026-07-10T20:00:00Z",
            "extra 2026-07-11T06:00:00Z 2026-07-11T10:00:00Z",
        ];
        assert_eq!(shown, expected);
        // Production days go on at the usual time.
        assert_eq!(calendar.day_of(at("2026-07-08T12:00:00Z")), plant().day_of(at("2026-07-08T12:00:00Z")));
    }

    #[test]
    fn dates_are_read_as_written() {
        let count = |text: &str| ShiftCalendar::parse_dates(text).map(|dates| dates.len());
        assert_eq!((count("2026-12-25"), count("2026-12-24..2027-01-01")), (Ok(1), Ok(9)));
        for wrong in ["", "25.12.2026", "2026-13-01", "2026-12-26..2026-12-24", "2026-01-01..2028-01-01"] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn overlaps_are_found() {
        assert_eq!(plant().overlapping(), None);
        let both = calendar(&[("early", "Mon-Fri 06:00-14:00"), ("office", "Mon-Fri 08:00-16:00")]).overlapping();
        assert_eq!(both, Some(("early".into(), "office".into())));
        assert!(calendar(&[("night", "Sun 22:00-06:00"), ("early", "Mon 05:00-14:00")]).overlapping().is_some());
    }
}

//! Windows: spans of time, start exclusive, end inclusive, stamped at the end. The one place that says where they lie.

use crate::{
    Timestamp,
    calendar::ShiftCalendar,
    time::{format_duration, parse_duration},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// Most windows [`WindowSpec::windows`] gives at once: more than a year of 1-minute windows, 16 MB. Whoever needs more asks again
/// from the last end on.
pub const MAX_WINDOWS: usize = 1_000_000;

/// The shortest tumbling window.
pub const SHORTEST: Duration = Duration::from_secs(1);

/// The longest tumbling window: a week.
pub const LONGEST: Duration = Duration::from_secs(WEEK_SECONDS);

/// How far the next shift is looked for: over a week-end, over a year.
const GAPS: [Duration; 2] = [Duration::from_secs(8 * 86_400), Duration::from_secs(370 * 86_400)];

const WEEK_SECONDS: u64 = 7 * 24 * 3600;

/// The Unix epoch was a Thursday; weeks start on Mondays.
const MONDAY: Duration = Duration::from_secs(4 * 24 * 3600);

/// How a metric's windows follow one another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowSpec {
    /// Equal spans aligned to UTC, moved by `offset`.
    Tumbling {
        /// Length of a window; at least one second.
        every: Duration,
        /// Shift of the borders against UTC.
        offset: Duration,
    },
    /// The shifts of the plant's calendar.
    Shift,
    /// Production days in plant time.
    Day,
    /// Production weeks in plant time.
    Week,
}

/// One window: `(start, end]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    /// The last instant before the window.
    pub start: Timestamp,
    /// The last instant of the window; its results carry this time.
    pub end: Timestamp,
}

impl Window {
    /// Whether an instant lies in the window: after its start, not after its end.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.start < time && time <= self.end
    }

    /// How long it lasts.
    pub fn span(&self) -> Duration {
        self.end.since(self.start)
    }

    /// The shortest window that holds both.
    pub fn hull(&self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// What two windows share; none if that is no time at all.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let (start, end) = (self.start.max(other.start), self.end.min(other.end));
        (start < end).then_some(Self { start, end })
    }
}

impl WindowSpec {
    /// The window an instant lies in. None between shifts, and at the ends of time.
    pub fn window_of(&self, time: Timestamp, calendar: &ShiftCalendar) -> Option<Window> {
        match self {
            Self::Tumbling { every, offset } => Tumbling::new(*every, *offset).window_of(time),
            Self::Shift => calendar.shift_at(time).map(|shift| shift.window),
            Self::Day => Some(calendar.day_of(time)),
            Self::Week => Some(calendar.week_of(time)),
        }
    }

    /// From an instant that lies in no window to the start of the next one; to the end of time where none begins within a year.
    pub fn gap_from(&self, time: Timestamp, calendar: &ShiftCalendar) -> Window {
        let within = |span: Duration| self.windows(time, time + span, calendar).first().map(|next| next.start);
        let next = GAPS.into_iter().find_map(within);
        Window { start: time, end: next.unwrap_or(Timestamp::MAX) }
    }

    /// All windows whose end lies in `(from, to]`, by end; at most [`MAX_WINDOWS`], the earliest.
    pub fn windows(&self, from: Timestamp, to: Timestamp, calendar: &ShiftCalendar) -> Vec<Window> {
        if from >= to {
            return Vec::new();
        }
        let ends_inside = |window: &Window| from < window.end && window.end <= to;
        match self {
            Self::Tumbling { every, offset } => Tumbling::new(*every, *offset).windows(from, to),
            Self::Shift => {
                let shifts = calendar.shifts_between(from, to);
                let mut windows: Vec<Window> = shifts.into_iter().map(|shift| shift.window).filter(ends_inside).collect();
                windows.sort_by_key(|window| (window.end, window.start));
                windows
            }
            Self::Day => following(from, to, |time| calendar.day_of(time)),
            Self::Week => following(from, to, |time| calendar.week_of(time)),
        }
    }

    /// How many windows end in `(from, to]`; those of shifts, days and weeks up to [`MAX_WINDOWS`].
    pub fn count(&self, from: Timestamp, to: Timestamp, calendar: &ShiftCalendar) -> u64 {
        match self {
            _ if from >= to => 0,
            Self::Tumbling { every, offset } => Tumbling::new(*every, *offset).count(from, to),
            _ => self.windows(from, to, calendar).len() as u64,
        }
    }

    /// Its name in the plant file: `5m`, `1h`, `1d offset 6h`, `shift`, `day`, `week`. Reads back by [`FromStr`].
    pub fn name(&self) -> String {
        self.to_string()
    }
}

/// Windows that follow one another without a gap.
fn following(from: Timestamp, to: Timestamp, window_of: impl Fn(Timestamp) -> Window) -> Vec<Window> {
    let next = Duration::from_nanos(1);
    let mut windows = Vec::new();
    let mut window = window_of(from + next);
    while window.end <= to && windows.len() < MAX_WINDOWS {
        if window.end > from {
            windows.push(window);
        }
        let following = window_of(window.end + next);
        if following.end <= window.end {
            break; // the end of time
        }
        window = following;
    }
    windows
}

/// Equal windows on the line of nanoseconds.
#[derive(Clone, Copy)]
struct Tumbling {
    every: i128,
    offset: i128,
}

impl Tumbling {
    fn new(every: Duration, offset: Duration) -> Self {
        let every = every.max(SHORTEST);
        let whole_weeks = every.as_nanos().is_multiple_of(Duration::from_secs(WEEK_SECONDS).as_nanos());
        let anchor = if whole_weeks { MONDAY } else { Duration::ZERO };
        let nanos = |span: Duration| i128::try_from(span.as_nanos()).unwrap_or(i128::from(i64::MAX));
        Self { every: nanos(every), offset: nanos(offset) + nanos(anchor) }
    }

    fn number_of(self, time: Timestamp) -> i128 {
        // Rounded up: an instant on a border belongs to the window that ends there.
        -(self.offset - i128::from(time.as_nanos())).div_euclid(self.every)
    }

    fn window(self, number: i128) -> Option<Window> {
        let border = |number: i128| i64::try_from(number * self.every + self.offset).ok().map(Timestamp::from_nanos);
        Some(Window { start: border(number - 1)?, end: border(number)? })
    }

    fn window_of(self, time: Timestamp) -> Option<Window> {
        self.window(self.number_of(time))
    }

    /// The numbers of the first and the last window that end in `(from, to]`.
    fn numbers(self, from: Timestamp, to: Timestamp) -> (i128, i128) {
        let number = |time: Timestamp| (i128::from(time.as_nanos()) - self.offset).div_euclid(self.every);
        (number(from) + 1, number(to))
    }

    fn count(self, from: Timestamp, to: Timestamp) -> u64 {
        let (first, last) = self.numbers(from, to);
        u64::try_from(last - first + 1).unwrap_or(0)
    }

    fn windows(self, from: Timestamp, to: Timestamp) -> Vec<Window> {
        let (first, last) = self.numbers(from, to);
        (first..=last).filter_map(|number| self.window(number)).take(MAX_WINDOWS).collect()
    }
}

impl fmt::Display for WindowSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tumbling { every, offset } if offset.is_zero() => f.write_str(&format_duration(*every)),
            Self::Tumbling { every, offset } => write!(f, "{} offset {}", format_duration(*every), format_duration(*offset)),
            Self::Shift => f.write_str("shift"),
            Self::Day => f.write_str("day"),
            Self::Week => f.write_str("week"),
        }
    }
}

impl FromStr for WindowSpec {
    type Err = String;
    /// Reads `5m`, `1h`, `1d offset 6h`, `shift`, `day`, `week`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "shift" => return Ok(Self::Shift),
            "day" => return Ok(Self::Day),
            "week" => return Ok(Self::Week),
            _ => {}
        }
        let (every, offset) = match text.split_once("offset") {
            Some((every, offset)) => (every, Some(offset)),
            None => (text, None),
        };
        let read = |text: &str| {
            parse_duration(text).ok_or_else(|| {
                format!("`{}` is no window: write a span such as 5m, 1h or 1d, or shift, day or week", text.trim())
            })
        };
        let every = read(every)?;
        let offset = offset.map(read).transpose()?.unwrap_or_default();
        if every < SHORTEST || every > LONGEST {
            return Err(format!("a window lasts from 1s to 1w, not {}", format_duration(every)));
        }
        if offset >= every {
            return Err(format!("the offset must be shorter than the window of {}", format_duration(every)));
        }
        Ok(Self::Tumbling { every, offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    fn calendar() -> ShiftCalendar {
        let mut calendar = ShiftCalendar::new(TimeZone::get("Europe/Berlin").expect("a known zone"));
        for (name, text) in
            [("early", "Mon-Sun 06:00-14:00"), ("late", "Mon-Sun 14:00-22:00"), ("night", "Mon-Sun 22:00-06:00")]
        {
            calendar.shifts.push(ShiftCalendar::parse_shift(name, text).expect("a shift"));
        }
        // Other times, but no gap: windows still tile time.
        let early = ShiftCalendar::parse_shift("early", "06:00-10:00").expect("a shift");
        let long = ShiftCalendar::parse_shift("late", "10:00-22:00").expect("a shift");
        let shifts = vec![("early".into(), Some(early)), ("late".into(), Some(long))];
        for date in ShiftCalendar::parse_dates("2026-03-28..2026-04-20").expect("dates") {
            calendar.exceptions.insert(date, crate::calendar::ShiftException { closed: false, shifts: shifts.clone() });
        }
        calendar
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn spec(text: &str) -> WindowSpec {
        text.parse().expect("a window")
    }

    #[test]
    fn names_read_back() {
        for name in ["1s", "5m", "1h", "1h30m", "1d offset 6h", "1w", "shift", "day", "week"] {
            assert_eq!(spec(name).name(), name);
        }
        for wrong in ["", "5", "0s", "2w", "5m offset 5m", "5m offset", "shifts", "m5"] {
            assert!(wrong.parse::<WindowSpec>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_border_belongs_to_the_window_that_ends_there() {
        let calendar = calendar();
        let check = |name: &str, time: &str, start: &str, end: &str| {
            let window = spec(name).window_of(at(time), &calendar);
            assert_eq!(window, Some(Window { start: at(start), end: at(end) }), "{name} at {time}");
        };
        check("5m", "2026-03-02T10:05:00Z", "2026-03-02T10:00:00Z", "2026-03-02T10:05:00Z");
        check("5m", "2026-03-02T10:05:00.000000001Z", "2026-03-02T10:05:00Z", "2026-03-02T10:10:00Z");
        check("5m", "1969-12-31T23:59:59Z", "1969-12-31T23:55:00Z", "1970-01-01T00:00:00Z");
        check("1d offset 6h", "2026-03-02T05:00:00Z", "2026-03-01T06:00:00Z", "2026-03-02T06:00:00Z");
        // A week ends when Sunday ends.
        check("1w", "2026-03-04T12:00:00Z", "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z");
        // 06:00 in Berlin is 05:00 UTC in winter.
        check("shift", "2026-03-02T05:00:00Z", "2026-03-01T21:00:00Z", "2026-03-02T05:00:00Z");
        check("day", "2026-03-02T05:00:00Z", "2026-03-01T05:00:00Z", "2026-03-02T05:00:00Z");
        check("week", "2026-03-04T12:00:00Z", "2026-03-02T05:00:00Z", "2026-03-09T05:00:00Z");
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        let calendar = calendar();
        for name in ["1s", "1w", "shift", "day", "week"] {
            for time in [Timestamp::MIN, Timestamp::MAX] {
                let _ = spec(name).window_of(time, &calendar);
            }
        }
        assert_eq!(spec("1w").windows(Timestamp::MIN, Timestamp::MAX, &calendar).len(), 30_499);
        assert_eq!(spec("1s").windows(Timestamp::MIN, Timestamp::MAX, &calendar).len(), MAX_WINDOWS);
    }

    fn specs() -> impl Strategy<Value = WindowSpec> {
        prop_oneof![
            (1_u64..=604_800, 0_u64..604_800).prop_map(|(every, offset)| WindowSpec::Tumbling {
                every: Duration::from_secs(every),
                offset: Duration::from_secs(offset % every),
            }),
            Just(WindowSpec::Shift),
            Just(WindowSpec::Day),
            Just(WindowSpec::Week),
        ]
    }

    proptest! {
        /// Windows tile time: each instant lies in exactly one, and each begins where the one before ends.
        #[test]
        fn windows_tile_time(
            spec in specs(),
            // All times, and often those around exceptions and changed clocks.
            seconds in prop_oneof![0_i64..4_000_000_000, 1_774_000_000_i64..1_777_000_000],
            nanos in 0_i64..1_000_000_000,
        ) {
            let calendar = calendar();
            let time = Timestamp::from_nanos(seconds * 1_000_000_000 + nanos);
            let window = spec.window_of(time, &calendar).expect("this calendar has no gaps");
            prop_assert!(window.contains(time));
            let next = spec.window_of(window.end + Duration::from_nanos(1), &calendar).expect("a next window");
            prop_assert_eq!(next.start, window.end);
            prop_assert_eq!(spec.window_of(window.start, &calendar).expect("a window before").end, window.start);
            prop_assert_eq!(spec.windows(window.start, next.end, &calendar), vec![window, next]);
            prop_assert_eq!(spec.windows(window.start, next.end - Duration::from_nanos(1), &calendar), vec![window]);
        }
    }
}

//! Instants as people write them: in plant time unless they say otherwise.

use super::ShiftCalendar;
use crate::Timestamp;
use jiff::{
    civil::{Date, DateTime},
    tz::AmbiguousOffset,
};

impl ShiftCalendar {
    /// Reads `2026-11-01 06:00`, `2026-11-01T06:00:30` or `2026-11-01` (its midnight) in plant time, and RFC 3339 with an offset
    /// as it says.
    ///
    /// # Errors
    /// What is wrong and how it is written; also where the clocks are changed and the time occurs twice or not at all.
    pub fn parse_instant(&self, text: &str) -> Result<Timestamp, String> {
        let text = text.trim();
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(time);
        }
        let civil = match text.parse::<Date>() {
            Ok(date) if !text.contains(':') => date.to_datetime(jiff::civil::Time::midnight()),
            _ => text.parse::<DateTime>().map_err(|_| {
                format!("`{text}` is no time: write 2026-11-01 06:00 in plant time, or 2026-11-01T05:00:00Z with an offset")
            })?,
        };
        let ambiguous = self.time_zone.to_ambiguous_timestamp(civil);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                let time = offset.to_timestamp(civil);
                time.map(Timestamp::from).map_err(|_| format!("`{text}` lies outside of the years 1677 to 2262"))
            }
            AmbiguousOffset::Gap { before, .. } => Err(format!(
                "{text} does not occur in plant time, for the clocks are put forward then: write {civil}{before} or a later time"
            )),
            AmbiguousOffset::Fold { before, after } => Err(format!(
                "{text} occurs twice in plant time, for the clocks are put back then: write {civil}{before} or {civil}{after}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> ShiftCalendar {
        ShiftCalendar::new(jiff::tz::TimeZone::get("Europe/Berlin").unwrap())
    }

    #[test]
    fn plant_time_is_meant_unless_an_offset_is_given() {
        let read = |text: &str| berlin().parse_instant(text).unwrap().to_string();
        assert_eq!(read("2026-11-01 06:00"), "2026-11-01T05:00:00Z");
        assert_eq!(read(" 2026-07-01T06:00:30.5 "), "2026-07-01T04:00:30.5Z");
        assert_eq!(read("2026-11-01"), "2026-10-31T23:00:00Z");
        assert_eq!(read("2026-11-01T06:00:00Z"), "2026-11-01T06:00:00Z");
        assert_eq!(read("2026-11-01T06:00:00+02:00"), "2026-11-01T04:00:00Z");
    }

    #[test]
    fn times_that_occur_twice_or_never_are_asked_back_with_what_to_write() {
        let refused = |text: &str| berlin().parse_instant(text).unwrap_err();
        let twice = refused("2026-10-25 02:30");
        assert!(twice.contains("occurs twice") && twice.contains("2026-10-25T02:30:00+02"), "{twice}");
        assert!(refused("2026-03-29 02:30").contains("does not occur"));
        assert!(refused("yesterday").contains("write 2026-11-01 06:00"));
        assert!(refused("2026-13-01 06:00").contains("is no time"));
        let first = berlin().parse_instant("2026-10-25T02:30:00+02").unwrap();
        assert_eq!(first.to_string(), "2026-10-25T00:30:00Z", "what is told to be written is read");
    }
}

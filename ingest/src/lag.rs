//! How late values are, and how many are on their way: what the batches of a source say when they get on disk. Nothing is kept per
//! value.
//!
//! Lag is the time from a value's source time (the device's, else that of its arrival) to the moment when it is on disk. Values from
//! before the connection do not count: a value that a device has had unchanged for days comes with the first answer, and is not late.

use andon_models::Timestamp;
use std::time::Duration;

/// Parts of the minute that the largest lag is looked for in; one more, because the newest has only begun.
const PARTS: usize = 7;
/// How long one part is.
const PART: Duration = Duration::from_secs(10);

/// The source times in one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    oldest: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// The largest lag of the last minute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent {
    /// The number of a part of time with the largest lag in it, in milliseconds.
    parts: [Option<(i64, i64)>; PARTS],
}

impl Times {
    /// Takes a value's source time, if its connection was there by then; both by the device's clock.
    pub fn see(&mut self, time: Timestamp, connected: Option<Timestamp>) {
        if connected.is_some_and(|connected| time >= connected) {
            self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
            self.last = Some(time);
        }
    }

    /// The lag of the last value and the largest one, in milliseconds, when all of them are on disk; none if none counts.
    pub fn lags(self, on_disk: Timestamp) -> Option<(i64, i64)> {
        Some((millis(on_disk, self.last?), millis(on_disk, self.oldest?)))
    }
}

impl Recent {
    /// Takes the largest lag of a batch; the largest of the minute until now.
    pub fn add(&mut self, now: Timestamp, lag: i64) -> i64 {
        let part = now.as_nanos().div_euclid(PART.as_nanos() as i64);
        let slot = &mut self.parts[part.rem_euclid(PARTS as i64) as usize];
        *slot = match *slot {
            Some((same, largest)) if same == part => Some((part, largest.max(lag))),
            _ => Some((part, lag)),
        };
        // A part of the future is left by a clock that was put back.
        let recent = |(of, _): &(i64, i64)| (part - PARTS as i64 + 1..=part).contains(of);
        self.parts.iter().flatten().filter(|part| recent(part)).map(|(_, lag)| *lag).max().unwrap_or(lag)
    }
}

fn millis(later: Timestamp, earlier: Timestamp) -> i64 {
    later.as_millis().saturating_sub(earlier.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_batch_is_as_late_as_its_oldest_value_since_the_connection() {
        let mut times = Times::default();
        times.see(at(5), None);
        assert_eq!(times.lags(at(2_000)), None, "not connected");
        [900, 1_700, 1_000, 1_200].into_iter().for_each(|time| times.see(at(time), Some(at(1_000))));
        assert_eq!(times.lags(at(2_000)), Some((800, 1_000)), "900 was there before the connection");
        assert_eq!(times.lags(at(1_100)), Some((-100, 100)), "the device's clock is ahead");
    }

    #[test]
    fn the_largest_lag_is_forgotten_after_a_minute() {
        let mut recent = Recent::default();
        let mut largest = |second: i64, lag| recent.add(Timestamp::from_seconds(second), lag);
        assert_eq!([largest(0, 10), largest(1, 900), largest(2, 20), largest(59, 20)], [10, 900, 900, 900]);
        assert_eq!(largest(71, 30), 30, "what was before the minute counts no more");
        assert_eq!(largest(1_000, -5), -5);
        assert_eq!([largest(500, 7), largest(501, 3)], [7, 7], "the clock was put back");
    }
}

//! Which instants a value may carry when it enters.

use crate::Timestamp;
use std::{fmt, time::Duration};

/// A value further ahead of the wall clock than this is refused: its clock is wrong, and it would stay the newest value until then.
/// AWS IoT SiteWise accepts as much.
pub const MAX_AHEAD: Duration = Duration::from_secs(600);

/// Why a value may not enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimeRefusal {
    /// Its time is further ahead of the wall clock than [`MAX_AHEAD`].
    AheadOfClock,
    /// Its time is before 1677 or after 2262, which nanoseconds in 64 bits do not hold.
    OutOfRange,
}

/// Checks the time of a value that enters at `now`. What is computed here afterwards is not checked again.
///
/// # Errors
/// Why it may not enter.
pub fn admit(time: Timestamp, now: Timestamp) -> Result<(), TimeRefusal> {
    // Whatever does not fit was clamped to one of the ends when it was read.
    if time == Timestamp::MIN || time == Timestamp::MAX {
        return Err(TimeRefusal::OutOfRange);
    }
    if time > now + MAX_AHEAD { Err(TimeRefusal::AheadOfClock) } else { Ok(()) }
}

impl TimeRefusal {
    /// A word for counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::AheadOfClock => "ahead_of_clock",
            Self::OutOfRange => "out_of_range",
        }
    }
}

impl fmt::Display for TimeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AheadOfClock => {
                f.write_str("more than 10 minutes ahead of our clock; check the clock of the sender, and ours")
            }
            Self::OutOfRange => f.write_str("not between the years 1677 and 2262; check the format of the time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_future_begins_after_ten_minutes() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let nanosecond = Duration::from_nanos(1);
        assert_eq!(admit(now + MAX_AHEAD, now), Ok(()));
        assert_eq!(admit(now + MAX_AHEAD + nanosecond, now), Err(TimeRefusal::AheadOfClock));
        assert_eq!(admit(Timestamp::from_seconds(-9_000_000_000), now), Ok(()), "the past is long");
    }

    #[test]
    fn what_does_not_fit_is_not_clamped() {
        let now = Timestamp::from_seconds(1_700_000_000);
        for time in ["1600-01-01T00:00:00Z", "2300-01-01T00:00:00Z"] {
            assert_eq!(admit(time.parse().unwrap(), now), Err(TimeRefusal::OutOfRange), "{time}");
        }
        assert_eq!(admit(Timestamp::from_seconds(i64::MAX), now), Err(TimeRefusal::OutOfRange));
    }
}

//! The lengths of windows that are kept.

/// Microseconds of a UTC day.
pub const DAY_MICROS: i64 = 86_400_000_000;

/// A length of windows, from fine to coarse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// One minute.
    Minute,
    /// Fifteen minutes.
    Quarter,
    /// One hour.
    Hour,
    /// One UTC day.
    Day,
}

impl Resolution {
    /// All, from fine to coarse: each is a multiple of those before it.
    pub const ALL: [Self; 4] = [Self::Minute, Self::Quarter, Self::Hour, Self::Day];

    /// Its name in SQL, as AWS IoT SiteWise has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minute => "1m",
            Self::Quarter => "15m",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }

    /// Its length in microseconds.
    pub const fn micros(self) -> i64 {
        match self {
            Self::Minute => 60_000_000,
            Self::Quarter => 900_000_000,
            Self::Hour => 3_600_000_000,
            Self::Day => DAY_MICROS,
        }
    }

    /// The next finer one: its windows make up this one's.
    pub fn finer(self) -> Option<Self> {
        match self {
            Self::Minute => None,
            Self::Quarter => Some(Self::Minute),
            Self::Hour => Some(Self::Quarter),
            Self::Day => Some(Self::Hour),
        }
    }

    /// The end of the window an instant lies in. In microseconds; the instant in nanoseconds.
    pub fn end_of(self, nanos: i64) -> i64 {
        // Rounded up: an instant on a border belongs to the window that ends there.
        -(-nanos).div_euclid(self.micros() * 1_000) * self.micros()
    }

    /// The end of the window that a finer window, by its end in microseconds, is part of.
    pub fn around(self, end: i64) -> i64 {
        -(-end).div_euclid(self.micros()) * self.micros()
    }

    /// The partition of a window, as a number of days since the epoch: the UTC day in which it starts; of days, the first of the
    /// month, as a file per day would hold next to nothing.
    pub fn partition_of(self, end: i64) -> i64 {
        let day = (end - self.micros()).div_euclid(DAY_MICROS);
        if self == Self::Day { first_of_month(day) } else { day }
    }

    /// The first and last end of the windows of a partition, in microseconds.
    pub fn ends_of(self, partition: i64) -> (i64, i64) {
        let next = if self == Self::Day { first_of_month(partition + 31) } else { partition + 1 };
        (partition * DAY_MICROS + self.micros(), next * DAY_MICROS)
    }
}

/// The first day of a day's month, both as days since the epoch (Howard Hinnant, chrono-compatible low-level date algorithms).
fn first_of_month(day: i64) -> i64 {
    let shifted = day + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month + 2) / 5;
    day - day_of_month
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{PLANT, catalog};
    use andon_models::{Timestamp, window::WindowSpec};
    use proptest::prelude::*;

    proptest! {
        /// The windows are those of the rest of the house.
        #[test]
        fn windows_are_the_same_everywhere(seconds in -4_000_000_000_i64..4_000_000_000, nanos in 0_i64..1_000_000_000) {
            let calendar = catalog(PLANT);
            for time in [seconds * 1_000_000_000 + nanos, seconds * 1_000_000_000, seconds / 60 * 60_000_000_000] {
                for resolution in Resolution::ALL {
                    let spec: WindowSpec = resolution.name().parse().unwrap();
                    let window = spec.window_of(Timestamp::from_nanos(time), &calendar.plant.calendar).unwrap();
                    prop_assert_eq!(resolution.end_of(time), window.end.as_micros());
                    let (first, last) = resolution.ends_of(resolution.partition_of(window.end.as_micros()));
                    prop_assert!(first <= window.end.as_micros() && window.end.as_micros() <= last);
                    if let Some(finer) = resolution.finer() {
                        prop_assert_eq!(resolution.around(finer.end_of(time)), resolution.end_of(time));
                    }
                }
            }
        }
    }

    #[test]
    fn days_are_kept_by_the_month() {
        let day = |text: &str| format!("{text}T00:00:00Z").parse::<Timestamp>().unwrap().as_micros() / DAY_MICROS;
        for (of, first) in [("2026-01-31", "2026-01-01"), ("2024-02-29", "2024-02-01"), ("2026-12-01", "2026-12-01")] {
            assert_eq!(first_of_month(day(of)), day(first));
        }
        let (first, last) = Resolution::Day.ends_of(day("2026-02-01"));
        assert_eq!((first, last), (day("2026-02-02") * DAY_MICROS, day("2026-03-01") * DAY_MICROS));
    }
}

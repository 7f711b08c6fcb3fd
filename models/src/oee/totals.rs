//! What adds up over machines: spans of time and pieces of one window. Every figure follows from them, by one formula each, whether
//! they are a machine's, a line's or a plant's, computed just now or read back.

use super::OeeFigure;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Performance above 1 by less than this is rounding, not a wrong ideal rate.
const SUSPECT: f64 = 1e-9;

/// Times and pieces of one window. Times are whole nanoseconds, also when serialised.
///
/// Calendar time = off shift + schedule loss + planned busy time; planned busy time = running + micro-stops + set-ups +
/// breakdowns + unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OeeTotals {
    /// Machines in it: 1, or how many of a line had figures.
    pub machines: u32,
    /// The whole window.
    #[serde(with = "nanos")]
    pub calendar_time: Duration,
    /// Planned stops and reasons that leave planned busy time, inside shifts.
    #[serde(with = "nanos")]
    pub schedule_loss_time: Duration,
    /// PBT: shifts without these.
    #[serde(with = "nanos")]
    pub planned_busy_time: Duration,
    /// APT: running inside planned busy time.
    #[serde(with = "nanos")]
    pub actual_production_time: Duration,
    /// Micro-stops and stops whose reason is a loss of performance.
    #[serde(with = "nanos")]
    pub micro_stop_time: Duration,
    /// Planned stops that cost availability.
    #[serde(with = "nanos")]
    pub setup_time: Duration,
    /// Unplanned stops.
    #[serde(with = "nanos")]
    pub breakdown_time: Duration,
    /// Time of which nothing is known.
    #[serde(with = "nanos")]
    pub unknown_time: Duration,
    /// The part of planned busy time in which state or counters are not known.
    #[serde(with = "nanos")]
    pub uncovered_time: Duration,
    /// Good pieces: right the first time.
    #[serde(with = "exact")]
    pub good: Option<f64>,
    /// Scrap; none if it is not counted.
    #[serde(with = "exact")]
    pub bad: Option<f64>,
    /// Pieces to be worked on again; none if they are not counted.
    #[serde(with = "exact")]
    pub rework: Option<f64>,
    /// Of the scrap, what was made while starting up.
    #[serde(with = "exact")]
    pub startup_bad: Option<f64>,
    /// All pieces.
    #[serde(with = "exact")]
    pub total: Option<f64>,
    /// Seconds all pieces take at the ideal rate.
    #[serde(with = "exact")]
    pub standard_seconds: Option<f64>,
    /// Seconds the good pieces take at the ideal rate.
    #[serde(with = "exact")]
    pub good_standard_seconds: Option<f64>,
    /// Seconds the pieces to be worked on again take at the ideal rate.
    #[serde(with = "exact")]
    pub rework_standard_seconds: Option<f64>,
    /// Seconds the scrap of start-ups takes at the ideal rate.
    #[serde(with = "exact")]
    pub startup_standard_seconds: Option<f64>,
    /// Pieces that could have been made at the ideal rate while it ran.
    #[serde(with = "exact")]
    pub running_capacity: Option<f64>,
    /// Pieces that could have been made in the micro-stops.
    #[serde(with = "exact")]
    pub micro_stop_capacity: Option<f64>,
    /// Pieces that could have been made in the set-ups.
    #[serde(with = "exact")]
    pub setup_capacity: Option<f64>,
    /// Pieces that could have been made in the breakdowns.
    #[serde(with = "exact")]
    pub breakdown_capacity: Option<f64>,
    /// Micro-stops that began in the window.
    pub micro_stops: u64,
    /// Set-ups that began in the window.
    pub setups: u64,
    /// Breakdowns that began in the window.
    pub breakdowns: u64,
}

/// Why a figure has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoValue {
    /// No planned busy time: all figures.
    NoPlannedTime,
    /// A counter is Bad: performance, quality rate, OEE.
    CounterBad,
    /// The ideal rate is not known: performance, OEE.
    IdealRateUnknown,
    /// The machine did not run: performance.
    NoRunTime,
    /// No pieces: quality rate.
    NoCount,
    /// Bad pieces are not counted: quality rate.
    NoBadCounter,
}

impl NoValue {
    /// The word for it in results.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoPlannedTime => "no_planned_time",
            Self::CounterBad => "counter_bad",
            Self::IdealRateUnknown => "ideal_rate_unknown",
            Self::NoRunTime => "no_run_time",
            Self::NoCount => "no_count",
            Self::NoBadCounter => "no_bad_counter",
        }
    }
}

/// A quotient; none without a divisor.
fn ratio(part: Option<f64>, whole: f64) -> Option<f64> {
    part.filter(|_| whole > 0.0).map(|part| part / whole)
}

impl OeeTotals {
    /// The time the machine was available: production and micro-stops.
    pub fn available_time(&self) -> Duration {
        self.actual_production_time + self.micro_stop_time
    }

    /// The time inside shifts.
    pub fn scheduled_time(&self) -> Duration {
        self.planned_busy_time + self.schedule_loss_time
    }

    /// The time outside of shifts.
    pub fn off_shift_time(&self) -> Duration {
        self.calendar_time.saturating_sub(self.scheduled_time())
    }

    /// The part of planned busy time in which state and counters are known, 0 to 1.
    pub fn coverage(&self) -> f64 {
        let missing = ratio(Some(self.uncovered_time.as_secs_f64()), self.planned_busy_time.as_secs_f64());
        1.0 - missing.unwrap_or(0.0)
    }

    /// One figure.
    pub fn figure(&self, figure: OeeFigure) -> Option<f64> {
        match figure {
            OeeFigure::Availability => self.availability(),
            OeeFigure::Performance => self.performance(),
            OeeFigure::QualityRate => self.quality_rate(),
            OeeFigure::Oee => self.oee(),
        }
    }

    /// (APT + micro-stops) / PBT.
    pub fn availability(&self) -> Option<f64> {
        ratio(Some(self.available_time().as_secs_f64()), self.planned_busy_time.as_secs_f64())
    }

    /// PRI × PQ / (APT + micro-stops). Never capped.
    pub fn performance(&self) -> Option<f64> {
        self.standard_seconds
            .filter(|_| !self.planned_busy_time.is_zero())
            .and_then(|seconds| ratio(Some(seconds), self.available_time().as_secs_f64()))
    }

    /// GQ / PQ. For several machines pieces are weighed by the time they take, because they need not be alike.
    pub fn quality_rate(&self) -> Option<f64> {
        if self.planned_busy_time.is_zero() || self.bad.is_none() {
            return None;
        }
        match self.machines {
            0 | 1 => ratio(self.good, self.total?),
            _ => ratio(self.good_standard_seconds, self.standard_seconds?),
        }
    }

    /// GQ × PRI / PBT.
    pub fn oee(&self) -> Option<f64> {
        ratio(self.good_standard_seconds, self.planned_busy_time.as_secs_f64())
    }

    /// OEE × PBT / calendar time.
    pub fn teep(&self) -> Option<f64> {
        let calendar = self.calendar_time.as_secs_f64();
        self.oee().and_then(|oee| ratio(Some(oee * self.planned_busy_time.as_secs_f64()), calendar))
    }

    /// The first reason why a figure is missing; none when all have a value.
    pub fn no_value(&self) -> Option<NoValue> {
        if self.planned_busy_time.is_zero() {
            return Some(NoValue::NoPlannedTime);
        }
        let missing = [
            (self.total.is_none(), NoValue::CounterBad),
            (self.total.is_some() && self.standard_seconds.is_none(), NoValue::IdealRateUnknown),
            (self.available_time().is_zero(), NoValue::NoRunTime),
            (self.bad.is_none(), NoValue::NoBadCounter),
            (self.total == Some(0.0), NoValue::NoCount),
        ];
        missing.into_iter().find(|(is_missing, _)| *is_missing).map(|(_, reason)| reason)
    }

    /// Whether performance is above 1: the ideal rate is set too low.
    pub fn ideal_rate_suspect(&self) -> bool {
        self.performance().is_some_and(|performance| performance > 1.0 + SUSPECT)
    }

    /// NEE: (APT + micro-stops + set-ups) / PBT × performance × quality rate. Set-ups are no loss in it.
    pub fn net_equipment_effectiveness(&self) -> Option<f64> {
        let allocated = (self.available_time() + self.setup_time).as_secs_f64();
        let share = ratio(Some(allocated), self.planned_busy_time.as_secs_f64())?;
        Some(share * self.performance()? * self.quality_rate()?)
    }

    /// Utilisation: APT / the part of planned busy time of which something is known.
    pub fn utilisation(&self) -> Option<f64> {
        let known = self.planned_busy_time.saturating_sub(self.unknown_time);
        ratio(Some(self.actual_production_time.as_secs_f64()), known.as_secs_f64())
    }

    /// Technical efficiency: APT / (APT + micro-stops).
    pub fn technical_efficiency(&self) -> Option<f64> {
        ratio(Some(self.actual_production_time.as_secs_f64()), self.available_time().as_secs_f64())
    }

    /// Setup rate: set-ups / (APT + micro-stops + set-ups).
    pub fn setup_rate(&self) -> Option<f64> {
        let setup = self.setup_time.as_secs_f64();
        ratio(Some(setup), (self.available_time() + self.setup_time).as_secs_f64())
    }

    /// Scrap / all pieces.
    pub fn scrap_ratio(&self) -> Option<f64> {
        ratio(self.bad, self.total?)
    }

    /// Pieces to be worked on again / all pieces.
    pub fn rework_ratio(&self) -> Option<f64> {
        ratio(self.rework, self.total?)
    }

    /// Pieces right the first time / all pieces; needs to know the others.
    pub fn first_pass_yield(&self) -> Option<f64> {
        self.bad?;
        ratio(self.good, self.total?)
    }

    /// Pieces per hour of planned busy time.
    pub fn throughput_per_hour(&self) -> Option<f64> {
        ratio(self.total, self.planned_busy_time.as_secs_f64() / 3_600.0)
    }

    /// MTTF: running time per breakdown.
    pub fn mean_time_to_failure(&self) -> Option<Duration> {
        self.per_breakdown(self.available_time())
    }

    /// MTTR: time down per breakdown.
    pub fn mean_time_to_repair(&self) -> Option<Duration> {
        self.per_breakdown(self.breakdown_time)
    }

    /// MTBF: from one breakdown to the next, MTTF + MTTR.
    pub fn mean_time_between_failures(&self) -> Option<Duration> {
        self.per_breakdown(self.available_time() + self.breakdown_time)
    }

    fn per_breakdown(&self, time: Duration) -> Option<Duration> {
        let nanos = time.as_nanos().checked_div(u128::from(self.breakdowns))?;
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

/// Spans as whole nanoseconds.
pub(super) mod nanos {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_nanos)
    }
}

/// Decimal numbers as text, because not every reader of JSON numbers gives back the very number that was written.
pub(super) mod exact {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        number.map(|number| number.to_string()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

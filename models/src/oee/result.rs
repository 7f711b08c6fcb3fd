//! The figures of one window, with everything they were made of.

use super::OeeFigure;
use crate::{time::format_duration, window::Window};
use serde::{Serialize, Serializer};
use std::{sync::Arc, time::Duration};

/// The figures of one window. Spans of time are milliseconds when serialised.
///
/// Calendar time = outside the shifts + planned stops + planned busy time; planned busy time = production + micro-stops +
/// unplanned stops + unknown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OeeResult {
    /// The window.
    pub window: Window,
    /// Its whole length.
    #[serde(rename = "calendar_time_ms", serialize_with = "millis")]
    pub calendar_time: Duration,
    /// Its parts inside shifts.
    #[serde(rename = "scheduled_time_ms", serialize_with = "millis")]
    pub scheduled_time: Duration,
    /// Planned stops inside shifts.
    #[serde(rename = "planned_stop_time_ms", serialize_with = "millis")]
    pub planned_stop_time: Duration,
    /// PBT: shifts without planned stops.
    #[serde(rename = "planned_busy_time_ms", serialize_with = "millis")]
    pub planned_busy_time: Duration,
    /// APT: running inside planned busy time, without micro-stops.
    #[serde(rename = "actual_production_time_ms", serialize_with = "millis")]
    pub actual_production_time: Duration,
    /// Unplanned stops, without micro-stops.
    #[serde(rename = "unplanned_stop_time_ms", serialize_with = "millis")]
    pub unplanned_stop_time: Duration,
    /// Micro-stops: losses of performance.
    #[serde(rename = "micro_stop_time_ms", serialize_with = "millis")]
    pub micro_stop_time: Duration,
    /// Time of which nothing is known.
    #[serde(rename = "unknown_time_ms", serialize_with = "millis")]
    pub unknown_time: Duration,
    /// Good pieces.
    pub good: Option<f64>,
    /// Bad pieces; none if they are not counted.
    pub bad: Option<f64>,
    /// Good and bad pieces; the good ones if bad ones are not counted.
    pub total: Option<f64>,
    /// Seconds all pieces take at the ideal rate.
    pub standard_seconds: Option<f64>,
    /// Seconds the good pieces take at the ideal rate.
    pub good_standard_seconds: Option<f64>,
    /// (APT + micro-stops) / PBT.
    pub availability: Option<f64>,
    /// PRI × PQ / (APT + micro-stops).
    pub performance: Option<f64>,
    /// GQ / PQ.
    pub quality_rate: Option<f64>,
    /// GQ × PRI / PBT.
    pub oee: Option<f64>,
    /// OEE × PBT / calendar time.
    pub teep: Option<f64>,
    /// The part of planned busy time in which state and counters are known, 0 to 1.
    pub coverage: f64,
    /// Why the first missing figure is missing, see [`NoValue`]; empty if none is.
    pub no_value_reason: &'static str,
    /// Whether performance is above 1, so that the ideal rate is probably too low.
    pub ideal_rate_suspect: bool,
    /// All stops that touch the window, by time.
    pub stops: Vec<Stop>,
    /// Unplanned stops that began in the window, without micro-stops.
    pub stop_count: usize,
    /// Micro-stops that began in the window.
    pub micro_stop_count: usize,
    /// Unplanned stops by reason, the longest first.
    pub losses: Vec<Loss>,
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

/// A span in which the machine stood, with one reason, cut at the borders of the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// When.
    pub window: Window,
    /// Why; empty if nobody said.
    pub reason: Arc<str>,
    /// Whether it was planned.
    pub planned: bool,
    /// Whether it counts as a loss of performance.
    pub micro: bool,
    /// Whether it began before the window, and is counted there.
    pub continued: bool,
}

/// What a stop takes away from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LossClass {
    /// Unplanned stops.
    Availability,
    /// Micro-stops.
    Performance,
}

/// What the stops of one reason cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// The reason; empty if nobody said.
    pub reason: Arc<str>,
    /// What it takes away from.
    pub class: LossClass,
    /// How long they lasted together.
    #[serde(rename = "span_ms", serialize_with = "millis")]
    pub span: Duration,
    /// How many began in the window.
    pub count: usize,
}

impl OeeResult {
    /// One figure.
    pub fn figure(&self, figure: OeeFigure) -> Option<f64> {
        match figure {
            OeeFigure::Availability => self.availability,
            OeeFigure::Performance => self.performance,
            OeeFigure::QualityRate => self.quality_rate,
            OeeFigure::Oee => self.oee,
        }
    }

    /// The time the machine was available: production and micro-stops.
    pub fn available_time(&self) -> Duration {
        self.actual_production_time + self.micro_stop_time
    }

    /// The figure's formula with its numbers: `A = 6h12m run ÷ 7h5m planned = 87.5 %`.
    pub fn formula(&self, figure: OeeFigure) -> String {
        let percent = match self.figure(figure) {
            Some(value) => format!("{:.1} %", value * 100.0),
            None => format!("no value ({})", self.no_value_reason),
        };
        let span = |seconds: Option<f64>| {
            let span = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            span.map_or("?".into(), |span| format_duration(Duration::from_secs(span.as_secs_f64().round() as u64)))
        };
        let whole = |time: Duration| span(Some(time.as_secs_f64()));
        let pieces = |count: Option<f64>| count.map_or("?".into(), |count| format!("{count:.0}"));
        let run = whole(self.available_time());
        let planned = whole(self.planned_busy_time);
        match figure {
            OeeFigure::Availability => format!("A = {run} run ÷ {planned} planned = {percent}"),
            OeeFigure::Performance => {
                let (pieces, ideal) = (pieces(self.total), span(self.standard_seconds));
                format!("P = {ideal} for {pieces} pieces at the ideal rate ÷ {run} run = {percent}")
            }
            OeeFigure::QualityRate => format!("Q = {} good ÷ {} made = {percent}", pieces(self.good), pieces(self.total)),
            OeeFigure::Oee => {
                let (pieces, ideal) = (pieces(self.good), span(self.good_standard_seconds));
                format!("OEE = {ideal} for {pieces} good pieces at the ideal rate ÷ {planned} planned = {percent}")
            }
        }
    }
}

fn millis<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

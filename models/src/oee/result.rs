//! The figures of one window, with everything they were made of; and the record of them that is stored.

use super::{
    OeeFigure, OeeTotals,
    reasons::LossClass,
    totals::{exact, nanos},
};
use crate::{time::format_duration, window::Window};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// The figures of one window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OeeResult {
    /// The window.
    pub window: Window,
    /// Times and pieces.
    pub totals: OeeTotals,
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
    /// Why a figure is missing: the first reason that applies; empty if none is.
    pub no_value_reason: &'static str,
    /// Performance is above 1: the ideal rate is set too low.
    pub ideal_rate_suspect: bool,
    /// All stops that touch the window, cut at its borders.
    pub stops: Vec<Stop>,
    /// The spans of planned busy time in which nobody knows whether it ran, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Window>,
    /// Stops by reason, the dearest first.
    pub losses: Vec<Loss>,
}

/// A span in which the machine stood, with one reason, cut at the borders of the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// When.
    #[serde(flatten)]
    pub window: Window,
    /// Why; empty if nobody said.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub reason: Arc<str>,
    /// What it takes away from.
    pub class: LossClass,
    /// Whether it was planned.
    #[serde(default, skip_serializing_if = "is_false")]
    pub planned: bool,
    /// Whether it is a micro-stop.
    #[serde(default, skip_serializing_if = "is_false")]
    pub micro: bool,
    /// Whether it began before the window, and is counted there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub continued: bool,
    /// What somebody wrote to it; empty if nothing.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub comment: Arc<str>,
    /// Who gave the reason or the comment; empty if only the machine did.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub by: Arc<str>,
}

/// What the stops of one reason cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// The reason; empty if nobody said.
    pub reason: Arc<str>,
    /// What it takes away from.
    pub class: LossClass,
    /// Whether they were planned.
    #[serde(default, skip_serializing_if = "is_false")]
    pub planned: bool,
    /// How long they lasted together.
    #[serde(rename = "span_ns", with = "nanos")]
    pub span: Duration,
    /// How many began in the window.
    pub count: u64,
    /// Pieces that could have been made meanwhile; none when the ideal rate is not known.
    #[serde(with = "exact")]
    pub units: Option<f64>,
}

/// What is stored of a window: everything that cannot be worked out from the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OeeRecord {
    /// The window.
    pub window: Window,
    /// Times and pieces.
    pub totals: OeeTotals,
    /// For several machines, the planned busy time of those without figures.
    #[serde(rename = "left_out_ns", with = "nanos", default, skip_serializing_if = "Duration::is_zero")]
    pub left_out: Duration,
    /// Stops by reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
    /// The stops; only in records of an hour, so that they are stored once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<Stop>,
    /// For a bottleneck, the machine it is; else empty.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub of: Arc<str>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl OeeRecord {
    /// The record of a result.
    pub fn of(result: &OeeResult, with_stops: bool) -> Self {
        Self {
            window: result.window,
            totals: result.totals.clone(),
            left_out: Duration::ZERO,
            losses: result.losses.clone(),
            stops: if with_stops { result.stops.clone() } else { Vec::new() },
            of: "".into(),
        }
    }

    /// The text that is stored.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("a record is plain data")
    }

    /// Reads what [`Self::text`] wrote; none for anything else.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The known part of planned busy time, with the machines that had no figures.
    pub fn coverage(&self) -> f64 {
        let busy = self.totals.planned_busy_time + self.left_out;
        let missing = self.totals.uncovered_time + self.left_out;
        if busy.is_zero() { 1.0 } else { 1.0 - missing.as_secs_f64() / busy.as_secs_f64() }
    }
}

impl OeeResult {
    /// The figures that follow from totals.
    pub(super) fn of(window: Window, totals: OeeTotals, stops: Vec<Stop>, unknown: Vec<Window>, losses: Vec<Loss>) -> Self {
        Self {
            window,
            availability: totals.availability(),
            performance: totals.performance(),
            quality_rate: totals.quality_rate(),
            oee: totals.oee(),
            teep: totals.teep(),
            coverage: totals.coverage(),
            no_value_reason: totals.no_value().map_or("", super::NoValue::word),
            ideal_rate_suspect: totals.ideal_rate_suspect(),
            totals,
            stops,
            unknown,
            losses,
        }
    }

    /// One figure.
    pub fn figure(&self, figure: OeeFigure) -> Option<f64> {
        self.totals.figure(figure)
    }

    /// The figure's formula with its numbers.
    pub fn formula(&self, figure: OeeFigure) -> String {
        self.totals.formula(figure)
    }
}

impl OeeTotals {
    /// A figure's formula with its numbers: `A = 6h12m run ÷ 7h5m planned = 87.5 %`.
    pub fn formula(&self, figure: OeeFigure) -> String {
        let percent = match (self.figure(figure), self.no_value()) {
            (Some(value), _) => format!("{:.1} %", value * 100.0),
            (None, Some(reason)) => format!("no value ({})", reason.word()),
            (None, None) => "no value".into(),
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
            OeeFigure::QualityRate if self.machines > 1 => {
                let (good, all) = (span(self.good_standard_seconds), span(self.standard_seconds));
                format!("Q = {good} for good pieces ÷ {all} for all pieces at the ideal rates = {percent}")
            }
            OeeFigure::QualityRate => format!("Q = {} good ÷ {} made = {percent}", pieces(self.good), pieces(self.total)),
            OeeFigure::Oee => {
                let (pieces, ideal) = (pieces(self.good), span(self.good_standard_seconds));
                format!("OEE = {ideal} for {pieces} good pieces at the ideal rate ÷ {planned} planned = {percent}")
            }
        }
    }
}

//! How a value came about: its formula with the numbers, what it was made of, how much of that is known. The same for the command line,
//! the interface and the pages.

use crate::{Quality, Timestamp, Value, window::Window};
use serde::Serialize;
use std::{fmt::Write, sync::Arc};

/// How a value came about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValueExplanation {
    /// Path of the asset.
    pub asset: Arc<str>,
    /// Key of the property.
    pub property: Arc<str>,
    /// `attribute`, `measurement`, `transform` or `metric`.
    pub kind: &'static str,
    /// Its unit; empty if none.
    pub unit: Arc<str>,
    /// The kind of window of a metric; empty otherwise.
    pub spec: String,
    /// The window of a metric.
    pub window: Option<Window>,
    /// Whether the window is still open: the value moves on until it ends.
    pub provisional: bool,
    /// The value by what is stored now; `Null` if there is none.
    pub value: Value,
    /// The value as it was stored; `Null` if there is none yet.
    pub stored: Value,
    /// Its quality.
    pub quality: Quality,
    /// When it was true; for a metric the end of its window.
    pub time: Option<Timestamp>,
    /// The formula as written; empty for what is not computed.
    pub formula: String,
    /// The formula with its numbers, one line per step.
    pub steps: Vec<String>,
    /// The known part of the window, 0 to 1; none where that means nothing.
    pub coverage: Option<f64>,
    /// What to beware of: `ideal_rate_suspect`, `no_planned_time`, …
    pub flags: Vec<String>,
    /// What it was made of.
    pub inputs: Vec<ExplainedSeries>,
    /// The newest revision of its window, if it was ever changed after it was closed.
    pub revision: Option<ExplainedRevision>,
    /// A statement that shows the raw values.
    pub sql: String,
}

/// One series that a value was made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedSeries {
    /// Path of its asset.
    pub asset: Arc<str>,
    /// Key of the property.
    pub property: Arc<str>,
    /// Its unit; empty if none.
    pub unit: Arc<str>,
    /// Good values in the window.
    pub good: u64,
    /// Other values in the window: these are left out.
    pub not_good: u64,
    /// The value that held when the window began, or at the instant asked for.
    pub carried: Value,
    /// When that was true.
    pub carried_time: Option<Timestamp>,
    /// The first Good value in the window.
    pub first: Value,
    /// The last Good value in the window.
    pub last: Value,
}

/// A revision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedRevision {
    /// Which, from 1 on.
    pub number: u64,
    /// When it was made.
    pub time: Timestamp,
    /// Why.
    pub cause: String,
}

impl ValueExplanation {
    /// In words, for a terminal.
    pub fn text(&self) -> String {
        let mut text = format!("{} {} = {}{}\n", self.asset, self.property, self.value, with_unit(&self.unit));
        let mut line = |name: &str, value: &str| _ = writeln!(text, "  {name:<9} {value}");
        if let Some(window) = self.window {
            let state = if self.provisional { ", still open: the value is provisional" } else { "" };
            line("window", &format!("{} {} … {}{state}", self.spec, window.start, window.end));
        } else if let Some(time) = self.time {
            line("time", &time.to_string());
        }
        if !self.formula.is_empty() {
            line("formula", &self.formula);
        }
        self.steps.iter().for_each(|step| line("", step));
        if let Some(coverage) = self.coverage {
            line("coverage", &format!("{:.1} % of the planned time is known", coverage * 100.0));
        }
        line("quality", &self.quality.to_string());
        if !self.flags.is_empty() {
            line("beware", &self.flags.join(", "));
        }
        match &self.revision {
            Some(revision) => {
                line("revision", &format!("{} at {}: {}", revision.number, revision.time, revision.cause));
            }
            None if self.kind == "metric" && !self.provisional => line("revision", "none: as first computed"),
            None => {}
        }
        if self.stored != self.value && !self.provisional && self.kind == "metric" {
            line("stored", &format!("{}, which is not the value of today's data and definition", self.stored));
        }
        for (index, input) in self.inputs.iter().enumerate() {
            line(if index == 0 { "inputs" } else { "" }, &input.text(&self.asset));
        }
        line("raw", &self.sql);
        text
    }
}

impl ExplainedSeries {
    fn text(&self, seen_from: &str) -> String {
        let name = match *self.asset == *seen_from {
            true => self.property.to_string(),
            false => format!("{}.{}", self.asset, self.property),
        };
        let carried = match (&self.carried, self.carried_time) {
            (Value::Null, _) => "nothing carried in".to_owned(),
            (value, Some(time)) => format!("{value} carried in from {time}"),
            (value, None) => format!("{value} by definition"),
        };
        let not_good = if self.not_good > 0 { format!(", {} not Good and left out", self.not_good) } else { String::new() };
        let inside = match self.good {
            0 => "no Good values in the window".to_owned(),
            count => format!("{count} Good values, {} … {}", self.first, self.last),
        };
        format!("{name}{}: {inside}{not_good}; {carried}", with_unit(&self.unit))
    }
}

fn with_unit(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" {unit}") }
}

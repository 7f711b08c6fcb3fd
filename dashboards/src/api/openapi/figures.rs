//! Shapes of OEE and of explanations, as the ground crates answer with them.

use super::shapes::WindowDocument;
use crate::view::{Datum, QualityView, Time};
use serde::Serialize;
use utoipa::ToSchema;

/// All figures of a window, by the names of ISO 22400-2. Ratios are fractions, names ending in `_s` are seconds; null is no value, and
/// `no_value_reason` says why.
#[derive(Serialize, ToSchema)]
#[schema(as = OeeFigures)]
pub(crate) struct OeeFiguresDocument {
    availability: Option<f64>,
    performance: Option<f64>,
    quality_rate: Option<f64>,
    oee: Option<f64>,
    teep: Option<f64>,
    nee: Option<f64>,
    utilisation: Option<f64>,
    technical_efficiency: Option<f64>,
    setup_rate: Option<f64>,
    scrap_ratio: Option<f64>,
    rework_ratio: Option<f64>,
    first_pass_yield: Option<f64>,
    throughput_per_hour: Option<f64>,
    mtbf_s: Option<f64>,
    mttr_s: Option<f64>,
    mttf_s: Option<f64>,
    good: Option<f64>,
    bad: Option<f64>,
    rework: Option<f64>,
    total: Option<f64>,
    calendar_s: f64,
    schedule_loss_s: f64,
    planned_busy_s: f64,
    running_s: f64,
    micro_stop_s: f64,
    setup_s: f64,
    breakdown_s: f64,
    unknown_s: f64,
    coverage: f64,
    /// The first reason that applies: `no_planned_time`, `counter_bad`, `ideal_rate_unknown`, `no_run_time`, `no_bad_counter`, `no_count`;
    /// empty if every figure has a value.
    no_value_reason: String,
    /// Performance is above 1: the ideal rate is set too low.
    ideal_rate_suspect: bool,
}

/// Where the time of a window went.
#[derive(Serialize, ToSchema)]
#[schema(as = OeeLosses)]
pub(crate) struct OeeLossesDocument {
    waterfall: WaterfallDocument,
    /// Breakdowns, set-ups, minor stops, slow cycles, start-up rejects, production rejects.
    six_big_losses: Vec<BigLossDocument>,
    /// Stops by reason, the dearest first.
    by_reason: Vec<ReasonLossDocument>,
}

/// From calendar time to good time; the steps add up exactly.
#[derive(Serialize, ToSchema)]
#[schema(as = Waterfall)]
struct WaterfallDocument {
    calendar_ns: i64,
    /// In order. They end at available time when counters or ideal rate are not known.
    steps: Vec<WaterfallStepDocument>,
    /// Good pieces at the ideal rate; null when they are not known.
    good_ns: Option<i64>,
}

/// One step down from calendar time.
#[derive(Serialize, ToSchema)]
#[schema(as = WaterfallStep)]
struct WaterfallStepDocument {
    /// `off_shift`, `schedule_loss`, `breakdowns`, `setup`, `unknown`, `minor_stops`, `slow_cycles`, `startup_rejects`,
    /// `production_rejects` or `rework`.
    loss: String,
    lost_ns: i64,
    left_ns: i64,
}

/// One of the six big losses.
#[derive(Serialize, ToSchema)]
#[schema(as = BigLoss)]
struct BigLossDocument {
    /// `breakdowns`, `setup`, `minor_stops`, `slow_cycles`, `startup_rejects` or `production_rejects`.
    loss: String,
    lost_ns: Option<i64>,
    /// Pieces lost at the ideal rate of the time.
    units: Option<f64>,
    /// How many began in the window; null for what is not counted.
    count: Option<u64>,
}

/// What the stops of one reason cost.
#[derive(Serialize, ToSchema)]
#[schema(as = ReasonLoss)]
struct ReasonLossDocument {
    /// Empty if nobody said.
    reason: String,
    /// `schedule_loss`, `availability` or `performance`.
    class: String,
    planned: bool,
    lost_ns: u64,
    /// Pieces lost at the ideal rate of the time; null when it is not known.
    units: Option<f64>,
    /// How many began in the window.
    count: u64,
}

/// How a value came about.
#[derive(Serialize, ToSchema)]
#[schema(as = ValueExplanation)]
pub(crate) struct ExplainedDocument {
    /// Path of the asset.
    asset: String,
    /// Key of the property.
    property: String,
    /// `attribute`, `measurement`, `transform` or `metric`.
    kind: String,
    /// Its unit; empty if none.
    unit: String,
    /// The kind of window of a metric; empty otherwise.
    spec: String,
    /// The window of a metric.
    window: Option<WindowDocument>,
    /// Whether the window is still open.
    provisional: bool,
    /// The value by what is stored now.
    value: Datum,
    /// The value as it is kept; null if there is none yet.
    stored: Datum,
    /// Its quality.
    quality: QualityView,
    /// When it was true; for a metric the end of its window.
    time: Option<Time>,
    /// The formula; empty for what is not computed.
    formula: String,
    /// The formula with its numbers, one line per step.
    steps: Vec<String>,
    /// The known part of the window, 0 to 1; null where that means nothing.
    coverage: Option<f64>,
    /// What to beware of: `ideal_rate_suspect`, `more_inputs`, `no_window`, or why there is no value.
    flags: Vec<String>,
    /// What it was made of.
    inputs: Vec<ExplainedSeriesDocument>,
    /// The newest revision of its window.
    revision: Option<ExplainedRevisionDocument>,
    /// A statement that shows the raw values.
    sql: String,
}

/// One series that a value was made of.
#[derive(Serialize, ToSchema)]
#[schema(as = ExplainedSeries)]
struct ExplainedSeriesDocument {
    /// Path of its asset.
    asset: String,
    /// Key of the property.
    property: String,
    /// Its unit; empty if none.
    unit: String,
    /// Good values in the window.
    good: u64,
    /// Other values in the window: these are left out.
    not_good: u64,
    /// The value that held when the window began, or at the instant asked for.
    carried: Datum,
    /// When that was true; null for an attribute's value by definition.
    carried_time: Option<Time>,
    /// The first Good value in the window.
    first: Datum,
    /// The last Good value in the window.
    last: Datum,
}

/// A change of a figure after its window was closed.
#[derive(Serialize, ToSchema)]
#[schema(as = ExplainedRevision)]
struct ExplainedRevisionDocument {
    /// Which, from 1 on.
    number: u64,
    /// When it was made.
    time: Time,
    /// Why.
    cause: String,
}

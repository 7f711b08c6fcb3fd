//! OEE by ISO 22400-2, exact: interval algebra and formulas on plain data, the same live, in a report and in a replay.
//!
//! Every instant of the window is exactly one of: outside the shifts, planned stop, running, stopped, unknown. Planned busy time
//! is the shift without planned stops; what is unknown is neither running nor stopped, stays in planned busy time and shows as
//! missing coverage. Pieces come from counters; what a counter gained is spread evenly over the time the machine worked since
//! the reading before, so that each piece meets the ideal rate and the shift of its own time. Nothing is rounded or capped.
//!
//! | figure | formula |
//! |---|---|
//! | availability | (running + micro-stops) / planned busy time |
//! | performance | Σ pieces / ideal rate / (running + micro-stops) |
//! | quality rate | good pieces / all pieces |
//! | OEE | Σ good pieces / ideal rate / planned busy time |
//! | TEEP | OEE × planned busy time / calendar time |

use crate::{Timestamp, definition::CounterRule, window::Window};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

mod combine;
mod counter;
pub mod edits;
mod evaluate;
pub mod inputs;
mod losses;
mod pieces;
mod reasons;
mod result;
mod shown;
mod stops;
mod timeline;
mod totals;

pub use combine::{Combination, OeeOfChildren, combine};
pub use counter::{Counter, Gain};
pub use evaluate::evaluate;
pub use losses::{BigLoss, Waterfall, WaterfallStep};
pub use reasons::{LossClass, Reason, Reasons};
pub use result::{Loss, OeeRecord, OeeResult, Stop};
pub use shown::{OeeFigures, OeeLosses, ReasonLoss};
pub use totals::{NoValue, OeeTotals};

/// Name of the hidden property that keeps what people say about stops.
pub const STOP_EDITS: &str = "stop_edits";

/// Name of the hidden metric that keeps the whole record of a window.
pub const OEE_RECORD: &str = "oee_record";

/// The window whose records keep the stops themselves: every plant has it, and stops are stored once.
pub const STOPS_EVERY: Duration = Duration::from_secs(3_600);

/// The `oee:` block of a model, resolved.
#[derive(Clone, Debug)]
pub struct OeeDefinition {
    /// Key of the boolean property that says whether the machine runs. (An expression in the file becomes a hidden transform.)
    pub running: Arc<str>,
    /// Key of the boolean property that says whether a stop is planned; none means never.
    pub planned_stop: Option<Arc<str>>,
    /// Key of the counter of good pieces.
    pub good: Arc<str>,
    /// Key of the counter of bad pieces.
    pub bad: Option<Arc<str>>,
    /// Key of the counter of pieces to be worked on again.
    pub rework: Option<Arc<str>>,
    /// Key of the boolean property that says whether the machine is starting up.
    pub startup: Option<Arc<str>>,
    /// Key of the property with the ideal rate.
    pub ideal_rate: Arc<str>,
    /// Pieces per second for one unit of the ideal rate: 1/3600 for `1/h`.
    pub ideal_rate_per_second: f64,
    /// Key of the property with the product that is made.
    pub product: Option<Arc<str>>,
    /// Ideal rates of products in pieces per second; others have the rate of `ideal_rate`.
    pub ideal_rates: Vec<(Arc<str>, f64)>,
    /// Keys of the properties with the stop reason, in file order.
    pub reasons: Vec<Arc<str>>,
    /// What reasons mean.
    pub reason_table: Arc<Reasons>,
    /// Shorter unplanned stops are losses of performance.
    pub micro_stop: Duration,
    /// A state holds at most so long without a sample; then it is unknown.
    pub max_hold: Option<Duration>,
    /// Target in percent.
    pub target: Option<f64>,
}

/// One figure of the OEE block, stored as a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OeeFigure {
    /// APT / PBT.
    Availability,
    /// PRI × PQ / APT.
    Performance,
    /// GQ / PQ.
    QualityRate,
    /// GQ × PRI / PBT.
    Oee,
}

/// What one window's figures are computed from.
///
/// Every list is in time order; values hold until the next entry. The first entries may lie at or before the start of the
/// window (carried in). None is Bad data: nothing is known from there on.
#[derive(Clone, Debug)]
pub struct OeeInputs {
    /// The window; its end may be now.
    pub window: Window,
    /// The parts of the window inside shifts ([`crate::calendar::ShiftCalendar::scheduled`]).
    pub scheduled: Vec<Window>,
    /// Whether the machine runs.
    pub running: Vec<(Timestamp, Option<bool>)>,
    /// Whether a stop is planned; not looked at if the definition has none.
    pub planned_stop: Vec<(Timestamp, Option<bool>)>,
    /// Readings of the counter of good pieces. The last Good one at or before the start is the base.
    pub good: Vec<(Timestamp, Option<f64>)>,
    /// Readings of the counter of bad pieces; not looked at if the definition has none.
    pub bad: Vec<(Timestamp, Option<f64>)>,
    /// The ideal rate in its own unit. Bad entries are left out: a rate is a setting, it holds until it is set again.
    pub ideal_rate: Vec<(Timestamp, Option<f64>)>,
    /// Readings of the counter of pieces to be worked on again; not looked at if the definition has none.
    pub rework: Vec<(Timestamp, Option<f64>)>,
    /// Whether the machine is starting up.
    pub startup: Vec<(Timestamp, Option<bool>)>,
    /// The product that is made.
    pub product: Vec<(Timestamp, Option<Arc<str>>)>,
    /// Stop reasons, one track for each property that gives them; an empty text is none.
    pub reasons: Vec<Vec<(Timestamp, Option<Arc<str>>)>>,
    /// What people said about stops.
    pub edits: Vec<edits::StopEdit>,
    /// How the counter of good pieces starts over.
    pub good_rule: CounterRule,
    /// How the counter of bad pieces starts over.
    pub bad_rule: CounterRule,
    /// How the counter of pieces to be worked on again starts over.
    pub rework_rule: CounterRule,
    /// What becomes of pieces counted by one reading on both sides of a border of the window.
    pub lumps: Lumps,
}

/// What becomes of pieces counted by one reading that reaches over a border of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lumps {
    /// All belong to the window the reading lies in: windows add up to the counter's gain without knowing the future.
    #[default]
    Inside,
    /// They are shared by running time; the inputs reach to the first reading after the end, and `running` with them.
    Across,
}

impl OeeInputs {
    /// Inputs of a window in which nothing is known yet.
    pub fn new(window: Window, scheduled: Vec<Window>) -> Self {
        Self {
            window,
            scheduled,
            running: Vec::new(),
            planned_stop: Vec::new(),
            good: Vec::new(),
            bad: Vec::new(),
            ideal_rate: Vec::new(),
            rework: Vec::new(),
            startup: Vec::new(),
            product: Vec::new(),
            reasons: Vec::new(),
            edits: Vec::new(),
            good_rule: CounterRule::default(),
            bad_rule: CounterRule::default(),
            rework_rule: CounterRule::default(),
            lumps: Lumps::default(),
        }
    }
}

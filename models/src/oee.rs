//! OEE by ISO 22400-2, exact: interval algebra and formulas on plain data, the same live, in a report and in a replay.

use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

mod counter;

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
    /// Key of the attribute with the ideal rate.
    pub ideal_rate: Arc<str>,
    /// Pieces per second for one unit of the ideal rate: 1/3600 for `1/h`.
    pub ideal_rate_per_second: f64,
    /// Key of the measurement with the stop reason.
    pub reason: Option<Arc<str>>,
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

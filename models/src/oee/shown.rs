//! All figures of a window by name: what tables and pages show of a record.

use super::{BigLoss, Loss, LossClass, NoValue, OeeRecord, Waterfall};
use serde::Serialize;
use std::sync::Arc;

/// Every figure of ISO 22400-2 that follows from totals. Ratios are fractions, spans are seconds, pieces are pieces.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub struct OeeFigures {
    pub availability: Option<f64>,
    pub performance: Option<f64>,
    pub quality_rate: Option<f64>,
    pub oee: Option<f64>,
    pub teep: Option<f64>,
    pub nee: Option<f64>,
    pub utilisation: Option<f64>,
    pub technical_efficiency: Option<f64>,
    pub setup_rate: Option<f64>,
    pub scrap_ratio: Option<f64>,
    pub rework_ratio: Option<f64>,
    pub first_pass_yield: Option<f64>,
    pub throughput_per_hour: Option<f64>,
    pub mtbf_s: Option<f64>,
    pub mttr_s: Option<f64>,
    pub mttf_s: Option<f64>,
    pub good: Option<f64>,
    pub bad: Option<f64>,
    pub rework: Option<f64>,
    pub total: Option<f64>,
    pub calendar_s: f64,
    pub schedule_loss_s: f64,
    pub planned_busy_s: f64,
    pub running_s: f64,
    pub micro_stop_s: f64,
    pub setup_s: f64,
    pub breakdown_s: f64,
    pub unknown_s: f64,
    pub coverage: f64,
    pub no_value_reason: &'static str,
    pub ideal_rate_suspect: bool,
}

/// Where the time of a window went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OeeLosses {
    /// From calendar time to good time.
    pub waterfall: Waterfall,
    /// The six big losses.
    pub six_big_losses: [BigLoss; 6],
    /// By reason, the dearest first.
    pub by_reason: Vec<ReasonLoss>,
}

/// What the stops of one reason cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReasonLoss {
    /// The reason; empty if nobody said.
    pub reason: Arc<str>,
    /// What it takes away from.
    pub class: LossClass,
    /// Whether they were planned.
    pub planned: bool,
    /// Nanoseconds lost.
    pub lost_ns: u64,
    /// Pieces lost at the ideal rate of the time; none when it is not known.
    pub units: Option<f64>,
    /// How many began in the window.
    pub count: u64,
}

impl OeeRecord {
    /// All figures.
    pub fn figures(&self) -> OeeFigures {
        let totals = &self.totals;
        let seconds = |span: Option<std::time::Duration>| span.map(|span| span.as_secs_f64());
        OeeFigures {
            availability: totals.availability(),
            performance: totals.performance(),
            quality_rate: totals.quality_rate(),
            oee: totals.oee(),
            teep: totals.teep(),
            nee: totals.net_equipment_effectiveness(),
            utilisation: totals.utilisation(),
            technical_efficiency: totals.technical_efficiency(),
            setup_rate: totals.setup_rate(),
            scrap_ratio: totals.scrap_ratio(),
            rework_ratio: totals.rework_ratio(),
            first_pass_yield: totals.first_pass_yield(),
            throughput_per_hour: totals.throughput_per_hour(),
            mtbf_s: seconds(totals.mean_time_between_failures()),
            mttr_s: seconds(totals.mean_time_to_repair()),
            mttf_s: seconds(totals.mean_time_to_failure()),
            good: totals.good,
            bad: totals.bad,
            rework: totals.rework,
            total: totals.total,
            calendar_s: totals.calendar_time.as_secs_f64(),
            schedule_loss_s: totals.schedule_loss_time.as_secs_f64(),
            planned_busy_s: totals.planned_busy_time.as_secs_f64(),
            running_s: totals.actual_production_time.as_secs_f64(),
            micro_stop_s: totals.micro_stop_time.as_secs_f64(),
            setup_s: totals.setup_time.as_secs_f64(),
            breakdown_s: totals.breakdown_time.as_secs_f64(),
            unknown_s: totals.unknown_time.as_secs_f64(),
            coverage: self.coverage(),
            no_value_reason: totals.no_value().map_or("", NoValue::word),
            ideal_rate_suspect: totals.ideal_rate_suspect(),
        }
    }

    /// Where the time went.
    pub fn where_time_went(&self) -> OeeLosses {
        OeeLosses {
            waterfall: self.totals.waterfall(),
            six_big_losses: self.totals.six_big_losses(),
            by_reason: self.losses.iter().map(ReasonLoss::of).collect(),
        }
    }
}

impl ReasonLoss {
    fn of(loss: &Loss) -> Self {
        let Loss { reason, class, planned, span, count, units } = loss;
        let lost_ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self { reason: reason.clone(), class: *class, planned: *planned, lost_ns, units: *units, count: *count }
    }
}

//! Where the time went: the waterfall from calendar time to good time, and the six big losses in time and pieces.
//!
//! Both are whole nanoseconds made by subtraction, so the waterfall adds up exactly. Slow cycles are what is left of running time
//! when the pieces are taken off; they are below zero only where the ideal rate is set too low.

use super::OeeTotals;
use serde::Serialize;

/// One step down from calendar time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WaterfallStep {
    /// What is lost: `off_shift`, `schedule_loss`, `breakdowns`, `setup`, `unknown`, `minor_stops`, `slow_cycles`, `startup_rejects`,
    /// `production_rejects`, `rework`.
    pub loss: &'static str,
    /// Nanoseconds lost.
    pub lost_ns: i64,
    /// Nanoseconds left after it.
    pub left_ns: i64,
}

/// The way from calendar time to good time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waterfall {
    /// Where it begins.
    pub calendar_ns: i64,
    /// What is lost, in order. It ends at available time when counters or ideal rate are not known.
    pub steps: Vec<WaterfallStep>,
    /// Good pieces at the ideal rate: what is left at the end; none when it is not known.
    pub good_ns: Option<i64>,
}

/// One of the six big losses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BigLoss {
    /// `breakdowns`, `setup`, `minor_stops`, `slow_cycles`, `startup_rejects`, `production_rejects`.
    pub loss: &'static str,
    /// Nanoseconds lost; none when it is not known.
    pub lost_ns: Option<i64>,
    /// Pieces lost at the ideal rate of the time; none when it is not known.
    pub units: Option<f64>,
    /// How many began in the window; none for what is not counted.
    pub count: Option<u64>,
}

fn whole(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// Seconds at the ideal rate as whole nanoseconds.
fn standard(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

/// What pieces took at the ideal rate, in whole nanoseconds.
struct Standard {
    all: i64,
    startup: i64,
    production: i64,
    rework: i64,
}

impl OeeTotals {
    fn standard(&self) -> Option<Standard> {
        // Rounded from the bottom up, each at least what is below it: no step is ever below zero by a rounding.
        let good = standard(self.good_standard_seconds?);
        let rework = self.rework_standard_seconds.unwrap_or(0.0);
        let with_rework = standard(self.good_standard_seconds? + rework).max(good);
        let startup = self.startup_standard_seconds.unwrap_or(0.0);
        let with_production = standard(self.standard_seconds? - startup).max(with_rework);
        let all = standard(self.standard_seconds?).max(with_production);
        Some(Standard {
            all,
            startup: all - with_production,
            production: with_production - with_rework,
            rework: with_rework - good,
        })
    }

    /// The way from calendar time to good time.
    pub fn waterfall(&self) -> Waterfall {
        let calendar_ns = whole(self.calendar_time);
        let (mut steps, mut left_ns) = (Vec::new(), calendar_ns);
        let mut step = |loss: &'static str, lost_ns: i64| {
            left_ns -= lost_ns;
            steps.push(WaterfallStep { loss, lost_ns, left_ns });
            left_ns
        };
        step("off_shift", whole(self.off_shift_time()));
        step("schedule_loss", whole(self.schedule_loss_time));
        step("breakdowns", whole(self.breakdown_time));
        step("setup", whole(self.setup_time));
        step("unknown", whole(self.unknown_time));
        let running = step("minor_stops", whole(self.micro_stop_time));
        let good_ns = self.standard().map(|standard| {
            step("slow_cycles", running - standard.all);
            step("startup_rejects", standard.startup);
            step("production_rejects", standard.production);
            step("rework", standard.rework)
        });
        Waterfall { calendar_ns, steps, good_ns }
    }

    /// The six big losses.
    pub fn six_big_losses(&self) -> [BigLoss; 6] {
        let standard = self.standard();
        let of = |part: fn(&Standard) -> i64| standard.as_ref().map(part);
        let slow = of(|standard| standard.all).map(|all| whole(self.actual_production_time) - all);
        let slow_units = self.running_capacity.zip(self.total).map(|(could, did)| could - did);
        let production_units = self.bad.map(|bad| bad - self.startup_bad.unwrap_or(0.0));
        let loss = |loss, lost_ns, units, count| BigLoss { loss, lost_ns, units, count };
        [
            loss("breakdowns", Some(whole(self.breakdown_time)), self.breakdown_capacity, Some(self.breakdowns)),
            loss("setup", Some(whole(self.setup_time)), self.setup_capacity, Some(self.setups)),
            loss("minor_stops", Some(whole(self.micro_stop_time)), self.micro_stop_capacity, Some(self.micro_stops)),
            loss("slow_cycles", slow, slow_units, None),
            loss("startup_rejects", of(|standard| standard.startup), self.startup_bad, None),
            loss("production_rejects", of(|standard| standard.production), production_units, None),
        ]
    }
}

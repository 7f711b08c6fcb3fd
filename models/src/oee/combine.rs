//! One figure for several machines: a line, an area, a plant.

use super::{OeeRecord, OeeTotals, stops};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// How the figures of several machines become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combination {
    /// Times and standard times are added up: every figure is weighed by planned busy time.
    #[default]
    Weighted,
    /// Those of the most heavily loaded machine: the one whose pieces take the largest part of its planned busy time at the ideal
    /// rate. It is the one that paces a line in which all machines see the same flow, whatever unit each counts in.
    Bottleneck,
}

/// The `oee:` block of a model that looks at its children.
#[derive(Clone, Debug, PartialEq)]
pub struct OeeOfChildren {
    /// The hierarchies.
    pub hierarchies: Vec<Arc<str>>,
    /// How.
    pub form: Combination,
    /// Target in percent.
    pub target: Option<f64>,
}

/// The records of several machines as one; none of none.
pub fn combine(form: Combination, records: &[OeeRecord]) -> Option<OeeRecord> {
    match form {
        Combination::Bottleneck => bottleneck(records).or_else(|| records.first()).cloned(),
        Combination::Weighted => weighted(records),
    }
}

fn bottleneck(records: &[OeeRecord]) -> Option<&OeeRecord> {
    let load = |record: &OeeRecord| {
        let busy = record.totals.planned_busy_time.as_secs_f64();
        record.totals.standard_seconds.filter(|_| busy > 0.0).map(|seconds| seconds / busy)
    };
    let loaded = records.iter().filter_map(|record| Some((load(record)?, record)));
    // Of equals the first in the file.
    loaded.reduce(|best, other| if other.0 > best.0 { other } else { best }).map(|(_, record)| record)
}

/// A machine without standard times (a Bad counter, no ideal rate) is left out of the sums, and its planned time is uncovered: what is
/// missing shows, and the figures stay consistent.
fn weighted(records: &[OeeRecord]) -> Option<OeeRecord> {
    let first = records.first()?;
    let complete = |record: &&OeeRecord| record.totals.standard_seconds.is_some();
    let any = records.iter().any(|record| complete(&record));
    let used = |record: &&OeeRecord| !any || complete(record);
    let mut totals = OeeTotals::default();
    let mut losses = Vec::new();
    for (index, record) in records.iter().filter(used).enumerate() {
        totals = if index == 0 { record.totals.clone() } else { add(&totals, &record.totals) };
        record.losses.iter().for_each(|loss| stops::add(&mut losses, loss.clone()));
    }
    let left_out = records.iter().filter(|record| !used(record));
    let left_out: Duration = left_out.map(|record| record.totals.planned_busy_time).sum();
    stops::sort(&mut losses);
    Some(OeeRecord { window: first.window, totals, left_out, losses, stops: Vec::new(), of: "".into() })
}

/// Sums; what one of them does not know, the sum does not know. Rework and start-up scrap are an exception: a machine that has none of
/// them does not count them, and takes nothing from those that do.
fn add(a: &OeeTotals, b: &OeeTotals) -> OeeTotals {
    let sum = |of: fn(&OeeTotals) -> Option<f64>| of(a).zip(of(b)).map(|(a, b)| a + b);
    let counted = |of: fn(&OeeTotals) -> Option<f64>| of(a).map_or(of(b), |a| Some(a + of(b).unwrap_or_default()));
    OeeTotals {
        machines: a.machines + b.machines,
        calendar_time: a.calendar_time + b.calendar_time,
        schedule_loss_time: a.schedule_loss_time + b.schedule_loss_time,
        planned_busy_time: a.planned_busy_time + b.planned_busy_time,
        actual_production_time: a.actual_production_time + b.actual_production_time,
        micro_stop_time: a.micro_stop_time + b.micro_stop_time,
        setup_time: a.setup_time + b.setup_time,
        breakdown_time: a.breakdown_time + b.breakdown_time,
        unknown_time: a.unknown_time + b.unknown_time,
        uncovered_time: a.uncovered_time + b.uncovered_time,
        good: sum(|totals| totals.good),
        bad: sum(|totals| totals.bad),
        rework: counted(|totals| totals.rework),
        startup_bad: counted(|totals| totals.startup_bad),
        total: sum(|totals| totals.total),
        standard_seconds: sum(|totals| totals.standard_seconds),
        good_standard_seconds: sum(|totals| totals.good_standard_seconds),
        rework_standard_seconds: counted(|totals| totals.rework_standard_seconds),
        startup_standard_seconds: counted(|totals| totals.startup_standard_seconds),
        running_capacity: sum(|totals| totals.running_capacity),
        micro_stop_capacity: sum(|totals| totals.micro_stop_capacity),
        setup_capacity: sum(|totals| totals.setup_capacity),
        breakdown_capacity: sum(|totals| totals.breakdown_capacity),
        micro_stops: a.micro_stops + b.micro_stops,
        setups: a.setups + b.setups,
        breakdowns: a.breakdowns + b.breakdowns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timestamp, window::Window};

    fn machine(busy: u64, run: u64, standard: Option<f64>, good: Option<f64>) -> OeeRecord {
        let seconds = Duration::from_secs;
        let totals = OeeTotals {
            machines: 1,
            calendar_time: seconds(1000),
            planned_busy_time: seconds(busy),
            actual_production_time: seconds(run),
            breakdown_time: seconds(busy - run),
            good,
            bad: standard.zip(good).map(|(all, good)| all - good),
            total: standard,
            standard_seconds: standard,
            good_standard_seconds: good,
            ..OeeTotals::default()
        };
        let window = Window { start: Timestamp::EPOCH, end: Timestamp::from_seconds(1000) };
        OeeRecord { window, totals, left_out: Duration::ZERO, losses: Vec::new(), stops: Vec::new(), of: "".into() }
    }

    #[test]
    fn weighted_figures_are_weighed_by_planned_time() {
        let line = combine(
            Combination::Weighted,
            &[machine(1000, 800, Some(600.0), Some(540.0)), machine(500, 500, Some(450.0), Some(450.0))],
        )
        .unwrap();
        let figures = [line.totals.availability(), line.totals.performance(), line.totals.quality_rate(), line.totals.oee()];
        assert_eq!(figures, [Some(1300.0 / 1500.0), Some(1050.0 / 1300.0), Some(990.0 / 1050.0), Some(990.0 / 1500.0)]);
        assert_eq!(line.coverage(), 1.0);
    }

    #[test]
    fn a_machine_without_a_count_is_left_out_and_shown() {
        let line =
            combine(Combination::Weighted, &[machine(1000, 800, Some(600.0), Some(540.0)), machine(1000, 900, None, None)])
                .unwrap();
        assert_eq!((line.totals.oee(), line.coverage()), (Some(0.54), 0.5));
        let none = combine(Combination::Weighted, &[machine(1000, 900, None, None)]).unwrap();
        assert_eq!((none.totals.oee(), none.totals.availability()), (None, Some(0.9)));
        assert_eq!(combine(Combination::Weighted, &[]), None);
    }

    #[test]
    fn machines_without_rework_or_start_up_take_nothing_from_those_with_them() {
        let plain = machine(1000, 800, Some(600.0), Some(540.0));
        let mut other = plain.clone();
        (other.totals.rework, other.totals.rework_standard_seconds) = (Some(8.0), Some(80.0));
        (other.totals.startup_bad, other.totals.startup_standard_seconds) = (Some(3.0), Some(30.0));
        let figures = |records: &[OeeRecord]| {
            let totals = combine(Combination::Weighted, records).unwrap().totals;
            [totals.rework, totals.rework_standard_seconds, totals.startup_bad, totals.startup_standard_seconds]
        };
        let one = [Some(8.0), Some(80.0), Some(3.0), Some(30.0)];
        assert_eq!(figures(&[plain.clone(), other.clone()]), one);
        assert_eq!(figures(&[other.clone(), plain.clone()]), one);
        assert_eq!(figures(&[other.clone(), other]), [Some(16.0), Some(160.0), Some(6.0), Some(60.0)]);
        assert_eq!(figures(&[plain.clone(), plain]), [None; 4]);
    }

    #[test]
    fn the_bottleneck_is_the_most_heavily_loaded_machine() {
        let fast = machine(1000, 500, Some(400.0), Some(400.0));
        let slow = machine(1000, 900, Some(800.0), Some(700.0));
        let idle = machine(0, 0, Some(0.0), Some(0.0));
        let line = combine(Combination::Bottleneck, &[idle, fast, slow.clone()]).unwrap();
        assert_eq!(line, slow);
    }
}

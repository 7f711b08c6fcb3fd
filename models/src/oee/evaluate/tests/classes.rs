//! Reasons and their classes, what people say, losses, the waterfall, indicators.

use super::*;
use crate::oee::{
    BigLoss, OeeRecord, Reason, Reasons,
    edits::{Statement, StopEdit},
};

fn reason(name: &str, class: LossClass, planned: bool, priority: i64) -> Reason {
    Reason { name: name.into(), class, planned, priority, codes: vec![format!("{priority}").into()] }
}

fn reasoned() -> OeeDefinition {
    let table = vec![
        reason("no order", LossClass::ScheduleLoss, true, 9),
        reason("changeover", LossClass::Availability, true, 5),
        reason("jam", LossClass::Availability, false, 3),
        reason("slow infeed", LossClass::Performance, false, 1),
    ];
    let reasons = vec!["reason".into(), "line_reason".into()];
    OeeDefinition { reasons, reason_table: Arc::new(Reasons(table)), ..planned() }
}

fn words(entries: &[(i64, &str)]) -> Vec<(Timestamp, Option<Arc<str>>)> {
    entries.iter().map(|(time, reason)| (at(*time), Some(Arc::from(*reason)))).collect()
}

fn edit(from: i64, to: i64, reason: &str, comment: &str) -> StopEdit {
    let statement = Statement { reason: reason.into(), comment: comment.into(), by: "anna".into(), at: at(9999) };
    StopEdit { span: span(from, to), statement }
}

/// Runs but for 100–200, 300–400, 500–600 and 700–800.
fn four_stops() -> OeeInputs {
    let mut inputs = inputs(span(0, 1000));
    let stops = [(100, false), (200, true), (300, false), (400, true), (500, false), (600, true), (700, false), (800, true)];
    inputs.running = [(0, true)].into_iter().chain(stops).map(|(time, runs)| (at(time), Some(runs))).collect();
    inputs.planned_stop = track(&[(0, false)]);
    inputs
}

fn show(result: &OeeResult) -> Vec<String> {
    let stop = |stop: &Stop| {
        let (from, to) = (stop.window.start.as_millis() / 1000, stop.window.end.as_millis() / 1000);
        let planned = if stop.planned { " planned" } else { "" };
        let by = if stop.by.is_empty() { String::new() } else { format!(" by {} {:?}", stop.by, &*stop.comment) };
        format!("{from}-{to} {:?} {}{planned}{by}", &*stop.reason, stop.class.word())
    };
    result.stops.iter().map(stop).collect()
}

#[test]
fn a_reason_says_what_its_stops_take_away_from() {
    let mut inputs = four_stops();
    inputs.reasons = vec![
        words(&[(110, "no order"), (200, ""), (310, "changeover"), (400, ""), (510, "3"), (600, ""), (710, "slow infeed")]),
        Vec::new(),
    ];
    inputs.good.push((at(1000), Some(300.0)));
    let result = evaluate(&reasoned(), &inputs);
    let expected = [
        "100-200 \"no order\" schedule_loss planned",
        "300-400 \"changeover\" availability planned",
        "500-600 \"jam\" availability",
        "700-800 \"slow infeed\" performance",
    ];
    assert_eq!(show(&result), expected);
    let totals = &result.totals;
    let times =
        [totals.schedule_loss_time, totals.planned_busy_time, totals.setup_time, totals.breakdown_time, totals.micro_stop_time];
    assert_eq!(times.map(seconds), [100.0, 900.0, 100.0, 100.0, 100.0]);
    assert_eq!((totals.setups, totals.breakdowns, totals.micro_stops), (1, 1, 1));
    assert_eq!((result.availability, result.performance), (Some(700.0 / 900.0), Some(300.0 / 700.0)));
    close(result.oee, 300.0 / 900.0);
    // The Pareto holds what costs, not what was not scheduled.
    let losses: Vec<_> = result.losses.iter().map(|loss| (&*loss.reason, loss.units, loss.count)).collect();
    assert_eq!(losses, [("changeover", Some(100.0), 1), ("jam", Some(100.0), 1), ("slow infeed", Some(100.0), 1)]);
    close(totals.setup_rate(), 100.0 / 800.0);
    close(totals.technical_efficiency(), 600.0 / 700.0);
    close(totals.net_equipment_effectiveness(), 800.0 / 900.0 * 300.0 / 700.0);
}

#[test]
fn of_two_reasons_the_higher_priority_wins_and_no_instant_counts_twice() {
    let mut inputs = four_stops();
    inputs.reasons = vec![
        words(&[(110, "jam"), (200, ""), (310, "jam"), (400, "")]),
        words(&[(120, "changeover"), (150, "slow infeed"), (200, ""), (310, "slow infeed")]),
    ];
    let result = evaluate(&reasoned(), &inputs);
    assert_eq!(
        show(&result)[..3],
        ["100-150 \"changeover\" availability planned", "150-200 \"jam\" availability", "300-400 \"jam\" availability"]
    );
    let stopped: Duration = result.stops.iter().map(|stop| stop.window.span()).sum();
    assert_eq!(seconds(stopped), 400.0);
    // One reason was silent on the later stops; the last one given there still holds.
    assert_eq!(show(&result)[3..], ["500-600 \"slow infeed\" performance", "700-800 \"slow infeed\" performance"]);
}

#[test]
fn people_have_the_last_word_on_a_stop() {
    let mut inputs = four_stops();
    inputs.reasons = vec![words(&[(110, "jam"), (200, "")]), Vec::new()];
    inputs.planned_stop = track(&[(0, false), (700, true), (800, false)]);
    inputs.edits =
        vec![edit(100, 150, "no order", "waited"), edit(300, 400, "", "who knows"), edit(650, 760, "jam", "was not planned")];
    let definition = OeeDefinition { micro_stop: Duration::from_secs(300), ..reasoned() };
    let result = evaluate(&definition, &inputs);
    let expected = [
        "100-150 \"no order\" schedule_loss planned by anna \"waited\"",
        "150-200 \"jam\" availability",
        "300-400 \"\" performance by anna \"who knows\"",
        "500-600 \"\" performance",
        "700-760 \"jam\" availability by anna \"was not planned\"",
        "760-800 \"\" schedule_loss planned",
    ];
    assert_eq!(show(&result), expected);
    assert_eq!(seconds(result.totals.planned_busy_time), 1000.0 - 50.0 - 40.0);
    // What ran during a planned stop stays outside of planned busy time, whatever is said.
    inputs.running = track(&[(0, true)]);
    let ran = evaluate(&definition, &inputs);
    assert_eq!((seconds(ran.totals.schedule_loss_time), ran.totals.breakdowns), (100.0, 0));
}

#[test]
fn a_comment_in_the_middle_of_a_stop_makes_no_more_stops_of_it() {
    let mut inputs = four_stops();
    inputs.reasons = vec![words(&[(110, "jam"), (200, ""), (310, "jam"), (400, ""), (510, "jam"), (600, "")]), Vec::new()];
    inputs.edits = vec![edit(130, 160, "", "the belt again"), edit(530, 560, "changeover", "waited")];
    let result = evaluate(&reasoned(), &inputs);
    let losses: Vec<_> = result.losses.iter().map(|loss| (&*loss.reason, seconds(loss.span), loss.count)).collect();
    // The jam from 500 on was one before and one after the changeover in it.
    assert_eq!(losses, [("jam", 270.0, 4), ("", 100.0, 1), ("changeover", 30.0, 1)]);
}

#[test]
fn products_have_ideal_rates_of_their_own() {
    let table = vec![("cola".into(), 2.0), ("water".into(), 4.0)];
    let definition = OeeDefinition { product: Some("product".into()), ideal_rates: table, ..definition() };
    let mut inputs = inputs(span(0, 900));
    inputs.running = track(&[(0, true)]);
    inputs.product = words(&[(0, "cola"), (300, "water"), (600, "beer")]);
    inputs.product.insert(1, (at(100), None)); // Bad data does not change what is made
    inputs.good = track(&[(0, 0.0), (300, 300.0), (600, 900.0), (900, 1050.0)]);
    let result = evaluate(&definition, &inputs);
    // 300 at 2/s, 600 at 4/s, and 150 of a product without a rate of its own at the machine's 1/s.
    close(result.performance, (150.0 + 150.0 + 150.0) / 900.0);
    close(result.totals.running_capacity, 300.0 * 2.0 + 300.0 * 4.0 + 300.0);
}

#[test]
fn scrap_of_start_ups_and_rework_are_told_apart() {
    let definition = OeeDefinition { rework: Some("rework".into()), startup: Some("startup".into()), ..definition() };
    let mut inputs = inputs(span(0, 1000));
    inputs.running = track(&[(0, true)]);
    inputs.startup = track(&[(0, true), (100, false)]);
    inputs.good.push((at(1000), Some(700.0)));
    inputs.bad = track(&[(0, 0.0), (100, 30.0), (1000, 50.0)]);
    inputs.rework = track(&[(0, 0.0), (1000, 10.0)]);
    let result = evaluate(&definition, &inputs);
    let totals = &result.totals;
    assert_eq!((totals.total, totals.startup_bad, totals.rework), (Some(760.0), Some(30.0), Some(10.0)));
    close(result.quality_rate, 700.0 / 760.0);
    close(totals.first_pass_yield(), 700.0 / 760.0);
    close(totals.scrap_ratio(), 50.0 / 760.0);
    close(totals.rework_ratio(), 10.0 / 760.0);
    let lost = |loss: &BigLoss| (loss.loss, loss.lost_ns.map(|nanos| nanos / 1_000_000_000), loss.units);
    let [.., slow, startup, production] = totals.six_big_losses();
    assert_eq!(lost(&slow), ("slow_cycles", Some(240), Some(240.0)));
    assert_eq!(lost(&startup), ("startup_rejects", Some(30), Some(30.0)));
    assert_eq!(lost(&production), ("production_rejects", Some(20), Some(20.0)));
    let steps: Vec<_> = totals.waterfall().steps.iter().map(|step| (step.loss, step.left_ns / 1_000_000_000)).collect();
    assert_eq!(
        steps[5..],
        [("minor_stops", 1000), ("slow_cycles", 760), ("startup_rejects", 730), ("production_rejects", 710), ("rework", 700)]
    );
    assert_eq!(totals.waterfall().good_ns, Some(700_000_000_000));
}

#[test]
fn failures_have_mean_times() {
    let mut inputs = four_stops();
    inputs.running.retain(|(time, _)| *time < at(500));
    let totals = evaluate(&definition(), &inputs).totals;
    let means = [totals.mean_time_to_failure(), totals.mean_time_to_repair(), totals.mean_time_between_failures()];
    assert_eq!(means.map(|mean| mean.map(seconds)), [Some(400.0), Some(100.0), Some(500.0)]);
    inputs.running = track(&[(0, true)]);
    assert_eq!(evaluate(&definition(), &inputs).totals.mean_time_to_failure(), None);
}

#[test]
fn without_a_count_the_waterfall_ends_where_knowledge_ends() {
    let mut inputs = four_stops();
    inputs.good = vec![(at(0), None)];
    let totals = evaluate(&definition(), &inputs).totals;
    let waterfall = totals.waterfall();
    assert_eq!((waterfall.good_ns, waterfall.steps.last().map(|step| step.loss)), (None, Some("minor_stops")));
    assert_eq!(totals.six_big_losses()[3].lost_ns, None);
}

fn said() -> impl Strategy<Value = Arc<str>> {
    proptest::sample::select(vec!["", "jam", "changeover", "no order", "slow infeed", "never heard of"]).prop_map(Arc::from)
}

proptest! {
    /// Whatever comes in, in whatever order: the waterfall goes from calendar time to good time to the nanosecond, no time is negative
    /// or counted twice, and the stored record says the same.
    #[test]
    fn the_waterfall_adds_up(
        running in tracks(any::<bool>()),
        plan in tracks(any::<bool>()),
        startup in tracks(any::<bool>()),
        good in tracks(0.0..1000.0_f64),
        bad in tracks(0.0..100.0_f64),
        reasons in (tracks(said()), tracks(said())),
        products in tracks(said()),
        edits in proptest::collection::vec((-100_i64..1100, 1_i64..300, said()), 0..5),
        micro in 0_u64..100,
        seed in any::<u64>(),
    ) {
        let definition = OeeDefinition {
            micro_stop: Duration::from_secs(micro),
            startup: Some("startup".into()),
            product: Some("product".into()),
            ideal_rates: vec![("jam".into(), 3.0)],
            ..reasoned()
        };
        let mut inputs = inputs(span(0, 1000));
        inputs.scheduled = vec![span(50, 950)];
        inputs.ideal_rate = track(&[(-500, 2.0)]);
        (inputs.good, inputs.bad) = (good, bad);
        (inputs.running, inputs.planned_stop, inputs.startup, inputs.product) = (running, plan, startup, products);
        inputs.reasons = vec![reasons.0, reasons.1];
        inputs.edits = edits.iter().map(|(from, length, reason)| edit(*from, from + length, reason, "")).collect();
        // Of equal times the order says which is the later: then there must be none.
        one_per_time(&mut inputs);
        let result = evaluate(&definition, &inputs);
        let totals = &result.totals;
        let busy = totals.actual_production_time + totals.micro_stop_time + totals.setup_time + totals.breakdown_time;
        prop_assert_eq!(busy + totals.unknown_time, totals.planned_busy_time);
        prop_assert_eq!(result.unknown.iter().map(Window::span).sum::<Duration>(), totals.unknown_time);
        prop_assert!(result.unknown.windows(2).all(|pair| pair[0].end < pair[1].start), "unknown spans are joined, in order");
        prop_assert_eq!(seconds(totals.scheduled_time()), 900.0);
        prop_assert_eq!(seconds(totals.off_shift_time()), 100.0);
        let mut stops: Vec<Window> = result.stops.iter().map(|stop| stop.window).collect();
        let stopped: Duration = stops.iter().map(Window::span).sum();
        stops.sort_unstable();
        prop_assert!(stops.windows(2).all(|pair| pair[0].end <= pair[1].start), "stops overlap");
        prop_assert_eq!(stopped, totals.schedule_loss_time + totals.micro_stop_time + totals.setup_time + totals.breakdown_time);
        let waterfall = totals.waterfall();
        let lost: i64 = waterfall.steps.iter().map(|step| step.lost_ns).sum();
        let left = waterfall.steps.last().map_or(0, |step| step.left_ns);
        prop_assert_eq!(lost + left, 1_000_000_000_000);
        prop_assert!(waterfall.steps.iter().all(|step| step.lost_ns >= 0 || step.loss == "slow_cycles"));
        if let (Some(good), Some(seconds)) = (waterfall.good_ns, totals.good_standard_seconds) {
            prop_assert_eq!((good, left), ((seconds * 1e9).round() as i64, good));
        }
        let record = OeeRecord::of(&result, true);
        prop_assert_eq!(OeeRecord::read(&record.text()), Some(record));
        shuffle(&mut inputs, seed);
        prop_assert_eq!(evaluate(&definition, &inputs), result);
    }
}

fn one_per_time(inputs: &mut OeeInputs) {
    fn once<T: Clone>(track: &mut Vec<(Timestamp, T)>) {
        let mut seen = std::collections::HashSet::new();
        track.retain(|(time, _)| seen.insert(*time));
    }
    [&mut inputs.running, &mut inputs.planned_stop, &mut inputs.startup].into_iter().for_each(once);
    [&mut inputs.good, &mut inputs.bad].into_iter().for_each(once);
    once(&mut inputs.product);
    inputs.reasons.iter_mut().for_each(once);
    let mut seen = std::collections::HashSet::new();
    inputs.edits.retain(|edit| seen.insert(edit.span.start));
}

/// Another order of arrival.
fn shuffle(inputs: &mut OeeInputs, seed: u64) {
    fn mix<T>(track: &mut [T], seed: u64) {
        let mut state = seed | 1;
        for last in (1..track.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            track.swap(last, (state >> 33) as usize % (last + 1));
        }
    }
    mix(&mut inputs.running, seed);
    mix(&mut inputs.planned_stop, seed);
    mix(&mut inputs.startup, seed);
    mix(&mut inputs.good, seed);
    mix(&mut inputs.bad, seed);
    mix(&mut inputs.product, seed);
    inputs.reasons.iter_mut().for_each(|track| mix(track, seed));
    mix(&mut inputs.edits, seed);
}

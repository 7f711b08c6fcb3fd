//! OEE: golden numbers, decisions and properties.

mod classes;

use super::*;
use crate::{Timestamp, calendar::ShiftCalendar, definition::CounterRule, oee::Lumps};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::sync::Arc;

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn span(from: i64, to: i64) -> Window {
    Window { start: at(from), end: at(to) }
}

fn definition() -> OeeDefinition {
    OeeDefinition {
        running: "running".into(),
        planned_stop: None,
        good: "good".into(),
        bad: Some("bad".into()),
        ideal_rate: "ideal_rate".into(),
        ideal_rate_per_second: 1.0,
        rework: None,
        startup: None,
        product: None,
        ideal_rates: Vec::new(),
        reasons: Vec::new(),
        reason_table: Arc::default(),
        micro_stop: Duration::ZERO,
        max_hold: None,
        target: None,
    }
}

fn planned() -> OeeDefinition {
    OeeDefinition { planned_stop: Some("planned".into()), ..definition() }
}

/// A fully scheduled window, an ideal rate of one piece per second, and counters at 0.
fn inputs(window: Window) -> OeeInputs {
    let mut inputs = OeeInputs::new(window, vec![window]);
    inputs.ideal_rate = vec![(window.start, Some(1.0))];
    inputs.good = vec![(window.start, Some(0.0))];
    inputs.bad = vec![(window.start, Some(0.0))];
    inputs
}

fn track<T: Clone>(entries: &[(i64, T)]) -> Vec<(Timestamp, Option<T>)> {
    entries.iter().map(|(time, value)| (at(*time), Some(value.clone()))).collect()
}

fn close(value: Option<f64>, expected: f64) {
    let value = value.expect("a value");
    assert!((value - expected).abs() <= 1e-12, "{value} is not {expected}");
}

fn seconds(span: Duration) -> f64 {
    span.as_secs_f64()
}

/// G1: a shift of 480 minutes in a day, breaks of 60, stops of 47, 60 pieces a minute; TEEP over the whole day.
#[test]
fn golden_1_breaks_and_stops() {
    let definition = OeeDefinition { ideal_rate_per_second: 1.0 / 60.0, ..planned() };
    let mut inputs = inputs(span(0, 24 * HOUR));
    inputs.scheduled = vec![span(0, 480 * MINUTE)];
    inputs.ideal_rate = track(&[(0, 60.0)]);
    inputs.planned_stop = track(&[(0, false), (100 * MINUTE, true), (160 * MINUTE, false)]);
    inputs.running =
        track(&[(0, true), (100 * MINUTE, false), (160 * MINUTE, true), (300 * MINUTE, false), (347 * MINUTE, true)]);
    inputs.good.push((at(480 * MINUTE), Some(18_848.0)));
    inputs.bad.push((at(480 * MINUTE), Some(423.0)));
    let result = evaluate(&definition, &inputs);
    close(result.availability, 0.888_095_238_095_238);
    close(result.performance, 0.861_081_322_609_473);
    close(result.quality_rate, 0.978_049_919_568_263);
    close(result.oee, 0.747_936_507_936_508);
    close(result.teep, 0.218_148_148_148_148);
    let product = [result.availability, result.performance, result.quality_rate].into_iter().flatten().product::<f64>();
    close(Some(product), 0.747_936_507_936_508);
}

/// G2: 450 minutes planned, 390 run, 242 pieces of 1.5 minutes, 221 good.
#[test]
fn golden_2_slow_pieces() {
    let definition = OeeDefinition { ideal_rate_per_second: 1.0 / 90.0, ..definition() };
    let mut inputs = inputs(span(0, 450 * MINUTE));
    inputs.running = track(&[(0, true), (390 * MINUTE, false)]);
    inputs.good.push((at(380 * MINUTE), Some(221.0)));
    inputs.bad.push((at(370 * MINUTE), Some(21.0)));
    let result = evaluate(&definition, &inputs);
    close(result.availability, 0.866_666_666_666_667);
    close(result.performance, 0.930_769_230_769_231);
    close(result.quality_rate, 0.913_223_140_495_868);
    close(result.oee, 0.736_666_666_666_667);
}

/// G4: samples of a state and two counters; nothing is known after 04:00, and eight hours were planned.
#[test]
fn golden_4_samples() {
    let definition = OeeDefinition { ideal_rate_per_second: 1.0 / 30.0, ..definition() };
    let samples = [
        (0, true, 1200, 10),
        (HOUR, true, 1300, 11),
        (2 * HOUR, false, 1400, 11),
        (3 * HOUR, true, 1400, 11),
        (12_600, true, 1440, 14),
    ];
    let mut inputs = inputs(span(0, 8 * HOUR));
    inputs.running = samples.iter().map(|(time, state, ..)| (at(*time), Some(*state))).collect();
    inputs.running.push((at(4 * HOUR), None));
    inputs.good = samples.iter().map(|(time, _, all, bad)| (at(*time), Some(f64::from(all - bad)))).collect();
    inputs.bad = samples.iter().map(|(time, .., bad)| (at(*time), Some(f64::from(*bad)))).collect();
    let result = evaluate(&definition, &inputs);
    assert_eq!(seconds(result.totals.actual_production_time), 10_800.0);
    close(result.availability, 0.375);
    close(result.performance, 0.666_666_666_666_666_6);
    close(result.quality_rate, 0.983_333_333_333_333_3);
    close(result.oee, 0.245_833_333_333_333_32);
    assert_eq!(seconds(result.totals.unknown_time), 4.0 * 3600.0);
    assert_eq!(result.coverage, 0.5);
}

/// G5a: pieces counted in lumps of two, shared by running time between windows of a minute.
#[test]
fn golden_5a_lumps_across_borders() {
    let lumps = [30, 70, 110, 150, 190, 230, 270, 360, 390, 430, 460];
    // The first amount counts whole: it has its own instant just inside the first window.
    let stamp = |time: i64| at(time) + Duration::from_nanos(u64::from(time == 30));
    let readings = |pieces: f64| {
        let counted = lumps.iter().enumerate().map(|(index, time)| (stamp(*time), Some(pieces * (index + 1) as f64)));
        let mut readings: Vec<_> = std::iter::once((at(30), Some(0.0))).chain(counted).collect();
        let at_310 = readings.partition_point(|(time, _)| *time < at(310));
        readings.insert(at_310, (at(310), readings[at_310 - 1].1));
        readings
    };
    let definition = OeeDefinition { ideal_rate_per_second: 1.0 / 60.0, ..definition() };
    let rows = (90..=450).step_by(60).map(|end| {
        let mut inputs = inputs(span(end - 60, end));
        inputs.ideal_rate = track(&[(0, 10.0)]);
        inputs.running = track(&[(30, true), (310, false), (350, true)]);
        (inputs.good, inputs.bad) = (readings(1.0), readings(1.0));
        inputs.lumps = Lumps::Across;
        let result = evaluate(&definition, &inputs);
        let show = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{:.4}", value + 0.0));
        let figures = [result.availability, result.performance, result.quality_rate, result.totals.total].map(show);
        format!("{end}: {}", figures.join(" "))
    });
    let expected = [
        "90: 1.0000 0.5000 0.5000 5.0000",
        "150: 1.0000 0.3000 0.5000 3.0000",
        "210: 1.0000 0.3000 0.5000 3.0000",
        "270: 1.0000 0.3000 0.5000 3.0000",
        "330: 0.6667 0.0000 - 0.0000",
        "390: 0.6667 0.6000 0.5000 4.0000",
        "450: 1.0000 0.3333 0.5000 3.3333",
    ];
    assert_eq!(rows.collect::<Vec<_>>(), expected);
}

/// G7: half an hour's stop after midnight belongs to the night shift of the day before.
#[test]
fn golden_7_night_shift() {
    let mut calendar = ShiftCalendar::new(TimeZone::UTC);
    calendar.shifts = vec![ShiftCalendar::parse_shift("night", "daily 22:00-06:00").expect("a shift")];
    let time = |text: &str| text.parse::<Timestamp>().expect("a time");
    let stopped = |noon: &str| {
        let shift = calendar.shifts_between(time(noon), time(noon) + Duration::from_secs(86_400)).remove(0);
        let mut inputs = inputs(shift.window);
        inputs.scheduled = calendar.scheduled(shift.window);
        inputs.running = vec![
            (time("2026-05-20T00:00:00Z"), Some(true)),
            (time("2026-05-27T01:30:00Z"), Some(false)),
            (time("2026-05-27T02:00:00Z"), Some(true)),
        ];
        (shift.date.to_string(), seconds(evaluate(&definition(), &inputs).totals.breakdown_time))
    };
    assert_eq!(stopped("2026-05-26T12:00:00Z"), ("2026-05-26".into(), 1800.0));
    assert_eq!(stopped("2026-05-27T12:00:00Z"), ("2026-05-27".into(), 0.0));
}

#[test]
fn no_planned_time_is_no_figure() {
    let check = |inputs: &OeeInputs| {
        let result = evaluate(&planned(), inputs);
        assert_eq!((result.availability, result.performance, result.quality_rate), (None, None, None));
        assert_eq!((result.oee, result.teep, result.no_value_reason), (None, None, "no_planned_time"));
    };
    let mut off_shift = inputs(span(0, 600));
    off_shift.scheduled.clear();
    check(&off_shift);
    let mut all_planned = inputs(span(0, 600));
    all_planned.planned_stop = track(&[(0, true)]);
    all_planned.running = track(&[(0, true)]);
    check(&all_planned);
}

#[test]
fn no_count_depends_on_the_counter() {
    let mut inputs = inputs(span(0, 600));
    inputs.running = track(&[(0, true)]);
    let good = evaluate(&definition(), &inputs);
    assert_eq!((good.availability, good.performance, good.quality_rate, good.oee), (Some(1.0), Some(0.0), None, Some(0.0)));
    assert_eq!(good.no_value_reason, "no_count");
    inputs.good = vec![(at(0), None)];
    let bad = evaluate(&definition(), &inputs);
    assert_eq!((bad.availability, bad.performance, bad.quality_rate, bad.oee), (Some(1.0), None, None, None));
    assert_eq!((bad.no_value_reason, bad.coverage), ("counter_bad", 0.0));
    // A last good reading from before the window does not say what happened in it.
    inputs.good = vec![(at(-9), Some(7.0)), (at(-5), None)];
    assert_eq!(evaluate(&definition(), &inputs).no_value_reason, "counter_bad");
    // Bad only since 450 s, nothing counted before: the rest is missing coverage.
    inputs.good = vec![(at(-5), Some(7.0)), (at(450), None)];
    let partly = evaluate(&definition(), &inputs);
    assert_eq!((partly.performance, partly.oee, partly.coverage), (Some(0.0), Some(0.0), 0.75));
}

#[test]
fn no_run_time_has_no_performance() {
    let mut inputs = inputs(span(0, 600));
    inputs.running = track(&[(0, false)]);
    let result = evaluate(&definition(), &inputs);
    assert_eq!((result.availability, result.performance, result.oee), (Some(0.0), None, Some(0.0)));
    assert_eq!(result.no_value_reason, "no_run_time");
}

#[test]
fn performance_is_never_capped_and_never_guessed() {
    let mut inputs = inputs(span(0, 600));
    inputs.running = track(&[(0, true)]);
    inputs.good.push((at(600), Some(900.0)));
    let fast = evaluate(&definition(), &inputs);
    assert_eq!((fast.performance, fast.ideal_rate_suspect), (Some(1.5), true));
    for unknown in [vec![], vec![(at(0), Some(0.0))], vec![(at(0), None)], vec![(at(700), Some(1.0))]] {
        inputs.ideal_rate = unknown;
        let result = evaluate(&definition(), &inputs);
        assert_eq!((result.performance, result.oee, result.no_value_reason), (None, None, "ideal_rate_unknown"));
        assert_eq!((result.availability, result.quality_rate), (Some(1.0), Some(1.0)));
    }
}

/// A controller that restarts begins at zero, at what it kept last, or is not there for a moment: in no case is what it had counted
/// in its life made now.
#[test]
fn a_counter_that_restarts_makes_no_figure_above_what_is_possible() {
    let run = |good: &[(i64, f64)]| {
        let mut inputs = inputs(span(0, 600));
        inputs.running = track(&[(0, true)]);
        inputs.good = track(good);
        let result = evaluate(&definition(), &inputs);
        (result.totals.good, result.oee, result.coverage)
    };
    let made = Some(400.0);
    assert_eq!(run(&[(0, 9e6), (300, 9e6 + 200.0), (360, 20.0), (600, 200.0)]), (made, Some(400.0 / 600.0), 1.0));
    let half = Some(200.0);
    assert_eq!(run(&[(0, 9e6), (300, 9e6 + 100.0), (360, 9e6 - 50.0), (600, 9e6 + 50.0)]), (half, Some(200.0 / 600.0), 0.9));
    assert_eq!(run(&[(0, 9e6), (300, 0.0), (330, 9e6 + 300.0), (600, 9e6 + 400.0)]), (made, Some(400.0 / 600.0), 1.0));
}

#[test]
fn several_products_have_their_own_rates() {
    let mut inputs = inputs(span(0, 600));
    inputs.running = track(&[(0, true)]);
    // 200 s at 1 piece per second, then 400 s at 4 per second; one reading spans the change.
    inputs.ideal_rate = track(&[(0, 1.0), (200, 4.0)]);
    inputs.good = track(&[(0, 0.0), (100, 100.0), (300, 300.0), (600, 1200.0)]);
    let result = evaluate(&definition(), &inputs);
    // 100 + 100 at 1/s take 200 s; 100 + 900 at 4/s take 250 s.
    close(result.performance, 450.0 / 600.0);
    close(result.oee, 450.0 / 600.0);
}

#[test]
fn micro_stops_need_running_before_and_after() {
    let definition = OeeDefinition { micro_stop: Duration::from_secs(60), reasons: vec!["reason".into()], ..planned() };
    let micro = |running: &[(i64, bool)], reason: &[(i64, Arc<str>)], plan: &[(i64, bool)]| {
        let mut inputs = inputs(span(0, 600));
        inputs.running = track(running);
        inputs.reasons = vec![track(reason)];
        inputs.planned_stop = track(plan);
        let result = evaluate(&definition, &inputs);
        (
            seconds(result.totals.micro_stop_time),
            seconds(result.totals.breakdown_time),
            result.totals.micro_stops,
            result.totals.breakdowns,
        )
    };
    let never = [(-100, false)];
    assert_eq!(micro(&[(-100, true), (100, false), (159, true)], &[], &never), (59.0, 0.0, 1, 0));
    // As long as the limit is no micro-stop.
    assert_eq!(micro(&[(-100, true), (100, false), (160, true)], &[], &never), (0.0, 60.0, 0, 1));
    // With a reason it is a stop like any other.
    assert_eq!(micro(&[(-100, true), (100, false), (150, true)], &[(110, "jam".into())], &never), (0.0, 50.0, 0, 1));
    // Without running before or after it is none.
    assert_eq!(micro(&[(0, false), (50, true)], &[], &never), (0.0, 50.0, 0, 1));
    assert_eq!(micro(&[(-100, true), (560, false)], &[], &never), (0.0, 40.0, 0, 1));
    assert_eq!(micro(&[(-100, true), (560, false), (600, true)], &[], &never), (40.0, 0.0, 1, 0));
    assert_eq!(
        micro(&[(-100, true), (100, false), (200, true)], &[], &[(-100, false), (150, true), (180, false)]),
        (0.0, 70.0, 0, 2)
    );
    // A stop from before the window is judged whole, and counted where it began.
    assert_eq!(micro(&[(-100, true), (-30, false), (20, true)], &[], &never), (20.0, 0.0, 0, 0));
    assert_eq!(micro(&[(-100, true), (-50, false), (20, true)], &[], &never), (0.0, 20.0, 0, 0));
    // Two micro-stops.
    assert_eq!(micro(&[(0, true), (10, false), (20, true), (30, false), (45, true)], &[], &never), (25.0, 0.0, 2, 0));
}

#[test]
fn micro_stops_move_from_availability_to_performance() {
    let mut inputs = inputs(span(0, 600));
    inputs.running = track(&[(0, true), (100, false), (160, true)]);
    inputs.good.push((at(600), Some(540.0)));
    let stop = evaluate(&definition(), &inputs);
    let micro = evaluate(&OeeDefinition { micro_stop: Duration::from_secs(300), ..definition() }, &inputs);
    assert_eq!((stop.availability, stop.performance), (Some(0.9), Some(1.0)));
    assert_eq!((micro.availability, micro.performance), (Some(1.0), Some(0.9)));
    assert_eq!(stop.oee, micro.oee);
}

#[test]
fn silence_is_unknown_and_no_shift_wins_over_it() {
    let definition = OeeDefinition { max_hold: Some(Duration::from_secs(60)), ..definition() };
    let mut inputs = inputs(span(0, 600));
    inputs.scheduled = vec![span(0, 400)];
    inputs.running = track(&[(-30, true), (50, true), (100, false), (150, false), (300, true)]);
    let result = evaluate(&definition, &inputs);
    // Running -30…30, unknown, 50…100, stopped 100…210, unknown, running 300…360, unknown …400, then no shift.
    assert_eq!(seconds(result.totals.actual_production_time), 30.0 + 50.0 + 60.0);
    assert_eq!(seconds(result.totals.breakdown_time), 110.0);
    assert_eq!(seconds(result.totals.unknown_time), 20.0 + 90.0 + 40.0);
    assert_eq!(seconds(result.totals.planned_busy_time), 400.0);
    assert_eq!(result.coverage, 1.0 - 150.0 / 400.0);
}

#[test]
fn stops_carry_reasons_and_are_cut_at_borders() {
    let definition = OeeDefinition { reasons: vec!["reason".into()], ..planned() };
    let mut inputs = inputs(span(0, 1000));
    inputs.running = track(&[(-50, false), (100, true), (200, false), (400, true), (500, false), (600, true), (900, false)]);
    inputs.planned_stop = track(&[(-50, false), (500, true), (600, false)]);
    let reasons = track(&[
        (-50, "jam"),
        (90, ""),
        (220, "no bottles"),
        (230, ""),
        (300, "valve"),
        (410, ""),
        (500, "changeover"),
        (610, ""),
    ])
    .into_iter()
    .map(|(time, reason)| (time, reason.map(Arc::from)))
    .collect();
    inputs.reasons = vec![reasons];
    let result = evaluate(&definition, &inputs);
    let stops = result.stops.iter().map(|stop| {
        let (from, to) = (stop.window.start.as_millis() / 1000, stop.window.end.as_millis() / 1000);
        let kind = if stop.planned { "planned" } else { "stop" };
        format!("{from}-{to} {kind} {:?}{}", &*stop.reason, if stop.continued { " continued" } else { "" })
    });
    let expected = [
        "0-100 stop \"jam\" continued",
        "200-300 stop \"no bottles\"",
        "300-400 stop \"valve\"",
        "500-600 planned \"changeover\"",
        "900-1000 stop \"\"",
    ];
    assert_eq!(stops.collect::<Vec<_>>(), expected);
    let losses: Vec<_> = result.losses.iter().map(|loss| (&*loss.reason, loss.span.as_secs(), loss.count)).collect();
    assert_eq!(losses, [("", 100, 1), ("jam", 100, 0), ("no bottles", 100, 1), ("valve", 100, 1)]);
    // The one from before is counted there; the one with two reasons is one.
    assert_eq!(result.totals.breakdowns, 2);
    assert_eq!(seconds(result.totals.schedule_loss_time), 100.0);
}

#[test]
fn counters_start_over_by_their_rule() {
    let total = |rule: CounterRule, readings: &[(i64, f64)]| {
        let mut inputs = inputs(span(0, 600));
        inputs.running = track(&[(-60, true)]);
        inputs.good = track(readings);
        inputs.good_rule = rule;
        evaluate(&definition(), &inputs).totals.good
    };
    let readings = [(-60, 900.0), (-1, 1000.0), (100, 1100.0), (200, 40.0), (300, 90.0)];
    assert_eq!(total(CounterRule::Reset, &readings), Some(190.0));
    assert_eq!(total(CounterRule::Rollover(1200.0), &readings), Some(290.0));
    assert_eq!(total(CounterRule::Monotonic, &readings), Some(100.0));
    // Not a reading: left out, and what was counted meanwhile comes with the next one.
    assert_eq!(total(CounterRule::Reset, &[(0, 10.0), (100, f64::NAN), (200, -5.0), (300, 30.0)]), Some(20.0));
    // Without a base the first reading is the base.
    assert_eq!(total(CounterRule::Reset, &[(100, 5000.0), (200, 5010.0)]), Some(10.0));
}

#[test]
fn pieces_made_outside_planned_busy_time_do_not_count() {
    let mut inputs = inputs(span(0, 1000));
    inputs.scheduled = vec![span(200, 1000)];
    inputs.running = track(&[(0, true)]);
    inputs.planned_stop = track(&[(0, false), (600, true), (800, false)]);
    // One reading at the end: 200 s no shift, 200 s planned stop, 600 s busy.
    inputs.good.push((at(1000), Some(500.0)));
    close(evaluate(&planned(), &inputs).totals.good, 300.0);
    // Counted after the machine stood still: at its own time stamp.
    inputs.running = track(&[(0, false)]);
    inputs.good = track(&[(0, 0.0), (100, 1.0), (300, 11.0)]);
    close(evaluate(&planned(), &inputs).totals.good, 10.0);
}

#[test]
fn without_a_counter_of_bad_pieces_nobody_claims_there_are_none() {
    let definition = OeeDefinition { bad: None, ..definition() };
    let mut inputs = inputs(span(0, 600));
    inputs.running = track(&[(0, true)]);
    inputs.good.push((at(600), Some(300.0)));
    let result = evaluate(&definition, &inputs);
    assert_eq!((result.quality_rate, result.oee, result.performance), (None, Some(0.5), Some(0.5)));
    assert_eq!(result.no_value_reason, "no_bad_counter");
}

#[test]
fn formulas_show_their_numbers() {
    let mut inputs = inputs(span(0, 8 * HOUR));
    inputs.running = track(&[(0, true), (7 * HOUR, false)]);
    inputs.good.push((at(7 * HOUR), Some(20_000.0)));
    let result = evaluate(&definition(), &inputs);
    use crate::oee::OeeFigure as F;
    let shown = [F::Availability, F::Performance, F::QualityRate, F::Oee].map(|figure| result.formula(figure));
    let expected = [
        "A = 7h run ÷ 8h planned = 87.5 %",
        "P = 5h33m20s for 20000 pieces at the ideal rate ÷ 7h run = 79.4 %",
        "Q = 20000 good ÷ 20000 made = 100.0 %",
        "OEE = 5h33m20s for 20000 good pieces at the ideal rate ÷ 8h planned = 69.4 %",
    ];
    assert_eq!(shown, expected);
}

/// Tracks in any order, with gaps, at any time around the window.
fn tracks<T: std::fmt::Debug + Clone>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<(Timestamp, Option<T>)>> {
    let entry = (-200_i64..1200, proptest::option::weighted(0.85, value)).prop_map(|(time, value)| (at(time), value));
    proptest::collection::vec(entry, 0..12)
}

proptest! {
    /// Time adds up exactly, nothing is negative, figures agree, and two halves give the whole.
    #[test]
    fn time_adds_up(
        running in tracks(any::<bool>()),
        plan in tracks(any::<bool>()),
        good in tracks(0.0..1000.0_f64),
        bad in tracks(0.0..100.0_f64),
        shift in (0_i64..1000, 0_i64..1000),
        hold in proptest::option::of(1_u64..300),
        micro in 0_u64..100,
        half in 1_i64..999,
    ) {
        let definition = OeeDefinition {
            max_hold: hold.map(Duration::from_secs), micro_stop: Duration::from_secs(micro), ..planned()
        };
        let evaluated = |from: i64, to: i64| {
            let mut inputs = inputs(span(from, to));
            let shift = Window { start: at(shift.0.min(shift.1)), end: at(shift.0.max(shift.1)) };
            inputs.scheduled = shift.intersection(&inputs.window).into_iter().collect();
            inputs.running = running.clone();
            inputs.planned_stop = plan.clone();
            inputs.good = good.clone();
            inputs.bad = bad.clone();
            inputs.ideal_rate = track(&[(-500, 2.0)]);
            (inputs.scheduled.iter().map(Window::span).sum::<Duration>(), evaluate(&definition, &inputs))
        };
        let (scheduled, result) = evaluated(0, 1000);
        prop_assert_eq!(result.totals.scheduled_time(), scheduled);
        prop_assert_eq!(result.totals.planned_busy_time + result.totals.schedule_loss_time, scheduled);
        let parts = result.totals.actual_production_time + result.totals.micro_stop_time + result.totals.breakdown_time + result.totals.unknown_time;
        prop_assert_eq!(parts, result.totals.planned_busy_time);
        let unplanned: Duration = result.stops.iter().filter(|stop| !stop.planned).map(|stop| stop.window.span()).sum();
        prop_assert_eq!(unplanned, result.totals.breakdown_time + result.totals.micro_stop_time);
        prop_assert_eq!(result.losses.iter().map(|loss| loss.span).sum::<Duration>(), unplanned);
        prop_assert!((0.0..=1.0).contains(&result.coverage));
        prop_assert!(result.availability.is_none_or(|value| (0.0..=1.0).contains(&value)));
        prop_assert!(result.totals.good.is_none_or(|pieces| pieces >= 0.0));
        if let (Some(a), Some(p), Some(q), Some(oee)) = (result.availability, result.performance, result.quality_rate, result.oee) {
            prop_assert!((a * p * q - oee).abs() <= 1e-9 * oee.max(1.0), "{} * {} * {} != {}", a, p, q, oee);
        }
        let ((_, first), (_, second)) = (evaluated(0, half), evaluated(half, 1000));
        prop_assert_eq!(first.totals.actual_production_time + second.totals.actual_production_time, result.totals.actual_production_time);
        prop_assert_eq!(first.totals.planned_busy_time + second.totals.planned_busy_time, result.totals.planned_busy_time);
        prop_assert_eq!(first.totals.unknown_time + second.totals.unknown_time, result.totals.unknown_time);
    }
}

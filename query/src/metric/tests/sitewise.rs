//! The worked examples of AWS IoT SiteWise, with its own formulas: `statetime`, and the OEE recipe. (`pretrigger` is one of transforms.)

use super::*;
use andon_models::{Point, transform::Transforms};

const RECIPE: &str = "
plant: { name: Test, timezone: UTC }
models:
  machine:
    attributes:
      ideal_run_rate: { default: 2.5 }
    measurements:
      equipment_state: { type: int }
      good_count: { type: int }
      bad_count: { type: int }
    transforms:
      idle: { formula: 'eq(s, 1024)', variables: { s: equipment_state } }
      fault: { formula: 'eq(s, 1020)', variables: { s: equipment_state } }
      stop: { formula: 'eq(s, 1000)', variables: { s: equipment_state } }
      running: { formula: 'eq(s, 1111)', variables: { s: equipment_state } }
    metrics:
      1m: { idle_seconds: { formula: statetime(i), variables: { i: idle } } }
      1h:
        successes: { formula: sum(g), variables: { g: good_count } }
        failures: { formula: sum(b), variables: { b: bad_count } }
        idle_time: { formula: statetime(x), variables: { x: idle } }
        fault_time: { formula: statetime(x), variables: { x: fault } }
        stop_time: { formula: statetime(x), variables: { x: stop } }
        run_time: { formula: statetime(x), variables: { x: running } }
        down_time: { formula: i + f + s, variables: { i: idle_time, f: fault_time, s: stop_time } }
        availability: { formula: r / (r + d), variables: { r: run_time, d: down_time } }
        quality: { formula: s / (s + f), variables: { s: successes, f: failures } }
        performance: { formula: ((s + f) / r) / i, variables: { s: successes, f: failures, r: run_time, i: ideal_run_rate } }
        oee: { formula: a * q * p, variables: { a: availability, q: quality, p: performance } }
assets:
  Machine: { model: machine }
";

const TWO_O_CLOCK: i64 = 14 * 3_600;

/// What a machine sends, and what transforms make of it.
fn bench(samples: &[(&str, i64, i64)]) -> Bench {
    let mut bench = Bench::of(RECIPE);
    let machine = bench.asset("Machine");
    let point = |(property, second, value): &(&str, i64, i64)| Point {
        series: bench.catalog.series_named(machine, property).unwrap(),
        tqv: Tqv::good(Timestamp::from_seconds(TWO_O_CLOCK + second), Value::Integer(*value)),
    };
    let mut points: Vec<Point> = samples.iter().map(point).collect();
    Transforms::new(&bench.catalog).apply(&mut points);
    let rows = points.into_iter().map(|Point { series, tqv }| (series.0.cast_signed(), tqv.time.as_micros(), 0, tqv.value));
    bench.rows.extend(rows);
    bench
}

fn minute(number: i64) -> Window {
    window(TWO_O_CLOCK + number * 60, TWO_O_CLOCK + (number + 1) * 60)
}

#[tokio::test]
async fn statetime_carries_the_last_state_in() {
    let states = [(0, 1_111), (30, 1_024), (75, 1_024), (165, 1_111), (240, 1_111)];
    let bench = bench(&states.map(|(second, state)| ("equipment_state", second, state)));
    let all = bench.compute("machine", 60, &[minute(-1), minute(0), minute(1), minute(2), minute(3)]).await;
    let idle: Vec<(i64, f64)> =
        of(&all, "Machine", "idle_seconds").iter().map(|(end, value)| (end - TWO_O_CLOCK, value.as_f64().unwrap())).collect();
    // The minute that ends at two has a point at its very end, and nothing is known of its time: no value.
    assert_eq!(idle, [(60, 30.0), (120, 60.0), (180, 45.0), (240, 0.0)]);
}

#[tokio::test]
async fn the_oee_recipe_of_the_guide() {
    let states = [(0, 1_111), (1_800, 1_020), (2_100, 1_024), (2_400, 1_000), (2_700, 1_111), (3_600, 1_024)];
    let mut samples: Vec<_> = states.iter().map(|(second, state)| ("equipment_state", *second, *state)).collect();
    for (second, good, bad) in [(600, 2_000, 100), (1_200, 1_600, 0), (3_600, 1_500, 200)] {
        samples.extend([("good_count", second, good), ("bad_count", second, bad)]);
    }
    let hours = [0, 1].map(|hour| window(TWO_O_CLOCK + hour * 3_600, TWO_O_CLOCK + (hour + 1) * 3_600));
    let all = bench(&samples).compute("machine", 3_600, &hours).await;
    let figure = |name: &str, hour: usize| {
        let found = of(&all, "Machine", name).into_iter().find(|(end, _)| *end * 1_000_000_000 == hours[hour].end.as_nanos());
        found.and_then(|(_, value)| value.as_f64())
    };
    let expected = [
        ("successes", 5_100.0),
        ("failures", 300.0),
        ("fault_time", 300.0),
        ("idle_time", 300.0),
        ("stop_time", 300.0),
        ("run_time", 2_700.0),
        ("down_time", 900.0),
        ("availability", 0.75),
        ("quality", 5_100.0 / 5_400.0),
        ("performance", 0.8),
        ("oee", 0.75 * (5_100.0 / 5_400.0) * 0.8),
    ];
    for (name, expected) in expected {
        let found = figure(name, 0).unwrap_or_else(|| panic!("{name} in {all:?}"));
        assert!((found - expected).abs() < 1e-12, "{name}: {found}");
    }
    // Idle for the whole second hour: nothing made, so no quality and no performance; dividing by nothing gives no value.
    assert_eq!((figure("idle_time", 1), figure("availability", 1)), (Some(3_600.0), Some(0.0)));
    assert_eq!(["successes", "quality", "performance", "oee"].map(|name| figure(name, 1)), [None; 4]);
}

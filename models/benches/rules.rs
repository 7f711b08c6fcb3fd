//! What the rules of a plant cost per value: one formula on one row, and all transforms of a plant on a batch of its points.
//!
//! `cargo bench -p andon-models`

use andon_models::{
    Point, Quality, SeriesId, StatusCode, Timestamp, Tqv, Value,
    catalog::{Catalog, SeriesDirectory},
    definition::AssetIndex,
    expression::{Expression, Reference, Resolved, Scope, SlotValue, Type},
    plant_file,
    transform::Transforms,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::{fmt::Write as _, hint::black_box, sync::Arc, time::Duration};

const SEED: u64 = 7;
const ROWS: usize = 1_000;
const MACHINES: usize = 100;

/// Ten points per machine, of which six feed transforms; one transform reads others.
const MODELS: &str = "
plant: { name: Bench, timezone: UTC }
sources:
  plc: { modbus: tcp://127.0.0.1:502, unit: 1, every: 1s }
models:
  filler:
    attributes:
      nominal_weight: { default: 500, unit: g }
      temp_limit: { default: 82, unit: °C }
    measurements:
      fill_temp: { unit: °C, from: holding/0 float32 @plc }
      net_weight: { unit: g, from: holding/2 float32 @plc }
      power: { unit: kW, from: holding/4 float32 @plc }
      speed: { unit: 1/h, from: holding/6 float32 @plc }
      state: { type: int, from: holding/8 u16 @plc }
      mode: { type: int, from: holding/9 u16 @plc }
      vibration: { unit: mm/s, from: holding/10 float32 @plc }
      level: { unit: '%', from: holding/12 float32 @plc }
      good_count: { type: counter, from: holding/14 u32 @plc }
      reason: { type: string, from: holding/16 string(4) @plc }
    transforms:
      running: state == 6
      planned: mode in (5, 6)
      overfill: { value: net_weight - nominal_weight, unit: g }
      hot: fill_temp > temp_limit and running
      energy_per_thousand: { value: 'if(running and speed > 0, power / speed * 1000, 0)', unit: kWh }
assets:
";
const MEASUREMENTS: [&str; 10] =
    ["fill_temp", "net_weight", "power", "speed", "state", "mode", "vibration", "level", "good_count", "reason"];

/// The same numbers in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    /// A decimal with one place, as sensors give them.
    fn tenths(&mut self, least: f64, most: f64) -> f64 {
        let span = ((most - least) * 10.0) as u64;
        least + self.below(span) as f64 / 10.0
    }

    /// One read in two hundred fails.
    fn fails(&mut self) -> bool {
        self.below(200) == 0
    }
}

/// Every name is a property; `running` is a truth value, the others are numbers.
struct Names;

impl Scope for Names {
    fn resolve(&self, path: &[&str]) -> Option<Resolved> {
        let [name] = path else { return None };
        let node_type = if *name == "running" { Type::Boolean } else { Type::Number };
        Some(Resolved { reference: Reference::Own((*name).into()), node_type, unit: "".into() })
    }

    fn candidates(&self) -> Vec<String> {
        Vec::new()
    }

    fn aggregates(&self) -> bool {
        false
    }
}

fn rows(expression: &Expression) -> Vec<Vec<SlotValue>> {
    let mut dice = Dice(SEED);
    let mut slot = |reference: &Reference| {
        let value = match reference {
            Reference::Own(name) if &**name == "running" => Value::Boolean(dice.below(4) > 0),
            Reference::Own(name) if matches!(&**name, "state" | "mode") => Value::Integer(dice.below(8) as i64),
            _ => Value::Double(dice.tenths(60.0, 100.0)),
        };
        let quality = if dice.fails() { Quality::Bad } else { Quality::Good };
        SlotValue { value, quality, time: Some(Timestamp::from_seconds(dice.below(100) as i64)) }
    };
    (0..ROWS).map(|_| expression.references.iter().map(&mut slot).collect()).collect()
}

fn expressions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("expression");
    group.throughput(Throughput::Elements(ROWS as u64));
    for (name, text) in [
        ("comparison", "state == 6"),
        ("guard", "fill_temp > temp_limit and running"),
        ("arithmetic", "round((net_weight - nominal_weight) / nominal_weight * 100, 2)"),
        ("branches", "if(running and speed > 0 and state in (5, 6), power / speed * 1000, coalesce(mode, 0))"),
    ] {
        let expression = Expression::parse(text, &Names).unwrap_or_else(|error| panic!("{text}: {error}"));
        let rows = rows(&expression);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for row in &rows {
                    black_box(expression.evaluate(black_box(row)));
                }
            });
        });
    }
    group.finish();
}

fn catalog() -> Catalog {
    let mut text = MODELS.to_owned();
    for number in 0..MACHINES {
        writeln!(text, "  Filler {number}: {{ model: filler, plc: plc }}").expect("a text takes any line");
    }
    let loaded = plant_file::load(&[("bench.yaml".into(), text)], &|_| None);
    let plant = loaded.plant.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    Catalog::build(Arc::new(plant), &mut SeriesDirectory::default())
}

/// One point of each measurement of each machine: half of them on the second, half within 20 ms of it, a few Bad.
fn points(series: &[(SeriesId, &str)], reasons: &[Arc<str>], second: i64, dice: &mut Dice) -> Vec<Point> {
    let mut point = |(series, name): &(SeriesId, &str)| {
        let value = match *name {
            "state" => Value::Integer(if dice.below(20) == 0 { 5 } else { 6 }),
            "mode" => Value::Integer(1),
            "good_count" => Value::Integer(second * 4),
            "reason" => Value::String(reasons[dice.below(reasons.len() as u64) as usize].clone()),
            _ => Value::Double(dice.tenths(60.0, 100.0)),
        };
        let jitter = if dice.below(2) == 0 { 20 } else { dice.below(40) };
        let time = Timestamp::from_seconds(second) + Duration::from_millis(jitter);
        let tqv = if dice.fails() { Tqv::bad(time, StatusCode::TIMEOUT) } else { Tqv::good(time, value) };
        Point { series: *series, tqv }
    };
    let mut points = Vec::with_capacity(series.len() * 2);
    points.extend(series.iter().map(&mut point));
    points
}

fn transforms(criterion: &mut Criterion) {
    let catalog = catalog();
    let of_machine = |asset| MEASUREMENTS.map(|name| (catalog.series_named(AssetIndex(asset), name), name));
    let series: Vec<(SeriesId, &str)> =
        (0..MACHINES).flat_map(of_machine).filter_map(|(series, name)| Some((series?, name))).collect();
    let reasons: Vec<Arc<str>> = ["", "no bottles", "jam at infeed", "caps empty"].map(Arc::from).to_vec();
    let mut group = criterion.benchmark_group("transforms");
    for (name, machines) in [("one machine", 1), ("100 machines", MACHINES)] {
        let series = &series[..machines * MEASUREMENTS.len()];
        group.throughput(Throughput::Elements(series.len() as u64));
        let (mut transforms, mut dice, mut second) = (Transforms::new(&catalog), Dice(SEED), 0);
        group.bench_function(name, |bencher| {
            let batch = || {
                second += 1;
                points(series, &reasons, second, &mut dice)
            };
            let apply = |mut points| {
                transforms.apply(&mut points);
                points
            };
            bencher.iter_batched(batch, apply, BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, expressions, transforms);
criterion_main!(benches);

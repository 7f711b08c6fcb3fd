//! How fast an engine steps: many machines with a nested detector each, one sample per machine and step.
//!
//! `cargo bench -p andon-detectors`

use andon_detectors::{Engine, Input};
use andon_models::{
    Point, SeriesId, Timestamp, Tqv, Value,
    catalog::{Catalog, SeriesDirectory},
    definition::AssetIndex,
    plant_file,
    snapshot::DetectorSnapshot,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::{collections::HashMap, fmt::Write as _, sync::Arc, time::Duration};

const MACHINES: usize = 10_000;

/// Instances of the largest plant that must be back within two seconds.
const RESTORED: usize = 100_000;

const MODELS: &str = "
plant: { name: Bench, timezone: UTC }
sources:
  plc: { modbus: tcp://127.0.0.1:502, unit: 1, every: 1s }
models:
  filler:
    attributes:
      temp_limit: { default: 80, unit: °C }
    measurements:
      fill_temp: { unit: °C, from: holding/0 float32 @plc }
      running: { type: bool, from: coil/0 @plc }
    detectors:
      overheat:
        priority: high
        message: Bowl {fill_temp} is above {temp_limit}
        response: Check valve V12.
        initial: normal
        states:
          normal:
            go:
              - { when: fill_temp > temp_limit and running, to: hot }
          hot:
            initial: warming
            go:
              - { when: fill_temp < temp_limit - 3, to: normal, do: [clear] }
            states:
              warming:
                go:
                  - { after: 30s, to: alarm }
              alarm:
                enter: [raise]
                go:
                  - { when: acknowledged, to: handled }
              handled: {}
assets:
";

fn catalog(machines: usize) -> Arc<Catalog> {
    let mut text = MODELS.to_owned();
    for number in 0..machines {
        writeln!(text, "  Filler {number}: {{ model: filler, plc: plc }}").expect("a text takes any line");
    }
    let loaded = plant_file::load(&[("bench.yaml".into(), text)], &|_| None);
    let plant = loaded.plant.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()))
}

/// A started engine where every machine runs, and the series of their temperatures.
fn engine(catalog: &Arc<Catalog>) -> (Engine, Vec<SeriesId>) {
    let mut engine = Engine::new(catalog.clone());
    engine.start(Timestamp::EPOCH);
    let series = |name| (0..MACHINES).filter_map(|asset| catalog.series_named(AssetIndex(asset), name)).collect::<Vec<_>>();
    let good = |series, value| Point { series, tqv: Tqv::good(Timestamp::from_seconds(1), value) };
    let running: Vec<_> = series("running").into_iter().map(|series| good(series, Value::Boolean(true))).collect();
    engine.step(Timestamp::from_seconds(1), Input::Samples(&running));
    (engine, series("fill_temp"))
}

/// One sample per machine; every `hot`th is hot in even steps and cool in odd ones, so that it moves in each.
fn samples(series: &[SeriesId], step: usize, hot: usize) -> (Timestamp, Vec<Point>) {
    let time = Timestamp::from_seconds(2) + Duration::from_secs(step as u64);
    let value =
        |machine: usize| if machine.is_multiple_of(hot) && step.is_multiple_of(2) { 95.0 } else { 70.0 + (machine % 7) as f64 };
    let point =
        |(machine, series): (usize, &SeriesId)| Point { series: *series, tqv: Tqv::good(time, Value::Double(value(machine))) };
    (time, series.iter().enumerate().map(point).collect())
}

fn steps(criterion: &mut Criterion) {
    let catalog = catalog(MACHINES);
    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(MACHINES as u64));
    for (name, hot) in [("no moves", usize::MAX), ("1 % moves", 100), ("all move", 1)] {
        let (mut engine, series) = engine(&catalog);
        let mut step = 0;
        group.bench_function(name, |bencher| {
            let batch = || {
                step += 1;
                samples(&series, step, hot)
            };
            bencher.iter_batched(batch, |(now, points)| engine.step(now, Input::Samples(&points)), BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// A start with many instances in the middle of things: their snapshots are read, and each goes on where it stood.
fn restore(criterion: &mut Criterion) {
    let catalog = catalog(RESTORED);
    let mut engine = Engine::new(catalog.clone());
    engine.start(Timestamp::EPOCH);
    let series: Vec<_> = (0..RESTORED).filter_map(|asset| catalog.series_named(AssetIndex(asset), "fill_temp")).collect();
    let running: Vec<_> = (0..RESTORED).filter_map(|asset| catalog.series_named(AssetIndex(asset), "running")).collect();
    let good = |series: &SeriesId, value: Value| Point { series: *series, tqv: Tqv::good(Timestamp::from_seconds(1), value) };
    let points: Vec<_> = running.iter().map(|series| good(series, Value::Boolean(true))).collect();
    engine.step(Timestamp::from_seconds(1), Input::Samples(&points));
    engine.step(Timestamp::from_seconds(2), Input::Samples(&samples(&series, 0, 2).1));
    let documents: Vec<Vec<u8>> =
        engine.snapshots().map(|snapshot| serde_json::to_vec(&snapshot).expect("a snapshot is plain data")).collect();
    let latest: HashMap<SeriesId, Tqv> = points.into_iter().map(|point| (point.series, point.tqv)).collect();
    let mut group = criterion.benchmark_group("start");
    group.sample_size(10).throughput(Throughput::Elements(RESTORED as u64));
    group.bench_function("prepare 100k", |bencher| bencher.iter_with_large_drop(|| Engine::new(catalog.clone())));
    group.bench_function("restore 100k", |bencher| {
        let fresh = || Engine::new(catalog.clone());
        let start = |mut engine: Engine| {
            let snapshots: Vec<DetectorSnapshot> =
                documents.iter().map(|document| serde_json::from_slice(document).expect("it was written just now")).collect();
            engine.restore(snapshots, &|series| latest.get(&series).cloned());
            engine.start(Timestamp::from_seconds(3));
            engine
        };
        bencher.iter_batched(fresh, start, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, steps, restore);
criterion_main!(benches);

//! What remembering and answering costs: batches into the durable log and back out of it, the metrics of a shift, and SQL.
//!
//! Everything goes through [`Historian`], because the log and the plans are its own affair; so `append` includes `fdatasync`, and
//! its result says as much about the disk as about the code.
//!
//! `cargo bench -p andon-query`

use andon_models::{
    Point, StatusCode, Timestamp, Tqv, Value,
    catalog::{Catalog, SeriesDirectory},
    definition::{AssetIndex, ModelIndex},
    plant_file,
    schedule::Assets,
    transform::Transforms,
    window::{Window, WindowSpec},
};
use andon_query::{Batch, Extent, Historian, HistorianOptions, SqlLimits};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::{fmt::Write as _, fs, io, path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const SEED: u64 = 7;
const MACHINES: usize = 15;
const BATCH: usize = 1_000;
/// Records in the log that is read back.
const RECORDS: usize = 100;
/// Monday 2027-01-11 06:00 UTC: the beginning of an early shift.
const SHIFT_START: Timestamp = Timestamp::from_seconds(1_799_647_200);
const SHIFT: Duration = Duration::from_secs(8 * 3_600);
/// Seconds between two values of a series. In test mode a few values do: the dev profile is slow, and only the paths matter.
const INTERVAL: u64 = if cfg!(debug_assertions) { 600 } else { 10 };

const MODELS: &str = "
plant: { name: Bench, timezone: UTC }
shifts: { early: 'Mon-Sun 06:00-14:00', late: 'Mon-Sun 14:00-22:00', night: 'Mon-Sun 22:00-06:00' }
sources:
  plc: { modbus: tcp://127.0.0.1:502, unit: 1, every: 1s }
models:
  filler:
    attributes:
      ideal_rate: { default: 15000, unit: 1/h }
    measurements:
      fill_temp: { unit: °C, from: holding/0 float32 @plc }
      power: { unit: kW, from: holding/2 float32 @plc }
      energy: { type: counter, unit: kWh, from: holding/4 float32 @plc }
      state: { type: int, from: holding/6 u16 @plc }
      mode: { type: int, from: holding/7 u16 @plc }
      good_count: { type: counter, from: holding/8 u32 @plc }
      bad_count: { type: counter, from: holding/10 u32 @plc }
    transforms:
      running: state == 6
    metrics:
      shift:
        power_avg: { value: avg(power), unit: kW }
        power_peak: { value: max(power), unit: kW }
        energy_used: { value: increase(energy), unit: kWh }
        hot_time: { value: statetime(fill_temp > 80), unit: s }
    oee:
      running: running
      planned_stop: mode in (5, 6)
      good: good_count
      bad: bad_count
      ideal_rate: ideal_rate
assets:
";
const MEASUREMENTS: [&str; 7] = ["fill_temp", "power", "energy", "state", "mode", "good_count", "bad_count"];

/// The same numbers in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}

fn catalog() -> Arc<Catalog> {
    let mut text = MODELS.to_owned();
    for number in 0..MACHINES {
        writeln!(text, "  Filler {number}: {{ model: filler, plc: plc }}").expect("a text takes any line");
    }
    let loaded = plant_file::load(&[("bench.yaml".into(), text)], &|_| None);
    let plant = loaded.plant.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()))
}

/// What the machines say at one instant, with what follows from it: they run, but for a stop now and then.
fn points(catalog: &Catalog, transforms: &mut Transforms, time: Timestamp, dice: &mut Dice) -> Vec<Point> {
    let seconds = time.since(SHIFT_START).as_secs() as i64;
    let mut points = Vec::with_capacity(2 * MACHINES * MEASUREMENTS.len());
    for asset in (0..MACHINES).map(AssetIndex) {
        let runs = dice.below(10) > 0;
        for name in MEASUREMENTS {
            let Some(series) = catalog.series_named(asset, name) else { continue };
            let value = match name {
                "state" => Value::Integer(if runs { 6 } else { 2 }),
                "mode" => Value::Integer(1),
                "good_count" => Value::Integer(seconds * 4),
                "bad_count" => Value::Integer(seconds / 30),
                "energy" => Value::Double(seconds as f64 / 60.0),
                _ => Value::Double(70.0 + dice.below(150) as f64 / 10.0),
            };
            let failed = dice.below(200) == 0;
            let tqv = if failed { Tqv::bad(time, StatusCode::TIMEOUT) } else { Tqv::good(time, value) };
            points.push(Point { series, tqv });
        }
    }
    transforms.apply(&mut points);
    points
}

/// A shift of the plant in batches as the service would store it.
fn shift(catalog: &Catalog) -> Vec<Batch> {
    let (mut transforms, mut dice) = (Transforms::new(catalog), Dice(SEED));
    let instants = (0..=SHIFT.as_secs()).step_by(INTERVAL as usize).map(|second| SHIFT_START + Duration::from_secs(second));
    let points: Vec<Point> = instants.flat_map(|time| points(catalog, &mut transforms, time, &mut dice)).collect();
    points.chunks(BATCH).map(|points| Batch { points: points.to_vec(), ..Batch::default() }).collect()
}

/// One log record of values at an instant.
fn batch(catalog: &Catalog, record: usize) -> Batch {
    let series = catalog.series();
    let point = |index: usize| {
        let time = SHIFT_START + Duration::from_millis((record * BATCH + index) as u64);
        let value = Value::Double((index % 97) as f64 / 10.0);
        Point { series: series[index % series.len()].id, tqv: Tqv::good(time, value) }
    };
    Batch { points: (0..BATCH).map(point).collect(), ..Batch::default() }
}

fn runtime() -> Runtime {
    Runtime::new().unwrap_or_else(|error| panic!("no runtime: {error}"))
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap_or_else(|error| panic!("no folder: {error}"))
}

/// Opens a historian; gives it with the points it found in its log.
async fn open(folder: &Path, catalog: &Arc<Catalog>) -> (Historian, u64) {
    let opened = Historian::open(HistorianOptions::new(folder), catalog.clone()).await;
    let (historian, recovered) = opened.unwrap_or_else(|error| panic!("{error}"));
    (historian, recovered.log_points)
}

async fn store(historian: &Historian, batches: impl IntoIterator<Item = Batch>) {
    let mut receipts = Vec::new();
    for batch in batches {
        receipts.push(historian.enqueue(batch).await);
    }
    for receipt in receipts {
        receipt.await.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// A copy of a data folder as a crash would leave it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() { copy(&from, &to)? } else { fs::copy(&from, &to).map(drop)? }
    }
    Ok(())
}

fn log(criterion: &mut Criterion) {
    let (runtime, catalog) = (runtime(), catalog());
    let mut group = criterion.benchmark_group("log");

    let (written, mut record) = (folder(), 0);
    let (historian, _) = runtime.block_on(open(written.path(), &catalog));
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("append one record of 1,000 points", |bencher| {
        let next = || {
            record += 1;
            batch(&catalog, record)
        };
        bencher.iter_batched(next, |batch| runtime.block_on(store(&historian, [batch])), BatchSize::SmallInput);
    });

    let left = folder();
    let (crashed, _) = runtime.block_on(open(left.path(), &catalog));
    runtime.block_on(store(&crashed, (0..RECORDS).map(|record| batch(&catalog, record))));
    group.sample_size(10).throughput(Throughput::Elements((RECORDS * BATCH) as u64));
    group.bench_function("open with 100 records to read back", |bencher| {
        let prepare = || {
            let folder = folder();
            copy(left.path(), folder.path()).unwrap_or_else(|error| panic!("{error}"));
            folder
        };
        let open = |folder: TempDir| {
            let (historian, points) = runtime.block_on(open(folder.path(), &catalog));
            assert_eq!(points, (RECORDS * BATCH) as u64);
            (historian, folder)
        };
        bencher.iter_batched(prepare, open, BatchSize::PerIteration);
    });
    group.finish();
}

fn answers(criterion: &mut Criterion) {
    let (runtime, catalog, folder) = (runtime(), catalog(), folder());
    let batches = shift(&catalog);
    let stored: usize = batches.iter().map(|batch| batch.points.len()).sum();
    let (historian, _) = runtime.block_on(open(folder.path(), &catalog));
    runtime.block_on(store(&historian, batches));
    runtime.block_on(historian.flush()).unwrap_or_else(|error| panic!("{error}"));

    let mut group = criterion.benchmark_group("answers");
    group.sample_size(10).throughput(Throughput::Elements(stored as u64));
    let window = Window { start: SHIFT_START, end: SHIFT_START + SHIFT };
    let metrics = || {
        let points = runtime.block_on(historian.compute(&Extent {
            model: ModelIndex(0),
            spec: &WindowSpec::Shift,
            windows: &[window],
            assets: Assets::ALL,
        }));
        points.unwrap_or_else(|error| panic!("{error}"))
    };
    assert!(metrics().len() >= MACHINES * 5, "every machine has its metrics and its OEE");
    group.bench_function("metrics of a shift, 15 machines", |bencher| bencher.iter(metrics));

    for (name, rows, sql) in [
        ("SQL: newest values", 100, "SELECT asset, property, time, value FROM latest"),
        (
            "SQL: averages of a shift by machine and property",
            MACHINES * 2,
            "SELECT asset, property, avg(value) FROM samples WHERE property IN ('fill_temp', 'power') GROUP BY 1, 2",
        ),
        (
            "SQL: one series by minute",
            SHIFT.as_secs() as usize / 3_600,
            "SELECT date_bin(INTERVAL '1 minute', time) AS minute, avg(value) FROM samples \
             WHERE asset = 'Filler 3' AND property = 'fill_temp' GROUP BY 1 ORDER BY 1",
        ),
    ] {
        let answer = || {
            let answer = runtime.block_on(historian.sql(sql, SqlLimits::default()));
            answer.unwrap_or_else(|error| panic!("{sql}: {error}"))
        };
        assert!(answer().rows.len() >= rows, "{sql}: {} rows", answer().rows.len());
        group.bench_function(name, |bencher| bencher.iter(answer));
    }
    group.finish();
}

criterion_group!(benches, log, answers);
criterion_main!(benches);

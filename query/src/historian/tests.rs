//! What a historian promises, seen from outside: nothing acknowledged is lost, nothing is there twice, everything can be asked.

use super::*;
use crate::testing::{PLANT, at, catalog, event, good, point, rows, series};
use andon_models::{Quality, StatusCode, Value, schedule::Assets, window::WindowSpec};
use std::time::Duration;

mod streams;

pub(super) struct Bench {
    pub folder: tempfile::TempDir,
    pub catalog: Arc<Catalog>,
}

impl Bench {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), catalog: catalog(PLANT) }
    }

    pub async fn open(&self) -> (Historian, crate::Recovered) {
        let mut options = HistorianOptions::new(self.folder.path());
        options.commit_delay = Duration::ZERO;
        Historian::open(options, self.catalog.clone()).await.unwrap()
    }

    pub fn temp(&self) -> SeriesId {
        series(&self.catalog, "Line 1/Press A", "temp")
    }

    pub fn batch(&self, seconds: impl IntoIterator<Item = i64>) -> Batch {
        let points = seconds.into_iter().map(|second| good(self.temp(), second, second as f64)).collect();
        Batch { points, ..Batch::default() }
    }
}

/// Forgets a historian as `kill -9` would: nothing is flushed, the lock goes with the process.
pub(crate) async fn kill(historian: Historian) {
    let writing = historian.writing().unwrap();
    // In a process of its own the keeper would die too; here a merge of its must not go on beside the next historian.
    let (done, stopped) = oneshot::channel();
    writing.keeper.send(keeper::Request::Stop(done)).await.unwrap();
    stopped.await.unwrap().unwrap();
    writing.log.lock().unwrap().take();
    let thread = writing.log_thread.lock().unwrap().take().unwrap();
    tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
    writing.lock.unlock().unwrap();
}

pub(super) async fn temps(historian: &Historian) -> Vec<Vec<serde_json::Value>> {
    rows(historian, "SELECT time, value FROM samples WHERE property = 'temp' ORDER BY time").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_a_flush_carry_one_number_and_a_correction_a_higher_one() {
    let bench = Bench::new();
    let (historian, _) = bench.open().await;
    let numbers = async || rows(&historian, "SELECT DISTINCT seq FROM samples ORDER BY seq").await.len();
    historian.append(bench.batch(0..5)).await.unwrap();
    historian.append(bench.batch(5..10)).await.unwrap();
    assert_eq!(numbers().await, 2);
    historian.flush().await.unwrap();
    assert_eq!(numbers().await, 1);
    let correction = good(bench.temp(), 3, 33.0);
    historian.append(Batch { points: vec![correction], ..Batch::default() }).await.unwrap();
    for _ in 0..2 {
        assert_eq!(rows(&historian, "SELECT value FROM samples WHERE seq = (SELECT max(seq) FROM samples)").await, [[33.0]]);
        assert_eq!(numbers().await, 2);
        historian.flush().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_appended_is_seen_at_once_and_after_a_crash() {
    let bench = Bench::new();
    let (historian, recovered) = bench.open().await;
    assert!(recovered.kept.is_empty() && recovered.notices.is_empty());
    let mut batch = bench.batch(0..10);
    batch.events = vec![event(5, "overheat")];
    batch.keep = vec![("a".into(), vec![1]), ("b".into(), vec![2])];
    historian.append(batch).await.unwrap();
    historian.append(Batch { keep: vec![("a".into(), vec![3]), ("b".into(), Vec::new())], ..Batch::default() }).await.unwrap();
    let before = temps(&historian).await;
    assert_eq!(before.len(), 10);
    assert_eq!(historian.latest(bench.temp()).unwrap().time, at(9));
    kill(historian).await;

    let (historian, recovered) = bench.open().await;
    assert_eq!(recovered.kept, [("a".to_owned(), vec![3])].into());
    assert_eq!((recovered.log_points, recovered.log_events), (10, 1));
    assert_eq!(temps(&historian).await, before);
    assert_eq!(historian.latest(bench.temp()).unwrap().time, at(9));
    assert_eq!(historian.events(EventFilter::default()).await.unwrap(), [event(5, "overheat")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_answer_like_the_buffer_they_were_made_of() {
    let bench = Bench::new();
    let (historian, _) = bench.open().await;
    let mut batch = bench.batch((0..300_000).step_by(60));
    batch.points.push(point(bench.temp(), 300_001, Value::Null, Quality::Bad));
    batch.points.last_mut().unwrap().tqv.status = StatusCode::TIMEOUT;
    batch.events = (0..3).map(|day| event(day * 86_400, "overheat")).collect();
    batch.keep = vec![("state".into(), b"warm".to_vec())];
    historian.append(batch).await.unwrap();
    let questions = [
        "SELECT * FROM samples ORDER BY series, time",
        "SELECT count(*), sum(value), min(time), max(time) FROM samples WHERE asset = 'Line 1/Press A' AND property LIKE 'te%'",
        "SELECT time, value FROM samples WHERE time > '2026-01-02T00:00:00Z' AND time <= '2026-01-02T00:02:00Z'",
        "SELECT time, asset, temp FROM press WHERE time >= '2026-01-03T00:00:00Z' ORDER BY time LIMIT 5",
        "SELECT kind, count(*) FROM events GROUP BY kind",
        "SELECT time, state, priority FROM alarms ORDER BY time",
        "SELECT * FROM latest_value_time_series ORDER BY property_alias",
    ];
    let ask = async |historian: &Historian| {
        let mut answers = Vec::new();
        for question in questions {
            answers.push(rows(historian, question).await);
        }
        answers
    };
    let window = Window { start: at(0), end: at(300_001) };
    let before = ask(&historian).await;
    let chart = historian.history(bench.temp(), window, 200).await.unwrap();
    historian.flush().await.unwrap();
    assert_eq!(historian.stats().buffered_points, 0);
    assert_eq!(historian.stats().files, 7, "four days of samples, three of events");
    assert_eq!(ask(&historian).await, before);
    assert_eq!(historian.history(bench.temp(), window, 200).await.unwrap(), chart);
    historian.close().await.unwrap();

    let (historian, recovered) = bench.open().await;
    assert_eq!((recovered.log_points, recovered.log_events), (0, 0));
    assert_eq!(recovered.kept["state"], b"warm");
    assert_eq!(ask(&historian).await, before);
    assert_eq!(historian.value_before(bench.temp(), at(119)).await.unwrap().unwrap().value, 60.0.into());
    assert_eq!(historian.value_before(bench.temp(), at(-1)).await.unwrap(), None);
    let read_only = Historian::open_read_only(bench.folder.path()).await.unwrap();
    assert_eq!(ask(&read_only).await, before);
    assert!(read_only.append(bench.batch([1])).await.is_err());
}

/// The crash happens after the Delta commit and before checkpoint and log know of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_commit_and_log_repeats_nothing() {
    let bench = Bench::new();
    let (historian, _) = bench.open().await;
    let mut batch = bench.batch(0..1_000);
    batch.events = vec![event(5, "overheat")];
    batch.keep = vec![("state".into(), b"warm".to_vec())];
    historian.append(batch).await.unwrap();
    let before = temps(&historian).await;
    let history = super::place::Place::local(&bench.folder.path().join("history")).unwrap();
    let mut tables = delta::Tables::open(&history).await.unwrap();
    let sealed = historian.inner.store.seal().unwrap();
    tables.commit(&sealed, &historian.inner.directory).await.unwrap();
    kill(historian).await;

    let (historian, recovered) = bench.open().await;
    assert_eq!((recovered.log_points, recovered.log_events), (0, 0));
    assert_eq!(recovered.kept["state"], b"warm");
    assert_eq!(temps(&historian).await, before);
    assert_eq!(historian.latest(bench.temp()).unwrap().time, at(999));
    assert_eq!(historian.events(EventFilter::default()).await.unwrap().len(), 1);
    historian.append(bench.batch([1_000])).await.unwrap();
    historian.flush().await.unwrap();
    assert_eq!(temps(&historian).await.len(), 1_001);
}

/// Late and repeated points, in every mixture of files and buffer: the latest write wins.
#[tokio::test(flavor = "multi_thread")]
async fn the_latest_write_of_a_point_wins() {
    let bench = Bench::new();
    let (historian, _) = bench.open().await;
    let write = async |second: i64, value: f64| {
        historian.append(Batch { points: vec![good(bench.temp(), second, value)], ..Batch::default() }).await.unwrap();
    };
    let values = async |expected: &[f64]| {
        let found: Vec<f64> = temps(&historian).await.iter().map(|row| row[1].as_f64().unwrap()).collect();
        assert_eq!(found, expected);
    };
    write(10, 1.0).await;
    write(10, 2.0).await;
    write(20, 2.5).await;
    values(&[2.0, 2.5]).await;
    historian.flush().await.unwrap();
    // As new as the newest one in the files.
    write(20, 3.0).await;
    values(&[2.0, 3.0]).await;
    write(10, 4.0).await;
    write(5, 5.0).await;
    values(&[5.0, 4.0, 3.0]).await;
    historian.flush().await.unwrap();
    values(&[5.0, 4.0, 3.0]).await;
    write(10, 6.0).await;
    historian.flush().await.unwrap();
    values(&[5.0, 6.0, 3.0]).await;
    // A condition on the value must not bring an overwritten row back.
    assert!(rows(&historian, "SELECT * FROM samples WHERE value IN (1, 2, 4)").await.is_empty());
    // Another quality is another point; the newest write counts as the newest value.
    let bad = point(bench.temp(), 20, Value::Null, Quality::Bad);
    historian.append(Batch { points: vec![bad], ..Batch::default() }).await.unwrap();
    assert_eq!(temps(&historian).await.len(), 4);
    assert_eq!(historian.latest(bench.temp()).unwrap().quality, Quality::Bad);
    historian.close().await.unwrap();
    let (historian, _) = bench.open().await;
    assert_eq!(temps(&historian).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_changes_nothing() {
    let (quiet, restless) = (Bench::new(), Bench::new());
    let (steady, _) = quiet.open().await;
    let (mut other, _) = restless.open().await;
    for step in 0..20_i64 {
        let mut batch = quiet.batch([step * 1_000, step * 1_000 + 1, (step - 3) * 1_000]);
        batch.events = vec![event(step, "overheat")];
        batch.keep = vec![(format!("key{}", step % 3), vec![u8::try_from(step).unwrap()])];
        steady.append(batch.clone()).await.unwrap();
        other.append(batch).await.unwrap();
        if step % 4 == 1 {
            other.flush().await.unwrap();
        }
        if step % 3 == 2 {
            kill(other).await;
            other = restless.open().await.0;
        }
    }
    assert_eq!(temps(&other).await, temps(&steady).await);
    assert_eq!(other.inner.store.kept(), steady.inner.store.kept());
    let events = async |historian: &Historian| historian.events(EventFilter::default()).await.unwrap();
    assert_eq!(events(&other).await, events(&steady).await);
    assert_eq!(other.latest(quiet.temp()), steady.latest(quiet.temp()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_writer() {
    let bench = Bench::new();
    let (historian, _) = bench.open().await;
    let second = Historian::open(HistorianOptions::new(bench.folder.path()), bench.catalog.clone()).await;
    assert!(matches!(second, Err(QueryError::Locked(_))));
    historian.close().await.unwrap();
    bench.open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_buffer_becomes_files_by_itself() {
    let bench = Bench::new();
    // A flush at 1,024 points, and waiting at four times as many.
    let options = HistorianOptions { memory: 1 << 20, ..HistorianOptions::new(bench.folder.path()) };
    let (historian, _) = Historian::open(options, bench.catalog.clone()).await.unwrap();
    let mut receipts = Vec::new();
    for step in 0..100 {
        receipts.push(historian.enqueue(bench.batch(step * 100..(step + 1) * 100)).await);
    }
    for receipt in receipts {
        receipt.await.unwrap();
    }
    assert!(historian.stats().flushes > 0);
    assert!(historian.stats().buffered_points <= 4_200);
    assert_eq!(rows(&historian, "SELECT count(*) FROM samples").await[0][0], 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_forgets_what_is_in_files() {
    let bench = Bench::new();
    let (historian, _) = bench.open().await;
    historian.append(bench.batch(0..1_000)).await.unwrap();
    historian.flush().await.unwrap();
    // What came since the checkpoint before the newest one stays, should the newest one be damaged.
    historian.append(bench.batch(1_000..1_001)).await.unwrap();
    historian.flush().await.unwrap();
    historian.append(bench.batch(1_001..1_002)).await.unwrap();
    let segments = log::segments(&bench.folder.path().join("log")).unwrap();
    let bytes: u64 = segments.iter().map(|(_, path)| path.metadata().unwrap().len()).sum();
    assert!(bytes < 300, "{bytes} bytes in {} segments", segments.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_opens_only_the_files_it_needs() {
    let bench = Bench::new();
    let (historian, _) = bench.open().await;
    historian.append(bench.batch((0..600_000).step_by(600))).await.unwrap();
    historian.flush().await.unwrap();
    assert_eq!(historian.stats().files, 7);
    let plan = async |condition: &str| {
        let rows = rows(&historian, &format!("EXPLAIN SELECT value FROM samples WHERE {condition}")).await;
        rows.iter().map(|row| row[1].as_str().unwrap().to_owned()).collect::<String>()
    };
    let files = |plan: &str| plan.matches(".parquet").count();
    let hour = plan(
        "asset = 'Line 1/Press A' AND property = 'temp' AND time > '2026-01-03T10:00:00Z' AND time <= '2026-01-03T11:00:00Z'",
    )
    .await;
    assert_eq!(files(&hour), 1, "{hour}");
    // The reader itself knows the series and the time, so it can leave out row groups and pages.
    assert!(hour.contains("series_min") && hour.contains("time_max"), "{hour}");
    let all = plan("property = 'temp'").await;
    assert!(all.contains("7 groups"), "{all}");
    assert_eq!(files(&plan("property = 'good'").await), 0);
}

/// A full disk, or a folder that is away for a while: nothing is acknowledged meanwhile, everything after it is.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_on_when_its_folder_is_back() {
    let bench = Bench::new();
    let (historian, _) = bench.open().await;
    let (log, away) = (bench.folder.path().join("log"), bench.folder.path().join("away"));
    std::fs::rename(&log, &away).unwrap();
    assert!(matches!(historian.append(bench.batch([1])).await, Err(QueryError::LogFailed(_))));
    assert!(matches!(historian.append(bench.batch([2])).await, Err(QueryError::LogFailed(_))), "refused at the door");
    std::fs::rename(&away, &log).unwrap();
    let mut health = historian.watch_storage().unwrap();
    tokio::time::timeout(Duration::from_secs(30), health.wait_for(|health| health.log.is_none())).await.unwrap().unwrap();
    historian.append(bench.batch([3])).await.unwrap();
    let seen = temps(&historian).await;
    kill(historian).await;
    let (historian, recovered) = bench.open().await;
    assert_eq!((recovered.log_points, temps(&historian).await), (2, seen), "what was seen is there, what was refused is not");
}

/// A writer at work and a reader that comes in between: the reader sees all that was acknowledged before it came.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_what_was_acknowledged_while_the_buffer_becomes_files() {
    let bench = Bench::new();
    let (historian, _) = bench.open().await;
    let acknowledged = Arc::new(AtomicU64::new(0));
    let batches: Vec<Batch> = (0..20).map(|step| bench.batch(step * 100..(step + 1) * 100)).collect();
    let writer = tokio::spawn({
        let (historian, acknowledged) = (historian.clone(), acknowledged.clone());
        async move {
            for batch in batches {
                historian.append(batch).await.unwrap();
                acknowledged.fetch_add(100, Ordering::SeqCst);
                historian.flush().await.unwrap();
            }
        }
    });
    while !writer.is_finished() {
        let acknowledged = acknowledged.load(Ordering::SeqCst);
        let reader = Historian::open_read_only(bench.folder.path()).await.unwrap();
        let found = rows(&reader, "SELECT count(*) FROM samples").await[0][0].as_u64().unwrap();
        assert!(found >= acknowledged && found % 100 == 0, "{found} of {acknowledged}");
    }
    writer.await.unwrap();
    assert_eq!(rows(&historian, "SELECT count(*) FROM samples").await[0][0], 2_000);
}

/// Golden case G4 of the OEE rules, in a shift of plant time, half of it in files and half in the buffer.
#[tokio::test(flavor = "multi_thread")]
async fn golden_4_through_files_buffer_and_plan() {
    const HOUR: i64 = 3_600;
    let bench = Bench::new();
    let (historian, _) = bench.open().await;
    // Monday 6:00 in Berlin, in winter.
    let start = 4 * 24 * HOUR + 5 * HOUR;
    let of = |property: &str| series(&bench.catalog, "Line 1/Press A", property);
    let samples = [
        (0, true, 1200, 10),
        (HOUR, true, 1300, 11),
        (2 * HOUR, false, 1400, 11),
        (3 * HOUR, true, 1400, 11),
        (3 * HOUR + HOUR / 2, true, 1440, 14),
    ];
    for (time, running, all, bad) in samples {
        let time = start + time;
        let counters = [good(of("good"), time, Value::Integer(all - bad)), good(of("bad"), time, Value::Integer(bad))];
        let points = [good(of("running"), time, running)].into_iter().chain(counters).collect();
        historian.append(Batch { points, ..Batch::default() }).await.unwrap();
        if all == 1300 {
            historian.flush().await.unwrap();
        }
    }
    let lost = point(of("running"), start + 4 * HOUR, Value::Null, Quality::Bad);
    historian.append(Batch { points: vec![lost], ..Batch::default() }).await.unwrap();

    let plant = &bench.catalog.plant;
    let press = plant.asset_at("Line 1/Press A").unwrap();
    let windows = WindowSpec::Shift.windows(at(start), at(start + 8 * HOUR), &plant.calendar);
    assert_eq!(windows, [Window { start: at(start), end: at(start + 8 * HOUR) }]);
    let computed = historian
        .compute(&Extent {
            model: plant.assets[press.0].model,
            spec: &WindowSpec::Shift,
            windows: &windows,
            assets: Assets::ALL,
        })
        .await
        .unwrap();
    let expected = [
        ("availability_shift", 0.375),
        ("performance_shift", 0.666_666_666_666_666_6),
        ("quality_rate_shift", 0.983_333_333_333_333_3),
        ("oee_shift", 0.245_833_333_333_333_32),
    ];
    for (key, expected) in expected {
        let found = computed.iter().find(|point| point.series == of(key)).unwrap_or_else(|| panic!("{key} in {computed:?}"));
        assert_eq!(found.tqv.time, windows[0].end);
        assert!((found.tqv.value.as_f64().unwrap() - expected).abs() < 1e-12, "{key}: {}", found.tqv.value);
    }
    let result = historian.oee(press, windows[0]).await.unwrap().unwrap();
    assert_eq!((result.coverage, result.stops.len()), (0.5, 1));

    // What is stored of windows is a table.
    historian.append(Batch { points: computed, ..Batch::default() }).await.unwrap();
    let hours = WindowSpec::Tumbling { every: Duration::from_secs(3_600), offset: Duration::ZERO };
    let ended = hours.windows(at(start), at(start + 8 * HOUR), &plant.calendar);
    let computed = historian
        .compute(&Extent { model: plant.assets[press.0].model, spec: &hours, windows: &ended, assets: Assets::ALL })
        .await
        .unwrap();
    historian.append(Batch { points: computed, ..Batch::default() }).await.unwrap();
    let shift = "SELECT asset, availability, oee, running_s, coverage, no_value_reason FROM oee WHERE \"window\" = 'shift' AND asset = 'Line 1/Press A'";
    let shown = serde_json::json!([["Line 1/Press A", 0.375, 0.245_833_333_333_333_32, 10_800.0, 0.5, ""]]);
    assert_eq!(serde_json::json!(rows(&historian, shift).await), shown);
    let by_hour = "SELECT time, \"start\" FROM oee WHERE \"window\" = '1h' AND asset = 'Line 1/Press A' ORDER BY time";
    assert_eq!(rows(&historian, by_hour).await.len(), 8);
    let stood = "SELECT asset, seconds, reason, \"class\", planned, micro, continued FROM stops ORDER BY \"start\"";
    let shown = serde_json::json!([["Line 1/Press A", 3_600.0, "", "availability", false, false, false]]);
    assert_eq!(serde_json::json!(rows(&historian, stood).await), shown);
}

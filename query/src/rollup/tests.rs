//! Roll-ups against a plain oracle that counts every window from all points, at every moment.

use super::Resolution;
use crate::{
    Batch, Historian, HistorianOptions,
    historian::tests::kill,
    table::columns::quality_code,
    testing::{PLANT, at, catalog, rows, series},
    trend::Grid,
};
use andon_models::{Point, Quality, SeriesId, StatusCode, Timestamp, Tqv, Value, catalog::Catalog, window::Window};
use serde_json::Value as Json;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> i64 {
        i64::try_from(self.next() % limit).unwrap()
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

type Key = (u32, i64, i8);
/// An instant and its number.
type Number = (i64, Option<f64>);

struct World {
    folder: tempfile::TempDir,
    catalog: Arc<Catalog>,
    historian: Option<Historian>,
    points: BTreeMap<Key, Value>,
    now: i64,
    random: Random,
}

const SECOND: i64 = 1_000_000_000;

impl World {
    async fn new(seed: u64) -> Self {
        let (folder, catalog) = (tempfile::tempdir().unwrap(), catalog(PLANT));
        let now = at(86_400 - 7_200).as_nanos();
        let mut world = Self { folder, catalog, historian: None, points: BTreeMap::new(), now, random: Random(seed) };
        world.open().await;
        world
    }

    async fn open(&mut self) {
        let mut options = HistorianOptions::new(self.folder.path());
        options.commit_delay = Duration::ZERO;
        self.historian = Some(Historian::open(options, self.catalog.clone()).await.unwrap().0);
    }

    fn historian(&self) -> &Historian {
        self.historian.as_ref().unwrap()
    }

    fn value(&mut self, property: &str) -> Value {
        match property {
            "recipe" => "P500".into(),
            "running" => (self.random.below(2) == 1).into(),
            "state" => Value::Integer(self.random.below(9) - 4),
            _ => Value::Double(1e6 + self.random.below(100_000) as f64 / 100.0),
        }
    }

    /// An instant: mostly new, some late, some of them exactly at borders, some known already.
    fn instant(&mut self) -> i64 {
        let near = self.random.below(100);
        let time = if near < 75 {
            self.now += self.random.one(&[SECOND, 7 * SECOND, 61 * SECOND, 400_000_123]);
            self.now
        } else {
            self.now - self.random.below(10 * 3_600) * SECOND
        };
        let grid = self.random.one(&[1, 1, SECOND, 60 * SECOND, 900 * SECOND, 3_600 * SECOND, 86_400 * SECOND]);
        time.div_euclid(grid) * grid + self.random.one(&[0, 0, 0, 1, -1])
    }

    async fn append(&mut self) {
        let mut points = Vec::new();
        for _ in 0..self.random.below(40) {
            let asset = self.random.one(&["Line 1/Press A", "Line 1/Press B"]);
            let property = self.random.one(&["temp", "temp", "temp", "temp", "state", "running", "recipe"]);
            let mut key =
                (series(&self.catalog, asset, property).0, self.instant(), self.random.one(&[0_i8, 0, 0, 0, 0, 1, 2]));
            let again =
                self.points.keys().nth(usize::try_from(self.random.below(1 + self.points.len() as u64)).unwrap()).copied();
            let own = again.filter(|again| again.0 == key.0 && self.random.below(4) == 0);
            key = own.unwrap_or(key);
            let value = if key.2 == 2 && self.random.below(2) == 0 { Value::Null } else { self.value(property) };
            self.points.insert(key, value.clone());
            let quality = [Quality::Good, Quality::Uncertain, Quality::Bad][usize::try_from(key.2).unwrap()];
            let tqv = Tqv { time: Timestamp::from_nanos(key.1), quality, status: StatusCode::GOOD, value };
            points.push(Point { series: SeriesId(key.0), tqv });
        }
        self.historian().append(Batch { points, ..Batch::default() }).await.unwrap();
    }

    /// All windows, counted from all points.
    fn windows(&self, resolution: Resolution) -> Vec<Vec<Json>> {
        let mut windows: BTreeMap<Key, Vec<Number>> = BTreeMap::new();
        for ((series, time, quality), value) in &self.points {
            let key = (*series, resolution.end_of(*time), *quality);
            windows.entry(key).or_default().push((*time, value.as_f64()));
        }
        windows.into_iter().map(|(key, rows)| expected(key, &rows)).collect()
    }

    /// The corners of a trend's stretches are those of its points.
    async fn check_trend(&self, moment: &str) {
        let series = ["temp", "state", "running"].map(|property| series(&self.catalog, "Line 1/Press A", property));
        let now = Timestamp::from_nanos(self.now);
        // One at each moment, as time passes all of them.
        let (hours, stretches, ago) = [(9, 90, 1), (11, 20, 61), (30, 5, 0), (1, 20, 3_601)][self.points.len() % 4];
        let end = now - Duration::from_secs(ago);
        let window = Window { start: end - Duration::from_secs(hours * 3_600), end };
        let grid = Grid::of(window, stretches * 4).unwrap();
        let drawn = self.historian().trend(&series, window, stretches * 4).await.unwrap();
        for (id, drawn) in series.iter().zip(&drawn) {
            assert!(drawn.is_sorted_by_key(|tqv| tqv.time));
            let stored = self.points.range((id.0, i64::MIN, 0)..(id.0 + 1, i64::MIN, 0));
            let stored = stored.filter(|((_, time, _), _)| window.contains(Timestamp::from_nanos(*time)));
            let expected = corners(&grid, stored.map(|((_, time, quality), value)| (*time, *quality, value.as_f64())));
            let found = drawn.iter().map(|tqv| (tqv.time.as_nanos(), quality_code(tqv.quality), tqv.value.as_f64()));
            assert_eq!(corners(&grid, found), expected, "{moment}: series {} of {window:?} in {stretches}", id.0);
        }
    }

    async fn check(&self, moment: &str) {
        self.check_trend(moment).await;
        for resolution in Resolution::ALL {
            let sql = format!(
                "SELECT series, time, quality, count, numbers, sum, min, max, stdev, first, last, first_time, last_time FROM rollup \
                 WHERE resolution = '{}' ORDER BY series, time, CASE quality WHEN 'good' THEN 0 WHEN 'uncertain' THEN 1 ELSE 2 END",
                resolution.name()
            );
            let (found, expected) = (rows(self.historian(), &sql).await, self.windows(resolution));
            assert_eq!(found.len(), expected.len(), "{moment}: {} windows", resolution.name());
            for (found, expected) in found.iter().zip(&expected) {
                assert!(same(found, expected), "{moment}, {}:\n{found:?}\n{expected:?}", resolution.name());
            }
        }
    }
}

/// What a chart shows of a stretch: the instants of its first and last point with their values, its extremes, its first point that
/// is not good.
type Corners = ((i64, Option<f64>), (i64, Option<f64>), Option<(f64, f64)>, Option<(i64, i8)>);

fn corners(grid: &Grid, points: impl Iterator<Item = (i64, i8, Option<f64>)>) -> BTreeMap<i64, Corners> {
    let mut found: BTreeMap<i64, Corners> = BTreeMap::new();
    for (time, quality, value) in points {
        let good = value.filter(|_| quality == 0);
        let bad = (quality != 0).then_some((time, quality));
        let stretch = grid.stretch(Timestamp::from_nanos(time));
        let known = found.entry(stretch).or_insert(((time, value), (time, value), good.map(|good| (good, good)), bad));
        if known.1.0 <= time {
            known.1 = (time, value);
        }
        if let Some(good) = good {
            let (low, high) = known.2.get_or_insert((good, good));
            (*low, *high) = (low.min(good), high.max(good));
        }
        known.3 = known.3.or(bad);
    }
    found
}

fn expected((series, end, quality): Key, rows: &[Number]) -> Vec<Json> {
    let numbers: Vec<f64> = rows.iter().filter_map(|(_, value)| *value).collect();
    let sum: f64 = numbers.iter().sum();
    let mean = sum / numbers.len() as f64;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    let some = |value: f64| if numbers.is_empty() { Json::Null } else { value.into() };
    let deviation = if numbers.len() > 1 { (squares / (numbers.len() - 1) as f64).sqrt().into() } else { Json::Null };
    let (first, last) = (rows[0], rows[rows.len() - 1]);
    let time = |nanos: i64| Json::from(Timestamp::from_nanos(nanos).to_string());
    vec![
        series.into(),
        Timestamp::from_micros(end).to_string().into(),
        ["good", "uncertain", "bad"][usize::try_from(quality).unwrap()].into(),
        rows.len().into(),
        numbers.len().into(),
        some(sum),
        some(numbers.iter().copied().fold(f64::INFINITY, f64::min)),
        some(numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        deviation,
        first.1.into(),
        last.1.into(),
        time(first.0),
        time(last.0),
    ]
}

/// Equal, numbers to the last digits of a sum.
fn same(found: &[Json], expected: &[Json]) -> bool {
    found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| match (found.as_f64(), expected.as_f64()) {
            (Some(found), Some(expected)) => (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
            _ => found == expected,
        })
}

/// Appends, corrections, late rows, flushes, stops and crashes: at every moment every window is what its points say.
#[tokio::test(flavor = "multi_thread")]
async fn every_window_is_what_its_points_say() {
    for seed in [1, 2] {
        let mut world = World::new(seed).await;
        for step in 0..40 {
            let moment = format!("seed {seed}, step {step}");
            match world.random.below(10) {
                0..=5 => world.append().await,
                6 | 7 => world.historian().flush().await.unwrap(),
                8 => {
                    world.historian.take().unwrap().close().await.unwrap();
                    world.open().await;
                }
                _ => {
                    kill(world.historian.take().unwrap()).await;
                    world.open().await;
                }
            }
            if step % 8 == 7 {
                world.check(&moment).await;
            }
        }
        world.historian().flush().await.unwrap();
        world.check(&format!("seed {seed}, end")).await;
    }
}

/// Questions that roll-ups can answer get the same answers from them as from the samples.
#[tokio::test(flavor = "multi_thread")]
async fn answers_from_rollups_are_those_of_the_samples() {
    let mut world = World::new(7).await;
    for step in 0..40 {
        world.append().await;
        if step % 9 == 3 {
            world.historian().flush().await.unwrap();
        }
    }
    let from = world.now - 30 * 3_600 * SECOND;
    let at = |nanos: i64| Timestamp::from_nanos(nanos).to_string();
    let hour = |nanos: i64| at(nanos.div_euclid(3_600 * SECOND) * 3_600 * SECOND);
    let all = "avg(value), min(value), max(value), sum(value), count(*), count(value)";
    let conditions = [
        "quality = 'good'".to_owned(),
        format!("time > '{}' AND time <= '{}'", hour(from), hour(world.now)),
        format!("time >= '{}' AND time < '{}' AND property = 'temp'", hour(from), hour(world.now)),
        format!("time >= '{}' AND time < '{}'", at(from), at(world.now - 12_345)),
        format!("time BETWEEN '{}' AND '{}' AND asset LIKE '%A'", at(from + 1), hour(world.now)),
    ];
    let spans = [
        "date_bin(INTERVAL '1 hour', time)",
        "date_bin(INTERVAL '5 minutes', time)",
        "date_bin(INTERVAL '45 minutes', time, TIMESTAMP '2026-01-01T00:07:00')",
        "time_bucket('15m', time)",
        "window_end('15m', time)",
        "date_trunc('day', time)",
        "date_trunc('month', time)",
        "asset",
    ];
    for condition in &conditions {
        for span in spans {
            let question = |samples: &str| {
                format!(
                    "SELECT property, {span}, quality, {all} FROM {samples} WHERE {condition} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
                )
            };
            compare(world.historian(), &question("samples"), &question("(SELECT * FROM samples LIMIT 1000000)")).await;
        }
        let question = |samples: &str| format!("SELECT {all} FROM {samples} WHERE {condition}");
        compare(world.historian(), &question("samples"), &question("(SELECT * FROM samples LIMIT 1000000)")).await;
    }
    // What could tell pieces from samples is left alone.
    for question in [
        "SELECT avg(value) FROM samples WHERE value > 3",
        "SELECT avg(value) FROM samples WHERE extract(minute FROM time) = 3",
        "SELECT date_bin(INTERVAL '90 seconds', time), avg(value) FROM samples GROUP BY 1",
        "SELECT date_bin(INTERVAL '1 hour', time, TIMESTAMP '2026-01-01T00:00:30'), avg(value) FROM samples GROUP BY 1",
        "SELECT time, avg(value) FROM samples GROUP BY 1",
        "SELECT time_bucket('1 month', time), avg(value) FROM samples GROUP BY 1",
        "SELECT time_bucket('1d', time, 'Europe/Berlin'), avg(value) FROM samples GROUP BY 1",
        "SELECT avg(value) FILTER (WHERE quality = 'good') FROM samples",
        "SELECT count(DISTINCT value) FROM samples",
        "SELECT sum(integer) FROM samples",
        "SELECT stddev(value) FROM samples",
        "SELECT avg(value + 1) FROM samples",
        "SELECT max(time) FROM samples",
        "SELECT avg(value) FROM samples WHERE time > TIMESTAMP '2026-01-01' AND time < TIMESTAMP '2026-01-01T00:10:00'",
    ] {
        assert!(!plan(world.historian(), question).await.contains("TotalsExec"), "{question}");
    }
}

async fn plan(historian: &Historian, question: &str) -> String {
    let plan = rows(historian, &format!("EXPLAIN {question}")).await;
    plan.iter().map(|row| row[1].as_str().unwrap().to_owned()).collect()
}

async fn compare(historian: &Historian, question: &str, plain: &str) {
    let used = plan(historian, question).await;
    assert!(used.contains("TotalsExec"), "{question}\n{used}");
    assert!(!plan(historian, plain).await.contains("TotalsExec"), "{plain}");
    let (found, expected) = (rows(historian, question).await, rows(historian, plain).await);
    assert!(!expected.is_empty(), "{plain}");
    assert_eq!(found.len(), expected.len(), "{question}\n{found:?}\n{expected:?}");
    for (found, expected) in found.iter().zip(&expected) {
        assert!(same(found, expected), "{question}\n{found:?}\n{expected:?}");
    }
}

impl World {
    /// Waits until the roll-ups of an older history are made.
    async fn filled(&self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
        while !self.historian().inner.rollups().unwrap().lock().await.complete {
            assert!(tokio::time::Instant::now() < deadline, "the roll-ups are not made");
            tokio::task::yield_now().await;
        }
    }

    fn folders(&self) -> Vec<std::path::PathBuf> {
        let folder = |resolution: Resolution| self.folder.path().join("history").join(format!("rollup_{}", resolution.name()));
        Resolution::ALL.map(folder).to_vec()
    }
}

/// A history from before there were roll-ups is answered from its points at once, and from roll-ups when they are made.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_history_gets_its_rollups() {
    let mut world = World::new(11).await;
    for _ in 0..12 {
        world.append().await;
    }
    world.historian().flush().await.unwrap();
    world.append().await;
    world.historian().flush().await.unwrap();
    world.historian.take().unwrap().close().await.unwrap();
    for folder in world.folders() {
        std::fs::remove_dir_all(folder).unwrap();
    }
    world.open().await;
    world.check("at once").await;
    // Also of what is written meanwhile.
    world.append().await;
    world.historian().flush().await.unwrap();
    world.check("while they are made").await;
    world.filled().await;
    world.check("when they are made").await;
    world.append().await;
    world.historian().flush().await.unwrap();
    world.check("after the next flush").await;
    kill(world.historian.take().unwrap()).await;
    world.open().await;
    assert!(world.historian().inner.rollups().unwrap().lock().await.complete);
    world.check("after a crash").await;
}

/// Points that a crash left without roll-ups are counted, before and after the next flush.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_points_and_rollups_leaves_no_gap() {
    let mut world = World::new(12).await;
    world.append().await;
    world.historian().flush().await.unwrap();
    for folder in world.folders() {
        // The tables stay as they were, as if the process had been killed before it came to them.
        let (kept, away) = (folder.clone(), folder.with_extension("kept"));
        copy(&kept, &away);
    }
    world.append().await;
    world.append().await;
    world.historian().flush().await.unwrap();
    world.historian.take().unwrap().close().await.unwrap();
    for folder in world.folders() {
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::rename(folder.with_extension("kept"), &folder).unwrap();
    }
    world.open().await;
    world.check("after the crash").await;
    world.append().await;
    world.check("with a buffer").await;
    world.historian().flush().await.unwrap();
    world.check("after the next flush").await;
    world.historian.take().unwrap().close().await.unwrap();
    world.open().await;
    assert_eq!(world.historian().inner.rollups().unwrap().lock().await.gap.len(), 0);
    world.check("after a restart").await;
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &to) } else { _ = std::fs::copy(entry.path(), to).unwrap() }
    }
}

/// Many small flushes become few files that say the same.
#[tokio::test(flavor = "multi_thread")]
async fn small_files_of_rollups_are_merged() {
    let mut world = World::new(13).await;
    let mut most = 0;
    for _ in 0..30 {
        world.append().await;
        world.historian().flush().await.unwrap();
        most = most.max(world.historian().inner.rollups().unwrap().lock().await.files().of(Resolution::Day).len());
    }
    let files = world.historian().inner.rollups().unwrap().lock().await.files().of(Resolution::Day).len();
    assert!(files < 12 && most <= 24, "{files} files, {most} at the most");
    world.check("after merges").await;
}

/// New rows cost nothing that is there already: the files of older points are away, and their roll-ups too.
#[tokio::test(flavor = "multi_thread")]
async fn a_flush_of_new_rows_reads_nothing_older() {
    let mut world = World::new(14).await;
    let temp = series(&world.catalog, "Line 1/Press A", "temp");
    let batch = |seconds: std::ops::Range<i64>| {
        let points = seconds.map(|second| crate::testing::good(temp, second, second as f64)).collect();
        Batch { points, ..Batch::default() }
    };
    world.historian().append(batch(0..1_000)).await.unwrap();
    world.historian().flush().await.unwrap();
    let history = world.folder.path().join("history");
    let tables: Vec<_> = world.folders().into_iter().chain([history.join("samples")]).collect();
    let hidden: Vec<_> =
        tables.iter().flat_map(|table| parquet_files(table)).map(|file| (file.with_extension("away"), file)).collect();
    assert!(hidden.len() >= 5);
    hidden.iter().for_each(|(away, file)| std::fs::rename(file, away).unwrap());
    world.historian().append(batch(1_000..2_000)).await.unwrap();
    world.historian().flush().await.unwrap();
    assert_eq!(world.historian().inner.rollups().unwrap().lock().await.gap.len(), 0);
    hidden.iter().for_each(|(away, file)| std::fs::rename(away, file).unwrap());
    (0..2_000).for_each(|second| drop(world.points.insert((temp.0, at(second).as_nanos(), 0), (second as f64).into())));
    world.check("with all files back").await;
}

fn parquet_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let days = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let days = days.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("day="));
    days.flat_map(|day| std::fs::read_dir(day).unwrap().map(|entry| entry.unwrap().path())).collect()
}

//! The historian against a plain model of it: random appends, duplicates, corrections, late data, flushes, merges, restarts and
//! crashes, and after each stretch every question must have the model's answer.

use super::Historian;
use crate::{
    Batch, HistorianOptions, Retention, SqlLimits,
    testing::{PLANT, at, catalog},
};
use andon_models::{Point, Quality, SeriesId, StatusCode, Timestamp, Tqv, Value, catalog::Catalog, window::Window};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_pcg::Pcg64;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Steps of one run; a step is an append, or now and then something larger.
const STEPS: usize = 1_000;
/// Seeds of the runs. A failure names its seed; `ANDON_SEED` runs one of your choice.
const SEEDS: [u64; 3] = [1, 20_261_121, 77];

/// What should be there: the value last written for each series, time and quality.
type Model = BTreeMap<(u32, i64, i8), (Value, StatusCode)>;

struct Run {
    seed: u64,
    random: Pcg64,
    folder: tempfile::TempDir,
    catalog: Arc<Catalog>,
    series: Vec<SeriesId>,
    model: Model,
    /// The clock of the plant: most samples are near it.
    second: i64,
    historian: Option<Historian>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_that_of_a_plain_model() {
    let chosen = std::env::var("ANDON_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in chosen.map_or_else(|| SEEDS.to_vec(), |seed| vec![seed]) {
        println!("seed {seed}");
        let mut run = Run::new(seed);
        run.reopen().await;
        for _ in 0..STEPS {
            run.step().await;
        }
        run.check().await;
    }
}

impl Run {
    fn new(seed: u64) -> Self {
        let catalog = catalog(PLANT);
        let series = catalog.series().iter().map(|entry| entry.id).collect();
        Self {
            seed,
            random: Pcg64::seed_from_u64(seed),
            folder: tempfile::tempdir().unwrap(),
            catalog,
            series,
            model: Model::new(),
            second: 3 * 86_400 - 1_800,
            historian: None,
        }
    }

    fn historian(&self) -> Historian {
        self.historian.clone().unwrap()
    }

    async fn reopen(&mut self) {
        drop(self.historian.take());
        let mut options = HistorianOptions::new(self.folder.path());
        options.commit_delay = Duration::ZERO;
        options.keep_removed = Duration::ZERO;
        let mut tries = 0;
        // The tasks of the one before may still hold the lock for a moment.
        let historian = loop {
            match Historian::open(options.clone(), self.catalog.clone()).await {
                Ok((historian, recovered)) => {
                    assert!(recovered.notices.is_empty(), "seed {}: {:?}", self.seed, recovered.notices);
                    break historian;
                }
                Err(crate::QueryError::Locked(_)) if tries < 1_000 => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(error) => panic!("seed {}: {error}", self.seed),
            }
        };
        self.historian = Some(historian);
    }

    async fn step(&mut self) {
        match self.random.random_range(0..1_000) {
            0..978 => self.append().await,
            978..986 => self.historian().flush().await.unwrap(),
            986..988 => self.historian().compact().await.unwrap(),
            988..990 => {
                self.historian.take().unwrap().close().await.unwrap();
                self.reopen().await;
            }
            990..994 => self.reopen().await,
            _ => self.check().await,
        }
    }

    async fn append(&mut self) {
        let count = self.random.random_range(1..30);
        let points: Vec<Point> = (0..count).map(|_| self.point()).collect();
        for Point { series, tqv } in &points {
            let key = (series.0, tqv.time.as_nanos(), crate::table::columns::quality_code(tqv.quality));
            self.model.insert(key, (tqv.value.clone(), tqv.status));
        }
        self.historian().append(Batch { points, ..Batch::default() }).await.unwrap();
    }

    fn point(&mut self) -> Point {
        let random = &mut self.random;
        let series = *self.series.choose(random).unwrap();
        let nanos = [0, 0, 0, 1, 999, 500_000_001][random.random_range(0..6)];
        let second = match random.random_range(0..100) {
            0..80 => {
                self.second += random.random_range(0..20);
                self.second
            }
            80..90 => self.second - random.random_range(0..600),
            90..96 => self.second - random.random_range(0..40 * 3_600),
            _ => self.second - random.random_range(0..12) * 86_400 - random.random_range(0..86_400),
        };
        let mut time = at(second) + Duration::from_nanos(nanos);
        let quality =
            [Quality::Good, Quality::Good, Quality::Good, Quality::Uncertain, Quality::Bad][random.random_range(0..5)];
        if random.random_bool(0.1) {
            // The same instant again: a duplicate, or a correction.
            let known = self.model.range((series.0, time.as_nanos(), 0)..).next().filter(|(key, _)| key.0 == series.0);
            time = known.map_or(time, |(key, _)| Timestamp::from_nanos(key.1));
        }
        let value = match random.random_range(0..5) {
            0 => Value::Null,
            1 => Value::Boolean(random.random()),
            2 => Value::Integer(random.random_range(-5..5)),
            3 => Value::String(["", "Leck", "ok"][random.random_range(0..3)].into()),
            _ => Value::Double(f64::from(random.random_range(0..100)) / 8.0),
        };
        let status = if quality == Quality::Good { StatusCode::GOOD } else { StatusCode::STALE };
        Point { series, tqv: Tqv { time, quality, status, value } }
    }

    async fn check(&mut self) {
        self.count().await;
        self.stretch().await;
        self.latest().await;
        self.trend().await;
    }

    async fn count(&mut self) {
        let counted = self.sql("SELECT count(*), count(double), sum(double), count(DISTINCT series) FROM samples").await;
        let doubles: Vec<f64> = self.model.values().filter_map(|(value, _)| double(value)).collect();
        let series: std::collections::BTreeSet<u32> = self.model.keys().map(|key| key.0).collect();
        let expected = (self.model.len() as u64, doubles.len() as u64, series.len() as u64);
        let found = |column: usize| counted[0][column].as_u64().unwrap();
        assert_eq!((found(0), found(1), found(3)), expected, "seed {}", self.seed);
        let sum = counted[0][2].as_f64().unwrap_or(0.0);
        assert_eq!(sum, doubles.iter().sum::<f64>(), "eighths add up exactly; seed {}", self.seed);
    }

    /// Every row of a stretch of time, of one series or of all.
    async fn stretch(&mut self) {
        let middle =
            if self.random.random_bool(0.5) { self.second } else { self.second - self.random.random_range(0..12 * 86_400) };
        let span = *[60, 3_600, 86_400, 400 * 86_400].choose(&mut self.random).unwrap();
        let (from, to) = (at(middle - span), at(middle + span));
        let series = self.random.random_bool(0.6).then(|| *self.series.choose(&mut self.random).unwrap());
        let filter = series.map_or(String::new(), |series| format!("AND series = {}", series.0));
        let order = "ORDER BY series, time, CASE quality WHEN 'good' THEN 0 WHEN 'uncertain' THEN 1 ELSE 2 END";
        let rows = self
            .sql(&format!(
                "SELECT series, time, quality, double, integer, boolean, string, status FROM samples \
                 WHERE time > '{from}' AND time <= '{to}' {filter} {order}"
            ))
            .await;
        let expected: Vec<String> = (self.model.iter())
            .filter(|((number, time, _), _)| {
                series.is_none_or(|series| series.0 == *number) && (from.as_nanos() < *time && *time <= to.as_nanos())
            })
            .map(|((series, time, quality), (value, status))| {
                let quality = ["good", "uncertain", "bad"][usize::try_from(*quality).unwrap()];
                let of = |wanted: bool| if wanted { serde_json::to_value(value).unwrap() } else { serde_json::Value::Null };
                let cells = serde_json::json!([
                    series,
                    Timestamp::from_nanos(*time).to_string(),
                    quality,
                    of(matches!(value, Value::Double(_))),
                    of(matches!(value, Value::Integer(_))),
                    of(matches!(value, Value::Boolean(_))),
                    of(matches!(value, Value::String(_))),
                    status.0
                ]);
                cells.to_string()
            })
            .collect();
        let found: Vec<String> = rows.into_iter().map(|row| serde_json::Value::from(row).to_string()).collect();
        if found != expected {
            let extra: Vec<_> = found.iter().filter(|row| !expected.contains(row)).collect();
            let missing: Vec<_> = expected.iter().filter(|row| !found.contains(row)).collect();
            panic!("seed {}: from {from} to {to} {filter}\nextra {extra:#?}\nmissing {missing:#?}", self.seed);
        }
    }

    async fn latest(&mut self) {
        for series in &self.series {
            let newest = self.model.range((series.0, i64::MIN, 0)..=(series.0, i64::MAX, 2)).next_back();
            let found = self.historian().latest(*series);
            let time = |tqv: &Tqv| tqv.time.as_nanos();
            assert_eq!(found.as_ref().map(time), newest.map(|(key, _)| key.1), "seed {} {series:?}", self.seed);
            // Of several qualities of the newest instant any may be shown, but with the value it has.
            if let Some(tqv) = found {
                let key = (series.0, time(&tqv), crate::table::columns::quality_code(tqv.quality));
                assert_eq!(self.model.get(&key).map(|(value, _)| value), Some(&tqv.value), "seed {} {series:?}", self.seed);
            }
        }
    }

    /// A chart with room for every point shows every point.
    async fn trend(&mut self) {
        let series = *self.series.choose(&mut self.random).unwrap();
        let window = Window { start: at(self.second - 7_200), end: at(self.second) };
        let shown = self.historian().history(series, window, 100_000).await.unwrap();
        let keys = self.model.range((series.0, window.start.as_nanos() + 1, 0)..=(series.0, window.end.as_nanos(), 2));
        let expected: Vec<i64> = keys.map(|(key, _)| key.1).collect();
        assert_eq!(shown.iter().map(|tqv| tqv.time.as_nanos()).collect::<Vec<_>>(), expected, "seed {}", self.seed);
    }

    async fn sql(&self, statement: &str) -> Vec<Vec<serde_json::Value>> {
        let limits = SqlLimits { rows: 1_000_000, ..SqlLimits::default() };
        let answer = self.historian().sql(statement, limits).await;
        let answer = answer.unwrap_or_else(|error| panic!("seed {}: {statement}: {error}", self.seed));
        assert!(!answer.truncated);
        answer.rows
    }
}

fn double(value: &Value) -> Option<f64> {
    if let Value::Double(number) = value { Some(*number) } else { None }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_that_is_too_old_is_forgotten_by_whole_days() {
    let mut run = Run::new(5);
    let mut options = HistorianOptions::new(run.folder.path());
    options.keep_removed = Duration::ZERO;
    options.keep = Retention { samples: Some(Duration::from_secs(2 * 86_400)), events: None };
    let (historian, _) = Historian::open(options, run.catalog.clone()).await.unwrap();
    run.historian = Some(historian.clone());
    let series = run.series[0];
    let day = |day: i64| Point { series, tqv: Tqv::good(at(day * 86_400 + 60), Value::Integer(day)) };
    historian.append(Batch { points: (0..5).map(day).collect(), ..Batch::default() }).await.unwrap();
    historian.flush().await.unwrap();
    historian.retain(at(5 * 86_400)).await.unwrap();
    let days: Vec<_> =
        run.sql("SELECT integer FROM samples ORDER BY time").await.into_iter().map(|row| row[0].as_i64()).collect();
    assert_eq!(days, [Some(3), Some(4)]);
    assert_eq!(historian.latest(series).unwrap().value, Value::Integer(4));
    let on_disk = std::fs::read_dir(run.folder.path().join("history/samples")).unwrap();
    let files = on_disk.filter_map(|day| std::fs::read_dir(day.unwrap().path()).ok()).flatten();
    let parquet = files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|kind| kind == "parquet"));
    assert_eq!(parquet.count(), 2);
}

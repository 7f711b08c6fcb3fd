//! Parts against the whole, and ends.

use super::*;
use crate::service::testing::{at, plant};
use andon_models::{Point, Tqv};
use andon_query::{Batch, HistorianOptions};

/// Guards with timers and a transform; what a child says moves its parent's detector, too.
fn text(machines: usize) -> String {
    let assets: String = (0..machines).map(|number| format!("  Press {number}: {{ model: press }}\n")).collect();
    format!(
        "
plant: Test
models:
  press:
    measurements:
      temp: {{ unit: °C, stale: 20s }}
      speed: {{}}
    transforms:
      running: speed > 0
    detectors:
      hot:
        message: Too hot
        response: Look.
        initial: normal
        states:
          normal: {{ go: [ {{ when: temp > 80 and running, for: 3s, to: hot }} ] }}
          hot:
            enter: [raise]
            go: [ {{ when: temp < 78, to: normal, do: [clear] }}, {{ after: 7s, to: gone }} ]
          gone: {{ go: [ {{ after: 5s, to: normal }} ], exit: [clear] }}
assets:
{assets}"
    )
}

struct Site {
    _folder: tempfile::TempDir,
    historian: Historian,
    known: Vec<(AssetId, PropertyId, SeriesId)>,
    catalog: Arc<Catalog>,
}

async fn site(machines: usize) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let mut directory = SeriesDirectory::default();
    let catalog = Arc::new(Catalog::build(Arc::new(plant(&text(machines))), &mut directory));
    let (historian, _) = Historian::open(HistorianOptions::new(folder.path()), catalog.clone()).await.unwrap();
    let known = directory.entries().collect();
    Site { _folder: folder, historian, known, catalog }
}

impl Site {
    fn point(&self, machine: usize, property: &str, second: i64, value: f64) -> Point {
        let asset = self.catalog.plant.asset_at(&format!("Press {machine}")).unwrap();
        let series = self.catalog.series_named(asset, property).unwrap();
        Point { series, tqv: Tqv::good(at(second), value.into()) }
    }

    async fn played(&self, most: usize, window: Window) -> (Played, Vec<String>) {
        let job = Job {
            historian: &self.historian,
            known: &self.known,
            plant: alone(&self.catalog.plant, "press.hot").unwrap(),
            window,
            workers: 2,
            named: "press.hot",
            only: None,
            cancelled: Arc::default(),
        };
        let mut lines = Vec::new();
        let note: Note<String> = Arc::new(|happening| match happening {
            Happening::Event(event) => Some(serde_json::to_string(event).unwrap()),
            _ => None,
        });
        let hear = |heard: Heard<String>| {
            if let Heard::Note(line) = heard {
                lines.push(line);
            }
        };
        let played = play_in(most, job, Some(note), hear).await.unwrap();
        (played, lines)
    }
}

/// Numbers that look like chance, the same for each seed (xorshift64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Lines in the order of their time; those of one instant come in any order.
fn sorted(mut lines: Vec<String>) -> Vec<String> {
    let time =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["time"].as_str().unwrap().parse::<Timestamp>();
    assert!(lines.is_sorted_by_key(|line| time(line).unwrap()), "{lines:#?}");
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_tell_what_the_whole_tells() {
    for seed in 1..=8 {
        println!("seed {seed}");
        let (site, mut chance) = (site(5).await, Chance(0x9e37_79b9_7f4a_7c15 >> seed));
        let mut points: Vec<Point> = (0..5).map(|machine| site.point(machine, "speed", 1, 1.0)).collect();
        points.extend((0..200).map(|_| {
            let (machine, second) = (chance.below(5) as usize, chance.below(120) as i64);
            site.point(machine, "temp", second, 70.0 + chance.below(20) as f64)
        }));
        site.historian.append(Batch { points, ..Batch::default() }).await.unwrap();
        let window = Window { start: at(-1), end: at(200) };
        let (whole, told) = site.played(1, window).await;
        let told = sorted(told);
        assert!(whole.raised > 2 && whole.cleared > 2, "{whole:?}");
        for most in [2, 5] {
            let (parts, of_parts) = site.played(most, window).await;
            assert_eq!(sorted(of_parts), told, "{most} parts");
            assert_eq!(format!("{parts:?}"), format!("{whole:?}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_ends() {
    let site = site(3).await;
    site.historian.append(Batch { points: vec![site.point(0, "temp", 5, 90.0)], ..Batch::default() }).await.unwrap();
    let job = Job {
        historian: &site.historian,
        known: &site.known,
        plant: alone(&site.catalog.plant, "press.hot").unwrap(),
        window: Window { start: at(0), end: at(100) },
        workers: 1,
        named: "press.hot",
        only: None,
        cancelled: Arc::new(true.into()),
    };
    let error = play::<()>(job, None, |_| ()).await.unwrap_err();
    assert_eq!(error.to_string(), "it was cancelled");
}

#[test]
fn what_writes_or_stores_is_played_as_a_whole() {
    let quiet = plant(&text(1));
    assert!(are_independent(&quiet));
    let storing = text(1).replace("speed: {}", "speed: {}\n      seen: {}").replace("do: [clear]", "do: [clear, put seen = 1]");
    assert!(!are_independent(&plant(&storing)));
}

//! Late values and explained stops, through the core, the log, the files and the plans of a live plant: what is computed again is
//! what they reach, each change has its revision, and in the end all is as if nothing had been late.

use super::*;
use crate::service::testing::good;
use andon_models::{
    Point,
    event::{EventBody, Revision},
    oee::edits::{Statement, StopEdit},
    window::Window,
};
use andon_query::EventFilter;
use std::collections::BTreeSet;

const DAY: &str = "
plant: { name: Test, timezone: UTC }
shifts: { early: 'Mon-Sun 06:00-14:00', late: 'Mon-Sun 14:00-22:00', night: 'Mon-Sun 22:00-06:00' }
reasons:
  no order: { class: schedule_loss }
models:
  line:
    children: { machines: press }
    metrics: { 30m: { hottest: max(machines.temp_avg) } }
    oee: { of: machines, windows: [30m] }
  press:
    attributes: { ideal_rate: { default: 60, unit: 1/min } }
    measurements:
      state: { type: int }
      why: { type: string }
      temp: { unit: °C }
      good: { type: counter }
      bad: { type: counter }
    transforms: { running: state == 6 }
    metrics: { 30m: { temp_avg: avg(temp), run_time: statetime(running) } }
    oee: { running: running, good: good, bad: bad, ideal_rate: ideal_rate, reason: why, micro_stop: 1m, windows: [30m] }
assets:
  Line 1:
    model: line
    machines:
      Press A: { model: press }
      Press B: { model: press }
";

const HOUR: i64 = 3_600;
const HOURS: i64 = 24;
/// When nothing is missing any more.
const END: i64 = HOURS * HOUR;

/// Asset, property and time.
type Key = (String, String, String);

/// A plant whose values are handed over one by one, without waiting.
struct Stage {
    opened: Opened,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now: clock::Now = Arc::new(|| at(0));
        let mut opened =
            service::open(plant(DAY), Default::default(), HistorianOptions::new(folder.path()), at(0), &now).await.unwrap();
        let step = opened.core.start(at(0), &|_| None);
        opened.historian.append(step.batch).await.unwrap();
        Self { opened, _folder: folder }
    }

    fn series(&self, asset: &str, property: &str) -> andon_models::SeriesId {
        series(&self.opened.catalog, asset, property)
    }

    /// Takes values as the loop does when programs write them.
    async fn take(&mut self, points: &[Point], now: i64) {
        let step = self.opened.core.written(at(now), points.to_vec());
        self.store(step).await;
    }

    async fn store(&mut self, mut step: Step) {
        step.batch.keep.extend(self.opened.schedule.observe(&step.batch.points));
        self.opened.historian.append(step.batch).await.unwrap();
    }

    /// Computes what is due, and what that makes due once nothing more comes.
    async fn settle(&mut self, now: i64) {
        for second in 0..4 {
            compute(&mut self.opened, at(now + second)).await.unwrap();
        }
    }

    /// Takes points hour by hour, as time goes by.
    async fn live(&mut self, points: &[Point]) {
        for hour in 0..HOURS {
            let now: Vec<Point> = points.iter().filter(|point| hour_of(point) == hour).cloned().collect();
            self.take(&now, (hour + 1) * HOUR).await;
            self.settle((hour + 1) * HOUR + 3).await;
        }
    }

    /// Everything that has a value, by the words of SQL: numbers come with all their digits.
    async fn values(&self) -> BTreeMap<Key, String> {
        let sql = "SELECT asset, property, time, value, string FROM samples \
                   WHERE quality = 'good' AND (value IS NOT NULL OR string IS NOT NULL)";
        let limits = SqlLimits { rows: 100_000, ..SqlLimits::default() };
        let answer = self.opened.historian.sql(sql, limits).await.unwrap();
        assert!(!answer.truncated);
        let text = |cell: &serde_json::Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        let row = |row: &Vec<serde_json::Value>| {
            let value = if row[3].is_null() { &row[4] } else { &row[3] };
            ((text(&row[0]), text(&row[1]), text(&row[2])), text(value))
        };
        answer.rows.iter().map(row).collect()
    }

    /// The revisions by asset, oldest first.
    async fn revisions(&self) -> Vec<(String, Revision)> {
        let filter = EventFilter { kinds: vec!["revision".into()], limit: 100_000, ..EventFilter::default() };
        let events = self.opened.historian.events(filter).await.unwrap();
        let revision = |event: &andon_models::event::Event| match &event.body {
            EventBody::Revision(revision) => (event.asset_path.to_string(), revision.clone()),
            other => panic!("{other:?}"),
        };
        let mut revisions: Vec<_> = events.iter().map(revision).collect();
        revisions.sort_by(|(a, one), (b, other)| {
            (a, &one.spec, one.window, one.number).cmp(&(b, &other.spec, other.window, other.number))
        });
        revisions
    }
}

fn hour_of(point: &Point) -> i64 {
    // What lies on a border belongs to the window before.
    (point.tqv.time.as_nanos() - at(0).as_nanos() - 1).div_euclid(HOUR * 1_000_000_000)
}

/// What two machines send in a day.
fn day(stage: &Stage) -> Vec<Point> {
    let mut points = Vec::new();
    for (asset, stops_every) in [("Line 1/Press A", 7_i64), ("Line 1/Press B", 11)] {
        let of = |key: &str| stage.series(asset, key);
        let (mut made, mut runs) = (0, true);
        points.push(good(of("state"), 1, 6_i64));
        for minute in (3..HOURS * 60).step_by(3) {
            let second = minute * 60;
            if minute % stops_every == 0 {
                runs = !runs;
                points.push(good(of("state"), second, if runs { 6_i64 } else { 2 }));
                points.push(good(
                    of("why"),
                    second,
                    if runs { "" } else { ["jam", "no bottles", ""][minute as usize / 7 % 3] },
                ));
            }
            made += if runs { 120 } else { 0 };
            points.push(good(of("good"), second + 5, made - made / 50));
            points.push(good(of("bad"), second + 5, made / 50));
            points.push(good(of("temp"), second + 7, 60.1 + (minute % 17) as f64 / 3.0));
        }
    }
    points.sort_by_key(|point| point.tqv.time);
    points
}

/// A small generator of chances; the seed is printed by whoever uses it.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

fn is_figure(property: &str) -> bool {
    ["oee_", "availability_", "performance_", "quality_rate_", "temp_avg", "run_time", "hottest"]
        .iter()
        .any(|name| property.starts_with(name) && property != "oee_running")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_of_six_hours_that_is_filled_later_leaves_no_trace_but_revisions() {
    let mut expected = Stage::new().await;
    let points = day(&expected);
    expected.live(&points).await;
    assert_eq!(expected.revisions().await, [], "nothing was late");

    let mut stage = Stage::new().await;
    let (hole, rest): (Vec<Point>, Vec<Point>) = points.into_iter().partition(|point| (9..15).contains(&hour_of(point)));
    stage.live(&rest).await;
    let with_hole = stage.values().await;
    // It comes in three pieces, the last one first.
    for (piece, points) in (0..).zip(hole.chunks(hole.len() / 3 + 1).rev()) {
        stage.take(points, END + 60 + piece).await;
        stage.settle(END + 61 + piece).await;
    }
    stage.settle(END + 120).await;
    let filled = stage.values().await;
    assert_eq!(different(&filled, &expected.values().await), BTreeSet::new(), "as in order");

    // Each figure that is different from before has its story from the one value to the other, and no other has one.
    let mut told: BTreeMap<Key, Vec<(String, String)>> = BTreeMap::new();
    for (asset, revision) in stage.revisions().await {
        assert!(revision.cause.starts_with("late data of Line 1/Press "), "{}", revision.cause);
        assert!(revision.window.end > at(9 * HOUR), "{revision:?} lies before the hole");
        for change in revision.changes {
            let key = (asset.clone(), change.property.to_string(), revision.window.end.to_string());
            told.entry(key).or_default().push((change.before.to_string(), change.after.to_string()));
        }
    }
    let changed: BTreeSet<Key> = different(&with_hole, &filled);
    let changed: Vec<&Key> =
        changed.iter().filter(|(_, property, _)| is_figure(property) && !property.starts_with("oee_record")).collect();
    assert!(changed.len() > 200, "{}", changed.len());
    for key in changed {
        let story = told.get(key).unwrap_or_else(|| panic!("{key:?} has no revision"));
        let shown = |values: &BTreeMap<Key, String>| values.get(key).map_or("null".to_owned(), |value| number(value));
        assert_eq!(number(&story[0].0), shown(&with_hole), "{key:?}");
        assert_eq!(number(&story[story.len() - 1].1), shown(&filled), "{key:?}");
        assert!(story.windows(2).all(|pair| pair[0].1 == pair[1].0), "{key:?}: {story:?}");
    }
    println!("{} figures were revised", told.len());
}

/// `60` and `60.0` are one number.
fn number(text: &str) -> String {
    text.parse::<f64>().map_or_else(|_| text.to_owned(), |number| number.to_string())
}

fn different(one: &BTreeMap<Key, String>, other: &BTreeMap<Key, String>) -> BTreeSet<Key> {
    let keys = one.keys().chain(other.keys());
    keys.filter(|key| one.get(*key) != other.get(*key)).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explained_stop_changes_the_figures_it_lies_in_and_no_others() {
    let mut stage = Stage::new().await;
    let points = day(&stage);
    stage.live(&points).await;
    let before = stage.values().await;
    let press = stage.opened.catalog.plant.asset_at("Line 1/Press A").unwrap();
    let shift = Window { start: at(6 * HOUR), end: at(14 * HOUR) };
    let stops = stage.opened.historian.oee(press, shift).await.unwrap().unwrap().stops;
    let stop = stops.iter().find(|stop| stop.window.start > at(8 * HOUR) && &*stop.reason == "jam").unwrap().window;
    let middle = Timestamp::from_nanos((stop.start.as_nanos() + stop.end.as_nanos()) / 2).whole_second();
    let asset = stage.opened.catalog.plant.assets[press.0].id;
    let say = async |stage: &mut Stage, verb: &str, span: Window, reason: &str, comment: &str| {
        let statement = Statement { reason: reason.into(), comment: comment.into(), by: "anna".into(), at: at(END) };
        let edits = vec![StopEdit { span, statement }];
        let deed = OperatorDeed::EditStop { asset, verb: verb.into(), detail: format!("{reason} {comment}").into(), edits };
        let step = stage.opened.core.operator(at(END), &OperatorRequest { by: "anna".into(), deed });
        assert!(step.refusal.is_none());
        stage.store(step).await;
        stage.settle(END + 10).await;
    };
    // No order for the second half of it: less planned time, and the rest is a jam as before.
    say(&mut stage, "split_stop", Window { start: middle, end: stop.end }, "no order", "").await;
    let after = stage.values().await;
    let changed: BTreeSet<Key> =
        different(&before, &after).into_iter().filter(|(_, property, _)| property != "stop_edits").collect();
    assert!(!changed.is_empty());
    for (asset, property, time) in &changed {
        let end: Timestamp = time.parse().unwrap();
        let touched = match property.rsplit('_').next().unwrap() {
            "30m" => stop.start < end && end.since(stop.end) < Duration::from_secs(1_800),
            "1h" => stop.start < end && end.since(stop.end) < Duration::from_secs(3_600),
            "shift" => end == shift.end,
            other => panic!("{property} has nothing to do with it: {other}"),
        };
        assert!(touched && asset != "Line 1/Press B", "{asset} {property} {time}");
    }
    let in_shift = ("Line 1/Press A".to_owned(), "oee_shift".to_owned(), shift.end.to_string());
    assert!(changed.contains(&in_shift) && after[&in_shift] > before[&in_shift], "less was planned");
    let of_line = ("Line 1".to_owned(), "oee_shift".to_owned(), shift.end.to_string());
    assert!(changed.contains(&of_line), "{changed:?}");
    let revisions = stage.revisions().await;
    assert!(revisions.iter().all(|(_, revision)| &*revision.cause == "stops of Line 1/Press A were explained"));
    let told: BTreeSet<(&str, &str)> = revisions.iter().map(|(asset, revision)| (asset.as_str(), &*revision.spec)).collect();
    assert!(told.is_superset(&BTreeSet::from([("Line 1/Press A", "shift"), ("Line 1", "shift")])), "{told:?}");

    // A comment changes no figure, and is kept.
    say(&mut stage, "comment_stop", Window { start: stop.start, end: middle }, "jam", "star wheel").await;
    let commented = different(&after, &stage.values().await);
    assert!(commented.iter().all(|(_, property, _)| property == "stop_edits" || property == "oee_record_1h"), "{commented:?}");
    let stops = stage.opened.historian.oee(press, shift).await.unwrap().unwrap().stops;
    assert!(stops.iter().any(|stop| &*stop.comment == "star wheel" && &*stop.by == "anna"), "{stops:?}");
    say(&mut stage, "assign_reason", Window { start: stop.start, end: middle }, "no bottles", "star wheel").await;
    let deeds = column(&stage.opened.historian, "SELECT trigger FROM events WHERE kind = 'deed' ORDER BY trigger").await;
    assert_eq!(deeds, ["assign_reason", "comment_stop", "split_stop"]);
    assert_eq!(column(&stage.opened.historian, "SELECT actor FROM events WHERE kind = 'deed'").await, ["anna"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_computed_is_computed_again_from_raw_values_bit_by_bit() {
    let mut stage = Stage::new().await;
    let points = day(&stage);
    let (late, rest): (Vec<Point>, Vec<Point>) = points.into_iter().partition(|point| hour_of(point) % 5 == 2);
    stage.live(&rest).await;
    stage.take(&late, END + 60).await;
    stage.settle(END + 60).await;

    // Another plant is given what is no result of a computation, all of it at once.
    let mut again = Stage::new().await;
    let raw = rest.iter().chain(&late).cloned().collect::<Vec<_>>();
    again.take(&raw, END).await;
    again.settle(END + 3).await;
    assert_eq!(different(&stage.values().await, &again.values().await), BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenth_that_comes_late_in_any_order_changes_nothing_in_the_end() {
    let mut expected = Stage::new().await;
    let points = day(&expected);
    expected.take(&points, END).await;
    expected.settle(END + 3).await;
    let expected = expected.values().await;
    for seed in [1, 20_260_302] {
        println!("seed {seed}");
        let mut chance = Chance(seed);
        let (mut late, rest): (Vec<Point>, Vec<Point>) = points.iter().cloned().partition(|_| chance.below(10) == 0);
        let mut stage = Stage::new().await;
        stage.live(&rest).await;
        let mut second = END + 60;
        while !late.is_empty() {
            let count = 1 + chance.below(150);
            let batch: Vec<Point> = (0..count.min(late.len())).map(|_| late.swap_remove(chance.below(late.len()))).collect();
            stage.take(&batch, second).await;
            stage.settle(second).await;
            second += 10;
        }
        assert_eq!(different(&expected, &stage.values().await), BTreeSet::new(), "seed {seed}");
    }
}

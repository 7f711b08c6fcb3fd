//! Tests of the schedule. Times are seconds after a midnight.

use super::*;
use crate::{catalog::SeriesDirectory, plant_file};

const PLANT: &str = "
plant: { name: Test, timezone: UTC }
sources:
  plc: { modbus: 'tcp://127.0.0.1:502', unit: 1 }
models:
  line:
    children: { machines: press }
    metrics:
      5m: { hottest: max(machines.temp_avg) }
  press:
    measurements:
      temp: { unit: °C, from: holding/0 float32 @plc }
      level: { unit: mm, from: holding/2 float32 @plc }
    metrics:
      5m:
        temp_avg: avg(temp)
        temp_twice: temp_avg * 2
      1h: { level_max: max(level) }
assets:
  Line 1:
    model: line
    machines:
      Press A: { model: press, plc: plc }
";

/// So many seconds after midnight of 2 March 2026, a Monday, UTC.
pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(1_772_409_600 + second)
}

fn catalog(text: &str) -> Arc<Catalog> {
    let loaded = plant_file::load(&[("plant.yaml".into(), text.into())], &|_| None);
    let plant = loaded.plant.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()))
}

pub(super) fn series(catalog: &Catalog, asset: &str, property: &str) -> SeriesId {
    let asset = catalog.plant.asset_at(asset).unwrap();
    catalog.series_named(asset, property).unwrap_or_else(|| panic!("{property} of {asset:?}"))
}

fn good(series: SeriesId, second: i64, value: f64) -> Point {
    Point { series, tqv: Tqv::good(at(second), value.into()) }
}

/// A schedule and what was kept of it, as the historian would.
pub(super) struct Stage {
    pub(super) catalog: Arc<Catalog>,
    pub(super) schedule: Schedule,
    kept: HashMap<String, Vec<u8>>,
}

impl Stage {
    /// All windows are closed up to `from`.
    pub(super) fn new(from: i64) -> Self {
        let (catalog, kept) = (catalog(PLANT), HashMap::new());
        Self { schedule: Schedule::new(catalog.clone(), at(from), at(from), &kept), catalog, kept }
    }

    pub(super) fn keep(&mut self, documents: Documents) {
        for (key, document) in documents {
            if document.is_empty() {
                self.kept.remove(&key)
            } else {
                self.kept.insert(key, document)
            };
        }
    }

    pub(super) fn restart(&mut self, now: i64) {
        self.schedule = Schedule::new(self.catalog.clone(), at(now), at(now), &self.kept);
    }

    fn sample(&mut self, property: &str, second: i64) {
        let point = good(series(&self.catalog, "Line 1/Press A", property), second, 1.0);
        let documents = self.schedule.observe(&[point]);
        self.keep(documents);
    }

    /// Jobs as `model window end,end`.
    fn show(&self, jobs: &[Job]) -> String {
        let show = |job: &Job| {
            let ends: Vec<_> = job.windows.iter().map(|window| window.end.since(at(0)).as_secs().to_string()).collect();
            format!("{} {} {}", self.catalog.plant.models[job.model.0].name, job.spec.name(), ends.join(","))
        };
        jobs.iter().map(show).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn due(&mut self, now: i64) -> String {
        let jobs = self.schedule.due(at(now));
        self.show(&jobs)
    }

    /// Computes everything due, as the worker does: each figure of a model lies at the end of its window.
    fn compute(&mut self, now: i64) -> String {
        let jobs = self.schedule.due(at(now));
        for job in &jobs {
            let figures: Vec<&[(&str, &str)]> =
                vec![match (&*self.catalog.plant.models[job.model.0].name, &*job.spec.name()) {
                    ("press", "5m") => &[("Line 1/Press A", "temp_avg"), ("Line 1/Press A", "temp_twice")],
                    ("press", "1h") => &[("Line 1/Press A", "level_max")],
                    _ => &[("Line 1", "hottest")],
                }];
            let figures = figures.into_iter().flatten();
            let point = |(asset, name): &(&str, &str), window: &Window| Point {
                tqv: crate::Tqv::good(window.end, 1.0.into()),
                series: series(&self.catalog, asset, name),
            };
            let points: Vec<Point> =
                figures.flat_map(|figure| job.windows.iter().map(move |window| point(figure, window))).collect();
            let documents = self.schedule.computed(job, &points);
            self.keep(documents);
        }
        if !jobs.is_empty() {
            let documents = self.schedule.settled();
            self.keep(documents);
        }
        self.show(&jobs)
    }
}

#[test]
fn a_window_closes_after_its_grace_children_before_parents() {
    let mut stage = Stage::new(0);
    assert_eq!(stage.due(301), "");
    assert_eq!(stage.due(302), "press 5m 300; line 5m 300");
}

#[test]
fn nothing_is_due_while_the_last_answer_is_not_settled() {
    let mut stage = Stage::new(0);
    assert_ne!(stage.due(302), "");
    assert_eq!(stage.due(700), "");
    stage.schedule.settled();
    assert_eq!(stage.due(700), "press 5m 600; line 5m 600");
}

#[test]
fn figures_of_children_do_not_set_off_what_is_computed_after_them_anyway() {
    let mut stage = Stage::new(0);
    assert_eq!(stage.compute(302), "press 5m 300; line 5m 300");
    assert_eq!(stage.compute(303), "", "each figure is computed once");
    assert_eq!(
        stage.compute(3_602),
        "press 5m 600,900,1200,1500,1800,2100,2400,2700,3000,3300,3600; press 1h 3600; \
                                      line 5m 600,900,1200,1500,1800,2100,2400,2700,3000,3300,3600"
    );
    assert_eq!(stage.compute(3_603), "");
}

#[test]
fn a_late_sample_touches_its_windows_and_then_their_parents() {
    let mut stage = Stage::new(7_200);
    stage.sample("temp", 310);
    stage.sample("temp", 600);
    stage.sample("temp", 601);
    assert_eq!(stage.compute(7_201), "", "more of them may come");
    assert_eq!(stage.compute(7_202), "press 5m 600,900");
    assert_eq!(stage.compute(7_203), "line 5m 600,900");
    assert_eq!(stage.compute(7_204), "");
    stage.sample("level", 310);
    assert_eq!(stage.compute(7_205), "");
    assert_eq!(stage.compute(7_206), "press 1h 3600", "nothing else reads it");
    assert_eq!(stage.compute(7_207), "");
}

#[test]
fn late_samples_that_go_on_coming_are_computed_now_and_then() {
    let mut stage = Stage::new(7_200);
    let mut computed = Vec::new();
    for second in 7_201..7_225 {
        stage.sample("temp", second - 7_000);
        if !stage.compute(second).is_empty() {
            computed.push(second);
        }
    }
    // The line is computed with the next samples of its press.
    assert_eq!(computed, [7_211, 7_222]);
}

#[test]
fn a_sample_of_an_open_window_is_not_late() {
    let mut stage = Stage::new(7_200);
    stage.sample("temp", 7_201);
    stage.sample("temp", 7_500);
    assert_eq!(stage.compute(7_300), "");
    assert!(stage.kept.keys().all(|key| key == CLOSED_KEY), "{:?}", stage.kept);
}

#[test]
fn a_sample_that_comes_while_its_window_is_computed_has_it_computed_again() {
    let mut stage = Stage::new(0);
    let jobs = stage.schedule.due(at(302));
    stage.sample("temp", 200);
    for job in &jobs {
        stage.schedule.computed(job, &[]);
    }
    stage.schedule.settled();
    assert_eq!(stage.compute(303), "", "more may come");
    assert_eq!(stage.compute(304), "press 5m 300");
}

#[test]
fn a_restart_goes_on_where_figures_were_stored() {
    let mut stage = Stage::new(0);
    stage.compute(302);
    stage.due(602);
    // Killed before the figures of the second window were stored, and back much later.
    stage.restart(1_000);
    assert_eq!(stage.compute(1_000), "press 5m 600,900; line 5m 600,900");
}

#[test]
fn a_restart_knows_what_late_samples_touched() {
    let mut stage = Stage::new(7_200);
    stage.compute(7_502);
    stage.sample("temp", 310);
    stage.restart(7_503);
    assert_eq!(stage.due(7_503), "press 5m 600");
    // Killed again while it was computed.
    stage.restart(7_504);
    assert_eq!(stage.compute(7_504), "press 5m 600");
    assert_eq!(stage.compute(7_505), "line 5m 600");
    assert_eq!(stage.kept.keys().collect::<Vec<_>>(), [CLOSED_KEY], "what is computed is forgotten");
    stage.restart(7_506);
    assert_eq!(stage.compute(7_506), "");
}

#[test]
fn a_window_touched_while_it_is_computed_is_not_forgotten_by_a_restart() {
    let mut stage = Stage::new(7_200);
    stage.compute(7_502);
    stage.sample("temp", 310);
    assert_eq!(stage.due(7_502), "", "more may come");
    let jobs = stage.schedule.due(at(7_503));
    stage.sample("temp", 311);
    stage.schedule.computed(&jobs[0], &[]);
    let documents = stage.schedule.settled();
    stage.keep(documents);
    stage.restart(7_504);
    assert_eq!(stage.compute(7_504), "press 5m 600");
}

#[test]
fn what_could_not_be_computed_is_due_again_a_while_later() {
    let mut stage = Stage::new(0);
    for job in stage.schedule.due(at(302)) {
        stage.schedule.failed(&job, at(302));
    }
    let documents = stage.schedule.settled();
    stage.keep(documents);
    assert_eq!(stage.due(303), "");
    assert_eq!(stage.due(362), "press 5m 300; line 5m 300");
    stage.restart(400);
    assert_eq!(stage.due(400), "press 5m 300; line 5m 300", "a restart tries again");
}

#[test]
fn a_plan_that_was_too_large_is_tried_in_halves_until_it_fits() {
    let mut stage = Stage::new(0);
    let (mut sizes, mut computed) = (Vec::new(), BTreeSet::new());
    for _ in 0..40 {
        let jobs = stage.schedule.due(at(12 * 3_600 + 2));
        for job in &jobs {
            // There is memory for twelve windows.
            if job.windows.len() > 12 {
                stage.schedule.failed(job, at(12 * 3_600 + 2));
            } else {
                stage.schedule.computed(job, &[]);
                computed.extend(job.windows.iter().map(|window| (job.entry, window.end)));
            }
        }
        sizes.extend(jobs.first().map(|job| job.windows.len()));
        stage.schedule.settled();
    }
    assert_eq!(sizes[..7], [144, 72, 36, 18, 9, 12, 16]);
    assert_eq!(computed.len(), 144 + 144 + 12);
    assert_eq!(stage.due(12 * 3_600 + 3), "");
}

#[test]
fn a_plan_takes_a_bounded_number_of_windows() {
    let windows = MAX_WINDOWS_PER_JOB as i64;
    let mut stage = Stage::new(0);
    let until = (windows + 10) * 300;
    stage.schedule.observe(&[]);
    let jobs = stage.schedule.due(at(until + 2));
    assert_eq!(jobs[0].windows.len(), MAX_WINDOWS_PER_JOB);
    stage.schedule.settled();
    let rest = stage.schedule.due(at(until + 2));
    assert_eq!((rest[0].windows.len(), rest[0].windows[0].end), (10, at((windows + 1) * 300)));
    stage.schedule.settled();
    // As many touched windows again, after a long outage.
    (0..windows + 10).for_each(|window| stage.sample("temp", window * 300 + 1));
    assert!(stage.schedule.due(at(until + 2)).is_empty(), "more may come");
    assert_eq!(stage.schedule.due(at(until + 3))[0].windows.len(), MAX_WINDOWS_PER_JOB);
    stage.schedule.settled();
    assert_eq!(stage.schedule.due(at(until + 3))[0].windows.len(), 10);
}

#[test]
fn a_plan_of_touched_windows_covers_a_bounded_time_of_all_assets() {
    let mut stage = Stage::new(0);
    let hours = 2_500;
    stage.schedule = Schedule::new(stage.catalog.clone(), at(hours * 3_600), at(hours * 3_600), &HashMap::new());
    (0..hours).for_each(|hour| stage.sample("level", hour * 3_600 + 1));
    stage.due(hours * 3_600);
    let mut taken = Vec::new();
    while taken.iter().sum::<usize>() < hours as usize {
        let jobs = stage.schedule.due(at(hours * 3_600 + 1));
        taken.push(jobs[0].windows.len());
        stage.schedule.settled();
    }
    assert_eq!(taken, [1_000, 1_000, 500]);
}

#[test]
fn more_touched_windows_than_there_is_room_for_are_all_computed_again() {
    let windows = MAX_TOUCHED as i64 + 100;
    let mut stage = Stage::new(windows * 300);
    // The middle comes last: what there is no room for lies between windows that are known one by one.
    let middle = windows / 2..windows / 2 + 100;
    let outer = (0..windows).filter(|window| !middle.contains(window)).collect::<Vec<_>>();
    outer.into_iter().chain(middle).for_each(|window| stage.sample("temp", window * 300 + 1));
    assert_eq!(stage.schedule.touched.values().map(BTreeMap::len).sum::<usize>(), MAX_TOUCHED);
    assert_eq!(stage.kept.len(), MAX_TOUCHED + 1);
    let mut computed = BTreeSet::new();
    for round in 0..2 * windows / MAX_WINDOWS_PER_JOB as i64 + 2 {
        let jobs = stage.schedule.due(at(windows * 300));
        computed.extend(
            jobs.iter().filter(|job| job.spec.name() == "5m").flat_map(|job| job.windows.iter().map(|window| window.end)),
        );
        jobs.iter().for_each(|job| drop(stage.schedule.computed(job, &[])));
        if !jobs.is_empty() && round % 3 != 2 {
            let documents = stage.schedule.settled();
            stage.keep(documents);
        } else {
            // Killed before the figures were stored.
            stage.restart(windows * 300);
        }
    }
    let all: BTreeSet<Timestamp> = (1..=windows).map(|window| at(window * 300)).collect();
    assert_eq!(computed.len(), all.len());
    assert_eq!(computed, all);
    assert_eq!(stage.due(windows * 300), "");
    assert_eq!(stage.kept.keys().collect::<Vec<_>>(), [CLOSED_KEY]);
}

#[test]
fn a_clock_that_was_once_ahead_does_not_stop_metrics() {
    let mut stage = Stage::new(1_000_000);
    stage.compute(1_000_302);
    stage.restart(0);
    assert_eq!(stage.due(302), "press 5m 300; line 5m 300");
}

#[test]
fn a_new_window_kind_counts_as_closed_until_the_start() {
    let mut stage = Stage::new(0);
    stage.compute(302);
    let document = String::from_utf8(stage.kept[CLOSED_KEY].clone()).unwrap();
    let without: BTreeMap<String, Timestamp> = serde_json::from_str(&document).unwrap();
    let without: BTreeMap<_, _> = without.into_iter().filter(|(name, _)| name == "1h").collect();
    stage.kept.insert(CLOSED_KEY.into(), serde_json::to_vec(&without).unwrap());
    stage.restart(4_000);
    assert_eq!(stage.due(4_000), "press 1h 3600");
}

mod backfill;
mod late;

const BROTHERS: &str = "      Press B: { model: press, plc: plc }
";

/// Whose figures a job computes again, and why.
fn again(catalog: &Catalog, jobs: &[Job]) -> String {
    let assets = |job: &Job, touched: &Touched| {
        let of = catalog.plant.assets_of(job.model).map(|asset| &catalog.plant.assets[asset.0]);
        let of = of.filter(|asset| touched.assets().contains(asset.id));
        of.map(|asset| format!("{} ({})", asset.path, touched.cause(asset.id).unwrap())).collect::<Vec<_>>().join(", ")
    };
    let jobs = jobs.iter().flat_map(|job| job.revised.values().map(move |touched| assets(job, touched)));
    jobs.collect::<Vec<_>>().join("; ")
}

#[test]
fn a_late_value_concerns_its_own_asset_and_survives_a_restart_as_such() {
    let text = format!("{PLANT}{BROTHERS}");
    let late = |catalog: &Catalog, asset: &str| good(series(catalog, asset, "level"), 1_000, 1.0);
    let catalog = catalog(&text);
    let mut schedule = Schedule::new(catalog.clone(), at(4_000), at(4_000), &HashMap::new());
    let mut kept: HashMap<String, Vec<u8>> = schedule.observe(&[late(&catalog, "Line 1/Press B")]).into_iter().collect();
    let restarted = |kept: &HashMap<_, _>| Schedule::new(catalog.clone(), at(4_000), at(4_000), kept).due(at(4_000));
    let only_b = "Line 1/Press B (late data of Line 1/Press B level)";
    assert_eq!(again(&catalog, &restarted(&kept)), only_b);
    // Another asset comes to the same window later: each has its own reason, and what is kept says both.
    kept.extend(schedule.observe(&[late(&catalog, "Line 1/Press A")]));
    let both = format!("Line 1/Press A (late data of Line 1/Press A level), {only_b}");
    assert_eq!(again(&catalog, &restarted(&kept)), both);
    assert_eq!(again(&catalog, &schedule.due(at(4_000))), "", "more may come");
    assert_eq!(again(&catalog, &schedule.due(at(4_001))), both);
}

#[test]
fn a_figure_touches_its_line_again_though_the_line_is_computed_for_another_reason() {
    let text =
        format!("{PLANT}{BROTHERS}  Line 2:\n    model: line\n    machines:\n      Press C: {{ model: press, plc: plc }}\n");
    let catalog = catalog(&text);
    let mut schedule = Schedule::new(catalog.clone(), at(600), at(600), &HashMap::new());
    let figure = |asset: &str| good(series(&catalog, asset, "temp_avg"), 300, 1.0);
    let temp = good(series(&catalog, "Line 2/Press C", "temp"), 200, 1.0);
    // The line of press C waits because of another of its machines; a sample of press C is computed in the same round.
    schedule.observe(&[figure("Line 1/Press A"), temp]);
    assert!(schedule.due(at(600)).is_empty(), "more may come");
    let jobs = schedule.due(at(601));
    let press = jobs.iter().find(|job| catalog.plant.models[job.model.0].name.as_ref() == "press").unwrap();
    schedule.computed(press, &[figure("Line 2/Press C")]);
    schedule.settled();
    assert_eq!(again(&catalog, &schedule.due(at(601))), "Line 2 (late data of Line 2/Press C temp)");
}

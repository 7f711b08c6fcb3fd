//! A day that comes in any order: what is computed again is exactly what late values reach, and in the end all is as if nothing had
//! been late.

use super::*;
use crate::{
    definition::AssetIndex,
    event::EventBody,
    oee::{self, OeeInputs, OeeRecord, edits},
    schedule::revisions::{FigureChange, revisions},
};
use proptest::prelude::*;

pub(super) const DAY: &str = "
plant: { name: Test, timezone: UTC }
models:
  line:
    children: { machines: press }
    oee: { of: machines, windows: [10m] }
  press:
    attributes: { ideal_rate: { default: 60, unit: 1/min } }
    measurements:
      running: { type: bool }
      why: { type: string }
      good: { type: counter }
      bad: { type: counter }
    oee:
      running: running
      good: good
      bad: bad
      ideal_rate: ideal_rate
      reason: why
      micro_stop: 1m
      windows: [10m]
assets:
  Line 1:
    model: line
    machines:
      Press A: { model: press }
      Press B: { model: press }
";

/// A memory, a schedule and the rule: the service without waiting.
struct Plant {
    catalog: Arc<Catalog>,
    schedule: Schedule,
    stored: BTreeMap<(SeriesId, Timestamp), Value>,
    revised: Vec<crate::event::Event>,
    computed: usize,
}

impl Plant {
    fn new() -> Self {
        let catalog = catalog(DAY);
        let schedule = Schedule::new(catalog.clone(), at(0), at(0), &HashMap::new());
        let rate = ["Line 1/Press A", "Line 1/Press B"].map(|asset| (series(&catalog, asset, "ideal_rate"), at(0)));
        let stored = rate.into_iter().map(|key| (key, Value::Double(60.0))).collect();
        Self { catalog, schedule, stored, revised: Vec::new(), computed: 0 }
    }

    fn take(&mut self, points: &[Point]) {
        for point in points {
            self.stored.insert((point.series, point.tqv.time), point.tqv.value.clone());
        }
        self.schedule.observe(points);
    }

    /// Computes everything that is due by an instant, and what that makes due.
    fn settle(&mut self, second: i64) {
        for round in 0..20 {
            let jobs = self.schedule.due(at(second + round));
            for job in &jobs {
                self.job(job, at(second + round));
            }
            if !jobs.is_empty() {
                self.schedule.settled();
            }
        }
    }

    fn job(&mut self, job: &Job, now: Timestamp) {
        let (mut points, mut changes) = (Vec::new(), Vec::new());
        let catalog = self.catalog.clone();
        for window in &job.windows {
            // A window computed again is computed for the assets that were touched, and no others.
            let again = job.revised.get(window).map(Touched::assets).unwrap_or_default();
            let assets = catalog.plant.assets_of(job.model);
            for asset in assets.filter(|asset| again.contains(catalog.plant.assets[asset.0].id)) {
                self.computed += 1;
                let record = self.record(asset, &job.spec, *window);
                let key = catalog.plant.model_of(asset).record_key(&job.spec).unwrap();
                let property = catalog.plant.model_of(asset).property(&key).unwrap();
                let series = catalog.series_of(asset, property).unwrap();
                let after = record.map_or(Value::Null, |record| Value::from(record.text().as_str()));
                let before = self.stored.get(&(series, window.end)).cloned().unwrap_or(Value::Null);
                if before == after {
                    continue;
                }
                points.push(Point { series, tqv: Tqv::good(window.end, after.clone()) });
                changes.push(FigureChange { asset, window: *window, property, before, after });
            }
        }
        changes.retain(|change| job.revised.contains_key(&change.window));
        self.revised.extend(revisions(&catalog, job, &changes, |_, _| 0, now));
        for point in &points {
            self.stored.insert((point.series, point.tqv.time), point.tqv.value.clone());
        }
        for (series, late) in &job.tails {
            let next = self.stored.keys().filter(|(of, time)| of == series && time > late).map(|(_, time)| *time).next();
            self.schedule.reach(*series, *late, next);
        }
        self.schedule.computed(job, &points);
    }

    fn record(&self, asset: AssetIndex, spec: &WindowSpec, window: Window) -> Option<OeeRecord> {
        let plant = &self.catalog.plant;
        let model = plant.model_of(asset);
        if let Some(of) = &model.oee_of {
            let references = of.references(plant, model, spec);
            let series = references.iter().flat_map(|reference| self.catalog.resolve(asset, reference));
            let records: Vec<OeeRecord> =
                series.filter_map(|series| OeeRecord::read(&self.stored.get(&(series, window.end))?.to_string())).collect();
            return oee::combine(of.form, &records);
        }
        let definition = model.oee.as_ref()?;
        let mut inputs = OeeInputs::new(window, plant.calendar.scheduled(window));
        definition.prepare(model, &mut inputs);
        for (role, key) in definition.roles() {
            let series = self.catalog.series_named(asset, &key).unwrap();
            let before = self.stored.range((series, Timestamp::MIN)..=(series, window.start)).next_back();
            let after = (series, window.start + Duration::from_nanos(1))..=(series, window.end);
            for ((_, time), value) in before.into_iter().chain(self.stored.range(after)) {
                let text = match value {
                    Value::String(text) => Some(&**text),
                    _ => None,
                };
                inputs.push(role, *time, value.as_f64(), text);
            }
        }
        let result = oee::evaluate(definition, &inputs);
        Some(OeeRecord::of(&result, true))
    }

    /// Everything that was computed.
    fn records(&self) -> BTreeMap<(SeriesId, Timestamp), Value> {
        let is_record =
            |series: SeriesId| self.catalog.property(series).is_some_and(|property| &*property.name == oee::OEE_RECORD);
        let records = self.stored.iter().filter(|((series, _), value)| is_record(*series) && **value != Value::Null);
        records.map(|(key, value)| (*key, value.clone())).collect()
    }
}

/// What two machines send in twelve hours.
fn half_day(catalog: &Catalog) -> Vec<Point> {
    let mut points = Vec::new();
    for (asset, stops_every) in [("Line 1/Press A", 7_i64), ("Line 1/Press B", 11)] {
        let of = |key: &str| series(catalog, asset, key);
        let (mut made, mut runs) = (0.0, true);
        points.push(Point { series: of("running"), tqv: Tqv::good(at(1), true.into()) });
        // Not on the borders of windows: what lies there belongs to the window before, and would be late.
        for minute in (3..720).step_by(3) {
            if minute % stops_every == 0 {
                runs = !runs;
                points.push(Point { series: of("running"), tqv: Tqv::good(at(minute * 60 + 1), runs.into()) });
                let why = if runs { "" } else { ["jam", "no bottles", ""][minute as usize % 3] };
                points.push(Point { series: of("why"), tqv: Tqv::good(at(minute * 60 + 1), why.into()) });
            }
            made += if runs { 2.0 } else { 0.0 };
            points.push(good(of("good"), minute * 60 + 5, made));
            points.push(good(of("bad"), minute * 60 + 5, (made / 40.0_f64).floor()));
        }
    }
    points.sort_by_key(|point| point.tqv.time);
    points
}

/// In order, with the windows closing as time goes by.
fn in_order() -> Plant {
    let mut plant = Plant::new();
    let points = half_day(&plant.catalog);
    for minute in (0..720).step_by(10) {
        let now: Vec<Point> = points.iter().filter(|point| in_minutes(point, minute, minute + 10)).cloned().collect();
        plant.take(&now);
        plant.settle((minute + 10) * 60 + 3);
    }
    plant.settle(13 * 3_600);
    plant
}

fn in_minutes(point: &Point, from: i64, to: i64) -> bool {
    let minute = point.tqv.time.since(at(0)).as_secs().cast_signed();
    from * 60 <= minute && minute < to * 60
}

#[test]
fn a_hole_of_six_hours_that_is_filled_later_leaves_no_trace_but_revisions() {
    let expected = in_order();
    assert!(expected.revised.is_empty(), "nothing was late");
    let mut plant = Plant::new();
    let points = half_day(&plant.catalog);
    let (hole, rest): (Vec<Point>, Vec<Point>) = points.into_iter().partition(|point| in_minutes(point, 180, 540));
    for minute in (0..720).step_by(10) {
        let now: Vec<Point> = rest.iter().filter(|point| in_minutes(point, minute, minute + 10)).cloned().collect();
        plant.take(&now);
        plant.settle((minute + 10) * 60 + 3);
    }
    plant.settle(13 * 3_600);
    let with_hole = plant.records();
    // It comes in three pieces, the last one first.
    for piece in hole.chunks(hole.len() / 3 + 1).rev() {
        plant.take(piece);
        plant.settle(13 * 3_600 + 60);
    }
    plant.settle(13 * 3_600 + 120);
    assert!(plant.records() == expected.records());
    let causes: BTreeSet<String> = plant.revised.iter().map(cause).collect();
    assert!(causes.iter().all(|cause| cause.starts_with("late data of Line 1/Press ")), "{causes:?}");
    // Each record that the hole had changed was revised.
    let revised: BTreeSet<(Arc<str>, Timestamp)> =
        plant.revised.iter().map(|event| (event.asset_path.clone(), window_end(event))).collect();
    let changed: Vec<_> = expected.records().into_iter().filter(|(key, value)| with_hole.get(key) != Some(value)).collect();
    assert!(changed.len() > 60, "{}", changed.len());
    for ((series, end), _) in changed {
        let asset = plant.catalog.plant.assets[plant.catalog.entry(series).unwrap().asset.0].path.clone();
        assert!(revised.contains(&(asset.clone(), end)), "{asset} {end}");
    }
}

fn cause(event: &crate::event::Event) -> String {
    let EventBody::Revision(revision) = &event.body else { panic!("{event:?}") };
    revision.cause.to_string()
}

fn window_end(event: &crate::event::Event) -> Timestamp {
    let EventBody::Revision(revision) = &event.body else { panic!("{event:?}") };
    revision.window.end
}

#[test]
fn a_late_state_reaches_to_the_next_one_and_no_further() {
    let mut plant = in_order();
    plant.computed = 0;
    let running = series(&plant.catalog, "Line 1/Press A", "running");
    // Press A changes its state every 21 minutes: one that comes late touches two or three windows of ten minutes.
    plant.take(&[Point { series: running, tqv: Tqv::good(at(190 * 60), false.into()) }]);
    plant.settle(13 * 3_600 + 60);
    assert!((1..=20).contains(&plant.computed), "{} windows", plant.computed);
    let ends: BTreeSet<u64> = plant.revised.iter().map(|event| window_end(event).since(at(0)).as_secs() / 60).collect();
    assert!(ends.iter().all(|minute| (180..=300).contains(minute)), "{ends:?}");
    assert!(!plant.revised.is_empty());
}

#[test]
fn where_there_is_no_room_to_ask_how_far_a_late_state_reaches_it_reaches_to_the_end() {
    let catalog = catalog(DAY);
    let mut schedule = Schedule::new(catalog.clone(), at(6_000), at(6_000), &HashMap::new());
    schedule.kept.extend((0..MAX_TOUCHED).map(|number| number.to_string()));
    let running = series(&catalog, "Line 1/Press A", "running");
    schedule.observe(&[Point { series: running, tqv: Tqv::good(at(3_700), Value::Boolean(true)) }]);
    assert!(schedule.due(at(6_000)).is_empty(), "more may come");
    let jobs = schedule.due(at(6_001));
    let ends: Vec<Timestamp> = jobs[0].windows.iter().map(|window| window.end).collect();
    assert_eq!(ends, [4_200, 4_800, 5_400, 6_000].map(at));
}

#[test]
fn an_explained_stop_moves_its_windows_and_theirs_alone() {
    let mut plant = in_order();
    plant.computed = 0;
    let statement = edits::Statement { reason: "no order".into(), comment: "".into(), by: "anna".into(), at: at(50_000) };
    let span = Window { start: at(63 * 60), end: at(84 * 60) };
    let edit = edits::StopEdit { span, statement };
    let series = series(&plant.catalog, "Line 1/Press A", STOP_EDITS);
    plant.take(&[Point { series, tqv: Tqv::good(span.start, Value::from(edit.text().as_str())) }]);
    plant.settle(13 * 3_600 + 60);
    let causes: BTreeSet<String> = plant.revised.iter().map(cause).collect();
    assert!(causes.iter().all(|cause| cause == "stops of Line 1/Press A were explained"), "{causes:?}");
    let ends: BTreeSet<u64> = plant.revised.iter().map(|event| window_end(event).since(at(0)).as_secs() / 60).collect();
    assert!(ends.iter().all(|minute| [60, 70, 80, 90, 120].contains(minute)), "{ends:?}");
}

#[test]
fn deleting_what_was_computed_and_computing_again_gives_the_same() {
    let plant = in_order();
    let mut again = Plant::new();
    again.take(&half_day(&plant.catalog));
    again.settle(13 * 3_600);
    assert_eq!(again.records(), plant.records());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    /// A tenth comes late, in any order: in the end all is as if nothing had.
    #[test]
    fn what_comes_late_changes_nothing_in_the_end(late in proptest::collection::vec(any::<u16>(), 97), seed in any::<u64>()) {
        let expected = in_order();
        let mut plant = Plant::new();
        let mut points = half_day(&plant.catalog);
        let mut kept_back = Vec::new();
        for pick in late {
            kept_back.push(points.remove(usize::from(pick) % points.len()));
        }
        for minute in (0..720).step_by(10) {
            let now: Vec<Point> = points.iter().filter(|point| in_minutes(point, minute, minute + 10)).cloned().collect();
            plant.take(&now);
            plant.settle((minute + 10) * 60 + 3);
        }
        plant.settle(13 * 3_600);
        let mut state = seed | 1;
        while !kept_back.is_empty() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let count = 1 + (state >> 40) as usize % 30;
            let batch: Vec<Point> = kept_back.drain(..count.min(kept_back.len())).collect();
            plant.take(&batch);
            plant.settle(13 * 3_600 + 60);
        }
        plant.settle(13 * 3_600 + 120);
        prop_assert!(plant.records() == expected.records());
    }
}

/// The late values of which it is asked how far they reach, in minutes, after one every minute.
fn asked(shifts: &str, minutes: std::ops::Range<i64>) -> Vec<i64> {
    let text = DAY.replace("[10m]", "[shift]").replace("timezone: UTC }", &format!("timezone: UTC }}\n{shifts}"));
    let catalog = catalog(&text);
    let mut schedule = Schedule::new(catalog.clone(), at(172_800), at(172_800), &HashMap::new());
    let running = series(&catalog, "Line 1/Press A", "running");
    for minute in minutes {
        schedule.observe(&[Point { series: running, tqv: Tqv::good(at(minute * 60), (minute % 2 == 0).into()) }]);
    }
    schedule.due(at(172_800));
    let jobs = schedule.due(at(172_801));
    let minute = |(_, late): &(SeriesId, Timestamp)| late.since(at(0)).as_secs().cast_signed() / 60;
    jobs.iter().flat_map(|job| job.tails.iter().map(minute)).collect()
}

#[test]
fn of_the_late_values_between_two_shifts_the_last_one_reaches_further() {
    assert_eq!(asked("shifts: { early: '06:00-14:00' }", 60..300), [299], "before the first shift");
    assert_eq!(asked("shifts: { early: '06:00-14:00' }", 0..1_440), [1_439], "through a shift");
    // What lies before a shift reaches into it, whatever comes after it.
    let both = [asked("shifts: { early: '06:00-14:00' }", 300..301), asked("shifts: { early: '06:00-14:00' }", 900..910)];
    assert_eq!(both, [[300], [909]]);
    assert_eq!(asked("", 0..2_000), [1_999], "without any shift");
}

//! Back-fills: after what is due by itself, children before parents, and right at whatever moment they end.

use super::*;
use crate::event::{Deed, EventBody};

/// So many closed windows of five minutes lie before the start.
const WINDOWS: i64 = 1_200;

/// The plant with a transform that a metric reads, and one that reads that.
const TRANSFORMS: &str = "
plant: { name: Test, timezone: UTC }
models:
  line:
    children: { machines: press }
    metrics:
      5m: { hottest: max(machines.warm_avg) }
  press:
    measurements: { temp: {} }
    transforms:
      warm: temp + 1
      warmer: warm + 1
    metrics:
      5m: { warm_avg: avg(warm), first: earliest(warmer) }
assets:
  Line 1:
    model: line
    machines:
      Press A: { model: press }
";

impl Stage {
    fn of(text: &str, from: i64) -> Self {
        let (catalog, kept) = (catalog(text), HashMap::new());
        Self { schedule: Schedule::new(catalog.clone(), at(from), at(from), &kept), catalog, kept }
    }

    fn order(&self, targets: &[&str], from: i64, to: i64) -> BackfillOrder {
        let targets = targets.iter().map(|target| Arc::from(*target)).collect();
        BackfillOrder { targets, span: Window { start: at(from), end: at(to) }, by: "kim".into() }
    }

    fn begin(&mut self, targets: &[&str], from: i64, to: i64) -> u32 {
        let order = self.order(targets, from, to);
        let (standing, documents, event) = self.schedule.backfill(order, (None, false), at(to)).unwrap();
        assert!(said(&event).starts_with("back-fill "), "{event:?}");
        self.keep(documents);
        standing.backfill.number
    }

    fn refused(&mut self, targets: &[&str]) -> String {
        let order = self.order(targets, 0, 300);
        match self.schedule.backfill(order, (None, false), at(300)) {
            Err(BackfillRefusal::Wrong(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    fn standing(&self, number: u32) -> Standing {
        self.schedule.backfills().into_iter().find(|standing| standing.backfill.number == number).unwrap()
    }

    /// What is over now, in words.
    fn ended(&mut self, now: i64) -> String {
        let (documents, events) = self.schedule.end_backfills(at(now));
        self.keep(documents);
        events.iter().map(|event| said(event).to_string()).collect::<Vec<_>>().join("; ")
    }

    /// Computes what is due, with figures only where `changes` says so. `model kind count@last`.
    fn round(&mut self, now: i64, changes: impl Fn(&Job) -> bool) -> String {
        let jobs = self.schedule.due(at(now));
        for job in &jobs {
            let figure = match &*self.catalog.plant.models[job.model.0].name {
                "press" if job.spec.name() == "1h" => ("Line 1/Press A", "level_max"),
                "press" if self.catalog.series_named(crate::definition::AssetIndex(1), "warm_avg").is_some() => {
                    ("Line 1/Press A", "warm_avg")
                }
                "press" => ("Line 1/Press A", "temp_avg"),
                _ => ("Line 1", "hottest"),
            };
            let series = series(&self.catalog, figure.0, figure.1);
            let point = |window: &Window| Point { series, tqv: Tqv::good(window.end, 1.0.into()) };
            let points: Vec<Point> = job.windows.iter().filter(|_| changes(job)).map(point).collect();
            let documents = self.schedule.computed(job, &points);
            self.keep(documents);
        }
        if !jobs.is_empty() {
            let documents = self.schedule.settled();
            self.keep(documents);
        }
        self.short(&jobs)
    }

    fn short(&self, jobs: &[Job]) -> String {
        let show = |job: &Job| {
            let (name, last) = (&self.catalog.plant.models[job.model.0].name, job.windows.last().unwrap().end);
            format!("{name} {} {}@{}", job.spec.name(), job.windows.len(), last.since(at(0)).as_secs())
        };
        jobs.iter().map(show).collect::<Vec<_>>().join(", ")
    }

    fn rounds(&mut self, now: i64, changes: impl Fn(&Job) -> bool) -> Vec<String> {
        std::iter::from_fn(|| Some(self.round(now, &changes)).filter(|round| !round.is_empty())).collect()
    }
}

fn said(event: &crate::event::Event) -> &str {
    let EventBody::Deed(Deed { detail, .. }) = &event.body else { panic!("{event:?}") };
    detail
}

#[test]
fn it_goes_piece_by_piece_children_before_parents() {
    let mut stage = Stage::new(WINDOWS * 300);
    let number = stage.begin(&["press"], 0, WINDOWS * 300);
    assert_eq!(stage.standing(number).windows, 1_200 + 100, "of five minutes, and of hours");
    let rounds = stage.rounds(WINDOWS * 300 + 1, |_| true);
    let expected = [
        "press 5m 512@153600",
        "press 5m 512@307200",
        "press 5m 176@360000",
        "press 1h 96@345600",
        "press 1h 4@360000",
        "line 5m 512@153600",
        "line 5m 512@307200",
        "line 5m 176@360000",
    ];
    assert_eq!(rounds, expected);
    let standing = stage.standing(number);
    assert_eq!((standing.windows, standing.backfill.windows, standing.backfill.figures), (2_500, 2_500, 2_500));
    let ended = stage.ended(WINDOWS * 300 + 2);
    assert!(ended.contains("is done: 2500 windows computed, 2500 figures"), "{ended}");
    assert_eq!(stage.standing(number).backfill.state, BackfillState::Done);
    assert_eq!(stage.ended(WINDOWS * 300 + 3), "", "it is told once");
}

#[test]
fn what_does_not_change_touches_no_parent() {
    let mut stage = Stage::new(3_000);
    stage.begin(&["press.temp_avg"], 0, 3_000);
    let middle = |job: &Job| job.spec.name() == "5m" && job.windows.len() == 10;
    assert_eq!(stage.rounds(3_001, |job| !middle(job)), ["press 5m 10@3000"]);
    stage.ended(3_001);
    // A part of it was the same: the parent is computed where its children changed.
    stage.begin(&["press.temp_avg"], 300, 900);
    assert_eq!(stage.rounds(3_001, |_| true), ["press 5m 2@900", "line 5m 2@900"]);
}

#[test]
fn its_figures_are_revisions_that_name_it() {
    let mut stage = Stage::new(600);
    let number = stage.begin(&["press.temp_avg"], 0, 600);
    let jobs = stage.schedule.due(at(601));
    let asset = stage.catalog.plant.assets[1].id;
    let causes: BTreeSet<&str> = jobs[0].revised.values().map(|touched| &**touched.cause(asset).unwrap()).collect();
    assert_eq!(causes, BTreeSet::from([&*format!("back-fill {number} of press.temp_avg (kim)")]));
    assert_eq!(jobs[0].revised.len(), jobs[0].windows.len());
}

#[test]
fn what_is_due_by_itself_comes_first() {
    let end = WINDOWS * 300;
    let mut stage = Stage::new(end);
    stage.begin(&["press.temp_avg"], 0, end);
    assert_eq!(stage.round(end + 1, |_| false), "press 5m 512@153600");
    stage.sample("temp", 1_000);
    assert_eq!(stage.round(end + 1, |_| false), "press 5m 512@307200", "late data may be followed by more");
    assert_eq!(stage.round(end + 2, |_| false), "press 5m 1@1200", "late data");
    assert_eq!(stage.round(end + 302, |_| false), format!("press 5m 1@{}, line 5m 1@{}", end + 300, end + 300));
    // A window that closes while a piece is under way waits for that piece alone.
    let jobs = stage.schedule.due(at(end + 303));
    assert_eq!(stage.short(&jobs), "press 5m 176@360000");
    assert_eq!(stage.due(end + 602), "");
    stage.schedule.computed(&jobs[0], &[]);
    stage.schedule.settled();
    assert_eq!(stage.round(end + 602, |_| false), format!("press 5m 1@{}, line 5m 1@{}", end + 600, end + 600));
}

#[test]
fn a_cancelled_one_computes_what_depends_on_what_it_changed_and_no_more() {
    let end = WINDOWS * 300;
    let mut stage = Stage::new(end);
    let number = stage.begin(&["press"], 0, end);
    assert_eq!(stage.round(end + 1, |_| true), "press 5m 512@153600");
    let documents = stage.schedule.cancel_backfill(number, &"ann".into()).unwrap();
    stage.keep(documents);
    assert_eq!(stage.ended(end + 1), "");
    assert_eq!(stage.rounds(end + 1, |_| true), ["line 5m 512@153600"]);
    let ended = stage.ended(end + 2);
    assert!(ended.contains("was cancelled: 1024 windows computed") && ended.ends_with("ann took it back"), "{ended}");
    assert_eq!(stage.schedule.cancel_backfill(number, &"ann".into()), Err(BackfillRefusal::Over));
    assert_eq!(stage.schedule.cancel_backfill(77, &"ann".into()), Err(BackfillRefusal::Unknown));
}

#[test]
fn one_that_waits_is_cancelled_at_once_and_the_next_one_goes_on() {
    let mut stage = Stage::new(600);
    let first = stage.begin(&["press.temp_avg"], 0, 600);
    let second = stage.begin(&["press.level_max"], 0, 600);
    let third = stage.begin(&["line"], 0, 600);
    stage.schedule.cancel_backfill(second, &"kim".into()).unwrap();
    let states = |stage: &Stage| [first, second, third].map(|number| stage.standing(number).backfill.state);
    assert_eq!(states(&stage), [BackfillState::Waiting, BackfillState::Cancelling, BackfillState::Waiting]);
    assert_eq!(stage.rounds(601, |_| false), ["press 5m 2@600"]);
    stage.ended(601);
    assert_eq!(states(&stage), [BackfillState::Done, BackfillState::Cancelled, BackfillState::Waiting]);
    assert_eq!(stage.rounds(601, |_| false), ["line 5m 2@600"]);
}

#[test]
fn a_restart_goes_on_after_the_last_piece_that_was_stored() {
    let end = WINDOWS * 300;
    let mut stage = Stage::new(end);
    stage.schedule.due(at(end));
    let number = stage.begin(&["press.temp_avg"], 0, end);
    let documents = stage.schedule.settled();
    stage.keep(documents);
    assert_eq!(stage.round(end + 1, |_| true), "press 5m 512@153600");
    assert_eq!(stage.due(end + 1).len(), "press 5m ".len() + 512 * 7 - 1);
    // Killed while the second piece was computed.
    stage.restart(end + 2);
    assert_eq!(stage.standing(number).backfill.state, BackfillState::Running);
    let expected =
        ["press 5m 512@307200", "press 5m 176@360000", "line 5m 512@153600", "line 5m 512@307200", "line 5m 176@360000"];
    assert_eq!(stage.rounds(end + 2, |_| true), expected);
    assert!(stage.ended(end + 3).contains("is done"));
    stage.restart(end + 4);
    assert_eq!(stage.rounds(end + 4, |_| true), [""; 0]);
    assert_eq!(stage.standing(number).backfill.state, BackfillState::Done);
    assert_eq!(stage.begin(&["line"], 0, end), number + 1, "no number is given twice");
}

#[test]
fn another_definition_on_the_way_begins_anew_or_ends_it() {
    let mut stage = Stage::new(WINDOWS * 300);
    let number = stage.begin(&["press.temp_avg"], 0, WINDOWS * 300);
    stage.round(WINDOWS * 300, |_| true);
    stage.catalog = catalog(&PLANT.replace("avg(temp)", "max(temp)"));
    stage.restart(WINDOWS * 300);
    assert_eq!(stage.round(WINDOWS * 300, |_| true), "press 5m 512@153600");
    assert!(stage.standing(number).backfill.note.contains("anew"));
    stage.catalog = catalog(&PLANT.replace("temp_avg", "temp_mean"));
    stage.restart(WINDOWS * 300);
    // What it had changed was read by something that is still there.
    assert_eq!(stage.rounds(WINDOWS * 300, |_| false), ["line 5m 512@153600"]);
    let ended = stage.ended(WINDOWS * 300);
    assert!(ended.contains("was cancelled") && ended.contains("no metric or transform temp_avg"), "{ended}");
}

#[test]
fn transforms_are_played_before_windows_are_computed() {
    let mut stage = Stage::of(TRANSFORMS, 3_000);
    let number = stage.begin(&["press.warm"], 0, 3_000);
    let (warm, first) = (series(&stage.catalog, "Line 1/Press A", "warm"), series(&stage.catalog, "Line 1/Press A", "first"));
    assert_eq!(stage.due(3_001), "", "no window before");
    let play = stage.schedule.play(at(3_001)).unwrap();
    assert_eq!((play.begin, play.after, play.until), (at(0), at(0), at(3_000)));
    assert_eq!((play.transforms, play.behind), (BTreeSet::from([warm]), BTreeSet::new()));
    assert_eq!(stage.schedule.play(at(3_001)), None, "one after the other");
    let documents =
        stage.schedule.played(&Played { number, points: vec![good(warm, 700, 2.0), good(warm, 1_000, 2.0)], to: at(1_500) });
    stage.keep(documents);
    // A restart knows what is owed and what was played.
    stage.restart(3_001);
    let play = stage.schedule.play(at(3_001)).unwrap();
    assert_eq!((play.begin, play.after), (at(0), at(1_500)));
    let documents = stage.schedule.played(&Played { number, points: Vec::new(), to: at(3_000) });
    stage.keep(documents);
    assert_eq!(stage.schedule.play(at(3_001)), None);
    assert_eq!(stage.rounds(3_001, |_| true), ["press 5m 2@1200", "line 5m 2@1200"]);
    let ended = stage.ended(3_001);
    assert!(ended.contains("2 values of transforms"), "{ended}");
    // A metric that holds the last value is computed up to the end.
    let number = stage.begin(&["press.warmer"], 0, 1_500);
    let warmer = series(&stage.catalog, "Line 1/Press A", "warmer");
    stage.schedule.play(at(3_002)).unwrap();
    stage.schedule.played(&Played { number, points: vec![good(warmer, 700, 2.0)], to: at(1_500) });
    assert_eq!(stage.rounds(3_002, |_| false), ["press 5m 8@3000"]);
    assert_eq!(stage.catalog.property(first).unwrap().key, "first".into());
}

#[test]
fn a_metric_names_the_transforms_it_is_computed_from() {
    let mut stage = Stage::of(TRANSFORMS, 3_000);
    stage.begin(&["line.hottest", "press.first"], 0, 3_000);
    let play = stage.schedule.play(at(3_001)).unwrap();
    let named = |set: &BTreeSet<SeriesId>| {
        set.iter().map(|series| stage.catalog.entry(*series).unwrap().key.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((named(&play.transforms), named(&play.behind)), (String::new(), "warm warmer".into()));
}

#[test]
fn a_cancelled_play_owes_the_windows_it_changed() {
    let mut stage = Stage::of(TRANSFORMS, 3_000);
    let number = stage.begin(&["press"], 0, 3_000);
    stage.schedule.play(at(3_001)).unwrap();
    stage.schedule.cancel_backfill(number, &"kim".into()).unwrap();
    let warm = series(&stage.catalog, "Line 1/Press A", "warm");
    stage.schedule.played(&Played { number, points: vec![good(warm, 700, 2.0)], to: at(1_500) });
    assert_eq!(stage.schedule.play(at(3_001)), None);
    assert_eq!(stage.rounds(3_001, |_| false), ["press 5m 1@900"]);
    assert!(stage.ended(3_001).contains("was cancelled"));
}

#[test]
fn what_fails_again_and_again_is_given_up_and_owes_nothing() {
    let mut stage = Stage::new(600);
    let number = stage.begin(&["press.temp_avg"], 0, 300);
    let mut now = 601;
    for _ in 0..5 {
        let jobs = stage.schedule.due(at(now));
        assert_eq!(stage.short(&jobs), "press 5m 1@300");
        stage.schedule.failed(&jobs[0], at(now));
        stage.schedule.settled();
        assert_eq!(stage.due(now + 1), "", "a broken disk is not asked again at once");
        now += 60;
    }
    assert!(stage.ended(now).contains("failed"));
    assert_eq!(stage.standing(number).backfill.state, BackfillState::Failed);
    let live = stage.round(now + 300, |_| false);
    assert!(!live.contains("@300"), "{live}");
}

#[test]
fn names_are_checked_and_much_is_refused() {
    let mut stage = Stage::new(300);
    assert_eq!(stage.refused(&["pres"]), "there is no model pres; did you mean press?");
    assert_eq!(stage.refused(&["press.temp_av"]), "press has no metric or transform temp_av; did you mean temp_avg?");
    assert_eq!(stage.refused(&["press.temp"]), "press.temp is not computed: it is an attribute or a measurement");
    assert_eq!(stage.refused(&[]), "name between one and 256 models, metrics or transforms");
    let order = stage.order(&["press"], -300 * 3_000_001, 300);
    let refused = stage.schedule.backfill(order, (None, false), at(300));
    assert!(matches!(&refused, Err(BackfillRefusal::Wrong(reason)) if reason.contains("shorter span")), "{refused:?}");
    for _ in 0..8 {
        stage.begin(&["press"], 0, 300);
    }
    let order = stage.order(&["press"], 0, 300);
    assert_eq!(stage.schedule.backfill(order, (None, false), at(300)).unwrap_err(), BackfillRefusal::Busy);
}

#[test]
fn it_begins_where_history_begins_and_says_so() {
    let mut stage = Stage::new(3_000);
    for (whole, first) in [(false, 1_500), (true, 1_800)] {
        let order = stage.order(&["press.temp_avg"], 0, 3_000);
        let (standing, ..) = stage.schedule.backfill(order, (Some(at(1_250)), whole), at(3_000)).unwrap();
        assert!(standing.backfill.note.starts_with("there is no history before 2026-03-02T00:20:50Z"), "{standing:?}");
        let jobs = stage.schedule.due(at(3_001));
        assert_eq!(jobs[0].windows[0].end, at(first));
        stage.schedule.computed(&jobs[0], &[]);
        stage.schedule.settled();
        stage.schedule.end_backfills(at(3_001));
    }
}

#[test]
fn the_figures_of_an_oee_block_have_one_name() {
    let mut stage = Stage::of(super::late::DAY, 6_000);
    let number = stage.begin(&["press.oee"], 0, 6_000);
    let jobs = stage.schedule.due(at(6_001));
    assert_eq!(stage.short(&jobs), "press 10m 10@6000");
    let record = series(&stage.catalog, "Line 1/Press A", crate::oee::OEE_RECORD);
    let point = |window: &Window| Point { series: record, tqv: Tqv::good(window.end, "x".into()) };
    let records: Vec<Point> = jobs[0].windows[2..4].iter().map(point).collect();
    stage.schedule.computed(&jobs[0], &records);
    stage.schedule.settled();
    // The line's figures are made of its machines' records.
    let line = std::iter::from_fn(|| {
        let jobs = stage.schedule.due(at(6_001));
        jobs.iter().for_each(|job| drop(stage.schedule.computed(job, &[])));
        stage.schedule.settled();
        (!jobs.is_empty()).then(|| stage.short(&jobs))
    });
    let line: Vec<String> = line.filter(|job| job.starts_with("line")).collect();
    assert_eq!(line, ["line 10m 2@2400"]);
    assert!(stage.ended(6_001).contains(&format!("back-fill {number} of press.oee")));
}

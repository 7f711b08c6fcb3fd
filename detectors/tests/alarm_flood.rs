//! Ten thousand alarms in ten seconds: each is annunciated once, and deciding takes a small part of that time.

use andon_detectors::{Action, Engine, Input};
use andon_models::{
    Point, Timestamp, Tqv, Value,
    alarm::{AlarmVerb, measures::measure},
    catalog::{Catalog, SeriesDirectory},
    definition::AssetIndex,
    event::{Event, EventBody},
    plant_file,
};
use std::{collections::HashSet, fmt::Write, sync::Arc, time::Duration};

const MACHINES: usize = 10_000;
const PER_SECOND: usize = 1_000;
/// The detectors' share of the ten seconds; the disk, the pages and the receivers need the rest. A debug build on a busy machine keeps it.
const SHARE: Duration = Duration::from_secs(8);

fn engine() -> (Engine, Arc<Catalog>) {
    let mut text = String::from(
        "plant: Test
notify: { lead: log, chief: log }
models:
  machine:
    measurements:
      temp: { unit: °C }
    detectors:
      hot:
        priority: high
        message: It has {temp}
        response: Close the valve.
        alarm:
          notify: lead
          off_delay: 1s
          re_alarm: 15m
          escalate: [ { after: 5m, notify: chief } ]
        initial: normal
        states:
          normal: { go: [ { when: temp > 80, to: hot } ] }
          hot: { enter: [raise], exit: [clear], go: [ { when: temp < 75, to: normal } ] }
assets:
",
    );
    (0..MACHINES).for_each(|number| writeln!(text, "  M{number}: {{ model: machine }}").expect("a text takes any line"));
    let loaded = plant_file::load(&[("plant.yaml".into(), text)], &|_| None);
    let plant = loaded.plant.unwrap_or_else(|| panic!("{:#?}", &loaded.diagnostics[..1]));
    let catalog = Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()));
    (Engine::new(catalog.clone()), catalog)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "this test measures time")]
fn ten_thousand_alarms_in_ten_seconds() {
    let (mut engine, catalog) = engine();
    let series: Vec<_> = (0..MACHINES).map(|number| catalog.series_named(AssetIndex(number), "temp").unwrap()).collect();
    engine.start(Timestamp::EPOCH);
    let begin = Timestamp::from_seconds(1_000);
    let (mut events, mut notices): (Vec<Event>, Vec<_>) = (Vec::new(), Vec::new());
    let started = std::time::Instant::now();
    for (second, machines) in series.chunks(PER_SECOND).enumerate() {
        let now = begin + Duration::from_secs(second as u64 + 1);
        let points: Vec<Point> =
            machines.iter().map(|series| Point { series: *series, tqv: Tqv::good(now, Value::Double(91.5)) }).collect();
        for action in engine.step(now, Input::Samples(&points)) {
            match action {
                Action::Record(event) => events.push(event),
                Action::Notify { event, .. } => notices.push(event),
                _ => {}
            }
        }
    }
    let took = started.elapsed();
    println!("{MACHINES} alarms decided in {took:?}");
    assert!(took < SHARE, "{took:?}");

    let raised = |event: &&Event| matches!(&event.body, EventBody::Alarm(change) if change.verb == AlarmVerb::Raise);
    assert_eq!(events.iter().filter(raised).count(), MACHINES);
    let ids: HashSet<_> = notices.iter().collect();
    assert_eq!((notices.len(), ids.len()), (MACHINES, MACHINES), "one notification each, with an id of its own");
    let measures = measure(&events, begin, begin + Duration::from_secs(3_600));
    assert_eq!((measures.annunciations, measures.floods.len(), measures.peak_per_10_min), (MACHINES, 1, MACHINES));

    // Nothing more comes of it before something is due.
    assert!(engine.step(begin + Duration::from_secs(60), Input::Time).is_empty());
    let escalated = engine.step(begin + Duration::from_secs(311), Input::Time);
    assert_eq!(escalated.iter().filter(|action| matches!(action, Action::Notify { .. })).count(), MACHINES);
}

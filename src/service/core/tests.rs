//! What the core makes of its inputs, as records and effects.

use super::*;
use crate::service::testing::{at, catalog, next_catalog, series};
use andon_models::{Value, catalog::SeriesDirectory};

const PLANT: &str = "
plant: { name: Test, timezone: UTC }
sources:
  plc: { opcua: 'opc.tcp://127.0.0.1:4840', security: none, writes: allow }
notify:
  lead: { log: lead }
models:
  press:
    measurements:
      temp: { unit: °C, from: ns=2;s=Temp @plc }
      turn: { type: int }
    controls:
      stop_request: { type: bool, to: ns=2;s=Stop @plc, allow: [true] }
    transforms:
      twice: turn * 2
    detectors:
      hot:
        message: Hot
        response: Look.
        initial: normal
        states:
          normal: { go: [ { when: temp > 80, to: hot } ] }
          hot: { enter: [write stop_request = true, notify lead] }
      circle:
        message: Round
        response: Look.
        initial: even
        states:
          even: { go: [ { when: temp < 0 and (turn < 100 or twice < 0), to: odd, do: [put turn = turn + 1] } ] }
          odd: { go: [ { when: turn < 100, to: even, do: [put turn = turn + 1] } ] }
assets:
  Press: { model: press, plc: plc }
";

fn temp(catalog: &Catalog, second: i64, value: f64) -> Sample {
    let tag = catalog.entry(series(catalog, "Press", "temp")).unwrap().tag.unwrap();
    Sample { tag, tqv: Tqv::good(at(second), value.into()) }
}

/// What was kept, the last document of each key.
fn kept(steps: &[Step]) -> HashMap<String, Vec<u8>> {
    steps.iter().flat_map(|step| step.batch.keep.iter().cloned()).collect()
}

#[test]
fn a_command_left_open_reaches_its_point_also_when_the_plant_file_has_changed() {
    let mut directory = SeriesDirectory::default();
    let before = next_catalog(PLANT, &mut directory);
    let mut core = Core::new(before.clone());
    core.arm_first("a.lang", at(0), true);
    let start = core.start(at(0), &|_| None);
    let hot = core.samples(at(1), &[temp(&before, 1, 91.0)]);
    let Some(Effect::Write(command)) = hot.effects.first() else { panic!("{:?}", hot.effects) };
    let command = command.clone();
    let kept = kept(&[start, hot]);

    // Two measurements more: every tag has another number now.
    let edited = PLANT.replace(
        "      temp:",
        "      level: { from: ns=2;s=Level @plc }\n      speed: { from: ns=2;s=Speed @plc }\n      temp:",
    );
    let after = next_catalog(&edited, &mut directory);
    let mut core = Core::new(after.clone());
    core.restore(&kept, &|_| None);
    let open = core.unfinished_commands();
    let control = after.control(after.plant.asset_at("Press").unwrap(), "stop_request").unwrap();
    assert_ne!(command.tag, control.tag);
    assert_eq!(open.iter().map(|command| (command.id, command.tag)).collect::<Vec<_>>(), [(command.id, control.tag)]);

    // Without the control there is no such point, and never another one.
    let removed =
        PLANT.replace("stop_request: { type: bool, to: ns=2;s=Stop @plc", "other: { type: bool, to: ns=2;s=Other @plc");
    let removed = removed.replace("write stop_request", "write other");
    let catalog = next_catalog(&removed, &mut directory);
    let mut core = Core::new(catalog.clone());
    core.restore(&kept, &|_| None);
    assert!(core.unfinished_commands().iter().all(|command| catalog.tag(command.tag).is_none()));
}

#[test]
fn detectors_that_set_each_other_off_in_circles_are_stopped_and_what_they_did_is_recorded() {
    let catalog = catalog(PLANT);
    let mut core = Core::new(catalog.clone());
    let turn = series(&catalog, "Press", "turn");
    core.start(at(0), &|_| None);
    core.points(at(1), vec![Point { series: turn, tqv: Tqv::good(at(1), Value::Integer(0)) }]);
    let step = core.samples(at(2), &[temp(&catalog, 2, -1.0)]);
    let put: Vec<_> =
        step.batch.points.iter().filter(|point| point.series == turn).map(|point| point.tqv.value.clone()).collect();
    assert_eq!(put, (1..=5).map(Value::Integer).collect::<Vec<_>>(), "the circle ends");
    let asset = catalog.plant.assets[0].id;
    let document = &kept(&[step])[&DetectorSnapshot::key(asset, "circle")];
    let recorded: DetectorSnapshot = serde_json::from_slice(document).unwrap();
    let stands = core.snapshots().into_iter().find(|snapshot| &*snapshot.detector == "circle").unwrap();
    assert_eq!(recorded, stands, "nothing the engine knows is missing in the record");
}

#[test]
fn notices_are_kept_until_it_is_known_what_became_of_them() {
    let catalog = catalog(PLANT);
    let mut core = Core::new(catalog.clone());
    core.start(at(0), &|_| None);
    let mut step = core.samples(at(1), &[temp(&catalog, 1, 91.0)]);
    step.keep_notices();
    let mut kept = kept(&[step]);
    let notices = kept_notices(&kept);
    assert_eq!(notices.iter().map(|notice| (&*notice.target, &*notice.message)).collect::<Vec<_>>(), [("lead", "Hot")]);
    kept.remove(&notices[0].key());
    assert_eq!(kept_notices(&kept), []);
}

#[test]
fn samples_of_the_future_are_refused_counted_and_told_once() {
    let catalog = catalog(PLANT);
    let mut core = Core::new(catalog.clone());
    core.start(at(0), &|_| None);
    let told = |step: &Step| (step.batch.events.len(), step.effects.len());
    let step = core.samples(at(0), &[temp(&catalog, 0, 20.0), temp(&catalog, 601, 21.0), temp(&catalog, 3_600, 22.0)]);
    assert_eq!(step.batch.points.len(), 1);
    assert_eq!(
        step.refused.iter().map(|refused| (refused.reason.name(), refused.count)).collect::<Vec<_>>(),
        [("ahead_of_clock", 2)]
    );
    assert_eq!(told(&step), (1, 1));
    let Effect::Trouble { source, reason } = &step.effects[0] else { panic!("{:?}", step.effects) };
    assert!(&**source == "plc" && reason.contains("10 minutes ahead"), "{source}: {reason}");
    let again = core.samples(at(1), &[temp(&catalog, 3_601, 22.0)]);
    assert_eq!((told(&again), again.refused[0].count), ((0, 0), 1));
    assert_eq!(core.samples(at(2), &[temp(&catalog, 602, 22.0)]).batch.points.len(), 1, "ten minutes ahead is let in");
}

#[test]
fn whether_writes_are_armed_survives_a_restart() {
    let catalog = catalog(PLANT);
    let mut core = Core::new(catalog.clone());
    let disarm = OperatorRequest {
        by: "a.lang".into(),
        deed: andon_models::operator::OperatorDeed::Arm { armed: false, span: None, take_over: false },
    };
    assert!(!core.armed(), "off until somebody arms");
    core.arm_first("a.lang", at(0), true);
    let on = core.start(at(0), &|_| None);
    let off = core.operator(at(1), &disarm);
    for (step, armed) in [(on, true), (off, false)] {
        let mut again = Core::new(catalog.clone());
        again.restore(&kept(&[step]), &|_| None);
        again.start(at(2), &|_| None);
        assert_eq!(again.armed(), armed);
    }
}

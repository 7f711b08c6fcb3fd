//! Alarms with delays, latch, repetition, escalation and suppression, as an engineer writes them.

use crate::{
    Action,
    testing::{Stage, assert_same, words},
};
use andon_models::{
    Timestamp, Value,
    event::{AlarmChange, EventBody},
};
use proptest::prelude::*;

/// A boiler whose one detector raises above 80 and clears below 75, with these settings of its alarm.
pub(super) fn boiler(settings: &str) -> Stage {
    let plant = "
plant: { name: Test, timezone: UTC }
sources:
  plc: { opcua: opc.tcp://127.0.0.1:4840 }
notify:
  lead: { email: lead@example.com }
  chief: { email: chief@example.com }
models:
  boiler:
    attributes:
      limit: { default: 80, unit: °C }
    measurements:
      temp:    { unit: °C, from: ns=2;s=Temp @plc }
      running: { type: bool, from: ns=2;s=Running @plc }
    detectors:
      hot:
        priority: medium
        message: It has {temp}
        response: Open the valve.
        alarm: { SETTINGS }
        initial: normal
        states:
          normal: { go: [ { when: temp > limit, to: hot } ] }
          hot:
            enter: [raise]
            go: [ { when: temp < limit - 5, to: normal, do: [clear] } ]
  line:
    children: { machines: boiler }
assets:
  Line 1:
    model: line
    machines:
      Boiler 1: { model: boiler, plc: plc }
";
    Stage::load(&plant.replace("SETTINGS", settings))
}

/// Plays a script; gives what concerns the alarm.
pub(super) fn alarms(stage: &mut Stage, script: &str) -> String {
    let played = stage.play(script);
    let lines: Vec<&str> = played.lines().filter(|line| line.contains("alarm ") || line.contains("> ")).collect();
    lines.iter().filter(|line| !line.contains(" -> hot (") && !line.contains("hot -> ")).copied().collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(settings: &str, script: &str, expected: &str) {
    assert_same(&alarms(&mut boiler(settings), script), expected);
}

#[test]
fn a_condition_must_stand_for_its_delay() {
    let script = "1 temp 85\n5 temp 70\n10 temp 85\n20 time\n100 time\n101 temp 70";
    check(
        "on_delay: 10s",
        script,
        "20s alarm raise: normal -> unacknowledged\n1m41s alarm clear: unacknowledged -> returned_unacknowledged",
    );
}

#[test]
fn a_condition_must_be_gone_for_its_delay() {
    let script = "1 temp 85\n5 temp 70\n10 temp 85\n60 time\n61 temp 70\n80 time";
    check(
        "off_delay: 10s",
        script,
        "1s alarm raise: normal -> unacknowledged\n1m11s alarm clear: unacknowledged -> returned_unacknowledged",
    );
}

#[test]
fn a_delay_ends_at_its_own_time_before_the_sample_of_that_time() {
    // The sample of 30 s breaks nothing any more: the delay was over at 11 s.
    check(
        "on_delay: 10s",
        "1 temp 85\n30 temp 70",
        "11s alarm raise: normal -> unacknowledged\n30s alarm clear: unacknowledged -> returned_unacknowledged",
    );
}

#[test]
fn a_latched_alarm_waits_for_its_reset() {
    check(
        "latch: true",
        "1 temp 85\n2 temp 70\n3 reset\n4 acknowledge\n5 reset checked",
        "1s alarm raise: normal -> unacknowledged
         2s alarm clear: unacknowledged -> latched_unacknowledged
         > refuse: acknowledge it before it is reset
         4s alarm acknowledge: latched_unacknowledged -> latched_acknowledged by kim
         5s alarm reset: latched_acknowledged -> normal by kim",
    );
}

#[test]
fn people_are_told_again_and_others_after_them() {
    check(
        "notify: lead, re_alarm: 2m, escalate: [ { after: 3m, notify: chief, priority: critical } ]",
        "1 temp 85\n125 time\n185 time\n300 time\n301 acknowledge\n2000 time",
        "1s alarm raise: normal -> unacknowledged
         > notify lead: It has 85 °C
         2m1s alarm re_alarm: unacknowledged -> unacknowledged
         > notify lead (re_alarm): It has 85 °C
         3m1s alarm escalate: unacknowledged -> unacknowledged
         > notify chief (escalate): It has 85 °C
         4m1s alarm re_alarm: unacknowledged -> unacknowledged
         > notify lead (re_alarm): It has 85 °C
         5m1s alarm acknowledge: unacknowledged -> acknowledged by kim",
    );
}

#[test]
fn what_stands_though_somebody_has_seen_it_comes_back() {
    check(
        "re_alarm_standing: 1h",
        "1 temp 85\n2 acknowledge\n3700 time",
        "1s alarm raise: normal -> unacknowledged
         2s alarm acknowledge: unacknowledged -> acknowledged by kim
         1h2s alarm re_alarm: acknowledged -> unacknowledged",
    );
}

#[test]
fn an_alarm_is_suppressed_while_the_plant_stands_so() {
    let mut stage = boiler("suppress_when: not running");
    // Nothing is known of `running` yet, so nothing is suppressed.
    assert_same(&alarms(&mut stage, "1 running false\n2 temp 85"), "1s alarm suppress: normal -> suppressed");
    assert_same(
        &alarms(&mut stage, "3 acknowledge\n4 unsuppress"),
        "> refuse: the alarm is suppressed by design\n> refuse: the alarm is suppressed by design, as long as the plant stands so",
    );
    assert_same(&alarms(&mut stage, "5 running true"), "5s alarm unsuppress: suppressed -> unacknowledged");
    assert_same(&alarms(&mut stage, "6 running bad"), "");
}

#[test]
fn a_plant_that_stops_and_cools_down_at_one_instant_says_nothing() {
    let mut stage = boiler("suppress_when: not running");
    stage.play("1 running true\n2 running false");
    let now = Timestamp::from_seconds(3);
    let points = [stage.point("temp", "90", now)];
    assert!(!words(&stage.samples(now, &points)).contains("alarm"));
    // The condition goes and the suppression ends with one batch.
    let now = Timestamp::from_seconds(4);
    let points = [stage.point("running", "true", now), stage.point("temp", "20", now)];
    assert_same(
        &words(&stage.samples(now, &points)),
        "4s hot -> normal (input temp) do clear\n4s alarm unsuppress: suppressed -> normal",
    );
}

#[test]
fn engineers_suppress_and_take_out_of_service_with_a_reason() {
    check(
        "",
        "1 suppress\n2 suppress pump is being changed\n3 temp 85\n4 remove sensor broken\n5 return\n6 unsuppress\n7 comment it drips",
        "> refuse: a suppression needs a note that says why
         2s alarm suppress: normal -> suppressed by kim
         4s alarm remove_from_service: suppressed -> out_of_service by kim
         5s alarm return_to_service: out_of_service -> suppressed by kim
         6s alarm unsuppress: suppressed -> unacknowledged by kim
         7s alarm comment: unacknowledged -> unacknowledged by kim",
    );
}

#[test]
fn an_alarm_may_begin_out_of_service() {
    let mut stage = boiler("out_of_service: true");
    assert_same(&alarms(&mut stage, "1 temp 85"), "");
    assert_same(&alarms(&mut stage, "2 return"), "2s alarm return_to_service: out_of_service -> unacknowledged by kim");
}

fn changes(actions: &[Action]) -> Vec<AlarmChange> {
    let change = |action: &Action| match action {
        Action::Record(event) => match &event.body {
            EventBody::Alarm(change) => Some(change.clone()),
            _ => None,
        },
        _ => None,
    };
    actions.iter().filter_map(change).collect()
}

#[test]
fn an_alarm_says_why() {
    let mut stage = boiler("on_delay: 10s, suppress_when: not running");
    stage.act("1 running true");
    stage.act("2 temp 85");
    let raised = changes(&stage.act("20 time")).remove(0);
    let why = &raised.explanation;
    assert_eq!((&*why.trigger, &*why.state, &*why.rule), ("input temp", "normal", "when temp > limit"));
    let timer = why.timer.as_ref().unwrap();
    assert_eq!(
        (&*timer.name, timer.started, timer.due),
        ("on delay 10s", Timestamp::from_seconds(2), Timestamp::from_seconds(12))
    );
    let inputs: Vec<_> =
        why.inputs.iter().map(|input| (&*input.name, input.value.to_string(), input.time, &*input.source)).collect();
    let at = Some(Timestamp::from_seconds(2));
    assert_eq!(inputs, [("temp", "85".into(), at, "opcua:plc"), ("limit", "80".into(), None, "attribute")]);
    assert!(why.steps.iter().any(|step| &*step.expression == "temp > limit" && step.result == Value::Boolean(true)));
    let suppressed = changes(&stage.act("30 running false")).remove(0);
    assert_eq!(&*suppressed.explanation.rule, "suppress_when not running");
    assert_eq!(&*suppressed.explanation.inputs[0].source, "opcua:plc");
}

#[test]
fn after_a_restart_nothing_is_told_again_and_what_was_missed_is_told_once() {
    let mut stage = boiler("notify: lead, on_delay: 5s, re_alarm: 1m, escalate: [ { after: 10m, notify: chief } ]");
    stage.play("1 temp 85");
    assert_same(&words(&stage.restart(Timestamp::from_seconds(3), None)), "");
    assert_same(&alarms(&mut stage, "10 time"), "6s alarm raise: normal -> unacknowledged\n> notify lead: It has 85 °C");
    assert_same(&words(&stage.restart(Timestamp::from_seconds(36_000), None)), "");
    let played = alarms(&mut stage, "36000 time");
    assert_eq!(played.matches("> notify lead").count(), 1, "{played}");
    assert_eq!(played.matches("> notify chief").count(), 1, "{played}");
    assert_same(&alarms(&mut stage, "36001 time"), "");
}

/// Everything at once, for restarts at any place.
const EVERYTHING: &str = "notify: lead, latch: true, on_delay: 3s, off_delay: 2s, re_alarm: 10s, re_alarm_standing: 20s, \
    suppress_when: not running, escalate: [ { after: 5s, notify: chief }, { after: 9s, priority: critical } ]";

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn restart_is_no_restart_for_alarms(
        moves in prop::collection::vec((0u64..8_000, 0usize..16), 1..60),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let deeds = [
            "temp 85", "temp 85", "temp 70", "temp 70", "temp bad", "running true", "running false", "time", "time",
            "acknowledge", "reset", "shelve 5s note", "unshelve", "suppress note", "unsuppress", "comment hm",
        ];
        let mut millis = 0;
        let script: Vec<String> = moves.iter().map(|(wait, deed)| {
            millis += wait;
            format!("{}.{:03} {}", millis / 1_000, millis % 1_000, deeds[*deed])
        }).collect();
        let cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(script.len())).collect();
        let (mut steady, mut restarted) = (boiler(EVERYTHING), boiler(EVERYTHING));
        for (position, line) in script.iter().enumerate() {
            if cuts.contains(&position) {
                prop_assert!(restarted.restart(Timestamp::EPOCH, None).is_empty(), "a restart asked for something");
            }
            prop_assert_eq!(steady.act(line), restarted.act(line), "after {}", line);
        }
    }
}

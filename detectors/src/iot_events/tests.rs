//! What the lines of `tests/iot_events` cannot show: restarts, failures inside, many instances, nesting.

use super::*;
use andon_models::{
    Timestamp,
    detector::StateIndex,
    iot_events::{self, DetectorModel, State},
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::{ops::ControlFlow, sync::Arc};

const MODEL: &str = r#"{
  "detectorModelName": "watch", "key": "id",
  "detectorModelDefinition": { "initialStateName": "quiet", "states": [
    { "stateName": "quiet",
      "onEnter": { "events": [{ "eventName": "begin", "condition": "isUndefined($variable.n)", "actions": [
        { "setVariable": { "variableName": "n", "value": "0" } }, { "setTimer": { "timerName": "beat", "seconds": 90 } }] }] },
      "onInput": {
        "events": [{ "eventName": "count", "condition": "currentInput('in')", "actions": [
          { "setVariable": { "variableName": "n", "value": "$variable.n + 1" } }] }],
        "transitionEvents": [{ "eventName": "up", "condition": "$input.in.v > 50", "nextState": "loud" }] } },
    { "stateName": "loud",
      "onEnter": { "events": [{ "eventName": "tell", "actions": [
        { "setTimer": { "timerName": "calm", "durationExpression": "$input.in.v" } },
        { "sns": { "targetArn": "people" } }] }] },
      "onInput": {
        "events": [{ "eventName": "again", "condition": "timeout('beat')", "actions": [{ "resetTimer": { "timerName": "beat" } }] }],
        "transitionEvents": [
          { "eventName": "down", "condition": "timeout('calm') && $input.in.v <= 50", "nextState": "quiet" },
          { "eventName": "up", "condition": "$input.other.v > $input.in.v", "nextState": "loud" }] } }
  ] } }"#;

fn model() -> Arc<DetectorModel> {
    let document = iot_events::read(MODEL, "model");
    assert!(document.findings.iter().all(|finding| finding.level != iot_events::Level::Error), "{:?}", document.findings);
    Arc::new(document.models.into_iter().next().unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(1_767_225_600 + second)
}

fn send(engine: &mut EventEngine, second: i64, input: &str, payload: Json, lines: &mut Vec<String>) -> Result<(), Refusal> {
    let payload = Arc::new(payload);
    let mut sink = |evaluation: Evaluation<'_>| lines.push(evaluation.to_json().to_string());
    assert!(engine.time(at(second), usize::MAX, &mut sink));
    engine.message(at(second), Message { input, payload: &payload, id: Some(&"m".into()), retained: false }, &mut sink)
}

#[test]
fn an_instance_that_fails_inside_is_alone() {
    let mut engine = EventEngine::new(&model());
    let mut lines = Vec::new();
    for key in ["A", "B"] {
        send(&mut engine, 0, "in", json!({ "id": key, "v": 1 }), &mut lines).unwrap();
    }
    engine.poison("A");
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    assert_eq!(send(&mut engine, 1, "in", json!({ "id": "A", "v": 1 }), &mut lines), Err(Refusal::Quarantined));
    std::panic::set_hook(hook);
    assert_eq!(send(&mut engine, 2, "in", json!({ "id": "A", "v": 1 }), &mut lines), Err(Refusal::Quarantined));
    assert_eq!(send(&mut engine, 3, "in", json!({ "id": "B", "v": 1 }), &mut lines), Ok(()));
    assert_eq!(lines.len(), 3);
    send(&mut engine, 500, "in", json!({ "id": "B", "v": 1 }), &mut lines).unwrap();
    assert!(lines.iter().skip(3).all(|line| line.contains(r#""key":"B""#)), "its timers are gone: {lines:?}");
}

#[test]
fn only_what_is_read_of_a_large_message_is_kept() {
    let mut engine = EventEngine::new(&model());
    let mut lines = Vec::new();
    send(&mut engine, 0, "in", json!({ "id": "A", "v": 7, "more": "x".repeat(5_000) }), &mut lines).unwrap();
    assert_eq!(engine.snapshot(Some("A")).unwrap().inputs, [("in".into(), json!({ "v": 7 }))]);
    send(&mut engine, 1, "in", json!({ "id": "A", "v": 7, "more": "x" }), &mut lines).unwrap();
    assert_eq!(engine.snapshot(Some("A")).unwrap().inputs[0].1["more"], "x");
}

#[test]
fn a_message_costs_the_same_among_many_instances() {
    const MANY: usize = 20_000;
    let mut engine = EventEngine::new(&model());
    for number in 0..MANY {
        let payload = Arc::new(json!({ "id": number, "v": 1 }));
        engine.message(at(0), Message { input: "in", payload: &payload, id: None, retained: false }, &mut |_| {}).unwrap();
    }
    assert_eq!((engine.count(), engine.next_due()), (MANY, Some(at(90))));
    let mut fired = 0;
    assert!(!engine.time(at(90), 10, &mut |_| fired += 1), "no more than asked for go off at once");
    assert!(engine.time(at(90), usize::MAX, &mut |_| fired += 1));
    assert_eq!((fired, engine.next_due()), (MANY, None));
}

/// A state inside a group, with what both do.
#[test]
fn groups_act_after_their_states_and_are_left_only_when_left() {
    let text = r#"{ "initialStateName": "a", "states": [
        { "stateName": "group", "onEnter": { "events": [{ "eventName": "in group" }] }, "onExit": { "events": [{ "eventName": "out of group" }] },
          "onInput": { "events": [{ "eventName": "group event" }], "transitionEvents": [{ "eventName": "out", "condition": "$input.in.v > 2", "nextState": "c" }] } },
        { "stateName": "a", "onInput": { "events": [{ "eventName": "a event" }], "transitionEvents": [{ "eventName": "to b", "condition": "$input.in.v > 1", "nextState": "b" }] } },
        { "stateName": "b", "onExit": { "events": [{ "eventName": "out of b" }] } },
        { "stateName": "c" } ] }"#;
    let mut model = iot_events::read(text, "model").models.remove(0);
    model.states[0].initial = Some(StateIndex(1));
    for state in &mut model.states[1..3] {
        state.parent = Some(StateIndex(0));
    }
    let notes = |state: &mut State| {
        for event in
            state.on_enter.iter_mut().chain(&mut state.on_input).chain(&mut state.transitions).chain(&mut state.on_exit)
        {
            let action = format!(
                r#"{{ "initialStateName": "s", "states": [{{ "stateName": "s", "onEnter": {{ "events": [{{ "eventName": "{}",
                "actions": [{{ "clearTimer": {{ "timerName": "t" }} }}] }}] }} }}] }}"#,
                event.name
            );
            event.actions = iot_events::read(&action, "x").models.remove(0).states.remove(0).on_enter.remove(0).actions;
        }
    };
    model.states.iter_mut().for_each(notes);
    let mut simulation = Simulation::new(&Arc::new(model), false);
    let mut lines = Vec::new();
    for v in [0, 2, 3] {
        let text = format!(r#"{{"time":"2026-01-01T00:00:00Z","input":"in","payload":{{"v":{v}}}}}"#);
        let flow = simulation.line(&text, &mut |evaluation| {
            let events: Vec<_> =
                evaluation.actions().iter().map(|action| format!("{}: {}", action.at.name(), action.event)).collect();
            lines.push(format!("{} | {}", evaluation.state(), events.join(", ")));
            ControlFlow::Continue(())
        });
        assert_eq!(flow, ControlFlow::Continue(vec![]));
    }
    assert_eq!(
        lines,
        [
            "a | onEnter: in group, onInput: a event, onInput: group event",
            "b | onInput: a event, onInput: group event, transition: to b",
            "c | onInput: group event, transition: out, onExit: out of b, onExit: out of group",
        ]
    );
}

#[derive(Clone, Debug)]
struct Step {
    after: i64,
    input: &'static str,
    key: u8,
    value: i64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..80_i64, prop_oneof![Just("in"), Just("other"), Just("none")], 0..3_u8, 0..120_i64);
    proptest::collection::vec(step.prop_map(|(after, input, key, value)| Step { after, input, key, value }), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Restarting between any two messages changes nothing.
    #[test]
    fn a_restart_is_no_event(steps in steps(), restarts in proptest::collection::vec(any::<bool>(), 40)) {
        let model = model();
        let (mut one, mut other) = (EventEngine::new(&model), EventEngine::new(&model));
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        let mut second = 0;
        for (step, restart) in steps.iter().zip(restarts) {
            second += step.after;
            let payload = json!({ "id": format!("K{}", step.key), "v": step.value });
            let _ = send(&mut one, second, step.input, payload.clone(), &mut expected);
            if restart {
                let kept: Vec<_> = other.snapshots().map(|snapshot| serde_json::to_string(&snapshot).unwrap()).collect();
                other = EventEngine::new(&model);
                for snapshot in kept {
                    prop_assert!(other.restore(serde_json::from_str(&snapshot).unwrap()));
                }
            }
            let _ = send(&mut other, second, step.input, payload, &mut found);
        }
        prop_assert_eq!(expected, found);
    }
}

#[test]
fn a_state_that_is_gone_starts_anew() {
    let mut engine = EventEngine::new(&model());
    send(&mut engine, 0, "in", json!({ "id": "A", "v": 1 }), &mut Vec::new()).unwrap();
    let mut snapshot = engine.snapshot(Some("A")).unwrap();
    snapshot.state = "removed".into();
    let mut engine = EventEngine::new(&model());
    assert!(!engine.restore(snapshot));
    let mut lines = Vec::new();
    send(&mut engine, 1, "in", json!({ "id": "A", "v": 1 }), &mut lines).unwrap();
    assert!(lines[0].contains(r#""from":null"#));
}

#[test]
fn a_move_is_explained() {
    let mut engine = EventEngine::new(&model()).explaining();
    let payload = Arc::new(json!({ "id": "A", "v": 60 }));
    let mut shown = String::new();
    let mut sink = |evaluation: Evaluation<'_>| {
        let explanation = evaluation.explanation().unwrap();
        let inputs: Vec<_> = explanation.inputs.iter().map(|input| format!("{} = {}", input.name, input.value)).collect();
        shown = format!("{} | {} | {}", explanation.trigger, explanation.rule, inputs.join(", "));
    };
    engine.message(at(0), Message { input: "in", payload: &payload, id: None, retained: false }, &mut sink).unwrap();
    assert_eq!(shown, "input in | $input.in.v > 50 | $input.in.v = 60");
}

#[test]
fn what_a_broker_kept_is_taken_once() {
    let mut engine = EventEngine::new(&model());
    let say = |engine: &mut EventEngine, value: i64, retained: bool| {
        let mut evaluations = 0;
        let payload = Arc::new(json!({ "id": "A", "v": value }));
        engine
            .message(at(0), Message { input: "in", payload: &payload, id: None, retained }, &mut |_| evaluations += 1)
            .unwrap();
        evaluations
    };
    assert_eq!([say(&mut engine, 1, true), say(&mut engine, 1, true), say(&mut engine, 1, false)], [1, 0, 1]);
    assert_eq!(say(&mut engine, 2, true), 1, "it changed while nobody was connected");
    let mut again = EventEngine::new(&model());
    again.restore(engine.snapshot(Some("A")).unwrap());
    assert_eq!([say(&mut again, 2, true), say(&mut again, 3, true)], [0, 1]);
}

#[test]
fn a_clock_that_goes_back_takes_timers_along() {
    let text = r#"{ "initialStateName": "a", "states": [{ "stateName": "a", "onInput": { "events": [
        { "eventName": "set", "condition": "currentInput('in')", "actions": [{ "setTimer": { "timerName": "t", "seconds": 60 } }] },
        { "eventName": "due", "condition": "timeout('t')", "actions": [{ "setVariable": { "variableName": "n", "value": "1" } }] }] } }] }"#;
    let model = Arc::new(andon_models::iot_events::read(text, "clock").models.remove(0));
    let set = |second| {
        let mut engine = EventEngine::new(&model);
        send(&mut engine, second, "in", json!({}), &mut Vec::new()).unwrap();
        engine
    };
    // Ten seconds into the minute the clock goes back by ten years: fifty are left.
    let years = 10 * 365 * 86_400;
    let mut engine = set(years);
    engine.time(at(years + 10), 10, &mut |_| {});
    engine.set_clock(at(10));
    assert_eq!((engine.next_due(), engine.now()), (Some(at(60)), at(10)));
    // After a restart nobody knows how far it went back; a minute is the most that can be left.
    let mut again = EventEngine::new(&model);
    assert!(again.restore(set(years).snapshot(None).unwrap()));
    again.set_clock(at(10));
    assert_eq!(again.next_due(), Some(at(70)));
    // A clock that goes on leaves them alone.
    let mut engine = set(0);
    engine.set_clock(at(30));
    assert_eq!(engine.next_due(), Some(at(60)));
}

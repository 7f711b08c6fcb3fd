//! Models out and in again.

use super::*;
use crate::iot_events::{finding::Findings, read as read_document, tidy};

/// Three states that all go to `fault`, two of which count.
const MODEL: &str = r#"{ "key": "id", "evaluationMethod": "SERIAL", "detectorModelDescription": "a press", "detectorModelDefinition": {
  "initialStateName": "idle", "states": [
  { "stateName": "idle", "onInput": { "events": [{ "eventName": "count", "actions": [{ "setVariable": { "variableName": "n", "value": "$variable.n + 1" } }] }],
      "transitionEvents": [{ "eventName": "start", "condition": "$input.press.run == true", "nextState": "work" }, { "eventName": "fault", "condition": "$input.press.fault == true", "nextState": "fault" }] } },
  { "stateName": "work", "onEnter": { "events": [{ "eventName": "zero", "actions": [{ "setVariable": { "variableName": "n", "value": "0" } }] }] },
      "onInput": { "events": [{ "eventName": "count", "actions": [{ "setVariable": { "variableName": "n", "value": "$variable.n + 1" } }] }],
      "transitionEvents": [{ "eventName": "stop", "condition": "$input.press.run == false", "nextState": "idle" }, { "eventName": "fault", "condition": "$input.press.fault == true", "nextState": "fault" }] } },
  { "stateName": "test", "onInput": { "transitionEvents": [{ "eventName": "fault", "condition": "$input.press.fault == true", "nextState": "fault" }] } },
  { "stateName": "fault", "onEnter": { "events": [{ "eventName": "tell", "condition": "true", "actions": [
        { "sns": { "targetArn": "arn:x", "payload": { "contentExpression": "'${$variable.n} cycles'", "type": "STRING" } } },
        { "iotSiteWise": { "propertyAlias": "'/press/n'", "propertyValue": { "value": { "integerValue": "$variable.n" } } } },
        { "sqs": { "queueUrl": "q", "useBase64": true } }, { "setTimer": { "timerName": "t", "seconds": 60 } }] }] },
      "onInput": { "transitionEvents": [{ "eventName": "mended", "condition": "timeout('t')", "nextState": "idle" }] } } ] } }"#;

fn sample() -> DetectorModel {
    read_document(MODEL, "press").models.remove(0)
}

fn again(value: &Value) -> (Option<DetectorModel>, Vec<String>) {
    let findings = Findings::default();
    let read = model("press", &Cursor::new(value, "detectors.press", &findings));
    (read.map(|(model, _)| model), findings.into_vec().iter().map(ToString::to_string).collect())
}

#[test]
fn what_is_written_reads_as_the_same_model() {
    let model = sample();
    assert_eq!(again(&write(&model)), (Some(model.clone()), vec![]));
    let (tidied, saved) = tidy(&model);
    assert_eq!(saved, 3, "two `fault` and one `count`");
    assert_eq!(again(&write(&tidied)), (Some(tidied), vec![]));
}

#[test]
fn repeated_rules_are_folded_from_the_end() {
    let (tidied, _) = tidy(&sample());
    let shown = |state: &State| {
        let names = |events: &[Event]| events.iter().map(|event| &*event.name).collect::<Vec<_>>().join(" ");
        let parent = state.parent.map_or("", |parent| &tidied.state(parent).name);
        format!("{parent}/{}: {} | {}", state.name, names(&state.on_input), names(&state.transitions))
    };
    assert_eq!(
        tidied.states.iter().map(shown).collect::<Vec<_>>(),
        [
            "/some states:  | fault",
            "some states/some states 2: count | ",
            "some states 2/idle:  | start",
            "some states 2/work:  | stop",
            "some states/test:  | ",
            "/fault:  | mended",
        ]
    );
    assert_eq!(&*tidied.state(tidied.initial).name, "idle");
    assert_eq!(tidy(&tidied).1, 0, "there is nothing left to fold");
}

#[test]
fn mistakes_have_their_path() {
    let wrong = json!({ "initial": "a", "stats": {}, "states": {
        "a": { "go": [{ "event": "x", "to": "bb", "when": "1 +" }, { "event": "y", "when": "true", "to": "bbb" }] },
        "bb": { "initial": "a", "states": { "c": null, "a": {} } },
        "d": { "initial": "c" },
    } });
    let (model, shown) = again(&wrong);
    assert!(model.is_some(), "what is right is read on; the caller counts the errors");
    for expected in [
        "error: detectors.press.stats: there is no member `stats` here; did you mean `states`? [structure]",
        "error: detectors.press.states.a.go[1].to: there is no state `bbb`; did you mean `bb`? [structure]",
        "error: detectors.press.states.bb.states.a: there are two states `a`; a name is given once in a detector, at any depth [structure]",
        "error: detectors.press.states.bb.initial: `a` is not inside `bb` [structure]",
        "error: detectors.press.states.d.initial: only a state with `states` inside has an initial one [structure]",
    ] {
        assert!(shown.iter().any(|line| line == expected), "{expected}\nin\n{}", shown.join("\n"));
    }
    assert!(shown.iter().any(|line| line.starts_with("error: detectors.press.states.a.go[0].when: ")), "{shown:?}");
}

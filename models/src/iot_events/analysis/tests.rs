//! Documents in, doubts out.

use crate::iot_events::read;
use serde_json::{Value, json};

fn findings(document: &Value) -> Vec<String> {
    read(&document.to_string(), "file").findings.iter().map(ToString::to_string).collect()
}

fn event(name: &str, condition: &str, actions: Value) -> Value {
    json!({ "eventName": name, "condition": condition, "actions": actions })
}

fn one_state(events: Value) -> Value {
    json!({ "initialStateName": "s", "states": [{ "stateName": "s", "onInput": { "events": events } }] })
}

#[test]
fn limits_of_aws_are_warnings() {
    let actions: Vec<Value> = (0..11).map(|_| json!({ "clearTimer": { "timerName": "t" } })).collect();
    let long = format!("'{}'", "x".repeat(1_100));
    let document = one_state(json!([
        event("many", "$input.a.b > 1", json!(actions)),
        event(
            "short",
            "$input.a.b > 1",
            json!([{ "setTimer": { "timerName": "t", "seconds": 5 } }, { "setTimer": { "timerName": "t", "durationExpression": "30" } }])
        ),
        event(
            "long",
            "$input.a.b > 1",
            json!([{ "sns": { "targetArn": "x", "payload": { "contentExpression": long, "type": "STRING" } } }])
        ),
    ]));
    assert_eq!(
        findings(&document),
        [
            "warning: states[0].onInput.events[0].actions: there are 11 actions; AWS allows 10 of an event [service-limits]",
            "warning: states[0].onInput.events[1].actions[0].setTimer.seconds: the timer runs 5 s; AWS asks for at least 60 s [service-limits]",
            "warning: states[0].onInput.events[1].actions[1].setTimer.durationExpression: the timer runs 30 s; AWS asks for at least 60 s [service-limits]",
            "warning: states[0].onInput.events[2].actions[0].sns.payload.contentExpression: the expression is longer than 1024 bytes [service-limits]",
        ]
    );
    let states: Vec<Value> = (0..21)
        .map(|number| {
            json!({ "stateName": format!("s{number}"), "onInput": { "transitionEvents": [
            { "eventName": "on", "condition": "$input.a.b > 1", "nextState": format!("s{}", (number + 1) % 21) }] } })
        })
        .collect();
    assert_eq!(
        findings(&json!({ "initialStateName": "s0", "states": states })),
        ["warning: states: there are 21 states; AWS allows 20 [service-limits]"]
    );
}

#[test]
fn what_is_never_reached_is_told() {
    let way = |name: &str, condition: &str, next: &str| json!({ "eventName": name, "condition": condition, "nextState": next });
    let document = json!({ "initialStateName": "a", "states": [
        { "stateName": "a", "onInput": { "events": [event("off", "false", json!([]))], "transitionEvents": [
            way("sure", "true", "a"), way("shadowed", "$input.x.y > 1", "b"), way("dead", "false", "c")] } },
        { "stateName": "b", "onInput": { "transitionEvents": [way("back", "timeout('t') && $input.x.y > 1", "a")] },
          "onEnter": { "events": [event("arm", "true", json!([{ "setTimer": { "timerName": "t", "seconds": 60 } }]))] } },
        { "stateName": "c" },
    ] });
    assert_eq!(
        findings(&document),
        [
            "warning: states[2]: no transition leads to the state `c` [structure]",
            "warning: states[0].onInput.events[0].condition: the condition never holds, so its actions are never done [structure]",
            "warning: states[0].onInput.transitionEvents[1]: the transition is never taken: `sure` before it always is [structure]",
            "warning: states[0].onInput.transitionEvents[2].condition: the condition never holds, so the transition is never taken [structure]",
            "warning: states[0].onInput.transitionEvents[2]: the transition is never taken: `sure` before it always is [structure]",
            "info: states[1].onInput.transitionEvents[0].condition: when the timer `t` goes off, $input.x.y is that of the last message [structure]",
        ]
    );
}

#[test]
fn a_model_without_inputs_and_a_timer_that_never_rests() {
    let document = one_state(json!([event(
        "beat",
        "timeout('t')",
        json!([
        { "setTimer": { "timerName": "t", "seconds": 60 } }, { "sns": { "targetArn": "x" } }])
    )]));
    assert_eq!(
        findings(&document),
        [
            "warning: states: no expression uses an input, so every message reaches it; AWS would not publish it [structure]",
            "info: states[0].onInput.events[0].actions[0].setTimer: the timer `t` starts itself again and sends something every 60 s while the state lasts [structure]",
        ]
    );
}

#[test]
fn types_that_do_not_go_together_are_told() {
    let site_wise = json!({ "iotSiteWise": { "propertyAlias": "'/a'", "propertyValue": { "value": { "doubleValue": "'x'", "integerValue": "'5'", "booleanValue": "$input.a.n + 1" } } } });
    let document = one_state(json!([
        event("number", "$input.a.n + 1", json!([])),
        event("two types", "$input.a.n == 'x' && $input.a.n > 2", json!([])),
        event(
            "never",
            "$input.a.ok == true && 5 == 'x'",
            json!([
            { "setVariable": { "variableName": "v", "value": "5" } }, { "setVariable": { "variableName": "v", "value": "'x'" } },
            { "setTimer": { "timerName": "t", "durationExpression": "'soon'" } }, site_wise])
        ),
        event(
            "payload",
            "currentInput('a')",
            json!([
            { "sns": { "targetArn": "x", "payload": { "contentExpression": "'{\"a\": ${$input.a.ok + \"x\"}, \"b\": \"${'t'}\"}'", "type": "JSON" } } },
            { "sns": { "targetArn": "x", "payload": { "contentExpression": "5", "type": "JSON" } } },
            { "sns": { "targetArn": "x", "payload": { "contentExpression": "'{'", "type": "JSON" } } },
            { "sns": { "targetArn": "x", "payload": { "contentExpression": "{}", "type": "JSON" } } }])
        ),
    ]));
    let shown = findings(&document);
    for expected in [
        "warning: states[0].onInput.events[0].condition: a condition is a Boolean; this is a number, so it never holds [data-type]",
        "warning: states[0].onInput.events[1].condition: `$input.a.n` is used as a text here, and as a number at states[0].onInput.events[0].condition [data-type]",
        "warning: states[0].onInput.events[2].actions[1].setVariable.value: `$variable.v` is used as a text here, and as a number at states[0].onInput.events[2].actions[0].setVariable.value [data-type]",
        "warning: states[0].onInput.events[2].actions[2].setTimer.durationExpression: this is a number, but the expression is a text [data-type]",
        "warning: states[0].onInput.events[2].actions[3].iotSiteWise.propertyValue.value.doubleValue: this is a number, but the expression is a text [data-type]",
        "warning: states[0].onInput.events[2].actions[3].iotSiteWise.propertyValue.value.booleanValue: this is true or false, but the expression is a number [data-type]",
        "warning: states[0].onInput.events[3].actions[0].sns.payload.contentExpression: `$input.a.ok + \"x\"` is a text and stands bare in JSON; put it in double quotes [data-type]",
        "warning: states[0].onInput.events[3].actions[1].sns.payload.contentExpression: a JSON payload is a text that holds JSON; this is a number [expression-syntax]",
    ] {
        assert!(shown.iter().any(|line| line == expected), "{expected}\nis not in\n{}", shown.join("\n"));
    }
    let begins = |start: &str| assert!(shown.iter().any(|line| line.starts_with(start)), "{start}\nin\n{}", shown.join("\n"));
    begins("warning: states[0].onInput.events[2].condition: `==` takes");
    begins("warning: states[0].onInput.events[3].actions[2].sns.payload.contentExpression: the payload is not JSON");
    begins("warning: states[0].onInput.events[3].actions[3].sns.payload.contentExpression: ");
    assert!(!shown.iter().any(|line| line.contains("integerValue")), "'5' is a number as the guide writes it");
}

#[test]
fn what_is_used_and_not_set_or_not_defined_is_told_and_never_fatal() {
    let definition = one_state(json!([
        event("count", "true", json!([{ "setVariable": { "variableName": "n", "value": "$variable.n + 1" } }])),
        event("unset", "$variable.unset != $variable.unset", json!([])),
        event("late", "timeout('beet') && $input.oven.temp > 1", json!([{ "resetTimer": { "timerName": "beat" } }])),
        event(
            "other",
            "currentInput('ovn') && $input.oven.pressure > 1",
            json!([{ "setTimer": { "timerName": "beat", "seconds": 60 } }])
        ),
    ]));
    let document = json!({ "Resources": {
        "Oven": { "Type": "AWS::IoTEvents::Input", "Properties": { "InputName": "oven", "InputDefinition": { "Attributes": [{ "JsonPath": "temp" }] } } },
        "Model": { "Type": "AWS::IoTEvents::DetectorModel", "Properties": { "DetectorModelDefinition": definition, "RoleArn": "x" } },
    } });
    let at = "Resources.Model.Properties.DetectorModelDefinition.states[0].onInput.events";
    assert_eq!(
        findings(&document),
        [
            format!(
                "info: {at}[2].condition: when the timer `beet` goes off, $input.oven.temp is that of the last message [structure]"
            ),
            format!(
                "info: {at}[0].actions[0].setVariable.value: the variable `n` may be read before it is set; it is undefined then [referenced-data]"
            ),
            format!("warning: {at}[1].condition: the variable `unset` is never set, so it is undefined [referenced-data]"),
            format!("warning: {at}[2].condition: the timer `beet` is never set; did you mean `beat`? [referenced-data]"),
            format!("warning: {at}[3].condition: there is no input `ovn`; did you mean `oven`? [referenced-resource]"),
            format!(
                "warning: {at}[3].condition: the input `oven` defines no attribute for $input.oven.pressure; it has temp [referenced-resource]"
            ),
        ]
    );
}

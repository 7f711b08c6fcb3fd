//! Alarm models of AWS IoT Events over messages: imported, they move as AWS's table says, in every state and by everything that can
//! happen, with and without an acknowledge flow.

use andon_detectors::iot_events::Simulation;
use andon_models::{
    cloudformation::Parameters,
    definition::Plant,
    import::{Import, Imported},
    plant_file,
};
use serde_json::{Value, json};
use std::ops::ControlFlow;

/// The plant file that comes of an alarm model over messages, and what was said.
fn imported(more: &Value) -> (Plant, Imported) {
    let mut model = json!({
        "alarmModelName": "TooHot", "roleArn": "r", "severity": 2, "key": "machine",
        "alarmRule": { "simpleRule": {
            "inputProperty": "$input.Press.sensor.temp", "comparisonOperator": "GREATER", "threshold": "'80'" } },
    });
    for (member, value) in more.as_object().into_iter().flatten() {
        model[member] = value.clone();
    }
    let mut import = Import::new(Parameters::none());
    import.add("alarm.json", &model.to_string());
    let imported = import.finish();
    let loaded = plant_file::load(&[("plant.yaml".into(), imported.yaml.clone())], &|_| None);
    (loaded.plant.unwrap_or_else(|| panic!("{:#?}\n{}", loaded.diagnostics, imported.yaml)), imported)
}

fn capabilities(acknowledge: bool, disabled: bool) -> Value {
    json!({ "alarmCapabilities": {
        "acknowledgeFlow": { "enabled": acknowledge },
        "initializationConfiguration": { "disabledOnInitialization": disabled } } })
}

/// Where the alarm is after each of these, with `+` where it moved.
fn states(more: &Value, events: &str) -> Vec<String> {
    let (plant, _) = imported(more);
    let mut simulation = Simulation::new(&plant.detectors[0], false);
    let mut second = 0;
    let mut states = Vec::new();
    for event in events.split_whitespace() {
        second += 1;
        let message = |input: &str, payload: Value| json!({ "input": input, "payload": payload });
        let mut line = match event {
            "true" => message("Press", json!({ "machine": "M-1", "sensor": { "temp": 90 } })),
            "false" => message("Press", json!({ "machine": "M-1", "sensor": { "temp": 70 } })),
            "nothing" => message("Press", json!({ "machine": "M-1", "sensor": {} })),
            "TimeOver" => {
                second += 100;
                json!({})
            }
            "Snooze" => message("TooHot_alarm", json!({ "machine": "M-1", "action": "SNOOZE", "seconds": 60 })),
            "SnoozeForEver" => message("TooHot_alarm", json!({ "machine": "M-1", "action": "SNOOZE" })),
            other => message("TooHot_alarm", json!({ "machine": "M-1", "action": other.to_uppercase() })),
        };
        line["time"] = json!(format!("2026-01-01T00:{:02}:{:02}Z", second / 60, second % 60));
        let mut last = None;
        let _ = simulation.line(&line.to_string(), &mut |evaluation| {
            let evaluation = evaluation.to_json();
            assert_eq!(evaluation["failures"], json!([]), "{event}: {evaluation}");
            last = Some(evaluation);
            ControlFlow::Continue(())
        });
        let before = states.last().map(|state: &String| state.trim_end_matches('+').to_owned());
        states.push(match last {
            Some(last) => {
                let state = last["state"].as_str().expect("each evaluation says its state");
                let moved = before.as_deref().is_some_and(|before| before != state);
                format!("{state}{}", if moved { "+" } else { "" })
            }
            None => before.unwrap_or_default(),
        });
    }
    states
}

/// State, how it gets there, event, and where that leads with and without an acknowledge flow; `-` where there is no such state.
/// Source: AWS IoT Events, "alarm state" and `AlarmState` of the API.
const TABLE: &str = "
    DISABLED         Disable                         Enable       NORMAL           NORMAL
    DISABLED         Disable                         true         DISABLED         DISABLED
    DISABLED         Disable                         Acknowledge  DISABLED         DISABLED
    DISABLED         Disable                         Reset        DISABLED         DISABLED
    DISABLED         Disable                         Snooze       DISABLED         DISABLED
    NORMAL           false                           Disable      DISABLED         DISABLED
    NORMAL           false                           true         ACTIVE           ACTIVE
    NORMAL           false                           false        NORMAL           NORMAL
    NORMAL           false                           nothing      NORMAL           NORMAL
    NORMAL           false                           Acknowledge  NORMAL           NORMAL
    NORMAL           false                           Reset        NORMAL           NORMAL
    NORMAL           false                           Snooze       SNOOZE_DISABLED  SNOOZE_DISABLED
    NORMAL           false                           SnoozeForEver NORMAL          NORMAL
    ACTIVE           true                            Disable      DISABLED         DISABLED
    ACTIVE           true                            true         ACTIVE           ACTIVE
    ACTIVE           true                            false        LATCHED          NORMAL
    ACTIVE           true                            nothing      ACTIVE           ACTIVE
    ACTIVE           true                            Acknowledge  ACKNOWLEDGED     ACTIVE
    ACTIVE           true                            Reset        NORMAL           NORMAL
    ACTIVE           true                            Snooze       SNOOZE_DISABLED  SNOOZE_DISABLED
    LATCHED          true,false                      Disable      DISABLED         -
    LATCHED          true,false                      true         ACTIVE           -
    LATCHED          true,false                      false        LATCHED          -
    LATCHED          true,false                      Acknowledge  NORMAL           -
    LATCHED          true,false                      Reset        NORMAL           -
    LATCHED          true,false                      Snooze       SNOOZE_DISABLED  -
    ACKNOWLEDGED     true,Acknowledge                Disable      DISABLED         -
    ACKNOWLEDGED     true,Acknowledge                true         ACKNOWLEDGED     -
    ACKNOWLEDGED     true,Acknowledge                false        NORMAL           -
    ACKNOWLEDGED     true,Acknowledge                Reset        NORMAL           -
    ACKNOWLEDGED     true,Acknowledge                Snooze       SNOOZE_DISABLED  -
    SNOOZE_DISABLED  true,Snooze                     Disable      DISABLED         DISABLED
    SNOOZE_DISABLED  true,Snooze                     true         SNOOZE_DISABLED  SNOOZE_DISABLED
    SNOOZE_DISABLED  true,Snooze                     false        SNOOZE_DISABLED  SNOOZE_DISABLED
    SNOOZE_DISABLED  true,Snooze                     Reset        NORMAL           NORMAL
    SNOOZE_DISABLED  true,Snooze                     Snooze       SNOOZE_DISABLED  SNOOZE_DISABLED
    SNOOZE_DISABLED  true,Snooze                     TimeOver     NORMAL           NORMAL
";

#[test]
fn the_transition_table_of_iot_events_over_messages() {
    for line in TABLE.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [from, way, event, on, off] = words[..] else { panic!("{line}") };
        for (acknowledge, to) in [(true, on), (false, off)].into_iter().filter(|(_, to)| *to != "-") {
            let way = format!("false {} {event}", way.replace(',', " "));
            let passed = states(&capabilities(acknowledge, false), &way);
            let [.., before, after] = &passed[..] else { panic!("{passed:?}") };
            assert_eq!((before.trim_end_matches('+'), after.trim_end_matches('+')), (from, to), "{line} (flow {acknowledge})");
        }
    }
}

#[test]
fn it_starts_disabled_and_without_acknowledgement_unless_it_says_otherwise() {
    assert_eq!(
        states(&json!({}), "true Enable true Acknowledge false"),
        ["DISABLED", "NORMAL+", "ACTIVE+", "ACTIVE", "NORMAL+"]
    );
    // After a snooze the next message decides, also of one that was acknowledged.
    let flow = capabilities(true, false);
    assert_eq!(
        states(&flow, "true Acknowledge Snooze TimeOver true"),
        ["ACTIVE", "ACKNOWLEDGED+", "SNOOZE_DISABLED+", "NORMAL+", "ACTIVE+"]
    );
    // Each snooze counts anew.
    assert_eq!(states(&flow, "true Snooze Snooze TimeOver")[3], "NORMAL+");
    // A timer of a snooze that was ended by hand ends nothing else.
    assert_eq!(
        states(&flow, "true Snooze Reset true TimeOver"),
        ["ACTIVE", "SNOOZE_DISABLED+", "NORMAL+", "ACTIVE+", "ACTIVE"]
    );
}

#[test]
fn what_it_does_when_its_state_changes_is_done_and_the_rest_is_named() {
    let mut more = capabilities(true, false);
    more["alarmEventActions"] = json!({ "alarmActions": [{ "sns": { "targetArn": "arn:lead" } }] });
    more["alarmNotification"] = json!({ "notificationActions": [{ "emailConfigurations": [{ "from": "a@b" }] }] });
    let (plant, imported) = imported(&more);
    let told: Vec<_> = imported.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert!(told.iter().any(|told| told.starts_with("who gets the e-mail of TooHot")), "{told:#?}");
    assert!(!told.iter().any(|told| told.contains("sns of TooHot")), "{told:#?}");
    assert_eq!(plant.inputs.len(), 2, "{}", imported.yaml);
    let mut simulation = Simulation::new(&plant.detectors[0], false);
    let mut sent = Vec::new();
    for (second, temperature) in [(1, 70), (2, 90), (3, 91), (4, 60)] {
        let payload = json!({ "machine": "M-1", "sensor": { "temp": temperature } });
        let line = json!({ "time": format!("2026-01-01T00:00:0{second}Z"), "input": "Press", "payload": payload });
        let _ = simulation.line(&line.to_string(), &mut |evaluation| {
            let evaluation = evaluation.to_json();
            let actions = evaluation["actions"].as_array().unwrap().iter();
            sent.extend(actions.map(|action| format!("{second} {} {}", action["action"], action["fields"]["targetArn"])));
            ControlFlow::Continue(())
        });
    }
    assert_eq!(sent, ["2 \"sns\" \"arn:lead\"", "4 \"sns\" \"arn:lead\""]);
}

#[test]
fn a_threshold_may_stand_in_a_message() {
    let mut more = capabilities(false, false);
    more["alarmRule"] = json!({ "simpleRule": {
        "inputProperty": "$input.Press.sensor.temp", "comparisonOperator": "GREATER", "threshold": "$input.Limits.temp" } });
    let (plant, imported) = imported(&more);
    let inputs: Vec<_> = plant.inputs.iter().map(|input| &*input.name).collect();
    assert_eq!(inputs, ["TooHot_alarm", "Press", "Limits"], "{}", imported.yaml);
    assert_eq!(states(&more, "true true"), ["NORMAL", "NORMAL"], "the threshold is not known");
}

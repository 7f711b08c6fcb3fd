//! An alarm model over messages becomes a detector over messages with the states and moves that AWS documents.
//!
//! Its instances are the alarm's, one for each key. What people do to an alarm there (`BatchAcknowledgeAlarm` and the like) is a message
//! of an input of its own, `<alarm>_alarm`: the key, and `action` with the word of the API; a snooze has `seconds` too.
//!
//! Source: IoT Events API, `AlarmState`, `CustomerAction`; the moves are those of the table in `detectors/src/alarm/tests.rs`.

use super::{AlarmModel, Keyed};
use crate::{import::Findings, iot_events::MessageAlarm};
use serde_json::{Value, json};

/// What people may do.
const ACTIONS: [&str; 5] = ["ENABLE", "DISABLE", "RESET", "SNOOZE", "ACKNOWLEDGE"];
/// Ends a snooze.
const TIMER: &str = "snooze";

/// Puts an alarm and its inputs among the detectors over messages.
pub(super) fn add(alarm: &AlarmModel, keyed: &mut Keyed, findings: &mut Findings) {
    let AlarmModel { name, path, threshold, .. } = alarm;
    if threshold.contains("$sitewise") {
        let reason = "its rule reads a message and its threshold a property; give the threshold as a number or in a message";
        return findings.not_carried(path, format!("the alarm model {name} is left out: {reason}"));
    }
    let rule = Rule::of(alarm);
    let model = json!({
        "detectorModelName": name,
        "detectorModelDescription": description(alarm),
        "key": alarm.key,
        "detectorModelDefinition": {
            "initialStateName": if alarm.disabled { "DISABLED" } else { "NORMAL" },
            "states": rule.states(),
        },
    });
    let priority = serde_json::from_value(super::priority(alarm.severity).into()).unwrap_or_default();
    let made = MessageAlarm { priority, message: rule.message().into(), input: rule.verbs.as_str().into() };
    keyed.add_alarm(&model, path, name, Some(&made), findings);
    // The key's place is the same in what people do.
    let mut attributes = vec![json!("action"), json!("seconds"), json!("note"), json!("by")];
    attributes.extend(alarm.key.iter().map(|key| json!(key)));
    let told = format!("What people do to the alarm {name}: {}.", ACTIONS.join(", "));
    keyed.inputs.insert(rule.verbs.clone(), json!({ "description": told, "attributes": attributes }));
    for input in &rule.inputs {
        keyed.inputs.entry(input.clone()).or_insert_with(|| json!({}));
    }
}

fn description(alarm: &AlarmModel) -> String {
    let severity = alarm.severity.map(|severity| format!("Severity {severity}."));
    let words = [Some(alarm.description.clone()).filter(|text| !text.is_empty()), severity];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// An alarm's conditions and moves.
struct Rule<'a> {
    alarm: &'a AlarmModel,
    /// The inputs that the rule reads.
    inputs: Vec<String>,
    /// The input of what people do.
    verbs: String,
}

impl<'a> Rule<'a> {
    fn of(alarm: &'a AlarmModel) -> Self {
        let mut inputs = Vec::new();
        for text in [&alarm.input, &alarm.threshold] {
            for read in text.split("$input.").skip(1) {
                let name = read.trim_start_matches('`').split(|letter: char| !letter.is_alphanumeric() && letter != '_').next();
                inputs.extend(name.map(str::to_owned).filter(|name| !name.is_empty() && !inputs.contains(name)));
            }
        }
        let word = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
        let verbs: String = alarm.name.chars().map(word).collect();
        let first = if verbs.starts_with(|first: char| first.is_ascii_alphabetic()) { "" } else { "a" };
        Self { alarm, inputs, verbs: format!("{first}{verbs}_alarm") }
    }

    /// What the alarm says.
    fn message(&self) -> String {
        let AlarmModel { name, description, input, operator, threshold, .. } = self.alarm;
        let input = input.strip_prefix("$input.").unwrap_or(input);
        if description.is_empty() { format!("{name}: {input} {operator} {threshold}") } else { description.clone() }
    }

    fn states(&self) -> Value {
        let flow = self.alarm.acknowledge;
        let any = [self.done("DISABLE", "DISABLED"), self.snoozed()];
        let state = |name: &str, moves: Vec<Value>| {
            let mut state = json!({ "stateName": name, "onInput": { "transitionEvents": moves } });
            if name == "SNOOZE_DISABLED" {
                let timer = |action: &str, fields: Value| json!({ "events": [{ "eventName": action, "actions": [{ action: fields }] }] });
                let seconds = format!("$input.{}.seconds", self.verbs);
                state["onEnter"] = timer("setTimer", json!({ "timerName": TIMER, "durationExpression": seconds }));
                state["onExit"] = timer("clearTimer", json!({ "timerName": TIMER }));
            }
            state
        };
        let also = |moves: Vec<Value>| any.iter().cloned().chain([self.done("RESET", "NORMAL")]).chain(moves).collect();
        let mut states = vec![
            state("DISABLED", vec![self.done("ENABLE", "NORMAL")]),
            // A reset of what is normal is no change.
            state("NORMAL", any.iter().cloned().chain([self.rule(true, "ACTIVE")]).collect()),
            state("SNOOZE_DISABLED", also(vec![self.event("SNOOZE_TIMEOUT", format!("timeout('{TIMER}')"), "NORMAL")])),
        ];
        if flow {
            states.push(state("ACTIVE", also(vec![self.done("ACKNOWLEDGE", "ACKNOWLEDGED"), self.rule(false, "LATCHED")])));
            states.push(state("ACKNOWLEDGED", also(vec![self.rule(false, "NORMAL")])));
            states.push(state("LATCHED", also(vec![self.done("ACKNOWLEDGE", "NORMAL"), self.rule(true, "ACTIVE")])));
        } else {
            states.push(state("ACTIVE", also(vec![self.rule(false, "NORMAL")])));
        }
        states.into()
    }

    /// The move by what somebody did.
    fn done(&self, action: &str, to: &str) -> Value {
        self.event(action, self.is_done(action), to)
    }

    /// Without a span nobody knows when it ends: that is no snooze.
    fn snoozed(&self) -> Value {
        let condition = format!("{} && $input.{}.seconds >= 1", self.is_done("SNOOZE"), self.verbs);
        self.event("SNOOZE", condition, "SNOOZE_DISABLED")
    }

    fn is_done(&self, action: &str) -> String {
        format!("currentInput(\"{0}\") && $input.{0}.action == '{action}'", self.verbs)
    }

    /// The move by what the rule says of a message. What cannot be compared says nothing.
    fn rule(&self, holds: bool, to: &str) -> Value {
        let AlarmModel { input, operator, threshold, .. } = self.alarm;
        // A number may stand in quotes there.
        let plain = threshold.trim_matches(['\'', '"']);
        let threshold = if plain.parse::<f64>().is_ok_and(f64::is_finite) { plain } else { threshold };
        let heard: Vec<String> = self.inputs.iter().map(|input| format!("currentInput(\"{input}\")")).collect();
        let not = if holds { "" } else { "!" };
        let condition = format!("({}) && {not}({input} {operator} {threshold})", heard.join(" || "));
        self.event(if holds { "RULE_TRUE" } else { "RULE_FALSE" }, condition, to)
    }

    fn event(&self, name: &str, condition: String, to: &str) -> Value {
        json!({ "eventName": name, "condition": condition, "nextState": to, "actions": self.alarm.actions })
    }
}

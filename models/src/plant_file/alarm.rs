//! `alarm:` of a detector: how its alarm behaves.

use super::{
    actions,
    detectors::Surroundings,
    fields::Fields,
    keys,
    tree::{At, Entry, Kind, Node},
};
use crate::{
    alarm::{AlarmSettings, EscalationStep, LifeCycle, MAX_ESCALATION_STEPS, Priority, SHORTEST_RE_ALARM},
    expression::{Expression, Reference},
    time::format_duration,
};
use std::{sync::Arc, time::Duration};

/// Reads the settings; without the key they are the default.
pub(super) fn settings(around: &Surroundings<'_>, detector: &Fields<'_, '_>, what: &str) -> AlarmSettings {
    let none = AlarmSettings::default;
    let Some(entry) = detector.entry("alarm") else { return none() };
    let report = around.reader.report;
    let Some(fields) = Fields::of(report, &format!("the alarm of {what}"), entry.at, &entry.value, keys::ALARM) else {
        return none();
    };
    let settings = AlarmSettings {
        on_delay: fields.span("on_delay").unwrap_or_default(),
        off_delay: fields.span("off_delay").unwrap_or_default(),
        latch: fields.flag("latch").unwrap_or(false),
        acknowledge: fields.flag("acknowledge").unwrap_or(true),
        life_cycle: if fields.choice("life_cycle") == Some("iot_events") { LifeCycle::IotEvents } else { LifeCycle::Isa },
        re_alarm: repetition(&fields, "re_alarm"),
        re_alarm_standing: repetition(&fields, "re_alarm_standing"),
        escalate: escalation(around, &fields),
        suppress_when: suppression(around, &fields),
        notify: targets(around, &fields),
        starts_out_of_service: fields.flag("out_of_service").unwrap_or(false),
    };
    if !settings.acknowledge {
        for key in ["escalate", "re_alarm"] {
            if let Some(entry) = fields.entry(key) {
                let message = format!("`{key}` waits for an acknowledgement, and this alarm needs none");
                report.error(entry.at, "form", message, "remove it, or `acknowledge: false`");
            }
        }
    }
    settings
}

fn repetition(fields: &Fields<'_, '_>, key: &str) -> Option<Duration> {
    let span = fields.span(key)?;
    if let Some(entry) = fields.entry(key).filter(|_| span < SHORTEST_RE_ALARM) {
        let message = format!("an alarm cannot be annunciated again every {}", format_duration(span));
        let hint = format!("the shortest is {}; minutes are usual", format_duration(SHORTEST_RE_ALARM));
        fields.report.error(entry.at, "form", message, hint);
    }
    Some(span)
}

fn targets(around: &Surroundings<'_>, fields: &Fields<'_, '_>) -> Vec<Arc<str>> {
    let names = fields.texts("notify").into_iter();
    names.filter_map(|(name, node)| actions::known(around, name, around.targets, "notify target", node.at)).collect()
}

/// A suppression that asked for the alarm's own state would chase its tail.
fn suppression(around: &Surroundings<'_>, fields: &Fields<'_, '_>) -> Option<Arc<Expression>> {
    let (text, node) = fields.text("suppress_when")?;
    let expression = around.reader.condition("`suppress_when`", text, node)?;
    if expression.references.iter().any(|reference| matches!(reference, Reference::Alarm(_))) {
        let message = "`suppress_when` cannot depend on the alarm itself";
        around.reader.report.error(node.at, "form", message, "use properties of the plant, such as `not running`");
        return None;
    }
    Some(expression)
}

fn escalation(around: &Surroundings<'_>, fields: &Fields<'_, '_>) -> Vec<EscalationStep> {
    let (report, Some(node)) = (around.reader.report, fields.node("escalate")) else { return Vec::new() };
    let Kind::List(items) = &node.kind else {
        let hint = "write one line per step: `- { after: 5m, notify: maintenance }`";
        report.error(node.at, "form", "`escalate` must be a list of steps", hint);
        return Vec::new();
    };
    if let Some(item) = items.get(MAX_ESCALATION_STEPS) {
        let message = format!("these are more than {MAX_ESCALATION_STEPS} steps");
        report.error(item.at, "too-large", message, "use `re_alarm` for what repeats");
    }
    let mut steps: Vec<EscalationStep> = Vec::new();
    for item in items {
        let Some(step) = step(around, item) else { continue };
        if let Some(before) = steps.last().filter(|before| before.after >= step.after) {
            let message =
                format!("this step comes after {}, and the one before it after {}", span(step.after), span(before.after));
            report.error(item.at, "form", message, "times count from the annunciation: write the steps in rising order");
        }
        steps.push(step);
    }
    steps
}

fn step(around: &Surroundings<'_>, item: &Node) -> Option<EscalationStep> {
    let fields = Fields::of(around.reader.report, "a step of the escalation", item.at, item, keys::ESCALATION)?;
    fields.missing("a step of the escalation", "after", "5m");
    let nothing = ["notify", "priority"].into_iter().all(|key| fields.entry(key).is_none());
    if nothing {
        let hint = "give it `notify: maintenance` or `priority: critical`";
        around.reader.report.error(item.at, "missing-key", "this step of the escalation does nothing", hint);
    }
    let priority = fields.choice("priority").map(priority);
    Some(EscalationStep { after: fields.span("after")?, notify: targets(around, &fields), priority })
}

/// The priority of a word of the plant file.
pub(super) fn priority(word: &str) -> Priority {
    match word {
        "critical" => Priority::Critical,
        "high" => Priority::High,
        "low" => Priority::Low,
        _ => Priority::Medium,
    }
}

fn span(span: Duration) -> String {
    format_duration(span).to_string()
}

/// Warns of settings of an alarm that nothing raises.
pub(super) fn doubts(around: &Surroundings<'_>, detector: &Fields<'_, '_>, raises: bool, name: &str) {
    if let Some(Entry { at, .. }) = detector.entry("alarm").filter(|_| !raises) {
        let at: At = *at;
        let message = format!("the detector {name} has settings of an alarm that it never raises");
        around.reader.report.warning(at, "alarm-never-raised", message, "add `raise` to the state that is the alarm");
    }
}

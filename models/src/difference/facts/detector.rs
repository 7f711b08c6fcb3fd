//! Facts of detectors: what they say, and each of their states with its rules.

use super::{super::aspects::Aspects, Fact, Thing};
use crate::{
    alarm::AlarmSettings,
    command::DryRun,
    definition::{AssetModel, ModelIndex, Plant},
    detector::{Action, DetectorModel, Evaluation, Rule, State},
    time::format_duration,
};
use std::time::Duration;

pub(super) fn facts(model_id: &str, model: ModelIndex, place: usize, around: &AssetModel, facts: &mut Vec<Fact>) {
    let (detector, thing) = (&around.detectors[place], Thing::Detector(model, place));
    let what = format!("{}.{}", around.name, detector.name);
    let id = format!("{model_id} detector {}", detector.name);
    facts.push(Fact::new(id.clone(), what.clone(), thing, of_detector(detector)).of(model_id));
    for state in &detector.states {
        let own = of_state(detector, state);
        let fact = Fact::new(format!("{id} state {}", state.path), format!("{what} state {}", state.path), thing, own);
        facts.push(Fact { group: id.clone(), ..fact.of(&id) });
    }
}

fn of_detector(detector: &DetectorModel) -> Aspects {
    let dry_run = match detector.dry_run {
        DryRun::No => None,
        DryRun::Always => Some("always".to_owned()),
        DryRun::AtLeast(span) => Some(format_duration(span)),
    };
    let aspects = Aspects::default()
        .say("message", &detector.message)
        .say("priority", detector.priority)
        .say("response", &detector.response)
        .say("initial", &detector.state(detector.initial).path)
        .list("variables", detector.variables.iter().map(|(name, value)| format!("{name}: {value}")))
        .maybe("evaluation", (detector.evaluation == Evaluation::Serial).then_some("serial"))
        .span("lateness", not_zero(detector.lateness))
        .maybe("dry_run", dry_run);
    of_alarm(aspects, &detector.alarm)
}

fn not_zero(span: Duration) -> Option<Duration> {
    Some(span).filter(|span| !span.is_zero())
}

fn of_alarm(aspects: Aspects, alarm: &AlarmSettings) -> Aspects {
    let steps = alarm.escalate.iter().map(|step| {
        let priority = step.priority.map(|priority| format!(" priority {priority}")).unwrap_or_default();
        format!("after {} notify {}{priority}", format_duration(step.after), step.notify.join(", "))
    });
    let aspects = aspects
        .span("on_delay", not_zero(alarm.on_delay))
        .span("off_delay", not_zero(alarm.off_delay))
        .flag("latch", alarm.latch)
        .maybe("acknowledge", (!alarm.acknowledge).then_some("no"))
        .maybe("life cycle", (alarm.life_cycle != Default::default()).then_some("IoT Events"))
        .span("re_alarm", alarm.re_alarm)
        .span("re_alarm_standing", alarm.re_alarm_standing)
        .list("escalate", steps)
        .list("notify", &alarm.notify)
        .flag("out of service at first", alarm.starts_out_of_service);
    match &alarm.suppress_when {
        Some(expression) => aspects.formula("suppress_when", "", expression),
        None => aspects,
    }
}

fn of_state(detector: &DetectorModel, state: &State) -> Aspects {
    let initial = state.initial.map(|initial| detector.state(initial).path.clone());
    Aspects::default()
        .list("rule", state.rules.iter().map(|rule| of_rule(detector, rule)))
        .list("enter", state.enter.iter().map(|action| &action.text))
        .list("exit", state.exit.iter().map(|action| &action.text))
        .maybe("initial", initial)
        .flag("history", state.history)
}

fn of_rule(detector: &DetectorModel, rule: &Rule) -> String {
    let Rule { text, on_bad, to_written, actions, .. } = rule;
    let bad = if *on_bad == Default::default() { String::new() } else { format!(" on_bad {on_bad:?}").to_lowercase() };
    let to = to_written.map(|to| format!(" to {}", detector.state(to).path)).unwrap_or_default();
    let texts: Vec<&str> = actions.iter().map(|Action { text, .. }| &**text).collect();
    let does = if texts.is_empty() { String::new() } else { format!(" do {}", texts.join(", ")) };
    format!("{text}{bad}{to}{does}")
}

/// Detectors over messages, and what they listen to.
pub(super) fn keyed(plant: &Plant, facts: &mut Vec<Fact>) {
    for input in &plant.inputs {
        let topic = input.topic.as_ref().map(|topic| format!("{} @{}", topic.pattern, topic.source));
        let aspects = Aspects::default().maybe("topic", topic).list("attributes", &input.attributes);
        let what = format!("input {}", input.name);
        facts.push(Fact::new(what.clone(), what, Thing::Input, aspects));
    }
    for (stands_for, target) in &plant.targets {
        let what = format!("target {stands_for}");
        facts.push(Fact::new(what.clone(), what, Thing::Notify, Aspects::default().say("", target)));
    }
    for (place, detector) in plant.detectors.iter().enumerate() {
        let states = detector.states.iter().map(|state| &state.name);
        let key = detector.key.as_ref().map(ToString::to_string);
        let aspects = Aspects::default().list("states", states).maybe("key", key);
        let aspects = aspects.hidden("definition", "(changed)", format!("{detector:?}"));
        let what = format!("detector {}", detector.name);
        facts.push(Fact::new(what.clone(), what, Thing::Keyed(place), aspects));
    }
}

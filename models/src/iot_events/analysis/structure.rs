//! States and actions that are never reached, and timers that never rest.

use super::{Moment, Spot, Subject, limits};
use crate::{
    Value,
    iot_events::{
        finding::{FindingKind, Findings},
        formula::Formula,
        model::Event,
        shape::ActionKind,
    },
};
use std::sync::Arc;

const KIND: FindingKind = FindingKind::Structure;

pub(super) fn check(subject: &Subject<'_>, findings: &Findings) {
    uses_an_input(subject, findings);
    reachable(subject, findings);
    for spot in subject.spots() {
        never(&spot, findings);
        reads_at_timer(&spot, findings);
        floods(&spot, findings);
    }
}

/// What a condition always is, if its text alone tells it; none without a condition is true.
pub(super) fn always(event: &Event) -> Option<bool> {
    match &event.condition {
        None => Some(true),
        Some(condition) => match condition.expression()?.constant()? {
            Value::Boolean(truth) => Some(*truth),
            _ => Some(false),
        },
    }
}

fn uses_an_input(subject: &Subject<'_>, findings: &Findings) {
    let mut conditions = subject.model.events().filter_map(|event| event.condition.as_ref()).filter_map(Formula::references);
    if !conditions.any(|references| !references.inputs.is_empty() || !references.current_inputs.is_empty()) {
        let message = if super::references::mentioned(subject).next().is_some() {
            "no condition uses an input; AWS would not publish it"
        } else {
            "no expression uses an input, so every message reaches it; AWS would not publish it"
        };
        findings.warning(KIND, subject.path("states"), message);
    }
}

fn reachable(subject: &Subject<'_>, findings: &Findings) {
    let model = subject.model;
    let mut reached = vec![false; model.states.len()];
    let mut open = vec![model.leaf_of(model.initial).0];
    while let Some(state) = open.pop() {
        if std::mem::replace(&mut reached[state], true) {
            continue;
        }
        open.extend(model.states[state].parent.map(|parent| parent.0));
        let ways = model.states[state].transitions.iter().filter(|way| always(way) != Some(false));
        open.extend(ways.filter_map(|way| Some(model.leaf_of(way.next?).0)));
    }
    for (state, _) in reached.iter().enumerate().filter(|(_, reached)| !**reached) {
        let message = format!("no transition leads to the state `{}`", model.states[state].name);
        findings.warning(KIND, subject.state_path(state), message);
    }
}

/// Conditions that never hold, and transitions behind one that always does.
fn never(spot: &Spot<'_>, findings: &Findings) {
    if always(spot.event) == Some(false) {
        let what =
            if spot.moment == Moment::Transition { "the transition is never taken" } else { "its actions are never done" };
        spot.warn(findings, KIND, "condition", format!("the condition never holds, so {what}"));
    }
    if spot.moment == Moment::Transition {
        let before = &spot.subject.model.states[spot.state].transitions[..spot.position];
        if let Some(shadow) = before.iter().find(|way| always(way) == Some(true)) {
            spot.warn(findings, KIND, "", format!("the transition is never taken: `{}` before it always is", shadow.name));
        }
    }
}

/// Conditions that look at an input when a timer goes off: what they see is the last message, however old.
fn reads_at_timer(spot: &Spot<'_>, findings: &Findings) {
    let Some(references) = spot.event.condition.as_ref().and_then(Formula::references) else { return };
    if let (Some((timer, _)), Some(input)) = (references.timers.first(), references.inputs.first())
        && spot.is_input()
    {
        let message = format!("when the timer `{timer}` goes off, {input} is that of the last message");
        findings.info(KIND, spot.path("condition"), message);
    }
}

/// Events that start their own timer again and send something each time.
fn floods(spot: &Spot<'_>, findings: &Findings) {
    let Some(references) = spot.event.condition.as_ref().and_then(Formula::references) else { return };
    let sends = spot.event.actions.iter().any(|action| !action.kind.is_internal());
    if !sends || spot.moment != Moment::Input {
        return;
    }
    for (place, action) in spot.actions() {
        let restarts = matches!(action.kind, ActionKind::SetTimer | ActionKind::ResetTimer);
        let name = action.text("timerName");
        if !restarts || !references.timers.iter().any(|(timer, _)| *timer == name) {
            continue;
        }
        let every = span(spot.subject, &name).map_or_else(String::new, |seconds| format!(" every {seconds} s"));
        let message = format!("the timer `{name}` starts itself again and sends something{every} while the state lasts");
        findings.info(KIND, spot.path(&place), message);
    }
}

/// The shortest span a timer is set to, where texts alone tell it.
fn span(subject: &Subject<'_>, name: &Arc<str>) -> Option<i64> {
    let set = subject.model.actions().filter(|action| action.kind == ActionKind::SetTimer && action.text("timerName") == *name);
    set.flat_map(|action| &action.fields).filter_map(|field| limits::seconds(&field.content)).min()
}

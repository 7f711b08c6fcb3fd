//! Limits of AWS: nothing breaks here when they are passed, but the model could not go back.

use super::{Moment, Spelling, Spot, Subject};
use crate::iot_events::{
    finding::{FindingKind, Findings},
    formula::Formula,
    model::Content,
    shape::ActionKind,
};
use crate::{Value, expression::event::EventExpression};
use std::collections::BTreeMap;

const STATES: usize = 20;
const EVENTS: usize = 20;
const ACTIONS: usize = 10;
const MODELS_OF_AN_INPUT: usize = 10;
const CONTENT_BYTES: usize = 1_024;
const CONDITION_LETTERS: usize = 512;
const NAME_LETTERS: usize = 128;
/// Shortest timer in seconds.
const TIMER_SECONDS: i64 = 60;

const KIND: FindingKind = FindingKind::ServiceLimits;

pub(super) fn check(subject: &Subject<'_>, findings: &Findings) {
    let states = subject.model.states.len();
    if states > STATES {
        findings.warning(KIND, subject.path("states"), format!("there are {states} states; AWS allows {STATES}"));
    }
    for (index, state) in subject.model.states.iter().enumerate() {
        let counts = [
            ("onInput.events", state.on_input.len()),
            ("onInput.transitionEvents", state.transitions.len()),
            ("onEnter.events", state.on_enter.len()),
            ("onExit.events", state.on_exit.len()),
        ];
        for (list, count) in counts.into_iter().filter(|(_, count)| *count > EVENTS) {
            let path = match &subject.spelling {
                Spelling::Plant(_) => subject.state_path(index),
                Spelling::Camel | Spelling::Capital => subject.path(&format!("states[{index}].{list}")),
            };
            findings.warning(KIND, path, format!("there are {count} events; AWS allows {EVENTS} of a state"));
        }
        if state.name.chars().count() > NAME_LETTERS {
            findings.warning(KIND, subject.state_path(index), format!("the name is longer than {NAME_LETTERS} characters"));
        }
    }
    for spot in subject.spots() {
        event(&spot, findings);
    }
}

fn event(spot: &Spot<'_>, findings: &Findings) {
    let count = spot.event.actions.len();
    if count > ACTIONS {
        spot.warn(findings, KIND, "actions", format!("there are {count} actions; AWS allows {ACTIONS} of an event"));
    }
    if let Some(condition) = &spot.event.condition
        && condition.text.chars().count() > CONDITION_LETTERS
    {
        spot.warn(findings, KIND, "condition", format!("the condition is longer than {CONDITION_LETTERS} characters"));
    }
    for (place, action) in spot.actions() {
        if let Some(payload) = &action.payload
            && payload.content.text.len() > CONTENT_BYTES
        {
            let inside = format!("{place}.payload.contentExpression");
            spot.warn(findings, KIND, &inside, format!("the expression is longer than {CONTENT_BYTES} bytes"));
        }
        if action.kind != ActionKind::SetTimer {
            continue;
        }
        for field in &action.fields {
            if let Some(seconds) = seconds(&field.content).filter(|seconds| *seconds < TIMER_SECONDS) {
                let message = format!("the timer runs {seconds} s; AWS asks for at least {TIMER_SECONDS} s");
                spot.warn(findings, KIND, &format!("{place}.{}", field.name), message);
            }
        }
    }
}

/// The seconds of a timer, where the text alone tells them.
pub(super) fn seconds(content: &Content) -> Option<i64> {
    let formula = match content {
        Content::Number(seconds) => return Some(*seconds),
        Content::Formula(formula) => formula,
        Content::Text(_) | Content::Flag(_) => return None,
    };
    match Formula::expression(formula).and_then(EventExpression::constant)? {
        Value::Integer(seconds) => Some(*seconds),
        Value::Double(seconds) => Some(*seconds as i64),
        _ => None,
    }
}

/// Inputs that too many models of one document listen to.
pub(super) fn inputs(subjects: &[Subject<'_>], findings: &Findings) {
    let mut models: BTreeMap<&str, usize> = BTreeMap::new();
    for subject in subjects {
        let mut mentioned: Vec<&str> = super::references::mentioned(subject).map(|(name, _)| name).collect();
        mentioned.sort_unstable();
        mentioned.dedup();
        mentioned.into_iter().for_each(|name| *models.entry(name).or_default() += 1);
    }
    for (name, count) in models.into_iter().filter(|(_, count)| *count > MODELS_OF_AN_INPUT) {
        let message = format!("{count} detector models listen to the input `{name}`; AWS allows {MODELS_OF_AN_INPUT}");
        findings.warning(KIND, "(root)", message);
    }
}

impl Spot<'_> {
    /// Whether its condition is evaluated at messages and timers.
    pub(super) fn is_input(&self) -> bool {
        matches!(self.moment, Moment::Input | Moment::Transition)
    }
}

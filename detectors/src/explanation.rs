//! Why a detector moved: the rule, everything its guard read, and every step of its evaluation.

use crate::{
    detector::Body,
    policy::Desk,
    program::{Formula, Rule},
};
use andon_models::{
    Quality, Value,
    event::{ExplainedInput, ExplainedStep, ExplainedTimer, Explanation},
    expression::SlotValue,
};
use std::sync::Arc;

/// Explains a rule that fires now. Its actions are added when they have run.
pub(crate) fn explain(
    body: &Body,
    desk: &mut Desk,
    state: &Arc<str>,
    rule: &Rule,
    trigger: Arc<str>,
    timer: Option<ExplainedTimer>,
) -> Explanation {
    let (inputs, steps) = match &rule.when {
        Some(formula) => (inputs(body, &formula.lines), steps(body, desk, formula)),
        None => (inputs(body, body.surroundings()), Vec::new()),
    };
    Explanation { trigger, state: state.clone(), rule: rule.text.clone(), inputs, steps, timer, actions: Vec::new() }
}

/// Explains a formula of the alarm itself, as it stands.
pub(crate) fn explain_formula(body: &Body, desk: &mut Desk, formula: &Formula, what: &str) -> Explanation {
    Explanation {
        trigger: what.into(),
        state: body.state_path(),
        rule: format!("{what} {}", formula.expression.text).into(),
        inputs: inputs(body, &formula.lines),
        steps: steps(body, desk, formula),
        ..Explanation::default()
    }
}

/// Everything some lines of the table read, as it stands.
pub(crate) fn inputs(body: &Body, lines: &[usize]) -> Vec<ExplainedInput> {
    let mut inputs = Vec::with_capacity(lines.len());
    inputs.extend(lines.iter().flat_map(|line| body.places_of(*line)).map(|place| input(body, place)));
    inputs
}

fn input(body: &Body, place: usize) -> ExplainedInput {
    let (slot, origin) = (&body.values[place], &body.origins[place]);
    ExplainedInput {
        name: origin.name.clone(),
        value: slot.value.clone(),
        unit: origin.unit.clone(),
        time: slot.time,
        quality: slot.quality,
        source: origin.source.clone(),
    }
}

fn steps(body: &Body, desk: &mut Desk, formula: &Formula) -> Vec<ExplainedStep> {
    let slots = body.gather(formula, &mut desk.scratch);
    formula.expression.steps(&formula.steps, slots, &|slot| body.children(formula, slot, false))
}

/// What became of a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    Holds,
    Fails,
    /// Some input is not good, and the others do not decide.
    Unknown,
}

impl Truth {
    /// Reads a guard's result.
    pub fn of(result: &SlotValue) -> Self {
        match (&result.value, result.quality) {
            (Value::Boolean(true), Quality::Good) => Self::Holds,
            (Value::Boolean(true) | Value::Null, Quality::Uncertain | Quality::Bad) => Self::Unknown,
            _ => Self::Fails,
        }
    }
}

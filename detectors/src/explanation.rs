//! Why a detector moved: the rule, everything its guard read, and every step of its evaluation.

use crate::{
    detector::Body,
    policy::Desk,
    program::{Formula, Rule},
};
use andon_models::{
    Quality, Value,
    catalog::Catalog,
    definition::{Property, PropertyKind, SourceProtocol},
    event::{ExplainedInput, ExplainedStep, ExplainedTimer, Explanation},
    expression::{Reference, SlotValue},
};
use std::sync::Arc;

/// Explains a rule that fires now. Actions are added while they run.
pub(crate) fn explain(
    body: &Body,
    desk: &mut Desk,
    state: &Arc<str>,
    rule: &Rule,
    trigger: Arc<str>,
    timer: Option<ExplainedTimer>,
) -> Explanation {
    let (inputs, steps) = match &rule.when {
        Some(formula) => (inputs(body, &desk.catalog, &formula.lines), steps(body, desk, formula)),
        None => (inputs(body, &desk.catalog, &surroundings(body)), Vec::new()),
    };
    Explanation { trigger, state: state.clone(), rule: rule.text.clone(), inputs, steps, timer, actions: Vec::new() }
}

/// Explains a formula of the alarm itself, as it stands.
pub(crate) fn explain_formula(body: &Body, desk: &mut Desk, formula: &Formula, what: &str) -> Explanation {
    Explanation {
        trigger: what.into(),
        state: body.state_path(),
        rule: format!("{what} {}", formula.expression.text).into(),
        inputs: inputs(body, &desk.catalog, &formula.lines),
        steps: steps(body, desk, formula),
        ..Explanation::default()
    }
}

/// Everything some lines of the table read, as it stands.
pub(crate) fn inputs(body: &Body, catalog: &Catalog, lines: &[usize]) -> Vec<ExplainedInput> {
    let places = lines.iter().flat_map(|line| body.places_of(*line).map(move |place| (*line, place)));
    places.map(|(line, place)| input(body, catalog, line, place)).collect()
}

/// What a rule without a guard was decided among: what the guards of the active states read, which let it stay until now, and
/// what its message tells.
fn surroundings(body: &Body) -> Vec<usize> {
    let mut lines = Vec::new();
    let guards = body.active().flat_map(|node| &node.rules).filter_map(|rule| rule.when.as_ref());
    for line in guards.flat_map(|formula| &formula.lines).copied().chain(body.program.message.lines()) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn input(body: &Body, catalog: &Catalog, line: usize, place: usize) -> ExplainedInput {
    let slot = &body.values[place];
    let property = body.series[place].and_then(|series| catalog.property(series));
    ExplainedInput {
        name: name(body, catalog, line, place),
        value: slot.value.clone(),
        unit: property.map_or_else(|| "".into(), |property| property.unit.clone()),
        time: slot.time,
        quality: slot.quality,
        source: source(body, catalog, line, place, property),
    }
}

/// The name of what a place holds; for a child with which child: `machines.temp (Filler 2)`.
pub(crate) fn name(body: &Body, catalog: &Catalog, line: usize, place: usize) -> Arc<str> {
    let name = &body.program.table[line].name;
    let child = body.series[place].filter(|_| place != line).and_then(|series| catalog.entry(series));
    child.map_or_else(|| name.clone(), |child| format!("{name} ({})", catalog.plant.assets[child.asset.0].name).into())
}

fn steps(body: &Body, desk: &mut Desk, formula: &Formula) -> Vec<ExplainedStep> {
    let slots = body.gather(formula, &mut desk.scratch);
    formula.expression.steps(slots, &|slot| body.children(formula, slot, false))
}

/// The unit of what a place holds; empty if none.
pub(crate) fn unit(body: &Body, catalog: &Catalog, place: usize) -> Arc<str> {
    let property = body.series[place].and_then(|series| catalog.property(series));
    property.map_or_else(|| "".into(), |property| property.unit.clone())
}

fn source(body: &Body, catalog: &Catalog, line: usize, place: usize, property: Option<&Property>) -> Arc<str> {
    match body.program.table[line].reference {
        Reference::Variable(_) => return "variable".into(),
        Reference::Alarm(_) => return "alarm".into(),
        Reference::Own(_) | Reference::Parent(_) | Reference::Children { .. } | Reference::Before(_) | Reference::Time => {}
    }
    let Some(series) = body.series[place] else { return "".into() };
    match property.map(|property| &property.kind) {
        Some(PropertyKind::Attribute { .. }) => "attribute".into(),
        Some(PropertyKind::Transform { .. }) => "transform".into(),
        Some(PropertyKind::Metric { .. }) => "metric".into(),
        Some(PropertyKind::Measurement { .. }) | None => device(catalog, series),
    }
}

fn device(catalog: &Catalog, series: andon_models::SeriesId) -> Arc<str> {
    let tag = catalog.entry(series).and_then(|entry| entry.tag).and_then(|tag| catalog.tag(tag));
    let Some(source) = tag.and_then(|tag| catalog.plant.source(&tag.source)) else { return "pushed".into() };
    let protocol = match source.protocol {
        SourceProtocol::OpcUa { .. } => "opcua",
        SourceProtocol::Modbus { .. } => "modbus",
        SourceProtocol::Mqtt { .. } => "mqtt",
    };
    format!("{protocol}:{}", source.name).into()
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

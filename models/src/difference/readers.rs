//! Who reads a property: formulas, detectors, interlocks and OEE, of its own model, of models above and of models below.

use crate::{
    definition::{AssetModel, MetricFormula, ModelIndex, Plant, PropertyKind},
    detector::{Action, ActionKind, DetectorModel},
    expression::{Expression, Reference},
};
use std::sync::Arc;

/// Readers that are named; a temperature that hundreds of formulas read is named in short.
const MAX_NAMED: usize = 6;

/// Who reads a property, in words: `transform overfill, detector overheat`. None if nobody does.
pub(super) fn named(plant: &Plant, model: ModelIndex, key: &str) -> Option<String> {
    let mut readers = Vec::new();
    for (index, reader) in plant.models.iter().enumerate() {
        let index = ModelIndex(index);
        let reads = |reference: &Reference| match reference {
            Reference::Own(name) | Reference::Before(name) => index == model && **name == *key,
            Reference::Parent(name) => is_child(plant, model, index) && **name == *key,
            Reference::Children { hierarchy, property } => has_child(reader, hierarchy, model) && **property == *key,
            Reference::Variable(_) | Reference::Alarm(_) | Reference::Time => false,
        };
        let prefix = if index == model { String::new() } else { format!("{}.", reader.name) };
        of_model(reader, index == model, key, &reads, |kind, name| readers.push(format!("{kind} {prefix}{name}")));
    }
    let more = readers.len().saturating_sub(MAX_NAMED);
    readers.truncate(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!readers.is_empty()).then(|| format!("{}{more}", readers.join(", ")))
}

fn of_model(
    reader: &AssetModel,
    own: bool,
    key: &str,
    reads: &dyn Fn(&Reference) -> bool,
    mut found: impl FnMut(&str, &Arc<str>),
) {
    let does = |expression: &Expression| expression.references.iter().any(reads);
    for property in &reader.properties {
        match &property.kind {
            PropertyKind::Transform { expression } if does(expression) => found("transform", &property.key),
            PropertyKind::Metric { formula: MetricFormula::Expression(expression), .. } if does(expression) => {
                found("metric", &property.key);
            }
            _ => {}
        }
    }
    if own && reader.oee.as_ref().is_some_and(|oee| oee.roles().iter().any(|(_, role)| **role == *key)) {
        found("OEE of", &reader.name);
    }
    for control in reader.controls.iter().filter(|control| control.interlock.as_deref().is_some_and(does)) {
        found("interlock of", &control.name);
    }
    for detector in reader.detectors.iter().filter(|detector| formulas(detector).any(does)) {
        found("detector", &detector.name);
    }
}

/// Every formula of a detector.
fn formulas(detector: &DetectorModel) -> impl Iterator<Item = &Expression> {
    let rules = detector.states.iter().flat_map(|state| &state.rules);
    let guards = rules.clone().filter_map(|rule| rule.when.as_deref());
    let states = detector.states.iter().flat_map(|state| state.enter.iter().chain(&state.exit));
    let values = rules.flat_map(|rule| &rule.actions).chain(states).filter_map(|Action { kind, .. }| match kind {
        ActionKind::Write { value, .. } | ActionKind::Set { value, .. } | ActionKind::Put { value, .. } => Some(&**value),
        _ => None,
    });
    guards.chain(values).chain(detector.alarm.suppress_when.as_deref())
}

fn has_child(parent: &AssetModel, hierarchy: &str, child: ModelIndex) -> bool {
    parent.hierarchies.iter().any(|one| *one.name == *hierarchy && one.models.contains(&child))
}

fn is_child(plant: &Plant, parent: ModelIndex, child: ModelIndex) -> bool {
    plant.models[parent.0].hierarchies.iter().any(|hierarchy| hierarchy.models.contains(&child))
}

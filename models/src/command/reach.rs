//! What the interlocks of a plant depend on: the definitions of every property they read, and of every property those are made of.
//!
//! An interlock `running` says nothing by its name: whoever changes what `running` means changes when a machine may be written.

use crate::{
    definition::{AssetModel, DeclaredFormula, MetricFormula, ModelIndex, Plant, Property, PropertyIndex, PropertyKind},
    expression::{Expression, Reference},
};
use std::{collections::BTreeSet, fmt::Write as _};

/// Writes down, in a fixed order, what the interlocks depend on.
pub(super) fn add_interlocks(text: &mut String, plant: &Plant) {
    let mut reach = Reach { plant, seen: BTreeSet::new(), waiting: Vec::new() };
    for (number, model) in plant.models.iter().enumerate() {
        for interlock in model.controls.iter().filter_map(|control| control.interlock.as_ref()) {
            reach.references(ModelIndex(number), &interlock.references);
        }
    }
    while let Some((model, property)) = reach.waiting.pop() {
        reach.follow(model, &plant.models[model.0].properties[property.0]);
    }
    // Writing to a text does not fail.
    for (model, property) in &reach.seen {
        let model = &plant.models[model.0];
        let _ = writeln!(text, "{}", model.name);
        add_property(text, model, &model.properties[property.0]);
    }
    reach.add_assets(text);
}

struct Reach<'p> {
    plant: &'p Plant,
    seen: BTreeSet<(ModelIndex, PropertyIndex)>,
    waiting: Vec<(ModelIndex, PropertyIndex)>,
}

impl Reach<'_> {
    fn references(&mut self, model: ModelIndex, references: &[Reference]) {
        let plant = self.plant;
        for reference in references {
            match reference {
                Reference::Own(key) | Reference::Before(key) => self.property(model, key),
                Reference::Parent(key) => {
                    let has = |other: &AssetModel| other.hierarchies.iter().any(|at| at.models.contains(&model));
                    let parents = plant.models.iter().enumerate().filter(|(_, other)| has(other));
                    parents.for_each(|(parent, _)| self.property(ModelIndex(parent), key));
                }
                Reference::Children { hierarchy, property } => {
                    let hierarchies = plant.models[model.0].hierarchies.iter().filter(|at| at.name == *hierarchy);
                    hierarchies.flat_map(|at| &at.models).for_each(|child| self.property(*child, property));
                }
                Reference::Variable(_) | Reference::Alarm(_) | Reference::Time => {}
            }
        }
    }

    fn property(&mut self, model: ModelIndex, key: &str) {
        let Some(property) = self.plant.models[model.0].property(key) else { return };
        if self.seen.insert((model, property)) {
            self.waiting.push((model, property));
        }
    }

    /// Goes on to what a property is made of.
    fn follow(&mut self, model: ModelIndex, property: &Property) {
        let definition = &self.plant.models[model.0];
        match &property.kind {
            PropertyKind::Attribute { .. } | PropertyKind::Measurement { .. } => {}
            PropertyKind::Transform { expression } => self.references(model, &expression.references),
            PropertyKind::Metric { formula: MetricFormula::Expression(expression), .. } => {
                self.references(model, &expression.references);
            }
            PropertyKind::Metric { window, formula: MetricFormula::Oee(_) | MetricFormula::OeeRecord } => {
                let roles = definition.oee.iter().flat_map(crate::oee::OeeDefinition::roles);
                roles.for_each(|(_, key)| self.property(model, &key));
                if let Some(of) = &definition.oee_of {
                    self.references(model, &of.references(self.plant, definition, window));
                }
            }
        }
    }

    /// Where the properties of each asset come from: its own attributes, and the sources in its slots.
    fn add_assets(&self, text: &mut String) {
        for asset in &self.plant.assets {
            let range = (asset.model, PropertyIndex(0))..=(asset.model, PropertyIndex(usize::MAX));
            for (_, property) in self.seen.range(range) {
                let property = &self.plant.models[asset.model.0].properties[property.0];
                let own = asset.attributes.iter().find(|(name, _)| *name == property.name);
                let source = match &property.kind {
                    PropertyKind::Measurement { binding: Some(binding), .. } => {
                        let slot = asset.slots.iter().find(|(slot, _)| *slot == binding.slot);
                        slot.and_then(|(_, source)| self.plant.source(source)).map(|source| (&source.name, &source.protocol))
                    }
                    _ => None,
                };
                if own.is_some() || source.is_some() {
                    let _ = writeln!(text, "{} {} {own:?} {source:?}", asset.path, property.key);
                }
            }
        }
    }
}

fn add_property(text: &mut String, model: &AssetModel, property: &Property) {
    let Property { key, unit, value_type, kind, stale, declared, .. } = property;
    let _ = write!(text, " {key} {unit} {value_type:?} {stale:?} ");
    let declared = declared.as_deref().map(|DeclaredFormula { text, variables }| (text, variables));
    let written = |expression: &Expression| format!("{} {:?} {declared:?}", expression.text, expression.references);
    let _ = match kind {
        PropertyKind::Attribute { default } => writeln!(text, "{default:?}"),
        PropertyKind::Measurement { binding, counter, scaling } => writeln!(text, "{binding:?} {counter:?} {scaling:?}"),
        PropertyKind::Transform { expression } => writeln!(text, "{}", written(expression)),
        PropertyKind::Metric { window, formula: MetricFormula::Expression(expression) } => {
            writeln!(text, "{window:?} {}", written(expression))
        }
        PropertyKind::Metric { window, formula: MetricFormula::Oee(_) | MetricFormula::OeeRecord } => {
            writeln!(text, "{window:?} {:?} {:?}", model.oee, model.oee_of)
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::{command::controls_fingerprint, plant_file};

    const PLANT: &str = "
plant: { name: Test, timezone: UTC }
sources:
  plc: { modbus: tcp://10.0.0.1:502, unit: 1, writes: allow }
  guard: { modbus: tcp://10.0.0.2:502, unit: 1 }
models:
  filler:
    attributes:
      lowest: { default: 5 }
      label:  { type: string, default: a }
    measurements:
      state: { type: int, stale: 10s, from: holding/1 uint16 @plc }
      door:  { type: bool, from: holding/2.0 @guard }
      speed: { scale: 0.1, from: holding/3 uint16 @plc }
      dirt:  { stale: 10s, from: holding/4 uint16 @plc }
    controls:
      stop: { type: bool, to: coil/1 @plc, verify: 2s, interlock: running and parent.allowed }
    transforms:
      busy: state == 6 and speed > lowest
      running: busy and not door
      dirty: dirt > 4
  line:
    children: { machines: filler }
    measurements:
      switch: { type: bool, from: holding/9.0 @plc }
      other:  { from: holding/8 uint16 @plc }
    transforms:
      allowed: switch
assets:
  Line 1:
    model: line
    plc: plc
    machines:
      Filler 1: { model: filler, plc: plc, guard: guard, attributes: { label: b } }
";

    fn name(text: &str) -> String {
        let loaded = plant_file::load(&[("plant.yaml".into(), text.into())], &|_| None);
        controls_fingerprint(&loaded.plant.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics)))
    }

    /// Whether an edit makes another name.
    fn counts(from: &str, to: &str) -> bool {
        assert_eq!(PLANT.matches(from).count(), 1, "{from}");
        name(PLANT) != name(&PLANT.replace(from, to))
    }

    #[test]
    fn whatever_an_interlock_depends_on_is_part_of_the_name() {
        for (from, to) in [
            ("running: busy and not door", "running: true"),
            ("busy: state == 6", "busy: state == 5"),
            ("{ type: int, stale: 10s,", "{ type: int, stale: 10h,"),
            ("scale: 0.1", "scale: 0.2"),
            ("holding/2.0", "holding/2.1"),
            ("lowest: { default: 5 }", "lowest: { default: 4 }"),
            ("{ label: b }", "{ label: b, lowest: 4 }"),
            ("guard: guard,", "guard: plc,"),
            ("10.0.0.2", "10.0.0.3"),
            ("allowed: switch", "allowed: true or switch"),
            ("holding/9.0", "holding/9.1"),
        ] {
            assert!(counts(from, to), "{from} -> {to}");
        }
    }

    #[test]
    fn what_no_interlock_reads_may_change() {
        for (from, to) in [
            ("dirty: dirt > 4", "dirty: dirt > 5"),
            ("dirt:  { stale: 10s,", "dirt:  { stale: 10h,"),
            ("holding/8", "holding/7"),
            ("{ label: b }", "{ label: c }"),
        ] {
            assert!(!counts(from, to), "{from} -> {to}");
        }
    }
}

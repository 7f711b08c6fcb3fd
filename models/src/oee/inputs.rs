//! Which properties feed an OEE block, and how their values become its inputs.

use super::{OEE_RECORD, OeeDefinition, OeeInputs, OeeOfChildren, STOP_EDITS, edits::StopEdit};
use crate::{
    Timestamp,
    definition::{AssetModel, CounterRule, Plant, PropertyKind},
    expression::Reference,
    window::WindowSpec,
};
use std::sync::Arc;

/// The part an input plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Whether the machine runs.
    Running,
    /// Whether a stop is planned.
    PlannedStop,
    /// Counter of good pieces.
    Good,
    /// Counter of bad pieces.
    Bad,
    /// Counter of pieces to be worked on again.
    Rework,
    /// Whether the machine is starting up.
    Startup,
    /// Ideal rate.
    IdealRate,
    /// Product.
    Product,
    /// Stop reason, by the place of its property in the file.
    Reason(usize),
    /// What people said about stops.
    Edits,
}

impl OeeDefinition {
    /// The properties that feed it, with the part each plays.
    pub fn roles(&self) -> Vec<(Role, Arc<str>)> {
        let optional = [
            (Role::PlannedStop, &self.planned_stop),
            (Role::Bad, &self.bad),
            (Role::Rework, &self.rework),
            (Role::Startup, &self.startup),
            (Role::Product, &self.product),
        ];
        let mut roles = vec![
            (Role::Running, self.running.clone()),
            (Role::Good, self.good.clone()),
            (Role::IdealRate, self.ideal_rate.clone()),
            (Role::Edits, STOP_EDITS.into()),
        ];
        roles.extend(optional.into_iter().filter_map(|(role, key)| Some((role, key.clone()?))));
        roles.extend(self.reasons.iter().enumerate().map(|(place, key)| (Role::Reason(place), key.clone())));
        roles
    }

    /// Sets how the counters of a model start over, and makes room for each reason.
    pub fn prepare(&self, model: &AssetModel, inputs: &mut OeeInputs) {
        let rule = |key: Option<&Arc<str>>| {
            let property = key.and_then(|key| model.property(key)).map(|index| &model.properties[index.0].kind);
            match property {
                Some(PropertyKind::Measurement { counter: Some(counter), .. }) => *counter,
                _ => CounterRule::default(),
            }
        };
        inputs.good_rule = rule(Some(&self.good));
        inputs.bad_rule = rule(self.bad.as_ref());
        inputs.rework_rule = rule(self.rework.as_ref());
        inputs.reasons = vec![Vec::new(); self.reasons.len()];
    }
}

impl OeeOfChildren {
    /// The records of a window that it is made of.
    pub fn references(&self, plant: &Plant, model: &AssetModel, window: &WindowSpec) -> Vec<Reference> {
        let mut references = Vec::new();
        for hierarchy in model.hierarchies.iter().filter(|hierarchy| self.hierarchies.contains(&hierarchy.name)) {
            for child in &hierarchy.models {
                let Some(property) = plant.models[child.0].record_key(window) else { continue };
                let reference = Reference::Children { hierarchy: hierarchy.name.clone(), property };
                if !references.contains(&reference) {
                    references.push(reference);
                }
            }
        }
        references
    }
}

impl AssetModel {
    /// Whether it has OEE figures, its own or of its children.
    pub fn has_oee(&self) -> bool {
        self.oee.is_some() || self.oee_of.is_some()
    }

    /// The target of OEE in percent.
    pub fn oee_target(&self) -> Option<f64> {
        let own = self.oee.as_ref().and_then(|oee| oee.target);
        own.or_else(|| self.oee_of.as_ref().and_then(|of| of.target))
    }

    /// The kinds of windows with OEE, and the keys of their records.
    pub fn oee_records(&self) -> impl Iterator<Item = (&WindowSpec, &Arc<str>)> {
        let records = self.properties.iter().filter(|property| &*property.name == OEE_RECORD);
        records.filter_map(|property| match &property.kind {
            PropertyKind::Metric { window, .. } => Some((window, &property.key)),
            _ => None,
        })
    }

    /// Key of the records of a window kind; none without an OEE block or for other windows.
    pub fn record_key(&self, spec: &WindowSpec) -> Option<Arc<str>> {
        self.oee_records().find(|(window, _)| *window == spec).map(|(_, key)| key.clone())
    }
}

impl OeeInputs {
    /// Takes one value; none of either is Bad data.
    pub fn push(&mut self, role: Role, at: Timestamp, number: Option<f64>, text: Option<&str>) {
        let truth = number.map(|number| number != 0.0);
        // Codes come as numbers too; a whole one is written without a point.
        let word = || text.map(Arc::from).or_else(|| number.map(|number| number.to_string().into()));
        match role {
            Role::Running => self.running.push((at, truth)),
            Role::PlannedStop => self.planned_stop.push((at, truth)),
            Role::Good => self.good.push((at, number)),
            Role::Bad => self.bad.push((at, number)),
            Role::Rework => self.rework.push((at, number)),
            Role::Startup => self.startup.push((at, truth)),
            Role::IdealRate => self.ideal_rate.push((at, number)),
            Role::Product => self.product.push((at, word())),
            Role::Reason(place) => {
                if let Some(track) = self.reasons.get_mut(place) {
                    track.push((at, word()));
                }
            }
            Role::Edits => self.edits.extend(text.and_then(|text| StopEdit::read(at, text))),
        }
    }
}

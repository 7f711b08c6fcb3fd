//! What names mean in a formula of one model of a running plant.

use crate::{
    definition::{ModelIndex, Plant, Property, PropertyKind},
    expression::{Reference, Resolved, Scope},
    window::WindowSpec,
};
use std::{cell::RefCell, sync::Arc};

/// The names of a model, with what was looked up.
pub(super) struct Names<'p> {
    plant: &'p Plant,
    model: ModelIndex,
    aggregates: bool,
    found: RefCell<Vec<(Reference, &'p Property)>>,
}

impl<'p> Names<'p> {
    pub fn new(plant: &'p Plant, model: ModelIndex, aggregates: bool) -> Self {
        Self { plant, model, aggregates, found: RefCell::default() }
    }

    /// Whether a metric was looked up.
    pub fn read_metric(&self) -> bool {
        self.found.borrow().iter().any(|(_, property)| matches!(property.kind, PropertyKind::Metric { .. }))
    }

    /// Whether a slot has one value per window by itself: constants and metrics.
    pub fn stands_alone(&self, reference: &Reference) -> bool {
        let alone = |property: &Property| matches!(property.kind, PropertyKind::Attribute { .. } | PropertyKind::Metric { .. });
        self.found.borrow().iter().filter(|(known, _)| known == reference).all(|(_, property)| alone(property))
    }

    /// The units of slots; empty where there is none.
    pub fn units(&self, references: &[Reference]) -> Vec<Arc<str>> {
        let found = self.found.borrow();
        let unit = |reference| found.iter().find(|(known, _)| known == reference).map(|(_, property)| property.unit.clone());
        references.iter().map(|reference| unit(reference).unwrap_or_else(|| "".into())).collect()
    }

    pub fn knows(&self, written: &str) -> bool {
        self.resolve(&written.split('.').collect::<Vec<_>>()).is_some()
    }

    /// Everything that may stand in a formula.
    pub fn all(&self) -> Vec<String> {
        self.candidates()
    }

    /// By key, or by name: the variant of the shift where there are several, else the only one.
    fn property(&self, model: ModelIndex, name: &str) -> Option<&'p Property> {
        let properties = &self.plant.models[model.0].properties;
        let variants = || properties.iter().filter(|property| &*property.name == name);
        let of_shift = |property: &&Property| matches!(&property.kind, PropertyKind::Metric { window: WindowSpec::Shift, .. });
        let by_key = properties.iter().find(|property| &*property.key == name);
        by_key.or_else(|| variants().find(of_shift)).or_else(|| variants().next().filter(|_| variants().count() == 1))
    }

    /// What several models have alike.
    fn common(&self, models: &[ModelIndex], name: &str) -> Option<&'p Property> {
        let mut all = models.iter().map(|model| self.property(*model, name));
        let first = all.next()??;
        let alike = |other: &Property| other.key == first.key && other.value_type == first.value_type;
        all.all(|other| other.is_some_and(alike)).then_some(first)
    }

    fn parents(&self) -> Vec<ModelIndex> {
        let models = self.plant.models.iter().enumerate();
        let parents = models.filter(|(_, model)| model.hierarchies.iter().any(|link| link.models.contains(&self.model)));
        parents.map(|(index, _)| ModelIndex(index)).collect()
    }

    fn find(&self, path: &[&str]) -> Option<(Reference, &'p Property)> {
        let parent = |name: &str| {
            let property = self.common(&self.parents(), name)?;
            Some((Reference::Parent(property.key.clone()), property))
        };
        match *path {
            [name] => {
                let own = self.property(self.model, name).map(|property| (Reference::Own(property.key.clone()), property));
                own.or_else(|| parent(name))
            }
            ["parent", name] => parent(name),
            [hierarchy, name] => {
                let links = &self.plant.models[self.model.0].hierarchies;
                let link = links.iter().find(|link| &*link.name == hierarchy)?;
                let property = self.common(&link.models, name)?;
                Some((Reference::Children { hierarchy: link.name.clone(), property: property.key.clone() }, property))
            }
            _ => None,
        }
    }
}

impl Scope for Names<'_> {
    fn resolve(&self, path: &[&str]) -> Option<Resolved> {
        let (reference, property) = self.find(path)?;
        self.found.borrow_mut().push((reference.clone(), property));
        Some(Resolved { reference, node_type: property.value_type.into(), unit: property.unit.clone() })
    }

    fn candidates(&self) -> Vec<String> {
        let names = |model: ModelIndex| {
            let shown = self.plant.models[model.0].properties.iter().filter(|property| !property.hidden);
            let mut names: Vec<String> = shown.map(|property| property.name.to_string()).collect();
            names.dedup();
            names
        };
        let mut all = names(self.model);
        for parent in self.parents() {
            all.extend(names(parent).into_iter().map(|name| format!("parent.{name}")));
        }
        for link in &self.plant.models[self.model.0].hierarchies {
            let first = link.models.first().map(|model| names(*model)).unwrap_or_default();
            all.extend(first.into_iter().map(|name| format!("{}.{name}", link.name)));
        }
        all
    }

    fn aggregates(&self) -> bool {
        self.aggregates
    }
}

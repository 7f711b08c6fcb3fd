//! What people are told of a value besides itself: its name, its unit, where it comes from.

use crate::program::Line;
use andon_models::{
    SeriesId,
    catalog::Catalog,
    definition::{Property, PropertyKind, SourceProtocol},
    expression::Reference,
};
use std::{collections::HashSet, sync::Arc};

/// What is told of one place of an instance.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// Its name; for a child with which child: `machines.temp (Filler 2)`.
    pub name: Arc<str>,
    /// Its unit; empty if none.
    pub unit: Arc<str>,
    /// Where it comes from: `opcua:filler2`, `attribute`, `variable`; empty if from nowhere.
    pub source: Arc<str>,
}

/// The origins of an engine, each once: most instances of a detector are told of in the same words.
#[derive(Debug, Default)]
pub(crate) struct Origins(HashSet<Arc<Origin>>);

impl Origins {
    /// What is told of a series that a line reads, as one of the children if it reads those.
    pub fn of(&mut self, catalog: &Catalog, line: &Line, series: Option<SeriesId>) -> Arc<Origin> {
        let property = series.and_then(|series| catalog.property(series));
        let origin = Origin {
            name: name(catalog, line, series),
            unit: property.map(|property| property.unit.clone()).unwrap_or_default(),
            source: source(catalog, line, series, property),
        };
        if let Some(known) = self.0.get(&origin) {
            return known.clone();
        }
        let origin = Arc::new(origin);
        self.0.insert(origin.clone());
        origin
    }
}

fn name(catalog: &Catalog, line: &Line, series: Option<SeriesId>) -> Arc<str> {
    let child = series.filter(|_| matches!(line.reference, Reference::Children { .. }));
    let asset = child.and_then(|series| catalog.entry(series)).map(|entry| &catalog.plant.assets[entry.asset.0]);
    asset.map_or_else(|| line.name.clone(), |asset| format!("{} ({})", line.name, asset.name).into())
}

fn source(catalog: &Catalog, line: &Line, series: Option<SeriesId>, property: Option<&Property>) -> Arc<str> {
    match line.reference {
        Reference::Variable(_) => return "variable".into(),
        Reference::Alarm(_) => return "alarm".into(),
        Reference::Own(_) | Reference::Parent(_) | Reference::Children { .. } | Reference::Before(_) | Reference::Time => {}
    }
    let Some(series) = series else { return Arc::default() };
    match property.map(|property| &property.kind) {
        Some(PropertyKind::Attribute { .. }) => "attribute".into(),
        Some(PropertyKind::Transform { .. }) => "transform".into(),
        Some(PropertyKind::Metric { .. }) => "metric".into(),
        Some(PropertyKind::Measurement { .. }) | None => device(catalog, series),
    }
}

fn device(catalog: &Catalog, series: SeriesId) -> Arc<str> {
    let tag = catalog.entry(series).and_then(|entry| entry.tag).and_then(|tag| catalog.tag(tag));
    let Some(source) = tag.and_then(|tag| catalog.plant.source(&tag.source)) else { return "pushed".into() };
    let protocol = match source.protocol {
        SourceProtocol::OpcUa { .. } => "opcua",
        SourceProtocol::Modbus { .. } => "modbus",
        SourceProtocol::Mqtt { .. } => "mqtt",
    };
    format!("{protocol}:{}", source.name).into()
}

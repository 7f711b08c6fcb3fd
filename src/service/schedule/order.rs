//! Which metrics there are, in which order they must be computed, and which series feed them.

use andon_models::{
    SeriesId,
    catalog::Catalog,
    definition::{AssetModel, MetricFormula, ModelIndex, Plant, PropertyKind},
    expression::Reference,
    window::WindowSpec,
};
use std::collections::{BTreeSet, HashMap};

/// Children before parents, so that a metric over children finds their figures. Within one model: short windows before long ones.
pub(super) fn order(catalog: &Catalog) -> Vec<(ModelIndex, WindowSpec)> {
    let models = &catalog.plant.models;
    let mut depth = vec![0_usize; models.len()];
    // A plant's hierarchy has no cycles (checked with the file), so as many rounds as there are models settle every depth.
    for _ in 0..models.len() {
        for (index, model) in models.iter().enumerate() {
            let below = model.hierarchies.iter().flat_map(|hierarchy| &hierarchy.models).filter(|child| child.0 != index);
            depth[index] = below.map(|child| depth[child.0] + 1).max().unwrap_or(0).min(models.len());
        }
    }
    let mut order = Vec::new();
    for (index, model) in models.iter().enumerate() {
        let specs: BTreeSet<&WindowSpec> = metrics(model).map(|(spec, _)| spec).collect();
        order.extend(specs.into_iter().map(|spec| (ModelIndex(index), spec.clone())));
    }
    order.sort_by_key(|(model, _)| depth[model.0]);
    order
}

/// Which entries of the order read each series.
pub(super) fn feeds(catalog: &Catalog, order: &[(ModelIndex, WindowSpec)]) -> HashMap<SeriesId, Vec<usize>> {
    let mut feeds: HashMap<SeriesId, BTreeSet<usize>> = HashMap::new();
    for (entry, (model_index, spec)) in order.iter().enumerate() {
        let references = references(&catalog.plant, *model_index, spec);
        for asset in catalog.plant.assets_of(*model_index) {
            for series in references.iter().flat_map(|reference| catalog.resolve(asset, reference)) {
                feeds.entry(series).or_default().insert(entry);
            }
        }
    }
    feeds.into_iter().map(|(series, entries)| (series, entries.into_iter().collect())).collect()
}

fn metrics(model: &AssetModel) -> impl Iterator<Item = (&WindowSpec, &MetricFormula)> {
    model.properties.iter().filter_map(|property| match &property.kind {
        PropertyKind::Metric { window, formula } => Some((window, formula)),
        _ => None,
    })
}

/// Everything the metrics of one model and window kind read.
fn references(plant: &Plant, model: ModelIndex, spec: &WindowSpec) -> Vec<Reference> {
    let model = &plant.models[model.0];
    let mut references = Vec::new();
    for (_, formula) in metrics(model).filter(|(metric, _)| *metric == spec) {
        match formula {
            MetricFormula::Expression(expression) => references.extend(expression.references.iter().cloned()),
            MetricFormula::Oee(_) | MetricFormula::OeeRecord => {
                let own = model.oee.iter().flat_map(|oee| oee.roles());
                references.extend(own.map(|(_, key)| Reference::Own(key)));
                references.extend(model.oee_of.iter().flat_map(|of| of.references(plant, model, spec)));
            }
        }
    }
    references
}

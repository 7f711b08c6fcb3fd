//! Which metrics there are, in which order they must be computed, and which series feed them.

use crate::{
    SeriesId,
    catalog::Catalog,
    definition::{AssetModel, MetricFormula, ModelIndex, Plant, PropertyKind},
    expression::{Aggregate, Expression, NodeKind, Reference},
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

/// Which entries of the order read a series.
#[derive(Clone, Debug, Default)]
pub(super) struct Feeds {
    /// All of them.
    pub entries: Vec<usize>,
    /// Those in which a value also counts in later windows, until the next one.
    pub carried: Vec<usize>,
}

/// Which entries of the order read each series.
pub(super) fn feeds(catalog: &Catalog, order: &[(ModelIndex, WindowSpec)]) -> HashMap<SeriesId, Feeds> {
    let mut feeds: HashMap<SeriesId, BTreeSet<(usize, bool)>> = HashMap::new();
    for (entry, (model_index, spec)) in order.iter().enumerate() {
        let references = references(&catalog.plant, *model_index, spec);
        for asset in catalog.plant.assets_of(*model_index) {
            for (reference, carried) in &references {
                for series in catalog.resolve(asset, reference) {
                    feeds.entry(series).or_default().extend([(entry, false), (entry, *carried)]);
                }
            }
        }
    }
    let of = |all: BTreeSet<(usize, bool)>| {
        let (carried, entries): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, carried)| *carried);
        let entry = |of: Vec<(usize, bool)>| of.into_iter().map(|(entry, _)| entry).collect();
        Feeds { entries: entry(entries), carried: entry(carried) }
    };
    feeds.into_iter().map(|(series, all)| (series, of(all))).collect()
}

fn metrics(model: &AssetModel) -> impl Iterator<Item = (&WindowSpec, &MetricFormula)> {
    model.properties.iter().filter_map(|property| match &property.kind {
        PropertyKind::Metric { window, formula } => Some((window, formula)),
        _ => None,
    })
}

/// Everything the metrics of one model and window kind read, and whether a value holds beyond its own window.
fn references(plant: &Plant, model: ModelIndex, spec: &WindowSpec) -> Vec<(Reference, bool)> {
    let model = &plant.models[model.0];
    let mut references = Vec::new();
    for (_, formula) in metrics(model).filter(|(metric, _)| *metric == spec) {
        match formula {
            MetricFormula::Expression(expression) => {
                let carried = carried(expression);
                // A metric of the same window is read at its end, and nowhere else.
                let same = |reference: &Reference| match reference {
                    Reference::Own(key) => metrics_named(model, key).any(|window| window == spec),
                    _ => false,
                };
                let read = expression.references.iter().zip(carried);
                references.extend(read.map(|(reference, carried)| (reference.clone(), carried && !same(reference))));
            }
            MetricFormula::Oee(_) | MetricFormula::OeeRecord => {
                let own = model.oee.iter().flat_map(|oee| oee.roles());
                references.extend(own.map(|(_, key)| (Reference::Own(key), true)));
                let children = model.oee_of.iter().flat_map(|of| of.references(plant, model, spec));
                references.extend(children.map(|reference| (reference, false)));
            }
        }
    }
    references
}

fn metrics_named<'m>(model: &'m AssetModel, key: &'m str) -> impl Iterator<Item = &'m WindowSpec> {
    model.properties.iter().filter(move |property| *property.key == *key).filter_map(|property| match &property.kind {
        PropertyKind::Metric { window, .. } => Some(window),
        _ => None,
    })
}

/// For each slot, whether it is read anywhere but in aggregates over the samples of the window alone.
fn carried(expression: &Expression) -> Vec<bool> {
    let (mut all, mut inside) = (vec![0_usize; expression.references.len()], vec![0_usize; expression.references.len()]);
    expression.root.visit(&mut |node| match &node.kind {
        NodeKind::Slot(slot) => all[*slot] += 1,
        NodeKind::Aggregate(aggregate, argument) if !carries(*aggregate) => {
            let mut slots = Vec::new();
            argument.collect_slots(&mut slots);
            slots.into_iter().for_each(|slot| inside[slot] += 1);
        }
        _ => {}
    });
    all.iter().zip(inside).map(|(all, inside)| *all > inside).collect()
}

fn carries(aggregate: Aggregate) -> bool {
    matches!(
        aggregate,
        Aggregate::Latest | Aggregate::Earliest | Aggregate::StateTime | Aggregate::Increase | Aggregate::TimeWeightedAverage
    )
}

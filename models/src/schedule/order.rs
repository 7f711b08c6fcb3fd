//! Which metrics there are, in which order they must be computed, and which series feed them.

use super::Assets;
use crate::{
    AssetId, SeriesId,
    catalog::Catalog,
    definition::{AssetModel, MetricFormula, ModelIndex, Plant, PropertyKind},
    expression::{Aggregate, Expression, NodeKind, Reference},
    window::WindowSpec,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

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

/// One place where a series is read.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    /// The entry of the order.
    pub entry: usize,
    /// Whether a value also counts in later windows, until the next one.
    pub carried: bool,
    /// Whose figures read it.
    pub assets: Assets,
}

/// Where each series is read.
pub(super) fn feeds(catalog: &Catalog, order: &[(ModelIndex, WindowSpec)]) -> HashMap<SeriesId, Arc<[Feed]>> {
    let mut readers: HashMap<SeriesId, BTreeMap<usize, (bool, Vec<AssetId>)>> = HashMap::new();
    for (entry, (model_index, spec)) in order.iter().enumerate() {
        let references = references(&catalog.plant, *model_index, spec);
        for asset in catalog.plant.assets_of(*model_index) {
            for (reference, carried) in &references {
                for series in catalog.resolve(asset, reference) {
                    let (all_carried, assets) = readers.entry(series).or_default().entry(entry).or_default();
                    *all_carried |= carried;
                    let id = catalog.plant.assets[asset.0].id;
                    if assets.last() != Some(&id) {
                        assets.push(id);
                    }
                }
            }
        }
    }
    // The series of a machine have the same readers: these are held once.
    let mut known: HashSet<Assets> = HashSet::new();
    let mut shared = |assets: Vec<AssetId>| {
        let assets = Assets::these(assets);
        if let Some(known) = known.get(&assets) {
            return known.clone();
        }
        known.insert(assets.clone());
        assets
    };
    let mut of = |(entry, (carried, assets))| Feed { entry, carried, assets: shared(assets) };
    readers.into_iter().map(|(series, readers)| (series, readers.into_iter().map(&mut of).collect())).collect()
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

//! What a back-fill names: `filler`, `filler.temp_avg`; and what of the plant that is.

use crate::{
    EventId, SeriesId,
    catalog::Catalog,
    definition::{AssetModel, MetricFormula, ModelIndex, Property, PropertyKind},
    expression::nearest,
    transform::over_history,
    window::WindowSpec,
};
use std::{collections::BTreeSet, sync::Arc};

/// Names in one back-fill at most: what a change of a definition may touch, and no more than a record should hold.
const MOST_TARGETS: usize = 256;

/// What is computed over history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Targets {
    /// Places of models and kinds in the order.
    pub entries: BTreeSet<usize>,
    /// Series of transforms.
    pub transforms: BTreeSet<SeriesId>,
    /// Series of transforms that these and the metrics are computed from: computed as well where they have no history.
    pub behind: BTreeSet<SeriesId>,
    /// Names all formulas that matter.
    pub formulas: String,
}

impl Targets {
    /// Finds what is named. `reads` are the series that an entry of the order reads.
    ///
    /// # Errors
    /// What is not there, with the nearest name, or what cannot be computed.
    pub fn find(
        catalog: &Catalog,
        order: &[(ModelIndex, WindowSpec)],
        named: &[Arc<str>],
        reads: impl Fn(&BTreeSet<usize>) -> BTreeSet<SeriesId>,
    ) -> Result<Self, String> {
        if named.is_empty() || named.len() > MOST_TARGETS {
            return Err(format!("name between one and {MOST_TARGETS} models, metrics or transforms"));
        }
        let mut targets = Self::default();
        for name in named {
            let (model, properties) = find(catalog, name)?;
            let before = (targets.entries.len(), targets.transforms.len());
            for property in properties {
                match &property.kind {
                    PropertyKind::Metric { window, .. } => {
                        let place = order.iter().position(|(of, spec)| *of == model && spec == window);
                        targets.entries.extend(place);
                    }
                    PropertyKind::Transform { .. } => {
                        let assets = catalog.plant.assets_of(model);
                        targets.transforms.extend(assets.filter_map(|asset| catalog.series_named(asset, &property.key)));
                    }
                    PropertyKind::Attribute { .. } | PropertyKind::Measurement { .. } => {}
                }
            }
            let none = before == (targets.entries.len(), targets.transforms.len());
            if none && catalog.plant.assets_of(model).next().is_none() {
                return Err(format!("no asset has the model {}", catalog.plant.models[model.0].name));
            }
        }
        let metrics = reads(&targets.entries);
        let mut behind = over_history::behind(catalog, metrics.iter().chain(&targets.transforms).copied());
        behind.extend(metrics.into_iter().filter(|series| over_history::is_transform(catalog, *series)));
        targets.behind = behind.difference(&targets.transforms).copied().collect();
        targets.formulas = targets.fingerprint(catalog, order);
        Ok(targets)
    }

    /// Names the formulas of all models that matter: whatever of them changes on the way, what was computed before may not hold.
    fn fingerprint(&self, catalog: &Catalog, order: &[(ModelIndex, WindowSpec)]) -> String {
        let transforms = self.transforms.iter().chain(&self.behind).filter_map(|series| catalog.entry(*series));
        let models: BTreeSet<usize> = transforms
            .map(|entry| catalog.plant.assets[entry.asset.0].model.0)
            .chain(self.entries.iter().map(|entry| order[*entry].0.0))
            .collect();
        let mut text = String::new();
        for model in models {
            let model = &catalog.plant.models[model];
            for property in &model.properties {
                if let Some(formula) = formula(model, property) {
                    text.push_str(&format!("{}.{}={formula}\n", model.name, property.key));
                }
            }
        }
        EventId::from_name(&text).to_string()
    }
}

/// A model, or some of its properties, by a name.
fn find<'c>(catalog: &'c Catalog, name: &str) -> Result<(ModelIndex, Vec<&'c Property>), String> {
    let models = &catalog.plant.models;
    let computed = |property: &&Property| matches!(property.kind, PropertyKind::Metric { .. } | PropertyKind::Transform { .. });
    if let Some(model) = models.iter().position(|model| *model.name == *name) {
        let properties: Vec<&Property> = models[model].properties.iter().filter(computed).collect();
        if properties.is_empty() {
            return Err(format!("{name} has no metrics and no transforms"));
        }
        return Ok((ModelIndex(model), properties));
    }
    // Names of models may have dots.
    let split = name.match_indices('.').map(|(dot, _)| (&name[..dot], &name[dot + 1..]));
    let found =
        split.filter_map(|(model, rest)| Some((models.iter().position(|known| *known.name == *model)?, rest))).next_back();
    let Some((model, property)) = found else {
        let wanted = name.split('.').next().unwrap_or_default();
        let near = nearest(wanted, models.iter().map(|model| &*model.name));
        let names: Vec<&str> = models.iter().map(|model| &*model.name).collect();
        let hint = near.map_or_else(|| format!("there are {}", names.join(", ")), |near| format!("did you mean {near}?"));
        return Err(format!("there is no model {wanted}; {hint}"));
    };
    let own: Vec<&Property> =
        models[model].properties.iter().filter(|known| *known.key == *property || *known.name == *property).collect();
    let chosen: Vec<&Property> = own.iter().copied().filter(computed).collect();
    match (own.is_empty(), chosen.is_empty()) {
        (true, _) => {
            let names: Vec<&str> = models[model].properties.iter().filter(computed).map(|known| &*known.key).collect();
            let near = nearest(property, names.iter().copied());
            let hint = near.map_or_else(|| format!("it has {}", names.join(", ")), |near| format!("did you mean {near}?"));
            Err(format!("{} has no metric or transform {property}; {hint}", models[model].name))
        }
        (false, true) => Err(format!("{name} is not computed: it is an attribute or a measurement")),
        (false, false) => Ok((ModelIndex(model), chosen)),
    }
}

/// How a property is computed, in words that change when that changes.
fn formula(model: &AssetModel, property: &Property) -> Option<String> {
    match &property.kind {
        PropertyKind::Transform { expression } => Some(expression.text.to_string()),
        PropertyKind::Metric { window, formula: MetricFormula::Expression(expression) } => {
            Some(format!("{window} {}", expression.text))
        }
        PropertyKind::Metric { window, .. } => Some(format!("{window} {:?} {:?}", model.oee, model.oee_of)),
        _ => None,
    }
}

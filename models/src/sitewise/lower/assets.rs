//! Assets in their hierarchy.

use super::{Lower, insert, scalars};
use crate::{
    definition::ModelKind,
    sitewise::{names, parts::Kind, thing::find},
};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};

/// Levels of assets: a plant file nests two levels for each, and so far reads 64.
const MAX_LEVELS: usize = 28;

/// Where assets hang: by parent, hierarchy and child.
type Places = HashMap<Option<usize>, Vec<(Option<usize>, usize)>>;

impl Lower<'_, '_> {
    /// All assets, children inside their parents.
    pub(super) fn assets(&mut self) -> Map<String, Value> {
        let models: Vec<Option<usize>> = (0..self.gathered.assets.len()).map(|index| self.model_of(index)).collect();
        let mut places: Places = HashMap::new();
        for index in (0..self.gathered.assets.len()).filter(|index| models[*index].is_some()) {
            let place = self.place(index, &models);
            places.entry(place.map(|(parent, _)| parent)).or_default().push((place.map(|(_, hierarchy)| hierarchy), index));
        }
        let mut aliases = HashSet::new();
        self.level(None, &places, &models, &mut aliases, 0)
    }

    fn model_of(&mut self, index: usize) -> Option<usize> {
        let asset = &self.gathered.assets[index];
        let found = asset.model.as_ref().and_then(|reference| self.gathered.find_model(reference));
        let (place, reason) = match (&asset.model, found) {
            (None, _) => (&asset.thing.at, "it does not say its model".to_owned()),
            (Some(reference), None) => (&reference.at, format!("no file makes its model `{}`", reference.text)),
            (Some(reference), Some(found)) if self.gathered.models[found].kind != ModelKind::Asset => {
                (&reference.at, format!("{} is no model of assets", self.gathered.models[found].thing.name))
            }
            _ => return found,
        };
        self.findings.turn_to(place.file);
        self.findings.error(&place.path, format!("the asset {} is left out: {reason}", asset.thing.name));
        None
    }

    /// Parent and hierarchy of an asset; none if it stands at the root, or cannot stand where it is said to.
    fn place(&mut self, index: usize, models: &[Option<usize>]) -> Option<(usize, usize)> {
        let asset = &self.gathered.assets[index];
        let (parent, reference) = asset.parent.as_ref()?;
        let model = &self.flat[models[*parent]?];
        let hierarchies = &model.model.hierarchies;
        let fits = |hierarchy: usize| self.gathered.find_model(&hierarchies[hierarchy].child) == models[index];
        let found = match reference {
            Some(reference) => find(hierarchies.iter().map(|hierarchy| &hierarchy.thing), reference),
            None => (0..hierarchies.len()).find(|hierarchy| fits(*hierarchy)),
        };
        let above = &self.gathered.assets[*parent].thing.name;
        let reason = match found {
            Some(hierarchy) if fits(hierarchy) => return Some((*parent, hierarchy)),
            Some(hierarchy) => format!("the hierarchy {} is for assets of another model", hierarchies[hierarchy].thing.name),
            None => format!("{} has no such hierarchy", model.model.thing.name),
        };
        let place = reference.as_ref().map_or(&asset.thing.at, |reference| &reference.at);
        self.findings.turn_to(place.file);
        self.findings
            .error(&place.path, format!("{} cannot hang under {above}, and stands at the root: {reason}", asset.thing.name));
        None
    }

    fn level(
        &mut self,
        parent: Option<usize>,
        places: &Places,
        models: &[Option<usize>],
        aliases: &mut HashSet<String>,
        depth: usize,
    ) -> Map<String, Value> {
        let mut level = Map::new();
        let mut taken = HashSet::new();
        for (hierarchy, index) in places.get(&parent).into_iter().flatten() {
            let asset = &self.gathered.assets[*index];
            let Some(model) = models[*index] else { continue };
            if depth >= MAX_LEVELS {
                self.findings.turn_to(asset.thing.at.file);
                let message = format!("the asset {} is left out: it hangs below {MAX_LEVELS} others", asset.thing.name);
                self.findings.error(&asset.thing.at.path, message);
                continue;
            }
            let key = names::asset(&asset.thing.name, &mut taken);
            let mut tree = Map::new();
            if hierarchy.is_none() {
                tree.insert("model".into(), json!(self.flat[model].key));
            }
            let was = self.former(*index, &key);
            tree.append(&mut self.names(&asset.thing, &key, was.as_deref()));
            self.own(*index, model, aliases, &mut tree);
            tree.append(&mut self.level(Some(*index), places, models, aliases, depth + 1));
            match hierarchy.zip(parent).and_then(|(hierarchy, parent)| Some((hierarchy, models[parent]?))) {
                Some((hierarchy, above)) => {
                    let section = level.entry(self.flat[above].hierarchies[hierarchy].clone()).or_insert_with(|| json!({}));
                    if let Value::Object(section) = section {
                        section.insert(key, Value::Object(tree));
                    }
                }
                None => drop(level.insert(key, Value::Object(tree))),
            }
        }
        level
    }

    /// What its id derives from, if that is not where it stands.
    fn former(&self, index: usize, key: &str) -> Option<String> {
        let asset = &self.gathered.assets[index];
        let first = asset.first_path.as_deref()?;
        let above = asset.parent.as_ref().map(|(parent, _)| self.gathered.identity(*parent));
        let (before, name) = first.rsplit_once('/').map_or((None, first), |(before, name)| (Some(before), name));
        match above.as_deref() == before {
            true if name == key => None,
            true => Some(name.to_owned()),
            false if before.is_none() => Some(format!("/{first}")),
            false => Some(first.to_owned()),
        }
    }

    /// Attribute values and aliases.
    fn own(&mut self, index: usize, model: usize, aliases: &mut HashSet<String>, tree: &mut Map<String, Value>) {
        let asset = &self.gathered.assets[index];
        let flat = &self.flat[model];
        let (mut values, mut named) = (Map::new(), Map::new());
        for own in &asset.properties {
            let place = &own.property.at;
            self.findings.turn_to(place.file);
            let said = own.alias.is_some() || own.value.is_some();
            let Some(found) = flat.find(&own.property, None) else {
                if said {
                    let message =
                        format!("{} has no property `{}` of {}", flat.model.thing.name, own.property.text, asset.thing.name);
                    self.findings.error(&place.path, message);
                }
                continue;
            };
            let property = &flat.properties[found];
            if self.without.contains(&(model, found)) {
                continue;
            }
            if let Some(unit) = own.unit.as_ref().filter(|unit| **unit != property.body.unit) {
                let message = format!(
                    "{} of {} has the unit {unit} of its own: here the model says the unit",
                    property.thing.name, asset.thing.name
                );
                self.findings.not_carried(&place.path, message);
            }
            if let Some(alias) = &own.alias {
                match aliases.insert(alias.clone()) {
                    true => drop(named.insert(property.key.clone(), json!(alias))),
                    false => {
                        let message =
                            format!("the alias `{alias}` of {} is another property's already and left out", asset.thing.name);
                        self.findings.error(&place.path, message);
                    }
                }
            }
            let Some(text) = &own.value else { continue };
            match (&property.body.kind, scalars::typed(text, property.body.data_type)) {
                (Kind::Attribute { .. }, Some(value)) => drop(values.insert(property.key.clone(), value)),
                (Kind::Attribute { .. }, None) => {
                    let wanted = scalars::name(property.body.data_type);
                    self.findings.error(
                        &place.path,
                        format!("`{text}` is no {wanted} for {} of {}", property.thing.name, asset.thing.name),
                    );
                }
                _ => {
                    let message = format!(
                        "the value of {} of {} is data: import it as CSV or Parquet",
                        property.thing.name, asset.thing.name
                    );
                    self.findings.not_carried(&place.path, message);
                }
            }
        }
        insert(tree, "attributes", values);
        insert(tree, "aliases", named);
    }
}

//! The way back: a plant as bulk metadata of SiteWise (`assetModels`, `assets`), and what it cannot hold, by name.
//!
//! Every thing carries the id it has here, so that an import of the file gives the same ids again.

mod formula;

use crate::{
    PropertyId, Value as PlantValue, ValueType,
    definition::{
        Asset, AssetIndex, AssetModel, Composite, Hierarchy, MetricFormula, ModelKind, Origin, Plant, Property, PropertyKind,
        Scaling,
    },
    window::WindowSpec,
};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A plant as SiteWise holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// Bulk metadata: `assetModels` and `assets`.
    pub bulk: Value,
    /// What SiteWise has no place for, a line each.
    pub not_carried_over: Vec<String>,
}

/// Writes a plant as bulk metadata.
pub fn export(plant: &Plant) -> Exported {
    let mut export = Export { plant, lost: Vec::new() };
    let models: Vec<Value> = (0..plant.models.len()).map(|index| export.model(index)).collect();
    let assets: Vec<Value> = plant.assets.iter().map(|asset| export.asset(asset)).collect();
    for (count, what) in
        [(plant.sources.len(), "sources"), (plant.notify.len(), "notify targets"), (plant.calendar.shifts.len(), "shifts")]
    {
        if count > 0 {
            export.lost.push(format!("the plant's {what} ({count})"));
        }
    }
    Exported { bulk: json!({ "assetModels": models, "assets": assets }), not_carried_over: export.lost }
}

struct Export<'p> {
    plant: &'p Plant,
    lost: Vec<String>,
}

/// Id, external id and description under the names that a list has for them.
fn origin(tree: &mut Map<String, Value>, id: String, origin: &Origin, names: (&str, &str, &str)) {
    tree.insert(names.0.into(), json!(id));
    if let Some(external_id) = &origin.external_id {
        tree.insert(names.1.into(), json!(external_id));
    }
    if let Some(description) = &origin.description {
        tree.insert(names.2.into(), json!(description));
    }
}

/// The id of a link or composite: its own, or one derived from where it stands.
fn id_of(origin: &Origin, model: &AssetModel, kind: &str, key: &str) -> String {
    origin.id.unwrap_or_else(|| PropertyId::from_name(&format!("{}/{kind}/{key}", model.id)).0).to_string()
}

/// The name there: a metric of several windows goes by its key.
fn name_of<'n>(model: &AssetModel, property: &'n Property) -> &'n str {
    let shared = model.properties.iter().filter(|other| other.name == property.name).count() > 1;
    property.origin.name_or(if shared { &property.key } else { &property.name })
}

impl Export<'_> {
    fn model(&mut self, index: usize) -> Value {
        let model = &self.plant.models[index];
        let mut tree = Map::new();
        tree.insert("assetModelName".into(), json!(model.origin.name_or(&model.name)));
        let names = ("assetModelId", "assetModelExternalId", "assetModelDescription");
        origin(&mut tree, model.id.to_string(), &model.origin, names);
        let kind = match model.kind {
            ModelKind::Asset => "ASSET_MODEL",
            ModelKind::Component => "COMPONENT_MODEL",
            ModelKind::Interface => "INTERFACE",
        };
        tree.insert("assetModelType".into(), json!(kind));
        let mut own = Vec::new();
        let mut inside: Vec<Vec<Value>> = vec![Vec::new(); model.composites.len()];
        for property in &model.properties {
            let Some(entry) = self.property(model, property) else { continue };
            let place = model.composites.iter().position(|composite| Some(&composite.key) == property.composite.as_ref());
            place.map_or(&mut own, |place| &mut inside[place]).push(entry);
        }
        tree.insert("assetModelProperties".into(), Value::Array(own));
        let links: Vec<Value> = model.hierarchies.iter().map(|link| self.link(model, link)).collect();
        tree.insert("assetModelHierarchies".into(), Value::Array(links));
        let composites =
            model.composites.iter().zip(inside).map(|(composite, properties)| self.composite(model, composite, properties));
        tree.insert("assetModelCompositeModels".into(), composites.collect());
        let interfaces: Vec<Value> = (model.implements.iter())
            .map(|fulfilled| {
                let interface = &self.plant.models[fulfilled.interface.0];
                let id =
                    |model: &AssetModel, key: &str| model.property(key).map(|found| model.properties[found.0].id.to_string());
                let pairs = fulfilled.properties.iter().map(|(theirs, own)| {
                    json!({ "interfaceAssetModelPropertyId": id(interface, theirs), "assetModelPropertyId": id(model, own) })
                });
                json!({ "interfaceAssetModelId": interface.id.to_string(), "propertyMappings": pairs.collect::<Vec<_>>() })
            })
            .collect();
        if !interfaces.is_empty() {
            tree.insert("interfaceDetails".into(), Value::Array(interfaces));
        }
        let counts = [(model.controls.len(), "control"), (model.detectors.len(), "detector")];
        let names =
            model.controls.iter().map(|control| &*control.name).chain(model.detectors.iter().map(|detector| &*detector.name));
        let names: Vec<&str> = names.collect();
        if counts.iter().any(|(count, _)| *count > 0) {
            self.lost.push(format!("controls and detectors of {}: {}", model.name, names.join(", ")));
        }
        if model.oee.is_some() {
            self.lost.push(format!("the OEE block of {} and its figures", model.name));
        }
        Value::Object(tree)
    }

    fn property(&mut self, model: &AssetModel, property: &Property) -> Option<Value> {
        let kind = match &property.kind {
            PropertyKind::Attribute { default: PlantValue::Null } => json!({ "attribute": {} }),
            PropertyKind::Attribute { default } => json!({ "attribute": { "defaultValue": text(default) } }),
            PropertyKind::Measurement { binding, counter, scaling } => {
                let extra = binding.is_some() || counter.is_some() || *scaling != Scaling::default();
                if extra || property.normal.is_some() || property.stale.is_some() {
                    self.lost.push(format!(
                        "address, counter rule, scaling, bounds and staleness of {}.{}",
                        model.name, property.key
                    ));
                }
                json!({ "measurement": {} })
            }
            PropertyKind::Transform { expression } => {
                let formula = self.formula(model, property, expression)?;
                json!({ "transform": formula })
            }
            PropertyKind::Metric { window, formula: MetricFormula::Expression(expression) } => {
                let Some(tumbling) = tumbling(window) else {
                    self.lost.push(format!("{}.{}: SiteWise has no window of {window}", model.name, property.key));
                    return None;
                };
                let mut formula = self.formula(model, property, expression)?;
                formula["window"] = json!({ "tumbling": tumbling });
                json!({ "metric": formula })
            }
            // Named once with the block they belong to.
            PropertyKind::Metric { formula: MetricFormula::Oee(_) | MetricFormula::OeeRecord, .. } => return None,
        };
        let mut tree = Map::new();
        tree.insert("name".into(), json!(name_of(model, property)));
        origin(&mut tree, property.id.to_string(), &property.origin, ("id", "externalId", "description"));
        let is_computed = matches!(property.kind, PropertyKind::Transform { .. } | PropertyKind::Metric { .. });
        let data_type = match property.value_type {
            ValueType::String if property.origin.name.as_deref() == Some("AWS/ALARM_STATE") => {
                tree.insert("dataTypeSpec".into(), json!("AWS/ALARM_STATE"));
                "STRUCT"
            }
            ValueType::String => "STRING",
            // Formulas give numbers there.
            ValueType::Boolean | ValueType::Integer if is_computed => "DOUBLE",
            ValueType::Boolean => "BOOLEAN",
            ValueType::Integer => "INTEGER",
            ValueType::Double => "DOUBLE",
        };
        tree.insert("dataType".into(), json!(data_type));
        if !property.unit.is_empty() {
            tree.insert("unit".into(), json!(property.unit));
        }
        tree.insert("type".into(), kind);
        Some(Value::Object(tree))
    }

    fn formula(
        &mut self,
        model: &AssetModel,
        property: &Property,
        expression: &crate::expression::Expression,
    ) -> Option<Value> {
        let (text, variables) = match &property.declared {
            Some(declared) => (declared.text.to_string(), declared.variables.clone()),
            None => match formula::of(expression) {
                Ok(formula) => formula,
                Err(reason) => {
                    self.lost.push(format!("{}.{}: {reason}", model.name, property.key));
                    return None;
                }
            },
        };
        let mut list = Vec::new();
        for (name, stands_for) in variables {
            let Some(value) = self.variable(model, property, &stands_for) else {
                self.lost.push(format!("{}.{}: `{stands_for}` has no place in SiteWise", model.name, property.key));
                return None;
            };
            list.push(json!({ "name": &*name, "value": value }));
        }
        Some(json!({ "expression": text, "variables": list }))
    }

    /// What a variable stands for, by ids.
    fn variable(&self, model: &AssetModel, property: &Property, stands_for: &str) -> Option<Value> {
        let Some((link, name)) = stands_for.split_once('.') else {
            return Some(json!({ "propertyId": of_window(model, property, stands_for)?.id.to_string() }));
        };
        let link = model.hierarchies.iter().find(|known| *known.name == *link)?;
        let child = &self.plant.models[link.models.first()?.0];
        let target = of_window(child, property, name)?;
        Some(json!({ "propertyId": target.id.to_string(), "hierarchyId": id_of(&link.origin, model, "link", &link.name) }))
    }

    fn link(&mut self, model: &AssetModel, link: &Hierarchy) -> Value {
        if link.models.len() != 1 {
            self.lost.push(format!("the link {} of {} to several models: only the first is there", link.name, model.name));
        }
        let mut tree = Map::new();
        tree.insert("name".into(), json!(link.origin.name_or(&link.name)));
        origin(&mut tree, id_of(&link.origin, model, "link", &link.name), &link.origin, ("id", "externalId", "description"));
        let child = link.models.first().map(|child| self.plant.models[child.0].id.to_string());
        tree.insert("childAssetModelId".into(), json!(child));
        Value::Object(tree)
    }

    fn composite(&self, model: &AssetModel, composite: &Composite, properties: Vec<Value>) -> Value {
        let mut tree = Map::new();
        tree.insert("name".into(), json!(composite.origin.name_or(&composite.key)));
        let id = id_of(&composite.origin, model, "composite", &composite.key);
        origin(&mut tree, id, &composite.origin, ("id", "externalId", "description"));
        tree.insert("type".into(), json!(composite.composite_type));
        if let Some(component) = composite.component {
            tree.insert("composedAssetModelId".into(), json!(self.plant.models[component.0].id.to_string()));
        }
        let parent = composite.parent.as_ref().and_then(|parent| model.composites.iter().find(|other| other.key == *parent));
        if let Some(parent) = parent {
            let id = id_of(&parent.origin, model, "composite", &parent.key);
            tree.insert("parentAssetModelCompositeModelId".into(), json!(id));
        }
        tree.insert("properties".into(), Value::Array(properties));
        Value::Object(tree)
    }

    fn asset(&mut self, asset: &Asset) -> Value {
        let model = &self.plant.models[asset.model.0];
        let mut tree = Map::new();
        tree.insert("assetName".into(), json!(asset.origin.name_or(&asset.name)));
        origin(&mut tree, asset.id.to_string(), &asset.origin, ("assetId", "assetExternalId", "assetDescription"));
        tree.insert("assetModelId".into(), json!(model.id.to_string()));
        let mut properties = Vec::new();
        for property in &model.properties {
            let alias = asset.aliases.iter().find(|(key, _)| *key == property.key).map(|(_, alias)| alias);
            let value = asset.attributes.iter().find(|(name, _)| *name == property.name).map(|(_, value)| value);
            let mut own = Map::new();
            if let Some(alias) = alias {
                own.insert("alias".into(), json!(alias));
            }
            if let (Some(value), PropertyKind::Attribute { .. }) = (value, &property.kind) {
                own.insert("attributeValue".into(), json!(text(value)));
            }
            if !own.is_empty() {
                own.insert("id".into(), json!(property.id.to_string()));
                properties.push(Value::Object(own));
            }
        }
        tree.insert("assetProperties".into(), Value::Array(properties));
        let mut links = Vec::new();
        for (name, children) in &asset.children {
            let Some(link) = model.hierarchies.iter().find(|link| link.name == *name) else { continue };
            for AssetIndex(child) in children.iter().copied() {
                let child = &self.plant.assets[child];
                if link.models.first() == Some(&child.model) {
                    links.push(json!({ "id": id_of(&link.origin, model, "link", name), "childAssetId": child.id.to_string() }));
                } else {
                    self.lost.push(format!(
                        "{} hangs under {} by a link to several models; there it stands at the root",
                        child.path, asset.path
                    ));
                }
            }
        }
        tree.insert("assetHierarchies".into(), Value::Array(links));
        if !asset.slots.is_empty() {
            self.lost.push(format!("the sources of {}", asset.path));
        }
        Value::Object(tree)
    }
}

/// A property by name as the formula of another one means it: of several windows, that of its own.
fn of_window<'m>(model: &'m AssetModel, from: &Property, name: &str) -> Option<&'m Property> {
    let window = |property: &Property| match &property.kind {
        PropertyKind::Metric { window, .. } => Some(window.clone()),
        _ => None,
    };
    let by_key = model.properties.iter().find(|property| *property.key == *name);
    let alike = || model.properties.iter().filter(|property| *property.name == *name);
    by_key.or_else(|| alike().find(|property| window(property) == window(from))).or_else(|| alike().next())
}

/// A window's interval and offset; none where SiteWise has none such.
fn tumbling(window: &WindowSpec) -> Option<Value> {
    let WindowSpec::Tumbling { every, offset } = window else { return None };
    let seconds = every.as_secs();
    if seconds < 60 || every.subsec_nanos() > 0 || seconds % 60 > 0 {
        return None;
    }
    let mut tumbling = json!({ "interval": span(*every) });
    if !offset.is_zero() {
        tumbling["offset"] = json!(span(*offset));
    }
    Some(tumbling)
}

/// A span in the largest unit that counts it whole: `5m`, `18h`.
fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [(604_800, "w"), (86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let (length, unit) = units.into_iter().find(|(length, _)| seconds.is_multiple_of(*length)).unwrap_or((1, "s"));
    format!("{}{unit}", seconds / length)
}

/// A value as SiteWise writes attribute values: always text.
fn text(value: &PlantValue) -> String {
    match value {
        PlantValue::Null => String::new(),
        PlantValue::Boolean(flag) => flag.to_string(),
        PlantValue::Integer(number) => number.to_string(),
        PlantValue::Double(number) => number.to_string(),
        PlantValue::String(text) => text.to_string(),
    }
}

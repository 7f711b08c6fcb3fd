//! The tree of a plant file from what was gathered.

mod assets;
mod scalars;

use super::{
    flatten::{Flat, FlatModel, flatten},
    gathered::Gathered,
    parts::{DataType, Formula, Kind, Variable},
    thing::{Thing, find, find_inside},
    window,
};
use crate::{PropertyId, definition::ModelKind, import::Findings};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// Properties that the plant file's reader refuses: model and property key.
pub(crate) type Skipped = HashSet<(String, String)>;

/// Parts of a plant file.
pub(crate) struct Lowered {
    /// `models:`, in order.
    pub models: Map<String, Value>,
    /// `assets:`, nested.
    pub assets: Map<String, Value>,
    /// Where each property was read, and what its data type should be: model key, property key.
    pub origins: Vec<Origin>,
}

/// Where a property of the plant file comes from.
pub(crate) struct Origin {
    pub model: String,
    pub property: String,
    pub name: String,
    pub place: super::thing::Place,
    pub data_type: DataType,
}

/// Makes the tree. Properties in `skipped` are left out, and so is what needs them.
pub(crate) fn lower(gathered: &Gathered, skipped: &Skipped, findings: &mut Findings) -> Lowered {
    let flat = flatten(gathered, findings);
    let mut lower = Lower { gathered, flat: &flat, findings, without: HashSet::new(), lost: Vec::new() };
    lower.leave_out(skipped);
    let formulas = lower.formulas();
    let mut origins = Vec::new();
    let mut models = Map::new();
    for index in 0..flat.len() {
        models.insert(flat[index].key.clone(), lower.model(index, &formulas[index], &mut origins));
    }
    let assets = lower.assets();
    Lowered { models, assets, origins }
}

struct Lower<'l, 'g> {
    gathered: &'g Gathered,
    flat: &'l [FlatModel<'g>],
    findings: &'l mut Findings,
    /// Properties that are left out: model, property.
    without: HashSet<(usize, usize)>,
    lost: Vec<(usize, usize)>,
}

/// The variables of a formula as the plant file names them.
type Variables = Vec<(String, String)>;

impl Lower<'_, '_> {
    fn leave_out(&mut self, skipped: &Skipped) {
        for (model, flat) in self.flat.iter().enumerate() {
            for (index, property) in flat.properties.iter().enumerate() {
                if skipped.contains(&(flat.key.clone(), property.key.clone())) {
                    self.without.insert((model, index));
                }
            }
        }
    }

    /// What all variables stand for. A formula that needs something that is left out is left out as well, and named.
    fn formulas(&mut self) -> Vec<Vec<Option<Variables>>> {
        loop {
            let mut all = Vec::with_capacity(self.flat.len());
            for (model, flat) in self.flat.iter().enumerate() {
                let mut found = Vec::with_capacity(flat.properties.len());
                for (index, property) in flat.properties.iter().enumerate() {
                    let formula = match &property.body.kind {
                        Kind::Transform { formula } | Kind::Metric { formula, .. } => Some(formula),
                        _ => None,
                    };
                    let known = formula.filter(|_| !self.without.contains(&(model, index)));
                    found.push(known.and_then(|formula| self.variables(model, index, formula)));
                }
                all.push(found);
            }
            if self.lost.is_empty() {
                return all;
            }
            self.without.extend(self.lost.drain(..));
        }
    }

    fn variables(&mut self, model: usize, index: usize, formula: &Formula) -> Option<Variables> {
        let mut variables = Vec::new();
        let property = &self.flat[model].properties[index];
        let is_metric = matches!(property.body.kind, Kind::Metric { .. });
        for variable in &formula.variables {
            match self.variable(model, index, variable, is_metric) {
                Ok(stands_for) => variables.push((variable.name.clone(), stands_for)),
                Err(reason) => {
                    let message =
                        format!("{} of {} is left out: {reason}", property.thing.name, self.flat[model].model.thing.name);
                    self.findings.turn_to(variable.at.file);
                    self.findings.error(&variable.at.path, message);
                    self.lost.push((model, index));
                    return None;
                }
            }
        }
        Some(variables)
    }

    /// What a variable stands for: `good_count`, `machines.oee`.
    fn variable(&mut self, model: usize, index: usize, variable: &Variable, is_metric: bool) -> Result<String, String> {
        let name = &variable.name;
        let own = &self.flat[model];
        let Some(reference) = &variable.hierarchy else {
            let from = own.properties[index].composite;
            let found = self.property(model, variable, from)?;
            return Ok(own.properties[found].key.clone());
        };
        if !is_metric {
            return Err(format!("its variable {name} reads children, and only metrics can"));
        }
        let things = || own.model.hierarchies.iter().map(|hierarchy| &hierarchy.thing);
        let found = find(things(), reference).or_else(|| find_inside(things(), reference));
        let found = found
            .ok_or_else(|| format!("its variable {name} names the hierarchy `{}`, which the model has not", reference.text))?;
        let child = self.child_model(model, found).ok_or_else(|| {
            format!(
                "its variable {name} reads the children {}, whose model no file makes",
                own.model.hierarchies[found].thing.name
            )
        })?;
        let property = self.property(child, variable, None)?;
        Ok(format!("{}.{}", own.hierarchies[found], self.flat[child].properties[property].key))
    }

    fn property(&mut self, model: usize, variable: &Variable, from: Option<usize>) -> Result<usize, String> {
        let flat = &self.flat[model];
        let name = &variable.name;
        let shown = match (&variable.property, variable.path.is_empty()) {
            (Some(reference), true) => reference.text.clone(),
            (None, true) => return Err(format!("its variable {name} stands for nothing: `propertyId` or `propertyPath`")),
            (_, false) => variable.path.iter().map(|step| step.text.as_str()).collect::<Vec<_>>().join("/"),
        };
        let exact = match (&variable.property, variable.path.is_empty()) {
            (_, false) => flat.find_path(&variable.path, from),
            (Some(reference), true) => flat.find(reference, from),
            (None, true) => None,
        };
        let found = exact.or_else(|| {
            let reference = variable.property.as_ref()?;
            let found = flat.find_inside(reference)?;
            let message = format!(
                "`{}` is a placeholder; it is taken for {} of {}",
                reference.text, flat.properties[found].thing.name, flat.model.thing.name
            );
            self.findings.turn_to(reference.at.file);
            self.findings.warning(&reference.at.path, message);
            Some(found)
        });
        let Some(found) = found else {
            let names = flat.properties.iter().map(|property| property.thing.name.as_str());
            let near =
                crate::expression::nearest(&shown, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(format!("its variable {name} names `{shown}`, which {} has not{near}", flat.model.thing.name));
        };
        if self.without.contains(&(model, found)) {
            return Err(format!("its variable {name} needs {}, which is left out", flat.properties[found].thing.name));
        }
        Ok(found)
    }

    /// The model of the children of a hierarchy.
    fn child_model(&mut self, model: usize, hierarchy: usize) -> Option<usize> {
        let reference = &self.flat[model].model.hierarchies[hierarchy].child;
        self.gathered.find_model(reference).or_else(|| {
            let found = find_inside(self.gathered.models.iter().map(|model| &model.thing), reference)?;
            let message = format!(
                "`{}` is a placeholder; it is taken for the model {}",
                reference.text, self.gathered.models[found].thing.name
            );
            self.findings.turn_to(reference.at.file);
            self.findings.warning(&reference.at.path, message);
            Some(found)
        })
    }

    fn model(&mut self, index: usize, formulas: &[Option<Variables>], origins: &mut Vec<Origin>) -> Value {
        let flat = &self.flat[index];
        let model = flat.model;
        let mut tree = self.names(&model.thing, &flat.key, flat.was.as_deref());
        let siblings: HashSet<&str> = self.flat.iter().filter_map(|other| other.was.as_deref()).collect();
        if siblings.contains(flat.key.as_str()) && model.thing.uuid().is_none() {
            // Its name was another model's, whose id derives from it.
            tree.insert("id".into(), json!(crate::ModelId::from_name(&format!("{}#2", flat.key)).to_string()));
        }
        match model.kind {
            ModelKind::Asset => {}
            ModelKind::Component => drop(tree.insert("type".into(), json!("component"))),
            ModelKind::Interface => drop(tree.insert("type".into(), json!("interface"))),
        }
        insert(&mut tree, "children", self.children(index));
        insert(&mut tree, "composites", self.composites(index));
        insert(&mut tree, "implements", self.implements(index));
        let mut sections: [Map<String, Value>; 4] = Default::default();
        for (position, property) in flat.properties.iter().enumerate() {
            let variables = &formulas[position];
            let needs_formula = matches!(property.body.kind, Kind::Transform { .. } | Kind::Metric { .. });
            if self.without.contains(&(index, position)) || (needs_formula && variables.is_none()) {
                continue;
            }
            origins.push(Origin {
                model: flat.key.clone(),
                property: property.key.clone(),
                name: property.thing.name.clone(),
                place: property.thing.at.clone(),
                data_type: property.body.data_type,
            });
            let entry = self.entry(index, property, variables.as_ref());
            let (section, window) = match &property.body.kind {
                Kind::Attribute { .. } => (0, None),
                Kind::Measurement => (1, None),
                Kind::Transform { .. } => (2, None),
                Kind::Metric { interval, offset, .. } => (3, window::read(interval, offset.as_deref()).ok()),
            };
            let target = match window {
                None => &mut sections[section],
                Some(window) => match sections[3].entry(window.name()).or_insert_with(|| json!({})) {
                    Value::Object(metrics) => metrics,
                    _ => continue,
                },
            };
            target.insert(property.key.clone(), entry);
        }
        for (name, section) in ["attributes", "measurements", "transforms", "metrics"].into_iter().zip(sections) {
            insert(&mut tree, name, section);
        }
        Value::Object(tree)
    }

    /// The names a thing has elsewhere, as far as they are not its key.
    fn names(&mut self, thing: &Thing, key: &str, was: Option<&str>) -> Map<String, Value> {
        let mut tree = Map::new();
        if thing.name != key {
            tree.insert("name".into(), json!(thing.name));
        }
        let mut external_id = thing.external_id.clone();
        match (thing.uuid(), &thing.id) {
            (Some(id), _) => drop(tree.insert("id".into(), json!(id.to_string()))),
            (None, Some(id)) => {
                external_id.get_or_insert_with(|| id.clone());
                self.findings.turn_to(thing.at.file);
                self.findings.warning(&thing.at.path, format!("`{id}` is no UUID: {} keeps it as its external id", thing.name));
            }
            (None, None) => {}
        }
        if let Some(external_id) = external_id {
            tree.insert("external_id".into(), json!(external_id));
        }
        if let Some(description) = &thing.description {
            tree.insert("description".into(), json!(description));
        }
        if let Some(was) = was {
            tree.insert("was".into(), json!(was));
        }
        tree
    }

    fn entry(&mut self, model: usize, property: &Flat<'_>, variables: Option<&Variables>) -> Value {
        let body = property.body;
        let mut tree = Map::new();
        match &body.kind {
            Kind::Attribute { default } => {
                let value = default.as_ref().and_then(|text| self.scalar(property, text));
                scalars::declare(&mut tree, body.data_type, value);
            }
            Kind::Measurement => scalars::declare_type(&mut tree, body.data_type),
            Kind::Transform { formula } | Kind::Metric { formula, .. } => {
                tree.insert("formula".into(), json!(formula.text));
                let variables = variables.into_iter().flatten().map(|(name, stands_for)| (name.clone(), json!(stands_for)));
                insert(&mut tree, "variables", variables.collect());
                scalars::declare_type(&mut tree, body.data_type);
            }
        }
        if !body.unit.is_empty() {
            tree.insert("unit".into(), json!(body.unit));
        }
        let flat = &self.flat[model];
        let mut names = self.names(property.thing, &property.key, property.was.as_deref());
        if property.borrowed {
            names.retain(|name, _| name != "id" && name != "external_id");
        }
        tree.append(&mut names);
        if property.thing.name != body.thing.name || property.composite.is_some() {
            // In a composite the key has the composite's name before it.
            tree.insert("name".into(), json!(body.thing.name));
        }
        let taken = flat.properties.iter().any(|other| other.was.as_deref() == Some(&property.key));
        if taken && !tree.contains_key("id") {
            tree.insert("id".into(), json!(PropertyId::from_name(&format!("{}/{}#2", flat.key, property.key)).to_string()));
        }
        if let Some(composite) = property.composite {
            tree.insert("composite".into(), json!(flat.composites[composite].key));
        }
        shortest(&body.kind, tree)
    }

    fn scalar(&mut self, property: &Flat<'_>, text: &str) -> Option<Value> {
        let value = scalars::typed(text, property.body.data_type);
        if value.is_none() && !text.trim().is_empty() {
            let message = format!(
                "`{text}` is no {} for {}; it has no default",
                scalars::name(property.body.data_type),
                property.thing.name
            );
            self.findings.turn_to(property.thing.at.file);
            self.findings.warning(&property.thing.at.path, message);
        }
        value
    }

    fn children(&mut self, index: usize) -> Map<String, Value> {
        let mut children = Map::new();
        let flat = &self.flat[index];
        for (position, hierarchy) in flat.model.hierarchies.iter().enumerate() {
            let Some(child) = self.child_model(index, position) else {
                let message = format!(
                    "the hierarchy {} of {} is left out: no file makes its model `{}`",
                    hierarchy.thing.name, flat.model.thing.name, hierarchy.child.text
                );
                self.findings.turn_to(hierarchy.child.at.file);
                self.findings.error(&hierarchy.child.at.path, message);
                continue;
            };
            let key = &flat.hierarchies[position];
            let names = self.names(&hierarchy.thing, key, None);
            let model = json!(self.flat[child].key);
            let value = match names.is_empty() {
                true => model,
                false => Value::Object([("model".to_owned(), model)].into_iter().chain(names).collect()),
            };
            children.insert(key.clone(), value);
        }
        children
    }

    fn composites(&mut self, index: usize) -> Map<String, Value> {
        let mut composites = Map::new();
        let flat = &self.flat[index];
        for composite in &flat.composites {
            let mut tree = Map::new();
            if composite.composite.composite_type != "CUSTOM" {
                tree.insert("type".into(), json!(composite.composite.composite_type));
            }
            if let Some(component) = composite.component {
                tree.insert("model".into(), json!(self.flat[component].key));
            }
            if let Some(parent) = composite.parent {
                tree.insert("in".into(), json!(flat.composites[parent].key));
            }
            tree.append(&mut self.names(&composite.composite.thing, &composite.key, None));
            composites.insert(composite.key.clone(), Value::Object(tree));
            self.alarm(index, composite.composite);
        }
        composites
    }

    /// An alarm's state is a property; its rule stands elsewhere.
    fn alarm(&mut self, index: usize, composite: &super::parts::Composite) {
        if composite.composite_type != "AWS/ALARM" {
            return;
        }
        let text = |name: &str| {
            let property = composite.properties.iter().find(|property| property.thing.name == name)?;
            match &property.kind {
                Kind::Attribute { default } => default.clone(),
                _ => None,
            }
        };
        if text("AWS/ALARM_TYPE").as_deref() == Some("EXTERNAL") {
            return;
        }
        let source = text("AWS/ALARM_SOURCE").map(|source| format!(" ({source})")).unwrap_or_default();
        let message = format!(
            "the rule of the alarm {} of {} stands in an IoT Events alarm model{source}: its state and settings are carried over, its rule is not",
            composite.thing.name, self.flat[index].model.thing.name
        );
        self.findings.turn_to(composite.thing.at.file);
        self.findings.not_carried(&composite.thing.at.path, message);
    }

    fn implements(&mut self, index: usize) -> Map<String, Value> {
        let mut implements = Map::new();
        let flat = &self.flat[index];
        for interface in &flat.model.interfaces {
            self.findings.turn_to(interface.interface.at.file);
            let found = self
                .gathered
                .find_model(&interface.interface)
                .filter(|found| self.gathered.models[*found].kind == ModelKind::Interface);
            let Some(found) = found else {
                let message = format!(
                    "{} fulfils the interface `{}`, which no file makes",
                    flat.model.thing.name, interface.interface.text
                );
                self.findings.error(&interface.interface.at.path, message);
                continue;
            };
            let theirs = &self.flat[found];
            let mut pairs = Map::new();
            for (their, own) in &interface.properties {
                match (theirs.find(their, None), flat.find(own, None)) {
                    (Some(their), Some(own)) => {
                        pairs.insert(theirs.properties[their].key.clone(), json!(flat.properties[own].key));
                    }
                    _ => {
                        let message = format!(
                            "`{}` or `{}` is no property of the interface or of {}",
                            their.text, own.text, flat.model.thing.name
                        );
                        self.findings.error(&their.at.path, message);
                    }
                }
            }
            for their in theirs.properties.iter().filter(|_| interface.by_name) {
                let own = flat.properties.iter().find(|own| own.thing.name == their.thing.name);
                if let Some(own) = own.filter(|_| !pairs.contains_key(&their.key)) {
                    pairs.insert(their.key.clone(), json!(own.key));
                }
            }
            pairs.retain(|their, own| {
                let kept = |model: usize, key: &str| {
                    let position = self.flat[model].properties.iter().position(|property| property.key == key);
                    position.is_some_and(|position| !self.without.contains(&(model, position)))
                };
                kept(found, their) && own.as_str().is_some_and(|own| kept(index, own))
            });
            implements.insert(theirs.key.clone(), Value::Object(pairs));
        }
        implements
    }
}

/// Adds a section that has something in it.
fn insert(tree: &mut Map<String, Value>, name: &str, section: Map<String, Value>) {
    if !section.is_empty() {
        tree.insert(name.into(), Value::Object(section));
    }
}

/// An attribute with nothing but a value is only the value.
fn shortest(kind: &Kind, tree: Map<String, Value>) -> Value {
    match (kind, tree.len(), tree.get("default")) {
        (Kind::Attribute { .. }, 1, Some(value)) => value.clone(),
        _ => Value::Object(tree),
    }
}

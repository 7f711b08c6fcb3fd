//! What names mean in the formulas of one model: own property, variable, alarm flag, parent, children.

use super::model::{KindDraft, ModelDraft};
use crate::{
    ValueType,
    definition::ModelIndex,
    expression::{AlarmFlag, Reference, Resolved, Scope, Type},
    window::WindowSpec,
};
use std::{cell::RefCell, sync::Arc};

/// A property of a model, by position.
pub(super) type Place = (usize, usize);

/// What is known of a property's type so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Its formula was not read yet.
    Not,
    /// Its formula has a mistake that is reported already.
    Failed,
    Type(ValueType),
}

/// All models and what is known of their properties.
pub(super) struct World<'w, 'n> {
    pub models: &'w [ModelDraft<'n>],
    pub known: &'w [Vec<Known>],
}

/// The names of one formula.
pub(super) struct Names<'w, 'n> {
    pub world: &'w World<'w, 'n>,
    pub model: usize,
    /// The window of the metric that is read; none elsewhere.
    pub window: Option<&'w WindowSpec>,
    pub variables: &'w [(Arc<str>, crate::Value)],
    /// Whether the flags of the detector's alarm have a meaning.
    pub alarm: bool,
    /// Whether children may be read by their newest values: in guards, actions and interlocks.
    pub children: bool,
    pub notes: RefCell<Notes>,
}

/// What was noticed while names were looked up.
#[derive(Default)]
pub(super) struct Notes {
    /// Properties whose own formula must be read first.
    pub pending: Vec<Place>,
    /// Everything that was found.
    pub used: Vec<Place>,
    /// The units of what was found.
    pub units: Vec<(Reference, Arc<str>)>,
    /// A name stands for something that is broken: errors that follow from it stay unsaid.
    pub failed: bool,
    /// A better reason than "there is no such name", with a hint.
    pub complaint: Option<(String, String)>,
}

impl Notes {
    /// The units of an expression's slots.
    pub fn slot_units(&self, references: &[Reference]) -> Vec<Arc<str>> {
        let unit =
            |reference: &Reference| self.units.iter().find(|(known, _)| known == reference).map(|(_, unit)| unit.clone());
        references.iter().map(|reference| unit(reference).unwrap_or_else(|| "".into())).collect()
    }
}

/// What a name means in one model.
enum Pick {
    Found(usize),
    Nothing,
    /// The name stands for several windows.
    Ambiguous(String),
}

impl Names<'_, '_> {
    /// A property by key or name: the window's own variant first, elsewhere that of the shift.
    fn pick(&self, model: usize, name: &str) -> Pick {
        let properties = &self.world.models[model].properties;
        if let Some(position) = properties.iter().position(|property| &*property.key == name) {
            return Pick::Found(position);
        }
        let variants = || properties.iter().enumerate().filter(|(_, property)| &*property.name == name);
        let own = self.window.and_then(|window| variants().find(|(_, property)| property.window() == Some(window)));
        let of_shift = || variants().find(|(_, property)| property.window() == Some(&WindowSpec::Shift));
        let only = || Some(variants().next()?).filter(|_| variants().count() == 1);
        match own.or_else(of_shift).or_else(only) {
            Some((position, _)) => Pick::Found(position),
            None if variants().next().is_none() => Pick::Nothing,
            None => {
                let keys: Vec<String> = variants().map(|(_, property)| format!("`{}`", property.key)).collect();
                Pick::Ambiguous(keys.join(" or "))
            }
        }
    }

    /// A property that several models must have alike: parents, or the models of a hierarchy.
    fn common(&self, models: &[ModelIndex], name: &str, whose: &str) -> Option<(Arc<str>, Type, Arc<str>)> {
        let mut found: Option<(Arc<str>, Type, Arc<str>)> = None;
        for ModelIndex(model) in models.iter().copied() {
            let property = match self.pick(model, name) {
                Pick::Found(property) => property,
                Pick::Nothing => {
                    if models.len() > 1 && models.iter().any(|other| !matches!(self.pick(other.0, name), Pick::Nothing)) {
                        let missing = &self.world.models[model].name;
                        let hint = format!("add `{name}` to the model {missing}, or read something all of them have");
                        self.complain(format!("the model {missing} has no `{name}`, and {whose} may be one"), hint);
                    }
                    return None;
                }
                Pick::Ambiguous(keys) => {
                    self.complain(format!("`{name}` is computed for several windows"), format!("say which: {keys}"));
                    return None;
                }
            };
            let draft = &self.world.models[model].properties[property];
            let node_type = self.take((model, property));
            match &found {
                Some((key, known, _)) if *key != draft.key || *known != node_type => {
                    let message = format!("`{name}` is not the same in all models that {whose} may be");
                    self.complain(
                        message,
                        format!("it is `{key}`, {known}, in one and `{}`, {node_type}, in another", draft.key),
                    );
                    return None;
                }
                Some(_) => {}
                None => found = Some((draft.key.clone(), node_type, draft.unit.clone())),
            }
        }
        found
    }

    fn complain(&self, message: String, hint: String) {
        self.notes.borrow_mut().complaint = Some((message, hint));
    }

    /// The property that was looked up last.
    pub fn last_used(&self) -> Option<&super::model::PropertyDraft<'_>> {
        let (model, property) = *self.notes.borrow().used.last()?;
        self.world.models.get(model)?.properties.get(property)
    }

    /// Notes that a property is used, and gives its type.
    fn take(&self, place: Place) -> Type {
        let mut notes = self.notes.borrow_mut();
        notes.used.push(place);
        match self.world.known[place.0][place.1] {
            Known::Type(value_type) => value_type.into(),
            Known::Failed => {
                notes.failed = true;
                Type::Null
            }
            Known::Not => {
                notes.pending.push(place);
                Type::Null
            }
        }
    }

    fn own(&self, name: &str) -> Option<Resolved> {
        match self.pick(self.model, name) {
            Pick::Found(property) => {
                let draft = &self.world.models[self.model].properties[property];
                let node_type = self.take((self.model, property));
                Some(Resolved { reference: Reference::Own(draft.key.clone()), node_type, unit: draft.unit.clone() })
            }
            Pick::Nothing => None,
            Pick::Ambiguous(keys) => {
                self.complain(format!("`{name}` is computed for several windows"), format!("say which: {keys}"));
                None
            }
        }
    }

    fn variable(&self, name: &str) -> Option<Resolved> {
        let (variable, value) = self.variables.iter().find(|(variable, _)| &**variable == name)?;
        let node_type = value.value_type().map_or(Type::Null, Type::from);
        Some(Resolved { reference: Reference::Variable(variable.clone()), node_type, unit: "".into() })
    }

    fn flag(&self, name: &str) -> Option<Resolved> {
        let flag = match name {
            "acknowledged" => AlarmFlag::Acknowledged,
            "shelved" => AlarmFlag::Shelved,
            "suppressed" => AlarmFlag::Suppressed,
            _ => return None,
        };
        if !self.alarm {
            self.complain(format!("`{name}` speaks of a detector's alarm"), "it has a meaning in guards only".into());
            return None;
        }
        Some(Resolved { reference: Reference::Alarm(flag), node_type: Type::Boolean, unit: "".into() })
    }

    fn parents(&self) -> Vec<ModelIndex> {
        let models = self.world.models.iter().enumerate();
        let own = ModelIndex(self.model);
        let parents = models.filter(|(_, model)| model.hierarchies.iter().any(|hierarchy| hierarchy.models.contains(&own)));
        parents.map(|(index, _)| ModelIndex(index)).collect()
    }

    fn parent(&self, name: &str) -> Option<Resolved> {
        let (key, node_type, unit) = self.common(&self.parents(), name, "the parent")?;
        Some(Resolved { reference: Reference::Parent(key), node_type, unit })
    }

    fn children(&self, hierarchy: &str, name: &str) -> Option<Resolved> {
        let found = self.world.models[self.model].hierarchies.iter().find(|found| &*found.name == hierarchy)?;
        let (property, node_type, unit) = self.common(&found.models, name, hierarchy)?;
        Some(Resolved { reference: Reference::Children { hierarchy: found.name.clone(), property }, node_type, unit })
    }

    /// Why a bare name means nothing here, if there is more to say than that.
    fn explain(&self, name: &str) {
        let model = &self.world.models[self.model];
        if model.controls.iter().any(|control| &*control.name == name) {
            let hint = "add a measurement with the control's address to see what the machine has".to_owned();
            self.complain(format!("`{name}` is a control: it can be written, not read"), hint);
        } else if let Some(hierarchy) = model.hierarchies.iter().find(|hierarchy| &*hierarchy.name == name) {
            let hint = format!("say which property of them: `avg({}.speed)`", hierarchy.name);
            self.complain(format!("`{name}` are the children"), hint);
        }
    }

    fn find(&self, path: &[&str]) -> Option<Resolved> {
        match *path {
            [name] => {
                let found =
                    self.own(name).or_else(|| self.variable(name)).or_else(|| self.flag(name)).or_else(|| self.parent(name));
                if found.is_none() && self.notes.borrow().complaint.is_none() {
                    self.explain(name);
                }
                found
            }
            ["parent", name] => {
                if self.parents().is_empty() {
                    let model = &self.world.models[self.model].name;
                    let hint = format!("name {model} among the `children` of another model");
                    self.complain(format!("the model {model} has no parent"), hint);
                }
                self.parent(name)
            }
            [hierarchy, name] => self.children(hierarchy, name),
            _ => None,
        }
    }
}

impl Scope for Names<'_, '_> {
    fn resolve(&self, path: &[&str]) -> Option<Resolved> {
        self.notes.borrow_mut().complaint = None;
        let resolved = self.find(path);
        if let Some(resolved) = &resolved {
            self.notes.borrow_mut().units.push((resolved.reference.clone(), resolved.unit.clone()));
        }
        resolved
    }

    fn candidates(&self) -> Vec<String> {
        let names = |model: usize| {
            let properties = self.world.models[model].properties.iter().filter(|property| !property.hidden);
            let mut names: Vec<String> = properties.map(|property| property.name.to_string()).collect();
            names.dedup();
            names
        };
        let mut all = names(self.model);
        all.extend(self.variables.iter().map(|(name, _)| name.to_string()));
        if self.alarm {
            all.extend(["acknowledged", "shelved", "suppressed"].map(str::to_owned));
        }
        for ModelIndex(parent) in self.parents() {
            all.extend(names(parent).into_iter().map(|name| format!("parent.{name}")));
        }
        for hierarchy in &self.world.models[self.model].hierarchies {
            let first = hierarchy.models.first().map(|model| names(model.0)).unwrap_or_default();
            all.extend(first.into_iter().map(|name| format!("{}.{name}", hierarchy.name)));
        }
        all
    }

    fn aggregates(&self) -> bool {
        self.window.is_some()
    }

    fn reads_children(&self) -> bool {
        self.children
    }
}

/// Whether a property may stand in a metric without an aggregate around it.
pub(super) fn is_constant(draft: &super::model::PropertyDraft<'_>) -> bool {
    matches!(draft.kind, KindDraft::Attribute { .. })
}

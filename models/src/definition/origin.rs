//! What things are called in the system their definition came from (AWS IoT SiteWise), so that its programs find them again.

use super::ModelIndex;
use std::sync::Arc;
use uuid::Uuid;

/// What a model, property, hierarchy, composite or asset is called elsewhere. Empty for what was written by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The id it keeps, instead of one derived from its name.
    pub id: Option<Uuid>,
    /// The id its owner gave it.
    pub external_id: Option<Arc<str>>,
    /// Its name there, where it cannot be a name here.
    pub name: Option<Arc<str>>,
    /// What it is, in words.
    pub description: Option<Arc<str>>,
}

impl Origin {
    /// Its name there, which is its name here if nothing else is said.
    pub fn name_or<'o>(&'o self, name: &'o str) -> &'o str {
        self.name.as_deref().unwrap_or(name)
    }
}

/// What a model is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelKind {
    /// Assets are made of it.
    #[default]
    Asset,
    /// Only other models are composed of it.
    Component,
    /// A contract that other models fulfil.
    Interface,
}

/// A group of properties of a model with a name of its own: a component, or an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composite {
    /// Its name in the plant file; properties say that they belong to it.
    pub key: Arc<str>,
    /// What it is called elsewhere.
    pub origin: Origin,
    /// `AWS/ALARM` for alarms, `CUSTOM` otherwise.
    pub composite_type: Arc<str>,
    /// The composite it is part of.
    pub parent: Option<Arc<str>>,
    /// The component model it repeats.
    pub component: Option<ModelIndex>,
}

/// How a model fulfils an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Implementation {
    /// The interface.
    pub interface: ModelIndex,
    /// Property of the interface, and the own property that stands for it.
    pub properties: Vec<(Arc<str>, Arc<str>)>,
}

/// A formula in the words of AWS IoT SiteWise, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredFormula {
    /// Its text.
    pub text: Arc<str>,
    /// Its variables, and what each stands for: `good_count`, `machines.oee`.
    pub variables: Vec<(Arc<str>, Arc<str>)>,
}

//! Models and assets as SiteWise has them.

use super::thing::{Place, Reference, Thing};
use crate::definition::ModelKind;

/// A model.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    pub thing: Thing,
    pub kind: ModelKind,
    pub properties: Vec<Property>,
    pub hierarchies: Vec<Hierarchy>,
    pub composites: Vec<Composite>,
    pub interfaces: Vec<Interface>,
}

/// What a file says of a model; what it does not mention is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModelPatch {
    pub thing: Thing,
    pub kind: Option<ModelKind>,
    pub properties: Option<Vec<Property>>,
    pub hierarchies: Option<Vec<Hierarchy>>,
    pub composites: Option<Vec<Composite>>,
    /// Composites that are named without their properties.
    pub named_composites: Vec<Composite>,
    pub interfaces: Vec<Interface>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Property {
    pub thing: Thing,
    pub data_type: DataType,
    pub unit: String,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataType {
    Double,
    Integer,
    Boolean,
    String,
    /// Kept as the text that it is written in.
    Struct,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Attribute { default: Option<String> },
    Measurement,
    Transform { formula: Formula },
    Metric { formula: Formula, interval: String, offset: Option<String> },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Formula {
    pub text: String,
    pub variables: Vec<Variable>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Variable {
    pub name: String,
    pub property: Option<Reference>,
    pub hierarchy: Option<Reference>,
    /// The way through composites to a property, if it is given so.
    pub path: Vec<Reference>,
    pub at: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hierarchy {
    pub thing: Thing,
    pub child: Reference,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Composite {
    pub thing: Thing,
    pub composite_type: String,
    pub properties: Vec<Property>,
    pub parent: Option<Reference>,
    /// The component model it repeats.
    pub component: Option<Reference>,
}

/// How a model fulfils an interface.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Interface {
    pub interface: Reference,
    /// Property of the interface and of the model.
    pub properties: Vec<(Reference, Reference)>,
    /// Whether all properties of the same name stand for one another.
    pub by_name: bool,
}

/// An asset.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Asset {
    pub thing: Thing,
    pub model: Option<Reference>,
    pub properties: Vec<AssetProperty>,
    /// The parent, by number, and the hierarchy it hangs in.
    pub parent: Option<(usize, Option<Reference>)>,
    /// Its path where it stood before it was moved or renamed.
    pub first_path: Option<String>,
}

/// The place of a child.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Link {
    pub parent: Reference,
    pub hierarchy: Option<Reference>,
}

/// A child that an asset's description names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Child {
    pub hierarchy: Option<Reference>,
    pub child: Reference,
}

/// What an asset has of its own for a property.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AssetProperty {
    pub property: Reference,
    pub alias: Option<String>,
    pub value: Option<String>,
    pub unit: Option<String>,
}

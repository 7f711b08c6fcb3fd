//! CloudFormation templates: their resources with every reference inside the template resolved.
//!
//! Reads what people have in their repositories, JSON or YAML with short tags, as an account would deploy it with default parameters:
//! `Ref`, `Fn::Sub`, `Fn::Join`, `Fn::GetAtt`, `Fn::FindInMap`, `Fn::If`, `Fn::Select`, `Fn::Split`, `Fn::Base64` and the condition
//! functions. A reference to a resource of the template becomes a stable placeholder that importers can follow: the name where AWS
//! answers with a name that the template gives, an ARN where it asks for one, else the logical id. What a template cannot know (a
//! parameter without a value, another stack's export) is listed with its path, never guessed in silence. No input makes this panic.
//!
//! Source: AWS CloudFormation User Guide, "Template anatomy" and "Intrinsic function reference".

use crate::document::{self, DocumentError};
use serde_json::Value;

mod attributes;
mod conditions;
mod functions;
mod parameters;
mod resolver;
#[cfg(test)]
mod tests;

pub use parameters::Parameters;

/// Resources of one template; AWS allows 500.
const MAX_RESOURCES: usize = 10_000;
/// Bytes and values that are written out in total, for each use of a mapping or parameter copies it; AWS takes templates up to 1 MB.
const MAX_WRITTEN: usize = 8 << 20;
/// Nesting of values, of functions and of references between resources, all together. A level takes a few kilobytes of stack.
const MAX_NESTING: usize = 160;
/// What is listed as not resolved at most; a template full of it is not made clearer by more.
const MAX_UNRESOLVED: usize = 1000;

/// A template whose references are resolved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    /// The template's description; empty if none.
    pub description: String,
    /// Its resources in file order, without those whose condition is false.
    pub resources: Vec<Resource>,
    /// Logical ids of the resources that a false condition leaves out.
    pub left_out: Vec<String>,
    /// What could not be resolved, in file order.
    pub unresolved: Vec<Unresolved>,
}

/// One resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its name in the template; other resources' references to it become this.
    pub logical_id: String,
    /// Its type: `AWS::IoTSiteWise::AssetModel`.
    pub resource_type: String,
    /// Its properties, resolved, members named as in the template (PascalCase; see [`crate::document::camel_case`]).
    pub properties: Value,
}

/// Something whose value the template does not say. In its place stands a text that shows what it was, as `${Name}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// Where it stands: `Resources.Pump.Properties.Name`.
    pub path: String,
    /// What it is and the way out.
    pub reason: String,
}

/// Why a template cannot be used at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is neither JSON nor YAML.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// It has no `Resources`.
    #[error("this is no CloudFormation template: it has no `Resources` with a `Type` each")]
    NoTemplate,
    /// Resources or conditions need one another.
    #[error("{0} refer to one another in a circle")]
    Cycle(String),
    /// A limit is passed.
    #[error("{path}: {reason}")]
    TooLarge {
        /// Where.
        path: String,
        /// Which limit.
        reason: String,
    },
}

/// Whether a document is a CloudFormation template: some member of `Resources` has a `Type`.
pub fn is_template(document: &Value) -> bool {
    let resources = document.get("Resources").and_then(Value::as_object);
    resources.is_some_and(|resources| resources.values().any(|resource| resource.get("Type").is_some_and(Value::is_string)))
}

/// Reads and resolves a template.
///
/// # Errors
/// See [`TemplateError`].
pub fn read(text: &str, parameters: &Parameters) -> Result<Template, TemplateError> {
    resolve(&document::read(text)?, parameters)
}

/// Resolves a template that was read by [`document::read`].
///
/// # Errors
/// See [`TemplateError`].
pub fn resolve(document: &Value, parameters: &Parameters) -> Result<Template, TemplateError> {
    if !is_template(document) {
        return Err(TemplateError::NoTemplate);
    }
    resolver::Resolver::new(document, parameters).template()
}

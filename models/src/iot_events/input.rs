//! Inputs: what messages are called and what they hold.

use super::{cursor::Cursor, finding::FindingKind, json_path::JsonPath};
use std::sync::Arc;

/// Most attributes of an input, as on AWS.
pub(super) const MAX_ATTRIBUTES: usize = 200;

/// A kind of message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: Arc<str>,
    /// What it is for; empty if nothing is said.
    pub description: Arc<str>,
    /// The places that expressions may read. Messages may hold more.
    pub attributes: Vec<JsonPath>,
}

/// Reads the body of a create-input request, or what is described of an input. A template may leave the name to its place in it.
pub(super) fn input(cursor: &Cursor<'_>, fallback: &str) -> Option<Input> {
    let object = cursor.object()?;
    object.only(&["inputName", "inputDescription", "inputDefinition", "tags"]);
    let name = match object.get("inputName") {
        Some(name) => name.text()?,
        None if fallback.is_empty() => {
            object.error("`inputName` is missing");
            return None;
        }
        None => fallback.into(),
    };
    let definition = object.need("inputDefinition")?.object()?;
    definition.only(&["attributes"]);
    let attribute = |item: Cursor<'_>| {
        let path = item.object()?.need("jsonPath")?;
        JsonPath::parse(&path.text()?).map_err(|mistake| path.error(mistake)).ok()
    };
    let attributes: Vec<_> = definition.list("attributes", MAX_ATTRIBUTES).into_iter().filter_map(attribute).collect();
    if attributes.is_empty() {
        object.report().warning(FindingKind::Structure, &object.path, "the input has no attributes; AWS asks for at least one");
    }
    Some(Input { name, description: object.text("inputDescription").unwrap_or_default(), attributes })
}

//! The wrappers that definitions come in: the body of a create request, a bare definition, what a describe call answered, and
//! CloudFormation templates; inputs in the same ways.

use super::{
    cursor::{Cursor, Object},
    finding::{Finding, FindingKind, Findings},
    input::{Input, input},
    model::DetectorModel,
    read::{Around, model},
};
use crate::{
    cloudformation::{self, Parameters},
    document,
};
use serde_json::Value;
use std::sync::Arc;

/// Everything of one document.
#[derive(Debug, Default)]
pub struct Document {
    /// Its detector models; one with an error is not here.
    pub models: Vec<DetectorModel>,
    /// Its inputs.
    pub inputs: Vec<Input>,
    /// What is wrong or doubtful.
    pub findings: Vec<Finding>,
}

const CONFIGURATION: &[&str] = &[
    "detectorModelName",
    "detectorModelDescription",
    "detectorModelVersion",
    "detectorModelArn",
    "roleArn",
    "key",
    "evaluationMethod",
    "creationTime",
    "lastUpdateTime",
    "status",
    "tags",
];

/// Reads a document: JSON, or a CloudFormation template in YAML. `fallback` names a model whose wrapper has no name, as a rule the
/// file's name without its ending.
pub fn read(text: &str, fallback: &str) -> Document {
    let findings = Findings::default();
    let mut document = Document::default();
    match document::read(text) {
        Ok(value) if cloudformation::is_template(&value) => template(&value, &findings, &mut document),
        Ok(value) => part(&Cursor::new(&value, "", &findings), fallback, &mut document),
        Err(mistake) => findings.error(FindingKind::Structure, "(root)", mistake.to_string()),
    }
    if document.models.is_empty() && document.inputs.is_empty() && findings.errors() == 0 {
        findings.error(FindingKind::Structure, "(root)", NOTHING);
    }
    document.findings = findings.into_vec();
    document
}

/// Whether a text is meant for [`read`]: JSON, or a template in YAML. A plant file is neither.
pub fn recognises(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    text.starts_with(['{', '[']) || document::read(text).is_ok_and(|value| cloudformation::is_template(&value))
}

const NOTHING: &str = "this is no detector model: expected `detectorModelDefinition` (a create request), `detectorModel` (a describe \
                       answer), `states` (a bare definition), `inputName` (an input) or `Resources` (a CloudFormation template)";

/// Reads whatever the document is.
fn part(cursor: &Cursor<'_>, fallback: &str, document: &mut Document) {
    if let Value::Array(_) = cursor.value {
        // `aws … | jq -s` and the like: a list of any of the others.
        for item in cursor.list(MAX_DOCUMENTS) {
            part(&item, fallback, document);
        }
        return;
    }
    let Some(object) = cursor.object() else { return };
    if let Some(described) = object.get("detectorModel").and_then(|inner| inner.object()) {
        describe(&described, fallback, document);
    } else if object.has("detectorModelDefinition") {
        create(&object, fallback, document);
    } else if object.has("states") && object.has("initialStateName") {
        add(cursor, around(None, fallback), document);
    } else if let Some(described) = object.get("input").and_then(|inner| inner.object()) {
        describe_input(&described, document);
    } else if object.has("inputDefinition") {
        document.inputs.extend(input(cursor, ""));
    } else {
        object.error(NOTHING);
    }
}

/// Reads a template as it would be deployed with its default parameters.
fn template(value: &Value, findings: &Findings, document: &mut Document) {
    let template = match cloudformation::resolve(value, &Parameters::none()) {
        Ok(template) => template,
        Err(mistake) => return findings.error(FindingKind::Structure, "(root)", mistake.to_string()),
    };
    for resource in &template.resources {
        let path = format!("Resources.{}.Properties", resource.logical_id);
        let cursor = Cursor::new(&resource.properties, path.as_str(), findings);
        match resource.resource_type.as_str() {
            "AWS::IoTEvents::Input" => document.inputs.extend(input(&cursor, &resource.logical_id)),
            "AWS::IoTEvents::DetectorModel" => {
                if let Some(object) = cursor.object() {
                    create(&object, &resource.logical_id, document);
                }
            }
            _ => continue,
        }
        for unknown in template.unresolved.iter().filter(|unknown| unknown.path.starts_with(&path)) {
            findings.warning(FindingKind::ReferencedResource, &unknown.path, unknown.reason.as_str());
        }
    }
}

/// Most items of a list of documents.
const MAX_DOCUMENTS: usize = 1_000;

fn create(object: &Object<'_>, fallback: &str, document: &mut Document) {
    object.only(&[CONFIGURATION, &["detectorModelDefinition"]].concat());
    let Some(definition) = object.need("detectorModelDefinition") else { return };
    add(&definition, around(Some(object.clone()), fallback), document);
}

fn describe(object: &Object<'_>, fallback: &str, document: &mut Document) {
    object.only(&["detectorModelDefinition", "detectorModelConfiguration"]);
    let configuration = object.get("detectorModelConfiguration").and_then(|inner| inner.object());
    if let Some(configuration) = &configuration {
        configuration.only(CONFIGURATION);
    }
    let Some(definition) = object.need("detectorModelDefinition") else { return };
    add(&definition, around(configuration, fallback), document);
}

/// Reads a definition; a model with a mistake anywhere is of no use.
fn add(definition: &Cursor<'_>, around: Around<'_>, document: &mut Document) {
    let before = definition.report().errors();
    let read = model(definition, around);
    document.models.extend(read.filter(|_| definition.report().errors() == before));
}

fn around<'d>(configuration: Option<Object<'d>>, fallback: &str) -> Around<'d> {
    let name = configuration.as_ref().and_then(|object| object.text("detectorModelName"));
    Around { name: name.unwrap_or_else(|| Arc::from(fallback)), configuration }
}

/// A describe answer keeps the name and the definition apart.
fn describe_input(object: &Object<'_>, document: &mut Document) {
    let name = object.get("inputConfiguration").and_then(|inner| inner.object()?.text("inputName"));
    let (Some(name), Some(definition)) = (name, object.get("inputDefinition")) else {
        object.error("expected `inputConfiguration.inputName` and `inputDefinition`");
        return;
    };
    let body = serde_json::json!({ "inputName": &*name, "inputDefinition": definition.value });
    document.inputs.extend(input(&Cursor::new(&body, &object.path, object.report()), ""));
}

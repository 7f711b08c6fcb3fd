//! The wrappers that definitions come in: the body of a create request, a bare definition, what a describe call answered, and
//! CloudFormation templates; inputs in the same ways.

use super::{
    analysis::{self, Spelling, Subject},
    cursor::{Cursor, Object},
    finding::{Finding, FindingKind, Findings},
    input::{Input, input},
    model::DetectorModel,
    plant_form,
    read::{Around, model},
};
use crate::{
    cloudformation::{self, Parameters},
    document,
};
use serde_json::{Map, Value};
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
    match document::read(text) {
        Ok(value) => read_value(&value, fallback),
        Err(mistake) => {
            let findings = Findings::default();
            findings.error(FindingKind::Structure, "(root)", mistake.to_string());
            Document { findings: findings.into_vec(), ..Document::default() }
        }
    }
}

/// Reads a document that is JSON already.
pub fn read_value(value: &Value, fallback: &str) -> Document {
    let findings = Findings::default();
    let mut document = Found::default();
    if cloudformation::is_template(value) {
        template(value, &findings, &mut document);
    } else {
        part(&Cursor::new(value, "", &findings), fallback, &mut document);
    }
    if document.models.is_empty() && document.inputs.is_empty() && findings.errors() == 0 {
        findings.error(FindingKind::Structure, "(root)", NOTHING);
    }
    document.finish(findings)
}

/// Reads the `inputs` and `detectors` of a plant file, as JSON.
pub(crate) fn read_section(inputs: &Map<String, Value>, detectors: &Map<String, Value>) -> Document {
    let findings = Findings::default();
    let mut document = Found::default();
    for (name, value) in inputs {
        let cursor = Cursor::new(value, format!("inputs.{name}"), &findings);
        document.inputs.extend(plant_form::input(name, &cursor));
    }
    for (name, value) in detectors {
        let before = findings.errors();
        let cursor = Cursor::new(value, format!("detectors.{name}"), &findings);
        let read = plant_form::model(name, &cursor).filter(|_| findings.errors() == before);
        if let Some((model, states)) = read {
            document.models.push(model);
            document.places.push((cursor.path, Spelling::Plant(states)));
        }
    }
    document.finish(findings)
}

/// What was found so far.
#[derive(Default)]
struct Found {
    models: Vec<DetectorModel>,
    /// Path and spelling of each model's definition.
    places: Vec<(String, Spelling)>,
    inputs: Vec<Input>,
}

impl Found {
    /// Adds what the analysis says.
    fn finish(self, findings: Findings) -> Document {
        let subject = |(model, (base, spelling))| Subject { model, base, spelling };
        let subjects: Vec<Subject<'_>> = self.models.iter().zip(self.places).map(subject).collect();
        analysis::analyse(&subjects, &self.inputs, &findings);
        Document { models: self.models, inputs: self.inputs, findings: findings.into_vec() }
    }
}

/// Whether a text is meant for [`read`]: JSON, or a template in YAML. A plant file is neither.
pub fn recognises(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    text.starts_with(['{', '[']) || document::read(text).is_ok_and(|value| cloudformation::is_template(&value))
}

const NOTHING: &str = "this is no detector model: expected `detectorModelDefinition` (a create request), `detectorModel` (a describe \
                       answer), `states` (a bare definition), `inputName` (an input) or `Resources` (a CloudFormation template)";

/// Reads whatever the document is.
fn part(cursor: &Cursor<'_>, fallback: &str, document: &mut Found) {
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
fn template(value: &Value, findings: &Findings, document: &mut Found) {
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

fn create(object: &Object<'_>, fallback: &str, document: &mut Found) {
    object.only(&[CONFIGURATION, &["detectorModelDefinition"]].concat());
    let Some(definition) = object.need("detectorModelDefinition") else { return };
    add(&definition, around(Some(object.clone()), fallback), document);
}

fn describe(object: &Object<'_>, fallback: &str, document: &mut Found) {
    object.only(&["detectorModelDefinition", "detectorModelConfiguration"]);
    let configuration = object.get("detectorModelConfiguration").and_then(|inner| inner.object());
    if let Some(configuration) = &configuration {
        configuration.only(CONFIGURATION);
    }
    let Some(definition) = object.need("detectorModelDefinition") else { return };
    add(&definition, around(configuration, fallback), document);
}

/// Reads a definition; a model with a mistake anywhere is of no use.
fn add(definition: &Cursor<'_>, around: Around<'_>, document: &mut Found) {
    let before = definition.report().errors();
    let Some(read) = model(definition, around).filter(|_| definition.report().errors() == before) else { return };
    document.models.push(read);
    let capital = definition.value.get("States").is_some();
    document.places.push((definition.path.clone(), if capital { Spelling::Capital } else { Spelling::Camel }));
}

fn around<'d>(configuration: Option<Object<'d>>, fallback: &str) -> Around<'d> {
    let name = configuration.as_ref().and_then(|object| object.text("detectorModelName"));
    Around { name: name.unwrap_or_else(|| Arc::from(fallback)), configuration }
}

/// A describe answer keeps the name and the definition apart.
fn describe_input(object: &Object<'_>, document: &mut Found) {
    let name = object.get("inputConfiguration").and_then(|inner| inner.object()?.text("inputName"));
    let (Some(name), Some(definition)) = (name, object.get("inputDefinition")) else {
        object.error("expected `inputConfiguration.inputName` and `inputDefinition`");
        return;
    };
    let body = serde_json::json!({ "inputName": &*name, "inputDefinition": definition.value });
    document.inputs.extend(input(&Cursor::new(&body, &object.path, object.report()), ""));
}

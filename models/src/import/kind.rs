//! What a document is, told by its members.

use crate::cloudformation;
use serde_json::Value;

/// What a document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Several documents.
    List,
    /// A CloudFormation template.
    Template,
    /// A request, an answer or a bulk file of AWS IoT SiteWise.
    SiteWise,
    /// A detector model, an input or an alarm model of AWS IoT Events.
    IotEvents,
    /// None of these, and why not.
    Unknown(String),
}

/// Members that only IoT Events has.
const IOT_EVENTS: [&str; 7] = [
    "detectorModelDefinition",
    "detectorModel",
    "inputDefinition",
    "inputConfiguration",
    "initialStateName",
    "alarmRule",
    "alarmModelName",
];
/// Members that only SiteWise has.
const SITEWISE: [&str; 22] = [
    "assetModels",
    "assets",
    "assetModelName",
    "assetModelProperties",
    "assetName",
    "assetModelCompositeModelName",
    "assetModelCompositeModelProperties",
    "childAssetId",
    "childAssetExternalId",
    "assetSummaries",
    "assetModelSummaries",
    "assetModelPropertySummaries",
    "assetModelCompositeModelSummaries",
    "assetRelationshipSummaries",
    "assetPropertySummaries",
    "assetProperty",
    "propertyAlias",
    "interfaceAssetModelId",
    "assetModelHierarchies",
    "assetProperties",
    "timeSeriesId",
    "entries",
];

impl Kind {
    /// What a document is.
    pub fn of(document: &Value) -> Self {
        let Value::Object(members) = document else {
            return match document {
                Value::Array(_) => Self::List,
                _ => Self::Unknown("this is no definition: it has no members".into()),
            };
        };
        if cloudformation::is_template(document) {
            return Self::Template;
        }
        if members.contains_key("plant") {
            return Self::Unknown("this is a plant file already: check it with `andon check`, run it with `andon run`".into());
        }
        let has = |names: &[&str]| members.keys().any(|key| names.contains(&crate::document::camel_case_key(key).as_str()));
        if has(&IOT_EVENTS) {
            return Self::IotEvents;
        }
        if has(&SITEWISE) {
            return Self::SiteWise;
        }
        let names: Vec<&str> = members.keys().take(5).map(String::as_str).collect();
        let known = "a request or answer of SiteWise, a bulk file, a CloudFormation template, or a model of IoT Events";
        Self::Unknown(format!(
            "this is none of {known}; it has {}",
            if names.is_empty() { "nothing".into() } else { names.join(", ") }
        ))
    }
}

/// Whether a text looks like definitions, not like values: JSON, or YAML with members of a template or request.
pub fn looks_like_definitions(head: &str) -> bool {
    let head = head.trim_start_matches('\u{feff}').trim_start();
    if head.starts_with(['{', '[']) {
        return true;
    }
    // YAML: a key of a template or request at the start of a line.
    let top = [
        "AWSTemplateFormatVersion",
        "Resources",
        "Parameters",
        "Mappings",
        "Conditions",
        "Transform",
        "Description",
        "Metadata",
    ];
    let mut keys = head.lines().filter_map(|line| line.split_once(':')).map(|(key, _)| key.trim_matches(['"', '\'']));
    keys.any(|key| {
        let camel = crate::document::camel_case_key(key);
        top.contains(&key) || IOT_EVENTS.contains(&camel.as_str()) || SITEWISE.contains(&camel.as_str())
    })
}

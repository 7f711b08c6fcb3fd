//! Definitions of other systems become a plant file: AWS IoT SiteWise models and assets, IoT Events detector models.
//!
//! Files are taken one after another ([`Import::add`]): later ones may build on, move or rename what earlier ones made. At the end
//! ([`Import::finish`]) the plant file is written and read back; a property that the reader refuses is left out and named. Nothing is
//! dropped in silence: every finding has its file, its JSON path and the reason.

mod alarms;
mod check;
mod finding;
mod iot_events;
mod kind;
mod summary;
#[cfg(test)]
mod tests;
mod yaml;

pub use finding::{Finding, MAX_FINDINGS, Severity};
pub use kind::{Kind, looks_like_definitions};

use crate::{
    cloudformation::{self, Parameters},
    document,
    sitewise::{Gathered, Reader},
};
pub(crate) use finding::Findings;
use serde_json::Value;

/// Definitions gathered from several files.
#[derive(Debug, Default)]
pub struct Import {
    parameters: Parameters,
    files: Vec<String>,
    findings: Findings,
    gathered: Gathered,
    keyed: iot_events::Keyed,
    alarms: alarms::AlarmModels,
    name: Option<String>,
}

/// What came of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The plant file.
    pub yaml: String,
    /// What was made, in words of the plant, a line each.
    pub made: Vec<String>,
    /// Errors, doubts, and what is not carried over, in the order of the files.
    pub findings: Vec<Finding>,
}

impl Imported {
    /// Whether something could not be read rightly.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

impl Import {
    /// Begins. `parameters` are values for CloudFormation templates.
    pub fn new(parameters: Parameters) -> Self {
        Self { parameters, ..Self::default() }
    }

    /// The plant's name in the file that is written.
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Folds rules that all states of a set repeat into a group around them.
    pub fn tidied(mut self, tidy: bool) -> Self {
        self.keyed.tidy = tidy;
        self
    }

    /// Takes a file.
    pub fn add(&mut self, name: &str, text: &str) {
        self.files.push(name.to_owned());
        self.findings.begin(name);
        self.gathered.begin_file();
        let document = match document::read(text) {
            Ok(document) => document,
            Err(error) => return self.findings.error("", error.to_string()),
        };
        self.document(document, "$");
        self.gathered.end_of_file(&mut self.findings);
    }

    /// Takes one document; `path` is where it stands in its file.
    fn document(&mut self, document: Value, path: &str) {
        let file = self.files.len() - 1;
        match Kind::of(&document) {
            Kind::List => {
                let Value::Array(items) = document else { return };
                for (index, item) in items.into_iter().enumerate() {
                    self.document(item, &format!("{path}[{index}]"));
                }
            }
            Kind::Template => self.template(&document),
            Kind::SiteWise => {
                // Properties of a template's resource, without the template around them, begin with capitals.
                let capitals =
                    document.as_object().is_some_and(|members| members.keys().all(|key| key.starts_with(char::is_uppercase)));
                let document = if capitals { document::camel_case(document) } else { document };
                Reader::new(&mut self.findings, file, capitals).document(&document, path, &mut self.gathered);
            }
            Kind::IotEvents if alarms::is_alarm_model(&document::camel_case(document.clone())) => {
                let document = document::camel_case(document);
                self.alarms.add(&document, "", (file, path), &mut self.findings);
            }
            Kind::IotEvents => {
                let name = self.files.last().map_or("", |file| file.rsplit(['/', '\\']).next().unwrap_or(file));
                let name = name.split('.').next().unwrap_or(name).to_owned();
                self.keyed.add(&document, path, &name, &mut self.findings);
            }
            Kind::Unknown(reason) => self.findings.error(path, reason),
        }
    }

    fn template(&mut self, document: &Value) {
        let template = match cloudformation::resolve(document, &self.parameters) {
            Ok(template) => template,
            Err(error) => return self.findings.error("$", error.to_string()),
        };
        for unresolved in template.unresolved {
            self.findings.warning(&unresolved.path, unresolved.reason);
        }
        for logical_id in template.left_out {
            let reason = format!("the resource {logical_id} is left out: its condition is false");
            self.findings.not_carried(&format!("Resources.{logical_id}"), reason);
        }
        let file = self.files.len() - 1;
        for resource in template.resources {
            let path = format!("Resources.{}.Properties", resource.logical_id);
            match resource.resource_type.as_str() {
                "AWS::IoTSiteWise::AssetModel" | "AWS::IoTSiteWise::Asset" => {
                    let mut properties = document::camel_case(resource.properties);
                    if let Some(members) = properties.as_object_mut() {
                        members.insert("logicalId".into(), resource.logical_id.into());
                    }
                    Reader::new(&mut self.findings, file, true).document(&properties, &path, &mut self.gathered);
                }
                "AWS::IoTEvents::DetectorModel" | "AWS::IoTEvents::Input" => {
                    let mut properties = resource.properties;
                    if let (Some(members), "AWS::IoTEvents::Input") =
                        (properties.as_object_mut(), resource.resource_type.as_str())
                    {
                        members.entry("InputName").or_insert_with(|| resource.logical_id.clone().into());
                    }
                    self.keyed.add(&properties, &path, &resource.logical_id, &mut self.findings);
                }
                "AWS::IoTEvents::AlarmModel" => {
                    let properties = document::camel_case(resource.properties);
                    self.alarms.add(&properties, &resource.logical_id, (file, &path), &mut self.findings);
                }
                events if events.starts_with("AWS::IoTEvents::") => {
                    let message = format!("the {events} {} is not imported yet", resource.logical_id);
                    self.findings.not_carried(&path, message);
                }
                other => {
                    let message = format!("the {other} {} has no part in a plant file", resource.logical_id);
                    self.findings.not_carried(&path, message);
                }
            }
        }
    }

    /// Writes the plant file and checks it.
    pub fn finish(mut self) -> Imported {
        self.gathered.finish(&mut self.findings);
        self.alarms.over_messages(&mut self.keyed, &mut self.findings);
        let name = self.name.as_deref().unwrap_or("Imported plant");
        let models = (&self.gathered, &self.alarms);
        let (yaml, made) = check::write(models, &self.keyed, &mut self.findings, name, &self.files);
        Imported { yaml, made, findings: self.findings.finish() }
    }
}

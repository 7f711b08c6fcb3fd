//! Detector models and inputs of IoT Events on their way into a plant file.

use super::Findings;
use crate::iot_events::{self, Level, MessageAlarm, plant_form, tidy};
use serde_json::{Map, Value};

/// Inputs and detectors gathered from several files.
#[derive(Debug, Default)]
pub(super) struct Keyed {
    /// The section `inputs`.
    pub inputs: Map<String, Value>,
    /// The section `detectors`.
    pub detectors: Map<String, Value>,
    /// Folds rules that states repeat into groups.
    pub tidy: bool,
    /// What was made, in words.
    pub made: Vec<String>,
}

impl Keyed {
    /// Takes a document, or a template with its references resolved. `name` is for a model whose wrapper has none.
    pub fn add(&mut self, value: &Value, path: &str, name: &str, findings: &mut Findings) {
        self.add_alarm(value, path, name, None, findings);
    }

    /// The same for a model that is an alarm.
    pub fn add_alarm(&mut self, value: &Value, path: &str, name: &str, alarm: Option<&MessageAlarm>, findings: &mut Findings) {
        let document = iot_events::read_value(value, name);
        for finding in &document.findings {
            let inside = if finding.path == "(root)" { path.to_owned() } else { format!("{path}.{}", finding.path) };
            match finding.level {
                Level::Error => findings.error(&inside, finding.message.as_str()),
                Level::Warning => findings.warning(&inside, finding.message.as_str()),
                Level::Info => {}
            }
        }
        for input in &document.inputs {
            self.inputs.insert(input.name.to_string(), plant_form::write_input(input));
        }
        for model in &document.models {
            let (mut folded, saved) = if self.tidy { tidy(model) } else { (model.clone(), 0) };
            folded.alarm = alarm.cloned();
            if self.detectors.insert(model.name.to_string(), plant_form::write(&folded)).is_some() {
                findings.warning(path, format!("the detector {} is given twice; this one replaces the one before", model.name));
            }
            let more = if saved > 0 { format!(", {saved} repeated events folded") } else { String::new() };
            self.made.push(format!("detector {}: {} states{more}", model.name, model.states.len()));
        }
    }

    /// The sections that hold something.
    pub fn sections(&self) -> impl Iterator<Item = (&'static str, &Map<String, Value>)> {
        [("inputs", &self.inputs), ("detectors", &self.detectors)].into_iter().filter(|(_, section)| !section.is_empty())
    }
}

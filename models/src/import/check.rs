//! Writes the plant file, reads it back, and leaves out what the reader refuses, by name.

use super::{
    Findings,
    alarms::{AlarmModels, Attached},
    iot_events::Keyed,
    summary, yaml,
};
use crate::{
    ValueType,
    definition::Plant,
    plant_file::{self, Severity},
    sitewise::{DataType, Gathered, Lowered, Origin, Skipped, lower},
};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// Rounds of leaving out. Each names up to 200 mistakes, and what depends on them goes in the same round.
const MAX_ROUNDS: usize = 20;

/// Text of the plant file, and what it holds in words.
pub(super) fn write(
    (gathered, alarms): (&Gathered, &AlarmModels),
    keyed: &Keyed,
    findings: &mut Findings,
    name: &str,
    files: &[String],
) -> (String, Vec<String>) {
    let mut skipped = Skipped::default();
    let mut alarms_skipped = HashSet::new();
    for _ in 0..MAX_ROUNDS {
        let mut lowered = lower(gathered, &skipped, findings);
        let attached = alarms.attach(&mut lowered.models, &alarms_skipped, findings);
        let written = text(&lowered, keyed, name, files);
        let files = [("plant.yaml".to_owned(), written.text.clone())];
        let loaded = plant_file::load(&files, &|_| None);
        let before = (skipped.len(), alarms_skipped.len());
        let done = loaded.plant.is_some();
        for said in loaded.diagnostics.iter().filter(|said| done || said.severity == Severity::Error) {
            let origin = property_at(&written, said.line).and_then(|(model, property)| {
                lowered.origins.iter().find(|origin| origin.model == model && origin.property == property)
            });
            let alarm = detector_at(&written, said.line).and_then(|(model, detector)| {
                attached.iter().find(|attached| attached.model == model && attached.detector == detector)
            });
            let hint = if said.hint.is_empty() { String::new() } else { format!(" ({})", said.hint) };
            match origin {
                Some(origin) if said.severity == Severity::Warning => {
                    findings.turn_to(origin.place.file);
                    findings.warning(&origin.place.path, format!("{}: {}{hint}", origin.name, said.message));
                }
                None if said.severity == Severity::Warning => findings.warning("", format!("{}{hint}", said.message)),
                Some(origin) => {
                    findings.turn_to(origin.place.file);
                    let message = format!("{} is left out: {}{hint}", origin.name, said.message);
                    findings.error(&origin.place.path, message);
                    skipped.insert((origin.model.clone(), origin.property.clone()));
                }
                None => match alarm {
                    Some(Attached { alarm, .. }) => {
                        alarms.leave_out(*alarm, &format!("{}{hint}", said.message), findings);
                        alarms_skipped.insert(*alarm);
                    }
                    None => findings.error("", format!("line {} of the plant file: {}{hint}", said.line, said.message)),
                },
            }
        }
        if loaded.plant.is_some() || (skipped.len(), alarms_skipped.len()) == before {
            let made = loaded.plant.as_ref().map(|plant| {
                types(plant, &lowered.origins, findings);
                summary::lines(plant)
            });
            let mut made = made.unwrap_or_default();
            made.extend(keyed.made.iter().cloned());
            return (written.text, made);
        }
    }
    findings.error("", "these definitions have more mistakes than can be left out one after another: mend those above first");
    (String::new(), Vec::new())
}

fn text(lowered: &Lowered, keyed: &Keyed, name: &str, files: &[String]) -> yaml::Written {
    let mut sections: Map<String, Value> = Map::new();
    sections.insert("plant".into(), json!({ "name": name, "timezone": "UTC" }));
    for (key, section) in [("models", &lowered.models), ("assets", &lowered.assets)] {
        if !section.is_empty() {
            sections.insert(key.into(), Value::Object(section.clone()));
        }
    }
    for (key, section) in keyed.sections() {
        sections.insert(key.into(), Value::Object(section.clone()));
    }
    let names: Vec<&str> = files.iter().map(|file| file.rsplit(['/', '\\']).next().unwrap_or(file)).collect();
    let shown: String = names.join(", ").chars().filter(|letter| !letter.is_control()).take(200).collect();
    yaml::write(
        &sections,
        &format!("Made by `andon import` from {shown}. Windows count in UTC; `timezone` is for shifts and days."),
    )
}

/// The property on a line: model and key.
fn property_at(written: &yaml::Written, line: usize) -> Option<(String, String)> {
    let position = written.lines.partition_point(|(start, _)| *start <= line).checked_sub(1)?;
    let path: Vec<&str> = written.lines[position].1.iter().map(String::as_str).collect();
    match path[..] {
        ["models", model, "attributes" | "measurements" | "transforms", property, ..]
        | ["models", model, "metrics", _, property, ..] => Some((model.to_owned(), property.to_owned())),
        _ => None,
    }
}

/// The detector of an asset model on a line: model and key.
fn detector_at(written: &yaml::Written, line: usize) -> Option<(String, String)> {
    let position = written.lines.partition_point(|(start, _)| *start <= line).checked_sub(1)?;
    let path: Vec<&str> = written.lines[position].1.iter().map(String::as_str).collect();
    match path[..] {
        ["models", model, "detectors", detector, ..] => Some((model.to_owned(), detector.to_owned())),
        _ => None,
    }
}

/// What a formula gives against what its property was said to be.
fn types(plant: &Plant, origins: &[Origin], findings: &mut Findings) {
    for origin in origins {
        let model = plant.models.iter().find(|model| *model.name == *origin.model);
        let property = model.and_then(|model| model.properties.iter().find(|property| *property.key == *origin.property));
        let Some(property) = property.filter(|property| property.declared.is_some()) else { continue };
        let fits = match origin.data_type {
            DataType::String | DataType::Struct => property.value_type == ValueType::String,
            DataType::Boolean => property.value_type == ValueType::Boolean,
            // Comparisons are true or false here, and 1 or 0 there.
            DataType::Double | DataType::Integer => property.value_type != ValueType::String,
        };
        if !fits {
            findings.turn_to(origin.place.file);
            let message = format!("{} is said to be another type than its formula gives: {}", origin.name, property.value_type);
            findings.warning(&origin.place.path, message);
        }
    }
}

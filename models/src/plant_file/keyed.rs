//! Detectors that belong to no asset model, and their inputs: conditions in the form of IoT Events, instances by a key in messages.
//!
//! The reader is that of [`crate::iot_events`]; what it says about a path of the section is told at the place in the file.

use super::{
    diagnostic::Report,
    fields::{suggest, text_of},
    tree::{At, Entry, Kind, Node},
};
use crate::definition::{Source, SourceProtocol};
use crate::iot_events::{DetectorModel, Input, Level, read_section};
use serde_json::{Map, Value};
use std::{collections::HashMap, sync::Arc};

/// The detectors and inputs of the plant file.
/// `sources` are those of the file; one with mistakes is known by name.
pub(super) fn keyed(
    report: &Report<'_>,
    inputs: &[&Entry],
    detectors: &[&Entry],
    sources: &[(Arc<str>, Option<Source>)],
) -> (Vec<Input>, Vec<Arc<DetectorModel>>) {
    let mut places = HashMap::new();
    let inputs = section("inputs", inputs, &mut places);
    let detectors = section("detectors", detectors, &mut places);
    let document = read_section(&inputs, &detectors);
    for finding in &document.findings {
        let at = place(&places, &finding.path);
        match finding.level {
            Level::Error => report.error(at, finding.kind.name(), finding.message.as_str(), ""),
            Level::Warning => report.warning(at, finding.kind.name(), finding.message.as_str(), ""),
            // A plant file is checked often; what is merely worth knowing is told by `andon simulate`.
            Level::Info => {}
        }
    }
    for input in &document.inputs {
        if let Some(topic) = &input.topic {
            let at = place(&places, &format!("inputs.{}.topic", input.name));
            check_source(report, at, &topic.source, sources);
        }
    }
    (document.inputs, document.models.into_iter().map(Arc::new).collect())
}

fn check_source(report: &Report<'_>, at: At, name: &str, sources: &[(Arc<str>, Option<Source>)]) {
    let is_mqtt = |source: &Source| matches!(source.protocol, SourceProtocol::Mqtt { .. });
    match sources.iter().find(|(known, _)| **known == *name) {
        None => {
            let hint = suggest(name, sources.iter().map(|(name, _)| &**name), "sources");
            report.error(at, "unknown-name", format!("there is no source `{name}`"), hint);
        }
        Some((_, Some(source))) if !is_mqtt(source) => {
            report.error(at, "form", format!("`{name}` is no MQTT source"), "messages come from an MQTT source");
        }
        Some(_) => {}
    }
}

/// Which notify target stands for what actions name; `known` are the targets of the file.
pub(super) fn targets(report: &Report<'_>, entries: &[&Entry], known: &[&str]) -> Vec<(Arc<str>, Arc<str>)> {
    let target = |entry: &&Entry| {
        let name = text_of(report, &entry.key, &entry.value)?;
        if !known.contains(&name) {
            let hint = suggest(name, known.iter().copied(), "notify targets");
            report.error(entry.value.at, "unknown-name", format!("there is no notify target `{name}`"), hint);
        }
        Some((entry.key.as_str().into(), name.into()))
    };
    entries.iter().filter_map(target).collect()
}

fn section(name: &str, entries: &[&Entry], places: &mut HashMap<String, At>) -> Map<String, Value> {
    let value = |entry: &&Entry| {
        let path = format!("{name}.{}", entry.key);
        places.insert(path.clone(), entry.at);
        (entry.key.clone(), json(&entry.value, &path, places))
    };
    entries.iter().map(value).collect()
}

/// A tree as JSON, noting where everything stands. Scalars are texts; the reader takes numbers and truth values from texts.
fn json(node: &Node, path: &str, places: &mut HashMap<String, At>) -> Value {
    places.entry(path.to_owned()).or_insert(node.at);
    match &node.kind {
        Kind::Null | Kind::Broken => Value::Null,
        Kind::Scalar { text, .. } => text.as_str().into(),
        Kind::List(items) => {
            items.iter().enumerate().map(|(position, item)| json(item, &format!("{path}[{position}]"), places)).collect()
        }
        Kind::Map(entries) => {
            let member = |entry: &Entry| {
                let path = format!("{path}.{}", entry.key);
                places.insert(path.clone(), entry.at);
                let value = json(&entry.value, &path, places);
                // A text is pointed at itself, a block at its key.
                if matches!(entry.value.kind, Kind::Scalar { .. }) {
                    places.insert(path, entry.value.at);
                }
                (entry.key.clone(), value)
            };
            entries.iter().map(member).collect::<Map<_, _>>().into()
        }
    }
}

/// Where a path stands; what is missing is told where it should be.
fn place(places: &HashMap<String, At>, path: &str) -> At {
    let mut path = path;
    loop {
        if let Some(at) = places.get(path) {
            return *at;
        }
        match path.rfind(['.', '[']) {
            Some(end) => path = &path[..end],
            None => return At::default(),
        }
    }
}

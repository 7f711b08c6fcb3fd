//! What a plant holds, in words.

use crate::definition::{AssetModel, ModelKind, Plant, PropertyKind};

/// Assets shown by name; the rest is counted.
const MAX_SHOWN: usize = 200;

/// A line for each model and asset.
pub(super) fn lines(plant: &Plant) -> Vec<String> {
    let mut lines: Vec<String> = plant.models.iter().map(model).collect();
    for asset in plant.assets.iter().take(MAX_SHOWN) {
        let depth = asset.path.matches('/').count();
        let model = &plant.models[asset.model.0];
        let mut line = format!("{}asset {} ({})", "  ".repeat(depth), asset.name, model.name);
        let own: Vec<String> = [(asset.attributes.len(), "attribute"), (asset.aliases.len(), "alias")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| counted(count, what))
            .collect();
        if !own.is_empty() {
            line += &format!(": {}", own.join(", "));
        }
        lines.push(line);
    }
    if plant.assets.len() > MAX_SHOWN {
        lines.push(format!("and {} more assets", plant.assets.len() - MAX_SHOWN));
    }
    lines
}

fn model(model: &AssetModel) -> String {
    let what = match model.kind {
        ModelKind::Asset => "model",
        ModelKind::Component => "component",
        ModelKind::Interface => "interface",
    };
    let mut counts = [0_usize; 4];
    let mut windows: Vec<String> = Vec::new();
    for property in &model.properties {
        let place = match &property.kind {
            PropertyKind::Attribute { .. } => 0,
            PropertyKind::Measurement { .. } => 1,
            PropertyKind::Transform { .. } => 2,
            PropertyKind::Metric { window, .. } => {
                if !windows.contains(&window.name()) {
                    windows.push(window.name());
                }
                3
            }
        };
        counts[place] += 1;
    }
    let names = ["attribute", "measurement", "transform", "metric"];
    let mut parts: Vec<String> =
        counts.into_iter().zip(names).filter(|(count, _)| *count > 0).map(|(count, name)| counted(count, name)).collect();
    if let (Some(last), false) = (parts.last_mut(), windows.is_empty()) {
        *last += &format!(" ({})", windows.join(", "));
    }
    for link in &model.hierarchies {
        parts.push(format!("children `{}`", link.name));
    }
    for composite in &model.composites {
        parts.push(format!(
            "{} `{}`",
            if &*composite.composite_type == "AWS/ALARM" { "alarm" } else { "composite" },
            composite.key
        ));
    }
    let called = model.origin.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    format!("{what} {}{called}: {}", model.name, if parts.is_empty() { "nothing".into() } else { parts.join(", ") })
}

fn counted(count: usize, what: &str) -> String {
    let many = if what.ends_with('s') { format!("{what}es") } else { format!("{what}s") };
    if count == 1 { format!("1 {what}") } else { format!("{count} {many}") }
}

//! Assets: the machines, with their places in the hierarchy, their own attribute values and the sources in their slots.

use super::{
    diagnostic::Report,
    fields::{Fields, suggest, text_of, typed},
    keys,
    model::{KindDraft, ModelDraft},
    origin,
    tree::{At, Entry, Kind},
};
use crate::{
    AssetId, Value, ValueType,
    definition::{Asset, AssetIndex, ModelIndex, ModelKind, Source},
};
use std::{collections::HashMap, sync::Arc};

/// Longest alias, in bytes: what AWS IoT SiteWise allows, and data streams.
const MAX_ALIAS_BYTES: usize = 2_048;
/// Machines of one plant.
const MAX_ASSETS: usize = 100_000;

/// An asset and where it stands in the file.
pub(super) struct AssetDraft {
    pub asset: Asset,
    pub at: At,
    /// Where each slot is filled, in the order of [`Asset::slots`].
    pub slots_at: Vec<At>,
    /// The path its id derives from: the first it ever had.
    identity: String,
}

struct Builder<'b, 'n> {
    report: &'b Report<'b>,
    models: &'b [ModelDraft<'n>],
    sources: &'b [(Arc<str>, Option<Source>)],
    drafts: Vec<AssetDraft>,
    paths: HashMap<Arc<str>, At>,
    aliases: HashMap<Arc<str>, At>,
}

/// Builds all assets, parents before children.
pub(super) fn assets(
    report: &Report<'_>,
    entries: &[&Entry],
    models: &[ModelDraft<'_>],
    sources: &[(Arc<str>, Option<Source>)],
) -> Vec<AssetDraft> {
    let mut builder = Builder { report, models, sources, drafts: Vec::new(), paths: HashMap::new(), aliases: HashMap::new() };
    for entry in entries {
        builder.asset(entry, None, &[]);
    }
    builder.drafts
}

impl Builder<'_, '_> {
    /// Builds one asset and its children. `expected` are the models its place allows; empty at the root.
    fn asset(&mut self, entry: &Entry, parent: Option<AssetIndex>, expected: &[ModelIndex]) -> Option<AssetIndex> {
        let what = format!("the asset {}", entry.key);
        self.check_name(entry);
        if self.drafts.len() >= MAX_ASSETS {
            let message = format!("this is more than {MAX_ASSETS} assets");
            self.report.error(entry.at, "too-large", message, "run one service per plant");
            return None;
        }
        let fields = Fields::open(self.report, &what, entry.at, &entry.value, keys::ASSET)?;
        let model = self.model(&fields, &what, expected)?;
        let (parent_path, parent_identity) = parent.map_or((None, None), |AssetIndex(parent)| {
            let draft = &self.drafts[parent];
            (Some(draft.asset.path.clone()), Some(draft.identity.clone()))
        });
        let below = |above: Option<&str>, name: &str| above.map_or(name.to_owned(), |above| format!("{above}/{name}"));
        let path: Arc<str> = below(parent_path.as_deref(), &entry.key).into();
        let first_name = fields.text("was").map_or(entry.key.as_str(), |(was, _)| was);
        // A former place elsewhere in the plant is given whole: `was: Line 1/Filler 2`, or `/Filler 2` at the root.
        let identity = match first_name.contains('/') {
            true => first_name.trim_start_matches('/').to_owned(),
            false => below(parent_identity.as_deref(), first_name),
        };
        let origin = origin::origin(&fields, true);
        if let Some(first) = self.paths.insert(path.clone(), entry.at) {
            let message = format!("there is a {path} on line {} already", self.report.line(first));
            self.report.error(entry.at, "duplicate-name", message, "assets of one parent need different names");
        }
        let index = AssetIndex(self.drafts.len());
        let asset = Asset {
            id: origin.id.map_or_else(|| AssetId::from_name(&identity), AssetId),
            name: entry.key.as_str().into(),
            path,
            model,
            parent,
            children: Vec::new(),
            attributes: self.attributes(&fields, model),
            slots: Vec::new(),
            origin,
            aliases: self.aliases(&fields, model),
        };
        self.drafts.push(AssetDraft { asset, at: entry.at, slots_at: Vec::new(), identity });
        self.links(&fields, &what, index);
        Some(index)
    }

    fn check_name(&self, entry: &Entry) {
        let wrong = entry.key.is_empty() || entry.key.trim() != entry.key || entry.key.contains('/') || entry.key.len() > 128;
        if wrong && !entry.key.is_empty() {
            let hint = "a name has no `/`, no blanks at its ends and at most 128 characters";
            self.report.error(entry.at, "name", format!("`{}` cannot be the name of an asset", entry.key), hint);
        }
    }

    fn model(&self, fields: &Fields<'_, '_>, what: &str, expected: &[ModelIndex]) -> Option<ModelIndex> {
        let names = || self.models.iter().map(|model| &*model.name);
        let Some((name, node)) = fields.text("model") else {
            if let ([only], None) = (expected, fields.entry("model")) {
                return Some(*only);
            }
            fields.missing(what, "model", names().next().unwrap_or("filler"));
            return None;
        };
        let Some(position) = names().position(|known| known == name) else {
            self.report.error(node.at, "unknown-name", format!("there is no model `{name}`"), suggest(name, names(), "models"));
            return None;
        };
        let model = ModelIndex(position);
        if self.models[position].kind != ModelKind::Asset {
            let message = format!("{what} cannot be a {name}, which is no model of assets");
            self.report.error(node.at, "form", message, "components and interfaces are used by other models only");
        }
        if !expected.is_empty() && !expected.contains(&model) {
            let allowed: Vec<&str> = expected.iter().map(|model| &*self.models[model.0].name).collect();
            let message = format!("{what} cannot be a {name} in this place");
            self.report.error(node.at, "form", message, format!("possible here: {}", allowed.join(", ")));
        }
        Some(model)
    }

    fn attributes(&self, fields: &Fields<'_, '_>, model: ModelIndex) -> Vec<(Arc<str>, Value)> {
        let model = &self.models[model.0];
        let attributes = || model.properties.iter().filter(|property| matches!(property.kind, KindDraft::Attribute { .. }));
        let read = fields.names("attributes").iter().filter_map(|entry| {
            let Some(property) = attributes().find(|property| *property.name == *entry.key) else {
                let names: Vec<&str> = attributes().map(|property| &*property.name).collect();
                let message = format!("the model {} has no attribute `{}`", model.name, entry.key);
                self.report.error(entry.at, "unknown-name", message, suggest(&entry.key, names, "attributes"));
                return None;
            };
            let value_type = property.value_type.unwrap_or(ValueType::Double);
            let value = typed(self.report, &format!("the attribute {}", entry.key), &entry.value, value_type)?;
            Some((property.name.clone(), value))
        });
        read.collect()
    }

    fn aliases(&mut self, fields: &Fields<'_, '_>, model: ModelIndex) -> Vec<(Arc<str>, Arc<str>)> {
        let model = &self.models[model.0];
        let properties: Vec<&str> = model.properties.iter().map(|property| &*property.key).collect();
        let mut aliases = Vec::new();
        for entry in fields.names("aliases") {
            let Some(alias) = text_of(self.report, &entry.key, &entry.value) else { continue };
            if !properties.contains(&entry.key.as_str()) {
                let message = format!("the model {} has no property `{}`", model.name, entry.key);
                let hint = suggest(&entry.key, properties.iter().copied(), "properties");
                self.report.error(entry.at, "unknown-name", message, hint);
                continue;
            }
            if alias.trim() != alias || alias.is_empty() || alias.len() > MAX_ALIAS_BYTES {
                let hint = format!("an alias has no blanks at its ends and at most {MAX_ALIAS_BYTES} bytes");
                self.report.error(entry.value.at, "name", format!("`{alias}` cannot be an alias"), hint);
                continue;
            }
            if let Some(first) = self.aliases.insert(alias.into(), entry.value.at) {
                let message = format!("the alias `{alias}` is taken on line {} already", self.report.line(first));
                self.report.error(entry.value.at, "duplicate-name", message, "an alias names one property of one asset");
                continue;
            }
            aliases.push((entry.key.as_str().into(), alias.into()));
        }
        aliases
    }

    /// Children and slots: the keys that have the names of the model's hierarchies and slots.
    fn links(&mut self, fields: &Fields<'_, '_>, what: &str, index: AssetIndex) {
        let model = &self.models[self.drafts[index.0].asset.model.0];
        let slots = model.slots();
        for entry in fields.entries() {
            if keys::ASSET.iter().any(|key| key.name == entry.key) {
                continue;
            }
            if let Some(hierarchy) = model.hierarchies.iter().find(|hierarchy| *hierarchy.name == *entry.key) {
                let Kind::Map(children) = &entry.value.kind else {
                    let hint = "write one asset per line under it";
                    self.report.error(entry.at, "form", format!("`{}` must be a map of assets", entry.key), hint);
                    continue;
                };
                let indexes = children.iter().filter_map(|child| self.asset(child, Some(index), &hierarchy.models)).collect();
                self.drafts[index.0].asset.children.push((hierarchy.name.clone(), indexes));
            } else if slots.contains(&entry.key.as_str()) {
                self.slot(entry, index);
            } else {
                let more: Vec<&str> = slots.iter().copied().chain(model.hierarchies.iter().map(|link| &*link.name)).collect();
                fields.unknown(what, entry, &more);
            }
        }
        let draft = &self.drafts[index.0];
        for slot in slots.into_iter().filter(|slot| !fields.entries().iter().any(|entry| entry.key == *slot)) {
            let waiting = model.points().filter(|point| point.slot == slot).count();
            let points = if waiting == 1 { "1 point stays".to_owned() } else { format!("{waiting} points stay") };
            let message = format!("{what} leaves the slot `{slot}` empty: {points} without values");
            self.report.warning(draft.at, "empty-slot", message, format!("fill it with a source: `{slot}: …`"));
        }
    }

    fn slot(&mut self, entry: &Entry, index: AssetIndex) {
        let Some(name) = text_of(self.report, &entry.key, &entry.value) else { return };
        if !self.sources.iter().any(|(known, _)| **known == *name) {
            let names: Vec<&str> = self.sources.iter().map(|(name, _)| &**name).collect();
            let message = format!("there is no source `{name}`");
            self.report.error(entry.value.at, "unknown-name", message, suggest(name, names, "sources"));
            return;
        }
        let draft = &mut self.drafts[index.0];
        draft.asset.slots.push((entry.key.as_str().into(), name.into()));
        draft.slots_at.push(entry.value.at);
    }
}

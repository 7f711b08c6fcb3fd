//! What things are called elsewhere: `id:`, `external_id:`, `name:`, `description:`; composites and interfaces of a model.

use super::{
    diagnostic::Report,
    fields::{Fields, suggest, text_of},
    keys,
    model::{ModelDraft, check_name},
    tree::{At, Entry, Kind},
};
use crate::definition::{Composite, Implementation, ModelIndex, ModelKind, Origin};
use std::{collections::HashMap, sync::Arc};
use uuid::Uuid;

/// Reads the names that a thing has elsewhere.
pub(super) fn origin(fields: &Fields<'_, '_>, described: bool) -> Origin {
    let text = |name: &str| fields.entry(name).and_then(|_| fields.text(name)).map(|(text, _)| Arc::from(text));
    Origin {
        id: fields.text("id").and_then(|(text, node)| id(fields.report, text, node.at)),
        external_id: text("external_id"),
        name: text("name"),
        description: if described { text("description") } else { None },
    }
}

fn id(report: &Report<'_>, text: &str, at: At) -> Option<Uuid> {
    let id = Uuid::parse_str(text).ok().filter(|id| !id.is_nil());
    if id.is_none() {
        let hint = "an id is a UUID, such as 1f2e3d4c-0000-4000-8000-00000000000a; other names are an `external_id`";
        report.error(at, "form", format!("`{text}` is no id"), hint);
    }
    id
}

/// Reads the composites of a model, and checks that properties name them rightly.
pub(super) fn composites(report: &Report<'_>, models: &[ModelDraft<'_>], draft: &ModelDraft<'_>) -> Vec<Composite> {
    let known = |name: &str| draft.composites.iter().any(|entry| entry.key == name);
    let names = || draft.composites.iter().map(|entry| entry.key.as_str());
    for (name, node) in draft.properties.iter().filter_map(|property| property.composite) {
        if !known(name) {
            let message = format!("the model {} has no composite `{name}`", draft.name);
            report.error(node.at, "unknown-name", message, suggest(name, names(), "composites"));
        }
    }
    let read = |entry: &Entry| {
        check_name(report, "composite", &entry.key, entry.at);
        let fields = Fields::of(report, &format!("the composite {}", entry.key), entry.at, &entry.value, keys::COMPOSITE)?;
        let parent = fields.text("in").and_then(|(name, node)| {
            let before = draft.composites.iter().take_while(|other| other.key != entry.key).any(|other| other.key == name);
            if !before {
                let hint = "a composite stands after the one it is part of";
                report.error(node.at, "unknown-name", format!("there is no composite `{name}` above"), hint);
            }
            before.then(|| Arc::from(name))
        });
        let component = fields.text("model").and_then(|(name, node)| {
            let found = models.iter().position(|model| *model.name == *name && model.kind == ModelKind::Component);
            if found.is_none() {
                let components = models.iter().filter(|model| model.kind == ModelKind::Component);
                let hint = suggest(name, components.map(|model| &*model.name), "components");
                report.error(node.at, "unknown-name", format!("there is no component model `{name}`"), hint);
            }
            found.map(ModelIndex)
        });
        Some(Composite {
            key: entry.key.as_str().into(),
            origin: origin(&fields, true),
            composite_type: fields.text("type").map_or("CUSTOM", |(text, _)| text).into(),
            parent,
            component,
        })
    };
    draft.composites.iter().filter_map(read).collect()
}

/// Reads which interfaces a model fulfils.
pub(super) fn implements(report: &Report<'_>, models: &[ModelDraft<'_>], draft: &ModelDraft<'_>) -> Vec<Implementation> {
    let read = |entry: &Entry| {
        let interfaces = || models.iter().filter(|model| model.kind == ModelKind::Interface);
        let Some(found) = models.iter().position(|model| *model.name == entry.key && model.kind == ModelKind::Interface) else {
            let hint = suggest(&entry.key, interfaces().map(|model| &*model.name), "interfaces");
            report.error(entry.at, "unknown-name", format!("there is no interface `{}`", entry.key), hint);
            return None;
        };
        let Kind::Map(pairs) = &entry.value.kind else {
            let hint = "say which property stands for which: `pump: { pressure: outlet_pressure }`";
            report.error(entry.at, "form", format!("`{}` must be a map of names", entry.key), hint);
            return None;
        };
        let mut properties = Vec::new();
        for pair in pairs {
            let Some(own) = text_of(report, &pair.key, &pair.value) else { continue };
            let check = |model: &ModelDraft<'_>, name: &str, at: At| {
                let known = model.properties.iter().any(|property| *property.key == *name);
                if !known {
                    let hint = suggest(name, model.properties.iter().map(|property| &*property.key), "properties");
                    report.error(at, "unknown-name", format!("the model {} has no property `{name}`", model.name), hint);
                }
                known
            };
            if check(&models[found], &pair.key, pair.at) & check(draft, own, pair.value.at) {
                properties.push((pair.key.as_str().into(), own.into()));
            }
        }
        Some(Implementation { interface: ModelIndex(found), properties })
    };
    draft.implements.iter().filter_map(read).collect()
}

/// Reports ids that two things of one kind have.
pub(super) fn unique<'i>(report: &Report<'_>, what: &str, ids: impl Iterator<Item = (Uuid, At, &'i str)>) {
    let mut seen: HashMap<Uuid, (At, &str)> = HashMap::new();
    for (id, at, name) in ids {
        if let Some((first, other)) = seen.insert(id, (at, name)) {
            let message = format!("{what} `{name}` has the id of `{other}` on line {}", report.line(first));
            report.error(
                at,
                "duplicate-id",
                message,
                "what was renamed keeps its id by `was:`; what is new needs an `id:` of its own",
            );
        }
    }
}

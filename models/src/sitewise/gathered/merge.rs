//! A later description of a thing over an earlier one.

use crate::{
    import::Findings,
    sitewise::parts::{Asset, AssetProperty, Composite, Hierarchy, Model, ModelPatch, Property},
    sitewise::thing::Thing,
};

/// Lists that a description has replace those there were, as in SiteWise: what it leaves out is removed.
pub(super) fn model(model: &mut Model, patch: ModelPatch, findings: &mut Findings) {
    let path = patch.thing.at.path.clone();
    model.thing.update(patch.thing);
    model.kind = patch.kind.unwrap_or(model.kind);
    let name = model.thing.name.clone();
    if let Some(properties) = patch.properties {
        let before = std::mem::take(&mut model.properties);
        let (properties, removed) = follow(
            before,
            properties,
            |property| &mut property.thing,
            |before: &Property, now: &Property| {
                let same = std::mem::discriminant(&before.kind) == std::mem::discriminant(&now.kind)
                    && before.data_type == now.data_type;
                (!same).then(|| {
                    format!("{} of {name} changes its kind or data type: in SiteWise that is another property", now.thing.name)
                })
            },
            findings,
        );
        model.properties = properties;
        removal(&path, &name, "property", "properties", &removed, findings);
    }
    if let Some(hierarchies) = patch.hierarchies {
        let before = std::mem::take(&mut model.hierarchies);
        let (hierarchies, removed) =
            follow(before, hierarchies, |hierarchy: &mut Hierarchy| &mut hierarchy.thing, |_, _| None, findings);
        model.hierarchies = hierarchies;
        removal(&path, &name, "hierarchy", "hierarchies", &removed, findings);
    }
    for composite in patch.composites.into_iter().flatten().chain(patch.named_composites) {
        self::composite(model, composite, findings);
    }
    model.interfaces.extend(patch.interfaces);
}

fn removal(path: &str, model: &str, one: &str, many: &str, removed: &[String], findings: &mut Findings) {
    if removed.is_empty() {
        return;
    }
    let kind = if removed.len() == 1 { one } else { many };
    let message =
        format!("this description of {model} has no {} any more: the {kind} go, their history stays", removed.join(", "));
    findings.warning(path, message);
}

/// Puts new items over old ones: those told to be the same remember their former names. Gives the items, and names of what is gone.
fn follow<T>(
    before: Vec<T>,
    now: Vec<T>,
    thing: impl Fn(&mut T) -> &mut Thing,
    doubt: impl Fn(&T, &T) -> Option<String>,
    findings: &mut Findings,
) -> (Vec<T>, Vec<String>) {
    let mut before: Vec<Option<T>> = before.into_iter().map(Some).collect();
    let mut found = Vec::with_capacity(now.len());
    for mut item in now {
        let own = thing(&mut item).clone();
        let is = |old: &mut Option<T>, by_name: bool| {
            old.as_mut().is_some_and(|old| {
                let old = thing(old);
                let same = old.is_same(&own);
                if by_name { same.is_none() && old.name == own.name } else { same == Some(true) }
            })
        };
        let position =
            before.iter_mut().position(|old| is(old, false)).or_else(|| before.iter_mut().position(|old| is(old, true)));
        if let Some(mut old) = position.and_then(|position| before[position].take()) {
            if let Some(doubt) = doubt(&old, &item) {
                findings.warning(&own.at.path, doubt);
            }
            let mut merged = thing(&mut old).clone();
            merged.update(own);
            *thing(&mut item) = merged;
        }
        found.push(item);
    }
    let removed = before.iter_mut().flatten().map(|old| thing(old).name.clone()).collect();
    (found, removed)
}

/// Adds a composite, or what is newly said of one.
pub(super) fn composite(model: &mut Model, mut composite: Composite, findings: &mut Findings) {
    let known = model.composites.iter_mut().find(|known| {
        let same = known.thing.is_same(&composite.thing);
        let place = |composite: &Composite| composite.parent.as_ref().map(|parent| parent.text.clone());
        same == Some(true) || (same.is_none() && known.thing.name == composite.thing.name && place(known) == place(&composite))
    });
    let Some(known) = known else {
        model.composites.push(composite);
        return;
    };
    if !composite.properties.is_empty() {
        let before = std::mem::take(&mut known.properties);
        let properties = std::mem::take(&mut composite.properties);
        known.properties = follow(before, properties, |property| &mut property.thing, |_, _| None, findings).0;
    }
    known.thing.update(composite.thing);
    known.composite_type = composite.composite_type;
    known.parent = composite.parent.or(known.parent.take());
    known.component = composite.component.or(known.component.take());
}

/// Takes over what a later description says of an asset.
pub(super) fn asset(asset: &mut Asset, later: Asset) {
    asset.thing.update(later.thing);
    asset.model = later.model.or(asset.model.take());
    later.properties.into_iter().for_each(|property| own_property(asset, property));
}

/// Takes over what an asset has of its own for a property.
pub(super) fn own_property(asset: &mut Asset, later: AssetProperty) {
    let same = asset
        .properties
        .iter_mut()
        .find(|known| known.property.text == later.property.text && known.property.by == later.property.by);
    match same {
        Some(known) => {
            known.alias = later.alias.or(known.alias.take());
            known.value = later.value.or(known.value.take());
            known.unit = later.unit.or(known.unit.take());
        }
        None => asset.properties.push(later),
    }
}

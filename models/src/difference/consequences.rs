//! What follows from a change: what is computed otherwise and from when on, which detectors keep their state, which series get no
//! values any more, and when writes to machines are disarmed.

mod detectors;

use super::{
    ChangeKind,
    facts::{Fact, Thing},
    readers,
};
use crate::{
    AssetId,
    command::controls_fingerprint,
    definition::{AssetIndex, ModelIndex, Plant, PropertyIndex, PropertyKind},
    snapshot::DetectorSnapshot,
};
use std::collections::{BTreeSet, HashMap};

/// Tells what follows.
pub(super) struct Teller<'a> {
    before: &'a Plant,
    after: &'a Plant,
    standing: HashMap<(AssetId, &'a str), &'a DetectorSnapshot>,
    /// Assets of both.
    kept: BTreeSet<AssetId>,
}

/// `1 series`, `3 assets`.
fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

impl<'a> Teller<'a> {
    pub fn new(before: &'a Plant, after: &'a Plant, standing: impl IntoIterator<Item = &'a DetectorSnapshot>) -> Self {
        let earlier: BTreeSet<AssetId> = before.assets.iter().map(|asset| asset.id).collect();
        let kept = after.assets.iter().map(|asset| asset.id).filter(|id| earlier.contains(id)).collect();
        let standing = standing.into_iter().map(|snapshot| ((snapshot.asset, &*snapshot.detector), snapshot)).collect();
        Self { before, after, standing, kept }
    }

    /// What follows from a change of a fact; `fact` is the one of the plant it is still in.
    pub fn tell(&self, fact: &Fact, earlier: Option<&Fact>, kind: ChangeKind) -> Vec<String> {
        match (fact.thing, kind) {
            (Thing::Calendar, _) => vec![
                "windows of shifts, days and weeks follow it from now on; figures of earlier windows stay as they are".into(),
            ],
            (Thing::Reason, _) => {
                vec!["stops that are computed from now on follow it; earlier figures stay as they are".into()]
            }
            (Thing::Source(_), ChangeKind::Changed) => vec!["it is connected to anew".into()],
            (Thing::Source(place), kind) => self.source(place, kind),
            (Thing::Property(model, place), kind) => {
                let mut told = self.property(model, place, earlier, kind);
                if kind != ChangeKind::Removed && self.backfill(fact).is_some() {
                    told.insert(1, self.over_history(fact));
                }
                told
            }
            (Thing::Control(..), _) | (Thing::Plant | Thing::Notify | Thing::Input, _) => Vec::new(),
            (Thing::Oee(_), ChangeKind::Removed) => vec!["its figures are not computed any more; those stored stay".into()],
            (Thing::Oee(_), _) => vec![FROM_THE_NEXT_WINDOW.into(), self.over_history(fact)],
            (Thing::Detector(model, place), kind) => self.detector(model, place, earlier, kind),
            (Thing::Model(model), kind) => self.model(model, kind),
            (Thing::Asset(asset), kind) => self.asset(asset, kind),
            (Thing::Keyed(place), kind) => self.keyed(place, kind),
        }
    }

    /// What computes it over history, if it is computed at all.
    pub fn backfill(&self, fact: &Fact) -> Option<String> {
        let name = |model: ModelIndex| &self.after.models[model.0].name;
        match fact.thing {
            // All figures of a block are computed together.
            Thing::Oee(model) => Some(format!("{}.oee", name(model))),
            Thing::Property(model, place) => {
                let property = &self.after.models[model.0].properties[place.0];
                let computed = matches!(property.kind, PropertyKind::Transform { .. } | PropertyKind::Metric { .. });
                computed.then(|| format!("{}.{}", name(model), property.key))
            }
            _ => None,
        }
    }

    /// How history gets what is computed from now on.
    fn over_history(&self, fact: &Fact) -> String {
        let target = self.backfill(fact).unwrap_or_default();
        let plain = target.chars().all(|letter| letter.is_alphanumeric() || "._-".contains(letter));
        let target = if plain { target } else { format!("'{target}'") };
        format!("`andon backfill {target} --last 30d` computes it over history")
    }

    /// What follows from all changes together.
    pub fn together(&self) -> Vec<String> {
        let mut told = Vec::new();
        let writes = |plant: &Plant| plant.models.iter().any(|model| !model.controls.is_empty());
        if writes(self.before) && controls_fingerprint(self.before) != controls_fingerprint(self.after) {
            told.push(
                "what may be written to machines changes: if writes are armed they are disarmed, until somebody looks at it and arms them again"
                    .into(),
            );
        }
        told
    }

    fn source(&self, place: usize, kind: ChangeKind) -> Vec<String> {
        let plant = if kind == ChangeKind::Added { self.after } else { self.before };
        let name = &plant.sources[place].name;
        let fills = |asset: &&crate::definition::Asset| asset.slots.iter().any(|(_, source)| source == name);
        let count = counted(plant.assets.iter().filter(fills).count(), "asset", "assets");
        match kind {
            ChangeKind::Added => vec![format!("{count} read from it")],
            _ => vec![format!("{count} read from it until now; what nothing else feeds gets no values any more")],
        }
    }

    fn property(&self, model: ModelIndex, place: PropertyIndex, earlier: Option<&Fact>, kind: ChangeKind) -> Vec<String> {
        let plant = if kind == ChangeKind::Removed { self.before } else { self.after };
        let property = &plant.models[model.0].properties[place.0];
        let assets = plant.assets_of(model).count();
        let mut told = match (kind, &property.kind) {
            (ChangeKind::Removed, _) => {
                let series = counted(assets, "series gets", "series get");
                return vec![format!("{series} no values any more; what is stored stays")];
            }
            (_, PropertyKind::Attribute { .. }) => self.attribute(plant, model, place, assets),
            (_, PropertyKind::Measurement { .. }) => Vec::new(),
            (ChangeKind::Added, PropertyKind::Transform { .. }) => vec!["computed from the next sample on".into()],
            (_, PropertyKind::Transform { .. }) => {
                vec!["computed so from the next sample on; values before that stay as they are".into()]
            }
            (ChangeKind::Added, PropertyKind::Metric { window, .. }) => {
                vec![format!("computed from the next window of {} on", window.name())]
            }
            (_, PropertyKind::Metric { .. }) => vec![FROM_THE_NEXT_WINDOW.into()],
        };
        if let Some(Thing::Property(was_model, was)) = earlier.map(|fact| fact.thing) {
            let was = &self.before.models[was_model.0].properties[was.0];
            if was.value_type != property.value_type {
                told.push(format!("values stored before stay of type {}", was.value_type));
            }
        }
        if kind == ChangeKind::Changed
            && let Some(readers) = readers::named(plant, model, &property.key)
        {
            told.push(format!("read by {readers}"));
        }
        told
    }

    /// Assets with a value of their own do not see another default.
    fn attribute(&self, plant: &Plant, model: ModelIndex, place: PropertyIndex, assets: usize) -> Vec<String> {
        let name = &plant.models[model.0].properties[place.0].name;
        let own = plant.assets_of(model).filter(|asset| plant.assets[asset.0].attributes.iter().any(|(set, _)| set == name));
        let own = own.count();
        let holds = format!("holds from now on for {}", counted(assets - own, "asset", "assets"));
        let others = if own > 0 {
            format!("; {}", counted(own, "has a value of its own", "have values of their own"))
        } else {
            String::new()
        };
        vec![format!("{holds}{others}; recalculates nothing")]
    }

    fn model(&self, model: ModelIndex, kind: ChangeKind) -> Vec<String> {
        match kind {
            ChangeKind::Added => {
                vec![format!("{} of it", counted(self.after.assets_of(model).count(), "asset is", "assets are"))]
            }
            ChangeKind::Removed => vec!["what its assets have stored stays".into()],
            ChangeKind::Changed => Vec::new(),
        }
    }

    fn asset(&self, asset: AssetIndex, kind: ChangeKind) -> Vec<String> {
        let plant = if kind == ChangeKind::Removed { self.before } else { self.after };
        let below = subtree(plant, asset);
        let series = below.iter().map(|one| {
            let model = plant.model_of(*one);
            model.properties.len() + model.controls.len()
        });
        let series = series.sum::<usize>();
        match kind {
            ChangeKind::Added => {
                let with = if below.len() > 1 { format!("with {} below it, ", below.len() - 1) } else { String::new() };
                vec![format!("{with}{} begin", counted(series, "series", "series"))]
            }
            ChangeKind::Removed => {
                let mut told =
                    vec![format!("{} get no values any more; what is stored stays", counted(series, "series", "series"))];
                told.extend(self.ended(below.iter().map(|one| plant.assets[one.0].id)));
                told
            }
            ChangeKind::Changed => Vec::new(),
        }
    }
}

/// Holds for formulas of metrics and of OEE.
const FROM_THE_NEXT_WINDOW: &str =
    "computed so from the window that is open now on; earlier figures stay until late data touches their window";

/// An asset and everything below it.
fn subtree(plant: &Plant, root: AssetIndex) -> Vec<AssetIndex> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(index) = found.get(next).copied() {
        found.extend(plant.assets[index.0].children.iter().flat_map(|(_, children)| children).copied());
        next += 1;
    }
    found
}

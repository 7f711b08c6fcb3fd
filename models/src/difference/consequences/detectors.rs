//! What becomes of detectors when their definition changes: the rules by which a start takes over what an earlier run left.

use super::{Teller, counted};
use crate::{
    AssetId,
    command::DryRun,
    definition::{ModelIndex, Plant},
    detector::DetectorModel,
    difference::{
        ChangeKind,
        facts::{Fact, Thing},
    },
    snapshot::DetectorSnapshot,
};
use std::collections::BTreeMap;

/// States that are named when instances stand in them and they go.
const MAX_NAMED: usize = 4;

impl Teller<'_> {
    /// What becomes of the instances of a detector.
    pub(super) fn detector(&self, model: ModelIndex, place: usize, earlier: Option<&Fact>, kind: ChangeKind) -> Vec<String> {
        let states = |plant: &Plant| plant.assets_of(model).count();
        match (kind, earlier.map(|fact| fact.thing)) {
            (ChangeKind::Removed, _) if !self.is_there(model, place) => {
                let ids = self.before.assets_of(model).map(|asset| self.before.assets[asset.0].id);
                let name = &self.before.models[model.0].detectors[place].name;
                let mut told = vec![format!("{} ended", counted(states(self.before), "instance is", "instances are"))];
                told.extend(self.ended_of(ids, Some(name)));
                told
            }
            (ChangeKind::Added, None) if !self.was_there(model, place) => {
                let detector = &self.after.models[model.0].detectors[place];
                let count = counted(states(self.after), "instance begins", "instances begin");
                vec![format!("{count} in {}", detector.state(detector.initial).path)]
            }
            // A state that goes: the detector itself is in both.
            (ChangeKind::Removed, Some(Thing::Detector(..))) => {
                let name = &self.before.models[model.0].detectors[place].name;
                let id = self.before.models[model.0].id;
                let now = self.after.models.iter().position(|other| other.id == id).map(ModelIndex);
                let found = now.and_then(|now| {
                    let place = self.after.models[now.0].detectors.iter().position(|other| other.name == *name)?;
                    Some((now, place))
                });
                found.map_or_else(Vec::new, |(model, place)| self.taken_over(model, place))
            }
            _ => self.taken_over(model, place),
        }
    }

    /// Whether a detector of the definition before is in the new one.
    fn is_there(&self, model: ModelIndex, place: usize) -> bool {
        has_detector(self.after, &self.before.models[model.0], place)
    }

    fn was_there(&self, model: ModelIndex, place: usize) -> bool {
        has_detector(self.before, &self.after.models[model.0], place)
    }

    /// Instances that go on, those that start over, and why.
    fn taken_over(&self, model: ModelIndex, place: usize) -> Vec<String> {
        let detector = &self.after.models[model.0].detectors[place];
        let assets = self.after.assets_of(model).map(|asset| self.after.assets[asset.0].id);
        let (kept, _): (Vec<AssetId>, Vec<AssetId>) = assets.partition(|asset| self.kept.contains(asset));
        let stood: Vec<&DetectorSnapshot> =
            kept.iter().filter_map(|asset| self.standing.get(&(*asset, &*detector.name)).copied()).collect();
        if stood.is_empty() {
            return without_standing(self.before, detector, &self.after.models[model.0].name, kept.len());
        }
        let mut lost: BTreeMap<&str, usize> = BTreeMap::new();
        for snapshot in stood.iter().filter(|snapshot| detector.state_at(&snapshot.state).is_none()) {
            *lost.entry(&snapshot.state).or_default() += 1;
        }
        let over: usize = lost.values().sum();
        let mut told: Vec<String> = dry_run(detector).into_iter().collect();
        if stood.len() > over {
            told.push(format!("{} state", counted(stood.len() - over, "instance keeps its", "instances keep their")));
        }
        if over > 0 {
            let named: Vec<String> = lost.iter().take(MAX_NAMED).map(|(state, count)| format!("{count} in {state}")).collect();
            let first = &detector.state(detector.initial).path;
            let starts = counted(over, "instance starts", "instances start");
            told.push(format!("{starts} over in {first}: the state it stands in is gone ({})", named.join(", ")));
        }
        told
    }

    /// Alarms that end with their detectors.
    pub(super) fn ended(&self, assets: impl Iterator<Item = AssetId>) -> Option<String> {
        self.ended_of(assets, None)
    }

    fn ended_of(&self, assets: impl Iterator<Item = AssetId>, detector: Option<&str>) -> Option<String> {
        let assets: Vec<AssetId> = assets.collect();
        let mine = |snapshot: &&&DetectorSnapshot| {
            assets.contains(&snapshot.asset) && detector.is_none_or(|name| *snapshot.detector == *name)
        };
        let active = self.standing.values().filter(mine).filter(|snapshot| snapshot.alarm.state.is_active()).count();
        (active > 0).then(|| format!("{} with it", counted(active, "active alarm goes", "active alarms go")))
    }

    /// Instances of detectors over messages stand in states by name as well.
    pub(super) fn keyed(&self, place: usize, kind: ChangeKind) -> Vec<String> {
        match kind {
            ChangeKind::Removed => vec!["its instances are ended".into()],
            ChangeKind::Added => Vec::new(),
            ChangeKind::Changed => {
                let detector = &self.after.detectors[place];
                let before = self.before.detectors.iter().find(|other| other.name == detector.name);
                let gone: Vec<&str> = before
                    .iter()
                    .flat_map(|before| &before.states)
                    .filter(|state| detector.state_named(&state.name).is_none())
                    .map(|state| &*state.name)
                    .collect();
                if gone.is_empty() {
                    return vec!["its instances keep their state".into()];
                }
                vec![format!("instances in {} start over; others keep their state", gone.join(", "))]
            }
        }
    }
}

/// A dry run proves something about the definition it was made with.
fn dry_run(detector: &DetectorModel) -> Option<String> {
    (detector.dry_run != DryRun::No).then(|| "it runs dry from now on, also where it was released".into())
}

fn has_detector(plant: &Plant, model: &crate::definition::AssetModel, place: usize) -> bool {
    let name = &model.detectors[place].name;
    let other = plant.models.iter().find(|other| other.id == model.id);
    other.is_some_and(|other| other.detectors.iter().any(|detector| detector.name == *name))
}

/// Nobody knows where they stand: which states go says it all.
fn without_standing(before: &Plant, detector: &DetectorModel, model: &str, instances: usize) -> Vec<String> {
    let model = before.models.iter().find(|other| *other.name == *model);
    let earlier = model.and_then(|model| model.detectors.iter().find(|other| other.name == detector.name));
    let leaves = earlier
        .iter()
        .flat_map(|earlier| earlier.states.iter().filter(|state| state.initial.is_none()).map(|state| &*state.path));
    let gone: Vec<&str> = leaves.filter(|path| detector.state_at(path).is_none()).collect();
    let keep = counted(instances, "instance keeps its", "instances keep their");
    if gone.is_empty() {
        return vec![format!("{keep} state")];
    }
    vec![format!("{keep} state, unless it is {}: there they start over", gone.join(" or "))]
}

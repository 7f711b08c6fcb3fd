//! A plant told as facts: one for each thing an engineer names, with what is said about it.

mod detector;
mod model;
mod site;

use super::aspects::{Aspect, Aspects};
use crate::definition::{AssetIndex, ModelIndex, Plant, PropertyIndex};

/// A thing, and what is said about it.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    /// What it is, whatever it is called now: the same in both definitions.
    pub id: String,
    /// What it is called.
    pub what: String,
    /// The thing it belongs to, by id: what comes or goes with that is not told apart.
    pub parent: Option<String>,
    /// Facts of one group share their consequences: a detector and its states.
    pub group: String,
    /// Where it stands in its plant.
    pub thing: Thing,
    /// What is said about it, the main aspect first.
    pub aspects: Vec<Aspect>,
}

/// What a fact is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thing {
    /// The plant itself: its name.
    Plant,
    /// Time zone, shifts and days without.
    Calendar,
    /// What stop reasons mean.
    Reason,
    /// A source, by its place.
    Source(usize),
    /// A notify target.
    Notify,
    /// A model.
    Model(ModelIndex),
    /// A property of a model.
    Property(ModelIndex, PropertyIndex),
    /// A control of a model, by its place.
    Control(ModelIndex, usize),
    /// The OEE block of a model.
    Oee(ModelIndex),
    /// A detector of a model, by its place, or one of its states.
    Detector(ModelIndex, usize),
    /// An asset.
    Asset(AssetIndex),
    /// An input of detectors over messages.
    Input,
    /// A detector over messages, by its place.
    Keyed(usize),
}

impl Fact {
    fn new(id: String, what: impl Into<String>, thing: Thing, aspects: Aspects) -> Self {
        Self { group: id.clone(), id, what: what.into(), parent: None, thing, aspects: aspects.0 }
    }

    fn of(mut self, parent: &str) -> Self {
        self.parent = Some(parent.to_owned());
        self
    }

    /// What it is in one line: the first thing said about it.
    pub fn summary(&self) -> String {
        let first = self.aspects.first();
        first
            .map(|aspect| aspect.lines.iter().map(|line| line.shown.as_str()).collect::<Vec<_>>().join(" · "))
            .unwrap_or_default()
    }
}

/// Everything a plant says, in the order of its file.
pub(super) fn of(plant: &Plant) -> Vec<Fact> {
    let mut facts = site::facts(plant);
    for index in (0..plant.models.len()).map(ModelIndex) {
        model::facts(plant, index, &mut facts);
    }
    site::assets(plant, &mut facts);
    detector::keyed(plant, &mut facts);
    facts
}

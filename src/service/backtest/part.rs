//! A part of a plant: some instances of a detector, with the history that they read.

use super::{
    super::core::Core,
    Note, Played,
    player::{Player, Scope},
};
use andon_detectors::Engine;
use andon_models::{
    SeriesId, Timestamp,
    catalog::Catalog,
    definition::{AssetIndex, ModelIndex, PropertyKind},
    operator::{OperatorDeed, OperatorRequest},
    window::Window,
};
use andon_query::{Historian, QueryError, Replay, Stretch};
use anyhow::Context;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::task::JoinHandle;

/// Values of a part that are read at a time: with those being sorted, some 50 MB.
const MOST_POINTS: usize = 400_000;

/// Some instances with what they read.
pub struct Part<N> {
    number: usize,
    catalog: Arc<Catalog>,
    assets: HashSet<AssetIndex>,
    /// None while it reads ahead.
    replay: Option<Replay>,
    player: Player<N>,
    /// Up to when it was played.
    at: Timestamp,
}

/// A stretch on its way, with what reads it.
pub type Ahead = JoinHandle<(Replay, Result<Option<Stretch>, QueryError>)>;

/// The parts of a plant, so many at most, or of one instance alone.
pub async fn parts<N>(
    historian: &Historian,
    catalog: &Arc<Catalog>,
    recorded: &HashSet<SeriesId>,
    window: Window,
    (most, only): (usize, Option<AssetIndex>),
) -> anyhow::Result<Vec<Part<N>>> {
    let plant = &catalog.plant;
    let watching = (0..plant.models.len()).map(ModelIndex).filter(|model| !plant.models[model.0].detectors.is_empty());
    let assets = watching.flat_map(|model| plant.assets_of(model));
    let assets: Vec<AssetIndex> = assets.filter(|asset| only.is_none_or(|only| only == *asset)).collect();
    let size = assets.len().div_ceil(most);
    let groups: Vec<HashSet<AssetIndex>> = assets.chunks(size.max(1)).map(|assets| assets.iter().copied().collect()).collect();
    let engines: Vec<Engine> =
        groups.iter().map(|assets| Engine::of(catalog.clone(), &|asset| assets.contains(&asset))).collect();
    let needs: Vec<Needs> = engines.iter().map(|engine| Needs::of(engine, catalog, recorded)).collect();
    let all: HashSet<SeriesId> = needs.iter().flat_map(|needs| needs.stored.iter().copied()).collect();
    let all: Vec<SeriesId> = all.into_iter().collect();
    let latest = historian.values_before(&all, window.start).await.context("cannot read the history")?;
    let parts = groups.into_iter().zip(engines).zip(needs).zip(0..).map(|(((assets, engine), needs), number)| {
        let own: HashMap<_, _> =
            needs.stored.iter().filter_map(|series| Some((*series, latest.get(series)?.clone()))).collect();
        let mut core = Core::passing(catalog.clone(), engine, &|series| needs.computed.contains(&series));
        core.restore(&HashMap::new(), &|series| own.get(&series).cloned());
        core.arm_first("the back-test", window.start, true);
        let started = core.start(window.start, &|series| own.get(&series).cloned());
        let replay = Some(historian.replay(&needs.stored, window.start, MOST_POINTS));
        let player = Player::new(core, window.start, started);
        Part { number, catalog: catalog.clone(), assets, replay, player, at: window.start }
    });
    Ok(parts.collect())
}

/// The series that detectors depend on.
struct Needs {
    /// What is read from the history.
    stored: Vec<SeriesId>,
    /// Transforms, which are computed again.
    computed: HashSet<SeriesId>,
}

impl Needs {
    /// What they read, and for a transform what it is computed from.
    fn of(engine: &Engine, catalog: &Catalog, recorded: &HashSet<SeriesId>) -> Self {
        let mut found: Vec<SeriesId> = engine.reads();
        let mut seen: HashSet<SeriesId> = found.iter().copied().collect();
        let mut needs = Self { stored: Vec::new(), computed: HashSet::new() };
        let mut next = 0;
        while let Some(series) = found.get(next).copied() {
            next += 1;
            let (Some(entry), Some(property)) = (catalog.entry(series), catalog.property(series)) else { continue };
            match &property.kind {
                PropertyKind::Transform { expression, .. } => {
                    needs.computed.insert(series);
                    let reads = expression.references.iter().flat_map(|reference| catalog.resolve(entry.asset, reference));
                    found.extend(reads.filter(|read| seen.insert(*read)));
                }
                PropertyKind::Attribute { .. } => {}
                _ if recorded.contains(&series) => needs.stored.push(series),
                _ => {}
            }
        }
        needs
    }
}

impl<N: Send + 'static> Part<N> {
    /// Its place among the parts.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Says what people did to its instances and what is to be told; the first part speaks for the engine as well.
    pub fn begin(&mut self, first: bool, deeds: &[(Timestamp, OperatorRequest)], note: Option<Note<N>>) {
        let plant = &self.catalog.plant;
        let own: HashSet<_> = self.assets.iter().map(|asset| plant.assets[asset.0].id).collect();
        let mine = |request: &OperatorRequest| match &request.deed {
            OperatorDeed::Acknowledge { asset, .. } => own.contains(asset),
            _ => first,
        };
        let deeds = deeds.iter().filter(|(_, request)| mine(request)).cloned().collect();
        let scope = if first { Scope::All } else { Scope::Assets };
        self.player.begin(scope, deeds, note);
    }

    /// The next stretch up to an instant.
    pub async fn read(&mut self, until: Timestamp) -> anyhow::Result<Option<Stretch>> {
        let Some(replay) = &mut self.replay else { return Ok(None) };
        replay.next(until).await.context("cannot read the history")
    }

    /// Begins to read the next stretch.
    pub fn read_ahead(&mut self, until: Timestamp) -> Option<Ahead> {
        let mut replay = self.replay.take()?;
        Some(tokio::spawn(async move {
            let next = replay.next(until).await;
            (replay, next)
        }))
    }

    /// The stretch that it began to read.
    pub async fn take_ahead(&mut self, reading: Ahead) -> anyhow::Result<Option<Stretch>> {
        let (replay, next) = reading.await?;
        self.replay = Some(replay);
        next.context("cannot read the history")
    }

    /// Plays a stretch; says how many values it had and how many seconds it was long.
    pub fn play(&mut self, stretch: Stretch) -> anyhow::Result<(u64, f64)> {
        let (points, span) = (stretch.points.len() as u64, stretch.to.since(self.at).as_secs_f64());
        self.at = stretch.to;
        self.player.play(stretch)?;
        Ok((points, span))
    }

    /// What is to be told since it was asked last.
    pub fn notes(&mut self) -> Vec<(Timestamp, N)> {
        self.player.notes()
    }

    /// What it did.
    pub fn finish(self) -> Played {
        self.player.finish()
    }
}

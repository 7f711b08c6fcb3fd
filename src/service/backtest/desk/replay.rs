//! One instance again, step by step.
//!
//! How it stood at the start of the span is not stored, so it is played from when it was last in its initial state: what came
//! before then is in no state, timer or alarm of it, only perhaps in a variable.

use super::super::{Happening, Heard, Job, Note, alone, play};
use andon_dashboards::{ReplayInput, ReplayOrder, ReplayStep, ReplayTimer, ReplayVariable, ReplayView};
use andon_detectors::Engine;
use andon_models::{
    Point, SeriesId, Timestamp, Tqv,
    catalog::{Catalog, SeriesDirectory},
    definition::AssetIndex,
    event::EventBody,
    snapshot::DetectorSnapshot,
    window::Window,
};
use andon_query::{EventFilter, Historian};
use anyhow::Context;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

/// Steps that are shown at most.
const MOST_STEPS: usize = 5_000;

/// How far before the span the instance is looked for in its initial state.
const LOOK_BACK: Duration = Duration::from_secs(7 * 24 * 3_600);

/// So much is played before the span where it was not in its initial state.
const LEAD: Duration = Duration::from_secs(3_600);

/// Moves that are looked through for it.
const MOST_MOVES: usize = 2_000;

/// What happens to the instance.
enum Seen {
    Values(Vec<Point>),
    Moved(Timestamp, Arc<str>),
    Stands(Timestamp, Box<DetectorSnapshot>),
}

/// Plays one instance over a span.
pub async fn replayed(catalog: &Arc<Catalog>, historian: &Historian, order: &ReplayOrder) -> anyhow::Result<ReplayView> {
    let plant = &catalog.plant;
    let position = plant.assets.iter().position(|asset| asset.id == order.asset).context("the asset is gone")?;
    let asset = &plant.assets[position];
    let plant = alone(plant, &format!("{}.{}", plant.models[asset.model.0].name, order.detector))?;
    let model = plant.models[asset.model.0].detectors.first().context("the detector is gone")?;
    let initial = model.state(model.initial).path.clone();
    let start = begin(historian, order, &initial).await?;
    let dir = historian.dir().clone();
    let known = tokio::task::spawn_blocking(move || andon_query::known_series(&dir)).await??;
    let alone = Catalog::build(Arc::new(plant.clone()), &mut SeriesDirectory::restore(known.iter().copied()));
    let inputs = names(&Arc::new(alone), AssetIndex(position));
    let mut steps = Steps::new(ReplayView::new(asset.path.clone(), order.detector.clone(), order.window), inputs);
    let job = Job {
        historian,
        known: &known,
        plant,
        window: Window { start, end: order.window.end },
        workers: 1,
        named: &order.detector,
        only: Some(AssetIndex(position)),
        cancelled: Arc::default(),
    };
    let note: Note<Seen> = Arc::new(|happening| match happening {
        Happening::Values(points) => Some(Seen::Values(points.to_vec())),
        Happening::Event(event) => match &event.body {
            EventBody::Transition(moved) => Some(Seen::Moved(event.time, moved.explanation.trigger.clone())),
            _ => None,
        },
        Happening::Stands(time, snapshot) => Some(Seen::Stands(time, Box::new(snapshot.clone()))),
    });
    let hear = |heard| match heard {
        Heard::Note(seen) => steps.see(seen),
        Heard::Points(points, _) => steps.view.samples = points,
    };
    play(job, Some(note), hear).await?;
    Ok(steps.finish())
}

/// When to begin: when it last came into its initial state.
async fn begin(historian: &Historian, order: &ReplayOrder, initial: &Arc<str>) -> anyhow::Result<Timestamp> {
    let filter = EventFilter {
        kinds: vec!["transition".into()],
        from: Some(order.window.start - LOOK_BACK),
        to: Some(order.window.start),
        asset: Some(order.asset),
        detector: Some(order.detector.clone()),
        limit: MOST_MOVES,
        ..EventFilter::default()
    };
    let moves = historian.events(filter).await.context("cannot read the history")?;
    let entered = moves.iter().find(|event| matches!(&event.body, EventBody::Transition(moved) if moved.to == *initial));
    Ok(entered.map_or(order.window.start - LEAD, |event| event.time))
}

/// The names of what an instance reads.
fn names(catalog: &Arc<Catalog>, asset: AssetIndex) -> HashMap<SeriesId, Arc<str>> {
    let engine = Engine::of(catalog.clone(), &|wanted| wanted == asset);
    let name = |series: SeriesId| {
        let (entry, property) = (catalog.entry(series)?, catalog.property(series)?);
        let path = &catalog.plant.assets[entry.asset.0].path;
        Some((series, if entry.asset == asset { property.key.clone() } else { format!("{path}/{}", property.key).into() }))
    };
    engine.reads().into_iter().filter_map(name).collect()
}

/// The steps so far.
struct Steps {
    view: ReplayView,
    names: HashMap<SeriesId, Arc<str>>,
    inputs: BTreeMap<Arc<str>, Tqv>,
    /// What set off the move that was just told.
    moved: Option<(Timestamp, Arc<str>)>,
}

impl Steps {
    fn new(view: ReplayView, names: HashMap<SeriesId, Arc<str>>) -> Self {
        Self { view, names, inputs: BTreeMap::new(), moved: None }
    }

    fn see(&mut self, seen: Seen) {
        match seen {
            Seen::Values(points) => {
                for point in points {
                    if let Some(name) = self.names.get(&point.series) {
                        self.inputs.insert(name.clone(), point.tqv);
                    }
                }
            }
            Seen::Moved(time, trigger) => self.moved = Some((time, trigger)),
            Seen::Stands(time, snapshot) => self.stands(time, &snapshot),
        }
    }

    fn stands(&mut self, time: Timestamp, snapshot: &DetectorSnapshot) {
        if self.view.truncated {
            return;
        }
        if self.view.steps.len() >= MOST_STEPS {
            return self.view.truncate(time);
        }
        let moved = self.moved.take();
        // A timer moves it at its own deadline, even where it was noticed a little later.
        let at = moved.as_ref().map_or(time, |(moved, _)| *moved);
        let mut step = ReplayStep::new(at, snapshot.state.clone(), snapshot.alarm.state.name());
        if let Some((_, trigger)) = moved {
            (step.moved, step.trigger) = (true, trigger);
        }
        step.variables =
            snapshot.variables.iter().map(|(name, value)| ReplayVariable::new(name.clone(), value.clone())).collect();
        step.timers = snapshot.timers.iter().map(ReplayTimer::new).collect();
        step.inputs = self.inputs.iter().map(|(name, tqv)| ReplayInput::new(name.clone(), tqv)).collect();
        // What was before the span is only how it stood at its start.
        if self.view.steps.len() == 1 && step.time() <= self.start() {
            self.view.steps.clear();
        }
        self.view.steps.push(step);
    }

    fn start(&self) -> Timestamp {
        self.view.start()
    }

    fn finish(mut self) -> ReplayView {
        let start = self.start();
        if let Some(first) = self.view.steps.first_mut().filter(|first| first.time() < start) {
            first.at(start);
            (first.moved, first.trigger) = (false, "".into());
        }
        self.view
    }
}

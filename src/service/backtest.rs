//! Plays recorded history through a detector as it is defined now: what it would have raised, told and written.
//!
//! The core is the live one, driven in event time: samples of one instant together, and every timer at its own time in between.
//! Transforms are computed anew, metrics are taken as they were stored. Commands count as verified at once and are sent nowhere;
//! people acknowledge as they did.

use super::core::{Core, Effect, Step};
use andon_detectors::{Engine, Input};
use andon_models::{
    AssetId, Point, PropertyId, SeriesId, Timestamp,
    alarm::{AlarmState, AlarmVerb},
    catalog::{Catalog, SeriesDirectory},
    command::{CommandOutcome, CommandState},
    definition::{Plant, PropertyKind},
    event::{Event, EventBody},
    operator::{OperatorDeed, OperatorRequest},
    window::Window,
};
use andon_query::{EventFilter, Historian};
use anyhow::{Context, bail};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// History read at a time: a day of a few hundred values a second fits into memory.
const STRETCH: Duration = Duration::from_secs(24 * 3_600);

/// Timers that may go off between two samples: a detector that never comes to rest is stopped, and says so.
const MOST_TIMERS: usize = 1_000_000;

/// Acknowledgements that are played back at most.
const MOST_DEEDS: usize = 100_000;

/// What a detector did in a stretch of history.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Every event, in time order.
    pub events: Vec<Event>,
    /// Values that went through.
    pub points: u64,
    /// Moves.
    pub moves: usize,
    /// Alarms raised.
    pub raised: usize,
    /// Writes it asked for.
    pub commands: usize,
    /// Writes that a rule refused.
    pub refused: usize,
    /// Notifications it asked for.
    pub notices: usize,
}

/// A plant with one of its detectors alone.
///
/// # Errors
/// When there is no such detector; the nearest is named.
pub fn alone(plant: &Plant, named: &str) -> anyhow::Result<Plant> {
    let Some((model, detector)) = named.split_once('.') else {
        bail!("`{named}` names no detector: write model.detector, such as filler.overheat");
    };
    let mut alone = plant.clone();
    for entry in &mut alone.models {
        let wanted = *entry.name == *model;
        entry.detectors.retain(|known| wanted && *known.name == *detector);
    }
    if alone.models.iter().all(|model| model.detectors.is_empty()) {
        let names = plant.models.iter();
        let all: Vec<String> =
            names.flat_map(|model| model.detectors.iter().map(move |known| format!("{}.{}", model.name, known.name))).collect();
        let near = andon_models::expression::nearest(named, all.iter().map(String::as_str));
        let hint = near.map_or_else(|| format!("there are {}", all.join(", ")), |near| format!("did you mean {near}?"));
        bail!("there is no detector {named}; {hint}");
    }
    Ok(alone)
}

/// Plays a window of history; `progress` hears the instant reached and the values so far.
///
/// # Errors
/// When history cannot be read.
pub async fn play(
    historian: &Historian,
    known: &[(AssetId, PropertyId, SeriesId)],
    plant: Plant,
    window: Window,
    mut progress: impl FnMut(Timestamp, u64),
) -> anyhow::Result<Played> {
    let mut directory = SeriesDirectory::restore(known.iter().copied());
    let catalog = Arc::new(Catalog::build(Arc::new(plant), &mut directory));
    let recorded: HashSet<SeriesId> = known.iter().map(|(.., series)| *series).collect();
    let series: Vec<SeriesId> = inputs(&catalog).into_iter().filter(|series| recorded.contains(series)).collect();
    let mut latest = HashMap::new();
    for series in &series {
        if let Some(tqv) = historian.value_before(*series, window.start).await.context("cannot read the history")? {
            latest.insert(*series, tqv);
        }
    }
    let mut core = Core::new(catalog.clone());
    core.restore(&HashMap::new(), &|series| latest.get(&series).cloned());
    core.arm_first("the back-test", window.start, true);
    let mut played = Played::default();
    let start = core.start(window.start, &|series| latest.get(&series).cloned());
    played.take(&mut core, window.start, start);
    let mut deeds = deeds(historian, &catalog, window).await?;
    let mut from = window.start;
    while from < window.end {
        let to = (from + STRETCH).min(window.end);
        let mut by_time: BTreeMap<Timestamp, Vec<Point>> = BTreeMap::new();
        for series in &series {
            let part = Window { start: from, end: to };
            for tqv in historian.history(*series, part, usize::MAX).await.context("cannot read the history")? {
                if tqv.time > from && tqv.time <= to {
                    by_time.entry(tqv.time).or_default().push(Point { series: *series, tqv });
                }
            }
        }
        for (time, points) in by_time {
            played.wait(&mut core, time, &mut deeds)?;
            played.points += points.len() as u64;
            let step = core.written(time, points);
            played.take(&mut core, time, step);
        }
        played.wait(&mut core, to, &mut deeds)?;
        progress(to, played.points);
        from = to;
    }
    Ok(played)
}

/// The stored series that the detectors of a plant depend on: what they read, and for a transform what it is computed from.
fn inputs(catalog: &Catalog) -> Vec<SeriesId> {
    let mut found: Vec<SeriesId> = Engine::new(Arc::new(catalog.clone())).reads();
    let mut next = 0;
    while let Some(series) = found.get(next).copied() {
        next += 1;
        let (Some(entry), Some(property)) = (catalog.entry(series), catalog.property(series)) else { continue };
        let PropertyKind::Transform { expression, .. } = &property.kind else { continue };
        for read in expression.references.iter().flat_map(|reference| catalog.resolve(entry.asset, reference)) {
            if !found.contains(&read) {
                found.push(read);
            }
        }
    }
    let stored = |series: &SeriesId| {
        let property = catalog.property(*series);
        property
            .is_some_and(|property| !matches!(property.kind, PropertyKind::Transform { .. } | PropertyKind::Attribute { .. }))
    };
    found.retain(stored);
    found
}

/// Who acknowledged what, oldest last.
async fn deeds(historian: &Historian, catalog: &Catalog, window: Window) -> anyhow::Result<Vec<(Timestamp, OperatorRequest)>> {
    let filter = EventFilter {
        path: None,
        kinds: vec!["alarm".into()],
        from: Some(window.start),
        to: Some(window.end),
        asset: None,
        detector: None,
        limit: MOST_DEEDS,
    };
    let events = historian.events(filter).await.context("cannot read the history")?;
    let names: HashSet<&str> =
        catalog.plant.models.iter().flat_map(|model| &model.detectors).map(|detector| &*detector.name).collect();
    let deed = |event: Event| match (&event.body, event.asset) {
        (EventBody::Alarm(change), Some(asset))
            if change.verb == AlarmVerb::Acknowledge && names.contains(&*event.detector) =>
        {
            let deed = OperatorDeed::Acknowledge { asset, detector: event.detector.clone(), note: change.note.clone() };
            Some((event.time, OperatorRequest { by: change.by.clone(), deed }))
        }
        _ => None,
    };
    Ok(events.into_iter().filter_map(deed).collect())
}

impl Played {
    /// Lets timers go off and people act until an instant.
    fn wait(&mut self, core: &mut Core, until: Timestamp, deeds: &mut Vec<(Timestamp, OperatorRequest)>) -> anyhow::Result<()> {
        for _ in 0..MOST_TIMERS {
            let deed = deeds.last().map(|(time, _)| *time).filter(|time| *time < until);
            let due = core.next_due().filter(|due| *due < until);
            match (deed, due) {
                (Some(deed), due) if due.is_none_or(|due| deed <= due) => {
                    let Some((time, request)) = deeds.pop() else { return Ok(()) };
                    let step = core.operator(time, &request);
                    self.take(core, time, step);
                }
                (_, Some(due)) => {
                    let step = core.time(due);
                    self.take(core, due, step);
                }
                (_, None) => return Ok(()),
            }
        }
        bail!("more than {MOST_TIMERS} timers went off before {until}: look at its `every` and `after`")
    }

    /// Counts what a step asked for, and gives commands their outcome.
    fn take(&mut self, core: &mut Core, now: Timestamp, step: Step) {
        let mut open = vec![step];
        while let Some(step) = open.pop() {
            for effect in step.effects {
                match effect {
                    Effect::Write(command) => {
                        self.commands += 1;
                        open.push(core.decide(now, Input::Sent(command.id)));
                        let outcome = CommandOutcome {
                            command: command.id,
                            state: CommandState::Verified,
                            read_back: command.value.clone(),
                            reason: "".into(),
                            time: now,
                        };
                        open.push(core.decide(now, Input::Outcome(&outcome)));
                    }
                    Effect::Notify(_) => self.notices += 1,
                    _ => {}
                }
            }
            for event in &step.batch.events {
                match &event.body {
                    EventBody::Transition(_) => self.moves += 1,
                    EventBody::Alarm(change) => {
                        self.raised += usize::from(change.verb == AlarmVerb::Raise && is_new(change.from))
                    }
                    EventBody::Command(change) => self.refused += usize::from(change.state == CommandState::Refused),
                    _ => {}
                }
            }
            self.events.extend(step.batch.events);
        }
    }
}

/// Whether a raise is a new alarm, and not one that was there.
fn is_new(from: AlarmState) -> bool {
    !from.is_active()
}

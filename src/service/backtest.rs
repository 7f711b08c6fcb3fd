//! Plays recorded history through a detector as it is defined now: what it would have raised, told and written.
//!
//! The core is the live one, driven in event time: samples of one instant together, and every timer at its own time in between.
//! Transforms are computed anew, metrics are taken as they were stored. Commands count as verified at once and are sent nowhere;
//! people acknowledge as they did.
//!
//! Instances that do nothing to one another are played in parts, each by itself over the same time: files are sorted by series, so a
//! part is read at one go, and parts are played beside each other. What they tell is put in order of time.

mod compare;
mod deeds;
pub mod desk;
mod messages;
mod part;
mod player;
#[cfg(test)]
mod tests;
mod words;

pub use compare::difference;
pub use player::{Happening, Played};
pub use words::words;

use self::{
    deeds::{PAGE, deeds},
    part::{Part, parts},
};
use andon_models::{
    AssetId, PropertyId, SeriesId, Timestamp,
    catalog::{Catalog, SeriesDirectory},
    definition::{AssetIndex, Plant},
    detector::{Action, ActionKind},
    window::Window,
};
use andon_query::Historian;
use anyhow::{Context, bail, ensure};
use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, task::spawn_blocking};

/// Parts of a plant at most. More of them are smaller, and each costs something of its own.
const MOST_PARTS: usize = 16;

/// Of a window that is listened to, the first share that is played: what is told is kept until all parts have played it.
const FIRST_SHARE: f64 = 1.0 / 32.0;

/// Notes of one such share that make the next one shorter.
const MANY_NOTES: usize = 50_000;

/// Notes of one such share that let the next one be longer.
const FEW_NOTES: usize = 10_000;

/// Reports of parts that wait to be heard.
const MOST_REPORTS: usize = 64;

/// What is to be played.
pub struct Job<'a> {
    /// What was.
    pub historian: &'a Historian,
    /// Which series there are.
    pub known: &'a [(AssetId, PropertyId, SeriesId)],
    /// The definition; see [`alone`].
    pub plant: Plant,
    /// Of what time.
    pub window: Window,
    /// How many parts are played at the same time at most.
    pub workers: usize,
    /// The detector as it was named: of those over messages all are played, and this one is told of.
    pub named: &'a str,
    /// The instance that is played alone, if it is one.
    pub only: Option<AssetIndex>,
    /// Becomes true when nobody wants the result any more.
    pub cancelled: Arc<AtomicBool>,
}

/// What is told while it plays.
pub enum Heard<N> {
    /// What was made of something that happened, in order of time.
    Note(N),
    /// So many values went through so far, and which share of the whole is played.
    Points(u64, f64),
}

/// Makes of what happens what the listener wants to know of it. Called where it is played, so that only that is kept.
pub type Note<N> = Arc<dyn Fn(Happening<'_>) -> Option<N> + Send + Sync>;

/// A plant with one of its detectors alone: `model.detector`, or the name of a detector over messages, which keeps the others beside it
/// because they may send it messages.
///
/// # Errors
/// When there is no such detector; the nearest is named.
pub fn alone(plant: &Plant, named: &str) -> anyhow::Result<Plant> {
    let mut alone = plant.clone();
    if plant.detectors.iter().any(|known| *known.name == *named) {
        alone.models.iter_mut().for_each(|model| model.detectors.clear());
        return Ok(alone);
    }
    let Some((model, detector)) = named.split_once('.') else {
        let near = andon_models::expression::nearest(named, plant.detectors.iter().map(|known| &*known.name));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        bail!(
            "there is no detector {named} over messages; those of machines are written model.detector, such as filler.overheat{hint}"
        );
    };
    for entry in &mut alone.models {
        let wanted = *entry.name == *model;
        entry.detectors.retain(|known| wanted && *known.name == *detector);
    }
    alone.detectors.clear();
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

/// Plays a window of history; `hear` is told what `note` makes of what happens meanwhile.
///
/// # Errors
/// When history cannot be read, or when it was cancelled.
pub async fn play<N: Send + 'static>(
    job: Job<'_>,
    note: Option<Note<N>>,
    hear: impl FnMut(Heard<N>),
) -> anyhow::Result<Played> {
    if !job.plant.detectors.is_empty() {
        return messages::play(job, note, hear).await;
    }
    let most = if are_independent(&job.plant) { MOST_PARTS } else { 1 };
    play_in(most, job, note, hear).await
}

/// Plays in so many parts at most.
async fn play_in<N: Send + 'static>(
    most: usize,
    job: Job<'_>,
    note: Option<Note<N>>,
    mut hear: impl FnMut(Heard<N>),
) -> anyhow::Result<Played> {
    let Job { historian, known, plant, window, workers, only, cancelled, .. } = job;
    let mut directory = SeriesDirectory::restore(known.iter().copied());
    let catalog = Arc::new(Catalog::build(Arc::new(plant), &mut directory));
    let recorded: HashSet<SeriesId> = known.iter().map(|(.., series)| *series).collect();
    let deeds = deeds(historian, &catalog, window, PAGE).await?;
    let mut parts = parts(historian, &catalog, &recorded, window, (most, only)).await?;
    let many = parts.len() as f64;
    for (part, number) in parts.iter_mut().zip(0..) {
        part.begin(number == 0, &deeds, note.clone());
    }
    let (mut points, mut played) = (0, 0.0);
    let mut share = if note.is_some() { FIRST_SHARE } else { 1.0 };
    let mut from = window.start;
    while from < window.end {
        let until = later(from, window, share);
        let ahead = parts.len() == 1;
        let (report, mut reports) = mpsc::channel(MOST_REPORTS);
        let waiting = Arc::new(Mutex::new(VecDeque::from(std::mem::take(&mut parts))));
        let running: Vec<_> = (0..workers.max(1).min(many as usize))
            .map(|_| tokio::spawn(work(waiting.clone(), until, ahead, cancelled.clone(), report.clone())))
            .collect();
        drop(report);
        while let Some((more, span)) = reports.recv().await {
            points += more;
            played += span / (window.span().as_secs_f64() * many);
            hear(Heard::Points(points, played.min(1.0)));
        }
        for worker in running {
            parts.extend(worker.await.context("a part of the back-test failed")??);
        }
        ensure!(parts.len() == many as usize, "it was cancelled");
        parts.sort_by_key(|part| part.number());
        let told = notes(&mut parts);
        share = match told.len() {
            many if many > MANY_NOTES => share / 2.0,
            few if few < FEW_NOTES => share * 2.0,
            _ => share,
        };
        told.into_iter().for_each(|note| hear(Heard::Note(note)));
        from = until;
    }
    Ok(parts.into_iter().map(Part::finish).fold(Played::default(), Played::joined))
}

/// Plays parts up to an instant, one after the other, as long as some wait.
async fn work<N: Send + 'static>(
    waiting: Arc<Mutex<VecDeque<Part<N>>>>,
    until: Timestamp,
    ahead: bool,
    cancelled: Arc<AtomicBool>,
    report: mpsc::Sender<(u64, f64)>,
) -> anyhow::Result<Vec<Part<N>>> {
    let mut done = Vec::new();
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(part) = next else { return Ok(done) };
        match work_on(part, until, ahead, &cancelled, &report).await {
            Ok(part) => done.push(part),
            Err(error) => {
                // Whoever fails leaves nothing to the others.
                waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
                return Err(error);
            }
        }
    }
}

/// Plays one part up to an instant.
async fn work_on<N: Send + 'static>(
    mut part: Part<N>,
    until: Timestamp,
    ahead: bool,
    cancelled: &AtomicBool,
    report: &mpsc::Sender<(u64, f64)>,
) -> anyhow::Result<Part<N>> {
    let mut stretch = part.read(until).await?;
    while let Some(present) = stretch {
        ensure!(!cancelled.load(Ordering::Relaxed), "it was cancelled");
        // One part alone is read ahead while it is played; several keep the cores busy as it is.
        let next = if ahead { part.read_ahead(until) } else { None };
        // Playing takes long and never waits: it must not hold up a thread that others wait for.
        let (back, told) = spawn_blocking(move || {
            let told = part.play(present);
            (part, told)
        })
        .await?;
        part = back;
        // Nobody hears it any more when the whole is dropped.
        let _ = report.send(told?).await;
        stretch = match next {
            Some(reading) => part.take_ahead(reading).await?,
            None => part.read(until).await?,
        };
    }
    Ok(part)
}

/// Where a share of the window that begins at an instant ends.
fn later(from: Timestamp, window: Window, share: f64) -> Timestamp {
    let span = (window.span().as_secs_f64() * share).max(1.0);
    match span >= window.end.since(from).as_secs_f64() {
        true => window.end,
        false => from + Duration::from_secs_f64(span),
    }
}

/// What the parts have to tell, in order of time.
fn notes<N: Send + 'static>(parts: &mut [Part<N>]) -> Vec<N> {
    let mut notes: Vec<(Timestamp, N)> = parts.iter_mut().flat_map(Part::notes).collect();
    notes.sort_by_key(|(time, _)| *time);
    notes.into_iter().map(|(_, note)| note).collect()
}

/// Whether the instances of a plant's detectors do nothing to one another: none writes to a machine, which is limited for all
/// together, or stores values, which others may read.
fn are_independent(plant: &Plant) -> bool {
    let detectors = plant.models.iter().flat_map(|model| &model.detectors);
    let states = detectors.flat_map(|detector| &detector.states);
    let mut actions = states.flat_map(|state| {
        let rules = state.rules.iter().flat_map(|rule| &rule.actions);
        state.enter.iter().chain(&state.exit).chain(rules)
    });
    !actions
        .any(|Action { kind, .. }| matches!(kind, ActionKind::Write { .. } | ActionKind::Put { .. } | ActionKind::Send { .. }))
}

//! Detectors that belong to no asset model: messages and time in, records and effects out, into the step of the core.
//!
//! What an evaluation asks for is performed in [`doing`]. A message and everything that follows from it, also what detectors send
//! one another, is one step: on disk together or not at all.

mod alarms;
mod doing;
#[cfg(test)]
mod tests;

use self::{
    alarms::Alarms,
    doing::{Complaints, Doing, Waiting},
};
use super::core::Step;
use andon_detectors::iot_events::{EventEngine, Message};
use andon_models::{
    Point, Timestamp,
    catalog::Catalog,
    expression::nearest,
    iot_events::InputMessage,
    operator::{OperatorRefusal, OperatorRequest},
    snapshot::{DetectorSnapshot, InstanceSnapshot},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

/// Most messages that follow from one message. More is detectors calling each other in circles.
const MAX_FORWARDED: usize = 256;
/// How far the clock may go back without anything but standing still.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);
/// Most timers of a detector that go off in one step; the next tick goes on from there.
const MAX_TIMERS: usize = 10_000;

/// All detectors of no asset model.
pub struct Keyed {
    catalog: Arc<Catalog>,
    engines: Vec<EventEngine>,
    complaints: Complaints,
    alarms: Alarms,
    /// The latest time it was told; none before the first.
    now: Option<Timestamp>,
}

/// Whose instances there are, and how many.
pub struct Count<'k> {
    /// The detector.
    pub detector: &'k Arc<str>,
    /// Where messages say their key.
    pub key: Option<&'k str>,
    /// How many instances it has.
    pub instances: usize,
}

impl Keyed {
    /// Without any instance.
    pub fn new(catalog: &Arc<Catalog>) -> Self {
        let engines = catalog.plant.detectors.iter().map(|model| EventEngine::new(model).explaining()).collect();
        Self { catalog: catalog.clone(), engines, complaints: Complaints::default(), alarms: Alarms::new(catalog), now: None }
    }

    /// Takes over from an earlier run; gives the keys of documents that nothing here remembers any more.
    pub fn restore(&mut self, kept: &HashMap<String, Vec<u8>>) -> Vec<String> {
        // In the order of their keys, so that every start numbers them alike.
        let mut documents: Vec<_> = kept.iter().filter(|(key, _)| key.starts_with(InstanceSnapshot::PREFIX)).collect();
        documents.sort_unstable_by_key(|(key, _)| *key);
        let mut gone = Vec::new();
        // Told by detector and state: there may be a hundred thousand.
        let mut told: BTreeMap<(Arc<str>, Arc<str>), usize> = BTreeMap::new();
        for (key, document) in documents {
            let snapshot = match serde_json::from_slice::<InstanceSnapshot>(document) {
                Ok(snapshot) => snapshot,
                Err(error) => {
                    tracing::error!(key, %error, "an instance's snapshot cannot be read; it starts anew");
                    continue;
                }
            };
            let engine = self.engines.iter_mut().find(|engine| engine.model().name == snapshot.detector);
            let (detector, state) = (snapshot.detector.clone(), snapshot.state.clone());
            self.alarms.restore(&snapshot);
            if !engine.is_some_and(|engine| engine.restore(snapshot)) {
                *told.entry((detector, state)).or_default() += 1;
                gone.push(key.clone());
            }
        }
        for ((detector, state), instances) in told {
            tracing::warn!(%detector, %state, instances, "the detector or the state is gone; instances start anew with their next message");
        }
        gone
    }

    /// When the next timer goes off.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.engines.iter().filter_map(EventEngine::next_due).min()
    }

    /// Lets timers go off; gives the samples that detectors put.
    pub fn time(&mut self, now: Timestamp, step: &mut Step) -> Vec<Point> {
        self.heed_clock(now);
        let mut world = Doing::new(&self.catalog, &mut self.complaints, &mut self.alarms, step);
        for engine in &mut self.engines {
            engine.time(now, MAX_TIMERS, &mut |evaluation| world.take(&evaluation));
        }
        forward(&mut self.engines, now, world)
    }

    /// Takes a message; gives the samples that detectors put.
    ///
    /// # Errors
    /// Why no detector took it. What timers did that were due is in the step all the same.
    pub fn message(&mut self, now: Timestamp, message: &InputMessage, step: &mut Step) -> Result<Vec<Point>, String> {
        self.heed_clock(now);
        let mut world = Doing::new(&self.catalog, &mut self.complaints, &mut self.alarms, step);
        let InputMessage { input, payload, id, retained } = message;
        let mut refusal = None;
        let mut taken = false;
        for engine in self.engines.iter_mut().filter(|engine| engine.hears(input)) {
            engine.time(now, MAX_TIMERS, &mut |evaluation| world.take(&evaluation));
            let message = Message { input, payload, id: id.as_ref(), retained: *retained };
            match engine.message(now, message, &mut |evaluation| world.take(&evaluation)) {
                Ok(()) => taken = true,
                Err(error) => refusal = Some(error.to_string()),
            }
        }
        let points = forward(&mut self.engines, now, world);
        if taken {
            return Ok(points);
        }
        Err(refusal.unwrap_or_else(|| self.unheard(input)))
    }

    /// How many instances each detector has.
    pub fn counts(&self) -> impl Iterator<Item = Count<'_>> {
        self.engines.iter().map(|engine| {
            let model = engine.model();
            Count { detector: &model.name, key: model.key.as_ref().map(|key| key.as_str()), instances: engine.count() }
        })
    }

    /// Where the instances of a detector, or of all, stand.
    pub fn snapshots<'k>(&'k self, detector: Option<&'k str>) -> impl Iterator<Item = InstanceSnapshot> + 'k {
        let wanted = move |engine: &&EventEngine| detector.is_none_or(|wanted| *engine.model().name == *wanted);
        self.engines.iter().filter(wanted).flat_map(EventEngine::snapshots)
    }

    /// Where one instance stands.
    pub fn snapshot(&self, detector: &str, key: Option<&str>) -> Option<InstanceSnapshot> {
        self.engines.iter().find(|engine| *engine.model().name == *detector)?.snapshot(key)
    }

    /// The alarms that are not normal, as pages show them beside those of assets.
    pub fn alarms(&self) -> Vec<DetectorSnapshot> {
        self.alarms.snapshots(&self.engines)
    }

    /// The message that a request about an alarm over messages means, or why it is refused; none if it is about something else.
    pub fn asked(&self, request: &OperatorRequest) -> Option<Result<InputMessage, OperatorRefusal>> {
        self.alarms.message(request)
    }

    /// Tells the engines when the clock went back, by more than it is ever put right in passing, and what time it is after a start.
    fn heed_clock(&mut self, now: Timestamp) {
        if self.now.is_none_or(|before| now + CLOCK_TOLERANCE < before) {
            self.engines.iter_mut().for_each(|engine| engine.set_clock(now));
        }
        self.now = Some(now);
    }

    fn unheard(&self, input: &str) -> String {
        let plant = &self.catalog.plant;
        if plant.detectors.is_empty() {
            return "the plant file has no `detectors:` that listen to inputs".into();
        }
        let near = nearest(input, plant.inputs.iter().map(|input| &*input.name));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        format!("no detector listens to the input `{input}`{hint}")
    }
}

/// Hands on what detectors send to inputs, until nothing follows.
fn forward(engines: &mut [EventEngine], now: Timestamp, mut world: Doing<'_>) -> Vec<Point> {
    for _ in 0..MAX_FORWARDED {
        let Some(Waiting { from, message }) = world.next_message() else { return world.into_points() };
        let InputMessage { input, payload, id, .. } = &message;
        let mut heard = false;
        for engine in engines.iter_mut().filter(|engine| engine.hears(input)) {
            heard = true;
            let message = Message { input, payload, id: id.as_ref(), retained: false };
            if let Err(error) = engine.message(now, message, &mut |evaluation| world.take(&evaluation)) {
                world.complain(&from, now, &format!("{input}: {error}"));
            }
        }
        if !heard {
            world.complain(&from, now, &format!("no detector listens to the input `{input}`"));
        }
    }
    if let Some(Waiting { from, message }) = world.next_message() {
        let reason = format!(
            "more than {MAX_FORWARDED} messages followed from one; that to `{}` and later ones were dropped",
            message.input
        );
        world.complain(&from, now, &reason);
    }
    world.into_points()
}

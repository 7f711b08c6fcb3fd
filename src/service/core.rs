//! The one owner of changing state, without waiting: samples in, a log record and effects out.
//!
//! The live loop ([`super::pipeline`]) and the fast production of history ([`super::history`]) drive the same core.

mod beats;
mod corrections;
mod refused;
mod stops;
#[cfg(test)]
mod tests;

pub use self::refused::Refused;
use self::{
    beats::Beats,
    corrections::{Corrections, Edited},
    refused::Refusals,
    stops::OpenStops,
};

use super::keyed::{Count, Keyed};
use andon_dashboards::{AskInstances, Counted, Instances};
use andon_detectors::{Action, Arming, Engine, HAND, Input, Unsent};
use andon_models::{
    AssetId, EventId, Point, Sample, SeriesId, TagId, Timestamp, Tqv, Value,
    catalog::Catalog,
    command::{Command, HandWrite, Prepared},
    correction::{Correction, Edit},
    event::{Deed, Event, EventBody},
    iot_events::InputMessage,
    notice::Notice,
    oee::edits::StopEdit,
    operator::{OperatorDeed, OperatorRefusal, OperatorRequest},
    snapshot::{CommandSnapshot, DetectorSnapshot},
    transform::Transforms,
};
use andon_query::Batch;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Rounds in which values put by detectors may set off further detectors. A longer chain is a circle; it ends here.
const MAX_PUT_ROUNDS: usize = 4;

/// The tag of a point that is not bound any more.
const NO_TAG: TagId = TagId(u32::MAX);

/// Key of the kept document that says whether writes to machines are allowed.
const ARMED_KEY: &str = "armed";

/// Key of the kept document that says until when somebody watched the plant.
const WATCHED_KEY: &str = "watched";

/// The kept document that says that the plant is watched at an instant.
pub fn watched(at: Timestamp) -> (String, Vec<u8>) {
    (WATCHED_KEY.into(), at.as_nanos().to_string().into_bytes())
}

/// Until when an earlier run watched the plant, as far as known.
fn watched_until(kept: &HashMap<String, Vec<u8>>) -> Option<Timestamp> {
    let nanos = std::str::from_utf8(kept.get(WATCHED_KEY)?).ok()?.parse().ok()?;
    Some(Timestamp::from_nanos(nanos))
}

/// The kept document that forbids writes to machines, with the reason.
pub fn disarmed(at: Timestamp, reason: &str) -> (String, Vec<u8>) {
    kept(&Arming::off("andon".into(), at, reason.into()))
}

fn kept(arming: &Arming) -> (String, Vec<u8>) {
    (ARMED_KEY.into(), serde_json::to_vec(arming).expect("an arming is plain data"))
}

/// Everything that changes while a plant runs.
pub struct Core {
    catalog: Arc<Catalog>,
    transforms: Transforms,
    engine: Engine,
    /// The switch for writes as it is kept.
    arming: Arming,
    keyed: Keyed,
    refusals: Refusals,
    beats: Beats,
    stops: OpenStops,
    corrections: Corrections,
    /// Keys of the kept documents of detectors that the definition does not have any more.
    forget: Vec<String>,
    /// Whether there will be a restart to remember anything for.
    remembers: bool,
    /// Messages that came since the start.
    messages: u64,
}

/// What one input led to.
#[derive(Default)]
pub struct Step {
    /// One log record: samples, derived samples, events and snapshots, together or not at all.
    pub batch: Batch,
    /// What to do in the world, in order, once the record is on disk.
    pub effects: Vec<Effect>,
    /// The detectors that moved, as they stand now.
    pub moved: Vec<DetectorSnapshot>,
    /// Why an operator's request was not done.
    pub refusal: Option<OperatorRefusal>,
    /// Samples that were not let in, by source and reason.
    pub refused: Vec<Refused>,
    /// Whether its points are of long ago, computed over history.
    pub past: bool,
}

/// Something to do in the world.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Write to a machine.
    Write(Command),
    /// Toggle a heartbeat.
    Beat(Command),
    /// Tell somebody.
    Notify(Notice),
    /// Publish a message.
    Publish {
        /// The topic.
        topic: Arc<str>,
        /// The payload.
        payload: Arc<str>,
    },
    /// Show that something is wrong with what a source sends.
    Trouble {
        /// The source.
        source: Arc<str>,
        /// What is wrong and what to do.
        reason: Arc<str>,
    },
}

/// The notices of an earlier run whose fate is not known, oldest first.
pub fn kept_notices(kept: &HashMap<String, Vec<u8>>) -> Vec<Notice> {
    let documents = kept.iter().filter(|(key, _)| key.starts_with(Notice::PREFIX));
    let mut notices: Vec<Notice> = documents
        .filter_map(|(key, document)| {
            let notice = serde_json::from_slice(document);
            notice.inspect_err(|error| tracing::error!(key, %error, "a notification cannot be read; it is not told")).ok()
        })
        .collect();
    notices.sort_by_cached_key(|notice: &Notice| (notice.time, notice.key()));
    notices
}

impl Core {
    /// A core without memory; see [`Core::restore`].
    pub fn new(catalog: Arc<Catalog>) -> Self {
        let (engine, transforms) = (Engine::new(catalog.clone()), Transforms::new(&catalog));
        Self::with(catalog, engine, transforms, true)
    }

    /// A core of some assets' detectors, with the transforms that give the wanted series, which keeps nothing for a restart. How
    /// detectors stand is in [`Step::moved`] all the same.
    pub fn passing(catalog: Arc<Catalog>, engine: Engine, wanted: &dyn Fn(SeriesId) -> bool) -> Self {
        let transforms = Transforms::of(&catalog, wanted);
        Self::with(catalog, engine, transforms, false)
    }

    fn with(catalog: Arc<Catalog>, engine: Engine, transforms: Transforms, remembers: bool) -> Self {
        let refusals = Refusals::default();
        let beats = Beats::new(&catalog);
        Self {
            transforms,
            arming: engine.arming().clone(),
            engine,
            keyed: Keyed::new(&catalog),
            catalog,
            refusals,
            beats,
            stops: OpenStops::default(),
            corrections: Corrections::default(),
            forget: Vec::new(),
            remembers,
            messages: 0,
        }
    }

    /// Takes over from an earlier run: detector snapshots as kept, newest values as stored. Repeats no action.
    pub fn restore(&mut self, kept: &HashMap<String, Vec<u8>>, latest: &dyn Fn(SeriesId) -> Option<Tqv>) {
        self.transforms.seed(latest);
        self.stops = OpenStops::restore(&self.catalog, latest);
        self.corrections = Corrections::restore(kept);
        let mut snapshots = Vec::new();
        for (key, document) in kept.iter().filter(|(key, _)| key.starts_with("detector/")) {
            match serde_json::from_slice::<DetectorSnapshot>(document) {
                Ok(snapshot) => snapshots.push(self.renumbered(snapshot)),
                Err(error) => tracing::error!(key, %error, "a detector's snapshot cannot be read; it starts anew"),
            }
        }
        let restored = self.engine.restore(snapshots, latest);
        // Sources tell again what they have as soon as they are connected. Until then it is as if they were lost.
        let told: HashSet<SeriesId> = self.catalog.tags().iter().filter(|tag| tag.read).map(|tag| tag.series).collect();
        self.engine.doubt(&self.transforms.doubt(&told), watched_until(kept));
        self.forget = restored.gone.iter().map(|(asset, detector)| DetectorSnapshot::key(*asset, detector)).collect();
        self.forget.extend(self.keyed.restore(kept));
        if (restored.partly, restored.started_over, restored.gone.len()) != (0, 0, 0) {
            tracing::info!(
                kept = restored.kept,
                partly = restored.partly,
                over = restored.started_over,
                gone = restored.gone.len(),
                "detectors of the definition before"
            );
        }
        self.arming = kept.get(ARMED_KEY).map_or_else(Arming::never, |document| arming_of(document));
        self.engine.set_arming(self.arming.clone());
    }

    /// Starts what is new: attributes whose value is not stored yet, and detectors without a snapshot.
    pub fn start(&mut self, now: Timestamp, latest: &dyn Fn(SeriesId) -> Option<Tqv>) -> Step {
        let points = self.changed_attributes(now, latest);
        let mut step = self.points(now, points);
        step.batch.keep.extend(self.forget.drain(..).map(|key| (key, Vec::new())));
        let actions = self.engine.start(now);
        self.perform(now, actions, &mut step);
        step
    }

    /// Takes samples from collectors. `now` is the wall clock (or its stand-in in fast time). Here, and only here, samples enter:
    /// those with an impossible time are refused.
    pub fn samples(&mut self, now: Timestamp, samples: &[Sample]) -> Step {
        let catalog = &self.catalog;
        let mut points = Vec::with_capacity(samples.len() * 2);
        let refusals = &mut self.refusals;
        points.extend(samples.iter().filter_map(|sample| {
            let tag = catalog.tag(sample.tag)?;
            refusals.admit(tag, sample.tqv.time, now)?;
            Some(Point { series: tag.series, tqv: sample.tqv.clone() })
        }));
        let mut step = self.written(now, points);
        self.refusals.tell(now, &mut step);
        step
    }

    /// Takes values that somebody wrote.
    pub fn written(&mut self, now: Timestamp, mut points: Vec<Point>) -> Step {
        self.transforms.apply(&mut points);
        let mut step = self.points(now, points);
        for (series, values) in self.transforms.take_late() {
            step.batch.keep.push(self.corrections.late(&self.catalog, now, series, values));
        }
        step
    }

    /// Takes computed points: closed or recomputed metrics.
    pub fn points(&mut self, now: Timestamp, mut points: Vec<Point>) -> Step {
        let mut step = Step::default();
        self.stops.end(&mut points);
        if !points.is_empty() {
            let actions = self.engine.step(now, Input::Samples(&points));
            step.batch.points = points;
            self.perform(now, actions, &mut step);
        }
        step
    }

    /// Lets time pass, so that silence can trip a timer.
    pub fn time(&mut self, now: Timestamp) -> Step {
        let mut step = self.decide(now, Input::Time);
        let put = self.keyed.time(now, &mut step);
        step.extend(self.written(now, put));
        step
    }

    /// Takes a message of an input, for detectors of no asset model.
    pub fn message(&mut self, now: Timestamp, message: &InputMessage) -> Step {
        let mut step = Step::default();
        match self.keyed.message(now, message, &mut step) {
            Ok(put) => {
                if self.remembers {
                    step.batch.events.push(self.received(now, message));
                }
                step.extend(self.written(now, put));
            }
            Err(reason) => step.refusal = Some(OperatorRefusal::NotTaken(reason.into())),
        }
        step
    }

    /// That a message came, so that a back-test can play it.
    fn received(&mut self, now: Timestamp, message: &InputMessage) -> Event {
        self.messages += 1;
        Event {
            id: EventId::from_name(&format!("message/{}/{}/{}", message.input, now.as_nanos(), self.messages)),
            time: now,
            asset: None,
            asset_path: "".into(),
            detector: "".into(),
            body: EventBody::Message(message.received()),
        }
    }

    /// Where instances of detectors over messages stand.
    pub fn instances(&self, ask: &AskInstances) -> Instances {
        let count = |count: Count<'_>| Counted {
            detector: count.detector.to_string(),
            key: count.key.map(str::to_owned),
            instances: count.instances,
        };
        let instances = match (&ask.detector, &ask.key) {
            (Some(detector), Some(key)) => self.keyed.snapshot(detector, key.as_deref()).into_iter().collect(),
            (detector, _) => self.keyed.snapshots(detector.as_deref()).skip(ask.skip).take(ask.limit).collect(),
        };
        Instances { detectors: self.keyed.counts().map(count).collect(), instances }
    }

    /// Takes an operator's request.
    pub fn operator(&mut self, now: Timestamp, request: &OperatorRequest) -> Step {
        if let OperatorDeed::Message(message) = &request.deed {
            return self.message(now, message);
        }
        match self.keyed.asked(request) {
            Some(Ok(message)) => return self.message(now, &message),
            Some(Err(refusal)) => return Step { refusal: Some(refusal), ..Step::default() },
            None => {}
        }
        if let OperatorDeed::EditStop { asset, verb, detail, edits } = &request.deed {
            let deed = Deed { by: request.by.clone(), verb: verb.clone(), detail: detail.clone(), hour: None };
            return self.edit_stop(now, *asset, edits, deed);
        }
        if let OperatorDeed::Note { asset, text, hour } = &request.deed {
            let deed = Deed { by: request.by.clone(), verb: "note".into(), detail: text.clone(), hour: *hour };
            return self.note(now, *asset, deed);
        }
        if let OperatorDeed::Edit(edit) = &request.deed {
            return self.edit(now, &request.by, edit);
        }
        self.decide(now, Input::Operator(request))
    }

    /// Keeps values of the past that somebody sets or corrects. They set nothing off: what depends on them is worked out beside the
    /// loop. A value that is still the newest is one of the present as well, and takes its way.
    fn edit(&mut self, now: Timestamp, by: &Arc<str>, edit: &Edit) -> Step {
        match self.corrections.edit(&self.catalog, now, by, edit) {
            Ok(Edited { points, event, keep }) => {
                let mut step =
                    if edit.present { self.written(now, points) } else { Step::record(Batch { points, ..Batch::default() }) };
                step.batch.events.push(event);
                step.batch.keep.push(keep);
                step
            }
            Err(reason) => Step { refusal: Some(OperatorRefusal::NotNow(reason)), ..Step::default() },
        }
    }

    /// What corrections are to be worked out next, while none is.
    pub fn next_corrections(&mut self, now: Timestamp) -> Vec<Correction> {
        self.corrections.next(&self.catalog, now)
    }

    /// Takes results of transforms over the past that a correction made others. They set nothing off.
    pub fn recomputed(&mut self, points: Vec<Point>) -> Step {
        self.transforms.learn(&points);
        Step::record(Batch { points, ..Batch::default() })
    }

    /// Takes corrections back: settled, or to be worked out again later.
    pub fn corrections_ended(&mut self, now: Timestamp, corrections: &[Correction], settled: bool) -> Step {
        let keys = self.corrections.ended(corrections, settled, now);
        let keep = keys.into_iter().map(|key| (key, Vec::new())).collect();
        Step::record(Batch { keep, ..Batch::default() })
    }

    /// Keeps what somebody tells the next shift.
    fn note(&self, now: Timestamp, asset: AssetId, deed: Deed) -> Step {
        let mut step = Step::default();
        match stops::machine(&self.catalog, asset) {
            Some(asset) => step.batch.events.push(stops::said(&self.catalog, asset, now, deed)),
            None => step.refusal = Some(OperatorRefusal::NotNow("the plant has no such asset any more".into())),
        }
        step
    }

    /// Keeps what somebody says about a stop, and that it was said.
    fn edit_stop(&mut self, now: Timestamp, asset: AssetId, edits: &[StopEdit], deed: Deed) -> Step {
        let machine = stops::machine(&self.catalog, asset);
        let edited = machine.and_then(|machine| Some((machine, self.stops.edit(&self.catalog, machine, edits)?)));
        let Some((machine, points)) = edited else {
            let refusal = OperatorRefusal::NotNow("it has no OEE of its own, so no stops".into());
            return Step { refusal: Some(refusal), ..Step::default() };
        };
        let mut step = self.points(now, points);
        step.batch.events.push(stops::said(&self.catalog, machine, now, deed));
        step
    }

    /// Takes any other input of the detectors.
    pub fn decide(&mut self, now: Timestamp, input: Input<'_>) -> Step {
        let mut step = Step::default();
        let actions = self.engine.step(now, input);
        self.perform(now, actions, &mut step);
        step
    }

    /// When the next timer is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.engine.next_due().into_iter().chain(self.keyed.next_due()).min()
    }

    /// Every detector as it stands.
    pub fn snapshots(&self) -> Vec<DetectorSnapshot> {
        self.engine.snapshots().filter(is_shown).chain(self.keyed.alarms()).collect()
    }

    /// Whether a command may still be sent at this very moment.
    ///
    /// # Errors
    /// Why not.
    pub fn may_send(&mut self, now: Timestamp, command: &Command, current: Option<&Value>) -> Result<(), Unsent> {
        self.engine.may_send(now, command, current)
    }

    /// Checks a write by hand and shows what it would do.
    ///
    /// # Errors
    /// The rule that forbids it.
    pub fn prepare(&mut self, now: Timestamp, write: HandWrite) -> Result<Prepared, OperatorRefusal> {
        self.engine.prepare(now, write)
    }

    /// Arms a data folder that nobody has armed or disarmed yet; a person must confirm it after a restart, unless `attended`.
    pub fn arm_first(&mut self, by: &str, now: Timestamp, attended: bool) {
        if self.arming == Arming::never() {
            self.engine.set_arming(Arming::on(by.into(), now, None, attended));
        }
    }

    /// Forbids all writes because the data folder is not the one that commands; none lifts that.
    pub fn set_foreign(&mut self, reason: Option<Arc<str>>) {
        self.engine.set_foreign(reason);
    }

    /// The heartbeats that are due.
    pub fn beats(&mut self, now: Timestamp) -> Step {
        self.beats.tick(now, self.engine.armed())
    }

    /// Whether the definition lets anybody write anything.
    pub fn can_write(&self) -> bool {
        self.catalog.plant.models.iter().any(|model| !model.controls.is_empty())
    }

    /// Whether writes to machines are allowed at all.
    pub fn armed(&self) -> bool {
        self.engine.armed()
    }

    /// Commands that an earlier run left open.
    pub fn unfinished_commands(&self) -> Vec<Command> {
        self.engine.unfinished_commands()
    }

    /// Sorts actions into the record and the effects; values put by detectors run through transforms and detectors again.
    fn perform(&mut self, now: Timestamp, actions: Vec<Action>, step: &mut Step) {
        let mut actions = actions;
        if *self.engine.arming() != self.arming {
            self.arming = self.engine.arming().clone();
            step.batch.keep.push(kept(&self.arming));
        }
        for round in 0..=MAX_PUT_ROUNDS {
            let mut put = Vec::new();
            for action in actions {
                match action {
                    Action::Record(event) => step.batch.events.push(event),
                    Action::Keep(snapshot) => step.keep(snapshot, self.remembers),
                    Action::Write(command) => step.effects.push(Effect::Write(command)),
                    Action::Notify { target, message, asset_path, detector, event, about } => {
                        let notice = Notice { time: now, target, message, asset_path, detector, event, about };
                        step.effects.push(Effect::Notify(notice));
                    }
                    Action::Publish { topic, payload } => step.effects.push(Effect::Publish { topic, payload }),
                    Action::Put(point) => put.push(point),
                    Action::Refuse(refusal) => step.refusal = Some(refusal),
                }
            }
            if put.is_empty() {
                return;
            }
            self.transforms.apply(&mut put);
            if round == MAX_PUT_ROUNDS {
                // Stored, but it sets nothing off any more: detectors learn of it with the next value.
                tracing::warn!(rounds = MAX_PUT_ROUNDS, "detectors that put values set each other off in circles");
                step.batch.points.extend(put);
                return;
            }
            actions = self.engine.step(now, Input::Samples(&put));
            step.batch.points.extend(put);
        }
    }

    /// Tag numbers hold for one definition only; series hold for ever. A command left open must not reach another point.
    fn renumbered(&self, mut snapshot: DetectorSnapshot) -> DetectorSnapshot {
        for CommandSnapshot { command, .. } in &mut snapshot.commands {
            let tag = self.catalog.entry(command.series).and_then(|entry| entry.tag);
            command.tag = tag.unwrap_or(NO_TAG);
        }
        snapshot
    }

    fn changed_attributes(&self, now: Timestamp, latest: &dyn Fn(SeriesId) -> Option<Tqv>) -> Vec<Point> {
        let mut points = Vec::new();
        for entry in self.catalog.series() {
            let Some(value) = self.catalog.attribute(entry.id) else { continue };
            if value.value_type().is_some() && latest(entry.id).is_none_or(|stored| stored.value != value) {
                points.push(Point { series: entry.id, tqv: Tqv::good(now, value) });
            }
        }
        points
    }
}

/// The instances that write by hand are no detectors of anybody's definition.
fn is_shown(snapshot: &DetectorSnapshot) -> bool {
    *snapshot.detector != *HAND
}

/// The switch as it was kept. An earlier Andon kept one word.
fn arming_of(document: &[u8]) -> Arming {
    match document {
        b"armed" => Arming::on("an earlier Andon".into(), Timestamp::EPOCH, None, true),
        b"disarmed" => Arming::off("an earlier Andon".into(), Timestamp::EPOCH, "somebody disarmed them".into()),
        json => serde_json::from_slice(json).unwrap_or_else(|error| {
            tracing::error!(%error, "whether writes are armed cannot be read; they are disarmed");
            Arming::never()
        }),
    }
}

impl Step {
    /// Something that no detector decided.
    pub fn record(batch: Batch) -> Self {
        Self { batch, ..Self::default() }
    }

    /// What was long ago: nobody who looks at the present is told.
    pub fn past(batch: Batch) -> Self {
        Self { past: true, ..Self::record(batch) }
    }

    /// Has the record remember its notices until it is known what became of them: a crash must not swallow them.
    pub fn keep_notices(&mut self) {
        for effect in &self.effects {
            if let Effect::Notify(notice) = effect {
                let document = serde_json::to_vec(notice).expect("a notice is plain data");
                self.batch.keep.push((notice.key(), document));
            }
        }
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.effects.is_empty() && self.refusal.is_none()
    }

    /// Joins a later step: one record, effects in order.
    pub fn extend(&mut self, later: Self) {
        self.batch.points.extend(later.batch.points);
        self.batch.events.extend(later.batch.events);
        self.batch.keep.extend(later.batch.keep);
        self.batch.streams.extend(later.batch.streams);
        self.effects.extend(later.effects);
        self.moved.extend(later.moved);
        self.refused.extend(later.refused);
    }

    fn keep(&mut self, snapshot: DetectorSnapshot, remembered: bool) {
        if remembered {
            let key = DetectorSnapshot::key(snapshot.asset, &snapshot.detector);
            let document = serde_json::to_vec(&snapshot).expect("a snapshot is plain data");
            self.batch.keep.push((key, document));
        }
        if is_shown(&snapshot) {
            self.moved.push(snapshot);
        }
    }
}

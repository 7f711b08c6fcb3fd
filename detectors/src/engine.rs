//! All detectors of a plant: routes what happens to those it concerns, and keeps their timers in one queue.
//!
//! A detector that panics is taken out of service alone; the others go on.

use crate::{
    action::{Action, Input},
    alarm::Hand,
    arming::{Arming, CLOCK_TOLERANCE},
    command::SEND_WITHIN,
    detector::{Detector, MOST_AHEAD, Outbox, left_behind},
    hand::{self, Waiting},
    origin::Origins,
    policy::{self, Desk, SETTLE_WITHIN, Unmet, Unsent},
    program::Program,
    quiet::{Quiet, Routed},
};
use andon_models::{
    AssetId, CommandId, EventId, Point, SeriesId, Timestamp, Tqv, Value,
    admission::MAX_AHEAD,
    alarm::{AlarmVerb, LONGEST_SHELVING},
    catalog::Catalog,
    command::{Command, CommandOutcome, controls_fingerprint},
    definition::{AssetIndex, ModelIndex},
    event::{Deed, Event, EventBody, SystemNotice},
    expression::Band,
    operator::{OperatorDeed, OperatorRefusal, OperatorRequest},
    snapshot::DetectorSnapshot,
    time::format_duration,
};
use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

/// Longest arming that ends by itself. A longer one is a decision to arm until somebody disarms.
const LONGEST_ARMING: Duration = Duration::from_secs(31 * 24 * 3600);

/// Most inputs that detectors send one another in one step. More is detectors calling each other in circles.
const MOST_SENDS: usize = 256;

/// What whoever wants something of a quarantined instance is told.
const OUT_OF_SERVICE: &str = "it failed with an internal error and is out of service until a restart; please report it";

/// All detector instances of one catalog.
pub struct Engine {
    pub(crate) desk: Desk,
    pub(crate) instances: Vec<Instance>,
    /// Takes the samples, and keeps those that change nothing.
    pub(crate) quiet: Quiet,
    by_name: HashMap<(AssetId, Arc<str>), u32>,
    /// The latest that the caller's time has been.
    latest: Timestamp,
    /// The latest that instances had seen by their snapshots.
    stored: Timestamp,
    /// Instances by when the caller's time should move them.
    due: BTreeSet<(Timestamp, u32)>,
    /// Names what may be written by this definition.
    controls: Arc<str>,
    /// Writes by hand that wait to be confirmed.
    pub(crate) prepared: Vec<Waiting>,
    /// How many were ever prepared: no two have one token.
    pub(crate) prepared_ever: u64,
    /// Instances of an earlier definition that this one does not have, to be told at the start.
    gone: Vec<DetectorSnapshot>,
    /// Whether values of an earlier run are not known any more.
    doubts: bool,
    /// Until when an earlier run watched, where nobody did since; none within if that is not known.
    watched: Option<Option<Timestamp>>,
    /// How much the last step asked for: the next one gets as much room.
    asked: usize,
    /// Samples of the step that instances have to take, and bands; kept to save allocations.
    pub(crate) loud: Vec<Routed>,
    bands: Vec<Band>,
    /// The emptied outbox of the last instance that ran, for the next; kept to save allocations.
    outbox: Outbox,
}

/// What became of the instances of an earlier run or an earlier definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Instances that stand where they stood, with everything they had.
    pub kept: usize,
    /// Instances that stand where they stood, without some variable, timer or history.
    pub partly: usize,
    /// Instances whose state is gone: they start over.
    pub started_over: usize,
    /// Instances that the definition does not have any more: their snapshots are to be forgotten.
    pub gone: Vec<(AssetId, Arc<str>)>,
}

/// One detector, and when it is due.
pub(crate) struct Instance {
    pub(crate) detector: Detector,
    due: Option<Timestamp>,
    quarantined: bool,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("instances", &self.instances.len())
            .field("armed", &self.desk.arming.armed)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Prepares one instance per detector and asset; none has entered a state yet.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self::of(catalog, &|_| true)
    }

    /// Prepares the instances of some assets only: a part of a plant whose instances do nothing to the others.
    pub fn of(catalog: Arc<Catalog>, wanted: &dyn Fn(AssetIndex) -> bool) -> Self {
        let mut engine = Self {
            desk: Desk::new(catalog.clone()),
            instances: Vec::new(),
            quiet: Quiet::default(),
            by_name: HashMap::new(),
            latest: Timestamp::MIN,
            stored: Timestamp::MIN,
            due: BTreeSet::new(),
            controls: "".into(),
            prepared: Vec::new(),
            prepared_ever: 0,
            gone: Vec::new(),
            doubts: false,
            watched: None,
            asked: 0,
            loud: Vec::new(),
            bands: Vec::new(),
            outbox: Outbox::default(),
        };
        let plant = &catalog.plant;
        let mut origins = Origins::default();
        for model in (0..plant.models.len()).map(ModelIndex) {
            let by_hand = hand::model_of(&plant.models[model.0]).map(Arc::new);
            for detector in plant.models[model.0].detectors.iter().chain(&by_hand) {
                let program = Arc::new(Program::compile(plant, model, detector));
                for asset in plant.assets_of(model).filter(|asset| wanted(*asset)) {
                    engine.add(Detector::new(program.clone(), &catalog, asset, &mut origins));
                }
            }
        }
        engine.quiet = Quiet::new(engine.instances.iter().map(|instance| &*instance.detector.body.series));
        engine
    }

    fn add(&mut self, detector: Detector) {
        let number = u32::try_from(self.instances.len()).expect("a plant file cannot hold four billion detectors");
        self.by_name.insert((detector.body.asset, detector.body.program.model.name.clone()), number);
        self.instances.push(Instance { detector, due: None, quarantined: false });
    }

    /// Puts instances back to where they stood, without repeating an action, and gives all of them the newest values. What an
    /// edited definition did not keep, and an instance whose state no longer exists, is left for [`Self::start`] to tell.
    pub fn restore(&mut self, snapshots: Vec<DetectorSnapshot>, latest: &dyn Fn(SeriesId) -> Option<Tqv>) -> Restored {
        let mut restored = Restored::default();
        (0..self.count()).for_each(|number| self.wake(number));
        for instance in &mut self.instances {
            instance.detector.body.seed(&self.desk.catalog, latest);
        }
        for snapshot in snapshots {
            let Some(number) = self.by_name.get(&(snapshot.asset, snapshot.detector.clone())).copied() else {
                restored.gone.push((snapshot.asset, snapshot.detector.clone()));
                self.gone.push(snapshot);
                continue;
            };
            self.stored = self.stored.max(snapshot.seen);
            let instance = &mut self.instances[number as usize];
            instance.detector.restore(&mut self.desk, snapshot);
            instance.detector.body.out = Outbox::default();
            match (instance.detector.has_started(), instance.detector.body.has_notes()) {
                (false, _) => restored.started_over += 1,
                (true, true) => restored.partly += 1,
                (true, false) => restored.kept += 1,
            }
            self.schedule(number);
        }
        restored
    }

    /// Takes values that sources told an earlier run for no longer known: nobody watched since, as far as known since `watched` by the
    /// caller's time. Guards and interlocks that read them do not hold until they are told anew; what is decided meanwhile waits for
    /// that, as long as it is not too late. Nor does a `for` count the time in which nobody watched.
    pub fn doubt(&mut self, told: &HashSet<SeriesId>, watched: Option<Timestamp>) {
        self.watched = Some(watched);
        for number in 0..self.count() {
            self.wake(number);
            self.doubts |= self.instances[number as usize].detector.body.doubt(told);
        }
    }

    /// Takes over from an engine of an earlier definition while the plant runs: its instances as [`Self::restore`] does, and
    /// whether and how fast may be written. [`Self::start`] tells what was not kept.
    pub fn take_over(&mut self, earlier: &Self, latest: &dyn Fn(SeriesId) -> Option<Tqv>) -> Restored {
        let restored = self.restore(earlier.snapshots().filter(|snapshot| !snapshot.state.is_empty()).collect(), latest);
        self.desk.take_over(&earlier.desk);
        restored
    }

    /// Enters the initial state of every instance that has none, and tells what an edited definition did not keep. Disarms when
    /// what may be written is defined otherwise than when it was armed.
    pub fn start(&mut self, now: Timestamp) -> Vec<Action> {
        self.desk.now = now;
        let mut actions = Vec::new();
        (0..self.count()).for_each(|number| self.wake(number));
        self.controls = controls_fingerprint(&self.desk.catalog.plant).into();
        if let Some(reason) = self.desk.arming.refused_at_start(&self.controls).or_else(|| self.desk.arming.ended(now)) {
            self.disarm(reason, &mut actions);
        }
        self.desk.arming.controls = self.controls.clone();
        if std::mem::take(&mut self.doubts) {
            self.desk.settled = now + SETTLE_WITHIN;
        }
        self.heed_seeds();
        self.heed_clock(&mut actions);
        for gone in std::mem::take(&mut self.gone) {
            let subject: Arc<str> = format!("{}/{}", gone.asset_path, gone.detector).into();
            let notice = SystemNotice { subject: subject.clone(), level: "warning".into(), message: left_behind(&gone).into() };
            let event = self.event(&format!("gone {subject}"), EventBody::System(notice));
            actions.push(Action::Record(event));
        }
        let watched = self.watched.take();
        for number in 0..self.count() {
            let detector = &self.instances[number as usize].detector;
            if let Some(until) = watched.filter(|_| detector.has_started() && detector.body.program.holds) {
                self.run(number, &mut actions, |detector, desk| detector.body.watch_again(desk, until));
            }
            if !self.instances[number as usize].detector.has_started() {
                self.run(number, &mut actions, |detector, desk| detector.start(desk));
            }
            if self.instances[number as usize].detector.body.has_notes() {
                self.run(number, &mut actions, |detector, desk| detector.tell_notes(desk));
            }
        }
        actions
    }

    /// Takes one input and says what to do. `now` is the caller's time; for samples of the past (fast history, a replay) it is
    /// the newest sample's. What is due by `now` happens as well.
    pub fn step(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Action> {
        self.desk.now = now;
        let mut actions = Vec::with_capacity(self.asked);
        self.heed_clock(&mut actions);
        match input {
            Input::Samples(points) => self.samples(points, &mut actions),
            Input::Time => {}
            Input::Operator(request) => self.operate(request, &mut actions),
            Input::Outcome(outcome) => self.outcome(outcome, &mut actions),
            Input::Sent(command) => self.sent(command, &mut actions),
        }
        self.end_arming(&mut actions);
        self.tick(&mut actions);
        self.asked = actions.len();
        actions
    }

    /// When [`Input::Time`] should be given next; none while no timer runs.
    pub fn next_due(&self) -> Option<Timestamp> {
        let arming = self.desk.arming.until.filter(|_| self.desk.arming.armed);
        self.due.first().map(|(due, _)| *due).into_iter().chain(arming).min()
    }

    /// Where one instance stands.
    pub fn snapshot(&self, asset: AssetId, detector: &str) -> Option<DetectorSnapshot> {
        self.number_of(asset, detector).map(|number| self.snapshot_of(number))
    }

    /// Where all instances stand.
    pub fn snapshots(&self) -> impl Iterator<Item = DetectorSnapshot> + '_ {
        (0..self.count()).map(|number| self.snapshot_of(number))
    }

    fn snapshot_of(&self, number: u32) -> DetectorSnapshot {
        let mut snapshot = self.instances[number as usize].detector.body.snapshot();
        self.quiet.show(number, &mut snapshot);
        snapshot
    }

    /// The series that its instances read.
    pub fn reads(&self) -> Vec<SeriesId> {
        self.quiet.reads()
    }

    /// Commands that were requested or sent and have no outcome yet: to be read back after a restart.
    pub fn unfinished_commands(&self) -> Vec<Command> {
        let lives = self.instances.iter().flat_map(|instance| &instance.detector.body.commands);
        lives.filter(|life| !life.state().is_final()).map(|life| life.command.clone()).collect()
    }

    /// Whether writes to machines are allowed at all.
    pub fn armed(&self) -> bool {
        self.desk.forbids().is_none()
    }

    /// The switch, as it is to be kept over a restart.
    pub fn arming(&self) -> &Arming {
        &self.desk.arming
    }

    /// Sets the switch as it was kept, without a record; a person uses [`OperatorDeed::Arm`].
    pub fn set_arming(&mut self, arming: Arming) {
        self.desk.arming = arming;
    }

    /// Forbids all writes because the data folder is a copy or was carried to another machine, until somebody takes it over.
    pub fn set_foreign(&mut self, reason: Option<Arc<str>>) {
        self.desk.foreign = reason;
    }

    /// Whether a command may still be sent, to be asked at the very moment of sending: armed, within its deadline, interlock
    /// holding on fresh values, and near enough to `current`, what the device showed just before, where the control limits steps.
    ///
    /// # Errors
    /// Why it must not be sent; report it back as a `Refused` or `Expired` outcome.
    pub fn may_send(&mut self, now: Timestamp, command: &Command, current: Option<&Value>) -> Result<(), Unsent> {
        self.desk.now = now;
        if let Some(reason) = self.desk.forbids() {
            return Err(reason.into());
        }
        if now > command.deadline {
            return Err("its deadline passed before it was sent".to_owned().into());
        }
        if now + SEND_WITHIN + CLOCK_TOLERANCE < command.deadline {
            return Err("the clock went back since it was decided, so nobody knows how old it is".to_owned().into());
        }
        let Some((number, _)) = self.owner(command.id) else { return Err("nobody here decided it".to_owned().into()) };
        self.in_service(number).map_err(|reason| reason.to_string())?;
        self.wake(number);
        let body = &self.instances[number as usize].detector.body;
        let catalog = self.desk.catalog.clone();
        let Some(control) = catalog.plant.model_of(body.index).control(&command.control) else {
            return Err("the control is gone".to_owned().into());
        };
        policy::interlock(body, &mut self.desk, control).map_err(|unmet| {
            let passing = matches!(unmet, Unmet::Unsure(_)) && self.desk.settles();
            Unsent { reason: unmet.reason().into(), passing }
        })?;
        Ok(policy::check_step(control, &command.value, current)?)
    }

    /// Makes the next step of one instance panic.
    #[cfg(test)]
    pub(crate) fn poison(&mut self, asset: AssetId, detector: &str) {
        let number = self.by_name[&(asset, Arc::from(detector))];
        self.instances[number as usize].detector.body.values.clear();
    }

    fn samples(&mut self, points: &[Point], actions: &mut Vec<Action>) {
        let mut loud = std::mem::take(&mut self.loud);
        loud.clear();
        self.quiet.take(self.desk.now, points, &mut loud);
        loud.sort_by_key(|routed| (routed.instance, routed.time));
        for group in loud.chunk_by(|left, right| left.instance == right.instance) {
            let number = group[0].instance;
            let took = self.run(number, actions, |detector, desk| {
                detector.samples(desk, group.iter().map(|routed| (routed.line as usize, &points[routed.point as usize].tqv)));
            });
            if took {
                self.watch(number);
            }
        }
        self.loud = loud;
    }

    /// Watches an instance for samples that change something, if it is at rest.
    fn watch(&mut self, number: u32) {
        let (body, desk, bands) = (&self.instances[number as usize].detector.body, &mut self.desk, &mut self.bands);
        // What panics here panics again when it takes its next sample, and is dealt with then.
        let rest = catch_unwind(AssertUnwindSafe(|| body.rest(desk, bands))).ok().flatten();
        if let Some(rest) = rest {
            self.quiet.watch(number, body, rest, bands);
        }
    }

    /// Tells an instance of the samples that changed nothing.
    pub(crate) fn wake(&mut self, number: u32) {
        self.quiet.wake(number, &mut self.instances[number as usize].detector.body);
    }

    /// Says how late the caller's time was before the start, by what instances have seen. Snapshots follow the caller's time; samples
    /// are of clocks that may be ahead, so only those further ahead than any that is let in say that it went back.
    fn heed_seeds(&mut self) {
        let now = self.desk.now;
        let newest = self.instances.iter().map(|instance| instance.detector.body.newest).max();
        let went_back = self.stored > now + MOST_AHEAD || newest.is_some_and(|newest| newest > now + MAX_AHEAD);
        self.latest = self.latest.max(self.stored);
        for instance in &mut self.instances {
            if !went_back {
                instance.detector.body.heed_seeds(now);
            }
            if instance.detector.has_started() {
                self.latest = self.latest.max(instance.detector.body.seen);
            }
        }
    }

    /// When the caller's time goes back, all that detectors know goes back with it: a timer keeps what was left of it, and samples
    /// of the new time are not late. A small step back is waited for.
    fn heed_clock(&mut self, actions: &mut Vec<Action>) {
        let now = self.desk.now;
        let back = self.latest.since(now);
        if self.latest <= now || back <= MOST_AHEAD {
            self.latest = self.latest.max(now);
            return;
        }
        let message = format!(
            "the clock went back by {}: timers keep what was left of them, and open commands that were not sent are given up",
            format_duration(back)
        );
        let notice = SystemNotice { subject: "clock".into(), level: "warning".into(), message: message.into() };
        actions.push(Action::Record(self.event("clock", EventBody::System(notice))));
        self.latest = now;
        self.desk.clock_went_back(back);
        for number in 0..self.count() {
            self.run(number, actions, |detector, desk| detector.clock_went_back(desk, back));
        }
    }

    /// Moves everything that is due by now, once each: what falls due again by then comes with the next step.
    fn tick(&mut self, actions: &mut Vec<Action>) {
        let limit = (self.desk.now, u32::MAX);
        let due: Vec<u32> = self.due.range(..=limit).map(|(_, number)| *number).collect();
        for number in due {
            self.run(number, actions, |detector, desk| detector.tick(desk));
        }
    }

    fn operate(&mut self, request: &OperatorRequest, actions: &mut Vec<Action>) {
        let (asset, detector, verb, note, until) = match &request.deed {
            OperatorDeed::Arm { armed, span, take_over } => return self.arm(request, (*armed, *span, *take_over), actions),
            OperatorDeed::Confirm { token, role } => return self.confirm(request, token, *role, actions),
            OperatorDeed::Release { asset, detector } => return self.release(request, *asset, detector, actions),
            // Messages are for the detectors of `iot_events`, which have engines of their own.
            OperatorDeed::Message(message) => {
                let reason = format!("no detector of an asset takes messages of the input `{}`", message.input);
                return actions.push(Action::Refuse(OperatorRefusal::NotNow(reason.into())));
            }
            OperatorDeed::EditStop { .. } => {
                return actions.push(Action::Refuse(OperatorRefusal::NotNow("stops are no matter of detectors".into())));
            }
            OperatorDeed::Edit(_) => {
                return actions
                    .push(Action::Refuse(OperatorRefusal::NotNow("values of the past are no matter of detectors".into())));
            }
            OperatorDeed::Note { .. } => {
                return actions.push(Action::Refuse(OperatorRefusal::NotNow("notes are no matter of detectors".into())));
            }
            OperatorDeed::Acknowledge { asset, detector, note } => (asset, detector, AlarmVerb::Acknowledge, &**note, None),
            OperatorDeed::Shelve { asset, detector, span, note } => {
                if let Some(reason) = shelving_fault(*span, note) {
                    return actions.push(Action::Refuse(OperatorRefusal::NotNow(reason.into())));
                }
                (asset, detector, AlarmVerb::Shelve, &**note, Some(self.desk.now + *span))
            }
            OperatorDeed::Unshelve { asset, detector } => (asset, detector, AlarmVerb::Unshelve, "", None),
            OperatorDeed::Suppress { asset, detector, note } => (asset, detector, AlarmVerb::Suppress, &**note, None),
            OperatorDeed::Unsuppress { asset, detector, note } => (asset, detector, AlarmVerb::Unsuppress, &**note, None),
            OperatorDeed::RemoveFromService { asset, detector, note } => {
                (asset, detector, AlarmVerb::RemoveFromService, &**note, None)
            }
            OperatorDeed::ReturnToService { asset, detector, note } => {
                (asset, detector, AlarmVerb::ReturnToService, &**note, None)
            }
            OperatorDeed::Reset { asset, detector, note } => (asset, detector, AlarmVerb::Reset, &**note, None),
            OperatorDeed::Comment { asset, detector, note } => (asset, detector, AlarmVerb::Comment, &**note, None),
        };
        if let Some(what) = needs_note(verb).filter(|_| note.trim().is_empty()) {
            let reason = format!("{what} needs a note that says why");
            return actions.push(Action::Refuse(OperatorRefusal::NotNow(reason.into())));
        }
        let Some(number) = self.by_name.get(&(*asset, detector.clone())).copied() else {
            return actions.push(Action::Refuse(OperatorRefusal::UnknownDetector(detector.clone())));
        };
        let hand = Hand { by: request.by.clone(), until };
        let mut refusal = None;
        let ran = self.run(number, actions, |detector, desk| refusal = detector.operate(desk, verb, &hand, note).err());
        answer(ran, refusal, actions);
    }

    fn arm(&mut self, request: &OperatorRequest, switch: (bool, Option<Duration>, bool), actions: &mut Vec<Action>) {
        let (armed, span, take_over) = switch;
        let (by, now) = (request.by.clone(), self.desk.now);
        let refuse = |reason: String| Action::Refuse(OperatorRefusal::NotNow(reason.into()));
        if let Some(reason) = self.desk.foreign.as_ref().filter(|_| armed && !take_over) {
            return actions.push(refuse(reason.to_string()));
        }
        if span.is_some_and(|span| span.is_zero() || span > LONGEST_ARMING) {
            return actions.push(refuse("writes are armed for up to 31 days at a time, or until somebody disarms them".into()));
        }
        let (verb, mut detail) = match (armed, span) {
            (true, None) => ("arm", "writes to machines are allowed".to_owned()),
            (true, Some(span)) => ("arm", format!("writes to machines are allowed for {}", format_duration(span))),
            (false, _) => ("disarm", "no writes to machines any more".to_owned()),
        };
        self.desk.arming = match armed {
            true => Arming::on(by.clone(), now, span, true),
            false => Arming::off(by.clone(), now, format!("{by} disarmed them").into()),
        };
        self.desk.arming.controls = self.controls.clone();
        if armed && take_over && self.desk.foreign.take().is_some() {
            detail.push_str("; the data folder commands from here now");
        }
        let deed = Deed { by, verb: verb.into(), detail: detail.into(), hour: None };
        actions.push(Action::Record(self.event(verb, EventBody::Deed(deed))));
    }

    fn release(&mut self, request: &OperatorRequest, asset: AssetId, detector: &Arc<str>, actions: &mut Vec<Action>) {
        let Some(number) = self.number_of(asset, detector) else {
            return actions.push(Action::Refuse(OperatorRefusal::UnknownDetector(detector.clone())));
        };
        let mut refusal = None;
        let ran = self.run(number, actions, |detector, desk| refusal = detector.body.release(desk, &request.by).err());
        answer(ran, refusal, actions);
    }

    /// The position of an instance.
    pub(crate) fn number_of(&self, asset: AssetId, detector: &str) -> Option<u32> {
        self.by_name.get(&(asset, Arc::from(detector))).copied()
    }

    /// Disarms when the time of an arming is over.
    fn end_arming(&mut self, actions: &mut Vec<Action>) {
        if let Some(reason) = self.desk.arming.ended(self.desk.now) {
            self.disarm(reason, actions);
        }
    }

    /// Disarms by itself and says so.
    fn disarm(&mut self, reason: Arc<str>, actions: &mut Vec<Action>) {
        self.desk.arming = Arming::off("andon".into(), self.desk.now, reason.clone());
        let message = format!("writes to machines are disarmed: {reason}").into();
        let notice = SystemNotice { subject: "commands".into(), level: "warning".into(), message };
        actions.push(Action::Record(self.event("disarmed", EventBody::System(notice))));
    }

    fn outcome(&mut self, outcome: &CommandOutcome, actions: &mut Vec<Action>) {
        let Some((number, position)) = self.owner(outcome.command) else { return };
        self.run(number, actions, |detector, desk| detector.outcome(desk, position, outcome));
    }

    fn sent(&mut self, command: CommandId, actions: &mut Vec<Action>) {
        let Some((number, position)) = self.owner(command) else { return };
        self.run(number, actions, |detector, desk| detector.sent(desk, position));
    }

    /// The instance that decided a command, and the command's place there. Commands are rare, so a search will do.
    fn owner(&self, command: CommandId) -> Option<(u32, usize)> {
        (0..).zip(&self.instances).find_map(|(number, instance)| {
            let position = instance.detector.body.commands.iter().position(|life| life.command.id == command)?;
            Some((number, position))
        })
    }

    /// Whether an instance was not taken out of service.
    ///
    /// # Errors
    /// What to tell whoever wants something of it.
    pub(crate) fn in_service(&self, number: u32) -> Result<(), Arc<str>> {
        if self.instances[number as usize].quarantined { Err(OUT_OF_SERVICE.into()) } else { Ok(()) }
    }

    /// Runs one instance and whatever it sends to others of its asset. Says whether the one did it to the end.
    pub(crate) fn run(&mut self, number: u32, actions: &mut Vec<Action>, deed: impl FnOnce(&mut Detector, &mut Desk)) -> bool {
        let mut sends = VecDeque::new();
        let ran = self.run_one(number, actions, &mut sends, deed);
        for _ in 0..MOST_SENDS {
            let Some((sender, at, asset, target)) = sends.pop_front() else { break };
            if let Some(number) = self.by_name.get(&(asset, target)).copied() {
                self.run_one(number, actions, &mut sends, |detector, desk| detector.message(desk, &sender, at));
            }
        }
        ran
    }

    fn run_one(
        &mut self,
        number: u32,
        actions: &mut Vec<Action>,
        sends: &mut VecDeque<(Arc<str>, Timestamp, AssetId, Arc<str>)>,
        deed: impl FnOnce(&mut Detector, &mut Desk),
    ) -> bool {
        let instance = &mut self.instances[number as usize];
        if instance.quarantined {
            return false;
        }
        self.quiet.wake(number, &mut instance.detector.body);
        let body = &mut instance.detector.body;
        body.out = Outbox { dirty: body.out.dirty, ..std::mem::take(&mut self.outbox) };
        let desk = &mut self.desk;
        let survived = catch_unwind(AssertUnwindSafe(|| deed(&mut instance.detector, desk))).is_ok();
        let body = &mut instance.detector.body;
        let mut out = std::mem::take(&mut body.out);
        if !survived {
            instance.quarantined = true;
            self.quarantine(number, actions);
            return false;
        }
        actions.extend(out.records.drain(..).map(Action::Record));
        if std::mem::take(&mut out.dirty) {
            actions.push(Action::Keep(body.snapshot()));
        }
        actions.append(&mut out.deferred);
        for target in out.sends.drain(..) {
            sends.push_back((body.program.model.name.clone(), body.instant, body.asset, target));
        }
        self.outbox = out;
        self.schedule(number);
        self.report_trip(actions);
        true
    }

    /// Takes a detector out of service after a panic. Its last stored snapshot stays, so a restart brings it back.
    fn quarantine(&mut self, number: u32, actions: &mut Vec<Action>) {
        let body = &self.instances[number as usize].detector.body;
        let subject: Arc<str> = format!("{}/{}", body.path, body.program.model.name).into();
        let message = "the detector failed with an internal error and watches nothing until a restart; please report it";
        let notice = SystemNotice { subject: subject.clone(), level: "error".into(), message: message.into() };
        let event = self.event(&format!("quarantine {subject}"), EventBody::System(notice));
        actions.push(Action::Record(event));
        if let Some(due) = self.instances[number as usize].due.take() {
            self.due.remove(&(due, number));
        }
    }

    fn report_trip(&mut self, actions: &mut Vec<Action>) {
        if std::mem::take(&mut self.desk.tripped) {
            let message = format!(
                "more than {} commands in a minute: writes are disarmed; find out which detector runs wild, then arm again",
                policy::COMMANDS_PER_MINUTE
            );
            let notice = SystemNotice { subject: "commands".into(), level: "error".into(), message: message.into() };
            actions.push(Action::Record(self.event("trip", EventBody::System(notice))));
        }
    }

    /// An event of the engine itself.
    pub(crate) fn event(&self, name: &str, body: EventBody) -> Event {
        let id = EventId::from_name(&format!("engine/{name}/{}", self.desk.now.as_nanos()));
        Event { id, time: self.desk.now, asset: None, asset_path: "".into(), detector: "".into(), body }
    }

    fn schedule(&mut self, number: u32) {
        let instance = &mut self.instances[number as usize];
        let due = instance.detector.due();
        if due == instance.due {
            return;
        }
        if let Some(old) = instance.due {
            self.due.remove(&(old, number));
        }
        if let Some(due) = due {
            self.due.insert((due, number));
        }
        instance.due = due;
    }

    fn count(&self) -> u32 {
        u32::try_from(self.instances.len()).expect("checked when they were added")
    }
}

/// Tells the person who asked if it was not done.
pub(crate) fn answer(ran: bool, refusal: Option<OperatorRefusal>, actions: &mut Vec<Action>) {
    let out_of_service = || OperatorRefusal::NotNow(OUT_OF_SERVICE.into());
    actions.extend(refusal.or_else(|| (!ran).then(out_of_service)).map(Action::Refuse));
}

/// What hides an alarm, or is nothing without words, needs a note.
fn needs_note(verb: AlarmVerb) -> Option<&'static str> {
    match verb {
        AlarmVerb::Suppress => Some("a suppression"),
        AlarmVerb::RemoveFromService => Some("taking an alarm out of service"),
        AlarmVerb::Comment => Some("a comment"),
        _ => None,
    }
}

fn shelving_fault(span: Duration, note: &str) -> Option<String> {
    if note.trim().is_empty() {
        Some("a shelving needs a note that says why".into())
    } else if span.is_zero() {
        Some("a shelving needs a time after which it ends".into())
    } else if span > LONGEST_SHELVING {
        Some("an alarm can be shelved for 7 days at most; longer is out of service".into())
    } else {
        None
    }
}

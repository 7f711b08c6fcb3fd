//! All detectors of a plant: routes what happens to those it concerns, and keeps their timers in one queue.
//!
//! A detector that panics is taken out of service alone; the others go on.

use crate::{
    action::{Action, Input},
    alarm::Hand,
    detector::{Detector, Outbox, left_behind},
    policy::{self, Desk},
    program::Program,
};
use andon_models::{
    AssetId, CommandId, EventId, Point, SeriesId, Timestamp, Tqv,
    alarm::AlarmVerb,
    catalog::Catalog,
    command::{Command, CommandOutcome},
    definition::ModelIndex,
    event::{Deed, Event, EventBody, SystemNotice},
    operator::{OperatorDeed, OperatorRefusal, OperatorRequest},
    snapshot::DetectorSnapshot,
};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

/// Longest shelving. A longer one is a decision to take the alarm out of service.
pub const LONGEST_SHELVING: Duration = Duration::from_secs(7 * 24 * 3600);

/// Most inputs that detectors send one another in one step. More is detectors calling each other in circles.
const MOST_SENDS: usize = 256;

/// All detector instances of one catalog.
pub struct Engine {
    desk: Desk,
    instances: Vec<Instance>,
    /// Instances and their table lines by series number.
    routes: Vec<Vec<(u32, u32)>>,
    by_name: HashMap<(AssetId, Arc<str>), u32>,
    /// Instances by when the caller's time should move them.
    due: BTreeSet<(Timestamp, u32)>,
    /// Instances of an earlier definition that this one does not have, to be told at the start.
    gone: Vec<DetectorSnapshot>,
    /// Samples of the step by instance; kept to save allocations.
    sorted: Vec<Routed>,
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
struct Instance {
    detector: Detector,
    due: Option<Timestamp>,
    quarantined: bool,
}

/// One sample on its way to one instance.
#[derive(Clone, Copy, Debug)]
struct Routed {
    instance: u32,
    line: u32,
    point: u32,
    time: Timestamp,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("instances", &self.instances.len())
            .field("armed", &self.desk.armed)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Prepares one instance per detector and asset; none has entered a state yet.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        let mut engine = Self {
            desk: Desk::new(catalog.clone()),
            instances: Vec::new(),
            routes: Vec::new(),
            by_name: HashMap::new(),
            due: BTreeSet::new(),
            gone: Vec::new(),
            sorted: Vec::new(),
        };
        let plant = &catalog.plant;
        for model in (0..plant.models.len()).map(ModelIndex) {
            for detector in &plant.models[model.0].detectors {
                let program = Arc::new(Program::compile(plant, model, detector));
                for asset in plant.assets_of(model) {
                    engine.add(Detector::new(program.clone(), &catalog, asset));
                }
            }
        }
        engine
    }

    fn add(&mut self, detector: Detector) {
        let number = u32::try_from(self.instances.len()).expect("a plant file cannot hold four billion detectors");
        for (line, series) in (0..).zip(&detector.body.series) {
            let Some(series) = series else { continue };
            let place = series.0 as usize;
            if place >= self.routes.len() {
                self.routes.resize_with(place + 1, Vec::new);
            }
            self.routes[place].push((number, line));
        }
        self.by_name.insert((detector.body.asset, detector.body.program.model.name.clone()), number);
        self.instances.push(Instance { detector, due: None, quarantined: false });
    }

    /// Puts instances back to where they stood, without repeating an action, and gives all of them the newest values. What an
    /// edited definition did not keep, and an instance whose state no longer exists, is left for [`Self::start`] to tell.
    pub fn restore(&mut self, snapshots: Vec<DetectorSnapshot>, latest: &dyn Fn(SeriesId) -> Option<Tqv>) -> Restored {
        let mut restored = Restored::default();
        for instance in &mut self.instances {
            instance.detector.body.seed(&self.desk.catalog, latest);
        }
        for snapshot in snapshots {
            let Some(number) = self.by_name.get(&(snapshot.asset, snapshot.detector.clone())).copied() else {
                restored.gone.push((snapshot.asset, snapshot.detector.clone()));
                self.gone.push(snapshot);
                continue;
            };
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

    /// Takes over from an engine of an earlier definition while the plant runs: its instances as [`Self::restore`] does, and
    /// whether and how fast may be written. [`Self::start`] tells what was not kept.
    pub fn take_over(&mut self, earlier: &Self, latest: &dyn Fn(SeriesId) -> Option<Tqv>) -> Restored {
        let restored = self.restore(earlier.snapshots().filter(|snapshot| !snapshot.state.is_empty()).collect(), latest);
        self.desk.take_over(&earlier.desk);
        restored
    }

    /// Enters the initial state of every instance that has none, and tells what an edited definition did not keep.
    pub fn start(&mut self, now: Timestamp) -> Vec<Action> {
        self.desk.now = now;
        let mut actions = Vec::new();
        for gone in std::mem::take(&mut self.gone) {
            let subject: Arc<str> = format!("{}/{}", gone.asset_path, gone.detector).into();
            let notice = SystemNotice { subject: subject.clone(), level: "warning".into(), message: left_behind(&gone).into() };
            let event = self.event(&format!("gone {subject}"), EventBody::System(notice));
            actions.push(Action::Record(event));
        }
        for number in 0..self.count() {
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
        let mut actions = Vec::new();
        match input {
            Input::Samples(points) => self.samples(points, &mut actions),
            Input::Time => {}
            Input::Operator(request) => self.operate(request, &mut actions),
            Input::Outcome(outcome) => self.outcome(outcome, &mut actions),
            Input::Sent(command) => self.sent(command, &mut actions),
        }
        self.tick(&mut actions);
        actions
    }

    /// When [`Input::Time`] should be given next; none while no timer runs.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Where one instance stands.
    pub fn snapshot(&self, asset: AssetId, detector: &str) -> Option<DetectorSnapshot> {
        let number = self.by_name.get(&(asset, Arc::from(detector)))?;
        Some(self.instances[*number as usize].detector.body.snapshot())
    }

    /// Where all instances stand.
    pub fn snapshots(&self) -> impl Iterator<Item = DetectorSnapshot> + '_ {
        self.instances.iter().map(|instance| instance.detector.body.snapshot())
    }

    /// Commands that were requested or sent and have no outcome yet: to be read back after a restart.
    pub fn unfinished_commands(&self) -> Vec<Command> {
        let lives = self.instances.iter().flat_map(|instance| &instance.detector.body.commands);
        lives.filter(|life| !life.state().is_final()).map(|life| life.command.clone()).collect()
    }

    /// Whether writes to machines are allowed at all.
    pub fn armed(&self) -> bool {
        self.desk.armed
    }

    /// Allows or forbids all writes to machines, without a record; a person uses [`OperatorDeed::Arm`].
    pub fn set_armed(&mut self, armed: bool) {
        self.desk.armed = armed;
    }

    /// Whether a command may still be sent, to be asked at the very moment of sending: armed, within its deadline, interlock holding.
    ///
    /// # Errors
    /// Why it must not be sent; report it back as a `Refused` or `Expired` outcome.
    pub fn may_send(&mut self, now: Timestamp, command: &Command) -> Result<(), Arc<str>> {
        self.desk.now = now;
        if !self.desk.armed {
            return Err("writes are disarmed".into());
        }
        if now > command.deadline {
            return Err("its deadline passed before it was sent".into());
        }
        let Some((number, _)) = self.owner(command.id) else { return Err("nobody here decided it".into()) };
        let body = &self.instances[number as usize].detector.body;
        let catalog = self.desk.catalog.clone();
        match catalog.plant.model_of(body.index).control(&command.control) {
            Some(control) => Ok(policy::interlock(body, &mut self.desk, control)?),
            None => Err("the control is gone".into()),
        }
    }

    /// Makes the next step of one instance panic.
    #[cfg(test)]
    pub(crate) fn poison(&mut self, asset: AssetId, detector: &str) {
        let number = self.by_name[&(asset, Arc::from(detector))];
        self.instances[number as usize].detector.body.values.clear();
    }

    fn samples(&mut self, points: &[Point], actions: &mut Vec<Action>) {
        let mut sorted = std::mem::take(&mut self.sorted);
        sorted.clear();
        for (point, entry) in (0..).zip(points) {
            let routes = self.routes.get(entry.series.0 as usize).map_or(&[][..], Vec::as_slice);
            sorted.extend(routes.iter().map(|(instance, line)| Routed {
                instance: *instance,
                line: *line,
                point,
                time: entry.tqv.time,
            }));
        }
        sorted.sort_by_key(|routed| (routed.instance, routed.time));
        for group in sorted.chunk_by(|left, right| left.instance == right.instance) {
            self.run(group[0].instance, actions, |detector, desk| {
                detector.samples(desk, group.iter().map(|routed| (routed.line as usize, &points[routed.point as usize].tqv)));
            });
        }
        self.sorted = sorted;
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
            OperatorDeed::Arm { armed } => return self.arm(request, *armed, actions),
            // Messages are for the detectors of `iot_events`, which have engines of their own.
            OperatorDeed::Message { input, .. } => {
                let reason = format!("no detector of an asset takes messages of the input `{input}`");
                return actions.push(Action::Refuse(OperatorRefusal::NotNow(reason.into())));
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
        self.run(number, actions, |detector, desk| refusal = detector.operate(desk, verb, &hand, note).err());
        actions.extend(refusal.map(Action::Refuse));
    }

    fn arm(&mut self, request: &OperatorRequest, armed: bool, actions: &mut Vec<Action>) {
        self.desk.armed = armed;
        let (verb, detail) =
            if armed { ("arm", "writes to machines are allowed") } else { ("disarm", "no writes to machines any more") };
        let deed = Deed { by: request.by.clone(), verb: verb.into(), detail: detail.into() };
        actions.push(Action::Record(self.event(verb, EventBody::Deed(deed))));
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

    /// Runs one instance and whatever it sends to others of its asset.
    fn run(&mut self, number: u32, actions: &mut Vec<Action>, deed: impl FnOnce(&mut Detector, &mut Desk)) {
        let mut sends = VecDeque::new();
        self.run_one(number, actions, &mut sends, deed);
        for _ in 0..MOST_SENDS {
            let Some((sender, at, asset, target)) = sends.pop_front() else { return };
            if let Some(number) = self.by_name.get(&(asset, target)).copied() {
                self.run_one(number, actions, &mut sends, |detector, desk| detector.message(desk, &sender, at));
            }
        }
    }

    fn run_one(
        &mut self,
        number: u32,
        actions: &mut Vec<Action>,
        sends: &mut VecDeque<(Arc<str>, Timestamp, AssetId, Arc<str>)>,
        deed: impl FnOnce(&mut Detector, &mut Desk),
    ) {
        let instance = &mut self.instances[number as usize];
        if instance.quarantined {
            return;
        }
        let desk = &mut self.desk;
        let survived = catch_unwind(AssertUnwindSafe(|| deed(&mut instance.detector, desk))).is_ok();
        let body = &mut instance.detector.body;
        let out = std::mem::take(&mut body.out);
        if !survived {
            instance.quarantined = true;
            self.quarantine(number, actions);
            return;
        }
        actions.extend(out.records.into_iter().map(Action::Record));
        if out.dirty {
            actions.push(Action::Keep(body.snapshot()));
        }
        actions.extend(out.deferred);
        let sender = &body.program.model.name;
        sends.extend(out.sends.into_iter().map(|target| (sender.clone(), body.instant, body.asset, target)));
        self.schedule(number);
        self.report_trip(actions);
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
    fn event(&self, name: &str, body: EventBody) -> Event {
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

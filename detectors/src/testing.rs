//! A stage for tests: a detector model and a script as text in, what the engine asks for as text out.
//!
//! The model is one state per line, with its actions and rules under it:
//!
//! ```text
//! normal
//!   go when temp > temp_limit and running to hot
//! hot initial warming
//!   go when temp < temp_limit - 3 for 60s to normal do clear
//! hot/warming
//!   go after 30s to hot/alarm
//! hot/alarm
//!   enter raise; notify shift_lead
//! ```
//!
//! A script is one input per line, with its time in seconds: `5 temp 83.5`, `6 temp bad`, `40 time`, `41 acknowledge`.

mod model;
mod plant;

pub use model::{detector, expression};
pub use plant::{PATH, command, plant};

use crate::{Action, Arming, Engine, Input, Restored, Unsent};
use andon_models::{
    AssetId, Point, SeriesId, StatusCode, Timestamp, Tqv, Value,
    alarm::AlarmVerb,
    catalog::{Catalog, SeriesDirectory},
    command::{Command, CommandOutcome, CommandState, HandRole, HandWrite, Prepared},
    definition::{AssetIndex, Plant},
    detector::DetectorModel,
    event::{Event, EventBody},
    operator::{OperatorDeed, OperatorRequest},
    snapshot::DetectorSnapshot,
    time::{format_duration, parse_duration},
};
use model::value_of;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// An engine on stage, with what a plant would keep of it.
pub struct Stage {
    pub engine: Engine,
    catalog: Arc<Catalog>,
    kept: HashMap<(AssetId, Arc<str>), DetectorSnapshot>,
    latest: HashMap<SeriesId, Tqv>,
    commands: Vec<Command>,
    detector: Arc<str>,
    /// The token of what was prepared last.
    token: Arc<str>,
    /// The asset whose detector is under test, and whose points a script gives.
    watched: AssetIndex,
    doubted: HashSet<SeriesId>,
    /// When the plant was last watched before a restart; none for right until then.
    watched_until: Option<Timestamp>,
}

impl Stage {
    /// A filler with one detector, `overheat`, just started at 0 s.
    pub fn new(model: &str) -> Self {
        Self::with(vec![detector("overheat", model)])
    }

    /// A filler with these detectors; operators mean the first.
    pub fn with(detectors: Vec<DetectorModel>) -> Self {
        let mut stage = Self::unstarted(detectors);
        let actions = stage.engine.start(Timestamp::EPOCH);
        stage.keep(&actions);
        stage
    }

    /// The plant of a plant file with one line and one machine in it, just started at 0 s.
    pub fn load(text: &str) -> Self {
        Self::load_of(text, 1)
    }

    /// The same, with the detector of another asset under test.
    pub fn load_of(text: &str, asset: usize) -> Self {
        let loaded = andon_models::plant_file::load(&[("plant.yaml".into(), text.into())], &|_| None);
        let plant = loaded.plant.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
        let mut stage = Self::of(plant, AssetIndex(asset));
        let actions = stage.engine.start(Timestamp::EPOCH);
        stage.keep(&actions);
        stage
    }

    /// A plant whose one machine has one detector, just started at 0 s.
    pub fn of_plant(plant: Plant) -> Self {
        let mut stage = Self::of(plant, AssetIndex(1));
        let actions = stage.engine.start(Timestamp::EPOCH);
        stage.keep(&actions);
        stage
    }

    /// The plant it plays in.
    pub fn plant(&self) -> Plant {
        (*self.catalog.plant).clone()
    }

    /// The same, not started.
    pub fn unstarted(detectors: Vec<DetectorModel>) -> Self {
        Self::of(plant(detectors), AssetIndex(1))
    }

    fn of(plant: Plant, watched: AssetIndex) -> Self {
        let name = plant.model_of(watched).detectors[0].name.clone();
        let catalog = Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()));
        let mut engine = Engine::new(catalog.clone());
        engine.set_arming(Arming::on("kim".into(), Timestamp::EPOCH, None, true));
        Self {
            engine,
            token: "".into(),
            catalog,
            kept: HashMap::new(),
            latest: HashMap::new(),
            commands: Vec::new(),
            detector: name,
            watched,
            doubted: HashSet::new(),
            watched_until: None,
        }
    }

    /// Stops and starts again with what was kept, and perhaps an edited model.
    pub fn restart(&mut self, now: Timestamp, edited: Option<Vec<DetectorModel>>) -> Vec<Action> {
        let plant = edited.map_or_else(|| self.plant(), plant);
        self.restart_with(now, plant)
    }

    /// Stops and starts again with another plant.
    pub fn restart_with(&mut self, now: Timestamp, plant: Plant) -> Vec<Action> {
        self.catalog = Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()));
        let arming = self.engine.arming().clone();
        self.engine = Engine::new(self.catalog.clone());
        self.engine.set_arming(arming);
        let stored = |snapshot: &DetectorSnapshot| serde_json::from_slice(&serde_json::to_vec(snapshot).unwrap()).unwrap();
        self.engine.restore(self.kept.values().map(stored).collect(), &|series| self.latest.get(&series).cloned());
        self.engine.doubt(&self.doubted, Some(self.watched_until.take().unwrap_or(now)));
        let actions = self.engine.start(now);
        self.keep(&actions);
        actions
    }

    /// Has the next restart come after a time in which nobody watched.
    pub fn down_since(&mut self, at: Timestamp) {
        self.watched_until = Some(at);
    }

    /// Has restarts take values of these properties for no longer known.
    pub fn doubt(&mut self, names: &[&str]) {
        let series = |name: &&str| self.catalog.series_named(self.watched, name).unwrap();
        self.doubted = names.iter().map(series).collect();
    }

    /// Goes on with an edited model while it runs.
    pub fn edit(&mut self, now: Timestamp, edited: Vec<DetectorModel>) -> Restored {
        self.catalog = Arc::new(Catalog::build(Arc::new(plant(edited)), &mut SeriesDirectory::default()));
        let mut engine = Engine::new(self.catalog.clone());
        let restored = engine.take_over(&self.engine, &|series| self.latest.get(&series).cloned());
        self.engine = engine;
        let actions = self.engine.start(now);
        self.keep(&actions);
        restored
    }

    /// The asset under test.
    pub fn asset(&self) -> AssetId {
        self.catalog.plant.assets[self.watched.0].id
    }

    /// Where the detector stands.
    pub fn state(&self) -> String {
        self.snapshot().state.to_string()
    }

    /// All that the detector knows.
    pub fn snapshot(&self) -> DetectorSnapshot {
        self.engine.snapshot(self.asset(), &self.detector).unwrap()
    }

    /// Whether any write was decided.
    pub fn has_command(&self) -> bool {
        !self.commands.is_empty()
    }

    /// Whether the last write may be sent now.
    pub fn may_send(&mut self, now: Timestamp) -> Result<(), Unsent> {
        let command = self.commands.last().unwrap();
        self.engine.may_send(now, command, None)
    }

    /// All that its instances know of their inputs, in words.
    pub fn known(&mut self) -> Vec<String> {
        let count = u32::try_from(self.engine.instances.len()).unwrap();
        (0..count).for_each(|number| self.engine.wake(number));
        let bodies = self.engine.instances.iter().map(|instance| &instance.detector.body);
        bodies.map(|body| format!("{:?} {} {} {:?}", body.values, body.newest, body.instant, body.snapshot())).collect()
    }

    fn keep(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Keep(snapshot) => {
                    self.kept.insert((snapshot.asset, snapshot.detector.clone()), snapshot.clone());
                }
                Action::Write(command) => self.commands.push(command.clone()),
                _ => {}
            }
        }
    }

    /// Performs one line of a script.
    pub fn act(&mut self, line: &str) -> Vec<Action> {
        let (time, rest) = line.split_once(' ').unwrap();
        let now = at(time);
        let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let command = self.commands.last().map(|command| command.id);
        let asset = self.asset();
        let detector = self.detector.clone();
        let operator = |deed| OperatorRequest { by: "kim".into(), deed };
        let actions = match verb {
            "time" => self.engine.step(now, Input::Time),
            "acknowledge" => {
                let deed = OperatorDeed::Acknowledge { asset, detector, note: rest.into() };
                self.engine.step(now, Input::Operator(&operator(deed)))
            }
            "shelve" => {
                let (span, note) = rest.split_once(' ').unwrap_or((rest, ""));
                let deed = OperatorDeed::Shelve { asset, detector, span: parse_duration(span).unwrap(), note: note.into() };
                self.engine.step(now, Input::Operator(&operator(deed)))
            }
            "unshelve" => self.engine.step(now, Input::Operator(&operator(OperatorDeed::Unshelve { asset, detector }))),
            "suppress" | "unsuppress" | "remove" | "return" | "reset" | "comment" => {
                let note = rest.into();
                let deed = match verb {
                    "suppress" => OperatorDeed::Suppress { asset, detector, note },
                    "unsuppress" => OperatorDeed::Unsuppress { asset, detector, note },
                    "remove" => OperatorDeed::RemoveFromService { asset, detector, note },
                    "return" => OperatorDeed::ReturnToService { asset, detector, note },
                    "reset" => OperatorDeed::Reset { asset, detector, note },
                    _ => OperatorDeed::Comment { asset, detector, note },
                };
                self.engine.step(now, Input::Operator(&operator(deed)))
            }
            "arm" | "disarm" => {
                let deed =
                    OperatorDeed::Arm { armed: verb == "arm", span: parse_duration(rest), take_over: rest == "take-over" };
                self.engine.step(now, Input::Operator(&operator(deed)))
            }
            "release" => self.engine.step(now, Input::Operator(&operator(OperatorDeed::Release { asset, detector }))),
            "confirm" => {
                let token = self.token.clone();
                // `confirm`, `confirm sam`, `confirm sam engineer`
                let mut words = rest.split_whitespace();
                let by = words.next().unwrap_or("kim").into();
                let role = if words.next() == Some("engineer") { HandRole::Engineer } else { HandRole::Operator };
                let request = OperatorRequest { by, deed: OperatorDeed::Confirm { token, role } };
                self.engine.step(now, Input::Operator(&request))
            }
            "sent" => self.engine.step(now, Input::Sent(command.unwrap())),
            "verified" | "failed" | "unknown" => {
                let state = match verb {
                    "verified" => CommandState::Verified,
                    "failed" => CommandState::Failed,
                    _ => CommandState::Unknown,
                };
                let read_back = if verb == "verified" { Value::Boolean(true) } else { Value::Null };
                let outcome = CommandOutcome { command: command.unwrap(), state, read_back, reason: rest.into(), time: now };
                self.engine.step(now, Input::Outcome(&outcome))
            }
            property => {
                let point = self.point(property, rest, now);
                self.samples(now, &[point])
            }
        };
        self.keep(&actions);
        actions
    }

    /// A sample: `83.5`, `bad`, or `83.5@4` for one of an earlier time.
    pub fn point(&self, property: &str, text: &str, now: Timestamp) -> Point {
        let (asset, property) = property.strip_prefix("parent.").map_or((self.watched.0, property), |property| (0, property));
        let series = self.catalog.series_named(AssetIndex(asset), property).unwrap_or_else(|| panic!("no property {property}"));
        let value_type = self.catalog.entry(series).unwrap().value_type;
        let (text, time) = text.split_once('@').map_or((text, now), |(text, time)| (text, at(time)));
        let tqv = match text {
            "bad" => Tqv::bad(time, StatusCode::NOT_CONNECTED),
            text => Tqv::good(time, value_of(text).coerce(value_type).unwrap()),
        };
        Point { series, tqv }
    }

    /// Gives samples.
    pub fn samples(&mut self, now: Timestamp, points: &[Point]) -> Vec<Action> {
        for point in points {
            let known = self.latest.get(&point.series);
            if known.is_none_or(|known| known.time <= point.tqv.time) {
                self.latest.insert(point.series, point.tqv.clone());
            }
        }
        self.engine.step(now, Input::Samples(points))
    }

    /// Prepares a write by hand, the device showing a value.
    pub fn prepare(&mut self, now: &str, control: &str, value: Value, current: Option<Value>) -> Result<Prepared, String> {
        self.prepare_as(HandRole::Operator, now, control, value, current)
    }

    /// The same in another role.
    pub fn prepare_as(
        &mut self,
        role: HandRole,
        now: &str,
        control: &str,
        value: Value,
        current: Option<Value>,
    ) -> Result<Prepared, String> {
        let current = current.ok_or_else(|| "no answer".into());
        let (by, asset) = ("kim".into(), self.asset());
        let prepared = self.engine.prepare(at(now), HandWrite { by, role, asset, control: control.into(), value, current });
        if let Ok(prepared) = &prepared {
            self.token = prepared.token.clone();
        }
        prepared.map_err(|refusal| refusal.to_string())
    }

    /// Performs lines whose samples are of these assets.
    pub fn play_of(&mut self, lines: &[(usize, &str)]) -> String {
        let mut actions = Vec::new();
        for (asset, line) in lines {
            let (time, rest) = line.split_once(' ').unwrap();
            match rest.split_once(' ') {
                Some((property, value)) => {
                    let watched = std::mem::replace(&mut self.watched, AssetIndex(*asset));
                    let point = self.point(property, value, at(time));
                    self.watched = watched;
                    let done = self.samples(at(time), &[point]);
                    self.keep(&done);
                    actions.extend(done);
                }
                None => actions.extend(self.act(line)),
            }
        }
        words(&actions)
    }

    /// Performs a script; gives what was asked for, in words.
    pub fn play(&mut self, script: &str) -> String {
        let lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
        let actions: Vec<Action> = lines.flat_map(|line| self.act(line)).collect();
        words(&actions)
    }
}

/// Plays a script on a new stage and compares with what is expected, line by line.
#[track_caller]
pub fn check(model: &str, script: &str, expected: &str) {
    let played = Stage::new(model).play(script);
    assert_same(&played, expected);
}

/// Compares texts without their margins.
#[track_caller]
pub fn assert_same(played: &str, expected: &str) {
    let trimmed: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(played.trim(), trimmed.join("\n"), "\n--- played:\n{played}");
}

fn at(seconds: &str) -> Timestamp {
    Timestamp::EPOCH + parse_duration(&format!("{seconds}s")).unwrap_or_else(|| panic!("no time {seconds}"))
}

/// Actions in words; snapshots are left out.
pub fn words(actions: &[Action]) -> String {
    let lines = actions.iter().filter_map(|action| match action {
        Action::Record(event) => Some(event_words(event)),
        Action::Keep(_) => None,
        Action::Write(command) => Some(format!("> write {} = {}", command.control, command.value)),
        Action::Notify { target, message, about, .. } => {
            let what = if about.verb == AlarmVerb::Raise { String::new() } else { format!(" ({})", about.verb.name()) };
            Some(format!("> notify {target}{what}: {message}"))
        }
        Action::Publish { topic, payload } => Some(format!("> publish {topic} {payload}")),
        Action::Put(point) => Some(format!("> put {} at {}", point.tqv.value, time_words(point.tqv.time))),
        Action::Refuse(refusal) => Some(format!("> refuse: {refusal}")),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn time_words(time: Timestamp) -> String {
    format_duration(time.since(Timestamp::EPOCH))
}

fn event_words(event: &Event) -> String {
    let what = match &event.body {
        EventBody::Transition(transition) => {
            let explanation = &transition.explanation;
            let actions =
                if explanation.actions.is_empty() { String::new() } else { format!(" do {}", explanation.actions.join("; ")) };
            format!("{} -> {} ({}){actions}", transition.from, transition.to, explanation.trigger)
        }
        EventBody::Alarm(change) => {
            let by = if change.by.is_empty() { String::new() } else { format!(" by {}", change.by) };
            format!("alarm {}: {} -> {}{by}", change.verb.name(), change.from, change.state)
        }
        EventBody::Command(change) => {
            let reason = if change.reason.is_empty() { String::new() } else { format!(": {}", change.reason) };
            format!("command {} = {} {}{reason}", change.control, change.value, change.state)
        }
        EventBody::Notification(notification) => format!("notification {} {}", notification.target, notification.state),
        EventBody::Publication(publication) => format!("publication {}", publication.topic),
        EventBody::Deed(deed) => format!("deed {} by {}", deed.verb, deed.by),
        EventBody::Message(message) => format!("{}: {}", message.input, message.payload),
        EventBody::Row(row) => format!("{} {} {}: {}", row.operation, row.table, row.key, row.payload),
        EventBody::Revision(revision) => format!("revision of {}", revision.spec),
        EventBody::System(notice) => format!("{} {}: {}", notice.level, notice.subject, notice.message),
    };
    format!("{} {what}", time_words(event.time))
}

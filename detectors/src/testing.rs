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

use crate::{Action, Engine, Input};
use andon_models::{
    AssetId, CommandId, ModelId, Point, PropertyId, SeriesId, StatusCode, TagId, Timestamp, Tqv, Value, ValueType,
    address::{Address, NodeAddress},
    alarm::Priority,
    calendar::ShiftCalendar,
    catalog::{Catalog, SeriesDirectory},
    command::{Command, CommandOutcome, CommandState},
    definition::*,
    detector::{self, ActionKind, DetectorModel, Evaluation, OnBad, StateIndex},
    event::{Event, EventBody},
    expression::{AlarmFlag, Expression, Reference, Resolved, Scope, Type},
    operator::{OperatorDeed, OperatorRequest},
    snapshot::DetectorSnapshot,
    time::{format_duration, parse_duration},
};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// Where the machine stands.
pub const PATH: &str = "Line 1/Filler 1";

/// A command for tests of its life alone.
pub fn command() -> Command {
    Command {
        id: CommandId::from_name("test"),
        asset: AssetId::from_name(PATH),
        control: "stop_request".into(),
        tag: TagId(0),
        series: SeriesId(0),
        value: Value::Boolean(true),
        decided_by: "overheat".into(),
        decided_at: Timestamp::from_seconds(0),
        deadline: Timestamp::from_seconds(10),
        verify: Duration::from_secs(2),
    }
}

/// Measurements, attributes and their types of the tests' machine.
const PROPERTIES: [(&str, ValueType, &str); 6] = [
    ("temp", ValueType::Double, "°C"),
    ("running", ValueType::Boolean, ""),
    ("count", ValueType::Integer, ""),
    ("pressure", ValueType::Double, "bar"),
    ("temp_limit", ValueType::Double, "°C"),
    ("note", ValueType::String, ""),
];

struct Names<'a> {
    variables: &'a [(Arc<str>, Value)],
}

impl Scope for Names<'_> {
    fn resolve(&self, path: &[&str]) -> Option<Resolved> {
        let resolved = |reference, node_type, unit: &str| Some(Resolved { reference, node_type, unit: unit.into() });
        let number_or = |value_type| match value_type {
            ValueType::Boolean => Type::Boolean,
            ValueType::String => Type::String,
            ValueType::Integer | ValueType::Double => Type::Number,
        };
        match path {
            ["acknowledged"] => resolved(Reference::Alarm(AlarmFlag::Acknowledged), Type::Boolean, ""),
            ["shelved"] => resolved(Reference::Alarm(AlarmFlag::Shelved), Type::Boolean, ""),
            ["parent", "speed"] => resolved(Reference::Parent("speed".into()), Type::Number, ""),
            [name] => {
                if let Some((variable, value)) = self.variables.iter().find(|(variable, _)| **variable == **name) {
                    return resolved(
                        Reference::Variable(variable.clone()),
                        value.value_type().map_or(Type::Number, number_or),
                        "",
                    );
                }
                let (key, value_type, unit) = PROPERTIES.iter().find(|(property, ..)| property == name)?;
                resolved(Reference::Own((*key).into()), number_or(*value_type), unit)
            }
            _ => None,
        }
    }
    fn candidates(&self) -> Vec<String> {
        Vec::new()
    }
    fn aggregates(&self) -> bool {
        false
    }
}

/// A detector model from its text. A first line `variables a=1 b=true` gives variables; `serial` and `lateness 5s` may follow it.
pub fn detector(name: &str, text: &str) -> DetectorModel {
    let mut model = DetectorModel {
        name: name.into(),
        priority: Priority::High,
        message: "Bowl {temp} is above {temp_limit}".into(),
        response: "Check valve V12.".into(),
        states: Vec::new(),
        initial: StateIndex(0),
        variables: Vec::new(),
        evaluation: Evaluation::Batch,
        lateness: Duration::ZERO,
    };
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let margin = lines.iter().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let lines: Vec<&str> = lines.iter().map(|line| &line[margin..]).collect();
    for line in lines.iter().filter(|line| !line.starts_with(' ')) {
        declare(&mut model, line);
    }
    for line in lines.iter().filter(|line| line.contains(" initial ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let child = words[1 + words.iter().position(|word| *word == "initial").unwrap()];
        let group = model.state_at(words[0]).unwrap();
        model.states[group.0].initial = model.state_at(&format!("{}/{child}", words[0]));
    }
    let paths: Vec<Arc<str>> = model.states.iter().map(|state| state.path.clone()).collect();
    let mut current = 0;
    for line in &lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        if !line.starts_with(' ') {
            current = paths.iter().position(|path| &**path == words[0]).unwrap_or(current);
            continue;
        }
        let rest = line.trim().split_once(' ').map_or("", |(_, rest)| rest);
        match words[0] {
            "enter" => model.states[current].enter = actions(&model, rest),
            "exit" => model.states[current].exit = actions(&model, rest),
            "go" => {
                let rule = rule(&model, rest);
                model.states[current].rules.push(rule);
            }
            other => panic!("no line {other}"),
        }
    }
    let mut first = 0;
    while let Some(initial) = model.states[first].initial {
        first = initial.0;
    }
    model.initial = StateIndex(first);
    model
}

fn declare(model: &mut DetectorModel, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[0] {
        "variables" => {
            for assignment in &words[1..] {
                let (name, value) = assignment.split_once('=').unwrap();
                model.variables.push((name.into(), value_of(value)));
            }
        }
        "serial" => model.evaluation = Evaluation::Serial,
        "lateness" => model.lateness = parse_duration(words[1]).unwrap(),
        path => {
            let parent =
                path.rsplit_once('/').map(|(parent, _)| model.state_at(parent).expect("groups stand before their states"));
            let name = path.rsplit('/').next().unwrap();
            model.states.push(detector::State {
                name: name.into(),
                path: path.into(),
                parent,
                initial: None,
                history: words.contains(&"history"),
                enter: Vec::new(),
                exit: Vec::new(),
                rules: Vec::new(),
            });
        }
    }
}

fn rule(model: &DetectorModel, text: &str) -> detector::Rule {
    let mut parts: HashMap<&str, String> = HashMap::new();
    let mut key = "";
    for word in text.split_whitespace() {
        if ["on", "when", "for", "after", "every", "bad", "to", "do"].contains(&word) && key != "do" {
            key = word;
            parts.entry(key).or_default();
        } else {
            let part = parts.get_mut(key).expect("a rule begins with a key word");
            part.push_str(if part.is_empty() { "" } else { " " });
            part.push_str(word);
        }
    }
    let span = |key: &str| parts.get(key).map(|text| parse_duration(text).unwrap());
    let written = parts.get("to").map(|path| model.state_at(path).unwrap_or_else(|| panic!("no state {path}")));
    let mut leaf = written;
    while let Some(initial) = leaf.and_then(|leaf| model.states[leaf.0].initial) {
        leaf = Some(initial);
    }
    detector::Rule {
        text: text.into(),
        when: parts.get("when").map(|when| expression(model, when)),
        hold: span("for"),
        on_bad: match parts.get("bad").map(String::as_str) {
            Some("reset") => OnBad::Reset,
            Some("ignore") => OnBad::Ignore,
            _ => OnBad::Pause,
        },
        after: span("after"),
        every: span("every"),
        on: parts.get("on").map(|on| on.as_str().into()),
        to: leaf,
        to_written: written,
        actions: parts.get("do").map(|text| actions(model, text)).unwrap_or_default(),
    }
}

fn actions(model: &DetectorModel, text: &str) -> Vec<detector::Action> {
    text.split("; ").map(|text| detector::Action { text: text.into(), kind: action(model, text) }).collect()
}

fn action(model: &DetectorModel, text: &str) -> ActionKind {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let assignment = || rest.split_once(" = ").map(|(name, value)| (Arc::from(name), expression(model, value))).unwrap();
    match verb {
        "raise" => ActionKind::Raise,
        "clear" => ActionKind::Clear,
        "notify" => ActionKind::Notify { target: rest.into() },
        "webhook" => ActionKind::Webhook { target: rest.into() },
        "send" => ActionKind::Send { detector: rest.into() },
        "publish" => {
            let (topic, payload) = rest.split_once(' ').unwrap();
            ActionKind::Publish { topic: topic.into(), payload: payload.into() }
        }
        "write" => {
            let (control, value) = assignment();
            ActionKind::Write { control, value }
        }
        "set" => {
            let (variable, value) = assignment();
            ActionKind::Set { variable, value }
        }
        "put" => {
            let (property, value) = assignment();
            ActionKind::Put { property, value }
        }
        other => panic!("no action {other}"),
    }
}

fn expression(model: &DetectorModel, text: &str) -> Arc<Expression> {
    let names = Names { variables: &model.variables };
    Arc::new(Expression::parse(text, &names).unwrap_or_else(|error| panic!("{text}: {error}")))
}

fn value_of(text: &str) -> Value {
    match text {
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        "null" => Value::Null,
        text => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), _) => Value::Integer(number),
            (_, Ok(number)) => Value::Double(number),
            _ => Value::from(text),
        },
    }
}

fn property(name: &str, value_type: ValueType, unit: &str) -> Property {
    let kind = if name == "temp_limit" {
        PropertyKind::Attribute { default: Value::Double(80.0) }
    } else {
        let binding = Binding { address: Address::OpcUa(NodeAddress(format!("ns=2;s={name}").into())), slot: "plc".into() };
        PropertyKind::Measurement { binding: Some(binding), counter: None, scaling: Scaling::default() }
    };
    Property {
        id: PropertyId::from_name(&format!("filler/{name}")),
        name: name.into(),
        key: name.into(),
        unit: unit.into(),
        value_type,
        kind,
        normal: None,
        stale: (name == "running").then_some(Duration::from_secs(600)),
        target: None,
        hidden: false,
    }
}

fn control(name: &str, value_type: ValueType) -> Control {
    Control {
        id: PropertyId::from_name(&format!("filler/{name}")),
        name: name.into(),
        unit: "".into(),
        value_type,
        binding: Binding { address: Address::OpcUa(NodeAddress(format!("ns=2;s={name}").into())), slot: "plc".into() },
        allow: Vec::new(),
        min: None,
        max: None,
        interlock: None,
        verify: None,
        at_most: None,
    }
}

fn source(name: &str, writes_allowed: bool) -> Source {
    Source {
        name: name.into(),
        protocol: SourceProtocol::Modbus { host: "127.0.0.1:502".into(), unit: 1 },
        every: Duration::from_secs(1),
        writes_allowed,
    }
}

/// A plant with one line and one filler, which has these detectors.
pub fn plant(detectors: Vec<DetectorModel>) -> Plant {
    let names = Names { variables: &[] };
    let mut stop = control("stop_request", ValueType::Boolean);
    stop.allow = vec![Value::Boolean(true)];
    stop.interlock = Some(Arc::new(Expression::parse("running", &names).unwrap()));
    stop.at_most = Some((2, Duration::from_secs(3600)));
    let mut setpoint = control("setpoint", ValueType::Double);
    (setpoint.min, setpoint.max) = (Some(0.0), Some(100.0));
    let mut locked = control("locked", ValueType::Boolean);
    locked.binding.slot = "locked".into();
    let mut unbound = control("unbound", ValueType::Boolean);
    unbound.binding.slot = "nothing".into();
    let model = |name: &str, properties, controls, detectors, hierarchies| AssetModel {
        id: ModelId::from_name(name),
        name: name.into(),
        properties,
        controls,
        oee: None,
        detectors,
        hierarchies,
    };
    let properties = PROPERTIES.map(|(name, value_type, unit)| property(name, value_type, unit)).to_vec();
    let machines = Hierarchy { name: "machines".into(), models: vec![ModelIndex(1)] };
    let asset = |path: &str, model, parent| Asset {
        id: AssetId::from_name(path),
        name: path.rsplit('/').next().unwrap().into(),
        path: path.into(),
        model: ModelIndex(model),
        parent,
        children: Vec::new(),
        attributes: Vec::new(),
        slots: vec![("plc".into(), "plc".into()), ("locked".into(), "locked".into())],
    };
    let mut line = asset("Line 1", 0, None);
    line.children = vec![("machines".into(), vec![AssetIndex(1)])];
    Plant {
        name: "Test".into(),
        calendar: ShiftCalendar { time_zone: jiff::tz::TimeZone::UTC, shifts: Vec::new() },
        sources: vec![source("plc", true), source("locked", false)],
        notify: Vec::new(),
        models: vec![
            model("line", vec![property("speed", ValueType::Double, "1/h")], Vec::new(), Vec::new(), vec![machines]),
            model(
                "filler",
                properties,
                vec![stop, setpoint, locked, unbound],
                detectors.into_iter().map(Arc::new).collect(),
                Vec::new(),
            ),
        ],
        assets: vec![line, asset(PATH, 1, Some(AssetIndex(0)))],
    }
}

/// An engine on stage, with what a plant would keep of it.
pub struct Stage {
    pub engine: Engine,
    catalog: Arc<Catalog>,
    kept: HashMap<(AssetId, Arc<str>), DetectorSnapshot>,
    latest: HashMap<SeriesId, Tqv>,
    commands: Vec<Command>,
    detector: Arc<str>,
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

    /// The same, not started.
    pub fn unstarted(detectors: Vec<DetectorModel>) -> Self {
        let name = detectors[0].name.clone();
        let catalog = Arc::new(Catalog::build(Arc::new(plant(detectors)), &mut SeriesDirectory::default()));
        Self {
            engine: Engine::new(catalog.clone()),
            catalog,
            kept: HashMap::new(),
            latest: HashMap::new(),
            commands: Vec::new(),
            detector: name,
        }
    }

    /// Stops and starts again with what was kept, and perhaps an edited model.
    pub fn restart(&mut self, now: Timestamp, edited: Option<Vec<DetectorModel>>) -> Vec<Action> {
        if let Some(detectors) = edited {
            self.catalog = Arc::new(Catalog::build(Arc::new(plant(detectors)), &mut SeriesDirectory::default()));
        }
        self.engine = Engine::new(self.catalog.clone());
        self.engine.restore(self.kept.values().cloned().collect(), &|series| self.latest.get(&series).cloned());
        let actions = self.engine.start(now);
        self.keep(&actions);
        actions
    }

    /// The asset under test.
    pub fn asset(&self) -> AssetId {
        self.catalog.plant.assets[1].id
    }

    /// Where the detector stands.
    pub fn state(&self) -> String {
        self.snapshot().state.to_string()
    }

    /// All that the detector knows.
    pub fn snapshot(&self) -> DetectorSnapshot {
        self.engine.snapshot(self.asset(), &self.detector).unwrap()
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
            "arm" | "disarm" => self.engine.step(now, Input::Operator(&operator(OperatorDeed::Arm { armed: verb == "arm" }))),
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
        let (asset, property) = property.strip_prefix("parent.").map_or((1, property), |property| (0, property));
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
        Action::Notify { target, message, .. } => Some(format!("> notify {target}: {message}")),
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
        EventBody::System(notice) => format!("{} {}: {}", notice.level, notice.subject, notice.message),
    };
    format!("{} {what}", time_words(event.time))
}

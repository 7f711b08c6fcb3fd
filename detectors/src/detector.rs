//! One detector: a detector model watching one asset.
//!
//! Its time is event time. A sample moves it to the sample's time, and timers due until then go off first, each at its own
//! deadline. In silence the caller's time moves it, set back by as much as its devices' clocks are behind, so event time and the
//! caller's time are never mixed. Within one step its records come first, then its snapshot, then what reaches the world.

mod actions;
mod snapshot;
mod timers;

pub(crate) use timers::Timer;

use crate::{
    action::Action,
    alarm::{Alarm, Hand},
    command::{CommandLife, Told},
    explanation::explain,
    hierarchy::{Dispatch, Leaf, Tree, Trigger},
    policy::Desk,
    program::{Formula, Node, Program, Rule},
};
use andon_models::{
    AssetId, Point, Quality, SeriesId, Timestamp, Tqv, Value,
    alarm::AlarmVerb,
    catalog::Catalog,
    command::{CommandOutcome, CommandState},
    definition::{AssetIndex, PropertyKind},
    event::{Event, EventBody, ExplainedTimer, Explanation, Transition},
    expression::{Reference, SlotValue},
    operator::OperatorRefusal,
    snapshot::LastTransition,
};
use statig::{
    Outcome,
    blocking::{IntoStateMachineExt, StateMachine},
};
use std::{sync::Arc, time::Duration};

/// How long after the newest sample the caller's time takes over. Samples come a little late by nature (publishing intervals,
/// polling); a timer must not go off while the sample that breaks it is on its way.
pub const SILENCE: Duration = Duration::from_secs(2);

/// A sample further ahead of the caller's time than this has a wrong clock and counts as of now.
const MOST_AHEAD: Duration = Duration::from_secs(300);

/// Clocks that differ by less agree.
const CLOCKS_AGREE: Duration = Duration::from_secs(5);

/// Most moves that follow from one another at one instant. More is a model that runs in circles.
const MOST_CHAINED: usize = 16;

/// Most timers of one detector that go off in one step; the next step goes on from there.
const MOST_FIRINGS: usize = 1_000;

/// Most samples that wait to be put in order (`lateness`); the oldest goes on when more come.
const MOST_WAITING: usize = 10_000;

/// A detector: its statig machine, and everything it knows.
pub(crate) struct Detector {
    machine: StateMachine<Tree>,
    pub body: Body,
}

/// Everything a detector knows.
pub(crate) struct Body {
    pub program: Arc<Program>,
    pub asset: AssetId,
    pub index: AssetIndex,
    pub path: Arc<str>,
    /// The series behind each table line.
    pub series: Vec<Option<SeriesId>>,
    /// Table lines with a sample of this instant.
    pub fresh: Vec<usize>,
    /// What formulas see, by table line.
    pub values: Vec<SlotValue>,
    /// The last good values, where some rule counts on them.
    good: Vec<SlotValue>,
    leaf: Option<usize>,
    since: Timestamp,
    seen: Timestamp,
    /// Time of the newest sample.
    newest: Timestamp,
    /// How far its devices' clocks lag, in nanoseconds.
    behind: i64,
    /// Groups with their last leaf.
    history: Vec<(usize, usize)>,
    timers: Vec<Timer>,
    alarm: Alarm,
    pub commands: Vec<CommandLife>,
    commands_decided: u64,
    events_recorded: u64,
    failures: u64,
    last_failure: Arc<str>,
    last_transition: Option<LastTransition>,
    /// Samples that wait to be put in order.
    waiting: Vec<(Timestamp, usize, Tqv)>,
    /// The event time of what happens now.
    pub instant: Timestamp,
    /// Entering without doing what entering does.
    restoring: bool,
    /// Where it stood before its model was edited so that the state is gone.
    lost_state: Arc<str>,
    /// Assignments that become visible after this step.
    staged: Vec<(usize, Value)>,
    /// Variables that changed in this step.
    changed: Vec<usize>,
    moving: Option<Move>,
    rule_actions: Option<(Arc<Node>, usize)>,
    reenter: Option<usize>,
    pub out: Outbox,
}

/// What a step asks for.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub records: Vec<Event>,
    pub deferred: Vec<Action>,
    pub sends: Vec<Arc<str>>,
    /// Whether anything changed that must survive a restart.
    pub dirty: bool,
}

/// A move under way.
#[derive(Debug)]
struct Move {
    from: Arc<str>,
    explanation: Explanation,
    /// Where its record belongs among the records.
    mark: usize,
    /// Whether it is worth a record.
    recorded: bool,
}

/// What the tree of states acts upon.
pub(crate) struct Scene<'a> {
    pub body: &'a mut Body,
    pub desk: &'a mut Desk,
}

impl Detector {
    /// A detector that has not entered any state.
    pub fn new(program: Arc<Program>, catalog: &Catalog, index: AssetIndex) -> Self {
        Self { machine: Tree.state_machine(), body: Body::new(program, catalog, index) }
    }

    /// Whether it has entered a state.
    pub fn has_started(&self) -> bool {
        self.body.leaf.is_some()
    }

    /// Enters the initial state.
    pub fn start(&mut self, desk: &mut Desk) {
        self.body.be_at(desk.now);
        self.body.out.dirty = true;
        self.body.refresh_flags();
        let from = std::mem::take(&mut self.body.lost_state);
        let explanation = Explanation { trigger: "start".into(), ..Explanation::default() };
        self.body.moving = Some(Move { from, explanation, mark: self.body.out.records.len(), recorded: true });
        let initial = self.body.program.model.initial.0;
        self.dispatch(desk, Dispatch::Enter(initial));
    }

    /// Takes samples in order of time, or puts them aside until their turn.
    pub fn samples<'a>(&mut self, desk: &mut Desk, samples: impl Iterator<Item = (usize, &'a Tqv)>) {
        let lateness = self.body.program.model.lateness;
        if lateness.is_zero() {
            let mut samples = samples.peekable();
            while let Some((line, first)) = samples.next() {
                let together = std::iter::from_fn(|| samples.next_if(|(_, tqv)| tqv.time == first.time));
                self.take(desk, first.time, std::iter::once((line, first)).chain(together));
            }
            return;
        }
        let body = &mut self.body;
        for (line, tqv) in samples {
            let position = body.waiting.partition_point(|(time, ..)| *time <= tqv.time);
            body.waiting.insert(position, (tqv.time, line, tqv.clone()));
        }
        let newest = body.waiting.last().map_or(body.newest, |(time, ..)| *time).max(body.newest);
        self.release(desk, newest - lateness);
    }

    /// Takes the waiting samples whose turn it is.
    fn release(&mut self, desk: &mut Desk, limit: Timestamp) {
        let overflow = self.body.waiting.len().saturating_sub(MOST_WAITING);
        let ready = self.body.waiting.partition_point(|(time, ..)| *time <= limit).max(overflow);
        let samples: Vec<_> = self.body.waiting.drain(..ready).collect();
        for together in samples.chunk_by(|left, right| left.0 == right.0) {
            self.take(desk, together[0].0, together.iter().map(|(_, line, tqv)| (*line, tqv)));
        }
    }

    /// Takes samples of one instant together, so that no guard sees one new and the other old.
    fn take<'a>(&mut self, desk: &mut Desk, time: Timestamp, samples: impl Iterator<Item = (usize, &'a Tqv)>) {
        let mut reached = None;
        for (line, tqv) in samples {
            if self.body.values[line].time.is_some_and(|known| time < known) {
                continue; // late: it goes to history and moves no state
            }
            if reached.is_none() {
                let instant = self.body.event_time(time, desk.now).max(self.body.seen);
                self.run_timers(desk, instant);
                self.body.be_at(instant);
                reached = Some(instant);
            }
            self.body.learn(line, tqv);
            self.body.fresh.push(line);
        }
        let Some(instant) = reached else { return };
        if self.body.leaf.is_some() {
            self.dispatch(desk, Dispatch::Input(Trigger::Samples));
        }
        self.body.fresh.clear();
        self.run_timers(desk, instant);
    }

    /// Takes an input that another detector of the asset sent.
    pub fn message(&mut self, desk: &mut Desk, name: &Arc<str>, at: Timestamp) {
        let instant = at.max(self.body.seen);
        self.run_timers(desk, instant);
        self.body.be_at(instant);
        self.dispatch(desk, Dispatch::Input(Trigger::Message(name.clone())));
    }

    /// Lets the caller's time move it, when no samples do.
    pub fn tick(&mut self, desk: &mut Desk) {
        let event_now = shift(desk.now, -self.body.behind);
        if self.body.newest + SILENCE <= event_now {
            let limit = event_now - self.body.program.model.lateness;
            self.release(desk, limit);
            self.run_timers(desk, limit);
        }
        if self.body.alarm.shelved_until().is_some_and(|until| until <= desk.now) {
            self.body.be_at(event_now);
            let ended = self.hand(desk, AlarmVerb::Unshelve, &Hand::default(), "the time of the shelving is over");
            debug_assert!(ended.is_ok(), "only a shelved alarm has an end of shelving");
        }
        for position in 0..self.body.commands.len() {
            let life = &mut self.body.commands[position];
            if life.due().is_some_and(|due| due <= desk.now) && life.tell(Told::Late) {
                let sent = life.state() == CommandState::Unknown;
                life.reason = if sent { "no outcome came in time" } else { "its deadline passed before it was sent" }.into();
                self.body.be_at(event_now);
                self.command_ended(desk, position, Value::Null);
            }
        }
    }

    /// When the caller's time should move it next.
    pub fn due(&self) -> Option<Timestamp> {
        let body = &self.body;
        let waiting = body.waiting.first().map(|(time, ..)| *time);
        let event = body.first_due().into_iter().chain(waiting).min();
        let timers = event.map(|due| {
            let due = shift(due + body.program.model.lateness, body.behind);
            due.max(shift(body.newest + SILENCE, body.behind))
        });
        let commands = body.commands.iter().filter_map(CommandLife::due);
        timers.into_iter().chain(body.alarm.shelved_until()).chain(commands).min()
    }

    /// Does what an operator asks of the alarm.
    ///
    /// # Errors
    /// Why it cannot be done now.
    pub fn operate(&mut self, desk: &mut Desk, verb: AlarmVerb, hand: &Hand, note: &str) -> Result<(), OperatorRefusal> {
        let instant = shift(desk.now, -self.body.behind).max(self.body.seen);
        self.run_timers(desk, instant);
        self.body.be_at(instant);
        self.hand(desk, verb, hand, note).map_err(|reason| OperatorRefusal::NotNow(reason.into()))
    }

    fn hand(&mut self, desk: &mut Desk, verb: AlarmVerb, hand: &Hand, note: &str) -> Result<(), &'static str> {
        let body = &mut self.body;
        if let Some(moved) = body.alarm.handle(body.instant, verb, hand)? {
            body.alarm_changed(moved, verb, hand, note);
        }
        self.follow_changes(desk);
        Ok(())
    }

    /// Notes that a command was handed to its connection.
    pub fn sent(&mut self, desk: &mut Desk, position: usize) {
        self.body.be_at(shift(desk.now, -self.body.behind));
        if self.body.commands[position].tell(Told::Sent) {
            self.body.command_changed(desk, position, Value::Null);
        }
    }

    /// Takes the final word on a command.
    pub fn outcome(&mut self, desk: &mut Desk, position: usize, outcome: &CommandOutcome) {
        self.body.be_at(shift(desk.now, -self.body.behind));
        if self.body.commands[position].finish(outcome) {
            self.command_ended(desk, position, outcome.read_back.clone());
        }
    }

    fn command_ended(&mut self, desk: &mut Desk, position: usize, read_back: Value) {
        let body = &mut self.body;
        body.command_changed(desk, position, read_back);
        let life = &body.commands[position];
        match life.state() {
            CommandState::Verified => {
                let point = Point { series: life.command.series, tqv: Tqv::good(body.instant, life.command.value.clone()) };
                body.out.deferred.push(Action::Put(point));
            }
            CommandState::Failed | CommandState::Unknown | CommandState::Expired => body.escalate(position),
            CommandState::Requested | CommandState::Sent | CommandState::Refused => {}
        }
        self.follow_changes(desk);
    }

    /// Lets the timers go off that are due, each at its deadline.
    fn run_timers(&mut self, desk: &mut Desk, limit: Timestamp) {
        for _ in 0..MOST_FIRINGS {
            let Some((due, node, rule)) = self.body.next_timer(limit) else { return };
            self.body.be_at(due);
            self.dispatch(desk, Dispatch::Due { node, rule });
        }
        if self.body.next_timer(limit).is_some() {
            self.body.skip_beats(limit);
            self.body.fail(format!("more than {MOST_FIRINGS} timers went off at once; `every` skipped beats"));
        }
    }

    /// Hands something to the tree, then whatever follows from it at the same instant.
    fn dispatch(&mut self, desk: &mut Desk, event: Dispatch) {
        self.handle(desk, event);
        self.follow_changes(desk);
    }

    fn follow_changes(&mut self, desk: &mut Desk) {
        for _ in 0..MOST_CHAINED {
            let changed = self.body.take_changes();
            if changed.is_empty() {
                return;
            }
            self.handle(desk, Dispatch::Input(Trigger::Changed(changed)));
        }
        if !self.body.take_changes().is_empty() {
            self.body.fail(format!("its rules set one another off more than {MOST_CHAINED} times at one instant"));
        }
    }

    fn handle(&mut self, desk: &mut Desk, event: Dispatch) {
        let mut scene = Scene { body: &mut self.body, desk };
        if let Dispatch::Input(trigger) = &event {
            scene.update_holds(trigger);
        }
        self.machine.handle_with_context(&event, &mut scene);
        if let Some(group) = scene.body.reenter.take() {
            self.machine.handle_with_context(&Dispatch::Enter(group), &mut scene);
        }
        scene.body.finish_move();
    }
}

impl Body {
    fn new(program: Arc<Program>, catalog: &Catalog, index: AssetIndex) -> Self {
        let asset = &catalog.plant.assets[index.0];
        let series = program.table.iter().map(|line| one(catalog.resolve(index, &line.reference))).collect::<Vec<_>>();
        let values: Vec<_> = program
            .table
            .iter()
            .zip(&series)
            .map(|(line, series)| first_value(&program, catalog, &line.reference, *series))
            .collect();
        let good = if program.remembers_good { values.clone() } else { Vec::new() };
        Self {
            asset: asset.id,
            index,
            path: asset.path.clone(),
            series,
            fresh: Vec::new(),
            values,
            good,
            leaf: None,
            since: Timestamp::MIN,
            seen: Timestamp::MIN,
            newest: Timestamp::MIN,
            behind: 0,
            history: Vec::new(),
            timers: Vec::new(),
            alarm: Alarm::new(program.model.priority, program.model.response.clone()),
            commands: Vec::new(),
            commands_decided: 0,
            events_recorded: 0,
            failures: 0,
            last_failure: "".into(),
            last_transition: None,
            waiting: Vec::new(),
            instant: Timestamp::MIN,
            restoring: false,
            lost_state: "".into(),
            staged: Vec::new(),
            changed: Vec::new(),
            moving: None,
            rule_actions: None,
            reenter: None,
            out: Outbox::default(),
            program,
        }
    }

    /// Puts the values of a formula's slots into `scratch`.
    pub fn gather<'a>(&self, formula: &Formula, scratch: &'a mut Vec<SlotValue>) -> &'a [SlotValue] {
        scratch.clear();
        scratch.extend(formula.lines.iter().map(|line| self.values[*line].clone()));
        scratch
    }

    /// Whether a rule listens to a trigger.
    fn hears(&self, rule: &Rule, trigger: &Trigger) -> bool {
        match trigger {
            Trigger::Samples => self.fresh.iter().any(|line| rule.listens.contains(line)),
            Trigger::Changed(lines) => lines.iter().any(|line| rule.listens.contains(line)),
            Trigger::Message(name) => rule.message.as_ref() == Some(name),
        }
    }

    /// The path of the active leaf; empty before the start.
    pub fn state_path(&self) -> Arc<str> {
        self.leaf.map_or_else(|| "".into(), |leaf| self.program.nodes[leaf].path.clone())
    }

    /// The event time of a sample, and how far the device's clock is behind.
    fn event_time(&mut self, time: Timestamp, now: Timestamp) -> Timestamp {
        let time = if time > now + MOST_AHEAD { now } else { time };
        let behind = now.as_nanos().saturating_sub(time.as_nanos());
        let agree = i128::from(behind).unsigned_abs() <= CLOCKS_AGREE.as_nanos();
        self.behind = if agree { 0 } else { behind };
        self.newest = self.newest.max(time);
        time
    }

    fn be_at(&mut self, instant: Timestamp) {
        self.seen = self.seen.max(instant);
        self.instant = self.seen;
    }

    fn learn(&mut self, line: usize, tqv: &Tqv) {
        let slot = SlotValue { value: tqv.value.clone(), quality: tqv.quality, time: Some(tqv.time) };
        if self.program.remembers_good && slot.quality == Quality::Good {
            self.good[line] = slot.clone();
        }
        self.values[line] = slot;
    }

    fn change_variable(&mut self, line: usize, value: Value) {
        if self.values[line].value != value {
            self.values[line].value = value;
            self.changed.push(line);
            self.out.dirty = true;
        }
    }

    /// Makes staged assignments and the alarm's flags visible; gives the lines that changed.
    fn take_changes(&mut self) -> Vec<usize> {
        for (line, value) in std::mem::take(&mut self.staged) {
            self.change_variable(line, value);
        }
        let mut changed = std::mem::take(&mut self.changed);
        if self.out.dirty {
            changed.extend(self.refresh_flags());
        }
        changed
    }

    fn fail(&mut self, reason: String) {
        self.failures += 1;
        self.last_failure = reason.into();
        self.out.dirty = true;
    }

    fn finish_move(&mut self) {
        let Some(Move { from, explanation, mark, recorded }) = self.moving.take() else { return };
        if !recorded {
            return;
        }
        let to = self.state_path();
        self.last_transition =
            Some(LastTransition { from: from.clone(), to: to.clone(), time: self.instant, explanation: explanation.clone() });
        self.record_at(mark, EventBody::Transition(Transition { from, to, explanation }));
    }

    /// The leaf that entering a state leads to: the last one of a group with history, else down its initial states.
    fn landing(&self, mut id: usize) -> usize {
        loop {
            let node = &self.program.nodes[id];
            if node.history
                && let Some((_, leaf)) = self.history.iter().find(|(group, _)| *group == id)
            {
                return *leaf;
            }
            match node.initial {
                Some(initial) => id = initial,
                None => return id,
            }
        }
    }
}

impl Scene<'_> {
    /// Lets a state's rules answer.
    pub fn react(&mut self, node: &Arc<Node>, event: &Dispatch) -> Outcome<Leaf> {
        match event {
            Dispatch::Enter(_) => Outcome::Handled,
            Dispatch::Input(trigger) => {
                for (position, rule) in node.rules.iter().enumerate() {
                    if self.answers(node, position, rule, trigger) && self.holds(rule, trigger) {
                        let cause = self.cause(rule, trigger);
                        return self.fire(node, position, cause, None);
                    }
                }
                Outcome::Super
            }
            Dispatch::Due { node: id, rule } if *id == node.id => self.due(node, *rule),
            Dispatch::Due { .. } => Outcome::Super,
        }
    }

    fn due(&mut self, node: &Arc<Node>, position: usize) -> Outcome<Leaf> {
        let rule = &node.rules[position];
        let Some(timer) = self.body.went_off(node.id, position) else { return Outcome::Handled };
        // A `for` was watched all the time. An `after` with `on` waits for its input from now on.
        let waits = rule.limited && rule.hold.is_none() && rule.every.is_none();
        let holds = rule.hold.is_some() || rule.when.as_ref().is_none_or(|formula| self.evaluates(formula));
        if waits || !holds {
            return Outcome::Handled;
        }
        self.fire(node, position, format!("timer {}", timer.name).into(), Some(timer))
    }

    /// Whether a trigger concerns a rule at all.
    fn answers(&self, node: &Node, position: usize, rule: &Rule, trigger: &Trigger) -> bool {
        if rule.hold.is_some() || rule.every.is_some() || (rule.after.is_some() && rule.when.is_none() && !rule.limited) {
            return false; // only its timer sets it off
        }
        self.body.hears(rule, trigger) && self.body.after_passed(node.id, position, rule)
    }

    fn holds(&mut self, rule: &Rule, trigger: &Trigger) -> bool {
        match (&rule.when, trigger) {
            (Some(formula), _) => self.evaluates(formula),
            (None, Trigger::Samples) => rule.listens.iter().all(|line| self.body.values[*line].quality == Quality::Good),
            (None, Trigger::Changed(_) | Trigger::Message(_)) => true,
        }
    }

    fn evaluates(&mut self, formula: &Formula) -> bool {
        formula.expression.holds(self.body.gather(formula, &mut self.desk.scratch))
    }

    /// A trigger in words.
    fn cause(&self, rule: &Rule, trigger: &Trigger) -> Arc<str> {
        let lines = match trigger {
            Trigger::Samples => &self.body.fresh,
            Trigger::Changed(lines) => lines,
            Trigger::Message(name) => return format!("message {name}").into(),
        };
        let Some(line) = lines.iter().find(|line| rule.listens.contains(line)) else { return "".into() };
        let line = &self.body.program.table[*line];
        match line.reference {
            Reference::Own(_) | Reference::Parent(_) | Reference::Children { .. } => format!("input {}", line.name).into(),
            Reference::Variable(_) => format!("variable {}", line.name).into(),
            Reference::Alarm(_) => line.name.clone(),
        }
    }

    fn fire(&mut self, node: &Arc<Node>, position: usize, trigger: Arc<str>, timer: Option<ExplainedTimer>) -> Outcome<Leaf> {
        let rule = &node.rules[position];
        let explanation = explain(self.body, self.desk, &node.path, rule, trigger, timer);
        let recorded = rule.target.is_some() || rule.reaches_out();
        let from = self.body.state_path();
        self.body.moving = Some(Move { from, explanation, mark: self.body.out.records.len(), recorded });
        let Some(target) = rule.target else {
            self.run(&rule.actions);
            return Outcome::Handled;
        };
        self.body.rule_actions = Some((node.clone(), position));
        if let Some(group) = self.around(target) {
            // Everything inside is left first, and for a rule of the group itself the group too; statig alone would stay inside
            // whatever the old and the new leaf share.
            self.body.reenter = Some(target);
            let stays = if target == node.id { group.parent.clone() } else { Some(group) };
            return Outcome::Transition(Leaf::Between(stays));
        }
        Outcome::Transition(self.leaf_of(target))
    }

    /// A state if it is a group around the active leaf.
    fn around(&self, id: usize) -> Option<Arc<Node>> {
        let mut next = self.body.program.nodes[self.body.leaf?].parent.as_ref();
        while let Some(group) = next.filter(|group| group.id != id) {
            next = group.parent.as_ref();
        }
        next.cloned()
    }

    /// The slot of the leaf that entering a state leads to.
    pub fn leaf_of(&self, id: usize) -> Leaf {
        Leaf::of(self.body.program.nodes[self.body.landing(id)].clone())
    }

    /// The actions of the rule that fired: between exit and entry.
    pub fn run_rule_actions(&mut self) {
        if let Some((node, position)) = self.body.rule_actions.take() {
            self.run(&node.rules[position].actions);
        }
    }

    /// Enters a state: its actions, then its timers.
    pub fn enter(&mut self, node: &Arc<Node>) {
        if node.is_leaf() {
            self.body.leaf = Some(node.id);
        }
        if self.body.restoring {
            return;
        }
        self.run_rule_actions();
        if node.is_leaf() {
            self.body.since = self.body.instant;
            self.body.out.dirty = true;
        }
        self.run(&node.enter);
        self.body.start_timers(self.desk, node);
    }

    /// Leaves a state: its actions, then its timers are gone.
    pub fn exit(&mut self, node: &Arc<Node>) {
        self.run(&node.exit);
        self.body.timers.retain(|timer| timer.node != node.id);
        if node.history
            && let Some(leaf) = self.body.leaf
        {
            self.body.history.retain(|(group, _)| *group != node.id);
            self.body.history.push((node.id, leaf));
        }
    }

    /// Starts, breaks, pauses and resumes every `for` that a trigger concerns, whichever rule wins afterwards.
    fn update_holds(&mut self, trigger: &Trigger) {
        let Some(leaf) = self.body.leaf.filter(|_| self.body.program.holds) else { return };
        let program = self.body.program.clone();
        let mut next = Some(&program.nodes[leaf]);
        while let Some(node) = next {
            for (position, rule) in node.rules.iter().enumerate() {
                if rule.hold.is_some() && self.body.hears(rule, trigger) {
                    self.body.update_hold(self.desk, node.id, position, rule);
                }
            }
            next = node.parent.as_ref();
        }
    }
}

/// A guard reads single values: a reference to several children has none.
fn one(series: Vec<SeriesId>) -> Option<SeriesId> {
    match series[..] {
        [only] => Some(only),
        _ => None,
    }
}

/// What a line holds before any sample: the variable's first value, the attribute's value, else nothing.
fn first_value(program: &Program, catalog: &Catalog, reference: &Reference, series: Option<SeriesId>) -> SlotValue {
    let known = match reference {
        Reference::Variable(name) => {
            let variable = program.model.variables.iter().find(|(variable, _)| variable == name);
            Some(variable.map_or(Value::Null, |(_, value)| value.clone()))
        }
        Reference::Alarm(_) => Some(Value::Boolean(false)),
        Reference::Own(_) | Reference::Parent(_) | Reference::Children { .. } => {
            series.and_then(|series| attribute(catalog, series))
        }
    };
    match known {
        Some(value) => SlotValue { value, quality: Quality::Good, time: None },
        None => SlotValue { value: Value::Null, quality: Quality::Bad, time: None },
    }
}

/// The value of an attribute: the asset's own, else the model's default; none for other properties.
pub(crate) fn attribute(catalog: &Catalog, series: SeriesId) -> Option<Value> {
    let property = catalog.property(series)?;
    let PropertyKind::Attribute { default } = &property.kind else { return None };
    let asset = &catalog.plant.assets[catalog.entry(series)?.asset.0];
    let own = asset.attributes.iter().find(|(name, _)| *name == property.name);
    Some(own.map_or(default, |(_, value)| value).clone())
}

/// Moves an instant by signed nanoseconds; saturates.
fn shift(time: Timestamp, nanos: i64) -> Timestamp {
    Timestamp::from_nanos(time.as_nanos().saturating_add(nanos))
}

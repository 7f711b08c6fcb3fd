//! One detector: a detector model watching one asset.
//!
//! Its time is event time. A sample moves it to the sample's time, and timers due until then go off first, each at its own
//! deadline. In silence the caller's time moves it, set back by as much as its devices' clocks are behind, so event time and the
//! caller's time are never mixed. Within one step its records come first, then its snapshot, then what reaches the world.

mod actions;
mod alarm;
mod body;
mod edited;
mod pretend;
mod rest;
mod scene;
mod snapshot;
mod timers;

pub(crate) use body::{Body, Outbox};
pub(crate) use edited::left_behind;
pub(crate) use rest::Rest;
use scene::{Dispatch, OfAsset, Scene, Trigger};
use timers::Timer;

use crate::{
    action::Action,
    alarm::Hand,
    command::{CommandLife, Told},
    hierarchy::Tree,
    origin::Origins,
    policy::{Desk, Writer},
    program::Program,
};
use andon_models::{
    CommandId, Point, Timestamp, Tqv, Value,
    alarm::AlarmVerb,
    catalog::Catalog,
    command::{CommandOutcome, CommandState},
    definition::AssetIndex,
    event::{EventBody, Explanation, SystemNotice},
    expression::SlotValue,
    operator::OperatorRefusal,
};
use statig::blocking::{IntoStateMachineExt, StateMachine};
use std::{sync::Arc, time::Duration};

/// How long after the newest sample the caller's time takes over. Samples come a little late by nature (publishing intervals,
/// polling); a timer must not go off while the sample that breaks it is on its way.
pub const SILENCE: Duration = Duration::from_secs(2);

/// A sample further ahead of the caller's time than this has a wrong clock and counts as of now.
pub(crate) const MOST_AHEAD: Duration = Duration::from_secs(300);

/// Clocks that differ by less agree; in nanoseconds.
const CLOCKS_AGREE: u64 = 5_000_000_000;

/// Most moves that follow from one another at one instant. More is a model that runs in circles.
const MOST_CHAINED: usize = 16;

/// Most timers of one detector that go off in one step; the next step goes on from there.
const MOST_FIRINGS: usize = 1_000;

/// Most samples that wait to be put in order (`lateness`); the oldest goes on when more come. They stand in the snapshot of each
/// step, so that a restart loses none; more would make the snapshots heavy.
const MOST_WAITING: usize = 2_000;

/// A detector: its statig machine, and everything it knows.
pub(crate) struct Detector {
    machine: StateMachine<Tree<OfAsset>>,
    pub body: Body,
}

impl Detector {
    /// A detector that has not entered any state.
    pub fn new(program: Arc<Program>, catalog: &Catalog, index: AssetIndex, origins: &mut Origins) -> Self {
        Self { machine: Tree::new().state_machine(), body: Body::new(program, catalog, index, origins) }
    }

    /// Whether it has entered a state.
    pub fn has_started(&self) -> bool {
        self.body.leaf.is_some()
    }

    /// Enters the initial state.
    pub fn start(&mut self, desk: &mut Desk) {
        self.body.be_at(desk.now);
        self.body.out.dirty = true;
        self.body.begin_dry_run(desk.now);
        self.body.follow_design(desk, true);
        self.body.refresh_flags();
        let from = std::mem::take(&mut self.body.lost_state);
        let explanation = match from.is_empty() {
            true => Explanation { trigger: "start".into(), ..Explanation::default() },
            false => Explanation {
                trigger: "definition changed".into(),
                rule: format!("the definition has no state {from} any more, so it starts over").into(),
                state: from.clone(),
                ..Explanation::default()
            },
        };
        self.body.begin_move(from, explanation);
        let initial = self.body.program.model.initial.0;
        self.dispatch(desk, Dispatch::Enter(initial));
    }

    /// Writes what a person confirmed.
    ///
    /// # Errors
    /// Why not.
    pub fn write_by_hand(
        &mut self,
        desk: &mut Desk,
        id: CommandId,
        control: &Arc<str>,
        value: &Value,
        writer: &Writer,
    ) -> Result<(), OperatorRefusal> {
        let instant = self.body.event_now(desk.now);
        self.run_timers(desk, instant);
        self.body.be_at(instant);
        let decided = self.body.decide(desk, id, control, value.clone(), writer);
        decided.map_err(|reason| OperatorRefusal::NotNow(reason.into()))
    }

    /// Tells what an edited definition did not keep.
    pub fn tell_notes(&mut self, desk: &Desk) {
        self.body.be_at(desk.now);
        self.body.begin_dry_run(desk.now);
        let body = &mut self.body;
        let notes = std::mem::take(&mut body.notes);
        let message = format!("the definition changed: {}", notes.join("; "));
        let subject = format!("{}/{}", body.path, body.program.model.name).into();
        body.record(EventBody::System(SystemNotice { subject, level: "warning".into(), message: message.into() }));
    }

    /// Takes samples in order of time, or puts them aside until their turn.
    pub fn samples<'a>(&mut self, desk: &mut Desk, samples: impl Iterator<Item = (usize, &'a Tqv)>) {
        let lateness = self.body.program.model.lateness;
        if lateness.is_zero() {
            let mut samples = samples.peekable();
            while let Some((line, first)) = samples.next() {
                let together = std::iter::from_fn(|| samples.next_if(|(_, tqv)| tqv.time == first.time));
                self.take(desk, None, std::iter::once((line, first)).chain(together));
            }
            return;
        }
        let body = &mut self.body;
        for (place, tqv) in samples {
            // What comes late says nothing about how far the device's clock is behind.
            let time = if tqv.time < body.newest { tqv.time } else { body.event_time(tqv.time, desk.now) };
            let position = body.waiting.partition_point(|(before, ..)| *before <= time);
            body.waiting.insert(position, (time, place, tqv.clone()));
            body.out.dirty = true;
        }
        let limit = body.newest - lateness;
        self.release(desk, limit);
    }

    /// Takes the waiting samples whose turn it is.
    fn release(&mut self, desk: &mut Desk, limit: Timestamp) {
        let overflow = self.body.waiting.len().saturating_sub(MOST_WAITING);
        let ready = self.body.waiting.partition_point(|(time, ..)| *time <= limit).max(overflow);
        let samples: Vec<_> = self.body.waiting.drain(..ready).collect();
        self.body.out.dirty |= ready > 0;
        for together in samples.chunk_by(|left, right| left.0 == right.0) {
            self.take(desk, Some(together[0].0), together.iter().map(|(_, line, tqv)| (*line, tqv)));
        }
    }

    /// Takes samples of one instant together, so that no guard sees one new and the other old. Their event time is known where
    /// they waited for their turn.
    fn take<'a>(&mut self, desk: &mut Desk, known: Option<Timestamp>, samples: impl Iterator<Item = (usize, &'a Tqv)>) {
        let mut reached = None;
        for (place, tqv) in samples {
            if self.body.values[place].time.is_some_and(|known| tqv.time < known) {
                continue; // late: it goes to history and moves no state
            }
            if reached.is_none() {
                let instant = known.unwrap_or_else(|| self.body.event_time(tqv.time, desk.now)).max(self.body.seen);
                self.run_timers(desk, instant);
                self.body.be_at(instant);
                reached = Some(instant);
            }
            self.body.learn(place, SlotValue::from(tqv));
            self.body.fresh.push(place);
        }
        let Some(instant) = reached else { return };
        self.body.uncover(desk);
        self.body.follow_design(desk, true);
        if self.body.leaf.is_some() {
            self.dispatch(desk, Dispatch::Input(Trigger::Samples));
        }
        self.body.follow_design(desk, false);
        self.follow_changes(desk);
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

    /// Goes back with the caller's time.
    pub fn clock_went_back(&mut self, desk: &mut Desk, back: Duration) {
        // What waits to be put in order could not be compared with what comes from now on.
        self.release(desk, Timestamp::MAX);
        // What it has seen may be older than the jump: then it is nothing of the future.
        if self.body.seen > desk.now {
            self.body.go_back(back);
        }
        self.body.caller_goes_back(back, desk.now);
        for position in 0..self.body.commands.len() {
            // An end may set off rules that forget old commands.
            let Some(life) = self.body.commands.get_mut(position) else { break };
            life.command.deadline = life.command.deadline.min(desk.now);
            if life.state() == CommandState::Requested && life.tell(Told::Late) {
                life.reason = "the clock went back before it was sent".into();
                self.command_ended(desk, position, Value::Null);
            }
        }
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
            let Some(life) = self.body.commands.get_mut(position) else { break };
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
        let event = body.first_due().into_iter().chain(waiting).chain(body.alarm.due()).min();
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
        let before = self.body.seen;
        self.body.be_at(instant);
        let done = self.hand(desk, verb, hand, note);
        if done.is_err() {
            // Nothing happened, nothing is kept of it: late samples still count from where they did.
            (self.body.seen, self.body.instant) = (before, before);
        }
        done.map_err(|reason| OperatorRefusal::NotNow(reason.into()))
    }

    fn hand(&mut self, desk: &mut Desk, verb: AlarmVerb, hand: &Hand, note: &str) -> Result<(), &'static str> {
        let body = &mut self.body;
        if let Some(moved) = body.alarm.handle(body.instant, verb, hand)? {
            body.alarm_changed(desk, moved, verb, hand, note, Explanation::default());
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
            CommandState::Failed | CommandState::Unknown | CommandState::Expired => body.escalate(desk, position),
            CommandState::Requested | CommandState::Sent | CommandState::Refused | CommandState::DryRun => {}
        }
        self.follow_changes(desk);
    }

    /// Lets the timers go off that are due, each at its deadline.
    fn run_timers(&mut self, desk: &mut Desk, limit: Timestamp) {
        for _ in 0..MOST_FIRINGS {
            let next = self.body.next_timer(limit);
            let other = next.as_ref().map(|(due, _)| *due);
            // At one instant the alarm comes first: rules may ask for what it says.
            if self.body.alarm.due().is_some_and(|due| other.is_none_or(|other| due <= other))
                && self.run_alarm(desk, other.map_or(limit, |other| other.min(limit)))
            {
                continue;
            }
            let Some((due, timer)) = next else { return };
            self.body.be_at(due);
            self.dispatch(desk, timer);
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

/// How far a device's clock is behind the caller's, in nanoseconds, by a sample that comes now; 0 while they agree.
pub(crate) fn lag(time: Timestamp, now: Timestamp) -> i64 {
    let behind = now.as_nanos().saturating_sub(time.as_nanos());
    if behind.unsigned_abs() <= CLOCKS_AGREE { 0 } else { behind }
}

/// Moves an instant by signed nanoseconds; saturates.
fn shift(time: Timestamp, nanos: i64) -> Timestamp {
    Timestamp::from_nanos(time.as_nanos().saturating_add(nanos))
}

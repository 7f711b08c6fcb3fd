//! The life of an alarm as a statig machine.
//!
//! Source: ANSI/ISA-18.2-2016, figure 3. Raising an acknowledged alarm again annunciates it again: whoever acknowledged the first
//! occurrence has not seen the second. A shelving ends in the state that the process is in, and what was raised meanwhile is
//! unacknowledged.

use andon_models::{
    Timestamp,
    alarm::{AlarmState, AlarmVerb, Priority},
    snapshot::AlarmSnapshot,
};
use statig::prelude::*;
use std::sync::Arc;

/// An alarm with its machine.
pub(crate) struct Alarm {
    machine: StateMachine<Cycle>,
    active: bool,
    priority: Priority,
    since: Option<Timestamp>,
    message: Arc<str>,
    response: Arc<str>,
    acknowledged_by: Arc<str>,
    acknowledged_at: Option<Timestamp>,
    shelved_until: Option<Timestamp>,
}

/// What an operator's hand adds to a verb.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hand {
    pub by: Arc<str>,
    pub until: Option<Timestamp>,
}

/// From which state to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    pub from: AlarmState,
    pub to: AlarmState,
}

#[derive(Debug, Default)]
struct Cycle;

/// What the machine is told.
#[derive(Clone, Copy, Debug)]
enum Told {
    Verb(AlarmVerb),
    /// Go to where it stood before a restart.
    Stand(AlarmState),
}

/// What the machine sees and says.
#[derive(Debug)]
struct Talk {
    active: bool,
    refused: Option<&'static str>,
}

#[state_machine(initial = "State::normal()", state(derive(Debug, Clone, Copy, PartialEq, Eq)), superstate(derive(Debug)))]
impl Cycle {
    #[state(superstate = "in_service")]
    fn normal(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Raise) => Transition(State::unacknowledged()),
            Told::Verb(AlarmVerb::Acknowledge) => context.refuse("the alarm is not active, so there is nothing to acknowledge"),
            _ => Super,
        }
    }

    #[state(superstate = "in_service")]
    fn unacknowledged(event: &Told) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Acknowledge) => Transition(State::acknowledged()),
            Told::Verb(AlarmVerb::Clear) => Transition(State::returned_unacknowledged()),
            _ => Super,
        }
    }

    #[state(superstate = "in_service")]
    fn acknowledged(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Raise) => Transition(State::unacknowledged()),
            Told::Verb(AlarmVerb::Clear) => Transition(State::normal()),
            Told::Verb(AlarmVerb::Acknowledge) => context.refuse("the alarm is acknowledged already"),
            _ => Super,
        }
    }

    #[state(superstate = "in_service")]
    fn returned_unacknowledged(event: &Told) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Raise) => Transition(State::unacknowledged()),
            Told::Verb(AlarmVerb::Acknowledge) => Transition(State::normal()),
            _ => Super,
        }
    }

    /// Everything an operator sees in the list.
    #[superstate(superstate = "known")]
    fn in_service(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Shelve) => Transition(State::shelved()),
            Told::Verb(AlarmVerb::Unshelve) => context.refuse("the alarm is not shelved"),
            _ => Super,
        }
    }

    #[state(superstate = "hidden")]
    fn shelved(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Unshelve) if context.active => Transition(State::unacknowledged()),
            Told::Verb(AlarmVerb::Unshelve) => Transition(State::normal()),
            Told::Verb(AlarmVerb::Acknowledge) => context.refuse("the alarm is shelved; end the shelving first"),
            Told::Verb(AlarmVerb::Shelve) => Transition(State::shelved()),
            _ => Super,
        }
    }

    #[state(superstate = "hidden")]
    fn suppressed(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Acknowledge | AlarmVerb::Shelve | AlarmVerb::Unshelve) => {
                context.refuse("the alarm is suppressed by design")
            }
            _ => Super,
        }
    }

    #[state(superstate = "hidden")]
    fn out_of_service(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Acknowledge | AlarmVerb::Shelve | AlarmVerb::Unshelve) => {
                context.refuse("the alarm is out of service")
            }
            _ => Super,
        }
    }

    /// The process comes and goes underneath, unseen.
    #[superstate(superstate = "known")]
    fn hidden(event: &Told) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Raise | AlarmVerb::Clear) => Handled,
            _ => Super,
        }
    }

    #[superstate]
    fn known(event: &Told) -> Outcome<State> {
        match event {
            Told::Stand(state) => Transition(State::of(*state)),
            Told::Verb(_) => Handled,
        }
    }
}

impl State {
    fn of(state: AlarmState) -> Self {
        match state {
            AlarmState::Normal => Self::normal(),
            AlarmState::Unacknowledged => Self::unacknowledged(),
            AlarmState::Acknowledged => Self::acknowledged(),
            AlarmState::ReturnedUnacknowledged => Self::returned_unacknowledged(),
            AlarmState::Shelved => Self::shelved(),
            AlarmState::Suppressed => Self::suppressed(),
            AlarmState::OutOfService => Self::out_of_service(),
        }
    }
}

impl Talk {
    fn refuse(&mut self, reason: &'static str) -> Outcome<State> {
        self.refused = Some(reason);
        Handled
    }
}

impl Alarm {
    /// A normal alarm.
    pub fn new(priority: Priority, response: Arc<str>) -> Self {
        Self {
            machine: Cycle.state_machine(),
            active: false,
            priority,
            since: None,
            message: "".into(),
            response,
            acknowledged_by: "".into(),
            acknowledged_at: None,
            shelved_until: None,
        }
    }

    /// An alarm as it stood; priority and response are the model's, which may have been edited since.
    pub fn restore(snapshot: AlarmSnapshot, priority: Priority, response: Arc<str>) -> Self {
        let mut alarm = Self {
            active: snapshot.active,
            since: snapshot.since,
            message: snapshot.message,
            acknowledged_by: snapshot.acknowledged_by,
            acknowledged_at: snapshot.acknowledged_at,
            shelved_until: snapshot.shelved_until,
            ..Self::new(priority, response)
        };
        let _ = alarm
            .tell(Told::Stand(snapshot.state))
            .map_err(|refused| debug_assert!(false, "standing is never refused: {refused}"));
        alarm
    }

    /// What is stored and shown.
    pub fn snapshot(&self) -> AlarmSnapshot {
        AlarmSnapshot {
            state: self.state(),
            active: self.active,
            priority: self.priority,
            since: self.since,
            message: self.message.clone(),
            response: self.response.clone(),
            acknowledged_by: self.acknowledged_by.clone(),
            acknowledged_at: self.acknowledged_at,
            shelved_until: self.shelved_until,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> AlarmState {
        match self.machine.state() {
            State::Normal {} => AlarmState::Normal,
            State::Unacknowledged {} => AlarmState::Unacknowledged,
            State::Acknowledged {} => AlarmState::Acknowledged,
            State::ReturnedUnacknowledged {} => AlarmState::ReturnedUnacknowledged,
            State::Shelved {} => AlarmState::Shelved,
            State::Suppressed {} => AlarmState::Suppressed,
            State::OutOfService {} => AlarmState::OutOfService,
        }
    }

    /// When a shelving ends.
    pub fn shelved_until(&self) -> Option<Timestamp> {
        self.shelved_until
    }

    /// When it was raised last.
    pub fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// Its message as of the last raise.
    pub fn message(&self) -> Arc<str> {
        self.message.clone()
    }

    /// The condition came. Says how the alarm moved, if it did.
    pub fn raise(&mut self, now: Timestamp, message: Arc<str>) -> Option<Moved> {
        if !self.active || self.state() != AlarmState::Unacknowledged {
            self.since = Some(now);
            self.message = message;
        }
        self.active = true;
        let moved = self.tell(Told::Verb(AlarmVerb::Raise)).ok().flatten();
        if moved.is_some() {
            self.acknowledged_by = "".into();
            self.acknowledged_at = None;
        }
        moved
    }

    /// The condition went.
    pub fn clear(&mut self) -> Option<Moved> {
        self.active = false;
        self.tell(Told::Verb(AlarmVerb::Clear)).ok().flatten()
    }

    /// What a person, or the end of a shelving, does.
    ///
    /// # Errors
    /// The reason why it cannot be done now.
    pub fn handle(&mut self, now: Timestamp, verb: AlarmVerb, hand: &Hand) -> Result<Option<Moved>, &'static str> {
        let moved = self.tell(Told::Verb(verb))?;
        match verb {
            AlarmVerb::Acknowledge => {
                self.acknowledged_by = hand.by.clone();
                self.acknowledged_at = Some(now);
            }
            AlarmVerb::Shelve => self.shelved_until = hand.until,
            AlarmVerb::Unshelve => {
                self.shelved_until = None;
                self.acknowledged_by = "".into();
                self.acknowledged_at = None;
            }
            AlarmVerb::Raise | AlarmVerb::Clear => {}
        }
        // Shelving a shelved alarm changes its end though not its state: that is a change too.
        let here = self.state();
        Ok(moved.or_else(|| (verb == AlarmVerb::Shelve).then_some(Moved { from: here, to: here })))
    }

    fn tell(&mut self, told: Told) -> Result<Option<Moved>, &'static str> {
        let from = self.state();
        let mut talk = Talk { active: self.active, refused: None };
        self.machine.handle_with_context(&told, &mut talk);
        let to = self.state();
        match talk.refused {
            Some(reason) => Err(reason),
            None => Ok((from != to).then_some(Moved { from, to })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs verbs written as letters: raise, clear, ack, Shelve, unshelve (`u`); gives the states passed.
    fn run(verbs: &str) -> String {
        let mut alarm = Alarm::new(Priority::High, "call".into());
        let now = Timestamp::from_seconds(1);
        let mut states = Vec::new();
        for verb in verbs.chars() {
            let hand = Hand { by: "kim".into(), until: Some(Timestamp::from_seconds(60)) };
            let refused = match verb {
                'r' => alarm.raise(now, "hot".into()).is_none().then_some("-"),
                'c' => alarm.clear().is_none().then_some("-"),
                'a' => alarm.handle(now, AlarmVerb::Acknowledge, &hand).err().map(|_| "!"),
                'S' => alarm.handle(now, AlarmVerb::Shelve, &hand).err().map(|_| "!"),
                'u' => alarm.handle(now, AlarmVerb::Unshelve, &hand).err().map(|_| "!"),
                other => panic!("no verb {other}"),
            };
            alarm = Alarm::restore(alarm.snapshot(), Priority::High, "call".into());
            let short = match alarm.state() {
                AlarmState::Normal => "A",
                AlarmState::Unacknowledged => "B",
                AlarmState::Acknowledged => "C",
                AlarmState::ReturnedUnacknowledged => "D",
                AlarmState::Shelved => "G",
                AlarmState::Suppressed => "H",
                AlarmState::OutOfService => "I",
            };
            states.push(format!("{short}{}", refused.unwrap_or("")));
        }
        states.join(" ")
    }

    #[test]
    fn states_of_figure_3() {
        assert_eq!(run("rac"), "B C A");
        assert_eq!(run("rca"), "B D A");
        assert_eq!(run("rcrac"), "B D B C A");
        assert_eq!(run("rar"), "B C B");
        assert_eq!(run("rr"), "B B-");
        assert_eq!(run("ca"), "A- A!");
        assert_eq!(run("raa"), "B C C!");
    }

    #[test]
    fn a_shelved_alarm_follows_the_process_unseen() {
        assert_eq!(run("rSu"), "B G B");
        assert_eq!(run("raSu"), "B C G B");
        assert_eq!(run("rScu"), "B G G- A");
        assert_eq!(run("Sru"), "G G- B");
        assert_eq!(run("Sa"), "G G!");
        assert_eq!(run("u"), "A!");
        assert_eq!(run("SSu"), "G G A");
    }
}

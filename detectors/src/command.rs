//! The life of one write, as a statig machine: requested, sent, then verified, failed or unknown.
//!
//! A refused or expired command never reached a device. The truth may come late: an outcome is taken also after the engine gave
//! up waiting, and an unknown command may be cleared up by reading back after a restart.

use andon_models::{
    Timestamp,
    command::{Command, CommandOutcome, CommandState},
    snapshot::CommandSnapshot,
};
use statig::prelude::*;
use std::{sync::Arc, time::Duration};

/// How long after its decision a command may still be sent. Longer, and the plant is no longer the one it was decided for.
pub(crate) const SEND_WITHIN: Duration = Duration::from_secs(10);

/// How long the read-back may take where the plant file does not say.
pub(crate) const DEFAULT_VERIFY: Duration = Duration::from_secs(2);

/// How long after deadline and read-back a sent command without an outcome becomes unknown: the connection's own time-outs come first.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);

/// A command with its machine.
pub(crate) struct CommandLife {
    pub command: Command,
    machine: StateMachine<Cycle>,
    pub reason: Arc<str>,
}

#[derive(Debug, Default)]
struct Cycle;

/// What the machine is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    /// It was handed to the connection.
    Sent,
    /// The connection's final word.
    Outcome(CommandState),
    /// Its deadline passed.
    Late,
    /// Go to where it stood before a restart, or where policy put it.
    Stand(CommandState),
}

#[state_machine(initial = "State::requested()", state(derive(Debug, Clone, Copy, PartialEq, Eq)), superstate(derive(Debug)))]
impl Cycle {
    #[state(superstate = "open")]
    fn requested(event: &Told) -> Outcome<State> {
        match event {
            Told::Sent => Transition(State::sent()),
            Told::Late => Transition(State::expired()),
            _ => Super,
        }
    }

    #[state(superstate = "open")]
    fn sent(event: &Told) -> Outcome<State> {
        match event {
            Told::Late => Transition(State::unknown()),
            _ => Super,
        }
    }

    #[state(superstate = "open")]
    fn unknown(event: &Told) -> Outcome<State> {
        match event {
            Told::Outcome(CommandState::Unknown) => Handled,
            _ => Super,
        }
    }

    #[state(superstate = "open")]
    fn expired(event: &Told) -> Outcome<State> {
        match event {
            Told::Sent => Transition(State::sent()),
            Told::Outcome(CommandState::Expired) => Handled,
            _ => Super,
        }
    }

    /// The device may still have the last word.
    #[superstate(superstate = "any")]
    fn open(event: &Told) -> Outcome<State> {
        match event {
            Told::Outcome(state) if state.is_final() => Transition(State::of(*state)),
            _ => Super,
        }
    }

    #[state(superstate = "any")]
    fn verified() -> Outcome<State> {
        Super
    }

    #[state(superstate = "any")]
    fn failed() -> Outcome<State> {
        Super
    }

    #[state(superstate = "any")]
    fn refused() -> Outcome<State> {
        Super
    }

    #[state(superstate = "any")]
    fn dry_run() -> Outcome<State> {
        Super
    }

    #[superstate]
    fn any(event: &Told) -> Outcome<State> {
        match event {
            Told::Stand(state) => Transition(State::of(*state)),
            _ => Handled,
        }
    }
}

impl State {
    fn of(state: CommandState) -> Self {
        match state {
            CommandState::Requested => Self::requested(),
            CommandState::Sent => Self::sent(),
            CommandState::Verified => Self::verified(),
            CommandState::Failed => Self::failed(),
            CommandState::Unknown => Self::unknown(),
            CommandState::Refused => Self::refused(),
            CommandState::Expired => Self::expired(),
            CommandState::DryRun => Self::dry_run(),
        }
    }
}

impl CommandLife {
    /// A command that was just decided.
    pub fn new(command: Command) -> Self {
        Self { command, machine: Cycle.state_machine(), reason: "".into() }
    }

    /// A command that is not sent: a rule forbade it, or it is only pretended.
    pub fn unsent(command: Command, state: CommandState, reason: Arc<str>) -> Self {
        Self::restore(CommandSnapshot { command, state, reason })
    }

    /// A command as it stood.
    pub fn restore(snapshot: CommandSnapshot) -> Self {
        let mut life = Self::new(snapshot.command);
        life.reason = snapshot.reason;
        life.tell(Told::Stand(snapshot.state));
        life
    }

    /// What is stored and shown.
    pub fn snapshot(&self) -> CommandSnapshot {
        CommandSnapshot { command: self.command.clone(), state: self.state(), reason: self.reason.clone() }
    }

    /// Where it stands.
    pub fn state(&self) -> CommandState {
        match self.machine.state() {
            State::Requested {} => CommandState::Requested,
            State::Sent {} => CommandState::Sent,
            State::Verified {} => CommandState::Verified,
            State::Failed {} => CommandState::Failed,
            State::Unknown {} => CommandState::Unknown,
            State::Refused {} => CommandState::Refused,
            State::Expired {} => CommandState::Expired,
            State::DryRun {} => CommandState::DryRun,
        }
    }

    /// When waiting for it ends: its deadline, or the time by which a sent one must have an outcome.
    pub fn due(&self) -> Option<Timestamp> {
        match self.state() {
            CommandState::Requested => Some(self.command.deadline),
            CommandState::Sent => Some(self.command.deadline + self.command.verify + GIVE_UP_AFTER),
            _ => None,
        }
    }

    /// Whether it moved.
    pub fn tell(&mut self, told: Told) -> bool {
        let from = self.state();
        self.machine.handle(&told);
        from != self.state()
    }

    /// Takes the connection's final word. Whether it moved.
    pub fn finish(&mut self, outcome: &CommandOutcome) -> bool {
        let moved = self.tell(Told::Outcome(outcome.state));
        if moved {
            self.reason = outcome.reason.clone();
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CommandState::*;

    fn after(told: &[Told]) -> CommandState {
        let mut life = CommandLife::new(crate::testing::command());
        for told in told {
            life.tell(*told);
            life = CommandLife::restore(life.snapshot());
        }
        life.state()
    }

    #[test]
    fn every_command_ends_in_a_word() {
        assert_eq!(after(&[]), Requested);
        assert_eq!(after(&[Told::Sent]), Sent);
        for end in [Verified, Failed, Unknown, Refused, Expired, DryRun] {
            assert_eq!(after(&[Told::Sent, Told::Outcome(end)]), end);
            assert_eq!(after(&[Told::Outcome(end)]), end, "an outcome may overtake the note that it was sent");
        }
        assert_eq!(after(&[Told::Late]), Expired);
        assert_eq!(after(&[Told::Sent, Told::Late]), Unknown);
    }

    #[test]
    fn a_final_word_stays_but_doubt_may_be_cleared_up() {
        assert_eq!(after(&[Told::Sent, Told::Outcome(Verified), Told::Outcome(Failed), Told::Late, Told::Sent]), Verified);
        assert_eq!(after(&[Told::Sent, Told::Outcome(Unknown), Told::Outcome(Verified)]), Verified);
        assert_eq!(after(&[Told::Late, Told::Outcome(Verified)]), Verified);
        assert_eq!(after(&[Told::Sent, Told::Outcome(Requested)]), Sent, "not an end");
    }
}

//! The states of an alarm as a statig machine, and what each verb does in each of them.
//!
//! Source: ANSI/ISA-18.2-2016, figure 3. A hidden alarm follows its process unseen; what ends the hiding shows it as the process is.
//! Where AWS IoT Events differs ([`LifeCycle::IotEvents`]), it is said at the state.

use andon_models::alarm::{AlarmState, AlarmVerb, LifeCycle};
use statig::prelude::*;

#[derive(Debug, Default)]
pub(super) struct Cycle;

/// What the machine is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    Verb(AlarmVerb),
    /// Go to where it stood before a restart.
    Stand(AlarmState),
}

/// What the machine sees and says.
#[derive(Debug)]
pub(super) struct Talk {
    /// Whether the condition is there.
    pub active: bool,
    /// Whether it stays after the condition went.
    pub latched: bool,
    /// Whether anything suppresses it.
    pub suppressed: bool,
    /// Whether the plant does, as long as it stands so.
    pub by_design: bool,
    /// Whether somebody has to acknowledge it.
    pub acknowledge: bool,
    pub life_cycle: LifeCycle,
    pub refused: Option<&'static str>,
}

#[state_machine(initial = "State::normal()", state(derive(Debug, Clone, Copy, PartialEq, Eq)), superstate(derive(Debug)))]
impl Cycle {
    #[state(superstate = "in_service")]
    fn normal(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Raise) => Transition(context.annunciated()),
            Told::Verb(AlarmVerb::Acknowledge) => context.refuse("the alarm is not active, so there is nothing to acknowledge"),
            Told::Verb(AlarmVerb::Reset) if context.is_isa() => {
                context.refuse("the alarm is normal, so there is nothing to reset")
            }
            _ => Super,
        }
    }

    #[state(superstate = "in_service")]
    fn unacknowledged(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Acknowledge) => Transition(State::acknowledged()),
            Told::Verb(AlarmVerb::Clear) if context.latched => Transition(State::latched_unacknowledged()),
            Told::Verb(AlarmVerb::Clear) if context.acknowledge => Transition(State::returned_unacknowledged()),
            Told::Verb(AlarmVerb::Clear) => Transition(State::normal()),
            Told::Verb(AlarmVerb::Reset) if context.is_isa() => context.refuse("its condition still stands; acknowledge it"),
            _ => Super,
        }
    }

    /// IoT Events evaluates its rule with every message; a rule that still holds is no new occurrence there.
    #[state(superstate = "in_service")]
    fn acknowledged(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Raise) if context.is_isa() && context.acknowledge => Transition(State::unacknowledged()),
            Told::Verb(AlarmVerb::ReAlarm) if context.acknowledge => Transition(State::unacknowledged()),
            Told::Verb(AlarmVerb::Clear) if context.latched => Transition(State::latched_acknowledged()),
            Told::Verb(AlarmVerb::Clear) => Transition(State::normal()),
            Told::Verb(AlarmVerb::Acknowledge) if !context.acknowledge => context.refuse("this alarm needs no acknowledgement"),
            Told::Verb(AlarmVerb::Acknowledge) => context.refuse("the alarm is acknowledged already"),
            Told::Verb(AlarmVerb::Reset) if context.is_isa() => context.refuse("its condition still stands"),
            _ => Super,
        }
    }

    /// IoT Events calls it LATCHED.
    #[state(superstate = "in_service")]
    fn returned_unacknowledged(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Raise) => Transition(context.annunciated()),
            Told::Verb(AlarmVerb::Acknowledge) => Transition(State::normal()),
            Told::Verb(AlarmVerb::Reset) if context.is_isa() => context.refuse("the alarm is not latched; acknowledge it"),
            _ => Super,
        }
    }

    #[state(superstate = "in_service")]
    fn latched_unacknowledged(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Raise) => Transition(context.annunciated()),
            Told::Verb(AlarmVerb::Acknowledge) => Transition(State::latched_acknowledged()),
            Told::Verb(AlarmVerb::Reset) if context.is_isa() => context.refuse("acknowledge it before it is reset"),
            _ => Super,
        }
    }

    #[state(superstate = "in_service")]
    fn latched_acknowledged(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Raise) => Transition(context.annunciated()),
            Told::Verb(AlarmVerb::Acknowledge) => context.refuse("the alarm is acknowledged already; reset it"),
            Told::Verb(AlarmVerb::Reset) => Transition(State::normal()),
            _ => Super,
        }
    }

    /// Everything an operator sees in the list. Of the resets, only those that their state has not refused come here.
    #[superstate(superstate = "known")]
    fn in_service(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Reset) => Transition(State::normal()),
            Told::Verb(AlarmVerb::Shelve) => Transition(State::shelved()),
            Told::Verb(AlarmVerb::Unshelve) => context.refuse("the alarm is not shelved"),
            Told::Verb(AlarmVerb::Suppress) => Transition(State::suppressed()),
            Told::Verb(AlarmVerb::Unsuppress) => context.refuse("the alarm is not suppressed"),
            Told::Verb(AlarmVerb::ReturnToService) => context.refuse("the alarm is in service"),
            _ => Super,
        }
    }

    #[state(superstate = "hidden")]
    fn shelved(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Unshelve) => Transition(context.uncovered()),
            Told::Verb(AlarmVerb::Reset) if !context.is_isa() => Transition(State::normal()),
            Told::Verb(AlarmVerb::Acknowledge | AlarmVerb::Reset) => {
                context.refuse("the alarm is shelved; end the shelving first")
            }
            Told::Verb(AlarmVerb::Shelve) => Transition(State::shelved()),
            _ => Super,
        }
    }

    #[state(superstate = "hidden")]
    fn suppressed(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Unsuppress) => Transition(context.uncovered()),
            Told::Verb(AlarmVerb::Acknowledge | AlarmVerb::Shelve | AlarmVerb::Unshelve | AlarmVerb::Reset) => {
                context.refuse(match context.by_design {
                    true => "the alarm is suppressed by design",
                    false => "the alarm is suppressed by hand; end the suppression first",
                })
            }
            _ => Super,
        }
    }

    #[state(superstate = "hidden")]
    fn out_of_service(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::ReturnToService) => Transition(context.uncovered()),
            Told::Verb(AlarmVerb::RemoveFromService) => context.refuse("the alarm is out of service already"),
            Told::Verb(AlarmVerb::Acknowledge | AlarmVerb::Shelve | AlarmVerb::Unshelve | AlarmVerb::Reset) => {
                context.refuse("the alarm is out of service")
            }
            _ => Super,
        }
    }

    /// The process comes and goes underneath, unseen; so does a suppression.
    #[superstate(superstate = "known")]
    fn hidden(event: &Told, context: &mut Talk) -> Outcome<State> {
        match event {
            Told::Verb(AlarmVerb::Raise | AlarmVerb::Clear | AlarmVerb::Suppress | AlarmVerb::Unsuppress) => Handled,
            Told::Verb(AlarmVerb::ReturnToService) => context.refuse("the alarm is in service"),
            _ => Super,
        }
    }

    #[superstate]
    fn known(event: &Told) -> Outcome<State> {
        match event {
            Told::Stand(state) => Transition(State::of(*state)),
            Told::Verb(AlarmVerb::RemoveFromService) => Transition(State::out_of_service()),
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
            AlarmState::LatchedUnacknowledged => Self::latched_unacknowledged(),
            AlarmState::LatchedAcknowledged => Self::latched_acknowledged(),
            AlarmState::Shelved => Self::shelved(),
            AlarmState::Suppressed => Self::suppressed(),
            AlarmState::OutOfService => Self::out_of_service(),
        }
    }

    pub(super) fn named(&self) -> AlarmState {
        match self {
            Self::Normal {} => AlarmState::Normal,
            Self::Unacknowledged {} => AlarmState::Unacknowledged,
            Self::Acknowledged {} => AlarmState::Acknowledged,
            Self::ReturnedUnacknowledged {} => AlarmState::ReturnedUnacknowledged,
            Self::LatchedUnacknowledged {} => AlarmState::LatchedUnacknowledged,
            Self::LatchedAcknowledged {} => AlarmState::LatchedAcknowledged,
            Self::Shelved {} => AlarmState::Shelved,
            Self::Suppressed {} => AlarmState::Suppressed,
            Self::OutOfService {} => AlarmState::OutOfService,
        }
    }
}

impl Talk {
    fn refuse(&mut self, reason: &'static str) -> Outcome<State> {
        self.refused = Some(reason);
        Handled
    }

    fn is_isa(&self) -> bool {
        self.life_cycle == LifeCycle::Isa
    }

    /// An alarm that needs no acknowledgement is acknowledged from the start (ISA-18.2, 5.5).
    fn annunciated(&self) -> State {
        if self.acknowledge { State::unacknowledged() } else { State::acknowledged() }
    }

    /// Where it stands when nothing hides it any more. IoT Events waits there for its rule's next evaluation.
    fn uncovered(&self) -> State {
        if self.suppressed {
            State::suppressed()
        } else if self.is_isa() && self.active {
            self.annunciated()
        } else if self.is_isa() && self.latched {
            State::latched_unacknowledged()
        } else {
            State::normal()
        }
    }
}

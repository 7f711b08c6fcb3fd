//! What one evaluation of an instance came to.

use super::{instance::Body, payload::Content};
use andon_models::{
    Timestamp, Value,
    event::Explanation,
    iot_events::{ActionKind, Formula},
};
use std::sync::Arc;

/// What set an evaluation off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A message.
    Message {
        /// The input's name.
        input: Arc<str>,
        /// The message's id; the same message has the same id.
        id: Arc<str>,
    },
    /// A timer, by name.
    Timer(Arc<str>),
}

/// When in an evaluation an action acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// An event of the active state.
    OnInput,
    /// The transition that is taken.
    Transition,
    /// The old state is left.
    OnExit,
    /// The new state is entered.
    OnEnter,
}

impl Moment {
    /// As written in a line: `onInput`, `transition`, `onExit`, `onEnter`.
    pub fn name(self) -> &'static str {
        match self {
            Self::OnInput => "onInput",
            Self::Transition => "transition",
            Self::OnExit => "onExit",
            Self::OnEnter => "onEnter",
        }
    }
}

/// An action that was done, or is to be done in the world.
#[derive(Clone, Debug, PartialEq)]
pub struct Performed {
    /// When.
    pub at: Moment,
    /// The event it belongs to.
    pub event: Arc<str>,
    /// The kind.
    pub kind: ActionKind,
    /// Its fields, evaluated; inner members after a dot.
    pub fields: Vec<(&'static str, serde_json::Value)>,
    /// What it sends; none for what sends nothing.
    pub payload: Option<Content>,
}

/// Something that could not be evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// When.
    pub at: Moment,
    /// The event it belongs to.
    pub event: Arc<str>,
    /// The action that was not done; none for a condition, which counts as false.
    pub action: Option<ActionKind>,
    /// The field, `payload` or `condition`.
    pub field: &'static str,
    /// As written.
    pub text: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
}

/// A condition and its result, for a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The event.
    pub event: Arc<str>,
    /// The state it belongs to; a group's event names the group.
    pub state: Arc<str>,
    /// When.
    pub at: Moment,
    /// The result; none if it was skipped, because an earlier transition is taken.
    pub result: Option<bool>,
    /// The condition with its outcome, in words.
    pub details: String,
}

/// The life of an instance as an evaluation found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It was just created.
    Created,
    /// It was there.
    Running,
}

/// Everything gathered while an evaluation runs.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub performed: Vec<Performed>,
    pub failures: Vec<Failure>,
    pub conditions: Vec<Condition>,
    /// Why it moved, if that was asked for.
    pub explanation: Option<Explanation>,
    /// Events of a BATCH group that hold and wait until all conditions are evaluated; kept to save allocations.
    pub holding: Vec<(u32, u32)>,
    pub trace: bool,
    pub explain: bool,
}

impl Run {
    pub fn clear(&mut self) {
        self.performed.clear();
        self.failures.clear();
        self.conditions.clear();
        self.explanation = None;
    }

    pub fn fail(
        &mut self,
        at: Moment,
        event: &Arc<str>,
        action: Option<ActionKind>,
        field: &'static str,
        formula: &Formula,
        reason: Arc<str>,
    ) {
        let failure = Failure { at, event: event.clone(), action, field, text: formula.text.clone(), reason };
        self.failures.push(failure);
    }
}

/// One evaluation of one instance. Borrowed: whoever keeps something copies it.
#[derive(Clone, Copy, Debug)]
pub struct Evaluation<'e> {
    /// When: the message's time, or the timer's deadline.
    pub time: Timestamp,
    /// What set it off.
    pub trigger: &'e Trigger,
    /// The state before; none when the instance was just created.
    pub from: Option<&'e Arc<str>>,
    pub(super) body: &'e Body,
    pub(super) run: &'e Run,
}

impl<'e> Evaluation<'e> {
    /// The instance's key; none for a model without one.
    pub fn key(&self) -> Option<&'e Arc<str>> {
        self.body.key.as_ref()
    }

    /// The state it is in now.
    pub fn state(&self) -> Arc<str> {
        self.body.state()
    }

    /// Variables that are set, by name.
    pub fn variables(&self) -> impl Iterator<Item = (&'e Arc<str>, &'e Value)> {
        self.body.set_variables()
    }

    /// Timers that run, by name, with their deadlines.
    pub fn timers(&self) -> impl Iterator<Item = (&'e Arc<str>, Timestamp)> {
        self.body.running_timers()
    }

    /// What was done, in order.
    pub fn actions(&self) -> &'e [Performed] {
        &self.run.performed
    }

    /// What could not be evaluated, in order.
    pub fn failures(&self) -> &'e [Failure] {
        &self.run.failures
    }

    /// Every condition with its result; empty unless the engine traces.
    pub fn conditions(&self) -> &'e [Condition] {
        &self.run.conditions
    }

    /// Why it moved; none if it did not, or the engine does not explain.
    pub fn explanation(&self) -> Option<&'e Explanation> {
        self.run.explanation.as_ref()
    }

    /// Whether the instance was there before.
    pub fn life(&self) -> Life {
        if self.from.is_some() { Life::Running } else { Life::Created }
    }
}

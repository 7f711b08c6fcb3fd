//! A checked detector model: every name known, every expression parsed.

use super::{
    alarm::MessageAlarm,
    formula::Formula,
    json_path::JsonPath,
    shape::{ActionKind, ActionShape},
};
use crate::detector::{Evaluation, StateIndex};
use std::sync::Arc;

/// A detector model in the terms of IoT Events, whose states may also nest.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorModel {
    /// Its name.
    pub name: Arc<str>,
    /// What it is for; empty if nothing is said.
    pub description: Arc<str>,
    /// Where a message says which instance it is for; none for one instance of all messages.
    pub key: Option<JsonPath>,
    /// Whether conditions see variables from before their group, or each assignment at once.
    pub evaluation: Evaluation,
    /// All states, groups before what lies in them. At most [`crate::detector::MAX_STATES`].
    pub states: Vec<State>,
    /// The leaf where an instance starts.
    pub initial: StateIndex,
    /// What makes it an alarm; none for any other detector.
    pub alarm: Option<MessageAlarm>,
}

/// A state, or a group of states.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Its name, unique in the model.
    pub name: Arc<str>,
    /// The group it lies in; models from AWS have none.
    pub parent: Option<StateIndex>,
    /// For a group: the state entered with it.
    pub initial: Option<StateIndex>,
    /// Evaluated when it is entered.
    pub on_enter: Vec<Event>,
    /// Evaluated at each message and timer while it is active; those of the groups around follow.
    pub on_input: Vec<Event>,
    /// Tried in order after the events; the first that holds wins; those of the groups around follow.
    pub transitions: Vec<Event>,
    /// Evaluated when it is left.
    pub on_exit: Vec<Event>,
}

/// A condition with actions, and for a transition the next state.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name.
    pub name: Arc<str>,
    /// When it acts; none acts always.
    pub condition: Option<Formula>,
    /// What it does, in order.
    pub actions: Vec<Action>,
    /// Where a transition leads (a leaf, initial groups followed).
    pub next: Option<StateIndex>,
}

/// What an event does: a kind with the fields of its [`ActionShape`].
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// The kind.
    pub kind: ActionKind,
    /// Its fields, in the order of the shape; absent ones are not there.
    pub fields: Vec<Field>,
    /// What it sends; none sends the default payload, where the kind has a payload at all.
    pub payload: Option<Payload>,
}

/// One field of an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name; inner members after a dot.
    pub name: &'static str,
    /// What it holds.
    pub content: Content,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A text taken literally.
    Text(Arc<str>),
    /// A whole number.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// An expression to evaluate.
    Formula(Formula),
}

/// What an action sends.
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    /// Its text.
    pub content: Formula,
    /// Whether it must be JSON.
    pub payload_type: PayloadType,
}

/// The type of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadType {
    /// Any text.
    String,
    /// JSON.
    Json,
}

impl DetectorModel {
    /// A state.
    pub fn state(&self, index: StateIndex) -> &State {
        &self.states[index.0]
    }

    /// The state of a name.
    pub fn state_named(&self, name: &str) -> Option<StateIndex> {
        self.states.iter().position(|state| &*state.name == name).map(StateIndex)
    }

    /// The leaf that entering a state leads to.
    pub fn leaf_of(&self, mut index: StateIndex) -> StateIndex {
        // No deeper than there are states, so that a circle of initials could not hang.
        for _ in 0..self.states.len() {
            match self.states[index.0].initial {
                Some(child) => index = child,
                None => break,
            }
        }
        index
    }

    /// All events of all states.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.states.iter().flat_map(State::events)
    }

    /// All actions of all events.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.events().flat_map(|event| &event.actions)
    }

    /// All expressions.
    pub fn formulas(&self) -> impl Iterator<Item = &Formula> {
        self.events().flat_map(|event| event.condition.iter().chain(event.actions.iter().flat_map(Action::formulas)))
    }
}

impl State {
    /// All its events: entering, inside, transitions, leaving.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.on_enter.iter().chain(&self.on_input).chain(&self.transitions).chain(&self.on_exit)
    }

    /// Whether nothing lies in it.
    pub fn is_leaf(&self) -> bool {
        self.initial.is_none()
    }
}

impl Action {
    /// What its kind requires and allows.
    pub fn shape(&self) -> &'static ActionShape {
        self.kind.shape()
    }

    /// What a field holds.
    pub fn field(&self, name: &str) -> Option<&Content> {
        self.fields.iter().find(|field| field.name == name).map(|field| &field.content)
    }

    /// The text of a literal field; empty if there is none.
    pub fn text(&self, name: &str) -> Arc<str> {
        match self.field(name) {
            Some(Content::Text(text)) => text.clone(),
            _ => Arc::default(),
        }
    }

    /// Its expressions.
    pub fn formulas(&self) -> impl Iterator<Item = &Formula> {
        let fields = self.fields.iter().filter_map(|field| match &field.content {
            Content::Formula(formula) => Some(formula),
            Content::Text(_) | Content::Number(_) | Content::Flag(_) => None,
        });
        fields.chain(self.payload.iter().map(|payload| &payload.content))
    }
}

//! Detector models: the hierarchical state machines a plant engineer writes. `andon-detectors` runs them.

use crate::{
    Value,
    alarm::{AlarmSettings, Priority},
    command::DryRun,
    expression::Expression,
};
use std::{sync::Arc, time::Duration};

/// A hierarchical state machine over an asset's properties.
#[derive(Clone, Debug)]
pub struct DetectorModel {
    /// Its name, unique in its asset model.
    pub name: Arc<str>,
    /// Priority of its alarm.
    pub priority: Priority,
    /// Message of its alarm, with `{property}` filled in.
    pub message: Arc<str>,
    /// What the operator should do; empty if nothing is said.
    pub response: Arc<str>,
    /// How its alarm behaves.
    pub alarm: AlarmSettings,
    /// All states, parents before children. At most [`MAX_STATES`].
    pub states: Vec<State>,
    /// The leaf where an instance starts (initial groups already followed).
    pub initial: StateIndex,
    /// Variables with their first values.
    pub variables: Vec<(Arc<str>, Value)>,
    /// Whether guards see values from before the step, or each action at once.
    pub evaluation: Evaluation,
    /// Late samples within this span are re-ordered.
    pub lateness: Duration,
    /// Whether it only pretends to write.
    pub dry_run: DryRun,
}

/// Most states of one detector model: the slots of its state machine.
pub const MAX_STATES: usize = 256;

/// Position of a state in [`DetectorModel::states`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateIndex(pub usize);

/// What guards see while several rules act in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Evaluation {
    /// Values from before the step.
    #[default]
    Batch,
    /// Each action is visible to the next rule.
    Serial,
}

/// A state or a group of states.
#[derive(Clone, Debug)]
pub struct State {
    /// Its name, unique among its siblings.
    pub name: Arc<str>,
    /// Names from the outermost state, joined by `/`.
    pub path: Arc<str>,
    /// The group it lies in.
    pub parent: Option<StateIndex>,
    /// For a group: the child entered with it.
    pub initial: Option<StateIndex>,
    /// For a group: whether entering it re-enters the last leaf.
    pub history: bool,
    /// Actions when it is entered.
    pub enter: Vec<Action>,
    /// Actions when it is left.
    pub exit: Vec<Action>,
    /// Rules, tried in order.
    pub rules: Vec<Rule>,
}

/// One way on from a state.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The rule as written: `when fill_temp > temp_limit and running`.
    pub text: Arc<str>,
    /// Holds or not; a rule without it holds when its timer is due.
    pub when: Option<Arc<Expression>>,
    /// The guard must hold so long without a break.
    pub hold: Option<Duration>,
    /// What a Bad or stale input does to `hold`.
    pub on_bad: OnBad,
    /// Counts from entering the state.
    pub after: Option<Duration>,
    /// Repeats while in the state.
    pub every: Option<Duration>,
    /// Only this input sets the rule off.
    pub on: Option<Arc<str>>,
    /// The state to go to (a leaf, initial groups followed); none only acts.
    pub to: Option<StateIndex>,
    /// The state as written, possibly a group.
    pub to_written: Option<StateIndex>,
    /// Actions, between exit and entry.
    pub actions: Vec<Action>,
}

/// What a Bad or stale input does to a running `for`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBad {
    /// The time stands still.
    #[default]
    Pause,
    /// The time starts over.
    Reset,
    /// The last good value counts.
    Ignore,
}

/// What a detector asks for.
#[derive(Clone, Debug)]
pub struct Action {
    /// As written: `write stop_request = true`.
    pub text: Arc<str>,
    /// What it does.
    pub kind: ActionKind,
}

/// What an action does.
#[derive(Clone, Debug)]
pub enum ActionKind {
    /// Raises the detector's alarm.
    Raise,
    /// Clears it.
    Clear,
    /// Sends a notification to a target.
    Notify {
        /// The target's name.
        target: Arc<str>,
    },
    /// Writes a control of the asset.
    Write {
        /// The control's name.
        control: Arc<str>,
        /// The value.
        value: Arc<Expression>,
    },
    /// Publishes a message.
    Publish {
        /// The topic.
        topic: Arc<str>,
        /// The payload, with `{name}` filled in.
        payload: Arc<str>,
    },
    /// Sets a variable.
    Set {
        /// The variable.
        variable: Arc<str>,
        /// The value.
        value: Arc<Expression>,
    },
    /// Stores a value as an ordinary sample of a property of the asset.
    Put {
        /// The property.
        property: Arc<str>,
        /// The value.
        value: Arc<Expression>,
    },
    /// Sends an input to another detector of the asset.
    Send {
        /// The detector's name.
        detector: Arc<str>,
    },
    /// Posts to a webhook target.
    Webhook {
        /// The target's name.
        target: Arc<str>,
    },
}

impl DetectorModel {
    /// The state of a path.
    pub fn state_at(&self, path: &str) -> Option<StateIndex> {
        self.states.iter().position(|state| &*state.path == path).map(StateIndex)
    }

    /// A state.
    pub fn state(&self, index: StateIndex) -> &State {
        &self.states[index.0]
    }

    /// Whether a state has no children.
    pub fn is_leaf(&self, index: StateIndex) -> bool {
        self.states[index.0].initial.is_none()
    }
}

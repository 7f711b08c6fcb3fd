//! A user's tree of states as a statig machine.
//!
//! statig tells states apart by the variant of an enum, but a user's tree is known only at run time. So there is one enum of
//! slots for leaves and one for groups: the variant's number is the state's position in the model, its payload the shared node
//! with its parent. Everything changing lives in the context ([`Scene`]), never in the machine. State numbers are never stored;
//! names are.

use crate::{detector::Scene, program::Node};
use statig::{
    Outcome,
    blocking::{IntoStateMachine, State, Superstate},
};
use std::sync::Arc;

/// What is dispatched into a tree.
#[derive(Clone, Debug)]
pub(crate) enum Dispatch {
    /// Enter a state from nowhere: the first one, a restored one, or a group that leaves and enters itself.
    Enter(usize),
    /// Something its rules may listen to happened.
    Input(Trigger),
    /// The timer of a rule is due.
    Due {
        /// The state.
        node: usize,
        /// The rule's position in it.
        rule: usize,
    },
}

/// What may set a rule off.
#[derive(Clone, Debug)]
pub(crate) enum Trigger {
    /// Samples of one instant; [`Body::fresh`](crate::detector::Body::fresh) has their table lines.
    Samples,
    /// Variables or alarm flags changed by an earlier action.
    Changed(Vec<usize>),
    /// Another detector sent an input of this name.
    Message(Arc<str>),
}

/// The machine. It has no data of its own.
#[derive(Debug)]
pub(crate) struct Tree;

macro_rules! slots {
    ($(#[$doc:meta])* $name:ident $(, $between:ident)?) => {
        seq_macro::seq!(N in 0..256 {
            $(#[$doc])*
            #[derive(Clone, Debug)]
            pub(crate) enum $name {
                $(
                /// In no state; inside this group, if any. Where an instance begins, and where it is for a moment while a
                /// group leaves and enters itself.
                $between(Option<Arc<Node>>),
                )?
                #( S~N(Arc<Node>), )*
            }

            impl $name {
                /// The slot of a node.
                pub fn of(node: Arc<Node>) -> Self {
                    match node.id {
                        #( N => Self::S~N(node), )*
                        other => unreachable!("state {other} of {} lies beyond the {} slots that the plant file checks", node.path, andon_models::detector::MAX_STATES),
                    }
                }

                /// The node in it.
                pub fn node(&self) -> Option<&Arc<Node>> {
                    match self {
                        $( Self::$between(_) => None, )?
                        #( Self::S~N(node) => Some(node), )*
                    }
                }
            }
        });
    };
}

slots!(
    /// A state without children.
    Leaf, Between
);
slots!(
    /// A group of states.
    Group
);

impl IntoStateMachine for Tree {
    type Event<'event> = Dispatch;
    type Context<'context> = Scene<'context>;
    type State = Leaf;
    type Superstate<'group> = Group;

    fn initial() -> Leaf {
        Leaf::Between(None)
    }
}

impl State<Tree> for Leaf {
    fn call_handler(&mut self, _: &mut Tree, event: &Dispatch, scene: &mut Scene<'_>) -> Outcome<Self> {
        match (self.node(), event) {
            (Some(node), event) => scene.react(node, event),
            (None, Dispatch::Enter(id)) => Outcome::Transition(scene.leaf_of(*id)),
            (None, _) => Outcome::Handled,
        }
    }

    fn call_entry_action(&mut self, _: &mut Tree, scene: &mut Scene<'_>) {
        match self.node() {
            Some(node) => scene.enter(node),
            None => scene.run_rule_actions(),
        }
    }

    fn call_exit_action(&mut self, _: &mut Tree, scene: &mut Scene<'_>) {
        if let Some(node) = self.node() {
            scene.exit(node);
        }
    }

    fn superstate(&mut self) -> Option<Group> {
        match self {
            Self::Between(group) => group.clone(),
            leaf => leaf.node()?.parent.clone(),
        }
        .map(Group::of)
    }
}

impl Superstate<Tree> for Group {
    fn call_handler(&mut self, _: &mut Tree, event: &Dispatch, scene: &mut Scene<'_>) -> Outcome<Leaf> {
        match (self.node(), event) {
            // An `Enter` bubbles up from between only by mistake; there is nothing to do with it.
            (None, _) | (_, Dispatch::Enter(_)) => Outcome::Handled,
            (Some(node), event) => scene.react(node, event),
        }
    }

    fn call_entry_action(&mut self, _: &mut Tree, scene: &mut Scene<'_>) {
        if let Some(node) = self.node() {
            scene.enter(node);
        }
    }

    fn call_exit_action(&mut self, _: &mut Tree, scene: &mut Scene<'_>) {
        if let Some(node) = self.node() {
            scene.exit(node);
        }
    }

    fn superstate(&mut self) -> Option<Group> {
        self.node()?.parent.clone().map(Group::of)
    }
}

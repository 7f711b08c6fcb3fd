//! A user's tree of states as a statig machine.
//!
//! statig tells states apart by the variant of an enum, but a user's tree is known only at run time. So there is one enum of
//! slots for leaves and one for groups: the variant's number is the state's position in the model, its payload the shared node
//! with its parent. Everything changing lives in the context, never in the machine. State numbers are never stored; names are.
//!
//! Two kinds of detectors share it: those of assets ([`crate::detector`]) and those of IoT Events ([`crate::iot_events`]). What a
//! node holds and how it answers is theirs ([`Kind`]); which states are left and entered, and in what order, is decided here alone.

use statig::{
    Outcome,
    blocking::{IntoStateMachine, State, Superstate},
};
use std::{marker::PhantomData, sync::Arc};

/// A kind of detectors: what its nodes hold and how they answer.
pub(crate) trait Kind: Sized + 'static {
    /// A state or group.
    type Node: Placed + 'static;
    /// What is dispatched into the tree.
    type Event;
    /// What changes, and everything needed to change it.
    type Scene<'s>;

    /// Answers in no state: says what to enter.
    fn begin(scene: &mut Self::Scene<'_>, event: &Self::Event) -> Outcome<Leaf<Self::Node>>;
    /// Answers in a state, or in a group when what lies in it did not.
    fn react(scene: &mut Self::Scene<'_>, node: &Arc<Self::Node>, event: &Self::Event) -> Outcome<Leaf<Self::Node>>;
    /// A state or group is entered.
    fn enter(scene: &mut Self::Scene<'_>, node: &Arc<Self::Node>);
    /// A state or group is left.
    fn exit(scene: &mut Self::Scene<'_>, node: &Arc<Self::Node>);
    /// It is in no state for a moment, everything to be left being left.
    fn between(scene: &mut Self::Scene<'_>);
}

/// A node of a tree.
pub(crate) trait Placed: Sized {
    /// Its position in the model.
    fn id(&self) -> usize;
    /// Its name or path.
    fn name(&self) -> &str;
    /// The group it lies in.
    fn parent(&self) -> Option<&Arc<Self>>;
}

/// The machine. It has no data of its own.
#[derive(Debug)]
pub(crate) struct Tree<K>(PhantomData<K>);

impl<K> Tree<K> {
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

macro_rules! slots {
    ($(#[$doc:meta])* $name:ident $(, $between:ident)?) => {
        seq_macro::seq!(N in 0..256 {
            $(#[$doc])*
            pub(crate) enum $name<T> {
                $(
                /// In no state; inside this group, if any. Where an instance begins, and where it is for a moment while a
                /// group leaves and enters itself.
                $between(Option<Arc<T>>),
                )?
                #( S~N(Arc<T>), )*
            }

            impl<T: Placed> $name<T> {
                /// The slot of a node.
                pub fn of(node: Arc<T>) -> Self {
                    match node.id() {
                        #( N => Self::S~N(node), )*
                        other => unreachable!("state {other} of {} lies beyond the {} slots that reading a model checks", node.name(), andon_models::detector::MAX_STATES),
                    }
                }

                /// The node in it.
                pub fn node(&self) -> Option<&Arc<T>> {
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

impl<K: Kind> IntoStateMachine for Tree<K> {
    type Event<'event> = K::Event;
    type Context<'context> = K::Scene<'context>;
    type State = Leaf<K::Node>;
    type Superstate<'group> = Group<K::Node>;

    fn initial() -> Leaf<K::Node> {
        Leaf::Between(None)
    }
}

impl<K: Kind> State<Tree<K>> for Leaf<K::Node> {
    fn call_handler(&mut self, _: &mut Tree<K>, event: &K::Event, scene: &mut K::Scene<'_>) -> Outcome<Self> {
        match self.node() {
            Some(node) => K::react(scene, node, event),
            None => K::begin(scene, event),
        }
    }

    fn call_entry_action(&mut self, _: &mut Tree<K>, scene: &mut K::Scene<'_>) {
        match self.node() {
            Some(node) => K::enter(scene, node),
            None => K::between(scene),
        }
    }

    fn call_exit_action(&mut self, _: &mut Tree<K>, scene: &mut K::Scene<'_>) {
        if let Some(node) = self.node() {
            K::exit(scene, node);
        }
    }

    fn superstate(&mut self) -> Option<Group<K::Node>> {
        match self {
            Self::Between(group) => group.clone(),
            leaf => leaf.node()?.parent().cloned(),
        }
        .map(Group::of)
    }
}

impl<K: Kind> Superstate<Tree<K>> for Group<K::Node> {
    fn call_handler(&mut self, _: &mut Tree<K>, event: &K::Event, scene: &mut K::Scene<'_>) -> Outcome<Leaf<K::Node>> {
        match self.node() {
            Some(node) => K::react(scene, node, event),
            None => Outcome::Handled,
        }
    }

    fn call_entry_action(&mut self, _: &mut Tree<K>, scene: &mut K::Scene<'_>) {
        if let Some(node) = self.node() {
            K::enter(scene, node);
        }
    }

    fn call_exit_action(&mut self, _: &mut Tree<K>, scene: &mut K::Scene<'_>) {
        if let Some(node) = self.node() {
            K::exit(scene, node);
        }
    }

    fn superstate(&mut self) -> Option<Group<K::Node>> {
        self.node()?.parent().cloned().map(Group::of)
    }
}

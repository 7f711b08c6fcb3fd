//! How a detector answers: the rules of its states, and what entering and leaving do.

use super::Body;
use crate::{
    explanation::explain,
    hierarchy::{self, Kind},
    policy::Desk,
    program::{Node, Rule, TimerKind},
};
use andon_models::event::ExplainedTimer;
use statig::Outcome;
use std::sync::Arc;

/// What is dispatched into the tree of a detector.
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
        /// Which of the rule's timers.
        kind: TimerKind,
    },
}

/// What may set a rule off.
#[derive(Clone, Debug)]
pub(crate) enum Trigger {
    /// Samples of one instant; [`Body::fresh`] has their places.
    Samples,
    /// Variables or alarm flags changed by an earlier action.
    Changed(Vec<usize>),
    /// Another detector sent an input of this name.
    Message(Arc<str>),
}

/// Detectors of assets, as a kind of tree.
#[derive(Debug)]
pub(crate) struct OfAsset;

type Leaf = hierarchy::Leaf<Node>;

impl Kind for OfAsset {
    type Node = Node;
    type Event = Dispatch;
    type Scene<'s> = Scene<'s>;

    fn begin(scene: &mut Scene<'_>, event: &Dispatch) -> Outcome<Leaf> {
        match event {
            Dispatch::Enter(id) => Outcome::Transition(scene.leaf_of(*id)),
            Dispatch::Input(_) | Dispatch::Due { .. } => Outcome::Handled,
        }
    }

    fn react(scene: &mut Scene<'_>, node: &Arc<Node>, event: &Dispatch) -> Outcome<Leaf> {
        scene.react(node, event)
    }

    fn enter(scene: &mut Scene<'_>, node: &Arc<Node>) {
        scene.enter(node);
    }

    fn exit(scene: &mut Scene<'_>, node: &Arc<Node>) {
        scene.exit(node);
    }

    fn between(scene: &mut Scene<'_>) {
        scene.run_rule_actions();
    }
}

/// What the tree of states acts upon.
pub(crate) struct Scene<'a> {
    pub body: &'a mut Body,
    pub desk: &'a mut Desk,
}

impl Scene<'_> {
    /// Lets a state's rules answer.
    fn react(&mut self, node: &Arc<Node>, event: &Dispatch) -> Outcome<Leaf> {
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
            Dispatch::Due { node: id, rule, kind } if *id == node.id => self.due(node, *rule, *kind),
            Dispatch::Due { .. } => Outcome::Super,
        }
    }

    fn due(&mut self, node: &Arc<Node>, position: usize, kind: TimerKind) -> Outcome<Leaf> {
        let rule = &node.rules[position];
        let Some(timer) = self.body.went_off(node.id, position, kind) else { return Outcome::Handled };
        // An `after` with `on` waits for its input from now on, one with `for` for that. A `for` was watched all the time.
        let waits = kind == TimerKind::Stay && rule.every.is_none() && (rule.limited || rule.hold.is_some());
        let holds =
            kind == TimerKind::Hold || rule.when.as_ref().is_none_or(|formula| self.body.guard_holds(self.desk, formula));
        if waits || !holds {
            return Outcome::Handled;
        }
        self.fire(node, position, rule.timer_words(kind).trigger.clone(), Some(timer))
    }

    /// Whether a trigger concerns a rule at all.
    fn answers(&self, node: &Node, position: usize, rule: &Rule, trigger: &Trigger) -> bool {
        !rule.is_set_off_by_time() && self.body.hears(rule, trigger) && self.body.after_passed(node.id, position, rule)
    }

    fn holds(&mut self, rule: &Rule, trigger: &Trigger) -> bool {
        match (&rule.when, trigger) {
            (Some(formula), _) => self.body.guard_holds(self.desk, formula),
            (None, Trigger::Samples) => self.body.fresh_is_good(rule),
            (None, Trigger::Changed(_) | Trigger::Message(_)) => true,
        }
    }

    /// A trigger in words.
    fn cause(&self, rule: &Rule, trigger: &Trigger) -> Arc<str> {
        let heard = |line: &usize| rule.listens.contains(line);
        let line = match trigger {
            Trigger::Samples => self.body.fresh.iter().map(|place| self.body.line_of(*place)).find(heard),
            Trigger::Changed(lines) => lines.iter().copied().find(heard),
            Trigger::Message(name) => return format!("message {name}").into(),
        };
        line.map(|line| self.body.program.table[line].trigger.clone()).unwrap_or_default()
    }

    fn fire(&mut self, node: &Arc<Node>, position: usize, trigger: Arc<str>, timer: Option<ExplainedTimer>) -> Outcome<Leaf> {
        let rule = &node.rules[position];
        if rule.target.is_some() || rule.reaches_out() {
            let explanation = explain(self.body, self.desk, &node.path, rule, trigger, timer);
            self.body.begin_move(self.body.state_path(), explanation);
        }
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
    fn leaf_of(&self, id: usize) -> Leaf {
        Leaf::of(self.body.program.nodes[self.body.landing(id)].clone())
    }

    /// The actions of the rule that fired: between exit and entry.
    fn run_rule_actions(&mut self) {
        if let Some((node, position)) = self.body.rule_actions.take() {
            self.run(&node.rules[position].actions);
        }
    }

    /// Enters a state: its actions, then its timers.
    fn enter(&mut self, node: &Arc<Node>) {
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
    fn exit(&mut self, node: &Arc<Node>) {
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
    pub(super) fn update_holds(&mut self, trigger: &Trigger) {
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

//! How an instance answers: the groups of events, in the order that the module's doc tells.

use super::{
    evaluation::{Condition, Moment, Run, Trigger},
    instance::Body,
    program::{Node, Step},
};
use crate::hierarchy::{self, Kind};
use andon_models::{
    Timestamp, Value,
    event::{ExplainedInput, ExplainedTimer, Explanation},
    expression::event::{EventOutcome, EventScene, EventTrigger},
    iot_events::Formula,
};
use serde_json::Value as Json;
use statig::Outcome;
use std::sync::Arc;

/// What is dispatched into the tree of an instance.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dispatch {
    /// Enter a leaf from nowhere: the first one, or a restored one.
    Enter(usize),
    /// A message or a timer.
    Input,
}

/// Instances of IoT Events, as a kind of tree.
#[derive(Debug)]
pub(super) struct OfModel;

/// What the tree of states acts upon.
pub(super) struct Scene<'a> {
    pub body: &'a mut Body,
    pub run: &'a mut Run,
    pub now: Timestamp,
    pub trigger: &'a Trigger,
}

type Leaf = hierarchy::Leaf<Node>;

impl Kind for OfModel {
    type Node = Node;
    type Event = Dispatch;
    type Scene<'s> = Scene<'s>;

    fn begin(scene: &mut Scene<'_>, event: &Dispatch) -> Outcome<Leaf> {
        match event {
            Dispatch::Enter(leaf) => Outcome::Transition(scene.leaf(*leaf)),
            Dispatch::Input => Outcome::Handled,
        }
    }

    fn react(scene: &mut Scene<'_>, node: &Arc<Node>, event: &Dispatch) -> Outcome<Leaf> {
        match event {
            Dispatch::Input => scene.on_input(node),
            Dispatch::Enter(_) => Outcome::Handled,
        }
    }

    fn enter(scene: &mut Scene<'_>, node: &Arc<Node>) {
        if node.is_leaf {
            scene.body.leaf = Some(node.id);
        }
        if scene.body.restoring {
            return;
        }
        if node.is_leaf {
            scene.body.since = scene.now;
        }
        scene.group(Moment::OnEnter, node, |node| &node.enter);
    }

    fn exit(scene: &mut Scene<'_>, node: &Arc<Node>) {
        scene.group(Moment::OnExit, node, |node| &node.exit);
    }

    fn between(_: &mut Scene<'_>) {}
}

impl Scene<'_> {
    fn leaf(&self, id: usize) -> Leaf {
        Leaf::of(self.body.program.nodes[id].clone())
    }

    /// Evaluates the events of one moment of one state.
    fn group(&mut self, moment: Moment, node: &Arc<Node>, steps: fn(&Node) -> &Vec<Step>) {
        let mut holding = std::mem::take(&mut self.run.holding);
        self.events(moment, node, steps, &mut holding);
        self.run_holding(moment, steps, &mut holding);
        self.run.holding = holding;
    }

    /// The events of a state: those that hold act at once (SERIAL) or are noted (BATCH).
    fn events(&mut self, moment: Moment, node: &Arc<Node>, steps: fn(&Node) -> &Vec<Step>, holding: &mut Vec<(u32, u32)>) {
        let serial = self.body.program.serial();
        for (step, position) in steps(node).iter().zip(0..) {
            if !self.holds(moment, node, step) {
                continue;
            }
            if serial {
                self.perform(moment, step);
            } else {
                holding.push((u32::try_from(node.id).unwrap_or(u32::MAX), position));
            }
        }
    }

    fn run_holding(&mut self, moment: Moment, steps: fn(&Node) -> &Vec<Step>, holding: &mut Vec<(u32, u32)>) {
        for (node, position) in holding.drain(..) {
            let node = self.body.program.nodes[node as usize].clone();
            self.perform(moment, &steps(&node)[position as usize]);
        }
    }

    /// A message or timer in a state: all events from the inside out, then the first transition that holds.
    fn on_input(&mut self, leaf: &Arc<Node>) -> Outcome<Leaf> {
        let mut holding = std::mem::take(&mut self.run.holding);
        for node in leaf.outward() {
            self.events(Moment::OnInput, node, |node| &node.input, &mut holding);
        }
        let mut taken: Option<(&Arc<Node>, &Step)> = None;
        for node in leaf.outward() {
            for step in &node.transitions {
                if taken.is_some() {
                    self.skip(node, step);
                } else if self.holds(Moment::Transition, node, step) {
                    taken = Some((node, step));
                }
            }
        }
        if let Some((node, step)) = taken.filter(|_| self.run.explain) {
            self.explain(node, step);
        }
        self.run_holding(Moment::OnInput, |node| &node.input, &mut holding);
        self.run.holding = holding;
        let Some((_, step)) = taken else { return Outcome::Handled };
        self.perform(Moment::Transition, step);
        match step.next {
            Some(next) => Outcome::Transition(self.leaf(next)),
            None => Outcome::Handled,
        }
    }

    fn perform(&mut self, moment: Moment, step: &Step) {
        for deed in &step.deeds {
            self.deed(moment, &step.name, deed);
        }
    }

    /// Whether an event acts: without a condition always; what fails or is no truth does not hold.
    fn holds(&mut self, moment: Moment, node: &Node, step: &Step) -> bool {
        let Some(condition) = &step.condition else {
            self.traced(moment, node, step, || "no condition".into(), Some(true));
            return true;
        };
        let outcome = condition.evaluate(self);
        let holds = outcome.holds();
        if let EventOutcome::Failed(reason) = &outcome {
            self.run.fail(moment, &step.name, None, "condition", condition, reason.clone());
        }
        self.traced(moment, node, step, || format!("{}: {outcome}", condition.text), Some(holds));
        holds
    }

    fn skip(&mut self, node: &Node, step: &Step) {
        self.traced(Moment::Transition, node, step, || "an earlier transition is taken".into(), None);
    }

    fn traced(&mut self, at: Moment, node: &Node, step: &Step, details: impl FnOnce() -> String, result: Option<bool>) {
        if self.run.trace {
            let (event, state) = (step.name.clone(), node.name.clone());
            self.run.conditions.push(Condition { event, state, at, result, details: details() });
        }
    }

    /// Why a transition is taken, in the words that detectors of assets use.
    fn explain(&mut self, node: &Node, step: &Step) {
        let (trigger, timer) = match self.trigger {
            Trigger::Message { input, .. } => (format!("input {input}"), None),
            Trigger::Timer(name) => {
                let span = self.body.program.timer(name).and_then(|timer| self.body.timers[timer].span).unwrap_or_default();
                (format!("timer {name}"), Some(ExplainedTimer { name: name.clone(), started: self.now - span, due: self.now }))
            }
        };
        let expression = step.condition.as_ref().and_then(Formula::expression);
        let steps = expression.map(|expression| expression.explain(self).1).unwrap_or_default();
        let rule = step.condition.as_ref().map_or_else(|| step.name.clone(), |formula| formula.text.clone());
        let inputs = step.condition.as_ref().map(|formula| self.read_by(formula)).unwrap_or_default();
        self.run.explanation = Some(Explanation {
            trigger: trigger.into(),
            state: node.name.clone(),
            rule,
            inputs,
            steps,
            timer,
            actions: Vec::new(),
        });
    }

    /// What a condition reads, as it stands.
    fn read_by(&self, formula: &Formula) -> Vec<ExplainedInput> {
        let Some(references) = formula.references() else { return Vec::new() };
        let explained = |name: String, value: Value, source: &str| ExplainedInput {
            name: name.into(),
            value,
            unit: "".into(),
            time: None,
            quality: andon_models::Quality::Good,
            source: source.into(),
        };
        let inputs = references.inputs.iter().map(|reference| {
            let name = reference.to_string();
            let value = Formula::parse(&name).evaluate(&mut Reading(self));
            let value = if let EventOutcome::Value(value) = value { value } else { Value::Null };
            explained(name, value, &format!("input:{}", reference.input))
        });
        let variables = references
            .variables
            .iter()
            .map(|(name, _)| explained(format!("$variable.{name}"), self.variable(name).unwrap_or(Value::Null), "variable"));
        inputs.chain(variables).collect()
    }
}

impl EventScene for Scene<'_> {
    fn input(&self, input: &str) -> Option<&Json> {
        self.body.inputs[self.body.program.input(input)?].as_deref()
    }

    fn variable(&self, name: &str) -> Option<Value> {
        self.body.variables[self.body.program.variable(name)?].clone()
    }

    fn timed_out(&mut self, timer: &str) -> bool {
        let Some(position) = self.body.program.timer(timer) else { return false };
        let timer = &mut self.body.timers[position];
        timer.settled |= timer.expired;
        timer.expired
    }

    fn trigger(&self) -> EventTrigger {
        match self.trigger {
            Trigger::Message { .. } => EventTrigger::Message,
            Trigger::Timer(_) => EventTrigger::Timer,
        }
    }

    fn is_current_input(&self, input: &str) -> bool {
        matches!(self.trigger, Trigger::Message { input: current, .. } if **current == *input)
    }
}

/// A scene that is only looked at.
struct Reading<'s, 'a>(&'s Scene<'a>);

impl EventScene for Reading<'_, '_> {
    fn input(&self, input: &str) -> Option<&Json> {
        self.0.input(input)
    }

    fn variable(&self, name: &str) -> Option<Value> {
        self.0.variable(name)
    }

    fn timed_out(&mut self, _: &str) -> bool {
        false
    }

    fn trigger(&self) -> EventTrigger {
        self.0.trigger()
    }

    fn is_current_input(&self, input: &str) -> bool {
        self.0.is_current_input(input)
    }
}

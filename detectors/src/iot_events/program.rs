//! A detector model made ready to run: names of variables, timers and inputs become numbers, targets become leaves.

use crate::hierarchy::Placed;
use andon_models::{
    detector::Evaluation,
    expression::event::PathStep,
    iot_events::{Action, ActionKind, Content, DetectorModel, Event, Formula, State},
};
use std::sync::Arc;

/// A runnable detector model, shared by all its instances.
#[derive(Debug)]
pub(super) struct Program {
    pub model: Arc<DetectorModel>,
    pub nodes: Vec<Arc<Node>>,
    /// Every variable that is set anywhere, by name.
    pub variables: Vec<Arc<str>>,
    /// Every timer that is set or asked for, by name: timers due together go off in this order.
    pub timers: Vec<Arc<str>>,
    pub inputs: Vec<Heard>,
}

/// An input that some expression mentions.
#[derive(Debug)]
pub(super) struct Heard {
    pub name: Arc<str>,
    /// What is read of its messages.
    pub paths: Vec<Vec<PathStep>>,
}

/// A state or group with everything it does.
#[derive(Debug)]
pub(super) struct Node {
    pub id: usize,
    pub name: Arc<str>,
    pub parent: Option<Arc<Node>>,
    pub is_leaf: bool,
    pub enter: Vec<Step>,
    pub input: Vec<Step>,
    pub transitions: Vec<Step>,
    pub exit: Vec<Step>,
}

/// An event.
#[derive(Debug)]
pub(super) struct Step {
    pub name: Arc<str>,
    pub condition: Option<Formula>,
    pub deeds: Vec<Deed>,
    /// The leaf a transition leads to.
    pub next: Option<usize>,
}

/// An action.
#[derive(Debug)]
pub(super) enum Deed {
    Set { variable: usize, value: Formula },
    StartTimer { timer: usize, span: Span },
    ResetTimer(usize),
    ClearTimer(usize),
    Send(Action),
}

/// How long a timer runs.
#[derive(Debug)]
pub(super) enum Span {
    Seconds(i64),
    Formula(Formula),
}

impl Placed for Node {
    fn id(&self) -> usize {
        self.id
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn parent(&self) -> Option<&Arc<Self>> {
        self.parent.as_ref()
    }
}

impl Node {
    /// The state and the groups around it, from the inside out.
    pub fn outward(self: &Arc<Self>) -> impl Iterator<Item = &Arc<Self>> {
        std::iter::successors(Some(self), |node| node.parent.as_ref())
    }
}

impl Program {
    pub fn compile(model: &Arc<DetectorModel>) -> Self {
        let mut program = Self {
            model: model.clone(),
            nodes: Vec::new(),
            variables: variables(model),
            timers: timers(model),
            inputs: inputs(model),
        };
        for (id, state) in model.states.iter().enumerate() {
            let parent = state.parent.and_then(|parent| program.nodes.get(parent.0)).cloned();
            let node = program.node(id, state, parent);
            program.nodes.push(Arc::new(node));
        }
        program
    }

    pub fn serial(&self) -> bool {
        self.model.evaluation == Evaluation::Serial
    }

    pub fn variable(&self, name: &str) -> Option<usize> {
        self.variables.iter().position(|variable| **variable == *name)
    }

    pub fn timer(&self, name: &str) -> Option<usize> {
        self.timers.iter().position(|timer| **timer == *name)
    }

    pub fn input(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|input| *input.name == *name)
    }

    fn node(&self, id: usize, state: &State, parent: Option<Arc<Node>>) -> Node {
        Node {
            id,
            name: state.name.clone(),
            parent,
            is_leaf: state.is_leaf(),
            enter: self.steps(&state.on_enter),
            input: self.steps(&state.on_input),
            transitions: self.steps(&state.transitions),
            exit: self.steps(&state.on_exit),
        }
    }

    fn steps(&self, events: &[Event]) -> Vec<Step> {
        let step = |event: &Event| Step {
            name: event.name.clone(),
            condition: event.condition.clone(),
            deeds: event.actions.iter().map(|action| self.deed(action)).collect(),
            next: event.next.map(|next| self.model.leaf_of(next).0),
        };
        events.iter().map(step).collect()
    }

    fn deed(&self, action: &Action) -> Deed {
        let timer = || self.timer(&action.text("timerName")).expect("every timer of the model is in the table");
        match action.kind {
            ActionKind::SetVariable => {
                let variable = self.variable(&action.text("variableName")).expect("every variable that is set is in the table");
                match action.field("value") {
                    Some(Content::Formula(value)) => Deed::Set { variable, value: value.clone() },
                    _ => Deed::Send(action.clone()),
                }
            }
            ActionKind::SetTimer => match (action.field("seconds"), action.field("durationExpression")) {
                (_, Some(Content::Formula(span))) => Deed::StartTimer { timer: timer(), span: Span::Formula(span.clone()) },
                (Some(Content::Number(seconds)), _) => Deed::StartTimer { timer: timer(), span: Span::Seconds(*seconds) },
                _ => Deed::Send(action.clone()),
            },
            ActionKind::ResetTimer => Deed::ResetTimer(timer()),
            ActionKind::ClearTimer => Deed::ClearTimer(timer()),
            _ => Deed::Send(action.clone()),
        }
    }
}

fn push(names: &mut Vec<Arc<str>>, name: Arc<str>) {
    if !names.contains(&name) {
        names.push(name);
    }
}

fn variables(model: &DetectorModel) -> Vec<Arc<str>> {
    let mut names = Vec::new();
    let set = model.actions().filter(|action| action.kind == ActionKind::SetVariable);
    set.for_each(|action| push(&mut names, action.text("variableName")));
    // By name, as timers are: the same model with its rules folded into groups shows them in the same order.
    names.sort();
    names
}

fn timers(model: &DetectorModel) -> Vec<Arc<str>> {
    let mut names = Vec::new();
    let actions = model.actions().filter(|action| action.field("timerName").is_some());
    actions.for_each(|action| push(&mut names, action.text("timerName")));
    let asked = model.formulas().filter_map(Formula::references).flat_map(|references| &references.timers);
    asked.for_each(|(name, _)| push(&mut names, name.clone()));
    names.sort();
    names
}

fn inputs(model: &DetectorModel) -> Vec<Heard> {
    let mut inputs: Vec<Heard> = Vec::new();
    let mut heard = |name: &Arc<str>, path: Option<&Vec<PathStep>>| {
        let position = inputs.iter().position(|input| input.name == *name).unwrap_or_else(|| {
            inputs.push(Heard { name: name.clone(), paths: Vec::new() });
            inputs.len() - 1
        });
        let paths = &mut inputs[position].paths;
        paths.extend(path.filter(|path| !paths.contains(path)).cloned());
    };
    for references in model.formulas().filter_map(Formula::references) {
        references.inputs.iter().for_each(|reference| heard(&reference.input, Some(&reference.path)));
        references.current_inputs.iter().for_each(|(name, _)| heard(name, None));
    }
    inputs
}

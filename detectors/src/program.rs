//! A detector model made ready to run: one shared tree of nodes, and one table of everything its formulas read.
//!
//! Each instance holds one value per line of the table; a formula names its values by line. So a sample is routed by
//! number, and nothing is looked up by name while samples flow.

use crate::{hand::HAND, hierarchy::Placed, message::Template};
use andon_models::{
    EventId,
    definition::{ModelIndex, Plant},
    detector::{ActionKind, DetectorModel, Evaluation, OnBad, State},
    expression::{AlarmFlag, Expression, Reference},
    time::format_duration,
};
use std::{sync::Arc, time::Duration};

/// A runnable detector model, shared by all its instances.
#[derive(Debug)]
pub(crate) struct Program {
    pub model: Arc<DetectorModel>,
    /// Named after the model: ids of what its instances decide are derived from it.
    pub id: EventId,
    /// Names the definition in snapshots.
    pub definition: Arc<str>,
    pub nodes: Vec<Arc<Node>>,
    /// Everything any formula, message or interlock reads.
    pub table: Vec<Line>,
    /// By node: the lines among which a rule without a guard decides.
    pub surroundings: Vec<Vec<usize>>,
    /// Message of the alarm and of notifications.
    pub message: Template,
    /// Interlocks of the controls it writes.
    pub interlocks: Vec<(Arc<str>, Formula)>,
    /// When the alarm is suppressed by design.
    pub suppress_when: Option<Formula>,
    /// Whether some rule counts on the last good values.
    pub remembers_good: bool,
    /// Whether some rule has a `for`.
    pub holds: bool,
    /// Whether any action raises the alarm.
    pub raises: bool,
    /// Whether a detector of the asset sends it inputs.
    pub receives: bool,
}

/// One thing that is read.
#[derive(Debug)]
pub(crate) struct Line {
    pub reference: Reference,
    pub name: Arc<str>,
    /// What it sets off is set off by this, in words: `input temp`.
    pub trigger: Arc<str>,
}

/// A state with everything it does.
#[derive(Debug)]
pub(crate) struct Node {
    pub id: usize,
    pub path: Arc<str>,
    pub parent: Option<Arc<Node>>,
    pub initial: Option<usize>,
    pub history: bool,
    pub enter: Vec<Step>,
    pub exit: Vec<Step>,
    pub rules: Vec<Rule>,
}

/// A rule with its formulas.
#[derive(Debug)]
pub(crate) struct Rule {
    pub text: Arc<str>,
    pub when: Option<Formula>,
    pub hold: Option<Duration>,
    pub on_bad: OnBad,
    pub after: Option<Duration>,
    pub every: Option<Duration>,
    /// What its timers are called.
    pub hold_words: TimerWords,
    pub stay_words: TimerWords,
    /// The lines whose change sets it off.
    pub listens: Vec<usize>,
    /// The only message that sets it off.
    pub message: Option<Arc<str>>,
    /// Whether `on` limits it.
    pub limited: bool,
    /// The state to go to as written.
    pub target: Option<usize>,
    pub actions: Vec<Step>,
}

/// What a timer of a rule is called; empty if the rule has none of the kind.
#[derive(Debug, Default)]
pub(crate) struct TimerWords {
    /// As pages show it: `for 1m`.
    pub name: Arc<str>,
    /// What it sets off is set off by this: `timer for 1m`.
    pub trigger: Arc<str>,
}

/// What a timer of a rule counts. A rule may have one of each: `after: 1m` and `for: 10s` must both be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerKind {
    /// How long the guard holds: `for`.
    Hold,
    /// How long the state is active: `after`, `every`.
    Stay,
}

/// An action with its formula or texts.
#[derive(Debug)]
pub(crate) struct Step {
    pub text: Arc<str>,
    pub kind: ActionKind,
    /// The value of `write`, `set` and `put`.
    pub value: Option<Formula>,
    /// The payload of `publish`.
    pub payload: Option<Template>,
    /// The line of the variable of `set`.
    pub variable: Option<usize>,
}

/// An expression with the table lines of its slots.
#[derive(Debug)]
pub(crate) struct Formula {
    pub expression: Arc<Expression>,
    pub lines: Vec<usize>,
    /// The texts of the steps of its explanation.
    pub steps: Vec<Arc<str>>,
    /// Whether it reads the newest values of children.
    pub reads_children: bool,
}

impl Program {
    /// Compiles a detector of an asset model.
    pub fn compile(plant: &Plant, asset_model: ModelIndex, model: &Arc<DetectorModel>) -> Self {
        let mut compiler = Compiler { plant, asset_model, model, table: Vec::new(), interlocks: Vec::new() };
        for (name, _) in &model.variables {
            compiler.line(&Reference::Variable(name.clone()));
        }
        let message = compiler.template(&model.message);
        let suppress_when = model.alarm.suppress_when.as_ref().map(|expression| compiler.formula(expression));
        let mut nodes: Vec<Arc<Node>> = Vec::with_capacity(model.states.len());
        for (id, state) in model.states.iter().enumerate() {
            let parent = state.parent.and_then(|parent| nodes.get(parent.0)).cloned();
            nodes.push(Arc::new(compiler.node(id, state, parent)));
        }
        if *model.name == *HAND {
            let controls = plant.models[asset_model.0].controls.iter();
            controls.filter(|control| control.policy.by_hand.is_some()).for_each(|control| compiler.interlock(&control.name));
        }
        let remembers_good = model.states.iter().flat_map(|state| &state.rules).any(|rule| rule.on_bad == OnBad::Ignore);
        let holds = model.states.iter().flat_map(|state| &state.rules).any(|rule| rule.hold.is_some());
        let steps = |node: &Arc<Node>| node.steps().any(|step| matches!(step.kind, ActionKind::Raise));
        let raises = nodes.iter().any(steps);
        let surroundings = nodes.iter().map(|node| surroundings(node, &message)).collect();
        Self {
            model: model.clone(),
            id: EventId::from_name(&model.name),
            definition: definition(model),
            nodes,
            table: compiler.table,
            surroundings,
            message,
            interlocks: compiler.interlocks,
            suppress_when,
            remembers_good,
            holds,
            raises,
            receives: receives(plant, asset_model, &model.name),
        }
    }

    /// Whether each action is visible to the next rule.
    pub fn serial(&self) -> bool {
        self.model.evaluation == Evaluation::Serial
    }

    /// The node of a leaf, initial groups followed.
    pub fn first_leaf(&self, mut id: usize) -> usize {
        while let Some(initial) = self.nodes[id].initial {
            id = initial;
        }
        id
    }
}

impl Placed for Node {
    fn id(&self) -> usize {
        self.id
    }

    fn name(&self) -> &str {
        &self.path
    }

    fn parent(&self) -> Option<&Arc<Self>> {
        self.parent.as_ref()
    }
}

/// What a rule without a guard is decided among: what the guards of the active states read, which let it stay until now, and what
/// its message tells.
fn surroundings(leaf: &Arc<Node>, message: &Template) -> Vec<usize> {
    let mut lines = Vec::new();
    let active = std::iter::successors(Some(leaf), |node| node.parent.as_ref());
    let guards = active.flat_map(|node| &node.rules).filter_map(|rule| rule.when.as_ref());
    for line in guards.flat_map(|formula| &formula.lines).copied().chain(message.lines()) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// Whether any detector of an asset model sends inputs to the one of this name.
fn receives(plant: &Plant, asset_model: ModelIndex, name: &str) -> bool {
    let states = plant.models[asset_model.0].detectors.iter().flat_map(|detector| &detector.states);
    let mut actions =
        states.flat_map(|state| state.enter.iter().chain(&state.exit).chain(state.rules.iter().flat_map(|rule| &rule.actions)));
    actions.any(|action| matches!(&action.kind, ActionKind::Send { detector } if **detector == *name))
}

/// A short name of what a model says, so that a snapshot of another one is noticed.
fn definition(model: &DetectorModel) -> Arc<str> {
    let mut text = String::new();
    for (name, value) in &model.variables {
        text.push_str(&format!("{name}={value}\n"));
    }
    for state in &model.states {
        text.push_str(&state.path);
        for action in state.enter.iter().chain(&state.exit) {
            text.push_str(&format!("\n {}", action.text));
        }
        for rule in &state.rules {
            text.push_str(&format!("\n {} {:?}", rule.text, rule.on_bad));
        }
        text.push('\n');
    }
    EventId::from_name(&text).to_string().split('-').take(2).collect::<String>().into()
}

impl Node {
    /// Whether it has no children.
    pub fn is_leaf(&self) -> bool {
        self.initial.is_none()
    }

    fn steps(&self) -> impl Iterator<Item = &Step> {
        self.enter.iter().chain(&self.exit).chain(self.rules.iter().flat_map(|rule| &rule.actions))
    }
}

impl Rule {
    /// What one of its timers is called.
    pub fn timer_words(&self, kind: TimerKind) -> &TimerWords {
        match kind {
            TimerKind::Hold => &self.hold_words,
            TimerKind::Stay => &self.stay_words,
        }
    }

    /// Whether nothing but its timer sets it off.
    pub fn is_set_off_by_time(&self) -> bool {
        self.hold.is_some() || self.every.is_some() || (self.after.is_some() && self.when.is_none() && !self.limited)
    }

    /// How long it waits from entering the state: `after`, or the beat of `every`.
    pub fn stay(&self) -> Option<Duration> {
        self.every.or(self.after)
    }

    /// Whether it does more than change variables and values.
    pub fn reaches_out(&self) -> bool {
        self.actions.iter().any(|step| !matches!(step.kind, ActionKind::Set { .. } | ActionKind::Put { .. }))
    }
}

impl TimerWords {
    fn of(word: &str, span: Option<Duration>) -> Self {
        let Some(span) = span else { return Self::default() };
        let name = format!("{word} {}", format_duration(span));
        Self { trigger: format!("timer {name}").into(), name: name.into() }
    }
}

struct Compiler<'a> {
    plant: &'a Plant,
    asset_model: ModelIndex,
    model: &'a DetectorModel,
    table: Vec<Line>,
    interlocks: Vec<(Arc<str>, Formula)>,
}

impl Compiler<'_> {
    fn node(&mut self, id: usize, state: &State, parent: Option<Arc<Node>>) -> Node {
        Node {
            id,
            path: state.path.clone(),
            parent,
            initial: state.initial.map(|child| child.0),
            history: state.history,
            enter: self.steps(&state.enter),
            exit: self.steps(&state.exit),
            rules: state.rules.iter().map(|rule| self.rule(rule)).collect(),
        }
    }

    fn rule(&mut self, rule: &andon_models::detector::Rule) -> Rule {
        let when = rule.when.as_ref().map(|expression| self.formula(expression));
        let on_line = rule.on.as_ref().and_then(|name| self.named(name));
        let listens = match (&rule.on, &when) {
            (Some(_), _) => on_line.into_iter().collect(),
            (None, Some(formula)) => self.listens(formula),
            (None, None) => Vec::new(),
        };
        Rule {
            text: rule.text.clone(),
            when,
            hold: rule.hold,
            on_bad: rule.on_bad,
            after: rule.after,
            every: rule.every,
            hold_words: TimerWords::of("for", rule.hold),
            stay_words: match rule.every {
                None => TimerWords::of("after", rule.after),
                every => TimerWords::of("every", every),
            },
            listens,
            message: rule.on.clone().filter(|_| on_line.is_none()),
            limited: rule.on.is_some(),
            target: rule.to_written.or(rule.to).map(|state| state.0),
            actions: self.steps(&rule.actions),
        }
    }

    /// Properties and alarm flags set a guard off; variables do so only where a guard reads nothing else, so that a rule that
    /// counts does not set itself off again.
    fn listens(&self, formula: &Formula) -> Vec<usize> {
        let outside = |line: &&usize| !matches!(self.table[**line].reference, Reference::Variable(_));
        let lines: Vec<usize> = formula.lines.iter().filter(outside).copied().collect();
        if lines.is_empty() { formula.lines.clone() } else { lines }
    }

    fn steps(&mut self, actions: &[andon_models::detector::Action]) -> Vec<Step> {
        actions.iter().map(|action| self.step(action)).collect()
    }

    fn step(&mut self, action: &andon_models::detector::Action) -> Step {
        let mut step =
            Step { text: action.text.clone(), kind: action.kind.clone(), value: None, payload: None, variable: None };
        match &action.kind {
            ActionKind::Write { control, value } => {
                step.value = Some(self.formula(value));
                self.interlock(control);
            }
            ActionKind::Put { value, .. } => step.value = Some(self.formula(value)),
            ActionKind::Set { variable, value } => {
                step.value = Some(self.formula(value));
                step.variable = Some(self.line(&Reference::Variable(variable.clone())));
            }
            ActionKind::Publish { payload, .. } => step.payload = Some(self.template(payload)),
            ActionKind::Raise
            | ActionKind::Clear
            | ActionKind::Notify { .. }
            | ActionKind::Send { .. }
            | ActionKind::Webhook { .. } => {}
        }
        step
    }

    fn interlock(&mut self, control: &Arc<str>) {
        if self.interlocks.iter().any(|(name, _)| name == control) {
            return;
        }
        let definition = self.plant.models[self.asset_model.0].control(control);
        if let Some(interlock) = definition.and_then(|control| control.interlock.clone()) {
            let formula = self.formula(&interlock);
            self.interlocks.push((control.clone(), formula));
        }
    }

    fn formula(&mut self, expression: &Arc<Expression>) -> Formula {
        let lines = expression.references.iter().map(|reference| self.line(reference)).collect();
        let reads_children = expression.references.iter().any(|read| matches!(read, Reference::Children { .. }));
        Formula { expression: expression.clone(), lines, steps: expression.step_texts(), reads_children }
    }

    fn template(&mut self, text: &str) -> Template {
        Template::parse(text, &mut |name| self.named(name))
    }

    /// The line of a name as a person writes it: a variable, a property, `parent.x`, a property of the parent or of children
    /// (`machines.x`), an alarm flag.
    fn named(&mut self, name: &str) -> Option<usize> {
        let reference = self.reference(name)?;
        Some(self.line(&reference))
    }

    fn reference(&self, name: &str) -> Option<Reference> {
        if let Some((variable, _)) = self.model.variables.iter().find(|(variable, _)| &**variable == name) {
            return Some(Reference::Variable(variable.clone()));
        }
        let models = &self.plant.models;
        let model = &models[self.asset_model.0];
        // A metric of several windows is meant by its shift, unless the key says which.
        let by_key = |key: &str| model.properties.iter().find(|property| *property.key == *key);
        let own = by_key(name).or_else(|| by_key(&format!("{name}_shift")));
        if let Some(property) = own.or_else(|| Some(&model.properties[model.property(name)?.0])) {
            return Some(Reference::Own(property.key.clone()));
        }
        if let Some((hierarchy, property)) = name.split_once('.')
            && let Some(link) = model.hierarchies.iter().find(|link| &*link.name == hierarchy)
        {
            let child = &models[link.models.first()?.0];
            let property = child.properties[child.property(property)?.0].key.clone();
            return Some(Reference::Children { hierarchy: link.name.clone(), property });
        }
        let bare = name.strip_prefix("parent.").unwrap_or(name);
        let parents =
            models.iter().filter(|parent| parent.hierarchies.iter().any(|link| link.models.contains(&self.asset_model)));
        if let Some(key) = parents.filter_map(|parent| Some(&parent.properties[parent.property(bare)?.0].key)).next() {
            return Some(Reference::Parent(key.clone()));
        }
        match name {
            "acknowledged" => Some(Reference::Alarm(AlarmFlag::Acknowledged)),
            "shelved" => Some(Reference::Alarm(AlarmFlag::Shelved)),
            "suppressed" => Some(Reference::Alarm(AlarmFlag::Suppressed)),
            _ => None,
        }
    }

    fn line(&mut self, reference: &Reference) -> usize {
        if let Some(position) = self.table.iter().position(|line| line.reference == *reference) {
            return position;
        }
        let name = name_of(reference);
        self.table.push(Line { reference: reference.clone(), trigger: trigger_of(reference, &name), name });
        self.table.len() - 1
    }
}

fn trigger_of(reference: &Reference, name: &Arc<str>) -> Arc<str> {
    match reference {
        Reference::Own(_) | Reference::Parent(_) | Reference::Children { .. } | Reference::Before(_) | Reference::Time => {
            format!("input {name}").into()
        }
        Reference::Variable(_) => format!("variable {name}").into(),
        Reference::Alarm(_) => name.clone(),
    }
}

fn name_of(reference: &Reference) -> Arc<str> {
    match reference {
        Reference::Own(name) | Reference::Variable(name) => name.clone(),
        Reference::Parent(name) => format!("parent.{name}").into(),
        Reference::Children { hierarchy, property } => format!("{hierarchy}.{property}").into(),
        Reference::Alarm(AlarmFlag::Acknowledged) => "acknowledged".into(),
        Reference::Alarm(AlarmFlag::Shelved) => "shelved".into(),
        Reference::Alarm(AlarmFlag::Suppressed) => "suppressed".into(),
        // Of transforms and metrics only.
        Reference::Before(_) | Reference::Time => reference.to_string().into(),
    }
}

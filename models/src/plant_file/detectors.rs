//! Detectors: nested states into one flat list, parents before children, with rules and actions checked against the model.

use super::{
    actions, alarm, control,
    diagnostic::Report,
    fields::{Fields, literal, suggest, text_of},
    keys,
    model::check_name,
    resolve::Reader,
    tree::{At, Entry, Kind, Node},
};
use crate::{
    Value,
    alarm::Priority,
    detector::{Action, ActionKind, DetectorModel, Evaluation, MAX_STATES, OnBad, Rule, State, StateIndex},
};
use std::{sync::Arc, time::Duration};

/// Variables of one detector; it is a state machine, no database.
const MAX_VARIABLES: usize = 64;

/// What a detector may refer to besides the names of its model.
pub(super) struct Surroundings<'s> {
    pub reader: Reader<'s, 's>,
    /// Names of the notification targets.
    pub targets: &'s [&'s str],
    /// The name of the detector that is read.
    pub name: &'s str,
    /// Names of the detectors of the same model.
    pub detectors: &'s [&'s str],
}

/// A state as declared, before the names of states mean anything.
struct StateDraft<'n> {
    name: Arc<str>,
    at: At,
    parent: Option<StateIndex>,
    children: Vec<StateIndex>,
    fields: Option<Fields<'n, 'n>>,
}

/// Reads one detector; `None` if it has a mistake that leaves no machine.
pub(super) fn detector(around: &Surroundings<'_>, entry: &Entry) -> Option<DetectorModel> {
    let report = around.reader.report;
    check_name(report, "detector", &entry.key, entry.at);
    let what = format!("the detector {}", entry.key);
    let errors = report.errors();
    let fields = Fields::of(report, &what, entry.at, &entry.value, keys::DETECTOR)?;
    let variables = variables(report, &fields);
    let inner = Surroundings {
        reader: Reader { variables: &variables, alarm: true, world: around.reader.world, ..around.reader },
        name: &entry.key,
        ..*around
    };
    let builder = Builder { around: &inner, report, what: &what };
    fields.missing(&what, "states", "{ normal: {}, hot: {} }");
    let mut drafts = Vec::new();
    builder.collect(fields.names("states"), None, &mut drafts);
    if drafts.len() > MAX_STATES {
        report.error(
            entry.at,
            "too-large",
            format!("{what} has {} states", drafts.len()),
            format!("at most {MAX_STATES} are possible"),
        );
        return None;
    }
    let roots: Vec<StateIndex> = (0..drafts.len()).map(StateIndex).filter(|state| drafts[state.0].parent.is_none()).collect();
    if roots.is_empty() {
        if fields.entry("states").is_some() {
            report.error(entry.at, "form", format!("{what} has no states"), "give it at least one: `states: { normal: {} }`");
        }
        return None;
    }
    let initial = builder.initial(&fields, &what, &roots, &drafts);
    let states: Vec<State> = (0..drafts.len()).map(|index| builder.state(index, &drafts)).collect();
    let initial = leaf(&states, initial?);
    let model = DetectorModel {
        name: entry.key.as_str().into(),
        priority: fields.choice("priority").map_or(Priority::Medium, alarm::priority),
        message: builder.template(&fields, "message").into(),
        response: fields.owned("response").into(),
        alarm: alarm::settings(&inner, &fields, &what),
        initial,
        variables: variables.clone(),
        evaluation: if fields.choice("evaluation") == Some("serial") { Evaluation::Serial } else { Evaluation::Batch },
        lateness: fields.span("lateness").unwrap_or_default(),
        dry_run: control::dry_run(report, &fields),
        states,
    };
    // A rule that could not be read may be the one that clears or leads on.
    if report.errors() == errors {
        doubts(&inner, &fields, &model, &drafts, entry.at);
    }
    Some(model)
}

fn variables(report: &Report<'_>, fields: &Fields<'_, '_>) -> Vec<(Arc<str>, Value)> {
    let entries = fields.names("variables");
    if let Some(entry) = entries.get(MAX_VARIABLES) {
        let message = format!("this is more than {MAX_VARIABLES} variables");
        report.error(entry.at, "too-large", message, "use transforms for what is computed");
    }
    let read = entries.iter().filter_map(|entry| {
        check_name(report, "variable", &entry.key, entry.at);
        text_of(report, &entry.key, &entry.value)?;
        literal(&entry.value).map(|value| (Arc::from(entry.key.as_str()), value))
    });
    read.collect()
}

/// The leaf entered with a state.
fn leaf(states: &[State], mut state: StateIndex) -> StateIndex {
    while let Some(initial) = states[state.0].initial {
        state = initial;
    }
    state
}

struct Builder<'b> {
    around: &'b Surroundings<'b>,
    report: &'b Report<'b>,
    what: &'b str,
}

impl<'b> Builder<'b> {
    /// Lists the states, parents before children.
    fn collect(&self, entries: &'b [Entry], parent: Option<StateIndex>, drafts: &mut Vec<StateDraft<'b>>) {
        for entry in entries {
            check_name(self.report, "state", &entry.key, entry.at);
            let index = StateIndex(drafts.len());
            let fields = Fields::of(self.report, &format!("the state {}", entry.key), entry.at, &entry.value, keys::STATE);
            drafts.push(StateDraft { name: entry.key.as_str().into(), at: entry.at, parent, children: Vec::new(), fields });
            if let Some(StateIndex(parent)) = parent {
                drafts[parent].children.push(index);
            }
            if let Some(fields) = fields {
                self.collect(fields.names("states"), Some(index), drafts);
            }
        }
    }
    /// The state a machine or a group starts in.
    fn initial(
        &self,
        fields: &Fields<'_, '_>,
        what: &str,
        children: &[StateIndex],
        drafts: &[StateDraft<'_>],
    ) -> Option<StateIndex> {
        let names = || children.iter().map(|child| &*drafts[child.0].name);
        if let Some((name, node)) = fields.text("initial") {
            let found = children.iter().copied().find(|child| &*drafts[child.0].name == name);
            if found.is_none() {
                let hint = suggest(name, names(), "states there");
                self.report.error(node.at, "unknown-name", format!("{what} has no state `{name}` to start in"), hint);
            }
            return found;
        }
        if let [only] = children {
            return Some(*only);
        }
        let first = names().next().unwrap_or_default();
        let message = format!("{what} does not say in which state it starts");
        self.report.error(fields.at, "missing-key", message, format!("for example `initial: {first}`"));
        None
    }

    fn state(&self, index: usize, drafts: &[StateDraft<'_>]) -> State {
        let draft = &drafts[index];
        let mut state = State {
            name: draft.name.clone(),
            path: path(drafts, StateIndex(index)).into(),
            parent: draft.parent,
            initial: None,
            history: false,
            enter: Vec::new(),
            exit: Vec::new(),
            rules: Vec::new(),
        };
        let Some(fields) = &draft.fields else { return state };
        if !draft.children.is_empty() {
            let what = format!("the group {}", draft.name);
            // A group must have an initial state, or it would count as a leaf.
            state.initial = self.initial(fields, &what, &draft.children, drafts).or(draft.children.first().copied());
        } else if let Some(entry) = fields.entry("initial") {
            let message = format!("the state {} has no states inside to start in", draft.name);
            self.report.error(entry.at, "form", message, "remove `initial`, or add `states`");
        }
        state.history = fields.flag("history").unwrap_or(false);
        state.enter = self.actions(fields, "enter");
        state.exit = self.actions(fields, "exit");
        state.rules = self.rules(fields, StateIndex(index), drafts);
        state
    }

    fn actions(&self, fields: &Fields<'_, '_>, key: &str) -> Vec<Action> {
        fields.texts(key).into_iter().filter_map(|(text, node)| actions::action(self.around, text, node)).collect()
    }

    fn rules(&self, fields: &Fields<'_, '_>, state: StateIndex, drafts: &[StateDraft<'_>]) -> Vec<Rule> {
        let Some(node) = fields.node("go") else { return Vec::new() };
        let Kind::List(items) = &node.kind else {
            let hint = "write one line per rule: `- { when: temp > 80, to: hot }`";
            self.report.error(node.at, "form", "`go` must be a list of rules", hint);
            return Vec::new();
        };
        items.iter().filter_map(|item| self.rule(item, state, drafts)).collect()
    }

    fn rule(&self, item: &Node, state: StateIndex, drafts: &[StateDraft<'_>]) -> Option<Rule> {
        let fields = Fields::of(self.report, "a rule", item.at, item, keys::RULE)?;
        let when = fields.text("when");
        let (hold, after, every) = (fields.span("for"), fields.span("after"), fields.span("every"));
        let on = fields.text("on").map(|(name, node)| self.input(name, node));
        if !["when", "after", "every", "on"].into_iter().any(|key| fields.entry(key).is_some()) {
            let message = "this rule does not say when it acts";
            self.report.error(item.at, "missing-key", message, "give it `when: …`, `after: 30s` or `every: 10s`");
        }
        self.spans(&fields);
        let mut actions = self.actions(&fields, "do");
        actions.extend(self.settings(&fields));
        let to_written = fields.text("to").and_then(|(name, node)| self.target(name, node, state, drafts));
        if fields.entry("to").is_none() && fields.entry("do").is_none() && fields.entry("set").is_none() {
            self.report.error(item.at, "missing-key", "this rule does nothing", "give it `to: …` or `do: [ … ]`");
        }
        let condition = when.and_then(|(text, node)| self.around.reader.condition("a guard", text, node));
        Some(Rule {
            text: describe(&fields).into(),
            when: condition,
            hold,
            on_bad: match fields.choice("on_bad") {
                Some("reset") => OnBad::Reset,
                Some("ignore") => OnBad::Ignore,
                _ => OnBad::Pause,
            },
            after,
            every,
            on: on.flatten(),
            to: to_written.map(|target| first_leaf(drafts, target)),
            to_written,
            actions,
        })
    }

    /// Keys that only mean something together, and spans that mean nothing.
    fn spans(&self, fields: &Fields<'_, '_>) {
        for (key, needs) in [("for", "when"), ("on_bad", "for")] {
            if let Some(entry) = fields.entry(key).filter(|_| fields.entry(needs).is_none()) {
                self.report.error(entry.at, "form", format!("`{key}` needs `{needs}`"), "it says how long the guard must hold");
            }
        }
        if let Some(entry) = fields.entry("every").filter(|_| fields.span("every") == Some(Duration::ZERO)) {
            self.report.error(entry.at, "form", "a rule cannot act every 0s", "choose a longer span");
        }
        for other in ["after", "for"] {
            if let (Some(_), Some(entry)) = (fields.entry(other), fields.entry("every")) {
                self.report.error(entry.at, "form", format!("a rule has either `{other}` or `every`"), "make it two rules");
            }
        }
    }

    /// The property, or the sending detector, that sets a rule off.
    fn input(&self, name: &str, node: &Node) -> Option<Arc<str>> {
        if self.around.reader.knows(name) || self.around.detectors.contains(&name) {
            return Some(name.into());
        }
        let hint = self.around.reader.hint(name);
        self.report.error(node.at, "unknown-name", format!("there is no property or detector `{name}` here"), hint);
        None
    }

    /// `set: { count: count + 1 }`.
    fn settings(&self, fields: &Fields<'_, '_>) -> Vec<Action> {
        let settings = fields.names("set").iter().filter_map(|entry| {
            let text = text_of(self.report, &entry.key, &entry.value)?;
            let kind = actions::set(self.around, &entry.key, entry.at, text, &entry.value, 0)?;
            Some(Action { text: format!("set {} = {text}", entry.key).into(), kind })
        });
        settings.collect()
    }

    /// The state a name means, seen from another: among its siblings, then further out, then inside, then anywhere.
    fn target(&self, name: &str, node: &Node, from: StateIndex, drafts: &[StateDraft<'_>]) -> Option<StateIndex> {
        let all = || (0..drafts.len()).map(StateIndex);
        if name.contains('/') {
            let found = all().find(|state| path(drafts, *state) == name);
            return found.or_else(|| self.no_state(name, node, drafts));
        }
        let mut level = Some(from);
        while let Some(state) = level {
            let parent = drafts[state.0].parent;
            let sibling = all().find(|other| drafts[other.0].parent == parent && &*drafts[other.0].name == name);
            if sibling.is_some() {
                return sibling;
            }
            level = parent;
        }
        let named: Vec<StateIndex> = all().filter(|state| &*drafts[state.0].name == name).collect();
        let inside: Vec<StateIndex> = named.iter().copied().filter(|state| drafts[state.0].parent == Some(from)).collect();
        match (&inside[..], &named[..]) {
            ([only], _) | ([], [only]) => Some(*only),
            ([], []) => self.no_state(name, node, drafts),
            _ => {
                let paths: Vec<String> = named.iter().map(|state| format!("`{}`", path(drafts, *state))).collect();
                let message = format!("`{name}` is the name of several states");
                self.report.error(node.at, "unknown-name", message, format!("say which: {}", paths.join(" or ")));
                None
            }
        }
    }

    fn no_state(&self, name: &str, node: &Node, drafts: &[StateDraft<'_>]) -> Option<StateIndex> {
        let paths: Vec<String> = (0..drafts.len()).map(|state| path(drafts, StateIndex(state))).collect();
        let names = drafts.iter().map(|draft| &*draft.name).chain(paths.iter().map(String::as_str));
        let hint = match crate::expression::nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => suggest(name, drafts.iter().map(|draft| &*draft.name), "states"),
        };
        self.report.error(node.at, "unknown-name", format!("{} has no state `{name}`", self.what), hint);
        None
    }

    /// A text whose `{name}`s must mean something.
    fn template(&self, fields: &Fields<'_, '_>, key: &str) -> String {
        let Some((text, node)) = fields.text(key) else { return String::new() };
        actions::check_template(self.around, text, node, 0);
        text.to_owned()
    }
}

/// Names from the outermost state, joined by `/`.
fn path(drafts: &[StateDraft<'_>], state: StateIndex) -> String {
    let mut names = vec![&*drafts[state.0].name];
    let mut parent = drafts[state.0].parent;
    while let Some(StateIndex(index)) = parent {
        names.push(&drafts[index].name);
        parent = drafts[index].parent;
    }
    names.reverse();
    names.join("/")
}

/// The leaf entered with a state, by what its groups say.
fn first_leaf(drafts: &[StateDraft<'_>], mut state: StateIndex) -> StateIndex {
    while let Some(first) = drafts[state.0].children.first() {
        let initial = drafts[state.0].fields.as_ref().and_then(|fields| fields.entry("initial")?.value.text());
        let named = initial.and_then(|name| drafts[state.0].children.iter().find(|child| &*drafts[child.0].name == name));
        state = *named.unwrap_or(first);
    }
    state
}

/// A rule in words, as on the detector page.
fn describe(fields: &Fields<'_, '_>) -> String {
    let words = ["on", "when", "for", "after", "every"].into_iter().filter_map(|key| {
        let text = fields.entry(key)?.value.text()?;
        Some(format!("{key} {text}"))
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Warns of what can be run but was hardly meant.
fn doubts(around: &Surroundings<'_>, fields: &Fields<'_, '_>, model: &DetectorModel, drafts: &[StateDraft<'_>], at: At) {
    let report = around.reader.report;
    let rule_actions = model.states.iter().flat_map(|state| state.rules.iter().flat_map(|rule| &rule.actions));
    let state_actions = model.states.iter().flat_map(|state| state.enter.iter().chain(&state.exit));
    let actions: Vec<&ActionKind> = rule_actions.chain(state_actions).map(|action| &action.kind).collect();
    let raises = actions.iter().any(|action| matches!(action, ActionKind::Raise));
    alarm::doubts(around, fields, raises, &model.name);
    if raises && fields.entry("response").is_none() {
        let hint = "tell the operator what to do: `response: Check valve V12, then call maintenance.`";
        report.warning(at, "alarm-without-response", format!("the alarm {} has no `response`", model.name), hint);
    }
    if raises && fields.entry("message").is_none() {
        let hint = "say what is wrong: `message: Bowl temperature {fill_temp} is above {temp_limit}`";
        report.warning(at, "alarm-without-message", format!("the alarm {} has no `message`", model.name), hint);
    }
    if raises && !actions.iter().any(|action| matches!(action, ActionKind::Clear)) {
        let hint = "add `do: [clear]` to the rule that leads back to normal";
        report.warning(at, "alarm-never-clears", format!("the alarm {} is raised and never cleared", model.name), hint);
    }
    for state in unreachable(model) {
        let draft = &drafts[state.0];
        let message = format!("nothing leads to the state {}", draft.name);
        report.warning(draft.at, "unreachable-state", message, "add a rule with `to:` it, or remove it");
    }
}

/// The states that can never be active; of a group, only the group.
fn unreachable(model: &DetectorModel) -> Vec<StateIndex> {
    let mut active = vec![false; model.states.len()];
    let mut open = vec![model.initial];
    while let Some(leaf_state) = open.pop() {
        let mut level = Some(leaf_state);
        while let Some(StateIndex(index)) = level {
            if !std::mem::replace(&mut active[index], true) {
                open.extend(model.states[index].rules.iter().filter_map(|rule| rule.to));
            }
            level = model.states[index].parent;
        }
    }
    let hidden = |state: &StateIndex| !active[state.0] && model.states[state.0].parent.is_none_or(|parent| active[parent.0]);
    (0..model.states.len()).map(StateIndex).filter(hidden).collect()
}

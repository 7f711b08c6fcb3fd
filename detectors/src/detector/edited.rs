//! What of a snapshot still means something when the definition was edited meanwhile, and what is said about the rest.
//!
//! States are found by their paths, variables by name and type, timers by state, rule and span. An `after` whose rule changed
//! otherwise goes on, because it counts from the entry; a `for` whose guard changed starts over.

use super::{Body, Timer};
use crate::{
    policy::Desk,
    program::{Program, Rule, TimerKind},
};
use andon_models::{
    Quality, Value,
    command::DryRun,
    detector::StateIndex,
    expression::{Reference, SlotValue},
    snapshot::{DetectorSnapshot, DryRunSnapshot, TimerSnapshot},
};
use std::sync::Arc;

impl Body {
    /// Takes over the state, the variables, the histories of groups and the timers, as far as they are still there. Gives the
    /// active leaf.
    pub(super) fn take_over(&mut self, snapshot: &DetectorSnapshot) -> Option<usize> {
        let program = self.program.clone();
        let state = |path: &str| program.model.state_at(path).map(|StateIndex(id)| id);
        self.take_over_variables(&program, &snapshot.variables);
        for (group, leaf) in &snapshot.history {
            match (state(group), state(leaf).filter(|leaf| program.nodes[*leaf].is_leaf())) {
                (Some(group), Some(leaf)) => self.history.push((group, leaf)),
                _ => self.notes.push(format!("{group} forgets that it was left in {leaf}")),
            }
        }
        let Some(found) = state(&snapshot.state) else {
            self.lost_state = snapshot.state.clone();
            return None;
        };
        let leaf = program.first_leaf(found);
        if leaf != found {
            let first = &program.nodes[leaf].path;
            self.notes.push(format!(
                "the state {} is a group now: it stands in {first}, entered without its actions",
                snapshot.state
            ));
        }
        self.leaf = Some(leaf);
        self.take_over_timers(snapshot);
        Some(leaf)
    }

    fn take_over_variables(&mut self, program: &Program, kept: &[(Arc<str>, Value)]) {
        for (name, value) in kept {
            let declared = program.model.variables.iter().find(|(variable, _)| variable == name);
            let line =
                program.table.iter().position(|line| matches!(&line.reference, Reference::Variable(known) if known == name));
            let (Some((_, first)), Some(line)) = (declared, line) else {
                self.notes.push(format!("the variable {name} is gone (it was {value})"));
                continue;
            };
            let number = |value: &Value| matches!(value, Value::Integer(_) | Value::Double(_));
            let fits = first.value_type() == value.value_type() || *first == Value::Null || (number(first) && number(value));
            if fits {
                self.values[line] = SlotValue { value: value.clone(), quality: Quality::Good, time: None };
            } else {
                self.notes.push(format!("the variable {name} starts over with {first}: {value} is of another type"));
            }
        }
    }

    /// The timers of the active states: those that ran go on, those that an edited model adds count from when the state was entered.
    fn take_over_timers(&mut self, snapshot: &DetectorSnapshot) {
        let mut adopted = Vec::new();
        let mut timers = Vec::new();
        for node in self.active() {
            for (position, rule) in node.rules.iter().enumerate() {
                for kind in [TimerKind::Hold, TimerKind::Stay] {
                    let since = snapshot.since;
                    let timer =
                        Timer { node: node.id, rule: position, kind, started: since, due: since, paused: None, fired: false };
                    let ran = ran(&snapshot.timers, &node.path, position, rule, kind);
                    match (ran, rule.stay().filter(|_| kind == TimerKind::Stay)) {
                        (Some(ran), _) => {
                            adopted.push(ran);
                            let TimerSnapshot { started, due, paused, fired, .. } = snapshot.timers[ran].clone();
                            timers.push(Timer { started, due, paused, fired, ..timer });
                        }
                        (None, Some(span)) => timers.push(Timer { due: since + span, ..timer }),
                        (None, None) => {}
                    }
                }
            }
        }
        timers.sort_by_key(|timer| (timer.node, timer.rule, timer.kind));
        self.timers = timers;
        for (position, timer) in snapshot.timers.iter().enumerate() {
            // An `after` counts from the entry by any rule; only what a guard has held for can be lost.
            if timer.name.starts_with("for ") && !adopted.contains(&position) && !timer.fired {
                self.notes
                    .push(format!("the timer `{}` of {} does not go on: its rule is another one now", timer.name, timer.state));
            }
        }
    }

    /// A dry run proves something about the definition it was made with.
    pub(super) fn take_over_dry_run(&mut self, kept: Option<DryRunSnapshot>, definition: &Arc<str>) {
        let wanted = self.program.model.dry_run;
        let same = definition.is_empty() || *definition == self.program.definition;
        self.dry_run = kept.filter(|_| same && wanted != DryRun::No);
        if let (DryRun::AtLeast(span), Some(dry)) = (wanted, &mut self.dry_run) {
            dry.until = Some(dry.since + span);
        }
        if wanted != DryRun::No && self.dry_run.is_none() {
            self.notes.push("it runs dry from now on".into());
        }
    }

    /// Starts every `for` whose guard holds already and that the definition of the snapshot did not have.
    pub(super) fn start_new_holds(&mut self, desk: &mut Desk) {
        let program = self.program.clone();
        let mut next = self.leaf.map(|leaf| &program.nodes[leaf]);
        while let Some(node) = next {
            for (position, rule) in node.rules.iter().enumerate() {
                let runs = |timer: &Timer| (timer.node, timer.rule, timer.kind) == (node.id, position, TimerKind::Hold);
                if rule.hold.is_some() && !rule.limited && !self.timers.iter().any(runs) {
                    self.update_hold(desk, node.id, position, rule);
                }
            }
            next = node.parent.as_ref();
        }
    }
}

/// The position of the timer that a rule had.
fn ran(kept: &[TimerSnapshot], state: &Arc<str>, position: usize, rule: &Rule, kind: TimerKind) -> Option<usize> {
    let name = &rule.timer_words(kind).name;
    if name.is_empty() {
        return None;
    }
    let named = |timer: &&TimerSnapshot| timer.state == *state && timer.name == *name;
    let same =
        |timer: &&TimerSnapshot| named(timer) && (timer.text == rule.text || (timer.text.is_empty() && timer.rule == position));
    let alike = |timer: &&TimerSnapshot| named(timer) && timer.rule == position && kind == TimerKind::Stay;
    let found = kept.iter().find(same).or_else(|| kept.iter().find(alike))?;
    kept.iter().position(|timer| std::ptr::eq(timer, found))
}

/// When a snapshot's detector is gone: what it leaves behind, in words.
pub(crate) fn left_behind(snapshot: &DetectorSnapshot) -> String {
    let open = snapshot.commands.iter().filter(|command| !command.state.is_final());
    let commands: Vec<String> =
        open.map(|open| format!("write {} = {} is {}", open.command.control, open.command.value, open.state)).collect();
    let alarm = if snapshot.alarm.active { format!(", its alarm {}", snapshot.alarm.state) } else { String::new() };
    let because = "the definition has no such detector of this asset any more";
    let mut text = format!("{because}; it stood in {}{alarm}", snapshot.state);
    if !commands.is_empty() {
        text.push_str(&format!("; look at the machine: {}", commands.join(", ")));
    }
    text
}

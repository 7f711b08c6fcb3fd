//! One instance: its machine, and everything it knows.

use super::{
    evaluation::{Run, Trigger},
    program::{Heard, Program},
    scene::{Dispatch, OfModel, Scene},
};
use crate::hierarchy::Tree;
use andon_models::{EventId, Timestamp, Value, document::weight, expression::event::PathStep};
use serde_json::Value as Json;
use statig::blocking::{IntoStateMachineExt, StateMachine};
use std::{sync::Arc, time::Duration};

/// A remembered message that weighs more is cut down to what expressions read of it: there may be a hundred thousand.
const MAX_KEPT_BYTES: usize = 1_024;

/// Of what expressions read of a message no more is remembered; what goes beyond reads as undefined. AWS takes messages of a kilobyte,
/// which weigh a few of these.
const MAX_READ_BYTES: usize = 16 * 1_024;

/// A detector for one key.
pub(super) struct Instance {
    machine: StateMachine<Tree<OfModel>>,
    pub body: Body,
}

/// Everything an instance knows.
#[derive(Debug)]
pub(super) struct Body {
    pub program: Arc<Program>,
    pub key: Option<Arc<str>>,
    pub leaf: Option<usize>,
    pub variables: Box<[Option<Value>]>,
    pub timers: Box<[Timer]>,
    /// The last message of each input.
    pub inputs: Box<[Option<Arc<Json>>]>,
    /// When it entered its state.
    pub since: Timestamp,
    /// Evaluations so far: ids of what it does are derived from it.
    pub evaluations: u64,
    pub restoring: bool,
}

/// A named timer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Timer {
    /// When it goes off; none while it does not run.
    pub due: Option<Timestamp>,
    /// What it was set to last; none before it was ever set.
    pub span: Option<Duration>,
    /// It went off, and no evaluation asked for it yet.
    pub expired: bool,
    /// This evaluation asked for it or changed it: from the next one on it has not expired.
    pub settled: bool,
}

impl Instance {
    pub fn new(program: Arc<Program>, key: Option<Arc<str>>) -> Self {
        let body = Body {
            key,
            leaf: None,
            variables: vec![None; program.variables.len()].into(),
            timers: vec![Timer::default(); program.timers.len()].into(),
            inputs: vec![None; program.inputs.len()].into(),
            since: Timestamp::MIN,
            evaluations: 0,
            restoring: false,
            program,
        };
        Self { machine: Tree::new().state_machine(), body }
    }

    /// Evaluates at a message; the first one enters the initial state before.
    pub fn evaluate(&mut self, now: Timestamp, trigger: &Trigger, run: &mut Run) {
        run.clear();
        if self.body.leaf.is_none() {
            let initial = self.body.program.model.leaf_of(self.body.program.model.initial).0;
            self.handle(Dispatch::Enter(initial), now, trigger, run);
        }
        self.handle(Dispatch::Input, now, trigger, run);
        self.body.evaluations += 1;
        for timer in &mut self.body.timers {
            if std::mem::take(&mut timer.settled) {
                timer.expired = false;
            }
        }
    }

    /// Puts it into a state without doing anything.
    pub fn place(&mut self, leaf: usize) {
        self.body.restoring = true;
        let nowhere = Trigger::Timer(Arc::default());
        self.handle(Dispatch::Enter(leaf), self.body.since, &nowhere, &mut Run::default());
        self.body.restoring = false;
    }

    fn handle(&mut self, dispatch: Dispatch, now: Timestamp, trigger: &Trigger, run: &mut Run) {
        let mut scene = Scene { body: &mut self.body, run, now, trigger };
        self.machine.handle_with_context(&dispatch, &mut scene);
    }
}

impl Body {
    /// The name of the active state; empty before the first.
    pub fn state(&self) -> Arc<str> {
        self.leaf.map_or_else(Arc::default, |leaf| self.program.nodes[leaf].name.clone())
    }

    pub fn set_variables(&self) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        self.program.variables.iter().zip(&self.variables).filter_map(|(name, value)| Some((name, value.as_ref()?)))
    }

    pub fn running_timers(&self) -> impl Iterator<Item = (&Arc<str>, Timestamp)> {
        self.program.timers.iter().zip(&self.timers).filter_map(|(name, timer)| Some((name, timer.due?)))
    }

    /// The timer that goes off first: by deadline, then by name.
    pub fn next_timer(&self) -> Option<(Timestamp, usize)> {
        self.timers.iter().enumerate().filter_map(|(position, timer)| Some((timer.due?, position))).min()
    }

    /// The id of the next message, if it brings none of its own.
    pub fn next_message(&self) -> Arc<str> {
        let key = self.key.as_deref().unwrap_or_default();
        EventId::from_name(&format!("{}/{key}/{}/message", self.program.model.name, self.evaluations)).to_string().into()
    }

    /// Remembers a message.
    pub fn remember(&mut self, input: usize, payload: &Arc<Json>) {
        self.inputs[input] = Some(self.kept(input, payload));
    }

    /// Whether the last message of an input says the same.
    pub fn has_last(&self, input: usize, payload: &Arc<Json>) -> bool {
        self.inputs[input].as_ref().is_some_and(|last| *last == self.kept(input, payload))
    }

    /// What is remembered of a message.
    fn kept(&self, input: usize, payload: &Arc<Json>) -> Arc<Json> {
        let heard = &self.program.inputs[input];
        if weight(payload, MAX_KEPT_BYTES) > MAX_KEPT_BYTES { Arc::new(cut(heard, payload)) } else { payload.clone() }
    }
}

/// What expressions read of a message, at its place.
fn cut(heard: &Heard, payload: &Json) -> Json {
    let mut kept = Json::Null;
    let mut left = MAX_READ_BYTES;
    for path in &heard.paths {
        let Some(value) = PathStep::follow(path, payload) else { continue };
        let takes = path.iter().map(place_of).sum::<usize>() + weight(value, left);
        if takes <= left {
            left -= takes;
            put(&mut kept, path, value);
        }
    }
    kept
}

/// What a step of a path takes by itself: a member with its name, or a list up to the place.
fn place_of(step: &PathStep) -> usize {
    match step {
        PathStep::Name(name) => weight(&Json::Null, 0) + name.len(),
        PathStep::Index(index) => weight(&Json::Null, 0).saturating_mul(index.saturating_add(1)),
    }
}

fn put(kept: &mut Json, path: &[PathStep], value: &Json) {
    match path.split_first() {
        None => *kept = value.clone(),
        Some((PathStep::Name(name), rest)) => {
            if !kept.is_object() {
                *kept = Json::Object(serde_json::Map::new());
            }
            if let Json::Object(members) = kept {
                put(members.entry(&**name).or_insert(Json::Null), rest, value);
            }
        }
        Some((PathStep::Index(index), rest)) => {
            if !kept.is_array() {
                *kept = Json::Array(Vec::new());
            }
            if let Json::Array(items) = kept {
                if items.len() <= *index {
                    items.resize(index + 1, Json::Null);
                }
                put(&mut items[*index], rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kept(payload: &Json, paths: &[&str]) -> Json {
        let step = |step: &str| step.parse().map_or_else(|_| PathStep::Name(step.into()), PathStep::Index);
        let path = |path: &&str| path.split('.').filter(|step| !step.is_empty()).map(step).collect();
        cut(&Heard { name: "in".into(), paths: paths.iter().map(path).collect() }, payload)
    }

    #[test]
    fn what_is_remembered_of_a_message_is_bounded() {
        let names: serde_json::Map<String, Json> = (0..20).map(|n| (format!("{n}{}", "k".repeat(100)), json!(1))).collect();
        assert!(weight(&names.into(), usize::MAX) > 2_000, "names weigh as well");
        let list: Vec<usize> = (0..100_000).collect();
        let payload = json!({ "a": 1, "list": list, "text": "x".repeat(1 << 20), "b": { "c": "here" } });
        let all = ["a", "list", "list.3", "list.90000", "text", "b.c"];
        assert_eq!(kept(&payload, &all), json!({ "a": 1, "list": [null, null, null, 3], "b": { "c": "here" } }));
        assert_eq!(kept(&payload, &[""]), Json::Null, "a whole message");
        assert_eq!(kept(&json!({ "b": { "c": 1 } }), &[""]), json!({ "b": { "c": 1 } }));
    }
}

//! One instance: its machine, and everything it knows.

use super::{
    evaluation::{Run, Trigger},
    program::{Heard, Program},
    scene::{Dispatch, OfModel, Scene},
};
use crate::hierarchy::Tree;
use andon_models::{EventId, Timestamp, Value, expression::event::PathStep};
use serde_json::Value as Json;
use statig::blocking::{IntoStateMachineExt, StateMachine};
use std::{sync::Arc, time::Duration};

/// A remembered message that weighs more is cut down to what expressions read of it: there may be a hundred thousand.
const MAX_KEPT_BYTES: usize = 1_024;

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
        let heard = &self.program.inputs[input];
        let kept = if weight(payload) > MAX_KEPT_BYTES { Arc::new(cut(heard, payload)) } else { payload.clone() };
        self.inputs[input] = Some(kept);
    }
}

/// About how many bytes a message takes, as far as that matters here.
fn weight(value: &Json) -> usize {
    const NODE: usize = 32;
    match value {
        Json::String(text) => NODE + text.len(),
        Json::Array(items) => add(NODE, items.iter()),
        Json::Object(members) => add(NODE * (1 + members.len()), members.values()),
        Json::Null | Json::Bool(_) | Json::Number(_) => NODE,
    }
}

fn add<'v>(mut sum: usize, values: impl Iterator<Item = &'v Json>) -> usize {
    for value in values {
        if sum > MAX_KEPT_BYTES {
            break;
        }
        sum += weight(value);
    }
    sum
}

/// What expressions read of a message, at its place.
fn cut(heard: &Heard, payload: &Json) -> Json {
    let mut kept = Json::Null;
    for path in &heard.paths {
        if let Some(value) = follow(payload, path) {
            put(&mut kept, path, value);
        }
    }
    kept
}

fn follow<'v>(value: &'v Json, path: &[PathStep]) -> Option<&'v Json> {
    path.iter().try_fold(value, |value, step| match step {
        PathStep::Name(name) => value.get(&**name),
        PathStep::Index(index) => value.get(*index),
    })
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

//! What an instance keeps over a restart, by names, and how it comes back without repeating an action.

use super::{
    evaluation::Evaluation,
    instance::{Body, Instance, Timer},
    program::Program,
};
use andon_models::snapshot::{InstanceSnapshot, NamedTimerSnapshot};
use std::sync::Arc;

impl Evaluation<'_> {
    /// Everything that must survive a restart.
    pub fn snapshot(&self) -> InstanceSnapshot {
        self.body.snapshot()
    }
}

impl Body {
    pub(super) fn snapshot(&self) -> InstanceSnapshot {
        let timers = self.program.timers.iter().zip(&self.timers).filter(|(_, timer)| timer.span.is_some());
        let timers = timers.map(|(name, timer)| NamedTimerSnapshot {
            name: name.clone(),
            due: timer.due,
            seconds: timer.span.unwrap_or_default().as_secs(),
            expired: timer.expired,
        });
        let inputs = self.program.inputs.iter().zip(&self.inputs);
        InstanceSnapshot {
            detector: self.program.model.name.clone(),
            key: self.key.clone(),
            state: self.state(),
            since: self.since,
            variables: self.set_variables().map(|(name, value)| (name.clone(), value.clone())).collect(),
            timers: timers.collect(),
            inputs: inputs.filter_map(|(input, last)| Some((input.name.clone(), last.as_deref()?.clone()))).collect(),
            evaluations: self.evaluations,
        }
    }
}

impl Instance {
    /// Puts an instance back where it stood; none if its state is gone, so that it starts anew with its next message. Variables,
    /// timers and inputs that are gone from the model are forgotten.
    pub(super) fn restored(program: &Arc<Program>, snapshot: InstanceSnapshot) -> Option<Self> {
        let leaf =
            program.model.state_named(&snapshot.state).map(|state| state.0).filter(|leaf| program.nodes[*leaf].is_leaf)?;
        let mut instance = Self::new(program.clone(), snapshot.key);
        let body = &mut instance.body;
        body.since = snapshot.since;
        body.evaluations = snapshot.evaluations;
        for (name, value) in snapshot.variables {
            if let Some(variable) = program.variable(&name) {
                body.variables[variable] = Some(value);
            }
        }
        for timer in snapshot.timers {
            if let Some(position) = program.timer(&timer.name) {
                let span = Some(std::time::Duration::from_secs(timer.seconds));
                body.timers[position] = Timer { due: timer.due, span, expired: timer.expired, settled: false };
            }
        }
        for (name, message) in snapshot.inputs {
            if let Some(input) = program.input(&name) {
                body.inputs[input] = Some(Arc::new(message));
            }
        }
        instance.place(leaf);
        Some(instance)
    }
}

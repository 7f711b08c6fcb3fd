//! All instances of one detector model: finds the one a message is for, and keeps their timers in one queue.
//!
//! An instance that panics is taken out of service alone; the others go on.

use super::{
    evaluation::{Evaluation, Run, Trigger},
    instance::Instance,
    program::Program,
};
use andon_models::{Timestamp, expression::nearest, iot_events::DetectorModel, snapshot::InstanceSnapshot};
use serde_json::Value as Json;
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

/// Most instances of one model; AWS allows a tenth of it. A key that never repeats is a mistake in the model.
const MAX_INSTANCES: usize = 1_000_000;

/// Longest key, as on AWS.
const MAX_KEY: usize = 128;

/// All instances of one detector model.
pub struct EventEngine {
    program: Arc<Program>,
    instances: Vec<Place>,
    by_key: HashMap<Option<Arc<str>>, u32>,
    /// Instances by when their first timer goes off.
    due: BTreeSet<(Timestamp, u32)>,
    /// The latest time seen: time never goes back.
    now: Timestamp,
    run: Run,
}

/// One instance, and when it is due.
struct Place {
    instance: Instance,
    due: Option<Timestamp>,
    quarantined: bool,
}

/// A message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'m> {
    /// The input's name.
    pub input: &'m str,
    /// What it says.
    pub payload: &'m Arc<Json>,
    /// Its id; none derives one from the evaluation it leads to, so that a restart does not give it to another message.
    pub id: Option<&'m Arc<str>>,
    /// A broker had kept it and sends it again and again: an instance whose last message of the input is the same does not take it.
    pub retained: bool,
}

/// Why a message reached no instance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No expression of the model mentions the input.
    #[error("{model} does not mention the input `{input}`{hint}")]
    NotHeard {
        /// The model.
        model: Arc<str>,
        /// The input.
        input: Arc<str>,
        /// The nearest input that it does mention.
        hint: Arc<str>,
    },
    /// The message has no key.
    #[error("the message has no `{path}`, so it belongs to no instance of {model}")]
    NoKey {
        /// The model.
        model: Arc<str>,
        /// Where the key was looked for.
        path: Arc<str>,
    },
    /// The key cannot be one.
    #[error("`{path}` is {found}: a key is a text of 1 to 128 characters, a number or a Boolean")]
    BadKey {
        /// Where the key stands.
        path: Arc<str>,
        /// What is there.
        found: Arc<str>,
    },
    /// There are too many instances.
    #[error("{0} has {MAX_INSTANCES} instances already; a new key is not taken")]
    Full(Arc<str>),
    /// The instance is out of service.
    #[error("the instance failed with an internal error and watches nothing until a restart; please report it")]
    Quarantined,
}

impl fmt::Debug for EventEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventEngine")
            .field("model", &self.program.model.name)
            .field("instances", &self.instances.len())
            .finish_non_exhaustive()
    }
}

impl EventEngine {
    /// An engine without instances.
    pub fn new(model: &Arc<DetectorModel>) -> Self {
        Self {
            program: Arc::new(Program::compile(model)),
            instances: Vec::new(),
            by_key: HashMap::new(),
            due: BTreeSet::new(),
            now: Timestamp::MIN,
            run: Run::default(),
        }
    }

    /// Has every evaluation list its conditions.
    #[must_use]
    pub fn tracing(mut self) -> Self {
        self.run.trace = true;
        self
    }

    /// Has every move explained.
    #[must_use]
    pub fn explaining(mut self) -> Self {
        self.run.explain = true;
        self
    }

    /// The model it runs.
    pub fn model(&self) -> &Arc<DetectorModel> {
        &self.program.model
    }

    /// Whether a message of an input reaches this model: some expression mentions it. A model that mentions none hears all.
    pub fn hears(&self, input: &str) -> bool {
        self.program.inputs.is_empty() || self.program.input(input).is_some()
    }

    /// How many instances there are.
    pub fn count(&self) -> usize {
        self.instances.len()
    }

    /// The latest time it has seen.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// When the next timer goes off.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Takes a message. A time before the latest one counts as the latest. Call [`Self::time`] before, or timers that are due by
    /// then go off late.
    ///
    /// # Errors
    /// Why it reached no instance.
    pub fn message(
        &mut self,
        time: Timestamp,
        message: Message<'_>,
        sink: &mut dyn FnMut(Evaluation<'_>),
    ) -> Result<(), Refusal> {
        self.now = self.now.max(time);
        if !self.hears(message.input) {
            return Err(self.not_heard(message.input));
        }
        let key = self.key_of(message.payload)?;
        let number = self.number(key)?;
        let id = message.id.cloned().unwrap_or_else(|| self.instances[number as usize].instance.body.next_message());
        let input = self.program.input(message.input);
        let name = input.map_or_else(|| message.input.into(), |input| self.program.inputs[input].name.clone());
        if self.instances[number as usize].quarantined {
            return Err(Refusal::Quarantined);
        }
        if let Some(input) = input {
            let body = &mut self.instances[number as usize].instance.body;
            if message.retained && body.has_last(input, message.payload) {
                return Ok(());
            }
            body.remember(input, message.payload);
        }
        self.evaluate(number, self.now, &Trigger::Message { input: name, id }, sink)
    }

    /// Lets timers go off that are due by a time, at most so many, by deadline. Says whether all have.
    pub fn time(&mut self, time: Timestamp, most: usize, sink: &mut dyn FnMut(Evaluation<'_>)) -> bool {
        for _ in 0..most {
            let Some((due, number)) = self.due.first().copied().filter(|(due, _)| *due <= time) else { break };
            let body = &mut self.instances[number as usize].instance.body;
            let Some((_, timer)) = body.next_timer() else {
                self.due.pop_first();
                continue;
            };
            body.timers[timer].due = None;
            body.timers[timer].expired = true;
            self.now = self.now.max(due);
            let trigger = Trigger::Timer(self.program.timers[timer].clone());
            // A quarantined instance has no timers, so nothing is refused.
            let _ = self.evaluate(number, due, &trigger, sink);
        }
        let done = self.due.first().is_none_or(|(due, _)| *due > time);
        if done {
            self.now = self.now.max(time);
        }
        done
    }

    /// Tells the time to an engine that was restored, or whose clock went back: what it has seen of the future is forgotten, and no timer
    /// runs for longer than it was set to.
    pub fn set_clock(&mut self, now: Timestamp) {
        let back = if self.now > now { self.now.since(now) } else { Duration::ZERO };
        for number in (0..).take(self.instances.len()) {
            for timer in &mut self.instances[number as usize].instance.body.timers {
                if let (Some(due), Some(span)) = (timer.due, timer.span) {
                    timer.due = Some((due - back).min(now + span));
                }
            }
            self.schedule(number);
        }
        self.now = now;
    }

    /// Where all instances stand.
    pub fn snapshots(&self) -> impl Iterator<Item = InstanceSnapshot> {
        self.instances.iter().map(|place| place.instance.body.snapshot())
    }

    /// Where the instance of a key stands.
    pub fn snapshot(&self, key: Option<&str>) -> Option<InstanceSnapshot> {
        let number = self.by_key.get(&key.map(Arc::from))?;
        Some(self.instances[*number as usize].instance.body.snapshot())
    }

    /// Puts an instance back to where it stood, without repeating an action. Says whether its state still exists; if not, it starts
    /// anew with its next message.
    pub fn restore(&mut self, snapshot: InstanceSnapshot) -> bool {
        if self.instances.len() >= MAX_INSTANCES || self.by_key.contains_key(&snapshot.key) {
            return false;
        }
        let Some(instance) = Instance::restored(&self.program, snapshot) else { return false };
        let number = self.add(instance);
        self.schedule(number);
        true
    }

    /// Makes the next evaluation of one instance panic.
    #[cfg(test)]
    pub(super) fn poison(&mut self, key: &str) {
        let number = self.by_key[&Some(Arc::from(key))];
        self.instances[number as usize].instance.body.leaf = Some(usize::MAX);
    }

    fn not_heard(&self, input: &str) -> Refusal {
        let near = nearest(input, self.program.inputs.iter().map(|input| &*input.name));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Refusal::NotHeard { model: self.program.model.name.clone(), input: input.into(), hint: hint.into() }
    }

    fn key_of(&self, payload: &Json) -> Result<Option<Arc<str>>, Refusal> {
        let Some(path) = &self.program.model.key else { return Ok(None) };
        let key: Arc<str> = match path.find(payload) {
            None | Some(Json::Null) => {
                let model = self.program.model.name.clone();
                return Err(Refusal::NoKey { model, path: path.as_str().into() });
            }
            Some(Json::String(text)) => text.as_str().into(),
            Some(Json::Number(number)) => number.to_string().into(),
            Some(Json::Bool(truth)) => truth.to_string().into(),
            Some(Json::Array(_)) => return Err(Refusal::BadKey { path: path.as_str().into(), found: "a list".into() }),
            Some(Json::Object(_)) => return Err(Refusal::BadKey { path: path.as_str().into(), found: "an object".into() }),
        };
        let length = key.chars().count();
        if length == 0 || length > MAX_KEY || key.contains(char::is_control) {
            let found = if length > MAX_KEY { format!("a text of {length} characters") } else { format!("{key:?}") };
            return Err(Refusal::BadKey { path: path.as_str().into(), found: found.into() });
        }
        Ok(Some(key))
    }

    fn number(&mut self, key: Option<Arc<str>>) -> Result<u32, Refusal> {
        if let Some(number) = self.by_key.get(&key) {
            return Ok(*number);
        }
        if self.instances.len() >= MAX_INSTANCES {
            return Err(Refusal::Full(self.program.model.name.clone()));
        }
        Ok(self.add(Instance::new(self.program.clone(), key)))
    }

    fn add(&mut self, instance: Instance) -> u32 {
        let number = u32::try_from(self.instances.len()).expect("there are fewer instances than a million");
        self.by_key.insert(instance.body.key.clone(), number);
        self.instances.push(Place { instance, due: None, quarantined: false });
        number
    }

    fn evaluate(
        &mut self,
        number: u32,
        time: Timestamp,
        trigger: &Trigger,
        sink: &mut dyn FnMut(Evaluation<'_>),
    ) -> Result<(), Refusal> {
        let place = &mut self.instances[number as usize];
        let run = &mut self.run;
        let survived = catch_unwind(AssertUnwindSafe(|| {
            let from = place.instance.body.leaf.map(|_| place.instance.body.state());
            place.instance.evaluate(time, trigger, run);
            from
        }));
        let Ok(from) = survived else {
            place.quarantined = true;
            if let Some(due) = place.due.take() {
                self.due.remove(&(due, number));
            }
            return Err(Refusal::Quarantined);
        };
        sink(Evaluation { time, trigger, from: from.as_ref(), body: &place.instance.body, run });
        self.schedule(number);
        Ok(())
    }

    fn schedule(&mut self, number: u32) {
        let place = &mut self.instances[number as usize];
        let due = place.instance.body.next_timer().map(|(due, _)| due);
        if place.due != due {
            if let Some(old) = std::mem::replace(&mut place.due, due) {
                self.due.remove(&(old, number));
            }
            self.due.extend(due.map(|due| (due, number)));
        }
    }
}

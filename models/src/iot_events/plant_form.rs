//! Detector models as the plant file holds them: the same members in shorter words, states that nest, the same expressions and
//! actions. [`write`] and [`model`] are inverse to one another.
//!
//! ```yaml
//! detectors:
//!   motor:
//!     key: motorid
//!     initial: Normal
//!     states:
//!       Normal:
//!         go:
//!           - { event: high, when: "$input.Pressure.bar > 70", to: Dangerous }
//!       Dangerous:
//!         enter:
//!           - { event: tell, do: [{ sns: { targetArn: shift_lead } }] }
//! ```

use super::{
    alarm::MessageAlarm,
    cursor::{Cursor, Object},
    finding::FindingKind,
    input::{Input, InputTopic},
    json_path::JsonPath,
    model::{Action, Content, DetectorModel, Event, PayloadType, State},
    read::{self, Words},
};
use crate::detector::{Evaluation, MAX_STATES, StateIndex};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Members of a detector.
const DETECTOR: &[&str] = &["description", "key", "evaluation", "alarm", "initial", "states"];
/// Members of a state.
const STATE: &[&str] = &["initial", "enter", "input", "go", "exit", "states"];
/// Members of an input.
const INPUT: &[&str] = &["description", "attributes", "topic"];

const WORDS: Words = Words { name: "event", condition: "when", actions: "do", next: "to" };

/// States in states at most.
const MAX_NESTING: usize = 32;

/// A model as JSON that the plant file holds as YAML.
pub fn write(model: &DetectorModel) -> Value {
    let mut members = Map::new();
    if !model.description.is_empty() {
        members.insert("description".into(), Value::from(&*model.description));
    }
    if let Some(key) = &model.key {
        members.insert("key".into(), key.as_str().into());
    }
    if model.evaluation == Evaluation::Serial {
        members.insert("evaluation".into(), "serial".into());
    }
    if let Some(alarm) = &model.alarm {
        members.insert("alarm".into(), alarm.write());
    }
    members.insert("initial".into(), Value::from(&*model.state(model.initial).name));
    members.insert("states".into(), states(model, None));
    members.into()
}

/// An input as JSON that the plant file holds as YAML.
pub fn write_input(input: &Input) -> Value {
    let mut members = Map::new();
    if !input.description.is_empty() {
        members.insert("description".into(), Value::from(&*input.description));
    }
    if !input.attributes.is_empty() {
        members.insert("attributes".into(), input.attributes.iter().map(JsonPath::as_str).collect());
    }
    if let Some(topic) = &input.topic {
        members.insert("topic".into(), topic.to_string().into());
    }
    members.into()
}

fn states(model: &DetectorModel, parent: Option<StateIndex>) -> Value {
    let inside = model.states.iter().enumerate().filter(|(_, state)| state.parent == parent);
    let written = inside.map(|(index, state)| {
        let mut members = Map::new();
        if let Some(initial) = state.initial {
            members.insert("initial".into(), Value::from(&*model.state(initial).name));
        }
        let lists =
            [("enter", &state.on_enter), ("input", &state.on_input), ("go", &state.transitions), ("exit", &state.on_exit)];
        for (name, events) in lists.into_iter().filter(|(_, events)| !events.is_empty()) {
            members.insert(name.into(), events.iter().map(|event| event_of(model, event)).collect());
        }
        if !state.is_leaf() {
            members.insert("states".into(), states(model, Some(StateIndex(index))));
        }
        (state.name.to_string(), members.into())
    });
    written.collect::<Map<String, Value>>().into()
}

fn event_of(model: &DetectorModel, event: &Event) -> Value {
    let mut members = Map::new();
    members.insert("event".into(), Value::from(&*event.name));
    if let Some(condition) = &event.condition {
        members.insert("when".into(), Value::from(&*condition.text));
    }
    if let Some(next) = event.next {
        members.insert("to".into(), Value::from(&*model.state(next).name));
    }
    if !event.actions.is_empty() {
        members.insert("do".into(), event.actions.iter().map(write_action).collect());
    }
    members.into()
}

/// An action as IoT Events writes it.
pub(super) fn write_action(action: &Action) -> Value {
    let mut members = Map::new();
    for field in &action.fields {
        let value = match &field.content {
            Content::Text(text) => Value::from(&**text),
            Content::Number(number) => (*number).into(),
            Content::Flag(flag) => (*flag).into(),
            Content::Formula(formula) => Value::from(&*formula.text),
        };
        nest(&mut members, field.name, value);
    }
    if let Some(payload) = &action.payload {
        let payload_type = match payload.payload_type {
            PayloadType::String => "STRING",
            PayloadType::Json => "JSON",
        };
        members.insert("payload".into(), json!({ "contentExpression": &*payload.content.text, "type": payload_type }));
    }
    json!({ action.kind.name(): members })
}

fn nest(members: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => _ = members.insert(name.into(), value),
        Some((outer, inner)) => {
            if let Value::Object(inside) = members.entry(outer).or_insert_with(|| Map::new().into()) {
                nest(inside, inner, value);
            }
        }
    }
}

/// A state with its place, parents before children.
struct Placed<'d> {
    name: Arc<str>,
    parent: Option<StateIndex>,
    object: Object<'d>,
}

/// Reads a detector of the plant file; with it the paths of its states, by position.
pub(super) fn model(name: &str, cursor: &Cursor<'_>) -> Option<(DetectorModel, Vec<String>)> {
    let object = cursor.object()?;
    object.only(DETECTOR);
    let mut placed = Vec::new();
    collect(&object, None, 0, &mut placed);
    let names: Vec<Arc<str>> = placed.iter().map(|state| state.name.clone()).collect();
    if names.is_empty() {
        object.error("a detector needs at least one state");
        return None;
    }
    let states: Vec<State> = placed.iter().map(|state| state_of(state, &placed, &names)).collect();
    let initial = object.need("initial").and_then(|cursor| read::state_index(&cursor, &names))?;
    let evaluation = object.get("evaluation").map_or(Some(Evaluation::Batch), |cursor| match &*cursor.text()? {
        "batch" => Some(Evaluation::Batch),
        "serial" => Some(Evaluation::Serial),
        other => {
            cursor.error(format!("expected batch or serial, found {other}"));
            None
        }
    })?;
    let key = object.get("key").and_then(|cursor| {
        let text = cursor.text()?;
        JsonPath::parse(&text).map_err(|mistake| cursor.error(mistake)).ok()
    });
    let alarm = object.get("alarm").and_then(|cursor| MessageAlarm::read(&cursor.object()?, &states));
    let description = object.text("description").unwrap_or_default();
    let paths = placed.iter().map(|state| state.object.path.clone()).collect();
    Some((DetectorModel { name: name.into(), description, key, evaluation, states, initial, alarm }, paths))
}

/// Gathers states from the outside in; a name given twice is reported.
fn collect<'d>(object: &Object<'d>, parent: Option<StateIndex>, depth: usize, placed: &mut Vec<Placed<'d>>) {
    let Some(states) = object.get("states") else { return };
    if depth >= MAX_NESTING {
        return states.error(format!("states nest deeper than {MAX_NESTING} levels"));
    }
    let Some(states) = states.object() else { return };
    // A state with nothing in it is `null` in YAML.
    for (name, cursor) in states.all_members() {
        if placed.len() >= MAX_STATES {
            let message = format!("there are more than {MAX_STATES} states");
            return cursor.report().error(FindingKind::ServiceLimits, &cursor.path, message);
        }
        if placed.iter().any(|known| *known.name == *name) {
            cursor.error(format!("there are two states `{name}`; a name is given once in a detector, at any depth"));
        }
        let Some(object) = cursor.object_or_nothing() else { continue };
        object.only(STATE);
        let index = StateIndex(placed.len());
        placed.push(Placed { name: name.into(), parent, object: object.clone() });
        collect(&object, Some(index), depth + 1, placed);
    }
}

fn state_of(state: &Placed<'_>, placed: &[Placed<'_>], names: &[Arc<str>]) -> State {
    let object = &state.object;
    let own = placed.iter().position(|other| std::ptr::eq(other, state)).map(StateIndex);
    let is_group = placed.iter().any(|other| other.parent == own);
    let initial = match (object.get("initial"), is_group) {
        (Some(cursor), true) => {
            let initial = read::state_index(&cursor, names);
            if initial.is_some_and(|initial| placed[initial.0].parent != own) {
                cursor.error(format!("`{}` is not inside `{}`", names[initial.map_or(0, |initial| initial.0)], state.name));
            }
            initial
        }
        (Some(cursor), false) => {
            cursor.error("only a state with `states` inside has an initial one");
            None
        }
        (None, true) => {
            object.error("a state with `states` inside needs `initial`: the one to enter");
            None
        }
        (None, false) => None,
    };
    let events = |list: &str, names| {
        object.list(list, super::MAX_EVENTS).iter().filter_map(|item| read::event(item, names, &WORDS)).collect()
    };
    State {
        name: state.name.clone(),
        parent: state.parent,
        initial,
        on_enter: events("enter", None),
        on_input: events("input", None),
        transitions: events("go", Some(names)),
        on_exit: events("exit", None),
    }
}

/// Reads an input of the plant file.
pub(super) fn input(name: &str, cursor: &Cursor<'_>) -> Option<Input> {
    let object = cursor.object_or_nothing()?;
    object.only(INPUT);
    let attribute = |item: &Cursor<'_>| JsonPath::parse(&item.text()?).map_err(|mistake| item.error(mistake)).ok();
    let attributes = object.list("attributes", super::input::MAX_ATTRIBUTES).iter().filter_map(attribute).collect();
    let topic = object.get("topic").and_then(|cursor| {
        let text = cursor.text()?;
        text.parse::<InputTopic>().map_err(|mistake| cursor.error(mistake)).ok()
    });
    Some(Input { name: name.into(), description: object.text("description").unwrap_or_default(), attributes, topic })
}

#[cfg(test)]
mod tests;

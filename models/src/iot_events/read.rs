//! Reads one detector model: states by name, then their events, then whether transitions lead somewhere.

use super::{
    MAX_ACTIONS, MAX_EVENTS,
    action::{action, formula},
    cursor::{Cursor, Object},
    finding::FindingKind,
    json_path::JsonPath,
    model::{DetectorModel, Event, State},
};
use crate::{
    detector::{Evaluation, MAX_STATES, StateIndex},
    expression::nearest,
};
use std::sync::Arc;

/// What the members of an event are called.
pub(super) struct Words {
    pub name: &'static str,
    pub condition: &'static str,
    pub actions: &'static str,
    pub next: &'static str,
}

const WORDS: Words = Words { name: "eventName", condition: "condition", actions: "actions", next: "nextState" };

/// What stands beside the definition.
pub(super) struct Around<'d> {
    /// The model's name, if the wrapper has one.
    pub name: Arc<str>,
    /// The object with `key`, `evaluationMethod` and so on; none around a bare definition.
    pub configuration: Option<Object<'d>>,
}

/// Reads a definition with what stands around it.
pub(super) fn model(definition: &Cursor<'_>, around: Around<'_>) -> Option<DetectorModel> {
    let object = definition.object()?;
    object.only(&["initialStateName", "states"]);
    let states = object.need("states").map(|states| states.list(MAX_STATES))?;
    let states: Vec<Object<'_>> = states.iter().filter_map(Cursor::object).collect();
    if states.is_empty() {
        object.error("a detector model needs at least one state");
        return None;
    }
    let names = names(&states);
    let read = |(state, name): (&Object<'_>, &Arc<str>)| state_of(state, name, &names);
    let states: Vec<State> = states.iter().zip(&names).map(read).collect();
    let initial = object.need("initialStateName").and_then(|cursor| state_index(&cursor, &names))?;
    let (key, evaluation, description) = around.configuration.as_ref().map_or((None, Evaluation::Batch, None), settings);
    let description = description.unwrap_or_default();
    Some(DetectorModel { name: around.name, description, key, evaluation, states, initial, alarm: None })
}

fn settings(object: &Object<'_>) -> (Option<JsonPath>, Evaluation, Option<Arc<str>>) {
    let key = object.get("key").and_then(|cursor| {
        let text = cursor.text()?;
        JsonPath::parse(&text).map_err(|mistake| cursor.error(mistake)).ok()
    });
    let evaluation = match object.get("evaluationMethod").and_then(|cursor| Some((cursor.text()?, cursor))) {
        None => Evaluation::Batch,
        Some((text, cursor)) => match &*text {
            "BATCH" => Evaluation::Batch,
            "SERIAL" => Evaluation::Serial,
            other => {
                cursor.error(format!("expected BATCH or SERIAL, found {other}"));
                Evaluation::Batch
            }
        },
    };
    (key, evaluation, object.text("detectorModelDescription"))
}

/// The names of all states; one without a name or with a name given before is reported.
fn names(states: &[Object<'_>]) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = Vec::with_capacity(states.len());
    for state in states {
        let cursor = state.need("stateName");
        let name = cursor.as_ref().and_then(Cursor::text).unwrap_or_default();
        if let Some(cursor) = cursor
            && names.contains(&name)
        {
            cursor.error(format!("there are two states `{name}`"));
        }
        names.push(name);
    }
    names
}

pub(super) fn state_index(cursor: &Cursor<'_>, names: &[Arc<str>]) -> Option<StateIndex> {
    let name = cursor.text()?;
    let index = names.iter().position(|known| *known == name).map(StateIndex);
    if index.is_none() {
        let hint = match nearest(&name, names.iter().map(|name| &**name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names.join(", ")),
        };
        cursor.error(format!("there is no state `{name}`; {hint}"));
    }
    index
}

fn state_of(object: &Object<'_>, name: &Arc<str>, names: &[Arc<str>]) -> State {
    object.only(&["stateName", "onInput", "onEnter", "onExit"]);
    let moment = |name: &str, known: &[&str]| {
        let moment = object.get(name)?.object()?;
        moment.only(known);
        Some(moment)
    };
    let events = |moment: Option<&Object<'_>>| -> Vec<Event> {
        let list = moment.map(|moment| moment.list("events", MAX_EVENTS)).unwrap_or_default();
        list.iter().filter_map(|item| event(item, None, &WORDS)).collect()
    };
    let input = moment("onInput", &["events", "transitionEvents"]);
    let transitions = input.as_ref().map(|moment| moment.list("transitionEvents", MAX_EVENTS)).unwrap_or_default();
    State {
        name: name.clone(),
        parent: None,
        initial: None,
        on_enter: events(moment("onEnter", &["events"]).as_ref()),
        on_input: events(input.as_ref()),
        transitions: transitions.iter().filter_map(|item| event(item, Some(names), &WORDS)).collect(),
        on_exit: events(moment("onExit", &["events"]).as_ref()),
    }
}

/// Reads an event; with the names of states, one that leads to a state.
pub(super) fn event(cursor: &Cursor<'_>, names: Option<&[Arc<str>]>, words: &Words) -> Option<Event> {
    let object = cursor.object()?;
    object.only(&[words.name, words.condition, words.actions, if names.is_some() { words.next } else { words.name }]);
    let name = object.need(words.name).and_then(|name| name.text());
    let condition = match object.get(words.condition) {
        Some(condition) => Some(formula(&condition, true)?),
        None => {
            if names.is_some() {
                let message = "a transition without a condition is taken at every message; AWS asks for a condition";
                object.report().warning(FindingKind::Structure, &object.path, message);
            }
            None
        }
    };
    let actions = object.list(words.actions, MAX_ACTIONS).iter().filter_map(action).collect();
    let next = match names {
        Some(names) => Some(state_index(&object.need(words.next)?, names)?),
        None => None,
    };
    Some(Event { name: name?, condition, actions, next })
}

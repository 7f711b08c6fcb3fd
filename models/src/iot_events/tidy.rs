//! Folds rules that several states repeat into a group around them; the model acts as before.
//!
//! A state evaluates its own events, then those of its groups, and after them the transitions in the same order. So only what
//! stands at the *end* of the lists of all states of a set can move outward, and the groups made here neither enter nor leave.

use super::model::{DetectorModel, Event, State};
use crate::detector::StateIndex;
use std::sync::Arc;

/// Deepest folding: a group in a group in a group. Deeper ones save little and are hard to read.
const MAX_FOLDS: usize = 4;

/// A state with what lies in it.
struct Node {
    state: State,
    /// The state entered with it, by name; none is the first one inside.
    initial: Option<Arc<str>>,
    inside: Vec<Node>,
}

/// Folds what it can; says how many events were saved.
pub fn tidy(model: &DetectorModel) -> (DetectorModel, usize) {
    let before = model.events().count();
    let mut names: Vec<Arc<str>> = model.states.iter().map(|state| state.name.clone()).collect();
    let roots = take(model, None);
    let roots = fold(roots, 0, &mut names);
    let mut states = Vec::new();
    flatten(roots, None, &mut states);
    let new = |old: StateIndex| {
        let name = &model.state(old).name;
        StateIndex(states.iter().position(|state: &State| state.name == *name).unwrap_or(0))
    };
    let (initial, targets): (StateIndex, Vec<Option<StateIndex>>) =
        (new(model.initial), states.iter().flat_map(|state| &state.transitions).map(|way| way.next.map(new)).collect());
    for (way, target) in states.iter_mut().flat_map(|state| &mut state.transitions).zip(targets) {
        way.next = target;
    }
    let tidied = DetectorModel { states, initial, ..model.clone() };
    let saved = before.saturating_sub(tidied.events().count());
    if saved == 0 { (model.clone(), 0) } else { (tidied, saved) }
}

/// The states of a group as a tree.
fn take(model: &DetectorModel, parent: Option<StateIndex>) -> Vec<Node> {
    let inside = model.states.iter().enumerate().filter(|(_, state)| state.parent == parent);
    let node = |(index, state): (usize, &State)| Node {
        state: state.clone(),
        initial: state.initial.map(|initial| model.state(initial).name.clone()),
        inside: take(model, Some(StateIndex(index))),
    };
    inside.map(node).collect()
}

fn flatten(nodes: Vec<Node>, parent: Option<StateIndex>, states: &mut Vec<State>) {
    for Node { mut state, initial, inside } in nodes {
        let index = StateIndex(states.len());
        state.parent = parent;
        state.initial = None;
        states.push(state);
        if inside.is_empty() {
            continue;
        }
        flatten(inside, Some(index), states);
        let mut children = (0..states.len()).filter(|child| states[*child].parent == Some(index));
        let first = children.clone().next();
        let named = initial.and_then(|name| children.find(|child| states[*child].name == name));
        states[index.0].initial = named.or(first).map(StateIndex);
    }
}

/// Folds the states of one level, then those of the groups it made.
fn fold(mut nodes: Vec<Node>, depth: usize, names: &mut Vec<Arc<str>>) -> Vec<Node> {
    // States that a person has grouped stay as they are.
    if depth >= MAX_FOLDS || nodes.len() < 2 || nodes.iter().any(|node| !node.inside.is_empty()) {
        return nodes;
    }
    let whole = nodes.len();
    let mut folded = Vec::new();
    while let Some(last) = common_last(&nodes) {
        let (set, rest): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| ends_with(&node.state, &last));
        let name = if set.len() == whole { "any state" } else { "some states" };
        let group = group(set, unused(name, names));
        folded.push(Node { inside: fold(group.inside, depth + 1, names), ..group });
        nodes = rest;
    }
    folded.extend(nodes);
    folded
}

/// The last event or transition of a state.
#[derive(Clone, PartialEq)]
enum Last {
    Event(Event),
    Transition(Event),
}

fn lasts(state: &State) -> impl Iterator<Item = Last> {
    let events = state.on_input.last().cloned().map(Last::Event);
    state.transitions.last().cloned().map(Last::Transition).into_iter().chain(events)
}

fn ends_with(state: &State, last: &Last) -> bool {
    lasts(state).any(|own| own == *last)
}

/// What most states end with, if it is more than one.
fn common_last(nodes: &[Node]) -> Option<Last> {
    let mut counted: Vec<(Last, usize)> = Vec::new();
    for last in nodes.iter().flat_map(|node| lasts(&node.state)) {
        match counted.iter_mut().find(|(known, _)| *known == last) {
            Some((_, count)) => *count += 1,
            None => counted.push((last, 1)),
        }
    }
    // Of equals the first one, so that the same model folds the same way.
    counted.into_iter().rev().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > 1).map(|(last, _)| last)
}

fn group(mut inside: Vec<Node>, name: Arc<str>) -> Node {
    let events = common_end(&inside, |state| &state.on_input);
    let transitions = common_end(&inside, |state| &state.transitions);
    let mut state = State { name, ..State::default() };
    for node in &mut inside {
        let own = &mut node.state;
        state.on_input = own.on_input.split_off(own.on_input.len() - events);
        state.transitions = own.transitions.split_off(own.transitions.len() - transitions);
    }
    Node { state, initial: None, inside }
}

/// How many events all states end with.
fn common_end(nodes: &[Node], list: fn(&State) -> &Vec<Event>) -> usize {
    let Some((first, others)) = nodes.split_first() else { return 0 };
    let first = list(&first.state);
    let same = |back: &usize| {
        let event = first.get(first.len() - 1 - back);
        others.iter().all(|other| {
            let own = list(&other.state);
            own.len().checked_sub(1 + back).and_then(|at| own.get(at)) == event
        })
    };
    (0..first.len()).take_while(same).count()
}

fn unused(name: &str, names: &mut Vec<Arc<str>>) -> Arc<str> {
    let mut chosen: Arc<str> = name.into();
    for number in 2.. {
        if !names.contains(&chosen) {
            break;
        }
        chosen = format!("{name} {number}").into();
    }
    names.push(chosen.clone());
    chosen
}

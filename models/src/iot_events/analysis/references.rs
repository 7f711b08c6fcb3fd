//! Variables and timers that are used and never set, or perhaps before; inputs and attributes that are not defined.

use super::{Moment, Spot, Subject, structure::always};
use crate::{
    expression::{
        event::{EventReferences, InputReference},
        nearest,
    },
    iot_events::{
        finding::{FindingKind, Findings},
        formula::Formula,
        input::Input,
        json_path::JsonPath,
        model::Event,
        shape::ActionKind,
    },
};
use std::{collections::BTreeSet, sync::Arc};

const DATA: FindingKind = FindingKind::ReferencedData;
const RESOURCE: FindingKind = FindingKind::ReferencedResource;

/// Names of variables or timers.
type Names = BTreeSet<Arc<str>>;

/// Every input that an expression mentions, with the attribute if there is one.
pub(super) fn mentioned<'m>(subject: &'m Subject<'m>) -> impl Iterator<Item = (&'m str, Option<&'m InputReference>)> {
    subject.model.formulas().filter_map(Formula::references).flat_map(|references| {
        let attributes = references.inputs.iter().map(|reference| (&*reference.input, Some(reference)));
        attributes.chain(references.current_inputs.iter().map(|(name, _)| (&**name, None)))
    })
}

pub(super) fn check(subject: &Subject<'_>, inputs: &[Input], findings: &Findings) {
    let variables = named(subject, "variableName", &[ActionKind::SetVariable]);
    let timers = named(subject, "timerName", &[ActionKind::SetTimer]);
    let sure = surely_set(subject);
    let mut told = Names::new();
    for spot in subject.spots() {
        for (place, formula) in spot.formulas() {
            let Some(references) = formula.references() else { continue };
            for (name, _) in &references.variables {
                variable(&spot, &place, name, &variables, &sure, &mut told, findings);
            }
            for (name, _) in references.timers.iter().filter(|(name, _)| !timers.contains(name)) {
                spot.warn(findings, DATA, &place, format!("the timer `{name}` is never set{}", near(name, &timers)));
            }
            resources(&spot, &place, references, inputs, findings);
        }
        for (place, action) in spot.actions() {
            let name = action.text("timerName");
            if matches!(action.kind, ActionKind::ResetTimer | ActionKind::ClearTimer) && !timers.contains(&name) {
                let message = format!("the timer `{name}` is never set, so this does nothing{}", near(&name, &timers));
                spot.warn(findings, DATA, &format!("{place}.timerName"), message);
            }
        }
    }
}

fn named(subject: &Subject<'_>, field: &str, kinds: &[ActionKind]) -> Names {
    subject.model.actions().filter(|action| kinds.contains(&action.kind)).map(|action| action.text(field)).collect()
}

fn near(name: &str, names: &Names) -> String {
    nearest(name, names.iter().map(|name| &**name)).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

fn variable(
    spot: &Spot<'_>,
    place: &str,
    name: &Arc<str>,
    set: &Names,
    sure: &[Option<Names>],
    told: &mut Names,
    findings: &Findings,
) {
    if !set.contains(name) {
        spot.warn(findings, DATA, place, format!("the variable `{name}` is never set, so it is undefined{}", near(name, set)));
        return;
    }
    let Some(before) = &sure[spot.state] else { return };
    let state = &spot.subject.model.states[spot.state];
    let earlier: &[&[Event]] = match spot.moment {
        Moment::Enter => &[],
        Moment::Input => &[&state.on_enter],
        Moment::Transition | Moment::Exit => &[&state.on_enter, &state.on_input],
    };
    let here =
        earlier.iter().copied().flatten().any(|event| sets(event).any(|set| set == *name)) || just_set(spot, place, name);
    if !here && !before.contains(name) && told.insert(name.clone()) {
        let message = format!("the variable `{name}` may be read before it is set; it is undefined then");
        findings.info(DATA, spot.path(place), message);
    }
}

/// Whether an action before this one sets a variable: in the same event, or in one before it that always acts.
fn just_set(spot: &Spot<'_>, place: &str, name: &Arc<str>) -> bool {
    let Some(position) = place.strip_prefix("actions[").and_then(|rest| rest.split(']').next()?.parse::<usize>().ok()) else {
        return false;
    };
    let own = spot.event.actions.iter().take(position);
    let in_event =
        own.filter(|action| action.kind == ActionKind::SetVariable).any(|action| action.text("variableName") == *name);
    in_event || spot.before().iter().any(|event| sets(event).any(|set| set == *name))
}

/// Variables that an event sets whenever it is evaluated.
fn sets(event: &Event) -> impl Iterator<Item = Arc<str>> {
    let actions = if always(event) == Some(true) { event.actions.as_slice() } else { &[] };
    actions.iter().filter(|action| action.kind == ActionKind::SetVariable).map(|action| action.text("variableName"))
}

/// The variables that are set whenever a state is entered, whatever way led there; none for states that are never entered.
fn surely_set(subject: &Subject<'_>) -> Vec<Option<Names>> {
    let model = subject.model;
    let mut sure: Vec<Option<Names>> = vec![None; model.states.len()];
    let initial = model.leaf_of(model.initial).0;
    sure[initial] = Some(Names::new());
    let mut open = vec![initial];
    // Sets only shrink, so this ends.
    while let Some(index) = open.pop() {
        let state = &model.states[index];
        let mut after = sure[index].clone().unwrap_or_default();
        after.extend(state.on_enter.iter().chain(&state.on_input).flat_map(sets));
        for way in &state.transitions {
            let Some(next) = way.next.map(|next| model.leaf_of(next).0) else { continue };
            let mut arriving = after.clone();
            let taken = way.actions.iter().filter(|action| action.kind == ActionKind::SetVariable);
            arriving.extend(taken.map(|action| action.text("variableName")));
            arriving.extend(state.on_exit.iter().flat_map(sets));
            let met = match &sure[next] {
                None => arriving,
                Some(known) => known.intersection(&arriving).cloned().collect(),
            };
            if sure[next].as_ref() != Some(&met) {
                sure[next] = Some(met);
                open.push(next);
            }
        }
    }
    sure
}

/// Inputs that the same document does not define. A document without inputs says nothing about them.
fn resources(spot: &Spot<'_>, place: &str, references: &EventReferences, inputs: &[Input], findings: &Findings) {
    if inputs.is_empty() {
        return;
    }
    let unknown = |name: &str| {
        let near = nearest(name, inputs.iter().map(|input| &*input.name));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        spot.warn(findings, RESOURCE, place, format!("there is no input `{name}`{hint}"));
    };
    for (name, _) in &references.current_inputs {
        if !inputs.iter().any(|input| input.name == *name) {
            unknown(name);
        }
    }
    for reference in &references.inputs {
        match inputs.iter().find(|input| input.name == reference.input) {
            None => unknown(&reference.input),
            Some(input) if !defines(input, reference) => {
                let known = input.attributes.iter().map(JsonPath::as_str).collect::<Vec<_>>().join(", ");
                let message = format!("the input `{}` defines no attribute for {reference}; it has {known}", input.name);
                spot.warn(findings, RESOURCE, place, message);
            }
            Some(_) => {}
        }
    }
}

/// Whether an attribute of the input is the one referred to, lies in it or around it.
fn defines(input: &Input, reference: &InputReference) -> bool {
    let whole = reference.to_string();
    let Some(path) = whole.splitn(3, '.').nth(2) else { return true };
    let around =
        |outer: &str, inner: &str| inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with(['.', '[']));
    input.attributes.iter().any(|attribute| around(attribute.as_str(), path) || around(path, attribute.as_str()))
}

//! A name for everything that decides what is written to machines: another definition of it has another name.

use super::reach::add_interlocks;
use crate::{
    EventId,
    definition::{Control, Plant},
    detector::{Action, ActionKind},
};
use std::fmt::Write as _;

/// Names the controls of a plant with their rules, the sources behind them, the points they are bound to, everything that their
/// interlocks depend on, and the actions that write them. A guard or a message may change without another name.
pub fn controls_fingerprint(plant: &Plant) -> String {
    let mut text = String::new();
    // Writing to a text does not fail.
    let _ =
        writeln!(text, "{:?}", plant.sources.iter().map(|source| (&source.name, &source.writes_allowed)).collect::<Vec<_>>());
    for source in plant.sources.iter().filter(|source| source.writes_allowed) {
        let _ = writeln!(text, "{:?}", source.protocol);
    }
    for model in plant.models.iter().filter(|model| !model.controls.is_empty()) {
        let _ = writeln!(text, "{}", model.name);
        model.controls.iter().for_each(|control| add_control(&mut text, control));
        for detector in &model.detectors {
            let _ = writeln!(text, "{} {:?}", detector.name, detector.dry_run);
            for state in &detector.states {
                let rules = state.rules.iter().flat_map(|rule| &rule.actions);
                let actions = state.enter.iter().chain(&state.exit).chain(rules);
                for Action { text: written, .. } in actions.filter(|action| matches!(action.kind, ActionKind::Write { .. })) {
                    let _ = writeln!(text, "{} {written}", state.path);
                }
            }
        }
    }
    for asset in &plant.assets {
        if !plant.models[asset.model.0].controls.is_empty() {
            let _ = writeln!(text, "{} {:?}", asset.path, asset.slots);
        }
    }
    add_interlocks(&mut text, plant);
    EventId::from_name(&text).to_string()
}

fn add_control(text: &mut String, control: &Control) {
    let Control { name, unit, value_type, binding, allow, min, max, interlock, verify, at_most, policy, .. } = control;
    let interlock = interlock.as_ref().map(|interlock| &interlock.text);
    let _ = writeln!(
        text,
        "{name} {unit} {value_type:?} {binding:?} {allow:?} {min:?} {max:?} {interlock:?} {verify:?} {at_most:?} {policy:?}"
    );
}

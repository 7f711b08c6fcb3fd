//! Doubts about a model that can be read: what AWS's analysis would say, by its types.
//!
//! AWS refuses to publish a model with an error. Here a model that runs is never refused: real files have counters that are never
//! set first, timers below a minute and texts that are no expression in one action, and they did their work. So everything here is a
//! warning or less; errors come from reading alone.

mod limits;
mod references;
mod structure;
mod types;

#[cfg(test)]
mod tests;

use super::{
    finding::{FindingKind, Findings},
    formula::Formula,
    input::Input,
    model::{Action, Content, DetectorModel, Event},
};
use std::fmt::Write as _;

/// A model with its place in the document.
pub(super) struct Subject<'m> {
    pub model: &'m DetectorModel,
    /// Path of the definition; empty if the definition is the document.
    pub base: String,
    /// How members are spelled.
    pub spelling: Spelling,
}

/// How the members of a document are spelled.
#[derive(Clone)]
pub(super) enum Spelling {
    /// `stateName`, as in requests.
    Camel,
    /// `StateName`, as in templates.
    Capital,
    /// As in the plant file; with the paths of the states.
    Plant(Vec<String>),
}

/// When an event is evaluated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Enter,
    Input,
    Transition,
    Exit,
}

/// An event with its place.
#[derive(Clone, Copy)]
struct Spot<'m> {
    subject: &'m Subject<'m>,
    state: usize,
    moment: Moment,
    position: usize,
    event: &'m Event,
}

/// Reports everything doubtful about models of one document.
pub(super) fn analyse(subjects: &[Subject<'_>], inputs: &[Input], findings: &Findings) {
    for subject in subjects {
        limits::check(subject, findings);
        structure::check(subject, findings);
        types::check(subject, findings);
        references::check(subject, inputs, findings);
    }
    limits::inputs(subjects, findings);
}

impl<'m> Subject<'m> {
    /// Every event with its place, state by state, in the order of evaluation.
    fn spots(&'m self) -> impl Iterator<Item = Spot<'m>> {
        self.model.states.iter().enumerate().flat_map(move |(state, content)| {
            let moments = [
                (Moment::Enter, &content.on_enter),
                (Moment::Input, &content.on_input),
                (Moment::Transition, &content.transitions),
                (Moment::Exit, &content.on_exit),
            ];
            moments.into_iter().flat_map(move |(moment, events)| {
                let spot = move |(position, event)| Spot { subject: self, state, moment, position, event };
                events.iter().enumerate().map(spot)
            })
        })
    }

    /// A path inside the definition, spelled as the document spells it.
    fn path(&self, inside: &str) -> String {
        let capital = matches!(self.spelling, Spelling::Capital);
        let mut path = self.base.clone();
        for part in inside.split('.').filter(|part| !part.is_empty()) {
            let dot = if path.is_empty() { "" } else { "." };
            let mut letters = part.chars();
            let first = letters.next().map(|first| if capital { first.to_ascii_uppercase() } else { first });
            let _ = write!(path, "{dot}{}{}", first.map_or_else(String::new, String::from), letters.as_str());
        }
        if path.is_empty() { "(root)".into() } else { path }
    }

    fn state_path(&self, state: usize) -> String {
        if let Spelling::Plant(states) = &self.spelling {
            return states[state].clone();
        }
        self.path(&format!("states[{state}]"))
    }
}

impl<'m> Spot<'m> {
    fn path(&self, inside: &str) -> String {
        let (moment, list) = match self.moment {
            Moment::Enter => ("onEnter", "events"),
            Moment::Input => ("onInput", "events"),
            Moment::Transition => ("onInput", "transitionEvents"),
            Moment::Exit => ("onExit", "events"),
        };
        let dot = if inside.is_empty() { "" } else { "." };
        if let Spelling::Plant(states) = &self.subject.spelling {
            let list = match self.moment {
                Moment::Enter => "enter",
                Moment::Input => "input",
                Moment::Transition => "go",
                Moment::Exit => "exit",
            };
            let inside = match inside.strip_prefix("actions") {
                Some(rest) => format!("do{rest}"),
                None => inside.replace("condition", "when"),
            };
            return format!("{}.{list}[{}]{dot}{inside}", states[self.state], self.position);
        }
        self.subject.path(&format!("states[{}].{moment}.{list}[{}]{dot}{inside}", self.state, self.position))
    }

    /// The events before it in its list.
    fn before(&self) -> &'m [Event] {
        let state = &self.subject.model.states[self.state];
        let list = match self.moment {
            Moment::Enter => &state.on_enter,
            Moment::Input => &state.on_input,
            // One that acts is taken, and those after it are not.
            Moment::Transition => return &[],
            Moment::Exit => &state.on_exit,
        };
        &list[..self.position]
    }

    /// Its actions with their places.
    fn actions(&self) -> impl Iterator<Item = (String, &'m Action)> {
        self.event
            .actions
            .iter()
            .enumerate()
            .map(|(position, action)| (format!("actions[{position}].{}", action.kind.name()), action))
    }

    /// Every expression with its place inside the event.
    fn formulas(&self) -> Vec<(String, &'m Formula)> {
        let mut found: Vec<(String, &Formula)> =
            self.event.condition.iter().map(|condition| ("condition".to_owned(), condition)).collect();
        for (place, action) in self.actions() {
            for field in &action.fields {
                if let Content::Formula(formula) = &field.content {
                    found.push((format!("{place}.{}", field.name), formula));
                }
            }
            found.extend(action.payload.iter().map(|payload| (format!("{place}.payload.contentExpression"), &payload.content)));
        }
        found
    }

    fn warn(&self, findings: &Findings, kind: FindingKind, inside: &str, message: impl Into<String>) {
        findings.warning(kind, self.path(inside), message);
    }
}

//! Reads all formulas in the order they need one another, whatever their order in the file, and across models.
//!
//! A formula whose inputs are not known yet is put aside until they are; coming back to one that waits is a cycle.

use super::{
    declared,
    diagnostic::Report,
    model::{Formula, KindDraft, ModelDraft, PropertyDraft},
    scope::{Known, Names, Notes, Place, World, is_constant},
    tree,
};
use crate::{
    Value, ValueType,
    expression::{self, Expression, ExpressionError, Node as Tree, NodeKind, Reference, Span, Type},
    window::WindowSpec,
};
use std::{cell::RefCell, sync::Arc};

/// What came of the formulas: per model and property.
pub(super) struct Formulas {
    pub known: Vec<Vec<Known>>,
    pub expressions: Vec<Vec<Option<Arc<Expression>>>>,
}

/// Reads the formulas of all transforms and metrics.
pub(super) fn formulas(report: &Report<'_>, models: &[ModelDraft<'_>]) -> Formulas {
    let known = |property: &PropertyDraft<'_>| match (&property.kind, property.value_type) {
        (KindDraft::Transform { formula: Some(_) } | KindDraft::Metric { formula: Some(_), .. }, _) => Known::Not,
        (_, Some(value_type)) => Known::Type(value_type),
        _ => Known::Failed,
    };
    let known = models.iter().map(|model| model.properties.iter().map(known).collect()).collect();
    let expressions = models.iter().map(|model| vec![None; model.properties.len()]).collect();
    let mut formulas = Formulas { known, expressions };
    for model in 0..models.len() {
        for property in 0..models[model].properties.len() {
            formulas.visit(report, models, (model, property));
        }
    }
    formulas
}

impl Formulas {
    /// Reads one formula after those it needs. The stack is the path from the first to the last, so no chain is too long.
    fn visit(&mut self, report: &Report<'_>, models: &[ModelDraft<'_>], first: Place) {
        let mut stack = vec![first];
        while let Some(place) = stack.last().copied() {
            let draft = &models[place.0].properties[place.1];
            let formula = match &draft.kind {
                KindDraft::Transform { formula } | KindDraft::Metric { formula, .. } => *formula,
                _ => None,
            };
            let Some(formula) = formula.filter(|_| self.known[place.0][place.1] == Known::Not) else {
                stack.pop();
                continue;
            };
            let world = World { models, known: &self.known };
            let window = draft.window();
            let names = Names {
                world: &world,
                model: place.0,
                window,
                variables: &[],
                alarm: false,
                children: false,
                notes: RefCell::default(),
            };
            let parsed = declared::parse(report, formula, &names);
            let notes = names.notes.into_inner();
            let waiting = notes.pending.iter().find(|pending| stack.contains(pending));
            if let Some(again) = waiting {
                report_cycle(report, models, &stack, *again, formula);
                self.known[place.0][place.1] = Known::Failed;
                stack.pop();
            } else if let Some(next) = notes.pending.first() {
                stack.push(*next);
            } else {
                let finished = finish(report, models, draft, formula, parsed, &notes);
                self.known[place.0][place.1] =
                    finished.as_ref().map_or(Known::Failed, |(_, value_type)| Known::Type(*value_type));
                self.expressions[place.0][place.1] = finished.map(|(expression, _)| expression);
                stack.pop();
            }
        }
    }
}

fn report_cycle(report: &Report<'_>, models: &[ModelDraft<'_>], stack: &[Place], again: Place, formula: Formula<'_>) {
    let begin = stack.iter().position(|place| *place == again).unwrap_or(0);
    let several = stack[begin..].iter().any(|place| place.0 != again.0);
    let name = |place: &Place| {
        let model = &models[place.0];
        let key = &model.properties[place.1].key;
        if several { format!("{}.{key}", model.name) } else { key.to_string() }
    };
    let path: Vec<String> = stack[begin..].iter().chain([&again]).map(name).collect();
    let hint = "a formula cannot depend on its own result: break the circle at one of them";
    report.error(formula.node.at, "cycle", format!("these formulas go in a circle: {}", path.join(" → ")), hint);
}

/// Checks what was read and gives it its type.
fn finish(
    report: &Report<'_>,
    models: &[ModelDraft<'_>],
    draft: &PropertyDraft<'_>,
    formula: Formula<'_>,
    parsed: Result<Expression, ExpressionError>,
    notes: &Notes,
) -> Option<(Arc<Expression>, ValueType)> {
    let expression = accept(report, formula.node, 0, parsed, notes, &draft.unit)?;
    if let KindDraft::Transform { .. } = draft.kind {
        let metric = notes.used.iter().map(|place| &models[place.0].properties[place.1]).find(|used| used.window().is_some());
        if let Some(metric) = metric {
            let message = format!("`{}` is a metric, and a transform is computed per sample", metric.name);
            report.error(formula.node.at, "form", message, format!("write `{}` as a metric too", draft.name));
            return None;
        }
    }
    if let Some(window) = draft.window() {
        let bare = bare_slots(&expression);
        let wrong = bare.into_iter().find(|(_, slot)| !stands_alone(models, notes, &expression.references[*slot], window));
        if let Some((span, slot)) = wrong {
            let name = expression.references[slot].to_string();
            let at = tree::inside(report, formula.node, span.start, span.end);
            let message = format!("`{name}` has many values in a window of {window}");
            report.error(
                at,
                "form",
                message,
                format!("say how they become one: `avg({name})`, `max({name})`, `latest({name})`"),
            );
            return None;
        }
    }
    let value_type = match expression.result_type() {
        // A formula tells its type at run time; the property says what it keeps of it.
        _ if formula.declared.is_some() && draft.value_type.is_some() => draft.value_type.unwrap_or(ValueType::Double),
        Type::Boolean => ValueType::Boolean,
        Type::Number | Type::Any => ValueType::Double,
        Type::String => ValueType::String,
        Type::Null => {
            report.error(formula.node.at, "type", format!("`{}` never has a value", formula.text), "");
            return None;
        }
    };
    Some((Arc::new(expression), value_type))
}

/// Whether a slot of a metric has one value per window without an aggregate: constants, and metrics of the same window.
fn stands_alone(models: &[ModelDraft<'_>], notes: &Notes, reference: &Reference, window: &WindowSpec) -> bool {
    let key = match reference {
        Reference::Own(key) | Reference::Parent(key) => key,
        Reference::Time => return true,
        _ => return false,
    };
    let mut used = notes.used.iter().map(|place| &models[place.0].properties[place.1]).filter(|used| used.key == *key);
    used.all(|draft| is_constant(draft) || draft.window() == Some(window))
}

/// The slots outside of aggregates.
fn bare_slots(expression: &Expression) -> Vec<(Span, usize)> {
    let slot = |leaf: &Tree| if let NodeKind::Slot(slot) = leaf.kind { Some((leaf.span, slot)) } else { None };
    let mut found: Vec<_> = expression.leaves().into_iter().filter_map(slot).collect();
    found.sort_by_key(|(span, _)| span.start);
    found
}

/// Reports an expression's error at its place in the file; `shift` is where the expression starts in the value.
pub(super) fn accept(
    report: &Report<'_>,
    node: &tree::Node,
    shift: usize,
    parsed: Result<Expression, ExpressionError>,
    notes: &Notes,
    unit: &str,
) -> Option<Expression> {
    match parsed {
        Ok(expression) if !notes.failed => {
            let (_, doubts) = expression::units(&expression, &notes.slot_units(&expression.references), unit);
            for doubt in doubts {
                let within = |span: Span| tree::inside(report, node, shift + span.start, shift + span.end);
                let at = doubt.span.map_or(node.at, within);
                match doubt.wrong {
                    true => report.error(at, "unit", doubt.message, doubt.hint),
                    false => report.warning(at, "unit", doubt.message, doubt.hint),
                }
            }
            Some(expression)
        }
        // What follows from a mistake elsewhere is not said again.
        Ok(_) => None,
        Err(_) if notes.failed => None,
        Err(error) => {
            let at = tree::inside(report, node, shift + error.span.start, shift + error.span.end);
            let (message, hint) = notes.complaint.clone().unwrap_or((error.message, error.hint));
            report.error(at, "formula", message, hint);
            None
        }
    }
}

/// What a formula outside of properties is read with: guards, actions, interlocks.
pub(super) struct Reader<'r, 'n> {
    pub report: &'r Report<'r>,
    pub world: &'r World<'r, 'n>,
    pub model: usize,
    pub variables: &'r [(Arc<str>, Value)],
    pub alarm: bool,
}

impl Reader<'_, '_> {
    /// Reads the expression that starts at byte `shift` of a value.
    pub fn expression(&self, text: &str, node: &tree::Node, shift: usize) -> Option<Arc<Expression>> {
        let (model, variables, alarm) = (self.model, self.variables, self.alarm);
        let names =
            Names { world: self.world, model, window: None, variables, alarm, children: true, notes: RefCell::default() };
        let parsed = Expression::parse(text, &names);
        accept(self.report, node, shift, parsed, &names.notes.into_inner(), "").map(Arc::new)
    }

    /// Reads a condition.
    pub fn condition(&self, what: &str, text: &str, node: &tree::Node) -> Option<Arc<Expression>> {
        let expression = self.expression(text, node, 0)?;
        if expression.result_type() != Type::Boolean {
            let message = format!("{what} must be true or false, and this is {}", expression.result_type());
            self.report.error(node.at, "type", message, "compare it with something: `state == 6`");
            return None;
        }
        Some(expression)
    }

    /// What a name means here, as in a message.
    pub fn knows(&self, name: &str) -> bool {
        let names = Names {
            world: self.world,
            model: self.model,
            window: None,
            variables: self.variables,
            alarm: self.alarm,
            children: true,
            notes: RefCell::default(),
        };
        crate::expression::Scope::resolve(&names, &name.split('.').collect::<Vec<_>>()).is_some()
    }

    /// The nearest of the names there are.
    pub fn hint(&self, name: &str) -> String {
        let names = Names {
            world: self.world,
            model: self.model,
            window: None,
            variables: self.variables,
            alarm: self.alarm,
            children: true,
            notes: RefCell::default(),
        };
        let candidates = crate::expression::Scope::candidates(&names);
        crate::expression::nearest(name, candidates.iter().map(String::as_str))
            .map(|near| format!("did you mean `{near}`?"))
            .unwrap_or_default()
    }
}

//! Formulas of AWS IoT SiteWise: `{ formula: "avg(speed)", variables: { speed: machines.speed } }`.

use super::{
    diagnostic::Report,
    fields::suggest,
    model::{Formula, KindDraft},
    scope::Names,
    tree::Entry,
};
use crate::expression::{
    Expression, ExpressionError, Scope,
    formula::{self, FormulaKind, FormulaScope, FormulaVariable, Role},
};

/// The variables of one formula: each stands for a name of the model.
struct Declared<'d, 'w, 'n> {
    names: &'d Names<'w, 'n>,
    variables: &'d [Entry],
}

impl FormulaScope for Declared<'_, '_, '_> {
    fn variable(&self, name: &str) -> Option<FormulaVariable> {
        let stands_for = self.variables.iter().find(|entry| entry.key == *name)?.value.text()?;
        let path: Vec<&str> = stands_for.split('.').map(str::trim).collect();
        let resolved = self.names.resolve(&path)?;
        let role = match self.names.last_used().map(|draft| &draft.kind) {
            Some(KindDraft::Attribute { .. }) => Role::Attribute,
            Some(KindDraft::Metric { .. }) => Role::Metric,
            _ => Role::Samples,
        };
        Some(FormulaVariable { reference: resolved.reference, value_type: resolved.node_type, role })
    }

    fn names(&self) -> Vec<String> {
        self.variables.iter().map(|entry| entry.key.clone()).collect()
    }

    fn kind(&self) -> FormulaKind {
        if self.names.aggregates() { FormulaKind::Metric } else { FormulaKind::Transform }
    }
}

/// Reads a formula in the form it is written in.
pub(super) fn parse(report: &Report<'_>, formula: Formula<'_>, names: &Names<'_, '_>) -> Result<Expression, ExpressionError> {
    let Some(variables) = formula.declared else { return Expression::parse(formula.text, names) };
    check(report, variables, names);
    formula::parse(formula.text, &Declared { names, variables })
}

/// A variable that stands for nothing is a mistake, used or not.
fn check(report: &Report<'_>, variables: &[Entry], names: &Names<'_, '_>) {
    for entry in variables {
        let Some(stands_for) = entry.value.text() else {
            report.error(entry.at, "form", format!("the variable `{}` stands for nothing", entry.key), "name a property");
            continue;
        };
        if names.resolve(&stands_for.split('.').map(str::trim).collect::<Vec<_>>()).is_none() {
            let complaint = names.notes.borrow_mut().complaint.take();
            let (message, hint) = complaint.unwrap_or_else(|| {
                let candidates = names.candidates();
                let hint = suggest(stands_for, candidates.iter().map(String::as_str), "names");
                (format!("there is no `{stands_for}` here"), hint)
            });
            report.error(entry.value.at, "unknown-name", message, hint);
            names.notes.borrow_mut().failed = true;
        }
    }
}

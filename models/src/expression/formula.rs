//! The form of AWS IoT SiteWise: formulas of transforms and metrics over declared variables.
//!
//! They become the same typed tree as the plant file's expressions, and run on the same evaluator. What differs:
//! - Values have their types at run time. Truth is a number, 1 or 0; false is 0, an empty text, an empty list and `none`.
//!   `x and y` is 0 or y, `x or y` is 1 or y.
//! - `eq`, `gte`, `lte` forgive a relative 1e-9; `neq`, `gt`, `lt` and the operators do not.
//! - A variable without a Good value leaves the whole formula without a result, whatever would decide it.
//! - `e`, `pi`, `true`, `false`, `none` are constants in any case, unless a variable has that name. Functions ignore case.
//! - `now()` is the time of the computation's data, as `timestamp()` is: a figure that is computed again must not change.
//! - In a metric a variable stands for its last value inside the window, one of an attribute or a metric for its value.
//!
//! Source: AWS IoT SiteWise user guide, "Using formula expressions"; where it is silent, the decisions of `docs/expressions.md`.

use super::{Expression, ExpressionError, Form, MAX_DEPTH, Reference, Type, parser};

mod aggregates;
mod check;
mod functions;
mod texts;
mod times;

#[cfg(test)]
mod tests;

/// What a variable of a formula stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct FormulaVariable {
    /// What it reads.
    pub reference: Reference,
    /// The type of its values.
    pub value_type: Type,
    /// Where its values come from.
    pub role: Role,
}

/// Where the values of a variable come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An attribute: one value, which sets nothing off.
    Attribute,
    /// A measurement or a transform: samples.
    Samples,
    /// A metric: one value for each window.
    Metric,
}

/// What a formula computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormulaKind {
    /// A value for each sample of its inputs.
    Transform,
    /// A value for each window.
    Metric,
}

/// Decides what the variables of a formula stand for.
pub trait FormulaScope {
    /// A variable by its name, case and all.
    fn variable(&self, name: &str) -> Option<FormulaVariable>;

    /// The names of all variables, for suggestions.
    fn names(&self) -> Vec<String>;

    /// What the formula computes.
    fn kind(&self) -> FormulaKind;
}

/// Parses and checks a formula.
///
/// # Errors
/// The first mistake, with its place in bytes of `text` and a way out.
pub fn parse(text: &str, scope: &dyn FormulaScope) -> Result<Expression, ExpressionError> {
    let raw = parser::parse(text, Form::Formula)?;
    let (root, references) = check::check(raw, scope)?;
    // One sign of a formula may become three nodes; what the evaluator recurses into is bounded all the same.
    if root.depth() > MAX_DEPTH {
        let message = format!("a formula nests at most {MAX_DEPTH} deep, counted in its smallest steps");
        return Err(ExpressionError { span: root.span, message, hint: "split it into several properties".into() });
    }
    Ok(Expression { text: text.into(), form: Form::Formula, root, references })
}

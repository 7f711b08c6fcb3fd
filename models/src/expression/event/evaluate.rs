//! Evaluates the tree against a scene. Bounded by the size of the tree; numbers take no memory.

use super::{
    EventKind, EventNode, EventOutcome, EventScene, MAX_RESULT, PathStep,
    values::{self, Cell, Failure},
};
use crate::{event::ExplainedStep, expression::BinaryOperator};
use std::fmt::Write as _;

/// One evaluation.
pub(super) struct Evaluation<'e> {
    pub scene: &'e mut dyn EventScene,
    /// The whole expression, of which steps show parts.
    pub text: &'e str,
    /// What was asked, if that is wanted.
    pub steps: Option<&'e mut Vec<ExplainedStep>>,
}

impl Evaluation<'_> {
    pub fn run(mut self, root: &EventNode) -> EventOutcome {
        match self.node(root) {
            Ok(cell) => cell.outcome(),
            Err(reason) => EventOutcome::Failed(reason),
        }
    }

    fn node(&mut self, node: &EventNode) -> Result<Cell, Failure> {
        let result = self.value(node);
        if let Some(steps) = &mut self.steps
            && !matches!(node.kind, EventKind::Literal(_))
        {
            let written = self.text.get(node.span.start..node.span.end).unwrap_or(self.text);
            let result = result.as_ref().map_or(crate::Value::Null, Cell::shown);
            steps.push(ExplainedStep { expression: written.trim().into(), result });
        }
        result
    }

    fn value(&mut self, node: &EventNode) -> Result<Cell, Failure> {
        Ok(match &node.kind {
            EventKind::Literal(value) => value.into(),
            EventKind::Template(parts) => self.template(parts)?,
            EventKind::Input { input, path } => {
                match self.scene.input(input).and_then(|message| PathStep::follow(path, message)) {
                    Some(value) => Cell::from_json(value),
                    None => Cell::Undefined,
                }
            }
            EventKind::Variable(name) => self.scene.variable(name).map_or(Cell::Undefined, |value| (&value).into()),
            EventKind::SiteWise(path) => self.scene.sitewise(path).map_or(Cell::Undefined, |value| Cell::from_json(&value)),
            EventKind::Unary(operator, operand) => values::unary(*operator, self.node(operand)?)?,
            EventKind::Binary(operator @ (BinaryOperator::And | BinaryOperator::Or), left, right) => {
                self.logic(*operator, left, right)?
            }
            EventKind::Binary(operator, left, right) => {
                let left = self.node(left)?;
                values::binary(*operator, left, self.node(right)?)?
            }
            EventKind::Timeout(timer) => Cell::Boolean(self.scene.timed_out(timer)),
            EventKind::Trigger(kind) => Cell::Boolean(self.scene.trigger() == *kind),
            EventKind::CurrentInput(input) => Cell::Boolean(self.scene.is_current_input(input)),
            EventKind::Convert(to, operand) => values::convert(*to, self.node(operand)?)?,
            EventKind::Call(function, arguments) => match &arguments[..] {
                [one] => values::call(*function, &[self.node(one)?]),
                [one, two] => {
                    let one = self.node(one)?;
                    values::call(*function, &[one, self.node(two)?])
                }
                _ => Cell::Undefined,
            },
        })
    }

    /// `||` is decided by a true, `&&` by a false on the left; the right is not asked for then. Undefined counts as false.
    fn logic(&mut self, operator: BinaryOperator, left: &EventNode, right: &EventNode) -> Result<Cell, Failure> {
        let decisive = operator == BinaryOperator::Or;
        if truth(operator, &self.node(left)?)? == decisive {
            return Ok(Cell::Boolean(decisive));
        }
        let right = self.node(right)?;
        truth(operator, &right).map(Cell::Boolean)
    }

    fn template(&mut self, parts: &[EventNode]) -> Result<Cell, Failure> {
        let mut text = String::new();
        for part in parts {
            let cell = self.node(part)?;
            // Writing to a text cannot fail; a part is no longer than what it was read from.
            let _ = write!(text, "{cell}");
            if text.len() > MAX_RESULT {
                break;
            }
        }
        values::text(text)
    }
}

fn truth(operator: BinaryOperator, cell: &Cell) -> Result<bool, Failure> {
    match cell {
        Cell::Boolean(truth) => Ok(*truth),
        cell if cell.is_missing() => Ok(false),
        cell => Err(format!("{} takes Booleans, here is `{cell}`", values::written(operator)).into()),
    }
}

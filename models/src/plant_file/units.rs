//! Units: adding or comparing grams and degrees is a slip. Checked where both sides have a unit, and never guessed beyond that.
//!
//! Products and quotients have units of their own, which are not worked out; only what must be equal is compared.

use super::{diagnostic::Report, tree};
use crate::expression::{Aggregate, BinaryOperator, Expression, Function, Node, NodeKind, Span, UnaryOperator};
use std::sync::Arc;

/// Warns of sums and comparisons of different units, and of a result that is not in the unit it is declared in.
/// `units` are those of the slots; `shift` is where the expression starts in the value.
pub(super) fn check(
    report: &Report<'_>,
    node: &tree::Node,
    shift: usize,
    expression: &Expression,
    units: &[Arc<str>],
    declared: &str,
) {
    let mut found = Vec::new();
    let unit = Walk { units, found: &mut found }.unit(&expression.root);
    for (span, left, right) in found {
        let at = tree::inside(report, node, shift + span.start, shift + span.end);
        let text = expression.text.get(span.start..span.end).unwrap_or_default();
        let message = format!("`{text}` puts {left} and {right} together");
        report.warning(at, "unit", message, "convert one of them, or correct its unit");
    }
    if let Some(unit) = unit.filter(|unit| !alike(unit, declared) && !declared.is_empty()) {
        let message = format!("the result is in {unit}, and its unit is said to be {declared}");
        report.warning(node.at, "unit", message, "convert it, or correct the unit");
    }
}

/// Differences of temperatures are told in K as often as in °C.
fn alike(one: &str, other: &str) -> bool {
    let temperature = |unit: &str| matches!(unit, "°C" | "K");
    one == other || (temperature(one) && temperature(other))
}

struct Walk<'w> {
    units: &'w [Arc<str>],
    found: &'w mut Vec<(Span, Arc<str>, Arc<str>)>,
}

impl Walk<'_> {
    /// The unit of a node's value; none if it has none or it is not known. The depth of trees is bounded by the parser.
    fn unit(&mut self, node: &Node) -> Option<Arc<str>> {
        match &node.kind {
            NodeKind::Literal(_) => None,
            NodeKind::Slot(slot) => self.units.get(*slot).filter(|unit| !unit.is_empty()).cloned(),
            NodeKind::Unary(operator, operand) => self.unit(operand).filter(|_| *operator == UnaryOperator::Negate),
            NodeKind::Binary(operator, left, right) => self.binary(node.span, *operator, left, right),
            NodeKind::In { needle, list } => {
                let mut unit = self.unit(needle);
                for item in list {
                    let other = self.unit(item);
                    unit = self.same(node.span, unit, other);
                }
                None
            }
            NodeKind::If { condition, then, otherwise } => {
                self.unit(condition);
                let (then, otherwise) = (self.unit(then), self.unit(otherwise));
                self.same(node.span, then, otherwise)
            }
            NodeKind::Call(function, arguments) => self.call(node.span, *function, arguments),
            NodeKind::Aggregate(aggregate, argument) => {
                let unit = self.unit(argument);
                unit.filter(|_| !matches!(aggregate, Aggregate::Count | Aggregate::StateTime))
            }
        }
    }

    fn binary(&mut self, span: Span, operator: BinaryOperator, left: &Node, right: &Node) -> Option<Arc<str>> {
        use BinaryOperator as B;
        let (left, right) = (self.unit(left), self.unit(right));
        match operator {
            B::Add | B::Subtract | B::Remainder => self.same(span, left, right),
            B::Equal | B::NotEqual | B::Less | B::LessOrEqual | B::Greater | B::GreaterOrEqual => {
                self.same(span, left, right);
                None
            }
            B::Multiply | B::Divide | B::Power | B::And | B::Or | B::BitAnd | B::BitOr | B::BitXor => None,
        }
    }

    fn call(&mut self, span: Span, function: Function, arguments: &[Node]) -> Option<Arc<str>> {
        let units: Vec<Option<Arc<str>>> = arguments.iter().map(|argument| self.unit(argument)).collect();
        match function {
            Function::Least | Function::Greatest | Function::Coalesce => {
                units.into_iter().fold(None, |unit, other| self.same(span, unit, other))
            }
            Function::Approx => {
                units.into_iter().fold(None, |unit, other| self.same(span, unit, other));
                None
            }
            Function::Abs | Function::Ceil | Function::Floor | Function::Round => units.into_iter().next().flatten(),
            Function::Sqrt | Function::Exp | Function::Ln | Function::Log10 => None,
        }
    }

    /// The unit of two that must be the same.
    fn same(&mut self, span: Span, left: Option<Arc<str>>, right: Option<Arc<str>>) -> Option<Arc<str>> {
        if let (Some(left), Some(right)) = (&left, &right)
            && !alike(left, right)
        {
            self.found.push((span, left.clone(), right.clone()));
        }
        left.or(right)
    }
}

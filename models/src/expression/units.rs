//! Units: adding or comparing bar and degrees is a mistake, and so is comparing bar with kPa without converting.
//!
//! Units of products and quotients are worked out where both are known. A number in the formula may carry any unit (`* 12` makes an
//! hour of five minutes), so what is multiplied or divided by one has none that could be told. Words of the plant's own are equal to
//! themselves only, and compared with a warning: nothing is guessed about them.

use super::{Aggregate, BinaryOperator, Expression, Form, Function, Node, NodeKind, Span, UnaryOperator};
use crate::unit::{Relation, Unit};
use std::sync::Arc;

/// Two units that do not go together.
struct Clash {
    span: Span,
    left: Unit,
    right: Unit,
    /// What stands on the right, as written: it is what the hint converts.
    right_span: Span,
}

/// A unit that is wrong, or may be.
pub(crate) struct UnitDoubt {
    /// Where in the expression; none if it is about the result.
    pub(crate) span: Option<Span>,
    /// Whether it is a mistake, not just a doubt.
    pub(crate) wrong: bool,
    /// What is the matter.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: String,
}

/// The unit of an expression's result, if it is known, with sums and comparisons of different units, and a result that is not in the
/// unit it is declared in. `units` are those of the slots, empty where there is none, as `declared` is.
pub(crate) fn units(expression: &Expression, units: &[Arc<str>], declared: &str) -> (Option<Unit>, Vec<UnitDoubt>) {
    // What comes from elsewhere ran with its units as they are; a formula written here has to be right.
    let ours = expression.form == Form::Plant;
    let slots: Vec<Option<Unit>> = units.iter().map(|text| (!text.is_empty()).then(|| Unit::new(text))).collect();
    let mut found = Vec::new();
    let unit = Walk { units: &slots, found: &mut found }.unit(&expression.root);
    let written = |span: Span| expression.text.get(span.start..span.end).unwrap_or_default().trim();
    let doubt = |clash: &Clash| {
        let message = format!("`{}` puts {} and {} together", written(clash.span), clash.left, clash.right);
        let (wrong, hint) = match clash.left.relation(&clash.right) {
            Relation::Convertible => {
                (ours, format!("write `convert({}, '{}', '{}')`", written(clash.right_span), clash.right, clash.left))
            }
            Relation::Different => (ours, "they measure different things: correct the formula or a unit".into()),
            Relation::Same | Relation::Unknown => (false, "convert one of them, or correct its unit".into()),
        };
        UnitDoubt { span: Some(clash.span), wrong, message, hint }
    };
    let mut doubts: Vec<UnitDoubt> = found.iter().map(doubt).collect();
    let wanted = Unit::new(declared);
    if let Some(unit) = unit.as_ref().filter(|_| !declared.is_empty()) {
        let message = format!("the result is in {unit}, and its unit is said to be {declared}");
        let verdict = match unit.relation(&wanted) {
            Relation::Same => None,
            Relation::Convertible => {
                let text = expression.text.trim();
                Some((ours, format!("write `convert({text}, '{unit}', '{wanted}')`, or correct the unit")))
            }
            Relation::Different => Some((ours, "correct the formula or the unit".into())),
            Relation::Unknown => Some((false, "convert it, or correct the unit".into())),
        };
        doubts.extend(verdict.map(|(wrong, hint)| UnitDoubt { span: None, wrong, message, hint }));
    }
    (unit, doubts)
}

/// Whether a node reads nothing.
fn is_number(node: &Node) -> bool {
    let mut read = Vec::new();
    node.collect_slots(&mut read);
    read.is_empty()
}

struct Walk<'w> {
    units: &'w [Option<Unit>],
    found: &'w mut Vec<Clash>,
}

impl Walk<'_> {
    /// The unit of a node's value; none if it has none or it is not known. The depth of trees is bounded by the parser.
    fn unit(&mut self, node: &Node) -> Option<Unit> {
        match &node.kind {
            NodeKind::Literal(_) => None,
            NodeKind::Slot(slot) => self.units.get(*slot).cloned().flatten(),
            NodeKind::Unary(operator, operand) => self.unit(operand).filter(|_| *operator == UnaryOperator::Negate),
            NodeKind::Binary(operator, left, right) => self.binary(node.span, *operator, left, right),
            NodeKind::In { needle, list } => {
                let mut unit = self.unit(needle).map(|unit| (unit, needle.span));
                for item in list {
                    let other = self.unit(item).map(|unit| (unit, item.span));
                    unit = self.same(node.span, unit, other);
                }
                None
            }
            NodeKind::If { condition, then, otherwise } => {
                self.unit(condition);
                self.alike(node.span, [&**then, &**otherwise])
            }
            NodeKind::Convert(conversion, operand) => {
                let own = self.unit(operand).map(|unit| (unit, operand.span));
                self.same(node.span, Some((conversion.from.clone(), operand.span)), own);
                Some(conversion.to.clone())
            }
            NodeKind::Call(function, arguments) => self.call(node.span, *function, arguments),
            NodeKind::Aggregate(aggregate, argument) => {
                let unit = self.unit(argument);
                match aggregate {
                    Aggregate::Count => None,
                    Aggregate::StateTime => Some(Unit::new("s")),
                    Aggregate::StandardDeviation | Aggregate::TimeWeightedDeviation => unit.map(|unit| unit.minus(&unit)),
                    _ => unit,
                }
            }
            NodeKind::Format(_, nodes) | NodeKind::MakeTime(_, nodes) => {
                nodes.iter().for_each(|node| drop(self.unit(node)));
                None
            }
            NodeKind::JsonPath(_, operand) | NodeKind::DatePart(_, _, operand) => {
                self.unit(operand);
                None
            }
        }
    }

    fn binary(&mut self, span: Span, operator: BinaryOperator, left: &Node, right: &Node) -> Option<Unit> {
        use BinaryOperator as B;
        let (one, two) = (self.unit(left), self.unit(right));
        let pair = one.clone().map(|unit| (unit, left.span)).zip(two.clone().map(|unit| (unit, right.span)));
        match (operator, pair) {
            (B::Add, Some(((one, _), (two, _)))) if one.shifts(&two) => Some(one.plus(&two)),
            (B::Subtract, Some(((one, _), (two, _)))) if one.shifts(&two) => Some(one.minus(&two)),
            (B::Add | B::Subtract | B::Remainder, Some((one, two))) => {
                self.same(span, Some(one), Some(two)).map(|(unit, _)| unit)
            }
            // A plain number goes with any unit; of a property without one nobody knows, and °C less °C would not be °C.
            (B::Add | B::Subtract | B::Remainder, None) if is_number(left) || is_number(right) => one.or(two),
            (B::Equal | B::NotEqual | B::Less | B::LessOrEqual | B::Greater | B::GreaterOrEqual, Some((one, two))) => {
                self.same(span, Some(one), Some(two));
                None
            }
            (B::Multiply, Some(((one, _), (two, _)))) => one.times(&two),
            (B::Divide, Some(((one, _), (two, _)))) => one.over(&two),
            _ => None,
        }
    }

    fn call(&mut self, span: Span, function: Function, arguments: &[Node]) -> Option<Unit> {
        match function {
            Function::Least | Function::Greatest | Function::Coalesce | Function::Plus => self.alike(span, arguments),
            Function::Approx | Function::AtLeast | Function::AtMost => {
                self.alike(span, arguments);
                None
            }
            _ => {
                let units: Vec<Option<Unit>> = arguments.iter().map(|argument| self.unit(argument)).collect();
                let keeps = matches!(function, Function::Abs | Function::Ceil | Function::Floor | Function::Round);
                units.into_iter().next().flatten().filter(|_| keeps)
            }
        }
    }

    /// The unit of several values that must have the same.
    fn alike<'n>(&mut self, span: Span, nodes: impl IntoIterator<Item = &'n Node>) -> Option<Unit> {
        let mut unit = None;
        for node in nodes {
            let other = self.unit(node).map(|unit| (unit, node.span));
            unit = self.same(span, unit, other);
        }
        unit.map(|(unit, _)| unit)
    }

    /// The unit of two that must be the same.
    fn same(&mut self, span: Span, left: Option<(Unit, Span)>, right: Option<(Unit, Span)>) -> Option<(Unit, Span)> {
        if let (Some((left, _)), Some((right, right_span))) = (&left, &right)
            && left.relation(right) != Relation::Same
        {
            self.found.push(Clash { span, left: left.clone(), right: right.clone(), right_span: *right_span });
        }
        left.or(right)
    }
}

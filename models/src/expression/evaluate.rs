//! The row evaluator: one value per slot in, one value out. Total, without panics, and without allocation unless a text is
//! the result. Used by transforms, guards and interlocks; `andon-query` compiles the same tree for whole windows.
//!
//! - A slot that is not Good is null. Null makes null, but for `and`, `or`, `in`, `if` and `coalesce`.
//! - `false and null` is false, `true or null` is true, as in SQL. `if(null, a, b)` is b.
//! - Whole numbers stay whole under `+ - * %` while they fit, and are decimals otherwise. Division is always decimal.
//! - Division by zero, overflow and what is not finite have no value.
//! - The quality of a result is the worst of what decided it, its time the newest: `false and x` does not depend on `x`.

use super::{BinaryOperator, Expression, Function, Node, NodeKind, SlotValue, UnaryOperator};
use crate::{Quality, Timestamp, Value};
use std::{cmp::Ordering, sync::Arc};

impl SlotValue {
    /// A good value.
    pub fn good(value: Value, time: Option<Timestamp>) -> Self {
        Self { value, quality: Quality::Good, time }
    }

    /// No value at all: nothing was ever read.
    pub fn missing() -> Self {
        Self { value: Value::Null, quality: Quality::Bad, time: None }
    }
}

impl From<&crate::Tqv> for SlotValue {
    fn from(tqv: &crate::Tqv) -> Self {
        Self { value: tqv.value.clone(), quality: tqv.quality, time: Some(tqv.time) }
    }
}

impl Expression {
    /// Evaluates for one value per slot, in slot order. A slot that is not given has no value.
    /// Aggregates have no value here; see [`Expression::evaluate_metric`].
    pub fn evaluate(&self, slots: &[SlotValue]) -> SlotValue {
        Row { slots, aggregates: &[] }.node(&self.root).into()
    }

    /// Evaluates a metric whose aggregates were computed already, one result per node of [`Expression::aggregates`].
    pub fn evaluate_metric(&self, slots: &[SlotValue], results: &[SlotValue]) -> SlotValue {
        let aggregates: Vec<(&Node, &SlotValue)> = self.aggregates().into_iter().zip(results).collect();
        Row { slots, aggregates: &aggregates }.node(&self.root).into()
    }

    /// Whether the result is exactly true, decided by Good data only.
    pub fn holds(&self, slots: &[SlotValue]) -> bool {
        let outcome = Row { slots, aggregates: &[] }.node(&self.root);
        matches!(outcome.cell, Cell::Boolean(true)) && outcome.quality == Quality::Good
    }

    /// The aggregates of a metric, in the order of their results for [`Expression::evaluate_metric`].
    pub fn aggregates(&self) -> Vec<&Node> {
        let mut found = Vec::new();
        self.root.visit(&mut |node| {
            if matches!(node.kind, NodeKind::Aggregate(..)) {
                found.push(node);
            }
        });
        found
    }
}

/// What a row of values is evaluated with.
pub(super) struct Row<'a> {
    pub slots: &'a [SlotValue],
    pub aggregates: &'a [(&'a Node, &'a SlotValue)],
}

/// A value without its own memory.
#[derive(Clone, Copy, Debug)]
enum Cell<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Double(f64),
    Text(&'a Arc<str>),
}

/// A value with the quality and time of what decided it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome<'a> {
    cell: Cell<'a>,
    quality: Quality,
    time: Option<Timestamp>,
}

impl From<Outcome<'_>> for SlotValue {
    fn from(outcome: Outcome<'_>) -> Self {
        Self { value: outcome.cell.into(), quality: outcome.quality, time: outcome.time }
    }
}

impl From<Cell<'_>> for Value {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Boolean(truth) => Self::Boolean(truth),
            Cell::Integer(number) => Self::Integer(number),
            Cell::Double(number) => Self::Double(number),
            Cell::Text(text) => Self::String(text.clone()),
        }
    }
}

impl<'a> From<&'a Value> for Cell<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Boolean(truth) => Self::Boolean(*truth),
            Value::Integer(number) => Self::Integer(*number),
            Value::Double(number) => Self::number(*number),
            Value::String(text) => Self::Text(text),
        }
    }
}

impl Cell<'_> {
    /// A decimal; what is not finite is no value.
    fn number(number: f64) -> Self {
        if number.is_finite() { Self::Double(number) } else { Self::Null }
    }

    fn as_f64(self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(number as f64),
            Self::Double(number) => Some(number),
            Self::Null | Self::Boolean(_) | Self::Text(_) => None,
        }
    }

    /// A number without a fraction, exactly.
    fn as_whole(self) -> Option<i64> {
        match Value::from(self).coerce(crate::ValueType::Integer) {
            Some(Value::Integer(number)) if !matches!(self, Self::Boolean(_)) => Some(number),
            _ => None,
        }
    }

    fn as_bool(self) -> Option<bool> {
        match self {
            Self::Boolean(truth) => Some(truth),
            _ => None,
        }
    }

    fn truth(truth: Option<bool>) -> Self {
        truth.map_or(Self::Null, Self::Boolean)
    }

    /// The order of two values of one type; none if there is none.
    fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(&b)),
            (Self::Text(a), Self::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Self::Integer(a), Self::Integer(b)) => Some(a.cmp(&b)),
            _ => self.as_f64()?.partial_cmp(&other.as_f64()?),
        }
    }
}

impl<'a> Outcome<'a> {
    fn constant(cell: Cell<'a>) -> Self {
        Self { cell, quality: Quality::Good, time: None }
    }

    /// The same value, decided by `other` as well.
    fn with(self, other: Self) -> Self {
        Self { cell: self.cell, quality: self.quality.max(other.quality), time: self.time.max(other.time) }
    }

    fn replace(self, cell: Cell<'a>) -> Self {
        Self { cell, ..self }
    }
}

impl<'a> Row<'a> {
    /// Evaluates a node and all below it.
    pub(super) fn node(&self, node: &'a Node) -> Outcome<'a> {
        match &node.kind {
            NodeKind::Literal(value) => Outcome::constant(value.into()),
            NodeKind::Slot(slot) => self.slots.get(*slot).map_or(MISSING, read),
            NodeKind::Unary(operator, operand) => {
                let operand = self.node(operand);
                operand.replace(unary(*operator, operand.cell))
            }
            NodeKind::Binary(operator @ (BinaryOperator::And | BinaryOperator::Or), left, right) => {
                self.logic(*operator == BinaryOperator::Or, left, right)
            }
            NodeKind::Binary(operator, left, right) => {
                let (left, right) = (self.node(left), self.node(right));
                left.with(right).replace(binary(*operator, left.cell, right.cell))
            }
            NodeKind::In { needle, list } => self.membership(needle, list),
            NodeKind::If { condition, then, otherwise } => {
                let condition = self.node(condition);
                let branch = if matches!(condition.cell, Cell::Boolean(true)) { then } else { otherwise };
                self.node(branch).with(condition)
            }
            NodeKind::Call(Function::Coalesce, arguments) => self.coalesce(arguments),
            NodeKind::Call(function, arguments) => self.call(*function, arguments),
            NodeKind::Aggregate(..) => {
                let result = self.aggregates.iter().find(|(known, _)| std::ptr::eq(*known, node));
                result.map_or(MISSING, |(_, result)| read(result))
            }
        }
    }

    /// `and` is decided by a false, `or` by a true; whoever decides alone gives quality and time alone.
    fn logic(&self, decisive: bool, left: &'a Node, right: &'a Node) -> Outcome<'a> {
        let left = self.node(left);
        if left.cell.as_bool() == Some(decisive) {
            return left;
        }
        let right = self.node(right);
        if right.cell.as_bool() == Some(decisive) {
            return right;
        }
        let both_known = left.cell.as_bool().is_some() && right.cell.as_bool().is_some();
        left.with(right).replace(if both_known { Cell::Boolean(!decisive) } else { Cell::Null })
    }

    fn membership(&self, needle: &'a Node, list: &'a [Node]) -> Outcome<'a> {
        let needle = self.node(needle);
        let mut outcome = needle.replace(if matches!(needle.cell, Cell::Null) { Cell::Null } else { Cell::Boolean(false) });
        for item in list {
            let item = self.node(item);
            match needle.cell.order(item.cell) {
                Some(Ordering::Equal) => return item.with(needle).replace(Cell::Boolean(true)),
                Some(_) => outcome = outcome.with(item),
                None => outcome = outcome.with(item).replace(Cell::Null),
            }
        }
        outcome
    }

    fn coalesce(&self, arguments: &'a [Node]) -> Outcome<'a> {
        let mut missing: Option<Outcome<'a>> = None;
        for argument in arguments {
            let outcome = self.node(argument);
            if !matches!(outcome.cell, Cell::Null) {
                return outcome;
            }
            missing = Some(missing.map_or(outcome, |before| before.with(outcome)));
        }
        missing.unwrap_or(MISSING)
    }

    fn call(&self, function: Function, arguments: &'a [Node]) -> Outcome<'a> {
        let Some((first, rest)) = arguments.split_first() else { return MISSING };
        let first = self.node(first);
        match function {
            Function::Least | Function::Greatest => {
                let wanted = if function == Function::Least { Ordering::Less } else { Ordering::Greater };
                rest.iter().fold(first, |best, argument| {
                    let other = self.node(argument);
                    let cell = match other.cell.order(best.cell) {
                        Some(order) if order == wanted => other.cell,
                        Some(_) => best.cell,
                        None => Cell::Null,
                    };
                    best.with(other).replace(cell)
                })
            }
            Function::Approx => {
                let Some(second) = rest.first().map(|second| self.node(second)) else { return MISSING };
                let near = first.cell.as_f64().zip(second.cell.as_f64()).map(|(a, b)| approximately(a, b));
                first.with(second).replace(Cell::truth(near))
            }
            Function::Round => match rest.first().map(|places| self.node(places)) {
                None => first.replace(round(first.cell, 0.0)),
                Some(places) => {
                    let cell = places.cell.as_f64().map_or(Cell::Null, |places| round(first.cell, places));
                    first.with(places).replace(cell)
                }
            },
            _ => first.replace(numeric(function, first.cell)),
        }
    }
}

const MISSING: Outcome<'static> = Outcome { cell: Cell::Null, quality: Quality::Bad, time: None };

/// Formulas see Good data only.
fn read(slot: &SlotValue) -> Outcome<'_> {
    let cell = if slot.quality == Quality::Good { Cell::from(&slot.value) } else { Cell::Null };
    Outcome { cell, quality: slot.quality, time: slot.time }
}

fn unary<'a>(operator: UnaryOperator, cell: Cell<'a>) -> Cell<'a> {
    match (operator, cell) {
        (UnaryOperator::Not, Cell::Boolean(truth)) => Cell::Boolean(!truth),
        (UnaryOperator::Negate, Cell::Integer(number)) => match number.checked_neg() {
            Some(negative) => Cell::Integer(negative),
            None => Cell::Double(-(number as f64)),
        },
        (UnaryOperator::Negate, Cell::Double(number)) => Cell::Double(-number),
        (UnaryOperator::BitNot, cell) => cell.as_whole().map_or(Cell::Null, |number| Cell::Integer(!number)),
        _ => Cell::Null,
    }
}

fn binary<'a>(operator: BinaryOperator, left: Cell<'a>, right: Cell<'a>) -> Cell<'a> {
    use BinaryOperator as B;
    match operator {
        B::Equal => Cell::truth(left.order(right).map(Ordering::is_eq)),
        B::NotEqual => Cell::truth(left.order(right).map(Ordering::is_ne)),
        B::Less => Cell::truth(left.order(right).map(Ordering::is_lt)),
        B::LessOrEqual => Cell::truth(left.order(right).map(Ordering::is_le)),
        B::Greater => Cell::truth(left.order(right).map(Ordering::is_gt)),
        B::GreaterOrEqual => Cell::truth(left.order(right).map(Ordering::is_ge)),
        B::BitAnd | B::BitOr | B::BitXor => {
            let whole = left.as_whole().zip(right.as_whole());
            whole.map_or(Cell::Null, |(a, b)| Cell::Integer(bits(operator, a, b)))
        }
        _ => arithmetic(operator, left, right),
    }
}

/// The bits of two whole numbers, in two's complement.
pub(super) fn bits(operator: BinaryOperator, a: i64, b: i64) -> i64 {
    match operator {
        BinaryOperator::BitAnd => a & b,
        BinaryOperator::BitOr => a | b,
        _ => a ^ b,
    }
}

fn arithmetic<'a>(operator: BinaryOperator, left: Cell<'a>, right: Cell<'a>) -> Cell<'a> {
    use BinaryOperator as B;
    if let (Cell::Integer(a), Cell::Integer(b)) = (left, right) {
        let whole = match operator {
            B::Add => a.checked_add(b),
            B::Subtract => a.checked_sub(b),
            B::Multiply => a.checked_mul(b),
            B::Remainder => a.checked_rem(b),
            _ => None,
        };
        if let Some(whole) = whole {
            return Cell::Integer(whole);
        }
    }
    let Some((a, b)) = left.as_f64().zip(right.as_f64()) else { return Cell::Null };
    Cell::number(match operator {
        B::Add => a + b,
        B::Subtract => a - b,
        B::Multiply => a * b,
        B::Divide => a / b,
        B::Remainder => a % b,
        B::Power => a.powf(b),
        _ => f64::NAN,
    })
}

fn numeric<'a>(function: Function, cell: Cell<'a>) -> Cell<'a> {
    if let (Function::Abs, Cell::Integer(number)) = (function, cell)
        && let Some(number) = number.checked_abs()
    {
        return Cell::Integer(number);
    }
    if let (Function::Ceil | Function::Floor, Cell::Integer(_)) = (function, cell) {
        return cell;
    }
    let Some(number) = cell.as_f64() else { return Cell::Null };
    Cell::number(match function {
        Function::Abs => number.abs(),
        Function::Ceil => number.ceil(),
        Function::Floor => number.floor(),
        Function::Sqrt => number.sqrt(),
        Function::Exp => number.exp(),
        Function::Ln => number.ln(),
        Function::Log10 => number.log10(),
        _ => f64::NAN,
    })
}

/// Half away from zero. More than 15 decimals change nothing in a double, fewer than -308 leave nothing of it.
fn round<'a>(cell: Cell<'a>, places: f64) -> Cell<'a> {
    match cell {
        Cell::Integer(_) if places >= 0.0 => cell,
        _ => {
            let factor = 10_f64.powi(places.clamp(-308.0, 15.0) as i32);
            let Some(number) = cell.as_f64() else { return Cell::Null };
            let scaled = number * factor;
            // Beyond 2^53 a double has no decimals to round.
            if scaled.abs() >= 9_007_199_254_740_992.0 { Cell::number(number) } else { Cell::number(scaled.round() / factor) }
        }
    }
}

/// Equal to a relative 1e-9.
fn approximately(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

//! The row evaluator: one value per slot in, one value out. Total, without panics, and without allocation unless a text is
//! the result. Used by transforms, guards and interlocks; `andon-query` compiles the same tree for whole windows.
//!
//! - A slot that is not Good is null. Null makes null, but for `and`, `or`, `in`, `if` and `coalesce`.
//! - `false and null` is false, `true or null` is true, as in SQL. `if(null, a, b)` is b.
//! - Whole numbers stay whole under `+ - * %` while they fit, and are decimals otherwise. Division is always decimal.
//! - Division by zero, overflow and what is not finite have no value.
//! - The quality of a result is the worst of what decided it, its time the newest: `false and x` does not depend on `x`.
//! - A formula of SiteWise has no value at all while one of its variables has none, whatever would decide it.

use super::{BinaryOperator, Expression, Form, Function, Node, NodeKind, SlotValue, cell::Cell};
use crate::{Quality, Timestamp, Value};
use numbers::{Decimals, approximately, round};
use std::cmp::Ordering;

mod numbers;
mod texts;

pub(super) use numbers::bits;
pub use texts::MAX_CHARACTERS;
pub(super) use texts::{positions, written};

impl SlotValue {
    /// A good value.
    pub fn good(value: Value, time: Option<Timestamp>) -> Self {
        Self { value, quality: Quality::Good, time }
    }

    /// No value at all: nothing was ever read.
    pub fn missing() -> Self {
        Self { value: Value::Null, quality: Quality::Bad, time: None }
    }

    fn is_known(&self) -> bool {
        self.quality == Quality::Good && self.value != Value::Null
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
        self.outcome(slots).into()
    }

    /// Evaluates a metric whose aggregates were computed already, one result per node of [`Expression::aggregates`].
    pub fn evaluate_metric(&self, slots: &[SlotValue], results: &[SlotValue]) -> SlotValue {
        let aggregates = self.aggregates();
        self.evaluate_leaves(&|leaf| match leaf.kind {
            NodeKind::Slot(slot) => slots.get(slot).cloned(),
            _ => results.get(aggregates.iter().position(|known| std::ptr::eq(*known, leaf))?).cloned(),
        })
    }

    /// Evaluates with what stands behind each leaf: a slot outside aggregates, or an aggregate.
    pub fn evaluate_leaves(&self, leaf: &dyn Fn(&Node) -> Option<SlotValue>) -> SlotValue {
        let row = self.row_of(leaf);
        if let Some(unknown) = self.unknown(&|node| leaf(node).unwrap_or_else(SlotValue::missing)) {
            return SlotValue { value: Value::Null, ..unknown };
        }
        row.node(&self.root).into()
    }

    /// Evaluates a part of the tree, such as the argument of an aggregate, with what its slots read.
    pub fn evaluate_part(&self, part: &Node, slots: &dyn Fn(&Node) -> Option<SlotValue>) -> SlotValue {
        self.row_of(slots).node(part).into()
    }

    /// What a part of the tree without aggregates gives.
    pub(super) fn value_of(&self, part: &Node, slots: &[SlotValue]) -> Value {
        Row { slots, leaf: None, decimals: self.decimals() }.node(part).cell.into()
    }

    /// Whether the result is exactly true, decided by Good data only.
    pub fn holds(&self, slots: &[SlotValue]) -> bool {
        let outcome = self.outcome(slots);
        matches!(outcome.cell, Cell::Boolean(true)) && outcome.quality == Quality::Good
    }

    fn outcome(&self, slots: &[SlotValue]) -> Outcome {
        let slot = |node: &Node| match node.kind {
            NodeKind::Slot(slot) => slots.get(slot).cloned().unwrap_or_else(SlotValue::missing),
            _ => SlotValue::missing(),
        };
        if let Some(unknown) = self.unknown(&slot) {
            return read(&unknown).replace(Cell::Null);
        }
        Row { slots, leaf: None, decimals: self.decimals() }.node(&self.root)
    }

    /// The first slot of a formula, outside aggregates, that has no value: then the formula has none.
    fn unknown(&self, read: &dyn Fn(&Node) -> SlotValue) -> Option<SlotValue> {
        let mut unknown = None;
        if self.form == Form::Formula {
            self.root.visit_leaves(&mut |leaf| {
                if unknown.is_none() && matches!(leaf.kind, NodeKind::Slot(_)) {
                    unknown = Some(read(leaf)).filter(|slot| !slot.is_known());
                }
            });
        }
        unknown
    }

    pub(super) fn row_of<'r>(&self, leaf: Leaf<'r>) -> Row<'r> {
        Row { slots: &[], leaf: Some(leaf), decimals: self.decimals() }
    }

    fn decimals(&self) -> Decimals {
        Decimals { keep_nan: self.form == Form::Formula }
    }

    /// The aggregates of a metric, in the order of their results for [`Expression::evaluate_metric`].
    pub fn aggregates(&self) -> Vec<&Node> {
        self.leaves().into_iter().filter(|leaf| matches!(leaf.kind, NodeKind::Aggregate(..))).collect()
    }

    /// Where the tree gets its values from: slots outside aggregates, and aggregates.
    pub fn leaves(&self) -> Vec<&Node> {
        self.root.leaves()
    }
}

impl Node {
    /// Where this part of a tree gets its values from: slots outside aggregates, and aggregates.
    pub fn leaves(&self) -> Vec<&Self> {
        let mut found = Vec::new();
        self.visit_leaves(&mut |leaf| found.push(leaf));
        found
    }
}

/// What stands behind a slot or an aggregate.
pub(super) type Leaf<'a> = &'a dyn Fn(&Node) -> Option<SlotValue>;

/// What a row of values is evaluated with.
pub(super) struct Row<'a> {
    slots: &'a [SlotValue],
    /// What stands behind a slot or an aggregate, asked first.
    leaf: Option<Leaf<'a>>,
    decimals: Decimals,
}

/// A value with the quality and time of what decided it.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    cell: Cell,
    quality: Quality,
    time: Option<Timestamp>,
}

impl From<Outcome> for SlotValue {
    fn from(outcome: Outcome) -> Self {
        Self { value: outcome.cell.into(), quality: outcome.quality, time: outcome.time }
    }
}

impl Outcome {
    fn constant(cell: Cell) -> Self {
        Self { cell, quality: Quality::Good, time: None }
    }

    /// The same value, decided by `other` as well.
    fn with(self, other: &Self) -> Self {
        Self { cell: self.cell, quality: self.quality.max(other.quality), time: self.time.max(other.time) }
    }

    fn replace(self, cell: Cell) -> Self {
        Self { cell, ..self }
    }
}

impl Row<'_> {
    /// Evaluates a node and all below it.
    pub(super) fn node(&self, node: &Node) -> Outcome {
        match &node.kind {
            NodeKind::Literal(value) => Outcome::constant(value.into()),
            NodeKind::Slot(slot) => match self.leaf {
                Some(leaf) => leaf(node).as_ref().map_or(MISSING, read),
                None => self.slots.get(*slot).map_or(MISSING, read),
            },
            NodeKind::Unary(operator, operand) => {
                let operand = self.node(operand);
                let cell = self.decimals.unary(*operator, &operand.cell);
                operand.replace(cell)
            }
            NodeKind::Binary(operator @ (BinaryOperator::And | BinaryOperator::Or), left, right) => {
                self.logic(*operator == BinaryOperator::Or, left, right)
            }
            NodeKind::Binary(operator, left, right) => {
                let (left, right) = (self.node(left), self.node(right));
                let cell = self.decimals.binary(*operator, &left.cell, &right.cell);
                left.with(&right).replace(cell)
            }
            NodeKind::In { needle, list } => self.membership(needle, list),
            NodeKind::If { condition, then, otherwise } => {
                let condition = self.node(condition);
                let branch = if matches!(condition.cell, Cell::Boolean(true)) { then } else { otherwise };
                self.node(branch).with(&condition)
            }
            NodeKind::Call(Function::Coalesce, arguments) => self.coalesce(arguments),
            NodeKind::Call(function, arguments) => self.call(*function, arguments),
            NodeKind::Aggregate(..) => self.leaf.and_then(|leaf| leaf(node)).as_ref().map_or(MISSING, read),
            NodeKind::Convert(conversion, operand) => {
                let operand = self.node(operand);
                let number = operand.cell.as_f64().map(|number| self.decimals.cell(conversion.apply(number)));
                operand.replace(number.unwrap_or(Cell::Null))
            }
            NodeKind::Format(format, values) => self.all(values, |cells| match format.write(cells) {
                Some(text) => texts::made(text),
                None => Cell::Null,
            }),
            NodeKind::JsonPath(path, document) => {
                let document = self.node(document);
                let cell = match &document.cell {
                    Cell::Json(json) => path.find(json),
                    Cell::Text(text) => serde_json::from_str(text).map_or(Cell::Null, |json| path.find(&json)),
                    _ => Cell::Null,
                };
                document.replace(cell)
            }
            NodeKind::DatePart(part, zone, time) => {
                let time = self.node(time);
                let cell = time.cell.as_f64().map_or(Cell::Null, |seconds| zone.part(*part, seconds));
                time.replace(cell)
            }
            NodeKind::MakeTime(zone, parts) => self.all(parts, |cells| match cells {
                [a, b, c, d, e, f] => zone.make([a, b, c, d, e, f]),
                _ => Cell::Null,
            }),
        }
    }

    /// What all values together make.
    fn all(&self, nodes: &[Node], make: impl FnOnce(&[Cell]) -> Cell) -> Outcome {
        let mut outcome = Outcome::constant(Cell::Null);
        let mut cells = Vec::with_capacity(nodes.len());
        for node in nodes {
            let one = self.node(node);
            outcome = outcome.with(&one);
            cells.push(one.cell);
        }
        outcome.replace(make(&cells))
    }

    /// `and` is decided by a false, `or` by a true; whoever decides alone gives quality and time alone.
    fn logic(&self, decisive: bool, left: &Node, right: &Node) -> Outcome {
        let left = self.node(left);
        if left.cell.as_bool() == Some(decisive) {
            return left;
        }
        let right = self.node(right);
        if right.cell.as_bool() == Some(decisive) {
            return right;
        }
        let both_known = left.cell.as_bool().is_some() && right.cell.as_bool().is_some();
        left.with(&right).replace(if both_known { Cell::Boolean(!decisive) } else { Cell::Null })
    }

    fn membership(&self, needle: &Node, list: &[Node]) -> Outcome {
        let needle = self.node(needle);
        let first = if needle.cell == Cell::Null { Cell::Null } else { Cell::Boolean(false) };
        let mut outcome = needle.clone().replace(first);
        for item in list {
            let item = self.node(item);
            match needle.cell.order(&item.cell) {
                Some(Ordering::Equal) => return item.with(&needle).replace(Cell::Boolean(true)),
                Some(_) => outcome = outcome.with(&item),
                None => outcome = outcome.with(&item).replace(Cell::Null),
            }
        }
        outcome
    }

    fn coalesce(&self, arguments: &[Node]) -> Outcome {
        let mut missing: Option<Outcome> = None;
        for argument in arguments {
            let outcome = self.node(argument);
            if outcome.cell != Cell::Null {
                return outcome;
            }
            missing = Some(match missing {
                Some(before) => before.with(&outcome),
                None => outcome,
            });
        }
        missing.unwrap_or(MISSING)
    }

    fn call(&self, function: Function, arguments: &[Node]) -> Outcome {
        use Function as F;
        match (function, arguments) {
            (F::Least | F::Greatest, [first, rest @ ..]) => {
                let wanted = if function == F::Least { Ordering::Less } else { Ordering::Greater };
                rest.iter().fold(self.node(first), |best, argument| {
                    let other = self.node(argument);
                    let cell = match other.cell.order(&best.cell) {
                        Some(order) if order == wanted => other.cell.clone(),
                        Some(_) => best.cell.clone(),
                        None => Cell::Null,
                    };
                    best.with(&other).replace(cell)
                })
            }
            (F::Join | F::Slice | F::Pooled(..), arguments) => self.all(arguments, |cells| match function {
                F::Join => texts::join(cells),
                F::Pooled(aggregate, samples) => super::aggregate::pooled(aggregate, samples, cells),
                _ => match cells {
                    [text, from, to, step] => texts::slice(text, [from, to, step]),
                    _ => Cell::Null,
                },
            }),
            (F::Round, [one]) => {
                let one = self.node(one);
                let cell = round(&one.cell, 0.0);
                one.replace(cell)
            }
            (_, [one]) => {
                let one = self.node(one);
                let cell = self.of_one(function, &one);
                one.replace(cell)
            }
            (_, [one, two]) => {
                let (one, two) = (self.node(one), self.node(two));
                let cell = self.of_two(function, &one.cell, &two.cell);
                one.with(&two).replace(cell)
            }
            _ => MISSING,
        }
    }

    fn of_one(&self, function: Function, one: &Outcome) -> Cell {
        use Function as F;
        match (function, &one.cell) {
            (F::Truth, cell) => Cell::Boolean(cell.is_truthy()),
            (F::FromTruth, Cell::Boolean(truth)) => Cell::Integer(i64::from(*truth)),
            (F::FromTruth, Cell::Null) => Cell::Null,
            (F::FromTruth, cell) => cell.clone(),
            (F::IsNan, Cell::Integer(_)) => Cell::Boolean(false),
            (F::IsNan, Cell::Double(number)) => Cell::Boolean(number.is_nan()),
            (F::TimeOf, _) => one.time.map_or(Cell::Null, |time| seconds(time).map_or(Cell::Null, Cell::number)),
            (F::Length | F::Upper | F::Lower, cell) => texts::one(function, cell),
            (_, cell) => self.decimals.function(function, cell),
        }
    }

    fn of_two(&self, function: Function, one: &Cell, two: &Cell) -> Cell {
        use Function as F;
        let beyond = |wanted: Ordering| match approximately(one, two) {
            Some(near) => Cell::Boolean(near || one.order(two) == Some(wanted)),
            None => Cell::Null,
        };
        match function {
            F::Round => two.as_f64().map_or(Cell::Null, |places| round(one, places)),
            F::Approx => Cell::truth(approximately(one, two)),
            F::AtLeast => beyond(Ordering::Greater),
            F::AtMost => beyond(Ordering::Less),
            F::Plus => match (one, two) {
                (Cell::Text(_), _) | (_, Cell::Text(_)) => texts::concatenate(one, two),
                _ => self.decimals.binary(BinaryOperator::Add, one, two),
            },
            F::Index => texts::index(one, two),
            _ => texts::two(function, one, two),
        }
    }
}

/// Seconds since 1970; none for the end of time that constants have.
pub(super) fn seconds(time: Timestamp) -> Option<f64> {
    (time != Timestamp::MIN).then(|| time.as_nanos() as f64 / 1e9)
}

const MISSING: Outcome = Outcome { cell: Cell::Null, quality: Quality::Bad, time: None };

/// Formulas see Good data only.
fn read(slot: &SlotValue) -> Outcome {
    let cell = if slot.quality == Quality::Good { Cell::from(&slot.value) } else { Cell::Null };
    Outcome { cell, quality: slot.quality, time: slot.time }
}

//! A property of all children at once, in guards and interlocks: `any(machines.stopped)`, `max(machines.temp) > 80`.
//!
//! Each child counts with its newest value. `any` is decided by one good true and `all` by one good false; everything else needs
//! all children: one that is not Good leaves the result in doubt. Without children there is no result.

use super::{Aggregate, AggregateInput, Expression, Node, NodeKind, Scope, SlotValue, Type, aggregate, check::error};
use crate::{Quality, Timestamp, Value, definition::CounterRule, expression::ExpressionError, window::Window};
use std::time::Duration;

/// The newest values of the children that a slot reads.
pub type Children<'a> = dyn Fn(usize) -> Vec<SlotValue> + 'a;

impl Expression {
    /// Evaluates a formula that may read children. Slots as in [`Expression::evaluate`].
    pub fn evaluate_children(&self, slots: &[SlotValue], children: &Children<'_>) -> SlotValue {
        self.evaluate_metric(slots, &self.pooled(children))
    }

    /// The results of its aggregates over the children, in the order of [`Expression::aggregates`].
    pub(super) fn pooled(&self, children: &Children<'_>) -> Vec<SlotValue> {
        self.aggregates().into_iter().map(|node| self.pool(node, children).unwrap_or_else(SlotValue::missing)).collect()
    }
}

/// The aggregate over children that a name stands for.
pub(super) fn over_children(name: &str, scope: &dyn Scope) -> Option<(Aggregate, Type)> {
    match name {
        "any" if scope.reads_children() => Some((Aggregate::Maximum, Type::Boolean)),
        "all" if scope.reads_children() => Some((Aggregate::Minimum, Type::Boolean)),
        _ => None,
    }
}

/// Refuses aggregates that have no meaning for newest values.
pub(super) fn check_children(node: &Node, name: &str, aggregate: Aggregate) -> Result<(), ExpressionError> {
    let hint = "of children there are `any`, `all`, `count`, `min`, `max`, `sum`, `avg` and `stdev`";
    match aggregate {
        Aggregate::Count
        | Aggregate::Minimum
        | Aggregate::Maximum
        | Aggregate::Sum
        | Aggregate::Average
        | Aggregate::StandardDeviation => Ok(()),
        _ => error(node.span, format!("`{name}` needs the samples of a window; only metrics have one"), hint),
    }
}

impl Expression {
    /// The result of one aggregate over the children.
    fn pool(&self, node: &Node, children: &Children<'_>) -> Option<SlotValue> {
        let NodeKind::Aggregate(kind, argument) = &node.kind else { return None };
        let mut read = Vec::new();
        argument.collect_slots(&mut read);
        let slot = *read.first()?;
        let mut values = Vec::new();
        for child in children(slot) {
            values.push(self.evaluate_part(argument, &|_| Some(child.clone())));
        }
        let time = values.iter().filter_map(|value| value.time).max();
        let quality = values.iter().map(|value| value.quality).max()?;
        let of = |value, quality| Some(SlotValue { value, quality, time });
        if argument.node_type == Type::Boolean && *kind != Aggregate::Count {
            let decisive = *kind == Aggregate::Maximum;
            let decided = values.iter().any(|value| value.value == Value::Boolean(decisive) && value.quality == Quality::Good);
            let known = values.iter().all(|value| value.value != Value::Null);
            return match (decided, known) {
                (true, _) => of(Value::Boolean(decisive), Quality::Good),
                (false, true) => of(Value::Boolean(!decisive), quality),
                (false, false) => of(Value::Null, quality),
            };
        }
        let instant = time.unwrap_or(Timestamp::EPOCH);
        let samples: Vec<_> = values.into_iter().map(|value| (instant, value.value)).collect();
        let window = Window { start: instant - Duration::from_nanos(1), end: instant };
        let value = aggregate(*kind, AggregateInput { window, samples: &samples, counter: CounterRule::default() });
        of(value, if *kind == Aggregate::Count { Quality::Good } else { quality })
    }
}

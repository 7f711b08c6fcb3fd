//! What formulas of SiteWise read: the latest Good values of their inputs, and those before them.
//!
//! All of it is a function of the data and the instant, not of the order of arrival within the instant: `pretrigger(x)` is the Good
//! value from before the instant if x has a sample at it, else the latest one.

use super::{Computed, Transforms};
use crate::{
    Quality, StatusCode, Timestamp, Tqv, Value,
    expression::{Expression, Form, Reference, SlotValue},
};

/// What a slot of a formula asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// The latest Good value.
    Latest,
    /// The Good value before the update.
    Before,
    /// The instant itself.
    Time,
}

/// What the slots of an expression ask; empty if it is no formula of SiteWise.
pub(super) fn asks(expression: &Expression) -> Vec<Asks> {
    let ask = |reference: &Reference| match reference {
        Reference::Before(_) => Asks::Before,
        Reference::Time => Asks::Time,
        _ => Asks::Latest,
    };
    match expression.form {
        // A formula that reads nothing would never be set off; the others have a slot at least.
        Form::Formula => expression.references.iter().map(ask).collect(),
        Form::Plant | Form::Event => Vec::new(),
    }
}

/// The newest Good values of an input, and a late one of the instant being computed.
#[derive(Clone, Debug, Default)]
pub(super) struct GoodValues {
    newest: Option<Tqv>,
    before: Option<Tqv>,
    late: Option<Tqv>,
}

impl GoodValues {
    /// Begins with the newest value that is known.
    pub fn since(newest: Option<&Tqv>) -> Self {
        let good = newest.filter(|tqv| tqv.quality == Quality::Good && tqv.value != Value::Null);
        Self { newest: good.cloned(), before: None, late: None }
    }

    /// Takes a Good value.
    pub fn take(&mut self, tqv: &Tqv) {
        match &self.newest {
            Some(newest) if tqv.time < newest.time => {
                // It may lie between the two that are kept.
                if self.before.as_ref().is_none_or(|before| before.time <= tqv.time) {
                    self.before = Some(tqv.clone());
                }
                self.late = Some(tqv.clone());
            }
            Some(newest) if tqv.time > newest.time => self.before = self.newest.replace(tqv.clone()),
            _ => self.newest = Some(tqv.clone()),
        }
    }

    /// Forgets the late value of an instant.
    pub fn settle(&mut self) {
        self.late = None;
    }

    /// The latest Good value at an instant, and the one before its own time.
    fn at(&self, time: Timestamp) -> (Option<&Tqv>, Option<&Tqv>) {
        let known = || [&self.late, &self.newest, &self.before].into_iter().flatten();
        let current = known().filter(|tqv| tqv.time <= time).max_by_key(|tqv| tqv.time);
        let before = current.and_then(|current| known().filter(|tqv| tqv.time < current.time).max_by_key(|tqv| tqv.time));
        (current, before)
    }
}

impl Transforms {
    /// The result of a formula at an instant; none if it has none.
    pub(super) fn evaluate_formula(&mut self, index: usize, time: Timestamp) -> Option<Computed> {
        let Self { inputs, derived, work, .. } = self;
        let derived = &derived[index];
        work.values.clear();
        for (position, ask) in derived.slots.iter().zip(&derived.asks) {
            let input = position.map(|position| &inputs[position]);
            let slot = match (ask, input) {
                (Asks::Time, _) => SlotValue::good(Value::from(time.as_nanos() as f64 / 1e9), Some(time)),
                (_, None) => SlotValue::missing(),
                (_, Some(input)) if input.constant => input.newest.as_ref().map_or_else(SlotValue::missing, SlotValue::from),
                (ask, Some(input)) => {
                    let (current, before) = input.good.as_ref().map_or((None, None), |good| good.at(time));
                    let updated = current.is_some_and(|current| current.time == time);
                    let chosen = if *ask == Asks::Before && updated { before } else { current };
                    chosen.map_or_else(SlotValue::missing, SlotValue::from)
                }
            };
            work.values.push(slot);
        }
        let result = derived.expression.evaluate(&work.values);
        let value = result.value.coerce(derived.value_type).filter(|value| *value != Value::Null)?;
        Some(Computed { value, quality: Quality::Good, status: StatusCode::GOOD })
    }
}

//! Aggregates and functions of a window in formulas: each argument reads one variable, several arguments are pooled.

use super::{
    FormulaKind, Role,
    check::{Checked, Checker, call, error, node, number},
    functions::Callable,
};
use crate::{
    Value,
    expression::{
        Aggregate, BinaryOperator, ExpressionError, Function, Node, NodeKind, Reference, Span, Type,
        parser::{Raw, RawKind},
    },
};

/// What an argument of an aggregate is.
enum Argument {
    /// Samples of one variable.
    Samples(Node),
    /// One value: a constant, an attribute, another aggregate.
    Value(Node),
}

impl Checker<'_> {
    fn needs_window(&self, span: Span, name: &str) -> Result<(), ExpressionError> {
        match self.scope.kind() {
            FormulaKind::Metric => Ok(()),
            FormulaKind::Transform => {
                let hint = "make the property a metric with a window";
                error(span, format!("`{name}` needs the samples of a window; only metrics have one"), hint)
            }
        }
    }

    fn argument(&mut self, raw: Raw, by: &str) -> Result<Argument, ExpressionError> {
        let outer = std::mem::replace(&mut self.samples, true);
        let checked = self.node(raw);
        self.samples = outer;
        let argument = checked?;
        let (mut slots, mut aggregates) = (Vec::new(), false);
        argument.visit_leaves(&mut |leaf| match leaf.kind {
            NodeKind::Slot(slot) if !slots.contains(&slot) => slots.push(slot),
            NodeKind::Aggregate(..) => aggregates = true,
            _ => {}
        });
        match (&slots[..], aggregates) {
            ([], _) => Ok(Argument::Value(argument)),
            ([slot], false) if self.roles[*slot] == Role::Attribute => Ok(Argument::Value(argument)),
            ([_], false) => Ok(Argument::Samples(argument)),
            ([_], true) => {
                let hint = "make the inner one a metric of its own";
                error(argument.span, format!("this mixes the samples of a variable with another aggregate in `{by}`"), hint)
            }
            _ => {
                let message = format!("each value of `{by}` may read one variable only");
                error(argument.span, message, "make the formula a transform, and aggregate that")
            }
        }
    }

    /// `sum(x)`, `sum(x / 2, y * 2)`, `max(avg(x), 5)`.
    pub(super) fn aggregate(&mut self, span: Span, name: &str, aggregate: Aggregate, raws: Vec<Raw>) -> Checked {
        self.needs_window(span, name)?;
        let (mut samples, mut values) = (Vec::new(), Vec::new());
        for raw in raws {
            match self.argument(raw, name)? {
                Argument::Samples(argument) => samples.push(argument),
                Argument::Value(argument) => values.push(argument),
            }
        }
        let of = |aggregate: Aggregate, argument: &Node| {
            node(span, Type::Number, NodeKind::Aggregate(aggregate, Box::new(argument.clone())))
        };
        if let ([argument], []) = (&samples[..], &values[..]) {
            return Ok(of(aggregate, argument));
        }
        // Each argument is told by its count, its value and its deviation.
        let value = match aggregate {
            Aggregate::StandardDeviation => Aggregate::Average,
            Aggregate::Count => Aggregate::Count,
            other => other,
        };
        let none = || node(span, Type::Null, NodeKind::Literal(Value::Null));
        let mut triples = Vec::new();
        for argument in &samples {
            let deviates = aggregate == Aggregate::StandardDeviation;
            let deviation = if deviates { of(Aggregate::StandardDeviation, argument) } else { none() };
            triples.extend([of(Aggregate::Count, argument), of(value, argument), deviation]);
        }
        for argument in values {
            triples.extend([number(span, 1), argument, none()]);
        }
        let sampled = u8::try_from(samples.len()).unwrap_or(u8::MAX);
        Ok(call(span, Type::Number, Function::Pooled(aggregate, sampled), triples))
    }

    /// Functions of the time course of one variable of the asset itself.
    pub(super) fn temporal(&mut self, span: Span, name: &str, callable: Callable, mut raws: Vec<Raw>) -> Checked {
        self.needs_window(span, name)?;
        let option = (raws.len() > 1).then(|| raws.remove(1));
        let argument = match self.argument(raws.remove(0), name)? {
            Argument::Samples(argument) => argument,
            Argument::Value(argument) if matches!(argument.kind, NodeKind::Slot(_)) => return Ok(argument),
            Argument::Value(argument) => {
                return error(argument.span, format!("`{name}` takes a variable"), format!("write `{name}(x)`"));
            }
        };
        let mut slots = Vec::new();
        argument.collect_slots(&mut slots);
        let children = slots.iter().any(|slot| matches!(self.references[*slot], Reference::Children { .. }));
        if children {
            return error(argument.span, format!("`{name}` takes a property of the asset itself, not of its children"), "");
        }
        let metric = slots.iter().any(|slot| self.roles[*slot] == Role::Metric);
        let (aggregate, argument) = match callable {
            Callable::StateTime if metric => {
                return error(
                    argument.span,
                    "`statetime` does not take a metric",
                    "take the measurement or transform it is made of",
                );
            }
            Callable::StateTime => {
                let positive = NodeKind::Binary(BinaryOperator::Greater, Box::new(argument), Box::new(number(span, 0)));
                (Aggregate::StateTime, node(span, Type::Boolean, positive))
            }
            Callable::TimeWeightedAverage => (interpolation(option)?, argument),
            Callable::TimeWeightedDeviation => match option {
                Some(option) => {
                    let hint = "the deviation is that of the whole time, weighted by how long each value held";
                    return error(option.span, "the second value of `TimeWeightedStDev` is not supported", hint);
                }
                None => (Aggregate::TimeWeightedDeviation, argument),
            },
            Callable::Pick(aggregate) => (aggregate, argument),
            _ => return error(span, format!("`{name}` is no function of a window"), ""),
        };
        let node_type = if aggregate.keeps_type() { argument.node_type } else { Type::Number };
        Ok(node(span, node_type, NodeKind::Aggregate(aggregate, Box::new(argument))))
    }
}

fn interpolation(option: Option<Raw>) -> Result<Aggregate, ExpressionError> {
    let Some(raw) = option else { return Ok(Aggregate::TimeWeightedAverage) };
    let word = match &raw.kind {
        RawKind::Literal(Value::String(text)) => text.to_ascii_lowercase(),
        RawKind::Path(path) => path.first().map_or_else(String::new, |name| name.to_ascii_lowercase()),
        _ => String::new(),
    };
    match &*word {
        "locf" => Ok(Aggregate::TimeWeightedAverage),
        "linear" => Ok(Aggregate::TimeWeightedLinear),
        _ => error(raw.span, "there is no such interpolation", "write 'locf' (a value holds until the next) or 'linear'"),
    }
}

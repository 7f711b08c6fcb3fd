//! Times in formulas: of the computation, of its inputs, and what calendars make of them.

use super::{
    FormulaKind, Role,
    check::{Checked, Checker, call, error, node},
};
use crate::{
    Value,
    expression::{
        DatePart, ExpressionError, Function, Node, NodeKind, Reference, Span, Type, Zone,
        parser::{Raw, RawKind},
    },
};

impl Checker<'_> {
    /// The time of the computation's data.
    pub(super) fn time(&mut self, span: Span) -> Node {
        let slot = self.slot(Reference::Time, Role::Attribute);
        node(span, Type::Number, NodeKind::Slot(slot))
    }

    /// `timestamp()`, `timestamp(x)`, `timestamp(pretrigger(x))`.
    pub(super) fn timestamp(&mut self, span: Span, argument: Option<Raw>) -> Checked {
        let Some(argument) = argument else { return Ok(self.time(span)) };
        if self.scope.kind() == FormulaKind::Metric {
            return error(
                span,
                "`timestamp` of a variable is for transforms only",
                "in a metric, `timestamp()` is the window's end",
            );
        }
        let variable = match &argument.kind {
            RawKind::Path(_) => true,
            RawKind::Call { name, .. } => name.eq_ignore_ascii_case("pretrigger"),
            _ => false,
        };
        if !variable {
            return error(argument.span, "`timestamp` takes a variable", "write `timestamp(x)` or `timestamp(pretrigger(x))`");
        }
        let argument = self.node(argument)?;
        Ok(call(span, Type::Number, Function::TimeOf, vec![argument]))
    }

    /// `pretrigger(x)`.
    pub(super) fn pretrigger(&mut self, span: Span, argument: Raw) -> Checked {
        if self.scope.kind() == FormulaKind::Metric {
            return error(span, "`pretrigger` is for transforms only", "`earliest(x)` is the value from before the window");
        }
        let RawKind::Path(path) = &argument.kind else {
            return error(argument.span, "`pretrigger` takes a variable", "write `pretrigger(x)`");
        };
        let name = path.first().map_or("", |name| name);
        let Some(variable) = self.scope.variable(name) else { return self.node(argument) };
        match (&variable.reference, variable.role) {
            (_, Role::Attribute) => error(argument.span, format!("`{name}` is an attribute, and has no earlier value"), ""),
            (Reference::Own(key), _) => {
                let slot = self.slot(Reference::Before(key.clone()), variable.role);
                let value = node(span, variable.value_type, NodeKind::Slot(slot));
                Ok(match variable.value_type {
                    Type::Boolean => call(span, Type::Number, Function::FromTruth, vec![value]),
                    _ => value,
                })
            }
            _ => error(argument.span, "`pretrigger` takes a property of the asset itself", ""),
        }
    }

    /// `hour(localtime(t, zone))`.
    pub(super) fn part(&mut self, span: Span, part: DatePart, argument: Raw) -> Checked {
        let (time, zone) = match argument.kind {
            RawKind::Call { name, mut arguments, .. } if name.eq_ignore_ascii_case("localtime") => {
                if arguments.len() != 2 {
                    return error(
                        argument.span,
                        "`localtime` takes a time and a zone",
                        "write `localtime(now(), 'Europe/Berlin')`",
                    );
                }
                let zone = zone(&arguments.remove(1))?;
                (arguments.remove(0), zone)
            }
            _ => (argument, Zone::UTC),
        };
        let time = Box::new(self.node(time)?);
        Ok(node(span, Type::Number, NodeKind::DatePart(part, zone, time)))
    }

    /// `mktime(y, mo, d, h, mi, s)`, with a zone before or after them.
    pub(super) fn make_time(&mut self, span: Span, mut arguments: Vec<Raw>) -> Checked {
        let is_text = |raw: &Raw| matches!(raw.kind, RawKind::Literal(Value::String(_)));
        let zone = match (arguments.len(), arguments.first().is_some_and(is_text)) {
            (7, true) => zone(&arguments.remove(0))?,
            (7, false) => zone(&arguments.remove(6))?,
            _ => Zone::UTC,
        };
        let parts = self.nodes(arguments)?;
        Ok(node(span, Type::Number, NodeKind::MakeTime(zone, parts)))
    }
}

fn zone(raw: &Raw) -> Result<Zone, ExpressionError> {
    let RawKind::Literal(Value::String(name)) = &raw.kind else {
        return error(raw.span, "a time zone stands in quotes", "write `'Europe/Berlin'` or `'+2'`");
    };
    match Zone::parse(name) {
        Ok(zone) => Ok(zone),
        Err(hint) => error(raw.span, format!("there is no time zone `{name}`"), hint),
    }
}

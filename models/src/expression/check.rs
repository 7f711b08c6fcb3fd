//! Names to slots and every node to its type. What passes here evaluates without surprises.

use super::{
    Aggregate, BinaryOperator, ExpressionError, FormatText, Function, Node, NodeKind, Reference, Scope, Span, Type,
    UnaryOperator, Zone,
    children::{check_children, over_children},
    functions::{self, Callable},
    names::nearest,
    parser::{Raw, RawKind},
};
use crate::{Value, unit::Conversion};
use std::sync::Arc;

/// Checks a tree; gives it back typed, with what its slots read.
pub(super) fn check(raw: Raw, text: &str, scope: &dyn Scope) -> Result<(Node, Vec<Reference>), ExpressionError> {
    let mut checker = Checker { text, scope, references: Vec::new(), inside: None };
    let root = checker.node(raw)?;
    Ok((root, checker.references))
}

struct Checker<'s> {
    text: &'s str,
    scope: &'s dyn Scope,
    references: Vec<Reference>,
    /// The aggregate whose argument is being checked.
    inside: Option<Aggregate>,
}

pub(super) fn error<T>(span: Span, message: impl Into<String>, hint: impl Into<String>) -> Result<T, ExpressionError> {
    Err(ExpressionError { span, message: message.into(), hint: hint.into() })
}

impl Checker<'_> {
    fn node(&mut self, raw: Raw) -> Result<Node, ExpressionError> {
        let span = raw.span;
        let (kind, node_type) = match raw.kind {
            RawKind::Literal(value) => {
                let node_type = value.value_type().map_or(Type::Null, Type::from);
                (NodeKind::Literal(value), node_type)
            }
            RawKind::Path(path) => self.path(span, &path)?,
            RawKind::Unary(operator, operand) => self.unary(operator, *operand)?,
            RawKind::Binary(operator, left, right) => self.binary(span, operator, *left, *right)?,
            RawKind::In { needle, list } => self.membership(*needle, list)?,
            RawKind::Call { name, name_span, arguments } => self.call(span, &name, name_span, arguments)?,
            RawKind::Dollar { .. } | RawKind::Template(_) | RawKind::Format(..) | RawKind::Index(..) | RawKind::Slice(..) => {
                return error(span, "this has no meaning in the plant file", "");
            }
        };
        Ok(Node { span, node_type, kind })
    }

    fn nodes(&mut self, raws: Vec<Raw>) -> Result<Vec<Node>, ExpressionError> {
        raws.into_iter().map(|raw| self.node(raw)).collect()
    }

    fn written(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    fn path(&mut self, span: Span, path: &[Arc<str>]) -> Result<(NodeKind, Type), ExpressionError> {
        let parts: Vec<&str> = path.iter().map(|part| &**part).collect();
        let Some(resolved) = self.scope.resolve(&parts) else {
            let name = parts.join(".");
            let candidates = self.scope.candidates();
            let hint = match nearest(&name, candidates.iter().map(String::as_str)) {
                Some(candidate) => format!("did you mean `{candidate}`?"),
                None if functions::callable(&name).is_some() => format!("`{name}` is a function: write `{name}(…)`"),
                None if candidates.is_empty() => String::new(),
                None => format!("there are {}", some_of(&candidates)),
            };
            return error(span, format!("there is no `{name}` here"), hint);
        };
        if let (Reference::Children { hierarchy, property }, None) = (&resolved.reference, self.inside) {
            let hint = match self.scope.aggregates() {
                _ if self.scope.reads_children() => {
                    format!("say how they become one: `any({hierarchy}.{property} …)`, `max({hierarchy}.{property})`")
                }
                true => format!("say how they become one: `min({hierarchy}.{property})`, `avg({hierarchy}.{property})`"),
                false => "only metrics may read children; make it a metric and use that".to_owned(),
            };
            return error(span, format!("`{hierarchy}.{property}` has one value for every child"), hint);
        }
        let known = self.references.iter().position(|reference| *reference == resolved.reference);
        let slot = known.unwrap_or_else(|| {
            self.references.push(resolved.reference);
            self.references.len() - 1
        });
        Ok((NodeKind::Slot(slot), resolved.node_type))
    }

    fn unary(&mut self, operator: UnaryOperator, operand: Raw) -> Result<(NodeKind, Type), ExpressionError> {
        let operand = self.node(operand)?;
        let node_type = match operator {
            UnaryOperator::Negate | UnaryOperator::BitNot => Type::Number,
            UnaryOperator::Not => Type::Boolean,
        };
        self.want(&operand, node_type, operator.sign())?;
        // A negative constant is a constant, so that back ends see it as one.
        let kind = match (operator, &operand.kind) {
            (UnaryOperator::Negate, NodeKind::Literal(Value::Integer(number))) => {
                number.checked_neg().map(|number| NodeKind::Literal(Value::Integer(number)))
            }
            (UnaryOperator::Negate, NodeKind::Literal(Value::Double(number))) => {
                Some(NodeKind::Literal(Value::Double(-number)))
            }
            _ => None,
        };
        Ok((kind.unwrap_or_else(|| NodeKind::Unary(operator, Box::new(operand))), node_type))
    }

    fn binary(
        &mut self,
        span: Span,
        operator: BinaryOperator,
        left: Raw,
        right: Raw,
    ) -> Result<(NodeKind, Type), ExpressionError> {
        use BinaryOperator as B;
        let (left, right) = (self.node(left)?, self.node(right)?);
        let sign = operator.sign();
        let node_type = match operator {
            B::Add | B::Subtract | B::Multiply | B::Divide | B::Remainder | B::Power => {
                self.want(&left, Type::Number, sign)?;
                self.want(&right, Type::Number, sign)?;
                Type::Number
            }
            B::BitAnd | B::BitOr | B::BitXor => {
                self.want(&left, Type::Number, sign)?;
                self.want(&right, Type::Number, sign)?;
                Type::Number
            }
            B::And | B::Or => {
                self.want(&left, Type::Boolean, sign)?;
                self.want(&right, Type::Boolean, sign)?;
                Type::Boolean
            }
            B::Equal | B::NotEqual => {
                self.refuse_null(span, &[&left, &right], sign)?;
                self.same(&left, &right, sign)?;
                Type::Boolean
            }
            B::Less | B::LessOrEqual | B::Greater | B::GreaterOrEqual => {
                self.refuse_null(span, &[&left, &right], sign)?;
                self.same(&left, &right, sign)?;
                if left.node_type == Type::Boolean {
                    return error(span, format!("{sign} does not order true and false"), "compare with == or use and, or, not");
                }
                Type::Boolean
            }
        };
        Ok((NodeKind::Binary(operator, Box::new(left), Box::new(right)), node_type))
    }

    fn membership(&mut self, needle: Raw, list: Vec<Raw>) -> Result<(NodeKind, Type), ExpressionError> {
        let needle = self.node(needle)?;
        let list = self.nodes(list)?;
        for item in &list {
            self.refuse_null(item.span, &[item], "`in`")?;
            self.same(&needle, item, "`in`")?;
        }
        Ok((NodeKind::In { needle: Box::new(needle), list }, Type::Boolean))
    }

    fn call(
        &mut self,
        span: Span,
        name: &str,
        name_span: Span,
        arguments: Vec<Raw>,
    ) -> Result<(NodeKind, Type), ExpressionError> {
        if let Some((aggregate, wanted)) = over_children(name, self.scope) {
            self.count(span, name, arguments.len(), 1, 1, "")?;
            return self.aggregate(span, name, aggregate, wanted, arguments);
        }
        let Some(callable) = functions::callable(name) else {
            return error(name_span, format!("there is no function `{name}`"), functions::hint(name));
        };
        let given = arguments.len();
        match callable {
            Callable::If => {
                self.count(span, name, given, 3, 3, "write `if(condition, a, b)`")?;
                self.choice(arguments)
            }
            Callable::Binary(operator) => {
                let hint = if operator == BinaryOperator::Power { "write `pow(x, y)` or `x ^ y`" } else { "" };
                self.count(span, name, given, 2, 2, hint)?;
                let mut arguments = self.nodes(arguments)?;
                for argument in &arguments {
                    self.want(argument, Type::Number, &format!("`{name}`"))?;
                }
                let right = Box::new(arguments.remove(1));
                Ok((NodeKind::Binary(operator, Box::new(arguments.remove(0)), right), Type::Number))
            }
            Callable::Unary(operator) => {
                self.count(span, name, given, 1, 1, "")?;
                let operand = self.nodes(arguments)?.remove(0);
                self.want(&operand, Type::Number, &format!("`{name}`"))?;
                Ok((NodeKind::Unary(operator, Box::new(operand)), Type::Number))
            }
            Callable::Function(function, least, most) => {
                self.count(span, name, given, least, most, "")?;
                self.function(name, function, arguments)
            }
            Callable::Both(aggregate, function) => match given {
                1 => self.aggregate(span, name, aggregate, Type::Number, arguments),
                _ => {
                    self.count(span, name, given, 1, 64, "")?;
                    self.function(name, function, arguments)
                }
            },
            Callable::Texts(function, texts, node_type) => {
                self.count(span, name, given, texts, texts, "")?;
                let arguments = self.nodes(arguments)?;
                for argument in &arguments {
                    self.want(argument, Type::String, &format!("`{name}`"))?;
                }
                Ok((NodeKind::Call(function, arguments), node_type))
            }
            Callable::Join => {
                self.count(span, name, given, 2, 64, "write `join(', ', a, b)`")?;
                Ok((NodeKind::Call(Function::Join, self.nodes(arguments)?), Type::String))
            }
            Callable::Format => self.format(span, arguments),
            Callable::Convert => self.convert(span, arguments),
            Callable::TimeOf => {
                self.count(span, name, given, 1, 1, "")?;
                let arguments = self.nodes(arguments)?;
                match (&arguments[0].kind, self.scope.aggregates()) {
                    (NodeKind::Slot(_), false) => Ok((NodeKind::Call(Function::TimeOf, arguments), Type::Number)),
                    (_, true) => error(span, "`timestamp` is not for metrics", "make it a transform and aggregate that"),
                    (_, false) => error(arguments[0].span, "`timestamp` takes a property", "write `timestamp(temp)`"),
                }
            }
            Callable::Part(part) => {
                self.count(span, name, given, 1, 2, &format!("write `{name}(timestamp(x), 'Europe/Berlin')`"))?;
                let (zone, time) = self.zone(arguments, 1)?;
                let time = Box::new(self.nodes(time)?.remove(0));
                self.want(&time, Type::Number, &format!("`{name}`"))?;
                Ok((NodeKind::DatePart(part, zone, time), Type::Number))
            }
            Callable::MakeTime => {
                self.count(span, name, given, 6, 7, "write `mktime(2026, 12, 31, 22, 0, 0, 'Europe/Berlin')`")?;
                let (zone, parts) = self.zone(arguments, 6)?;
                let parts = self.nodes(parts)?;
                for part in &parts {
                    self.want(part, Type::Number, "`mktime`")?;
                }
                Ok((NodeKind::MakeTime(zone, parts), Type::Number))
            }
            Callable::Aggregate(aggregate) => {
                self.count(span, name, given, 1, 1, "")?;
                self.aggregate(span, name, aggregate, Type::Number, arguments)
            }
        }
    }

    /// The zone after so many arguments, UTC if none is given, and the arguments before it.
    fn zone(&self, mut arguments: Vec<Raw>, before: usize) -> Result<(Zone, Vec<Raw>), ExpressionError> {
        let Some(last) = (arguments.len() > before).then(|| arguments.pop()).flatten() else {
            return Ok((self.scope.zone(), arguments));
        };
        let RawKind::Literal(Value::String(name)) = &last.kind else {
            return error(last.span, "a time zone stands in quotes", "write `'Europe/Berlin'` or `'+2'`");
        };
        match Zone::parse(name) {
            Ok(zone) => Ok((zone, arguments)),
            Err(hint) => error(last.span, format!("there is no time zone `{name}`"), hint),
        }
    }

    fn convert(&mut self, span: Span, mut arguments: Vec<Raw>) -> Result<(NodeKind, Type), ExpressionError> {
        const USAGE: &str = "write `convert(pressure, 'kPa', 'bar')`: from kPa to bar";
        self.count(span, "convert", arguments.len(), 3, 3, USAGE)?;
        let (to, from) = (arguments.remove(2), arguments.remove(1));
        let text = |raw: &Raw| match &raw.kind {
            RawKind::Literal(Value::String(text)) => Ok(text.clone()),
            _ => error(raw.span, "a unit stands in quotes", USAGE),
        };
        let conversion = match Conversion::new(&text(&from)?, &text(&to)?) {
            Ok(conversion) => conversion,
            Err((message, hint)) => return error(Span { start: from.span.start, end: to.span.end }, message, hint),
        };
        let operand = Box::new(self.node(arguments.remove(0))?);
        self.want(&operand, Type::Number, "`convert`")?;
        Ok((NodeKind::Convert(Box::new(conversion), operand), Type::Number))
    }

    fn format(&mut self, span: Span, mut arguments: Vec<Raw>) -> Result<(NodeKind, Type), ExpressionError> {
        const USAGE: &str = "write `format('%.1f bar', pressure)`";
        self.count(span, "format", arguments.len(), 2, 64, USAGE)?;
        let first = arguments.remove(0);
        let RawKind::Literal(Value::String(text)) = &first.kind else {
            return error(first.span, "`format` takes its format first, in quotes", USAGE);
        };
        match FormatText::parse(text) {
            Ok((_, wanted)) if wanted > arguments.len() => {
                error(span, format!("the format takes {wanted} values, here are {}", arguments.len()), USAGE)
            }
            Ok((format, _)) => Ok((NodeKind::Format(format, self.nodes(arguments)?), Type::String)),
            Err(message) => error(first.span, message, "codes are those of Java's Formatter"),
        }
    }

    fn choice(&mut self, arguments: Vec<Raw>) -> Result<(NodeKind, Type), ExpressionError> {
        let mut arguments = self.nodes(arguments)?;
        self.want(&arguments[0], Type::Boolean, "the condition of `if`")?;
        let node_type = self.common(&arguments[1..], "`if`")?;
        let otherwise = Box::new(arguments.remove(2));
        let then = Box::new(arguments.remove(1));
        Ok((NodeKind::If { condition: Box::new(arguments.remove(0)), then, otherwise }, node_type))
    }

    fn function(&mut self, name: &str, function: Function, arguments: Vec<Raw>) -> Result<(NodeKind, Type), ExpressionError> {
        let arguments = self.nodes(arguments)?;
        let node_type = match function {
            Function::Coalesce => self.common(&arguments, "`coalesce`")?,
            _ => {
                for argument in &arguments {
                    self.want(argument, Type::Number, &format!("`{name}`"))?;
                }
                if function == Function::Approx { Type::Boolean } else { Type::Number }
            }
        };
        Ok((NodeKind::Call(function, arguments), node_type))
    }

    fn aggregate(
        &mut self,
        span: Span,
        name: &str,
        aggregate: Aggregate,
        wanted: Type,
        mut arguments: Vec<Raw>,
    ) -> Result<(NodeKind, Type), ExpressionError> {
        if !self.scope.aggregates() && !self.scope.reads_children() {
            return without_window(span, name, aggregate);
        }
        if let Some(outer) = self.inside {
            return error(span, format!("`{name}` stands inside `{outer}`"), "make the inner one a metric of its own");
        }
        self.inside = Some(aggregate);
        let argument = self.node(arguments.remove(0));
        self.inside = None;
        let argument = argument?;
        let mut slots = Vec::new();
        argument.collect_slots(&mut slots);
        match slots[..] {
            [] => {
                return error(argument.span, format!("`{name}` reads no property"), "give it a property or a formula over one");
            }
            [_] => {}
            _ => {
                let message = format!("`{name}` reads more than one property at a time");
                return error(argument.span, message, "make the formula a transform and aggregate that");
            }
        }
        if !self.scope.aggregates() {
            if !matches!(self.references[slots[0]], Reference::Children { .. }) {
                return without_window(span, name, aggregate);
            }
            check_children(&argument, name, aggregate)?;
        }
        let node_type = match aggregate {
            Aggregate::Count => Type::Number,
            _ if aggregate.keeps_type() => argument.node_type,
            Aggregate::StateTime => {
                if argument.node_type == Type::String {
                    return error(
                        argument.span,
                        "`statetime` takes a condition",
                        format!("write `statetime({} == '…')`", self.written(argument.span)),
                    );
                }
                Type::Number
            }
            Aggregate::Increase if !matches!(argument.kind, NodeKind::Slot(_)) => {
                let hint = "calculate with its result: `increase(counter) * 2`";
                return error(argument.span, "`increase` takes a counter itself, not a formula", hint);
            }
            _ => {
                self.want(&argument, wanted, &format!("`{name}`"))?;
                wanted
            }
        };
        Ok((NodeKind::Aggregate(aggregate, Box::new(argument)), node_type))
    }

    fn count(
        &self,
        span: Span,
        name: &str,
        given: usize,
        least: usize,
        most: usize,
        hint: &str,
    ) -> Result<(), ExpressionError> {
        if (least..=most).contains(&given) {
            return Ok(());
        }
        let wanted = match (least, most) {
            (1, 1) => "one value".to_owned(),
            (least, most) if least == most => format!("{least} values"),
            (least, most) if most - least == 1 => format!("{least} or {most} values"),
            (least, most) if given < least => format!("at least {least} of up to {most} values"),
            (_, most) => format!("at most {most} values"),
        };
        error(span, format!("`{name}` takes {wanted}, here are {given}"), hint)
    }

    fn want(&self, node: &Node, wanted: Type, by: &str) -> Result<(), ExpressionError> {
        if node.node_type == wanted || matches!(node.node_type, Type::Null | Type::Any) {
            return Ok(());
        }
        let text = self.written(node.span);
        let hint = match (wanted, node.node_type) {
            (Type::Boolean, Type::Number) => format!("say when it is true: `{text} != 0`"),
            (Type::Boolean, Type::String) => format!("say when it is true: `{text} == '…'`"),
            (Type::Number, Type::Boolean) => format!("make it a number: `if({text}, 1, 0)`"),
            (Type::Number, Type::String) => "only numbers can be calculated with".to_owned(),
            _ => String::new(),
        };
        error(node.span, format!("{by} takes {wanted}, but `{text}` is {}", node.node_type), hint)
    }

    fn same(&self, left: &Node, right: &Node, by: &str) -> Result<(), ExpressionError> {
        let (a, b) = (left.node_type, right.node_type);
        if a == b || a == Type::Null || b == Type::Null {
            return Ok(());
        }
        let hint = match (a, b) {
            (Type::Boolean, Type::Number) => {
                format!("`{0}` is a condition already: write `{0}` or `not {0}`", self.written(left.span))
            }
            (Type::Number, Type::String) => {
                format!("write the number without quotes, or compare `{}` with a text", self.written(left.span))
            }
            (Type::String, _) => "texts are written in quotes".to_owned(),
            _ => String::new(),
        };
        error(right.span, format!("{by} compares {a} with {b}"), hint)
    }

    /// The type several values share.
    fn common(&self, nodes: &[Node], by: &str) -> Result<Type, ExpressionError> {
        let typed = nodes.iter().find(|node| node.node_type != Type::Null);
        let Some(first) = typed else { return Ok(Type::Null) };
        match nodes.iter().find(|node| node.node_type != first.node_type && node.node_type != Type::Null) {
            None => Ok(first.node_type),
            Some(other) => {
                let message = format!("{by} gives {} here but {} before", other.node_type, first.node_type);
                error(other.span, message, "let all results have one type")
            }
        }
    }

    fn refuse_null(&self, span: Span, nodes: &[&Node], by: &str) -> Result<(), ExpressionError> {
        match nodes.iter().any(|node| node.node_type == Type::Null) {
            true => error(span, format!("{by} with null is never true"), "use `coalesce(x, value)` for what may be missing"),
            false => Ok(()),
        }
    }
}

/// Refuses an aggregate where there is no window to aggregate.
fn without_window<T>(span: Span, name: &str, aggregate: Aggregate) -> Result<T, ExpressionError> {
    let hint = match aggregate {
        Aggregate::Minimum | Aggregate::Maximum => {
            format!("give it two values or more: `{name}(a, b)`, or make it a metric")
        }
        _ => "put it under `metrics:` with a window, and use the metric here".to_owned(),
    };
    error(span, format!("`{name}` needs the samples of a window; only metrics have one"), hint)
}

/// A list for a hint that stays readable.
fn some_of(candidates: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text = candidates.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if candidates.len() > SHOWN {
        text.push_str(", …");
    }
    text
}

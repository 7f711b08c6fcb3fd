//! From the untyped tree to the typed one, by the rules of formulas.

use super::{
    FormulaKind, FormulaScope, Role,
    functions::{self, Callable},
};
use crate::{
    Value,
    expression::{
        BinaryOperator, ExpressionError, Function, Node, NodeKind, Reference, Span, Type, UnaryOperator, nearest,
        parser::{Raw, RawKind},
    },
};

pub(super) type Checked = Result<Node, ExpressionError>;

/// Checks a tree; gives it back typed, with what its slots read.
pub(super) fn check(raw: Raw, scope: &dyn FormulaScope) -> Result<(Node, Vec<Reference>), ExpressionError> {
    let mut checker = Checker { scope, references: Vec::new(), roles: Vec::new(), samples: false };
    let root = checker.node(raw)?;
    Ok((root, checker.references))
}

pub(super) struct Checker<'s> {
    pub scope: &'s dyn FormulaScope,
    pub references: Vec<Reference>,
    /// Of each reference.
    pub roles: Vec<Role>,
    /// Whether a variable stands for its samples: in the argument of an aggregate, and everywhere in a transform.
    pub samples: bool,
}

pub(super) fn error<T>(span: Span, message: impl Into<String>, hint: impl Into<String>) -> Result<T, ExpressionError> {
    Err(ExpressionError { span, message: message.into(), hint: hint.into() })
}

/// A node; the span says what it stands for.
pub(super) fn node(span: Span, node_type: Type, kind: NodeKind) -> Node {
    Node { span, node_type, kind }
}

pub(super) fn call(span: Span, node_type: Type, function: Function, arguments: Vec<Node>) -> Node {
    node(span, node_type, NodeKind::Call(function, arguments))
}

pub(super) fn number(span: Span, number: i64) -> Node {
    node(span, Type::Number, NodeKind::Literal(Value::Integer(number)))
}

/// A truth as 1 or 0.
fn one_or_zero(truth: Node) -> Node {
    call(truth.span, Type::Number, Function::FromTruth, vec![truth])
}

fn truth(value: Node) -> Node {
    call(value.span, Type::Boolean, Function::Truth, vec![value])
}

fn choice(span: Span, condition: Node, then: Node, otherwise: Node) -> Node {
    let node_type = match (then.node_type, otherwise.node_type) {
        (a, b) if a == b => a,
        (Type::Null, other) | (other, Type::Null) => other,
        _ => Type::Any,
    };
    let (condition, then, otherwise) = (Box::new(truth(condition)), Box::new(then), Box::new(otherwise));
    node(span, node_type, NodeKind::If { condition, then, otherwise })
}

impl Checker<'_> {
    pub fn node(&mut self, raw: Raw) -> Checked {
        let span = raw.span;
        Ok(match raw.kind {
            RawKind::Literal(value) => {
                let node_type = value.value_type().map_or(Type::Null, Type::from);
                node(span, node_type, NodeKind::Literal(value))
            }
            RawKind::Path(path) => self.name(span, path.first().map_or("", |name| name))?,
            RawKind::Unary(operator, operand) => self.unary(span, operator, *operand)?,
            RawKind::Binary(operator, left, right) => self.binary(span, operator, *left, *right)?,
            RawKind::Call { name, name_span, arguments } => self.call(span, &name, name_span, arguments)?,
            RawKind::Template(parts) => self.template(span, parts)?,
            RawKind::Index(text, position) => {
                let arguments = vec![self.node(*text)?, self.node(*position)?];
                call(span, Type::Any, Function::Index, arguments)
            }
            RawKind::Slice(text, bounds) => {
                let mut arguments = vec![self.node(*text)?];
                for bound in bounds {
                    arguments.push(match bound {
                        Some(bound) => self.node(*bound)?,
                        None => node(span, Type::Null, NodeKind::Literal(Value::Null)),
                    });
                }
                call(span, Type::Any, Function::Slice, arguments)
            }
            RawKind::Format(..) => return error(span, "a format after `:` has its place in `format(…)` and `f'…'`", ""),
            RawKind::In { .. } | RawKind::Dollar { .. } => return error(span, "this has no meaning in a formula", ""),
        })
    }

    pub fn nodes(&mut self, raws: Vec<Raw>) -> Result<Vec<Node>, ExpressionError> {
        raws.into_iter().map(|raw| self.node(raw)).collect()
    }

    fn name(&mut self, span: Span, name: &str) -> Checked {
        if self.scope.variable(name).is_some() {
            return self.variable(span, name);
        }
        let value = match &*name.to_ascii_lowercase() {
            "pi" => Value::Double(std::f64::consts::PI),
            "e" => Value::Double(std::f64::consts::E),
            "true" => Value::Integer(1),
            "false" => Value::Integer(0),
            "none" => return Ok(node(span, Type::Null, NodeKind::Literal(Value::Null))),
            _ => {
                let names = self.scope.names();
                let hint = match nearest(name, names.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if functions::callable(name).is_some() => format!("`{name}` is a function: write `{name}(…)`"),
                    None if names.is_empty() => "the formula declares no variables".into(),
                    None => format!("its variables are {}", names.join(", ")),
                };
                return error(span, format!("there is no variable `{name}`"), hint);
            }
        };
        Ok(node(span, Type::Number, NodeKind::Literal(value)))
    }

    /// A variable: its value, or its samples within an aggregate.
    pub fn variable(&mut self, span: Span, name: &str) -> Checked {
        let Some(variable) = self.scope.variable(name) else {
            return error(span, format!("there is no variable `{name}`"), "");
        };
        let inside = self.samples;
        if let (Reference::Children { .. }, false) = (&variable.reference, inside) {
            let hint = format!("say how they become one: `sum({name})`, `avg({name})`");
            return error(span, format!("`{name}` has one value for every child"), hint);
        }
        let slot = self.slot(variable.reference, variable.role);
        let value = node(span, variable.value_type, NodeKind::Slot(slot));
        let value = match (self.scope.kind(), variable.role, inside) {
            (FormulaKind::Metric, Role::Samples, false) => {
                node(span, variable.value_type, NodeKind::Aggregate(super::super::Aggregate::Last, Box::new(value)))
            }
            _ => value,
        };
        Ok(if variable.value_type == Type::Boolean { one_or_zero(value) } else { value })
    }

    pub fn slot(&mut self, reference: Reference, role: Role) -> usize {
        self.references.iter().position(|known| *known == reference).unwrap_or_else(|| {
            self.references.push(reference);
            self.roles.push(role);
            self.references.len() - 1
        })
    }

    fn unary(&mut self, span: Span, operator: UnaryOperator, operand: Raw) -> Checked {
        let operand = self.node(operand)?;
        Ok(match (operator, &operand.kind) {
            (UnaryOperator::Not, _) => {
                let not = NodeKind::Unary(UnaryOperator::Not, Box::new(truth(operand)));
                one_or_zero(node(span, Type::Boolean, not))
            }
            (_, NodeKind::Literal(Value::Integer(number))) if *number != i64::MIN => self::number(span, -number),
            (_, NodeKind::Literal(Value::Double(number))) => {
                node(span, Type::Number, NodeKind::Literal(Value::Double(-number)))
            }
            _ => {
                self.calculable(&operand, "`-`")?;
                node(span, Type::Number, NodeKind::Unary(UnaryOperator::Negate, Box::new(operand)))
            }
        })
    }

    fn binary(&mut self, span: Span, operator: BinaryOperator, left: Raw, right: Raw) -> Checked {
        use BinaryOperator as B;
        let (left, right) = (self.node(left)?, self.node(right)?);
        Ok(match operator {
            B::And => choice(span, left, right, number(span, 0)),
            B::Or => choice(span, left, number(span, 1), right),
            B::Equal | B::NotEqual | B::Less | B::LessOrEqual | B::Greater | B::GreaterOrEqual => {
                compare(span, operator, left, right)
            }
            B::Add if left.node_type == Type::Number && right.node_type == Type::Number => {
                node(span, Type::Number, NodeKind::Binary(B::Add, Box::new(left), Box::new(right)))
            }
            B::Add => {
                let text = left.node_type == Type::String || right.node_type == Type::String;
                call(span, if text { Type::String } else { Type::Any }, Function::Plus, vec![left, right])
            }
            _ => {
                self.calculable(&left, operator.sign())?;
                self.calculable(&right, operator.sign())?;
                node(span, Type::Number, NodeKind::Binary(operator, Box::new(left), Box::new(right)))
            }
        })
    }

    /// Refuses what is a text for certain: there would never be a result.
    fn calculable(&self, operand: &Node, by: &str) -> Result<(), ExpressionError> {
        match operand.node_type {
            Type::String => error(operand.span, format!("{by} takes numbers, and this is a text"), "only `+` takes texts"),
            _ => Ok(()),
        }
    }

    fn call(&mut self, span: Span, name: &str, name_span: Span, mut arguments: Vec<Raw>) -> Checked {
        let Some(callable) = functions::callable(name) else {
            let hint = match nearest(name, functions::names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "see the list of functions in docs/expressions.md".into(),
            };
            return error(name_span, format!("there is no function `{name}`"), hint);
        };
        let given = arguments.len();
        let count = |least: usize, most: usize, usage: &str| match (least..=most).contains(&given) {
            true => Ok(()),
            false => error(span, format!("`{name}` does not take {given} values"), format!("write `{usage}`")),
        };
        Ok(match callable {
            Callable::Number(function) => {
                count(1, 1, &format!("{name}(x)"))?;
                let argument = self.node(arguments.remove(0))?;
                self.calculable(&argument, &format!("`{name}`"))?;
                call(span, Type::Number, function, vec![argument])
            }
            Callable::Power => {
                count(2, 2, "pow(x, y)")?;
                let exponent = arguments.remove(1);
                self.binary(span, BinaryOperator::Power, arguments.remove(0), exponent)?
            }
            Callable::Compare(operator) => {
                count(2, 2, &format!("{name}(x, y)` or `x.{name}(y)"))?;
                let right = arguments.remove(1);
                let (left, right) = (self.node(arguments.remove(0))?, self.node(right)?);
                compare(span, operator, left, right)
            }
            Callable::Near(function) => {
                count(2, 2, &format!("{name}(x, y)` or `x.{name}(y)"))?;
                let arguments = self.nodes(arguments)?;
                one_or_zero(call(span, Type::Boolean, function, arguments))
            }
            Callable::IsNan => {
                count(1, 1, "isnan(x)")?;
                let arguments = self.nodes(arguments)?;
                one_or_zero(call(span, Type::Boolean, Function::IsNan, arguments))
            }
            Callable::If => {
                count(2, 3, "if(condition, a, b)")?;
                let otherwise = (given == 3).then(|| arguments.remove(2));
                let value = arguments.remove(1);
                self.branches(span, vec![(arguments.remove(0), value)], otherwise)?
            }
            Callable::Elif => self.elif(span, name_span, arguments)?,
            Callable::Text(function) => {
                count(1, 1, &format!("{name}(text)"))?;
                let node_type = if function == Function::Length { Type::Number } else { Type::String };
                let arguments = self.nodes(arguments)?;
                call(span, node_type, function, arguments)
            }
            Callable::TwoTexts(function) => {
                count(2, 2, &format!("{name}(text, part)"))?;
                let arguments = self.nodes(arguments)?;
                match function {
                    Function::Find => call(span, Type::Number, function, arguments),
                    _ => one_or_zero(call(span, Type::Boolean, function, arguments)),
                }
            }
            Callable::Join => {
                count(2, 64, "join(', ', a, b)")?;
                let arguments = self.nodes(arguments)?;
                call(span, Type::String, Function::Join, arguments)
            }
            Callable::Json => {
                count(2, 2, "jp(text, '$.a.b')")?;
                self.json(span, arguments)?
            }
            Callable::Format => {
                count(1, 64, "format('%.2f', x)` or `format(x:\"%.2f\")")?;
                self.format(span, arguments)?
            }
            Callable::Aggregate(aggregate) => {
                count(1, 20, &format!("{name}(x)"))?;
                self.aggregate(span, name, aggregate, arguments)?
            }
            Callable::Pick(_) | Callable::StateTime => {
                count(1, 1, &format!("{name}(x)"))?;
                self.temporal(span, name, callable, arguments)?
            }
            Callable::TimeWeightedAverage | Callable::TimeWeightedDeviation => {
                count(1, 2, &format!("{name}(x)"))?;
                self.temporal(span, name, callable, arguments)?
            }
            Callable::PreTrigger => {
                count(1, 1, "pretrigger(x)")?;
                self.pretrigger(span, arguments.remove(0))?
            }
            Callable::Now => {
                count(0, 0, "now()")?;
                self.time(span)
            }
            Callable::Timestamp => {
                count(0, 1, "timestamp()` or `timestamp(x)")?;
                self.timestamp(span, arguments.pop())?
            }
            Callable::MakeTime => {
                count(6, 7, "mktime(year, month, day, hour, minute, second, 'Europe/Berlin')")?;
                self.make_time(span, arguments)?
            }
            Callable::LocalTime => {
                return error(span, "`localtime` is no number by itself", "ask for a part: `hour(localtime(now(), '+2'))`");
            }
            Callable::Part(part) => {
                count(1, 1, &format!("{name}(localtime(now(), 'Europe/Berlin'))"))?;
                self.part(span, part, arguments.remove(0))?
            }
        })
    }

    /// `if(c, a).elif(c2, b).elif(c3, d, e)`.
    fn elif(&mut self, span: Span, name_span: Span, arguments: Vec<Raw>) -> Checked {
        const USAGE: &str = "write `if(c, a).elif(c2, b, otherwise)`";
        let mut branches = Vec::new();
        let mut otherwise = None;
        let mut last = (arguments, "elif");
        loop {
            let (mut arguments, kind) = last;
            let begin = usize::from(kind == "elif");
            if !(begin + 2..=begin + 3).contains(&arguments.len()) {
                return error(span, format!("`{kind}` takes a condition, a value and perhaps another"), USAGE);
            }
            if arguments.len() == begin + 3 {
                if !branches.is_empty() {
                    return error(name_span, "an `elif` follows what has its last value already", USAGE);
                }
                otherwise = arguments.pop();
            }
            let (Some(value), Some(condition)) = (arguments.pop(), arguments.pop()) else {
                return error(span, "`elif` takes a condition and a value", USAGE);
            };
            branches.push((condition, value));
            let Some(receiver) = arguments.pop() else { break };
            match receiver.kind {
                RawKind::Call { name, arguments, .. } if name.eq_ignore_ascii_case("elif") => last = (arguments, "elif"),
                RawKind::Call { name, arguments, .. } if name.eq_ignore_ascii_case("if") => last = (arguments, "if"),
                _ => return error(receiver.span, "`elif` follows an `if`", USAGE),
            }
        }
        branches.reverse();
        self.branches(span, branches, otherwise)
    }

    fn branches(&mut self, span: Span, branches: Vec<(Raw, Raw)>, otherwise: Option<Raw>) -> Checked {
        let mut checked = Vec::with_capacity(branches.len());
        for (condition, value) in branches {
            checked.push((self.node(condition)?, self.node(value)?));
        }
        let otherwise = match otherwise {
            Some(raw) => self.node(raw)?,
            None => node(span, Type::Null, NodeKind::Literal(Value::Null)),
        };
        Ok(checked.into_iter().rev().fold(otherwise, |rest, (condition, value)| choice(span, condition, value, rest)))
    }
}

fn compare(span: Span, operator: BinaryOperator, left: Node, right: Node) -> Node {
    one_or_zero(node(span, Type::Boolean, NodeKind::Binary(operator, Box::new(left), Box::new(right))))
}

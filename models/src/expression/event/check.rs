//! From the untyped tree to that of the IoT Events form: names of functions, their arguments, what is read.

use super::{
    EventFunction, EventKind, EventNode, EventReferences, EventTrigger, InputReference, PathStep, Span, Type,
    functions::FUNCTIONS,
};
use crate::{
    Value,
    expression::{
        ExpressionError, UnaryOperator, nearest,
        parser::{Raw, RawKind},
    },
};
use std::sync::Arc;

type Checked = Result<EventNode, ExpressionError>;

/// Checks a tree; gives it back with what it reads.
pub(super) fn check(raw: Raw) -> Result<(EventNode, EventReferences), ExpressionError> {
    let mut checker = Checker { references: EventReferences::default() };
    let root = checker.node(raw)?;
    Ok((root, checker.references))
}

fn error<T>(span: Span, message: impl Into<String>, hint: impl Into<String>) -> Result<T, ExpressionError> {
    Err(ExpressionError { span, message: message.into(), hint: hint.into() })
}

struct Checker {
    references: EventReferences,
}

fn note<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

fn note_name(list: &mut Vec<(Arc<str>, Span)>, name: &Arc<str>, span: Span) {
    if !list.iter().any(|(known, _)| known == name) {
        list.push((name.clone(), span));
    }
}

impl Checker {
    fn node(&mut self, raw: Raw) -> Checked {
        let span = raw.span;
        let kind = match raw.kind {
            RawKind::Literal(value) => EventKind::Literal(value),
            RawKind::Template(parts) => EventKind::Template(self.nodes(parts)?),
            RawKind::Dollar { root, root_span, path } => self.reference(span, &root, root_span, path)?,
            RawKind::Unary(operator, operand) => match (operator, self.node(*operand)?) {
                (UnaryOperator::Negate, EventNode { kind: EventKind::Literal(Value::Integer(number)), .. })
                    if number != i64::MIN =>
                {
                    EventKind::Literal(Value::Integer(-number))
                }
                (UnaryOperator::Negate, EventNode { kind: EventKind::Literal(Value::Double(number)), .. }) => {
                    EventKind::Literal(Value::Double(-number))
                }
                (operator, operand) => EventKind::Unary(operator, Box::new(operand)),
            },
            RawKind::Binary(operator, left, right) => {
                EventKind::Binary(operator, Box::new(self.node(*left)?), Box::new(self.node(*right)?))
            }
            RawKind::Call { name, name_span, arguments } => self.call(span, &name, name_span, arguments)?,
            RawKind::Path(path) => return error(span, format!("`{}` means nothing here", dotted(&path)), bare(&path)),
            RawKind::In { .. } | RawKind::Format(..) | RawKind::Index(..) | RawKind::Slice(..) => {
                return error(span, "this has no meaning in an IoT Events expression", "");
            }
        };
        Ok(EventNode { span, kind })
    }

    fn nodes(&mut self, raws: Vec<Raw>) -> Result<Vec<EventNode>, ExpressionError> {
        raws.into_iter().map(|raw| self.node(raw)).collect()
    }

    fn reference(
        &mut self,
        span: Span,
        root: &str,
        root_span: Span,
        mut path: Vec<PathStep>,
    ) -> Result<EventKind, ExpressionError> {
        if root == "sitewise" {
            note(&mut self.references.sitewise, path.clone());
            return Ok(EventKind::SiteWise(path));
        }
        let Some(PathStep::Name(name)) = path.first().cloned() else {
            let hint = if root == "input" { "write `$input.Name.attribute`" } else { "write `$variable.name`" };
            return error(root_span, format!("`${root}` needs a name"), hint);
        };
        path.remove(0);
        if root == "variable" {
            if !path.is_empty() {
                return error(
                    span,
                    format!("the variable `{name}` has no parts"),
                    "a variable is a number, a text, true or false",
                );
            }
            note_name(&mut self.references.variables, &name, span);
            return Ok(EventKind::Variable(name));
        }
        let known = self.references.inputs.iter().any(|known| known.input == name && known.path == path);
        if !known {
            self.references.inputs.push(InputReference { input: name.clone(), path: path.clone(), span });
        }
        Ok(EventKind::Input { input: name, path })
    }

    fn call(&mut self, span: Span, name: &str, name_span: Span, arguments: Vec<Raw>) -> Result<EventKind, ExpressionError> {
        let Some((known, function, count)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
            let hint = match nearest(name, FUNCTIONS.iter().map(|(known, ..)| *known)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", FUNCTIONS.map(|(known, ..)| known).join(", ")),
            };
            return error(name_span, format!("there is no function `{name}`"), hint);
        };
        if arguments.len() != *count {
            let wanted = if *count == 1 { "one value" } else { "2 values" };
            return error(span, format!("`{known}` takes {wanted}, here are {}", arguments.len()), usage(*function));
        }
        note(&mut self.references.functions, *function);
        let mut arguments = arguments.into_iter();
        let mut first = || arguments.next().map_or_else(|| error(span, "a value is missing", ""), Ok);
        Ok(match function {
            EventFunction::Timeout => {
                let (timer, place) = literal(first()?, *function)?;
                note_name(&mut self.references.timers, &timer, place);
                EventKind::Timeout(timer)
            }
            EventFunction::CurrentInput => {
                let (input, place) = literal(first()?, *function)?;
                note_name(&mut self.references.current_inputs, &input, place);
                EventKind::CurrentInput(input)
            }
            EventFunction::TriggerType => {
                let (kind, place) = literal(first()?, *function)?;
                self.references.trigger = true;
                EventKind::Trigger(match &*kind {
                    "Message" => EventTrigger::Message,
                    "Timer" => EventTrigger::Timer,
                    _ => return error(place, format!("there is no trigger `{kind}`"), "there are \"Message\" and \"Timer\""),
                })
            }
            EventFunction::Convert => {
                let to = conversion(&first()?)?;
                EventKind::Convert(to, Box::new(self.node(first()?)?))
            }
            _ => {
                let rest: Vec<Raw> = arguments.collect();
                EventKind::Call(*function, self.nodes(rest)?)
            }
        })
    }
}

fn usage(function: EventFunction) -> &'static str {
    match function {
        EventFunction::Timeout => "write `timeout(\"name\")`",
        EventFunction::CurrentInput => "write `currentInput(\"Name\")`",
        EventFunction::TriggerType => "write `triggerType(\"Message\")` or `triggerType(\"Timer\")`",
        EventFunction::Convert => "write `convert(Decimal, x)`, `convert(String, x)` or `convert(Boolean, x)`",
        _ => "",
    }
}

/// A name in quotes: it must be known before anything runs.
fn literal(raw: Raw, function: EventFunction) -> Result<(Arc<str>, Span), ExpressionError> {
    match raw.kind {
        RawKind::Literal(Value::String(text)) => Ok((text, raw.span)),
        _ => error(raw.span, format!("`{function}` takes a name in quotes"), usage(function)),
    }
}

fn conversion(raw: &Raw) -> Result<Type, ExpressionError> {
    const TYPES: [(&str, Type); 3] = [("String", Type::String), ("Boolean", Type::Boolean), ("Decimal", Type::Number)];
    let name = match &raw.kind {
        RawKind::Path(path) => dotted(path),
        RawKind::Literal(Value::String(text)) => text.to_string(),
        _ => String::new(),
    };
    match TYPES.iter().find(|(known, _)| *known == name) {
        Some((_, to)) => Ok(*to),
        None => {
            let hint = match nearest(&name, TYPES.map(|(known, _)| known)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => usage(EventFunction::Convert).into(),
            };
            error(raw.span, "`convert` takes a type first", hint)
        }
    }
}

fn dotted(path: &[Arc<str>]) -> String {
    path.iter().map(|part| &**part).collect::<Vec<_>>().join(".")
}

/// What a bare name was meant to be.
fn bare(path: &[Arc<str>]) -> String {
    let name = dotted(path);
    match &*name {
        "True" | "TRUE" | "False" | "FALSE" => format!("write `{}`", name.to_lowercase()),
        "null" | "undefined" => "ask with `isNull(x)` or `isUndefined(x)`".into(),
        _ if FUNCTIONS.iter().any(|(known, ..)| *known == name) => format!("`{name}` is a function: write `{name}(…)`"),
        _ if path.len() > 1 => format!("an input is written `$input.{name}`, a text stands in quotes"),
        _ => format!("a variable is written `$variable.{name}`, an input `$input.{name}.…`, and a text stands in quotes"),
    }
}

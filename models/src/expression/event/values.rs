//! What operators and functions make of values. Total: a value, undefined, or failed with the reason.

use super::{EventFunction, EventOutcome, MAX_RESULT, Type};
use crate::{
    Value,
    expression::{BinaryOperator, UnaryOperator, bits},
};
use std::{cmp::Ordering, fmt, sync::Arc};

/// A value while it is calculated with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Undefined,
    Null,
    Boolean(bool),
    Integer(i64),
    Decimal(f64),
    Text(Arc<str>),
    /// An object or a list of a message: nothing can be done with it but to write it into a payload.
    Json(Arc<str>),
}

/// Why an evaluation has no outcome.
pub(super) type Failure = Arc<str>;

type Outcome = Result<Cell, Failure>;

impl Cell {
    /// What a message holds.
    pub fn from_json(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(truth) => Self::Boolean(*truth),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Self::Integer(whole),
                (None, Some(decimal)) => Self::decimal(decimal),
                (None, None) => Self::Undefined,
            },
            serde_json::Value::String(text) => Self::Text(text.as_str().into()),
            serde_json::Value::Object(_) | serde_json::Value::Array(_) => Self::Json(value.to_string().into()),
        }
    }

    /// A decimal; what is not finite is undefined.
    pub fn decimal(number: f64) -> Self {
        if number.is_finite() { Self::Decimal(number) } else { Self::Undefined }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Decimal(number) => Some(*number),
            _ => None,
        }
    }

    /// Neither a value nor a failure.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Undefined | Self::Null)
    }

    fn what(&self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::Null => "null",
            Self::Boolean(_) => "a Boolean",
            Self::Integer(_) => "an integer",
            Self::Decimal(_) => "a decimal",
            Self::Text(_) => "a string",
            Self::Json(_) => "an object or a list",
        }
    }

    /// The value for an explanation.
    pub fn shown(&self) -> Value {
        match self {
            Self::Undefined | Self::Null => Value::Null,
            Self::Boolean(truth) => Value::Boolean(*truth),
            Self::Integer(number) => Value::Integer(*number),
            Self::Decimal(number) => Value::Double(*number),
            Self::Text(text) | Self::Json(text) => Value::String(text.clone()),
        }
    }

    /// The outcome of a whole expression.
    pub fn outcome(self) -> EventOutcome {
        match self {
            Self::Undefined => EventOutcome::Undefined,
            Self::Json(_) => EventOutcome::Failed("an object or a list is no value".into()),
            value => EventOutcome::Value(value.shown()),
        }
    }
}

impl From<&Value> for Cell {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Boolean(truth) => Self::Boolean(*truth),
            Value::Integer(number) => Self::Integer(*number),
            Value::Double(number) => Self::decimal(*number),
            Value::String(text) => Self::Text(text.clone()),
        }
    }
}

impl fmt::Display for Cell {
    /// As it stands in a template.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undefined => f.write_str("undefined"),
            other => other.shown().fmt(f),
        }
    }
}

fn incompatible(operator: &str, left: &Cell, right: &Cell) -> Outcome {
    Err(format!("{operator} takes {} and {}, which do not go together", left.what(), right.what()).into())
}

/// An operator before its operand.
pub(super) fn unary(operator: UnaryOperator, operand: Cell) -> Outcome {
    Ok(match (operator, operand) {
        (_, operand) if operand.is_missing() => Cell::Undefined,
        (UnaryOperator::Not, Cell::Boolean(truth)) => Cell::Boolean(!truth),
        (UnaryOperator::Negate, Cell::Integer(number)) => number.checked_neg().map_or(Cell::Undefined, Cell::Integer),
        (UnaryOperator::Negate, Cell::Decimal(number)) => Cell::Decimal(-number),
        (UnaryOperator::BitNot, Cell::Integer(number)) => Cell::Integer(!number),
        (operator, operand) => {
            let sign = match operator {
                UnaryOperator::Not => "`!` takes a Boolean",
                UnaryOperator::Negate => "`-` takes a number",
                UnaryOperator::BitNot => "`~` takes an integer",
            };
            return Err(format!("{sign}, here is {}", operand.what()).into());
        }
    })
}

/// An operator between two operands, but `&&` and `||`.
pub(super) fn binary(operator: BinaryOperator, left: Cell, right: Cell) -> Outcome {
    use BinaryOperator as B;
    match operator {
        B::Equal | B::NotEqual if left.is_missing() || right.is_missing() => Ok(Cell::Boolean(operator == B::NotEqual)),
        _ if left.is_missing() || right.is_missing() => Ok(Cell::Undefined),
        B::Equal | B::NotEqual | B::Less | B::LessOrEqual | B::Greater | B::GreaterOrEqual => compare(operator, &left, &right),
        B::BitAnd | B::BitOr | B::BitXor => match (&left, &right) {
            (Cell::Integer(a), Cell::Integer(b)) => Ok(Cell::Integer(bits(operator, *a, *b))),
            _ => incompatible(written(operator), &left, &right),
        },
        _ => arithmetic(operator, &left, &right),
    }
}

/// As it is written in this form.
pub(super) fn written(operator: BinaryOperator) -> &'static str {
    match operator {
        BinaryOperator::And => "`&&`",
        BinaryOperator::Or => "`||`",
        BinaryOperator::BitAnd => "`&`",
        BinaryOperator::BitOr => "`|`",
        BinaryOperator::BitXor => "`^`",
        other => other.sign(),
    }
}

fn compare(operator: BinaryOperator, left: &Cell, right: &Cell) -> Outcome {
    use BinaryOperator as B;
    let order = match (left, right) {
        (Cell::Boolean(a), Cell::Boolean(b)) if matches!(operator, B::Equal | B::NotEqual) => Some(a.cmp(b)),
        (Cell::Text(a), Cell::Text(b)) => Some(a.cmp(b)),
        (Cell::Integer(a), Cell::Integer(b)) => Some(a.cmp(b)),
        _ => left.number().zip(right.number()).and_then(|(a, b)| a.partial_cmp(&b)),
    };
    let Some(order) = order else { return incompatible(written(operator), left, right) };
    Ok(Cell::Boolean(match operator {
        B::Equal => order == Ordering::Equal,
        B::NotEqual => order != Ordering::Equal,
        B::Less => order == Ordering::Less,
        B::LessOrEqual => order != Ordering::Greater,
        B::Greater => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }))
}

fn arithmetic(operator: BinaryOperator, left: &Cell, right: &Cell) -> Outcome {
    use BinaryOperator as B;
    if let (B::Add, Cell::Text(a), Cell::Text(b)) = (operator, left, right) {
        return text(format!("{a}{b}"));
    }
    if let (Cell::Integer(a), Cell::Integer(b)) = (left, right) {
        let whole = match operator {
            B::Add => a.checked_add(*b),
            B::Subtract => a.checked_sub(*b),
            B::Multiply => a.checked_mul(*b),
            B::Divide => divide(*a, *b),
            _ => None,
        };
        return Ok(whole.map_or(Cell::Undefined, Cell::Integer));
    }
    let Some((a, b)) = left.number().zip(right.number()) else { return incompatible(written(operator), left, right) };
    Ok(Cell::decimal(match operator {
        B::Add => a + b,
        B::Subtract => a - b,
        B::Multiply => a * b,
        B::Divide => a / b,
        _ => f64::NAN,
    }))
}

/// Rounded to the nearest whole number, half away from zero; none for division by zero and overflow.
fn divide(a: i64, b: i64) -> Option<i64> {
    let (a, b) = (i128::from(a), i128::from(b));
    let (whole, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
    let away = if rest.abs() * 2 >= b.abs() { a.signum() * b.signum() } else { 0 };
    i64::try_from(whole + away).ok()
}

/// A text that is not too long.
pub(super) fn text(text: String) -> Outcome {
    match text.len() <= MAX_RESULT {
        true => Ok(Cell::Text(text.into())),
        false => Err(format!("the text is longer than {MAX_RESULT} bytes").into()),
    }
}

/// A function of values; what it cannot take is undefined.
pub(super) fn call(function: EventFunction, arguments: &[Cell]) -> Cell {
    use EventFunction as F;
    match (function, arguments) {
        (F::IsNull, [cell]) => Cell::Boolean(*cell == Cell::Null),
        (F::IsUndefined, [cell]) => Cell::Boolean(*cell == Cell::Undefined),
        (F::StartsWith, [Cell::Text(text), Cell::Text(part)]) => Cell::Boolean(text.starts_with(&**part)),
        (F::EndsWith, [Cell::Text(text), Cell::Text(part)]) => Cell::Boolean(text.ends_with(&**part)),
        (F::Contains, [Cell::Text(text), Cell::Text(part)]) => Cell::Boolean(text.contains(&**part)),
        (F::BitAnd, [Cell::Integer(a), Cell::Integer(b)]) => Cell::Integer(a & b),
        (F::BitOr, [Cell::Integer(a), Cell::Integer(b)]) => Cell::Integer(a | b),
        (F::BitXor, [Cell::Integer(a), Cell::Integer(b)]) => Cell::Integer(a ^ b),
        (F::BitNot, [Cell::Integer(a)]) => Cell::Integer(!a),
        _ => Cell::Undefined,
    }
}

/// A value as another type.
pub(super) fn convert(to: Type, cell: Cell) -> Outcome {
    let converted = match (to, &cell) {
        (_, cell) if cell.is_missing() => return Ok(Cell::Undefined),
        (Type::String, Cell::Text(_)) | (Type::Boolean, Cell::Boolean(_)) | (Type::Number, Cell::Decimal(_)) => {
            Some(cell.clone())
        }
        (Type::String, Cell::Boolean(_) | Cell::Integer(_) | Cell::Decimal(_)) => Some(Cell::Text(cell.to_string().into())),
        (Type::Boolean, Cell::Text(text)) if text.eq_ignore_ascii_case("true") => Some(Cell::Boolean(true)),
        (Type::Boolean, Cell::Text(text)) if text.eq_ignore_ascii_case("false") => Some(Cell::Boolean(false)),
        (Type::Number, Cell::Integer(number)) => Some(Cell::Decimal(*number as f64)),
        (Type::Number, Cell::Text(text)) => decimal(text),
        _ => None,
    };
    let name = match to {
        Type::String => "String",
        Type::Boolean => "Boolean",
        Type::Number | Type::Null | Type::Any => "Decimal",
    };
    converted.ok_or_else(|| format!("`{cell}`, {}, cannot be converted to {name}", cell.what()).into())
}

/// A number as it is written; words such as `inf` are none.
fn decimal(text: &str) -> Option<Cell> {
    let written = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    let number = text.parse::<f64>().ok().filter(|number| written && number.is_finite())?;
    Some(Cell::Decimal(number))
}

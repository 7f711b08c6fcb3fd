//! Functions of IoT Events expressions, by name.

use std::fmt;

/// A function of IoT Events expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventFunction {
    /// `timeout("t")`: whether a timer expired; true in one evaluation only.
    Timeout,
    /// `convert(Type, x)` to `String`, `Boolean` or `Decimal`.
    Convert,
    /// `isNull(x)`: whether it is JSON's null.
    IsNull,
    /// `isUndefined(x)`.
    IsUndefined,
    /// `triggerType("Message")`, `triggerType("Timer")`.
    TriggerType,
    /// `currentInput("Name")`.
    CurrentInput,
    /// `startsWith(text, begin)`.
    StartsWith,
    /// `endsWith(text, end)`.
    EndsWith,
    /// `contains(text, part)`.
    Contains,
    /// `bitor(a, b)`, also `a | b`.
    BitOr,
    /// `bitand(a, b)`, also `a & b`.
    BitAnd,
    /// `bitxor(a, b)`, also `a ^ b`.
    BitXor,
    /// `bitnot(a)`, also `~a`.
    BitNot,
}

/// All of them, with their names and the number of their arguments.
pub(super) const FUNCTIONS: [(&str, EventFunction, usize); 13] = [
    ("timeout", EventFunction::Timeout, 1),
    ("convert", EventFunction::Convert, 2),
    ("isNull", EventFunction::IsNull, 1),
    ("isUndefined", EventFunction::IsUndefined, 1),
    ("triggerType", EventFunction::TriggerType, 1),
    ("currentInput", EventFunction::CurrentInput, 1),
    ("startsWith", EventFunction::StartsWith, 2),
    ("endsWith", EventFunction::EndsWith, 2),
    ("contains", EventFunction::Contains, 2),
    ("bitor", EventFunction::BitOr, 2),
    ("bitand", EventFunction::BitAnd, 2),
    ("bitxor", EventFunction::BitXor, 2),
    ("bitnot", EventFunction::BitNot, 1),
];

impl fmt::Display for EventFunction {
    /// As it is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = FUNCTIONS.iter().find(|(_, function, _)| function == self);
        f.write_str(known.map_or("", |(name, ..)| name))
    }
}

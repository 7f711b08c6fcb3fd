//! The expression language: one lexer, parser and typed tree; a row evaluator here, a DataFusion compiler in `andon-query`.

use crate::{Quality, Timestamp, Value, unit::Conversion};
use std::sync::Arc;

mod aggregate;
mod band;
mod cell;
mod check;
mod children;
mod dates;
mod evaluate;
pub mod event;
mod explain;
mod follow;
mod form;
mod format;
pub mod formula;
mod functions;
mod json_path;
mod lexer;
mod names;
mod parser;
mod scope;
mod tree;
mod units;

pub use aggregate::{AggregateInput, aggregate};
pub use band::Band;
pub use children::Children;
pub use dates::{DatePart, Zone};
pub use evaluate::MAX_CHARACTERS;
use evaluate::bits;
pub use follow::{Holding, Rising};
pub use form::Form;
pub use format::FormatText;
pub use json_path::JsonPath;
pub use names::nearest;
pub use parser::{MAX_DEPTH, MAX_TEXT};
pub use scope::{Resolved, Scope};
pub(crate) use units::{UnitDoubt, units};

/// A parsed and checked expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// As written.
    pub text: Arc<str>,
    /// The form it is written in: a formula is all or nothing, see [`formula`].
    pub form: Form,
    /// The typed tree.
    pub root: Node,
    /// What the slots read, in slot order.
    pub references: Vec<Reference>,
}

/// Bytes of the text a node covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// The type of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// True, false or null.
    Boolean,
    /// A decimal number or null. Integers are numbers.
    Number,
    /// A text or null.
    String,
    /// Only null.
    Null,
    /// Known when it is evaluated: what `jp` finds, and most of a formula of SiteWise.
    Any,
}

/// What a slot reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A property of the asset itself, by key.
    Own(Arc<str>),
    /// A property of the parent, by key.
    Parent(Arc<str>),
    /// A property of all children of a hierarchy, by key.
    Children {
        /// The hierarchy.
        hierarchy: Arc<str>,
        /// The property.
        property: Arc<str>,
    },
    /// A variable of the detector.
    Variable(Arc<str>),
    /// A flag of the detector's alarm.
    Alarm(AlarmFlag),
    /// The Good value that a property of the asset had before the update that set off the computation; only in transforms.
    Before(Arc<str>),
    /// Seconds since 1970: of the sample that set off a transform, of the end of a metric's window.
    Time,
}

/// What a guard may ask of its detector's alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlarmFlag {
    /// It is in alarm and somebody acknowledged it.
    Acknowledged,
    /// It is shelved.
    Shelved,
    /// It is suppressed by design.
    Suppressed,
}

/// A node of the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands in the text.
    pub span: Span,
    /// Its type.
    pub node_type: Type,
    /// What it is.
    pub kind: NodeKind,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// A constant.
    Literal(Value),
    /// A slot: index into [`Expression::references`].
    Slot(usize),
    /// `-x`, `not x`.
    Unary(UnaryOperator, Box<Node>),
    /// `a + b`, `a and b`, `a < b`.
    Binary(BinaryOperator, Box<Node>, Box<Node>),
    /// `x in (a, b)`.
    In {
        /// What is looked for.
        needle: Box<Node>,
        /// Where.
        list: Vec<Node>,
    },
    /// `if(condition, a, b)`.
    If {
        /// The condition; null counts as false.
        condition: Box<Node>,
        /// When it is true.
        then: Box<Node>,
        /// Otherwise.
        otherwise: Box<Node>,
    },
    /// A function of its arguments.
    Call(Function, Vec<Node>),
    /// An aggregate over the samples of a window; only in metrics. The argument reads exactly one slot. If that is a property of
    /// all children, their samples are pooled; what is carried in or held is followed child by child.
    Aggregate(Aggregate, Box<Node>),
    /// A number in another unit.
    Convert(Box<Conversion>, Box<Node>),
    /// A text with values in it.
    Format(FormatText, Vec<Node>),
    /// What a path finds in a JSON document.
    JsonPath(JsonPath, Box<Node>),
    /// What calendar and clock of a zone show at a time, given in seconds since 1970.
    DatePart(DatePart, Zone, Box<Node>),
    /// Seconds since 1970 of year, month, day, hour, minute, second in a zone.
    MakeTime(Zone, Vec<Node>),
}

/// An operator before its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOperator {
    /// `-`
    Negate,
    /// `not`, `!`
    Not,
    /// `bitnot(x)`, `~x`: of whole numbers.
    BitNot,
}

/// An operator between its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum BinaryOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    BitAnd,
    BitOr,
    BitXor,
}

/// Functions of single values. All are total: what has no result is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// Absolute value.
    Abs,
    /// Smallest integer not below.
    Ceil,
    /// Largest integer not above.
    Floor,
    /// Nearest integer, half away from zero; with a second argument, to so many decimals.
    Round,
    /// Square root.
    Sqrt,
    /// e to the power.
    Exp,
    /// Natural logarithm.
    Ln,
    /// Decimal logarithm.
    Log10,
    /// Least of its arguments.
    Least,
    /// Greatest of its arguments.
    Greatest,
    /// First argument that is not null.
    Coalesce,
    /// Whether two numbers are equal to a relative 1e-9, two texts exactly.
    Approx,
    /// Arc cosine, in radians.
    Acos,
    /// Arc sine, in radians.
    Asin,
    /// Arc tangent, in radians.
    Atan,
    /// Cube root.
    Cbrt,
    /// Cosine of radians.
    Cos,
    /// Hyperbolic cosine.
    Cosh,
    /// Cotangent of radians.
    Cot,
    /// e to the power, less 1: exact near 0.
    ExpMinusOne,
    /// Natural logarithm of 1 + x: exact near 0.
    LnOnePlus,
    /// Logarithm to the base 2.
    Log2,
    /// -1, 0 or 1.
    Sign,
    /// Sine of radians.
    Sin,
    /// Hyperbolic sine.
    Sinh,
    /// Tangent of radians.
    Tan,
    /// Hyperbolic tangent.
    Tanh,
    /// Characters of a text, items of a list.
    Length,
    /// Where a text stands in another, from 0; -1 if it does not.
    Find,
    /// Whether a text stands in another.
    Contains,
    /// Whether a text begins with another.
    StartsWith,
    /// Whether a text ends with another.
    EndsWith,
    /// In capital letters.
    Upper,
    /// In small letters.
    Lower,
    /// All but the first argument, with the first between them.
    Join,
    /// A character of a text, an item of a list.
    Index,
    /// A stretch of a text or a list: from, to, step.
    Slice,
    /// Adds numbers, or puts texts together if one of the two is a text.
    Plus,
    /// What a formula takes for true.
    Truth,
    /// True and false as 1 and 0; anything else stays.
    FromTruth,
    /// Whether the first is greater or `approx` equal.
    AtLeast,
    /// Whether the first is less or `approx` equal.
    AtMost,
    /// Whether a calculation has no number as its result.
    IsNan,
    /// Seconds since 1970 of the time of a value.
    TimeOf,
    /// An aggregate over several arguments: triples of count, value and deviation, of which so many are of samples.
    Pooled(Aggregate, u8),
}

/// Aggregates over the samples of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// Arithmetic mean.
    Average,
    /// Least.
    Minimum,
    /// Greatest.
    Maximum,
    /// Sum.
    Sum,
    /// Number of good samples; reports always.
    Count,
    /// Earliest sample in the window.
    First,
    /// Latest sample in the window.
    Last,
    /// Latest sample in the window, else the value carried in.
    Latest,
    /// Value at the start of the window, else the earliest in it.
    Earliest,
    /// Seconds in which the argument is true (or not 0), carried in.
    StateTime,
    /// What a counter gained, with its counter rule, carried in.
    Increase,
    /// Sample standard deviation.
    StandardDeviation,
    /// Mean weighted by how long each value held, carried in.
    TimeWeightedAverage,
    /// Mean of a line drawn from sample to sample, carried in; after the last one its value holds.
    TimeWeightedLinear,
    /// Standard deviation weighted by how long each value held, carried in.
    TimeWeightedDeviation,
    /// Value carried in only: the last one before the window.
    Before,
}

/// One slot's value for the row evaluator.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotValue {
    /// The value; `Null` when there is none.
    pub value: Value,
    /// Its quality.
    pub quality: Quality,
    /// Its time; none for constants.
    pub time: Option<Timestamp>,
}

/// An expression that cannot be used, with the place and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do; empty if there is nothing to say.
    pub hint: String,
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

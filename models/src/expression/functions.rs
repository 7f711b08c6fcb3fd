//! Functions and aggregates by the names they are written with.

use super::{Aggregate, BinaryOperator, DatePart, Function, Type, UnaryOperator};
use std::fmt;

/// What stands before a parenthesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Callable {
    /// `if(condition, a, b)`.
    If,
    /// `pow(x, y)`, the same as `x ^ y`; `bitand(x, y)` and its like.
    Binary(BinaryOperator),
    /// `bitnot(x)`.
    Unary(UnaryOperator),
    /// A function with the least and the most number of arguments.
    Function(Function, usize, usize),
    /// An aggregate of one argument.
    Aggregate(Aggregate),
    /// With one argument an aggregate, with more a function: `min`, `max`.
    Both(Aggregate, Function),
    /// A function of so many texts, with the type of its result.
    Texts(Function, usize, Type),
    /// `join(', ', a, b)`.
    Join,
    /// `format('%.1f', x)`.
    Format,
    /// `convert(x, 'kPa', 'bar')`.
    Convert,
    /// `timestamp(x)`.
    TimeOf,
    /// `hour(t, 'Europe/Berlin')`.
    Part(DatePart),
    /// `mktime(year, month, day, hour, minute, second, 'Europe/Berlin')`.
    MakeTime,
}

/// Most arguments of a function that takes any number: what a person may list.
const MANY: usize = 64;

const CALLABLES: [(&str, Callable); 70] = [
    ("if", Callable::If),
    ("pow", Callable::Binary(BinaryOperator::Power)),
    ("bitand", Callable::Binary(BinaryOperator::BitAnd)),
    ("bitor", Callable::Binary(BinaryOperator::BitOr)),
    ("bitxor", Callable::Binary(BinaryOperator::BitXor)),
    ("bitnot", Callable::Unary(UnaryOperator::BitNot)),
    ("abs", Callable::Function(Function::Abs, 1, 1)),
    ("ceil", Callable::Function(Function::Ceil, 1, 1)),
    ("floor", Callable::Function(Function::Floor, 1, 1)),
    ("round", Callable::Function(Function::Round, 1, 2)),
    ("sqrt", Callable::Function(Function::Sqrt, 1, 1)),
    ("exp", Callable::Function(Function::Exp, 1, 1)),
    ("ln", Callable::Function(Function::Ln, 1, 1)),
    ("log10", Callable::Function(Function::Log10, 1, 1)),
    ("least", Callable::Function(Function::Least, 1, MANY)),
    ("greatest", Callable::Function(Function::Greatest, 1, MANY)),
    ("acos", Callable::Function(Function::Acos, 1, 1)),
    ("asin", Callable::Function(Function::Asin, 1, 1)),
    ("atan", Callable::Function(Function::Atan, 1, 1)),
    ("cbrt", Callable::Function(Function::Cbrt, 1, 1)),
    ("cos", Callable::Function(Function::Cos, 1, 1)),
    ("cosh", Callable::Function(Function::Cosh, 1, 1)),
    ("cot", Callable::Function(Function::Cot, 1, 1)),
    ("expm1", Callable::Function(Function::ExpMinusOne, 1, 1)),
    ("log1p", Callable::Function(Function::LnOnePlus, 1, 1)),
    ("log2", Callable::Function(Function::Log2, 1, 1)),
    ("signum", Callable::Function(Function::Sign, 1, 1)),
    ("sin", Callable::Function(Function::Sin, 1, 1)),
    ("sinh", Callable::Function(Function::Sinh, 1, 1)),
    ("tan", Callable::Function(Function::Tan, 1, 1)),
    ("tanh", Callable::Function(Function::Tanh, 1, 1)),
    ("len", Callable::Texts(Function::Length, 1, Type::Number)),
    ("upper", Callable::Texts(Function::Upper, 1, Type::String)),
    ("lower", Callable::Texts(Function::Lower, 1, Type::String)),
    ("find", Callable::Texts(Function::Find, 2, Type::Number)),
    ("contains", Callable::Texts(Function::Contains, 2, Type::Boolean)),
    ("starts_with", Callable::Texts(Function::StartsWith, 2, Type::Boolean)),
    ("ends_with", Callable::Texts(Function::EndsWith, 2, Type::Boolean)),
    ("join", Callable::Join),
    ("format", Callable::Format),
    ("convert", Callable::Convert),
    ("timestamp", Callable::TimeOf),
    ("mktime", Callable::MakeTime),
    ("year", Callable::Part(DatePart::Year)),
    ("month", Callable::Part(DatePart::Month)),
    ("day", Callable::Part(DatePart::Day)),
    ("weekday", Callable::Part(DatePart::Weekday)),
    ("yearday", Callable::Part(DatePart::YearDay)),
    ("hour", Callable::Part(DatePart::Hour)),
    ("minute", Callable::Part(DatePart::Minute)),
    ("second", Callable::Part(DatePart::Second)),
    ("coalesce", Callable::Function(Function::Coalesce, 1, MANY)),
    ("approx", Callable::Function(Function::Approx, 2, 2)),
    ("min", Callable::Both(Aggregate::Minimum, Function::Least)),
    ("max", Callable::Both(Aggregate::Maximum, Function::Greatest)),
    ("avg", Callable::Aggregate(Aggregate::Average)),
    ("sum", Callable::Aggregate(Aggregate::Sum)),
    ("count", Callable::Aggregate(Aggregate::Count)),
    ("first", Callable::Aggregate(Aggregate::First)),
    ("last", Callable::Aggregate(Aggregate::Last)),
    ("latest", Callable::Aggregate(Aggregate::Latest)),
    ("earliest", Callable::Aggregate(Aggregate::Earliest)),
    ("statetime", Callable::Aggregate(Aggregate::StateTime)),
    ("increase", Callable::Aggregate(Aggregate::Increase)),
    ("stdev", Callable::Aggregate(Aggregate::StandardDeviation)),
    ("time_weighted_avg", Callable::Aggregate(Aggregate::TimeWeightedAverage)),
    ("time_weighted_linear", Callable::Aggregate(Aggregate::TimeWeightedLinear)),
    ("time_weighted_stdev", Callable::Aggregate(Aggregate::TimeWeightedDeviation)),
    ("before", Callable::Aggregate(Aggregate::Before)),
    // Written like this by people who come from SiteWise.
    ("TimeWeightedAvg", Callable::Aggregate(Aggregate::TimeWeightedAverage)),
];

/// Names of other languages that are not near enough in letters.
const SYNONYMS: [(&str, &str); 12] = [
    ("average", "`avg`"),
    ("mean", "`avg`"),
    ("minimum", "`min`"),
    ("maximum", "`max`"),
    ("log", "`ln` (natural) or `log10`"),
    ("stddev", "`stdev`"),
    ("std", "`stdev`"),
    ("delta", "`increase` for what a counter gained"),
    ("rate", "`increase(x)` divided by seconds"),
    ("ifnull", "`coalesce`"),
    ("power", "`pow` or `x ^ y`"),
    ("case", "`if(condition, a, b)`"),
];

/// The callable of a name.
pub(super) fn callable(name: &str) -> Option<Callable> {
    CALLABLES.iter().find(|(known, _)| *known == name).map(|(_, callable)| *callable)
}

/// A hint for a name that is no callable.
pub(super) fn hint(name: &str) -> String {
    let lower = name.to_lowercase();
    if let Some((_, better)) = SYNONYMS.iter().find(|(other, _)| *other == lower) {
        return format!("write {better}");
    }
    match super::nearest(name, CALLABLES.iter().map(|(known, _)| *known)) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("there are {}", CALLABLES[..69].iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ")),
    }
}

impl Aggregate {
    /// Whether the value from before the window counts as well.
    pub fn carries_in(self) -> bool {
        match self {
            Self::Latest | Self::Earliest | Self::Before | Self::StateTime | Self::Increase => true,
            Self::TimeWeightedAverage | Self::TimeWeightedLinear | Self::TimeWeightedDeviation => true,
            Self::Average | Self::Minimum | Self::Maximum | Self::Sum | Self::Count => false,
            Self::First | Self::Last | Self::StandardDeviation => false,
        }
    }

    /// Whether the result is one of the values, of their type, rather than a number made of them.
    pub fn keeps_type(self) -> bool {
        matches!(self, Self::First | Self::Last | Self::Latest | Self::Earliest | Self::Before)
    }
}

impl fmt::Display for Aggregate {
    /// As it is written in the plant file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Average => "avg",
            Self::Minimum => "min",
            Self::Maximum => "max",
            Self::Sum => "sum",
            Self::Count => "count",
            Self::First => "first",
            Self::Last => "last",
            Self::Latest => "latest",
            Self::Earliest => "earliest",
            Self::StateTime => "statetime",
            Self::Increase => "increase",
            Self::StandardDeviation => "stdev",
            Self::TimeWeightedAverage => "time_weighted_avg",
            Self::TimeWeightedLinear => "time_weighted_linear",
            Self::TimeWeightedDeviation => "time_weighted_stdev",
            Self::Before => "before",
        })
    }
}

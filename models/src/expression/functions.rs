//! Functions and aggregates by the names they are written with.

use super::{Aggregate, BinaryOperator, Function, UnaryOperator};
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
}

/// Most arguments of a function that takes any number: what a person may list.
const MANY: usize = 64;

const CALLABLES: [(&str, Callable); 32] = [
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
        None => format!("there are {}", CALLABLES[..31].iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ")),
    }
}

impl Aggregate {
    /// Whether the value from before the window counts as well.
    pub fn carries_in(self) -> bool {
        matches!(self, Self::Latest | Self::Earliest | Self::StateTime | Self::Increase | Self::TimeWeightedAverage)
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
        })
    }
}

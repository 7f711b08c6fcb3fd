//! Functions of formulas by name, in small letters.

use super::super::{Aggregate, BinaryOperator, DatePart, Function};

/// What stands before a parenthesis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Callable {
    /// A function of one number.
    Number(Function),
    Power,
    /// A comparison that gives 1 or 0.
    Compare(BinaryOperator),
    /// One that forgives a relative 1e-9.
    Near(Function),
    IsNan,
    If,
    Elif,
    /// A function of one text.
    Text(Function),
    /// A function of two texts.
    TwoTexts(Function),
    Join,
    Json,
    Format,
    Aggregate(Aggregate),
    /// First, last, latest, earliest.
    Pick(Aggregate),
    StateTime,
    TimeWeightedAverage,
    TimeWeightedDeviation,
    PreTrigger,
    Now,
    Timestamp,
    MakeTime,
    LocalTime,
    Part(DatePart),
}

use Callable as C;

const CALLABLES: [(&str, Callable); 66] = [
    ("abs", C::Number(Function::Abs)),
    ("acos", C::Number(Function::Acos)),
    ("asin", C::Number(Function::Asin)),
    ("atan", C::Number(Function::Atan)),
    ("cbrt", C::Number(Function::Cbrt)),
    ("ceil", C::Number(Function::Ceil)),
    ("cos", C::Number(Function::Cos)),
    ("cosh", C::Number(Function::Cosh)),
    ("cot", C::Number(Function::Cot)),
    ("exp", C::Number(Function::Exp)),
    ("expm1", C::Number(Function::ExpMinusOne)),
    ("floor", C::Number(Function::Floor)),
    ("log", C::Number(Function::Ln)),
    ("log10", C::Number(Function::Log10)),
    ("log1p", C::Number(Function::LnOnePlus)),
    ("log2", C::Number(Function::Log2)),
    ("signum", C::Number(Function::Sign)),
    ("sin", C::Number(Function::Sin)),
    ("sinh", C::Number(Function::Sinh)),
    ("sqrt", C::Number(Function::Sqrt)),
    ("tan", C::Number(Function::Tan)),
    ("tanh", C::Number(Function::Tanh)),
    ("pow", C::Power),
    ("gt", C::Compare(BinaryOperator::Greater)),
    ("lt", C::Compare(BinaryOperator::Less)),
    ("neq", C::Compare(BinaryOperator::NotEqual)),
    ("eq", C::Near(Function::Approx)),
    ("gte", C::Near(Function::AtLeast)),
    ("lte", C::Near(Function::AtMost)),
    ("isnan", C::IsNan),
    ("if", C::If),
    ("elif", C::Elif),
    ("len", C::Text(Function::Length)),
    ("upper", C::Text(Function::Upper)),
    ("lower", C::Text(Function::Lower)),
    ("find", C::TwoTexts(Function::Find)),
    ("contains", C::TwoTexts(Function::Contains)),
    ("join", C::Join),
    ("jp", C::Json),
    ("format", C::Format),
    ("avg", C::Aggregate(Aggregate::Average)),
    ("sum", C::Aggregate(Aggregate::Sum)),
    ("min", C::Aggregate(Aggregate::Minimum)),
    ("max", C::Aggregate(Aggregate::Maximum)),
    ("count", C::Aggregate(Aggregate::Count)),
    ("stdev", C::Aggregate(Aggregate::StandardDeviation)),
    ("first", C::Pick(Aggregate::First)),
    ("last", C::Pick(Aggregate::Last)),
    ("latest", C::Pick(Aggregate::Latest)),
    ("earliest", C::Pick(Aggregate::Before)),
    ("statetime", C::StateTime),
    ("timeweightedavg", C::TimeWeightedAverage),
    ("timeweightedstdev", C::TimeWeightedDeviation),
    ("pretrigger", C::PreTrigger),
    ("now", C::Now),
    ("timestamp", C::Timestamp),
    ("mktime", C::MakeTime),
    ("localtime", C::LocalTime),
    ("year", C::Part(DatePart::Year)),
    ("mon", C::Part(DatePart::Month)),
    ("mday", C::Part(DatePart::Day)),
    ("wday", C::Part(DatePart::Weekday)),
    ("yday", C::Part(DatePart::YearDay)),
    ("hour", C::Part(DatePart::Hour)),
    ("minute", C::Part(DatePart::Minute)),
    ("sec", C::Part(DatePart::Second)),
];

/// The callable of a name, in any case.
pub(super) fn callable(name: &str) -> Option<Callable> {
    let lower = name.to_ascii_lowercase();
    CALLABLES.iter().find(|(known, _)| *known == lower).map(|(_, callable)| *callable)
}

/// The names of all functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    CALLABLES.iter().map(|(known, _)| *known)
}

//! The three forms of the language. They share lexer, parser, limits and functions; a form decides what names look like, which
//! operators there are, and how tightly some of them bind.

use super::{BinaryOperator, lexer::Sign};

/// The surface of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The plant file's own.
    Plant,
    /// A formula of an asset model of AWS IoT SiteWise.
    Formula,
    /// An expression of a detector model of AWS IoT Events.
    Event,
}

/// Binding powers: an operator takes its right operand with at least its own power.
pub(super) mod power {
    pub const LOWEST: u8 = 0;
    pub const OR: u8 = 1;
    pub const AND: u8 = 2;
    pub const NOT: u8 = 3;
    pub const COMPARE: u8 = 4;
    pub const BIT_OR: u8 = 5;
    pub const BIT_XOR: u8 = 6;
    pub const BIT_AND: u8 = 7;
    pub const ADD: u8 = 8;
    pub const MULTIPLY: u8 = 9;
    pub const UNARY: u8 = 10;
    pub const POWER: u8 = 11;
}

/// The operator a sign stands for between two operands, with its power.
pub(super) fn binary(sign: Sign, form: Form) -> Option<(BinaryOperator, u8)> {
    let event = form == Form::Event;
    Some(match sign {
        Sign::Or => (BinaryOperator::Or, power::OR),
        Sign::And => (BinaryOperator::And, power::AND),
        Sign::Equal => (BinaryOperator::Equal, power::COMPARE),
        Sign::NotEqual => (BinaryOperator::NotEqual, power::COMPARE),
        Sign::Less => (BinaryOperator::Less, power::COMPARE),
        Sign::LessOrEqual => (BinaryOperator::LessOrEqual, power::COMPARE),
        Sign::Greater => (BinaryOperator::Greater, power::COMPARE),
        Sign::GreaterOrEqual => (BinaryOperator::GreaterOrEqual, power::COMPARE),
        Sign::Plus => (BinaryOperator::Add, power::ADD),
        Sign::Minus => (BinaryOperator::Subtract, power::ADD),
        Sign::Star => (BinaryOperator::Multiply, power::MULTIPLY),
        Sign::Slash => (BinaryOperator::Divide, power::MULTIPLY),
        Sign::Percent if !event => (BinaryOperator::Remainder, power::MULTIPLY),
        Sign::Caret if event => (BinaryOperator::BitXor, power::BIT_XOR),
        Sign::Caret => (BinaryOperator::Power, power::POWER),
        Sign::Ampersand => (BinaryOperator::BitAnd, power::BIT_AND),
        Sign::Pipe => (BinaryOperator::BitOr, power::BIT_OR),
        _ => return None,
    })
}

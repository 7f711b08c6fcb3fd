//! Tokens to an untyped tree, by operator precedence (Pratt). Tightest first: call; `^` (to the right); `-` and `!`;
//! `* / %`; `+ -`; comparisons and `in` (no chains); `not`; `and`; `or`. So `-2^2` is -4 and `not a == b` is `not (a == b)`.

use super::{
    BinaryOperator, ExpressionError, Span, UnaryOperator,
    lexer::{Sign, Token, TokenKind, tokens},
};
use crate::Value;
use std::sync::Arc;

/// Longest text of an expression, in bytes: far beyond what a person reads, small enough for every tree to fit in a stack.
pub const MAX_TEXT: usize = 8 * 1024;

/// Deepest tree of an expression: evaluation recurses so deep, on any thread's stack.
pub const MAX_DEPTH: usize = 100;

/// A node before names and types are known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Raw {
    pub span: Span,
    pub kind: RawKind,
    depth: usize,
}

/// What a raw node is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RawKind {
    Literal(Value),
    Path(Vec<Arc<str>>),
    Unary(UnaryOperator, Box<Raw>),
    Binary(BinaryOperator, Box<Raw>, Box<Raw>),
    In { needle: Box<Raw>, list: Vec<Raw> },
    Call { name: Arc<str>, name_span: Span, arguments: Vec<Raw> },
}

/// Binding powers: an operator takes its right operand with at least its own power.
mod power {
    pub const LOWEST: u8 = 0;
    pub const OR: u8 = 1;
    pub const AND: u8 = 2;
    pub const NOT: u8 = 3;
    pub const COMPARE: u8 = 4;
    pub const ADD: u8 = 5;
    pub const MULTIPLY: u8 = 6;
    pub const UNARY: u8 = 7;
    pub const POWER: u8 = 8;
}

/// Parses a whole text.
pub(super) fn parse(text: &str) -> Result<Raw, ExpressionError> {
    if text.len() > MAX_TEXT {
        let span = Span { start: MAX_TEXT, end: text.len() };
        return Err(error(span, format!("an expression has at most {MAX_TEXT} bytes"), "split it into several properties"));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { text, tokens, at: 0, depth: 0 };
    if parser.peek().kind == TokenKind::End {
        return Err(error(parser.peek().span, "an expression was expected", "write a value, a name or a formula"));
    }
    let root = parser.expression(power::LOWEST)?;
    match parser.peek().kind {
        TokenKind::End => Ok(root),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

fn error(span: Span, message: impl Into<String>, hint: impl Into<String>) -> ExpressionError {
    ExpressionError { span, message: message.into(), hint: hint.into() }
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        // The last token is `End` and is never passed.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn sign(&self) -> Option<Sign> {
        match self.peek().kind {
            TokenKind::Sign(sign) => Some(sign),
            _ => None,
        }
    }

    fn take(&mut self, sign: Sign) -> bool {
        let found = self.sign() == Some(sign);
        self.at += usize::from(found);
        found
    }

    fn unexpected(&self, wanted: &str) -> ExpressionError {
        let token = self.peek();
        let found = match token.kind {
            TokenKind::End => "the end".to_owned(),
            _ => format!("`{}`", &self.text[token.span.start..token.span.end]),
        };
        let hint = match (&token.kind, self.text) {
            (TokenKind::Name(name), _) if matches!(&**name, "AND" | "OR" | "NOT" | "IN") => {
                format!("operators are written in small letters: `{}`", name.to_lowercase())
            }
            (TokenKind::Name(_) | TokenKind::Literal(_), _) => "an operator seems to be missing before it".into(),
            (TokenKind::Sign(Sign::Close), _) => "a `(` seems to be missing".into(),
            _ => String::new(),
        };
        error(token.span, format!("{wanted} was expected, found {found}"), hint)
    }

    fn build(&self, span: Span, kind: RawKind) -> Result<Raw, ExpressionError> {
        let below = match &kind {
            RawKind::Literal(_) | RawKind::Path(_) => 0,
            RawKind::Unary(_, operand) => operand.depth,
            RawKind::Binary(_, left, right) => left.depth.max(right.depth),
            RawKind::In { needle, list } => list.iter().map(|raw| raw.depth).fold(needle.depth, usize::max),
            RawKind::Call { arguments, .. } => arguments.iter().map(|raw| raw.depth).max().unwrap_or(0),
        };
        if below >= MAX_DEPTH { Err(too_deep(span)) } else { Ok(Raw { span, kind, depth: below + 1 }) }
    }

    fn expression(&mut self, least: u8) -> Result<Raw, ExpressionError> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep(self.peek().span));
        }
        self.depth += 1;
        let result = self.operators(least);
        self.depth -= 1;
        result
    }

    fn operators(&mut self, least: u8) -> Result<Raw, ExpressionError> {
        let mut left = self.operand(least)?;
        loop {
            let Some(sign) = self.sign() else { return Ok(left) };
            let not_in = self.not_in();
            if sign == Sign::In || not_in {
                if power::COMPARE < least {
                    return Ok(left);
                }
                left = self.membership(left, not_in)?;
                self.refuse_chain()?;
                continue;
            }
            let Some((operator, own)) = binary(sign) else { return Ok(left) };
            if own < least {
                return Ok(left);
            }
            self.at += 1;
            // `^` binds to the right, everything else to the left.
            let right = self.expression(if own == power::POWER { power::UNARY } else { own + 1 })?;
            let span = Span { start: left.span.start, end: right.span.end };
            left = self.build(span, RawKind::Binary(operator, Box::new(left), Box::new(right)))?;
            if own == power::COMPARE {
                self.refuse_chain()?;
            }
        }
    }

    fn not_in(&self) -> bool {
        let next = self.tokens.get(self.at + 1).map(|token| &token.kind);
        self.sign() == Some(Sign::Not) && next == Some(&TokenKind::Sign(Sign::In))
    }

    fn refuse_chain(&self) -> Result<(), ExpressionError> {
        let chained = self.not_in()
            || self.sign().is_some_and(|sign| sign == Sign::In || binary(sign).is_some_and(|(_, own)| own == power::COMPARE));
        if chained {
            let hint = "write `a < b and b < c`, or put one comparison in parentheses";
            return Err(error(self.peek().span, "comparisons cannot be chained", hint));
        }
        Ok(())
    }

    fn membership(&mut self, needle: Raw, negated: bool) -> Result<Raw, ExpressionError> {
        self.at += 1 + usize::from(negated);
        if !self.take(Sign::Open) {
            let mut wrong = self.unexpected("`(` after `in`");
            wrong.hint = "write `x in (1, 2)`".into();
            return Err(wrong);
        }
        let start = needle.span.start;
        let (list, end) = self.arguments("in")?;
        if list.is_empty() {
            return Err(error(Span { start, end }, "`in` needs at least one value", "write `x in (1, 2)`"));
        }
        let span = Span { start, end };
        let found = self.build(span, RawKind::In { needle: Box::new(needle), list })?;
        if negated { self.build(span, RawKind::Unary(UnaryOperator::Not, Box::new(found))) } else { Ok(found) }
    }

    fn operand(&mut self, least: u8) -> Result<Raw, ExpressionError> {
        let token = self.peek().clone();
        match token.kind {
            TokenKind::Literal(value) => {
                self.at += 1;
                self.build(token.span, RawKind::Literal(value))
            }
            TokenKind::Name(_) => self.name(),
            TokenKind::Sign(Sign::Open) => {
                self.at += 1;
                let inner = self.expression(power::LOWEST)?;
                if !self.take(Sign::Close) {
                    let mut wrong = self.unexpected("`)`");
                    wrong.hint = format!("it closes the `(` at position {}", token.span.start + 1);
                    return Err(wrong);
                }
                let span = Span { start: token.span.start, end: self.tokens[self.at - 1].span.end };
                Ok(Raw { span, ..inner })
            }
            TokenKind::Sign(Sign::Minus) => self.prefix(UnaryOperator::Negate, power::UNARY),
            TokenKind::Sign(Sign::Bang) => self.prefix(UnaryOperator::Not, power::UNARY),
            TokenKind::Sign(Sign::Not) if least > power::NOT => {
                Err(error(token.span, "`not` binds less than the operator before it", "put `not …` in parentheses"))
            }
            TokenKind::Sign(Sign::Not) => self.prefix(UnaryOperator::Not, power::NOT),
            TokenKind::Sign(_) | TokenKind::End => Err(self.unexpected("a value")),
        }
    }

    fn prefix(&mut self, operator: UnaryOperator, own: u8) -> Result<Raw, ExpressionError> {
        let start = self.next().span.start;
        let operand = self.expression(own)?;
        let span = Span { start, end: operand.span.end };
        self.build(span, RawKind::Unary(operator, Box::new(operand)))
    }

    fn name(&mut self) -> Result<Raw, ExpressionError> {
        let mut path = Vec::new();
        let mut span = self.peek().span;
        loop {
            let token = self.next();
            let TokenKind::Name(part) = token.kind else {
                self.at -= 1;
                return Err(self.unexpected("a name after `.`"));
            };
            path.push(part);
            span.end = token.span.end;
            if !self.take(Sign::Dot) {
                break;
            }
        }
        if path.len() == 1 && self.take(Sign::Open) {
            let name = path.remove(0);
            let (arguments, end) = self.arguments(&name)?;
            return self.build(Span { start: span.start, end }, RawKind::Call { name, name_span: span, arguments });
        }
        self.build(span, RawKind::Path(path))
    }

    /// Arguments up to and with the closing parenthesis, and where that ends.
    fn arguments(&mut self, of: &str) -> Result<(Vec<Raw>, usize), ExpressionError> {
        let mut arguments = Vec::new();
        if self.take(Sign::Close) {
            return Ok((arguments, self.tokens[self.at - 1].span.end));
        }
        loop {
            arguments.push(self.expression(power::LOWEST)?);
            if self.take(Sign::Close) {
                return Ok((arguments, self.tokens[self.at - 1].span.end));
            }
            if !self.take(Sign::Comma) {
                let mut wrong = self.unexpected("`,` or `)`");
                if wrong.hint.is_empty() {
                    wrong.hint = format!("the values of `{of}` stand in parentheses, with commas between");
                }
                return Err(wrong);
            }
        }
    }
}

fn too_deep(span: Span) -> ExpressionError {
    error(span, format!("an expression nests at most {MAX_DEPTH} deep"), "split it into several properties")
}

fn binary(sign: Sign) -> Option<(BinaryOperator, u8)> {
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
        Sign::Percent => (BinaryOperator::Remainder, power::MULTIPLY),
        Sign::Caret => (BinaryOperator::Power, power::POWER),
        Sign::Not | Sign::Bang | Sign::In | Sign::Open | Sign::Close | Sign::Comma | Sign::Dot => return None,
    })
}

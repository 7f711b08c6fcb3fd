//! Tokens to an untyped tree, by operator precedence (Pratt). Tightest first: call, index, method; `^` (to the right); `-`, `!`, `~`;
//! `* / %`; `+ -`; bits; comparisons and `in` (no chains); `not`; `and`; `or`. So `-2^2` is -4 and `not a == b` is `not (a == b)`.

use super::{
    BinaryOperator, ExpressionError, Span, UnaryOperator,
    event::PathStep,
    form::{Form, binary, power},
    lexer::{Piece, Sign, Token, TokenKind, tokens},
};
use crate::Value;
use std::sync::Arc;

mod atoms;

/// Longest text of an expression, in bytes: far beyond what a person reads, small enough for every tree to fit in a stack.
pub const MAX_TEXT: usize = 8 * 1024;

/// Deepest tree of an expression: parser, checks and evaluation recurse so deep, on any thread's stack (2 MiB), optimised or not.
pub const MAX_DEPTH: usize = 50;

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
    In {
        needle: Box<Raw>,
        list: Vec<Raw>,
    },
    /// `f(a, b)`, or `a.f(b)` with what stands before the dot as the first argument.
    Call {
        name: Arc<str>,
        name_span: Span,
        arguments: Vec<Raw>,
    },
    /// `$input.A.b[0]`: root, then steps.
    Dollar {
        root: Arc<str>,
        root_span: Span,
        path: Vec<PathStep>,
    },
    /// `'a ${b} c'`, `f'a{b}c'`.
    Template(Vec<Raw>),
    /// `x:"%.2f"`: a value with how it is written.
    Format(Box<Raw>, Arc<str>),
    /// `s[i]`.
    Index(Box<Raw>, Box<Raw>),
    /// `s[from:to:step]`.
    Slice(Box<Raw>, [Option<Box<Raw>>; 3]),
}

/// Parses a whole text.
pub(super) fn parse(text: &str, form: Form) -> Result<Raw, ExpressionError> {
    if text.len() > MAX_TEXT {
        // The span must not cut a letter in two.
        let start = (0..=MAX_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let span = Span { start, end: text.len() };
        return Err(error(span, format!("an expression has at most {MAX_TEXT} bytes"), "split it into several properties"));
    }
    stretch(text, Span { start: 0, end: text.len() }, form, 0)
}

/// Parses a stretch of a text, at a depth of the whole.
fn stretch(text: &str, stretch: Span, form: Form, depth: usize) -> Result<Raw, ExpressionError> {
    let tokens = tokens(text, stretch, form)?;
    let mut parser = Parser { text, form, tokens, at: 0, depth };
    if parser.peek().kind == TokenKind::End {
        return Err(error(parser.peek().span, "an expression was expected", "write a value, a name or a formula"));
    }
    let root = parser.formatted()?;
    match parser.peek().kind {
        TokenKind::End => Ok(root),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser<'t> {
    text: &'t str,
    form: Form,
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
        let hint = match &token.kind {
            TokenKind::Name(name) if matches!(&**name, "AND" | "OR" | "NOT" | "IN") && self.form == Form::Plant => {
                format!("operators are written in small letters: `{}`", name.to_lowercase())
            }
            TokenKind::Name(name) if self.form == Form::Event => match &*name.to_lowercase() {
                "and" => "write `&&`".into(),
                "or" => "write `||`".into(),
                _ => "an operator seems to be missing before it".into(),
            },
            TokenKind::Sign(Sign::Percent) if self.form == Form::Event => "there is no remainder in this form".into(),
            TokenKind::Name(_) | TokenKind::Literal(_) | TokenKind::Template(_) => {
                "an operator seems to be missing before it".into()
            }
            TokenKind::Sign(Sign::Close) => "a `(` seems to be missing".into(),
            _ => String::new(),
        };
        error(token.span, format!("{wanted} was expected, found {found}"), hint)
    }

    fn build(&self, span: Span, kind: RawKind) -> Result<Raw, ExpressionError> {
        let below = match &kind {
            RawKind::Literal(_) | RawKind::Path(_) | RawKind::Dollar { .. } => 0,
            RawKind::Unary(_, operand) | RawKind::Format(operand, _) => operand.depth,
            RawKind::Binary(_, left, right) | RawKind::Index(left, right) => left.depth.max(right.depth),
            RawKind::Slice(text, bounds) => bounds.iter().flatten().map(|raw| raw.depth).fold(text.depth, usize::max),
            RawKind::Template(pieces) => pieces.iter().map(|raw| raw.depth).max().unwrap_or(0),
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
        left = self.postfix(left)?;
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
            let Some((operator, own)) = binary(sign, self.form) else { return Ok(left) };
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
            || self
                .sign()
                .is_some_and(|sign| sign == Sign::In || binary(sign, self.form).is_some_and(|(_, own)| own == power::COMPARE));
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
}

fn too_deep(span: Span) -> ExpressionError {
    error(span, format!("an expression nests at most {MAX_DEPTH} deep"), "split it into several properties")
}

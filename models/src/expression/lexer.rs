//! Text to tokens. Keeps the place of every token; never fails on any text but with an [`ExpressionError`].

use super::{ExpressionError, Span, form::Form};
use crate::{Value, time::parse_duration};
use std::sync::Arc;

mod quoted;

/// One token and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub kind: TokenKind,
    pub span: Span,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// A number or a text.
    Literal(Value),
    /// A name, without its back quotes if it had any.
    Name(Arc<str>),
    /// A text with expressions inside: `'a ${b} c'`, `f'a{b}c'`.
    Template(Vec<Piece>),
    /// A word with a meaning of its own, or a sign.
    Sign(Sign),
    /// The end of the text.
    End,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Stands as it is.
    Text(Arc<str>),
    /// Where an expression stands.
    Expression(Span),
}

/// Words and signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Caret,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Not,
    Bang,
    In,
    Open,
    Close,
    Comma,
    Dot,
    OpenBracket,
    CloseBracket,
    Colon,
    Dollar,
    Tilde,
    Ampersand,
    Pipe,
}

/// Longer signs before their beginnings.
const SIGNS: [(&str, Sign); 19] = [
    ("==", Sign::Equal),
    ("!=", Sign::NotEqual),
    ("<=", Sign::LessOrEqual),
    (">=", Sign::GreaterOrEqual),
    ("&&", Sign::And),
    ("||", Sign::Or),
    ("<", Sign::Less),
    (">", Sign::Greater),
    ("!", Sign::Bang),
    ("+", Sign::Plus),
    ("-", Sign::Minus),
    ("*", Sign::Star),
    ("/", Sign::Slash),
    ("%", Sign::Percent),
    ("^", Sign::Caret),
    ("(", Sign::Open),
    (")", Sign::Close),
    (",", Sign::Comma),
    (".", Sign::Dot),
];

/// Signs that only some forms have.
const FORMULA_SIGNS: [(&str, Sign); 3] = [("[", Sign::OpenBracket), ("]", Sign::CloseBracket), (":", Sign::Colon)];
const EVENT_SIGNS: [(&str, Sign); 6] = [
    ("[", Sign::OpenBracket),
    ("]", Sign::CloseBracket),
    ("$", Sign::Dollar),
    ("~", Sign::Tilde),
    ("&", Sign::Ampersand),
    ("|", Sign::Pipe),
];

/// Signs of other languages, with what they are here.
const FOREIGN: [(&str, &str, &str); 6] = [
    ("<>", "`<>` is not an operator", "write `!=`"),
    ("=", "`=` is not a comparison", "write `==`"),
    ("&", "`&` is not an operator", "write `and`"),
    ("|", "`|` is not an operator", "write `or`"),
    ("..", "ranges have no place in an expression", "write `x >= low and x <= high`"),
    ("$", "`$` has no meaning in an expression", "names stand as they are: `fill_temp`, `machines.oee`"),
];

/// Splits a stretch of a text into tokens; the last one is always `End`.
pub(super) fn tokens(text: &str, stretch: Span, form: Form) -> Result<Vec<Token>, ExpressionError> {
    let text = text.get(..stretch.end).unwrap_or(text);
    let mut tokens = Vec::new();
    let mut at = stretch.start;
    while let Some(first) = text[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (kind, length) = token(text, at, first, form)?;
        tokens.push(Token { kind, span: Span { start: at, end: at + length } });
        at += length;
    }
    tokens.push(Token { kind: TokenKind::End, span: Span { start: text.len(), end: text.len() } });
    Ok(tokens)
}

fn token(text: &str, at: usize, first: char, form: Form) -> Result<(TokenKind, usize), ExpressionError> {
    let rest = &text[at..];
    let decimal_point = first == '.' && rest[1..].starts_with(|next: char| next.is_ascii_digit());
    if first.is_ascii_digit() || decimal_point {
        return number(rest, at);
    }
    if form == Form::Formula && rest.starts_with(['f', 'F']) && rest[1..].starts_with(['\'', '"']) {
        return quoted::formatted(text, at);
    }
    if first == '_' || first.is_alphabetic() {
        let length = rest.find(|next: char| next != '_' && !next.is_alphanumeric()).unwrap_or(rest.len());
        return Ok((word(&rest[..length], form), length));
    }
    match first {
        '`' => quoted::name(text, at),
        '\'' | '"' if form == Form::Event => quoted::template(text, at),
        '\'' | '"' => quoted::text(text, at),
        _ => sign(rest, at, first, form),
    }
}

fn sign(rest: &str, at: usize, first: char, form: Form) -> Result<(TokenKind, usize), ExpressionError> {
    let error = |length: usize, message: &str, hint: &str| ExpressionError {
        span: Span { start: at, end: at + length },
        message: message.into(),
        hint: hint.into(),
    };
    let own: &[(&str, Sign)] = match form {
        Form::Plant => &[],
        Form::Formula => &FORMULA_SIGNS,
        Form::Event => &EVENT_SIGNS,
    };
    let known = SIGNS.iter().chain(own).find(|(sign, _)| rest.starts_with(sign));
    let foreign = FOREIGN.iter().find(|(sign, ..)| rest.starts_with(sign));
    match (known, foreign) {
        (Some((sign, _)), Some((other, message, hint))) if other.len() > sign.len() => Err(error(other.len(), message, hint)),
        (Some((text, sign)), _) => Ok((TokenKind::Sign(*sign), text.len())),
        (None, Some((other, message, hint))) => Err(error(other.len(), message, hint)),
        (None, None) => Err(error(first.len_utf8(), &format!("`{first}` has no meaning in an expression"), "take it out")),
    }
}

fn word(text: &str, form: Form) -> TokenKind {
    let folded = match form {
        Form::Formula => text.to_ascii_lowercase(),
        Form::Plant | Form::Event => text.to_owned(),
    };
    match (form, folded.as_str()) {
        (Form::Plant | Form::Formula, "and") => TokenKind::Sign(Sign::And),
        (Form::Plant | Form::Formula, "or") => TokenKind::Sign(Sign::Or),
        (Form::Plant | Form::Formula, "not") => TokenKind::Sign(Sign::Not),
        (Form::Plant, "in") => TokenKind::Sign(Sign::In),
        (Form::Plant, "null") => TokenKind::Literal(Value::Null),
        (Form::Plant | Form::Event, "true") => TokenKind::Literal(Value::Boolean(true)),
        (Form::Plant | Form::Event, "false") => TokenKind::Literal(Value::Boolean(false)),
        _ => TokenKind::Name(text.into()),
    }
}

fn number(rest: &str, at: usize) -> Result<(TokenKind, usize), ExpressionError> {
    let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    let mut whole = true;
    if rest[end..].starts_with('.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
        whole = false;
    }
    if rest[end..].starts_with(['e', 'E']) {
        let signed = usize::from(rest[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + signed);
        if exponent > 0 {
            end += 1 + signed + exponent;
            whole = false;
        }
    }
    let tail = rest[end..].find(|next: char| next != '_' && next != '°' && !next.is_alphanumeric()).unwrap_or(rest.len() - end);
    if tail > 0 {
        return Err(unit_after_number(&rest[..end + tail], end, at));
    }
    let span = Span { start: at, end: at + end };
    let integer = if whole { rest[..end].parse::<i64>().ok() } else { None };
    match (integer, rest[..end].parse::<f64>()) {
        (Some(integer), _) => Ok((TokenKind::Literal(Value::Integer(integer)), end)),
        (None, Ok(double)) if double.is_finite() => Ok((TokenKind::Literal(Value::Double(double)), end)),
        _ => Err(ExpressionError {
            span,
            message: format!("{} is too large for a number", &rest[..end]),
            hint: "numbers reach to about 1.8e308".into(),
        }),
    }
}

fn unit_after_number(text: &str, digits: usize, at: usize) -> ExpressionError {
    let hint = match parse_duration(text) {
        Some(span) => format!("spans in an expression are numbers of seconds: write {}", span.as_secs_f64()),
        None => format!("numbers stand without their unit: write {}", &text[..digits]),
    };
    ExpressionError {
        span: Span { start: at, end: at + text.len() },
        message: format!("`{text}` is neither a number nor a name"),
        hint,
    }
}

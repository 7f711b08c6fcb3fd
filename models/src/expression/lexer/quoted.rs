//! Quoted texts and names, and texts with expressions inside. A doubled quote stands for one quote.

use super::{ExpressionError, Piece, Span, TokenKind};
use crate::Value;

type Found = Result<(TokenKind, usize), ExpressionError>;

/// A name in back quotes.
pub(super) fn name(text: &str, at: usize) -> Found {
    let (content, length) = content(text, at)?;
    Ok((TokenKind::Name(content.into()), length))
}

/// A text.
pub(super) fn text(text: &str, at: usize) -> Found {
    let (content, length) = content(text, at)?;
    Ok((TokenKind::Literal(Value::String(content.into())), length))
}

fn never_closed(text: &str, at: usize, quote: char) -> ExpressionError {
    ExpressionError {
        span: Span { start: at, end: text.len() },
        message: format!("the {quote} that opens here is never closed"),
        hint: format!("close it with {quote}; inside, {quote}{quote} stands for one {quote}"),
    }
}

/// The content of a quoted text, doubled quotes made single, and the length with its quotes.
fn content(text: &str, at: usize) -> Result<(String, usize), ExpressionError> {
    let quote = text[at..].chars().next().unwrap_or('\'');
    let mut content = String::new();
    let mut characters = text[at..].char_indices().skip(1).peekable();
    while let Some((index, character)) = characters.next() {
        if character != quote {
            content.push(character);
        } else if characters.peek().is_some_and(|(_, next)| *next == quote) {
            content.push(quote);
            characters.next();
        } else {
            return Ok((content, index + quote.len_utf8()));
        }
    }
    Err(never_closed(text, at, quote))
}

/// A text of an IoT Events expression: `${…}` inside is an expression, a backslash before the closing quote makes it a letter.
pub(super) fn template(text: &str, at: usize) -> Found {
    Scan { text, at: at + 1, quote: text[at..].chars().next().unwrap_or('\''), open: "${", escapes: true }.run(at)
}

/// A formatted text of a formula, `f'…'`: `{…}` inside is an expression, a doubled brace is a letter.
pub(super) fn formatted(text: &str, at: usize) -> Found {
    Scan { text, at: at + 2, quote: text[at + 1..].chars().next().unwrap_or('\''), open: "{", escapes: false }.run(at)
}

struct Scan<'t> {
    text: &'t str,
    at: usize,
    quote: char,
    /// What begins an expression.
    open: &'static str,
    escapes: bool,
}

impl Scan<'_> {
    fn run(mut self, start: usize) -> Found {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut plain = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(next) = rest.chars().next() else { return Err(never_closed(self.text, start, self.quote)) };
            let after = &rest[next.len_utf8()..];
            let doubled = after.starts_with(next);
            if next == self.quote && !doubled {
                self.at += next.len_utf8();
                break;
            } else if next == self.quote || (!self.escapes && doubled && matches!(next, '{' | '}')) {
                plain.push(next);
                self.at += 2;
            } else if self.escapes && next == '\\' && after.starts_with(self.quote) {
                plain.push(self.quote);
                self.at += 2;
            } else if rest.starts_with(self.open) {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain).into()));
                }
                pieces.push(Piece::Expression(self.embedded()?));
            } else {
                plain.push(next);
                self.at += next.len_utf8();
            }
        }
        let length = self.at - start;
        if pieces.is_empty() {
            return Ok((TokenKind::Literal(Value::String(plain.into())), length));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.into()));
        }
        Ok((TokenKind::Template(pieces), length))
    }

    /// Passes an expression with its braces; texts inside may hold braces and quotes of their own.
    fn embedded(&mut self) -> Result<Span, ExpressionError> {
        let opened = self.at;
        let start = opened + self.open.len();
        let mut inner: Option<char> = None;
        let mut depth = 0_usize;
        for (index, character) in self.text[start..].char_indices() {
            match (inner, character) {
                (Some(quote), _) if quote == character => inner = None,
                (Some(_), _) => {}
                (None, '\'' | '"' | '`') => inner = Some(character),
                (None, '{') => depth += 1,
                (None, '}') if depth > 0 => depth -= 1,
                (None, '}') => {
                    self.at = start + index + 1;
                    return Ok(Span { start, end: start + index });
                }
                _ => {}
            }
        }
        Err(ExpressionError {
            span: Span { start: opened, end: self.text.len() },
            message: format!("the `{}` that opens here is never closed", self.open),
            hint: "close it with `}` before the text ends".into(),
        })
    }
}

//! Operands: constants, names, calls, references, templates, and what may follow an operand.

use super::MAX_DEPTH;
use super::{
    super::nearest, ExpressionError, Form, Parser, PathStep, Piece, Raw, RawKind, Sign, Span, TokenKind, UnaryOperator, Value,
    error, power, stretch, too_deep,
};

impl Parser<'_> {
    /// An expression, and how it is to be written: `x:"%.2f"`, in a formula only.
    pub(super) fn formatted(&mut self) -> Result<Raw, ExpressionError> {
        let value = self.expression(power::LOWEST)?;
        if !self.take(Sign::Colon) {
            return Ok(value);
        }
        let token = self.next();
        let TokenKind::Literal(Value::String(format)) = token.kind else {
            self.at -= 1;
            let mut wrong = self.unexpected("a format in quotes after `:`");
            wrong.hint = "write `x:\"%.2f\"`".into();
            return Err(wrong);
        };
        let span = Span { start: value.span.start, end: token.span.end };
        self.build(span, RawKind::Format(Box::new(value), format))
    }

    pub(super) fn operand(&mut self, least: u8) -> Result<Raw, ExpressionError> {
        let token = self.peek().clone();
        match token.kind {
            TokenKind::Literal(value) => {
                self.at += 1;
                self.build(token.span, RawKind::Literal(value))
            }
            TokenKind::Template(pieces) => {
                self.at += 1;
                self.template(token.span, pieces)
            }
            TokenKind::Name(_) => self.name(),
            TokenKind::Sign(Sign::Dollar) => self.dollar(),
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
            TokenKind::Sign(Sign::Tilde) => self.prefix(UnaryOperator::BitNot, power::UNARY),
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
            // What stands after the dot of a formula is a method.
            if self.form == Form::Formula || !self.take(Sign::Dot) {
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

    /// `$input.Name.path[0]`.
    fn dollar(&mut self) -> Result<Raw, ExpressionError> {
        const ROOTS: [&str; 3] = ["input", "variable", "sitewise"];
        let start = self.next().span.start;
        let token = self.next();
        let root_span = Span { start, end: token.span.end };
        let root = match token.kind {
            TokenKind::Name(root) if ROOTS.contains(&&*root) => root,
            TokenKind::Name(root) => {
                let hint = match nearest(&root, ROOTS) {
                    Some(near) => format!("did you mean `${near}`?"),
                    None => "there are `$input.Name.path`, `$variable.name` and `$sitewise.…`".into(),
                };
                return Err(error(root_span, format!("there is no `${root}`"), hint));
            }
            _ => {
                self.at -= 1;
                return Err(self.unexpected("`input`, `variable` or `sitewise` after `$`"));
            }
        };
        let mut path = Vec::new();
        loop {
            if self.take(Sign::Dot) {
                let token = self.next();
                let written = &self.text[token.span.start..token.span.end];
                path.push(PathStep::Name(match token.kind {
                    TokenKind::Name(name) => name,
                    TokenKind::Literal(Value::Boolean(_)) => written.into(),
                    _ => {
                        self.at -= 1;
                        let mut wrong = self.unexpected("a name after `.`");
                        wrong.hint = "names with other letters than a-z, A-Z, 0-9 and _ stand in back quotes".into();
                        return Err(wrong);
                    }
                }));
            } else if !path.is_empty() && self.take(Sign::OpenBracket) {
                let token = self.next();
                let index = match token.kind {
                    TokenKind::Literal(Value::Integer(index)) => usize::try_from(index).ok(),
                    _ => None,
                };
                let Some(index) = index else {
                    self.at -= 1;
                    return Err(self.unexpected("a position such as 0 after `[`"));
                };
                path.push(PathStep::Index(index));
                if !self.take(Sign::CloseBracket) {
                    return Err(self.unexpected("`]`"));
                }
            } else {
                break;
            }
        }
        let span = Span { start, end: self.tokens[self.at - 1].span.end };
        self.build(span, RawKind::Dollar { root, root_span, path })
    }

    fn template(&mut self, span: Span, pieces: Vec<Piece>) -> Result<Raw, ExpressionError> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep(span));
        }
        let mut parts = Vec::with_capacity(pieces.len());
        for piece in pieces {
            parts.push(match piece {
                Piece::Text(text) => self.build(span, RawKind::Literal(Value::String(text)))?,
                Piece::Expression(inside) => stretch(self.text, inside, self.form, self.depth + 1)?,
            });
        }
        self.build(span, RawKind::Template(parts))
    }

    /// `.method(…)` and `[…]` after an operand, in a formula only.
    pub(super) fn postfix(&mut self, mut operand: Raw) -> Result<Raw, ExpressionError> {
        while self.form == Form::Formula {
            let start = operand.span.start;
            if self.take(Sign::Dot) {
                let token = self.next();
                let TokenKind::Name(name) = token.kind else {
                    self.at -= 1;
                    return Err(self.unexpected("a function after `.`"));
                };
                if !self.take(Sign::Open) {
                    let mut wrong = self.unexpected("`(` after the function");
                    wrong.hint = format!("write `x.{name}(…)`");
                    return Err(wrong);
                }
                let (mut arguments, end) = self.arguments(&name)?;
                arguments.insert(0, operand);
                operand = self.build(Span { start, end }, RawKind::Call { name, name_span: token.span, arguments })?;
            } else if self.take(Sign::OpenBracket) {
                operand = self.brackets(operand)?;
            } else {
                break;
            }
        }
        Ok(operand)
    }

    fn brackets(&mut self, operand: Raw) -> Result<Raw, ExpressionError> {
        let start = operand.span.start;
        let mut bounds = [None, None, None];
        let mut colons = 0;
        loop {
            if self.take(Sign::CloseBracket) {
                break;
            }
            if self.take(Sign::Colon) {
                colons += 1;
                if colons > 2 {
                    self.at -= 1;
                    return Err(self.unexpected("`]`"));
                }
            } else if bounds[colons].is_none() {
                bounds[colons] = Some(Box::new(self.expression(power::LOWEST)?));
            } else {
                return Err(self.unexpected("`:` or `]`"));
            }
        }
        let span = Span { start, end: self.tokens[self.at - 1].span.end };
        match (colons, bounds) {
            (0, [Some(index), ..]) => self.build(span, RawKind::Index(Box::new(operand), index)),
            (0, _) => Err(error(span, "a position was expected in `[]`", "write `s[0]`, `s[-1]` or `s[0:3]`")),
            (_, bounds) => self.build(span, RawKind::Slice(Box::new(operand), bounds)),
        }
    }

    /// Arguments up to and with the closing parenthesis, and where that ends.
    pub(super) fn arguments(&mut self, of: &str) -> Result<(Vec<Raw>, usize), ExpressionError> {
        let mut arguments = Vec::new();
        if self.take(Sign::Close) {
            return Ok((arguments, self.tokens[self.at - 1].span.end));
        }
        loop {
            arguments.push(self.formatted()?);
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

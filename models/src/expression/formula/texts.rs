//! Formats, templates and JSON paths of formulas.

use super::check::{Checked, Checker, error, node};
use crate::{
    Value,
    expression::{
        ExpressionError, FormatText, JsonPath, NodeKind, Span, Type,
        format::{Code, Part},
        parser::{Raw, RawKind},
    },
};

impl Checker<'_> {
    /// `f'a{b:"%.2f"}c'`.
    pub(super) fn template(&mut self, span: Span, raws: Vec<Raw>) -> Checked {
        let (mut parts, mut values) = (Vec::new(), Vec::new());
        for raw in raws {
            match raw.kind {
                RawKind::Literal(Value::String(text)) => parts.push(Part::Text(text)),
                _ => parts.push(self.value_with_code(raw, &mut values)?),
            }
        }
        Ok(node(span, Type::String, NodeKind::Format(FormatText::of(parts), values)))
    }

    fn value_with_code(&mut self, raw: Raw, values: &mut Vec<super::super::Node>) -> Result<Part, ExpressionError> {
        let (raw, code) = match raw.kind {
            RawKind::Format(value, format) => match Code::single(&format) {
                Ok(code) => (*value, code),
                Err(message) => return error(raw.span, message, "write `x:\"%.2f\"`"),
            },
            _ => (raw, Code::default()),
        };
        values.push(self.node(raw)?);
        Ok(Part::Value(values.len() - 1, code))
    }

    /// `format('%.2f', x)`, `format(x:"%.2f")`.
    pub(super) fn format(&mut self, span: Span, mut arguments: Vec<Raw>) -> Checked {
        let is_text = |raw: &Raw| matches!(raw.kind, RawKind::Literal(Value::String(_)));
        if let [one] = &arguments[..]
            && matches!(one.kind, RawKind::Format(..))
        {
            return self.template(span, arguments);
        }
        // `x.format('%.2f')` is `format(x, '%.2f')`.
        if let [first, second] = &arguments[..]
            && !is_text(first)
            && is_text(second)
        {
            arguments.swap(0, 1);
        }
        let first = arguments.remove(0);
        let RawKind::Literal(Value::String(text)) = &first.kind else {
            return error(first.span, "`format` takes its format first, in quotes", "write `format('%.2f', x)`");
        };
        let (format, wanted) = match FormatText::parse(text) {
            Ok(parsed) => parsed,
            Err(message) => return error(first.span, message, "codes are those of Java's Formatter"),
        };
        if wanted > arguments.len() {
            let message = format!("the format takes {wanted} values, here are {}", arguments.len());
            return error(span, message, "give one value for each code");
        }
        let values = self.nodes(arguments)?;
        Ok(node(span, Type::String, NodeKind::Format(format, values)))
    }

    /// `jp(text, '$.a.b')`.
    pub(super) fn json(&mut self, span: Span, mut arguments: Vec<Raw>) -> Checked {
        let path = arguments.remove(1);
        let RawKind::Literal(Value::String(text)) = &path.kind else {
            return error(path.span, "the path of `jp` stands in quotes", "write `jp(text, '$.a.b')`");
        };
        match JsonPath::parse(text) {
            Ok(path) => {
                let document = Box::new(self.node(arguments.remove(0))?);
                Ok(node(span, Type::Any, NodeKind::JsonPath(path, document)))
            }
            Err(message) => error(path.span, message, "a path is `$.name`, `$['a name']`, `$.list[0]`, `$.list[*].x`"),
        }
    }
}

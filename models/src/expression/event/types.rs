//! What is known of types without running: for the analysis of detector models.

use super::{EventFunction, EventKind, EventNode, values};
use crate::{
    Value,
    expression::{BinaryOperator, ExpressionError, Span, Type, UnaryOperator},
};

/// What the type of a variable or an attribute must be for an expression to have a result.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeUse {
    /// As it is written: `$variable.x`, `$input.A.b`.
    pub reference: String,
    /// The type.
    pub wanted: Type,
    /// Where it is used so.
    pub span: Span,
}

/// The type of a node's result, if the text alone tells it.
pub(super) fn result_type(node: &EventNode) -> Option<Type> {
    use BinaryOperator as B;
    match &node.kind {
        EventKind::Literal(Value::String(_)) | EventKind::Template(_) => Some(Type::String),
        EventKind::Literal(value) => value.value_type().map(Type::from),
        EventKind::Input { .. } | EventKind::Variable(_) | EventKind::SiteWise(_) => None,
        EventKind::Unary(UnaryOperator::Not, _) => Some(Type::Boolean),
        EventKind::Unary(UnaryOperator::Negate | UnaryOperator::BitNot, _) => Some(Type::Number),
        EventKind::Binary(B::Add, left, right) => match (result_type(left), result_type(right)) {
            (Some(left), Some(right)) if left != right => None,
            (left, right) => left.or(right),
        },
        EventKind::Binary(operator, ..) if calculates(*operator) => Some(Type::Number),
        EventKind::Binary(..) | EventKind::Timeout(_) | EventKind::Trigger(_) | EventKind::CurrentInput(_) => {
            Some(Type::Boolean)
        }
        EventKind::Convert(to, _) => Some(*to),
        EventKind::Call(function, _) => Some(match function {
            EventFunction::BitAnd | EventFunction::BitOr | EventFunction::BitXor | EventFunction::BitNot => Type::Number,
            _ => Type::Boolean,
        }),
    }
}

fn calculates(operator: BinaryOperator) -> bool {
    use BinaryOperator as B;
    matches!(operator, B::Add | B::Subtract | B::Multiply | B::Divide | B::BitAnd | B::BitOr | B::BitXor)
}

/// What an operand must be; none if it depends on the other one.
fn wanted(node: &EventNode) -> Option<Type> {
    use BinaryOperator as B;
    match &node.kind {
        EventKind::Unary(UnaryOperator::Not, _) | EventKind::Binary(B::And | B::Or, ..) => Some(Type::Boolean),
        EventKind::Unary(..) => Some(Type::Number),
        EventKind::Binary(operator, ..) if *operator != B::Add && calculates(*operator) => Some(Type::Number),
        EventKind::Call(EventFunction::StartsWith | EventFunction::EndsWith | EventFunction::Contains, _) => Some(Type::String),
        EventKind::Call(EventFunction::IsNull | EventFunction::IsUndefined, _) => None,
        EventKind::Call(..) => Some(Type::Number),
        _ => None,
    }
}

/// The operands of a node, with what each must be if that is known.
fn operands(node: &EventNode) -> Vec<(&EventNode, Option<Type>)> {
    let by_node = wanted(node);
    match &node.kind {
        EventKind::Unary(_, operand) => vec![(operand, by_node)],
        EventKind::Call(_, arguments) => arguments.iter().map(|argument| (argument, by_node)).collect(),
        EventKind::Binary(operator, left, right) => {
            let orders = matches!(
                operator,
                BinaryOperator::Less | BinaryOperator::LessOrEqual | BinaryOperator::Greater | BinaryOperator::GreaterOrEqual
            );
            // What is compared or added to something of a known type must be of that type; a Boolean has no order.
            let like = |other: &EventNode| by_node.or_else(|| result_type(other).filter(|it| !orders || *it != Type::Boolean));
            vec![(left, like(right)), (right, like(left))]
        }
        _ => Vec::new(),
    }
}

/// Operators whose operands never go together.
pub(super) fn conflicts(root: &EventNode) -> Vec<ExpressionError> {
    let mut found = Vec::new();
    root.visit(&mut |node| {
        let mut said = false;
        for (operand, wanted) in operands(node) {
            let (Some(wanted), Some(is)) = (wanted, result_type(operand)) else { continue };
            if wanted != is && !said {
                said = true;
                let by = match &node.kind {
                    EventKind::Binary(operator, ..) => values::written(*operator).to_owned(),
                    EventKind::Call(function, _) => format!("`{function}`"),
                    EventKind::Unary(UnaryOperator::Not, _) => "`!`".to_owned(),
                    EventKind::Unary(UnaryOperator::BitNot, _) => "`~`".to_owned(),
                    _ => "`-`".to_owned(),
                };
                found.push(ExpressionError {
                    span: operand.span,
                    message: format!("{by} takes {wanted} here, but this is {is}"),
                    hint: "such an expression never has a result; `convert` makes one type of another".into(),
                });
            }
        }
    });
    found
}

/// What the types of variables and attributes must be.
pub(super) fn uses(root: &EventNode) -> Vec<TypeUse> {
    let mut found = Vec::new();
    root.visit(&mut |node| {
        for (operand, wanted) in operands(node) {
            let reference = match &operand.kind {
                EventKind::Variable(name) => format!("$variable.{name}"),
                EventKind::Input { input, path } => {
                    super::InputReference { input: input.clone(), path: path.clone(), span: operand.span }.to_string()
                }
                _ => continue,
            };
            let Some(wanted) = wanted else { continue };
            let known = |known: &TypeUse| known.reference == reference && known.wanted == wanted;
            if !found.iter().any(known) {
                found.push(TypeUse { reference, wanted, span: operand.span });
            }
        }
    });
    found
}

/// The expressions inside a template, and whether each stands in double quotes.
pub(super) fn substitutions(root: &EventNode) -> Vec<(Span, Option<Type>, bool)> {
    let EventKind::Template(parts) = &root.kind else { return Vec::new() };
    let mut quoted = false;
    let mut found = Vec::new();
    for part in parts {
        match &part.kind {
            EventKind::Literal(Value::String(text)) if part.span == root.span => quoted = ends_quoted(text, quoted),
            _ => found.push((part.span, result_type(part), quoted)),
        }
    }
    found
}

/// Whether a stretch of JSON ends within a text.
fn ends_quoted(text: &str, mut quoted: bool) -> bool {
    let mut escaped = false;
    for character in text.chars() {
        match character {
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = character == '\\' && !escaped;
    }
    quoted
}

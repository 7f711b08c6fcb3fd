//! The form of AWS IoT Events: conditions, values of variables, spans of timers and contents of payloads.
//!
//! It shares lexer, parser, limits and bits with the other forms, but not the tree of the row evaluator: its values carry their
//! types at run time (a message is JSON), "not there" is not null, and asking for a timer has an effect. Nothing of it runs over
//! windows.
//!
//! - Types are integer, decimal, string and Boolean. Integer and decimal mix; anything else together **fails**.
//! - What was never set, or was not in the last message, is **undefined**. It is equal to nothing, itself included: `!=` is true and
//!   `==` false. Calculating with it, ordering it and giving it to a function is undefined. `undefined || x` is x (false if that is
//!   undefined too), `undefined && x` is false. JSON's null behaves like it, but for `isNull` and `isUndefined`.
//! - A whole number divided by a whole number is rounded, half away from zero. Division by zero and overflow are undefined.
//! - In a template the words `undefined` and `null` stand for what is missing: a message that lacks one figure is still told.
//!
//! Source: AWS IoT Events developer guide, "Expressions"; where it is silent, the rules above are decided here.

use super::{ExpressionError, Span, Type, parser};
use crate::{Value, event::ExplainedStep};
use std::{fmt, sync::Arc};

mod check;
mod evaluate;
mod functions;
mod types;
mod values;

#[cfg(test)]
mod tests;

pub use functions::EventFunction;
pub use types::TypeUse;

/// Longest text an expression may make: what a payload may weigh, with room. A variable that doubles itself ends here.
pub const MAX_RESULT: usize = 64 * 1024;

/// A parsed and checked expression of a detector model.
#[derive(Clone, Debug, PartialEq)]
pub struct EventExpression {
    /// As written.
    pub text: Arc<str>,
    root: EventNode,
    references: EventReferences,
}

/// What an expression reads, each once, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventReferences {
    /// Attributes of inputs.
    pub inputs: Vec<InputReference>,
    /// Variables, with the first place.
    pub variables: Vec<(Arc<str>, Span)>,
    /// Timers that `timeout` asks for, with the first place.
    pub timers: Vec<(Arc<str>, Span)>,
    /// Inputs that `currentInput` asks for, with the first place.
    pub current_inputs: Vec<(Arc<str>, Span)>,
    /// What follows `$sitewise`.
    pub sitewise: Vec<Vec<PathStep>>,
    /// Functions.
    pub functions: Vec<EventFunction>,
    /// Whether it asks what set the evaluation off.
    pub trigger: bool,
}

/// An attribute of an input.
#[derive(Clone, Debug, PartialEq)]
pub struct InputReference {
    /// The input.
    pub input: Arc<str>,
    /// The way to the attribute; empty for the whole message.
    pub path: Vec<PathStep>,
    /// Where it is written first.
    pub span: Span,
}

/// A step into a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathStep {
    /// `.name`
    Name(Arc<str>),
    /// `[0]`
    Index(usize),
}

impl PathStep {
    /// What a path leads to in a message.
    pub fn follow<'m>(path: &[Self], message: &'m serde_json::Value) -> Option<&'m serde_json::Value> {
        path.iter().try_fold(message, |value, step| match step {
            Self::Name(name) => value.get(&**name),
            Self::Index(index) => value.get(*index),
        })
    }
}

/// What set an evaluation off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventTrigger {
    /// A message of an input.
    Message,
    /// A timer that expired.
    Timer,
}

/// What an expression sees of its detector. The evaluation asks for nothing that a short-cut skips.
pub trait EventScene {
    /// The last message of an input that this detector remembers.
    fn input(&self, input: &str) -> Option<&serde_json::Value>;

    /// The value of a variable; none when it was never set.
    fn variable(&self, name: &str) -> Option<Value>;

    /// Whether a timer expired and was not asked for in an earlier evaluation. Asking is what uses it up.
    fn timed_out(&mut self, timer: &str) -> bool;

    /// What set this evaluation off.
    fn trigger(&self) -> EventTrigger;

    /// Whether the message that set this evaluation off is one of this input.
    fn is_current_input(&self, input: &str) -> bool;

    /// What stands behind a `$sitewise` reference.
    fn sitewise(&self, path: &[PathStep]) -> Option<serde_json::Value> {
        let _ = path;
        None
    }
}

/// What became of an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub enum EventOutcome {
    /// A value: `Integer`, `Double` (a decimal), `String` or `Boolean`; `Null` is JSON's null.
    Value(Value),
    /// Nothing to tell: something it needs was never set, or has no result. An assignment of it is skipped.
    Undefined,
    /// Types that do not go together, a conversion that is none, a text that grew too long: with the reason.
    Failed(Arc<str>),
}

impl EventOutcome {
    /// Whether a condition of this outcome holds: only if it is exactly true.
    pub fn holds(&self) -> bool {
        *self == Self::Value(Value::Boolean(true))
    }
}

impl fmt::Display for EventOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => value.fmt(f),
            Self::Undefined => f.write_str("undefined"),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}

impl EventExpression {
    /// Parses an expression.
    ///
    /// # Errors
    /// The first mistake, with its place in bytes of `text` and a way out.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let raw = parser::parse(text, super::form::Form::Event)?;
        let (root, references) = check::check(raw)?;
        Ok(Self { text: text.into(), root, references })
    }

    /// What it reads.
    pub fn references(&self) -> &EventReferences {
        &self.references
    }

    /// Evaluates.
    pub fn evaluate(&self, scene: &mut dyn EventScene) -> EventOutcome {
        evaluate::Evaluation { scene, text: &self.text, steps: None }.run(&self.root)
    }

    /// Evaluates, and lists what was asked on the way, operands before what uses them; the whole expression comes last.
    /// What a short-cut skipped is not listed. A step without a result shows `Null`.
    pub fn explain(&self, scene: &mut dyn EventScene) -> (EventOutcome, Vec<ExplainedStep>) {
        let mut steps = Vec::new();
        let outcome = evaluate::Evaluation { scene, text: &self.text, steps: Some(&mut steps) }.run(&self.root);
        (outcome, steps)
    }

    /// The type of its result, where the text alone tells it.
    pub fn result_type(&self) -> Option<Type> {
        types::result_type(&self.root)
    }

    /// Operators and functions that can never have a result because their types do not go together.
    pub fn conflicts(&self) -> Vec<ExpressionError> {
        types::conflicts(&self.root)
    }

    /// What the types of variables and attributes must be, told by what the expression does with them.
    pub fn type_uses(&self) -> Vec<TypeUse> {
        types::uses(&self.root)
    }

    /// The expressions inside a template: where each stands, its type if known, and whether it stands in double quotes, as texts
    /// in a JSON payload must. Empty if the whole is no template.
    pub fn substitutions(&self) -> Vec<(Span, Option<Type>, bool)> {
        types::substitutions(&self.root)
    }

    /// The text or value it always has, if it reads nothing.
    pub fn constant(&self) -> Option<&Value> {
        match &self.root.kind {
            EventKind::Literal(value) => Some(value),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct EventNode {
    span: Span,
    kind: EventKind,
}

#[derive(Clone, Debug, PartialEq)]
enum EventKind {
    Literal(Value),
    Template(Vec<EventNode>),
    Input { input: Arc<str>, path: Vec<PathStep> },
    Variable(Arc<str>),
    SiteWise(Vec<PathStep>),
    Unary(super::UnaryOperator, Box<EventNode>),
    Binary(super::BinaryOperator, Box<EventNode>, Box<EventNode>),
    Timeout(Arc<str>),
    Trigger(EventTrigger),
    CurrentInput(Arc<str>),
    Convert(Type, Box<EventNode>),
    Call(EventFunction, Vec<EventNode>),
}

impl EventNode {
    /// Visits every node, operands before what uses them. The depth of trees is bounded by the parser.
    fn visit<'n>(&'n self, visitor: &mut dyn FnMut(&'n Self)) {
        match &self.kind {
            EventKind::Template(nodes) | EventKind::Call(_, nodes) => nodes.iter().for_each(|node| node.visit(visitor)),
            EventKind::Unary(_, operand) | EventKind::Convert(_, operand) => operand.visit(visitor),
            EventKind::Binary(_, left, right) => {
                left.visit(visitor);
                right.visit(visitor);
            }
            _ => {}
        }
        visitor(self);
    }
}

impl fmt::Display for InputReference {
    /// As it is written: `$input.Name.path[0]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "$input.{}", Identifier(&self.input))?;
        self.path.iter().try_for_each(|step| step.fmt(f))
    }
}

impl fmt::Display for PathStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, ".{}", Identifier(name)),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// A name, in back quotes if it needs them.
struct Identifier<'n>(&'n str);

impl fmt::Display for Identifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.0.starts_with(|first: char| first.is_ascii_alphabetic())
            && self.0.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if plain { f.write_str(self.0) } else { write!(f, "`{}`", self.0.replace('`', "``")) }
    }
}

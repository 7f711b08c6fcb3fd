//! What names mean: the one thing an expression does not know by itself.

use super::{Expression, ExpressionError, Form, Reference, Type, Zone, check, parser};
use crate::ValueType;
use std::{fmt, sync::Arc};

/// What a name stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// What a slot of that name reads.
    pub reference: Reference,
    /// The type of its values.
    pub node_type: Type,
    /// Its unit; empty if none.
    pub unit: Arc<str>,
}

/// Decides what the names of an expression stand for.
pub trait Scope {
    /// Resolves a name (`fill_temp`) or a dotted one (`machines.oee`).
    fn resolve(&self, path: &[&str]) -> Option<Resolved>;

    /// All names that would resolve, dotted where they are, for suggestions.
    fn candidates(&self) -> Vec<String>;

    /// Whether aggregates over a window are allowed: only in metrics.
    fn aggregates(&self) -> bool;

    /// Whether children may be read by their newest values (`any(machines.stopped)`): in guards and interlocks.
    fn reads_children(&self) -> bool {
        false
    }

    /// The zone of `hour(t)` and its like where none is given: that of the plant.
    fn zone(&self) -> Zone {
        Zone::UTC
    }
}

impl Expression {
    /// Parses and checks a text.
    ///
    /// # Errors
    /// The first mistake, with its place in bytes of `text` and a way out.
    pub fn parse(text: &str, scope: &dyn Scope) -> Result<Self, ExpressionError> {
        let raw = parser::parse(text, Form::Plant)?;
        let (root, references) = check::check(raw, text, scope)?;
        Ok(Self { text: text.into(), form: Form::Plant, root, references })
    }

    /// The type of its result.
    pub fn result_type(&self) -> Type {
        self.root.node_type
    }
}

impl From<ValueType> for Type {
    fn from(value_type: ValueType) -> Self {
        match value_type {
            ValueType::Boolean => Self::Boolean,
            ValueType::Integer | ValueType::Double => Self::Number,
            ValueType::String => Self::String,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "true or false",
            Self::Number => "a number",
            Self::String => "a text",
            Self::Null => "null",
            Self::Any => "a value",
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use super::AlarmFlag;
        match self {
            Self::Own(name) | Self::Variable(name) => f.write_str(name),
            Self::Parent(name) => write!(f, "parent.{name}"),
            Self::Children { hierarchy, property } => write!(f, "{hierarchy}.{property}"),
            Self::Alarm(AlarmFlag::Acknowledged) => f.write_str("acknowledged"),
            Self::Alarm(AlarmFlag::Shelved) => f.write_str("shelved"),
            Self::Alarm(AlarmFlag::Suppressed) => f.write_str("suppressed"),
            Self::Before(name) => write!(f, "pretrigger({name})"),
            Self::Time => f.write_str("timestamp()"),
        }
    }
}

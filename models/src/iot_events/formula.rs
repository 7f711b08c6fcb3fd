//! An expression of IoT Events as a model holds it: its text, and what parsing it came to.

use crate::expression::ExpressionError;
use std::sync::Arc;

/// An expression, or a text that should be one.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    /// As written.
    pub text: Arc<str>,
    mistake: Option<ExpressionError>,
}

impl Formula {
    /// Parses a text.
    pub fn parse(text: &str) -> Self {
        Self { text: text.into(), mistake: None }
    }

    /// Why the text is no expression; none if it is one.
    pub fn mistake(&self) -> Option<&ExpressionError> {
        self.mistake.as_ref()
    }
}

//! An expression of IoT Events as a model holds it: its text, and what parsing it came to.

use crate::expression::{
    ExpressionError,
    event::{EventExpression, EventOutcome, EventReferences, EventScene},
};
use std::sync::Arc;

/// An expression, or a text that should be one.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    /// As written.
    pub text: Arc<str>,
    parsed: Result<Arc<EventExpression>, Arc<ExpressionError>>,
}

impl Formula {
    /// Parses a text.
    pub fn parse(text: &str) -> Self {
        Self { text: text.into(), parsed: EventExpression::parse(text).map(Arc::new).map_err(Arc::new) }
    }

    /// The expression; none if the text is none.
    pub fn expression(&self) -> Option<&EventExpression> {
        self.parsed.as_deref().ok()
    }

    /// Why the text is no expression; none if it is one.
    pub fn mistake(&self) -> Option<&ExpressionError> {
        self.parsed.as_ref().err().map(|mistake| &**mistake)
    }

    /// What it reads; none if it is no expression.
    pub fn references(&self) -> Option<&EventReferences> {
        self.expression().map(EventExpression::references)
    }

    /// Evaluates; a text that is no expression always fails.
    pub fn evaluate(&self, scene: &mut dyn EventScene) -> EventOutcome {
        match &self.parsed {
            Ok(expression) => expression.evaluate(scene),
            Err(mistake) => EventOutcome::Failed(format!("it is no expression: {mistake}").into()),
        }
    }
}

//! What is wrong or doubtful in a detector model, in the words of AWS's own analysis.

use super::MAX_FINDINGS;
use serde::Serialize;
use std::{cell::RefCell, fmt};

/// One mistake or doubt with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What kind it is.
    #[serde(rename = "type")]
    pub kind: FindingKind,
    /// Where: a JSON path such as `detectorModelDefinition.states[0].onInput.events[1].condition`.
    pub path: String,
    /// What is wrong, and the way out.
    pub message: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// The model cannot run.
    Error,
    /// It runs, but probably not as meant, or AWS would have refused it.
    Warning,
    /// Worth knowing.
    Info,
}

/// The types of AWS's analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// An action that does not exist.
    SupportedActions,
    /// A limit of AWS, or of Andon where it says so.
    ServiceLimits,
    /// Members, states and transitions that do not fit together.
    Structure,
    /// A text that is no expression.
    ExpressionSyntax,
    /// Types that do not go together.
    DataType,
    /// A variable or timer that is used and never set, or before it is set.
    ReferencedData,
    /// An input that is not defined.
    ReferencedResource,
}

impl FindingKind {
    /// The name AWS gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SupportedActions => "supported-actions",
            Self::ServiceLimits => "service-limits",
            Self::Structure => "structure",
            Self::ExpressionSyntax => "expression-syntax",
            Self::DataType => "data-type",
            Self::ReferencedData => "referenced-data",
            Self::ReferencedResource => "referenced-resource",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "info",
        };
        write!(f, "{level}: {}: {} [{}]", self.path, self.message, self.kind.name())
    }
}

/// Collects the findings of one document.
#[derive(Debug, Default)]
pub(super) struct Findings(RefCell<Vec<Finding>>);

impl Findings {
    pub fn error(&self, kind: FindingKind, path: impl fmt::Display, message: impl Into<String>) {
        self.add(Level::Error, kind, path, message);
    }

    pub fn warning(&self, kind: FindingKind, path: impl fmt::Display, message: impl Into<String>) {
        self.add(Level::Warning, kind, path, message);
    }

    pub fn info(&self, kind: FindingKind, path: impl fmt::Display, message: impl Into<String>) {
        self.add(Level::Info, kind, path, message);
    }

    fn add(&self, level: Level, kind: FindingKind, path: impl fmt::Display, message: impl Into<String>) {
        let mut found = self.0.borrow_mut();
        let finding = Finding { level, kind, path: path.to_string(), message: message.into() };
        // Errors are never crowded out by doubts.
        let room = if level == Level::Error { MAX_FINDINGS } else { MAX_FINDINGS / 2 };
        if found.len() < room && !found.contains(&finding) {
            found.push(finding);
        }
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.0.borrow().iter().filter(|finding| finding.level == Level::Error).count()
    }

    /// All of them, in the order of the document.
    pub fn into_vec(self) -> Vec<Finding> {
        self.0.into_inner()
    }
}

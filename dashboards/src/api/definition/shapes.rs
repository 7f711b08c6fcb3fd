//! What is asked about the definition, and what is answered.

use crate::{error::ApiError, view::Time};
use andon_models::{
    Timestamp,
    difference::{Change, ChangeKind},
    plant_file::{Diagnostic, Severity},
};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// A file of the definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileText {
    /// Its name, without a folder: `plant.yaml`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The definition that the plant runs with.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Definition {
    /// Names its files: another text has another hash.
    pub hash: String,
    /// `file`: one file, whose name stays; `folder`: files of .yaml and .yml may come and go; `memory`: one file, kept until the demo ends.
    pub place: &'static str,
    /// Whether the files were edited by hand since they were loaded.
    pub changed_on_disk: bool,
    /// Its files, by name.
    pub files: Vec<FileText>,
    /// Its versions, the newest, which runs, first.
    pub versions: Vec<Version>,
}

/// A version of the definition.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Version {
    /// Counts up.
    pub id: i64,
    /// Since when it was used.
    #[schema(value_type = Time)]
    pub time: Timestamp,
    /// Who applied it; empty for one that was loaded at a start.
    pub by: String,
    /// Why.
    pub comment: String,
    /// Names its files.
    pub hash: String,
}

/// A version with its files.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VersionFiles {
    /// The version.
    #[serde(flatten)]
    pub version: Version,
    /// Its files, by name.
    pub files: Vec<FileText>,
}

/// What is wrong or doubtful in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DiagnosticView {
    /// `error`: the files cannot be used; `warning`: they hardly do what was meant.
    pub severity: &'static str,
    /// A short, stable name of the kind of mistake.
    pub code: &'static str,
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The first column, from 1, in characters.
    pub column: usize,
    /// The last line.
    pub end_line: usize,
    /// One past the last column.
    pub end_column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do; empty if there is nothing to say.
    pub hint: String,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChangeView {
    /// The thing: `filler.temp_limit`, `source filler2`, `Line 2/Filler 2`.
    pub what: String,
    /// `added`, `removed` or `changed`.
    pub kind: &'static str,
    /// What was said before; null for what was not there.
    pub before: Option<String>,
    /// What is said now; null for what goes.
    pub after: Option<String>,
    /// What follows from it.
    pub consequences: Vec<String>,
    /// What a back-fill has to name to compute it over history: `filler.temp_avg`; null where there is nothing to compute.
    pub backfill: Option<String>,
}

/// What files would change.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Planned {
    /// Names these files.
    pub hash: String,
    /// Names the definition that runs.
    pub base: String,
    /// Errors and warnings. With an error there are no changes.
    pub diagnostics: Vec<DiagnosticView>,
    /// The changes.
    pub changes: Vec<ChangeView>,
    /// What follows from all of them together.
    pub consequences: Vec<String>,
    /// All that in words; empty if nothing changes.
    pub text: String,
}

/// What was applied.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Applied {
    /// Names the definition that runs now.
    pub hash: String,
    /// Its version.
    pub version: i64,
    /// The changes.
    pub changes: Vec<ChangeView>,
    /// What follows from all of them together.
    pub consequences: Vec<String>,
    /// All that in words.
    pub text: String,
}

/// A definition that the plant is to run with.
#[derive(Clone, Debug)]
pub struct DefinitionChange {
    /// All its files, or the version that has them.
    pub files: Result<Vec<FileText>, i64>,
    /// The hash of the definition that it was made from.
    pub base: String,
    /// Why.
    pub comment: String,
    /// Who.
    pub by: Arc<str>,
}

/// Why something was not done: what is wrong, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefinitionRefusal {
    /// The files cannot be used.
    Unusable(String, String),
    /// There is no such version.
    Unknown(String, String),
    /// What was meant is not there any more.
    Conflict(String, String),
    /// The plant did not start with it; it runs as before.
    NotStarted(String, String),
    /// Nothing can be changed now.
    NotNow(String, String),
}

impl From<DefinitionRefusal> for ApiError {
    fn from(refusal: DefinitionRefusal) -> Self {
        match refusal {
            DefinitionRefusal::Unusable(message, hint) => Self::bad_request(message, hint),
            DefinitionRefusal::Unknown(message, hint) => Self::not_found(message, hint),
            DefinitionRefusal::Conflict(message, hint) => Self::new(StatusCode::CONFLICT, message, hint),
            DefinitionRefusal::NotStarted(message, hint) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, message, hint),
            DefinitionRefusal::NotNow(message, hint) => Self::unavailable(message, hint),
        }
    }
}

impl From<Diagnostic> for DiagnosticView {
    fn from(diagnostic: Diagnostic) -> Self {
        let Diagnostic { severity, code, file, line, column, end_column, message, hint } = diagnostic;
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        Self { severity, code, file, line, column, end_line: line, end_column, message, hint }
    }
}

impl From<Change> for ChangeView {
    fn from(Change { what, kind, before, after, consequences, backfill }: Change) -> Self {
        let kind = match kind {
            ChangeKind::Added => "added",
            ChangeKind::Removed => "removed",
            ChangeKind::Changed => "changed",
        };
        Self { what, kind, before, after, consequences, backfill }
    }
}

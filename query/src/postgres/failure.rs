//! What went wrong, with PostgreSQL's code for it (manual, appendix A).

use super::outgoing::Out;
use crate::{QueryError, sql};
use datafusion::error::DataFusionError;

/// A statement or connection that failed.
#[derive(Debug)]
pub struct Failure {
    /// SQLSTATE, five characters.
    pub code: &'static str,
    /// What happened, and the way out.
    pub message: String,
}

/// Codes that are used in more than one place.
pub mod code {
    pub const SYNTAX: &str = "42601";
    pub const READ_ONLY: &str = "25006";
    pub const NOT_SUPPORTED: &str = "0A000";
    pub const CANCELED: &str = "57014";
    pub const WRONG_PASSWORD: &str = "28P01";
    pub const PROTOCOL: &str = "08P01";
    pub const TOO_LARGE: &str = "54000";
    pub const WRONG_VALUE: &str = "22P02";
}

impl Failure {
    /// A failure with its code.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// As the client gets it.
    pub fn message(self, fatal: bool) -> Out {
        Out::Failed { fatal, code: self.code, message: self.message }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        let code = match &error {
            QueryError::TimedOut(_) => code::CANCELED,
            QueryError::Statement(text) => code_of(text),
            _ => "XX000",
        };
        Self::new(code, error.to_string())
    }
}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Self {
        sql::statement(error).into()
    }
}

/// The engine has no codes; its words tell what it was.
fn code_of(text: &str) -> &'static str {
    let lower = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    match () {
        () if has(&["sql here only reads"]) => code::READ_ONLY,
        () if has(&["needs more memory"]) => "53200",
        () if has(&["a statement has at most"]) => code::TOO_LARGE,
        () if has(&["parsererror", "sql parser error", "expected:", "expected ", "unterminated"]) && !has(&["type"]) => {
            code::SYNTAX
        }
        () if has(&["table"]) && has(&["not found"]) => "42P01",
        () if has(&["failed to resolve schema", "failed to resolve catalog"]) => "3F000",
        () if has(&["no field named", "column"]) && !has(&["ambiguous"]) => "42703",
        () if has(&["ambiguous"]) => "42702",
        () if has(&["invalid function", "no function matches", "does not support", "failed to coerce"]) => "42883",
        () if has(&["divide by zero"]) => "22012",
        () if has(&["not implemented", "not supported", "unsupported"]) => code::NOT_SUPPORTED,
        () if has(&["cast error", "cannot cast", "parsing", "parse error", "error parsing"]) => code::WRONG_VALUE,
        () => "42000",
    }
}

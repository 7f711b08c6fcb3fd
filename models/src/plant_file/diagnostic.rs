//! Diagnostics: what is wrong or doubtful in a plant file, where, and what to do about it.
//!
//! Checks never stop at the first mistake: they report here and go on, so that one run names them all.

use super::tree::At;
use serde::Serialize;
use std::cell::RefCell;

/// Diagnostics kept of one run; a file with more mistakes is mended in rounds.
pub const MAX_DIAGNOSTICS: usize = 200;

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but probably does not do what was meant.
    Warning,
}

/// One mistake or doubt, with its place and the way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A short, stable name of the kind of mistake, for tools.
    pub code: &'static str,
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The first column, from 1, in characters.
    pub column: usize,
    /// One past the last column on that line.
    pub end_column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do; empty if there is nothing to say.
    pub hint: String,
}

/// Collects the diagnostics of one run.
pub(super) struct Report<'a> {
    files: &'a [(String, String)],
    /// Byte offsets of the line starts, by file.
    lines: Vec<Vec<usize>>,
    found: RefCell<Vec<(At, Diagnostic)>>,
}

impl<'a> Report<'a> {
    pub fn new(files: &'a [(String, String)]) -> Self {
        let starts = |text: &str| std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { files, lines: files.iter().map(|(_, text)| starts(text)).collect(), found: RefCell::default() }
    }

    pub fn error(&self, at: At, code: &'static str, message: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Error, at, code, message.into(), hint.into());
    }

    pub fn warning(&self, at: At, code: &'static str, message: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Warning, at, code, message.into(), hint.into());
    }

    /// Errors so far.
    pub fn errors(&self) -> usize {
        self.found.borrow().iter().filter(|(_, found)| found.severity == Severity::Error).count()
    }

    /// The source text of a place.
    pub fn source(&self, at: At) -> &'a str {
        self.files.get(at.file).and_then(|(_, text)| text.get(at.start..at.end)).unwrap_or_default()
    }

    /// Line of a place, from 1.
    pub fn line(&self, at: At) -> usize {
        self.lines.get(at.file).map_or(1, |starts| starts.partition_point(|start| *start <= at.start).max(1))
    }

    /// All diagnostics, in file order; errors first where two share a place.
    pub fn finish(self) -> Vec<Diagnostic> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|(at, diagnostic)| (at.file, at.start, diagnostic.severity, at.end));
        found.dedup_by(|one, other| one.1 == other.1);
        found.into_iter().map(|(_, diagnostic)| diagnostic).collect()
    }

    fn add(&self, severity: Severity, at: At, code: &'static str, message: String, hint: String) {
        let mut found = self.found.borrow_mut();
        // Errors are never crowded out by warnings.
        let errors_only = found.len() >= MAX_DIAGNOSTICS / 2 && severity == Severity::Warning;
        if found.len() >= MAX_DIAGNOSTICS || errors_only {
            return;
        }
        let line = self.line(at);
        let (name, text) = self.files.get(at.file).map_or(("", ""), |(name, text)| (name.as_str(), text.as_str()));
        let start = self.lines.get(at.file).and_then(|starts| starts.get(line - 1)).copied().unwrap_or(0);
        let line_text = text.get(start..).and_then(|rest| rest.split('\n').next()).unwrap_or_default().trim_end_matches('\r');
        let columns = |end: usize| line_text.char_indices().take_while(|(offset, _)| start + offset < end).count() + 1;
        let column = columns(at.start);
        let end_column = columns(at.end).max(column + 1);
        found.push((at, Diagnostic { severity, code, file: name.to_owned(), line, column, end_column, message, hint }));
    }
}

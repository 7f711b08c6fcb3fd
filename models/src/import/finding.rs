//! What an import says about its files.

use serde::Serialize;

/// Findings kept of one import; files with more mistakes are mended in rounds.
pub const MAX_FINDINGS: usize = 1_000;
/// Longest message or path in characters: names in files may be as long as the files.
const MAX_TEXT: usize = 500;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something is wrong or missing, and what needs it was left out.
    Error,
    /// It was taken, but perhaps not as it was meant.
    Warning,
    /// There is no place for it in a plant file.
    NotCarriedOver,
}

/// Something an import has to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file's name.
    pub file: String,
    /// Where in the file, as a JSON path; empty for the whole file.
    pub path: String,
    /// What it is, and why.
    pub message: String,
}

/// Collects what is said.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<Finding>,
    files: Vec<String>,
    file: usize,
    /// How many were not kept.
    more: usize,
}

impl Findings {
    /// What follows is about this file.
    pub fn begin(&mut self, file: &str) {
        self.file = self.files.len();
        self.files.push(file.to_owned());
    }

    /// What follows is about an earlier file, by number.
    pub fn turn_to(&mut self, file: usize) {
        self.file = file;
    }

    pub fn error(&mut self, path: &str, message: impl Into<String>) {
        self.add(Severity::Error, path, message.into());
    }

    pub fn warning(&mut self, path: &str, message: impl Into<String>) {
        self.add(Severity::Warning, path, message.into());
    }

    pub fn not_carried(&mut self, path: &str, message: impl Into<String>) {
        self.add(Severity::NotCarriedOver, path, message.into());
    }

    fn add(&mut self, severity: Severity, path: &str, message: String) {
        // Errors are never crowded out by the rest.
        let limit = if severity == Severity::Error { MAX_FINDINGS } else { MAX_FINDINGS / 2 };
        if self.found.len() >= limit {
            self.more += 1;
            return;
        }
        let finding = Finding {
            severity,
            file: self.files.get(self.file).cloned().unwrap_or_default(),
            path: short(path),
            message: short(&message),
        };
        if !self.found.contains(&finding) {
            self.found.push(finding);
        }
    }

    pub fn finish(mut self) -> Vec<Finding> {
        if self.more > 0 {
            let message = format!("{} more findings are not shown", self.more);
            let severity = Severity::Warning;
            self.found.push(Finding { severity, file: String::new(), path: String::new(), message });
        }
        self.found
    }
}

/// A text for people: not longer than they read.
fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

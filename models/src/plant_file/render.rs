//! Shows diagnostics as a compiler does: place, source line, caret, way out.

use super::diagnostic::{Diagnostic, Severity};

/// Characters of a source line that are shown; what is longer is cut around the caret.
const MAX_WIDTH: usize = 140;

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const BLUE: &str = "\x1b[1;34m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// Shows diagnostics with the lines they speak of, and a summary.
pub fn render(diagnostics: &[Diagnostic], files: &[(String, String)], color: bool) -> String {
    let paint = |code: &str, text: &str| if color { format!("{code}{text}{PLAIN}") } else { text.to_owned() };
    let mut shown = String::new();
    for diagnostic in diagnostics {
        let (word, code) = match diagnostic.severity {
            Severity::Error => ("error", RED),
            Severity::Warning => ("warning", YELLOW),
        };
        let number = diagnostic.line.to_string();
        let margin = " ".repeat(number.len());
        let bar = paint(BLUE, "|");
        shown += &format!("{}: {}\n", paint(code, word), paint(BOLD, &diagnostic.message));
        let place = format!("{}:{}:{}", diagnostic.file, diagnostic.line, diagnostic.column);
        shown += &format!("{margin}{} {place}\n", paint(BLUE, "-->"));
        let text = files.iter().find(|(name, _)| *name == diagnostic.file).map_or("", |(_, text)| text);
        if let Some(line) = text.lines().nth(diagnostic.line - 1) {
            let (line, before, width) = cut(line, diagnostic.column - 1, diagnostic.end_column - diagnostic.column);
            let caret = format!("{}{}", " ".repeat(before), paint(code, &"^".repeat(width)));
            shown += &format!("{margin} {bar}\n{} {bar} {line}\n{margin} {bar} {caret}\n", paint(BLUE, &number));
        }
        if !diagnostic.hint.is_empty() {
            shown += &format!("{margin} {} {}\n", paint(BLUE, "="), diagnostic.hint);
        }
        shown.push('\n');
    }
    shown + &summary(diagnostics)
}

/// A line that fits the screen, with the caret's column and width in it.
fn cut(line: &str, column: usize, width: usize) -> (String, usize, usize) {
    let characters: Vec<char> = line.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let start = if characters.len() > MAX_WIDTH { column.saturating_sub(MAX_WIDTH / 3) } else { 0 };
    let end = (start + MAX_WIDTH).min(characters.len());
    let mut shown: String = characters.get(start..end).unwrap_or_default().iter().collect();
    let mut before = column - start;
    if start > 0 {
        shown.insert(0, '…');
        before += 1;
    }
    if end < characters.len() {
        shown.push('…');
    }
    (shown, before, width.clamp(1, MAX_WIDTH))
}

fn summary(diagnostics: &[Diagnostic]) -> String {
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let words = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{count} {word}s")),
    };
    let parts: Vec<String> =
        [words(count(Severity::Error), "error"), words(count(Severity::Warning), "warning")].into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("{}\n", parts.join(", ")) }
}

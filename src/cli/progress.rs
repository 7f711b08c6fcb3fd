//! How far long work is: a bar on a terminal, a line now and then elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use std::{io::IsTerminal, sync::Mutex, time::Duration};

/// Time between two lines where there is no terminal: a log should not drown in them.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Steps in which a share is shown.
const WHOLE: u64 = 1_000;

/// Shows how far work is.
pub struct Progress {
    bar: ProgressBar,
    what: String,
    total: u64,
    /// Bytes, or pieces of something.
    bytes: bool,
    /// When a line was printed last; none on a terminal.
    said: Option<Mutex<Duration>>,
}

impl Progress {
    /// Work of so many bytes.
    pub fn bytes(what: &str, total: u64) -> Self {
        Self::new(what, total, true, "{bytes}/{total_bytes}")
    }

    /// Work of which only the share is known that is done.
    pub fn share(what: &str) -> Self {
        Self::new(what, WHOLE, false, "")
    }

    /// Says which share is done, 0 to 1, and what that is in words.
    pub fn say(&self, share: f64, words: &str) {
        self.bar.set_message(words.to_owned());
        self.set((share * WHOLE as f64) as u64, 0);
    }

    /// Work without a known end, counted in rows.
    pub fn rows(what: &str) -> Self {
        let bar = ProgressBar::no_length();
        let style = ProgressStyle::with_template("{prefix}  {spinner} {human_pos} rows  {per_sec}  {msg}  {elapsed}");
        Self::with(bar, style, what, 0, false)
    }

    fn new(what: &str, total: u64, bytes: bool, count: &str) -> Self {
        let template = format!("{{prefix}}  [{{bar:30}}] {{percent:>3}} %  {count}  {{msg}}  {{eta}} left");
        Self::with(ProgressBar::new(total), ProgressStyle::with_template(&template), what, total, bytes)
    }

    fn with(
        bar: ProgressBar,
        style: Result<ProgressStyle, indicatif::style::TemplateError>,
        what: &str,
        total: u64,
        bytes: bool,
    ) -> Self {
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_prefix(what.to_owned());
        let said = (!std::io::stderr().is_terminal()).then(|| Mutex::new(Duration::ZERO));
        Self { bar, what: what.to_owned(), total, bytes, said }
    }

    /// Prints something while the work goes on.
    pub fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Says how far the work is, in its own unit, and how many rows that were.
    pub fn set(&self, position: u64, rows: u64) {
        let position = if self.total > 0 { position.min(self.total) } else { position };
        self.bar.set_position(position);
        let rate = rate(rows, self.elapsed());
        if self.bytes && rows > 0 {
            self.bar.set_message(format!("{} rows  {rate}", grouped(rows)));
        }
        let Some(said) = &self.said else { return };
        let (elapsed, mut said) = (self.elapsed(), said.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        if elapsed >= *said + LINE_EVERY {
            *said = elapsed;
            let share =
                position.saturating_mul(100).checked_div(self.total).map_or(String::new(), |percent| format!(" {percent} %"));
            let rows = if rows > 0 { format!(" {} rows, {rate}", grouped(rows)) } else { String::new() };
            eprintln!("{}:{share}{rows}", self.what);
        }
    }

    /// The time since the work began.
    pub fn elapsed(&self) -> Duration {
        self.bar.elapsed()
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Rows per second in words.
pub fn rate(rows: u64, elapsed: Duration) -> String {
    let rate = rows as f64 / elapsed.as_secs_f64().max(0.001);
    if rate >= 1e6 { format!("{:.1} M rows/s", rate / 1e6) } else { format!("{} rows/s", grouped(rate as u64)) }
}

/// A number with its thousands apart: `12 345 678`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(' ');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([7, 123, 1_234, 12_345_678].map(grouped), ["7", "123", "1 234", "12 345 678"]);
        assert_eq!(rate(3_000_000, Duration::from_secs(2)), "1.5 M rows/s");
    }
}

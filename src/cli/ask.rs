//! Asking whoever sits at the terminal.

use anyhow::bail;
use std::io::{BufRead, IsTerminal, Write};

/// Asks a question that `y` agrees to. Without a terminal nobody can answer, and nothing is done.
///
/// # Errors
/// When nobody can be asked.
pub fn agreed(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody can be asked here; confirm with --yes");
    }
    print!("{question} [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

//! Instants as arguments: with an offset, or in plant time as everywhere else.

use super::export::last_run;
use andon_models::Timestamp;
use anyhow::Context;
use std::path::Path;

/// Reads an instant; one without an offset in the time of the plant that a data folder was last run with.
///
/// # Errors
/// What is wrong with it, or that nobody knows the plant.
pub fn of_folder(text: &str, data: &Path) -> anyhow::Result<Timestamp> {
    match text.trim().parse() {
        Ok(time) => Ok(time),
        Err(_) => {
            let unknown = || format!("`{text}` is plant time without the plant; write it as 2026-11-01T05:00:00Z");
            last_run(data).with_context(unknown)?.calendar.parse_instant(text).map_err(anyhow::Error::msg)
        }
    }
}

/// Reads an instant where no plant is known.
///
/// # Errors
/// When it has no offset.
pub fn absolute(text: &str) -> anyhow::Result<Timestamp> {
    let parsed = text.trim().parse();
    parsed.ok().with_context(|| {
        format!("`{text}` has no offset, and a bucket does not say where its plant is; write 2026-11-01T05:00:00Z")
    })
}

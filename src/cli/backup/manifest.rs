//! What a backup says about itself.

use super::super::progress::grouped;
use andon_models::Timestamp;
use andon_query::{Historian, SqlLimits};
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// The name of the file.
pub const FILE: &str = "manifest.json";
/// The form of backups that this program writes, and the newest it reads.
const FORM: u32 = 1;

/// What a backup says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the backup.
    pub form: u32,
    /// The version of Andon that made it.
    pub andon: String,
    /// When it was made.
    pub created: Timestamp,
    /// What is in it.
    pub counts: Counts,
    /// Its files.
    pub files: Vec<FileEntry>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its path in the data folder.
    pub path: PathBuf,
    /// Its bytes.
    pub size: u64,
    /// Its SHA-256 in hexadecimal, as `sha256sum` prints it.
    pub sha256: String,
}

/// What a data folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows in Parquet files.
    pub file_rows: u64,
    /// Parquet files of points and events.
    pub data_files: u64,
    /// Points that are only in the log.
    pub log_points: u64,
    /// Events that are only in the log.
    pub log_events: u64,
    /// Series with a value.
    pub series: u64,
    /// Number of the last log record.
    pub last_record: u64,
}

impl Counts {
    /// Counts what an opened folder holds.
    pub fn of(historian: &Historian) -> Self {
        let stats = historian.stats();
        Self {
            file_rows: stats.file_rows,
            data_files: stats.files,
            log_points: stats.points,
            log_events: stats.events,
            series: stats.series,
            last_record: stats.log_record,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_log = self.log_points + self.log_events;
        let (rows, log, series) = (grouped(self.file_rows), grouped(in_log), grouped(self.series));
        write!(f, "{rows} rows in files and {log} in the log, of {series} series")
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} files, made at {}", self.counts, grouped(self.files.len() as u64), self.created)
    }
}

/// A question that no column of the samples is left out of.
const EVERY_COLUMN: &str = "SELECT count(*), sum(double), sum(integer), count(boolean), count(string), max(status), max(quality), max(seq) FROM samples";

/// How long reading all rows of a copy may take: some ten thousand million.
const MAX_READING: Duration = Duration::from_secs(6 * 3_600);

impl Manifest {
    /// A manifest without files yet.
    pub fn new(created: Timestamp, counts: Counts) -> Self {
        Self { form: FORM, andon: env!("CARGO_PKG_VERSION").into(), created, counts, files: Vec::new() }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// When it is none, or of a newer Andon.
    pub fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let manifest: Self = serde_json::from_slice(bytes).context("its manifest is damaged")?;
        ensure!(manifest.form <= FORM, "it was made by a newer Andon ({}); use that one", manifest.andon);
        Ok(manifest)
    }

    /// Opens an unpacked backup and compares what is in it.
    ///
    /// # Errors
    /// When it cannot be opened or holds something else.
    pub async fn check_counts(&self, folder: &Path) -> anyhow::Result<()> {
        let historian = Historian::open_read_only(folder).await.context("it cannot be opened")?;
        let counts = Counts::of(&historian);
        ensure!(counts == self.counts, "it holds {counts}, but should hold {}", self.counts);
        // Hashes say that the copy is what was copied; only reading the rows says that they could be read then.
        let limits = SqlLimits { time: MAX_READING, ..SqlLimits::default() };
        historian.sql(EVERY_COLUMN, limits).await.context("its rows cannot be read")?;
        historian.sql("SELECT count(body) FROM events", limits).await.context("its events cannot be read")?;
        Ok(())
    }
}

/// All files under a folder, by path. Their checksums come with the copying.
///
/// # Errors
/// When the folder cannot be listed.
pub fn files(folder: &Path) -> anyhow::Result<Vec<FileEntry>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("cannot list {}", next.display()))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                let path = entry.path().strip_prefix(folder)?.to_owned();
                found.push(FileEntry { path, size: entry.metadata()?.len(), sha256: String::new() });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

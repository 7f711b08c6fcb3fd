//! Holds a data folder still for a backup, also while an Andon writes it: a second folder of hard links to files that never change,
//! and copies of the few that do.
//!
//! The order makes it whole. The log comes first: a record that is not in it any more was committed to the tables before, and these
//! come later. What is in both is told by the numbers the tables remember, as after a crash. When the buffer became files meanwhile,
//! the checkpoint and the tables may be newer than the log; then it is done again.

use crate::QueryError;
use deltalake::DeltaTableBuilder;
use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};
use url::Url;

/// Tries to find a moment in which no buffer becomes files. Even the last one loses nothing: what detectors remember may then be a
/// little older than the events.
const MAX_TRIES: usize = 10;

/// Name of the folder of links, in the data folder: links do not reach beyond a file system.
pub const FOLDER: &str = ".backup";

/// What a backup leaves out, or takes in another way.
const NOT_COPIED: [&str; 7] = ["lock", FOLDER, "log", "history", "audit", "andon.db-wal", "andon.db-shm"];

/// Where a Delta log says which checkpoint is its newest.
const HINT: &str = "_last_checkpoint";

/// The database, which its own engine copies.
const DATABASE: &str = "andon.db";

/// Pins all of a data folder but its database and its audit, which grow by rules of their own, in another folder, which is made.
///
/// # Errors
/// When the folder holds no history, or cannot be read.
pub async fn pin(data: &Path, into: &Path) -> Result<(), QueryError> {
    if !data.join("history").is_dir() {
        return Err(QueryError::NoHistory(data.to_owned()));
    }
    for attempt in 1..=MAX_TRIES {
        if into.exists() {
            fs::remove_dir_all(into).map_err(QueryError::io("cannot empty", into))?;
        }
        let before = Standing::of(data)?;
        match pin_once(data, into).await {
            Ok(()) if attempt == MAX_TRIES || Standing::of(data)? == before => {
                // Names last: they may say more than the rest needs, never less.
                return copy_rest(data, into);
            }
            Ok(()) => {}
            // A file was removed while it was being looked at: compacted, or flushed.
            Err(error) if attempt == MAX_TRIES => return Err(error),
            Err(error) => tracing::debug!(%error, attempt, "the folder moved on; pinning it again"),
        }
    }
    Ok(())
}

/// What changes when the buffer becomes files.
#[derive(PartialEq, Eq)]
struct Standing {
    checkpoint: Option<(u64, SystemTime)>,
    segments: Vec<PathBuf>,
}

impl Standing {
    fn of(data: &Path) -> Result<Self, QueryError> {
        let checkpoint = fs::metadata(data.join("checkpoint.bin")).ok();
        let checkpoint = checkpoint.and_then(|metadata| Some((metadata.len(), metadata.modified().ok()?)));
        Ok(Self { checkpoint, segments: files_of(&data.join("log"))? })
    }
}

async fn pin_once(data: &Path, into: &Path) -> Result<(), QueryError> {
    let log = into.join("log");
    fs::create_dir_all(&log).map_err(QueryError::io("cannot make", &log))?;
    let mut segments = files_of(&data.join("log"))?;
    // Others are segments on their way, of which nothing is acknowledged.
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    for (index, segment) in segments.iter().enumerate() {
        let to = log.join(segment.file_name().unwrap_or_default());
        // The newest one still grows.
        if index + 1 == segments.len() { copy(segment, &to)? } else { link(segment, &to)? }
    }
    for path in files_of(data)?.iter().filter(|path| name_of(path).starts_with("checkpoint")) {
        link(path, &into.join(path.file_name().unwrap_or_default()))?;
    }
    for table in folders_of(&data.join("history"))? {
        let to = into.join("history").join(table.file_name().unwrap_or_default());
        pin_table(&table, &to).await?;
    }
    Ok(())
}

/// Pins a Delta table: its log as it is now, and the files that this log names.
async fn pin_table(table: &Path, to: &Path) -> Result<(), QueryError> {
    let log = to.join("_delta_log");
    fs::create_dir_all(&log).map_err(QueryError::io("cannot make", &log))?;
    // The hint names a checkpoint that is there already, so it comes before the list is made.
    let hint = table.join("_delta_log").join(HINT);
    if hint.exists() {
        link(&hint, &log.join(HINT))?;
    }
    // A name with `#` is a file on its way.
    let commits = files_of(&table.join("_delta_log"))?;
    for commit in commits.iter().filter(|path| !name_of(path).contains('#') && name_of(path) != HINT) {
        link(commit, &log.join(commit.file_name().unwrap_or_default()))?;
    }
    let absolute = std::path::absolute(to).map_err(QueryError::io("cannot name", to))?;
    let url = Url::from_directory_path(&absolute).map_err(|()| QueryError::Internal(format!("{} is no path", to.display())))?;
    let pinned = DeltaTableBuilder::from_url(url)?.load().await?;
    let state = pinned.snapshot()?;
    let files: Vec<String> = state.log_data().iter().map(|file| file.object_store_path().to_string()).collect();
    for file in files {
        let place = to.join(&file);
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder).map_err(QueryError::io("cannot make", folder))?;
        }
        link(&table.join(&file), &place)?;
    }
    Ok(())
}

/// Names, certificates and whatever else lies in the folder.
fn copy_rest(from: &Path, into: &Path) -> Result<(), QueryError> {
    for path in files_of(from)?.into_iter().chain(folders_of(from)?) {
        let name = name_of(&path);
        if NOT_COPIED.contains(&&*name) || name == DATABASE || name.starts_with("checkpoint") {
            continue;
        }
        copy_all(&path, &into.join(&*name))?;
    }
    // What was found damaged in the log once.
    let damaged = from.join("log/damaged");
    if damaged.is_dir() { copy_all(&damaged, &into.join("log/damaged")) } else { Ok(()) }
}

fn copy_all(from: &Path, to: &Path) -> Result<(), QueryError> {
    if !from.is_dir() {
        return copy(from, to);
    }
    fs::create_dir_all(to).map_err(QueryError::io("cannot make", to))?;
    for path in files_of(from)?.into_iter().chain(folders_of(from)?) {
        copy_all(&path, &to.join(path.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

/// A second name for a file that does not change; a copy where the file system has no second names.
fn link(from: &Path, to: &Path) -> Result<(), QueryError> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => copy(from, to),
        linked => linked.map_err(QueryError::io("cannot hold", from)),
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), QueryError> {
    fs::copy(from, to).map(|_| ()).map_err(QueryError::io("cannot copy", from))
}

fn name_of(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or(OsStr::new("")).to_string_lossy()
}

/// The files in a folder by name.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>, QueryError> {
    entries(folder, |kind| kind.is_file())
}

fn folders_of(folder: &Path) -> Result<Vec<PathBuf>, QueryError> {
    entries(folder, |kind| kind.is_dir())
}

fn entries(folder: &Path, wanted: impl Fn(fs::FileType) -> bool) -> Result<Vec<PathBuf>, QueryError> {
    let listing = || QueryError::io("cannot list", folder);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(listing())? {
        let entry = entry.map_err(listing())?;
        if wanted(entry.file_type().map_err(listing())?) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

//! Files of history that are not what the tables say: missing, cut, foreign. Found at the start without reading them, moved out of the
//! way, and never passed over in silence: a question that would need such a file fails and names it.
//!
//! The engineer puts the file back from a backup, or accepts the loss by its name in `history/quarantine/accepted.txt`; at the next
//! start the table then forgets it.

use super::{delta::Tables, place::Place};
use crate::{QueryError, table::files::DataFile};
use andon_models::event::SystemNotice;
use std::{
    collections::HashSet,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// First and last bytes of every Parquet file.
const MAGIC: &[u8; 4] = b"PAR1";
/// Length of the footer and the magic.
const TAIL: u64 = 8;

/// Where wrong files are put, in the history's folder.
const QUARANTINE: &str = "quarantine";
/// Names of files whose loss the engineer accepts, one per line, in the quarantine.
const ACCEPTED: &str = "accepted.txt";

/// Looks at each file of a table: is it there, as long as the table says, and Parquet from the first to the last byte? Files in an
/// object store are not looked at: it vouches for them.
pub fn inspect(place: &Place, files: &mut [DataFile]) {
    let Some(folder) = place.folder() else { return };
    for file in files {
        file.damage =
            check(&folder.join(&*file.relative), file.size).err().map(|reason| describe(folder, file, &reason).into());
    }
}

fn check(path: &Path, size: u64) -> Result<(), String> {
    let look = || -> std::io::Result<Result<(), String>> {
        let mut file = File::open(path)?;
        let found = file.metadata()?.len();
        if found != size {
            return Ok(Err(format!("it has {found} bytes instead of {size}")));
        }
        let (mut head, mut tail) = ([0; 4], [0; TAIL as usize]);
        file.read_exact(&mut head)?;
        file.seek(SeekFrom::End(-8))?;
        file.read_exact(&mut tail)?;
        let footer = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
        let whole = head == *MAGIC && tail[4..] == *MAGIC && footer + TAIL + 4 <= size;
        Ok(if whole { Ok(()) } else { Err("it is no whole Parquet file".into()) })
    };
    look().unwrap_or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Err("it is missing".into()),
        _ => Err(error.to_string()),
    })
}

fn describe(folder: &Path, file: &DataFile, reason: &str) -> String {
    let DataFile { relative, rows, from, to, .. } = file;
    let (path, accepted) = (folder.join(&**relative), quarantine(folder).join(ACCEPTED));
    format!(
        "the history is not complete: {} held {rows} rows from {from} to {to}, but {reason}. Put it back from a backup, or accept the \
         loss with `echo '{}' >> '{}'`, and start again",
        path.display(),
        name(folder, file),
        accepted.display(),
    )
}

/// A file in its table: `samples/day=2026-01-01/….parquet`.
fn name(folder: &Path, file: &DataFile) -> String {
    let table = folder.file_name().unwrap_or_default().to_string_lossy();
    format!("{table}/{}", file.relative)
}

fn quarantine(table: &Path) -> PathBuf {
    table.with_file_name(QUARANTINE)
}

/// Moves wrong files out of the tables' folders, lets the tables forget those whose loss is accepted, and says so.
///
/// # Errors
/// When a file cannot be moved, or a table cannot be written.
pub async fn put_aside(tables: &mut Tables) -> Result<Vec<SystemNotice>, QueryError> {
    let mut notices = Vec::new();
    for table in [&mut tables.samples, &mut tables.events] {
        let Some(folder) = table.place().folder().map(Path::to_owned) else { continue };
        let wrong: Vec<DataFile> = table.files().iter().filter(|file| file.damage.is_some()).cloned().collect();
        if wrong.is_empty() {
            continue;
        }
        let accepted = accepted(&quarantine(&folder))?;
        let (gone, kept): (Vec<_>, Vec<_>) = wrong.into_iter().partition(|file| accepted.contains(&name(&folder, file)));
        for file in gone.iter().chain(&kept) {
            let (from, to) = (folder.join(&*file.relative), quarantine(&folder).join(name(&folder, file)));
            if from.exists() {
                let place = to.parent().unwrap_or(&to);
                std::fs::create_dir_all(place).map_err(QueryError::io("cannot make", place))?;
                std::fs::rename(&from, &to).map_err(QueryError::io("cannot move", &from))?;
            }
        }
        if !gone.is_empty() {
            table.replace(&gone, Vec::new()).await?;
        }
        notices.extend(kept.iter().filter_map(|file| Some(notice("error", file.damage.as_ref()?.to_string()))));
        notices.extend(gone.iter().map(|file| {
            let DataFile { rows, from, to, .. } = file;
            let name = name(&folder, file);
            notice(
                "warning",
                format!("the loss of {name} is accepted: {rows} rows from {from} to {to} are not in the history any more"),
            )
        }));
    }
    Ok(notices)
}

/// The files of a history whose loss the engineer accepts.
///
/// # Errors
/// When their list is there but cannot be read.
pub fn accepted_of(history: &Path) -> Result<HashSet<String>, QueryError> {
    accepted(&history.join(QUARANTINE))
}

fn accepted(quarantine: &Path) -> Result<HashSet<String>, QueryError> {
    let path = quarantine.join(ACCEPTED);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().map(|line| line.trim().to_owned()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(HashSet::new()),
        Err(error) => Err(QueryError::io("cannot read", &path)(error)),
    }
}

fn notice(level: &str, message: String) -> SystemNotice {
    SystemNotice { subject: "history".into(), level: level.into(), message: message.into() }
}

/// Fails if a question would need a file that is not what it should be.
///
/// # Errors
/// Names the file, what is missing, and the way out.
pub fn all_whole<'a>(mut needed: impl Iterator<Item = &'a DataFile>) -> datafusion::error::Result<()> {
    match needed.find_map(|file| file.damage.as_ref()) {
        Some(damage) => Err(datafusion::error::DataFusionError::Execution(damage.to_string())),
        None => Ok(()),
    }
}

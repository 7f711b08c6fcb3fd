//! The checkpoint: newest values and kept documents, written whole at every flush, so that a start never scans history.

use super::store::Memory;
use crate::QueryError;
use andon_models::event::SystemNotice;
use std::{fs::File, io::Write, path::Path};

const FILE: &str = "checkpoint.bin";

/// First bytes of the file, with the version of its form.
const MAGIC: &[u8; 8] = b"ANDONCP1";

/// The checkpoint before. The log keeps what came since then, so both together say as much as the newest one.
const OLD: &str = "checkpoint.old";

/// What was read from the checkpoints.
#[derive(Default)]
pub struct Loaded {
    /// What they know.
    pub memory: Memory,
    /// What was wrong with them, in words for the engineer.
    pub notices: Vec<SystemNotice>,
}

/// Writes a checkpoint, whole or not at all; the one before stays. Answers up to which record the log is not needed any more.
///
/// # Errors
/// When the file cannot be written.
pub fn save(dir: &Path, memory: &Memory) -> Result<u64, QueryError> {
    let keep = memory.kept.iter().map(|(key, document)| (key.clone(), document.clone())).collect();
    let batch = crate::Batch { points: memory.newest.clone(), keep, ..crate::Batch::default() };
    let mut bytes = MAGIC.to_vec();
    super::record::encode(memory.record, &batch, &mut bytes);
    let (path, old) = (dir.join(FILE), dir.join(OLD));
    // A damaged one must not take the place of a good one.
    let before = record(&path)?;
    if before.is_some() {
        std::fs::rename(&path, &old).map_err(QueryError::io("cannot rename", &path))?;
    }
    write_atomically(&path, &bytes)?;
    let before = if before.is_some() { before } else { record(&old)? };
    // The very first one has nothing before it but the log itself.
    Ok(before.unwrap_or(0))
}

/// Up to which record a start needs no log: all of that is in files and in the newest checkpoint.
///
/// # Errors
/// When the checkpoint is there but cannot be read.
pub fn known(dir: &Path) -> Result<u64, QueryError> {
    Ok(record(&dir.join(FILE))?.unwrap_or(0))
}

/// The last record that a checkpoint knows; none if it is not there or not whole.
fn record(path: &Path) -> Result<Option<u64>, QueryError> {
    let bytes = read(path)?;
    let whole = bytes.as_deref().and_then(|bytes| match super::record::find(bytes.strip_prefix(MAGIC)?, 0) {
        super::record::Found::Record { number, .. } => Some(number),
        _ => None,
    });
    Ok(whole)
}

/// Reads the newest checkpoint that is whole. With the older one, a little more of the log is read back.
///
/// # Errors
/// When a file is there but cannot be read.
pub fn load(dir: &Path) -> Result<Loaded, QueryError> {
    let mut loaded = Loaded::default();
    for name in [FILE, OLD] {
        let path = dir.join(name);
        let Some(bytes) = read(&path)? else { continue };
        if let Some(memory) = decode(&bytes) {
            return Ok(Loaded { memory, ..loaded });
        }
        let then = if name == FILE {
            "the one before it and the log say the same"
        } else {
            "newest values and detector states of before that are unknown until new ones come"
        };
        let message = format!("{} is damaged; {then}", path.display());
        loaded.notices.push(SystemNotice { subject: "history".into(), level: "error".into(), message: message.into() });
    }
    Ok(loaded)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, QueryError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(QueryError::io("cannot read", path)(error)),
    }
}

fn decode(bytes: &[u8]) -> Option<Memory> {
    let bytes = bytes.strip_prefix(MAGIC)?;
    let super::record::Found::Record { number, payload, .. } = super::record::find(bytes, 0) else { return None };
    let batch = super::record::decode(&bytes[payload])?;
    Some(Memory { record: number, newest: batch.points, kept: batch.keep.into_iter().collect() })
}

/// Replaces a file so that after a crash there is the old one or the new one, never half of one.
///
/// # Errors
/// When the file cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), QueryError> {
    let temporary = path.with_extension("new");
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(QueryError::io("cannot write", path))
}

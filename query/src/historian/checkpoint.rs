//! The checkpoint: newest values and kept documents, written whole at every flush, so that a start never scans history.

use super::store::Memory;
use crate::QueryError;
use andon_models::event::SystemNotice;
use std::{fs::File, io::Write, path::Path};

const FILE: &str = "checkpoint.bin";

/// First bytes of the file, with the version of its form.
const MAGIC: &[u8; 8] = b"ANDONCP1";

/// Writes a checkpoint, whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn save(dir: &Path, memory: &Memory) -> Result<(), QueryError> {
    let keep = memory.kept.iter().map(|(key, document)| (key.clone(), document.clone())).collect();
    let batch = crate::Batch { points: memory.newest.clone(), keep, ..crate::Batch::default() };
    let mut bytes = MAGIC.to_vec();
    super::record::encode(memory.record, &batch, &mut bytes);
    write_atomically(&dir.join(FILE), &bytes)
}

/// Reads the checkpoint. A damaged one is reported and treated as missing: the values come back with the next samples.
///
/// # Errors
/// When the file is there but cannot be read.
pub fn load(dir: &Path) -> Result<(Memory, Vec<SystemNotice>), QueryError> {
    let path = dir.join(FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Memory::default(), Vec::new())),
        Err(error) => return Err(QueryError::io("cannot read", &path)(error)),
    };
    match decode(&bytes) {
        Some(memory) => Ok((memory, Vec::new())),
        None => {
            let message = format!(
                "{} is damaged; newest values and detector states of before the last flush are unknown",
                path.display()
            );
            let notice = SystemNotice { subject: "history".into(), level: "error".into(), message: message.into() };
            Ok((Memory::default(), vec![notice]))
        }
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

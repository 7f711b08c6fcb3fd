//! The checkpoint: newest values and kept documents, written whole at every flush, so that a start never scans history.

use super::{
    record::{self, Found},
    store::Memory,
};
use crate::{Batch, QueryError};
use andon_models::event::SystemNotice;
use std::{fs::File, io::Write, path::Path};

const FILE: &str = "checkpoint.bin";

/// First bytes of the file, with the version of its form.
const MAGIC: &[u8; 8] = b"ANDONCP2";

/// Newest values in one record: its size stays far below what a record may have, however many series there are.
const POINTS_PER_RECORD: usize = 100_000;

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
    let bytes = encode(memory);
    let (path, old) = (dir.join(FILE), dir.join(OLD));
    // A damaged one must not take the place of a good one.
    let before = last_record(&path)?;
    if before.is_some() {
        std::fs::rename(&path, &old).map_err(QueryError::io("cannot rename", &path))?;
    }
    write_atomically(&path, &bytes)?;
    let before = if before.is_some() { before } else { last_record(&old)? };
    // The very first one has nothing before it but the log itself.
    Ok(before.unwrap_or(0))
}

/// Up to which record a start needs no log: all of that is in files and in the newest checkpoint.
///
/// # Errors
/// When the checkpoint is there but cannot be read.
pub fn known(dir: &Path) -> Result<u64, QueryError> {
    Ok(last_record(&dir.join(FILE))?.unwrap_or(0))
}

/// The last record that a checkpoint knows; none if it is not there or not whole.
fn last_record(path: &Path) -> Result<Option<u64>, QueryError> {
    let bytes = read(path)?;
    let whole = bytes.as_deref().and_then(records).and_then(|records| Some(records.first()?.0));
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

/// The form of the file: magic, how many records follow, the records; the kept documents are in the first.
fn encode(memory: &Memory) -> Vec<u8> {
    let keep = memory.kept.iter().map(|(key, document)| (key.clone(), document.clone())).collect();
    let documents = Batch { keep, ..Batch::default() };
    let values = memory.newest.chunks(POINTS_PER_RECORD).map(|points| Batch { points: points.to_vec(), ..Batch::default() });
    let count = 1 + memory.newest.len().div_ceil(POINTS_PER_RECORD);
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    for batch in [documents].into_iter().chain(values) {
        record::encode(memory.record, &batch, &mut bytes);
    }
    bytes
}

/// Number and payload of every record, if all are there and whole.
fn records(bytes: &[u8]) -> Option<Vec<(u64, &[u8])>> {
    let (count, bytes) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
    let mut at = 0;
    let mut records = Vec::new();
    while let Found::Record { number, payload, next } = record::find(bytes, at) {
        records.push((number, &bytes[payload]));
        at = next;
    }
    (at == bytes.len() && records.len() == u32::from_le_bytes(*count) as usize).then_some(records)
}

fn decode(bytes: &[u8]) -> Option<Memory> {
    let mut memory = Memory::default();
    for (number, payload) in records(bytes)? {
        let batch = record::decode(payload)?;
        memory.record = number;
        memory.newest.extend(batch.points);
        memory.kept.extend(batch.keep);
    }
    Some(memory)
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

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{Point, SeriesId, Timestamp, Tqv};

    #[test]
    fn any_number_of_series_comes_back_and_a_cut_is_noticed() {
        for series in [0, 1, POINTS_PER_RECORD, POINTS_PER_RECORD * 2 + 1] {
            let value = |series| Tqv::good(Timestamp::from_seconds(i64::from(series)), f64::from(series).into());
            let newest = (0..series as u32).map(|series| Point { series: SeriesId(series), tqv: value(series) }).collect();
            let memory = Memory { record: 7, newest, kept: [("armed".to_owned(), vec![1])].into() };
            let bytes = encode(&memory);
            let read = decode(&bytes).unwrap();
            assert_eq!((read.record, read.newest == memory.newest, read.kept == memory.kept), (7, true, true));
            assert!(decode(&bytes[..bytes.len() - 1]).is_none());
        }
    }
}

//! `streams.bin`: the definitions of data streams that are not in the log any more. It only grows, by what is new at a flush.
//!
//! It consists of records like those of the log; each holds some streams, in the order of their numbers.

use super::streams::{DataStream, Streams};
use crate::{
    Batch, QueryError,
    historian::record::{self, Found, MAGIC},
};
use andon_models::event::SystemNotice;
use std::{
    fs::{File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::Path,
};

const FILE: &str = "streams.bin";
/// Streams of one record: with names of any length it stays well below the largest record.
const STREAMS_PER_RECORD: usize = 10_000;

/// Reads the streams of a folder. What cannot be read is told; a record that was never finished is still in the log.
///
/// # Errors
/// When the file is there but cannot be read.
pub fn load(dir: &Path, streams: &Streams) -> Result<Vec<SystemNotice>, QueryError> {
    let path = dir.join(FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(QueryError::io("cannot read", &path)(error)),
    };
    let (mut at, mut damaged) = (0, 0);
    while at < bytes.len() {
        if let Found::Record { payload, next, .. } = record::find(&bytes, at) {
            match record::decode(&bytes[payload]) {
                Some(batch) => streams.restore(batch.streams),
                None => damaged += next - at,
            }
            at = next;
            continue;
        }
        let next = (at + 1..bytes.len().saturating_sub(MAGIC.len()))
            .find(|at| bytes[*at..].starts_with(&MAGIC) && matches!(record::find(&bytes, *at), Found::Record { .. }));
        let Some(next) = next else { break };
        damaged += next - at;
        at = next;
    }
    streams.set_saved(streams.len(), at as u64);
    let message = format!("{}: {damaged} damaged bytes; some data streams have lost their names", path.display());
    let notice = SystemNotice { subject: "history".into(), level: "error".into(), message: message.into() };
    Ok(if damaged > 0 { vec![notice] } else { Vec::new() })
}

/// Appends the streams that the file does not have yet, and makes them durable.
///
/// # Errors
/// When the file cannot be written. Nothing is lost: the log has them.
pub fn save(dir: &Path, streams: &Streams) -> Result<(), QueryError> {
    let path = dir.join(FILE);
    let ((mut saved, mut bytes_end), end) = (streams.saved(), streams.len());
    if saved == end {
        return Ok(());
    }
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
    let mut file = file.map_err(QueryError::io("cannot open", &path))?;
    let mut append = || -> std::io::Result<()> {
        // An unfinished record of an earlier try must not stand before new ones.
        file.set_len(bytes_end)?;
        file.seek(SeekFrom::End(0))?;
        while saved < end {
            let some: Vec<DataStream> = streams.range(saved, STREAMS_PER_RECORD.min(end - saved));
            let mut bytes = Vec::new();
            let (number, count) = (saved as u64, some.len());
            record::encode(number, &Batch { streams: some, ..Batch::default() }, &mut bytes);
            file.write_all(&bytes)?;
            bytes_end += bytes.len() as u64;
            saved += count;
        }
        file.sync_all()
    };
    append().map_err(QueryError::io("cannot write", &path))?;
    if streams.saved().0 == 0 {
        File::open(dir).and_then(|folder| folder.sync_all()).map_err(QueryError::io("cannot sync", dir))?;
    }
    streams.set_saved(end, bytes_end);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::ValueType;

    fn names(streams: &Streams) -> Vec<String> {
        streams.range(0, streams.len()).iter().map(|stream| stream.alias.to_string()).collect()
    }

    fn add(streams: &Streams, names: &[&str]) {
        names.iter().for_each(|name| _ = streams.find_or_add(name, ValueType::Double, "").unwrap());
    }

    #[test]
    fn streams_are_appended_and_an_unfinished_record_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let streams = Streams::default();
        add(&streams, &["a", "b"]);
        save(folder.path(), &streams).unwrap();
        let whole = std::fs::read(&path).unwrap();
        add(&streams, &["c"]);
        save(folder.path(), &streams).unwrap();
        let longer = std::fs::read(&path).unwrap();
        assert!(longer.starts_with(&whole) && longer.len() > whole.len());
        for length in whole.len()..longer.len() {
            std::fs::write(&path, &longer[..length]).unwrap();
            let again = Streams::default();
            assert!(load(folder.path(), &again).unwrap().is_empty(), "cut at {length}");
            assert_eq!(names(&again), ["a", "b"]);
            add(&again, &["c"]);
            save(folder.path(), &again).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), longer, "cut at {length}");
        }
    }

    #[test]
    fn damage_in_the_middle_is_told_and_numbers_stay() {
        let folder = tempfile::tempdir().unwrap();
        let streams = Streams::default();
        for name in ["a", "b", "c"] {
            add(&streams, &[name]);
            save(folder.path(), &streams).unwrap();
        }
        let path = folder.path().join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let again = Streams::default();
        assert_eq!(load(folder.path(), &again).unwrap().len(), 1);
        assert_eq!(names(&again), ["a", "lost name of series 1073741825", "c"]);
    }
}

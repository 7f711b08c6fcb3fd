//! Reads the log back after a stop, clean or not.

use super::{segments, sync_folder};
use crate::{
    Batch,
    error::QueryError,
    historian::record::{self, Found, MAGIC},
};
use andon_models::event::SystemNotice;
use std::path::Path;

/// What the log said.
#[derive(Default)]
pub struct Recovery {
    /// The highest number of any record; none when there is none.
    pub last_number: Option<u64>,
    /// What was cut or put aside, in words for the engineer.
    pub notices: Vec<SystemNotice>,
}

/// Hands every whole record to `replay`, oldest first. Cuts a torn tail; copies damage in the middle into `log/damaged/`.
/// Without `mend` nothing is changed on disk: somebody else may be writing.
///
/// # Errors
/// When the log's files cannot be read or mended.
pub fn recover(folder: &Path, mend: bool, mut replay: impl FnMut(u64, Batch)) -> Result<Recovery, QueryError> {
    let mut recovery = Recovery::default();
    let segments = segments(folder)?;
    for (index, (_, path)) in segments.iter().enumerate() {
        let bytes = std::fs::read(path).map_err(QueryError::io("cannot read", path))?;
        let newest = index + 1 == segments.len();
        let end = recovery.read(path, &bytes, newest, mend, &mut replay)?;
        if end < bytes.len() && mend {
            let file = std::fs::OpenOptions::new().write(true).open(path).map_err(QueryError::io("cannot open", path))?;
            let cut = file.set_len(end as u64).and_then(|()| file.sync_all());
            cut.map_err(QueryError::io("cannot cut the torn end of", path))?;
        }
    }
    Ok(recovery)
}

impl Recovery {
    /// Reads one segment; returns where its whole records end.
    fn read(
        &mut self,
        path: &Path,
        bytes: &[u8],
        newest: bool,
        mend: bool,
        replay: &mut impl FnMut(u64, Batch),
    ) -> Result<usize, QueryError> {
        let mut at = 0;
        loop {
            match record::find(bytes, at) {
                Found::End => return Ok(bytes.len()),
                Found::Record { number, payload, next } => {
                    self.last_number = self.last_number.max(Some(number));
                    match record::decode(&bytes[payload]) {
                        Some(batch) => replay(number, batch),
                        None => self.put_aside(path, &bytes[at..next], at, mend)?,
                    }
                    at = next;
                }
                Found::Damaged => match next_record(bytes, at + 1) {
                    Some(next) => {
                        self.put_aside(path, &bytes[at..next], at, mend)?;
                        at = next;
                    }
                    None if newest => {
                        let torn = bytes.len() - at;
                        self.notice(
                            "info",
                            format!("{}: {torn} bytes of a record that was never finished were cut", path.display()),
                        );
                        return Ok(at);
                    }
                    None => {
                        self.put_aside(path, &bytes[at..], at, mend)?;
                        return Ok(bytes.len());
                    }
                },
            }
        }
    }

    fn put_aside(&mut self, path: &Path, damaged: &[u8], at: usize, mend: bool) -> Result<(), QueryError> {
        if !mend {
            self.notice("warning", format!("{}: {} damaged bytes at {at} could not be read", path.display(), damaged.len()));
            return Ok(());
        }
        let folder = path.with_file_name("damaged");
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let copy = folder.join(format!("{name}-{at}.bin"));
        std::fs::create_dir_all(&folder).map_err(QueryError::io("cannot make", &folder))?;
        std::fs::write(&copy, damaged).map_err(QueryError::io("cannot write", &copy))?;
        sync_folder(&folder)?;
        let (bytes, path, copy) = (damaged.len(), path.display(), copy.display());
        self.notice("error", format!("{path}: {bytes} damaged bytes at {at} could not be read; they are kept in {copy}"));
        Ok(())
    }

    fn notice(&mut self, level: &str, message: String) {
        self.notices.push(SystemNotice { subject: "log".into(), level: level.into(), message: message.into() });
    }
}

/// Where the next whole record begins, if there is one.
fn next_record(bytes: &[u8], from: usize) -> Option<usize> {
    (from..bytes.len().saturating_sub(MAGIC.len())).find(|at| matches!(record::find(bytes, *at), Found::Record { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{Point, SeriesId, Timestamp, Tqv, Value};

    fn batch(value: i64) -> Batch {
        let tqv = Tqv::good(Timestamp::from_seconds(value), Value::Integer(value));
        Batch { points: vec![Point { series: SeriesId(1), tqv }], ..Batch::default() }
    }

    /// Five records, and where each ends.
    fn five() -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for number in 0..5 {
            record::encode(number, &batch(number as i64), &mut bytes);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn read(bytes: &[u8]) -> (Vec<u64>, Recovery) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(format!("{:020}.log", 0)), bytes).unwrap();
        let mut numbers = Vec::new();
        let recovery = recover(folder.path(), true, |number, _| numbers.push(number)).unwrap();
        let mut again = Vec::new();
        recover(folder.path(), true, |number, _| again.push(number)).unwrap();
        assert_eq!(numbers, again, "recovery can be interrupted and repeated");
        (numbers, recovery)
    }

    #[test]
    fn a_tail_torn_at_any_byte_loses_only_the_torn_record() {
        let (bytes, ends) = five();
        for length in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= length).count() as u64;
            let (numbers, _) = read(&bytes[..length]);
            assert_eq!(numbers, (0..whole).collect::<Vec<_>>(), "cut at {length}");
        }
    }

    #[test]
    fn a_flip_at_any_byte_loses_only_its_record_and_is_reported() {
        let (bytes, ends) = five();
        for place in 0..bytes.len() {
            let hit = ends.iter().filter(|end| **end <= place).count() as u64;
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x10;
            let (numbers, recovery) = read(&damaged);
            assert_eq!(numbers, (0..5).filter(|number| *number != hit).collect::<Vec<_>>(), "flipped at {place}");
            assert_eq!(recovery.notices.len(), 1, "flipped at {place}");
        }
    }
}

//! Reads the log back after a stop, clean or not.

use super::{segments, sync_folder};
use crate::{
    Batch,
    error::QueryError,
    historian::record::{self, Found, MAGIC},
};
use andon_models::event::SystemNotice;
use std::{collections::BTreeMap, path::Path};

/// What the log said.
#[derive(Default)]
pub struct Recovery {
    /// The highest number of any record; none when there is none.
    pub last_number: Option<u64>,
    /// What was cut or put aside, in words for the engineer.
    pub notices: Vec<SystemNotice>,
}

/// Hands every whole record to `replay`, in the order of their numbers and each once. Cuts a torn tail; copies damage in the middle
/// into `log/damaged/`. Segments with nothing but records up to `known` are not read. Without `mend` nothing is changed on disk: somebody else may be writing.
///
/// # Errors
/// When the log's files cannot be read or mended.
pub fn recover(folder: &Path, known: u64, mend: bool, replay: impl FnMut(u64, Batch)) -> Result<Recovery, QueryError> {
    let mut recovery = Recovery::default();
    let mut replay = InOrder { replay, held: BTreeMap::new(), last: None };
    let segments = segments(folder)?;
    for (index, (_, path)) in segments.iter().enumerate() {
        let following = segments.get(index + 1).map(|(first, _)| *first);
        if following.is_some_and(|following| following <= known + 1) {
            continue;
        }
        let bytes = std::fs::read(path).map_err(QueryError::io("cannot read", path))?;
        let end = recovery.read(path, &bytes, following, mend, &mut replay)?;
        if end < bytes.len() && mend {
            let file = std::fs::OpenOptions::new().write(true).open(path).map_err(QueryError::io("cannot open", path))?;
            let cut = file.set_len(end as u64).and_then(|()| file.sync_all());
            cut.map_err(QueryError::io("cannot cut the torn end of", path))?;
        }
    }
    if mend {
        remove_unfinished(folder)?;
    }
    Ok(recovery)
}

/// Segments that never got their name: nothing in them was acknowledged.
fn remove_unfinished(folder: &Path) -> Result<(), QueryError> {
    for entry in std::fs::read_dir(folder).map_err(QueryError::io("cannot list", folder))? {
        let path = entry.map_err(QueryError::io("cannot list", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "new") {
            std::fs::remove_file(&path).map_err(QueryError::io("cannot remove", &path))?;
        }
    }
    Ok(())
}

/// Records in the order of their numbers, each once. After a failed write the log begins a new segment with the records of that
/// write; whatever of them the segment before has as well must wait until it is known which ones the new segment has.
struct InOrder<F> {
    replay: F,
    held: BTreeMap<u64, Batch>,
    last: Option<u64>,
}

impl<F: FnMut(u64, Batch)> InOrder<F> {
    /// Takes a record of a segment; `following` is the first number of the next one.
    fn take(&mut self, number: u64, batch: Batch, following: Option<u64>) {
        if following.is_some_and(|following| number >= following) {
            self.held.entry(number).or_insert(batch);
            return;
        }
        while let Some(entry) = self.held.first_entry().filter(|entry| *entry.key() <= number) {
            let (number, batch) = entry.remove_entry();
            self.hand_over(number, batch);
        }
        self.hand_over(number, batch);
    }

    /// A segment has ended: nothing below the next one comes any more.
    fn end(&mut self, following: Option<u64>) {
        let later = following.map_or_else(BTreeMap::new, |following| self.held.split_off(&following));
        for (number, batch) in std::mem::replace(&mut self.held, later) {
            self.hand_over(number, batch);
        }
    }

    fn hand_over(&mut self, number: u64, batch: Batch) {
        if self.last.is_none_or(|last| number > last) {
            self.last = Some(number);
            (self.replay)(number, batch);
        }
    }
}

impl Recovery {
    /// Reads one segment; returns where its whole records end.
    fn read(
        &mut self,
        path: &Path,
        bytes: &[u8],
        following: Option<u64>,
        mend: bool,
        replay: &mut InOrder<impl FnMut(u64, Batch)>,
    ) -> Result<usize, QueryError> {
        let mut at = 0;
        let end = loop {
            match record::find(bytes, at) {
                Found::End => break bytes.len(),
                Found::Record { number, payload, next } => {
                    self.last_number = self.last_number.max(Some(number));
                    match record::decode(&bytes[payload]) {
                        Some(batch) => replay.take(number, batch, following),
                        None => self.put_aside(path, &bytes[at..next], at, mend)?,
                    }
                    at = next;
                }
                Found::Damaged => match next_record(bytes, at + 1) {
                    Some(next) => {
                        self.put_aside(path, &bytes[at..next], at, mend)?;
                        at = next;
                    }
                    None if following.is_none() => {
                        let torn = bytes.len() - at;
                        self.notice(
                            "info",
                            format!("{}: {torn} bytes of a record that was never finished were cut", path.display()),
                        );
                        break at;
                    }
                    None => {
                        self.put_aside(path, &bytes[at..], at, mend)?;
                        break bytes.len();
                    }
                },
            }
        };
        replay.end(following);
        Ok(end)
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
        let recovery = recover(folder.path(), 0, true, |number, _| numbers.push(number)).unwrap();
        let mut again = Vec::new();
        recover(folder.path(), 0, true, |number, _| again.push(number)).unwrap();
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

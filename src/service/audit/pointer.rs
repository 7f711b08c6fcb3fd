//! The file `head`: which record is the last, and where it ends. It is written after the record is on disk, so it may be behind the
//! chain after a loss of power, and is never before it. It tells that records are missing at the end, and lets an append begin
//! without reading what was. Whoever appends holds its lock.

use super::lines;
use andon_models::audit::{Hash, Head};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

/// The name of the file.
pub const FILE: &str = "head";
/// Its bytes, always the same number: a write replaces all of it at once.
const BYTES: usize = 256;

/// More records or bytes than any disk holds.
const MOST: u64 = 1 << 62;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The number of the last record.
    pub record: u64,
    /// Its hash.
    pub hash: Hash,
    /// The file it is in.
    pub file: String,
    /// Where its line ends there.
    pub bytes: u64,
}

/// What stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// There is no such file, or it was just made.
    Nothing,
    /// It cannot be read, or was not written by us.
    Damaged,
    /// A head.
    Head(Pointer),
}

impl Pointer {
    /// The head it names.
    pub fn head(&self) -> Head {
        Head { record: self.record, hash: self.hash }
    }

    /// Whether an audit may have come so far. The name is joined to the folder, and the numbers are counted on from.
    fn is_possible(&self) -> bool {
        self.record < MOST && self.bytes < MOST && lines::is_of_a_month(&self.file)
    }

    /// All bytes of the file.
    fn text(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(self).expect("a pointer is plain data");
        text.resize(BYTES - 1, b' ');
        text.push(b'\n');
        text
    }
}

/// Opens the file to append under its lock, which lasts as long as the file is open.
pub fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(FILE);
    lines::must_be_a_file(&path)?;
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// Reads it while nobody appends.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read(folder: &Path) -> std::io::Result<Told> {
    let mut file = match lines::open(&folder.join(FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Told::Nothing),
        Err(error) => return Err(error),
    };
    file.lock_shared()?;
    told(&mut file)
}

/// What an open file says.
pub fn told(file: &mut File) -> std::io::Result<Told> {
    let mut text = Vec::with_capacity(BYTES);
    file.seek(SeekFrom::Start(0))?;
    file.take(BYTES as u64 + 1).read_to_end(&mut text)?;
    if text.is_empty() {
        return Ok(Told::Nothing);
    }
    let pointer = serde_json::from_slice::<Pointer>(&text).ok();
    let pointer = pointer.filter(|pointer| pointer.is_possible() && pointer.text() == text);
    Ok(pointer.map_or(Told::Damaged, Told::Head))
}

/// Replaces what an open file says.
pub fn write(file: &mut File, pointer: &Pointer) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&pointer.text())?;
    file.set_len(BYTES as u64)
}

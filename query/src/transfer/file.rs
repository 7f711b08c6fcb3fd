//! Which kind of file it is, by its content, and how it is read. The one place that decides about forms of files.

use super::{
    ReadOptions, csv,
    names::Names,
    parquet,
    rows::{Rows, Take},
};
use crate::QueryError;
use flate2::read::MultiGzDecoder;
use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// First bytes looked at.
const HEAD: usize = 4_096;

/// Bytes read at once.
const BUFFER: usize = 1 << 20;

/// The forms of files that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Separated values, as text.
    Csv,
    /// Separated values, compressed.
    CsvGz,
    /// Parquet.
    Parquet,
}

impl Kind {
    /// The kind of a file that begins with these bytes.
    ///
    /// # Errors
    /// When it is none that can be read, in words.
    pub fn of(head: &[u8]) -> Result<Self, String> {
        if head.starts_with(b"PAR1") {
            Ok(Self::Parquet)
        } else if head.starts_with(&[0x1f, 0x8b]) {
            Ok(Self::CsvGz)
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || head.starts_with(b"PK") || head.contains(&0) {
            Err("is neither CSV (as UTF-8 text, or compressed by gzip) nor Parquet".into())
        } else {
            Ok(Self::Csv)
        }
    }
}

/// Reads a file to its end, or until it is told to stop.
///
/// # Errors
/// When it cannot be read. What is wrong within it is told step by step.
pub fn read(path: &Path, names: &Names, options: &ReadOptions, take: &mut Take<'_>) -> Result<(), QueryError> {
    let reading = || QueryError::io("cannot read", path);
    let mut file = File::open(path).map_err(QueryError::io("cannot open", path))?;
    let metadata = file.metadata().map_err(reading())?;
    if metadata.is_dir() {
        return Err(reading()(std::io::Error::other("it is a folder; name the files in it")));
    }
    let mut head = Vec::new();
    file.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(reading())?;
    file.rewind().map_err(|_| reading()(std::io::Error::other("it must be a file, because it is read twice")))?;
    let kind = Kind::of(&head).map_err(|reason| reading()(std::io::Error::other(format!("it {reason}"))))?;
    let mut take = |step| take(step);
    let mut rows = Rows::new(names, options, &mut take);
    let consumed = Arc::new(AtomicU64::new(0));
    match kind {
        Kind::Parquet => Ok(parquet::read(file, metadata.len(), &mut rows)?),
        Kind::Csv => {
            csv::read(buffered(Counting { file, consumed: consumed.clone() }), &consumed, &mut rows).map_err(reading())
        }
        Kind::CsvGz => {
            let decoder = MultiGzDecoder::new(Counting { file, consumed: consumed.clone() });
            csv::read(buffered(decoder), &consumed, &mut rows).map_err(reading())
        }
    }
}

fn buffered(input: impl Read) -> impl BufRead {
    BufReader::with_capacity(BUFFER, input)
}

/// Counts what is read of a file.
struct Counting {
    file: File,
    consumed: Arc<AtomicU64>,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.consumed.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

//! The files of a chain and their lines.

use andon_models::audit::MAX_LINE;
use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    path::Path,
};

/// What the name of a file of records ends with.
const EXTENSION: &str = ".jsonl";

/// Whether a name is that of a file of records: `2026-11.jsonl`. What else lies in the folder is no part of the chain.
pub fn is_of_a_month(name: &str) -> bool {
    let month = name.strip_suffix(EXTENSION).map(str::as_bytes);
    month.is_some_and(|month| {
        month.len() == 7
            && month.iter().enumerate().all(|(at, byte)| if at == 4 { *byte == b'-' } else { byte.is_ascii_digit() })
    })
}

/// Opens a file of the audit to be read. Anything else under its name is refused: a pipe would be waited for, and nothing in a folder
/// could be read or written.
///
/// # Errors
/// When it cannot be opened, or is no file.
pub fn open(path: &Path) -> io::Result<File> {
    must_be_a_file(path)?;
    File::open(path)
}

/// Refuses what stands under a name and is no file. Nothing may stand there.
///
/// # Errors
/// When something else does.
pub fn must_be_a_file(path: &Path) -> io::Result<()> {
    let kind = match std::fs::metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if kind.is_file() {
        return Ok(());
    }
    let what = if kind.is_dir() { "a folder" } else { "a pipe or a device" };
    let message =
        format!("{} is {what} where a file of the audit belongs; move it away, and put the file back", path.display());
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// The names of all files of records, in the order of the chain.
///
/// # Errors
/// When the folder cannot be listed.
pub fn files(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if is_of_a_month(&name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The file that records of an instant go to: one for each month, by UTC.
pub fn file_of(time: andon_models::Timestamp) -> String {
    let text = time.to_string();
    // A year before 0 or after 9999 is no instant of a clock.
    format!("{}{EXTENSION}", text.get(..7).unwrap_or("0000-00"))
}

/// The lines of a file from a place on.
pub struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
}

/// The next thing in a file.
pub enum Next<'a> {
    /// A line, without its end. One that is longer than any record is cut.
    Line {
        /// Its bytes.
        bytes: &'a [u8],
        /// How many bytes of the file it takes, with its end.
        length: u64,
    },
    /// Bytes at the end that are no whole line: cut off, or being written.
    Open(&'a [u8]),
    /// Nothing more.
    End,
}

impl Lines {
    /// Reads a file from a byte on.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn from(path: &Path, place: u64) -> io::Result<Self> {
        let mut file = open(path)?;
        file.seek(SeekFrom::Start(place))?;
        Ok(Self { reader: BufReader::with_capacity(1 << 16, file), line: Vec::new() })
    }

    /// The next line.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next(&mut self) -> io::Result<Next<'_>> {
        self.line.clear();
        let read = self.reader.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut self.line)?;
        let mut length = read as u64;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            return Ok(Next::Line { bytes: &self.line, length });
        }
        if read <= MAX_LINE {
            return Ok(if read == 0 { Next::End } else { Next::Open(&self.line) });
        }
        // Longer than any record: its end is looked for without keeping it.
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(Next::Open(&self.line));
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let passed = end.map_or(buffer.len(), |end| end + 1);
            self.reader.consume(passed);
            length += passed as u64;
            if end.is_some() {
                return Ok(Next::Line { bytes: &self.line, length });
            }
        }
    }
}

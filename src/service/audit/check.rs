//! Reads a chain back: all of it, or what came since.

use super::{
    lines::{self, Lines, Next},
    pointer::{self, Pointer, Told},
};
use andon_models::{
    Timestamp,
    audit::{BadRecord, Fault, Head, Verifier, Wrong},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// How far a chain was read. Going on costs what came since.
#[derive(Clone, Debug, Default)]
pub struct Check {
    folder: PathBuf,
    verifier: Verifier,
    place: Place,
    /// The line before it.
    before: Place,
    /// The files that were read, with their bytes then: one that was cut or grew behind our back is told without reading it again.
    passed: Vec<(String, u64)>,
    /// Bytes at the end that are no whole line.
    open: u64,
    /// Whether somebody may be adding records: then what lies behind the head is not read yet.
    live: bool,
}

#[derive(Clone, Debug, Default)]
struct Place {
    file: String,
    /// Counted from 1; 0 before the first.
    line: u64,
    bytes: u64,
}

/// What may go wrong with a reading.
pub type Outcome = io::Result<Result<(), BadRecord>>;

impl Check {
    /// The chain in a folder of files.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..Self::default() }
    }

    /// The chain of a plant that runs here.
    pub fn live(folder: &Path) -> Self {
        Self { live: true, ..Self::new(folder) }
    }

    /// The last record that was found good.
    pub fn head(&self) -> Head {
        self.verifier.head()
    }

    /// When the first and the last record were written.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.verifier.span()
    }

    /// Lines that a crash cut off and that were owned up to.
    pub fn torn(&self) -> u64 {
        self.verifier.torn()
    }

    /// Bytes at the end that are no whole line: a crash has cut it off, or it is being written.
    pub fn open_bytes(&self) -> u64 {
        self.open
    }

    /// Reads on to the end. `record` hears of every record that is good, and how many bytes it took.
    ///
    /// # Errors
    /// When the files cannot be read; the inner one is the first thing that is wrong.
    pub fn go_on(&mut self, record: &mut dyn FnMut(&Head, u64)) -> Outcome {
        if !self.passed.is_empty() && !self.folder.is_dir() {
            // A disk that is away comes back as it was; nothing of it was changed.
            let gone = format!("{} is not there; is its disk away?", self.folder.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, gone));
        }
        // Before the files: it must not speak of records that come while they are read.
        let told = pointer::read(&self.folder)?;
        let pointer = match &told {
            Told::Head(pointer) => Some(pointer),
            Told::Nothing | Told::Damaged => None,
        };
        self.verifier.tell(pointer.map(Pointer::head));
        let files = lines::files(&self.folder)?;
        if let Some(bad) = self.changed_behind(&files)? {
            return Ok(Err(bad));
        }
        self.open = 0;
        let from = self.place.file.clone();
        for name in files.into_iter().filter(|name| *name >= from) {
            if name != self.place.file {
                self.before.clone_from(&self.place);
                self.place = Place { file: name, line: 0, bytes: 0 };
            }

            if let Err(bad) = self.file(pointer, record)? {
                return Ok(Err(bad));
            }
            self.passed.retain(|(passed, _)| *passed != self.place.file);
            self.passed.push((self.place.file.clone(), self.place.bytes));
        }
        let nothing = told == Told::Damaged && self.verifier.head() == Head::START;
        let end = if nothing {
            Err(Fault { record: 1, line_before: false, time: None, wrong: Wrong::NoHead })
        } else {
            self.verifier.end()
        };
        Ok(end.map_err(|fault| self.bad(&fault, &self.place)))
    }

    fn file(&mut self, pointer: Option<&Pointer>, record: &mut dyn FnMut(&Head, u64)) -> Outcome {
        let mut lines = Lines::from(&self.folder.join(&self.place.file), self.place.bytes)?;
        let here = |place: &Place, pointer: &Pointer| pointer.file == place.file && pointer.bytes == place.bytes;
        loop {
            if self.live && pointer.is_some_and(|pointer| here(&self.place, pointer)) {
                return Ok(Ok(()));
            }
            match lines.next()? {
                Next::Line { bytes, length } => {
                    // The first line of a file leaves the last one of the file before where it was.
                    if self.place.line > 0 {
                        self.before.clone_from(&self.place);
                    }
                    self.place.line += 1;
                    self.place.bytes += length;
                    let before = self.verifier.head();
                    if let Err(fault) = self.verifier.line(bytes) {
                        let place = if fault.line_before { &self.before } else { &self.place };
                        return Ok(Err(self.bad(&fault, place)));
                    }
                    let head = self.verifier.head();
                    if head == before {
                        // No record: the next line, or the end, says what it is.
                        continue;
                    }
                    record(&head, length);
                    if pointer.is_some_and(|pointer| pointer.head() == head && !here(&self.place, pointer)) {
                        let fault = Fault { record: head.record, line_before: false, time: None, wrong: Wrong::NoHead };
                        return Ok(Err(self.bad(&fault, &self.place)));
                    }
                }
                Next::Open(bytes) => {
                    self.open = bytes.len() as u64;
                    return Ok(Ok(()));
                }
                Next::End => return Ok(Ok(())),
            }
        }
    }

    /// A file that was read before and is not any more as long as it was.
    fn changed_behind(&self, files: &[String]) -> io::Result<Option<BadRecord>> {
        for (name, bytes) in &self.passed {
            let length = if files.contains(name) { fs::metadata(self.folder.join(name))?.len() } else { 0 };
            let grows = *name == self.place.file;
            if length < *bytes || !grows && length != *bytes {
                let wrong = format!("the file had {bytes} bytes when it was read last, and has {length} now");
                let place = Place { file: name.clone(), line: 0, bytes: 0 };
                return Ok(Some(bad(0, &place, None, wrong)));
            }
        }
        let known = |name: &&String| **name < self.place.file && !self.passed.iter().any(|(passed, _)| passed == *name);
        let new = files.iter().find(known);
        Ok(new.map(|name| {
            let place = Place { file: name.clone(), line: 0, bytes: 0 };
            bad(0, &place, None, "the file was put there after those behind it had been read".into())
        }))
    }

    fn bad(&self, fault: &Fault, place: &Place) -> BadRecord {
        bad(fault.record, place, fault.time, fault.wrong.to_string())
    }
}

fn bad(record: u64, place: &Place, time: Option<Timestamp>, wrong: String) -> BadRecord {
    BadRecord { record, file: place.file.clone(), line: place.line, time, wrong, advice: ADVICE.into() }
}

/// What to do about a record that is not as it was written.
const ADVICE: &str = "copy the folder `audit` away as it is; look for the record in a backup (`andon audit verify --data BACKUP`) and \
     ask who could write the data folder; if it was the disk, stop Andon and put the file back from the backup";

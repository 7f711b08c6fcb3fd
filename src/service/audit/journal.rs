//! Adds records to the files of a chain. An append reads the head, and what lies behind it after a crash, never what was before.
//!
//! A line that a crash has cut off stays where it is; the next record owns up to it. What a disk did not take of a write that was
//! refused is taken back: nobody was told of it.

use super::{
    FOLDER,
    lines::{self, Lines, Next},
    pointer::{self, Pointer, Told},
};
use andon_models::{
    EventId, Timestamp,
    audit::{ANDON, Entry, HEAD_MISSING, Hash, Head, Record, TORN_LINE, Verifier, content, owned},
};
use anyhow::Context;
use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

/// Bytes at the end of the newest two files in which a start looks for what an earlier run may have added: many times what can be
/// on its way at once.
const TAIL_BYTES: u64 = 4 << 20;

/// The chain of one data folder.
#[derive(Clone, Debug)]
pub struct Journal {
    folder: PathBuf,
}

/// Where the next record goes.
struct Tail {
    head: Head,
    file: String,
    /// The bytes of that file.
    bytes: u64,
    /// What has to stand before the next line: the end of one that has none.
    before: &'static [u8],
    /// What the audit has to say of itself first: the verb and the detail.
    own: Option<(&'static str, String)>,
}

impl Journal {
    /// The chain of a data folder; its folder is made.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        let folder = data.join(FOLDER);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// The folder of its files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The last record.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn tail(&self) -> anyhow::Result<Head> {
        let mut file = pointer::lock(&self.folder)?;
        Ok(self.find(&mut file)?.head)
    }

    /// Adds records, and answers with the last one when they are on disk.
    ///
    /// # Errors
    /// When they could not be written; then none of them was.
    pub fn append(&self, entries: &[Entry], now: Timestamp) -> anyhow::Result<Head> {
        let mut head_file = pointer::lock(&self.folder)?;
        let tail = self.find(&mut head_file)?;
        let own = tail.own.as_ref().map(|(verb, detail)| Entry::new(now, ANDON, verb, detail));
        if own.is_none() && entries.is_empty() {
            return Ok(tail.head);
        }
        // Never back to an older file, whatever the clock says: the order of the names is that of the chain.
        let unfinished = tail.own.is_some() || !tail.before.is_empty();
        let file = if unfinished { tail.file.clone() } else { lines::file_of(now).max(tail.file.clone()) };
        let (start, before) = if file == tail.file { (tail.bytes, tail.before) } else { (0, &b""[..]) };
        let mut text = before.to_vec();
        let mut head = tail.head;
        own.iter().chain(entries).for_each(|entry| head.append(entry, &mut text));
        let pointer = Pointer { record: head.record, hash: head.hash, bytes: start + text.len() as u64, file };
        if tail.head == Head::START && tail.own.is_none() {
            // Without it, a crash after the first line would look as if somebody had removed the head.
            let begin = Pointer { record: 0, hash: Hash::NONE, file: pointer.file.clone(), bytes: 0 };
            pointer::write(&mut head_file, &begin)?;
            head_file.sync_data()?;
        }
        self.write(&pointer.file, start, &text)?;
        // Behind the chain after a loss of power is fine, so it need not be on disk yet.
        if let Err(error) = pointer::write(&mut head_file, &pointer) {
            // The records are on disk: the next append takes them up behind the head, as after a crash.
            tracing::warn!(%error, "the head of the audit stays behind");
        }
        Ok(head)
    }

    /// The events of the newest records.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn last_events(&self) -> anyhow::Result<HashSet<EventId>> {
        let mut found = HashSet::new();
        for name in lines::files(&self.folder)?.iter().rev().take(2) {
            let path = self.folder.join(name);
            let mut lines = Lines::from(&path, fs::metadata(&path)?.len().saturating_sub(TAIL_BYTES))?;
            while let Next::Line { bytes, .. } = lines.next()? {
                found.extend(parse(bytes).and_then(|(record, _)| record.entry.event));
            }
        }
        Ok(found)
    }

    fn write(&self, name: &str, start: u64, text: &[u8]) -> anyhow::Result<()> {
        let path = self.folder.join(name);
        let writing = || format!("cannot write {}", path.display());
        lines::must_be_a_file(&path)?;
        let mut file = OpenOptions::new().create(true).append(true).open(&path).with_context(writing)?;
        let written = file.write_all(text).and_then(|()| file.sync_data());
        if let Err(error) = written {
            // A sync that failed may have lost what is in the file's pages: written again, they are synced again.
            let back = file.set_len(start).and_then(|()| file.sync_data());
            back.unwrap_or_else(
                |error| tracing::error!(%error, "what was not written of the audit stays as a line that is cut off"),
            );
            return Err(error).with_context(writing);
        }
        if start == 0 {
            File::open(&self.folder).and_then(|folder| folder.sync_all()).with_context(writing)?;
        }
        Ok(())
    }

    /// Where the chain ends.
    fn find(&self, head: &mut File) -> anyhow::Result<Tail> {
        let told = pointer::told(head).context("cannot read the head of the audit")?;
        let files = lines::files(&self.folder).context("cannot list the audit")?;
        let reading = || format!("cannot read the audit in {}", self.folder.display());
        match told {
            Told::Head(pointer) => self.behind(&pointer, &files).with_context(reading),
            _ => self.without_head(&files).with_context(reading),
        }
    }

    /// Takes up the records behind the head, which a crash may have left there.
    fn behind(&self, pointer: &Pointer, files: &[String]) -> io::Result<Tail> {
        let mut verifier = Verifier::at(pointer.head());
        let mut tail = Tail { head: pointer.head(), file: pointer.file.clone(), bytes: pointer.bytes, before: b"", own: None };
        let mut sound = true;
        for name in files.iter().filter(|name| **name >= pointer.file) {
            let path = self.folder.join(name);
            let from = if *name == pointer.file { pointer.bytes } else { 0 };
            tail = Tail { file: name.clone(), bytes: fs::metadata(&path)?.len(), ..tail };
            tail.before = b"";
            let mut lines = Lines::from(&path, from.min(tail.bytes))?;
            loop {
                match lines.next()? {
                    Next::Line { bytes, .. } => {
                        // What does not continue the chain stays, to be found: it goes on from the last record that does.
                        let before = verifier.head();
                        sound &= verifier.line(bytes).is_ok() && verifier.head() != before;
                        tail.head = if sound { verifier.head() } else { tail.head };
                    }
                    Next::Open(bytes) => {
                        tail.before = b"\n";
                        let mut whole = verifier.clone();
                        let complete = sound && whole.line(bytes).is_ok() && whole.head() != verifier.head();
                        match complete {
                            // Only its end was cut off.
                            true => tail.head = whole.head(),
                            false => tail.own = Some((TORN_LINE, torn(bytes))),
                        }
                        break;
                    }
                    Next::End => break,
                }
            }
        }
        // A file that was made shorter than the head says may end within a line.
        if tail.file == pointer.file && (1..pointer.bytes).contains(&tail.bytes) && !ends_a_line(&self.folder.join(&tail.file))?
        {
            tail.before = b"\n";
        }
        Ok(tail)
    }

    /// Goes on behind the last record that can be read, and says that it does not know whether it was the last.
    fn without_head(&self, files: &[String]) -> io::Result<Tail> {
        let mut tail = Tail { head: Head::START, file: String::new(), bytes: 0, before: b"", own: None };
        for name in files {
            let path = self.folder.join(name);
            tail = Tail { file: name.clone(), bytes: fs::metadata(&path)?.len(), before: b"", ..tail };
            let mut lines = Lines::from(&path, tail.bytes.saturating_sub(TAIL_BYTES))?;
            loop {
                match lines.next()? {
                    Next::Line { bytes, .. } => tail.head = parse(bytes).map_or(tail.head, |(_, head)| head),
                    Next::Open(_) => {
                        tail.before = b"\n";
                        break;
                    }
                    Next::End => break,
                }
            }
        }
        if !files.is_empty() {
            let detail = "the file `head` was missing or changed; records before this one may be missing";
            tail.own = Some((HEAD_MISSING, detail.into()));
        }
        Ok(tail)
    }
}

fn ends_a_line(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    file.seek(io::SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// What the next record says of a line that was cut off.
fn torn(bytes: &[u8]) -> String {
    format!(
        "the line before was cut off when Andon or its machine stopped; nobody was told that it is done. It has {}",
        owned(bytes)
    )
}

/// A line as a record by itself, whatever it continues.
fn parse(line: &[u8]) -> Option<(Record, Head)> {
    let (content, hash) = content(line)?;
    let record: Record = serde_json::from_str(&content).ok()?;
    let head = Head { record: record.record, hash };
    (Hash::of(content.as_bytes()) == hash).then_some((record, head))
}

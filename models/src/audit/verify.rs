//! Checks a chain line by line, from its beginning or from a head that was checked before.

use super::{HEAD_MISSING, Hash, Head, Record, TORN_LINE, content};
use crate::Timestamp;

/// What was read so far. Nothing of it is more than one line long.
#[derive(Clone, Debug)]
pub struct Verifier {
    head: Head,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// A line that is no record, and what the next one has to say for it to be one that a crash has cut off.
    suspect: Option<(Fault, String)>,
    torn: u64,
    /// What the file `head` says, and whether a record was that one.
    told: Option<Head>,
    passed: bool,
}

/// What is wrong first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The number of the record that was expected there.
    pub record: u64,
    /// Whether it is the line before the one that was read last.
    pub line_before: bool,
    /// When it says that it was written, as far as it can be read; else when the one before it was.
    pub time: Option<Timestamp>,
    /// What it is.
    pub wrong: Wrong,
}

/// What may be wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// The line cannot be read.
    #[error("the line is no record: it was changed, cut off, or put there")]
    NoRecord,
    /// Its content has another hash than it carries.
    #[error("its content does not have the hash that it carries: it was changed after it was written")]
    Changed,
    /// Records before it are not there.
    #[error("it is record {0}: the records before it are missing, or were exchanged")]
    Missing(u64),
    /// It was there already.
    #[error("it is record {0} once more: it was put there, or the ones around it were exchanged")]
    Again(u64),
    /// It names another one as the one before it.
    #[error("it does not continue the record before it: one of the two was replaced")]
    NotContinued,
    /// The head names the record before it as the last one.
    #[error("it stands behind the end that the head names and is no record: it was put there")]
    Behind,
    /// The head says that there are more.
    #[error("the chain ends here, but the head says that it has {0} records: the last ones are missing")]
    EndMissing(u64),
    /// The head is of another chain.
    #[error("the head has another hash for it: the end of the chain was written anew, or the head was changed")]
    OtherHead,
    /// There is no head, or none that can be read.
    #[error("the file `head` is missing or was changed, so records may be missing at the end")]
    NoHead,
    /// There was no head when it was written.
    #[error("the file `head` was missing or changed when it was written, so records before it may be missing")]
    HadNoHead,
}

impl Default for Verifier {
    fn default() -> Self {
        Self { head: Head::START, first: None, last: None, suspect: None, torn: 0, told: None, passed: false }
    }
}

impl Verifier {
    /// Goes on behind a record.
    pub fn at(head: Head) -> Self {
        Self { head, ..Self::default() }
    }

    /// The last record that was found good.
    pub fn head(&self) -> Head {
        self.head
    }

    /// When the first and the last record were written.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.first?, self.last?))
    }

    /// Lines that a crash had cut off, and that the record behind each owns up to.
    pub fn torn(&self) -> u64 {
        self.torn
    }

    /// Takes what the file `head` says, before the lines that it may speak of.
    pub fn tell(&mut self, head: Option<Head>) {
        self.told = head;
        self.passed = head == Some(self.head);
    }

    /// Checks the next line, without its end.
    ///
    /// # Errors
    /// What is wrong; nothing behind it can be checked.
    pub fn line(&mut self, line: &[u8]) -> Result<(), Fault> {
        let record = match (self.record(line), self.suspect.take()) {
            (Ok(record), None) => record,
            (Ok(record), Some((_, owned))) if is(&record, TORN_LINE) && record.entry.detail.contains(&owned) => {
                self.torn += 1;
                record
            }
            (_, Some((fault, _))) => return Err(Fault { line_before: true, ..self.placed(fault) }),
            (Err(fault), None) => {
                // A record cut off by a crash is a line of its own; the next one must say so.
                self.suspect = Some((fault, owned(line)));
                return Ok(());
            }
        };
        if is(&record, HEAD_MISSING) {
            return Err(self.fault(Some(record.entry.time), Wrong::HadNoHead));
        }
        let (_, hash) = content(line).expect("it was read");
        self.head = Head { record: record.record, hash };
        self.passed |= self.told == Some(self.head);
        self.first = self.first.or(Some(record.entry.time));
        self.last = Some(record.entry.time);
        Ok(())
    }

    /// Checks that the lines end where the head says. A crash may have kept the head behind the lines, never before them.
    ///
    /// # Errors
    /// What is wrong.
    pub fn end(&self) -> Result<(), Fault> {
        if let Some((fault, _)) = &self.suspect {
            return Err(self.placed(fault.clone()));
        }
        match self.told {
            None if self.head == Head::START => Ok(()),
            None => Err(self.of_last(Wrong::NoHead)),
            Some(told) if told.record > self.head.record => Err(self.fault(self.last, Wrong::EndMissing(told.record))),
            Some(_) if !self.passed => Err(self.of_last(Wrong::OtherHead)),
            Some(_) => Ok(()),
        }
    }

    /// Reads a line as the next record.
    fn record(&self, line: &[u8]) -> Result<Record, Fault> {
        let no_record = || self.fault(self.last, Wrong::NoRecord);
        let (content, hash) = content(line).ok_or_else(no_record)?;
        let record: Record = serde_json::from_str(&content).map_err(|_| no_record())?;
        let fault = |wrong| Err(self.fault(Some(record.entry.time), wrong));
        if Hash::of(content.as_bytes()) != hash {
            return fault(Wrong::Changed);
        }
        match record.record {
            number if number > self.head.record.saturating_add(1) => fault(Wrong::Missing(number)),
            number if number <= self.head.record => fault(Wrong::Again(number)),
            _ if record.previous != self.head.hash => fault(Wrong::NotContinued),
            _ => Ok(record),
        }
    }

    fn fault(&self, time: Option<Timestamp>, wrong: Wrong) -> Fault {
        Fault { record: self.head.record.saturating_add(1), line_before: false, time, wrong }
    }

    /// What is no record behind the record that the head names was never one.
    fn placed(&self, fault: Fault) -> Fault {
        let behind = fault.wrong == Wrong::NoRecord && self.told == Some(self.head);
        if behind { Fault { wrong: Wrong::Behind, ..fault } } else { fault }
    }

    /// What is wrong with the last record that was read.
    fn of_last(&self, wrong: Wrong) -> Fault {
        Fault { record: self.head.record, line_before: false, time: self.last, wrong }
    }
}

/// What a record says of a line before it that a crash has cut off.
pub fn owned(line: &[u8]) -> String {
    format!("{} bytes with the SHA-256 {}", line.len(), Hash::of(line))
}

fn is(record: &Record, verb: &str) -> bool {
    &*record.entry.verb == verb && &*record.entry.by == super::ANDON
}

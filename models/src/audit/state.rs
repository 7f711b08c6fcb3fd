//! How the chain of a running plant stands, for those who look.

use crate::Timestamp;
use serde::Serialize;

/// How the chain stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditState {
    /// Records that were written.
    pub records: u64,
    /// The hash of the last one: 64 digits; empty before the first.
    pub head: String,
    /// When the first record was written; none before it.
    pub first: Option<Timestamp>,
    /// When the last record was written.
    pub last: Option<Timestamp>,
    /// Records that were read back and found good since the start.
    pub verified_records: u64,
    /// When that was last done; none before the first time is through.
    pub verified: Option<Timestamp>,
    /// Lines that a crash cut off; each is kept, and the record behind it owns up to it.
    pub torn_lines: u64,
    /// The first record that is not as it was written; none if all are.
    pub first_bad: Option<BadRecord>,
    /// Why nothing can be recorded now; empty while everything is. What people ask for is refused meanwhile.
    pub trouble: String,
}

/// The first record that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadRecord {
    /// The number of the record that is expected there.
    pub record: u64,
    /// The file, in the folder `audit`.
    pub file: String,
    /// The line in it, from 1 on; 0 if it is about no line.
    pub line: u64,
    /// When it, or the last one before it, was written; none if neither can be read.
    pub time: Option<Timestamp>,
    /// What is wrong.
    pub wrong: String,
    /// What to do about it.
    pub advice: String,
}

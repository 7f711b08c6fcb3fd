//! One record as a line of text.
//!
//! ```text
//! {"record":7,"time":"…","by":"kim","verb":"acknowledge","asset":"…","detector":"…","detail":"…","event":"…","previous":"…","hash":"…"}
//! ```
//! The hash is over the line without its last member, `,"hash":"…"`: what is left is an object again. No canonical form is needed: the
//! bytes that were written are the ones that are hashed.

use super::Entry;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

/// Bytes of the longest line: the longest texts, all of them escaped. A crash tears no longer one.
pub const MAX_LINE: usize = 1 << 20;

/// What comes before the hash in a line.
const BEFORE_HASH: &str = ",\"hash\":\"";
/// What comes behind it.
const AFTER_HASH: &str = "\"}";
/// Digits of a hash.
const DIGITS: usize = 64;

/// A SHA-256 (FIPS 180-4), in text as 64 small hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

/// The last record of a chain, or of a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its number, from 1 on; 0 of a chain without records.
    pub record: u64,
    /// Its hash.
    pub hash: Hash,
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number, from 1 on.
    pub record: u64,
    /// What was recorded.
    #[serde(flatten)]
    pub entry: Entry,
    /// The hash of the record before; zeros in the first one.
    pub previous: Hash,
}

impl Hash {
    /// What the first record has as the hash of the one before.
    pub const NONE: Self = Self([0; 32]);

    /// The hash of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl Head {
    /// The head of a chain without records.
    pub const START: Self = Self { record: 0, hash: Hash::NONE };

    /// Adds the next record to some lines, and is its head then.
    pub fn append(&mut self, entry: &Entry, lines: &mut Vec<u8>) {
        // The last number there is belongs to no chain that we wrote; it is found as broken.
        let record = Record { record: self.record.saturating_add(1), entry: entry.clone(), previous: self.hash };
        let content = serde_json::to_string(&record).expect("a record is plain data");
        *self = Self { record: record.record, hash: Hash::of(content.as_bytes()) };
        let open = content.strip_suffix('}').expect("a record is an object");
        lines.extend_from_slice(open.as_bytes());
        lines.extend_from_slice(BEFORE_HASH.as_bytes());
        lines.extend_from_slice(self.hash.to_string().as_bytes());
        lines.extend_from_slice(AFTER_HASH.as_bytes());
        lines.push(b'\n');
    }
}

/// The content of a line that its hash is over, and the hash that it carries; none if it is no line of a record.
pub fn content(line: &[u8]) -> Option<(String, Hash)> {
    let line = std::str::from_utf8(line).ok()?;
    let open = line.strip_suffix(AFTER_HASH)?;
    let (open, digits) = open.split_at_checked(open.len().checked_sub(DIGITS)?)?;
    let content = format!("{}}}", open.strip_suffix(BEFORE_HASH)?);
    Some((content, digits.parse().ok()?))
}

impl FromStr for Hash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a hash has 64 digits of 0-9 and a-f";
        let digits = text.as_bytes();
        if digits.len() != DIGITS {
            return Err(WRONG);
        }
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            // One form only: a line is compared as it stands.
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(WRONG),
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = value(pair[0])? << 4 | value(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

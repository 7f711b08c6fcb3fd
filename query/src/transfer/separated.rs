//! Lines of separated fields (CSV, RFC 4180), one record at a time. Quoted and empty fields are told apart: an empty text is a value,
//! an empty field is none.

use std::io::{self, BufRead};

/// A record longer than this is no line of values but a missing quote or a binary file.
const MAX_RECORD_BYTES: usize = 16 << 20;

/// Fields of one record at most: a wide file of a large plant.
const MAX_FIELDS: usize = 100_000;

/// Reads records from bytes.
pub struct Reader<R> {
    input: R,
    separator: u8,
    /// The unescaped bytes of the record's fields, one behind the other.
    text: Vec<u8>,
    /// Where each field ends in `text`, and whether it was quoted.
    ends: Vec<(usize, bool)>,
    /// The line the record begins on, from 1.
    line: u64,
    next_line: u64,
    raw: Vec<u8>,
}

/// What reading the next record came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// There is one.
    Record,
    /// It is damaged; reading can go on behind it.
    Damaged(String),
    /// There is no more.
    End,
}

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its text; not trimmed.
    pub text: &'a str,
    /// Whether it stood in quotes.
    pub quoted: bool,
}

impl Field<'_> {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        !self.quoted && self.text.trim().is_empty()
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads records whose fields are separated by this byte.
    pub fn new(input: R, separator: u8) -> Self {
        Self { input, separator, text: Vec::new(), ends: Vec::new(), line: 0, next_line: 1, raw: Vec::new() }
    }

    /// Another separator from here on.
    pub fn separate_by(&mut self, separator: u8) {
        self.separator = separator;
    }

    /// The line the last record began on, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Fields of the last record.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field of the last record; empty when it has fewer.
    pub fn field(&self, index: usize) -> Field<'_> {
        let Some((end, quoted)) = self.ends.get(index).copied() else { return Field { text: "", quoted: false } };
        let start = if index == 0 { 0 } else { self.ends[index - 1].0 };
        // `next` has checked that the record is UTF-8 and cut it at ASCII bytes only.
        Field { text: std::str::from_utf8(&self.text[start..end]).unwrap_or_default(), quoted }
    }

    /// All fields of the last record.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        (0..self.len()).map(|index| self.field(index))
    }

    /// Reads the next record; lines with nothing on them are passed over.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub fn next(&mut self) -> io::Result<Read> {
        self.raw.clear();
        self.line = self.next_line;
        loop {
            let before = self.raw.len();
            let room = (MAX_RECORD_BYTES - before) as u64;
            let read = io::Read::take(&mut self.input, room).read_until(b'\n', &mut self.raw)?;
            if read == 0 {
                return Ok(if before == 0 { Read::End } else { Read::Damaged(UNCLOSED.into()) });
            }
            self.next_line += u64::from(self.raw.last() == Some(&b'\n'));
            if self.raw.len() >= MAX_RECORD_BYTES {
                return Ok(Read::Damaged(format!("is longer than {} MiB; is a quote missing?", MAX_RECORD_BYTES >> 20)));
            }
            // What goes on over a line end can only end behind a quote.
            if before > 0 && !self.raw[before..].contains(&b'"') {
                continue;
            }
            match self.split() {
                Ok(()) if self.ends.is_empty() => {
                    self.raw.clear();
                    self.line = self.next_line;
                }
                Ok(()) => return Ok(Read::Record),
                Err(reason) if reason == UNCLOSED => {}
                Err(reason) => return Ok(Read::Damaged(reason)),
            }
        }
    }

    /// Takes the fields out of `raw`; none when nothing stands on the line.
    fn split(&mut self) -> Result<(), String> {
        self.text.clear();
        self.ends.clear();
        let mut record = &self.raw[..];
        if self.line == 1 {
            record = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record);
        }
        record = record.strip_suffix(b"\n").unwrap_or(record);
        record = record.strip_suffix(b"\r").unwrap_or(record);
        if record.is_empty() {
            return Ok(());
        }
        if std::str::from_utf8(record).is_err() {
            return Err("is not UTF-8 text".into());
        }
        split(record, self.separator, &mut self.text, &mut self.ends)
    }
}

/// Why a record may go on in the next line.
const UNCLOSED: &str = "opens a quote that is never closed";

fn split(record: &[u8], separator: u8, text: &mut Vec<u8>, ends: &mut Vec<(usize, bool)>) -> Result<(), String> {
    let mut rest = record;
    loop {
        if ends.len() == MAX_FIELDS {
            return Err(format!("has more than {MAX_FIELDS} fields"));
        }
        let quoted = rest.first() == Some(&b'"');
        let length =
            if quoted { unquote(rest, text)? } else { rest.iter().position(|byte| *byte == separator).unwrap_or(rest.len()) };
        if !quoted {
            text.extend_from_slice(&rest[..length]);
        }
        ends.push((text.len(), quoted));
        match rest.get(length) {
            None => return Ok(()),
            Some(byte) if *byte == separator => rest = &rest[length + 1..],
            Some(_) => return Err(format!("has text behind the closing quote of field {}", ends.len())),
        }
    }
}

/// Takes a quoted field; returns its length with quotes.
fn unquote(rest: &[u8], text: &mut Vec<u8>) -> Result<usize, String> {
    let mut at = 1;
    loop {
        let Some(length) = rest[at..].iter().position(|byte| *byte == b'"') else {
            return Err(UNCLOSED.into());
        };
        text.extend_from_slice(&rest[at..at + length]);
        at += length + 1;
        if rest.get(at) != Some(&b'"') {
            return Ok(at);
        }
        text.push(b'"');
        at += 1;
    }
}

/// The separator of a header line: of comma, semicolon and tab the one that occurs most.
pub fn separator_of(header: &str) -> u8 {
    let count = |separator: u8| header.bytes().filter(|byte| *byte == separator).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|separator| count(*separator)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8], separator: u8) -> String {
        let mut reader = Reader::new(text, separator);
        let mut shown = String::new();
        loop {
            match reader.next().unwrap() {
                Read::End => return shown,
                Read::Damaged(reason) => shown += &format!("{}: {reason}\n", reader.line()),
                Read::Record => {
                    let fields: Vec<String> = reader
                        .fields()
                        .map(|field| if field.quoted { format!("{:?}", field.text) } else { field.text.to_owned() })
                        .collect();
                    shown += &format!("{}: {}\n", reader.line(), fields.join("|"));
                }
            }
        }
    }

    #[test]
    fn quotes_separators_and_lines_are_told_apart() {
        let text = b"\xef\xbb\xbftime;value\r\n\r\n1;\"a;\"\"b\"\"\nc\"\n2;\n3;\"\"\n4;\"x\"y\n5;\xff\n6;5\" pipe";
        let expected = "1: time|value\n3: 1|\"a;\\\"b\\\"\\nc\"\n5: 2|\n6: 3|\"\"\n7: has text behind the closing quote of field 2\n\
                        8: is not UTF-8 text\n9: 6|5\" pipe\n";
        assert_eq!(read(text, b';'), expected);
        assert_eq!(read(b"a,\"b\n", b','), "1: opens a quote that is never closed\n");
    }

    #[test]
    fn the_header_says_the_separator() {
        let found = ["time,asset", "time;a,b;c", "time\tvalue", "time"].map(separator_of);
        assert_eq!(found, [b',', b';', b'\t', b',']);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), any::<u8>()], 0..200)) {
            read(&bytes, b',');
        }
    }
}

//! InfluxDB's line protocol, read without copying: `measurement,tag=value field=1.5,other=2i 1767225600000000000`.
//!
//! Nothing is unescaped here: a key is given as written, so that a writer who repeats it is recognised by its bytes
//! ([`SeriesKey`] takes it apart once). Source: InfluxDB OSS 2.7, "Line protocol reference", and the behaviour of 1.8's parser.
//!
//! A line that cannot be read costs itself only: reading goes on behind its end.

mod number;
mod series_key;
#[cfg(test)]
mod tests;
mod value;

pub use series_key::{SeriesKey, field_key, unescape};
pub use value::FieldValue;

use memchr::{memchr, memchr2};

/// Most fields of a line: one machine has not more, and a line that never ends is no line.
pub const MAX_FIELDS: usize = 4_096;

/// The lines of a body, one after the other.
#[derive(Debug)]
pub struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the line that is read, or was read last, begins.
    start: usize,
    number: usize,
}

/// A line without its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// Measurement and tags as written.
    pub key: &'a [u8],
    /// When, in the precision of the writer; none if left out.
    pub time: Option<i64>,
}

/// A field of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field<'a> {
    /// Its name as written.
    pub key: &'a [u8],
    /// Its value.
    pub value: FieldValue<'a>,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// The line.
    pub line: &'a [u8],
    /// What is wrong with it.
    pub reason: &'static str,
}

impl<'a> Lines<'a> {
    /// The lines of a text.
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, start: 0, number: 0 }
    }

    /// Reads the next line that has something in it; its fields replace what `fields` holds. None at the end.
    ///
    /// # Errors
    /// When the line cannot be read; the next call goes on behind it.
    pub fn next_line(&mut self, fields: &mut Vec<Field<'a>>) -> Option<Result<Line<'a>, LineError<'a>>> {
        loop {
            self.number += 1;
            self.skip_blanks();
            match *self.text.get(self.at)? {
                b'\n' => self.at += 1,
                b'#' => self.skip_line(),
                _ => break,
            }
        }
        self.start = self.at;
        fields.clear();
        let line = self.line(fields).map_err(|reason| {
            // A quotation mark that is never closed would swallow the rest: the line ends where its text does.
            self.at = self.start;
            self.skip_line();
            let line = self.text[self.start..self.at].trim_ascii_end();
            LineError { number: self.number, line, reason }
        });
        Some(line)
    }

    /// The line that was read last, as written.
    pub fn last(&self) -> &'a [u8] {
        self.text[self.start..self.at].trim_ascii_end()
    }

    fn line(&mut self, fields: &mut Vec<Field<'a>>) -> Result<Line<'a>, &'static str> {
        let number = self.number;
        let key = self.key()?;
        self.skip_spaces();
        loop {
            if fields.len() == MAX_FIELDS {
                return Err("too many fields");
            }
            fields.push(self.field()?);
            match self.text.get(self.at) {
                Some(b',') => self.at += 1,
                _ => break,
            }
        }
        self.skip_blanks();
        let time = self.time()?;
        self.skip_blanks();
        match self.text.get(self.at) {
            None => {}
            Some(b'\n') => self.at += 1,
            Some(_) => return Err("invalid timestamp"),
        }
        Ok(Line { number, key, time })
    }

    /// Measurement and tags: everything up to a space that is not escaped.
    fn key(&mut self) -> Result<&'a [u8], &'static str> {
        let start = self.at;
        loop {
            match self.text.get(self.at) {
                Some(b' ') => break,
                Some(b'\\') if self.text.get(self.at + 1).is_some_and(|next| *next != b'\n') => self.at += 2,
                None | Some(b'\n') => return Err("missing fields"),
                Some(_) => self.at += 1,
            }
        }
        let key = &self.text[start..self.at];
        if key.first() == Some(&b',') { Err("missing measurement") } else { Ok(key) }
    }

    fn field(&mut self) -> Result<Field<'a>, &'static str> {
        let start = self.at;
        loop {
            match self.text.get(self.at) {
                Some(b'=') => break,
                Some(b'\\') if self.text.get(self.at + 1).is_some_and(|next| *next != b'\n') => self.at += 2,
                None | Some(b'\n') if self.at == start => return Err("missing fields"),
                None | Some(b'\n' | b',' | b' ') => return Err("invalid field format"),
                Some(_) => self.at += 1,
            }
        }
        let key = &self.text[start..self.at];
        if key.is_empty() {
            return Err("missing field key");
        }
        self.at += 1;
        let value = if self.text.get(self.at) == Some(&b'"') { self.string()? } else { self.plain()? };
        Ok(Field { key, value })
    }

    fn string(&mut self) -> Result<FieldValue<'a>, &'static str> {
        let start = self.at + 1;
        let mut at = start;
        loop {
            let found = memchr2(b'"', b'\\', &self.text[at.min(self.text.len())..]).ok_or("unbalanced quotes")?;
            if self.text[at + found] == b'"' {
                self.at = at + found + 1;
                let text = &self.text[start..at + found];
                return match self.text.get(self.at) {
                    None | Some(b',' | b' ' | b'\n' | b'\r' | b'\t') => Ok(FieldValue::String(text)),
                    Some(_) => Err("invalid field format"),
                };
            }
            at += found + 2;
        }
    }

    fn plain(&mut self) -> Result<FieldValue<'a>, &'static str> {
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|byte| matches!(byte, b',' | b' ' | b'\n' | b'\r' | b'\t'));
        let text = &rest[..length.unwrap_or(rest.len())];
        self.at += text.len();
        value::plain(text)
    }

    fn time(&mut self) -> Result<Option<i64>, &'static str> {
        let rest = &self.text[self.at..];
        let digits = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'-'));
        let text = &rest[..digits.unwrap_or(rest.len())];
        self.at += text.len();
        if text.is_empty() { Ok(None) } else { number::integer(text).map(Some).ok_or("invalid timestamp") }
    }

    fn skip_spaces(&mut self) {
        while self.text.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
    }

    fn skip_blanks(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | 0)) {
            self.at += 1;
        }
    }

    fn skip_line(&mut self) {
        self.at = memchr(b'\n', &self.text[self.at..]).map_or(self.text.len(), |end| self.at + end + 1);
    }
}

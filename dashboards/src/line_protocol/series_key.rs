//! Measurement and tags taken apart, and the one way to write them.

use std::borrow::Cow;

/// Signs that are escaped in a measurement.
const IN_MEASUREMENT: [char; 2] = [',', ' '];
/// Signs that are escaped in the key or value of a tag and in the key of a field.
const IN_KEY: [char; 3] = [',', '=', ' '];

/// Measurement and tags without escapes, tags sorted by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesKey<'a> {
    /// The measurement.
    pub measurement: Cow<'a, str>,
    /// The tags.
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> SeriesKey<'a> {
    /// Takes a key apart.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(written: &'a [u8]) -> Result<Self, &'static str> {
        let mut parts = split(text(written)?, ',');
        let measurement = parts.next().filter(|measurement| !measurement.is_empty()).ok_or("missing measurement")?;
        let mut tags = Vec::new();
        for part in parts {
            let mut halves = split(part, '=');
            let key = halves.next().filter(|key| !key.is_empty()).ok_or("missing tag key")?;
            let value = halves.next().filter(|value| !value.is_empty()).ok_or("missing tag value")?;
            if halves.next().is_some() {
                return Err("invalid tag format");
            }
            tags.push((unescape(key, &IN_KEY), unescape(value, &IN_KEY)));
        }
        tags.sort();
        if tags.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err("duplicate tags");
        }
        Ok(Self { measurement: unescape(measurement, &IN_MEASUREMENT), tags })
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_ref())
    }

    /// The name of a field's series: `measurement,tag=value,… field`, tags sorted by key, with the escapes of the line protocol.
    pub fn alias(&self, field: &str) -> String {
        let mut alias = String::new();
        escape(&self.measurement, &IN_MEASUREMENT, &mut alias);
        for (key, value) in &self.tags {
            alias.push(',');
            escape(key, &IN_KEY, &mut alias);
            alias.push('=');
            escape(value, &IN_KEY, &mut alias);
        }
        alias.push(' ');
        escape(field, &IN_KEY, &mut alias);
        alias
    }
}

/// The name of a field without escapes.
///
/// # Errors
/// When it is no text.
pub fn field_key(written: &[u8]) -> Result<Cow<'_, str>, &'static str> {
    text(written).map(|written| unescape(written, &IN_KEY))
}

pub(super) fn text(written: &[u8]) -> Result<&str, &'static str> {
    std::str::from_utf8(written).map_err(|_| "not UTF-8")
}

/// The text without the backslashes before these signs; any other backslash stands for itself.
pub fn unescape<'a>(written: &'a str, signs: &[char]) -> Cow<'a, str> {
    if !written.contains('\\') {
        return Cow::Borrowed(written);
    }
    let mut plain = String::with_capacity(written.len());
    let mut rest = written.chars().peekable();
    while let Some(sign) = rest.next() {
        match rest.peek() {
            Some(next) if sign == '\\' && signs.contains(next) => plain.extend(rest.next()),
            _ => plain.push(sign),
        }
    }
    Cow::Owned(plain)
}

fn escape(plain: &str, signs: &[char], out: &mut String) {
    for sign in plain.chars() {
        if signs.contains(&sign) {
            out.push('\\');
        }
        out.push(sign);
    }
}

/// The parts between signs that are not escaped.
fn split(written: &str, sign: char) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    written.split(move |next: char| {
        let splits = next == sign && !escaped;
        escaped = next == '\\' && !escaped;
        splits
    })
}

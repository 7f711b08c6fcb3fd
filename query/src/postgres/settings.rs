//! What a client may set for its connection. Little of it changes anything: it is kept, so that it reads back as it was set.

use super::failure::{Failure, code};
use std::{collections::BTreeMap, time::Duration};

/// The version of PostgreSQL whose catalogue and protocol are spoken; clients choose their statements by it.
pub const VERSION: &str = "15.0";
/// Settings one connection may keep; no client knows more.
const MAX_SETTINGS: usize = 200;
/// Longest value of a setting.
const MAX_VALUE: usize = 1_000;
/// How long a statement may run if the client does not say.
pub const STATEMENT_TIME: Duration = Duration::from_secs(300);
/// How long it may say.
const MAX_STATEMENT_TIME: Duration = Duration::from_secs(3_600);

/// Settings that are there from the start.
const DEFAULTS: [(&str, &str); 26] = [
    ("application_name", ""),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("datestyle", "ISO, MDY"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "on"),
    ("extra_float_digits", "1"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("is_superuser", "off"),
    ("lc_collate", "C"),
    ("lc_ctype", "C"),
    ("lock_timeout", "0"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("search_path", "plant"),
    ("server_encoding", "UTF8"),
    ("server_version", VERSION),
    ("server_version_num", "150000"),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "5min"),
    ("timezone", "UTC"),
    ("transaction_isolation", "read committed"),
    ("transaction_read_only", "on"),
    ("in_hot_standby", "off"),
];

/// Settings that say how things are.
const FIXED: [&str; 8] = [
    "server_version",
    "server_version_num",
    "server_encoding",
    "is_superuser",
    "integer_datetimes",
    "max_identifier_length",
    "in_hot_standby",
    "lc_collate",
];

/// What a client is told when it connects, and when it changes: their names as PostgreSQL writes them.
pub const REPORTED: [&str; 12] = [
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "IntervalStyle",
    "is_superuser",
    "server_encoding",
    "server_version",
    "standard_conforming_strings",
    "TimeZone",
];

/// The settings of one connection.
#[derive(Clone, Debug)]
pub struct Settings {
    values: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { values: DEFAULTS.map(|(name, value)| (name.to_owned(), value.to_owned())).into() }
    }
}

impl Settings {
    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(&name.to_lowercase()).map(String::as_str)
    }

    /// All settings by name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Sets a setting; without a value it is what it was at the start.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), Failure> {
        let name = name.to_lowercase();
        let default = DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let Some(value) = value.or(default) else {
            self.values.remove(&name);
            return Ok(());
        };
        if FIXED.contains(&name.as_str()) {
            return Err(Failure::new("55P02", format!("parameter \"{name}\" cannot be changed")));
        }
        let read_only = ["default_transaction_read_only", "transaction_read_only"].contains(&name.as_str());
        if read_only && !["on", "true", "1", "yes"].contains(&value.to_lowercase().as_str()) {
            return Err(Failure::new(code::READ_ONLY, "SQL here only reads: a transaction cannot be set to write"));
        }
        if name == "client_encoding" && !["utf8", "utf-8", "unicode"].contains(&value.to_lowercase().as_str()) {
            return Err(Failure::new("22023", format!("client_encoding is UTF8 here, not {value}")));
        }
        if name == "statement_timeout" {
            duration(value).ok_or_else(|| Failure::new("22023", format!("`{value}` is no time; write 5000 (ms) or '5s'")))?;
        }
        if value.len() > MAX_VALUE || (!self.values.contains_key(&name) && self.values.len() >= MAX_SETTINGS) {
            return Err(Failure::new(code::TOO_LARGE, format!("a connection keeps at most {MAX_SETTINGS} settings")));
        }
        // Times are answered in UTC with their offset, whatever the zone; what is reported must be so.
        let value = if name == "timezone" { "UTC" } else { value };
        self.values.insert(name, value.to_owned());
        Ok(())
    }

    /// How long a statement may run; 0 means as long as any may.
    pub fn statement_time(&self) -> Duration {
        match self.get("statement_timeout").and_then(duration) {
            Some(time) if time.is_zero() => MAX_STATEMENT_TIME,
            Some(time) => time.min(MAX_STATEMENT_TIME),
            None => STATEMENT_TIME,
        }
    }
}

/// A time as PostgreSQL's settings have it: a number with `ms` (which is meant without a unit), `s`, `min`, `h` or `d`.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let scale = match text[digits..].trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(scale)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_kept_and_the_fixed_ones_stay() {
        let mut settings = Settings::default();
        settings.set("Statement_Timeout", Some("2s")).unwrap();
        assert_eq!(settings.statement_time(), Duration::from_secs(2));
        settings.set("statement_timeout", Some("0")).unwrap();
        assert_eq!(settings.statement_time(), MAX_STATEMENT_TIME);
        settings.set("statement_timeout", None).unwrap();
        assert_eq!(settings.statement_time(), STATEMENT_TIME);
        assert_eq!(settings.set("transaction_read_only", Some("off")).unwrap_err().code, code::READ_ONLY);
        assert!(settings.set("server_version", Some("9")).is_err());
        settings.set("search_path", Some("a, b")).unwrap();
        assert_eq!(settings.get("SEARCH_PATH"), Some("a, b"));
        for number in 0..MAX_SETTINGS + 10 {
            let _ = settings.set(&format!("x.y{number}"), Some("1"));
        }
        assert!(settings.all().count() <= MAX_SETTINGS);
    }
}

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

type Values = BTreeMap<String, String>;

/// The settings of one connection.
#[derive(Clone, Debug)]
pub struct Settings {
    values: Values,
    /// What they are reset to: as the client set them when it connected.
    start: Values,
    transaction: Option<Transaction>,
}

/// What becomes of settings when the transaction ends.
#[derive(Clone, Debug)]
struct Transaction {
    /// When it is rolled back.
    before: Values,
    /// When it is committed: all but what was set until then only.
    after: Values,
}

impl Default for Settings {
    fn default() -> Self {
        let values: Values = DEFAULTS.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { start: values.clone(), values, transaction: None }
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

    /// The client has connected: what is set now is what settings are reset to.
    pub fn connected(&mut self) {
        self.start = self.values.clone();
    }

    /// All settings as they were when the client connected.
    pub fn reset(&mut self) {
        self.values = self.start.clone();
        if let Some(transaction) = &mut self.transaction {
            transaction.after = self.start.clone();
        }
    }

    /// A transaction begins, if none is under way.
    pub fn begin(&mut self) {
        if self.transaction.is_none() {
            self.transaction = Some(Transaction { before: self.values.clone(), after: self.values.clone() });
        }
    }

    /// The transaction ends: what was set in it stays if it is committed, but for what was set until its end.
    pub fn end(&mut self, committed: bool) {
        if let Some(transaction) = self.transaction.take() {
            self.values = if committed { transaction.after } else { transaction.before };
        }
    }

    /// Sets a setting; without a value it is what it was at the start. A `local` one holds until the transaction ends; outside of one it
    /// is nothing.
    pub fn set(&mut self, name: &str, value: Option<&str>, local: bool) -> Result<(), Failure> {
        let name = name.to_lowercase();
        let value = match value.map(str::to_owned).or_else(|| self.start.get(&name).cloned()) {
            Some(value) => Some(self.checked(&name, value)?),
            None => None,
        };
        let put = |values: &mut Values| match &value {
            Some(value) => drop(values.insert(name.clone(), value.clone())),
            None => drop(values.remove(&name)),
        };
        match &mut self.transaction {
            None if local => {}
            None => put(&mut self.values),
            Some(transaction) => {
                put(&mut self.values);
                if !local {
                    put(&mut transaction.after);
                }
            }
        }
        Ok(())
    }

    /// A value as it is kept.
    fn checked(&self, name: &str, value: String) -> Result<String, Failure> {
        if FIXED.contains(&name) {
            return Err(Failure::new("55P02", format!("parameter \"{name}\" cannot be changed")));
        }
        let read_only = ["default_transaction_read_only", "transaction_read_only"].contains(&name);
        if read_only && !["on", "true", "1", "yes"].contains(&value.to_lowercase().as_str()) {
            return Err(Failure::new(code::READ_ONLY, "SQL here only reads: a transaction cannot be set to write"));
        }
        if name == "client_encoding" && !["utf8", "utf-8", "unicode"].contains(&value.to_lowercase().as_str()) {
            return Err(Failure::new("22023", format!("client_encoding is UTF8 here, not {value}")));
        }
        if name == "statement_timeout" {
            duration(&value).ok_or_else(|| Failure::new("22023", format!("`{value}` is no time; write 5000 (ms) or '5s'")))?;
        }
        if value.len() > MAX_VALUE || (!self.values.contains_key(name) && self.values.len() >= MAX_SETTINGS) {
            return Err(Failure::new(code::TOO_LARGE, format!("a connection keeps at most {MAX_SETTINGS} settings")));
        }
        // Times are answered in UTC with their offset, whatever the zone; what is reported must be so.
        Ok(if name == "timezone" { "UTC".to_owned() } else { value })
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
        settings.set("Statement_Timeout", Some("2s"), false).unwrap();
        assert_eq!(settings.statement_time(), Duration::from_secs(2));
        settings.set("statement_timeout", Some("0"), false).unwrap();
        assert_eq!(settings.statement_time(), MAX_STATEMENT_TIME);
        settings.set("statement_timeout", None, false).unwrap();
        assert_eq!(settings.statement_time(), STATEMENT_TIME);
        assert_eq!(settings.set("transaction_read_only", Some("off"), false).unwrap_err().code, code::READ_ONLY);
        assert!(settings.set("server_version", Some("9"), false).is_err());
        settings.set("search_path", Some("a, b"), false).unwrap();
        assert_eq!(settings.get("SEARCH_PATH"), Some("a, b"));
        for number in 0..MAX_SETTINGS + 10 {
            let _ = settings.set(&format!("x.y{number}"), Some("1"), false);
        }
        assert!(settings.all().count() <= MAX_SETTINGS);
    }

    #[test]
    fn what_a_transaction_sets_ends_with_it() {
        let mut settings = Settings::default();
        settings.set("application_name", Some("start"), false).unwrap();
        settings.connected();
        let name = |settings: &Settings| settings.get("application_name").unwrap().to_owned();
        settings.set("application_name", Some("a"), true).unwrap();
        assert_eq!(name(&settings), "start", "outside of a transaction it is nothing");
        settings.begin();
        settings.set("application_name", Some("a"), true).unwrap();
        settings.set("search_path", Some("x"), false).unwrap();
        assert_eq!(name(&settings), "a");
        settings.end(true);
        assert_eq!((name(&settings).as_str(), settings.get("search_path")), ("start", Some("x")));
        settings.begin();
        settings.set("application_name", Some("b"), false).unwrap();
        settings.end(false);
        assert_eq!(name(&settings), "start", "rolled back");
        settings.set("application_name", Some("c"), false).unwrap();
        settings.reset();
        assert_eq!((name(&settings).as_str(), settings.get("search_path")), ("start", Some("plant")));
    }
}

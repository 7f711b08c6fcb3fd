//! What a message says: a JSON document with a path per value, or a plain number, truth value or text; and when it was so.

use andon_models::{Timestamp, Value};
use serde_json::Value as Json;

/// Times since the epoch are told apart by size: seconds, milliseconds and microseconds of the years 1973 to 5138.
const SECONDS_BELOW: f64 = 1e11;
const MILLIS_BELOW: f64 = 1e14;
const MICROS_BELOW: f64 = 1e17;

/// A payload, parsed once for all tags that read it.
#[derive(Debug, PartialEq)]
pub(super) enum Payload {
    Json(Json),
    Text(String),
    /// Neither JSON nor text.
    Unreadable,
}

/// What a path leads to.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    Value(Value),
    /// The message does not speak about it.
    Nothing,
    /// It speaks about it, but says no value.
    NoValue,
}

impl Payload {
    pub fn parse(payload: &[u8]) -> Self {
        match serde_json::from_slice(payload) {
            Ok(json) => Self::Json(json),
            Err(_) => std::str::from_utf8(payload).map_or(Self::Unreadable, |text| Self::Text(text.trim().to_owned())),
        }
    }

    /// The value at a path (`power.kw`, `lines.0.speed`, `lines[0].speed`); an empty path is the whole payload.
    pub fn value(&self, path: &str) -> Found {
        match self {
            Self::Json(json) => match at(json, path) {
                Some(found) => scalar(found),
                None => Found::Nothing,
            },
            Self::Text(text) if is_whole(path) && !text.is_empty() => Found::Value(plain(text)),
            Self::Text(_) | Self::Unreadable => Found::NoValue,
        }
    }

    /// The time at a path, if there is one. Whether it is possible is decided where samples enter; what does not fit at all is one of
    /// the ends of time.
    pub fn time(&self, path: &str) -> Option<Timestamp> {
        let Self::Json(json) = self else { return None };
        match at(json, path)? {
            Json::String(text) => text.parse().ok().or_else(|| since_epoch(text.parse().ok()?)),
            Json::Number(number) => match number.as_i64() {
                Some(whole) if whole.unsigned_abs() as f64 >= MICROS_BELOW => Some(Timestamp::from_nanos(whole)),
                _ => since_epoch(number.as_f64()?),
            },
            _ => None,
        }
    }
}

fn is_whole(path: &str) -> bool {
    path.is_empty() || path == "."
}

fn at<'a>(json: &'a Json, path: &str) -> Option<&'a Json> {
    if is_whole(path) {
        return Some(json);
    }
    // A member whose own name has dots goes before a walk.
    if let Some(found) = json.get(path) {
        return Some(found);
    }
    let steps = path.split(['.', '[', ']']).filter(|step| !step.is_empty());
    steps.into_iter().try_fold(json, |json, step| match json {
        Json::Array(items) => items.get(step.parse::<usize>().ok()?),
        Json::Object(members) => members.get(step),
        _ => None,
    })
}

fn scalar(json: &Json) -> Found {
    match json {
        Json::Bool(truth) => Found::Value(Value::Boolean(*truth)),
        Json::Number(number) => {
            let value = number.as_i64().map(Value::Integer).or_else(|| number.as_f64().map(Value::from));
            value.map_or(Found::NoValue, Found::Value)
        }
        Json::String(text) => Found::Value(Value::from(text.as_str())),
        Json::Null | Json::Array(_) | Json::Object(_) => Found::NoValue,
    }
}

/// A payload that is no JSON: `ON`, `true`, `3,5` are left as text, numbers are JSON already.
fn plain(text: &str) -> Value {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" => Value::Boolean(true),
        "false" | "off" => Value::Boolean(false),
        _ => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Value::Double(number),
            _ => Value::from(text),
        },
    }
}

fn since_epoch(number: f64) -> Option<Timestamp> {
    if !number.is_finite() {
        return None;
    }
    let (size, nanos) = (number.abs(), |factor: f64| (number * factor).round() as i64);
    Some(match size {
        _ if size < SECONDS_BELOW => Timestamp::from_micros(nanos(1e6)),
        _ if size < MILLIS_BELOW => Timestamp::from_micros(nanos(1e3)),
        _ if size < MICROS_BELOW => Timestamp::from_micros(nanos(1.0)),
        _ => Timestamp::from_nanos(nanos(1.0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(payload: &str, path: &str, expected: Found) {
        assert_eq!(Payload::parse(payload.as_bytes()).value(path), expected, "{payload} at {path}");
    }

    fn value(value: impl Into<Value>) -> Found {
        Found::Value(value.into())
    }

    #[test]
    fn values_by_path() {
        let payload = r#"{"power": {"kw": 4.5, "on": true}, "lines": [{"speed": 7}, {"speed": null}], "a.b": 1, "text": "x"}"#;
        check(payload, "power.kw", value(4.5));
        check(payload, "power.on", value(true));
        check(payload, "lines.0.speed", value(7_i64));
        check(payload, "lines[0].speed", value(7_i64));
        check(payload, "lines[1].speed", Found::NoValue);
        check(payload, "lines[2].speed", Found::Nothing);
        check(payload, "a.b", value(1_i64));
        check(payload, "text", value("x"));
        check(payload, "power", Found::NoValue);
        check(payload, "pressure", Found::Nothing);
    }

    #[test]
    fn plain_payloads() {
        check("4.5", "", value(4.5));
        check("4.5\n", ".", value(4.5));
        check("7", "", value(7_i64));
        check("ON", "", value(true));
        check("\"x\"", "", value("x"));
        check("running", "", value("running"));
        check("", "", Found::NoValue);
        check("4.5", "power", Found::Nothing);
        check("no json", "power", Found::NoValue);
        assert_eq!(Payload::parse(&[0xFF, 0xFE]).value(""), Found::NoValue);
    }

    #[test]
    fn times_in_every_usual_form() {
        let expected = Timestamp::from_seconds(1_700_000_000);
        for time in [
            "\"2023-11-14T22:13:20Z\"",
            "\"2023-11-14T23:13:20+01:00\"",
            "1700000000",
            "1700000000.0",
            "1700000000000",
            "1700000000000000",
            "1700000000000000000",
            "\"1700000000\"",
        ] {
            let payload = Payload::parse(format!("{{\"time\": {time}}}").as_bytes());
            assert_eq!(payload.time("time"), Some(expected), "{time}");
        }
        let payload = |time: &str| Payload::parse(format!("{{\"time\": {time}}}").as_bytes());
        assert_eq!(payload("\"yesterday\"").time("time"), None);
        assert_eq!(payload("true").time("time"), None);
        assert_eq!(payload("1700000000").time("when"), None);
        for impossible in ["\"2500-01-01T00:00:00Z\"", "1e30"] {
            assert_eq!(payload(impossible).time("time"), Some(Timestamp::MAX), "{impossible}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(payload in prop::collection::vec(any::<u8>(), 0..60), path in ".{0,20}") {
            let payload = Payload::parse(&payload);
            payload.value(&path);
            payload.time(&path);
        }

        #[test]
        fn any_number_is_some_time_or_none(number in any::<f64>()) {
            let json = serde_json::json!({ "t": number });
            Payload::Json(json).time("t");
        }
    }
}

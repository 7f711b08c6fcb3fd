//! Writes a plant file as a person would: a line for each property and asset, blocks above them, quotes only where needed.

use serde_json::{Map, Value};

/// Longest line that `{ … }` may make.
const MAX_LINE: usize = 128;

/// A plant file's text, and the line on which each key of a block stands.
pub(super) struct Written {
    pub text: String,
    /// Line, from 1, and the keys that lead to it.
    pub lines: Vec<(usize, Vec<String>)>,
}

/// Writes sections one below the other.
pub(super) fn write(sections: &Map<String, Value>, comment: &str) -> Written {
    let mut writer = Writer { text: String::new(), line: 1, lines: Vec::new(), path: Vec::new() };
    for line in comment.lines() {
        writer.end_line(&format!("# {line}"));
    }
    for (index, (key, value)) in sections.iter().enumerate() {
        if index > 0 {
            writer.end_line("");
        }
        writer.entry(key, value);
    }
    Written { text: writer.text, lines: writer.lines }
}

struct Writer {
    text: String,
    line: usize,
    lines: Vec<(usize, Vec<String>)>,
    path: Vec<String>,
}

impl Writer {
    fn end_line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
        self.line += 1;
    }

    fn entry(&mut self, key: &str, value: &Value) {
        let indent = "  ".repeat(self.path.len());
        self.path.push(key.to_owned());
        self.lines.push((self.line, self.path.clone()));
        let key = scalar(key);
        match value {
            Value::Object(members) if !members.is_empty() && !self.fits(&indent, &key, value) => {
                self.end_line(&format!("{indent}{key}:"));
                for (name, value) in members {
                    self.entry(name, value);
                }
            }
            // Events: one a line.
            Value::Array(items) if items.iter().any(Value::is_object) && !self.fits(&indent, &key, value) => {
                self.end_line(&format!("{indent}{key}:"));
                for item in items {
                    self.end_line(&format!("{indent}  - {}", flow(item)));
                }
            }
            _ => self.end_line(&format!("{indent}{key}: {}", flow(value))),
        }
        self.path.pop();
    }

    /// Whether a map goes on one line.
    fn fits(&self, indent: &str, key: &str, value: &Value) -> bool {
        !self.is_block(value) && indent.len() + key.chars().count() + 2 + flow(value).chars().count() <= MAX_LINE
    }

    /// Sections, models and places of assets stand in lines of their own, however short.
    fn is_block(&self, value: &Value) -> bool {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        match path[..] {
            ["plant"] => false,
            [_] => true,
            ["models", _] | ["models", _, _] | ["models", _, "metrics", _] => true,
            ["models", ..] => false,
            ["detectors", _] | ["detectors", _, "states"] | ["detectors", _, "states", _] => true,
            ["detectors" | "inputs", ..] => false,
            [.., "attributes" | "aliases"] => false,
            // Assets and the links to their children take turns.
            _ if path.len() % 2 == 1 => true,
            _ => value.as_object().is_some_and(|members| {
                members.iter().any(|(key, value)| value.is_object() && !matches!(key.as_str(), "attributes" | "aliases"))
            }),
        }
    }
}

/// A value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(members) if members.is_empty() => "{}".into(),
        Value::Object(members) => {
            let members: Vec<String> = members.iter().map(|(key, value)| format!("{}: {}", scalar(key), flow(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// A text, in quotes where it would be read as something else.
fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { Value::from(text).to_string() }
}

fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let starts = text.starts_with(|first: char| first.is_alphanumeric() || matches!(first, '_' | '/' | '(' | '°'));
    let plain = |letter: char| letter.is_alphanumeric() || " _-./()+*^<>=%°".contains(letter);
    let depth = |text: &str| text.chars().map(|letter| i32::from(letter == '(') - i32::from(letter == ')')).sum::<i32>();
    starts
        && text.chars().all(plain)
        && text.trim() == text
        && depth(text) == 0
        && text.parse::<f64>().is_err()
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        // Dates and numbers with separators are something else to other readers of YAML.
        && !text.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(value: Value) -> String {
        let Value::Object(sections) = value else { panic!() };
        write(&sections, "").text
    }

    #[test]
    fn lines_are_as_a_person_writes_them() {
        let value = json!({
            "plant": "Farm",
            "models": { "turbine": { "name": "Wind: 1", "attributes": { "make": "Amazon", "limit": { "default": 105, "unit": "°C" } },
                "metrics": { "5m": { "mean": { "formula": "avg(s), 1", "variables": { "s": "speed" } } } } } },
            "assets": { "North": { "model": "farm", "turbines": { "T 1": { "aliases": { "speed": "/a/1" } }, "T 2": {} } } },
        });
        let expected = "\
plant: Farm

models:
  turbine:
    name: \"Wind: 1\"
    attributes:
      make: Amazon
      limit: { default: 105, unit: °C }
    metrics:
      5m:
        mean: { formula: \"avg(s), 1\", variables: { s: speed } }

assets:
  North:
    model: farm
    turbines:
      T 1: { aliases: { speed: /a/1 } }
      T 2: {}
";
        assert_eq!(written(value), expected);
    }

    #[test]
    fn texts_that_look_like_something_else_are_quoted() {
        for text in [
            "500",
            "1e5",
            "true",
            "No",
            "2024-01-01",
            "- a",
            "a: b",
            "a #b",
            " a",
            "",
            "~",
            "%",
            "inf",
            "f(x",
            "[a]",
            "{a}",
            "a\nb",
            "&a",
            "*a",
            "!a",
            "nan",
        ] {
            let shown = scalar(text);
            assert!(shown.starts_with('"'), "{shown}");
            let back = crate::document::read(&format!("x: {{ y: {shown} }}\n")).unwrap();
            assert_eq!(back, json!({"x": {"y": text}}));
        }
        for text in ["Amazon", "m/s", "°C", "avg(x) / 2", "Wind Turbine", "x > 3", "1/h", "5m", "gte(a)"] {
            assert_eq!(scalar(text), text);
        }
    }
}

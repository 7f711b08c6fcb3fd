//! A text in JSON or YAML as plain JSON, for files that others wrote: model definitions, templates, exports.
//!
//! YAML's short tags of CloudFormation (`!Ref name`, `!Sub "…"`) become their long forms (`{"Ref": …}`, `{"Fn::Sub": …}`). The plant
//! file has a reader of its own ([`crate::plant_file`]), which knows where every word stands. No input makes this panic.

use serde_json::{Map, Value};

mod yaml;

/// Largest text: as large as a plant file may be.
pub const MAX_BYTES: usize = crate::plant_file::MAX_FILE_BYTES;
/// Nesting of lists and maps. The deepest definitions of others nest about 25 levels; JSON's own reader stops at 128.
pub const MAX_DEPTH: usize = 100;
/// Values of one text, YAML's aliases written out.
pub(crate) const MAX_NODES: usize = 1_000_000;
/// Bytes of the words of one text, YAML's aliases written out: a text that repeats itself takes no more memory than a few plain ones.
pub(crate) const MAX_WRITTEN_BYTES: usize = 4 * MAX_BYTES;

/// Why a text is neither JSON nor YAML that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct DocumentError {
    /// Line, from 1; 0 if the whole text is meant.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Reads a text: JSON if it starts with a bracket, else YAML.
///
/// # Errors
/// It is too large, nested too deep, no JSON or YAML, has several documents, or a YAML key twice.
pub fn read(text: &str) -> Result<Value, DocumentError> {
    if text.len() > MAX_BYTES {
        return Err(DocumentError { line: 0, column: 0, message: format!("it is larger than {} MiB", MAX_BYTES >> 20) });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.trim_start().starts_with(['{', '[']) {
        return yaml::read(text);
    }
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let shown = error.to_string();
        let message = shown.split(" at line ").next().unwrap_or_default().to_owned();
        DocumentError { line: error.line(), column: error.column(), message: format!("this is not JSON: {message}") }
    })?;
    if depth(&value) > MAX_DEPTH {
        return Err(DocumentError { line: 0, column: 0, message: format!("it is nested deeper than {MAX_DEPTH} levels") });
    }
    Ok(value)
}

/// About how many bytes a value takes: its words, keys among them, and a fixed part of each value. Counts no further than `most`.
pub fn weight(value: &Value, most: usize) -> usize {
    const NODE: usize = 32;
    let mut sum = 0;
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop().filter(|_| sum <= most) {
        sum += NODE;
        match value {
            Value::String(text) => sum += text.len(),
            Value::Array(items) => waiting.extend(items),
            Value::Object(members) => {
                sum += members.keys().map(|key| NODE + key.len()).sum::<usize>();
                waiting.extend(members.values());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    sum
}

/// Levels of nesting.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Members named as CloudFormation names them (`AssetModelName`) as requests have them (`assetModelName`), at every depth.
pub fn camel_case(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(camel_case).collect()),
        Value::Object(members) => {
            let renamed = members.into_iter().map(|(key, value)| (camel_case_key(&key), camel_case(value)));
            Value::Object(renamed.collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// One name with its first letter in lower case.
pub fn camel_case_key(key: &str) -> String {
    let mut letters = key.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_and_yaml_read_alike() {
        let expected = json!({"a": [1, 2.5, true, null, "x"], "b": {"c": "007", "d": "yes"}});
        assert_eq!(read(&expected.to_string()).unwrap(), expected);
        let yaml = "a: [1, 2.5, true, ~, x]\nb:\n  c: 007\n  d: yes\n";
        assert_eq!(read(yaml).unwrap(), expected, "what JSON has no number for stays text");
        assert_eq!(read("\u{feff}a: 1").unwrap(), json!({"a": 1}));
    }

    #[test]
    fn short_tags_become_long_forms() {
        let yaml = "a: !Ref Thing\nb: !Sub 'x ${Y}'\nc: !Join ['', [a, !GetAtt T.Arn]]\nd: !If\n  - Fast\n  - 1\n  - !Ref AWS::NoValue\ne: !Condition Fast\n";
        let expected = json!({
            "a": {"Ref": "Thing"},
            "b": {"Fn::Sub": "x ${Y}"},
            "c": {"Fn::Join": ["", ["a", {"Fn::GetAtt": "T.Arn"}]]},
            "d": {"Fn::If": ["Fast", 1, {"Ref": "AWS::NoValue"}]},
            "e": {"Condition": "Fast"},
        });
        assert_eq!(read(yaml).unwrap(), expected);
    }

    #[test]
    fn mistakes_have_a_place() {
        let shown = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(shown("{\"a\": 1,}"), "line 1, column 9: this is not JSON: trailing comma");
        assert_eq!(shown("a: 1\na: 2\n"), "line 2, column 1: `a` is given twice");
        assert_eq!(shown("a: 1\n---\nb: 1\n"), "line 2, column 1: a second document starts here; give each a file of its own");
        assert!(shown("a: [1\n").starts_with("line "));
        assert!(shown(&"[".repeat(5000)).contains("recursion"));
        assert!(shown(&format!("x: {}", "[".repeat(5000))).contains("deep"));
    }

    #[test]
    fn aliases_are_written_out_within_bounds() {
        assert_eq!(read("a: &x [1]\nb: *x\n").unwrap(), json!({"a": [1], "b": [1]}));
        let mut bomb = "a0: &a0 [x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", [before.as_str(); 9].join(", "));
        }
        assert!(read(&bomb).unwrap_err().message.contains("values"));
        // A long text repeated often.
        let long = "x".repeat(1 << 20);
        let often = format!("a: &a {long}\nb: [{}]\n", ["*a"; 100].join(", "));
        assert!(read(&often).unwrap_err().message.contains("64 MiB"));
        assert!(read(&format!("a: &a {long}\nb: [*a, *a]\n")).is_ok());
        let nested = format!("a: {}{long}{}\n", (0..70).map(|n| format!("&n{n} [")).collect::<String>(), "]".repeat(70));
        assert!(read(&nested).unwrap_err().message.contains("64 MiB"));
    }

    #[test]
    fn members_lose_their_capital() {
        let value = json!({"AssetModelName": "A", "Nested": [{"DynamoDBv2": {"TableName": "T"}}]});
        assert_eq!(camel_case(value), json!({"assetModelName": "A", "nested": [{"dynamoDBv2": {"tableName": "T"}}]}));
    }
}

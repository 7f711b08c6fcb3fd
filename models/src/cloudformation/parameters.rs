//! Values from outside the template: parameters that are given, and the account it would be deployed to.

use serde_json::{Number, Value, json};

/// Parameters given for a template, by name; pseudo parameters (`AWS::Region`) can be given as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// No values: defaults apply.
    pub fn none() -> Self {
        Self::default()
    }

    /// These values.
    pub fn of(given: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(given.into_iter().collect())
    }

    /// What is given for a name; the last one wins.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What a pseudo parameter stands for where none is given: an account that can be told to be none.
pub(super) fn pseudo(name: &str) -> Option<Value> {
    Some(match name {
        "AWS::AccountId" => json!("000000000000"),
        "AWS::Region" => json!("us-east-1"),
        "AWS::Partition" => json!("aws"),
        "AWS::URLSuffix" => json!("amazonaws.com"),
        "AWS::StackName" => json!("stack"),
        "AWS::StackId" => json!("arn:aws:cloudformation:us-east-1:000000000000:stack/stack/0"),
        "AWS::NotificationARNs" => json!([]),
        _ => return None,
    })
}

/// The value of a declared parameter; an error says why there is none.
pub(super) fn declared(name: &str, declaration: &Value, given: &Parameters) -> Result<Value, String> {
    let parameter_type = declaration.get("Type").and_then(Value::as_str).unwrap_or("String");
    let written = given.given(name).map(|value| json!(value)).or_else(|| declaration.get("Default").cloned());
    let Some(written) = written else {
        return Err(format!("the parameter {name} has no default: give it with `--parameter {name}=…`"));
    };
    if parameter_type.starts_with("AWS::SSM::") && given.given(name).is_none() {
        return Err(format!("the parameter {name} is kept in AWS Systems Manager: give it with `--parameter {name}=…`"));
    }
    let text = super::functions::text(&written);
    Ok(match (parameter_type, &text) {
        ("Number", Some(text)) => number(text).unwrap_or(json!(text)),
        (list, Some(text)) if list == "CommaDelimitedList" || list.contains("List<") => {
            Value::Array(text.split(',').map(|item| json!(item.trim())).collect())
        }
        _ => written,
    })
}

/// A number that JSON writes with the very same letters.
fn number(text: &str) -> Option<Value> {
    let number: Number = serde_json::from_str(text).ok()?;
    (number.to_string() == text).then_some(Value::Number(number))
}

//! Values of attributes: texts in SiteWise, typed in the plant file.

use crate::sitewise::parts::DataType;
use serde_json::{Map, Number, Value, json};

/// The text as a value of the type; none if it is none.
pub(super) fn typed(text: &str, data_type: DataType) -> Option<Value> {
    let word = text.trim();
    match data_type {
        DataType::String | DataType::Struct => Some(json!(text)),
        DataType::Boolean => match word.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(json!(true)),
            "false" | "0" => Some(json!(false)),
            _ => None,
        },
        DataType::Integer => {
            let whole = |number: f64| (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
            word.parse::<i64>().ok().or_else(|| word.parse().ok().and_then(whole)).map(Value::from)
        }
        DataType::Double => number(word.parse::<f64>().ok()?),
    }
}

/// A number in its shortest form: `105`, not `105.0`.
fn number(number: f64) -> Option<Value> {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return Some(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number)
}

/// Default and type of an attribute, as far as the default does not tell the type.
pub(super) fn declare(tree: &mut Map<String, Value>, data_type: DataType, default: Option<Value>) {
    let told = match &default {
        None => data_type == DataType::Double,
        // A whole number is taken for a decimal one.
        Some(_) => data_type != DataType::Integer,
    };
    if !told {
        declare_type(tree, data_type);
    }
    if let Some(default) = default {
        tree.insert("default".into(), default);
    }
}

/// The type of a point; decimal is what it is without.
pub(super) fn declare_type(tree: &mut Map<String, Value>, data_type: DataType) {
    let name = match data_type {
        DataType::Double => return,
        DataType::Integer => "int",
        DataType::Boolean => "bool",
        DataType::String | DataType::Struct => "string",
    };
    tree.insert("type".into(), json!(name));
}

/// A type in words.
pub(super) fn name(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Double => "number",
        DataType::Integer => "whole number",
        DataType::Boolean => "truth value",
        DataType::String | DataType::Struct => "text",
    }
}

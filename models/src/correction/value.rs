//! A value as somebody gives it, as a value of a property: typed, and in its unit.

use crate::{
    Value, ValueType,
    unit::{Relation, Unit},
};

/// Why a value is not one of a property, with the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueRefusal {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// Reads a value given for a property of a type and unit: texts become numbers and truth values where the property has those, and
/// numbers given in another unit are converted.
///
/// # Errors
/// When the value is of another type, or its unit measures something else.
pub fn read_value(
    given: &Value,
    given_unit: &str,
    name: &str,
    value_type: ValueType,
    unit: &Unit,
) -> Result<Value, ValueRefusal> {
    let parsed = match (given, value_type) {
        (Value::String(text), ValueType::Boolean) => text.trim().parse().map(Value::Boolean).ok(),
        (Value::String(text), ValueType::Integer | ValueType::Double) => number(text.trim()),
        (value, ValueType::String) => Some(Value::from(value.to_string().as_str())).filter(|_| *value != Value::Null),
        (value, _) => Some(value.clone()),
    };
    let parsed = parsed.filter(|value| *value != Value::Null);
    let converted = match (parsed, given_unit.trim()) {
        (parsed, "") => parsed,
        (parsed, given_unit) => parsed.map(|value| converted(value, &Unit::new(given_unit), name, unit)).transpose()?,
    };
    converted.and_then(|value| value.coerce(value_type)).ok_or_else(|| {
        let (kind, example) = match value_type {
            ValueType::Boolean => ("true or false", "true"),
            ValueType::Integer => ("a whole number", "7"),
            ValueType::Double => ("a number", "78.5"),
            ValueType::String => ("a text", "KR-20714"),
        };
        let of = if unit.to_string().is_empty() { String::new() } else { format!(" in {unit}") };
        ValueRefusal {
            message: format!("`{given}` is no value of {name}"),
            hint: format!("it is {kind}{of}, such as {example}"),
        }
    })
}

fn number(text: &str) -> Option<Value> {
    let whole = text.parse::<i64>().ok().map(Value::Integer);
    whole.or_else(|| text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::Double))
}

fn converted(value: Value, given: &Unit, name: &str, unit: &Unit) -> Result<Value, ValueRefusal> {
    let refusal = |message: String, hint: &str| Err(ValueRefusal { message, hint: hint.into() });
    let way_out = format!("give the value in {unit} and leave the unit out");
    match (given.relation(unit), value.as_f64(), given.conversion(unit)) {
        (Relation::Same, ..) => Ok(value),
        (_, None, _) => refusal(format!("`{value}` is no number, so it has no unit {given}"), "leave the unit out"),
        (Relation::Convertible, Some(number), Some((factor, offset))) => Ok(Value::from(number * factor + offset)),
        _ if unit.to_string().is_empty() => refusal(format!("{name} has no unit, so not {given}"), "leave the unit out"),
        (Relation::Different, ..) => refusal(format!("{name} is in {unit}, and {given} measures something else"), &way_out),
        _ => refusal(format!("{name} is in {unit}, and {given} cannot be converted to it"), &way_out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: impl Into<Value>, unit: &str, value_type: ValueType, own: &str) -> Result<Value, String> {
        let refusal = |refusal: ValueRefusal| format!("{}; {}", refusal.message, refusal.hint);
        read_value(&given.into(), unit, "ideal_rate", value_type, &Unit::new(own)).map_err(refusal)
    }

    #[test]
    fn a_value_becomes_one_of_its_property() {
        assert_eq!(read("34000", "", ValueType::Double, "1/h"), Ok(Value::Double(34_000.0)));
        assert_eq!(read(600_i64, "1/min", ValueType::Double, "1/h"), Ok(Value::Double(36_000.0)));
        assert_eq!(read("212", "°F", ValueType::Double, "°C").map(|value| value.as_f64().unwrap().round()), Ok(100.0));
        assert_eq!(read("7", "", ValueType::Integer, ""), Ok(Value::Integer(7)));
        assert_eq!(read("true", "", ValueType::Boolean, ""), Ok(Value::Boolean(true)));
        assert_eq!(read(20_714_i64, "", ValueType::String, ""), Ok(Value::from("20714")));
        assert_eq!(read("5", "pallets", ValueType::Double, "pallets"), Ok(Value::Double(5.0)));
    }

    #[test]
    fn what_is_none_is_refused_with_what_it_should_be() {
        let refused = |given: &str, unit: &str, value_type, own: &str| read(given, unit, value_type, own).unwrap_err();
        assert_eq!(
            refused("fast", "", ValueType::Double, "1/h"),
            "`fast` is no value of ideal_rate; it is a number in 1/h, such as 78.5"
        );
        assert_eq!(
            refused("7.5", "", ValueType::Integer, ""),
            "`7.5` is no value of ideal_rate; it is a whole number, such as 7"
        );
        assert_eq!(refused("NaN", "", ValueType::Double, ""), "`NaN` is no value of ideal_rate; it is a number, such as 78.5");
        assert!(read(Value::Null, "", ValueType::String, "").is_err());
        assert!(refused("5", "bar", ValueType::Double, "1/h").contains("bar measures something else; give the value in 1/h"));
        assert!(refused("5", "crates", ValueType::Double, "1/h").contains("crates cannot be converted"));
        assert!(refused("5", "bar", ValueType::Double, "").contains("has no unit"));
        assert!(refused("x", "bar", ValueType::String, "").contains("no number"));
    }
}

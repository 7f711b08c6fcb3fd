//! Parameters of a statement: bytes from the client to values of the engine.

use super::{
    encode::{EPOCH_DAYS, EPOCH_MICROS, format},
    failure::{Failure, code},
    types::{Type, arrow_type},
    wire::{Bind, Body},
};
use arrow::datatypes::DataType;
use bytes::Bytes;
use datafusion::common::ScalarValue;

/// What is known of a parameter: the type the client gave it, and the one the statement wants.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// As the client sends it.
    pub r#type: Type,
    /// As the plan compares it.
    pub wanted: Option<DataType>,
}

/// The values of all parameters.
///
/// # Errors
/// When there are too few or too many, or one is not of its type.
pub fn values(parameters: &[Parameter], bind: &Bind) -> Result<Vec<ScalarValue>, Failure> {
    if parameters.len() != bind.parameters.len() {
        let message = format!("{} parameters were given to a statement with {}", bind.parameters.len(), parameters.len());
        return Err(Failure::new(code::PROTOCOL, message));
    }
    let given = parameters.iter().zip(&bind.parameters).enumerate();
    given
        .map(|(index, (parameter, bytes))| value(parameter, bytes.as_ref(), format(&bind.formats, index) == 1, index))
        .collect()
}

fn value(parameter: &Parameter, bytes: Option<&Bytes>, binary: bool, index: usize) -> Result<ScalarValue, Failure> {
    let wrong = || {
        let message =
            format!("parameter ${} is no {}, or of a type that is not known here", index + 1, parameter.r#type.name());
        Failure::new(code::WRONG_VALUE, message)
    };
    let own = arrow_type(&parameter.r#type).unwrap_or(DataType::Utf8);
    let Some(bytes) = bytes else {
        return ScalarValue::try_from(parameter.wanted.as_ref().unwrap_or(&own)).map_err(Failure::from);
    };
    let value = if binary {
        binary_value(&parameter.r#type, bytes).ok_or_else(wrong)?
    } else {
        let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
        text_value(&own, text).ok_or_else(wrong)?
    };
    match &parameter.wanted {
        // A number with a fraction is compared as it is, not cut off.
        Some(wanted) if wanted.is_integer() && value.data_type().is_floating() => Ok(value),
        Some(wanted) if *wanted != value.data_type() => Ok(value.cast_to(wanted).unwrap_or(value)),
        _ => Ok(value),
    }
}

fn text_value(own: &DataType, text: &str) -> Option<ScalarValue> {
    match own {
        DataType::Boolean => match text.to_lowercase().as_str() {
            "t" | "true" | "on" | "1" | "yes" => Some(true.into()),
            "f" | "false" | "off" | "0" | "no" => Some(false.into()),
            _ => None,
        },
        DataType::List(item) => {
            let items = list_items(text)?.into_iter().map(|part| match part {
                Some(part) => text_value(item.data_type(), &part),
                None => ScalarValue::try_from(item.data_type()).ok(),
            });
            Some(ScalarValue::List(ScalarValue::new_list_nullable(&items.collect::<Option<Vec<_>>>()?, item.data_type())))
        }
        DataType::Utf8 => Some(text.into()),
        other => ScalarValue::from(text.trim()).cast_to(other).ok().filter(|value| !value.is_null()),
    }
}

/// The items of a list as text, `{a,"b, c",NULL}`; none if it is no list, or one of lists.
///
/// Source: PostgreSQL 15 manual, section 8.15.6, "Array Input and Output Syntax".
fn list_items(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    if inner.trim().is_empty() {
        return Some(items);
    }
    let mut signs = inner.chars();
    loop {
        let (mut item, mut quoted, mut within) = (String::new(), false, false);
        let ended = loop {
            match signs.next() {
                None if within => return None,
                None => break true,
                Some('\\') => item.push(signs.next()?),
                Some('"') => {
                    if !within && !quoted {
                        item.clear();
                    }
                    (quoted, within) = (true, !within);
                }
                Some(',') if !within => break false,
                Some('{' | '}') if !within => return None,
                Some(sign) if quoted && !within && sign.is_whitespace() => {}
                Some(sign) => item.push(sign),
            }
        };
        let item = if quoted { item } else { item.trim().to_owned() };
        if item.is_empty() && !quoted {
            return None;
        }
        items.push((quoted || !item.eq_ignore_ascii_case("null")).then_some(item));
        if ended {
            return Some(items);
        }
    }
}

fn binary_value(r#type: &Type, bytes: &Bytes) -> Option<ScalarValue> {
    let fixed = |count: usize| (bytes.len() == count).then_some(bytes);
    let long = || fixed(8).and_then(|bytes| Some(i64::from_be_bytes(bytes[..].try_into().ok()?)));
    let int = || fixed(4).and_then(|bytes| Some(i32::from_be_bytes(bytes[..].try_into().ok()?)));
    let nanos = || long()?.checked_add(EPOCH_MICROS)?.checked_mul(1_000);
    Some(match *r#type {
        Type::BOOL => ScalarValue::Boolean(Some(fixed(1)?[0] != 0)),
        Type::INT2 => ScalarValue::Int16(Some(i16::from_be_bytes(fixed(2)?[..].try_into().ok()?))),
        Type::INT4 => ScalarValue::Int32(Some(int()?)),
        Type::OID => ScalarValue::Int64(Some(i64::from(int()? as u32))),
        Type::INT8 => ScalarValue::Int64(Some(long()?)),
        Type::FLOAT4 => ScalarValue::Float32(Some(f32::from_be_bytes(fixed(4)?[..].try_into().ok()?))),
        Type::FLOAT8 => ScalarValue::Float64(Some(f64::from_be_bytes(fixed(8)?[..].try_into().ok()?))),
        Type::NUMERIC => ScalarValue::Float64(Some(numeric(bytes)?)),
        Type::TIMESTAMPTZ => ScalarValue::TimestampNanosecond(Some(nanos()?), Some("UTC".into())),
        Type::TIMESTAMP => ScalarValue::TimestampNanosecond(Some(nanos()?), None),
        Type::DATE => ScalarValue::Date32(Some(int()?.checked_add(EPOCH_DAYS)?)),
        Type::BYTEA => ScalarValue::Binary(Some(bytes.to_vec())),
        Type::TEXT_ARRAY
        | Type::VARCHAR_ARRAY
        | Type::INT2_ARRAY
        | Type::INT4_ARRAY
        | Type::INT8_ARRAY
        | Type::FLOAT8_ARRAY => list(r#type, bytes)?,
        Type::UUID => ScalarValue::from(uuid::Uuid::from_slice(bytes).ok()?.to_string()),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::CHAR | Type::JSON | Type::UNKNOWN => {
            std::str::from_utf8(bytes).ok()?.into()
        }
        _ => return None,
    })
}

fn list(r#type: &Type, bytes: &Bytes) -> Option<ScalarValue> {
    let item = match *r#type {
        Type::INT2_ARRAY => Type::INT2,
        Type::INT4_ARRAY => Type::INT4,
        Type::INT8_ARRAY => Type::INT8,
        Type::FLOAT8_ARRAY => Type::FLOAT8,
        _ => Type::TEXT,
    };
    let mut body = Body(bytes.clone());
    let (dimensions, _nulls, _item) = (body.int()?, body.int()?, body.int()?);
    let mut items = Vec::new();
    if dimensions == 1 {
        let (count, _first) = (body.int()?, body.int()?);
        for _ in 0..count {
            items.push(match body.int()? {
                -1 => ScalarValue::try_from(&arrow_type(&item)?).ok()?,
                length => binary_value(&item, &body.bytes(usize::try_from(length).ok()?)?)?,
            });
        }
    } else if dimensions != 0 {
        return None;
    }
    Some(ScalarValue::List(ScalarValue::new_list_nullable(&items, &arrow_type(&item)?)))
}

/// Groups of four digits as a number.
fn numeric(bytes: &Bytes) -> Option<f64> {
    let mut body = Body(bytes.clone());
    let mut short = || body.bytes(2).map(|two| i16::from_be_bytes([two[0], two[1]]));
    let (count, weight, sign, _scale) = (short()?, short()?, short()?, short()?);
    let mut text = String::from(match sign {
        0 => "",
        0x4000 => "-",
        _ => return Some(f64::NAN),
    });
    for _ in 0..count {
        text.push_str(&format!("{:04}", short()?));
    }
    text.push_str(&format!("e{}", (i32::from(weight) + 1 - i32::from(count)) * 4));
    if count == 0 { Some(0.0) } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_lists_are_read_as_they_are_written() {
        let items = |text: &str| {
            list_items(text).map(|items| items.into_iter().map(|item| item.unwrap_or_else(|| "-".into())).collect::<Vec<_>>())
        };
        assert_eq!(items("{}").unwrap(), Vec::<String>::new());
        assert_eq!(items("{a, b ,NULL,null}").unwrap(), ["a", "b", "-", "-"]);
        assert_eq!(
            items(r#"{"Press A, north","a\"b\\c","NULL","", "}"}"#).unwrap(),
            ["Press A, north", "a\"b\\c", "NULL", "", "}"]
        );
        for wrong in ["", "{", "a", "{a,}", "{,}", "{{a},{b}}", "{\"a}", "{a\\}"] {
            assert_eq!(items(wrong), None, "{wrong}");
        }
    }
}

//! From what stands in a file to a value of the type its series has.

use andon_models::{Quality, StatusCode, Value, ValueType};

/// What stands in one place of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Empty,
    /// A word of a text file; its meaning depends on the type of the series.
    Word(&'a str),
    /// A text, typed as such.
    Text(&'a str),
    /// A decimal number.
    Double(f64),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
}

/// Words for no value.
const NO_VALUE: [&str; 5] = ["nan", "null", "none", "na", "n/a"];

impl Cell<'_> {
    /// Whether there is no value in it, for this type.
    pub fn is_empty(&self, to: ValueType) -> bool {
        match self {
            Self::Empty => true,
            Self::Double(number) => number.is_nan(),
            Self::Word(word) => {
                to != ValueType::String
                    && (word.trim().is_empty() || NO_VALUE.iter().any(|none| none.eq_ignore_ascii_case(word.trim())))
            }
            _ => false,
        }
    }

    /// The type of a series that begins with it; none when there is no value. A number of a text file is a decimal one: whole numbers
    /// may be followed by others.
    pub fn value_type(&self) -> Option<ValueType> {
        match self {
            Self::Empty => None,
            Self::Word(word) if word.trim().parse::<f64>().is_ok() => Some(ValueType::Double),
            Self::Word(word) if parse(word, ValueType::Boolean, false).is_ok() => Some(ValueType::Boolean),
            Self::Word(_) | Self::Text(_) => Some(ValueType::String),
            Self::Double(_) => Some(ValueType::Double),
            Self::Integer(_) => Some(ValueType::Integer),
            Self::Boolean(_) => Some(ValueType::Boolean),
        }
    }

    /// The value under the type of a series.
    ///
    /// # Errors
    /// Why it does not fit.
    pub fn fit(&self, to: ValueType, decimal_comma: bool) -> Result<Value, String> {
        if self.is_empty(to) {
            return Ok(Value::Null);
        }
        let value = match *self {
            Self::Empty => Value::Null,
            Self::Word(word) => return parse(word, to, decimal_comma),
            Self::Text(text) if to == ValueType::String => Value::String(text.into()),
            Self::Text(text) => return parse(text, to, decimal_comma),
            Self::Double(number) if number.is_infinite() => return Err(format!("`{number}` is no finite number")),
            Self::Double(number) => Value::Double(number),
            Self::Integer(number) => Value::Integer(number),
            Self::Boolean(truth) => Value::Boolean(truth),
        };
        let shown = value.to_string();
        value.coerce(to).ok_or_else(|| format!("`{shown}` is no {}", named(to)))
    }
}

fn named(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Boolean => "true or false",
        ValueType::Integer => "whole number",
        ValueType::Double => "number",
        ValueType::String => "text",
    }
}

fn parse(word: &str, to: ValueType, decimal_comma: bool) -> Result<Value, String> {
    let trimmed = word.trim();
    let wrong = || format!("`{trimmed}` is no {}", named(to));
    match to {
        ValueType::String => Ok(Value::String(word.into())),
        ValueType::Boolean => match trimmed {
            "1" => Ok(Value::Boolean(true)),
            "0" => Ok(Value::Boolean(false)),
            _ if trimmed.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
            _ if trimmed.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
            _ => Err(wrong()),
        },
        ValueType::Integer => match trimmed.parse() {
            Ok(number) => Ok(Value::Integer(number)),
            Err(_) => decimal(trimmed, decimal_comma)?.coerce(to).ok_or_else(wrong),
        },
        ValueType::Double => decimal(trimmed, decimal_comma),
    }
}

fn decimal(word: &str, decimal_comma: bool) -> Result<Value, String> {
    let number: f64 =
        if decimal_comma && word.contains(',') { word.replace(',', ".").parse() } else { word.parse() }.map_err(|_| {
            let comma = !decimal_comma && word.replacen(',', ".", 1).parse::<f64>().is_ok();
            format!("`{word}` is no number{}", if comma { "; with a decimal comma, say --decimal-comma" } else { "" })
        })?;
    if number.is_finite() { Ok(Value::Double(number)) } else { Err(format!("`{word}` is no finite number")) }
}

/// A quality by its word, or by its number in OPC Classic (192 good, 64 uncertain).
///
/// # Errors
/// When it is none.
pub fn quality(word: &str) -> Result<Option<Quality>, String> {
    let word = word.trim();
    let is = |name: &str| word.eq_ignore_ascii_case(name);
    Ok(Some(match word {
        "" => return Ok(None),
        _ if is("good") || word == "192" => Quality::Good,
        _ if is("uncertain") || word == "64" => Quality::Uncertain,
        _ if is("bad") => Quality::Bad,
        _ => return Err(format!("`{word}` is no quality; write good, uncertain or bad")),
    }))
}

/// A status code by its number, decimal or as `0x808A0000`.
///
/// # Errors
/// When it is none.
pub fn status(word: &str) -> Result<Option<StatusCode>, String> {
    let word = word.trim();
    if word.is_empty() {
        return Ok(None);
    }
    let number = match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => word.parse(),
    };
    number.map(|number| Some(StatusCode(number))).map_err(|_| format!("`{word}` is no status code"))
}

/// Quality and status of a point of which a file says one, both or none.
pub fn standing(quality: Option<Quality>, status: Option<StatusCode>, empty: bool) -> (Quality, StatusCode) {
    /// OPC UA Uncertain and Bad, without a reason.
    const UNCERTAIN: StatusCode = StatusCode(0x4000_0000);
    const BAD: StatusCode = StatusCode(0x8000_0000);
    match (quality, status) {
        (Some(quality), Some(status)) => (quality, status),
        (None, Some(status)) => (status.quality(), status),
        (Some(Quality::Good), None) => (Quality::Good, StatusCode::GOOD),
        (Some(Quality::Uncertain), None) => (Quality::Uncertain, UNCERTAIN),
        (Some(Quality::Bad), None) => (Quality::Bad, if empty { StatusCode::NO_DATA } else { BAD }),
        // A row without a value says that there was none.
        (None, None) if empty => (Quality::Bad, StatusCode::NO_DATA),
        (None, None) => (Quality::Good, StatusCode::GOOD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_values_of_the_type_of_their_series() {
        use ValueType::{Boolean, Double, Integer, String};
        let check = |cell: Cell<'_>, to| cell.fit(to, false).map_or_else(|error| error, |value| format!("{value:?}"));
        let word = |word, to| check(Cell::Word(word), to);
        assert_eq!(word(" 7.25 ", Double), "Double(7.25)");
        assert_eq!(word("1e3", Integer), "Integer(1000)");
        assert_eq!(word("9223372036854775807", Integer), "Integer(9223372036854775807)");
        assert_eq!(word("TRUE", Boolean), "Boolean(true)");
        assert_eq!(word("0", Boolean), "Boolean(false)");
        assert_eq!(word(" a ", String), "String(\" a \")");
        assert_eq!(word("NaN", Double), "Null");
        assert_eq!(word("NaN", String), "String(\"NaN\")");
        assert_eq!(word("7,25", Double), "`7,25` is no number; with a decimal comma, say --decimal-comma");
        assert_eq!(word("7.5", Integer), "`7.5` is no whole number");
        assert_eq!(word("inf", Double), "`inf` is no finite number");
        assert_eq!(word("2", Boolean), "`2` is no true or false");
        assert_eq!(check(Cell::Double(3.0), Integer), "Integer(3)");
        assert_eq!(check(Cell::Text("x"), Double), "`x` is no number");
        assert_eq!(check(Cell::Boolean(true), String), "`true` is no text");
        assert_eq!(Cell::Word("7,25").fit(Double, true), Ok(Value::Double(7.25)));
    }

    #[test]
    fn what_a_file_does_not_say_of_quality_follows_from_the_rest() {
        let bad = (Quality::Bad, StatusCode::NO_DATA);
        assert_eq!(standing(None, None, true), bad);
        assert_eq!(standing(None, None, false), (Quality::Good, StatusCode::GOOD));
        assert_eq!(standing(None, Some(StatusCode::STALE), false), (Quality::Uncertain, StatusCode::STALE));
        assert_eq!(standing(Some(Quality::Good), None, true), (Quality::Good, StatusCode::GOOD));
        assert_eq!(quality(" Bad"), Ok(Some(Quality::Bad)));
        assert!(quality("0").is_err());
        assert_eq!(status("0x80000000"), Ok(Some(StatusCode(0x8000_0000))));
    }
}

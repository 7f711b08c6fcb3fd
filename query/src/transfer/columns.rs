//! Columns of Parquet files in the few forms that an import reads, converted once per batch.

use super::cell::Cell;
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, StringArray},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Int32Type, TimeUnit},
};

/// One column of a batch.
pub enum Column {
    /// Decimal numbers.
    Double(Float64Array),
    /// Whole numbers.
    Integer(Int64Array),
    /// Truth values.
    Boolean(BooleanArray),
    /// Texts.
    Text(StringArray),
    /// Texts by number.
    Words(Int32Array, StringArray),
    /// Instants in units of so many nanoseconds, and whether they are of UTC.
    Instant(Int64Array, i64, bool),
    /// Nothing at all.
    Null,
}

impl Column {
    /// Brings a column to one of the forms.
    ///
    /// # Errors
    /// When its type is none that values have.
    pub fn of(array: &ArrayRef) -> Result<Self, String> {
        let to = |data_type: &DataType| {
            let options = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(array, data_type, &options).map_err(|error| error.to_string())
        };
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_boolean().clone()),
            DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Decimal128(..) | DataType::Decimal256(..) => {
                Self::Double(to(&DataType::Float64)?.as_primitive().clone())
            }
            data_type if data_type.is_integer() => Self::Integer(to(&DataType::Int64)?.as_primitive().clone()),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text(to(&DataType::Utf8)?.as_string().clone()),
            DataType::Dictionary(_, values) if values.is_string() => {
                let words = to(&DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))?;
                let words: &DictionaryArray<Int32Type> = words.as_dictionary();
                Self::Words(words.keys().clone(), words.values().as_string().clone())
            }
            DataType::Timestamp(unit, zone) => {
                let nanos = match unit {
                    TimeUnit::Second => 1_000_000_000,
                    TimeUnit::Millisecond => 1_000_000,
                    TimeUnit::Microsecond => 1_000,
                    TimeUnit::Nanosecond => 1,
                };
                Self::Instant(to(&DataType::Int64)?.as_primitive().clone(), nanos, zone.is_some())
            }
            DataType::Date32 | DataType::Date64 => {
                let seconds = to(&DataType::Timestamp(TimeUnit::Second, None))?;
                let numbers = arrow::compute::cast(&seconds, &DataType::Int64).map_err(|error| error.to_string())?;
                Self::Instant(numbers.as_primitive().clone(), 1_000_000_000, false)
            }
            other => return Err(format!("its type {other} is none that values have")),
        })
    }

    /// What stands in a row.
    pub fn cell(&self, row: usize) -> Cell<'_> {
        match self {
            Self::Double(numbers) if numbers.is_valid(row) => Cell::Double(numbers.value(row)),
            Self::Integer(numbers) if numbers.is_valid(row) => Cell::Integer(numbers.value(row)),
            Self::Boolean(truths) if truths.is_valid(row) => Cell::Boolean(truths.value(row)),
            Self::Instant(numbers, ..) if numbers.is_valid(row) => Cell::Integer(numbers.value(row)),
            _ => self.text(row).map_or(Cell::Empty, Cell::Text),
        }
    }

    /// The text in a row; none when there is none or it is no text.
    pub fn text(&self, row: usize) -> Option<&str> {
        match self {
            Self::Text(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::Words(keys, words) => {
                let key = keys.is_valid(row).then(|| keys.value(row))?;
                let key = usize::try_from(key).ok()?;
                words.is_valid(key).then(|| words.value(key))
            }
            _ => None,
        }
    }

    /// The whole number in a row; none when there is none or it is no whole number.
    pub fn integer(&self, row: usize) -> Option<i64> {
        match self {
            Self::Integer(numbers) => numbers.is_valid(row).then(|| numbers.value(row)),
            _ => None,
        }
    }
}

//! From the columns of one batch to points.

use crate::{Historian, QueryError, Target};
use andon_models::{Point, Quality, SeriesId, StatusCode, Timestamp, Tqv, Value, ValueType, admission::admit};
use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, PrimitiveArray, RecordBatch, StringArray,
    },
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampNanosecondType},
};
use std::{collections::HashMap, sync::Arc};

/// Strict: what does not fit is an error, not a null.
const STRICT: CastOptions<'_> = CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };

/// The points of a batch whose first row is number `first` of its stream.
///
/// # Errors
/// Names the row and the column.
pub fn points(historian: &Historian, batch: &RecordBatch, now: Timestamp, first: usize) -> Result<Vec<Point>, QueryError> {
    let rows = Rows::new(batch, first)?;
    let mut owners = Owners::new(batch)?;
    let unit = texts(batch, "unit")?;
    let mut points = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let value = rows.values.value(row);
        let time = rows.time(row)?;
        admit(time, now).map_err(|reason| rows.wrong(row, "time", &format!("{time} is {reason}")))?;
        let unit = unit.as_ref().and_then(|unit| unit.get(row)).unwrap_or_default();
        let value_type = value.value_type().unwrap_or(rows.values.default_type());
        let target = owners.target(historian, row, value_type, unit).map_err(|(column, why)| rows.wrong(row, column, &why))?;
        let value = match target.accept(value.clone()) {
            Some(value) => value,
            None => {
                let why = format!("{value} does not fit its series, which takes {}", target.value_type);
                return Err(rows.wrong(row, "value", &why));
            }
        };
        let quality = rows.quality(row, &value)?;
        let status = rows.status(row, quality, &value)?;
        points.push(Point { series: target.series, tqv: Tqv { time, quality, status, value } });
    }
    Ok(points)
}

/// The columns that are the same for every way to name a series.
struct Rows {
    first: usize,
    time: PrimitiveArray<TimestampNanosecondType>,
    values: Values,
    quality: Option<Qualities>,
    status: Option<Int64Array>,
}

enum Qualities {
    Named(Texts),
    Coded(Int64Array),
}

/// The value of a row: one column of some type, or several of which one is set.
struct Values {
    double: Option<Float64Array>,
    integer: Option<Int64Array>,
    boolean: Option<BooleanArray>,
    string: Option<Texts>,
}

/// A column of texts with few different ones.
struct Texts {
    keys: Int32Array,
    values: StringArray,
}

impl Texts {
    fn get(&self, row: usize) -> Option<&str> {
        self.key(row).map(|key| self.values.value(key))
    }

    fn key(&self, row: usize) -> Option<usize> {
        if self.keys.is_null(row) {
            return None;
        }
        let key = usize::try_from(self.keys.value(row)).ok()?;
        self.values.is_valid(key).then_some(key)
    }
}

fn refuse(column: &str, why: &str) -> QueryError {
    QueryError::Refused(format!("column `{column}`: {why}"))
}

fn cast(column: &ArrayRef, name: &str, to: &DataType) -> Result<ArrayRef, QueryError> {
    cast_with_options(column, to, &STRICT)
        .map_err(|error| refuse(name, &format!("{} cannot become {to}: {error}", column.data_type())))
}

/// A column of texts, whatever its form.
fn texts(batch: &RecordBatch, name: &str) -> Result<Option<Texts>, QueryError> {
    let Some(column) = batch.column_by_name(name) else { return Ok(None) };
    let form = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let kind = match column.data_type() {
        DataType::Dictionary(_, values) => values.as_ref(),
        kind => kind,
    };
    if !matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
        return Err(refuse(name, &format!("a string is expected, not {}", column.data_type())));
    }
    let column = cast(column, name, &form)?;
    let column = column.as_dictionary::<Int32Type>();
    Ok(Some(Texts { keys: column.keys().clone(), values: column.values().as_string::<i32>().clone() }))
}

fn whole_numbers(batch: &RecordBatch, name: &str) -> Result<Option<Int64Array>, QueryError> {
    let Some(column) = batch.column_by_name(name) else { return Ok(None) };
    if !column.data_type().is_integer() {
        return Err(refuse(name, &format!("a whole number is expected, not {}", column.data_type())));
    }
    Ok(Some(cast(column, name, &DataType::Int64)?.as_primitive::<Int64Type>().clone()))
}

impl Values {
    fn new(batch: &RecordBatch) -> Result<Self, QueryError> {
        let mut values = Self { double: None, integer: None, boolean: None, string: None };
        if let Some(column) = batch.column_by_name("value") {
            values.add(batch, "value", column)?;
            return Ok(values);
        }
        for name in ["double", "integer", "boolean", "string"] {
            if let Some(column) = batch.column_by_name(name) {
                values.add(batch, name, column)?;
            }
        }
        if values.double.is_none() && values.integer.is_none() && values.boolean.is_none() && values.string.is_none() {
            return Err(refuse("value", "it is missing, and so are `double`, `integer`, `boolean` and `string`"));
        }
        Ok(values)
    }

    fn add(&mut self, batch: &RecordBatch, name: &str, column: &ArrayRef) -> Result<(), QueryError> {
        match column.data_type() {
            DataType::Boolean => self.boolean = Some(column.as_boolean().clone()),
            kind if kind.is_integer() => self.integer = whole_numbers(batch, name)?,
            kind if kind.is_floating() => {
                self.double = Some(cast(column, name, &DataType::Float64)?.as_primitive::<Float64Type>().clone());
            }
            DataType::Null => {}
            _ => self.string = texts(batch, name)?,
        }
        Ok(())
    }

    fn default_type(&self) -> ValueType {
        match self {
            Self { double: Some(_), .. } => ValueType::Double,
            Self { integer: Some(_), .. } => ValueType::Integer,
            Self { boolean: Some(_), .. } => ValueType::Boolean,
            Self { string: Some(_), .. } => ValueType::String,
            _ => ValueType::Double,
        }
    }

    /// The value of a row; what is not finite is no value.
    fn value(&self, row: usize) -> Value {
        if let Some(doubles) = self.double.as_ref().filter(|doubles| doubles.is_valid(row)) {
            return Value::from(doubles.value(row));
        }
        if let Some(integers) = self.integer.as_ref().filter(|integers| integers.is_valid(row)) {
            return Value::Integer(integers.value(row));
        }
        if let Some(booleans) = self.boolean.as_ref().filter(|booleans| booleans.is_valid(row)) {
            return Value::Boolean(booleans.value(row));
        }
        self.string.as_ref().and_then(|texts| texts.get(row)).map_or(Value::Null, Value::from)
    }
}

impl Rows {
    fn new(batch: &RecordBatch, first: usize) -> Result<Self, QueryError> {
        let column = batch.column_by_name("time").ok_or_else(|| refuse("time", "it is missing"))?;
        if !matches!(column.data_type(), DataType::Timestamp(..)) {
            return Err(refuse("time", &format!("a timestamp is expected, not {}", column.data_type())));
        }
        // Without a zone it counts as UTC; with one, the number is UTC as well.
        let time = cast(column, "time", &DataType::Timestamp(TimeUnit::Nanosecond, column_zone(column)))?;
        let quality = match batch.column_by_name("quality") {
            None => None,
            Some(column) if column.data_type().is_integer() => whole_numbers(batch, "quality")?.map(Qualities::Coded),
            Some(_) => texts(batch, "quality")?.map(Qualities::Named),
        };
        Ok(Self {
            first,
            time: time.as_primitive::<TimestampNanosecondType>().clone(),
            values: Values::new(batch)?,
            quality,
            status: whole_numbers(batch, "status")?,
        })
    }

    fn wrong(&self, row: usize, column: &str, why: &str) -> QueryError {
        QueryError::Refused(format!("row {}, column `{column}`: {why}", self.first + row))
    }

    fn time(&self, row: usize) -> Result<Timestamp, QueryError> {
        if self.time.is_null(row) {
            return Err(self.wrong(row, "time", "it is null"));
        }
        Ok(Timestamp::from_nanos(self.time.value(row)))
    }

    fn quality(&self, row: usize, value: &Value) -> Result<Quality, QueryError> {
        let usual = if *value == Value::Null { Quality::Bad } else { Quality::Good };
        let (code, shown) = match &self.quality {
            None => return Ok(usual),
            Some(Qualities::Coded(codes)) if codes.is_null(row) => return Ok(usual),
            Some(Qualities::Coded(codes)) => (codes.value(row), codes.value(row).to_string()),
            Some(Qualities::Named(names)) => match names.get(row) {
                None => return Ok(usual),
                Some("good" | "GOOD") => return Ok(Quality::Good),
                Some("uncertain" | "UNCERTAIN") => return Ok(Quality::Uncertain),
                Some("bad" | "BAD") => return Ok(Quality::Bad),
                Some(other) => (-1, format!("{other:?}")),
            },
        };
        match code {
            0 => Ok(Quality::Good),
            1 => Ok(Quality::Uncertain),
            2 => Ok(Quality::Bad),
            _ => Err(self.wrong(row, "quality", &format!("{shown} is neither good, uncertain nor bad (0, 1, 2)"))),
        }
    }

    fn status(&self, row: usize, quality: Quality, value: &Value) -> Result<StatusCode, QueryError> {
        match self.status.as_ref().filter(|status| status.is_valid(row)) {
            Some(status) => u32::try_from(status.value(row))
                .map(StatusCode)
                .map_err(|_| self.wrong(row, "status", &format!("{} does not fit 32 bits without a sign", status.value(row)))),
            None if *value == Value::Null && quality == Quality::Bad => Ok(StatusCode::NO_DATA),
            None => Ok(StatusCode::GOOD),
        }
    }
}

fn column_zone(column: &ArrayRef) -> Option<Arc<str>> {
    match column.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    }
}

/// Whose values the rows are.
struct Owners {
    names: Owner,
    /// Those of this batch that were looked up. A name has the keys of one or two dictionaries.
    known: HashMap<(usize, usize), Target>,
    /// The row before: most often the same.
    last: Option<((usize, usize), Target)>,
}

enum Owner {
    Number(Int64Array),
    Alias(Box<Texts>),
    Property(Box<(Texts, Texts)>),
}

impl Owners {
    fn new(batch: &RecordBatch) -> Result<Self, QueryError> {
        let names = if let Some(numbers) = whole_numbers(batch, "series")? {
            Owner::Number(numbers)
        } else if let Some(alias) = texts(batch, "alias")? {
            Owner::Alias(alias.into())
        } else if let (Some(asset), Some(property)) = (texts(batch, "asset")?, texts(batch, "property")?) {
            Owner::Property((asset, property).into())
        } else {
            return Err(refuse("alias", "it is missing, and so are `series`, or `asset` and `property`"));
        };
        Ok(Self { names, known: HashMap::new(), last: None })
    }

    /// The series of a row, a new one if its name is new; else the column and what is wrong with it.
    fn target(
        &mut self,
        historian: &Historian,
        row: usize,
        value_type: ValueType,
        unit: &str,
    ) -> Result<Target, (&'static str, String)> {
        let key = self.key(row)?;
        if let Some((_, target)) = self.last.filter(|(known, _)| *known == key) {
            return Ok(target);
        }
        let target = match self.known.get(&key) {
            Some(target) => *target,
            None => {
                let target = self.find(historian, key, value_type, unit)?;
                self.known.insert(key, target);
                target
            }
        };
        self.last = Some((key, target));
        Ok(target)
    }

    fn key(&self, row: usize) -> Result<(usize, usize), (&'static str, String)> {
        let null = |column| (column, "it is null".to_owned());
        Ok(match &self.names {
            Owner::Number(numbers) if numbers.is_null(row) => return Err(null("series")),
            Owner::Number(numbers) => {
                let number = numbers.value(row);
                (usize::try_from(number).map_err(|_| ("series", format!("there is no series {number}")))?, 0)
            }
            Owner::Alias(alias) => (alias.key(row).ok_or_else(|| null("alias"))?, 0),
            Owner::Property(names) => {
                let (asset, property) = names.as_ref();
                (asset.key(row).ok_or_else(|| null("asset"))?, property.key(row).ok_or_else(|| null("property"))?)
            }
        })
    }

    fn find(
        &self,
        historian: &Historian,
        key: (usize, usize),
        value_type: ValueType,
        unit: &str,
    ) -> Result<Target, (&'static str, String)> {
        let why = |column| move |error: QueryError| (column, error.to_string());
        match &self.names {
            Owner::Number(_) => {
                let series = u32::try_from(key.0).ok().map(SeriesId);
                let known = series.map_or(Ok(None), |series| historian.series_target(series)).map_err(why("series"))?;
                known.ok_or_else(|| ("series", format!("there is no series {}; `asset_property` lists them by name", key.0)))
            }
            Owner::Alias(alias) => historian.target_or_new(alias.values.value(key.0), value_type, unit).map_err(why("alias")),
            Owner::Property(names) => {
                let (assets, properties) = names.as_ref();
                let (asset, property) = (assets.values.value(key.0), properties.values.value(key.1));
                let known = historian.property_target(asset, property).map_err(why("property"))?;
                known.ok_or_else(|| {
                    ("property", format!("{asset:?} has no property {property:?}; a data stream has an `alias`"))
                })
            }
        }
    }
}

//! The names of all series as columns: what SQL and files put beside the numbers.
//!
//! Names of properties are one batch that never changes. Those of data streams, of which there may be millions, are made into columns
//! for the rows at hand, and thrown away with them. A column of names is a dictionary: of all properties where these are few, otherwise
//! of the series that occur in the rows.

use super::{Directory, FIRST_STREAM, SeriesRow, Streams, rows::Row, streams::Look};
use crate::table::columns::CHUNK_ROWS;
use andon_models::ValueType;
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int32Array, RecordBatch, StringArray},
    compute::{cast, kernels::zip::zip},
    datatypes::{DataType, Int32Type, SchemaRef},
    error::ArrowError,
};
use std::{collections::HashMap, sync::Arc};

/// The columns, the number of the series last.
pub const NAMES: [&str; 9] = ["asset", "property", "unit", "model", "alias", "asset_id", "property_id", "data_type", "series"];
/// Columns that say nothing about a stream.
pub const NOT_OF_STREAMS: [&str; 4] = ["asset", "model", "asset_id", "property_id"];
/// Properties that share one dictionary. Beyond that, engines that look at whole dictionaries would lose more time than one saves.
const MAX_SHARED: usize = 8_192;

/// The names of all series of some moment.
#[derive(Debug)]
pub struct Names {
    properties: Arc<Properties>,
    streams: Arc<Streams>,
    /// How many streams there were.
    count: usize,
}

/// The names of properties. Columns as in [`NAMES`].
#[derive(Debug)]
pub struct Properties {
    names: RecordBatch,
    /// Rows by series.
    rows: HashMap<i32, usize>,
}

/// Where the names of a series are.
#[derive(Clone, Copy)]
enum Place {
    Property(usize),
    Stream(usize),
}

impl Properties {
    /// The names of a directory's properties.
    pub fn of(directory: &Directory) -> Self {
        let rows = || directory.series.values();
        let text = |name: fn(&SeriesRow) -> String| -> ArrayRef {
            Arc::new(rows().map(|row| Some(name(row))).collect::<StringArray>())
        };
        let series: Int32Array = directory.series.keys().map(|series| series.cast_signed()).collect();
        let rows_by_series = series.values().iter().copied().zip(0..).collect();
        let names = batch([
            text(|row| row.asset.to_string()),
            text(|row| row.property.to_string()),
            text(|row| row.unit.to_string()),
            text(|row| row.model.to_string()),
            text(SeriesRow::alias),
            text(|row| row.asset_id.to_string()),
            text(|row| row.property_id.to_string()),
            text(|row| type_name(row.value_type).to_owned()),
            Arc::new(series),
        ]);
        Self { names, rows: rows_by_series }
    }
}

impl Names {
    /// The names of properties, and of the streams there are now.
    pub fn new(properties: Arc<Properties>, streams: Arc<Streams>) -> Self {
        let count = streams.len();
        Self { properties, streams, count }
    }

    /// The names of properties in one batch. Columns as in [`NAMES`].
    pub fn properties(&self) -> &RecordBatch {
        &self.properties.names
    }

    /// The names of streams, batch by batch, in the order of their numbers.
    pub fn streams(&self) -> impl Iterator<Item = RecordBatch> {
        (0..self.count)
            .step_by(CHUNK_ROWS)
            .map(|from| of_streams(self.streams.look().range(from..self.count.min(from + CHUNK_ROWS))))
    }

    /// All series.
    pub fn series(&self) -> impl Iterator<Item = i32> {
        let streams = (0..self.count).filter_map(|place| i32::try_from(place).ok());
        series_of(&self.properties.names).iter().copied().chain(streams.map(|place| FIRST_STREAM.cast_signed() + place))
    }

    /// The names of one series as a batch of one row.
    pub fn row(&self, series: i32) -> Option<RecordBatch> {
        Some(match self.place(series)? {
            Place::Property(row) => self.properties.names.slice(row, 1),
            Place::Stream(place) => of_streams(self.streams.look().range(place..place + 1)),
        })
    }

    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        self.properties.names.schema()
    }

    /// Columns of names for rows of series; null where a series has none.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn columns(&self, series: &[i32], columns: &[&str]) -> Result<Vec<ArrayRef>, ArrowError> {
        let indices: Result<Vec<usize>, ArrowError> = columns.iter().map(|name| self.schema().index_of(name)).collect();
        let indices = indices?;
        if indices.is_empty() {
            return Ok(Vec::new());
        }
        let properties = &self.properties.names;
        let shared = properties.num_rows() <= MAX_SHARED && series.iter().all(|series| series.cast_unsigned() < FIRST_STREAM);
        let (keys, values): (Int32Array, Vec<ArrayRef>) = if shared {
            (self.keys(series), indices.iter().map(|index| properties.column(*index).clone()).collect())
        } else {
            let (keys, rows) = self.distinct(series);
            let streams = self.streams.look();
            (keys, indices.iter().map(|index| self.pick(&streams, *index, &rows)).collect())
        };
        // Not every reader looks for nulls among a dictionary's values, so what streams do not have is null among the keys.
        let of_property = |(key, series): (Option<i32>, &i32)| key.filter(|_| series.cast_unsigned() < FIRST_STREAM);
        let property_keys =
            if shared { keys.clone() } else { keys.iter().zip(series).map(of_property).collect::<Int32Array>() };
        let dictionary = |(values, name): (ArrayRef, &&str)| -> Result<ArrayRef, ArrowError> {
            let keys = if NOT_OF_STREAMS.contains(name) { &property_keys } else { &keys };
            Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys.clone(), values)?))
        };
        values.into_iter().zip(columns).map(dictionary).collect()
    }

    /// The rows of properties. Samples of a series come one after another, so a look for the first of them is enough.
    fn keys(&self, series: &[i32]) -> Int32Array {
        let mut last = None;
        let key = |series: &i32| match last {
            Some((known, key)) if known == *series => key,
            _ => {
                let key = self.properties.rows.get(series).and_then(|row| i32::try_from(*row).ok());
                last = Some((*series, key));
                key
            }
        };
        series.iter().map(key).collect()
    }

    /// Asset, property and unit as files hold them: a data stream has its whole name for a property, so that nobody who reads a file
    /// takes two streams for one.
    ///
    /// # Errors
    /// When the columns do not fit together.
    pub fn stored(&self, series: &[i32]) -> Result<Vec<ArrayRef>, ArrowError> {
        let is_stream: BooleanArray = series.iter().map(|series| Some(series.cast_unsigned() >= FIRST_STREAM)).collect();
        let streams = is_stream.true_count();
        if streams == 0 {
            return self.columns(series, &["asset", "property", "unit"]);
        }
        if streams == series.len() {
            return self.columns(series, &["asset", "alias", "unit"]);
        }
        let mut columns = self.columns(series, &["asset", "property", "unit", "alias"])?;
        let dictionary = columns[1].data_type().clone();
        let (alias, property) = (cast(&columns.remove(3), &DataType::Utf8)?, cast(&columns[1], &DataType::Utf8)?);
        columns[1] = cast(&zip(&is_stream, &alias, &property)?, &dictionary)?;
        Ok(columns)
    }

    /// The different series of these rows, and for each row the place among them.
    fn distinct(&self, series: &[i32]) -> (Int32Array, Vec<Place>) {
        let mut places: HashMap<i32, Option<i32>> = HashMap::new();
        let mut rows = Vec::new();
        let mut last: Option<(i32, Option<i32>)> = None;
        let keys = series.iter().map(|series| {
            // Rows come sorted by series, nearly always.
            if let Some((_, key)) = last.filter(|(known, _)| known == series) {
                return key;
            }
            let key = *places.entry(*series).or_insert_with(|| {
                rows.push(self.place(*series)?);
                i32::try_from(rows.len() - 1).ok()
            });
            last = Some((*series, key));
            key
        });
        (keys.collect(), rows)
    }

    fn place(&self, series: i32) -> Option<Place> {
        match series.cast_unsigned().checked_sub(FIRST_STREAM).map(|place| place as usize) {
            None => self.properties.rows.get(&series).copied().map(Place::Property),
            Some(place) => (place < self.count).then_some(Place::Stream(place)),
        }
    }

    /// One name of some series.
    fn pick(&self, streams: &Look<'_>, index: usize, places: &[Place]) -> ArrayRef {
        let of_properties = self.properties.names.column(index).as_string_opt::<i32>();
        let name = |place: &Place| match *place {
            Place::Property(row) => of_properties.filter(|names| names.is_valid(row)).map(|names| names.value(row)),
            Place::Stream(place) => streams.get(place).and_then(|stream| name_of(&stream, NAMES[index])),
        };
        Arc::new(places.iter().map(name).collect::<StringArray>())
    }
}

/// A name of a stream; none where only properties have one.
fn name_of<'a>(stream: &Row<'a>, name: &str) -> Option<&'a str> {
    Some(match name {
        "property" => stream.property(),
        "unit" => stream.unit,
        "alias" => stream.alias,
        "data_type" => type_name(stream.value_type),
        _ => return None,
    })
}

/// The numbers of the series of a chunk.
pub fn series_of(chunk: &RecordBatch) -> &[i32] {
    chunk.column(NAMES.len() - 1).as_primitive::<Int32Type>().values()
}

fn of_streams<'a>(rows: impl Iterator<Item = Row<'a>> + Clone) -> RecordBatch {
    batch(NAMES.map(|name| -> ArrayRef {
        match name {
            "series" => Arc::new(rows.clone().map(|row| row.series.0.cast_signed()).collect::<Int32Array>()),
            name => Arc::new(rows.clone().map(|row| name_of(&row, name)).collect::<StringArray>()),
        }
    }))
}

fn batch(columns: [ArrayRef; NAMES.len()]) -> RecordBatch {
    let columns = NAMES.into_iter().zip(columns).map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
}

/// The name of a type as AWS IoT SiteWise writes it.
fn type_name(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Boolean => "BOOLEAN",
        ValueType::Integer => "INTEGER",
        ValueType::Double => "DOUBLE",
        ValueType::String => "STRING",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(names: &Names, series: &[i32]) -> Vec<Option<String>> {
        let column = names.columns(series, &["alias"]).unwrap().remove(0);
        let column = arrow::compute::cast(&column, &arrow::datatypes::DataType::Utf8).unwrap();
        column.as_string::<i32>().iter().map(|name| name.map(str::to_owned)).collect()
    }

    #[test]
    fn names_are_those_of_their_moment() {
        let directory = Directory::default();
        let stream = |place: usize| FIRST_STREAM.cast_signed() + i32::try_from(place).unwrap();
        let add = |count: usize| {
            for place in directory.streams.len()..directory.streams.len() + count {
                directory.find_or_add(&format!("stream {place}"), ValueType::Double, "").unwrap();
            }
        };
        add(3);
        let first = directory.names();
        add(CHUNK_ROWS + 1);
        let second = directory.names();
        let rows = |names: &Names| names.streams().map(|chunk| chunk.num_rows()).collect::<Vec<_>>();
        assert_eq!((rows(&first), rows(&second)), (vec![3], vec![CHUNK_ROWS, 4]));
        let asked = [stream(1), stream(1), stream(CHUNK_ROWS + 3), 7, stream(CHUNK_ROWS + 4), stream(1)];
        let name = |place: usize| Some(format!("stream {place}"));
        let expected = [name(1), name(1), name(CHUNK_ROWS + 3), None, None, name(1)];
        assert_eq!(alias(&second, &asked), expected);
        assert_eq!(alias(&first, &asked[2..5]), [None, None, None]);
        assert_eq!(second.series().last(), Some(stream(CHUNK_ROWS + 3)));
        assert_eq!(series_of(&second.row(stream(5)).unwrap()), [stream(5)]);
    }
}

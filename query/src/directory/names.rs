//! The names of all series as columns: what SQL and files put beside the numbers.
//!
//! Names of properties are one batch that never changes. Those of data streams follow in batches of [`CHUNK_ROWS`], of which only
//! the last one is made anew when streams came along. A column of names is a dictionary: of all properties where these are few,
//! otherwise of the series that occur in the rows at hand, so that a million names cost nothing where a few are meant.

use super::{DataStream, Directory, FIRST_STREAM, SeriesRow};
use crate::table::columns::CHUNK_ROWS;
use andon_models::ValueType;
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int32Array, RecordBatch, StringArray},
    compute::{cast, interleave, kernels::zip::zip},
    datatypes::{DataType, Int32Type, SchemaRef},
    error::ArrowError,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The columns, the number of the series last.
pub const NAMES: [&str; 9] = ["asset", "property", "unit", "model", "alias", "asset_id", "property_id", "data_type", "series"];
/// Columns that say nothing about a stream.
pub const NOT_OF_STREAMS: [&str; 4] = ["asset", "model", "asset_id", "property_id"];
/// Properties that share one dictionary. Beyond that, engines that look at whole dictionaries would lose more time than one saves.
const MAX_SHARED: usize = 8_192;

/// The names of all series of some moment.
#[derive(Debug)]
pub struct Names {
    /// First the properties, then streams in the order of their numbers.
    chunks: Vec<Arc<RecordBatch>>,
    /// Rows of the first chunk by series.
    properties: Arc<HashMap<i32, usize>>,
    /// How many streams there are.
    streams: usize,
}

/// The newest names, kept until a stream comes along.
#[derive(Debug, Default)]
pub struct Cache(Mutex<Option<Arc<Names>>>);

impl Cache {
    pub(super) fn current(&self, directory: &Directory) -> Arc<Names> {
        let streams = directory.streams.len();
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match cache.as_ref() {
            Some(names) if names.streams == streams => names.clone(),
            known => {
                let base = known.cloned().unwrap_or_else(|| Arc::new(Names::of_properties(directory)));
                let names = Arc::new(base.with_streams(directory, streams));
                *cache = Some(names.clone());
                names
            }
        }
    }
}

impl Names {
    fn of_properties(directory: &Directory) -> Self {
        let rows = || directory.series.values();
        let text = |name: fn(&SeriesRow) -> String| -> ArrayRef {
            Arc::new(rows().map(|row| Some(name(row))).collect::<StringArray>())
        };
        let series: Int32Array = directory.series.keys().map(|series| series.cast_signed()).collect();
        let position = series.values().iter().copied().zip(0..).collect();
        let chunk = batch([
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
        Self { chunks: vec![Arc::new(chunk)], properties: Arc::new(position), streams: 0 }
    }

    /// The same with the streams there are now: full chunks stay, the last one is made anew.
    fn with_streams(&self, directory: &Directory, streams: usize) -> Self {
        let full = self.streams / CHUNK_ROWS;
        let mut chunks = self.chunks[..=full].to_vec();
        for from in (full * CHUNK_ROWS..streams).step_by(CHUNK_ROWS) {
            let rows = directory.streams.range(from, CHUNK_ROWS.min(streams - from));
            chunks.push(Arc::new(of_streams(&rows)));
        }
        Self { chunks, properties: self.properties.clone(), streams }
    }

    /// The names in batches: properties first, then streams. Columns as in [`NAMES`].
    pub fn chunks(&self) -> &[Arc<RecordBatch>] {
        &self.chunks
    }

    /// The names of one series as a batch of one row.
    pub fn row(&self, series: i32) -> Option<RecordBatch> {
        self.place(series).map(|(chunk, row)| self.chunks[chunk].slice(row, 1))
    }

    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        self.chunks[0].schema()
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
        let properties = &self.chunks[0];
        let shared = properties.num_rows() <= MAX_SHARED && series.iter().all(|series| series.cast_unsigned() < FIRST_STREAM);
        let (keys, values): (Int32Array, Vec<ArrayRef>) = if shared {
            (self.keys(series), indices.iter().map(|index| properties.column(*index).clone()).collect())
        } else {
            let (keys, rows) = self.distinct(series);
            let values: Result<Vec<ArrayRef>, ArrowError> = indices.iter().map(|index| self.pick(*index, &rows)).collect();
            (keys, values?)
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
                let key = self.properties.get(series).and_then(|row| i32::try_from(*row).ok());
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

    /// The different series of these rows as chunk and row, and for each row the place among them.
    fn distinct(&self, series: &[i32]) -> (Int32Array, Vec<(usize, usize)>) {
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

    /// Where a series stands: its chunk and row.
    fn place(&self, series: i32) -> Option<(usize, usize)> {
        match series.cast_unsigned().checked_sub(FIRST_STREAM).map(|place| place as usize) {
            None => Some((0, *self.properties.get(&series)?)),
            Some(place) => (place < self.streams).then_some((1 + place / CHUNK_ROWS, place % CHUNK_ROWS)),
        }
    }

    fn pick(&self, index: usize, rows: &[(usize, usize)]) -> Result<ArrayRef, ArrowError> {
        // Only the chunks that occur, or a few rows would cost as much as there are chunks.
        let mut used: Vec<usize> = rows.iter().map(|(chunk, _)| *chunk).collect();
        used.sort_unstable();
        used.dedup();
        let columns: Vec<&dyn Array> = used.iter().map(|chunk| self.chunks[*chunk].column(index).as_ref()).collect();
        let place = |(chunk, row): &(usize, usize)| (used.binary_search(chunk).unwrap_or(0), *row);
        let places: Vec<(usize, usize)> = rows.iter().map(place).collect();
        if columns.is_empty() { Ok(self.chunks[0].column(index).slice(0, 0)) } else { interleave(&columns, &places) }
    }
}

/// The numbers of the series of a chunk.
pub fn series_of(chunk: &RecordBatch) -> &[i32] {
    chunk.column(NAMES.len() - 1).as_primitive::<Int32Type>().values()
}

fn of_streams(rows: &[DataStream]) -> RecordBatch {
    let text = |name: fn(&DataStream) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(name))) };
    let none: ArrayRef = Arc::new(StringArray::new_null(rows.len()));
    let series = rows.iter().map(|row| row.series.0.cast_signed());
    batch([
        none.clone(),
        text(DataStream::property),
        text(|row| &row.unit),
        none.clone(),
        text(|row| &row.alias),
        none.clone(),
        none,
        text(|row| type_name(row.value_type)),
        Arc::new(Int32Array::from_iter_values(series)),
    ])
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
    fn names_follow_new_streams_and_full_chunks_stay() {
        let directory = Directory::default();
        let stream = |place: usize| FIRST_STREAM.cast_signed() + i32::try_from(place).unwrap();
        let add = |count: usize| {
            for place in directory.streams.len()..directory.streams.len() + count {
                directory.find_or_add(&format!("stream {place}"), ValueType::Double, "").unwrap();
            }
        };
        add(3);
        let first = directory.names();
        assert!(Arc::ptr_eq(&first, &directory.names()));
        add(CHUNK_ROWS);
        let second = directory.names();
        add(1);
        let third = directory.names();
        assert_eq!([first.chunks.len(), second.chunks.len(), third.chunks.len()], [2, 3, 3]);
        assert!(Arc::ptr_eq(&second.chunks[1], &third.chunks[1]) && !Arc::ptr_eq(&second.chunks[2], &third.chunks[2]));
        let asked = [stream(1), stream(1), stream(CHUNK_ROWS + 3), 7, stream(CHUNK_ROWS + 4), stream(1)];
        let name = |place: usize| Some(format!("stream {place}"));
        let expected = [name(1), name(1), name(CHUNK_ROWS + 3), None, None, name(1)];
        assert_eq!(alias(&third, &asked), expected);
        assert_eq!(alias(&first, &asked[2..5]), [None, None, None]);
    }
}

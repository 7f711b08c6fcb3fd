//! Writes streams of record batches as CSV or Parquet, batch by batch.

use crate::QueryError;
use andon_models::Timestamp;
use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, Float64Type, Int64Type, SchemaRef, TimeUnit, TimestampNanosecondType},
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use std::io::Write;

/// Rows of a row group: the memory that writing takes, and what a reader can leave out.
const ROW_GROUP_ROWS: usize = 131_072;

/// zstd level: higher ones cost far more time than they save bytes.
const ZSTD_LEVEL: i32 = 3;

/// The forms of files that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Parquet, zstd.
    Parquet,
    /// Separated by commas, with a header (RFC 4180). An empty text stands in quotes, no value is nothing.
    Csv,
}

/// Writes batches to a file or a pipe.
pub enum FileWriter<W: Write + Send> {
    /// Parquet.
    Parquet(Box<ArrowWriter<W>>),
    /// CSV.
    Csv(CsvWriter<W>),
}

/// Writes CSV.
pub struct CsvWriter<W> {
    out: W,
    line: String,
    /// The columns of typed values become one, `value`.
    points: bool,
}

impl<W: Write + Send> FileWriter<W> {
    /// Begins a file. `points`: the columns are those of an export of points, of which CSV has one `value`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(out: W, format: Format, schema: &SchemaRef, points: bool) -> Result<Self, QueryError> {
        Ok(match format {
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_created_by(concat!("andon ", env!("CARGO_PKG_VERSION")).to_owned())
                    .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
                    .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
                    .build();
                Self::Parquet(Box::new(ArrowWriter::try_new(out, schema.clone(), Some(properties))?))
            }
            Format::Csv => {
                let mut writer = CsvWriter { out, line: String::new(), points };
                writer.header(schema)?;
                Self::Csv(writer)
            }
        })
    }

    /// Writes a batch.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        match self {
            Self::Parquet(writer) => Ok(writer.write(batch)?),
            Self::Csv(writer) => Ok(writer.write(batch)?),
        }
    }

    /// Ends the file and gives back what it was written to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> Result<W, QueryError> {
        match self {
            Self::Parquet(writer) => Ok(writer.into_inner()?),
            Self::Csv(mut writer) => {
                writer.out.flush().map_err(ArrowError::from)?;
                Ok(writer.out)
            }
        }
    }
}

/// The columns of which an export of points in CSV has one.
const TYPED: [&str; 4] = ["double", "integer", "boolean", "string"];

impl<W: Write> CsvWriter<W> {
    fn header(&mut self, schema: &SchemaRef) -> Result<(), ArrowError> {
        let mut names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        if self.points {
            let first = names.iter().position(|name| TYPED.contains(name));
            names.retain(|name| !TYPED.contains(name));
            names.insert(first.unwrap_or(names.len()), "value");
        }
        for (index, name) in names.iter().enumerate() {
            if index > 0 {
                self.line.push(',');
            }
            quote(name, &mut self.line);
        }
        self.end_line()
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let schema = batch.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let cells: Vec<Cells> = batch.columns().iter().map(Cells::of).collect::<Result<_, _>>()?;
        // Columns that share one place: a row has a value in one of them at most.
        let mut places: Vec<Vec<&Cells>> = Vec::new();
        let mut value = None;
        for (name, cells) in names.iter().zip(&cells) {
            match value {
                Some(place) if self.points && TYPED.contains(name) => {
                    let place: &mut Vec<&Cells> = &mut places[place];
                    place.push(cells);
                }
                _ => {
                    if self.points && TYPED.contains(name) {
                        value = Some(places.len());
                    }
                    places.push(vec![cells]);
                }
            }
        }
        for row in 0..batch.num_rows() {
            for (index, place) in places.iter().enumerate() {
                if index > 0 {
                    self.line.push(',');
                }
                place.iter().for_each(|cells| cells.write(row, &mut self.line));
            }
            self.end_line()?;
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), ArrowError> {
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())?;
        self.line.clear();
        Ok(())
    }
}

/// A column in a form that is quick to write.
enum Cells {
    Double(ArrayRef),
    Integer(ArrayRef),
    Time(ArrayRef),
    Text(ArrayRef),
    Words(ArrayRef, ArrayRef),
    Other(ArrayRef),
}

impl Cells {
    fn of(column: &ArrayRef) -> Result<Self, ArrowError> {
        Ok(match column.data_type() {
            DataType::Float64 => Self::Double(column.clone()),
            DataType::Float32 | DataType::Float16 => Self::Double(cast(column, &DataType::Float64)?),
            DataType::Int64 => Self::Integer(column.clone()),
            data_type if data_type.is_integer() && *data_type != DataType::UInt64 => {
                Self::Integer(cast(column, &DataType::Int64)?)
            }
            DataType::Timestamp(..) => {
                Self::Time(cast(column, &DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())))?)
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text(cast(column, &DataType::Utf8)?),
            DataType::Dictionary(_, values) if values.is_string() => {
                let words = cast(column, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))?;
                let words = words.as_dictionary::<arrow::datatypes::Int32Type>();
                Self::Words(std::sync::Arc::new(words.keys().clone()), words.values().clone())
            }
            _ => Self::Other(column.clone()),
        })
    }

    /// Writes what stands in a row; nothing when there is no value.
    fn write(&self, row: usize, out: &mut String) {
        use std::fmt::Write as _;
        // Writing to a text cannot fail.
        let _ = match self {
            Self::Double(column) if column.is_valid(row) => {
                write!(out, "{:?}", column.as_primitive::<Float64Type>().value(row))
            }
            Self::Integer(column) if column.is_valid(row) => write!(out, "{}", column.as_primitive::<Int64Type>().value(row)),
            Self::Time(column) if column.is_valid(row) => {
                let nanos = column.as_primitive::<TimestampNanosecondType>().value(row);
                write!(out, "{}", Timestamp::from_nanos(nanos))
            }
            Self::Text(column) if column.is_valid(row) => {
                quote(column.as_string::<i32>().value(row), out);
                Ok(())
            }
            Self::Words(keys, words) if keys.is_valid(row) => {
                let key = keys.as_primitive::<arrow::datatypes::Int32Type>().value(row);
                if let Some(key) = usize::try_from(key).ok().filter(|key| words.is_valid(*key)) {
                    quote(words.as_string::<i32>().value(key), out);
                }
                Ok(())
            }
            Self::Other(column) if column.is_valid(row) => {
                if let Ok(format) = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default()) {
                    quote(&format.value(row).to_string(), out);
                }
                Ok(())
            }
            _ => Ok(()),
        };
    }
}

/// Writes a text, in quotes where it needs them: also when it is empty, as nothing means no value.
fn quote(text: &str, out: &mut String) {
    if text.trim().is_empty() || text.contains([',', ';', '\t', '"', '\n', '\r']) {
        out.push('"');
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(text);
    }
}

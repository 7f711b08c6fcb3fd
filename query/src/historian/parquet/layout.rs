//! How rows are laid out in a Parquet file. Measured on decimal sensor data, see `benches/RESULTS.md`.

use crate::QueryError;
use arrow::datatypes::Schema;
use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    file::{
        metadata::SortingColumn,
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion},
    },
    schema::types::ColumnPath,
};

/// What a file is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It will soon be merged: speed counts.
    Flush,
    /// It stays: size counts, and the cost of reading it.
    Merge,
}

/// Rows of a row group: a query of one series reads little beside it.
const ROW_GROUP_ROWS: usize = 131_072;
/// Rows written at once: also the smallest page.
const WRITE_ROWS: usize = 8_192;
/// Rows of a page, which is what the page index can leave out. Larger ones save headers and index entries.
const FLUSH_PAGE_ROWS: usize = 8_192;
const MERGE_PAGE_ROWS: usize = 65_536;
/// Levels of zstd. Above these the time grows much faster than the bytes shrink.
const FLUSH_ZSTD: i32 = 3;
const MERGE_ZSTD: i32 = 9;
/// Columns by which pages are left out; of the others a row group's statistics do.
const PAGED: [&str; 5] = ["series", "time", "double", "integer", "seq"];
/// Columns whose values change little from row to row.
const DELTA: [&str; 2] = ["time", "integer"];

/// The layout of files of points.
///
/// # Errors
/// When a level of compression does not exist.
pub fn points(schema: &Schema, purpose: Purpose) -> Result<WriterProperties, QueryError> {
    let position = |name: &str| schema.index_of(name).ok().and_then(|index| i32::try_from(index).ok());
    let sorting = ["series", "time", "nanos"].into_iter().filter_map(position);
    let sorting = sorting.map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: true }).collect();
    let mut properties = common(purpose)?.set_sorting_columns(Some(sorting));
    for field in schema.fields() {
        let (name, column) = (field.name().as_str(), ColumnPath::from(field.name().as_str()));
        if !PAGED.contains(&name) {
            properties = properties.set_column_statistics_enabled(column.clone(), EnabledStatistics::Chunk);
        }
        if DELTA.contains(&name) {
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
        } else if name == "double" && purpose == Purpose::Merge {
            // In pages of this size zstd finds the repeated decimals itself.
            properties =
                properties.set_column_dictionary_enabled(column.clone(), false).set_column_encoding(column, Encoding::PLAIN);
        }
    }
    Ok(properties.build())
}

/// The layout of files of roll-ups: found by series and time as well.
///
/// # Errors
/// When a level of compression does not exist.
pub fn rollups(schema: &Schema) -> Result<WriterProperties, QueryError> {
    points(schema, Purpose::Flush)
}

/// The layout of files of events.
///
/// # Errors
/// When a level of compression does not exist.
pub fn events() -> Result<WriterProperties, QueryError> {
    Ok(common(Purpose::Flush)?.build())
}

fn common(purpose: Purpose) -> Result<WriterPropertiesBuilder, QueryError> {
    let (pages, level) = match purpose {
        Purpose::Flush => (FLUSH_PAGE_ROWS, FLUSH_ZSTD),
        Purpose::Merge => (MERGE_PAGE_ROWS, MERGE_ZSTD),
    };
    Ok(WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("andon ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(level)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(pages)
        .set_write_batch_size(WRITE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Page))
}

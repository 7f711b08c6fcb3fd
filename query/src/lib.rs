//! Remembers and answers: log, buffer, Parquet history, latest values, SQL, metrics.
//!
//! A [`Batch`] goes to the write-ahead log, is acknowledged after `fdatasync`, and is seen by every query from then on. In the
//! background the buffer becomes Parquet files in two Delta tables that any other tool can read. SQL, charts, metrics and OEE
//! all read one table made of buffer and files, so live, report and replay give the same number.

mod answer;
mod arrow_stream;
mod batch;
mod directory;
mod error;
mod historian;
mod history;
mod metric;
mod options;
pub mod postgres;
mod raw;
mod replay;
mod rollup;
mod sql;
mod table;
#[cfg(test)]
mod testing;
pub mod transfer;
mod trend;

pub use answer::{EventFilter, HistorianStats, SqlAnswer, SqlColumn, SqlLimits};
pub use arrow_stream::ArrowPoints;
pub use batch::{Batch, Receipt, Recovered};
pub use directory::{ColumnDescription, DataStream, FIRST_STREAM, MAX_STREAMS, TableDescription, Target, known_series};
pub use error::QueryError;
pub use historian::{Historian, StorageHealth, Trouble};
pub use history::Thinner;
pub use metric::{Extent, Revised};
pub use options::{HistorianOptions, MIN_MEMORY, Retention};
pub use raw::StoredPoint;
pub use replay::{Replay, Stretch};

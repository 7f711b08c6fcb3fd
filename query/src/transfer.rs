//! In and out: files of values into points, points into files, and copies of a whole data folder.
//!
//! Reading is pure but for the file: names and options in, points and mistakes out, step by step. Whoever reads decides what to do
//! with them: count them on a dry run, store them, send them to a running Andon.

mod cell;
mod columns;
mod csv;
mod export;
mod file;
mod layout;
mod names;
mod parquet;
mod pin;
mod rows;
mod separated;
mod stream;
mod tally;
#[cfg(test)]
mod tests;
mod time;
mod write;

pub use crate::directory::Target;
pub use crate::sql::statement;
pub use export::ExportFilter;
pub(crate) use export::stream as export_stream;
pub use file::{Kind, read};
pub use names::Names;
pub use pin::{FOLDER as BACKUP_FOLDER, pin};
pub use stream::arrow_stream;
pub use tally::{Problem, Problems, SeriesTally, Tally};
pub use time::{TimeForm, TimeUnit, zone};
pub use write::{CsvWriter, FileWriter, Format};

use crate::{Batch, QueryError};
use andon_models::{Point, Timestamp};
use std::{
    fs::{File, TryLockError},
    path::Path,
    sync::Arc,
};

/// How files are read, where they do not say it themselves.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Times without offset, and times that are numbers.
    pub time: TimeForm,
    /// Whether `7,25` is a number.
    pub decimal_comma: bool,
    /// The wall clock: values far ahead of it are refused, as everywhere. None refuses none.
    pub now: Option<Timestamp>,
}

/// What reading a file comes to, step by step.
#[derive(Debug)]
pub enum Step {
    /// Points.
    Points(Vec<Point>),
    /// A line that cannot be read.
    Problem {
        /// The line, or the row of a Parquet file, from 1; 0: the whole file.
        line: u64,
        /// What is wrong with it.
        message: Arc<str>,
    },
    /// So many bytes of the file are read.
    Progress(u64),
}

/// Whether an Andon has this data folder at the moment.
pub fn in_use(dir: &Path) -> bool {
    let Ok(lock) = File::open(dir.join("lock")) else { return false };
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Appends one record to a data folder that nobody runs on: what a restored copy must know before anybody does.
///
/// # Errors
/// When somebody has the folder, or it cannot be read or written.
pub async fn append_offline(dir: &Path, batch: Batch) -> Result<(), QueryError> {
    crate::historian::append_offline(dir, batch).await
}

//! The Delta tables: which Parquet files are history, and up to which log record.
//!
//! A commit names its new files and, as application transaction, the last log record in them. So a record is in a table or in the
//! log, never in both: recovery asks the tables first.

mod table;

pub use table::{Column, Table};

use super::{
    parquet,
    place::{Place, blocking},
    store::Sealed,
};
use crate::{QueryError, directory::Directory, table::files::Files};
use deltalake::kernel::PrimitiveType;
use futures::future::try_join;
use std::sync::Arc;

/// The tables of points and events.
pub struct Tables {
    /// Points.
    pub samples: Table,
    /// Events.
    pub events: Table,
}

impl Tables {
    /// Opens the tables of a history; makes them when they are not there.
    ///
    /// # Errors
    /// When they cannot be read or made.
    pub async fn open_or_create(history: &Place) -> Result<Self, QueryError> {
        let samples = Table::open_or_create(history.join("samples")?, &samples_columns()).await?;
        let events = Table::open_or_create(history.join("events")?, &events_columns()).await?;
        Ok(Self { samples, events })
    }

    /// Opens the tables of a history.
    ///
    /// # Errors
    /// When they are not there or cannot be read.
    pub async fn open(history: &Place) -> Result<Self, QueryError> {
        let (samples, events) = try_join(Table::open(history.join("samples")?), Table::open(history.join("events")?)).await?;
        Ok(Self { samples, events })
    }

    /// All files.
    pub fn files(&self) -> Files {
        Files::new(self.samples.place().root(), self.samples.files().to_vec(), self.events.files().to_vec())
    }

    /// Writes a closed buffer to files and commits them. What an earlier try has committed is not written again.
    ///
    /// # Errors
    /// When files cannot be written or committed.
    pub async fn commit(&mut self, sealed: &Arc<Sealed>, directory: &Arc<Directory>) -> Result<(), QueryError> {
        let record = sealed.memory.record;
        if sealed.rows > 0 && !self.samples.has(record) {
            let (sealed, directory, place) = (sealed.clone(), directory.clone(), self.samples.place().clone());
            let drafts = blocking(move || parquet::write_points(&place, &sealed, &directory)).await?;
            let written = parquet::publish(self.samples.place(), drafts).await?;
            self.samples.append(written, record).await?;
        }
        if !sealed.events.all().is_empty() && !self.events.has(record) {
            let (sealed, place) = (sealed.clone(), self.events.place().clone());
            let drafts = blocking(move || parquet::write_events(&place, &sealed)).await?;
            let written = parquet::publish(self.events.place(), drafts).await?;
            self.events.append(written, record).await?;
        }
        Ok(())
    }
}

fn samples_columns() -> Vec<Column> {
    vec![
        ("series", PrimitiveType::Integer, "number of the series: one property of one asset"),
        ("asset", PrimitiveType::String, "path of the asset"),
        ("property", PrimitiveType::String, "key of the property"),
        ("unit", PrimitiveType::String, "unit of the value"),
        ("time", PrimitiveType::Timestamp, "when the value was true, whole microseconds"),
        ("nanos", PrimitiveType::Short, "what the time has below the microsecond, in nanoseconds"),
        ("double", PrimitiveType::Double, "the value of a decimal property"),
        ("integer", PrimitiveType::Long, "the value of a whole-number property"),
        ("boolean", PrimitiveType::Boolean, "the value of a true-or-false property"),
        ("string", PrimitiveType::String, "the value of a text property"),
        ("quality", PrimitiveType::Byte, "0 good, 1 uncertain, 2 bad"),
        ("status", PrimitiveType::Long, "status code of the protocol; 0 is good"),
        ("seq", PrimitiveType::Long, "of rows with the same series, time and quality the one with the highest number counts"),
    ]
}

fn events_columns() -> Vec<Column> {
    let mut columns = vec![
        ("time", PrimitiveType::Timestamp, "when it happened, whole microseconds"),
        ("nanos", PrimitiveType::Short, "what the time has below the microsecond, in nanoseconds"),
    ];
    let texts = crate::table::event_columns::TEXTS.iter();
    columns.extend(texts.map(|(name, description)| (*name, PrimitiveType::String, *description)));
    columns.extend([
        ("since", PrimitiveType::Timestamp, "when what it is about began"),
        ("body", PrimitiveType::String, "all of it, as JSON"),
        ("seq", PrimitiveType::Long, "number of the log record it came with"),
    ]);
    columns
}

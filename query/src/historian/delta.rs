//! The two Delta tables: which Parquet files are history, and up to which log record.
//!
//! A commit names its new files and, as application transaction, the last log record in them. So a record is in a table or in the
//! log, never in both: recovery asks the tables first.

use super::{parquet, store::Sealed};
use crate::{
    QueryError,
    directory::Directory,
    table::files::{DataFile, Files},
};
use andon_models::Timestamp;
use deltalake::{
    DeltaTable, DeltaTableBuilder, DeltaTableError,
    kernel::{
        Action, Add, DataType, PrimitiveType, StructField, Transaction,
        transaction::{CommitBuilder, CommitProperties},
    },
    logstore::LogStoreRef,
    operations::create::CreateBuilder,
    protocol::{DeltaOperation, SaveMode},
    table::state::DeltaTableState,
};
use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};
use url::Url;

/// Name under which commits remember the last log record in them.
const APPLICATION: &str = "andon-log";

/// Partition column of both tables.
const PARTITION: &str = "day";

/// Both tables.
pub struct Tables {
    samples: Table,
    events: Table,
}

struct Table {
    folder: PathBuf,
    store: LogStoreRef,
    state: DeltaTableState,
    files: Vec<DataFile>,
    record: Option<u64>,
}

impl Tables {
    /// Opens the tables of a data folder; makes them when they are not there.
    ///
    /// # Errors
    /// When they cannot be read or made.
    pub async fn open_or_create(dir: &Path) -> Result<Self, QueryError> {
        let samples = Table::open_or_create(&dir.join("history/samples"), samples_columns()).await?;
        let events = Table::open_or_create(&dir.join("history/events"), events_columns()).await?;
        Ok(Self { samples, events })
    }

    /// Opens the tables of a data folder.
    ///
    /// # Errors
    /// When they are not there or cannot be read.
    pub async fn open(dir: &Path) -> Result<Self, QueryError> {
        let samples = Table::open(&dir.join("history/samples")).await?;
        let events = Table::open(&dir.join("history/events")).await?;
        Ok(Self { samples, events })
    }

    /// The last log record whose points are in files.
    pub fn points_record(&self) -> Option<u64> {
        self.samples.record
    }

    /// The last log record whose events are in files.
    pub fn events_record(&self) -> Option<u64> {
        self.events.record
    }

    /// All files.
    pub fn files(&self) -> Files {
        Files { points: self.samples.files.clone(), events: self.events.files.clone() }
    }

    /// Writes a closed buffer to files and commits them. What an earlier try has committed is not written again.
    ///
    /// # Errors
    /// When files cannot be written or committed.
    pub async fn commit(&mut self, sealed: &Arc<Sealed>, directory: &Arc<Directory>) -> Result<(), QueryError> {
        let record = sealed.memory.record;
        if sealed.rows > 0 && self.samples.record.is_none_or(|done| done < record) {
            let (sealed, directory, folder) = (sealed.clone(), directory.clone(), self.samples.folder.clone());
            let written = blocking(move || parquet::write_points(&folder, &sealed, &directory)).await?;
            self.samples.commit(written, record).await?;
        }
        if !sealed.events.is_empty() && self.events.record.is_none_or(|done| done < record) {
            let (sealed, folder) = (sealed.clone(), self.events.folder.clone());
            let written = blocking(move || parquet::write_events(&folder, &sealed)).await?;
            self.events.commit(written, record).await?;
        }
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, QueryError> + Send + 'static) -> Result<T, QueryError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| QueryError::Internal(error.to_string()))?
}

impl Table {
    async fn open_or_create(folder: &Path, columns: Vec<StructField>) -> Result<Self, QueryError> {
        if !folder.join("_delta_log").is_dir() {
            std::fs::create_dir_all(folder).map_err(QueryError::io("cannot make", folder))?;
            CreateBuilder::new()
                .with_location(location(folder)?.to_string())
                .with_columns(columns)
                .with_partition_columns([PARTITION])
                .with_save_mode(SaveMode::Ignore)
                .await?;
        }
        Self::open(folder).await
    }

    async fn open(folder: &Path) -> Result<Self, QueryError> {
        let DeltaTable { state, .. } = &DeltaTableBuilder::from_url(location(folder)?)?.load().await?;
        let state = state.clone().ok_or(DeltaTableError::NotInitialized)?;
        let store = DeltaTableBuilder::from_url(location(folder)?)?.build_storage()?;
        let record = state.snapshot().transaction_version(store.as_ref(), APPLICATION).await?;
        let listed = state.log_data();
        let files = listed.iter().map(|file| {
            let path = file.object_store_path();
            let rows = file.num_records().unwrap_or(0) as u64;
            data_file(folder, path.as_ref(), u64::try_from(file.size()).unwrap_or(0), rows, file.stats().as_deref())
        });
        let files = files.collect();
        Ok(Self {
            folder: folder.to_owned(),
            store,
            files,
            state,
            record: record.and_then(|record| u64::try_from(record).ok()),
        })
    }

    async fn commit(&mut self, written: Vec<parquet::Written>, record: u64) -> Result<(), QueryError> {
        let actions = written.iter().map(|written| Action::Add(add(written))).collect();
        let version = i64::try_from(record).unwrap_or(i64::MAX);
        let properties = CommitProperties::default().with_application_transaction(Transaction::new(APPLICATION, version));
        let operation =
            DeltaOperation::Write { mode: SaveMode::Append, partition_by: Some(vec![PARTITION.into()]), predicate: None };
        let commit = CommitBuilder::from(properties).with_actions(actions);
        let done = commit.build(Some(&self.state), self.store.clone(), operation).await?;
        self.sync(done.version())?;
        self.state = done.snapshot();
        self.record = Some(record);
        self.files.extend(written.into_iter().map(|written| written.file));
        Ok(())
    }

    /// Makes a commit durable: the log may forget what it holds only after this.
    fn sync(&self, version: impl std::fmt::Display) -> Result<(), QueryError> {
        let folder = self.folder.join("_delta_log");
        let commit = folder.join(format!("{version:0>20}.json"));
        for path in [&commit, &folder] {
            File::open(path).and_then(|file| file.sync_all()).map_err(QueryError::io("cannot sync", path))?;
        }
        Ok(())
    }
}

fn location(folder: &Path) -> Result<Url, QueryError> {
    let absolute = std::path::absolute(folder).map_err(QueryError::io("cannot name", folder))?;
    Url::from_directory_path(&absolute).map_err(|()| QueryError::Internal(format!("{} is no path", absolute.display())))
}

fn add(written: &parquet::Written) -> Add {
    Add {
        path: written.relative.clone(),
        partition_values: HashMap::from([(PARTITION.to_owned(), Some(written.day.clone()))]),
        size: i64::try_from(written.file.size).unwrap_or(i64::MAX),
        modification_time: written.modified,
        data_change: true,
        stats: Some(written.statistics().to_string()),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

/// A file as a table lists it. What its statistics do not say leaves nothing out.
fn data_file(folder: &Path, relative: &str, size: u64, rows: u64, statistics: Option<&str>) -> DataFile {
    let statistics: serde_json::Value = statistics.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let time = |which: &str| statistics[which]["time"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let series = |which: &str| statistics[which]["series"].as_i64().and_then(|series| i32::try_from(series).ok());
    // Statistics of other writers, and of checkpoints, may be rounded down to the millisecond.
    let rounding = std::time::Duration::from_millis(1);
    DataFile {
        path: folder.join(relative),
        size,
        rows,
        from: time("minValues").unwrap_or(Timestamp::MIN),
        to: time("maxValues").map_or(Timestamp::MAX, |time| time + rounding),
        series: (series("minValues").unwrap_or(i32::MIN), series("maxValues").unwrap_or(i32::MAX)),
        late: parquet::late_hours(relative),
    }
}

fn columns(fields: &[(&str, PrimitiveType)]) -> Vec<StructField> {
    let mut columns: Vec<StructField> =
        fields.iter().map(|(name, kind)| StructField::nullable(*name, DataType::Primitive(kind.clone()))).collect();
    columns.push(StructField::nullable(PARTITION, DataType::Primitive(PrimitiveType::Date)));
    columns
}

fn samples_columns() -> Vec<StructField> {
    columns(&[
        ("series", PrimitiveType::Integer),
        ("asset", PrimitiveType::String),
        ("property", PrimitiveType::String),
        ("time", PrimitiveType::Timestamp),
        ("nanos", PrimitiveType::Short),
        ("double", PrimitiveType::Double),
        ("integer", PrimitiveType::Long),
        ("boolean", PrimitiveType::Boolean),
        ("string", PrimitiveType::String),
        ("quality", PrimitiveType::Byte),
        ("status", PrimitiveType::Long),
        ("seq", PrimitiveType::Long),
    ])
}

fn events_columns() -> Vec<StructField> {
    let mut fields = vec![("time", PrimitiveType::Timestamp), ("nanos", PrimitiveType::Short)];
    fields.extend(crate::table::event_columns::TEXTS.iter().map(|(name, _)| (*name, PrimitiveType::String)));
    fields.extend([("since", PrimitiveType::Timestamp), ("body", PrimitiveType::String), ("seq", PrimitiveType::Long)]);
    columns(&fields)
}

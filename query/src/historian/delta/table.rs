//! One Delta table: its files, and up to which log record it is complete.

use super::super::{
    inspect,
    parquet::{self, Written},
    place::Place,
};
use crate::{
    QueryError,
    table::files::{DataFile, Pin},
};
use andon_models::Timestamp;
use deltalake::{
    DeltaTable, DeltaTableError,
    kernel::{
        Action, Add, DataType, PrimitiveType, Remove, StructField, Transaction,
        transaction::{CommitBuilder, CommitProperties},
    },
    logstore::LogStoreRef,
    operations::create::CreateBuilder,
    protocol::{DeltaOperation, SaveMode},
    table::state::DeltaTableState,
};
use std::collections::{HashMap, HashSet};

/// Name under which commits remember the last log record in them.
const APPLICATION: &str = "andon-log";
/// Partition column of every table.
const PARTITION: &str = "day";

/// A column as Delta names it: name, type, what a stranger should know about it.
pub type Column = (&'static str, PrimitiveType, &'static str);

/// A table that is open.
pub struct Table {
    place: Place,
    store: LogStoreRef,
    state: DeltaTableState,
    files: Vec<DataFile>,
    record: Option<u64>,
}

impl Table {
    /// Opens a table; makes it when it is not there.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub async fn open_or_create(place: Place, columns: &[Column]) -> Result<Self, QueryError> {
        if let Some(folder) = place.folder() {
            std::fs::create_dir_all(folder).map_err(QueryError::io("cannot make", folder))?;
        }
        let log = place.table()?.build_storage()?;
        if !log.is_delta_table_location().await? {
            CreateBuilder::new()
                .with_log_store(log)
                .with_columns(columns.iter().map(field).chain([partition()]))
                .with_partition_columns([PARTITION])
                .with_save_mode(SaveMode::Ignore)
                .await?;
        }
        Self::open(place).await
    }

    /// Opens a table.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub async fn open(place: Place) -> Result<Self, QueryError> {
        let DeltaTable { state, .. } = &place.table()?.load().await?;
        let state = state.clone().ok_or(DeltaTableError::NotInitialized)?;
        let store = place.table()?.build_storage()?;
        let record = state.snapshot().transaction_version(store.as_ref(), APPLICATION).await?;
        let listed = state.log_data();
        let files = listed.iter().map(|file| {
            let rows = file.num_records().unwrap_or(0) as u64;
            let size = u64::try_from(file.size()).unwrap_or(0);
            data_file(&place, file.object_store_path().as_ref(), size, rows, file.stats().as_deref())
        });
        let mut files: Vec<DataFile> = files.collect();
        inspect::inspect(&place, &mut files);
        Ok(Self { store, files, state, record: record.and_then(|record| u64::try_from(record).ok()), place })
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The files that make up the table now.
    pub fn files(&self) -> &[DataFile] {
        &self.files
    }

    /// The last log record that is in it.
    pub fn record(&self) -> Option<u64> {
        self.record
    }

    /// Whether all up to a log record is in it.
    pub fn has(&self, record: u64) -> bool {
        self.record.is_some_and(|done| done >= record)
    }

    /// Adds files that hold all up to a log record.
    ///
    /// # Errors
    /// When it cannot be committed.
    pub async fn append(&mut self, written: Vec<Written>, record: u64) -> Result<(), QueryError> {
        self.replace_at(&[], written, Some(record)).await
    }

    /// Takes files out and others in, in one step. What they hold together must be the same, unless it is to be forgotten.
    ///
    /// # Errors
    /// When it cannot be committed.
    pub async fn replace(&mut self, removed: &[DataFile], written: Vec<Written>) -> Result<(), QueryError> {
        self.replace_at(removed, written, None).await
    }

    /// As [`Table::replace`], and remembers the log record as well: for tables that are written anew where late data touched them.
    ///
    /// # Errors
    /// When it cannot be committed.
    pub async fn replace_at(
        &mut self,
        removed: &[DataFile],
        written: Vec<Written>,
        record: Option<u64>,
    ) -> Result<(), QueryError> {
        let now = written.iter().map(|written| written.modified).max();
        let mut actions: Vec<Action> =
            removed.iter().map(|file| Action::Remove(remove(file, now, written.is_empty()))).collect();
        actions.extend(written.iter().map(|written| Action::Add(add(written, removed.is_empty()))));
        // Nobody else changes our tables. Should somebody have, what we know of the table is old, and we must look before we add to it.
        let mut properties = CommitProperties::default().with_max_retries(0);
        if let Some(record) = record {
            let version = i64::try_from(record).unwrap_or(i64::MAX);
            properties = properties.with_application_transaction(Transaction::new(APPLICATION, version));
        }
        let mode = SaveMode::Append;
        let operation = DeltaOperation::Write { mode, partition_by: Some(vec![PARTITION.into()]), predicate: None };
        let commit = CommitBuilder::from(properties).with_actions(actions);
        let done = match commit.build(Some(&self.state), self.store.clone(), operation).await {
            Ok(done) => done,
            Err(error) => {
                self.refresh().await?;
                return Err(error.into());
            }
        };
        self.place.sync_commit(done.version())?;
        self.state = done.snapshot();
        self.record = record.or(self.record);
        let gone: HashSet<&str> = removed.iter().map(|file| file.relative.as_ref()).collect();
        self.files.retain(|file| !gone.contains(file.relative.as_ref()));
        self.files.extend(written.into_iter().map(|written| written.file));
        Ok(())
    }

    /// Reads the table again after a commit that failed, or whose answer got lost: the next try goes on from what is really there.
    async fn refresh(&mut self) -> Result<(), QueryError> {
        let mut now = Self::open(self.place.clone()).await?;
        now.place.sync_commit(now.state.version())?;
        let pins: HashMap<&str, &Pin> = self.files.iter().map(|file| (file.relative.as_ref(), &file.pin)).collect();
        for file in &mut now.files {
            if let Some(pin) = pins.get(file.relative.as_ref()) {
                file.pin = (*pin).clone();
            }
        }
        *self = now;
        Ok(())
    }
}

fn field((name, kind, comment): &Column) -> StructField {
    let field = StructField::nullable(*name, DataType::Primitive(kind.clone()));
    field.with_metadata([("comment".to_owned(), (*comment).to_owned())])
}

fn partition() -> StructField {
    field(&(PARTITION, PrimitiveType::Date, "UTC day of the time"))
}

fn add(written: &Written, data_change: bool) -> Add {
    Add {
        path: written.file.relative.to_string(),
        partition_values: HashMap::from([(PARTITION.to_owned(), Some(written.file.day().to_owned()))]),
        size: i64::try_from(written.file.size).unwrap_or(i64::MAX),
        modification_time: written.modified,
        data_change,
        stats: Some(written.statistics().to_string()),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

fn remove(file: &DataFile, now: Option<i64>, data_change: bool) -> Remove {
    Remove {
        path: file.relative.to_string(),
        data_change,
        deletion_timestamp: now,
        extended_file_metadata: Some(true),
        partition_values: Some(HashMap::from([(PARTITION.to_owned(), Some(file.day().to_owned()))])),
        size: i64::try_from(file.size).ok(),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
    }
}

/// A file as a table lists it. What its statistics do not say leaves nothing out.
fn data_file(place: &Place, relative: &str, size: u64, rows: u64, statistics: Option<&str>) -> DataFile {
    let statistics: serde_json::Value = statistics.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let time = |which: &str| statistics[which]["time"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let series = |which: &str| statistics[which]["series"].as_i64().and_then(|series| i32::try_from(series).ok());
    // Statistics of other writers, and of checkpoints, may be rounded down to the millisecond.
    let rounding = std::time::Duration::from_millis(1);
    DataFile {
        location: place.file(relative),
        relative: relative.into(),
        size,
        rows,
        from: time("minValues").unwrap_or(Timestamp::MIN),
        to: time("maxValues").map_or(Timestamp::MAX, |time| time + rounding),
        series: (series("minValues").unwrap_or(i32::MIN), series("maxValues").unwrap_or(i32::MAX)),
        late: parquet::late_hours(relative),
        pin: Default::default(),
        damage: None,
    }
}

//! The Parquet files that hold history: what the Delta tables list, with what is needed to leave files out.

use andon_models::Timestamp;
use datafusion::execution::object_store::ObjectStoreUrl;
use object_store::path::Path as ObjectPath;
use std::{collections::BTreeSet, sync::Arc};

/// The files of points and events at one moment.
#[derive(Clone, Debug)]
pub struct Files {
    /// The store they are in.
    pub root: ObjectStoreUrl,
    /// Files of points.
    pub points: Vec<DataFile>,
    /// Files of events.
    pub events: Vec<DataFile>,
    /// Hours in which files of points repeat each other.
    pub late: BTreeSet<i64>,
}

/// One Parquet file.
#[derive(Clone, Debug)]
pub struct DataFile {
    /// Where it is in its store.
    pub location: ObjectPath,
    /// Where it is in its table.
    pub relative: Arc<str>,
    /// Its bytes.
    pub size: u64,
    /// Its rows.
    pub rows: u64,
    /// The earliest instant in it, rounded down to the microsecond.
    pub from: Timestamp,
    /// The latest instant in it, rounded up to the microsecond.
    pub to: Timestamp,
    /// Lowest and highest series number as stored; not used for events.
    pub series: (i32, i32),
    /// Hours in which its rows may repeat rows of older files.
    pub late: Vec<i64>,
    /// Held by whoever may still read the file.
    pub pin: Pin,
    /// Why it must not be read, and what to do, in words; none if it is what the table says.
    pub damage: Option<Arc<str>>,
}

/// Keeps a file from being deleted while a query may still read it.
#[derive(Clone, Debug, Default)]
pub struct Pin(Arc<()>);

impl Pin {
    /// Whether anybody but the caller holds it.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl Default for Files {
    fn default() -> Self {
        Self::new(&ObjectStoreUrl::local_filesystem(), Vec::new(), Vec::new())
    }
}

impl Files {
    /// These files of a store.
    pub fn new(root: &ObjectStoreUrl, points: Vec<DataFile>, events: Vec<DataFile>) -> Self {
        let late = points.iter().flat_map(|file| file.late.iter().copied()).collect();
        Self { root: root.clone(), points, events, late }
    }
}

impl DataFile {
    /// The UTC day of its rows, as its partition names it.
    pub fn day(&self) -> &str {
        let partition = self.relative.split('/').next().unwrap_or_default();
        partition.strip_prefix("day=").unwrap_or(partition)
    }
}

//! The Parquet files that hold history: what the Delta tables list, with what is needed to leave files out.

use andon_models::Timestamp;
use std::{collections::BTreeSet, path::PathBuf};

/// The files of both tables at one moment.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Files of points.
    pub points: Vec<DataFile>,
    /// Files of events.
    pub events: Vec<DataFile>,
}

/// One Parquet file.
#[derive(Clone, Debug)]
pub struct DataFile {
    /// Where it is.
    pub path: PathBuf,
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
}

impl Files {
    /// All hours in which files repeat each other.
    pub fn late(&self) -> BTreeSet<i64> {
        self.points.iter().flat_map(|file| file.late.iter().copied()).collect()
    }
}

//! Small files of a partition become one: what adds to a window is added up, what was replaced is dropped.

use super::{
    Resolution,
    flush::File,
    stale::Stale,
    tables::{Rollups, Tables, record_of, series_of},
    total::Totals,
    view::{View, day_of},
};
use crate::{
    QueryError,
    directory::Directory,
    historian::{
        parquet::{self, Names},
        store::Snapshot,
    },
    table::{
        files::{DataFile, Files},
        prune::Prune,
    },
};
use datafusion::execution::SessionState;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// So many files of a partition are made one: a day of half-hourly flushes is written anew four times.
const MIN_FILES: usize = 12;
/// A partition is written anew when its small files have grown to this part of its largest one: each row is written a few times.
const GROWTH: u64 = 4;
/// Whatever their size, more files than this cost every query too much.
const MAX_FILES: usize = 96;
/// Rows that are merged at once: some 50 MB of totals.
const ROWS_AT_ONCE: u64 = 250_000;

impl Tables {
    /// Merges the files of partitions that have many small ones.
    ///
    /// # Errors
    /// When files cannot be read, written or committed. What is there stays right.
    pub async fn compact(&mut self, state: &SessionState, directory: &Directory) -> Result<(), QueryError> {
        if !self.complete {
            return Ok(());
        }
        for resolution in Resolution::ALL {
            let mut partitions: BTreeMap<i64, Vec<DataFile>> = BTreeMap::new();
            for file in self.table(resolution).files() {
                partitions.entry(day_of(file).unwrap_or_default()).or_default().push(file.clone());
            }
            for (partition, files) in partitions.into_iter().filter(|(_, files)| is_due(files)) {
                self.merge(state, directory, resolution, partition, files).await?;
            }
        }
        Ok(())
    }

    async fn merge(
        &mut self,
        state: &SessionState,
        directory: &Directory,
        resolution: Resolution,
        partition: i64,
        files: Vec<DataFile>,
    ) -> Result<(), QueryError> {
        let mut rollups = Rollups { complete: true, ..self.files() };
        rollups.files[resolution as usize].clone_from(&files);
        let parts = parts(state, &rollups, &files).await?;
        let nothing = Arc::new(Files::default());
        let points = Snapshot { points: Vec::new(), files: nothing, late: Default::default() };
        let view = View::new(points, &[], Arc::new(rollups), &Stale::default(), &Prune::default())?;
        let record = files.iter().filter_map(record_of).max().unwrap_or_default();
        let (place, names) = (self.table(resolution).place().clone(), Names::new(directory));
        // Its rows add: what they replaced is gone, and whatever replaces them has a higher log record.
        let mut file = File::new(&place, &names, partition, record, false);
        for series in parts {
            let mut totals = Totals::new(resolution);
            view.add_stored(state, &Prune { series, ..Prune::default() }, &mut totals, resolution).await?;
            file.write_sorted(&totals.sorted())?;
        }
        let drafts = file.finish()?.into_iter().collect();
        let written = parquet::publish(&place, drafts).await?;
        self.table(resolution).replace(&files, written).await?;
        self.trash[resolution as usize].add(files);
        Ok(())
    }
}

fn is_due(files: &[DataFile]) -> bool {
    let rows: u64 = files.iter().map(|file| file.rows).sum();
    let largest = files.iter().map(|file| file.rows).max().unwrap_or_default();
    files.len() >= MAX_FILES || (files.len() >= MIN_FILES && (rows - largest) * GROWTH >= largest)
}

/// Series whose rows are merged together; none means all.
async fn parts(state: &SessionState, rollups: &Rollups, files: &[DataFile]) -> Result<Vec<Option<BTreeSet<i32>>>, QueryError> {
    let rows: u64 = files.iter().map(|file| file.rows).sum();
    if rows <= ROWS_AT_ONCE {
        return Ok(vec![None]);
    }
    let series = series_of(state, &rollups.root, files).await?;
    let parts = usize::try_from(rows / ROWS_AT_ONCE + 1).unwrap_or(usize::MAX);
    let length = series.len().div_ceil(parts).max(1);
    Ok(series.chunks(length).map(|part| Some(part.iter().copied().collect())).collect())
}

//! The roll-ups of a flush: totals of its new rows are added, windows that late rows touch are replaced.

use super::{
    Resolution, columns,
    resolution::DAY_MICROS,
    stale::Stale,
    tables::{Tables, day_name},
    total::Totals,
    view::{View, stamped},
};
use crate::{
    QueryError,
    directory::Directory,
    historian::{
        parquet::{self, Names, Open, Written},
        place::{Draft, Place, blocking},
        store::{Sealed, Snapshot},
    },
    table::{columns::SERIES, files::Files, prune::Prune},
};
use arrow::{array::AsArray, datatypes::Int32Type};
use datafusion::execution::SessionState;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Buffered rows, or windows to be counted again, whose totals are in memory at once: some 50 MB.
const ROWS_AT_ONCE: usize = 250_000;
/// Windows that may wait for roll-ups that cannot be written: some 100 MB. Beyond, the buffer waits as well.
const MAX_GAP: usize = 4_000_000;

impl Tables {
    /// Counts a closed buffer whose points are in files already. What an earlier try has committed is not written again. If it fails,
    /// the windows are remembered: queries count their points, and the next flush tries again.
    ///
    /// # Errors
    /// When points cannot be read, or roll-ups not written or committed, again and again.
    pub async fn flush(
        &mut self,
        state: &SessionState,
        sealed: &Sealed,
        files: Files,
        directory: &Directory,
    ) -> Result<(), QueryError> {
        match self.try_flush(state, sealed, files, directory).await {
            Err(error) if self.gap.len() + sealed.rows <= MAX_GAP => {
                tracing::error!(%error, "roll-ups could not be written; queries count the points, the next flush tries again");
                self.gap.extend(&sealed.stale, i64::MIN, i64::MAX);
                sealed.points.iter().for_each(|chunk| self.gap.insert_rows(&chunk.rows));
                Ok(())
            }
            flushed => flushed,
        }
    }

    async fn try_flush(
        &mut self,
        state: &SessionState,
        sealed: &Sealed,
        files: Files,
        directory: &Directory,
    ) -> Result<(), QueryError> {
        let record = sealed.memory.record;
        if sealed.rows == 0 || !self.complete || self.tables.iter().all(|table| table.has(record)) {
            return Ok(());
        }
        let mut stale = sealed.stale.clone();
        stale.extend(&self.gap, i64::MIN, i64::MAX);
        let late = files.late.clone();
        let rollups = Arc::new(self.files().beside(&files));
        let points = Snapshot { points: Vec::new(), files: Arc::new(files), late };
        let view = View::new(points, &sealed.points, rollups, &stale, &Prune::default())?;
        let names = Arc::new(Names::new(directory));
        for resolution in Resolution::ALL {
            let table = self.table(resolution);
            if table.has(record) {
                continue;
            }
            let place = table.place().clone();
            let view = Arc::new(view.counted(resolution, Arc::new(self.files())));
            let mut drafts = added(&view, resolution, &place, &names, record).await?;
            drafts.extend(replaced(&view, state, resolution, &place, &names, record).await?);
            let written = parquet::publish(&place, drafts).await?;
            self.table(resolution).append(written, record).await?;
        }
        self.gap = Stale::default();
        Ok(())
    }
}

/// Files of the totals of new rows, one per partition.
async fn added(
    view: &Arc<View>,
    resolution: Resolution,
    place: &Place,
    names: &Arc<Names>,
    record: u64,
) -> Result<Vec<(Draft, Written)>, QueryError> {
    let (view, place, names) = (view.clone(), place.clone(), names.clone());
    blocking(move || {
        let mut drafts = Vec::new();
        for (partition, series) in buffered_series(&view, resolution) {
            let mut file = File::new(&place, &names, partition, record, false);
            for prune in chunks(resolution, partition, &series) {
                let mut totals = Totals::new(resolution);
                view.add_fresh(resolution, &prune, &mut totals)?;
                file.write(totals)?;
            }
            drafts.extend(file.finish()?);
        }
        Ok(drafts)
    })
    .await
}

/// Files of the windows that are counted again, one per partition.
async fn replaced(
    view: &View,
    state: &SessionState,
    resolution: Resolution,
    place: &Place,
    names: &Arc<Names>,
    record: u64,
) -> Result<Vec<(Draft, Written)>, QueryError> {
    let mut stale: BTreeMap<i64, BTreeMap<i32, usize>> = BTreeMap::new();
    for (series, end) in view.stale(resolution) {
        *stale.entry(resolution.partition_of(*end)).or_default().entry(*series).or_default() += 1;
    }
    let mut drafts = Vec::new();
    for (partition, series) in stale {
        let mut file = File::new(place, names, partition, record, true);
        for prune in chunks(resolution, partition, &series) {
            let mut totals = Totals::new(resolution);
            view.add_again(state, resolution, &prune, &mut totals).await?;
            file.write(totals)?;
        }
        drafts.extend(file.finish()?);
    }
    Ok(drafts)
}

/// The buffered series by partition, with the number of their rows.
fn buffered_series(view: &View, resolution: Resolution) -> BTreeMap<i64, BTreeMap<i32, usize>> {
    let mut found: BTreeMap<i64, BTreeMap<i32, usize>> = BTreeMap::new();
    for (day, rows) in view.buffer() {
        let of_partition = found.entry(resolution.partition_of((day + 1) * DAY_MICROS)).or_default();
        for series in rows.column(SERIES).as_primitive::<Int32Type>().values() {
            *of_partition.entry(*series).or_default() += 1;
        }
    }
    found
}

/// The windows of a partition in parts of not too many rows.
fn chunks(resolution: Resolution, partition: i64, series: &BTreeMap<i32, usize>) -> Vec<Prune> {
    let (from, to) = resolution.ends_of(partition);
    let mut chunks: Vec<(BTreeSet<i32>, usize)> = Vec::new();
    for (series, rows) in series {
        match chunks.last_mut() {
            Some((chunk, known)) if *known + rows <= ROWS_AT_ONCE => {
                chunk.insert(*series);
                *known += rows;
            }
            _ => chunks.push(([*series].into(), *rows)),
        }
    }
    chunks.into_iter().map(|(series, _)| Prune { series: Some(series), from, to, ..Prune::default() }).collect()
}

/// A file of one partition that is begun with its first row.
pub(super) struct File<'a> {
    place: &'a Place,
    names: &'a Names,
    relative: String,
    record: u64,
    replaces: bool,
    open: Option<Open>,
}

impl<'a> File<'a> {
    pub(super) fn new(place: &'a Place, names: &'a Names, partition: i64, record: u64, replaces: bool) -> Self {
        // The part of the name that says which hours of points are late says here whether the file replaces.
        let relative = parquet::relative(&day_name(partition), record, u32::from(replaces));
        Self { place, names, relative, record, replaces, open: None }
    }

    /// Adds totals, which count up to the file's log record. Series rise from call to call.
    pub(super) fn write(&mut self, totals: Totals) -> Result<(), QueryError> {
        self.write_sorted(&stamped(totals, i64::try_from(self.record).unwrap_or(i64::MAX)))
    }

    pub(super) fn write_sorted(&mut self, totals: &[(super::total::Key, super::total::Total)]) -> Result<(), QueryError> {
        let (Some((first, _)), Some((last, _))) = (totals.first(), totals.last()) else { return Ok(()) };
        let rows = self.names.add(&columns::batch(totals, self.replaces)?)?;
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                let properties = parquet::rollups(rows.schema_ref())?;
                none.insert(Open::begin(self.place, self.relative.clone(), rows.schema(), properties, (i32::MAX, i32::MIN))?)
            }
        };
        open.know_series(first.0, last.0);
        open.write(&rows)
    }

    pub(super) fn finish(self) -> Result<Option<(Draft, Written)>, QueryError> {
        self.open.map(Open::finish).transpose()
    }
}

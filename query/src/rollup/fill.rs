//! Roll-ups of a history that is older than they are: made day by day in the background, beside all else. After a restart it goes
//! on with the days that are missing. Until all is there, queries count the points.

use super::{
    Resolution,
    flush::File,
    stale::Stale,
    tables::{Tables, gap, record_of, series_of},
    total::Totals,
    view::{View, day_of, stamped},
};
use crate::{
    QueryError,
    directory::Directory,
    historian::{
        Inner,
        parquet::{self, Names, Written},
        place::Place,
        store::Snapshot,
    },
    table::{
        files::{DataFile, Files},
        prune::Prune,
    },
};
use datafusion::execution::SessionState;
use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
    time::Duration,
};

/// Series whose minutes of a day are in memory at once: some 70 MB.
const SERIES_AT_ONCE: usize = 256;

/// How long it waits after a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes the roll-ups of an older history, until all are there or the historian is gone.
pub async fn run(inner: Weak<Inner>) {
    while let Some(inner) = inner.upgrade() {
        match step(&inner).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, "roll-ups of older days could not be made; trying again");
                drop(inner);
                tokio::time::sleep(PATIENCE).await;
            }
        }
    }
}

/// Makes the roll-ups of one day; false when all are made.
async fn step(inner: &Inner) -> Result<bool, QueryError> {
    let (Some(tables), state) = (inner.rollups(), inner.state()) else { return Ok(false) };
    // The lock is not held while points are read: a flush must not wait for that.
    let (day, to_go) = {
        let mut tables = tables.lock().await;
        if tables.complete {
            return Ok(false);
        }
        let files = inner.store.files();
        let todo = tables.todo(&files);
        match todo.last() {
            Some(day) => (*day, todo.len() - 1),
            None => {
                tables.finish(&state, &files).await?;
                inner.store.roll(tables.files());
                tracing::info!("roll-ups of the older history are complete");
                return Ok(false);
            }
        }
    };
    let places = tables.lock().await.places();
    let (rows, written) = make(&state, inner.store.files(), &inner.directory, &places, day).await?;
    crate::historian::keeper::still_ours(inner).await?;
    tables.lock().await.take_day(day, rows, written).await?;
    tracing::info!(day = %super::tables::day_name(day), rows, days_to_go = to_go, "roll-ups of an older day were made");
    Ok(true)
}

/// Writes the files of one day, and says how many minutes there are.
async fn make(
    state: &SessionState,
    files: Arc<Files>,
    directory: &Directory,
    places: &[Place; 4],
    day: i64,
) -> Result<(usize, Vec<(Resolution, Vec<Written>)>), QueryError> {
    let late = files.late.clone();
    let points = Snapshot { points: Vec::new(), files: files.clone(), late };
    let view = View::new(points, &[], Arc::default(), &Stale::default(), &Prune::default())?;
    let record = files.points.iter().filter_map(record_of).max().unwrap_or_default();
    let seq = i64::try_from(record).unwrap_or(i64::MAX);
    let names = Names::new(directory);
    // Rows at the next midnight are part of the day.
    let of_day = files.points.iter().filter(|file| day_of(file).is_none_or(|other| other == day || other == day + 1));
    let of_day: Vec<DataFile> = of_day.cloned().collect();
    let series = series_of(state, &files.root, &of_day).await?;
    let (from, to) = Resolution::Minute.ends_of(day);
    let mut open = Resolution::ALL
        .map(|resolution| File::new(&places[resolution as usize], &names, resolution.partition_of(to), record, false));
    let mut rows = 0;
    for series in series.chunks(SERIES_AT_ONCE) {
        let prune = Prune { series: Some(series.iter().copied().collect()), from, to, ..Prune::default() };
        let mut totals = view.totals(state, Resolution::Minute, &prune).await?;
        rows += totals.len();
        for resolution in Resolution::ALL {
            let sorted = stamped(totals, seq);
            open[resolution as usize].write_sorted(&sorted)?;
            let coarser = Resolution::ALL.get(resolution as usize + 1).copied().unwrap_or(Resolution::Day);
            totals = Totals::new(coarser);
            sorted.iter().for_each(|(key, total)| totals.add_finer(*key, total));
        }
    }
    let mut written = Vec::new();
    for (resolution, draft) in Resolution::ALL.into_iter().zip(open.map(File::finish)) {
        written.push((resolution, parquet::publish(&places[resolution as usize], draft?.into_iter().collect()).await?));
    }
    Ok((rows, written))
}

impl Tables {
    fn places(&mut self) -> [Place; 4] {
        Resolution::ALL.map(|resolution| self.table(resolution).place().clone())
    }

    /// The days that are missing.
    fn todo(&mut self, files: &Files) -> BTreeSet<i64> {
        // Minutes are committed last: a day that has them has all.
        let done: BTreeSet<i64> = self.table(Resolution::Minute).files().iter().filter_map(day_of).collect();
        // A row at midnight is part of the day before.
        let days = files.points.iter().filter_map(day_of).flat_map(|day| [day - 1, day]);
        days.filter(|day| !done.contains(day) && !self.empty.contains(day)).collect()
    }

    async fn take_day(&mut self, day: i64, rows: usize, written: Vec<(Resolution, Vec<Written>)>) -> Result<(), QueryError> {
        if rows == 0 {
            self.empty.insert(day);
        }
        let (from, to) = Resolution::Minute.ends_of(day);
        for (resolution, written) in written.into_iter().rev() {
            let table = self.table(resolution);
            // An earlier try may have come so far.
            let again = |file: &&DataFile| from <= file.from.as_micros() && file.from.as_micros() <= to;
            let removed: Vec<DataFile> = table.files().iter().filter(again).cloned().collect();
            if !written.is_empty() || !removed.is_empty() {
                table.replace(&removed, written).await?;
            }
        }
        Ok(())
    }

    /// All days are made: what came since then is the gap that the next flush closes.
    async fn finish(&mut self, state: &SessionState, files: &Files) -> Result<(), QueryError> {
        let made = self.table(Resolution::Minute).files().iter().filter_map(record_of).min().unwrap_or_default();
        self.gap = gap(state, files, made).await?;
        for resolution in Resolution::ALL {
            self.table(resolution).append(Vec::new(), made).await?;
        }
        self.complete = true;
        Ok(())
    }
}

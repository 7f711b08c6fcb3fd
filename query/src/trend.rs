//! Several series over a long time at once, as a chart draws them.
//!
//! A chart of a month has a stretch of half an hour in each column of pixels. What such a stretch needs, the first, the lowest, the
//! highest and the last point, stands in the roll-ups; no sample is read. Stretches begin and end on the grid of the windows, so
//! the corners are exactly those of the samples; only when within its window an extreme was, a roll-up does not say.
//! Short spans are read from the samples, see [`crate::history`].

use crate::{
    QueryError,
    historian::store::Store,
    history::{PER_STRETCH, Thinner},
    replay::Replay,
    rollup::{
        Resolution,
        spans::{Parts, Span},
        total::{Key, Total},
        view::View,
    },
    table::{
        columns::{quality_of, series_code},
        prune::Prune,
    },
};
use andon_models::{Quality, SeriesId, StatusCode, Timestamp, Tqv, Value, window::Window};
use datafusion::{common::runtime::SpawnedTask, error::DataFusionError, prelude::SessionContext};
use futures::StreamExt;
use std::{collections::BTreeMap, sync::Arc};

/// A stretch has at least so many windows: with fewer, an extreme could be drawn visibly beside its place.
const WINDOWS_OF_STRETCH: i64 = 2;
/// Parts of the windows that are read at once. Opening a file for each day is work, and small machines have two cores.
const READ_AT_ONCE: usize = 2;
/// Windows whose totals are in memory at once, shared by the parts: some 40 MB.
const WINDOWS_AT_ONCE: i64 = 250_000;
/// Points that are in memory at once: some 20 MB.
const POINTS_AT_ONCE: usize = 250_000;

/// How a span of time is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The windows that stretches are made of.
    resolution: Resolution,
    /// Start of the first stretch, in microseconds.
    start: i64,
    /// Length of a stretch, in microseconds.
    width: i64,
    /// How many there are.
    stretches: i64,
}

impl Grid {
    /// Of stretches for about so many points; none if they are too short for roll-ups.
    pub fn of(window: Window, most: usize) -> Option<Self> {
        let (from, to) = (window.start.as_micros(), window.end.as_micros());
        let wanted = i64::try_from((most / PER_STRETCH).max(1)).unwrap_or(i64::MAX);
        let length = to.saturating_sub(from) / wanted;
        let fits = |resolution: &&Resolution| resolution.micros() * WINDOWS_OF_STRETCH <= length;
        let resolution = *Resolution::ALL.iter().rev().find(fits)?;
        let width = length / resolution.micros() * resolution.micros();
        // On a grid of its own, so that a picture that moves does not change.
        let start = (from - 1).div_euclid(width) * width;
        Some(Self { resolution, start, width, stretches: (to - start + width - 1) / width })
    }

    /// The number of the stretch an instant is in.
    #[cfg(test)]
    pub(crate) fn stretch(&self, time: Timestamp) -> i64 {
        (time.as_nanos() - 1 - self.start * 1_000).div_euclid(self.width * 1_000)
    }

    /// What keeps the corners of these stretches. As with windows, a row at a border belongs to what ends there.
    fn thinner(&self) -> Thinner {
        let after = |micros: i64| Timestamp::from_nanos(micros.saturating_mul(1_000).saturating_add(1));
        let window = Window { start: after(self.start), end: after(self.start + self.width * self.stretches) };
        Thinner::new(window, usize::try_from(self.stretches).unwrap_or(1) * PER_STRETCH)
    }
}

/// The points of some series in a window, in the order of the series; see [`crate::Historian::trend`].
///
/// # Errors
/// When history cannot be read.
pub async fn trend(
    session: &SessionContext,
    store: &Arc<Store>,
    series: &[SeriesId],
    window: Window,
    most: usize,
) -> Result<Vec<Vec<Tqv>>, QueryError> {
    let grid = Grid::of(window, most);
    let thinner = || grid.map_or_else(|| Thinner::new(window, most), |grid| grid.thinner());
    let mut lines = Lines { window, drawn: series.iter().map(|id| (series_code(*id), thinner())).collect() };
    let reader = Reader { session, store, series };
    let span = Span { from: window.start.as_nanos().saturating_add(1), to: window.end.as_nanos() };
    match grid {
        Some(grid) => reader.rolled(grid, span, &mut lines).await?,
        None => reader.points((span.from, span.to), &mut lines).await?,
    }
    Ok(lines.finish(series))
}

/// The points of some series in a window, in the order of the series, thinned as [`crate::Historian::history`] does; the start of the window is not a
/// part of it.
///
/// # Errors
/// When history cannot be read.
pub async fn histories(
    session: &SessionContext,
    store: &Arc<Store>,
    series: &[SeriesId],
    window: Window,
    most: usize,
) -> Result<Vec<Vec<Tqv>>, QueryError> {
    let drawn = series.iter().map(|id| (series_code(*id), Thinner::new(window, most))).collect();
    let mut lines = Lines { window, drawn };
    let reader = Reader { session, store, series };
    reader.points((window.start.as_nanos().saturating_add(1), window.end.as_nanos()), &mut lines).await?;
    Ok(lines.finish(series))
}

/// What is drawn, by series.
struct Lines {
    window: Window,
    drawn: BTreeMap<i32, Thinner>,
}

impl Lines {
    fn finish(mut self, series: &[SeriesId]) -> Vec<Vec<Tqv>> {
        series.iter().map(|id| self.drawn.remove(&series_code(*id)).map(Thinner::finish).unwrap_or_default()).collect()
    }

    fn add(&mut self, series: i32, tqv: Tqv) {
        // Windows at the edges reach beyond what is asked for.
        if let Some(thinner) = self.drawn.get_mut(&series).filter(|_| self.window.contains(tqv.time)) {
            thinner.add(tqv);
        }
    }

    /// The corners of a window of a series, whose totals come by quality.
    fn add_window(&mut self, totals: &[(Key, Total)]) {
        let mut corners: Vec<(i32, Tqv)> = totals
            .iter()
            .flat_map(|((series, _, quality), total)| corners(*quality, total).into_iter().map(|corner| (*series, corner)))
            .collect();
        corners.sort_by_key(|(_, tqv)| tqv.time);
        corners.into_iter().for_each(|(series, tqv)| self.add(series, tqv));
    }
}

/// Reads all series at once, in order of time.
struct Reader<'a> {
    session: &'a SessionContext,
    store: &'a Arc<Store>,
    series: &'a [SeriesId],
}

impl Reader<'_> {
    /// The windows of a span, and at its edges the points that fill no minute.
    async fn rolled(&self, grid: Grid, span: Span, lines: &mut Lines) -> Result<(), QueryError> {
        let chosen = Prune { series: Some(self.series.iter().map(|id| series_code(*id)).collect()), ..Prune::default() };
        let (from, to) = span.micros();
        let prune = Prune { from, to: to.saturating_add(Resolution::Minute.micros()), ..chosen.clone() };
        let view = View::of(self.store, &prune)?;
        // An older history has no roll-ups until they are made.
        let all_points = || Parts { points: vec![(span.from, span.to)], ..Parts::default() };
        let parts = if view.is_rolled() { span.parts(grid.resolution) } else { all_points() };
        let begin = parts.windows.first().map_or(i64::MAX, |(_, first, _)| first.saturating_mul(1_000));
        let (head, tail): (Vec<_>, Vec<_>) = parts.points.iter().partition(|edge| edge.0 < begin);
        for edge in head {
            self.points(edge, lines).await?;
        }
        self.windows(view, &parts, &chosen, lines).await?;
        for edge in tail {
            self.points(edge, lines).await?;
        }
        Ok(())
    }

    /// The points between two instants, both included.
    async fn points(&self, (from, to): (i64, i64), lines: &mut Lines) -> Result<(), QueryError> {
        let after = Timestamp::from_nanos(from.saturating_sub(1));
        let mut replay = Replay::new(self.session.clone(), self.store.clone(), self.series, after, POINTS_AT_ONCE);
        while let Some(stretch) = replay.next(Timestamp::from_nanos(to)).await? {
            stretch.points.into_iter().for_each(|point| lines.add(series_code(point.series), point.tqv));
        }
        Ok(())
    }

    async fn windows(&self, view: View, parts: &Parts, chosen: &Prune, lines: &mut Lines) -> Result<(), QueryError> {
        let shared = i64::try_from(self.series.len().max(1) * READ_AT_ONCE).unwrap_or(i64::MAX);
        let pieces = parts.windows.iter().flat_map(|(resolution, first, last)| {
            let step = step_of(*resolution, last - first, WINDOWS_AT_ONCE / shared);
            let starts = (*first..=*last).step_by(usize::try_from(step).unwrap_or(usize::MAX));
            starts.map(move |from| {
                let to = *last.min(&(from + step - resolution.micros()));
                (*resolution, Prune { from, to, ..chosen.clone() })
            })
        });
        let state = Arc::new(self.session.state());
        let read = |(resolution, prune): (Resolution, Prune)| {
            let (view, state) = (view.clone(), state.clone());
            let totals = async move { view.totals(&state, resolution, &prune).await.map(|totals| totals.sorted()) };
            SpawnedTask::spawn(totals).join_unwind()
        };
        let mut read = futures::stream::iter(pieces.collect::<Vec<_>>()).map(read).buffered(READ_AT_ONCE);
        while let Some(totals) = read.next().await {
            let totals = totals.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??;
            for of_window in totals.chunk_by(|one, other| (one.0.0, one.0.1) == (other.0.0, other.0.1)) {
                lines.add_window(of_window);
            }
        }
        Ok(())
    }
}

/// How long a part of the windows in a span is: the parts are read side by side, and none has more than so many windows.
fn step_of(resolution: Resolution, span: i64, most: i64) -> i64 {
    let windows = span / resolution.micros() + 1;
    let even = windows.div_euclid(i64::try_from(READ_AT_ONCE).unwrap_or(1)) + 1;
    even.clamp(1, most.max(1)) * resolution.micros()
}

/// First, lowest, highest and last of the rows of a window.
fn corners(quality: i8, total: &Total) -> Vec<Tqv> {
    let quality = quality_of(quality);
    let at = |nanos: i64, value: Option<f64>| Tqv {
        time: Timestamp::from_nanos(nanos),
        quality,
        status: StatusCode::GOOD,
        value: value.map_or(Value::Null, Value::Double),
    };
    let mut found = vec![at(total.first.nanos, total.first.value)];
    let span = total.last.nanos - total.first.nanos;
    if quality == Quality::Good && total.all.count > 0 {
        let known = [total.first.value, total.last.value];
        let places = [(total.all.min, span / 3), (total.all.max, span / 3 * 2)];
        let unknown = places.into_iter().filter(|(value, _)| !known.contains(&Some(*value)));
        found.extend(unknown.map(|(value, after)| at(total.first.nanos + after, Some(value))));
    }
    if span > 0 {
        found.push(at(total.last.nanos, total.last.value));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(seconds: i64, most: usize) -> Option<(Resolution, i64, i64)> {
        let window =
            Window { start: Timestamp::from_seconds(1_000_000_007), end: Timestamp::from_seconds(1_000_000_007 + seconds) };
        Grid::of(window, most).map(|grid| (grid.resolution, grid.width / 1_000_000, grid.stretches))
    }

    #[test]
    fn long_spans_are_cut_on_the_grid_of_the_coarsest_windows_that_fit() {
        assert_eq!(grid(3_600, 4_000), None, "a stretch of 3.6 s has no minute");
        assert_eq!(grid(7 * 86_400, 4_000), Some((Resolution::Minute, 600, 1_009)));
        assert_eq!(grid(30 * 86_400, 4_000), Some((Resolution::Quarter, 1_800, 1_441)));
        assert_eq!(grid(365 * 86_400, 4_000), Some((Resolution::Hour, 28_800, 1_096)));
        assert_eq!(grid(10 * 365 * 86_400, 4_000), Some((Resolution::Day, 3 * 86_400, 1_217)));
    }
}

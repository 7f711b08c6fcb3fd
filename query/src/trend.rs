//! Several series over a long time at once, as a chart draws them.
//!
//! A chart of a month has a stretch of half an hour in each column of pixels. What such a stretch needs, the first, the lowest, the
//! highest and the last point, stands in the roll-ups; no sample is read. Stretches begin and end on the grid of the windows, so
//! the corners are exactly those of the samples; only when within its window an extreme was, a roll-up does not say.
//! Short spans are read from the samples, see [`crate::history`].

use crate::{
    QueryError,
    historian::store::Store,
    history::{PER_STRETCH, Thinner, history, in_order},
    rollup::{
        Resolution,
        spans::{Parts, Span},
        total::{Key, Total},
        view::View,
    },
    table::{
        columns::{PointRows, quality_of, series_code},
        points::PointsTable,
        prune::Prune,
    },
};
use andon_models::{Quality, SeriesId, StatusCode, Timestamp, Tqv, Value, window::Window};
use datafusion::{physical_plan::execute_stream, prelude::SessionContext};
use futures::{StreamExt, TryStreamExt};
use std::{collections::BTreeMap, sync::Arc};

/// A stretch has at least so many windows: with fewer, an extreme could be drawn visibly beside its place.
const WINDOWS_OF_STRETCH: i64 = 2;
/// Windows whose totals are in memory at once: some 40 MB.
const WINDOWS_AT_ONCE: i64 = 250_000;
/// Series read from the samples at once.
const READ_AT_ONCE: usize = 4;

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
    let chosen: Prune = Prune { series: Some(series.iter().map(|id| series_code(*id)).collect()), ..Prune::default() };
    let span = Span { from: window.start.as_nanos().saturating_add(1), to: window.end.as_nanos() };
    let (from, to) = span.micros();
    let view = View::of(store, &Prune { from, to: to.saturating_add(Resolution::Minute.micros()), ..chosen.clone() })?;
    let Some(grid) = Grid::of(window, most) else {
        let points = Arc::new(PointsTable::new(store.clone()));
        let each = series.iter().copied().map(|id| history(session, points.clone(), id, window, most));
        return futures::stream::iter(each).buffered(READ_AT_ONCE).try_collect().await;
    };
    let mut drawn: BTreeMap<i32, Thinner> = series.iter().map(|id| (series_code(*id), grid.thinner())).collect();
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    // An older history has no roll-ups until they are made.
    let samples = || Parts { points: vec![(span.from, span.to)], ..Parts::default() };
    let parts = if view.is_rolled() { span.parts(grid.resolution) } else { samples() };
    let first = parts.windows.first().map_or(i64::MAX, |(_, first, _)| first.saturating_mul(1_000));
    for edge in parts.points {
        if edge.0 < first { head.push(edge) } else { tail.push(edge) }
    }
    add_points(session, store, &mut drawn, window, &head).await?;
    let at_once = WINDOWS_AT_ONCE / i64::try_from(series.len().max(1)).unwrap_or(i64::MAX);
    for (resolution, first, last) in parts.windows {
        let step = resolution.micros() * at_once.max(1);
        for from in (first..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
            let to = last.min(from + step - resolution.micros());
            let totals = view.totals(&session.state(), resolution, &Prune { from, to, ..chosen.clone() }).await?.sorted();
            for of_window in totals.chunk_by(|one, other| (one.0.0, one.0.1) == (other.0.0, other.0.1)) {
                add_window(&mut drawn, window, of_window);
            }
        }
    }
    add_points(session, store, &mut drawn, window, &tail).await?;
    Ok(series.iter().map(|id| drawn.remove(&series_code(*id)).map(Thinner::finish).unwrap_or_default()).collect())
}

/// The points at an edge, which fill no window.
async fn add_points(
    session: &SessionContext,
    store: &Arc<Store>,
    drawn: &mut BTreeMap<i32, Thinner>,
    window: Window,
    edges: &[(i64, i64)],
) -> Result<(), QueryError> {
    for (from, to) in edges {
        let edge = Window { start: Timestamp::from_nanos(*from), end: Timestamp::from_nanos(*to) };
        for (series, thinner) in &mut *drawn {
            let points = Arc::new(PointsTable::new(store.clone()));
            let id = SeriesId(u32::try_from(*series).unwrap_or(u32::MAX));
            let plan = in_order(&session.state(), points, id, edge).await?;
            let mut batches = execute_stream(plan, session.task_ctx())?;
            while let Some(batch) = batches.next().await.transpose()? {
                let rows = PointRows::new(&batch);
                let inside = (0..batch.num_rows()).filter(|row| edge.start <= rows.time(*row) && rows.time(*row) <= edge.end);
                inside.map(|row| rows.tqv(row)).filter(|tqv| window.contains(tqv.time)).for_each(|tqv| thinner.add(tqv));
            }
        }
    }
    Ok(())
}

/// The corners of a window of a series, whose totals come by quality.
fn add_window(drawn: &mut BTreeMap<i32, Thinner>, window: Window, totals: &[(Key, Total)]) {
    let Some(thinner) = totals.first().and_then(|((series, ..), _)| drawn.get_mut(series)) else { return };
    let mut corners: Vec<Tqv> = totals.iter().flat_map(|((_, _, quality), total)| corners(*quality, total)).collect();
    corners.sort_by_key(|tqv| tqv.time);
    corners.into_iter().filter(|tqv| window.contains(tqv.time)).for_each(|tqv| thinner.add(tqv));
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

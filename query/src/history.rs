//! One series over time: what a chart draws.
//!
//! A chart has fewer pixels than a series has points. Of each stretch of time the first, the lowest, the highest and the last
//! point are kept (M4: Jugel et al., VLDB 2014), and every change of quality, so that a line through them is the line through all.

use crate::{
    QueryError,
    table::{
        columns::{PointRows, series_code},
        points::PointsTable,
        prune::Prune,
    },
};
use andon_models::{Quality, SeriesId, Timestamp, Tqv, window::Window};
use arrow::array::RecordBatch;
use datafusion::{
    catalog::Session,
    datasource::provider_as_source,
    logical_expr::LogicalPlanBuilder,
    physical_plan::{ExecutionPlan, execute_stream},
    prelude::{SessionContext, col, lit},
};
use futures::StreamExt;
use std::{sync::Arc, time::Duration};

/// Points per stretch: first, lowest, highest, last.
pub const PER_STRETCH: usize = 4;

/// Most points of one answer.
pub const MAX_POINTS: usize = 100_000;

/// How far back the last value before an instant is looked for, one step after the other.
pub const LOOK_BACK: [Duration; 4] =
    [Duration::from_secs(600), Duration::from_secs(86_400), Duration::from_secs(7 * 86_400), Duration::from_secs(400 * 86_400)];

/// The points of a series in a window, down-sampled; see [`crate::Historian::history`].
///
/// # Errors
/// When history cannot be read.
pub async fn history(
    session: &SessionContext,
    points: Arc<PointsTable>,
    series: SeriesId,
    window: Window,
    max_points: usize,
) -> Result<Vec<Tqv>, QueryError> {
    let mut thinner = Thinner::new(window, max_points);
    let plan = in_order(&session.state(), points, series, window).await?;
    let mut batches = execute_stream(plan, session.task_ctx())?;
    while let Some(batch) = batches.next().await.transpose()? {
        let rows = PointRows::new(&batch);
        (0..batch.num_rows()).for_each(|row| thinner.add(rows.tqv(row)));
    }
    Ok(thinner.finish())
}

/// A plan of the points of a series from the start of a window to its end, both included, in one stream in time order.
///
/// # Errors
/// When the plan cannot be made.
pub async fn in_order(
    state: &dyn Session,
    points: Arc<PointsTable>,
    series: SeriesId,
    window: Window,
) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
    let condition = Prune::one(series_code(series), window.start, window.end).condition();
    // Files and buffer keep this order for each series, so this merges; it does not sort.
    let order = ["time", "nanos", "quality"].map(|column| col(column).sort(true, true));
    let plan = LogicalPlanBuilder::scan("points", provider_as_source(points), None)?
        .filter(condition.unwrap_or(lit(true)))?
        .sort(order)?
        .build()?;
    state.create_physical_plan(&plan).await
}

/// Which points may be the last before an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Of any quality.
    Any,
    /// Only Good ones.
    Good,
}

/// The last point of a series at or before an instant.
///
/// # Errors
/// When history cannot be read.
pub async fn value_before(
    session: &SessionContext,
    points: Arc<PointsTable>,
    series: SeriesId,
    time: Timestamp,
    wanted: Wanted,
) -> Result<Option<Tqv>, QueryError> {
    let mut to = time;
    for span in LOOK_BACK {
        let from = time - span;
        let mut last: Option<Tqv> = None;
        for batch in rows(session, &points, series, from, to).await? {
            let rows = PointRows::new(&batch);
            let candidates = (0..batch.num_rows())
                .filter(|row| rows.time(*row) <= time && (wanted == Wanted::Any || rows.quality(*row) == Quality::Good));
            let newest = candidates.max_by_key(|row| rows.time(*row)).map(|row| rows.tqv(row));
            last = [last, newest].into_iter().flatten().max_by_key(|tqv| tqv.time);
        }
        if last.is_some() {
            return Ok(last);
        }
        to = from;
    }
    Ok(None)
}

async fn rows(
    session: &SessionContext,
    points: &Arc<PointsTable>,
    series: SeriesId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<RecordBatch>, QueryError> {
    let prune = Prune::one(series_code(series), from, to);
    let table = session.read_table(points.clone())?;
    Ok(table.filter(prune.condition().unwrap_or(lit(true)))?.collect().await?)
}

/// Keeps of each stretch of time what a line needs. Points come in time order; all are kept while they are few, and from then on
/// the corners of each stretch only, so its memory follows what is asked for, not what is stored.
#[derive(Debug)]
pub struct Thinner {
    window: Window,
    stretches: usize,
    /// All points, while they are few.
    all: Option<Vec<Tqv>>,
    kept: Vec<Tqv>,
    open: Option<Stretch>,
}

impl Thinner {
    /// At most about `max_points` of the points in a window.
    pub fn new(window: Window, max_points: usize) -> Self {
        let stretches = (max_points.clamp(PER_STRETCH, MAX_POINTS) / PER_STRETCH).max(1);
        Self { window, stretches, all: Some(Vec::new()), kept: Vec::new(), open: None }
    }

    /// Takes the next point; those outside of the window are ignored.
    pub fn add(&mut self, tqv: Tqv) {
        if !self.window.contains(tqv.time) {
            return;
        }
        let Some(all) = &mut self.all else { return self.corner(tqv) };
        all.push(tqv);
        if all.len() > self.stretches * PER_STRETCH {
            self.all.take().into_iter().flatten().for_each(|tqv| self.corner(tqv));
        }
    }

    fn corner(&mut self, tqv: Tqv) {
        let number = self.stretch(tqv.time);
        match &mut self.open {
            Some(open) if open.number == number => open.add(tqv),
            open => {
                let full = open.replace(Stretch::new(number, tqv));
                self.kept.extend(full.into_iter().flat_map(Stretch::corners));
            }
        }
    }

    fn stretch(&self, time: Timestamp) -> usize {
        let (span, at) = (self.window.span().as_nanos().max(1), time.since(self.window.start).as_nanos());
        usize::try_from(at * self.stretches as u128 / span).unwrap_or(usize::MAX).min(self.stretches - 1)
    }

    /// The points kept, in time order.
    pub fn finish(mut self) -> Vec<Tqv> {
        if let Some(all) = self.all {
            return all;
        }
        self.kept.extend(self.open.into_iter().flat_map(Stretch::corners));
        self.kept
    }
}

/// First, lowest, highest, last, and the first of the worst quality: a failure must not be thinned away. Of values that are no
/// numbers, the first few changes.
#[derive(Debug)]
struct Stretch {
    number: usize,
    count: usize,
    first: Tqv,
    lowest: Option<(usize, f64, Tqv)>,
    highest: Option<(usize, f64, Tqv)>,
    worst: Option<(usize, Tqv)>,
    changes: Vec<(usize, Tqv)>,
    last: Tqv,
}

impl Stretch {
    fn new(number: usize, first: Tqv) -> Self {
        let (lowest, highest, worst, changes) = (None, None, None, Vec::new());
        let mut new = Self { number, count: 0, first: first.clone(), lowest, highest, worst, changes, last: first.clone() };
        new.add(first);
        new
    }

    fn add(&mut self, tqv: Tqv) {
        let at = self.count;
        if tqv.quality != Quality::Good {
            self.worst.get_or_insert_with(|| (at, tqv.clone()));
        } else if let Some(number) = tqv.value.as_f64() {
            if self.lowest.as_ref().is_none_or(|(_, lowest, _)| number.total_cmp(lowest).is_lt()) {
                self.lowest = Some((at, number, tqv.clone()));
            }
            if self.highest.as_ref().is_none_or(|(_, highest, _)| number.total_cmp(highest).is_ge()) {
                self.highest = Some((at, number, tqv.clone()));
            }
        }
        if self.last.value != tqv.value && self.lowest.is_none() && self.changes.len() < PER_STRETCH {
            self.changes.push((at, tqv.clone()));
        }
        self.last = tqv;
        self.count += 1;
    }

    fn corners(self) -> impl Iterator<Item = Tqv> {
        let changes = if self.lowest.is_none() { self.changes } else { Vec::new() };
        let extremes = [self.lowest, self.highest].into_iter().flatten().map(|(at, _, tqv)| (at, tqv));
        let ends = [(0, self.first), (self.count - 1, self.last)];
        let mut corners: Vec<(usize, Tqv)> = ends.into_iter().chain(extremes).chain(self.worst).chain(changes).collect();
        corners.sort_by_key(|(at, _)| *at);
        corners.dedup_by_key(|(at, _)| *at);
        corners.into_iter().map(|(_, tqv)| tqv)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{StatusCode, Value};
    use proptest::prelude::*;

    /// What is kept of a stretch when all of it is at hand.
    fn corners_of(all: &[Tqv]) -> Vec<Tqv> {
        let number = |index: &usize| all[*index].value.as_f64().filter(|_| all[*index].quality == Quality::Good);
        let numbers = || (0..all.len()).filter_map(|index| number(&index).map(|number| (index, number)));
        let lowest = numbers().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index);
        let highest = numbers().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index);
        let worst = (0..all.len()).find(|index| all[*index].quality != Quality::Good);
        let changes = (1..all.len()).filter(|index| lowest.is_none() && all[*index].value != all[index - 1].value);
        let ends = [Some(0), lowest, highest, worst, Some(all.len() - 1)];
        let mut kept: Vec<usize> = ends.into_iter().flatten().chain(changes.take(PER_STRETCH)).collect();
        kept.sort_unstable();
        kept.dedup();
        kept.into_iter().map(|index| all[index].clone()).collect()
    }

    fn value() -> impl Strategy<Value = (Value, Quality)> {
        prop_oneof![
            8 => (0_i64..20).prop_map(|number| (Value::Integer(number), Quality::Good)),
            1 => (0_i64..20).prop_map(|number| (Value::Integer(number), Quality::Uncertain)),
            1 => Just((Value::Null, Quality::Bad)),
            2 => "[a-c]".prop_map(|text| (Value::from(text.as_str()), Quality::Good)),
        ]
    }

    proptest! {
        /// One point after the other gives what all points at once give.
        #[test]
        fn streaming_keeps_the_corners_of_every_stretch(
            values in proptest::collection::vec((0_i64..7, value()), 0..400),
            stretches in 1_usize..20,
        ) {
            let mut time = 0;
            let all: Vec<Tqv> = values.into_iter().map(|(gap, (value, quality))| {
                time += gap;
                Tqv { time: Timestamp::from_seconds(time), quality, status: StatusCode::GOOD, value }
            }).collect();
            let window = Window { start: Timestamp::from_seconds(0), end: Timestamp::from_seconds(time.max(1)) };
            let mut thinner = Thinner::new(window, stretches * PER_STRETCH);
            let inside: Vec<Tqv> = all.iter().filter(|tqv| window.contains(tqv.time)).cloned().collect();
            let expected: Vec<Tqv> = if inside.len() <= stretches * PER_STRETCH {
                inside
            } else {
                inside.chunk_by(|a, b| thinner.stretch(a.time) == thinner.stretch(b.time)).flat_map(corners_of).collect()
            };
            all.into_iter().for_each(|tqv| thinner.add(tqv));
            prop_assert_eq!(thinner.finish(), expected);
        }
    }

    #[test]
    fn peaks_and_failures_survive_thinning() {
        let at = Timestamp::from_seconds;
        let window = Window { start: at(0), end: at(10_000) };
        let mut thinner = Thinner::new(window, 100);
        for second in 1..=10_000 {
            let value = if second == 4_321 { 999.0 } else { (second % 7) as f64 };
            thinner.add(if second == 5_000 {
                Tqv::bad(at(second), StatusCode::TIMEOUT)
            } else {
                Tqv::good(at(second), value.into())
            });
        }
        let kept = thinner.finish();
        assert!(kept.len() <= 130, "{} points", kept.len());
        assert!(kept.iter().any(|tqv| tqv.value == 999.0.into()));
        assert!(kept.iter().any(|tqv| tqv.quality == Quality::Bad));
        assert!(kept.is_sorted_by_key(|tqv| tqv.time));
        assert_eq!((kept[0].time, kept[kept.len() - 1].time), (at(1), at(10_000)));
    }
}

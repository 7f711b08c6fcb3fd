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
use datafusion::prelude::{SessionContext, lit};
use std::{sync::Arc, time::Duration};

/// Points per stretch: first, lowest, highest, last.
const PER_STRETCH: usize = 4;

/// Most points of one answer.
const MAX_POINTS: usize = 100_000;

/// How far back the last value before an instant is looked for, one step after the other.
const LOOK_BACK: [Duration; 4] =
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
    let mut batches = rows(session, &points, series, window.start, window.end).await?;
    // Sources follow one another in no order; their rows are few enough to sort once they are thinned.
    while let Some(batch) = batches.pop() {
        let rows = PointRows::new(&batch);
        for row in (0..batch.num_rows()).filter(|row| window.contains(rows.time(*row))) {
            thinner.add(rows.tqv(row));
        }
    }
    Ok(thinner.finish())
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
) -> Result<Option<Tqv>, QueryError> {
    let mut to = time;
    for span in LOOK_BACK {
        let from = time - span;
        let mut last: Option<Tqv> = None;
        for batch in rows(session, &points, series, from, to).await? {
            let rows = PointRows::new(&batch);
            let candidates = (0..batch.num_rows()).filter(|row| rows.time(*row) <= time);
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

/// Keeps of each stretch of time what a line needs.
struct Thinner {
    window: Window,
    stretches: usize,
    all: Vec<Tqv>,
}

impl Thinner {
    fn new(window: Window, max_points: usize) -> Self {
        Self { window, stretches: (max_points.clamp(PER_STRETCH, MAX_POINTS) / PER_STRETCH).max(1), all: Vec::new() }
    }

    fn add(&mut self, tqv: Tqv) {
        self.all.push(tqv);
    }

    fn stretch(&self, time: Timestamp) -> usize {
        let (span, at) = (self.window.span().as_nanos().max(1), time.since(self.window.start).as_nanos());
        usize::try_from(at * self.stretches as u128 / span).unwrap_or(usize::MAX).min(self.stretches - 1)
    }

    fn finish(mut self) -> Vec<Tqv> {
        self.all.sort_by_key(|tqv| tqv.time);
        if self.all.len() <= self.stretches * PER_STRETCH {
            return self.all;
        }
        let mut kept: Vec<usize> = Vec::with_capacity(self.stretches * PER_STRETCH);
        let mut start = 0;
        while start < self.all.len() {
            let stretch = self.stretch(self.all[start].time);
            let end = start + self.all[start..].partition_point(|tqv| self.stretch(tqv.time) == stretch);
            kept.extend(corners(&self.all, start, end));
            start = end;
        }
        kept.sort_unstable();
        kept.dedup();
        kept.into_iter().map(|index| self.all[index].clone()).collect()
    }
}

/// First, lowest, highest, last, and the first of the worst quality: a failure must not be thinned away.
fn corners(all: &[Tqv], start: usize, end: usize) -> Vec<usize> {
    let number = |index: &usize| all[*index].value.as_f64().filter(|_| all[*index].quality == Quality::Good);
    let numbers = || (start..end).filter_map(|index| number(&index).map(|number| (index, number)));
    let lowest = numbers().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index);
    let highest = numbers().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index);
    let worst = (start..end).find(|index| all[*index].quality != Quality::Good);
    let changes =
        (start..end).filter(|_| lowest.is_none()).filter(|index| *index > start && all[*index].value != all[index - 1].value);
    [Some(start), lowest, highest, worst, Some(end - 1)].into_iter().flatten().chain(changes.take(PER_STRETCH)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::StatusCode;

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

//! The stored points of one series as they are, the newest first: what was written, page by page into the past.

use crate::{
    QueryError,
    history::{LOOK_BACK, in_order},
    table::{
        columns::{PointRows, SEQ},
        points::PointsTable,
    },
};
use andon_models::{SeriesId, Timestamp, Tqv, window::Window};
use arrow::{array::AsArray, datatypes::Int64Type};
use datafusion::{physical_plan::execute_stream, prelude::SessionContext};
use futures::StreamExt;
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// A stored point.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPoint {
    /// Time, quality and value.
    pub tqv: Tqv,
    /// The number of the log record it came with; in files the last one of their flush. A point with a higher number than one of a later time
    /// was written after it.
    pub record: i64,
}

/// The last points before an instant, newest first: `count` of them, and those of the same time as the oldest. Fewer when there are no more.
///
/// # Errors
/// When history cannot be read.
pub async fn last_before(
    session: &SessionContext,
    points: &Arc<PointsTable>,
    series: SeriesId,
    before: Timestamp,
    count: usize,
    oldest: Option<Timestamp>,
) -> Result<Vec<StoredPoint>, QueryError> {
    let mut found = Vec::new();
    let mut end = before - Duration::from_nanos(1);
    // Most series have enough of them in the last minutes; one that does not is read further and further back.
    let steps = LOOK_BACK.iter().map(|span| before - *span).chain(oldest);
    for start in steps {
        if found.len() >= count || start > end {
            continue;
        }
        let mut newest = Newest { count: count - found.len(), kept: VecDeque::new() };
        let plan = in_order(&session.state(), points.clone(), series, Window { start, end }).await?;
        let mut batches = execute_stream(plan, session.task_ctx())?;
        while let Some(batch) = batches.next().await.transpose()? {
            let (rows, records) = (PointRows::new(&batch), batch.column(SEQ).as_primitive::<Int64Type>());
            (0..batch.num_rows()).for_each(|row| newest.add(StoredPoint { tqv: rows.tqv(row), record: records.value(row) }));
        }
        found.extend(newest.kept.into_iter().rev());
        end = start - Duration::from_nanos(1);
    }
    Ok(found)
}

/// Keeps the newest of points that come in order of time.
struct Newest {
    count: usize,
    kept: VecDeque<StoredPoint>,
}

impl Newest {
    fn add(&mut self, point: StoredPoint) {
        self.kept.push_back(point);
        let Some(oldest) = self.kept.front().map(|oldest| oldest.tqv.time) else { return };
        // Points of one time, of different quality, stay together: the next page begins before them.
        let alike = self.kept.iter().take_while(|point| point.tqv.time == oldest).count();
        if self.kept.len() - alike >= self.count {
            self.kept.drain(..alike);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::Value;

    #[test]
    fn points_of_one_time_are_not_parted() {
        let mut newest = Newest { count: 2, kept: VecDeque::new() };
        let told: Vec<Vec<i64>> = [1, 2, 2, 3, 3, 4]
            .map(|second| {
                let tqv = Tqv::good(Timestamp::from_seconds(second), Value::Null);
                newest.add(StoredPoint { tqv, record: 0 });
                newest.kept.iter().map(|point| point.tqv.time.as_nanos() / 1_000_000_000).collect()
            })
            .into();
        assert_eq!(told, [vec![1], vec![1, 2], vec![2, 2], vec![2, 2, 3], vec![3, 3], vec![3, 3, 4]]);
    }
}

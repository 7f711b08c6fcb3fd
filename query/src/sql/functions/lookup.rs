//! The as-of look-up: for many instants the last Good value of a series at or before each, with few scans and no more memory than
//! the instants take.

use super::series::SeriesNames;
use crate::{
    history::{Wanted, in_order},
    table::columns::PointRows,
};
use andon_models::{Quality, SeriesId, Timestamp, Value, window::Window};
use datafusion::{error::Result, physical_plan::execute_stream};
use futures::StreamExt;

/// Instants further apart than this are looked up by scans of their own, so that what lies between is not read.
const MAX_GAP_NANOS: i64 = 3_600_000_000_000;
/// Scans of one series for one batch of rows; wider gaps are asked for when there would be more.
const MAX_SCANS: i64 = 100;

/// An instant, and the row that asks.
pub type Question = (i64, usize);

/// The last Good value at or before each instant; the answers name the rows. What has none is left out.
///
/// # Errors
/// When history cannot be read.
pub async fn as_of(names: &SeriesNames, series: SeriesId, mut questions: Vec<Question>) -> Result<Vec<(usize, Value)>> {
    questions.sort_unstable();
    let mut answers = Vec::with_capacity(questions.len());
    let (Some(first), Some(last)) = (questions.first(), questions.last()) else { return Ok(answers) };
    let gap = (last.0.saturating_sub(first.0) / MAX_SCANS).max(MAX_GAP_NANOS);
    for near in questions.chunk_by(|a, b| b.0.saturating_sub(a.0) <= gap) {
        scan(names, series, near, &mut answers).await?;
    }
    Ok(answers)
}

/// One walk along sorted instants and sorted points.
async fn scan(names: &SeriesNames, series: SeriesId, near: &[Question], answers: &mut Vec<(usize, Value)>) -> Result<()> {
    let window = Window { start: Timestamp::from_nanos(near[0].0), end: Timestamp::from_nanos(near[near.len() - 1].0) };
    let mut value = names.before(series, window.start, Wanted::Good).await?.map(|tqv| tqv.value);
    let mut open = near.iter().peekable();
    if window.start < window.end {
        let session = names.session();
        let plan = in_order(&session.state(), names.points(), series, window).await?;
        let mut batches = execute_stream(plan, session.task_ctx())?;
        while let Some(batch) = batches.next().await.transpose()? {
            let points = PointRows::new(&batch);
            for row in (0..batch.num_rows()).filter(|row| points.quality(*row) == Quality::Good) {
                let time = points.time(row);
                while let Some((_, asking)) = open.next_if(|(asked, _)| *asked < time.as_nanos()) {
                    answers.extend(value.clone().map(|value| (*asking, value)));
                }
                // What lies before the first instant was found already, and may be newer than the first point read.
                if time > window.start {
                    value = Some(points.value(row));
                }
            }
        }
    }
    answers.extend(open.filter_map(|(_, asking)| Some((*asking, value.clone()?))));
    Ok(())
}

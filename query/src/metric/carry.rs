//! The last value of each series before the first window: what is carried in.

use super::{
    inputs::Inputs,
    rows::{Row, Rows, columns},
};
use crate::error::QueryError;
use andon_models::{SeriesId, Timestamp};
use datafusion::{
    catalog::TableProvider,
    functions_aggregate::expr_fn::last_value,
    prelude::{Expr, SessionContext, col, lit},
    scalar::ScalarValue,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// How far back is looked, one step after the other, each only for the series not found yet. A state that has not changed for
/// longer than the last step counts as unknown: the cost of a window must not grow with the history.
const LOOK_BACK: [Duration; 3] = [Duration::from_secs(3_600), Duration::from_secs(86_400), Duration::from_secs(45 * 86_400)];

/// What is known of every series at an instant: its last row, and before it the last Good one if the last is not. A counter
/// that comes back after an outage goes on from its last Good reading.
pub async fn values_before(
    session: &SessionContext,
    points: &Arc<dyn TableProvider>,
    inputs: &Inputs,
    at: Timestamp,
) -> Result<HashMap<SeriesId, Vec<Row>>, QueryError> {
    let mut found: HashMap<SeriesId, Vec<Row>> = HashMap::new();
    let mut missing: HashSet<SeriesId> = inputs.feeds.keys().copied().collect();
    let mut to = at;
    for span in LOOK_BACK {
        if missing.is_empty() {
            break;
        }
        let from = at - span;
        let order = || vec![col("time").sort(true, true), col("nanos").sort(true, true)];
        let last = |name: &str| last_value(col(name), order()).alias(name);
        let rows = session.read_table(points.clone())?.filter(of_series(&missing).and(between(from, to)))?.select(columns())?;
        let good = rows.clone().filter(col("number").is_not_null().or(col("text").is_not_null()))?;
        for rows in [good, rows] {
            let newest = ["time", "nanos", "number", "text"].map(last).to_vec();
            for batch in &rows.aggregate(vec![col("series")], newest)?.collect().await? {
                let rows = Rows::new(batch)?;
                for row in 0..rows.len() {
                    let known: &mut Vec<Row> = found.entry(SeriesId(rows.series(row))).or_default();
                    let row = rows.row(row);
                    if known.last() != Some(&row) {
                        known.push(row);
                    }
                }
            }
        }
        missing.retain(|series| !found.contains_key(series));
        to = from;
    }
    Ok(found)
}

/// Rows of these series.
pub fn of_series<'a>(series: impl IntoIterator<Item = &'a SeriesId>) -> Expr {
    col("series").in_list(series.into_iter().map(|series| lit(series.0.cast_signed())).collect(), false)
}

/// Rows after `from`, up to and with `to`. Whole microseconds: callers sort out the rest.
pub fn between(from: Timestamp, to: Timestamp) -> Expr {
    let instant = |time: Timestamp| lit(ScalarValue::TimestampMicrosecond(Some(time.as_micros()), Some("UTC".into())));
    let after = if from.as_nanos() % 1_000 == 0 { col("time").gt(instant(from)) } else { col("time").gt_eq(instant(from)) };
    after.and(col("time").lt_eq(instant(to)))
}

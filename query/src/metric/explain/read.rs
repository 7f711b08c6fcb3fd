//! What an explanation reads: the rows of one series in and before a window.

use crate::{
    error::QueryError,
    metric::{
        carry::{between, of_series, values_before},
        inputs::Inputs,
        rows::{Row, Rows, columns},
    },
};
use andon_models::{SeriesId, Timestamp, Value, catalog::Catalog, explained::ExplainedSeries, window::Window};
use datafusion::{
    catalog::TableProvider,
    prelude::{SessionContext, col},
};
use std::{sync::Arc, time::Duration};

/// The stored value of a series at an instant; `Null` if there is none.
pub(super) async fn stored(
    session: &SessionContext,
    points: &Arc<dyn TableProvider>,
    series: SeriesId,
    at: Timestamp,
) -> Result<Value, QueryError> {
    let rows = rows_of(session, points, series, Window { start: at - Duration::from_nanos(1), end: at }).await?;
    Ok(rows.last().map_or(Value::Null, Row::value))
}

/// What a series has in a window, and what it carries in.
pub(super) async fn series(
    session: &SessionContext,
    points: &Arc<dyn TableProvider>,
    catalog: &Catalog,
    series: SeriesId,
    window: Window,
) -> Result<ExplainedSeries, QueryError> {
    let mut input = unread();
    let inputs = Inputs::of_series(catalog, series);
    let carried = values_before(session, points, &inputs, window.start).await?;
    match carried.get(&series).and_then(|rows| rows.last()) {
        Some(row) => (input.carried, input.carried_time) = (row.value(), Some(Timestamp::from_nanos(row.time))),
        None => input.carried = inputs.constants.get(&series).cloned().unwrap_or(Value::Null),
    }
    if window.start == window.end {
        return Ok(input);
    }
    for row in rows_of(session, points, series, window).await? {
        if !row.is_good() {
            input.not_good += 1;
            continue;
        }
        input.good += 1;
        input.last = row.value();
        if input.good == 1 {
            input.first = row.value();
        }
    }
    Ok(input)
}

/// The rows of a series in a window, in time order.
async fn rows_of(
    session: &SessionContext,
    points: &Arc<dyn TableProvider>,
    series: SeriesId,
    window: Window,
) -> Result<Vec<Row>, QueryError> {
    let table = session.read_table(points.clone())?.filter(of_series([&series]).and(between(window.start, window.end)))?;
    let order = ["time", "nanos"].map(|name| col(name).sort(true, true)).to_vec();
    let mut found = Vec::new();
    for batch in &table.select(columns())?.sort(order)?.collect().await? {
        let rows = Rows::new(batch)?;
        let inside = (0..rows.len()).map(|index| rows.row(index));
        found.extend(inside.filter(|row| window.contains(Timestamp::from_nanos(row.time))));
    }
    Ok(found)
}

/// An input before anything is known of it.
fn unread() -> ExplainedSeries {
    ExplainedSeries {
        asset: "".into(),
        property: "".into(),
        unit: "".into(),
        good: 0,
        not_good: 0,
        carried: Value::Null,
        carried_time: None,
        first: Value::Null,
        last: Value::Null,
    }
}

//! When the next value of a series comes: up to there an earlier one holds.

use super::{
    carry::{between, of_series},
    rows::{Rows, columns},
};
use crate::{error::QueryError, history::LOOK_BACK};
use andon_models::{SeriesId, Timestamp};
use datafusion::{
    catalog::TableProvider,
    prelude::{SessionContext, col},
};
use futures::StreamExt;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Points that one microsecond of a series holds at most: three qualities of a thousand nanoseconds, and one more.
const SAME_MICROSECOND: usize = 3_001;
/// Instants so near to each other are looked at in one pass over their series.
const TOGETHER: i64 = 86_400 * 1_000_000_000;

/// The time of the first point of a series after an instant.
///
/// # Errors
/// When the history cannot be read.
pub async fn next_time(
    session: &SessionContext,
    points: Arc<dyn TableProvider>,
    series: SeriesId,
    after: Timestamp,
) -> Result<Option<Timestamp>, QueryError> {
    // It is near in most cases: what lies far behind it is not read.
    let mut from = after;
    for ahead in LOOK_BACK.map(|span| after + span).into_iter().chain([Timestamp::MAX]) {
        let table = session.read_table(points.clone())?.filter(of_series([&series]).and(between(from, ahead)))?;
        let order = ["time", "nanos"].map(|name| col(name).sort(true, true)).to_vec();
        // Of one microsecond some may not lie after the instant.
        for batch in &table.select(columns())?.sort(order)?.limit(0, Some(SAME_MICROSECOND))?.collect().await? {
            let rows = Rows::new(batch)?;
            let times = (0..rows.len()).map(|index| rows.row(index).time);
            if let Some(time) = times.filter(|time| *time > after.as_nanos()).min() {
                return Ok(Some(Timestamp::from_nanos(time)));
            }
        }
        from = ahead;
    }
    Ok(None)
}

/// The same for many instants. Those that lie near each other are looked for in one pass.
///
/// # Errors
/// When the history cannot be read.
pub async fn next_times(
    session: &SessionContext,
    points: Arc<dyn TableProvider>,
    after: &[(SeriesId, Timestamp)],
) -> Result<HashMap<(SeriesId, Timestamp), Timestamp>, QueryError> {
    let mut near: BTreeMap<i64, Vec<(SeriesId, Timestamp)>> = BTreeMap::new();
    for one in after {
        near.entry(one.1.as_nanos().div_euclid(TOGETHER)).or_default().push(*one);
    }
    let mut found = HashMap::new();
    for asked in near.values().filter(|asked| asked.len() > 1) {
        pass(session, points.clone(), asked, &mut found).await?;
    }
    for (series, after) in after {
        if !found.contains_key(&(*series, *after))
            && let Some(next) = next_time(session, points.clone(), *series, *after).await?
        {
            found.insert((*series, *after), next);
        }
    }
    Ok(found)
}

/// One pass over some series, from the first instant to shortly after the last.
async fn pass(
    session: &SessionContext,
    points: Arc<dyn TableProvider>,
    asked: &[(SeriesId, Timestamp)],
    found: &mut HashMap<(SeriesId, Timestamp), Timestamp>,
) -> Result<(), QueryError> {
    let mut instants: BTreeMap<SeriesId, Vec<Timestamp>> = BTreeMap::new();
    for (series, after) in asked {
        instants.entry(*series).or_default().push(*after);
    }
    instants.values_mut().for_each(|instants| instants.sort_unstable());
    let times = || asked.iter().map(|(_, after)| *after);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(()) };
    let table = session.read_table(points)?.filter(of_series(instants.keys()).and(between(first, last + LOOK_BACK[0])))?;
    let mut batches = table.select(columns())?.execute_stream().await?;
    while let Some(batch) = batches.next().await.transpose()? {
        let rows = Rows::new(&batch)?;
        for index in 0..rows.len() {
            let (series, time) = (SeriesId(rows.series(index)), Timestamp::from_nanos(rows.row(index).time));
            // Only for the last instant before it can it be the next one.
            let before = instants.get(&series).map(|instants| &instants[..instants.partition_point(|instant| *instant < time)]);
            if let Some(after) = before.and_then(<[Timestamp]>::last) {
                let next = found.entry((series, *after)).or_insert(time);
                *next = time.min(*next);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{
        Batch, Historian, HistorianOptions,
        testing::{PLANT, at, catalog, good, series},
    };
    use andon_models::Point;

    #[tokio::test]
    async fn the_next_values_of_many_are_those_of_each() {
        const DAY: i64 = 86_400;
        let (folder, catalog) = (tempfile::tempdir().unwrap(), catalog(PLANT));
        let (historian, _) = Historian::open(HistorianOptions::new(folder.path()), catalog.clone()).await.unwrap();
        let [temp, other] = ["Line 1/Press A", "Line 1/Press B"].map(|asset| series(&catalog, asset, "temp"));
        // Near each other, in the next minutes, days later, a month later, and then no more.
        let times = [10, 11, 12, 500, 900, 20_000, DAY - 1, DAY + 300, 4 * DAY, 36 * DAY, 36 * DAY + 1];
        let points = |step: usize| times.iter().step_by(step).copied();
        let written: Vec<Point> = points(1).map(|second| good(temp, second, 1.0)).collect();
        historian.append(Batch { points: written, ..Batch::default() }).await.unwrap();
        historian.flush().await.unwrap();
        let written: Vec<Point> = points(2).map(|second| good(other, second, 1.0)).collect();
        historian.append(Batch { points: written, ..Batch::default() }).await.unwrap();
        let asked: Vec<_> =
            points(1).map(|second| (temp, at(second))).chain(points(2).map(|second| (other, at(second)))).collect();
        let found = historian.next_times(&asked).await.unwrap();
        for (series, after) in &asked {
            let of = if *series == temp { points(1).collect::<Vec<_>>() } else { points(2).collect() };
            let next = of.into_iter().map(at).find(|time| time > after);
            assert_eq!(found.get(&(*series, *after)).copied(), next, "{series:?} {after}");
            assert_eq!(historian.next_time(*series, *after).await.unwrap(), next);
        }
    }
}

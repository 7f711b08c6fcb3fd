//! Points in order of time, whatever they lie in.

use super::*;
use crate::{
    Batch, Historian, HistorianOptions,
    testing::{PLANT, at, catalog, good, point, series},
};
use andon_models::Quality;

async fn historian(folder: &tempfile::TempDir) -> (Historian, [SeriesId; 3]) {
    let catalog = catalog(PLANT);
    let (historian, _) = Historian::open(HistorianOptions::new(folder.path()), catalog.clone()).await.unwrap();
    let series = [("Line 1/Press A", "temp"), ("Line 1/Press A", "state"), ("Line 1/Press B", "temp")]
        .map(|(asset, property)| series(&catalog, asset, property));
    (historian, series)
}

async fn append(historian: &Historian, points: &[Point]) {
    historian.append(Batch { points: points.to_vec(), ..Batch::default() }).await.unwrap();
}

/// All of it, and how many stretches that were.
async fn all(mut replay: Replay, until: Timestamp) -> (Vec<Point>, usize) {
    let (mut points, mut stretches, mut from) = (Vec::new(), 0, Timestamp::MIN);
    while let Some(stretch) = replay.next(until).await.unwrap() {
        assert!(stretch.points.iter().all(|point| from < point.tqv.time && point.tqv.time <= stretch.to));
        (from, stretches) = (stretch.to, stretches + 1);
        points.extend(stretch.points);
    }
    assert_eq!(from, until);
    (points, stretches)
}

#[tokio::test]
async fn stretches_hold_every_point_once_in_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let (historian, [temp, state, other]) = historian(&folder).await;
    let mut written: Vec<Point> = (1..=100).map(|second| good(temp, second, second as f64)).collect();
    written.extend((1..=10).map(|step| good(state, step * 10, step)));
    // A part is in files, a part is not, and what was written last counts.
    append(&historian, &written[..60]).await;
    historian.flush().await.unwrap();
    append(&historian, &[good(temp, 7, -7.0), point(temp, 8, Value::Null, Quality::Bad), good(other, 9, 1.0)]).await;
    append(&historian, &written[60..]).await;
    written[6] = good(temp, 7, -7.0);
    written.insert(8, point(temp, 8, Value::Null, Quality::Bad));
    written.retain(|point| point.tqv.time > at(2));
    written.sort_by_key(|point| (point.tqv.time, point.series != state));
    for most in [1, 7, 50, 1_000] {
        let (read, stretches) = all(historian.replay(&[state, temp], at(2), most), at(100)).await;
        assert_eq!(read, written, "{most} at a time");
        assert!(stretches >= 100 / most / 4, "{stretches} of {most}");
    }
    let (read, _) = all(historian.replay(&[state, temp], at(95), 3), at(97)).await;
    assert_eq!(read, [good(temp, 96, 96.0), good(temp, 97, 97.0)]);
}

#[tokio::test]
async fn points_of_one_instant_stay_together_however_many_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (historian, [temp, state, other]) = historian(&folder).await;
    append(&historian, &[temp, state, other].map(|series| good(series, 5, 1.0))).await;
    let mut replay = historian.replay(&[other, state, temp], at(0), 1);
    let mut sizes = Vec::new();
    while let Some(stretch) = replay.next(at(10)).await.unwrap() {
        sizes.push(stretch.points.iter().map(|point| point.series).collect::<Vec<_>>());
    }
    sizes.retain(|size| !size.is_empty());
    assert_eq!(sizes, [[other, state, temp]]);
}

#[tokio::test]
async fn what_was_before_the_start_is_found_for_all_series_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (historian, [temp, state, other]) = historian(&folder).await;
    let day = 86_400;
    append(&historian, &[good(temp, 0, 1.0), good(temp, 10 * day, 2.0), good(temp, 10 * day + 1, 3.0)]).await;
    append(&historian, &[good(state, 10 * day - 300, 7), good(state, 10 * day + 5, 8)]).await;
    append(&historian, &[good(other, 10 * day + 9, 1.0)]).await;
    historian.flush().await.unwrap();
    let known = historian.values_before(&[temp, state, other], at(10 * day)).await.unwrap();
    assert_eq!(known, HashMap::from([(temp, good(temp, 10 * day, 2.0).tqv), (state, good(state, 10 * day - 300, 7).tqv)]));
    let known = historian.values_before(&[temp, state], at(9 * day)).await.unwrap();
    assert_eq!(known, HashMap::from([(temp, good(temp, 0, 1.0).tqv)]));
}

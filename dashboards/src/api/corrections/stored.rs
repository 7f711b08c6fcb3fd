//! What is stored where the past is edited.

use crate::{app::App, error::ApiError};
use andon_models::{Quality, SeriesId, Timestamp, Tqv, window::Window};

/// Values that are looked at in a span at most: an attribute changes some times a day.
const MAX_STORED: usize = 10_000;

/// The good values of a series in a span, both ends included, and the one that holds at its start.
pub(super) async fn around(app: &App, series: SeriesId, span: Window) -> Result<Vec<Tqv>, ApiError> {
    let historian = &app.state.historian;
    let inside = historian.history(series, span, MAX_STORED).await?;
    if inside.len() >= MAX_STORED {
        return Err(ApiError::bad_request("the attribute changed too often in that time", "say it for a shorter time"));
    }
    let before = historian.value_before(series, span.start).await?;
    let before = before.filter(|before| inside.first().is_none_or(|first| before.time < first.time));
    let good = |tqv: &Tqv| tqv.quality == Quality::Good;
    Ok(before.into_iter().chain(inside).filter(good).collect())
}

/// The value of an instant that may be corrected, or the nearest ones before and after it.
pub(super) async fn at(app: &App, series: SeriesId, at: Timestamp) -> Result<Result<Tqv, Vec<Tqv>>, ApiError> {
    let historian = &app.state.historian;
    let before = historian.value_before(series, at).await?;
    // A bad value beside a good one would still stand for it, and has nothing to be corrected.
    if let Some(known) = before.as_ref().filter(|known| known.time == at && known.quality != Quality::Bad) {
        return Ok(Ok(known.clone()));
    }
    let after = match historian.next_time(series, at).await? {
        Some(next) => historian.value_before(series, next).await?,
        None => None,
    };
    let mut around: Vec<Tqv> = before.into_iter().chain(after).filter(|tqv| tqv.quality != Quality::Bad).collect();
    around.dedup();
    Ok(Err(around))
}

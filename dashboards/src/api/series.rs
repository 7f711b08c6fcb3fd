//! Series: the history of one property of one asset.

use super::request::{Instant, Parameters, Place};
use crate::{
    app::App,
    error::ApiError,
    view::{Datum, Points, QualityView, Time},
};
use andon_models::{SeriesId, Timestamp, Tqv, definition::PropertyKind, window::Window};
use andon_query::StoredPoint;
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use utoipa::{IntoParams, ToSchema};

/// What is shown unless the caller says otherwise.
pub(super) const DEFAULT_SPAN: Duration = Duration::from_secs(3_600);
/// Points unless the caller says otherwise: about the width of a chart.
pub(super) const DEFAULT_POINTS: usize = 1_000;
/// Most points of one answer: four for each pixel of the widest screen.
pub(super) const MAX_POINTS: usize = 16_384;

/// Stored values unless the caller says otherwise: a few screens.
const DEFAULT_SAMPLES: usize = 100;
/// Most stored values of one answer.
const MAX_SAMPLES: usize = 1_000;

/// Which part of a history, and how fine.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryParameters {
    /// Its start, as RFC 3339 or milliseconds since the epoch; an hour before its end if left out.
    #[param(value_type = Option<String>)]
    from: Option<Instant>,
    /// Its end; now if left out.
    #[param(value_type = Option<String>)]
    to: Option<Instant>,
    /// How many points at most; down-sampled so that extremes stay visible.
    points: Option<usize>,
}

/// The history of a series.
#[derive(Serialize, ToSchema)]
pub(crate) struct History {
    /// The series.
    series: u32,
    /// Its values; of an attribute first the one that held at the start, with the time at which it was set.
    points: Points,
}

/// Gives the history of a series, down-sampled for a chart.
#[utoipa::path(get, path = "/api/series/{series}/history", tag = "series",
    params(("series" = u32, Path, description = "The number of the series"), HistoryParameters),
    responses((status = 200, body = History), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn history(
    State(app): State<Arc<App>>,
    Place(series): Place<u32>,
    Parameters(parameters): Parameters<HistoryParameters>,
) -> Result<Json<History>, ApiError> {
    let id = SeriesId(series);
    if app.state.catalog.entry(id).is_none() {
        return Err(missing(series));
    }
    let end = parameters.to.map_or_else(|| app.now(), |to| to.0);
    let start = parameters.from.map_or(end - DEFAULT_SPAN, |from| from.0);
    if start >= end {
        return Err(ApiError::bad_request("`from` must lie before `to`", "swap them"));
    }
    let points = parameters.points.unwrap_or(DEFAULT_POINTS).clamp(1, MAX_POINTS);
    let mut points = [app.state.historian.history(id, Window { start, end }, points).await?];
    begin_with_held(&app, &[id], start, &mut points).await?;
    let [points] = points;
    Ok(Json(History { series, points: Points(points) }))
}

/// Which of the stored values.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SampleParameters {
    /// Only those before this instant; up to now if left out.
    #[param(value_type = Option<String>)]
    before: Option<Instant>,
    /// How many; 100 if left out, 1000 at most.
    limit: Option<usize>,
}

/// Values of a series as they are stored.
#[derive(Serialize, ToSchema)]
pub(crate) struct Samples {
    /// The series.
    series: u32,
    /// The newest first. Those of one time are never parted: there may be a few more than asked for.
    samples: Vec<SampleView>,
    /// Whether there are older ones: ask for those `before` the last.
    more: bool,
}

/// A value as it is stored.
#[derive(Serialize, ToSchema)]
pub(crate) struct SampleView {
    /// The time the source gave it, to the nanosecond.
    time: Time,
    /// The value.
    value: Datum,
    /// How far it may be trusted.
    quality: QualityView,
    /// The status code of the protocol; 0 is good.
    status: u32,
    /// Whether it was written after one of a later time: it came late, or was corrected. Of values that were written to a file together it is
    /// not known, and said of none.
    late: bool,
}

/// Gives the stored values of a series, the newest first: no down-sampling, nothing left out.
#[utoipa::path(get, path = "/api/series/{series}/samples", tag = "series",
    params(("series" = u32, Path, description = "The number of the series"), SampleParameters),
    responses((status = 200, body = Samples), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn samples(
    State(app): State<Arc<App>>,
    Place(series): Place<u32>,
    Parameters(parameters): Parameters<SampleParameters>,
) -> Result<Json<Samples>, ApiError> {
    let id = SeriesId(series);
    if app.state.catalog.entry(id).is_none() {
        return Err(missing(series));
    }
    let limit = parameters.limit.unwrap_or(DEFAULT_SAMPLES).clamp(1, MAX_SAMPLES);
    // The newest is there as well where a source dates it ahead.
    let newest = || app.state.historian.latest(id).map_or_else(|| app.now(), |tqv| tqv.time);
    let before = parameters.before.map_or_else(|| newest() + Duration::from_nanos(1), |before| before.0);
    let mut stored = app.state.historian.last_before(id, before, limit + 1).await?;
    let edge = stored.get(limit - 1).map_or(Timestamp::MIN, |point| point.tqv.time);
    let kept = stored.iter().take_while(|point| point.tqv.time >= edge).count();
    let more = stored.len() > kept;
    stored.truncate(kept);
    let mut earliest = i64::MAX;
    let view = |point: StoredPoint| {
        let late = point.record > earliest;
        earliest = earliest.min(point.record);
        let Tqv { time, value, quality, status } = point.tqv;
        SampleView { time: Time(time), value: Datum(value), quality: quality.into(), status: status.0, late }
    };
    Ok(Json(Samples { series, samples: stored.into_iter().map(view).collect(), more }))
}

/// There is no such series.
pub(super) fn missing(series: impl std::fmt::Display) -> ApiError {
    ApiError::not_found(format!("there is no series {series}"), "GET /api/assets/{id} lists the series of an asset")
}

/// Puts before the points of an attribute the value that was set last before the start: it holds until another one is set.
pub(super) async fn begin_with_held(
    app: &App,
    series: &[SeriesId],
    start: Timestamp,
    points: &mut [Vec<Tqv>],
) -> Result<(), ApiError> {
    let open =
        |(id, points): &(&SeriesId, &mut Vec<Tqv>)| is_set(app, **id) && points.first().is_none_or(|first| first.time > start);
    let open: Vec<(&SeriesId, &mut Vec<Tqv>)> = series.iter().zip(points).filter(open).collect();
    let named: Vec<SeriesId> = open.iter().map(|(id, _)| **id).collect();
    let held = app.state.historian.values_before(&named, start).await?;
    for (id, points) in open {
        points.splice(0..0, held.get(id).cloned());
    }
    Ok(())
}

/// Whether the values of a series hold until somebody sets another one.
fn is_set(app: &App, series: SeriesId) -> bool {
    let Some(entry) = app.state.catalog.entry(series) else { return false };
    let kind = entry.property.map(|property| &app.model(entry.asset).properties[property.0].kind);
    matches!(kind, Some(PropertyKind::Attribute { .. }))
}

//! Series: the history of one property of one asset.

use super::request::{Instant, Parameters, Place};
use crate::{app::App, error::ApiError, view::Points};
use andon_models::{SeriesId, Timestamp, Tqv, definition::PropertyKind, window::Window};
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

//! How the alarm system does over a span.

use crate::{
    api::request::{Instant, Parameters},
    app::App,
    error::ApiError,
};
use andon_models::alarm::measures::{AlarmMeasures, measure};
use andon_query::EventFilter;
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use utoipa::IntoParams;

/// The span unless the caller says otherwise: ISA-18.2 wants at least a week for what changes slowly.
const DEFAULT_SPAN: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How far before the span alarms are looked for that still stand in it.
const STANDING_SINCE: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Most changes of alarms that are read: with their explanations some 100 MB.
const MAX_CHANGES: usize = 50_000;

/// Which span.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Span {
    /// Its begin; seven days before its end if left out.
    #[param(value_type = Option<String>)]
    from: Option<Instant>,
    /// Its end; now if left out.
    #[param(value_type = Option<String>)]
    to: Option<Instant>,
}

/// The measures of a span, by ISA-18.2 and EEMUA 191.
#[derive(Serialize)]
pub(crate) struct Measured {
    /// Whether all changes of alarms could be looked at; else only the newest were.
    complete: bool,
    /// The measures.
    #[serde(flatten)]
    measures: AlarmMeasures,
}

/// Measures how the alarm system does: rates, floods, chattering, fleeting and stale alarms, bad actors, priorities. Answers an object with
/// `complete`, `from`, `to`, `annunciations`, `per_hour`, `per_10_min`, `peak_per_10_min`, `share_of_10_min_above_10`, `share_in_flood`,
/// `floods`, `chattering`, `fleeting`, `stale`, `bad_actors`, `share_of_bad_actors`, `priorities`, `standing` and `findings`.
#[utoipa::path(get, path = "/api/alarms/measures", tag = "alarms", params(Span),
    responses((status = 200, body = serde_json::Value), (status = 400, body = crate::error::ErrorBody)))]
pub(crate) async fn measures(
    State(app): State<Arc<App>>,
    Parameters(Span { from, to }): Parameters<Span>,
) -> Result<Json<Measured>, ApiError> {
    let to = to.map_or_else(|| app.now(), |to| to.0);
    let from = from.map_or(to - DEFAULT_SPAN, |from| from.0);
    if from >= to {
        return Err(ApiError::bad_request(format!("the span from {from} to {to} is empty"), "give an earlier `from`"));
    }
    let filter = EventFilter {
        kinds: vec!["alarm".into()],
        from: Some(from - STANDING_SINCE),
        to: Some(to),
        limit: MAX_CHANGES,
        ..EventFilter::default()
    };
    let events = app.state.historian.events(filter).await?;
    let complete = events.len() < MAX_CHANGES || events.last().is_some_and(|oldest| oldest.time <= from);
    Ok(Json(Measured { complete, measures: measure(&events, from, to) }))
}

//! Events: everything that happened.

use super::request::{Instant, Parameters};
use crate::{app::App, error::ApiError};
use andon_models::event::Event;
use andon_query::EventFilter;
use axum::{Json, extract::State};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// Events unless the caller says otherwise.
const DEFAULT_LIMIT: usize = 100;
/// Most events of one answer.
const MAX_LIMIT: usize = 2_000;
/// The kinds there are.
const KINDS: [&str; 10] =
    ["transition", "alarm", "command", "notification", "publication", "row", "message", "deed", "revision", "system"];

/// Which events.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventParameters {
    /// Only these kinds, separated by commas: transition, alarm, command, notification, publication, row, message,
    /// deed, revision, system.
    kind: Option<String>,
    /// Only those of this asset, by id or path.
    asset: Option<String>,
    /// Only those of this key of a detector over messages.
    key: Option<String>,
    /// Only those of this detector.
    detector: Option<String>,
    /// Only those after this instant.
    #[param(value_type = Option<String>)]
    from: Option<Instant>,
    /// Only those up to this instant.
    #[param(value_type = Option<String>)]
    to: Option<Instant>,
    /// How many at most.
    limit: Option<usize>,
    /// As the log was at this instant: the same as `to`, where both are named the earlier of them.
    #[param(value_type = Option<String>)]
    as_of: Option<Instant>,
}

/// Lists events, the newest first.
#[utoipa::path(get, path = "/api/events", tag = "events", params(EventParameters),
    responses((status = 200, body = [super::openapi::EventDocument]), (status = 400, body = crate::error::ErrorBody)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Parameters(parameters): Parameters<EventParameters>,
) -> Result<Json<Vec<Event>>, ApiError> {
    let kinds: Vec<&str> =
        parameters.kind.iter().flat_map(|kinds| kinds.split(',')).map(str::trim).filter(|kind| !kind.is_empty()).collect();
    if let Some(unknown) = kinds.iter().find(|kind| !KINDS.contains(kind)) {
        return Err(ApiError::bad_request(
            format!("there are no events of kind {unknown}"),
            format!("the kinds are {}", KINDS.join(", ")),
        ));
    }
    let asset = parameters.asset.as_deref().map(|named| app.find(named)).transpose()?;
    let filter = EventFilter {
        kinds: kinds.into_iter().map(Into::into).collect(),
        path: parameters.key.as_deref().map(Into::into),
        asset: asset.map(|index| app.asset(index).id),
        detector: parameters.detector.as_deref().map(Into::into),
        from: parameters.from.map(|from| from.0),
        to: parameters.to.into_iter().chain(parameters.as_of).map(|to| to.0).min(),
        limit: parameters.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT),
        ..EventFilter::default()
    };
    Ok(Json(app.state.historian.events(filter).await?))
}

//! What else people do about alarms: suppress, take out of service, reset, comment.

use super::{alarm_at, checked};
use crate::{
    api::{
        commands::named,
        request::{Body, Place},
    },
    app::App,
    error::ApiError,
    security::{Principal, Role},
};
use andon_models::{AssetId, operator::OperatorDeed};
use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A word about it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    /// Why; what hides an alarm needs it, and so does a comment.
    #[serde(default)]
    note: String,
    /// Who, where several people work under one log-in.
    #[serde(default)]
    name: String,
}

/// Has the loop do it, and says what is wrong if it is not done.
async fn perform(
    app: &App,
    (principal, role): (&Principal, Role),
    place: &(String, String),
    said: &Note,
    deed: impl FnOnce(AssetId, Arc<str>, Arc<str>) -> OperatorDeed,
) -> Result<StatusCode, ApiError> {
    principal.require(role)?;
    let (asset, detector) = alarm_at(app, place)?;
    app.request_as(named(principal, &said.name)?, deed(asset, detector, checked(&said.note)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Hides an alarm until it is shown again; needs a note.
#[utoipa::path(post, path = "/api/alarms/{asset}/{detector}/suppress", tag = "alarms", request_body = Note,
    params(("asset" = String, Path, description = "The id or the path of its asset, or the key of an alarm over messages"), ("detector" = String, Path, description = "Its detector")),
    responses((status = 204), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody),
        (status = 409, body = crate::error::ErrorBody)))]
pub(crate) async fn suppress(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(place): Place<(String, String)>,
    Body(said): Body<Note>,
) -> Result<StatusCode, ApiError> {
    let deed = |asset, detector, note| OperatorDeed::Suppress { asset, detector, note };
    perform(&app, (&principal, Role::Engineer), &place, &said, deed).await
}

/// Ends a suppression by hand.
#[utoipa::path(post, path = "/api/alarms/{asset}/{detector}/unsuppress", tag = "alarms", request_body = Note,
    params(("asset" = String, Path, description = "The id or the path of its asset, or the key of an alarm over messages"), ("detector" = String, Path, description = "Its detector")),
    responses((status = 204), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody),
        (status = 409, body = crate::error::ErrorBody)))]
pub(crate) async fn unsuppress(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(place): Place<(String, String)>,
    Body(said): Body<Note>,
) -> Result<StatusCode, ApiError> {
    let deed = |asset, detector, note| OperatorDeed::Unsuppress { asset, detector, note };
    perform(&app, (&principal, Role::Engineer), &place, &said, deed).await
}

/// Takes an alarm out of service; needs a note.
#[utoipa::path(post, path = "/api/alarms/{asset}/{detector}/out-of-service", tag = "alarms", request_body = Note,
    params(("asset" = String, Path, description = "The id or the path of its asset, or the key of an alarm over messages"), ("detector" = String, Path, description = "Its detector")),
    responses((status = 204), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody),
        (status = 409, body = crate::error::ErrorBody)))]
pub(crate) async fn remove_from_service(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(place): Place<(String, String)>,
    Body(said): Body<Note>,
) -> Result<StatusCode, ApiError> {
    let deed = |asset, detector, note| OperatorDeed::RemoveFromService { asset, detector, note };
    perform(&app, (&principal, Role::Engineer), &place, &said, deed).await
}

/// Puts an alarm back into service.
#[utoipa::path(post, path = "/api/alarms/{asset}/{detector}/return-to-service", tag = "alarms", request_body = Note,
    params(("asset" = String, Path, description = "The id or the path of its asset, or the key of an alarm over messages"), ("detector" = String, Path, description = "Its detector")),
    responses((status = 204), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody),
        (status = 409, body = crate::error::ErrorBody)))]
pub(crate) async fn return_to_service(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(place): Place<(String, String)>,
    Body(said): Body<Note>,
) -> Result<StatusCode, ApiError> {
    let deed = |asset, detector, note| OperatorDeed::ReturnToService { asset, detector, note };
    perform(&app, (&principal, Role::Engineer), &place, &said, deed).await
}

/// Lets go of a latched alarm whose condition is gone.
#[utoipa::path(post, path = "/api/alarms/{asset}/{detector}/reset", tag = "alarms", request_body = Note,
    params(("asset" = String, Path, description = "The id or the path of its asset, or the key of an alarm over messages"), ("detector" = String, Path, description = "Its detector")),
    responses((status = 204), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody),
        (status = 409, body = crate::error::ErrorBody)))]
pub(crate) async fn reset(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(place): Place<(String, String)>,
    Body(said): Body<Note>,
) -> Result<StatusCode, ApiError> {
    let deed = |asset, detector, note| OperatorDeed::Reset { asset, detector, note };
    perform(&app, (&principal, Role::Operator), &place, &said, deed).await
}

/// Says something about an alarm.
#[utoipa::path(post, path = "/api/alarms/{asset}/{detector}/comment", tag = "alarms", request_body = Note,
    params(("asset" = String, Path, description = "The id or the path of its asset, or the key of an alarm over messages"), ("detector" = String, Path, description = "Its detector")),
    responses((status = 204), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody),
        (status = 409, body = crate::error::ErrorBody)))]
pub(crate) async fn comment(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(place): Place<(String, String)>,
    Body(said): Body<Note>,
) -> Result<StatusCode, ApiError> {
    let deed = |asset, detector, note| OperatorDeed::Comment { asset, detector, note };
    perform(&app, (&principal, Role::Operator), &place, &said, deed).await
}

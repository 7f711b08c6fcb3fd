//! Messages for detectors of no asset model.

use super::request::{Body, Parameters, Place};
use crate::{
    app::App,
    error::ApiError,
    security::{Principal, Role},
};
use andon_models::{iot_events::InputMessage, operator::OperatorDeed};
use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// Longest id of a message; AWS takes 64 characters.
const MAX_ID: usize = 128;

/// Beside the message.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MessageParameters {
    /// The message's id, for default payloads; derived if not given.
    id: Option<String>,
}

/// Hands a JSON message to the detectors that listen to an input. Answers when what they made of it is on disk.
#[utoipa::path(post, path = "/api/inputs/{input}", tag = "instances",
    params(("input" = String, Path, description = "The input's name"), MessageParameters),
    request_body(content = serde_json::Value, content_type = "application/json", description = "The message",
        example = json!({"motorid": "M-1", "sensorData": {"pressure": 72}})),
    responses((status = 204, description = "It is on disk"),
        (status = 400, description = "No detector takes it: the input is unknown, or the key is missing", body = crate::error::ErrorBody),
        (status = 503, body = crate::error::ErrorBody)))]
pub(crate) async fn message(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(input): Place<String>,
    Parameters(parameters): Parameters<MessageParameters>,
    Body(payload): Body<serde_json::Value>,
) -> Result<StatusCode, ApiError> {
    principal.require(Role::Operator)?;
    if parameters.id.as_ref().is_some_and(|id| id.chars().count() > MAX_ID) {
        return Err(ApiError::bad_request("the id is too long", format!("{MAX_ID} characters are the most")));
    }
    let (payload, id) = (Arc::new(payload), parameters.id.map(Arc::from));
    let message = InputMessage { input: input.into(), payload, id, retained: false };
    app.request(&principal, OperatorDeed::Message(message)).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! Writes to machines by hand, in two steps: what is prepared is shown, and written when it is confirmed in time.

use super::request::{Body, Place};
use crate::{
    app::App,
    error::ApiError,
    security::{Principal, Role},
};
use andon_models::{
    Value,
    command::{HandRole, HandWrite, Prepared},
    operator::{OperatorDeed, OperatorRefusal},
};
use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};
use utoipa::ToSchema;

/// Longest name of a person.
const MAX_NAME: usize = 100;

/// A write that somebody wants to prepare, on its way to the plant's loop.
#[derive(Debug)]
pub struct Prepare {
    /// What.
    pub write: HandWrite,
    /// Answered with what it would do, or with the rule that forbids it.
    pub reply: oneshot::Sender<Result<Prepared, OperatorRefusal>>,
}

/// Where writes to prepare go.
pub type Prepares = mpsc::Sender<Prepare>;

/// What is to be written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WriteRequest {
    /// The id or the path of the asset.
    asset: String,
    /// The control.
    control: String,
    /// The value.
    #[schema(value_type = serde_json::Value)]
    value: Value,
    /// Who wants it, where several people work under one log-in.
    #[serde(default)]
    name: String,
}

/// A confirmation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    /// The token of what was prepared.
    token: String,
    /// Who confirms it, where several people work under one log-in.
    #[serde(default)]
    name: String,
}

/// Prepares a write: checks every rule and shows what it would do. Nothing is written yet.
#[utoipa::path(post, path = "/api/commands/prepare", tag = "commands", request_body = WriteRequest,
    responses((status = 200, description = "`token`, `command`, `asset`, `control`, `current`, `value`, `unit`, `effect`, `interlock`, `inputs`, `dry_run`, `by`, `second_person`, `until`", body = serde_json::Value),
        (status = 403, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody), (status = 409, body = crate::error::ErrorBody),
        (status = 503, body = crate::error::ErrorBody)))]
pub(crate) async fn prepare(
    State(app): State<Arc<App>>,
    principal: Principal,
    Body(request): Body<WriteRequest>,
) -> Result<Json<Prepared>, ApiError> {
    principal.require(Role::Operator)?;
    let role = hand_role(&principal);
    let asset = app.asset(app.find(&request.asset)?).id;
    let value = request.value;
    let by = named(&principal, &request.name)?;
    let write = HandWrite { by, role, asset, control: request.control.into(), value, current: Err("not read yet".into()) };
    let (reply, answer) = oneshot::channel();
    let busy = || ApiError::unavailable("the plant does not answer; nothing was done", "try again when it runs");
    app.state.prepares.try_send(Prepare { write, reply }).map_err(|error| match error {
        TrySendError::Full(_) => ApiError::unavailable(
            "too many writes by hand are being prepared; nothing was done",
            "try again in a few seconds; a device that does not answer takes 3 s each time",
        ),
        TrySendError::Closed(_) => busy(),
    })?;
    Ok(Json(answer.await.map_err(|_| busy())??))
}

/// Writes what was prepared, at most 30 s ago, if every rule still holds. It is recorded before this answers, and sent after that;
/// what became of it is in the table `commands`.
#[utoipa::path(post, path = "/api/commands/confirm", tag = "commands", request_body = Confirmation,
    responses((status = 204), (status = 403, body = crate::error::ErrorBody), (status = 409, body = crate::error::ErrorBody)))]
pub(crate) async fn confirm(
    State(app): State<Arc<App>>,
    principal: Principal,
    Body(request): Body<Confirmation>,
) -> Result<StatusCode, ApiError> {
    principal.require(Role::Operator)?;
    let by = named(&principal, &request.name)?;
    app.request_as(by, OperatorDeed::Confirm { token: request.token.into(), role: hand_role(&principal) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A release.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Releasing {
    /// Who releases it, where several people work under one log-in.
    #[serde(default)]
    name: String,
}

/// Ends the dry run of a detector that has run dry long enough: from now on it writes.
#[utoipa::path(post, path = "/api/detectors/{asset}/{detector}/release", tag = "commands", request_body = Releasing,
    params(("asset" = String, Path, description = "The id or the path of its asset"), ("detector" = String, Path, description = "Its name")),
    responses((status = 204), (status = 404, body = crate::error::ErrorBody), (status = 409, body = crate::error::ErrorBody)))]
pub(crate) async fn release(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place((asset, detector)): Place<(String, String)>,
    Body(request): Body<Releasing>,
) -> Result<StatusCode, ApiError> {
    principal.require(Role::Engineer)?;
    let asset = app.asset(app.find(&asset)?).id;
    app.request_as(named(&principal, &request.name)?, OperatorDeed::Release { asset, detector: detector.into() }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a person may write by hand, who is an operator at least.
fn hand_role(principal: &Principal) -> HandRole {
    if principal.role >= Role::Engineer { HandRole::Engineer } else { HandRole::Operator }
}

/// Whether a character is none that is read, but moves what is: ends a line, writes over it, or turns its direction. A name stands in the
/// log and the audit, where it must not look like another one.
fn hides(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The person, beside the log-in they work under.
pub(crate) fn named(principal: &Principal, name: &str) -> Result<Arc<str>, ApiError> {
    let name = name.trim();
    if let Some(hidden) = name.chars().find(|letter| hides(*letter)) {
        let message = format!("the name has the character U+{:04X}, which nobody sees", u32::from(hidden));
        return Err(ApiError::bad_request(message, "write it in letters, in one line"));
    }
    if name.chars().count() > MAX_NAME {
        return Err(ApiError::bad_request("the name is too long", format!("{MAX_NAME} characters are the most")));
    }
    Ok(if name.is_empty() { principal.name.clone() } else { format!("{name} ({})", principal.name).into() })
}

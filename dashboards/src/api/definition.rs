//! The definition of the plant: read, checked, planned, applied and taken back while the plant runs.
//!
//! Nothing is decided here: the owner of the definition answers ([`AskDefinition`]). It outlives the plant that runs, and so do these
//! routes.

mod shapes;

pub use shapes::{
    Applied, ChangeView, Definition, DefinitionChange, DefinitionRefusal, DiagnosticView, FileText, Planned, Version,
    VersionFiles,
};

use super::{
    commands::named,
    request::{Body, Place, no_parameters},
};
use crate::{
    error::{ApiError, ErrorBody},
    security::{Principal, Role},
};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderValue, header},
    middleware,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::ToSchema;

/// Longest comment on a change.
const MAX_COMMENT: usize = 1_000;

/// Where an answer goes.
pub type DefinitionReply<T> = oneshot::Sender<Result<T, DefinitionRefusal>>;

/// What is asked of the owner of the definition.
#[derive(Debug)]
pub enum AskDefinition {
    /// What runs.
    Read(DefinitionReply<Definition>),
    /// An earlier version.
    Version(i64, DefinitionReply<VersionFiles>),
    /// What is wrong with files.
    Check(Vec<FileText>, DefinitionReply<Vec<DiagnosticView>>),
    /// What files would change.
    Plan(Vec<FileText>, DefinitionReply<Planned>),
    /// That the plant runs with files, or with a version, from now on.
    Apply(DefinitionChange, DefinitionReply<Applied>),
}

/// Where the definition is asked for and changed.
pub type Definitions = mpsc::Sender<AskDefinition>;

/// Files of a plant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Files {
    /// The files, by name.
    files: Vec<FileText>,
}

/// Files that the plant is to run with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplyRequest {
    /// All files of the plant.
    files: Vec<FileText>,
    /// The hash of the definition that they were made from.
    base: String,
    /// Why.
    #[serde(default)]
    comment: String,
    /// Who, where several people work under one log-in.
    #[serde(default)]
    name: String,
}

/// A version that the plant is to run with again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevertRequest {
    /// The version.
    version: i64,
    /// The hash of the definition that runs.
    base: String,
    /// Why.
    #[serde(default)]
    comment: String,
    /// Who, where several people work under one log-in.
    #[serde(default)]
    name: String,
}

/// What is wrong or doubtful in files.
#[derive(Serialize, ToSchema)]
pub(crate) struct Checked {
    /// Errors and warnings, in file order.
    diagnostics: Vec<DiagnosticView>,
}

pub(crate) fn router() -> Router<Definitions> {
    Router::new()
        .route("/definition", get(definition))
        .route("/definition/schema", get(schema))
        .route("/definition/versions/{id}", get(version))
        .route("/definition/check", post(check))
        .route("/definition/plan", post(plan))
        .route("/definition/apply", post(apply))
        .route("/definition/revert", post(revert))
        .route_layer(middleware::from_fn(no_parameters))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

async fn ask<T>(definitions: &Definitions, ask: impl FnOnce(DefinitionReply<T>) -> AskDefinition) -> Result<Json<T>, ApiError> {
    let (reply, answer) = oneshot::channel();
    let gone = || ApiError::unavailable("the plant is shutting down; nothing was done", "try again when it runs");
    definitions.send(ask(reply)).await.map_err(|_| gone())?;
    Ok(Json(answer.await.map_err(|_| gone())??))
}

/// The definition that the plant runs with, and its versions. Files may hold secrets: only engineers see them.
#[utoipa::path(get, path = "/api/definition", tag = "definition",
    responses((status = 200, body = Definition), (status = 403, body = ErrorBody)))]
pub(crate) async fn definition(
    State(definitions): State<Definitions>,
    principal: Principal,
) -> Result<Json<Definition>, ApiError> {
    principal.require(Role::Engineer)?;
    ask(&definitions, AskDefinition::Read).await
}

/// The JSON Schema of plant files, for editors.
#[utoipa::path(get, path = "/api/definition/schema", tag = "definition", responses((status = 200, body = serde_json::Value)))]
pub(crate) async fn schema() -> Json<serde_json::Value> {
    Json(andon_models::plant_file::schema())
}

/// The files of a version.
#[utoipa::path(get, path = "/api/definition/versions/{id}", tag = "definition", params(("id" = i64, Path, description = "The version")),
    responses((status = 200, body = VersionFiles), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn version(
    State(definitions): State<Definitions>,
    principal: Principal,
    Place(id): Place<i64>,
) -> Result<Json<VersionFiles>, ApiError> {
    principal.require(Role::Engineer)?;
    ask(&definitions, |reply| AskDefinition::Version(id, reply)).await
}

/// Checks files as `andon check` does. Changes nothing.
#[utoipa::path(post, path = "/api/definition/check", tag = "definition", request_body = Files,
    responses((status = 200, body = Checked), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn check(
    State(definitions): State<Definitions>,
    principal: Principal,
    Body(Files { files }): Body<Files>,
) -> Result<Json<Checked>, ApiError> {
    principal.require(Role::Engineer)?;
    let Json(diagnostics) = ask(&definitions, |reply| AskDefinition::Check(files, reply)).await?;
    Ok(Json(Checked { diagnostics }))
}

/// Says what files would change in the plant that runs. Changes nothing.
#[utoipa::path(post, path = "/api/definition/plan", tag = "definition", request_body = Files,
    responses((status = 200, body = Planned), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn plan(
    State(definitions): State<Definitions>,
    principal: Principal,
    Body(Files { files }): Body<Files>,
) -> Result<Json<Planned>, ApiError> {
    principal.require(Role::Engineer)?;
    ask(&definitions, |reply| AskDefinition::Plan(files, reply)).await
}

/// Has the plant run with files from now on. Answered when it does.
#[utoipa::path(post, path = "/api/definition/apply", tag = "definition", request_body = ApplyRequest,
    responses((status = 200, body = Applied), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 500, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub(crate) async fn apply(
    State(definitions): State<Definitions>,
    principal: Principal,
    Body(ApplyRequest { files, base, comment, name }): Body<ApplyRequest>,
) -> Result<Json<Applied>, ApiError> {
    principal.require(Role::Engineer)?;
    let (by, comment) = (named(&principal, &name)?, commented(&comment)?);
    let change = DefinitionChange { files: Ok(files), base, comment, by };
    ask(&definitions, |reply| AskDefinition::Apply(change, reply)).await
}

/// Has the plant run with an earlier version again. Answered when it does.
#[utoipa::path(post, path = "/api/definition/revert", tag = "definition", request_body = RevertRequest,
    responses((status = 200, body = Applied), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 500, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub(crate) async fn revert(
    State(definitions): State<Definitions>,
    principal: Principal,
    Body(RevertRequest { version, base, comment, name }): Body<RevertRequest>,
) -> Result<Json<Applied>, ApiError> {
    principal.require(Role::Engineer)?;
    let (by, comment) = (named(&principal, &name)?, commented(&comment)?);
    let change = DefinitionChange { files: Err(version), base, comment, by };
    ask(&definitions, |reply| AskDefinition::Apply(change, reply)).await
}

fn commented(comment: &str) -> Result<String, ApiError> {
    let comment = comment.trim();
    if comment.chars().count() > MAX_COMMENT {
        return Err(ApiError::bad_request("the comment is too long", format!("{MAX_COMMENT} characters are the most")));
    }
    Ok(comment.to_owned())
}

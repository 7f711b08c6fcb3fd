//! Back-tests: what a detector, perhaps an edited one, would have done over recorded history.

pub(crate) mod replay;
mod shapes;

pub use replay::{ReplayInput, ReplayStep, ReplayTimer, ReplayVariable, ReplayView};
pub use shapes::{BacktestEvent, BacktestSide, BacktestState, BacktestView};

use super::{
    definition::DiagnosticView,
    request::{Body, Instant, Place},
};
use crate::{
    app::App,
    error::ApiError,
    security::{Principal, Role},
};
use andon_models::{AssetId, Timestamp, window::Window};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shapes::{Running, Unfit};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;

/// Longest span that is played: a year with its leap day.
const MAX_SPAN: Duration = Duration::from_secs(366 * 24 * 3_600);
/// Bytes of an edited definition, all files together: below what a body may have.
const MAX_DEFINITION: usize = 200 * 1024;

/// A request about back-tests, on its way to whoever plays them.
#[derive(Debug)]
pub enum AskBacktest {
    /// Begin one.
    Start(Box<BacktestOrder>, oneshot::Sender<Result<String, BacktestRefusal>>),
    /// How one stands; none if nobody knows it.
    Look(String, oneshot::Sender<Option<BacktestView>>),
    /// End one, or forget one that has ended; false if nobody knows it.
    Cancel(String, oneshot::Sender<bool>),
    /// What one instance went through.
    Replay(ReplayOrder, oneshot::Sender<Result<ReplayView, String>>),
}

/// Where such requests go.
pub type Backtests = mpsc::Sender<AskBacktest>;

/// What is to be played.
#[derive(Clone, Debug)]
pub struct BacktestOrder {
    /// `model.detector`.
    pub detector: String,
    /// Of what time.
    pub window: Window,
    /// An edited definition to compare with: names and texts of all its files.
    pub with: Option<Vec<(String, String)>>,
    /// Only events of the instance of this asset are wanted, by its path.
    pub asset: Option<Arc<str>>,
}

/// Which instance is to be played again.
#[derive(Clone, Debug)]
pub struct ReplayOrder {
    /// Its asset.
    pub asset: AssetId,
    /// Its detector.
    pub detector: Arc<str>,
    /// Of what time.
    pub window: Window,
}

/// Why a back-test does not begin.
#[derive(Clone, Debug)]
pub enum BacktestRefusal {
    /// Another one runs.
    Running(String),
    /// The edited definition has mistakes.
    Unfit(Vec<DiagnosticView>),
    /// The request cannot be met.
    Wrong(String),
}

/// A file of a definition.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DefinitionFile {
    /// Its name, for diagnostics.
    name: String,
    /// Its text.
    text: String,
}

/// An edited definition.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EditedDefinition {
    /// All its files.
    files: Vec<DefinitionFile>,
}

/// What is to be played, and over which time.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BacktestRequest {
    /// The detector: `model.detector`.
    detector: String,
    /// From this instant on.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    from: Option<Instant>,
    /// Up to this instant; now if it is left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    to: Option<Instant>,
    /// The last so many seconds, instead of `from` and `to`.
    #[serde(default)]
    last_seconds: Option<u64>,
    /// An edited definition to compare with; an engineer's right.
    #[serde(default)]
    with: Option<EditedDefinition>,
    /// Only events of this asset's instance are wanted, by id or path.
    #[serde(default)]
    asset: Option<String>,
}

/// A back-test that began.
#[derive(Serialize, ToSchema)]
pub(crate) struct Begun {
    /// Its id.
    id: String,
}

/// Plays recorded history through a detector, and through an edited one beside it. Nothing is written, told or stored.
#[utoipa::path(post, path = "/api/backtests", tag = "backtests", request_body = BacktestRequest,
    responses((status = 202, body = Begun), (status = 400, body = Unfit), (status = 403, body = crate::error::ErrorBody),
        (status = 409, body = Running), (status = 503, body = crate::error::ErrorBody)))]
pub(crate) async fn start(
    State(app): State<Arc<App>>,
    principal: Principal,
    Body(request): Body<BacktestRequest>,
) -> Result<Response, ApiError> {
    let with = request.with.map(|with| with.files.into_iter().map(|file| (file.name, file.text)).collect::<Vec<_>>());
    if let Some(files) = &with {
        principal.require(Role::Engineer)?;
        let bytes: usize = files.iter().map(|(name, text)| name.len() + text.len()).sum();
        if bytes > MAX_DEFINITION {
            let message = format!("the edited definition has {bytes} bytes, more than {MAX_DEFINITION}");
            return Err(ApiError::bad_request(message, "compare on the command line: andon backtest --with"));
        }
    }
    let start = request.last_seconds.map(|seconds| app.now() - Duration::from_secs(seconds));
    let window = window(&app, start.or(request.from.map(|from| from.0)), request.to.map(|to| to.0), MAX_SPAN)?;
    let asset = request.asset.as_deref().map(|named| app.find(named)).transpose()?;
    let asset = asset.map(|index| app.asset(index).path.clone());
    let order = Box::new(BacktestOrder { detector: request.detector, window, with, asset });
    Ok(match ask(&app, |reply| AskBacktest::Start(order, reply)).await? {
        Ok(id) => (StatusCode::ACCEPTED, Json(Begun { id })).into_response(),
        Err(BacktestRefusal::Running(id)) => (StatusCode::CONFLICT, Json(Running::of(id))).into_response(),
        Err(BacktestRefusal::Unfit(diagnostics)) => (StatusCode::BAD_REQUEST, Json(Unfit::of(diagnostics))).into_response(),
        Err(BacktestRefusal::Wrong(reason)) => return Err(ApiError::bad_request(reason, "GET /api/detectors lists them all")),
    })
}

/// Shows how a back-test stands, and what was found so far.
#[utoipa::path(get, path = "/api/backtests/{id}", tag = "backtests", params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = BacktestView), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn one(State(app): State<Arc<App>>, Place(id): Place<String>) -> Result<Json<BacktestView>, ApiError> {
    let asked = id.clone();
    let view = ask(&app, |reply| AskBacktest::Look(asked, reply)).await?;
    view.map(Json).ok_or_else(|| unknown(&id))
}

/// Ends a back-test; one that has ended is forgotten.
#[utoipa::path(delete, path = "/api/backtests/{id}", tag = "backtests", params(("id" = String, Path, description = "Its id")),
    responses((status = 204), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn cancel(State(app): State<Arc<App>>, Place(id): Place<String>) -> Result<StatusCode, ApiError> {
    let asked = id.clone();
    match ask(&app, |reply| AskBacktest::Cancel(asked, reply)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown(&id)),
    }
}

fn unknown(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no back-test {id}"), "only the last few are remembered; begin a new one")
}

/// The span that is asked for.
pub(super) fn window(app: &App, from: Option<Timestamp>, to: Option<Timestamp>, most: Duration) -> Result<Window, ApiError> {
    let hint = "give `from`, and perhaps `to`";
    let start = from.ok_or_else(|| ApiError::bad_request("it is not said how much history", hint))?;
    let window = Window { start, end: to.unwrap_or_else(|| app.now()) };
    if window.start >= window.end {
        return Err(ApiError::bad_request("`from` lies after `to`", hint));
    }
    if window.span() > most {
        let days = most.as_secs() / 86_400;
        return Err(ApiError::bad_request(format!("more than {days} days are too many at once"), "take a shorter span"));
    }
    Ok(window)
}

async fn ask<T>(app: &App, make: impl FnOnce(oneshot::Sender<T>) -> AskBacktest) -> Result<T, ApiError> {
    let (reply, answer) = oneshot::channel();
    let busy = || ApiError::unavailable("nobody plays back-tests now", "try again when the plant runs");
    app.state.backtests.send(make(reply)).await.map_err(|_| busy())?;
    answer.await.map_err(|_| busy())
}

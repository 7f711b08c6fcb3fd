//! Back-fills: metrics and transforms computed over history, as they are defined now.

use super::{
    backtests::window,
    commands::named,
    corrections::instant,
    request::{Body, Place},
};
use crate::{
    app::App,
    error::ApiError,
    security::{Principal, Role},
    view::Time,
};
use andon_models::{
    schedule::{Backfill, BackfillOrder, BackfillRefusal, BackfillState, Standing},
    window::Window,
};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;

/// Longest span that is computed at once: ten years. Windows have a limit of their own.
const MAX_SPAN: Duration = Duration::from_secs(3_653 * 24 * 3_600);
/// Characters of a target at most: names in a plant file are shorter.
const MAX_TARGET: usize = 512;

/// A request about back-fills, on its way to the loop that computes metrics.
#[derive(Debug)]
pub enum AskBackfill {
    /// Begin one.
    Start(BackfillOrder, oneshot::Sender<Result<Standing, BackfillRefusal>>),
    /// How all stand, the newest first.
    List(oneshot::Sender<Vec<Standing>>),
    /// Take one back, for this person.
    Cancel(u32, Arc<str>, oneshot::Sender<Result<(), BackfillRefusal>>),
}

/// Where such requests go.
pub type Backfills = mpsc::Sender<AskBackfill>;

/// What is to be computed, and over which time.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackfillRequest {
    /// Models, metrics and transforms: `filler`, `filler.temp_avg`.
    targets: Vec<String>,
    /// From this instant on: RFC 3339, or plant time such as `2026-11-01 06:00`.
    #[serde(default)]
    from: Option<String>,
    /// Up to this instant; now if it is left out.
    #[serde(default)]
    to: Option<String>,
    /// The last so many seconds, instead of `from` and `to`.
    #[serde(default)]
    last_seconds: Option<u64>,
    /// Who, where several people work under one log-in.
    #[serde(default)]
    name: String,
}

/// A back-fill, and how far it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct BackfillView {
    /// Its number.
    number: u32,
    /// What is computed.
    targets: Vec<String>,
    /// From when on.
    from: Time,
    /// Up to when.
    to: Time,
    /// Who asked for it.
    by: String,
    /// When.
    begun: Time,
    /// When it was over; null while it is not.
    ended: Option<Time>,
    /// `waiting`, `running`, `cancelling`, `done`, `cancelled` or `failed`.
    #[schema(value_type = String)]
    state: BackfillState,
    /// Up to when transforms are computed; the end of the span when there are none.
    transforms_to: Time,
    /// Values of transforms that were new or different.
    transform_values: u64,
    /// Windows that were computed.
    windows_done: u64,
    /// Windows in all, by what is known now: what depends on changed figures is added as they change.
    windows_total: u64,
    /// Figures that were new or different.
    figures: u64,
    /// Which share of it is done, 0 to 1.
    progress: f64,
    /// Since when there is history, where that is not all of the span.
    history_from: Option<Time>,
    /// Why it failed, or what has to be known of it; empty if nothing has.
    note: String,
}

impl BackfillView {
    fn of(Standing { backfill, windows }: Standing) -> Self {
        let progress = progress(&backfill, windows);
        Self {
            number: backfill.number,
            targets: backfill.targets.iter().map(ToString::to_string).collect(),
            from: Time(backfill.span.start),
            to: Time(backfill.span.end),
            by: backfill.by.to_string(),
            begun: Time(backfill.begun),
            ended: backfill.ended.map(Time),
            state: backfill.state,
            transforms_to: Time(backfill.played),
            transform_values: backfill.values,
            windows_done: backfill.windows,
            windows_total: windows,
            figures: backfill.figures,
            progress,
            history_from: backfill.history_from.map(Time),
            note: backfill.note.to_string(),
        }
    }
}

/// Transforms count as half of it where there are any: nobody knows how long windows take before they are computed.
fn progress(backfill: &Backfill, windows: u64) -> f64 {
    let Window { start, end } = backfill.span;
    let share = |done: f64, all: f64| if all > 0.0 { (done / all).min(1.0) } else { 1.0 };
    let computed = share(backfill.windows as f64, windows as f64);
    match backfill.state.is_over() {
        true => 1.0,
        false if backfill.played >= end => computed,
        false => share(backfill.played.since(start).as_secs_f64(), end.since(start).as_secs_f64()) / 2.0,
    }
}

/// Begins to compute metrics and transforms over history, as they are defined now. Live windows come first; figures that change are
/// revisions that name the back-fill.
#[utoipa::path(post, path = "/api/backfills", tag = "backfills", request_body = BackfillRequest,
    responses((status = 202, body = BackfillView), (status = 400, body = crate::error::ErrorBody),
        (status = 403, body = crate::error::ErrorBody), (status = 409, body = crate::error::ErrorBody),
        (status = 503, body = crate::error::ErrorBody)))]
pub(crate) async fn start(
    State(app): State<Arc<App>>,
    principal: Principal,
    Body(request): Body<BackfillRequest>,
) -> Result<(StatusCode, Json<BackfillView>), ApiError> {
    principal.require(Role::Engineer)?;
    let start = request.last_seconds.map(|seconds| app.now() - Duration::from_secs(seconds));
    let said = |text: &Option<String>| text.as_deref().map(|text| instant(&app, text)).transpose();
    let end = said(&request.to)?.map(|to| to.min(app.now()));
    let span = window(&app, start.or(said(&request.from)?), end, MAX_SPAN)?;
    if let Some(long) = request.targets.iter().find(|target| target.chars().count() > MAX_TARGET) {
        let message = format!("a target has {} characters, more than {MAX_TARGET}", long.chars().count());
        return Err(ApiError::bad_request(message, "write model or model.metric"));
    }
    let targets = request.targets.iter().map(|target| target.trim().into()).collect();
    let order = BackfillOrder { targets, span, by: named(&principal, &request.name)? };
    let standing = ask(&app, |reply| AskBackfill::Start(order, reply)).await?.map_err(|refusal| refused(refusal, 0))?;
    Ok((StatusCode::ACCEPTED, Json(BackfillView::of(standing))))
}

/// Lists back-fills: those that go on and the last ones that are over, the newest first.
#[utoipa::path(get, path = "/api/backfills", tag = "backfills",
    responses((status = 200, body = Vec<BackfillView>), (status = 503, body = crate::error::ErrorBody)))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<BackfillView>>, ApiError> {
    let all = ask(&app, AskBackfill::List).await?;
    Ok(Json(all.into_iter().map(BackfillView::of).collect()))
}

/// Shows how a back-fill stands.
#[utoipa::path(get, path = "/api/backfills/{number}", tag = "backfills", params(("number" = u32, Path, description = "Its number")),
    responses((status = 200, body = BackfillView), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn one(State(app): State<Arc<App>>, Place(number): Place<u32>) -> Result<Json<BackfillView>, ApiError> {
    let all = ask(&app, AskBackfill::List).await?;
    let found = all.into_iter().find(|standing| standing.backfill.number == number);
    found.map(|standing| Json(BackfillView::of(standing))).ok_or_else(|| refused(BackfillRefusal::Unknown, number))
}

/// Takes a back-fill back. What it has computed stays, and what depends on that is computed.
#[utoipa::path(delete, path = "/api/backfills/{number}", tag = "backfills",
    params(("number" = u32, Path, description = "Its number")),
    responses((status = 204), (status = 403, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody),
        (status = 409, body = crate::error::ErrorBody)))]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(number): Place<u32>,
) -> Result<StatusCode, ApiError> {
    principal.require(Role::Engineer)?;
    let by = principal.name.clone();
    let cancelled = ask(&app, |reply| AskBackfill::Cancel(number, by, reply)).await?;
    cancelled.map(|()| StatusCode::NO_CONTENT).map_err(|refusal| refused(refusal, number))
}

fn refused(refusal: BackfillRefusal, number: u32) -> ApiError {
    match refusal {
        BackfillRefusal::Wrong(reason) => ApiError::bad_request(reason, "GET /api/models lists models with their properties"),
        BackfillRefusal::Busy => ApiError::new(
            StatusCode::CONFLICT,
            "too many back-fills are under way",
            "wait for one of them, or take one back: GET /api/backfills, DELETE /api/backfills/{number}",
        ),
        BackfillRefusal::Unknown => {
            ApiError::not_found(format!("there is no back-fill {number}"), "GET /api/backfills lists the last ones")
        }
        BackfillRefusal::Over => ApiError::new(StatusCode::CONFLICT, format!("back-fill {number} is over"), ""),
    }
}

async fn ask<T>(app: &App, make: impl FnOnce(oneshot::Sender<T>) -> AskBackfill) -> Result<T, ApiError> {
    let (reply, answer) = oneshot::channel();
    let busy = || ApiError::unavailable("nobody computes metrics now", "try again when the plant runs");
    app.state.backfills.send(make(reply)).await.map_err(|_| busy())?;
    answer.await.map_err(|_| busy())
}

//! Stops, and what people say about them.

use super::DEFAULT_SPAN;
use crate::{
    api::{
        commands::named as signed,
        request::{Body, Instant, Parameters, Place, as_of},
    },
    app::App,
    error::ApiError,
    security::{Principal, Role},
    view::Time,
};
use andon_models::{
    AssetId, Timestamp, Tqv, Value,
    definition::AssetIndex,
    oee::{
        OeeResult, STOP_EDITS, Stop,
        edits::{MAX_STATEMENT, Statement, StopEdit, overlay},
    },
    operator::OperatorDeed,
    window::Window,
};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use utoipa::{IntoParams, ToSchema};

/// Longest span of stops: they are worked out from raw values.
const MAX_SPAN: Duration = Duration::from_secs(31 * 86_400);
/// Statements about stops that are looked at around one.
const MAX_EDITS: usize = 10_000;

/// Which stops.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StopParameters {
    /// The machine, by id or path.
    asset: String,
    /// From this instant on; a week before `to` if left out.
    #[param(value_type = Option<String>)]
    from: Option<Instant>,
    /// Up to this instant; now if left out.
    #[param(value_type = Option<String>)]
    to: Option<Instant>,
    /// As they were at this instant; now if left out.
    #[param(value_type = Option<String>)]
    as_of: Option<Instant>,
}

/// The stops of a machine.
#[derive(Serialize, ToSchema)]
pub(crate) struct Stops {
    /// The machine's id.
    asset_id: String,
    /// Its path.
    asset: String,
    /// Its stops, oldest first.
    stops: Vec<StopView>,
    /// When nobody knows whether it ran, oldest first; the rest of the time in shifts it did.
    unknown: Vec<UnknownView>,
    /// The reasons that the plant file declares; others may be given too, and count as breakdowns.
    reasons: Vec<ReasonView>,
}

/// A span in which the machine stood, with one reason.
#[derive(Serialize, ToSchema)]
pub(crate) struct StopView {
    /// Names it in the address when something is said about it.
    id: String,
    /// When it began; for a stop that began before `from`, `from`.
    start: Time,
    /// When it ended; for one that goes on, now or `to`.
    end: Time,
    /// How long it lasted, in seconds.
    seconds: f64,
    /// Why; empty if nobody said.
    reason: String,
    /// What it takes away from: `schedule_loss`, `availability` or `performance`.
    class: &'static str,
    /// Whether it was planned.
    planned: bool,
    /// Whether it is a micro-stop.
    micro: bool,
    /// Whether it began before `from`.
    continued: bool,
    /// Whether it still goes on.
    open: bool,
    /// What somebody wrote to it; empty if nothing.
    comment: String,
    /// Who gave the reason or the comment; empty if only the machine did.
    by: String,
}

/// A span in which nobody knows what the machine did.
#[derive(Serialize, ToSchema)]
pub(crate) struct UnknownView {
    /// Its begin.
    start: Time,
    /// Its end.
    end: Time,
}

/// A reason that the plant file declares.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReasonView {
    /// Its name.
    name: String,
    /// What its stops take away from: `schedule_loss`, `availability` or `performance`.
    class: &'static str,
    /// Whether its stops are planned.
    planned: bool,
}

/// Lists the stops of a machine, oldest first.
#[utoipa::path(get, path = "/api/stops", tag = "oee", params(StopParameters),
    responses((status = 200, body = Stops), (status = 400, body = crate::error::ErrorBody),
        (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Parameters(parameters): Parameters<StopParameters>,
) -> Result<Json<Stops>, ApiError> {
    let index = app.find(&parameters.asset)?;
    let now = as_of(&app, parameters.as_of);
    let end = parameters.to.map_or(now, |to| to.0).min(now);
    let start = parameters.from.map_or(end - DEFAULT_SPAN, |from| from.0);
    if start >= end || end.since(start) > MAX_SPAN {
        return Err(ApiError::bad_request("`from` must lie before `to`, at most 31 days", "ask for a shorter span"));
    }
    let OeeResult { stops, unknown, .. } = result_of(&app, index, Window { start, end }).await?;
    let asset = app.asset(index);
    let reasons = app.model(index).oee.iter().flat_map(|oee| &oee.reason_table.0);
    Ok(Json(Stops {
        asset_id: asset.id.to_string(),
        asset: asset.path.to_string(),
        stops: stops.iter().map(|stop| StopView::new(asset.id, stop, stop.window.end == now)).collect(),
        unknown: unknown.iter().map(|span| UnknownView { start: Time(span.start), end: Time(span.end) }).collect(),
        reasons: reasons
            .map(|reason| ReasonView { name: reason.name.to_string(), class: reason.class.word(), planned: reason.planned })
            .collect(),
    }))
}

impl StopView {
    fn new(asset: AssetId, stop: &Stop, open: bool) -> Self {
        Self {
            id: format!("{asset}.{}", stop.window.start.as_nanos()),
            start: Time(stop.window.start),
            end: Time(stop.window.end),
            seconds: stop.window.span().as_secs_f64(),
            reason: stop.reason.to_string(),
            class: stop.class.word(),
            planned: stop.planned,
            micro: stop.micro,
            continued: stop.continued,
            open,
            comment: stop.comment.to_string(),
            by: stop.by.to_string(),
        }
    }
}

async fn result_of(app: &App, asset: AssetIndex, window: Window) -> Result<OeeResult, ApiError> {
    let path = &app.asset(asset).path;
    let none = || ApiError::not_found(format!("{path} has no stops"), "its model needs an `oee:` block with `running`");
    app.state.historian.oee(asset, window).await?.ok_or_else(none)
}

/// What somebody says about a stop.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    /// The reason; empty leaves it as it is.
    #[serde(default)]
    reason: String,
    /// A comment; empty leaves it as it is.
    #[serde(default)]
    comment: String,
    /// For a split: where the second part begins, as RFC 3339.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    at: Option<Timestamp>,
    /// Who, where several people work under one log-in.
    #[serde(default)]
    name: String,
}

/// Says why a machine stood. What is said of a stop that still goes on holds until the machine runs again.
#[utoipa::path(post, path = "/api/stops/{id}/reason", tag = "oee",
    request_body(content = Said, example = json!({ "reason": "Jam", "comment": "bottle across the star wheel" })),
    params(("id" = String, Path, description = "The id of the stop")),
    responses((status = 204), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn reason(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(id): Place<String>,
    Body(said): Body<Said>,
) -> Result<StatusCode, ApiError> {
    if said.reason.trim().is_empty() || said.at.is_some() {
        return Err(ApiError::bad_request("a reason is expected, and no `at`", "send { \"reason\": \"Jam\" }"));
    }
    edit(&app, &principal, &id, "assign_reason", &said).await
}

/// Splits a stop in two; the second part has a reason of its own, if one is given.
#[utoipa::path(post, path = "/api/stops/{id}/split", tag = "oee",
    request_body(content = Said, example = json!({ "at": "2026-03-02T06:30:00Z", "reason": "No bottles" })),
    params(("id" = String, Path, description = "The id of the stop")),
    responses((status = 204), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn split(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(id): Place<String>,
    Body(said): Body<Said>,
) -> Result<StatusCode, ApiError> {
    if said.at.is_none() {
        return Err(ApiError::bad_request("it is not said where to split", "send { \"at\": \"2026-03-02T06:30:00Z\" }"));
    }
    edit(&app, &principal, &id, "split_stop", &said).await
}

/// Comments on a stop.
#[utoipa::path(post, path = "/api/stops/{id}/comment", tag = "oee",
    request_body(content = Said, example = json!({ "comment": "third time this week" })),
    params(("id" = String, Path, description = "The id of the stop")),
    responses((status = 204), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn comment(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(id): Place<String>,
    Body(said): Body<Said>,
) -> Result<StatusCode, ApiError> {
    if said.comment.trim().is_empty() || said.at.is_some() || !said.reason.is_empty() {
        return Err(ApiError::bad_request("a comment is expected, and nothing else", "send { \"comment\": \"…\" }"));
    }
    edit(&app, &principal, &id, "comment_stop", &said).await
}

async fn edit(app: &App, principal: &Principal, id: &str, verb: &str, said: &Said) -> Result<StatusCode, ApiError> {
    principal.require(Role::Operator)?;
    if said.reason.len() > MAX_STATEMENT || said.comment.len() > MAX_STATEMENT {
        return Err(ApiError::bad_request("that is too long", format!("{MAX_STATEMENT} bytes are the most")));
    }
    let (index, stop) = find(app, id).await?;
    let span = match said.at {
        Some(at) if !(stop.window.start < at && at < stop.window.end) => {
            return Err(ApiError::bad_request(format!("{at} does not lie within the stop"), "choose an instant in it"));
        }
        Some(at) => Window { start: at, end: stop.window.end },
        None => stop.window,
    };
    let by = signed(principal, &said.name)?;
    let keep = |new: &str, old: &Arc<str>| if new.trim().is_empty() { old.clone() } else { new.trim().into() };
    let statement = Statement {
        reason: keep(&said.reason, &stop.reason),
        comment: keep(&said.comment, &stop.comment),
        by: by.clone(),
        at: app.now(),
    };
    let detail = detail(&stop, span, &statement);
    let edits = overlay(&known_edits(app, index, span.start).await?, &StopEdit { span, statement });
    let asset = app.asset(index).id;
    app.request_as(by, OperatorDeed::EditStop { asset, verb: verb.into(), detail: detail.into(), edits }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The stop behind an id, or as much of it as begins there. One that goes on has no end.
async fn find(app: &App, id: &str) -> Result<(AssetIndex, Stop), ApiError> {
    let unknown = || ApiError::not_found(format!("there is no stop {id}"), "GET /api/stops lists them");
    let (asset, start) =
        id.split_once('.').and_then(|(asset, start)| Some((asset, start.parse().ok()?))).ok_or_else(unknown)?;
    let (index, start, now) = (app.find(asset)?, Timestamp::from_nanos(start), app.now());
    if start >= now {
        return Err(unknown());
    }
    // Long enough to see the end of any stop that is still of interest.
    let around = Window { start, end: now.min(start + MAX_SPAN) };
    let stops = result_of(app, index, around).await?.stops;
    let mut stop = stops.into_iter().find(|stop| stop.window.start == start).ok_or_else(unknown)?;
    if stop.window.end == now {
        stop.window.end = Timestamp::MAX;
    }
    Ok((index, stop))
}

/// For the audit: the stop, what was said before, and what is said now.
fn detail(stop: &Stop, span: Window, statement: &Statement) -> String {
    let named = |reason: &str| if reason.is_empty() { "no reason".to_owned() } else { format!("`{reason}`") };
    let end = if span.end == Timestamp::MAX { "now on".to_owned() } else { span.end.to_string() };
    let comment = if statement.comment == stop.comment { String::new() } else { format!(", {}", statement.comment) };
    format!("stop {} … {end}: {} → {}{comment}", span.start, named(&stop.reason), named(&statement.reason))
}

/// What was said before about the time around an instant and after it.
async fn known_edits(app: &App, asset: AssetIndex, around: Timestamp) -> Result<Vec<StopEdit>, ApiError> {
    let Some(series) = app.state.catalog.series_named(asset, STOP_EDITS) else { return Ok(Vec::new()) };
    let window = Window { start: around - MAX_SPAN, end: app.now() };
    let values = app.state.historian.history(series, window, MAX_EDITS).await?;
    let read = |tqv: &Tqv| match &tqv.value {
        Value::String(text) => StopEdit::read(tqv.time, text),
        _ => None,
    };
    Ok(values.iter().filter_map(read).collect())
}

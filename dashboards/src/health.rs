//! For those who watch the service: alive, ready, and all its numbers.

use crate::{app::App, error::ApiError};
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).route("/metrics", get(metrics))
}

/// Alive: the process answers.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
    /// The version of the binary.
    version: String,
}

/// Ready: it can take data in and give answers.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Whether everything works.
    ready: bool,
    /// Sources that are connected.
    sources_connected: usize,
    /// Sources in all.
    sources_total: usize,
    /// What does not work, in words.
    problems: Vec<String>,
}

/// Says that the process answers.
#[utoipa::path(get, path = "/healthz", tag = "service", responses((status = 200, body = Health)))]
pub(crate) async fn healthz(State(app): State<Arc<App>>) -> Json<Health> {
    Json(Health { status: "ok", version: app.state.info.version.clone() })
}

/// Says whether the history answers and the plant takes requests. A lost source is told but does not make it unready:
/// the service does its part.
#[utoipa::path(get, path = "/readyz", tag = "service", responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> impl IntoResponse {
    let (sources_total, sources_connected) = app.state.live.connections();
    let mut problems = Vec::new();
    if let Err(error) = app.state.historian.health() {
        problems.push(format!("history: {error}"));
    }
    if app.state.requests.is_closed() {
        problems.push("the plant takes no requests: it is shutting down or has failed".into());
    }
    let ready = problems.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, sources_connected, sources_total, problems }))
}

/// Gives all metrics in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "service", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Result<impl IntoResponse, ApiError> {
    let text = (app.state.metrics)();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

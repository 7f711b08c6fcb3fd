//! Sources: how the connections to devices and brokers are doing, and what they offer.

pub(crate) mod browse;

use crate::app::App;
use andon_models::snapshot::SourceStatus;
use axum::{Json, extract::State};
use std::sync::Arc;

/// Lists all sources by name.
#[utoipa::path(get, path = "/api/sources", tag = "sources", responses((status = 200, body = [super::openapi::SourceDocument])))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Vec<SourceStatus>> {
    Json(app.state.live.sources())
}

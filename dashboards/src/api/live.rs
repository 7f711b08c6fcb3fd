//! The live WebSocket.

use crate::{app::App, error::ApiError, live::session};
use axum::{
    extract::{State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::sync::Arc;

/// Longest message of a page: a subscription of all the series a page may have.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// Opens a live connection: `{"subscribe": {"series": [1, 2]}}` in; values, hints and heartbeats out.
#[utoipa::path(get, path = "/api/live", tag = "live",
    responses((status = 101, description = "The connection is a WebSocket from here on"), (status = 426, body = crate::error::ErrorBody)))]
pub(crate) async fn live(
    State(app): State<Arc<App>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        let refusal = ApiError::new(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket", "connect with ws://");
        let mut response = refusal.into_response();
        response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        return response;
    };
    let upgrade = upgrade.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES);
    upgrade.on_upgrade(move |socket| async move {
        session(socket, app.state.live.clone(), app.state.historian.clone(), app.state.now.clone(), app.end.clone()).await;
    })
}

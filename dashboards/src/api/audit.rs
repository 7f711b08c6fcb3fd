//! Audit: whether the chain of who did what is as it was written.

use super::openapi::AuditStateDocument;
use crate::app::App;
use andon_models::audit::AuditState;
use axum::{Json, extract::State};
use std::sync::Arc;

/// Tells how the chain stands: what was written, what was read back, and the first record that is not as it was written. Reading
/// back begins with the start and goes on with what comes; `andon audit verify` reads all of it again.
#[utoipa::path(get, path = "/api/audit/state", tag = "audit", responses((status = 200, body = AuditStateDocument)))]
pub(crate) async fn state(State(app): State<Arc<App>>) -> Json<AuditState> {
    Json(app.state.audit.borrow().clone())
}

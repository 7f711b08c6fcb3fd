//! SQL, read-only.

use super::request::Body;
use crate::{
    app::App,
    error::ApiError,
    security::{Principal, Role},
    view::span_ms,
};
use andon_query::SqlLimits;
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::time::Instant;
use utoipa::ToSchema;

/// A statement.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statement {
    /// One SELECT.
    sql: String,
}

/// A table.
#[derive(Serialize, ToSchema)]
pub(crate) struct Answer {
    /// Its columns.
    columns: Vec<Column>,
    /// Its rows, each with a value per column.
    rows: Vec<Vec<serde_json::Value>>,
    /// Whether there were more rows than the limit lets through.
    truncated: bool,
    /// How long it took.
    elapsed_ms: u64,
}

/// A column.
#[derive(Serialize, ToSchema)]
pub(crate) struct Column {
    /// Its name.
    name: String,
    /// Its type.
    r#type: String,
}

/// Runs one read-only statement over the whole history, up to the last durable sample.
#[utoipa::path(post, path = "/api/sql", tag = "sql", request_body = Statement,
    responses((status = 200, body = Answer), (status = 400, body = crate::error::ErrorBody)))]
pub(crate) async fn run(
    State(app): State<Arc<App>>,
    principal: Principal,
    Body(Statement { sql }): Body<Statement>,
) -> Result<Json<Answer>, ApiError> {
    principal.require(Role::Viewer)?;
    let start = Instant::now();
    let answer = app.state.historian.sql(&sql, SqlLimits::default()).await?;
    Ok(Json(Answer {
        columns: answer.columns.into_iter().map(|column| Column { name: column.name, r#type: column.r#type }).collect(),
        rows: answer.rows,
        truncated: answer.truncated,
        elapsed_ms: span_ms(start.elapsed()),
    }))
}

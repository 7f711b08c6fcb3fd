//! SQL, read-only.

use super::{corrections::instant, request::Body};
use crate::{
    app::App,
    error::ApiError,
    security::{Principal, Role},
    view::span_ms,
};
use andon_models::{Timestamp, window::Window};
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
    /// What `$from` in it stands for: RFC 3339, `2026-03-02 06:00` in plant time, or milliseconds since the epoch as a text. With `to`,
    /// or not at all.
    #[serde(default)]
    from: Option<String>,
    /// What `$to` in it stands for.
    #[serde(default)]
    to: Option<String>,
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
#[utoipa::path(post, path = "/api/sql", tag = "sql", request_body(content = Statement,
        example = json!({ "sql": "SELECT time, fill_temp FROM filler WHERE time > $from AND time <= $to", "from": "2026-03-02T05:00:00Z",
            "to": "2026-03-02T13:00:00Z" })),
    responses((status = 200, body = Answer), (status = 400, body = crate::error::ErrorBody)))]
pub(crate) async fn run(
    State(app): State<Arc<App>>,
    principal: Principal,
    Body(Statement { sql, from, to }): Body<Statement>,
) -> Result<Json<Answer>, ApiError> {
    principal.require(Role::Viewer)?;
    let span = match (from, to) {
        (Some(from), Some(to)) => {
            let span = Window { start: named(&app, &from)?, end: named(&app, &to)? };
            if span.start >= span.end {
                return Err(ApiError::bad_request("`from` must lie before `to`", "swap them"));
            }
            Some(span)
        }
        (None, None) => None,
        _ => return Err(ApiError::bad_request("a span has a start and an end", "send `from` and `to`, or neither")),
    };
    let start = Instant::now();
    let answer = app.state.historian.sql_over(&sql, span, SqlLimits::default()).await?;
    Ok(Json(Answer {
        columns: answer.columns.into_iter().map(|column| Column { name: column.name, r#type: column.r#type }).collect(),
        rows: answer.rows,
        truncated: answer.truncated,
        elapsed_ms: span_ms(start.elapsed()),
    }))
}

/// An instant as a person or a page writes it.
fn named(app: &App, text: &str) -> Result<Timestamp, ApiError> {
    text.parse().map_or_else(|_| instant(app, text), |millis| Ok(Timestamp::from_millis(millis)))
}

//! What a writer is told when something was not stored, in the shape its client understands.

use crate::error::ApiError;
use andon_query::QueryError;
use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;
use std::fmt::Write as _;
use utoipa::ToSchema;

/// Refused lines that are told one by one; of the rest, how many.
pub(crate) const MAX_TOLD: usize = 20;

/// Which program's answers a writer expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Ours.
    Andon,
    /// InfluxDB 1.x: `{"error": "…"}`.
    Influx1,
    /// InfluxDB 2.x: `{"code": "invalid", "message": "…", "line": 3}`.
    Influx2,
}

/// A line that was not stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LineRefusal {
    /// Its number, from 1.
    pub(crate) line: usize,
    /// Why.
    pub(crate) reason: String,
}

/// Why a write was refused, wholly or in part.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WriteRefusal {
    error: crate::error::ErrorDetail,
    /// Lines that were not stored; all others were.
    dropped: usize,
    /// The first of them.
    lines: Vec<LineRefusal>,
}

/// Something was not stored.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(super) status: StatusCode,
    message: String,
    hint: String,
    lines: Vec<LineRefusal>,
    dropped: usize,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status, message: message.into(), hint: hint.into(), lines: Vec::new(), dropped: 0 }
    }

    pub(crate) fn bad(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message, hint)
    }

    /// Some lines were not stored, the others were.
    pub(crate) fn lines(lines: Vec<LineRefusal>, dropped: usize, stored: usize) -> Self {
        let mut message = String::from(if stored > 0 { "partial write: " } else { "unable to parse: " });
        for (at, LineRefusal { line, reason }) in lines.iter().enumerate() {
            let between = if at > 0 { "; " } else { "" };
            let _ = write!(message, "{between}line {line}: {reason}");
        }
        if dropped > lines.len() {
            let _ = write!(message, "; and {} more", dropped - lines.len());
        }
        let _ = write!(message, " dropped={dropped}");
        let hint = "correct these lines and send them again; the others are stored";
        Self { lines, dropped, ..Self::bad(message, hint) }
    }

    /// The service ends.
    pub(crate) fn stopping(stored: usize) -> Self {
        let message = format!("the plant is shutting down; {stored} values were stored");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message, "send all of it again when it runs")
    }

    /// The disk did not take it.
    pub(crate) fn not_stored(error: &QueryError, stored: usize) -> Self {
        let (status, _, hint) = ApiError::from(error).into_parts();
        Self::new(status, format!("{error}; {stored} values were stored before"), hint)
    }
}

impl Dialect {
    /// An answer for what happened.
    pub(crate) fn answer(self, outcome: Result<(), Refusal>) -> Response {
        let Err(refusal) = outcome else { return StatusCode::NO_CONTENT.into_response() };
        let Refusal { status, message, hint, lines, dropped } = refusal;
        if status.is_server_error() {
            tracing::warn!(%status, message, "a write was not stored");
        }
        match self {
            Self::Andon => {
                let error = crate::error::ErrorDetail::new(message, hint);
                (status, Json(WriteRefusal { error, dropped, lines })).into_response()
            }
            Self::Influx1 => {
                // Clients of version 1 read the header where they do not read the body.
                let plain: String = message.chars().filter(|sign| sign.is_ascii() && !sign.is_control()).collect();
                let mut answer = (status, Json(json!({ "error": message }))).into_response();
                if let Ok(header) = HeaderValue::from_str(&plain) {
                    answer.headers_mut().insert(HeaderName::from_static("x-influxdb-error"), header);
                }
                answer
            }
            Self::Influx2 => {
                let code = match status {
                    StatusCode::BAD_REQUEST => "invalid",
                    StatusCode::PAYLOAD_TOO_LARGE => "request too large",
                    StatusCode::FORBIDDEN => "forbidden",
                    StatusCode::SERVICE_UNAVAILABLE => "unavailable",
                    _ => "internal error",
                };
                let mut body = json!({ "code": code, "message": message });
                if let Some(first) = lines.first() {
                    body["line"] = first.line.into();
                }
                (status, Json(body)).into_response()
            }
        }
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        let (status, message, hint) = error.into_parts();
        Self::new(status, message, hint)
    }
}

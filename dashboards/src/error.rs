//! What a caller is told when a request fails: `{"error": {"message", "hint"}}` with a fitting status.

use andon_models::operator::OperatorRefusal;
use andon_query::QueryError;
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// A refused or failed request, in words for the person who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    message: String,
    hint: String,
}

/// The body of every failed request.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    error: ErrorDetail,
}

/// What failed, and the way out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorDetail {
    /// What is wrong.
    message: String,
    /// What to do; empty if there is nothing to say.
    hint: String,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status, message: message.into(), hint: hint.into() }
    }

    /// Status, message and hint.
    pub(crate) fn into_parts(self) -> (StatusCode, String, String) {
        (self.status, self.message, self.hint)
    }

    /// The answer for a person whose browser shows it as it is.
    pub(crate) fn into_words(self) -> Response {
        (self.status, format!("{}\n{}\n", self.message, self.hint)).into_response()
    }

    pub(crate) fn bad_request(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message, hint)
    }

    pub(crate) fn not_found(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message, hint)
    }

    pub(crate) fn forbidden(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message, hint)
    }

    pub(crate) fn unavailable(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message, hint)
    }
}

impl ErrorDetail {
    pub(crate) fn new(message: String, hint: String) -> Self {
        Self { message, hint }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody { error: ErrorDetail { message: self.message, hint: self.hint } };
        (self.status, Json(body)).into_response()
    }
}

impl From<OperatorRefusal> for ApiError {
    fn from(refusal: OperatorRefusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            OperatorRefusal::UnknownDetector(_) => Self::not_found(message, "GET /api/detectors lists them all"),
            OperatorRefusal::NotTaken(_) => Self::bad_request(message, ""),
            OperatorRefusal::NotNow(_) => {
                Self::new(StatusCode::CONFLICT, message, "look at it again; what stands in the way may have changed")
            }
            OperatorRefusal::NotAudited(_) => Self::unavailable(
                message,
                "do not repeat it: it is added by itself once the audit can be written; see /api/audit/state",
            ),
            OperatorRefusal::NotRecorded(_) => Self::unavailable(message, "see /readyz; try again when the log can be written"),
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        Self::from(&error)
    }
}

impl From<&QueryError> for ApiError {
    fn from(error: &QueryError) -> Self {
        let message = error.to_string();
        match error {
            QueryError::Refused(_) => Self::bad_request(message, ""),
            QueryError::Statement(_) => Self::bad_request(message, "GET /api/schema lists tables and columns"),
            QueryError::TimedOut(_) => {
                Self::new(StatusCode::GATEWAY_TIMEOUT, message, "ask for less time, fewer assets or fewer columns")
            }
            QueryError::StorageFull(_) => {
                let hint = "free room on the disk of the data folder; nothing was stored, so send it again";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, message, hint)
            }
            QueryError::LogFailed(_) => Self::unavailable(message, "see /readyz and the log of the service"),
            _ => {
                tracing::error!(%error, "query failed");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, message, "see the log of the service")
            }
        }
    }
}

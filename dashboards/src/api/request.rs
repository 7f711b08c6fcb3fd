//! What handlers take from a request, refused in words when it is wrong.

use crate::{app::App, error::ApiError};
use andon_models::Timestamp;
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, request::Parts},
    middleware::Next,
    response::Response,
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};

/// The parameters behind the `?`.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::from_request_parts(parts, state).await;
        query
            .map(|Query(parameters)| Self(parameters))
            .map_err(|error| ApiError::bad_request(error.body_text(), "GET /api/openapi.json names the parameters"))
    }
}

/// Refuses parameters where there are none: one that is written wrong must not be taken for one that holds.
pub(crate) async fn no_parameters(request: Request, next: Next) -> Result<Response, ApiError> {
    let first = request.uri().query().unwrap_or_default().split(['&', '=']).find(|name| !name.is_empty());
    match first {
        Some(name) => {
            let message = format!("unknown field `{name}`: {} takes no parameters", request.uri().path());
            Err(ApiError::bad_request(message, "GET /api/openapi.json names the parameters"))
        }
        None => Ok(next.run(request).await),
    }
}

/// The variable parts of the address.
pub(crate) struct Place<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Place<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(place)| Self(place)).map_err(|error| ApiError::not_found(error.body_text(), "look at the address"))
    }
}

/// A JSON body; an empty one counts as `{}`.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            let hint = if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { "send less at once" } else { "" };
            ApiError::new(rejection.status(), rejection.body_text(), hint)
        })?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        let body = serde_json::from_slice(text);
        body.map(Self).map_err(|error| ApiError::bad_request(format!("the body is not as expected: {error}"), "send JSON"))
    }
}

/// An instant in a parameter: RFC 3339, or milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instant(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = match text.parse::<i64>() {
            Ok(millis) => Ok(Timestamp::from_millis(millis)),
            // An unescaped `+` arrives as a space.
            Err(_) => text.replace(' ', "+").parse().map_err(|_| ()),
        };
        let message = || format!("{text:?} is no instant; write 2026-03-29T06:00:00Z or milliseconds since 1970");
        time.map(Self).map_err(|()| D::Error::custom(message()))
    }
}

/// The instant at which a page looks at the plant: one of the past that it names, else now.
pub(crate) fn as_of(app: &App, named: Option<Instant>) -> Timestamp {
    let now = app.now();
    named.map_or(now, |named| named.0.min(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_either_way() {
        let read = |text: &str| serde_json::from_value::<Instant>(text.into()).map(|instant| instant.0);
        assert_eq!(read("1500").unwrap(), Timestamp::from_millis(1_500));
        assert_eq!(read("1970-01-01T01:00:01.5+01:00").unwrap(), Timestamp::from_millis(1_500));
        assert_eq!(read("1970-01-01T01:00:01.5 01:00").unwrap(), Timestamp::from_millis(1_500));
        assert!(read("yesterday").unwrap_err().to_string().contains("\"yesterday\" is no instant"));
    }
}

//! What surrounds every handler: a limit on time, a catch for panics, and the count of answers.

use crate::error::ApiError;
use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{Method, StatusCode, Uri},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use std::{any::Any, future::Future, panic::resume_unwind, time::Duration};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceBuilder;
use tower_http::{
    CompressionLevel,
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, NotForContentType, Predicate},
    },
};

/// Longest time for an answer; a query has its own, shorter limit.
pub(crate) const MAX_ANSWER_TIME: Duration = Duration::from_secs(60);

/// Of Brotli and gzip: beyond it time doubles for a hundredth of the size. The first page is a fifteenth smaller than by default.
const COMPRESSION: CompressionLevel = CompressionLevel::Precise(5);

/// Puts everything around the handlers of a router; bodies may have so many bytes, answers may take so long.
pub(crate) fn around(router: Router, most_bytes: usize, longest: Duration) -> Router {
    let layers = ServiceBuilder::new()
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(measure))
        .layer(middleware::from_fn(move |request, next| limit_time(longest, request, next)))
        .layer(CompressionLayer::new().quality(COMPRESSION).compress_when(worthwhile()))
        .layer(DefaultBodyLimit::max(most_bytes));
    router.layer(layers)
}

/// What is compressed. Columns of numbers take longer to compress than to send, and files of values are compressed already.
fn worthwhile() -> impl Predicate {
    DefaultPredicate::new().and(NotForContentType::const_new("application/octet-stream"))
}

/// Gives up on an answer that takes too long.
async fn limit_time(longest: Duration, request: Request, next: Next) -> Response {
    within(longest, next.run(request)).await
}

async fn within(limit: Duration, answer: impl Future<Output = Response>) -> Response {
    timeout(limit, answer).await.unwrap_or_else(|_| {
        let message = format!("no answer within {limit:?}");
        ApiError::new(StatusCode::GATEWAY_TIMEOUT, message, "ask for less at once, or try again").into_response()
    })
}

/// Has an answer made where computing for long holds up nobody.
pub(crate) async fn aside(State(workers): State<Handle>, request: Request, next: Next) -> Response {
    // Whoever gives up the answer ends its making.
    match AbortOnDropHandle::new(workers.spawn(next.run(request))).await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => ApiError::unavailable("Andon is stopping; nothing was done", "try again when it runs").into_response(),
        },
    }
}

/// Counts answers and their time by route; a route's pattern, not its address, so that the number of series stays bounded.
pub(crate) async fn measure(request: Request, next: Next) -> Response {
    let pattern = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = pattern.unwrap_or_else(|| "page".into());
    let start = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    metrics::counter!("andon_http_answers_total", "route" => route.clone(), "status" => status).increment(1);
    metrics::histogram!("andon_http_answer_seconds", "route" => route).record(start.elapsed().as_secs_f64());
    response
}

/// A panic in a handler is a bug: the caller is told so, the service goes on.
pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic = text, "a request handler panicked");
    let hint = "please report it with the log of the service";
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "a bug in Andon stopped this request", hint).into_response()
}

/// The address exists, but not for this method.
pub(crate) async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    let message = format!("{} does not take {method}", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, message, "GET /api/openapi.json describes the interface")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, body::Body, routing::get};
    use tower::ServiceExt as _;
    use tower_http::catch_panic::CatchPanicLayer;

    #[tokio::test]
    async fn an_answer_that_never_comes_is_given_up() {
        let answer = within(Duration::from_millis(1), std::future::pending()).await;
        assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    }

    #[tokio::test]
    async fn a_panic_stops_one_request_only() {
        async fn broken() {
            panic!("broken on purpose");
        }
        let router: Router = Router::new().route("/", get(broken)).layer(CatchPanicLayer::custom(panicked));
        let request = Request::builder().uri("/").body(Body::empty()).unwrap();
        assert_eq!(router.oneshot(request).await.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}

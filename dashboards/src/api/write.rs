//! Writes of values: InfluxDB's line protocol on our own address and on InfluxDB's, and Arrow.

use crate::{
    api::request::{Parameters, no_parameters},
    app::App,
    error::ApiError,
    security::{Principal, Role},
    write::{Dialect, Intake, MAX_WRITE_BYTES, Precision, Refusal, WriteRefusal, write_lines},
};
use andon_query::ArrowPoints;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Query, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// The routes under `/api`.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/write", post(lines))
        .route("/v2/write", post(influx2))
        .merge(Router::new().route("/write/arrow", post(arrow)).route_layer(middleware::from_fn(no_parameters)))
        .layer(DefaultBodyLimit::max(MAX_WRITE_BYTES))
}

/// The routes of InfluxDB 1.x, at the root.
pub(crate) fn influx_router() -> Router<Arc<App>> {
    Router::new().route("/write", post(influx1)).route("/ping", get(ping)).layer(DefaultBodyLimit::max(MAX_WRITE_BYTES))
}

/// How to read the lines.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WriteParameters {
    /// Unit of the time stamps: `ns` (the default), `us`, `ms`, `s`, `m` or `h`.
    #[serde(default)]
    precision: String,
}

/// Stores values given in InfluxDB's line protocol: `measurement,tag=value field=1.5 1767225600000000000`, one line per instant.
///
/// A line whose `asset` tag (or measurement) is the path of an asset sets the properties named by its fields; every other field
/// becomes a data stream named `measurement,tag=value field`. Answers 204 when all is on disk. Lines that cannot be stored are
/// named with 400; the others are stored all the same.
#[utoipa::path(post, path = "/api/write", tag = "write", params(WriteParameters),
    request_body(content = String, content_type = "text/plain", description = "Lines, at most 32 MiB, also as gzip",
        example = "press,asset=Line\\ 1/Press\\ A temp=82.1,running=true 1767225600000000000\nboiler,site=a pressure=4.2"),
    responses((status = 204, description = "All of it is on disk"), (status = 400, body = WriteRefusal),
        (status = 408, body = WriteRefusal), (status = 413, body = WriteRefusal), (status = 503, body = WriteRefusal), (status = 507, body = WriteRefusal)))]
pub(crate) async fn lines(
    State(app): State<Arc<App>>,
    principal: Principal,
    Parameters(OwnWriteParameters { precision }): Parameters<OwnWriteParameters>,
    request: Request,
) -> Response {
    Dialect::Andon.answer(write(&app, &principal, &WriteParameters { precision }, request).await)
}

/// The same parameters where no client of InfluxDB sends others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnWriteParameters {
    #[serde(default)]
    precision: String,
}

/// The same for clients of InfluxDB 1.x. `db` and `rp` mean nothing here.
#[utoipa::path(post, path = "/write", tag = "write", params(WriteParameters),
    request_body(content = String, content_type = "text/plain", example = "boiler,site=a pressure=4.2 1767225600000000000"),
    responses((status = 204, description = "All of it is on disk"), (status = 400, body = serde_json::Value, example = json!({"error": "partial write: line 2: missing fields in \"boiler\" dropped=1"}))))]
pub(crate) async fn influx1(
    State(app): State<Arc<App>>,
    principal: Principal,
    Query(parameters): Query<WriteParameters>,
    request: Request,
) -> Response {
    Dialect::Influx1.answer(write(&app, &principal, &parameters, request).await)
}

/// The same for clients of InfluxDB 2.x. `org` and `bucket` mean nothing here.
#[utoipa::path(post, path = "/api/v2/write", tag = "write", params(WriteParameters),
    request_body(content = String, content_type = "text/plain", example = "boiler,site=a pressure=4.2 1767225600000000000"),
    responses((status = 204, description = "All of it is on disk"), (status = 400, body = serde_json::Value, example = json!({"code": "invalid", "message": "unable to parse: line 1: missing fields in \"boiler\" dropped=1", "line": 1}))))]
pub(crate) async fn influx2(
    State(app): State<Arc<App>>,
    principal: Principal,
    Query(parameters): Query<WriteParameters>,
    request: Request,
) -> Response {
    Dialect::Influx2.answer(write(&app, &principal, &parameters, request).await)
}

/// Stores values given as an Arrow IPC stream.
///
/// Columns: `time` (timestamp of any unit), `alias` (or `asset` and `property`, or `series`), `value` (or some of `double`,
/// `integer`, `boolean`, `string`), and if wanted `quality`, `status`, `unit`. A new `alias` becomes a data stream. Answers 204 when
/// all is on disk. A batch goes in whole or not at all; the one that cannot be stored is named by row and column.
#[utoipa::path(post, path = "/api/write/arrow", tag = "write",
    request_body(content = Vec<u8>, content_type = "application/vnd.apache.arrow.stream", description = "At most 32 MiB, also as gzip; not compressed within"),
    responses((status = 204, description = "All of it is on disk"), (status = 400, body = WriteRefusal),
        (status = 408, body = WriteRefusal), (status = 413, body = WriteRefusal), (status = 503, body = WriteRefusal), (status = 507, body = WriteRefusal)))]
pub(crate) async fn arrow(State(app): State<Arc<App>>, principal: Principal, request: Request) -> Response {
    Dialect::Andon.answer(write_arrow(&app, &principal, request).await)
}

/// Answers clients of InfluxDB that ask whether somebody is there.
#[utoipa::path(get, path = "/ping", tag = "write", responses((status = 204, description = "Writes are taken")))]
pub(crate) async fn ping(State(app): State<Arc<App>>) -> Response {
    let version = HeaderValue::from_str(&format!("andon-{}", app.state.info.version));
    let mut answer = StatusCode::NO_CONTENT.into_response();
    answer.headers_mut().insert(HeaderName::from_static("x-influxdb-build"), HeaderValue::from_static("andon"));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(version) = version {
        answer.headers_mut().insert(HeaderName::from_static("x-influxdb-version"), version);
    }
    answer
}

async fn write(app: &App, principal: &Principal, parameters: &WriteParameters, request: Request) -> Result<(), Refusal> {
    principal.require(Role::Engineer)?;
    let precision = Precision::named(&parameters.precision).ok_or_else(|| {
        let message = format!("there is no precision {:?}", parameters.precision);
        Refusal::bad(message, "use ns, us, ms, s, m or h")
    })?;
    let (text, _place) = app.room.read(request).await?;
    let intake = Intake::new(&app.state.writes);
    write_lines(&app.state.historian, &app.known, intake, &text, precision, app.now()).await
}

async fn write_arrow(app: &App, principal: &Principal, request: Request) -> Result<(), Refusal> {
    principal.require(Role::Engineer)?;
    let (stream, _place) = app.room.read(request).await?;
    let mut batches = ArrowPoints::new(&app.state.historian, stream, app.now()).map_err(ApiError::from)?;
    let mut intake = Intake::new(&app.state.writes);
    loop {
        match batches.next_points() {
            Ok(Some(points)) => intake.add(points).await?,
            Ok(None) => return intake.finish().await.map(|_| ()),
            Err(error) => {
                let stored = intake.finish().await?;
                let hint = format!("the {stored} rows of the batches before it are stored; correct the rest and send it again");
                return Err(Refusal::bad(error.to_string(), hint));
            }
        }
    }
}

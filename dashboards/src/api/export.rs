//! Files of values, for other programs: what a trend shows, at full resolution.

use super::request::{Instant, Parameters};
use crate::{
    app::App,
    error::ApiError,
    security::{Principal, Role},
};
use andon_models::{SeriesId, window::Window};
use andon_query::{
    SqlLimits,
    transfer::{FileWriter, Format},
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt as _;
use serde::Deserialize;
use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc;
use utoipa::IntoParams;

/// Series of one file: the pens of a trend.
const MAX_SERIES: usize = 8;
/// Longest span: a year, which is what reports are made of.
const MAX_SPAN: Duration = Duration::from_secs(366 * 24 * 3_600);
/// Longest time a file may take.
const MAX_TIME: Duration = Duration::from_secs(10 * 60);
/// Batches between reading and writing.
const MAX_BATCHES: usize = 4;
/// Parts between writing and sending.
const MAX_PARTS: usize = 4;
/// Bytes of a part.
const PART_BYTES: usize = 64 << 10;

/// Which values, and in what form.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportParameters {
    /// The numbers of the series, separated by commas.
    series: String,
    /// After this instant.
    #[param(value_type = String)]
    from: Instant,
    /// Up to this instant.
    #[param(value_type = String)]
    to: Instant,
    /// `parquet` (the default) or `csv`.
    format: Option<String>,
}

/// Gives all values of up to eight series in a span as a file, as they are: `time`, `asset`, `property`, `value`, `string`, `quality`.
#[utoipa::path(get, path = "/api/export", tag = "series", params(ExportParameters),
    responses((status = 200, description = "The file", content_type = "application/vnd.apache.parquet", body = Vec<u8>),
        (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn export(
    State(app): State<Arc<App>>,
    principal: Principal,
    Parameters(asked): Parameters<ExportParameters>,
) -> Result<Response, ApiError> {
    principal.require(Role::Viewer)?;
    let (format, kind, end) = match asked.format.as_deref() {
        None | Some("parquet") => (Format::Parquet, "application/vnd.apache.parquet", "parquet"),
        Some("csv") => (Format::Csv, "text/csv; charset=utf-8", "csv"),
        Some(other) => return Err(ApiError::bad_request(format!("there is no form {other}"), "write parquet or csv")),
    };
    let window = Window { start: asked.from.0, end: asked.to.0 };
    if window.start >= window.end || window.span() > MAX_SPAN {
        return Err(ApiError::bad_request("`from` must lie before `to`, by a year at most", "choose another span"));
    }
    let sql = statement(&app, &asked.series, window)?;
    let limits = SqlLimits { time: MAX_TIME, rows: usize::MAX, memory: usize::MAX };
    let mut rows = app.state.historian.sql_stream(&sql, limits).await?;
    let (batches, mut queue) = mpsc::channel(MAX_BATCHES);
    let (parts, mut body) = mpsc::channel(MAX_PARTS);
    let schema = rows.schema();
    tokio::spawn(async move {
        while let Some(batch) = rows.next().await {
            if batches.send(batch).await.is_err() {
                break;
            }
        }
    });
    // Whoever goes away drops the receiving end; the next part fails, the queue ends, and so does the reading of history.
    tokio::task::spawn_blocking(move || {
        let sink = Sink { parts: parts.clone(), part: Vec::new() };
        let written = FileWriter::new(sink, format, &schema, false).map_err(io::Error::other).and_then(|mut file| {
            while let Some(batch) = queue.blocking_recv() {
                file.write(&batch.map_err(io::Error::other)?).map_err(io::Error::other)?;
            }
            file.finish().map_err(io::Error::other)?.flush()
        });
        if let Err(error) = written {
            tracing::warn!(%error, "an export was not finished");
            // The answer breaks off, so that nobody takes half of a file for the whole.
            let _ = parts.blocking_send(Err(error));
        }
    });
    let body = futures::stream::poll_fn(move |context| body.poll_recv(context));
    let name = format!("attachment; filename=\"andon-{}.{end}\"", window.end.as_millis());
    let mut response = Body::from_stream(body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// The statement that reads the series.
fn statement(app: &App, series: &str, window: Window) -> Result<String, ApiError> {
    let numbers: Vec<&str> = series.split(',').map(str::trim).filter(|number| !number.is_empty()).collect();
    if numbers.is_empty() || numbers.len() > MAX_SERIES {
        return Err(ApiError::bad_request(format!("one to {MAX_SERIES} series make a file"), "name them as `series=1,2`"));
    }
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut parts = Vec::with_capacity(numbers.len());
    for number in numbers {
        let entry = number.parse().ok().and_then(|number| app.state.catalog.entry(SeriesId(number)));
        let entry = entry.ok_or_else(|| {
            ApiError::not_found(format!("there is no series {number}"), "GET /api/assets/{id} lists the series of an asset")
        })?;
        parts.push(format!("(asset = {} AND property = {})", quoted(&app.asset(entry.asset).path), quoted(&entry.key)));
    }
    let Window { start, end } = window;
    let which = parts.join(" OR ");
    Ok(format!(
        "SELECT time, asset, property, value, string, quality FROM samples WHERE time > '{start}' AND time <= '{end}' AND ({which})"
    ))
}

/// Where a file is written to: the body of the answer, in parts.
struct Sink {
    parts: mpsc::Sender<io::Result<Bytes>>,
    part: Vec<u8>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.part.extend_from_slice(bytes);
        if self.part.len() >= PART_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.part.is_empty() {
            return Ok(());
        }
        let part = Bytes::from(std::mem::take(&mut self.part));
        self.parts.blocking_send(Ok(part)).map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads it any more"))
    }
}

//! What a chart draws: several series over any span in one answer, as plain columns of numbers.

use super::{
    request::{Instant, Parameters},
    series::{DEFAULT_POINTS, DEFAULT_SPAN, MAX_POINTS, begin_with_held, missing},
};
use crate::{app::App, error::ApiError};
use andon_models::{Quality, SeriesId, Tqv, Value, window::Window};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// Series of one answer: the pens of a chart.
const MAX_SERIES: usize = 8;

/// Which series, when, and how fine.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TrendParameters {
    /// The numbers of the series, separated by commas.
    series: String,
    /// Its start, as RFC 3339 or milliseconds since the epoch; an hour before its end if left out.
    #[param(value_type = Option<String>)]
    from: Option<Instant>,
    /// Its end; now if left out.
    #[param(value_type = Option<String>)]
    to: Option<Instant>,
    /// About how many points of each series at most: four for each pixel of the chart.
    points: Option<usize>,
}

/// Gives up to eight series for a chart: of each stretch of time the first, the lowest, the highest and the last point.
///
/// Long spans come from roll-ups; an extreme then stands somewhere in its window. The answer has for each series, in the order in which
/// they were asked for: its number and the number of its points n (unsigned, 32 bits each), n times in milliseconds since the epoch
/// and n values (decimal numbers of 64 bits, all little-endian). A value that is not a number is a gap. Of an attribute the first
/// point is the value that held at the start, with the time at which it was set.
#[utoipa::path(get, path = "/api/trend", tag = "series", params(TrendParameters),
    responses((status = 200, description = "Columns of numbers", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn trend(
    State(app): State<Arc<App>>,
    Parameters(asked): Parameters<TrendParameters>,
) -> Result<Response, ApiError> {
    let series = numbers(&app, &asked.series)?;
    let end = asked.to.map_or_else(|| app.now(), |to| to.0);
    let start = asked.from.map_or(end - DEFAULT_SPAN, |from| from.0);
    if start >= end {
        return Err(ApiError::bad_request("`from` must lie before `to`", "swap them"));
    }
    let points = asked.points.unwrap_or(DEFAULT_POINTS).clamp(1, MAX_POINTS);
    let mut drawn = app.state.historian.trend(&series, Window { start, end }, points).await?;
    begin_with_held(&app, &series, start, &mut drawn).await?;
    let body: Vec<u8> = series.iter().zip(&drawn).flat_map(|(id, points)| columns(*id, points)).collect();
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

fn numbers(app: &App, text: &str) -> Result<Vec<SeriesId>, ApiError> {
    let numbers: Vec<&str> = text.split(',').map(str::trim).filter(|number| !number.is_empty()).collect();
    if numbers.is_empty() || numbers.len() > MAX_SERIES {
        return Err(ApiError::bad_request(format!("a chart has one to {MAX_SERIES} series"), "name them as `series=1,2`"));
    }
    let known = |number: &&str| number.parse().ok().map(SeriesId).filter(|id| app.state.catalog.entry(*id).is_some());
    numbers.into_iter().map(|number| known(&number).ok_or_else(|| missing(number))).collect()
}

/// The columns of a series. Texts are no points of a chart.
fn columns(series: SeriesId, points: &[Tqv]) -> Vec<u8> {
    let points: Vec<&Tqv> = points.iter().filter(|tqv| !matches!(tqv.value, Value::String(_))).collect();
    let number = |tqv: &&Tqv| tqv.value.as_f64().filter(|_| tqv.quality != Quality::Bad).unwrap_or(f64::NAN);
    let count = u32::try_from(points.len()).expect("far fewer points than that");
    let mut bytes = Vec::with_capacity(8 + points.len() * 16);
    bytes.extend(series.0.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(points.iter().flat_map(|tqv| (tqv.time.as_nanos() as f64 / 1e6).to_le_bytes()));
    bytes.extend(points.iter().flat_map(|tqv| number(tqv).to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{StatusCode, Timestamp};

    #[test]
    fn columns_are_as_documented() {
        let at = Timestamp::from_millis;
        let text = Tqv::good(at(2_000), Value::from("P500"));
        let points = [Tqv::good(at(1_500), Value::Integer(7)), text, Tqv::bad(at(2_500), StatusCode::TIMEOUT)];
        let bytes = columns(SeriesId(3), &points);
        assert_eq!(bytes[..8], [3, 0, 0, 0, 2, 0, 0, 0]);
        let numbers: Vec<f64> = bytes[8..].chunks(8).map(|eight| f64::from_le_bytes(eight.try_into().unwrap())).collect();
        assert_eq!(numbers[..3], [1_500.0, 2_500.0, 7.0]);
        assert!(numbers[3].is_nan() && numbers.len() == 4);
    }
}

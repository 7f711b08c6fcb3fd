//! OEE by window and asset, stops and what people say about them, and how a value came about.

pub(crate) mod explain;
pub(crate) mod stops;

use super::{
    openapi::{OeeFiguresDocument, OeeLossesDocument},
    request::{Instant, Parameters, as_of},
};
use crate::{app::App, error::ApiError, view::Time};
use andon_models::{
    Point, Quality, SeriesId, Value,
    definition::AssetIndex,
    oee::{OeeFigures, OeeLosses, OeeRecord},
    window::{Window, WindowSpec},
};
use andon_query::{Historian, QueryError};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use utoipa::{IntoParams, ToSchema};

/// Rows of an answer at most: three shifts of two hundred machines over a month.
const MAX_ROWS: usize = 20_000;
/// What is shown unless the caller says otherwise.
const DEFAULT_SPAN: Duration = Duration::from_secs(7 * 86_400);

/// Which figures.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OeeParameters {
    /// The windows: `5m`, `1h`, `shift`, …; `shift` if left out.
    window: Option<String>,
    /// From this instant on; a week before `to` if left out.
    #[param(value_type = Option<String>)]
    from: Option<Instant>,
    /// Up to this instant; now if left out. Then the open window is included, marked as provisional.
    #[param(value_type = Option<String>)]
    to: Option<Instant>,
    /// Only this asset, by id or path.
    asset: Option<String>,
    /// As they were at this instant; now if left out.
    #[param(value_type = Option<String>)]
    as_of: Option<Instant>,
    /// Whether to include waterfall, six big losses and losses by reason.
    #[serde(default)]
    losses: bool,
}

/// OEE of windows.
#[derive(Serialize, ToSchema)]
pub(crate) struct OeeBoard {
    /// The kind of windows.
    window: String,
    /// Oldest first.
    rows: Vec<OeeRow>,
    /// Whether there were more rows than an answer holds; ask for a shorter span or one asset.
    truncated: bool,
}

/// OEE of one asset in one window.
#[derive(Serialize, ToSchema)]
pub(crate) struct OeeRow {
    /// The asset's id.
    asset_id: String,
    /// Its path.
    asset: String,
    /// Where the window begins.
    start: Time,
    /// Where it ends; for an open window how far it goes by now.
    end: Time,
    /// Whether the window is still open.
    provisional: bool,
    #[schema(value_type = OeeFiguresDocument)]
    figures: OeeFigures,
    /// Where the time went, if asked for.
    #[schema(value_type = Option<OeeLossesDocument>)]
    losses: Option<OeeLosses>,
}

/// Gives OEE figures by asset and window, oldest first.
#[utoipa::path(get, path = "/api/oee", tag = "oee", params(OeeParameters),
    responses((status = 200, body = OeeBoard, example = json!({
        "window": "shift", "truncated": false,
        "rows": [{
            "asset_id": "03a31530-32e0-5c1f-bacd-afcd5b835f46", "asset": "Line 2/Filler 2",
            "start": "2026-03-02T05:00:00Z", "end": "2026-03-02T13:00:00Z", "provisional": false,
            "figures": {
                "availability": 0.9036, "performance": 0.9370, "quality_rate": 0.9950, "oee": 0.8425, "teep": 0.8425,
                "good": 161760.0, "bad": 813.0, "total": 162573.0, "planned_busy_s": 28800.0, "running_s": 25419.0,
                "micro_stop_s": 606.0, "breakdown_s": 2775.0, "coverage": 1.0, "no_value_reason": ""
            },
            "losses": null
        }]
    })), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn figures(
    State(app): State<Arc<App>>,
    Parameters(parameters): Parameters<OeeParameters>,
) -> Result<Json<OeeBoard>, ApiError> {
    let name = parameters.window.as_deref().unwrap_or("shift");
    let spec: WindowSpec =
        name.parse().map_err(|message: String| ApiError::bad_request(message, "for example window=shift"))?;
    let now = as_of(&app, parameters.as_of);
    let to = parameters.to.map_or(now, |to| to.0);
    let from = parameters.from.map_or(to - DEFAULT_SPAN, |from| from.0);
    let assets: Vec<AssetIndex> = match &parameters.asset {
        Some(asset) => vec![app.find(asset)?],
        None => (0..app.plant().assets.len()).map(AssetIndex).collect(),
    };
    let assets: Vec<AssetIndex> = assets.into_iter().filter(|asset| app.model(*asset).record_key(&spec).is_some()).collect();
    if assets.is_empty() {
        let windows: BTreeSet<String> =
            app.plant().models.iter().flat_map(|model| model.oee_records()).map(|(spec, _)| spec.name()).collect();
        let hint = format!("there are {}", windows.into_iter().collect::<Vec<_>>().join(", "));
        return Err(ApiError::bad_request(format!("no OEE is computed for windows of {spec}"), hint));
    }
    let row = |asset: AssetIndex, record: &OeeRecord, provisional: bool| OeeRow {
        asset_id: app.asset(asset).id.to_string(),
        asset: app.asset(asset).path.to_string(),
        start: Time(record.window.start),
        end: Time(record.window.end),
        provisional,
        figures: record.figures(),
        losses: parameters.losses.then(|| record.where_time_went()),
    };
    let (stored, truncated) = records(&app, &assets, &spec, Window { start: from, end: to.min(now) }).await?;
    let mut rows: Vec<OeeRow> = stored.iter().map(|(asset, record)| row(*asset, record, false)).collect();
    let open = spec.window_of(now, &app.plant().calendar).filter(|_| to >= now);
    if let Some(so_far) =
        open.map(|open| Window { start: open.start, end: now.whole_second() }).filter(|open| open.start < open.end)
    {
        for (asset, record) in app.state.historian.oee_records(&assets, &[so_far]).await? {
            rows.push(row(asset, &record, true));
        }
    }
    Ok(Json(OeeBoard { window: spec.name(), rows, truncated }))
}

/// The stored records whose windows end in a span, oldest first, and whether there are more.
async fn records(
    app: &App,
    assets: &[AssetIndex],
    spec: &WindowSpec,
    ends: Window,
) -> Result<(Vec<(AssetIndex, OeeRecord)>, bool), ApiError> {
    let series = |asset: &AssetIndex| {
        let key = app.model(*asset).record_key(spec)?;
        Some((app.state.catalog.series_named(*asset, &key)?, *asset))
    };
    let assets: HashMap<SeriesId, AssetIndex> = assets.iter().filter_map(series).collect();
    // A month of many machines is read in two parts side by side.
    let middle = ends.start + ends.span() / 2;
    let parts = [Window { start: ends.start, end: middle }, Window { start: middle, end: ends.end }];
    let parts = parts.map(|part| tokio::spawn(read(app.state.historian.clone(), assets.clone(), part)));
    let (mut records, mut truncated) = (Vec::new(), false);
    for part in parts {
        let read = part.await.map_err(|error| QueryError::Internal(format!("records were not read: {error}")))??;
        records.extend(read);
        truncated |= records.len() > MAX_ROWS;
        records.truncate(MAX_ROWS);
    }
    records.sort_by_key(|(asset, record)| (record.window.end, app.asset(*asset).path.clone()));
    Ok((records, truncated))
}

/// The stored records of a part of the time, one more than there are rows of an answer at most.
async fn read(
    historian: Historian,
    assets: HashMap<SeriesId, AssetIndex>,
    ends: Window,
) -> Result<Vec<(AssetIndex, OeeRecord)>, QueryError> {
    let series: Vec<SeriesId> = assets.keys().copied().collect();
    let mut replay = historian.replay(&series, ends.start, MAX_ROWS);
    let mut records = Vec::new();
    while records.len() <= MAX_ROWS
        && let Some(stretch) = replay.next(ends.end).await?
    {
        for Point { series, tqv } in stretch.points {
            let (Some(asset), Value::String(text), Quality::Good) = (assets.get(&series), tqv.value, tqv.quality) else {
                continue;
            };
            records.extend(OeeRecord::read(&text).map(|record| (*asset, record)));
        }
    }
    records.truncate(MAX_ROWS + 1);
    Ok(records)
}

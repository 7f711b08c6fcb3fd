//! How a value came about.

use crate::{
    api::{
        openapi::ExplainedDocument,
        request::{Instant, Parameters},
    },
    app::App,
    error::ApiError,
};
use andon_models::{
    definition::{AssetIndex, PropertyIndex},
    event::EventBody,
    explained::{ExplainedRevision, ValueExplanation},
    expression::nearest,
};
use andon_query::EventFilter;
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Revisions of an asset that are looked at for the newest one of a window.
const MAX_REVISIONS: usize = 10_000;

/// What to explain.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExplainParameters {
    /// The asset, by id or path.
    asset: String,
    /// The property, by key (`oee_shift`) or name.
    property: String,
    /// An instant in the window; now if left out.
    #[param(value_type = Option<String>)]
    at: Option<Instant>,
}

/// How a value came about.
#[derive(Serialize, ToSchema)]
pub(crate) struct Explained {
    #[serde(flatten)]
    #[schema(value_type = ExplainedDocument)]
    explanation: ValueExplanation,
    /// The same in words, line by line.
    text: String,
}

/// Explains how a value came about: formula with its numbers, window, inputs with their counts, coverage, quality, newest revision, and a
/// statement that shows the raw values. It is computed again for the answer; `stored` is what is kept.
#[utoipa::path(get, path = "/api/explain", tag = "oee", params(ExplainParameters),
    responses((status = 200, body = Explained, example = json!({
        "asset": "Line 2/Filler 2", "property": "oee_shift", "kind": "metric", "unit": "", "spec": "shift",
        "window": { "start": "2026-03-02T05:00:00Z", "end": "2026-03-02T13:00:00Z" }, "provisional": false,
        "value": 0.8425, "stored": 0.8425, "quality": "good", "time": "2026-03-02T13:00:00Z",
        "formula": "good pieces at the ideal rate ÷ planned busy time = A × P × Q",
        "steps": [
            "A = 7h13m45s run ÷ 8h planned = 90.4 %",
            "P = 6h46m26s for 162573 pieces at the ideal rate ÷ 7h13m45s run = 93.7 %",
            "Q = 161760 good ÷ 162573 made = 99.5 %",
            "OEE = 6h44m24s for 161760 good pieces at the ideal rate ÷ 8h planned = 84.2 %"
        ],
        "coverage": 1.0, "flags": [],
        "inputs": [{
            "asset": "Line 2/Filler 2", "property": "running", "unit": "", "good": 51, "not_good": 0,
            "carried": 1, "carried_time": "2026-03-02T04:31:36Z", "first": 0, "last": 1
        }],
        "revision": { "number": 1, "time": "2026-03-02T14:02:11Z", "cause": "late data of Line 2/Filler 2 good_count" },
        "sql": "SELECT time, asset, property, value, string, quality FROM samples WHERE …",
        "text": "Line 2/Filler 2 oee_shift = 0.8425 …"
    })), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn explain(
    State(app): State<Arc<App>>,
    Parameters(parameters): Parameters<ExplainParameters>,
) -> Result<Json<Explained>, ApiError> {
    let asset = app.find(&parameters.asset)?;
    let property = property(&app, asset, &parameters.property)?;
    let now = app.now();
    let at = parameters.at.map_or(now, |at| at.0);
    let mut explanation = app.state.historian.explain(asset, property, at, now).await?;
    explanation.revision = revision(&app, asset, &explanation).await?;
    Ok(Json(Explained { text: explanation.text(), explanation }))
}

/// A property by key or name. Of a figure of several windows the shift's is meant.
fn property(app: &App, asset: AssetIndex, named: &str) -> Result<PropertyIndex, ApiError> {
    let model = app.model(asset);
    let exact = model.properties.iter().position(|property| *property.key == *named).map(PropertyIndex);
    let found = exact.or_else(|| model.property(&format!("{named}_shift"))).or_else(|| model.property(named));
    found.ok_or_else(|| {
        let near = nearest(named, model.properties.iter().map(|property| &*property.key));
        let hint = near.map_or_else(|| "GET /api/assets/{asset} lists them".into(), |near| format!("did you mean `{near}`?"));
        ApiError::not_found(format!("{} has no `{named}`", app.asset(asset).path), hint)
    })
}

/// The newest revision of the window.
async fn revision(app: &App, asset: AssetIndex, explained: &ValueExplanation) -> Result<Option<ExplainedRevision>, ApiError> {
    let Some(window) = explained.window else { return Ok(None) };
    let filter = EventFilter {
        kinds: vec!["revision".into()],
        from: Some(window.end),
        asset: Some(app.asset(asset).id),
        limit: MAX_REVISIONS,
        ..EventFilter::default()
    };
    let events = app.state.historian.events(filter).await?;
    let of_window = events.into_iter().filter_map(|event| match event.body {
        EventBody::Revision(revision) if *revision.spec == *explained.spec && revision.window.end == window.end => {
            Some(ExplainedRevision { number: revision.number, time: event.time, cause: revision.cause.to_string() })
        }
        _ => None,
    });
    Ok(of_window.max_by_key(|revision| revision.number))
}

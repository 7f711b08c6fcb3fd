//! Values of the past that people set or correct: attributes that were others for a while, and samples that were wrong.
//!
//! The plant file says what holds now; here is said what held then. Each is a deed with who, when, before and after, and what
//! depends on it is computed again.

mod stored;

use super::{commands::named, request::Body};
use crate::{
    app::App,
    error::ApiError,
    security::{Principal, Role},
    view::{Datum, Time},
};
use andon_models::{
    SeriesId, Timestamp, Tqv, Value,
    correction::{self, Edit, overlay, read_value},
    definition::{AssetIndex, Property, PropertyKind},
    expression::nearest,
    operator::OperatorDeed,
    unit::Unit,
    window::Window,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use utoipa::ToSchema;

/// Longest span in which an attribute is set at once: a year, as far back as is looked for what held before.
const MAX_SPAN: Duration = Duration::from_secs(366 * 86_400);

/// A value that an attribute had for a while.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttributeEdit {
    /// The id or the path of the asset.
    asset: String,
    /// The attribute, by key or name.
    attribute: String,
    /// The value; a text is read as the attribute's type says.
    #[schema(value_type = serde_json::Value)]
    value: Value,
    /// The value's unit, if not the attribute's.
    #[serde(default)]
    unit: String,
    /// From when on it held: `2026-11-01 06:00` in plant time, or RFC 3339.
    from: String,
    /// Up to when, or `now`; may be left out where it is what the plant file says, which goes on.
    #[serde(default)]
    to: Option<String>,
    /// Why.
    #[serde(default)]
    note: String,
    /// Who says it, where several people work under one log-in.
    #[serde(default)]
    name: String,
}

/// A wrong value of a measurement, and the right one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ValueCorrection {
    /// The id or the path of the asset.
    asset: String,
    /// The measurement, by key or name.
    property: String,
    /// The right value; a text is read as the measurement's type says.
    #[schema(value_type = serde_json::Value)]
    value: Value,
    /// The value's unit, if not the measurement's.
    #[serde(default)]
    unit: String,
    /// The instant of the wrong value, exactly: `2026-11-01 06:00:00.5` in plant time, or RFC 3339.
    at: String,
    /// Why.
    #[serde(default)]
    note: String,
    /// Who says it, where several people work under one log-in.
    #[serde(default)]
    name: String,
}

/// What was set or corrected.
#[derive(Serialize, ToSchema)]
pub(crate) struct Edited {
    /// The asset's id.
    asset_id: String,
    /// Its path.
    asset: String,
    /// The property's key.
    property: String,
    /// Its unit; empty if none.
    unit: String,
    /// What was there before, in order of time.
    before: Vec<Datum>,
    /// What is there now.
    value: Datum,
    /// From when on it is another.
    from: Time,
    /// Up to when; null as long as no other value comes.
    to: Option<Time>,
}

/// Says which value an attribute had from a time on. Transforms and figures over that time are computed again; each changed figure
/// gets a revision. The plant file says what holds now, so a value that differs from it needs an end.
#[utoipa::path(post, path = "/api/attributes", tag = "assets",
    request_body(content = AttributeEdit, example = json!({ "asset": "Line 2/Filler 2", "attribute": "ideal_rate", "value": 34000,
        "from": "2026-11-01 06:00", "to": "2026-11-01 14:00", "note": "0.75 l bottles", "name": "Mara" })),
    responses((status = 200, description = "It is on disk", body = Edited), (status = 400, body = crate::error::ErrorBody),
        (status = 403, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody),
        (status = 409, body = crate::error::ErrorBody), (status = 503, body = crate::error::ErrorBody)))]
pub(crate) async fn set(
    State(app): State<Arc<App>>,
    principal: Principal,
    Body(edit): Body<AttributeEdit>,
) -> Result<Json<Edited>, ApiError> {
    principal.require(Role::Engineer)?;
    let place = Place::find(&app, &edit.asset, &edit.attribute, "attribute")?;
    let PropertyKind::Attribute { .. } = &place.property.kind else { return Err(place.no_attribute()) };
    let (now, value) = (app.now(), place.read(&edit.value, &edit.unit)?);
    let present = place.present();
    let from = instant(&app, &edit.from)?;
    let to = match edit.to.as_deref().map(str::trim).filter(|to| !to.is_empty()) {
        None if value != present => return Err(place.contradicts(&present, &value)),
        None | Some("now") => now,
        Some(to) => instant(&app, to)?,
    };
    let span = checked(&app, Window { start: from, end: to }, now)?;
    let known = stored::around(&app, place.series, span).await?;
    let overlay = overlay(&known, &present, span, &value);
    let (Some(first), Some(last)) = (overlay.changed.first(), overlay.changed.last()) else {
        let message = format!("{} was {} already from {from} to {to}", place.title(), place.shown(&value));
        return Err(ApiError::new(axum::http::StatusCode::CONFLICT, message, "there is nothing to change"));
    };
    let (first, last, by) = (first.start, last.end, named(&principal, &edit.name)?);
    let note = note(&edit.note)?;
    let before: Vec<String> = overlay.before.iter().map(|value| place.shown(value)).collect();
    let detail = format!("{}, {from} … {to}: {} → {}{note}", place.title(), before.join(", "), place.shown(&value));
    let cause = format!("{} set to {}, {from} … {to}, by {by}{note}", place.title(), place.shown(&value));
    let answer = place.edited(&overlay.before, value, first, Some(last));
    let edit = Edit {
        asset: app.asset(place.asset).id,
        property: place.property.key.clone(),
        verb: "set_attribute".into(),
        detail: detail.into(),
        cause: cause.into(),
        values: overlay.values,
        present: false,
        spans: overlay.changed,
    };
    app.request_as(by, OperatorDeed::Edit(edit)).await?;
    Ok(Json(answer))
}

/// Corrects one stored value of a measurement, such as a wrong count. Transforms and figures it reaches are computed again; each
/// changed figure gets a revision.
#[utoipa::path(post, path = "/api/corrections", tag = "assets",
    request_body(content = ValueCorrection, example = json!({ "asset": "Line 2/Filler 2", "property": "bad_count", "value": 812,
        "at": "2026-11-01T09:30:00Z", "note": "counter was read while the fitter tested it", "name": "Mara" })),
    responses((status = 200, description = "It is on disk", body = Edited), (status = 400, body = crate::error::ErrorBody),
        (status = 403, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody),
        (status = 409, body = crate::error::ErrorBody), (status = 503, body = crate::error::ErrorBody)))]
pub(crate) async fn correct(
    State(app): State<Arc<App>>,
    principal: Principal,
    Body(wrong): Body<ValueCorrection>,
) -> Result<Json<Edited>, ApiError> {
    principal.require(Role::Engineer)?;
    let place = Place::find(&app, &wrong.asset, &wrong.property, "measurement")?;
    let PropertyKind::Measurement { .. } = &place.property.kind else { return Err(place.no_measurement()) };
    let (at, value) = (instant(&app, &wrong.at)?, place.read(&wrong.value, &wrong.unit)?);
    let known = stored::at(&app, place.series, at).await?.map_err(|around| place.nothing_at(at, &around))?;
    if known.value == value {
        let message = format!("{} at {at} is {} already", place.title(), place.shown(&value));
        return Err(ApiError::new(axum::http::StatusCode::CONFLICT, message, "there is nothing to change"));
    }
    let next = app.state.historian.next_time(place.series, at).await?;
    let (by, note) = (named(&principal, &wrong.name)?, note(&wrong.note)?);
    let change = format!("{} at {at}: {} → {}", place.title(), place.shown(&known.value), place.shown(&value));
    let answer = place.edited(std::slice::from_ref(&known.value), value.clone(), at, next);
    let edit = Edit {
        asset: app.asset(place.asset).id,
        property: place.property.key.clone(),
        verb: "correct_value".into(),
        detail: format!("{change}{note}").into(),
        cause: format!("correction of {change}, by {by}{note}").into(),
        values: vec![Tqv { value, ..known }],
        present: next.is_none(),
        spans: vec![Window { start: at, end: next.unwrap_or(Timestamp::MAX) }],
    };
    app.request_as(by, OperatorDeed::Edit(edit)).await?;
    Ok(Json(answer))
}

/// A property of an asset whose past is edited.
struct Place<'a> {
    app: &'a App,
    asset: AssetIndex,
    property: &'a Property,
    series: SeriesId,
}

impl<'a> Place<'a> {
    fn find(app: &'a App, asset: &str, named: &str, what: &str) -> Result<Self, ApiError> {
        let asset = app.find(asset)?;
        let (model, path) = (app.model(asset), &app.asset(asset).path);
        let wanted = |property: &&Property| match property.kind {
            PropertyKind::Attribute { .. } => what == "attribute",
            PropertyKind::Measurement { .. } => what == "measurement",
            _ => false,
        };
        let found = model.property(named.trim()).and_then(|index| Some((index, app.state.catalog.series_of(asset, index)?)));
        let (index, series) = found.ok_or_else(|| {
            let names: Vec<&str> = model.properties.iter().filter(wanted).map(|property| &*property.key).collect();
            let hint = match (nearest(named, names.iter().copied()), &names[..]) {
                (Some(near), _) => format!("did you mean {near}?"),
                (None, []) => format!("it has no {what}s"),
                (None, names) => format!("it has {}", names.join(", ")),
            };
            ApiError::not_found(format!("{path} has no {what} {named}"), hint)
        })?;
        Ok(Self { app, asset, property: &model.properties[index.0], series })
    }

    /// `ideal_rate of Line 2/Filler 2`.
    fn title(&self) -> String {
        format!("{} of {}", self.property.key, self.app.asset(self.asset).path)
    }

    /// A value with its unit.
    fn shown(&self, value: &Value) -> String {
        let unit = self.property.unit.to_string();
        if unit.is_empty() || *value == Value::Null { value.to_string() } else { format!("{value} {unit}") }
    }

    fn read(&self, given: &Value, unit: &str) -> Result<Value, ApiError> {
        let Property { key, value_type, unit: own, .. } = self.property;
        read_value(given, unit, key, *value_type, &Unit::new(own))
            .map_err(|refusal| ApiError::bad_request(refusal.message, refusal.hint))
    }

    /// What the plant file says.
    fn present(&self) -> Value {
        self.app.state.catalog.attribute(self.series).unwrap_or(Value::Null)
    }

    fn edited(&self, before: &[Value], value: Value, from: Timestamp, to: Option<Timestamp>) -> Edited {
        Edited {
            asset_id: self.app.asset(self.asset).id.to_string(),
            asset: self.app.asset(self.asset).path.to_string(),
            property: self.property.key.to_string(),
            unit: self.property.unit.to_string(),
            before: before.iter().cloned().map(Datum).collect(),
            value: Datum(value),
            from: Time(from),
            to: to.map(Time),
        }
    }

    fn no_attribute(&self) -> ApiError {
        let hint = match self.property.kind {
            PropertyKind::Measurement { .. } => "a wrong value of it is corrected by POST /api/corrections, `andon correct`",
            _ => "it is computed; correct what it is computed from",
        };
        ApiError::bad_request(format!("{} is no attribute", self.title()), hint)
    }

    fn no_measurement(&self) -> ApiError {
        let hint = match &self.property.kind {
            PropertyKind::Attribute { .. } => "what it was for a while is said by POST /api/attributes, `andon set`",
            _ => "it is computed; correct what it is computed from",
        };
        ApiError::bad_request(format!("{} is no measurement", self.title()), hint)
    }

    fn contradicts(&self, present: &Value, value: &Value) -> ApiError {
        let message = format!("{} is {} in the plant file, which says what holds now", self.title(), self.shown(present));
        let hint = format!(
            "say up to when it was {} (`to`, or --to now); or, where that is to hold from now on, put it into the plant file, \
             `andon apply` it, and say then since when it held",
            self.shown(value)
        );
        ApiError::new(axum::http::StatusCode::CONFLICT, message, hint)
    }

    fn nothing_at(&self, at: Timestamp, around: &[Tqv]) -> ApiError {
        let shown = |tqv: &Tqv| format!("{} at {}", self.shown(&tqv.value), tqv.time);
        let hint = match around {
            [] => "it has none that could be corrected; POST /api/write adds values".to_owned(),
            around => format!(
                "the nearest are {}; POST /api/write adds values",
                around.iter().map(shown).collect::<Vec<_>>().join(" and ")
            ),
        };
        ApiError::not_found(format!("{} has no good value at {at}", self.title()), hint)
    }
}

pub(super) fn instant(app: &App, text: &str) -> Result<Timestamp, ApiError> {
    app.plant()
        .calendar
        .parse_instant(text)
        .map_err(|message| ApiError::bad_request(message, "times without an offset are plant time"))
}

/// A span of the past of which there is history.
fn checked(app: &App, span: Window, now: Timestamp) -> Result<Window, ApiError> {
    let Window { start, end } = span;
    if start >= now || end > now {
        let message = format!("{} lies in the future", if start >= now { start } else { end });
        return Err(ApiError::bad_request(
            message,
            "what is to hold from now on stands in the plant file; `andon apply` changes it",
        ));
    }
    if start >= end {
        return Err(ApiError::bad_request(format!("{start} is not before {end}"), "`to` must come after `from`"));
    }
    if let Some(begins) = app.state.historian.oldest().filter(|begins| start < *begins) {
        let message = format!("the history begins at {begins}, so nothing can follow from {start}");
        return Err(ApiError::bad_request(message, format!("begin at {begins} or later")));
    }
    if end.since(start) > MAX_SPAN {
        return Err(ApiError::bad_request("that is longer than a year", "say it for a year at a time"));
    }
    Ok(span)
}

/// A note as it is shown behind what was done; empty if there is none.
fn note(text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    if text.len() > correction::MAX_NOTE {
        return Err(ApiError::bad_request("the note is too long", format!("{} bytes are the most", correction::MAX_NOTE)));
    }
    Ok(if text.is_empty() { String::new() } else { format!(": {text}") })
}

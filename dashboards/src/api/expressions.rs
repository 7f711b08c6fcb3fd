//! Formulas tried out on an asset before they stand in a plant file.

use super::request::{Body, Instant};
use crate::{
    app::App,
    error::ApiError,
    security::{Principal, Role},
    view::{Datum, Points, QualityView},
};
use andon_models::{
    Point, Quality, SeriesId, Timestamp, Tqv, Value,
    definition::{AssetIndex, PropertyKind},
    expression::{Expression, MAX_TEXT, SlotValue},
    plant_file::Severity,
    preview::{self, Finding, Input, Preview},
    window::Window,
};
use andon_query::Thinner;
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time};
use utoipa::ToSchema;

/// What is shown unless the caller says otherwise; shorter ones follow while there are too many samples.
const SPANS: [Duration; 3] = [Duration::from_secs(3_600), Duration::from_secs(600), Duration::from_secs(60)];
/// Longest span: a day, as much as one can look at and small enough to read while somebody types.
const MAX_SPAN: Duration = Duration::from_secs(24 * 3_600);
/// Windows in the span when a metric is tried: an hour in pieces of five minutes.
const WINDOWS: i64 = 12;
/// Samples of all inputs together: some ten MB, and computed in a fraction of a second.
const MAX_SAMPLES: usize = 50_000;
/// Series that are read: a formula over all machines of a large line.
const MAX_SERIES: usize = 64;
/// Points of the answer: a small chart.
const MAX_POINTS: usize = 480;
/// Longest time for one answer: whoever types has typed on by then.
const MAX_TIME: Duration = Duration::from_secs(5);
/// Previews at once: they share the machine with the plant.
static TURNS: Semaphore = Semaphore::const_new(2);

/// A formula to try out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trial {
    /// The asset to try it on, by id or path.
    asset: String,
    /// The formula, as it would stand in the plant file.
    expression: String,
    /// The start of the span, as RFC 3339 or milliseconds since the epoch; an hour before its end if left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    from: Option<Instant>,
    /// Its end; now if left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    to: Option<Instant>,
}

/// What a formula would say.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tried {
    /// What it would be; null if it has a mistake.
    kind: Option<TrialKind>,
    /// The type of its values: `boolean`, `double`, `string`; null if it has a mistake.
    r#type: Option<String>,
    /// The unit that follows from its inputs; empty if there is none or it cannot be told.
    unit: String,
    /// Its value now, or at the end of the span.
    value: Datum,
    /// How far it may be trusted.
    quality: QualityView,
    /// The span looked at, in milliseconds since the epoch.
    from: i64,
    /// Its end.
    to: i64,
    /// For a metric: the length of its windows in milliseconds.
    window_ms: Option<u64>,
    /// Its values over the span, with the corners of each stretch where there are too many.
    points: Points,
    /// Mistakes and doubts.
    diagnostics: Vec<TrialDiagnostic>,
}

/// What a formula would be.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum TrialKind {
    /// Computed per sample.
    Transform,
    /// Computed per window.
    Metric,
}

/// A mistake or a doubt, with its place.
#[derive(Serialize, ToSchema)]
pub(crate) struct TrialDiagnostic {
    /// How bad it is.
    #[schema(value_type = SeverityDocument)]
    severity: Severity,
    /// First character, in UTF-16 units from 0, as browsers count.
    start: usize,
    /// One past the last.
    end: usize,
    /// What is wrong.
    message: String,
    /// What to do; empty if there is nothing to say.
    hint: String,
    /// The name that was probably meant.
    nearest: Option<String>,
}

/// How bad a diagnostic is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "the document alone is made from it")]
pub(crate) enum SeverityDocument {
    /// It cannot be used.
    Error,
    /// It can be used, but probably does not say what was meant.
    Warning,
}

/// Tries a formula out on an asset as it runs: its mistakes, its value now, and what it would have said over a span. A formula with an
/// aggregate is tried as a metric, over twelve windows of equal length; every other as a transform. It sees the plant as it runs, not
/// what the same edit adds. Nothing is kept.
#[utoipa::path(post, path = "/api/expressions/preview", tag = "definition", request_body(content = Trial,
        example = json!({ "asset": "Line 2/Filler 2", "expression": "fill_temp - temp_limit" })),
    responses((status = 200, body = Tried), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody),
        (status = 504, body = crate::error::ErrorBody)))]
pub(crate) async fn preview(
    State(app): State<Arc<App>>,
    principal: Principal,
    Body(trial): Body<Trial>,
) -> Result<Json<Tried>, ApiError> {
    principal.require(Role::Viewer)?;
    let asset = app.find(&trial.asset)?;
    if trial.expression.len() > MAX_TEXT {
        return Err(ApiError::bad_request("the formula is too long", format!("{MAX_TEXT} bytes are the most")));
    }
    let to = trial.to.map_or_else(|| app.now(), |to| to.0);
    let asked = trial.from.map(|from| Window { start: from.0, end: to });
    if asked.is_some_and(|window| window.start >= window.end || window.span() > MAX_SPAN) {
        return Err(ApiError::bad_request("`from` must lie before `to`, by a day at most", "choose another span"));
    }
    let window = asked.unwrap_or(Window { start: to - SPANS[0], end: to });
    let preview = match preview::read(app.plant(), app.asset(asset).model, &trial.expression) {
        Ok(preview) => preview,
        Err(finding) => return Ok(Json(Tried::refused(window, &trial.expression, finding))),
    };
    let spans: Vec<Window> = match asked {
        Some(window) => vec![window],
        None => SPANS.iter().map(|span| Window { start: to - *span, end: to }).collect(),
    };
    let answer = async {
        let _turn = TURNS.acquire().await;
        for window in spans {
            if let Some(inputs) = Inputs::read(&app, asset, &preview.expression, window).await? {
                return tried(&app, asset, preview, window, inputs);
            }
        }
        Err(ApiError::bad_request(format!("its inputs have more than {MAX_SAMPLES} samples"), "choose a shorter span"))
    };
    let late = || {
        ApiError::new(axum::http::StatusCode::GATEWAY_TIMEOUT, "its inputs could not be read in time", "choose a shorter span")
    };
    time::timeout(MAX_TIME, answer).await.map_err(|_| late())?.map(Json)
}

/// The samples behind the slots of a formula.
struct Inputs {
    /// The series of each slot.
    slots: Vec<Vec<SeriesId>>,
    /// What was known of a series when the span began; all that is known of a constant.
    before: HashMap<SeriesId, Tqv>,
    /// What came in the span.
    samples: HashMap<SeriesId, Vec<Tqv>>,
}

impl Inputs {
    /// Reads them; none if there are too many.
    async fn read(app: &App, asset: AssetIndex, expression: &Expression, window: Window) -> Result<Option<Self>, ApiError> {
        let slots: Vec<Vec<SeriesId>> =
            expression.references.iter().map(|reference| app.state.catalog.resolve(asset, reference)).collect();
        let mut all: Vec<SeriesId> = slots.iter().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        if all.len() > MAX_SERIES {
            let message = format!("it reads {} series, and {MAX_SERIES} are the most for a preview", all.len());
            return Err(ApiError::bad_request(message, "try it on a smaller asset"));
        }
        let mut inputs = Self { slots, before: HashMap::new(), samples: HashMap::new() };
        let mut room = MAX_SAMPLES;
        for series in all {
            let entry = app.state.catalog.entry(series);
            let constant =
                app.state.catalog.property(series).is_some_and(|of| matches!(of.kind, PropertyKind::Attribute { .. }));
            if constant {
                let value = entry.and_then(|entry| app.value(entry.asset, entry.property?));
                inputs.before.extend(value.map(|tqv| (series, Tqv { time: Timestamp::MIN, ..tqv })));
                continue;
            }
            let before = app.state.historian.value_before(series, window.start).await?;
            inputs.before.extend(before.map(|tqv| (series, tqv)));
            let (mut replay, mut samples) = (app.state.historian.replay(&[series], window.start, room + 1), Vec::new());
            while samples.len() <= room
                && let Some(stretch) = replay.next(window.end).await?
            {
                samples.extend(stretch.points.into_iter().map(|point| point.tqv));
            }
            let Some(left) = room.checked_sub(samples.len()) else { return Ok(None) };
            room = left;
            inputs.samples.insert(series, samples);
        }
        Ok(Some(inputs))
    }

    fn points(&self) -> Vec<Point> {
        let points = |(series, samples): (&SeriesId, &Vec<Tqv>)| {
            let series = *series;
            samples.iter().map(move |tqv| Point { series, tqv: tqv.clone() }).collect::<Vec<_>>()
        };
        self.samples.iter().flat_map(points).collect()
    }

    /// The samples of a slot, one list per series, what was known before first.
    fn of(&self, slot: &[SeriesId]) -> Vec<Vec<Tqv>> {
        let whole = |series: &SeriesId| {
            let samples = self.samples.get(series).map_or(&[][..], Vec::as_slice);
            self.before.get(series).into_iter().chain(samples).cloned().collect()
        };
        slot.iter().map(whole).collect()
    }

    fn newest(&self, slot: &[SeriesId]) -> SlotValue {
        let series = slot.first();
        let newest = series.and_then(|series| self.samples.get(series).and_then(|all| all.last()).or(self.before.get(series)));
        newest.map_or_else(SlotValue::missing, SlotValue::from)
    }
}

fn tried(app: &App, asset: AssetIndex, preview: Preview, window: Window, inputs: Inputs) -> Result<Tried, ApiError> {
    let catalog = &app.state.catalog;
    let mut findings = preview.findings.clone();
    let length = Duration::from_millis(u64::try_from(window.span().as_millis()).unwrap_or(0) / WINDOWS.unsigned_abs());
    let results = if preview.metric {
        let end = |number: i64| window.end - length * u32::try_from(WINDOWS - number).unwrap_or(0);
        let windows: Vec<Window> = (1..=WINDOWS).map(|number| Window { start: end(number - 1), end: end(number) }).collect();
        let samples: Vec<Vec<Vec<Tqv>>> = inputs.slots.iter().map(|slot| inputs.of(slot)).collect();
        let counters = preview.expression.references.iter().map(|reference| preview::counter_of(catalog, asset, reference));
        let slots: Vec<Input<'_>> = samples.iter().zip(counters).map(|(series, counter)| Input { series, counter }).collect();
        preview.per_window(&windows, &slots).unwrap_or_else(|finding| {
            findings.push(finding);
            Vec::new()
        })
    } else {
        preview.per_sample(catalog, asset, |series| inputs.before.get(&series).cloned(), inputs.points())
    };
    let slots: Vec<SlotValue> = inputs.slots.iter().map(|slot| inputs.newest(slot)).collect();
    let now = match results.last() {
        Some(last) => (last.value.clone(), last.quality),
        // Nothing came in the span that would set it off: what it says of what is known.
        None if !preview.metric => {
            let result = preview.expression.evaluate(&slots);
            (result.value.coerce(preview.value_type).unwrap_or(Value::Null), result.quality)
        }
        None => (Value::Null, Quality::Bad),
    };
    let mut thinner = Thinner::new(window, MAX_POINTS);
    results.into_iter().for_each(|tqv| thinner.add(tqv));
    Ok(Tried {
        kind: Some(if preview.metric { TrialKind::Metric } else { TrialKind::Transform }),
        r#type: Some(preview.value_type.to_string()),
        unit: preview.unit,
        value: Datum(now.0),
        quality: now.1.into(),
        from: window.start.as_millis(),
        to: window.end.as_millis(),
        window_ms: preview.metric.then(|| crate::view::span_ms(length)),
        points: Points(thinner.finish()),
        diagnostics: findings.into_iter().map(|finding| diagnostic(&preview.expression.text, finding)).collect(),
    })
}

impl Tried {
    /// The answer to a formula with a mistake.
    fn refused(window: Window, text: &str, finding: Finding) -> Self {
        Self {
            kind: None,
            r#type: None,
            unit: String::new(),
            value: Datum(Value::Null),
            quality: QualityView::Bad,
            from: window.start.as_millis(),
            to: window.end.as_millis(),
            window_ms: None,
            points: Points::default(),
            diagnostics: vec![diagnostic(text, finding)],
        }
    }
}

fn diagnostic(text: &str, finding: Finding) -> TrialDiagnostic {
    let units = |byte: usize| text.char_indices().take_while(|(at, _)| *at < byte).map(|(_, char)| char.len_utf16()).sum();
    let Finding { severity, span, message, hint, nearest } = finding;
    TrialDiagnostic { severity, start: units(span.start), end: units(span.end), message, hint, nearest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::expression::Span;

    #[test]
    fn places_are_counted_as_browsers_count() {
        let text = "'°C😀' + x";
        let start = text.find('x').unwrap();
        let finding = Finding {
            severity: Severity::Error,
            span: Span { start, end: start + 1 },
            message: String::new(),
            hint: String::new(),
            nearest: None,
        };
        let told = diagnostic(text, finding);
        assert_eq!((told.start, told.end), (9, 10));
    }
}

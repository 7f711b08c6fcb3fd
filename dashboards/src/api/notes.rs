//! Notes: what people say about a shift of a line, for those who come after, and about one of its hours. Each is a deed in the log. The newest
//! about an hour counts; those before it stay, with who and when.

use super::{
    commands::named,
    lines::HOUR,
    request::{Body, Instant, Parameters, Place, as_of},
};
use crate::{
    app::App,
    board::BoardShift,
    error::ApiError,
    security::{Principal, Role},
    view::Time,
};
use andon_models::{
    Timestamp,
    event::{Event, EventBody},
    operator::OperatorDeed,
    window::Window,
};
use andon_query::EventFilter;
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc, time::Duration};
use utoipa::{IntoParams, ToSchema};

/// Characters of a note: a few sentences that somebody reads at the start of a shift.
const MAX_NOTE: usize = 1_000;
/// How long after an hour something may be said about it: what became of a stop is often known when the same shift is on again.
const WRITABLE: Duration = Duration::from_secs(8 * 86_400);
/// Longest span of an answer: a month of reports.
const MAX_SPAN: Duration = Duration::from_secs(31 * 86_400);
/// Deeds that are looked at for an answer; most of them are notes only when somebody asks for those of one line.
const MAX_DEEDS: usize = 2_000;

/// What somebody has to say.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShiftNote {
    /// What there is to say, at most 1000 characters. Empty, it takes the note about an hour back.
    text: String,
    /// Who says it, where several people work under one log-in.
    #[serde(default)]
    name: String,
    /// The start of the hour it is about, counted from the start of the shift; of the shift as a whole if left out. It takes the place of the
    /// note that is there.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    hour: Option<Instant>,
}

/// Which notes.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NoteParameters {
    /// Only those of this line or machine, by id or path.
    asset: Option<String>,
    /// The start of the span they are about.
    #[param(value_type = String)]
    from: Instant,
    /// Its end, at most 31 days later.
    #[param(value_type = String)]
    to: Instant,
    /// As they were at this instant; now if left out.
    #[param(value_type = Option<String>)]
    as_of: Option<Instant>,
}

/// A note.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NoteView {
    /// The id of the event that keeps it.
    id: String,
    /// The id of the line or machine.
    asset: String,
    /// Its path.
    asset_path: String,
    /// The start of the hour it is about; null if it is about the shift.
    hour: Option<Time>,
    /// What was said; empty if it was taken back.
    text: String,
    /// Who said it.
    by: String,
    /// When it was said.
    time: Time,
    /// What stood there before, the oldest first.
    before: Vec<NoteBefore>,
}

/// A note that another one took the place of.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NoteBefore {
    /// What was said.
    text: String,
    /// Who said it.
    by: String,
    /// When it was said.
    time: Time,
}

/// Keeps a note for those who come after: who, when and what, as an event of the kind `deed` with the verb `note`.
#[utoipa::path(post, path = "/api/lines/{asset}/notes", tag = "plant", request_body(content = ShiftNote,
        example = json!({ "text": "Cap torque runs high; fitter comes at 6", "name": "Mara" })),
    params(("asset" = String, Path, description = "The id or the path of the line, or of a machine on it")),
    responses((status = 204, description = "It is on disk"), (status = 400, body = crate::error::ErrorBody),
        (status = 403, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody), (status = 503, body = crate::error::ErrorBody)))]
pub(crate) async fn write(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(line): Place<String>,
    Body(note): Body<ShiftNote>,
) -> Result<StatusCode, ApiError> {
    principal.require(Role::Operator)?;
    let asset = app.asset(app.find(&line)?).id;
    let text = note.text.trim();
    let silent = text.is_empty() && note.hour.is_none();
    if silent || text.chars().count() > MAX_NOTE {
        let message = if silent { "the note says nothing" } else { "the note is too long" };
        return Err(ApiError::bad_request(message, format!("write up to {MAX_NOTE} characters")));
    }
    let hour = note.hour.map(|hour| begun(&app, hour.0)).transpose()?;
    let deed = OperatorDeed::Note { asset, text: text.into(), hour };
    app.request_as(named(&principal, &note.name)?, deed).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The start of an hour that has begun, if one does there.
fn begun(app: &App, hour: Timestamp) -> Result<Timestamp, ApiError> {
    let now = app.now();
    if hour >= now || now.since(hour) > WRITABLE {
        let days = WRITABLE.as_secs() / 86_400;
        return Err(ApiError::bad_request(
            format!("the hour from {hour} is not one that can be written to"),
            format!("write about hours that have begun, up to {days} days back"),
        ));
    }
    // A shift lies after its start: the first hour begins where the shift before ends.
    let shift = BoardShift::at(app, hour + Duration::from_nanos(1));
    let (start, end) = (shift.start.0, shift.end.0);
    if hour < start || hour >= end || !hour.since(start).as_nanos().is_multiple_of(HOUR.as_nanos()) {
        let hint = format!("hours count from the start of the shift, {start}; GET /api/lines/{{asset}}?at={hour} lists them");
        return Err(ApiError::bad_request(format!("no hour begins at {hour}"), hint));
    }
    Ok(hour)
}

/// Lists what was said about a span: notes of that time, and notes about hours that begin in it, whenever they were written. The oldest first.
#[utoipa::path(get, path = "/api/notes", tag = "plant", params(NoteParameters),
    responses((status = 200, body = [NoteView]), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Parameters(parameters): Parameters<NoteParameters>,
) -> Result<Json<Vec<NoteView>>, ApiError> {
    let (span, now) = (Window { start: parameters.from.0, end: parameters.to.0 }, as_of(&app, parameters.as_of));
    if span.start >= span.end || span.span() > MAX_SPAN {
        return Err(ApiError::bad_request("`from` must lie before `to`, at most 31 days", "ask for a shorter span"));
    }
    let asset = parameters.asset.as_deref().map(|named| app.find(named)).transpose()?;
    let of_span = EventFilter {
        kinds: vec!["deed".into()],
        asset: asset.map(|index| app.asset(index).id),
        from: Some(span.start),
        to: Some(span.end.min(now)),
        limit: MAX_DEEDS,
        ..EventFilter::default()
    };
    let to = (span.end + WRITABLE).min(now);
    let of_hours = EventFilter { about: Some(span), to: Some(to), ..of_span.clone() };
    let historian = &app.state.historian;
    let (said, about) = tokio::try_join!(historian.events(of_span), historian.events(of_hours))?;
    let said = said.into_iter().filter(|event| hour_of(event).is_none());
    let about = about.into_iter().filter(|event| hour_of(event).is_some_and(|hour| hour < span.end));
    Ok(Json(notes(said.chain(about).collect())))
}

fn hour_of(event: &Event) -> Option<Timestamp> {
    if let EventBody::Deed(deed) = &event.body { deed.hour } else { None }
}

/// Deeds as notes, by time; of those about one hour of one asset the newest, with those before it.
fn notes(mut events: Vec<Event>) -> Vec<NoteView> {
    events.sort_by_key(|event| event.time);
    let mut places = HashMap::new();
    let mut notes: Vec<NoteView> = Vec::new();
    for event in events {
        let EventBody::Deed(deed) = event.body else { continue };
        let (Some(asset), "note") = (event.asset, &*deed.verb) else { continue };
        let mut note = NoteView {
            id: event.id.to_string(),
            asset: asset.to_string(),
            asset_path: event.asset_path.to_string(),
            hour: deed.hour.map(Time),
            text: deed.detail.to_string(),
            by: deed.by.to_string(),
            time: Time(event.time),
            before: Vec::new(),
        };
        let place = deed.hour.map(|hour| *places.entry((asset, hour)).or_insert(notes.len()));
        match place.and_then(|place| notes.get_mut(place)) {
            Some(known) => {
                std::mem::swap(known, &mut note);
                known.before = std::mem::take(&mut note.before);
                known.before.push(NoteBefore { text: note.text, by: note.by, time: note.time });
            }
            None => notes.push(note),
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{AssetId, EventId, event::Deed};

    fn said(seconds: i64, asset: &str, text: &str, hour: Option<i64>) -> Event {
        let deed = Deed { by: "Eva".into(), verb: "note".into(), detail: text.into(), hour: hour.map(Timestamp::from_seconds) };
        Event {
            id: EventId::from_name(&format!("{seconds}{text}")),
            time: Timestamp::from_seconds(seconds),
            asset: Some(AssetId::from_name(asset)),
            asset_path: asset.into(),
            detector: "".into(),
            body: EventBody::Deed(deed),
        }
    }

    #[test]
    fn the_newest_about_an_hour_counts_and_those_before_it_stay() {
        let events = vec![
            said(9, "Line 1", "gone", Some(0)),
            said(4, "Line 1", "cap jam, again", Some(0)),
            said(5, "Line 2", "no glue", Some(0)),
            said(6, "Line 1", "slow", Some(3_600)),
            said(3, "Line 1", "cap jam", Some(0)),
            said(2, "Line 1", "fitter comes", None),
            said(7, "Line 1", "fitter came", None),
        ];
        let told: Vec<String> = notes(events)
            .iter()
            .map(|note| {
                let before: Vec<&str> = note.before.iter().map(|before| before.text.as_str()).collect();
                format!("{} {} {}", note.asset_path, note.text, before.join(" < "))
            })
            .collect();
        let expected = [
            "Line 1 fitter comes ",
            "Line 1 gone cap jam < cap jam, again",
            "Line 2 no glue ",
            "Line 1 slow ",
            "Line 1 fitter came ",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn other_deeds_are_no_notes() {
        let mut event = said(1, "Line 1", "x", None);
        if let EventBody::Deed(deed) = &mut event.body {
            deed.verb = "arm".into();
        }
        assert!(notes(vec![event]).is_empty());
    }
}

//! One line in one shift: its machines side by side on one axis of time, and its pieces hour by hour.

use super::{
    commands::named,
    overview::{LossView, MachineView, OeeView, loss_view, machine_view},
    request::{Body, Instant, Parameters, Place},
};
use crate::{
    app::{App, Line},
    board::{Board, BoardShift, pace, strip},
    error::ApiError,
    security::{Principal, Role},
    strip::ActivitySpan,
    view::Time,
};
use andon_models::{
    Timestamp,
    definition::AssetIndex,
    oee::{OeeRecord, OeeTotals},
    operator::OperatorDeed,
    window::Window,
};
use axum::{Json, extract::State, http::StatusCode};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use utoipa::{IntoParams, ToSchema};

/// The rows of the table. They count from the start of the shift, so that a shift from 05:45 has whole hours as well.
const HOUR: Duration = Duration::from_secs(3_600);
/// Most rows: a day of 25 hours when the clocks change.
const MAX_HOURS: usize = 25;
/// Characters of a note: a few sentences that somebody reads at the start of a shift.
const MAX_NOTE: usize = 1_000;
/// Queries at once: they share the machine with the plant.
const PARALLEL: usize = 2;

/// Which shift.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LineParameters {
    /// An instant in it, as RFC 3339 or milliseconds since the epoch; the shift that is on if left out.
    #[param(value_type = Option<String>)]
    at: Option<Instant>,
}

/// What the next shift should know.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShiftNote {
    /// What there is to say, at most 1000 characters.
    text: String,
    /// Who says it, where several people work under one log-in.
    #[serde(default)]
    name: String,
}

/// A line in a shift.
#[derive(Serialize, ToSchema)]
pub(crate) struct LineReport {
    /// Its asset's id.
    id: String,
    /// Its name.
    name: String,
    /// Its path.
    path: String,
    /// The shift.
    shift: BoardShift,
    /// When the figures were made.
    as_of: Time,
    /// OEE of the shift so far; null when nothing on the line has an OEE block.
    oee: Option<OeeView>,
    /// What the machine behind the OEE did.
    strip: Vec<ActivitySpan>,
    /// The machines in flow order.
    machines: Vec<Lane>,
    /// The hours of the shift so far, counted from its start; empty without an OEE.
    hours: Vec<LineHour>,
}

/// A machine and what it did in the shift.
#[derive(Serialize, ToSchema)]
pub(crate) struct Lane {
    /// How it stands now.
    machine: MachineView,
    /// What it did.
    strip: Vec<ActivitySpan>,
}

/// What a line made in an hour.
#[derive(Serialize, ToSchema)]
pub(crate) struct LineHour {
    /// Its start.
    from: Time,
    /// Its end, or now.
    to: Time,
    /// Good pieces at the ideal rate in planned busy time, times the target of OEE; null when either is not known.
    target: Option<f64>,
    /// Good pieces; null when they are not known.
    made: Option<f64>,
    /// The part of the time for which there was data, 0 to 1.
    coverage: f64,
    /// What cost the most time.
    loss: Option<LossView>,
}

/// Shows one line in one shift.
#[utoipa::path(get, path = "/api/lines/{asset}", tag = "plant",
    params(("asset" = String, Path, description = "The id or the path of the line"), LineParameters),
    responses((status = 200, body = LineReport), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    Place(named): Place<String>,
    Parameters(parameters): Parameters<LineParameters>,
) -> Result<Json<Arc<LineReport>>, ApiError> {
    let index = app.find(&named)?;
    let Some(line) = app.lines.iter().find(|line| line.asset == index) else {
        return Err(ApiError::not_found(format!("{named} is not a line"), "GET /api/overview lists the lines"));
    };
    let now = app.now();
    let shift = BoardShift::at(&app, parameters.at.map_or(now, |at| at.0.min(now)));
    let work = report(app.clone(), line.clone(), shift.clone());
    app.line_reports.get((index, shift.start.0), work).await.map(Json)
}

/// Keeps a note for those who come after: who, when and what, as an event of the kind `deed` with the verb `note`.
#[utoipa::path(post, path = "/api/lines/{asset}/notes", tag = "plant", request_body(content = ShiftNote,
        example = json!({ "text": "Cap torque runs high; fitter comes at 6", "name": "Mara" })),
    params(("asset" = String, Path, description = "The id or the path of the line, or of a machine on it")),
    responses((status = 204, description = "It is on disk"), (status = 400, body = crate::error::ErrorBody),
        (status = 403, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody), (status = 503, body = crate::error::ErrorBody)))]
pub(crate) async fn note(
    State(app): State<Arc<App>>,
    principal: Principal,
    Place(line): Place<String>,
    Body(note): Body<ShiftNote>,
) -> Result<StatusCode, ApiError> {
    principal.require(Role::Operator)?;
    let asset = app.asset(app.find(&line)?).id;
    let text = note.text.trim();
    if text.is_empty() || text.chars().count() > MAX_NOTE {
        let message = if text.is_empty() { "the note says nothing" } else { "the note is too long" };
        return Err(ApiError::bad_request(message, format!("write up to {MAX_NOTE} characters")));
    }
    let deed = OperatorDeed::Note { asset, text: text.into() };
    app.request_as(named(&principal, &note.name)?, deed).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn report(app: Arc<App>, line: Line, shift: BoardShift) -> Result<LineReport, ApiError> {
    let app = &app;
    let figures = Board::figures(app).await?;
    let now = app.now();
    let window = shift.so_far(now);
    let own = app.model(line.asset).has_oee().then_some(line.asset);
    let lanes = stream::iter(line.machines.clone()).map(|machine| {
        let view = machine_view(app, machine, &figures);
        async move { Ok::<_, ApiError>(Lane { machine: view, strip: strip(app, machine, window).await? }) }
    });
    let machines: Vec<Lane> = lanes.buffered(PARALLEL).try_collect().await?;
    let (mut oee, mut hours, mut doings) = (None, Vec::new(), Vec::new());
    if let Some(paced) = own.or_else(|| pace(app, &line, &figures.oee)) {
        let record = app.state.historian.oee_record(paced, window).await?;
        oee = record.map(|record| OeeView::new(&record, app.model(paced), app.asset(paced)));
        let made = stream::iter(hours_of(window)).map(|hour| hour_of(app, paced, hour)).buffered(PARALLEL);
        hours = made.try_filter_map(|hour| async move { Ok(hour) }).try_collect().await?;
        // It mostly is one of the machines. A line with a block of its own is not.
        doings = match line.machines.iter().position(|machine| *machine == paced) {
            Some(place) => machines[place].strip.clone(),
            None => strip(app, paced, window).await?,
        };
    }
    let asset = app.asset(line.asset);
    Ok(LineReport {
        id: asset.id.to_string(),
        name: asset.name.to_string(),
        path: asset.path.to_string(),
        shift,
        as_of: Time(now),
        oee,
        strip: doings,
        machines,
        hours,
    })
}

async fn hour_of(app: &App, machine: AssetIndex, hour: Window) -> Result<Option<LineHour>, ApiError> {
    let record = app.state.historian.oee_record(machine, hour).await?;
    Ok(record.map(|record: OeeRecord| LineHour {
        from: Time(hour.start),
        to: Time(hour.end),
        target: target(&record.totals, app.model(machine).oee_target()),
        made: record.totals.good,
        coverage: record.coverage(),
        loss: record.losses.iter().max_by_key(|loss| loss.span).map(|loss| loss_view(app, machine, loss)),
    }))
}

/// The hours of a window, the last one cut at its end.
fn hours_of(window: Window) -> Vec<Window> {
    let starts = std::iter::successors(Some(window.start), |start: &Timestamp| Some(*start + HOUR));
    let hour = |start| Window { start, end: (start + HOUR).min(window.end) };
    starts.take_while(|start| *start < window.end).take(MAX_HOURS).map(hour).collect()
}

/// Pieces that planned busy time has room for at the ideal rate, times the target of OEE in percent (100 without one).
fn target(totals: &OeeTotals, percent: Option<f64>) -> Option<f64> {
    let parts = [totals.running_capacity, totals.micro_stop_capacity, totals.setup_capacity, totals.breakdown_capacity];
    let capacity: f64 = parts.into_iter().sum::<Option<f64>>()?;
    Some(capacity * percent.unwrap_or(100.0) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_has_whole_hours_from_its_start_and_a_last_one_to_now() {
        let at = Timestamp::from_seconds;
        let spans = |start, end| -> Vec<(i64, i64)> {
            let hours = hours_of(Window { start: at(start), end: at(end) });
            hours.iter().map(|hour| (hour.start.as_millis() / 1_000, hour.end.as_millis() / 1_000)).collect()
        };
        assert_eq!(spans(900, 9_000), [(900, 4_500), (4_500, 8_100), (8_100, 9_000)]);
        assert_eq!(spans(900, 4_500), [(900, 4_500)]);
        assert_eq!(spans(900, 900), []);
        assert_eq!(spans(0, 1_000_000).len(), MAX_HOURS);
    }

    #[test]
    fn a_target_is_what_planned_time_has_room_for() {
        let mut totals = OeeTotals {
            running_capacity: Some(800.0),
            micro_stop_capacity: Some(50.0),
            setup_capacity: Some(0.0),
            breakdown_capacity: Some(150.0),
            ..OeeTotals::default()
        };
        assert_eq!(target(&totals, Some(75.0)), Some(750.0));
        assert_eq!(target(&totals, None), Some(1_000.0));
        totals.running_capacity = None;
        assert_eq!(target(&totals, Some(75.0)), None, "no ideal rate, no target");
    }
}

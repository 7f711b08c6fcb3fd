//! One line in one shift: its machines side by side on one axis of time, and its pieces hour by hour.

use super::{
    overview::{LossView, MachineView, OeeView, loss_view, machine_view},
    request::{Instant, Parameters, Place, as_of},
};
use crate::{
    app::{App, Line},
    board::{Board, BoardShift, pace, strips},
    error::ApiError,
    strip::ActivitySpan,
    view::Time,
};
use andon_models::{
    Timestamp,
    definition::AssetIndex,
    oee::{OeeRecord, OeeTotals},
    window::Window,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc, time::Duration};
use utoipa::{IntoParams, ToSchema};

/// The rows of the table. They count from the start of the shift, so that a shift from 05:45 has whole hours as well.
pub(super) const HOUR: Duration = Duration::from_secs(3_600);
/// Most rows: a day of 25 hours when the clocks change.
const MAX_HOURS: usize = 25;

/// Which shift.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LineParameters {
    /// An instant in it, as RFC 3339 or milliseconds since the epoch; the shift that is on if left out.
    #[param(value_type = Option<String>)]
    at: Option<Instant>,
    /// As it was at this instant; now if left out. How machines stand is of now.
    #[param(value_type = Option<String>)]
    as_of: Option<Instant>,
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
    let until = parameters.as_of.map(|as_of| as_of.0);
    let now = as_of(&app, parameters.as_of);
    let shift = BoardShift::at(&app, parameters.at.map_or(now, |at| at.0.min(now)));
    let work = report(app.clone(), line.clone(), shift.clone(), until);
    app.line_reports.get((index, shift.start.0, until), work).await.map(Json)
}

async fn report(app: Arc<App>, line: Line, shift: BoardShift, until: Option<Timestamp>) -> Result<LineReport, ApiError> {
    let app = &app;
    let figures = Board::figures(app).await?;
    let now = until.map_or_else(|| app.now(), |until| until.min(app.now()));
    let window = shift.so_far(now);
    let own = app.model(line.asset).has_oee().then_some(line.asset);
    let of_machines = strips(app, &line.machines, window).await?;
    let lane =
        |(machine, strip): (&AssetIndex, Vec<ActivitySpan>)| Lane { machine: machine_view(app, *machine, &figures), strip };
    let machines: Vec<Lane> = line.machines.iter().zip(of_machines).map(lane).collect();
    let (mut oee, mut hours, mut doings) = (None, Vec::new(), Vec::new());
    // Which machine held the line back is a matter of the time that is shown.
    let of_board = own.is_some() || (until.is_none() && figures.shift.start == shift.start);
    let past: HashMap<AssetIndex, OeeRecord> = match of_board {
        true => HashMap::new(),
        false => app.state.historian.oee_records(&line.machines, &[window]).await?.into_iter().collect(),
    };
    if let Some(paced) = own.or_else(|| pace(app, &line, if of_board { &figures.oee } else { &past })) {
        let records = app.state.historian.oee_records(&[paced], &[window]).await?;
        oee = records.first().map(|(_, record)| OeeView::new(record, app.model(paced), app.asset(paced)));
        let records = app.state.historian.oee_records(&[paced], &hours_of(window)).await?;
        hours = records.iter().map(|(_, record)| hour_of(app, paced, record)).collect();
        // It mostly is one of the machines. A line with a block of its own is not.
        doings = match line.machines.iter().position(|machine| *machine == paced) {
            Some(place) => machines[place].strip.clone(),
            None => strips(app, &[paced], window).await?.pop().unwrap_or_default(),
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

fn hour_of(app: &App, machine: AssetIndex, record: &OeeRecord) -> LineHour {
    LineHour {
        from: Time(record.window.start),
        to: Time(record.window.end),
        target: target(&record.totals, app.model(machine).oee_target()),
        made: record.totals.good,
        coverage: record.coverage(),
        loss: record.losses.iter().max_by_key(|loss| loss.span).map(|loss| loss_view(app, machine, loss)),
    }
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

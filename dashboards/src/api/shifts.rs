//! The shift an instant lies in, with the one before and the one after, however long the plant stands in between.

use super::request::{Instant, Parameters};
use crate::{app::App, view::ShiftView};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use utoipa::{IntoParams, ToSchema};

/// How far a neighbour is looked for: over the longest holidays of a plant.
const REACH: Duration = Duration::from_secs(60 * 86_400);

/// Shifts that are offered to choose from: last night, and the same day of last week.
const RECENT: Duration = Duration::from_secs(8 * 86_400);

/// Which shift.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ShiftParameters {
    /// An instant in it, after its start and not after its end; now if left out.
    #[param(value_type = Option<String>)]
    at: Option<Instant>,
}

/// A shift and its neighbours.
#[derive(Serialize, ToSchema)]
pub(crate) struct Shifts {
    /// The shift the instant lies in; null between shifts.
    shift: Option<ShiftView>,
    /// The last one that ends before it begins; null when there is none within 60 days.
    before: Option<ShiftView>,
    /// The first one that begins when it has ended; null when there is none within 60 days.
    after: Option<ShiftView>,
    /// The shifts of the last eight days, the newest first; the one that is on is the first.
    recent: Vec<ShiftView>,
}

/// Gives the shift an instant lies in, and its neighbours.
#[utoipa::path(get, path = "/api/shifts", tag = "plant", params(ShiftParameters),
    responses((status = 200, body = Shifts), (status = 400, body = crate::error::ErrorBody)))]
pub(crate) async fn around(State(app): State<Arc<App>>, Parameters(parameters): Parameters<ShiftParameters>) -> Json<Shifts> {
    let (calendar, now) = (&app.plant().calendar, app.now());
    let at = parameters.at.map_or(now, |at| at.0);
    let [before, after] = calendar.neighbours(at, REACH).map(|shift| shift.map(ShiftView::from));
    let recent = calendar.shifts_between(now - RECENT, now).into_iter().rev().map(ShiftView::from).collect();
    Json(Shifts { shift: calendar.shift_at(at).map(ShiftView::from), before, after, recent })
}

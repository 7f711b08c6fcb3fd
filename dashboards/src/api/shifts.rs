//! The shift an instant lies in, with the one before and the one after, however long the plant stands in between.

use super::request::{Instant, Parameters};
use crate::{app::App, view::ShiftView};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use utoipa::{IntoParams, ToSchema};

/// How far a neighbour is looked for: over the longest holidays of a plant.
const REACH: Duration = Duration::from_secs(60 * 86_400);

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
}

/// Gives the shift an instant lies in, and its neighbours.
#[utoipa::path(get, path = "/api/shifts", tag = "plant", params(ShiftParameters),
    responses((status = 200, body = Shifts), (status = 400, body = crate::error::ErrorBody)))]
pub(crate) async fn around(State(app): State<Arc<App>>, Parameters(parameters): Parameters<ShiftParameters>) -> Json<Shifts> {
    let (calendar, at) = (&app.plant().calendar, parameters.at.map_or_else(|| app.now(), |at| at.0));
    let [before, after] = calendar.neighbours(at, REACH).map(|shift| shift.map(ShiftView::from));
    Json(Shifts { shift: calendar.shift_at(at).map(ShiftView::from), before, after })
}

//! The overview: every line with its OEE and strip, every machine with its main value, what needs attention, what was lost.

mod losses;

use self::losses::{LineLoss, losses};
use super::alarms::{AlarmView, active};
use crate::{
    app::{App, Line, PropertyValue, StateView},
    board::{Board, BoardShift, Figures, pace},
    error::ApiError,
    strip::ActivitySpan,
    view::{AlarmMark, Time, span_ms},
};
use andon_models::{
    Quality, Tqv,
    definition::{Asset, AssetIndex, AssetModel},
    oee::{Loss, NoValue, OeeRecord},
};
use axum::{Json, extract::State};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Alarms that are listed: what one person can take in at a glance.
const MAX_ATTENTION: usize = 8;

/// The overview.
#[derive(Serialize, ToSchema)]
pub(crate) struct Overview {
    /// What the figures cover.
    shift: BoardShift,
    /// When the figures of the shift were made; values, states and alarms are newer.
    as_of: Time,
    /// The lines in the order of the plant file.
    lines: Vec<LineView>,
    /// The most urgent active alarms.
    attention: Vec<AlarmView>,
    /// The largest losses of the shift so far, by line and reason. Waiting for neighbours is left out: it is listed where it comes from.
    losses: Vec<LineLoss>,
}

/// A line.
#[derive(Serialize, ToSchema)]
pub(crate) struct LineView {
    /// Its asset's id.
    id: String,
    /// Its name.
    name: String,
    /// Its path.
    path: String,
    /// What it makes, from its attribute `description` or `product`; empty if it says nothing.
    description: String,
    /// OEE of the shift so far; null when nothing on the line has an OEE block.
    oee: Option<OeeView>,
    /// What the machine behind the OEE did in the shift so far.
    strip: Vec<ActivitySpan>,
    /// Its machines in flow order.
    machines: Vec<MachineView>,
}

/// OEE figures as fractions.
#[derive(Serialize, ToSchema)]
pub(crate) struct OeeView {
    /// Actual production time / planned busy time.
    availability: Option<f64>,
    /// Pieces made × planned time per piece / actual production time.
    performance: Option<f64>,
    /// Good pieces / pieces made.
    quality_rate: Option<f64>,
    /// The product.
    oee: Option<f64>,
    /// What it should be.
    target: Option<f64>,
    /// The part of the time for which there was data, 0 to 1.
    coverage: f64,
    /// Why there is no figure; empty if there is one.
    no_value_reason: String,
    /// The path of the machine it is of: the line's own, or the one that held the line back most.
    of: String,
}

/// A machine, as its tile shows it.
#[derive(Serialize, ToSchema)]
pub(crate) struct MachineView {
    /// Its asset's id.
    id: String,
    /// Its name.
    name: String,
    /// Its path.
    path: String,
    /// The name of its model.
    model: String,
    /// What it does; null when its model says nothing about that.
    state: Option<StateView>,
    /// The value that stands for it; null if it has none.
    main: Option<MainView>,
    /// Its most urgent active alarm.
    alarm: Option<AlarmMark>,
    /// Why its values do not come; null when all its sources are connected.
    source_down: Option<String>,
}

/// A machine's main value with its recent past.
#[derive(Serialize, ToSchema)]
pub(crate) struct MainView {
    #[serde(flatten)]
    value: PropertyValue,
    /// The last ten minutes: `[time in ms, value]` in time order, null where there was no good value.
    spark: Vec<(i64, Option<f64>)>,
}

/// Time lost on a machine for one reason.
#[derive(Serialize, ToSchema)]
pub(crate) struct LossView {
    /// The machine's id.
    asset: String,
    /// Its path.
    path: String,
    /// The reason; empty if none was given.
    reason: String,
    /// How long.
    duration_ms: u64,
}

impl OeeView {
    pub(crate) fn new(record: &OeeRecord, model: &AssetModel, of: &Asset) -> Self {
        let totals = &record.totals;
        Self {
            availability: totals.availability(),
            performance: totals.performance(),
            quality_rate: totals.quality_rate(),
            oee: totals.oee(),
            target: model.oee_target().map(|percent| percent / 100.0),
            coverage: record.coverage(),
            no_value_reason: totals.no_value().map_or("", NoValue::word).into(),
            of: of.path.to_string(),
        }
    }
}

/// Shows the whole plant on one page.
#[utoipa::path(get, path = "/api/overview", tag = "plant", responses((status = 200, body = Overview)))]
pub(crate) async fn overview(State(app): State<Arc<App>>) -> Result<Json<Overview>, ApiError> {
    let figures = Board::figures(&app).await?;
    let mut attention = active(&app);
    attention.truncate(MAX_ATTENTION);
    Ok(Json(Overview {
        shift: figures.shift.clone(),
        as_of: Time(figures.as_of),
        lines: app.lines.iter().map(|line| line_view(&app, line, &figures)).collect(),
        attention,
        losses: losses(&app, &figures),
    }))
}

fn line_view(app: &App, line: &Line, figures: &Figures) -> LineView {
    let asset = app.asset(line.asset);
    // A line that is made of its machines has figures of its own, but does nothing a strip could show.
    let own = app.model(line.asset).oee_of.as_ref().map(|_| line.asset);
    let oee = own
        .or_else(|| pace(app, line, &figures.oee))
        .and_then(|machine| Some(OeeView::new(figures.oee.get(&machine)?, app.model(machine), app.asset(machine))));
    LineView {
        id: asset.id.to_string(),
        name: asset.name.to_string(),
        path: asset.path.to_string(),
        description: description(app, line.asset),
        oee,
        strip: figures.strips.get(&line.asset).cloned().unwrap_or_default(),
        machines: line.machines.iter().map(|machine| machine_view(app, *machine, figures)).collect(),
    }
}

fn description(app: &App, asset: AssetIndex) -> String {
    let named = ["description", "product"].into_iter().filter_map(|name| app.model(asset).property(name));
    let texts = named.filter_map(|property| app.value(asset, property)).map(|tqv| tqv.value);
    texts.filter(|value| *value != andon_models::Value::Null).map(|value| value.to_string()).next().unwrap_or_default()
}

/// A machine, as its tile shows it.
pub(crate) fn machine_view(app: &App, machine: AssetIndex, figures: &Figures) -> MachineView {
    let asset = app.asset(machine);
    let main = app.roles_of(machine).main.and_then(|property| app.property_value(machine, property)).map(|value| {
        let spark =
            figures.sparks.get(&value.series).map(|points| points.iter().map(spark_point).collect()).unwrap_or_default();
        MainView { value, spark }
    });
    MachineView {
        id: asset.id.to_string(),
        name: asset.name.to_string(),
        path: asset.path.to_string(),
        model: app.model(machine).name.to_string(),
        state: app.machine_state(machine),
        main,
        alarm: super::assets::highest_alarm(app, machine),
        source_down: app.source_down(machine),
    }
}

fn spark_point(tqv: &Tqv) -> (i64, Option<f64>) {
    let value = if tqv.quality == Quality::Bad { None } else { tqv.value.as_f64() };
    (tqv.time.as_millis(), value)
}

/// What a machine lost for one reason.
pub(crate) fn loss_view(app: &App, machine: AssetIndex, loss: &Loss) -> LossView {
    let asset = app.asset(machine);
    LossView {
        asset: asset.id.to_string(),
        path: asset.path.to_string(),
        reason: loss.reason.to_string(),
        duration_ms: span_ms(loss.span),
    }
}

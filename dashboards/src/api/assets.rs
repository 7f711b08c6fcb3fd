//! Assets: the tree of machines, and one machine with all its values.

use super::{
    alarms::{AlarmView, active_of},
    detectors::{DetectorSummary, summaries_of},
    overview::OeeView,
    request::{Instant, Parameters, Place, as_of},
};
use crate::{
    app::{App, PropertyValue, StateView},
    board::BoardShift,
    error::ApiError,
    view::{AlarmMark, Datum, QualityView, Time},
};
use andon_models::{
    Quality, SeriesId, Timestamp, Value,
    catalog::SeriesEntry,
    definition::{Asset, AssetIndex, Implementation, MetricFormula, Property, PropertyIndex, PropertyKind, SourceProtocol},
    expression::Reference,
    oee::OeeFigure,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// A machine or a group of machines, as the tree shows it.
#[derive(Serialize, ToSchema)]
pub(crate) struct AssetSummary {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// Names from the root, joined by `/`.
    path: String,
    /// The name of its model.
    model: String,
    /// Its parent's id.
    parent: Option<String>,
    /// Its children's ids.
    children: Vec<String>,
    /// The most urgent active alarm on it or below it.
    highest_alarm: Option<AlarmMark>,
}

/// A machine with all its values.
#[derive(Serialize, ToSchema)]
pub(crate) struct AssetView {
    #[serde(flatten)]
    summary: AssetSummary,
    /// What it does; null when its model says nothing about that.
    state: Option<StateView>,
    /// OEE of the shift so far; null without an OEE block.
    oee: Option<OeeView>,
    /// All its properties and controls.
    properties: Vec<PropertyView>,
    /// Its detectors.
    detectors: Vec<DetectorSummary>,
    /// Its active and shelved alarms.
    alarms: Vec<AlarmView>,
    /// Why its values do not come; null when all its sources are connected.
    source_down: Option<String>,
}

/// What a property is.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A constant of the machine.
    Attribute,
    /// From a device.
    Measurement,
    /// Computed per sample.
    Transform,
    /// Computed per window.
    Metric,
    /// Writable.
    Control,
}

/// A property or a control with its newest value.
#[derive(Serialize, ToSchema)]
pub(crate) struct PropertyView {
    #[serde(flatten)]
    value: PropertyValue,
    /// What it is.
    kind: Kind,
    /// A metric's window (`5m`, `shift`); null otherwise.
    window: Option<String>,
    /// The type of its values: `boolean`, `integer`, `double`, `string`.
    r#type: String,
    /// The status code of the protocol; 0 is good.
    status: u32,
    /// The target drawn on its bullet.
    target: Option<f64>,
    /// How it is computed; null when it is not.
    formula: Option<String>,
    /// Where it comes from: protocol, source and address; null when it is computed.
    source: Option<String>,
    /// Whether a macro made it and pages leave it out by default.
    hidden: bool,
    /// Where it comes from beside its own model; null for what the model itself defines of its own machine.
    lineage: Option<Lineage>,
}

/// What a property has to do with other models and machines.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct Lineage {
    /// The component it belongs to, outer ones first: `Motor / Bearing`; empty if none.
    component: String,
    /// The component model that this repeats; empty if none.
    component_model: String,
    /// The properties of interfaces it stands for: `pump.pressure`.
    interfaces: Vec<String>,
    /// The hierarchies over whose children it is computed: `machines`.
    over: Vec<String>,
    /// How many children these are.
    children: usize,
    /// The path of the parent whose values it reads; empty if it reads none.
    parent: String,
}

/// Which moment.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AssetParameters {
    /// As it was at this instant; now if left out. Alarms, detectors and sources are of now: of the past they are left out.
    #[param(value_type = Option<String>)]
    as_of: Option<Instant>,
}

/// Lists all assets, parents before children.
#[utoipa::path(get, path = "/api/assets", tag = "assets", responses((status = 200, body = [AssetSummary])))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Vec<AssetSummary>> {
    Json((0..app.plant().assets.len()).map(|index| summary(&app, AssetIndex(index))).collect())
}

/// Shows one asset with all its values.
#[utoipa::path(get, path = "/api/assets/{asset}", tag = "assets",
    params(("asset" = String, Path, description = "Its id, or its path with `/` written as `%2F`"), AssetParameters),
    responses((status = 200, body = AssetView), (status = 400, body = crate::error::ErrorBody), (status = 404, body = crate::error::ErrorBody)))]
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    Place(named): Place<String>,
    Parameters(parameters): Parameters<AssetParameters>,
) -> Result<Json<AssetView>, ApiError> {
    let index = app.find(&named)?;
    let now = as_of(&app, parameters.as_of);
    let oee = if app.model(index).has_oee() {
        let window = BoardShift::at(&app, now).so_far(now);
        let records = app.state.historian.oee_records(&[index], &[window]).await?;
        records.first().map(|(_, record)| OeeView::new(record, app.model(index), app.asset(index)))
    } else {
        None
    };
    let entries = app.state.catalog.series().iter().filter(|entry| entry.asset == index);
    let mut view = AssetView {
        summary: summary(&app, index),
        state: app.machine_state(index),
        oee,
        properties: entries.filter_map(|entry| property(&app, entry)).collect(),
        detectors: summaries_of(&app, index),
        alarms: active_of(&app, index),
        source_down: app.source_down(index),
    };
    if parameters.as_of.is_some() {
        view.turn_back(&app, index, now).await?;
    }
    Ok(Json(view))
}

impl AssetView {
    /// Shows values as they were at an instant, and leaves out what is known of now only.
    async fn turn_back(&mut self, app: &App, index: AssetIndex, time: Timestamp) -> Result<(), ApiError> {
        let series: Vec<SeriesId> = self.properties.iter().map(|property| property.value.series).collect();
        let held = app.state.historian.values_before(&series, time).await?;
        for property in &mut self.properties {
            let tqv = held.get(&property.value.series);
            // What was never recorded of an attribute is what the plant file says.
            if tqv.is_none() && matches!(property.kind, Kind::Attribute) {
                continue;
            }
            property.status = tqv.map_or(0, |tqv| tqv.status.0);
            property.value.quality = tqv.map_or(QualityView::Bad, |tqv| tqv.quality.into());
            property.value.time = tqv.map(|tqv| Time(tqv.time));
            property.value.value = Datum(tqv.map_or(Value::Null, |tqv| tqv.value.clone()));
        }
        let of = |property| held.get(&app.state.catalog.series_of(index, property)?).cloned();
        self.state = app.state_from(index, of, |_, _| None);
        self.summary.highest_alarm = None;
        self.source_down = None;
        self.detectors.clear();
        self.alarms.clear();
        Ok(())
    }
}

fn summary(app: &App, index: AssetIndex) -> AssetSummary {
    let Asset { id, name, path, parent, children, .. } = app.asset(index);
    let id_of = |index: &AssetIndex| app.asset(*index).id.to_string();
    AssetSummary {
        id: id.to_string(),
        name: name.to_string(),
        path: path.to_string(),
        model: app.model(index).name.to_string(),
        parent: parent.as_ref().map(id_of),
        children: children.iter().flat_map(|(_, children)| children).map(id_of).collect(),
        highest_alarm: highest_alarm(app, index),
    }
}

/// The most urgent active alarm on an asset or below it.
pub(crate) fn highest_alarm(app: &App, root: AssetIndex) -> Option<AlarmMark> {
    let marks = app.subtree(root).into_iter().flat_map(|index| {
        let asset = app.asset(index).id;
        app.model(index).detectors.iter().filter_map(move |detector| {
            let snapshot = app.state.live.detector(asset, &detector.name)?;
            AlarmMark::of(&snapshot.alarm)
        })
    });
    marks.min_by_key(AlarmMark::rank)
}

fn property(app: &App, entry: &SeriesEntry) -> Option<PropertyView> {
    let Some(index) = entry.property else { return control(app, entry) };
    let definition = &app.model(entry.asset).properties[index.0];
    let (kind, window, formula) = nature(definition);
    Some(PropertyView {
        value: app.property_value(entry.asset, index)?,
        kind,
        window,
        r#type: definition.value_type.to_string(),
        status: status(app, entry.asset, index),
        target: definition.target,
        formula,
        source: source(app, entry),
        hidden: definition.hidden,
        lineage: lineage(app, entry.asset, definition),
    })
}

fn status(app: &App, asset: AssetIndex, property: PropertyIndex) -> u32 {
    app.value(asset, property).map_or(0, |tqv| tqv.status.0)
}

/// What a property has to do with other models and machines; none if nothing.
fn lineage(app: &App, asset: AssetIndex, definition: &Property) -> Option<Lineage> {
    let (plant, model) = (app.plant(), app.model(asset));
    let mut found = Lineage::default();
    let mut composite = definition.composite.as_ref();
    while let Some(own) = composite.and_then(|key| model.composites.iter().find(|composite| composite.key == *key)) {
        let inner = if found.component.is_empty() { String::new() } else { format!(" / {}", found.component) };
        found.component = format!("{}{inner}", own.key);
        if let Some(component) = own.component.filter(|_| found.component_model.is_empty()) {
            found.component_model = plant.models[component.0].name.to_string();
        }
        composite = own.parent.as_ref();
    }
    for Implementation { interface, properties } in &model.implements {
        let interface = &plant.models[interface.0].name;
        let stands_for = properties.iter().filter(|(_, own)| *own == definition.key);
        found.interfaces.extend(stands_for.map(|(property, _)| format!("{interface}.{property}")));
    }
    let references: &[Reference] = match &definition.kind {
        PropertyKind::Transform { expression } => &expression.references,
        PropertyKind::Metric { formula: MetricFormula::Expression(expression), .. } => &expression.references,
        PropertyKind::Metric { formula: MetricFormula::Oee(_) | MetricFormula::OeeRecord, .. } => {
            found.over = model.oee_of.iter().flat_map(|of| &of.hierarchies).map(ToString::to_string).collect();
            &[]
        }
        _ => &[],
    };
    for reference in references {
        match reference {
            Reference::Children { hierarchy, .. } if !found.over.iter().any(|known| **known == **hierarchy) => {
                found.over.push(hierarchy.to_string());
            }
            Reference::Parent(_) => {
                found.parent = app.asset(asset).parent.map(|parent| app.asset(parent).path.to_string()).unwrap_or_default();
            }
            _ => {}
        }
    }
    let below = |(hierarchy, _): &&(Arc<str>, Vec<AssetIndex>)| found.over.iter().any(|over| **over == **hierarchy);
    found.children = app.asset(asset).children.iter().filter(below).map(|(_, children)| children.len()).sum();
    let Lineage { component, interfaces, over, parent, .. } = &found;
    let none = component.is_empty() && interfaces.is_empty() && over.is_empty() && parent.is_empty();
    (!none).then_some(found)
}

/// What a property is, a metric's window, and how it is computed.
pub(crate) fn nature(definition: &Property) -> (Kind, Option<String>, Option<String>) {
    match &definition.kind {
        PropertyKind::Attribute { .. } => (Kind::Attribute, None, None),
        PropertyKind::Measurement { .. } => (Kind::Measurement, None, None),
        PropertyKind::Transform { expression } => (Kind::Transform, None, Some(expression.text.to_string())),
        PropertyKind::Metric { window, formula } => {
            let formula = match formula {
                MetricFormula::Expression(expression) => expression.text.to_string(),
                MetricFormula::Oee(figure) => figure_formula(*figure).to_owned(),
                MetricFormula::OeeRecord => "times and pieces behind the figures".to_owned(),
            };
            (Kind::Metric, Some(window.name()), Some(formula))
        }
    }
}

/// The formulas of ISO 22400-2 in words.
fn figure_formula(figure: OeeFigure) -> &'static str {
    match figure {
        OeeFigure::Availability => "actual production time / planned busy time",
        OeeFigure::Performance => "pieces made × planned time per piece / actual production time",
        OeeFigure::QualityRate => "good pieces / pieces made",
        OeeFigure::Oee => "availability × performance × quality rate",
    }
}

fn control(app: &App, entry: &SeriesEntry) -> Option<PropertyView> {
    let definition = app.model(entry.asset).control(&entry.key)?;
    let tqv = app.state.historian.latest(entry.id);
    let value = PropertyValue {
        series: entry.id,
        key: entry.key.to_string(),
        name: entry.key.to_string(),
        unit: definition.unit.to_string(),
        quality: tqv.as_ref().map_or(Quality::Bad, |tqv| tqv.quality).into(),
        time: tqv.as_ref().map(|tqv| Time(tqv.time)),
        value: Datum(tqv.as_ref().map_or(Value::Null, |tqv| tqv.value.clone())),
        normal: None,
        stale_after_ms: None,
        constant: false,
    };
    Some(PropertyView {
        value,
        kind: Kind::Control,
        window: None,
        r#type: definition.value_type.to_string(),
        status: tqv.map_or(0, |tqv| tqv.status.0),
        target: None,
        formula: None,
        source: source(app, entry),
        hidden: false,
        lineage: None,
    })
}

/// Where a series comes from: `opcua:filler2 ns=2;s=Filler.Bowl.Temp`.
fn source(app: &App, entry: &SeriesEntry) -> Option<String> {
    let tag = app.state.catalog.tag(entry.tag?)?;
    let protocol = match app.plant().source(&tag.source)?.protocol {
        SourceProtocol::OpcUa { .. } => "opcua",
        SourceProtocol::Modbus { .. } => "modbus",
        SourceProtocol::Mqtt { .. } => "mqtt",
    };
    Some(format!("{protocol}:{} {}", tag.source, tag.address))
}

/// A property that a guard reads, with its newest value.
pub(crate) fn of_series(app: &App, series: SeriesId) -> Option<PropertyValue> {
    let entry = app.state.catalog.entry(series)?;
    app.property_value(entry.asset, entry.property?)
}

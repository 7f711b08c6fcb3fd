//! Asset models as the plant runs with them: what the plant file made of each kind of machine.

use super::assets::{Kind, nature};
use crate::{app::App, view::Datum};
use andon_models::{
    Value,
    definition::{AssetModel, Control, ModelIndex, Plant, Property, PropertyKind},
    detector::DetectorModel,
    expression::Reference,
};
use axum::{Json, extract::State};
use serde::Serialize;
use std::{collections::BTreeSet, sync::Arc};
use utoipa::ToSchema;

/// A kind of machine.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelView {
    /// Its name.
    name: String,
    /// What it is, in words; empty if nobody said.
    description: String,
    /// The assets made of it.
    assets: Vec<ModelAsset>,
    /// The kinds its assets may hang below.
    parents: Vec<String>,
    /// The kinds that may hang below it.
    children: Vec<ModelChildren>,
    /// Its properties and controls in file order, those a macro made included.
    properties: Vec<ModelProperty>,
    /// What the OEE is computed from: each part with the property it reads; empty without an `oee:` block.
    oee: Vec<OeePart>,
    /// Its detectors.
    detectors: Vec<ModelDetector>,
}

/// An asset of a model.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelAsset {
    /// Its id.
    id: String,
    /// Its path.
    path: String,
}

/// A named link to children.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelChildren {
    /// Its name: `machines`.
    name: String,
    /// The kinds of the children.
    models: Vec<String>,
}

/// A property or a control of a model.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelProperty {
    /// Unique in the model.
    key: String,
    /// As the plant file calls it.
    name: String,
    /// What it is.
    kind: Kind,
    /// The type of its values.
    r#type: String,
    /// Its unit; empty if none.
    unit: String,
    /// A metric's window; null otherwise.
    window: Option<String>,
    /// How it is computed; null when it is not.
    formula: Option<String>,
    /// Whether the formula is the plant file's own and can be tried as it is: not a figure of OEE, and no formula of another system.
    plain: bool,
    /// The address in the asset's source: `ns=2;s=Temp @plc`; null when it is computed or pushed.
    address: Option<String>,
    /// An attribute's value where the asset gives none of its own.
    default: Datum,
    /// Whether a macro made it.
    hidden: bool,
}

/// A part of the OEE.
#[derive(Serialize, ToSchema)]
pub(crate) struct OeePart {
    /// What the plant file calls it: `running`, `good`.
    part: String,
    /// The key of the property, or a figure.
    value: String,
}

/// A detector of a model.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelDetector {
    /// Its name.
    name: String,
    /// 1 (critical) to 4 (low).
    priority: u8,
    /// The message of its alarm, names in braces.
    message: String,
    /// The paths of its states.
    states: Vec<String>,
    /// The properties its guards read, as `hierarchy.key` where they are those of others.
    reads: Vec<String>,
}

/// Lists the asset models the plant runs with.
#[utoipa::path(get, path = "/api/models", tag = "definition", responses((status = 200, body = [ModelView])))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Vec<ModelView>> {
    let plant = app.plant();
    Json((0..plant.models.len()).map(|index| view(plant, ModelIndex(index))).collect())
}

fn view(plant: &Plant, index: ModelIndex) -> ModelView {
    let model = &plant.models[index.0];
    let name = |index: &ModelIndex| plant.models[index.0].name.to_string();
    let assets = plant.assets_of(index).map(|asset| &plant.assets[asset.0]);
    let above = plant.models.iter().filter(|above| above.hierarchies.iter().any(|link| link.models.contains(&index)));
    let properties = model.properties.iter().map(property).chain(model.controls.iter().map(control));
    ModelView {
        name: model.name.to_string(),
        description: model.origin.description.as_deref().unwrap_or_default().to_owned(),
        assets: assets.map(|asset| ModelAsset { id: asset.id.to_string(), path: asset.path.to_string() }).collect(),
        parents: above.map(|above| above.name.to_string()).collect(),
        children: model
            .hierarchies
            .iter()
            .map(|link| ModelChildren { name: link.name.to_string(), models: link.models.iter().map(name).collect() })
            .collect(),
        properties: properties.collect(),
        oee: oee(model),
        detectors: model.detectors.iter().map(|detector| detector_view(detector)).collect(),
    }
}

fn property(property: &Property) -> ModelProperty {
    let (kind, window, formula) = nature(property);
    let (address, default) = match &property.kind {
        PropertyKind::Measurement { binding: Some(binding), .. } => (Some(written(binding)), Value::Null),
        PropertyKind::Attribute { default } => (None, default.clone()),
        _ => (None, Value::Null),
    };
    let computed = match &property.kind {
        PropertyKind::Transform { .. } => true,
        PropertyKind::Metric { formula, .. } => matches!(formula, andon_models::definition::MetricFormula::Expression(_)),
        _ => false,
    };
    ModelProperty {
        key: property.key.to_string(),
        name: property.name.to_string(),
        kind,
        r#type: property.value_type.to_string(),
        unit: property.unit.to_string(),
        window,
        formula,
        plain: computed && property.declared.is_none(),
        address,
        default: Datum(default),
        hidden: property.hidden,
    }
}

fn control(control: &Control) -> ModelProperty {
    ModelProperty {
        key: control.name.to_string(),
        name: control.name.to_string(),
        kind: Kind::Control,
        r#type: control.value_type.to_string(),
        unit: control.unit.to_string(),
        window: None,
        formula: control.interlock.as_ref().map(|interlock| interlock.text.to_string()),
        plain: false,
        address: Some(written(&control.binding)),
        default: Datum(Value::Null),
        hidden: false,
    }
}

fn written(binding: &andon_models::definition::Binding) -> String {
    format!("{} @{}", binding.address, binding.slot)
}

fn oee(model: &AssetModel) -> Vec<OeePart> {
    let Some(oee) = &model.oee else { return Vec::new() };
    let keys = [
        ("running", Some(&oee.running)),
        ("planned_stop", oee.planned_stop.as_ref()),
        ("good", Some(&oee.good)),
        ("bad", oee.bad.as_ref()),
        ("rework", oee.rework.as_ref()),
        ("startup", oee.startup.as_ref()),
        ("ideal_rate", Some(&oee.ideal_rate)),
        ("product", oee.product.as_ref()),
    ];
    let part = |part: &str, value: String| OeePart { part: part.to_owned(), value };
    let keys = keys.into_iter().filter_map(|(name, key)| Some(part(name, key?.to_string())));
    let reasons = oee.reasons.iter().map(|key| part("reason", key.to_string()));
    let target = oee.target.map(|target| part("target", format!("{target} %")));
    keys.chain(reasons).chain(target).collect()
}

fn detector_view(detector: &DetectorModel) -> ModelDetector {
    let of_property =
        |reference: &&Reference| matches!(reference, Reference::Own(_) | Reference::Parent(_) | Reference::Children { .. });
    let reads: BTreeSet<String> =
        crate::machine::guard_references(detector).filter(of_property).map(ToString::to_string).collect();
    ModelDetector {
        name: detector.name.to_string(),
        priority: detector.priority.number(),
        message: detector.message.to_string(),
        states: detector.states.iter().map(|state| state.path.to_string()).collect(),
        reads: reads.into_iter().collect(),
    }
}

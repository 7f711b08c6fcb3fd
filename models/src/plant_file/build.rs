//! The last step: checked drafts become the plant's models, with their OEE blocks, controls and detectors.

use super::{
    assets::AssetDraft,
    bindings::Bindings,
    detectors::{Surroundings, detector},
    diagnostic::Report,
    model::{ControlDraft, KindDraft, ModelDraft, PropertyDraft},
    oee::{Named, OeeDraft, per_second, property_hint},
    origin,
    resolve::{Formulas, Reader},
    scope::{Known, World},
    tree::Entry,
};
use crate::{
    ModelId, PropertyId, Value, ValueType,
    command::WritePolicy,
    definition::{AssetModel, Control, DeclaredFormula, MetricFormula, Property, PropertyKind},
    oee::{OeeDefinition, Reasons},
};
use std::sync::Arc;

/// Builds all models. What is wrong is reported; the result is then of no use.
pub(super) fn models(
    report: &Report<'_>,
    drafts: &[ModelDraft<'_>],
    formulas: &Formulas,
    bindings: &Bindings,
    targets: &[&str],
    reasons: &Arc<Reasons>,
) -> Vec<AssetModel> {
    let world = World { models: drafts, known: &formulas.known };
    let build = |(index, draft): (usize, &ModelDraft<'_>)| {
        let reader = Reader { report, world: &world, model: index, variables: &[], alarm: false };
        let detectors: Vec<&str> = draft.detectors.iter().map(|entry| entry.key.as_str()).collect();
        let properties = draft.properties.iter().enumerate();
        let properties = properties
            .filter_map(|(position, property)| build_property(draft, property, (index, position), formulas, bindings));
        let controls = draft.controls.iter().filter_map(|control| build_control(&reader, draft, control, bindings));
        let (properties, controls) = (properties.collect(), controls.collect());
        let around = Surroundings { reader, targets, name: "", detectors: &detectors };
        AssetModel {
            id: draft.origin.id.map_or_else(|| ModelId::from_name(&draft.identity), ModelId),
            name: draft.name.clone(),
            properties,
            controls,
            oee: draft.oee.as_ref().and_then(|oee| build_oee(report, draft, index, oee, formulas, reasons)),
            oee_of: draft.oee_of.clone(),
            detectors: draft.detectors.iter().filter_map(|entry| detector(&around, entry).map(Arc::new)).collect(),
            hierarchies: draft.hierarchies.clone(),
            origin: draft.origin.clone(),
            kind: draft.kind,
            composites: origin::composites(report, drafts, draft),
            implements: origin::implements(report, drafts, draft),
        }
    };
    let models: Vec<AssetModel> = drafts.iter().enumerate().map(build).collect();
    unique_ids(report, drafts, &models);
    models
}

/// An id is given, or derived from a first name; neither may fall on something else.
fn unique_ids(report: &Report<'_>, drafts: &[ModelDraft<'_>], models: &[AssetModel]) {
    let pairs = || drafts.iter().zip(models);
    origin::unique(report, "the model", pairs().map(|(draft, model)| (model.id.0, draft.at, &*draft.name)));
    for (draft, model) in pairs() {
        let at = |key: &str| draft.properties.iter().find(|property| *property.key == *key).map_or(draft.at, |found| found.at);
        let properties = model.properties.iter().map(|property| (property.id.0, at(&property.key), &*property.key));
        let controls = draft.controls.iter().map(|control| (id(draft, &control.identity).0, control.at, &*control.name));
        origin::unique(report, "the property", properties.chain(controls));
    }
}

fn id(model: &ModelDraft<'_>, identity: &str) -> PropertyId {
    PropertyId::from_name(&format!("{}/{identity}", model.identity))
}

fn build_property(
    model: &ModelDraft<'_>,
    draft: &PropertyDraft<'_>,
    (index, position): (usize, usize),
    formulas: &Formulas,
    bindings: &Bindings,
) -> Option<Property> {
    let Known::Type(value_type) = formulas.known[index][position] else { return None };
    let expression = formulas.expressions[index][position].clone();
    let kind = match &draft.kind {
        KindDraft::Attribute { default } => PropertyKind::Attribute { default: default.clone() },
        KindDraft::Measurement { from, counter, scaling } => {
            let binding = from.and_then(|point| bindings.of(point));
            PropertyKind::Measurement { binding, counter: *counter, scaling: *scaling }
        }
        KindDraft::Transform { .. } => PropertyKind::Transform { expression: expression? },
        KindDraft::Metric { window, .. } => {
            PropertyKind::Metric { window: window.clone(), formula: MetricFormula::Expression(expression?) }
        }
        KindDraft::Oee { window, figure } => {
            PropertyKind::Metric { window: window.clone(), formula: MetricFormula::Oee(*figure) }
        }
        KindDraft::OeeRecord { window } => PropertyKind::Metric { window: window.clone(), formula: MetricFormula::OeeRecord },
    };
    Some(Property {
        id: draft.origin.id.map_or_else(|| id(model, &draft.identity), PropertyId),
        name: draft.name.clone(),
        key: draft.key.clone(),
        unit: draft.unit.clone(),
        value_type,
        kind,
        normal: draft.normal,
        stale: draft.stale,
        target: draft.target,
        hidden: draft.hidden,
        origin: draft.origin.clone(),
        composite: draft.composite.map(|(name, _)| name.into()),
        declared: declared(draft),
    })
}

/// The formula as it is written, if it is one of SiteWise.
fn declared(draft: &PropertyDraft<'_>) -> Option<Arc<DeclaredFormula>> {
    let (KindDraft::Transform { formula } | KindDraft::Metric { formula, .. }) = &draft.kind else { return None };
    let formula = (*formula)?;
    let variable = |entry: &Entry| Some((entry.key.as_str().into(), entry.value.text()?.into()));
    let variables = formula.declared?.iter().filter_map(variable).collect();
    Some(Arc::new(DeclaredFormula { text: formula.text.into(), variables }))
}

fn build_control(
    reader: &Reader<'_, '_>,
    model: &ModelDraft<'_>,
    draft: &ControlDraft<'_>,
    bindings: &Bindings,
) -> Option<Control> {
    let interlock = draft.interlock.and_then(|formula| reader.condition("an interlock", formula.text, formula.node));
    Some(Control {
        id: id(model, &draft.identity),
        name: draft.name.clone(),
        unit: draft.unit.clone(),
        value_type: draft.value_type,
        binding: bindings.of(draft.to?)?,
        allow: draft.allow.clone(),
        min: draft.min,
        max: draft.max,
        interlock,
        verify: draft.verify,
        at_most: draft.at_most,
        policy: WritePolicy {
            feedback: draft.feedback.and_then(|point| bindings.of(point)).map(|binding| binding.address),
            ..draft.policy.clone()
        },
    })
}

/// Looks up what the OEE block names.
struct OeeNames<'o, 'n> {
    report: &'o Report<'o>,
    model: &'o ModelDraft<'n>,
    known: &'o [Known],
}

impl OeeNames<'_, '_> {
    /// The property of a name, if it has one of the types.
    fn find(&self, what: &str, named: &Named<'_>, wanted: &[ValueType], example: &str) -> Option<&PropertyDraft<'_>> {
        let mut properties = self.model.properties.iter().enumerate();
        let found = properties.find(|(_, property)| property.key == named.name && property.window().is_none());
        let Some((position, property)) = found else {
            let message = format!("the model {} has no property `{}`", self.model.name, named.name);
            self.report.error(named.node.at, "unknown-name", message, property_hint(self.model, &named.name));
            return None;
        };
        match self.known[position] {
            Known::Type(found) if wanted.contains(&found) => Some(property),
            Known::Type(found) => {
                let message = format!("{what} cannot be `{}`, which is {found}", named.name);
                self.report.error(named.node.at, "type", message, format!("for example `{example}`"));
                None
            }
            Known::Not | Known::Failed => None,
        }
    }

    fn counter(&self, what: &str, named: &Named<'_>) -> Option<&PropertyDraft<'_>> {
        let property = self.find(what, named, &[ValueType::Double, ValueType::Integer], "good: good_count")?;
        if !matches!(property.kind, KindDraft::Measurement { counter: Some(_), .. }) {
            let message = format!("{what} must be a counter, and `{}` is none", named.name);
            self.report.error(named.node.at, "type", message, format!("say `type: counter` in {}", named.name));
            return None;
        }
        Some(property)
    }
}

fn build_oee(
    report: &Report<'_>,
    model: &ModelDraft<'_>,
    index: usize,
    oee: &OeeDraft<'_>,
    formulas: &Formulas,
    reason_table: &Arc<Reasons>,
) -> Option<OeeDefinition> {
    let names = OeeNames { report, model, known: &formulas.known[index] };
    let numbers = [ValueType::Double, ValueType::Integer];
    let boolean = [ValueType::Boolean];
    let running = names.find("running", &oee.running, &boolean, "running: state == 6");
    let planned =
        oee.planned_stop.as_ref().map(|named| names.find("planned_stop", named, &boolean, "planned_stop: mode in (4, 5)"));
    let good = names.counter("good", &oee.good);
    let bad = oee.bad.as_ref().map(|named| names.counter("bad", named));
    let rework = oee.rework.as_ref().map(|named| names.counter("rework", named));
    let startup = oee.startup.as_ref().map(|named| names.find("startup", named, &boolean, "startup: state == 3"));
    // Codes are whole numbers, whether a controller sends them as such or as decimals.
    let words = [ValueType::String, ValueType::Integer, ValueType::Double];
    let reasons = oee.reasons.iter().filter_map(|named| names.find("reason", named, &words, "reason: stop_reason"));
    let reasons: Vec<Arc<str>> = reasons.map(|property| property.key.clone()).collect();
    let product = oee.product.as_ref().map(|named| names.find("product", named, &words, "product: order_product"));
    let rate = names.find("ideal_rate", &oee.ideal_rate, &numbers, "ideal_rate: ideal_rate")?;
    let Some(ideal_rate_per_second) = per_second(&rate.unit) else {
        let message = format!("`{}` has the unit `{}`, which says no rate", rate.name, rate.unit);
        report.error(oee.ideal_rate.node.at, "unit", message, format!("give {} the unit 1/h, 1/min or 1/s", rate.name));
        return None;
    };
    let key = |property: &PropertyDraft<'_>| property.key.clone();
    Some(OeeDefinition {
        running: key(running?),
        planned_stop: planned.flatten().map(key),
        good: key(good?),
        bad: bad.flatten().map(key),
        ideal_rate: key(rate),
        ideal_rate_per_second,
        rework: rework.flatten().map(key),
        startup: startup.flatten().map(key),
        product: product.flatten().map(key),
        ideal_rates: oee.ideal_rates.iter().map(|(name, rate)| (name.clone(), rate * ideal_rate_per_second)).collect(),
        reasons,
        reason_table: reason_table.clone(),
        micro_stop: oee.micro_stop,
        max_hold: oee.max_hold,
        target: oee.target,
    })
}

/// Warns where an asset has no ideal rate: its performance would have no value.
pub(super) fn check_rates(report: &Report<'_>, models: &[AssetModel], assets: &[AssetDraft]) {
    for draft in assets {
        let Some(oee) = models.get(draft.asset.model.0).and_then(|model| Some((model, model.oee.as_ref()?))) else { continue };
        let (model, oee) = oee;
        let default = model.properties.iter().find(|property| property.key == oee.ideal_rate).map(|property| &property.kind);
        let missing = matches!(default, Some(PropertyKind::Attribute { default: Value::Null }));
        if missing && !draft.asset.attributes.iter().any(|(name, _)| *name == oee.ideal_rate) {
            let message = format!("{} has no `{}`, so its performance and OEE have no value", draft.asset.path, oee.ideal_rate);
            report.warning(
                draft.at,
                "no-ideal-rate",
                message,
                format!("give it one: `attributes: {{ {}: 36000 }}`", oee.ideal_rate),
            );
        }
    }
}

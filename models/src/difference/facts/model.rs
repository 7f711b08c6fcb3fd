//! Facts of a model: its properties, controls, OEE block, hierarchies and detectors.

use super::{super::aspects::Aspects, Fact, Thing, detector};
use crate::{
    Value,
    definition::{
        AssetModel, Control, CounterRule, MetricFormula, ModelIndex, ModelKind, Plant, Property, PropertyIndex, PropertyKind,
        Scaling,
    },
    oee::{OeeDefinition, OeeOfChildren},
    time::format_duration,
};

pub(super) fn facts(plant: &Plant, index: ModelIndex, facts: &mut Vec<Fact>) {
    let model = &plant.models[index.0];
    let id = format!("model {}", model.id);
    facts.push(Fact::new(id.clone(), &*model.name, Thing::Model(index), of_model(plant, model)));
    for (place, property) in model.properties.iter().enumerate().filter(|(_, property)| is_told(model, property)) {
        let what = format!("{}.{}", model.name, property.key);
        let thing = Thing::Property(index, PropertyIndex(place));
        facts.push(Fact::new(format!("property {}", property.id), what, thing, of_property(property)).of(&id));
    }
    for (place, control) in model.controls.iter().enumerate() {
        let what = format!("{}.{}", model.name, control.name);
        facts.push(
            Fact::new(format!("control {}", control.id), what, Thing::Control(index, place), of_control(control)).of(&id),
        );
    }
    let oee = model.oee.as_ref().map(of_oee).or_else(|| model.oee_of.as_ref().map(of_children));
    facts
        .extend(oee.map(|said| Fact::new(format!("{id} oee"), format!("{}.oee", model.name), Thing::Oee(index), said).of(&id)));
    for place in 0..model.detectors.len() {
        detector::facts(&id, index, place, model, facts);
    }
}

/// What the OEE block makes is told with the block.
fn is_told(model: &AssetModel, property: &Property) -> bool {
    let by_oee =
        matches!(&property.kind, PropertyKind::Metric { formula: MetricFormula::Oee(_) | MetricFormula::OeeRecord, .. });
    let has_oee = model.oee.is_some() || model.oee_of.is_some();
    !(has_oee && (by_oee || *property.name == *crate::oee::STOP_EDITS))
}

fn of_model(plant: &Plant, model: &AssetModel) -> Aspects {
    let mut aspects = Aspects::default().say("", what_it_has(model));
    // The counts are for whoever sees the model as a whole; what they count is told one by one.
    for line in aspects.0.iter_mut().flat_map(|aspect| &mut aspect.lines) {
        line.compared.clear();
    }
    if model.kind != ModelKind::Asset {
        aspects = aspects.say("kind", format!("{:?}", model.kind).to_lowercase());
    }
    for hierarchy in &model.hierarchies {
        let models = hierarchy.models.iter().map(|child| plant.models[child.0].name.clone());
        aspects = aspects.list(&format!("children {}", hierarchy.name), models);
    }
    let interfaces = model.implements.iter().map(|one| plant.models[one.interface.0].name.clone());
    aspects.list("implements", interfaces).maybe("external id", model.origin.external_id.as_ref())
}

fn what_it_has(model: &AssetModel) -> String {
    let many = |count: usize, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    let properties = model.properties.iter().filter(|property| is_told(model, property)).count();
    let mut parts = vec![many(properties, "property", "properties")];
    for (count, one, more) in [(model.controls.len(), "control", "controls"), (model.detectors.len(), "detector", "detectors")]
    {
        if count > 0 {
            parts.push(many(count, one, more));
        }
    }
    parts.join(", ")
}

fn with_unit(value: &Value, unit: &str) -> String {
    match value {
        Value::Null => String::new(),
        value if unit.is_empty() => value.to_string(),
        value => format!("{value} {unit}"),
    }
}

fn of_property(property: &Property) -> Aspects {
    let aspects = Aspects::default();
    let aspects = match &property.kind {
        PropertyKind::Attribute { default } => aspects.say("", with_unit(default, &property.unit)),
        PropertyKind::Measurement { binding, counter, scaling } => {
            let place = binding.as_ref().map(|binding| format!("{} @{}", binding.address, binding.slot));
            of_scaling(aspects.maybe("from", place).maybe("counter", counter.as_ref().map(of_counter)), scaling)
        }
        PropertyKind::Transform { expression } => aspects.formula("", "", expression),
        PropertyKind::Metric { window, formula: MetricFormula::Expression(expression) } => {
            aspects.formula("", &format!("{}: ", window.name()), expression)
        }
        PropertyKind::Metric { window, .. } => aspects.say("", window.name()),
    };
    let aspects = match &property.declared {
        Some(declared) => aspects.hidden("formula", &declared.text, format!("{declared:?}")),
        None => aspects,
    };
    aspects
        .say("unit", &property.unit)
        .say("type", property.value_type)
        .maybe("normal", property.normal.map(|(low, high)| format!("{low}..{high}")))
        .span("stale", property.stale)
        .maybe("target", property.target)
        .maybe("external id", property.origin.external_id.as_ref())
}

fn of_counter(counter: &CounterRule) -> String {
    match counter {
        CounterRule::Reset => "reset".into(),
        CounterRule::Rollover(at) => format!("rollover {at}"),
        CounterRule::Monotonic => "monotonic".into(),
    }
}

fn of_scaling(aspects: Aspects, scaling: &Scaling) -> Aspects {
    let Scaling { scale, offset, min, max } = *scaling;
    let unusual = |number: f64, usual: f64| (number.to_bits() != usual.to_bits()).then_some(number);
    aspects.maybe("scale", unusual(scale, 1.0)).maybe("offset", unusual(offset, 0.0)).maybe("min", min).maybe("max", max)
}

fn of_control(control: &Control) -> Aspects {
    let Control { unit, value_type, binding, allow, min, max, interlock, verify, at_most, policy, .. } = control;
    let place = |address: &dyn std::fmt::Display| format!("{address} @{}", binding.slot);
    let mut aspects = Aspects::default().say("to", place(&binding.address)).say("type", value_type).say("unit", unit);
    aspects = aspects.list("allow", allow).maybe("min", *min).maybe("max", *max);
    if let Some(interlock) = interlock {
        aspects = aspects.formula("interlock", "", interlock);
    }
    aspects
        .span("verify", *verify)
        .maybe("at_most", at_most.map(|(count, span)| format!("{count} per {}", format_duration(span))))
        .maybe("step", policy.step)
        .list("detectors", policy.detectors.iter().flatten())
        .maybe("by_hand", policy.by_hand)
        .flag("second_person", policy.second_person)
        .flag("dry_run", policy.dry_run)
        .say("effect", &policy.effect)
        .span("heartbeat", policy.heartbeat)
        .maybe("feedback", policy.feedback.as_ref().map(|address| place(address)))
}

fn of_oee(oee: &OeeDefinition) -> Aspects {
    Aspects::default()
        .say("running", &oee.running)
        .maybe("planned_stop", oee.planned_stop.as_ref())
        .say("good", &oee.good)
        .maybe("bad", oee.bad.as_ref())
        .maybe("rework", oee.rework.as_ref())
        .maybe("startup", oee.startup.as_ref())
        .say("ideal_rate", &oee.ideal_rate)
        .maybe("product", oee.product.as_ref())
        .list("ideal_rates", oee.ideal_rates.iter().map(|(product, rate)| format!("{product}: {rate}/s")))
        .list("reason", &oee.reasons)
        .span("micro_stop", Some(oee.micro_stop))
        .span("max_hold", oee.max_hold)
        .maybe("target", oee.target)
}

fn of_children(oee: &OeeOfChildren) -> Aspects {
    Aspects::default()
        .list("of", &oee.hierarchies)
        .say("form", format!("{:?}", oee.form).to_lowercase())
        .maybe("target", oee.target)
}

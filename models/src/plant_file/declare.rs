//! Declares models: every attribute, measurement, transform, metric and control with its name, type and unit.

use super::{
    control,
    diagnostic::Report,
    fields::{Fields, literal, suggest, text_of, typed},
    keys,
    model::{ControlDraft, Formula, KindDraft, ModelDraft, Point, PropertyDraft, check_name, draft_of},
    oee, origin,
    tree::{At, Entry, Kind, Node},
};
use crate::{
    Value, ValueType,
    address::{Address, ModbusType},
    command::REMEMBERED_COMMANDS,
    definition::{CounterRule, Hierarchy, ModelIndex, ModelKind, Origin, Scaling},
    window::WindowSpec,
};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// Properties and controls of one model, windows counted apart.
const MAX_PROPERTIES: usize = 5_000;

/// Declares all models.
pub(super) fn declare<'n>(report: &Report<'_>, entries: &[&'n Entry]) -> Vec<ModelDraft<'n>> {
    let names: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    entries.iter().map(|entry| Declaration { report, what: format!("the model {}", entry.key) }.model(entry, &names)).collect()
}

struct Declaration<'r> {
    report: &'r Report<'r>,
    what: String,
}

impl<'r> Declaration<'r> {
    fn model<'n>(&self, entry: &'n Entry, names: &[&str]) -> ModelDraft<'n> {
        check_name(self.report, "model", &entry.key, entry.at);
        let mut draft = ModelDraft {
            name: entry.key.as_str().into(),
            at: entry.at,
            identity: entry.key.clone(),
            properties: Vec::new(),
            controls: Vec::new(),
            hierarchies: Vec::new(),
            oee: None,
            oee_of: None,
            detectors: &[],
            origin: Origin::default(),
            kind: ModelKind::default(),
            composites: &[],
            implements: &[],
        };
        let Some(fields) = Fields::of(self.report, &self.what, entry.at, &entry.value, keys::MODEL) else { return draft };
        if let Some((was, _)) = fields.text("was") {
            draft.identity = was.to_owned();
        }
        // Properties keep the order of the file, and so do their sections.
        for section in fields.entries() {
            match section.key.as_str() {
                "attributes" => {
                    draft.properties.extend(fields.names("attributes").iter().filter_map(|entry| self.attribute(entry)))
                }
                "measurements" => {
                    draft.properties.extend(fields.names("measurements").iter().filter_map(|entry| self.measurement(entry)));
                }
                "transforms" => {
                    draft.properties.extend(fields.names("transforms").iter().filter_map(|entry| self.transform(entry)))
                }
                "metrics" => fields.names("metrics").iter().for_each(|entry| self.metrics(entry, &mut draft.properties)),
                "controls" => draft.controls.extend(fields.names("controls").iter().filter_map(|entry| self.control(entry))),
                _ => {}
            }
        }
        draft.hierarchies = fields.names("children").iter().filter_map(|entry| self.hierarchy(entry, names)).collect();
        draft.detectors = fields.names("detectors");
        draft.origin = origin::origin(&fields, true);
        draft.kind = match fields.choice("type") {
            Some("component") => ModelKind::Component,
            Some("interface") => ModelKind::Interface,
            _ => ModelKind::Asset,
        };
        draft.composites = fields.names("composites");
        draft.implements = fields.names("implements");
        if let Some(entry) = fields.entry("oee") {
            oee::expand(self.report, &self.what, entry, &mut draft);
        }
        self.assign_keys(&mut draft);
        draft
    }

    fn hierarchy(&self, entry: &Entry, names: &[&str]) -> Option<Hierarchy> {
        check_name(self.report, "hierarchy", &entry.key, entry.at);
        if keys::is_of_assets(&entry.key) || entry.key == "parent" {
            self.report.error(
                entry.at,
                "form",
                format!("children cannot be called `{}`", entry.key),
                "that word has another meaning",
            );
        }
        let long = match &entry.value.kind {
            Kind::Map(_) => {
                Some(Fields::of(self.report, &format!("the link {}", entry.key), entry.at, &entry.value, keys::CHILD)?)
            }
            _ => None,
        };
        let origin = long.map(|fields| origin::origin(&fields, false)).unwrap_or_default();
        let value = match &long {
            Some(fields) => {
                fields.missing(&format!("the link {}", entry.key), "model", "filler");
                fields.node("model")?
            }
            None => &entry.value,
        };
        let nodes = match &value.kind {
            Kind::List(items) => items.iter().collect(),
            _ => vec![value],
        };
        let mut models = Vec::new();
        for node in nodes {
            let name = text_of(self.report, &entry.key, node)?;
            match names.iter().position(|known| *known == name) {
                Some(position) if !models.contains(&ModelIndex(position)) => models.push(ModelIndex(position)),
                Some(_) => {}
                None => {
                    let hint = suggest(name, names.iter().copied(), "models");
                    self.report.error(node.at, "unknown-name", format!("there is no model `{name}`"), hint);
                }
            }
        }
        Some(Hierarchy { name: entry.key.as_str().into(), models, origin })
    }

    fn attribute<'n>(&self, entry: &'n Entry) -> Option<PropertyDraft<'n>> {
        check_name(self.report, "attribute", &entry.key, entry.at);
        let mut draft = draft_of(&entry.key, entry.at, KindDraft::Attribute { default: Value::Null });
        let what = format!("the attribute {}", entry.key);
        let default = if let Kind::Scalar { .. } = entry.value.kind {
            Some(&entry.value)
        } else {
            let fields = Fields::of(self.report, &what, entry.at, &entry.value, keys::ATTRIBUTE);
            let Some(fields) = fields else { return Some(draft) };
            common(&fields, &mut draft);
            draft.value_type = value_type(&fields);
            fields.node("default")
        };
        let written = default.and_then(literal).and_then(|value| value.value_type());
        let natural =
            written.map_or(ValueType::Double, |found| if found == ValueType::Integer { ValueType::Double } else { found });
        let value_type = *draft.value_type.get_or_insert(natural);
        if let Some(node) = default {
            let value = typed(self.report, &format!("the default of {}", entry.key), node, value_type);
            draft.kind = KindDraft::Attribute { default: value.unwrap_or(Value::Null) };
        }
        Some(draft)
    }

    fn measurement<'n>(&self, entry: &'n Entry) -> Option<PropertyDraft<'n>> {
        check_name(self.report, "measurement", &entry.key, entry.at);
        let unbound = KindDraft::Measurement { from: None, counter: None, scaling: Scaling::default() };
        let mut draft = draft_of(&entry.key, entry.at, unbound);
        if let Kind::Scalar { text, .. } = &entry.value.kind {
            let from = self.point(text, &entry.value);
            draft.value_type = Some(natural_type(from));
            draft.kind = KindDraft::Measurement { from, counter: None, scaling: Scaling::default() };
            return Some(draft);
        }
        let what = format!("the measurement {}", entry.key);
        let fields = Fields::of(self.report, &what, entry.at, &entry.value, keys::MEASUREMENT);
        let Some(fields) = fields else { return Some(draft) };
        common(&fields, &mut draft);
        draft.stale = fields.span("stale");
        let from = fields.text("from").and_then(|(text, node)| self.point(text, node));
        let counter = self.counter(&fields);
        let declared = value_type(&fields);
        draft.value_type = declared.or(Some(natural_type(from)));
        let scaling = Scaling {
            scale: fields.number("scale").unwrap_or(1.0),
            offset: fields.number("offset").unwrap_or(0.0),
            min: fields.number("min"),
            max: fields.number("max"),
        };
        if scaling != Scaling::default() && matches!(declared, Some(ValueType::Boolean | ValueType::String)) {
            self.report.error(
                entry.at,
                "type",
                format!("{what} is no number and cannot be scaled or bounded"),
                "remove scale, offset, min, max",
            );
        }
        if scaling.scale == 0.0 {
            let at = fields.node("scale").map_or(entry.at, |node| node.at);
            self.report.error(
                at,
                "form",
                "a scale of 0 makes every value 0",
                "give the factor from the raw number to the unit",
            );
        }
        if let (Some(min), Some(max)) = (scaling.min, scaling.max) {
            self.ordered(&fields, min, max);
        }
        draft.kind = KindDraft::Measurement { from, counter, scaling };
        Some(draft)
    }

    fn counter(&self, fields: &Fields<'_, '_>) -> Option<CounterRule> {
        let is_counter = fields.text("type").is_some_and(|(text, _)| text == "counter");
        let Some((text, node)) = fields.text("counter") else { return is_counter.then(CounterRule::default) };
        let rollover = text.strip_prefix("rollover(").and_then(|rest| rest.strip_suffix(')'));
        let rule = match (text, rollover.and_then(|number| number.trim().parse::<f64>().ok())) {
            ("reset", _) => Some(CounterRule::Reset),
            ("monotonic", _) => Some(CounterRule::Monotonic),
            (_, Some(number)) if number.is_finite() && number > 0.0 => Some(CounterRule::Rollover(number)),
            _ => None,
        };
        if rule.is_none() {
            self.report.error(
                node.at,
                "form",
                format!("`counter: {text}` is no rule"),
                "write reset, rollover(65536) or monotonic",
            );
        }
        rule
    }

    fn ordered(&self, fields: &Fields<'_, '_>, min: f64, max: f64) {
        if min > max {
            let at = fields.node("min").map_or(fields.at, |node| node.at);
            self.report.error(at, "form", format!("`min: {min}` is above `max: {max}`"), "swap them");
        }
    }

    fn transform<'n>(&self, entry: &'n Entry) -> Option<PropertyDraft<'n>> {
        check_name(self.report, "transform", &entry.key, entry.at);
        let mut draft = draft_of(&entry.key, entry.at, KindDraft::Transform { formula: None });
        let formula = self.computed(entry, &mut draft, "transform");
        draft.kind = KindDraft::Transform { formula };
        Some(draft)
    }

    fn metrics<'n>(&self, section: &'n Entry, properties: &mut Vec<PropertyDraft<'n>>) {
        let window = match section.key.parse::<WindowSpec>() {
            Ok(window) => window,
            Err(message) => {
                let hint = "metrics are grouped by window: `metrics: { 5m: { temp_avg: avg(temp) } }`";
                return self.report.error(section.at, "window", message, hint);
            }
        };
        let Some(fields) = Fields::open(self.report, &format!("the window {}", section.key), section.at, &section.value, &[])
        else {
            return;
        };
        for entry in fields.entries() {
            check_name(self.report, "metric", &entry.key, entry.at);
            let mut draft = draft_of(&entry.key, entry.at, KindDraft::Metric { window: window.clone(), formula: None });
            let formula = self.computed(entry, &mut draft, "metric");
            draft.identity = format!("{}/{window}", draft.identity);
            draft.kind = KindDraft::Metric { window: window.clone(), formula };
            properties.push(draft);
        }
    }

    /// `name: formula` or `name: { value: formula, … }`.
    fn computed<'n>(&self, entry: &'n Entry, draft: &mut PropertyDraft<'n>, kind: &str) -> Option<Formula<'n>> {
        if let Kind::Scalar { text, .. } = &entry.value.kind {
            return Some(Formula { text, node: &entry.value, declared: None });
        }
        let what = format!("the {kind} {}", entry.key);
        if matches!(entry.value.kind, Kind::Null) {
            self.report.error(entry.at, "form", format!("{what} has no formula"), format!("write `{}: formula`", entry.key));
            return None;
        }
        let fields = Fields::of(self.report, &what, entry.at, &entry.value, keys::COMPUTED)?;
        common(&fields, draft);
        let Some((text, node)) = fields.text("formula") else {
            fields.missing(&what, "value", "temp - 20");
            if let Some(entry) = fields.entry("variables") {
                let hint = "in `value:` names stand for themselves; `variables:` belong to `formula:`";
                self.report.error(entry.at, "form", "`variables` without a `formula`", hint);
            }
            return fields.text("value").map(|(text, node)| Formula { text, node, declared: None });
        };
        if let Some(entry) = fields.entry("value") {
            let message = format!("{what} has both `value` and `formula`");
            self.report.error(entry.at, "form", message, "keep one: `formula:` is for formulas of AWS IoT SiteWise");
        }
        draft.value_type = value_type(&fields);
        Some(Formula { text, node, declared: Some(fields.names("variables")) })
    }

    fn control<'n>(&self, entry: &'n Entry) -> Option<ControlDraft<'n>> {
        check_name(self.report, "control", &entry.key, entry.at);
        let what = format!("the control {}", entry.key);
        let fields = Fields::of(self.report, &what, entry.at, &entry.value, keys::CONTROL)?;
        fields.missing(&what, "to", "ns=2;s=Filler.StopRequest @plc");
        let value_type = value_type(&fields).unwrap_or(ValueType::Double);
        let allow = match fields.node("allow").map(|node| (node, &node.kind)) {
            Some((_, Kind::List(items))) => items
                .iter()
                .filter_map(|item| typed(self.report, &format!("what {} allows", entry.key), item, value_type))
                .collect(),
            Some((node, _)) => {
                typed(self.report, &format!("what {} allows", entry.key), node, value_type).into_iter().collect()
            }
            None => Vec::new(),
        };
        let (min, max) = (fields.number("min"), fields.number("max"));
        if let (Some(min), Some(max)) = (min, max) {
            self.ordered(&fields, min, max);
        }
        let to = fields.text("to").and_then(|(text, node)| self.point(text, node));
        let feedback = fields.text("feedback").and_then(|(text, node)| self.point(text, node));
        if let (Some(to), Some(feedback)) = (to, feedback)
            && to.slot != feedback.slot
        {
            let message = format!("`feedback` is in the slot `{}`, and `to` in `{}`", feedback.slot, to.slot);
            self.report.error(feedback.node.at, "form", message, "a write is read back where it was sent");
        }
        Some(ControlDraft {
            feedback,
            policy: control::policy(self.report, &fields, value_type),
            name: entry.key.as_str().into(),
            at: entry.at,
            identity: fields.text("was").map_or(entry.key.clone(), |(was, _)| was.to_owned()),
            unit: fields.owned("unit").into(),
            value_type,
            to,
            allow,
            min,
            max,
            interlock: fields.text("interlock").map(|(text, node)| Formula { text, node, declared: None }),
            verify: fields.span("verify"),
            at_most: self.at_most(&fields),
        })
    }

    /// `4 per 1h`.
    fn at_most(&self, fields: &Fields<'_, '_>) -> Option<(u32, Duration)> {
        let (text, node) = fields.text("at_most")?;
        let parts = text.split_once(" per ").map(|(count, span)| (count.trim().parse(), crate::time::parse_duration(span)));
        match parts {
            Some((Ok(count), Some(_))) if count > REMEMBERED_COMMANDS => {
                let message =
                    format!("`at_most: {text}` is more than {REMEMBERED_COMMANDS}, and no more are counted over a restart");
                let hint = "write a shorter span with fewer: `60 per 1m`, not `3600 per 1h`";
                self.report.error(node.at, "form", message, hint);
                None
            }
            Some((Ok(count), Some(span))) if count > 0 && !span.is_zero() => Some((count, span)),
            _ => {
                self.report.error(node.at, "form", format!("`at_most: {text}` is not a rate"), "write `4 per 1h`");
                None
            }
        }
    }

    /// `address @slot`.
    fn point<'n>(&self, text: &'n str, node: &'n Node) -> Option<Point<'n>> {
        let (address, slot) = text.rsplit_once('@').map_or((text, ""), |(address, slot)| (address.trim_end(), slot.trim()));
        let word = slot.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if slot.is_empty() || !word {
            let hint = "end the address with the slot that the asset fills: `ns=2;s=Filler.Temp @plc`";
            self.report.error(node.at, "address", format!("`{text}` names no source slot"), hint);
            return None;
        }
        if keys::is_of_assets(slot) {
            self.report.error(
                node.at,
                "form",
                format!("a slot cannot be called `{slot}`"),
                "that word has another meaning in assets",
            );
            return None;
        }
        Some(Point { address, slot, node })
    }

    /// Gives every property a key, and reports names given twice.
    fn assign_keys(&self, draft: &mut ModelDraft<'_>) {
        if draft.properties.len() + draft.controls.len() > MAX_PROPERTIES {
            let message = format!("{} has more than {MAX_PROPERTIES} properties", self.what);
            self.report.error(draft.at, "too-large", message, "split it into several models");
        }
        let mut metrics: HashMap<Arc<str>, usize> = HashMap::new();
        for property in draft.properties.iter().filter(|property| property.window().is_some()) {
            *metrics.entry(property.name.clone()).or_default() += 1;
        }
        let mut keys: HashMap<Arc<str>, At> = HashMap::new();
        for property in &mut draft.properties {
            if let Some(window) = property.window().filter(|_| metrics[&property.name] > 1) {
                let window = window.name().replace(' ', "_");
                property.key = format!("{}_{window}", property.name).into();
            }
            let name_taken = property.window().is_none() && metrics.contains_key(&property.name);
            let first = keys.get(&property.key).copied();
            if first.is_some() || name_taken {
                let place =
                    first.filter(|first| *first != property.at).map(|first| format!(" on line {}", self.report.line(first)));
                let message = format!("{} has a `{}` already{}", self.what, property.key, place.unwrap_or_default());
                self.report.error(property.at, "duplicate-name", message, "property names must differ, across all kinds");
            }
            keys.entry(property.key.clone()).or_insert(property.at);
        }
        for control in &draft.controls {
            if let Some(first) = keys.insert(control.name.clone(), control.at) {
                let line = self.report.line(first);
                let message = format!("the control `{}` has the name of a property on line {line}", control.name);
                self.report.error(control.at, "duplicate-name", message, "names must differ, across all kinds");
            }
        }
    }
}

/// Unit, band, target and first name, where the kind has them.
fn common<'n>(fields: &Fields<'n, '_>, draft: &mut PropertyDraft<'n>) {
    draft.origin = origin::origin(fields, false);
    draft.composite = fields.text("composite");
    let has = |name: &str| fields.entries().iter().any(|entry| entry.key == name);
    if has("unit") {
        draft.unit = fields.owned("unit").into();
    }
    if has("normal") && !matches!(draft.kind, KindDraft::Attribute { .. }) {
        draft.normal = fields.band("normal");
    }
    if has("target") && !matches!(draft.kind, KindDraft::Attribute { .. }) {
        draft.target = fields.number("target");
    }
    if let Some((was, _)) = has("was").then(|| fields.text("was")).flatten() {
        draft.identity = was.to_owned();
    }
}

/// The type of a point where none is declared: bits are truth values, texts are texts, all else is a number.
fn natural_type(from: Option<Point<'_>>) -> ValueType {
    match from.and_then(|point| point.address.parse::<Address>().ok()) {
        Some(Address::Modbus(address)) => match address.data_type {
            ModbusType::Bool => ValueType::Boolean,
            ModbusType::String(_) => ValueType::String,
            _ => ValueType::Double,
        },
        _ => ValueType::Double,
    }
}

/// The type a property declares. Counters are decimal: meters count fractions.
fn value_type(fields: &Fields<'_, '_>) -> Option<ValueType> {
    let (text, node) = fields.text("type")?;
    let found = match text {
        "double" | "float" | "number" => ValueType::Double,
        "int" | "integer" => ValueType::Integer,
        "bool" | "boolean" => ValueType::Boolean,
        "string" | "text" => ValueType::String,
        "counter" => ValueType::Double,
        _ => {
            let hint = suggest(text, keys::TYPES.iter().copied(), "types");
            fields.report.error(node.at, "type", format!("there is no type `{text}`"), hint);
            return None;
        }
    };
    Some(found)
}

//! The `oee:` macro: four figures and a record for each window, hidden transforms where a formula stands in place of a property, and
//! a hidden property for what people say about stops.

use super::{
    diagnostic::Report,
    fields::{Fields, suggest, text_of},
    keys,
    model::{Formula, KindDraft, ModelDraft, draft_of},
    tree::{Entry, Node},
};
use crate::{
    ValueType,
    definition::Scaling,
    expression::nearest,
    oee::{Combination, OEE_RECORD, OeeFigure, OeeOfChildren, STOP_EDITS, STOPS_EVERY},
    window::WindowSpec,
};
use std::{collections::HashSet, sync::Arc, time::Duration};

/// Micro-stops where the file says nothing.
const DEFAULT_MICRO_STOP: Duration = Duration::from_secs(5 * 60);

/// Products with an ideal rate of their own.
const MAX_PRODUCTS: usize = 10_000;

/// The block as declared. Names still have to be looked up once types are known.
pub(super) struct OeeDraft<'n> {
    pub running: Named<'n>,
    pub planned_stop: Option<Named<'n>>,
    pub good: Named<'n>,
    pub bad: Option<Named<'n>>,
    pub rework: Option<Named<'n>>,
    pub startup: Option<Named<'n>>,
    pub ideal_rate: Named<'n>,
    pub product: Option<Named<'n>>,
    pub ideal_rates: Vec<(Arc<str>, f64)>,
    pub reasons: Vec<Named<'n>>,
    pub micro_stop: Duration,
    pub max_hold: Option<Duration>,
    pub target: Option<f64>,
}

/// A property by name, and where the name stands.
pub(super) struct Named<'n> {
    pub name: Arc<str>,
    pub node: &'n Node,
}

/// The figures and their names.
const FIGURES: [(&str, OeeFigure); 4] = [
    ("availability", OeeFigure::Availability),
    ("performance", OeeFigure::Performance),
    ("quality_rate", OeeFigure::QualityRate),
    ("oee", OeeFigure::Oee),
];

/// The windows every figure is computed for: those of the file, by default 5 minutes; hours and shifts always.
fn windows(report: &Report<'_>, fields: &Fields<'_, '_>) -> Vec<WindowSpec> {
    let tumbling = |every| WindowSpec::Tumbling { every, offset: Duration::ZERO };
    let mut windows = Vec::new();
    for (text, node) in fields.texts("windows") {
        match text.parse::<WindowSpec>() {
            Ok(window) => windows.push(window),
            Err(message) => report.error(node.at, "window", message, "for example `windows: [5m, day]`"),
        }
    }
    if fields.entry("windows").is_none() {
        windows.push(tumbling(Duration::from_secs(300)));
    }
    windows.extend([tumbling(STOPS_EVERY), WindowSpec::Shift]);
    let mut known = HashSet::new();
    windows.retain(|window| known.insert(window.clone()));
    windows
}

/// Adds what the block stands for to the model.
pub(super) fn expand<'n>(report: &Report<'_>, what: &str, entry: &'n Entry, draft: &mut ModelDraft<'n>) {
    let Some(fields) = Fields::of(report, "oee", entry.at, &entry.value, keys::OEE) else { return };
    let target = fields.number("target");
    if let Some(target) = target.filter(|target| !(0.0..=100.0).contains(target)) {
        let at = fields.node("target").map_or(entry.at, |node| node.at);
        report.error(at, "form", format!("a target of {target} % is out of reach"), "write percent, from 0 to 100");
    }
    for window in windows(report, &fields) {
        for (name, figure) in FIGURES {
            let mut property = draft_of(name, entry.at, KindDraft::Oee { window: window.clone(), figure });
            property.identity = format!("{name}/{window}");
            property.value_type = Some(ValueType::Double);
            property.target = target.filter(|_| figure == OeeFigure::Oee).map(|percent| percent / 100.0);
            draft.properties.push(property);
        }
        let mut record = draft_of(OEE_RECORD, entry.at, KindDraft::OeeRecord { window: window.clone() });
        record.identity = format!("{OEE_RECORD}/{window}");
        record.value_type = Some(ValueType::String);
        record.hidden = true;
        draft.properties.push(record);
    }
    match fields.entry("of") {
        Some(_) => of_children(report, what, &fields, target, draft),
        None => of_machine(report, what, &fields, target, draft),
    }
}

/// A line, an area or a plant: figures of its children.
fn of_children<'n>(report: &Report<'_>, what: &str, fields: &Fields<'n, '_>, target: Option<f64>, draft: &mut ModelDraft<'n>) {
    let other = fields.entries().iter().find(|entry| !["of", "form", "target", "windows"].contains(&entry.key.as_str()));
    if let Some(other) = other.filter(|entry| keys::OEE.iter().any(|key| key.name == entry.key)) {
        let message = format!("the oee block of {what} is made of its children and needs no `{}`", other.key);
        report.error(other.at, "form", message, "remove it, or remove `of`");
    }
    let mut hierarchies: Vec<Arc<str>> = Vec::new();
    for (name, node) in fields.texts("of") {
        if draft.hierarchies.iter().any(|hierarchy| *hierarchy.name == *name) {
            hierarchies.push(name.into());
        } else {
            let known: Vec<&str> = draft.hierarchies.iter().map(|hierarchy| &*hierarchy.name).collect();
            let message = format!("{what} has no children `{name}`");
            report.error(node.at, "unknown-name", message, suggest(name, known, "children"));
        }
    }
    let form = match fields.choice("form") {
        Some("bottleneck") => Combination::Bottleneck,
        _ => Combination::Weighted,
    };
    draft.oee_of = Some(OeeOfChildren { hierarchies, form, target });
}

/// A machine with its own counters.
fn of_machine<'n>(report: &Report<'_>, what: &str, fields: &Fields<'n, '_>, target: Option<f64>, draft: &mut ModelDraft<'n>) {
    for (key, example) in [("running", "state == 6"), ("good", "good_count"), ("ideal_rate", "ideal_rate")] {
        fields.missing(&format!("the oee block of {what}"), key, example);
    }
    if let Some(form) = fields.entry("form") {
        report.error(form.at, "form", "`form` says how children become one figure", "say which: `of: machines`");
    }
    let running = condition(fields, draft, "running", "oee_running");
    let planned_stop = condition(fields, draft, "planned_stop", "oee_planned_stop");
    let startup = condition(fields, draft, "startup", "oee_startup");
    let unbound = KindDraft::Measurement { from: None, counter: None, scaling: Scaling::default() };
    let mut edits = draft_of(STOP_EDITS, fields.at, unbound);
    (edits.value_type, edits.hidden) = (Some(ValueType::String), true);
    draft.properties.push(edits);
    let (good, bad, rework) = (named(fields, "good"), named(fields, "bad"), named(fields, "rework"));
    let (ideal_rate, product) = (named(fields, "ideal_rate"), named(fields, "product"));
    let reasons = fields.texts("reason").into_iter().map(|(name, node)| Named { name: name.into(), node }).collect();
    let ideal_rates = rates(report, fields);
    if let (false, None, Some(entry)) = (ideal_rates.is_empty(), &product, fields.entry("ideal_rates")) {
        let message = "ideal rates of products need to know the product".to_owned();
        report.error(entry.at, "missing-key", message, "say which property tells it: `product: order_product`");
    }
    let micro_stop = fields.span("micro_stop").unwrap_or(DEFAULT_MICRO_STOP);
    let max_hold = fields.span("max_hold");
    if let (Some(running), Some(good), Some(ideal_rate)) = (running, good, ideal_rate) {
        draft.oee = Some(OeeDraft {
            running,
            planned_stop,
            good,
            bad,
            rework,
            startup,
            ideal_rate,
            product,
            ideal_rates,
            reasons,
            micro_stop,
            max_hold,
            target,
        });
    }
}

/// Ideal rates by product.
fn rates(report: &Report<'_>, fields: &Fields<'_, '_>) -> Vec<(Arc<str>, f64)> {
    let entries = fields.names("ideal_rates");
    if let Some(entry) = entries.get(MAX_PRODUCTS) {
        report.error(entry.at, "too-large", format!("this is more than {MAX_PRODUCTS} products"), "give the rest one rate");
    }
    let rate = |entry: &Entry| {
        let text = text_of(report, &entry.key, &entry.value)?;
        let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
        if rate.is_none() {
            let message = format!("the ideal rate of {} must be a number above 0, not `{text}`", entry.key);
            report.error(entry.value.at, "form", message, "write it in the unit of `ideal_rate`");
        }
        Some((entry.key.as_str().into(), rate?))
    };
    entries.iter().take(MAX_PRODUCTS).filter_map(rate).collect()
}

fn named<'n>(fields: &Fields<'n, '_>, key: &str) -> Option<Named<'n>> {
    fields.text(key).map(|(name, node)| Named { name: name.into(), node })
}

/// A property of that name, or a hidden transform of that formula.
fn condition<'n>(fields: &Fields<'n, '_>, draft: &mut ModelDraft<'n>, key: &str, hidden: &str) -> Option<Named<'n>> {
    let (text, node) = fields.text(key)?;
    let is_word = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_word {
        return Some(Named { name: text.into(), node });
    }
    let mut property =
        draft_of(hidden, node.at, KindDraft::Transform { formula: Some(Formula { text, node, declared: None }) });
    property.hidden = true;
    draft.properties.push(property);
    Some(Named { name: hidden.into(), node })
}

/// Pieces per second for one unit of a rate: 1/3600 for `1/h`.
pub(super) fn per_second(unit: &str) -> Option<f64> {
    let (_, time) = unit.rsplit_once('/')?;
    Some(match time.trim() {
        "s" | "sec" | "second" => 1.0,
        "min" | "minute" => 1.0 / 60.0,
        "h" | "hr" | "hour" => 1.0 / 3_600.0,
        "d" | "day" => 1.0 / 86_400.0,
        _ => return None,
    })
}

/// A "did you mean" for a property of the model.
pub(super) fn property_hint(draft: &ModelDraft<'_>, name: &str) -> String {
    match nearest(name, draft.properties.iter().filter(|property| !property.hidden).map(|property| &*property.name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name a property of the same model".into(),
    }
}

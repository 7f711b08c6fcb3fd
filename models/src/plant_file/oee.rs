//! The `oee:` macro: four figures for three windows, and hidden transforms where a formula stands in place of a property.

use super::{
    diagnostic::Report,
    fields::Fields,
    keys,
    model::{Formula, KindDraft, ModelDraft, draft_of},
    tree::{Entry, Node},
};
use crate::{ValueType, expression::nearest, oee::OeeFigure, window::WindowSpec};
use std::{sync::Arc, time::Duration};

/// Micro-stops where the file says nothing.
const DEFAULT_MICRO_STOP: Duration = Duration::from_secs(5 * 60);

/// The block as declared. Names still have to be looked up once types are known.
pub(super) struct OeeDraft<'n> {
    pub running: Named<'n>,
    pub planned_stop: Option<Named<'n>>,
    pub good: Named<'n>,
    pub bad: Option<Named<'n>>,
    pub ideal_rate: Named<'n>,
    pub reason: Option<Named<'n>>,
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

/// The windows every figure is computed for.
fn windows() -> [WindowSpec; 3] {
    let tumbling = |seconds| WindowSpec::Tumbling { every: Duration::from_secs(seconds), offset: Duration::ZERO };
    [tumbling(300), tumbling(3_600), WindowSpec::Shift]
}

/// Adds what the block stands for to the model.
pub(super) fn expand<'n>(report: &Report<'_>, what: &str, entry: &'n Entry, draft: &mut ModelDraft<'n>) {
    let Some(fields) = Fields::of(report, "oee", entry.at, &entry.value, keys::OEE) else { return };
    for (key, example) in [("running", "state == 6"), ("good", "good_count"), ("ideal_rate", "ideal_rate")] {
        fields.missing(&format!("the oee block of {what}"), key, example);
    }
    let target = fields.number("target");
    if let Some(target) = target.filter(|target| !(0.0..=100.0).contains(target)) {
        let at = fields.node("target").map_or(entry.at, |node| node.at);
        report.error(at, "form", format!("a target of {target} % is out of reach"), "write percent, from 0 to 100");
    }
    for window in windows() {
        for (name, figure) in FIGURES {
            let mut property = draft_of(name, entry.at, KindDraft::Oee { window: window.clone(), figure });
            property.identity = format!("{name}/{window}");
            property.value_type = Some(ValueType::Double);
            property.target = target.filter(|_| figure == OeeFigure::Oee).map(|percent| percent / 100.0);
            draft.properties.push(property);
        }
    }
    let running = condition(&fields, draft, "running", "oee_running");
    let planned_stop = condition(&fields, draft, "planned_stop", "oee_planned_stop");
    let (good, bad) = (named(&fields, "good"), named(&fields, "bad"));
    let (ideal_rate, reason) = (named(&fields, "ideal_rate"), named(&fields, "reason"));
    let micro_stop = fields.span("micro_stop").unwrap_or(DEFAULT_MICRO_STOP);
    let max_hold = fields.span("max_hold");
    if let (Some(running), Some(good), Some(ideal_rate)) = (running, good, ideal_rate) {
        draft.oee = Some(OeeDraft { running, planned_stop, good, bad, ideal_rate, reason, micro_stop, max_hold, target });
    }
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

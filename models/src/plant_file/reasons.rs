//! The `reasons:` section: what stop reasons mean for OEE.

use super::{
    diagnostic::Report,
    fields::{Fields, suggest, text_of},
    keys,
    tree::{Entry, Kind},
};
use crate::oee::{LossClass, Reason, Reasons};
use std::{collections::HashMap, sync::Arc};

/// The words for loss classes.
const CLASSES: [LossClass; 3] = [LossClass::ScheduleLoss, LossClass::Availability, LossClass::Performance];

/// Reasons of one plant: more than anybody can tell apart.
const MAX_REASONS: usize = 10_000;

/// Reads all reasons.
pub(super) fn reasons(report: &Report<'_>, entries: &[&Entry]) -> Reasons {
    if let Some(entry) = entries.get(MAX_REASONS) {
        report.error(entry.at, "too-large", format!("this is more than {MAX_REASONS} reasons"), "group some of them");
    }
    let mut reasons = Vec::new();
    let mut codes: HashMap<Arc<str>, &str> = HashMap::new();
    for entry in entries.iter().take(MAX_REASONS) {
        let Some(reason) = reason(report, entry) else { continue };
        for code in &reason.codes {
            if let Some(other) = codes.insert(code.clone(), &entry.key) {
                let message = format!("the code {code} of the reason {} belongs to {other} already", entry.key);
                report.error(entry.at, "duplicate-name", message, "a code has one reason");
            }
        }
        reasons.push(reason);
    }
    Reasons(reasons)
}

fn reason(report: &Report<'_>, entry: &Entry) -> Option<Reason> {
    let mut reason = Reason {
        name: entry.key.as_str().into(),
        class: LossClass::Availability,
        planned: false,
        priority: 0,
        codes: Vec::new(),
    };
    if let Kind::Scalar { text, .. } = &entry.value.kind {
        let Some(class) = CLASSES.into_iter().find(|class| class.word() == text) else {
            let hint = suggest(text, CLASSES.map(LossClass::word), "classes");
            report.error(entry.value.at, "form", format!("the class of {} cannot be `{text}`", entry.key), hint);
            return None;
        };
        reason.class = class;
        reason.planned = class == LossClass::ScheduleLoss;
        return Some(reason);
    }
    let fields = Fields::of(report, &format!("the reason {}", entry.key), entry.at, &entry.value, keys::REASON)?;
    let class = fields.choice("class").and_then(|word| CLASSES.into_iter().find(|class| class.word() == word));
    reason.class = class.unwrap_or(LossClass::Availability);
    reason.planned = fields.flag("planned").unwrap_or(reason.class == LossClass::ScheduleLoss);
    if let Some(priority) = fields.number("priority") {
        if priority.fract() != 0.0 || priority.abs() > 1e6 {
            let at = fields.node("priority").map_or(entry.at, |node| node.at);
            report.error(at, "form", format!("the priority of {} must be a whole number", entry.key), "for example 10");
        }
        reason.priority = priority as i64;
    }
    if let Some(node) = fields.node("codes") {
        let items = match &node.kind {
            Kind::List(items) => items.iter().collect(),
            _ => vec![node],
        };
        reason.codes = items.into_iter().filter_map(|item| Some(text_of(report, "codes", item)?.into())).collect();
    }
    Some(reason)
}

//! Who may write a control and how far: the keys beyond its type, list and range.

use super::{diagnostic::Report, fields::Fields};
use crate::{
    ValueType,
    command::{DryRun, HandRole, WritePolicy},
    time::parse_duration,
};
use std::time::Duration;

/// A heartbeat takes a write each; controllers that watch one look at seconds.
const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(200);

/// Reads the policy of a control, without the address of its feedback.
pub(super) fn policy(report: &Report<'_>, fields: &Fields<'_, '_>, value_type: ValueType) -> WritePolicy {
    let refuse = |key: &str, message: &str, hint: &str| {
        if let Some(entry) = fields.entry(key) {
            report.error(entry.at, "form", message, hint);
        }
    };
    let step = fields.number("step");
    let number = matches!(value_type, ValueType::Double | ValueType::Integer);
    if step.is_some_and(|step| step <= 0.0 || !number) {
        refuse(
            "step",
            "`step` limits how far a number may change",
            "give a number above 0, and only to controls that are numbers",
        );
    }
    let by_hand = fields.choice("by_hand").map(|role| match role {
        "operator" => HandRole::Operator,
        _ => HandRole::Engineer,
    });
    let second_person = fields.flag("second_person").unwrap_or(false);
    if second_person && by_hand.is_none() {
        refuse("second_person", "nobody may write it by hand, so nobody has to confirm", "say who may: `by_hand: operator`");
    }
    let heartbeat = fields.span("heartbeat");
    if heartbeat.is_some_and(|every| every < SHORTEST_HEARTBEAT) {
        refuse("heartbeat", "a heartbeat has at least 200 ms between two beats", "choose a longer span, such as `1s`");
    }
    if heartbeat.is_some() && value_type == ValueType::String {
        refuse("heartbeat", "a text cannot be toggled", "use a `bool` or an `int`");
    }
    let detectors = fields.texts("detectors").into_iter().map(|(text, _)| text.into()).collect();
    WritePolicy {
        step,
        detectors: fields.entry("detectors").map(|_| detectors),
        by_hand,
        second_person,
        dry_run: fields.flag("dry_run").unwrap_or(false),
        effect: fields.owned("effect").into(),
        heartbeat,
        feedback: None,
    }
}

/// Whether a detector only pretends: `true`, `false`, or how long at least.
pub(super) fn dry_run(report: &Report<'_>, fields: &Fields<'_, '_>) -> DryRun {
    let Some((text, node)) = fields.text("dry_run") else { return DryRun::No };
    match (text, parse_duration(text)) {
        ("true", _) => DryRun::Always,
        ("false", _) => DryRun::No,
        (_, Some(span)) if !span.is_zero() => DryRun::AtLeast(span),
        _ => {
            let hint = "write `true`, or how long at least: `24h`";
            report.error(node.at, "form", format!("`dry_run: {text}` says neither whether nor how long"), hint);
            DryRun::Always
        }
    }
}

//! Actions of detectors: `raise`, `notify shift_lead`, `write stop_request = true`, each checked against what it names.

use super::{
    detectors::Surroundings,
    fields::suggest,
    model::{ControlDraft, KindDraft},
    tree::{self, At, Node},
};
use crate::{
    Value, ValueType,
    detector::{Action, ActionKind},
    expression::{Expression, NodeKind, Type, nearest},
};
use std::sync::Arc;

/// The verbs and how each is written.
const VERBS: [(&str, &str); 9] = [
    ("raise", "raise"),
    ("clear", "clear"),
    ("notify", "notify <target>"),
    ("write", "write <control> = <value>"),
    ("publish", "publish <topic> <payload>"),
    ("set", "set <variable> = <value>"),
    ("put", "put <property> = <value>"),
    ("send", "send <detector>"),
    ("webhook", "webhook <target>"),
];

/// Reads one action; `None` if it is reported as wrong.
pub(super) fn action(around: &Surroundings<'_>, text: &str, node: &Node) -> Option<Action> {
    let report = around.reader.report;
    let words = text.trim();
    let (verb, rest) = words.split_once(char::is_whitespace).map_or((words, ""), |(verb, rest)| (verb, rest.trim()));
    let place = |part: &str| {
        // `part` is a slice of `text`, except for empty ones made up on the way.
        let start =
            (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize).filter(|start| start + part.len() <= text.len());
        start.map_or(node.at, |start| tree::inside(report, node, start, start + part.len()))
    };
    let Some((_, form)) = VERBS.iter().find(|(known, _)| *known == verb) else {
        let hint = match nearest(verb, VERBS.iter().map(|(verb, _)| *verb)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("actions: {}", VERBS.map(|(_, form)| form).join(", ")),
        };
        report.error(place(verb), "unknown-action", format!("there is no action `{verb}`"), hint);
        return None;
    };
    let bare = matches!(verb, "raise" | "clear");
    if bare != rest.is_empty() {
        report.error(node.at, "form", format!("`{text}` is not how `{verb}` is written"), format!("write `{form}`"));
        return None;
    }
    let kind = match verb {
        "raise" => ActionKind::Raise,
        "clear" => ActionKind::Clear,
        "notify" => ActionKind::Notify { target: known(around, rest, around.targets, "notify target", place(rest))? },
        "webhook" => ActionKind::Webhook { target: known(around, rest, around.targets, "notify target", place(rest))? },
        "send" => ActionKind::Send { detector: known(around, rest, around.detectors, "detector", place(rest))? },
        "publish" => publish(around, rest, node, text)?,
        _ => assignment(around, verb, rest, form, node, text)?,
    };
    Some(Action { text: words.into(), kind })
}

pub(super) fn known(around: &Surroundings<'_>, name: &str, names: &[&str], what: &str, at: At) -> Option<Arc<str>> {
    if names.contains(&name) {
        return Some(name.into());
    }
    let hint = suggest(name, names.iter().copied(), &format!("{what}s"));
    around.reader.report.error(at, "unknown-name", format!("there is no {what} `{name}`"), hint);
    None
}

fn publish(around: &Surroundings<'_>, rest: &str, node: &Node, text: &str) -> Option<ActionKind> {
    let report = around.reader.report;
    let Some((topic, payload)) = rest.split_once(char::is_whitespace) else {
        report.error(node.at, "form", format!("`{text}` has no payload"), "write `publish <topic> <payload>`");
        return None;
    };
    if topic.contains(['+', '#']) {
        report.error(node.at, "form", format!("`{topic}` has a wildcard"), "publish to one topic");
        return None;
    }
    Some(ActionKind::Publish { topic: topic.into(), payload: payload.trim_start().into() })
}

/// `write`, `set` and `put`: a name, `=`, an expression.
fn assignment(around: &Surroundings<'_>, verb: &str, rest: &str, form: &str, node: &Node, text: &str) -> Option<ActionKind> {
    let report = around.reader.report;
    let Some((name, value)) = rest.split_once('=').filter(|(_, value)| !value.starts_with('=')) else {
        report.error(node.at, "form", format!("`{text}` has no `=`"), format!("write `{form}`"));
        return None;
    };
    let offset = |part: &str| part.as_ptr() as usize - text.as_ptr() as usize;
    let name = name.trim();
    let at = tree::inside(report, node, offset(name), offset(name) + name.len());
    let (value, shift) = (value.trim(), offset(value.trim()));
    match verb {
        "write" => write(around, name, at, value, node, shift),
        "set" => set(around, name, at, value, node, shift),
        _ => put(around, name, at, value, node, shift),
    }
}

fn write(around: &Surroundings<'_>, name: &str, at: At, value: &str, node: &Node, shift: usize) -> Option<ActionKind> {
    let reader = &around.reader;
    let model = &reader.world.models[reader.model];
    let Some(control) = model.controls.iter().find(|control| &*control.name == name) else {
        let controls = model.controls.iter().map(|control| &*control.name);
        let property = model.properties.iter().any(|property| &*property.name == name);
        let message = match property {
            true => format!("`{name}` is not a control: only controls may be written"),
            false => format!("the model {} has no control `{name}`", model.name),
        };
        reader.report.error(at, "unknown-name", message, suggest(name, controls, "controls"));
        return None;
    };
    if control.verify.is_none() {
        let hint = format!("add `verify: 2s` to the control {name}");
        let message = format!("nobody checks whether `{name}` took the value");
        reader.report.warning(node.at, "write-without-verify", message, hint);
    }
    if let Some(may) = &control.policy.detectors
        && !may.iter().any(|detector| **detector == *around.name)
    {
        let others = if may.is_empty() { "no detector".to_owned() } else { format!("only {}", may.join(", ")) };
        let message = format!("the control {name} lets {others} write it");
        reader.report.error(at, "refused-write", message, format!("add {} to its `detectors`", around.name));
    }
    let value = reader.expression(value, node, shift)?;
    let end = node.at.end;
    let place = At { start: tree::inside(reader.report, node, shift, shift + 1).start, end, ..node.at };
    fits(around, &format!("the control {name}"), control.value_type, &value, place)?;
    allowed(around, control, &value, place)?;
    Some(ActionKind::Write { control: control.name.clone(), value })
}

/// Refuses a constant that the control's own limits would refuse each time.
fn allowed(around: &Surroundings<'_>, control: &ControlDraft<'_>, value: &Expression, at: At) -> Option<()> {
    let NodeKind::Literal(constant) = &value.root.kind else { return Some(()) };
    let constant = constant.clone().coerce(control.value_type)?;
    let below = control.min.zip(constant.as_f64()).is_some_and(|(min, value)| value < min);
    let above = control.max.zip(constant.as_f64()).is_some_and(|(max, value)| value > max);
    if (control.allow.is_empty() || control.allow.contains(&constant)) && !below && !above {
        return Some(());
    }
    let allowed = match control.allow.is_empty() {
        true => "its `min` and `max`".to_owned(),
        false => control.allow.iter().map(Value::to_string).collect::<Vec<_>>().join(", "),
    };
    let message = format!("the control {} would always refuse {constant}", control.name);
    around.reader.report.error(at, "refused-write", message, format!("it allows {allowed}"));
    None
}

pub(super) fn set(around: &Surroundings<'_>, name: &str, at: At, value: &str, node: &Node, shift: usize) -> Option<ActionKind> {
    let reader = &around.reader;
    let Some((variable, first)) = reader.variables.iter().find(|(variable, _)| &**variable == name) else {
        let hint = match reader.variables.is_empty() {
            true => format!("declare it: `variables: {{ {name}: 0 }}`"),
            false => suggest(name, reader.variables.iter().map(|(name, _)| &**name), "variables"),
        };
        reader.report.error(at, "unknown-name", format!("there is no variable `{name}`"), hint);
        return None;
    };
    let value = reader.expression(value, node, shift)?;
    if let Some(value_type) = first.value_type() {
        fits(around, &format!("the variable {name}"), value_type, &value, node.at)?;
    }
    Some(ActionKind::Set { variable: variable.clone(), value })
}

fn put(around: &Surroundings<'_>, name: &str, at: At, value: &str, node: &Node, shift: usize) -> Option<ActionKind> {
    let reader = &around.reader;
    let model = &reader.world.models[reader.model];
    let Some(property) = model.properties.iter().find(|property| &*property.key == name) else {
        let names = model.properties.iter().filter(|property| !property.hidden).map(|property| &*property.key);
        let hint = suggest(name, names.collect::<Vec<_>>(), "properties");
        reader.report.error(at, "unknown-name", format!("the model {} has no property `{name}`", model.name), hint);
        return None;
    };
    if !matches!(property.kind, KindDraft::Measurement { .. } | KindDraft::Attribute { .. }) {
        let message = format!("`{name}` is computed, so nothing can be put there");
        reader.report.error(at, "form", message, "declare a measurement without `from:` for it");
        return None;
    }
    let value = reader.expression(value, node, shift)?;
    if let Some(value_type) = property.value_type {
        fits(around, &format!("the property {name}"), value_type, &value, node.at)?;
    }
    Some(ActionKind::Put { property: property.key.clone(), value })
}

/// Whether a value can go there at all.
fn fits(around: &Surroundings<'_>, what: &str, value_type: ValueType, value: &Expression, at: At) -> Option<()> {
    let (wanted, found) = (Type::from(value_type), value.result_type());
    let zero_or_one = matches!(value.root.kind, NodeKind::Literal(Value::Integer(0 | 1)));
    if wanted == found || found == Type::Null || (wanted == Type::Boolean && zero_or_one) {
        return Some(());
    }
    let message = format!("{what} takes {wanted}, and this is {found}");
    around.reader.report.error(at, "type", message, "");
    None
}

/// Reports `{name}`s in a text that mean nothing. Braces around anything that is no name are left alone.
pub(super) fn check_template(around: &Surroundings<'_>, text: &str, node: &Node, shift: usize) {
    let mut start = 0;
    while let Some(open) = text[start..].find('{').map(|found| start + found) {
        start = open + 1;
        let Some(length) = text[start..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')) else { return };
        let name = &text[start..start + length];
        let closed = text[start + length..].starts_with('}');
        if !closed || name.is_empty() || matches!(name, "asset" | "detector" | "state") || around.reader.knows(name) {
            continue;
        }
        let at = tree::inside(around.reader.report, node, shift + start, shift + start + length);
        let message = format!("the text speaks of `{name}`, which is not a property");
        around.reader.report.error(at, "unknown-name", message, around.reader.hint(name));
    }
}

//! Types that do not go together, as far as texts alone tell them.

use super::{Spot, Subject};
use crate::{
    Value,
    expression::{Type, event::EventExpression},
    iot_events::{
        finding::{FindingKind, Findings},
        formula::Formula,
        model::{Action, Content, PayloadType},
        shape::ActionKind,
    },
};
use std::collections::BTreeMap;

const KIND: FindingKind = FindingKind::DataType;

pub(super) fn check(subject: &Subject<'_>, findings: &Findings) {
    let mut uses = BTreeMap::new();
    for spot in subject.spots() {
        condition(&spot, findings);
        for (place, action) in spot.actions() {
            fields(&spot, &place, action, findings);
            payload(&spot, &place, action, findings);
            if let (ActionKind::SetVariable, Some(Content::Formula(value))) = (action.kind, action.field("value"))
                && let Some(is) = value.expression().and_then(EventExpression::result_type)
            {
                one_type(
                    &spot,
                    &format!("{place}.value"),
                    &format!("$variable.{}", action.text("variableName")),
                    is,
                    &mut uses,
                    findings,
                );
            }
        }
        for (place, formula) in spot.formulas() {
            let Some(expression) = formula.expression() else { continue };
            for conflict in expression.conflicts() {
                spot.warn(findings, KIND, &place, format!("{} ({})", conflict.message, conflict.hint));
            }
            for used in expression.type_uses() {
                one_type(&spot, &place, &used.reference, used.wanted, &mut uses, findings);
            }
        }
    }
}

/// Notes the type a reference is used with; says so if it was used with another before.
fn one_type(
    spot: &Spot<'_>,
    place: &str,
    reference: &str,
    wanted: Type,
    uses: &mut BTreeMap<String, (Type, String)>,
    findings: &Findings,
) {
    match uses.get(reference) {
        None => _ = uses.insert(reference.to_owned(), (wanted, spot.path(place))),
        Some((before, _)) if *before == wanted => {}
        Some((before, at)) => {
            let message = format!("`{reference}` is used as {wanted} here, and as {before} at {at}");
            spot.warn(findings, KIND, place, message);
        }
    }
}

fn condition(spot: &Spot<'_>, findings: &Findings) {
    let is = spot.event.condition.as_ref().and_then(Formula::expression).and_then(EventExpression::result_type);
    if let Some(is) = is.filter(|is| *is != Type::Boolean) {
        spot.warn(findings, KIND, "condition", format!("a condition is a Boolean; this is {is}, so it never holds"));
    }
}

/// The type each field asks for.
fn wanted(kind: ActionKind, field: &str) -> Option<Type> {
    Some(match (kind, field) {
        (ActionKind::SetTimer, "durationExpression") => Type::Number,
        (
            ActionKind::IotSiteWise,
            "propertyValue.value.integerValue"
            | "propertyValue.value.doubleValue"
            | "propertyValue.timestamp.timeInSeconds"
            | "propertyValue.timestamp.offsetInNanos",
        ) => Type::Number,
        (ActionKind::IotSiteWise, "propertyValue.value.booleanValue") => Type::Boolean,
        (ActionKind::IotTopicPublish | ActionKind::IotSiteWise, _) => Type::String,
        _ => return None,
    })
}

fn fields(spot: &Spot<'_>, place: &str, action: &Action, findings: &Findings) {
    for field in &action.fields {
        let Content::Formula(formula) = &field.content else { continue };
        let Some(expression) = formula.expression() else { continue };
        let (Some(wanted), Some(is)) = (wanted(action.kind, field.name), expression.result_type()) else { continue };
        if wanted != is && !written_as_text(expression.constant(), wanted) {
            spot.warn(
                findings,
                KIND,
                &format!("{place}.{}", field.name),
                format!("this is {wanted}, but the expression is {is}"),
            );
        }
    }
}

/// Whether a constant text holds a number or a truth value, as AWS's guide writes them.
fn written_as_text(constant: Option<&Value>, wanted: Type) -> bool {
    let Some(Value::String(text)) = constant else { return false };
    match wanted {
        Type::Number => text.trim().parse::<f64>().is_ok(),
        Type::Boolean => matches!(&**text, "true" | "false"),
        Type::String | Type::Null | Type::Any => false,
    }
}

fn payload(spot: &Spot<'_>, place: &str, action: &Action, findings: &Findings) {
    let Some(payload) = action.payload.as_ref().filter(|payload| payload.payload_type == PayloadType::Json) else { return };
    let Some(expression) = payload.content.expression() else { return };
    let inside = format!("{place}.payload.contentExpression");
    if let Some(is) = expression.result_type().filter(|is| *is != Type::String) {
        let message = format!("a JSON payload is a text that holds JSON; this is {is}");
        spot.warn(findings, FindingKind::ExpressionSyntax, &inside, message);
    }
    if let Some(Value::String(text)) = expression.constant()
        && let Err(error) = serde_json::from_str::<serde_json::Value>(text)
    {
        spot.warn(findings, FindingKind::ExpressionSyntax, &inside, format!("the payload is not JSON: {error}"));
    }
    for (span, is, quoted) in expression.substitutions() {
        let bare = is.filter(|is| !quoted && *is == Type::String);
        if bare.is_some() {
            let shown = payload.content.text.get(span.start..span.end).unwrap_or_default();
            let message = format!("`{shown}` is a text and stands bare in JSON; put it in double quotes");
            spot.warn(findings, KIND, &inside, message);
        }
    }
}

//! Reads actions, by the table of their kinds.

use super::{
    MAX_TIMER_SECONDS,
    cursor::{Cursor, Object},
    finding::FindingKind,
    formula::Formula,
    model::{Action, Content, Field, Payload, PayloadType},
    shape::{ActionKind, ActionShape, FieldRule, FieldShape, SHAPES},
};
use crate::expression::nearest;

/// Reads one action: an object with exactly one member.
pub(super) fn action(cursor: &Cursor<'_>) -> Option<Action> {
    let object = cursor.object()?;
    let mut members = object.members();
    let Some((name, inner)) = members.next() else {
        cursor.error("the action is empty; give it one kind, such as `setVariable`");
        return None;
    };
    if let Some((second, place)) = members.next() {
        place.error(format!("an action has one kind; `{name}` and `{second}` are two actions"));
        return None;
    }
    // CloudFormation writes `DynamoDB`, `IotEvents` and the like.
    let Some(shape) = SHAPES.iter().find(|shape| shape.name.eq_ignore_ascii_case(name)) else {
        let near = nearest(name, SHAPES.iter().map(|shape| shape.name));
        let hint = near.map_or_else(
            || format!("known are {}", SHAPES.iter().map(|shape| shape.name).collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        inner.report().error(FindingKind::SupportedActions, &inner.path, format!("there is no action `{name}`; {hint}"));
        return None;
    };
    read(shape, &inner.object()?)
}

fn read(shape: &'static ActionShape, object: &Object<'_>) -> Option<Action> {
    let mut known: Vec<&str> = shape.fields.iter().map(|field| outer(field.name)).collect();
    known.extend(shape.payload.then_some("payload"));
    object.only(&known);
    let mut fields = Vec::new();
    let mut whole = true;
    for field in shape.fields {
        match place(object, field.name) {
            Some(cursor) => match content(shape.kind, field, &cursor) {
                Some(content) => fields.push(Field { name: field.name, content }),
                None => whole = false,
            },
            None if field.required => {
                object.error(format!("`{}` is missing", field.name));
                whole = false;
            }
            None => {}
        }
    }
    let payload = object.get("payload").filter(|_| shape.payload);
    let payload = match payload.as_ref().map(payload_of) {
        Some(None) => return None,
        Some(payload) => payload,
        None => None,
    };
    let action = Action { kind: shape.kind, fields, payload };
    (whole && fits(&action, object)).then_some(action)
}

fn outer(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The member a dotted name leads to.
fn place<'d>(object: &Object<'d>, name: &str) -> Option<Cursor<'d>> {
    match name.split_once('.') {
        Some((first, rest)) => place(&object.get(first)?.object()?, rest),
        None => object.get(name),
    }
}

fn content(kind: ActionKind, field: &FieldShape, cursor: &Cursor<'_>) -> Option<Content> {
    Some(match field.rule {
        FieldRule::Text => Content::Text(filled(cursor)?),
        FieldRule::Name => {
            let name = filled(cursor)?;
            let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if !(name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(letters)) {
                let message = format!("`{name}` is not a name of IoT Events: letters, digits and `_`, beginning with a letter");
                cursor.report().warning(FindingKind::Structure, &cursor.path, message);
            }
            Content::Text(name)
        }
        FieldRule::Word(words) => {
            let word = cursor.text()?;
            if !words.contains(&&*word) {
                cursor.error(format!("expected one of {words:?}, found {word:?}"));
                return None;
            }
            Content::Text(word)
        }
        FieldRule::Seconds => {
            let seconds = cursor.integer()?;
            if !(1..=MAX_TIMER_SECONDS).contains(&seconds) {
                let message = format!("a timer runs 1 to {MAX_TIMER_SECONDS} s, not {seconds}");
                cursor.report().error(FindingKind::ServiceLimits, &cursor.path, message);
                return None;
            }
            Content::Number(seconds)
        }
        FieldRule::Flag => Content::Flag(cursor.flag()?),
        FieldRule::Expression => {
            // What only changes the detector decides what it does next; what is sent may fail alone, and is reported when it does.
            let vital = kind.is_internal();
            Content::Formula(formula(cursor, vital)?)
        }
        FieldRule::ExpressionOrText => {
            let text = filled(cursor)?;
            if text.contains(['\'', '"', '$', '+']) { Content::Formula(formula(cursor, false)?) } else { Content::Text(text) }
        }
    })
}

fn filled(cursor: &Cursor<'_>) -> Option<std::sync::Arc<str>> {
    let text = cursor.text()?;
    if text.trim().is_empty() {
        cursor.error("the text is empty");
        return None;
    }
    Some(text)
}

/// Reads an expression. One that is `vital` and cannot be read is an error; any other is a doubt, and fails when it is evaluated.
pub(super) fn formula(cursor: &Cursor<'_>, vital: bool) -> Option<Formula> {
    let formula = Formula::parse(&cursor.text()?);
    match (formula.mistake(), vital) {
        (Some(mistake), true) => {
            cursor.report().error(FindingKind::ExpressionSyntax, &cursor.path, mistake.to_string());
            return None;
        }
        (Some(mistake), false) => {
            let message = format!("{mistake}; the action fails whenever it is due");
            cursor.report().warning(FindingKind::ExpressionSyntax, &cursor.path, message);
        }
        (None, _) => {}
    }
    Some(formula)
}

fn payload_of(cursor: &Cursor<'_>) -> Option<Payload> {
    let object = cursor.object()?;
    object.only(&["contentExpression", "type"]);
    let payload_type = match object.text("type").as_deref() {
        Some("STRING") => PayloadType::String,
        Some("JSON") => PayloadType::Json,
        Some(other) => {
            object.error(format!("`type` is STRING or JSON, not {other}"));
            return None;
        }
        None => {
            object.error("`type` is missing; it is STRING or JSON");
            return None;
        }
    };
    let content = object.need("contentExpression")?;
    if content.text()?.trim().is_empty() {
        content.report().error(
            FindingKind::ExpressionSyntax,
            &content.path,
            "the payload is empty; leave it out to send the default payload",
        );
        return None;
    }
    Some(Payload { content: formula(&content, false)?, payload_type })
}

/// What fields ask of one another.
fn fits(action: &Action, object: &Object<'_>) -> bool {
    let has = |name: &str| action.field(name).is_some();
    match action.kind {
        ActionKind::SetTimer if has("seconds") && has("durationExpression") => {
            object.error("`seconds` and `durationExpression` exclude one another");
            false
        }
        ActionKind::SetTimer if !has("seconds") && !has("durationExpression") => {
            object.error("a timer needs `seconds` or `durationExpression`");
            false
        }
        ActionKind::IotSiteWise if !has("propertyAlias") && (!has("assetId") || !has("propertyId")) => {
            object.error("the property is missing: give `propertyAlias`, or `assetId` and `propertyId`");
            false
        }
        ActionKind::IotSiteWise if !action.fields.iter().any(|field| field.name.starts_with("propertyValue.value.")) => {
            object.error(
                "the value is missing: give `propertyValue.value` a stringValue, integerValue, doubleValue or booleanValue",
            );
            false
        }
        _ => true,
    }
}

//! What actions do: variables and timers at once, everything else as evaluated fields for whoever performs it.

use super::{
    evaluation::{Moment, Performed},
    payload::{Content, value_json},
    program::{Deed, Span},
    scene::Scene,
};
use andon_models::{
    Value, ValueType,
    expression::event::EventOutcome,
    iot_events::{self, Action, ActionKind, Formula, MAX_TIMER_SECONDS, PayloadType},
};
use serde_json::Value as Json;
use std::{sync::Arc, time::Duration};

/// Most bytes of a payload or field; what expressions make is bounded as well.
const MAX_CONTENT: usize = 256 << 10;

/// Why a field has no value.
type Reason = Arc<str>;

impl Scene<'_> {
    pub(super) fn deed(&mut self, at: Moment, event: &Arc<str>, deed: &Deed) {
        match deed {
            Deed::Set { variable, value } => self.set(at, event, *variable, value),
            Deed::StartTimer { timer, span } => self.start_timer(at, event, *timer, span),
            Deed::ResetTimer(timer) => {
                if let Some(span) = self.body.timers[*timer].span {
                    self.run_timer(*timer, span);
                }
                self.timer_done(at, event, ActionKind::ResetTimer, *timer, Vec::new());
            }
            Deed::ClearTimer(timer) => {
                let cleared = &mut self.body.timers[*timer];
                cleared.due = None;
                cleared.settled = true;
                self.timer_done(at, event, ActionKind::ClearTimer, *timer, Vec::new());
            }
            Deed::Send(action) => self.send(at, event, action),
        }
    }

    /// Assigns. What is undefined leaves the variable as it was.
    fn set(&mut self, at: Moment, event: &Arc<str>, variable: usize, value: &Formula) {
        let kind = ActionKind::SetVariable;
        match value.evaluate(self) {
            EventOutcome::Value(Value::Null) | EventOutcome::Undefined => {}
            EventOutcome::Failed(reason) => self.run.fail(at, event, Some(kind), "value", value, reason),
            EventOutcome::Value(new) => {
                let name = Json::from(&*self.body.program.variables[variable]);
                let fields = vec![("variableName", name), ("value", value_json(&new))];
                self.body.variables[variable] = Some(new);
                self.run.performed.push(Performed { at, event: event.clone(), kind, fields, payload: None });
            }
        }
    }

    fn start_timer(&mut self, at: Moment, event: &Arc<str>, timer: usize, span: &Span) {
        let (seconds, evaluated) = match span {
            Span::Seconds(seconds) => (*seconds, None),
            Span::Formula(formula) => match self.seconds(formula) {
                Ok((seconds, evaluated)) => (seconds, Some(evaluated)),
                Err(reason) => {
                    return self.run.fail(at, event, Some(ActionKind::SetTimer), "durationExpression", formula, reason);
                }
            },
        };
        self.run_timer(timer, Duration::from_secs(seconds.unsigned_abs()));
        let mut fields: Vec<_> = evaluated.map(|value| ("durationExpression", value)).into_iter().collect();
        fields.push(("seconds", seconds.into()));
        self.timer_done(at, event, ActionKind::SetTimer, timer, fields);
    }

    /// The whole seconds of a duration, rounded down, and the duration as evaluated.
    fn seconds(&mut self, formula: &Formula) -> Result<(i64, Json), Reason> {
        let value = self.value(formula)?;
        let seconds = match &value {
            Value::Integer(seconds) => Some(*seconds),
            Value::Double(seconds) => Some(seconds.floor() as i64),
            Value::String(text) => text.trim().parse::<f64>().ok().map(|seconds| seconds.floor() as i64),
            Value::Null | Value::Boolean(_) => None,
        };
        match seconds {
            Some(seconds) if (1..=MAX_TIMER_SECONDS).contains(&seconds) => Ok((seconds, value_json(&value))),
            Some(_) => Err(format!("a timer runs 1 to {MAX_TIMER_SECONDS} s, not {value}").into()),
            None => Err(format!("`{value}` is no number of seconds").into()),
        }
    }

    fn run_timer(&mut self, timer: usize, span: Duration) {
        let running = &mut self.body.timers[timer];
        running.due = Some(self.now + span);
        running.span = Some(span);
        running.settled = true;
    }

    fn timer_done(&mut self, at: Moment, event: &Arc<str>, kind: ActionKind, timer: usize, more: Vec<(&'static str, Json)>) {
        let name = Json::from(&*self.body.program.timers[timer]);
        let fields = std::iter::once(("timerName", name)).chain(more).collect();
        self.run.performed.push(Performed { at, event: event.clone(), kind, fields, payload: None });
    }

    /// Evaluates an action that reaches out. If any part of it cannot be evaluated it is not done, and every such part is named.
    fn send(&mut self, at: Moment, event: &Arc<str>, action: &Action) {
        let mut fields = Vec::with_capacity(action.fields.len());
        let failures = self.run.failures.len();
        for field in &action.fields {
            match &field.content {
                iot_events::Content::Text(text) => fields.push((field.name, Json::from(&**text))),
                iot_events::Content::Number(number) => fields.push((field.name, (*number).into())),
                iot_events::Content::Flag(flag) => fields.push((field.name, (*flag).into())),
                iot_events::Content::Formula(formula) => {
                    match self.value(formula).and_then(|value| fitting(field.name, value)) {
                        Ok(value) => fields.push((field.name, value)),
                        Err(reason) => self.run.fail(at, event, Some(action.kind), field.name, formula, reason),
                    }
                }
            }
        }
        let payload = match &action.payload {
            _ if !action.shape().payload => None,
            None => Some(self.default_payload(event)),
            Some(payload) => match self.content(payload) {
                Ok(content) => Some(content),
                Err(reason) => {
                    self.run.fail(at, event, Some(action.kind), "payload", &payload.content, reason);
                    None
                }
            },
        };
        if self.run.failures.len() == failures {
            self.run.performed.push(Performed { at, event: event.clone(), kind: action.kind, fields, payload });
        }
    }

    fn content(&mut self, payload: &iot_events::Payload) -> Result<Content, Reason> {
        let value = self.value(&payload.content)?;
        let text: Arc<str> = match value {
            Value::String(text) => text,
            value => value.to_string().into(),
        };
        if payload.payload_type == PayloadType::Json {
            serde_json::from_str::<Json>(&text)
                .map_err(|error| Reason::from(format!("it is not JSON: {error}; it reads {}", beginning(&text))))?;
        }
        Ok(Content { text, payload_type: payload.payload_type })
    }

    /// The value of a part of an action, which must have one.
    fn value(&mut self, formula: &Formula) -> Result<Value, Reason> {
        match formula.evaluate(self) {
            EventOutcome::Value(Value::String(text)) if text.len() > MAX_CONTENT => {
                Err(format!("it has {} bytes; at most {MAX_CONTENT} are sent", text.len()).into())
            }
            EventOutcome::Value(Value::Null) => Err("it is null".into()),
            EventOutcome::Value(value) => Ok(value),
            EventOutcome::Undefined => Err("it is undefined".into()),
            EventOutcome::Failed(reason) => Err(reason),
        }
    }
}

/// A field's value in the type that the field asks for. Numbers and truth values may be written as texts, as AWS's guide does.
fn fitting(field: &str, value: Value) -> Result<Json, Reason> {
    let wrong = |what: &str, value: &Value| Reason::from(format!("expected {what}, found `{value}`"));
    match field {
        "propertyValue.value.integerValue"
        | "propertyValue.timestamp.timeInSeconds"
        | "propertyValue.timestamp.offsetInNanos" => match &value {
            Value::Integer(number) => Ok((*number).into()),
            Value::String(text) => text.trim().parse::<i64>().map(Json::from).map_err(|_| wrong("a whole number", &value)),
            Value::Double(_) => match value.clone().coerce(ValueType::Integer) {
                Some(Value::Integer(number)) => Ok(number.into()),
                _ => Err(wrong("a whole number", &value)),
            },
            _ => Err(wrong("a whole number", &value)),
        },
        "propertyValue.value.doubleValue" => match &value {
            Value::Integer(number) => Ok((*number as f64).into()),
            Value::Double(number) => Ok((*number).into()),
            Value::String(text) => {
                let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
                number.map(Json::from).ok_or_else(|| wrong("a number", &value))
            }
            _ => Err(wrong("a number", &value)),
        },
        "propertyValue.value.booleanValue" => match &value {
            Value::Boolean(truth) => Ok((*truth).into()),
            Value::String(text) if &**text == "true" || &**text == "false" => Ok((&**text == "true").into()),
            _ => Err(wrong("true or false", &value)),
        },
        "hashKeyValue" | "rangeKeyValue" => Ok(value_json(&value)),
        _ => Ok(Json::from(value.to_string())),
    }
}

fn beginning(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_no_whole_one_of_64_bits_is_not_sent_as_one() {
        let whole =
            |number: f64| fitting("propertyValue.value.integerValue", Value::Double(number)).map_err(|why| why.to_string());
        assert_eq!(whole(-3.0), Ok(Json::from(-3)));
        assert_eq!(whole(-9_223_372_036_854_775_808.0), Ok(Json::from(i64::MIN)));
        for number in [0.5, 1e300, -1e300, 9_223_372_036_854_775_808.0] {
            assert!(whole(number).is_err_and(|why| why.starts_with("expected a whole number")), "{number}");
        }
    }
}

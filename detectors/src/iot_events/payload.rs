//! What actions send: a payload that was evaluated, or the default one.

use super::{evaluation::Trigger, scene::Scene};
use andon_models::{EventId, Value, iot_events::PayloadType};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// The version that default payloads name. A definition has one here: the one that runs.
const VERSION: &str = "1";

/// What an action sends.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// Its text.
    pub text: Arc<str>,
    /// Whether it is JSON.
    pub payload_type: PayloadType,
}

impl Content {
    /// As JSON: itself, or the text as a JSON string.
    pub fn to_json(&self) -> Json {
        let parsed = (self.payload_type == PayloadType::Json).then(|| serde_json::from_str(&self.text).ok());
        parsed.flatten().unwrap_or_else(|| Json::from(&*self.text))
    }
}

impl Scene<'_> {
    /// What an action without a payload sends.
    ///
    /// Source: AWS IoT Events developer guide, "Supported actions", payload.
    pub(super) fn default_payload(&self, event: &Arc<str>) -> Content {
        let body = &self.body;
        let variables: Map<String, Json> =
            body.set_variables().map(|(name, value)| (name.to_string(), value_json(value))).collect();
        let timers: Map<String, Json> =
            body.running_timers().map(|(name, due)| (name.to_string(), due.as_millis().into())).collect();
        let details = match self.trigger {
            Trigger::Message { input, id } => json!({ "inputName": &**input, "messageId": &**id, "triggerType": "Message" }),
            Trigger::Timer(name) => json!({ "timerName": &**name, "triggerType": "Timer" }),
        };
        let payload = json!({
            "eventTime": self.now.as_millis(),
            "payload": {
                "actionExecutionId": self.execution_id(),
                "detector": {
                    "detectorModelName": &*body.program.model.name,
                    "keyValue": body.key.as_deref(),
                    "detectorModelVersion": VERSION,
                },
                "eventTriggerDetails": details,
                "state": { "stateName": &*body.state(), "variables": variables, "timers": timers },
            },
            "eventName": &**event,
        });
        Content { text: payload.to_string().into(), payload_type: PayloadType::Json }
    }

    /// Derived from what happens: the same evaluation replayed has the same id.
    fn execution_id(&self) -> String {
        let body = &self.body;
        let place = (body.evaluations, self.run.performed.len());
        let key = body.key.as_deref().unwrap_or_default();
        EventId::from_name(&format!("{}/{key}/{}/{}", body.program.model.name, place.0, place.1)).to_string()
    }
}

/// A value as JSON.
pub(super) fn value_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(truth) => (*truth).into(),
        Value::Integer(number) => (*number).into(),
        Value::Double(number) => (*number).into(),
        Value::String(text) => Json::from(&**text),
    }
}

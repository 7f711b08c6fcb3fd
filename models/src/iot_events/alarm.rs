//! A detector over messages that is an alarm: its states are those of IoT Events, and what people do to it is a message.
//!
//! Source: IoT Events API, `AlarmState`, `CustomerAction`.

use super::{
    JsonPath,
    cursor::Object,
    model::{DetectorModel, State},
};
use crate::{
    AssetId,
    alarm::{AlarmState, AlarmVerb, Priority},
    expression::event::PathStep,
};
use serde_json::{Map, Value, json};
use std::{sync::Arc, time::Duration};

/// The states of an alarm.
const STATES: [&str; 6] = ["DISABLED", "NORMAL", "ACTIVE", "ACKNOWLEDGED", "LATCHED", "SNOOZE_DISABLED"];
/// Members of it in the plant file.
const MEMBERS: &[&str] = &["priority", "message", "input"];

/// What makes a detector an alarm.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageAlarm {
    /// How urgent it is.
    pub priority: Priority,
    /// What it says.
    pub message: Arc<str>,
    /// The input of what people do to it: its key, `action`, and beside it `seconds`, `note` and `by`.
    pub input: Arc<str>,
}

impl MessageAlarm {
    /// How an alarm without a key is called where others have theirs.
    pub const NO_KEY: &str = "-";

    /// The number under which the alarm of a key goes, as alarms of assets go under their asset's.
    pub fn number(detector: &str, key: Option<&str>) -> AssetId {
        AssetId::from_name(&format!("alarm over messages/{detector}/{}", key.unwrap_or_default()))
    }

    /// Whether a number is that of the alarm of a key, or of the one without.
    pub fn is_number(number: AssetId, detector: &str, key: &str) -> bool {
        number == Self::number(detector, Some(key)) || (key == Self::NO_KEY && number == Self::number(detector, None))
    }

    /// The word of IoT Events for what somebody does, if it has one.
    pub fn action(verb: AlarmVerb) -> Option<&'static str> {
        Some(match verb {
            AlarmVerb::Acknowledge => "ACKNOWLEDGE",
            AlarmVerb::Shelve => "SNOOZE",
            // What comes back from a snooze is normal until the next message.
            AlarmVerb::Unshelve | AlarmVerb::Reset => "RESET",
            AlarmVerb::RemoveFromService => "DISABLE",
            AlarmVerb::ReturnToService => "ENABLE",
            _ => return None,
        })
    }

    /// What somebody does, by the word of IoT Events.
    pub fn verb(action: &str) -> Option<AlarmVerb> {
        let verbs = [
            AlarmVerb::Acknowledge,
            AlarmVerb::Shelve,
            AlarmVerb::Reset,
            AlarmVerb::RemoveFromService,
            AlarmVerb::ReturnToService,
        ];
        verbs.into_iter().find(|verb| Self::action(*verb) == Some(action))
    }

    /// The message that says what somebody does; none when the key cannot be written into one.
    pub fn deed(key: Option<(&JsonPath, &str)>, action: &str, span: Option<Duration>, by: &str, note: &str) -> Option<Value> {
        let mut message = json!({ "action": action, "by": by, "note": note });
        if let Some(span) = span {
            message["seconds"] = span.as_secs().into();
        }
        if let Some((path, key)) = key {
            put(&mut message, path.steps(), key)?;
        }
        Some(message)
    }

    /// Reads it in the plant file.
    pub(super) fn read(object: &Object<'_>, states: &[State]) -> Option<Self> {
        object.only(MEMBERS);
        for state in states.iter().filter(|state| state.is_leaf() && !STATES.contains(&&*state.name)) {
            object.error(format!("an alarm has no state `{}`; its states are {}", state.name, STATES.join(", ")));
        }
        let priority = match object.get("priority") {
            None => Priority::default(),
            Some(cursor) => {
                let read = serde_json::from_value(Value::from(&*cursor.text()?));
                read.map_err(|_| cursor.error("expected critical, high, medium or low")).ok()?
            }
        };
        let input = object.need("input").and_then(|cursor| cursor.text())?;
        Some(Self { priority, message: object.text("message").unwrap_or_default(), input })
    }

    /// As the plant file holds it.
    pub(super) fn write(&self) -> Value {
        json!({ "priority": self.priority.to_string(), "message": &*self.message, "input": &*self.input })
    }
}

impl DetectorModel {
    /// The state of the alarm of an instance that stands in a state.
    pub fn alarm_state(&self, state: &str) -> AlarmState {
        let flow = self.state_named("ACKNOWLEDGED").is_some();
        match state {
            "ACTIVE" if flow => AlarmState::Unacknowledged,
            "ACTIVE" | "ACKNOWLEDGED" => AlarmState::Acknowledged,
            "LATCHED" => AlarmState::ReturnedUnacknowledged,
            "SNOOZE_DISABLED" => AlarmState::Shelved,
            "DISABLED" => AlarmState::OutOfService,
            _ => AlarmState::Normal,
        }
    }
}

/// Puts a text into objects inside objects; none when the way leads into a list.
fn put(message: &mut Value, steps: &[PathStep], text: &str) -> Option<()> {
    let (step, inside) = steps.split_first()?;
    let (PathStep::Name(name), Value::Object(members)) = (step, message) else { return None };
    if inside.is_empty() {
        members.insert(name.to_string(), text.into());
        return Some(());
    }
    put(members.entry(name.to_string()).or_insert_with(|| Map::new().into()), inside, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deed_is_a_message_with_the_key_in_its_place() {
        let path = |text| JsonPath::parse(text).unwrap();
        let at =
            |text, key| MessageAlarm::deed(Some((&path(text), key)), "SNOOZE", Some(Duration::from_secs(60)), "kim", "why");
        assert_eq!(
            at("machine.id", "M-1").unwrap(),
            json!({ "action": "SNOOZE", "by": "kim", "note": "why", "seconds": 60, "machine": { "id": "M-1" } })
        );
        assert_eq!(at("machines[0].id", "M-1"), None);
        assert_eq!(
            MessageAlarm::deed(None, "RESET", None, "", "").unwrap(),
            json!({ "action": "RESET", "by": "", "note": "" })
        );
    }

    #[test]
    fn words_of_iot_events_and_verbs_agree() {
        for action in ["ACKNOWLEDGE", "SNOOZE", "RESET", "DISABLE", "ENABLE"] {
            assert_eq!(MessageAlarm::verb(action).and_then(MessageAlarm::action), Some(action));
        }
        assert_eq!(MessageAlarm::verb("EXPLODE"), None);
    }
}

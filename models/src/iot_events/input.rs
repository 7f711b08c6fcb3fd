//! Inputs: what messages are called and what they hold.

use super::{cursor::Cursor, finding::FindingKind, json_path::JsonPath};
use crate::{definition::TopicPattern, event::ReceivedMessage};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Most attributes of an input, as on AWS.
pub(super) const MAX_ATTRIBUTES: usize = 200;

/// A kind of message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: Arc<str>,
    /// What it is for; empty if nothing is said.
    pub description: Arc<str>,
    /// The places that expressions may read. Messages may hold more.
    pub attributes: Vec<JsonPath>,
    /// Where such messages come from, if by MQTT.
    pub topic: Option<InputTopic>,
}

/// The topic of an input: `motors/{motorid}/pressure @broker`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputTopic {
    /// The topic. What a named level captures becomes a member of the message, unless the message has it.
    pub pattern: TopicPattern,
    /// The MQTT source, by name.
    pub source: Arc<str>,
}

/// A message for detectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputMessage {
    /// The input's name.
    pub input: Arc<str>,
    /// What it says.
    pub payload: Arc<Value>,
    /// Its id; none derives one.
    pub id: Option<Arc<str>>,
    /// A broker had kept it and sends it at every connection: who has it as the last one already does not take it again.
    #[serde(default)]
    pub retained: bool,
}

impl InputMessage {
    /// As it is recorded.
    pub fn received(&self) -> ReceivedMessage {
        let payload = self.payload.to_string().into();
        ReceivedMessage { input: self.input.clone(), payload, message: self.id.clone(), retained: self.retained }
    }

    /// A recorded message, to be taken again.
    ///
    /// # Errors
    /// When what was recorded is no JSON.
    pub fn again(received: &ReceivedMessage) -> Result<Self, serde_json::Error> {
        let payload = Arc::new(serde_json::from_str(&received.payload)?);
        Ok(Self { input: received.input.clone(), payload, id: received.message.clone(), retained: received.retained })
    }
}

impl InputTopic {
    /// The message on a topic, if the pattern is about it. A payload that is no object is the member `value` of one: keys and
    /// expressions find it there.
    pub fn message(&self, topic: &str, payload: &Value) -> Option<Value> {
        let captures = self.pattern.captures(topic)?;
        let mut members = match payload {
            Value::Object(members) => members.clone(),
            other => std::iter::once(("value".to_owned(), other.clone())).collect(),
        };
        for (name, level) in captures.into_iter().filter(|(name, _)| !matches!(*name, "" | "_")) {
            members.entry(name).or_insert_with(|| level.into());
        }
        Some(members.into())
    }
}

impl std::fmt::Display for InputTopic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} @{}", self.pattern, self.source)
    }
}

impl std::str::FromStr for InputTopic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (pattern, source) = text.rsplit_once('@').ok_or("write `motors/{motorid}/pressure @broker`: it names no source")?;
        let (pattern, source) = (pattern.trim(), source.trim());
        if source.is_empty() {
            return Err("write `motors/{motorid}/pressure @broker`: it names no source".into());
        }
        Ok(Self { pattern: pattern.parse()?, source: source.into() })
    }
}

/// Reads the body of a create-input request, or what is described of an input. A template may leave the name to its place in it.
pub(super) fn input(cursor: &Cursor<'_>, fallback: &str) -> Option<Input> {
    let object = cursor.object()?;
    object.only(&["inputName", "inputDescription", "inputDefinition", "tags"]);
    let name = match object.get("inputName") {
        Some(name) => name.text()?,
        None if fallback.is_empty() => {
            object.error("`inputName` is missing");
            return None;
        }
        None => fallback.into(),
    };
    let definition = object.need("inputDefinition")?.object()?;
    definition.only(&["attributes"]);
    let attribute = |item: Cursor<'_>| {
        let path = item.object()?.need("jsonPath")?;
        JsonPath::parse(&path.text()?).map_err(|mistake| path.error(mistake)).ok()
    };
    let attributes: Vec<_> = definition.list("attributes", MAX_ATTRIBUTES).into_iter().filter_map(attribute).collect();
    if attributes.is_empty() {
        object.report().warning(FindingKind::Structure, &object.path, "the input has no attributes; AWS asks for at least one");
    }
    Some(Input { name, description: object.text("inputDescription").unwrap_or_default(), attributes, topic: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(topic: &str, on: &str, payload: Value) -> Option<Value> {
        topic.parse::<InputTopic>().unwrap().message(on, &payload)
    }

    #[test]
    fn a_topic_fills_in_what_the_message_does_not_say() {
        let topic = "motors/{motorid}/+/pressure @broker";
        assert_eq!(message(topic, "motors/M-1/x/pressure", json!({ "bar": 7 })), Some(json!({ "bar": 7, "motorid": "M-1" })));
        assert_eq!(message(topic, "motors/M-1/x/pressure", json!({ "motorid": "own" })), Some(json!({ "motorid": "own" })));
        assert_eq!(message(topic, "motors/M-1/x/pressure", json!(72.5)), Some(json!({ "value": 72.5, "motorid": "M-1" })));
        assert_eq!(message(topic, "motors/M-1/pressure", json!({})), None);
    }

    #[test]
    fn a_topic_is_read_as_it_is_written() {
        let text = "motors/{motorid}/+/pressure @broker";
        assert_eq!(text.parse::<InputTopic>().unwrap().to_string(), text);
        for wrong in ["motors/x", "motors/x @", " @broker", "motors/# @broker"] {
            assert!(wrong.parse::<InputTopic>().is_err(), "{wrong}");
        }
    }
}

//! Writes over MQTT: a message to the control's topic, verified by what comes back on its feedback topic.
//!
//! A broker acknowledges that it has the message, not that a machine did something. Only a value that arrives after the write
//! verifies it: a retained one from before says nothing.

use andon_models::{TagId, Value, address::MqttAddress, catalog::Tag};
use bytes::Bytes;
use serde_json::{Map, Value as Json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The newest values on feedback topics. Bounded by the number of controls.
#[derive(Clone, Debug, Default)]
pub(super) struct Feedback(Arc<Mutex<HashMap<TagId, Value>>>);

impl Feedback {
    /// Takes a value that came.
    pub fn came(&self, tag: TagId, value: Value) {
        self.values().insert(tag, value);
    }

    /// Forgets what came before a write.
    pub fn forget(&self, tag: TagId) {
        self.values().remove(&tag);
    }

    /// What came last.
    pub fn last(&self, tag: TagId) -> Option<Value> {
        self.values().get(&tag).cloned()
    }

    fn values(&self) -> std::sync::MutexGuard<'_, HashMap<TagId, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tag of a control as its feedback topic is read; none for one without.
pub(super) fn shown(tag: &Tag) -> Option<Tag> {
    let address = tag.feedback.clone().filter(|_| !tag.read)?;
    Some(Tag { address, ..tag.clone() })
}

/// The message that writes a value: the value itself, or an object with it at its path.
///
/// # Errors
/// When the path leads into a list.
pub(super) fn message(address: &MqttAddress, value: &Value) -> Result<Bytes, String> {
    let value = serde_json::to_value(value).map_err(|error| error.to_string())?;
    if address.path.is_empty() {
        // A bare text is written without quotes, as senders do.
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return Ok(text.into());
    }
    if address.path.contains('[') {
        return Err(format!("`{}` leads into a list, and a write has one value", address.path));
    }
    let mut object = value;
    for name in address.path.rsplit('.') {
        object = Json::Object(Map::from_iter([(name.to_owned(), object)]));
    }
    Ok(object.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_bare_or_at_its_path() {
        let text = |path: &str, value: Value| {
            let address = MqttAddress { topic: Some("set".into()), path: path.into() };
            message(&address, &value).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
        };
        assert_eq!(text("", 78.5.into()), Ok("78.5".into()));
        assert_eq!(text("", "on".into()), Ok("on".into()));
        assert_eq!(text("speed.set", true.into()), Ok(r#"{"speed":{"set":true}}"#.into()));
        assert!(text("values[0]", true.into()).is_err());
    }
}

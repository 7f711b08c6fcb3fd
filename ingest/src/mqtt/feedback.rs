//! Writes over MQTT: a message to the control's topic, verified by what comes back on its feedback topic.
//!
//! A broker acknowledges that it has the message, not that a machine did something. Only a value that arrives after the write
//! verifies it: a retained one from before says nothing. What a machine said long ago, or before the broker was lost, is not what
//! it shows now.

use andon_models::{TagId, Value, address::MqttAddress, catalog::Tag};
use bytes::Bytes;
use serde_json::{Map, Value as Json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What came longer ago says nothing about what a machine shows now, where its tag has no `stale`: machines that tell their state
/// only when it changes tell it now and then as well.
const LASTS: Duration = Duration::from_secs(600);

/// The newest values on feedback topics. Bounded by the number of controls.
#[derive(Clone, Debug, Default)]
pub(super) struct Feedback(Arc<Mutex<HashMap<TagId, Shown>>>);

/// What a feedback topic shows.
#[derive(Debug, Default)]
struct Shown {
    /// The newest value, and when it came; none when it is not known.
    last: Option<(Value, Instant)>,
    /// Whether something was written and no machine has spoken since.
    written: bool,
}

impl Feedback {
    /// Takes a value that came. A retained one counts until something is written: after that nobody knows whether it is older.
    pub fn came(&self, tag: TagId, value: Value, retained: bool, at: Instant) {
        let mut tags = self.tags();
        let shown = tags.entry(tag).or_default();
        if retained && shown.written {
            return;
        }
        shown.written = false;
        shown.last = (value != Value::Null).then_some((value, at));
    }

    /// Forgets what came before a write.
    pub fn forget(&self, tag: TagId) {
        self.tags().insert(tag, Shown { last: None, written: true });
    }

    /// Forgets everything that came, because the broker is gone: machines may do anything meanwhile.
    pub fn lost(&self) {
        self.tags().values_mut().for_each(|shown| shown.last = None);
    }

    /// What a tag shows now.
    ///
    /// # Errors
    /// Why nobody knows.
    pub fn last(&self, tag: &Tag, now: Instant) -> Result<Value, String> {
        let tags = self.tags();
        let Some((value, at)) = tags.get(&tag.id).and_then(|shown| shown.last.as_ref()) else {
            return Err("nothing has come on its feedback topic since".into());
        };
        let (age, limit) = (now.saturating_duration_since(*at), tag.stale.unwrap_or(LASTS));
        if age > limit {
            return Err(format!(
                "what came on its feedback topic is {} s old, and {} s are the most",
                age.as_secs(),
                limit.as_secs()
            ));
        }
        Ok(value.clone())
    }

    fn tags(&self) -> std::sync::MutexGuard<'_, HashMap<TagId, Shown>> {
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
    use andon_models::{ValueType, address::Address};

    fn control() -> Tag {
        let address = MqttAddress { topic: Some("set".into()), path: "".into() };
        crate::testing::tag(1, Address::Mqtt(address), ValueType::Double, false)
    }

    #[test]
    fn what_came_long_ago_or_before_a_loss_is_not_shown_now() {
        let (feedback, tag, start) = (Feedback::default(), control(), Instant::now());
        assert!(feedback.last(&tag, start).is_err());
        feedback.came(tag.id, 75.0.into(), true, start);
        assert_eq!(feedback.last(&tag, start + LASTS), Ok(75.0.into()));
        assert!(feedback.last(&tag, start + LASTS + Duration::from_secs(1)).unwrap_err().contains("601 s old"));
        let limited = Tag { stale: Some(Duration::from_secs(5)), ..tag.clone() };
        assert!(feedback.last(&limited, start + Duration::from_secs(6)).is_err());
        feedback.lost();
        assert!(feedback.last(&tag, start).is_err());
        feedback.came(tag.id, 76.0.into(), true, start);
        assert_eq!(feedback.last(&tag, start), Ok(76.0.into()), "after the return");
    }

    #[test]
    fn a_retained_value_does_not_verify_a_write() {
        let (feedback, tag, now) = (Feedback::default(), control(), Instant::now());
        feedback.came(tag.id, 75.0.into(), false, now);
        feedback.forget(tag.id);
        feedback.came(tag.id, 80.0.into(), true, now);
        assert!(feedback.last(&tag, now).is_err());
        // Nor when the broker was lost in between.
        feedback.lost();
        feedback.came(tag.id, 80.0.into(), true, now);
        assert!(feedback.last(&tag, now).is_err());
        feedback.came(tag.id, 80.0.into(), false, now);
        assert_eq!(feedback.last(&tag, now), Ok(80.0.into()));
        // It has spoken: what its topic retains is not older than that.
        feedback.came(tag.id, 81.0.into(), true, now);
        assert_eq!(feedback.last(&tag, now), Ok(81.0.into()));
    }

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

//! What happened in a back-test, in one line.

use andon_models::event::{Event, EventBody};

/// An event in one line, without its time and place; none for what only accompanies others.
pub fn words(event: &Event) -> Option<String> {
    Some(match &event.body {
        EventBody::Transition(moved) => format!("{} -> {} ({})", moved.from, moved.to, moved.explanation.trigger),
        EventBody::Alarm(change) => format!("alarm {}: {} -> {}", change.verb.name(), change.from, change.state),
        EventBody::Command(change) if change.reason.is_empty() => {
            format!("command {} = {} {}", change.control, change.value, change.state)
        }
        EventBody::Command(change) => {
            format!("command {} = {} {}: {}", change.control, change.value, change.state, change.reason)
        }
        _ => return None,
    })
}

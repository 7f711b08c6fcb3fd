//! Strips: what a machine did, or where a detector was, as spans of time one after another. Pure.

use crate::{
    machine::{Activity, Signals},
    view::Time,
};
use andon_models::{Timestamp, Tqv, event::Event, event::EventBody, window::Window};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Histories of what tells a machine's activity; each in time order, the first value possibly from before the window.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Histories<'a> {
    pub(crate) running: &'a [Tqv],
    pub(crate) planned: &'a [Tqv],
    pub(crate) state: &'a [Tqv],
    pub(crate) reason: &'a [Tqv],
}

/// A span in which a machine did one thing.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct ActivitySpan {
    /// Its start.
    pub(crate) from: Time,
    /// Its end.
    pub(crate) to: Time,
    /// What the machine did.
    pub(crate) state: Activity,
    /// Why it stood; empty while it ran or when nothing was said.
    #[schema(value_type = String)]
    pub(crate) reason: Arc<str>,
}

/// A span in which a detector was in one state.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct StateSpan {
    /// Its start.
    pub(crate) from: Time,
    /// Its end.
    pub(crate) to: Time,
    /// The state's path.
    #[schema(value_type = String)]
    pub(crate) state: Arc<str>,
}

/// What a machine did in a window, without gaps, equal neighbours joined.
pub(crate) fn activities(histories: &Histories<'_>, window: Window) -> Vec<ActivitySpan> {
    let lists = [histories.running, histories.planned, histories.state, histories.reason];
    let mut times: Vec<Timestamp> = lists.iter().flat_map(|list| list.iter().map(|tqv| tqv.time)).collect();
    times.retain(|time| *time > window.start && *time < window.end);
    times.push(window.start);
    times.sort_unstable();
    times.dedup();
    let mut position = [0_usize; 4];
    let mut spans: Vec<ActivitySpan> = Vec::new();
    for (index, from) in times.iter().enumerate() {
        let to = Time(times.get(index + 1).copied().unwrap_or(window.end));
        let mut at = |list: usize| newest(lists[list], &mut position[list], *from);
        let signals = Signals { running: at(0), planned: at(1), state: at(2), reason: at(3) };
        let (state, reason) = (signals.activity(), signals.reason());
        match spans.last_mut() {
            Some(last) if last.state == state && last.reason == reason => last.to = to,
            _ => spans.push(ActivitySpan { from: Time(*from), to, state, reason }),
        }
    }
    spans.retain(|span| span.to.0 > span.from.0);
    spans
}

/// The newest value at or before a time; `position` only moves on.
fn newest<'a>(list: &'a [Tqv], position: &mut usize, time: Timestamp) -> Option<&'a Tqv> {
    while list.get(*position).is_some_and(|tqv| tqv.time <= time) {
        *position += 1;
    }
    list.get(position.checked_sub(1)?)
}

/// Where a detector was in a window, from its transitions (newest first) and where it stands now.
pub(crate) fn states(transitions: &[Event], present: Option<(&Arc<str>, Timestamp)>, window: Window) -> Vec<StateSpan> {
    let mut spans = Vec::new();
    let mut to = window.end;
    let mut earliest = None;
    for event in transitions.iter().filter(|event| event.time <= window.end) {
        let EventBody::Transition(transition) = &event.body else { continue };
        if event.time <= window.start {
            spans.push(StateSpan { from: Time(window.start), to: Time(to), state: transition.to.clone() });
            earliest = None;
            to = window.start;
            break;
        }
        spans.push(StateSpan { from: Time(event.time), to: Time(to), state: transition.to.clone() });
        earliest = Some(transition.from.clone());
        to = event.time;
    }
    let before = match (earliest, present) {
        (Some(from), _) => Some((from, window.start)),
        (None, Some((state, since))) if spans.is_empty() => Some((state.clone(), since.max(window.start))),
        (None, _) => None,
    };
    if let Some((state, from)) = before.filter(|(state, _)| !state.is_empty()) {
        spans.push(StateSpan { from: Time(from), to: Time(to), state });
    }
    spans.retain(|span| span.to.0 > span.from.0);
    spans.reverse();
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{AssetId, EventId, StatusCode, Value, event::Transition};

    fn seconds(time: Timestamp) -> i64 {
        time.as_millis() / 1_000
    }

    fn window(start: i64, end: i64) -> Window {
        Window { start: Timestamp::from_seconds(start), end: Timestamp::from_seconds(end) }
    }

    fn list<T: Into<Value> + Clone>(values: &[(i64, T)]) -> Vec<Tqv> {
        values.iter().map(|(time, value)| Tqv::good(Timestamp::from_seconds(*time), value.clone().into())).collect()
    }

    fn shown(spans: &[ActivitySpan]) -> Vec<String> {
        let line = |span: &ActivitySpan| {
            format!("{}-{} {:?} {}", seconds(span.from.0), seconds(span.to.0), span.state, span.reason).trim().to_owned()
        };
        spans.iter().map(line).collect()
    }

    #[test]
    fn a_strip_covers_the_window_and_joins_equal_neighbours() {
        let running = list(&[(0, true), (40, false), (60, true), (70, true)]);
        let reason = list(&[(40, "Cap jam"), (50, "Cap jam"), (65, "")]);
        let histories = Histories { running: &running, reason: &reason, ..Histories::default() };
        let strip = activities(&histories, window(10, 100));
        assert_eq!(shown(&strip), ["10-40 Running", "40-60 Stopped Cap jam", "60-100 Running"]);
        let lost = [running.clone(), vec![Tqv::bad(Timestamp::from_seconds(90), StatusCode::NOT_CONNECTED)]].concat();
        let histories = Histories { running: &lost, ..histories };
        assert_eq!(shown(&activities(&histories, window(10, 100))).last().unwrap(), "90-100 Unknown");
        assert_eq!(shown(&activities(&Histories::default(), window(10, 100))), ["10-100 Unknown"]);
    }

    fn moved(time: i64, from: &str, to: &str) -> Event {
        Event {
            id: EventId::from_name(&time.to_string()),
            time: Timestamp::from_seconds(time),
            asset: Some(AssetId::from_name("Filler 1")),
            asset_path: "Filler 1".into(),
            detector: "hot".into(),
            body: EventBody::Transition(Transition { from: from.into(), to: to.into(), explanation: Default::default() }),
        }
    }

    fn told(spans: &[StateSpan]) -> Vec<String> {
        spans.iter().map(|span| format!("{}-{} {}", seconds(span.from.0), seconds(span.to.0), span.state)).collect()
    }

    #[test]
    fn a_detectors_strip_follows_its_transitions() {
        let transitions = [moved(80, "hot", "normal"), moved(50, "normal", "hot"), moved(5, "", "normal")];
        assert_eq!(told(&states(&transitions, None, window(10, 100))), ["10-50 normal", "50-80 hot", "80-100 normal"]);
        assert_eq!(told(&states(&transitions[..2], None, window(10, 100))), ["10-50 normal", "50-80 hot", "80-100 normal"]);
        let present: Arc<str> = "normal".into();
        let calm = states(&[], Some((&present, Timestamp::from_seconds(30))), window(10, 100));
        assert_eq!(told(&calm), ["30-100 normal"], "nothing is known before it started");
        assert_eq!(told(&states(&[], None, window(10, 100))), Vec::<String>::new());
    }
}

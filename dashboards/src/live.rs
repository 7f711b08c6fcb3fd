//! What happens now: the newest state of detectors and sources, and a bounded broadcast of changes to every open page.
//!
//! The loop that owns changing state publishes here and never waits: a page that cannot follow loses updates, notices that it
//! did, and takes a fresh snapshot. Nothing here is the truth about anything; that is the log.

mod outbox;
mod session;
mod wire;

pub(crate) use session::session;
pub(crate) use wire::encode_points;

use andon_models::{
    AssetId, EventId, Point, Quality, SeriesId, Timestamp, Value,
    alarm::{AlarmState, AlarmVerb},
    event::{Event, EventBody},
    snapshot::{ConnectionState, DetectorSnapshot, SourceStatus},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};
use tokio::sync::broadcast;

/// Changes kept for a page that is slow to take them: a quarter of a second at 2,000 batches a second. Beyond that it resynchronises.
const BACKLOG: usize = 512;
/// How far back raised alarms are counted.
pub(crate) const COUNTED_SPAN: Duration = Duration::from_secs(24 * 3_600);
/// Most raised alarms that are remembered for counting: seven a minute all day, far beyond what anybody can work with.
pub(crate) const MAX_COUNTED: usize = 10_000;

/// The meeting point of the running plant and the open pages. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct LiveHub {
    changes: broadcast::Sender<Change>,
    now: Arc<RwLock<Now>>,
}

/// One change, as it is broadcast.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// New values.
    Points(Arc<[Point]>),
    /// Some alarm changed.
    Alarms,
    /// A detector moved.
    Detector(AssetId, Arc<str>),
    /// A source changed.
    Sources,
    /// Arming changed.
    Plant,
}

/// A detector instance: its asset and its name.
pub(crate) type DetectorKey = (AssetId, Arc<str>);

#[derive(Debug, Default)]
struct Now {
    detectors: BTreeMap<DetectorKey, Arc<DetectorSnapshot>>,
    sources: BTreeMap<Arc<str>, SourceStatus>,
    armed: bool,
    /// Alarms raised within [`COUNTED_SPAN`], oldest first.
    raised: BTreeSet<(Timestamp, EventId, DetectorKey)>,
    /// Series whose last change of value is followed, with that value and since when it holds.
    states: HashMap<SeriesId, Option<(Value, Timestamp)>>,
}

impl Default for LiveHub {
    fn default() -> Self {
        Self::new()
    }
}

impl LiveHub {
    /// A hub that knows nothing yet; writes count as armed.
    pub fn new() -> Self {
        let (changes, _) = broadcast::channel(BACKLOG);
        Self { changes, now: Arc::new(RwLock::new(Now { armed: true, ..Now::default() })) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Now> {
        self.now.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Now> {
        self.now.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: Change) {
        // An error only says that no page is open.
        let _ = self.changes.send(change);
    }

    /// Tells the pages of new values. Publish them when they are durable: a page shows nothing that a restart could take back.
    pub fn publish_points(&self, points: &[Point]) {
        if points.is_empty() {
            return;
        }
        self.follow_states(points);
        if self.changes.receiver_count() > 0 {
            self.tell(Change::Points(points.into()));
        }
    }

    /// Tells the pages of events; alarms among them are counted.
    pub fn publish_events(&self, events: &[Event]) {
        let mut alarms = false;
        for event in events {
            alarms |= matches!(event.body, EventBody::Alarm(_));
        }
        self.count(events);
        if alarms {
            self.tell(Change::Alarms);
        }
        for event in events {
            if let (Some(asset), EventBody::Transition(_) | EventBody::Command(_)) = (event.asset, &event.body) {
                self.tell(Change::Detector(asset, event.detector.clone()));
            }
        }
    }

    /// Tells the pages how a detector stands.
    pub fn publish_detector(&self, snapshot: DetectorSnapshot) {
        let key = (snapshot.asset, snapshot.detector.clone());
        let alarm = snapshot.alarm.clone();
        let before = self.write().detectors.insert(key.clone(), Arc::new(snapshot));
        let alarm_before = before.map(|before| before.alarm.clone()).unwrap_or_default();
        self.tell(Change::Detector(key.0, key.1));
        if alarm_before != alarm {
            self.tell(Change::Alarms);
        }
    }

    /// Tells the pages how a source is doing. Pages are told at once when its connection changes, not for each counted value.
    pub fn publish_source(&self, status: SourceStatus) {
        let name = status.source.clone();
        let (state, error) = (status.state, status.last_error.clone());
        let before = self.write().sources.insert(name, status);
        if before.is_none_or(|before| before.state != state || before.last_error != error) {
            self.tell(Change::Sources);
        }
    }

    /// Says whether writes to machines are allowed.
    pub fn set_armed(&self, armed: bool) {
        let before = std::mem::replace(&mut self.write().armed, armed);
        if before != armed {
            self.tell(Change::Plant);
        }
    }

    /// Whether writes to machines are allowed.
    pub fn armed(&self) -> bool {
        self.read().armed
    }

    /// How a detector stands; none before its first snapshot.
    pub fn detector(&self, asset: AssetId, detector: &str) -> Option<Arc<DetectorSnapshot>> {
        self.read().detectors.get(&(asset, Arc::from(detector))).cloned()
    }

    /// How all detectors stand.
    pub fn detectors(&self) -> Vec<Arc<DetectorSnapshot>> {
        self.read().detectors.values().cloned().collect()
    }

    /// How a source is doing.
    pub fn source(&self, name: &str) -> Option<SourceStatus> {
        self.read().sources.get(name).cloned()
    }

    /// How all sources are doing, by name.
    pub fn sources(&self) -> Vec<SourceStatus> {
        self.read().sources.values().cloned().collect()
    }

    /// Sources in all, and how many of them are connected.
    pub fn connections(&self) -> (usize, usize) {
        let now = self.read();
        (now.sources.len(), now.sources.values().filter(|source| source.state == ConnectionState::Connected).count())
    }

    /// Remembers alarms that were raised, each event once; also used to bring in those from before the start.
    pub(crate) fn count(&self, events: &[Event]) {
        if !events.iter().any(is_raise) {
            return;
        }
        let mut now = self.write();
        for event in events.iter().filter(|event| is_raise(event)) {
            if let Some(asset) = event.asset {
                now.raised.insert((event.time, event.id, (asset, event.detector.clone())));
            }
        }
        let newest = now.raised.last().map_or(Timestamp::MIN, |last| last.0);
        while now.raised.first().is_some_and(|first| newest.since(first.0) > COUNTED_SPAN) || now.raised.len() > MAX_COUNTED {
            now.raised.pop_first();
        }
    }

    /// Alarms raised after an instant, in all and by detector.
    pub(crate) fn raised_since(&self, time: Timestamp) -> (usize, HashMap<DetectorKey, usize>) {
        let mut by_detector = HashMap::new();
        let now = self.read();
        let recent = now.raised.iter().rev().take_while(|raise| raise.0 > time);
        let count = recent.inspect(|raise| *by_detector.entry(raise.2.clone()).or_default() += 1).count();
        (count, by_detector)
    }

    /// Follows a series whose values are states: since when the present one holds. What is known already stays.
    pub(crate) fn follow(&self, series: SeriesId, since: Option<(Value, Timestamp)>) {
        let mut now = self.write();
        let entry = now.states.entry(series).or_default();
        if entry.is_none() {
            *entry = since;
        }
    }

    /// The present state of a followed series and since when it holds.
    pub(crate) fn state_since(&self, series: SeriesId) -> Option<(Value, Timestamp)> {
        self.read().states.get(&series).cloned().flatten()
    }

    fn follow_states(&self, points: &[Point]) {
        let known = self.read();
        let concerned = points.iter().any(|point| known.states.contains_key(&point.series));
        drop(known);
        if !concerned {
            return;
        }
        let mut now = self.write();
        for Point { series, tqv } in points.iter().filter(|point| point.tqv.quality == Quality::Good) {
            let Some(state) = now.states.get_mut(series) else { continue };
            if state.as_ref().is_none_or(|(value, since)| *value != tqv.value && tqv.time >= *since) {
                *state = Some((tqv.value.clone(), tqv.time));
            }
        }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }
}

/// Whether an event is an alarm that was raised.
fn is_raise(event: &Event) -> bool {
    matches!(&event.body, EventBody::Alarm(change) if change.verb == AlarmVerb::Raise && change.state != AlarmState::Normal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{Tqv, alarm::Priority, event::AlarmChange};

    fn raise(seconds: i64, detector: &str) -> Event {
        Event {
            id: EventId::from_name(&format!("{detector}/{seconds}")),
            time: Timestamp::from_seconds(seconds),
            asset: Some(AssetId::from_name("Filler 1")),
            asset_path: "Filler 1".into(),
            detector: detector.into(),
            body: EventBody::Alarm(AlarmChange {
                from: AlarmState::Normal,
                state: AlarmState::Unacknowledged,
                verb: AlarmVerb::Raise,
                priority: Priority::High,
                message: "hot".into(),
                response: "".into(),
                since: None,
                by: "".into(),
                note: "".into(),
                explanation: Default::default(),
            }),
        }
    }

    #[test]
    fn an_alarm_is_counted_once_and_for_a_day() {
        let hub = LiveHub::new();
        let day = 24 * 3_600;
        hub.publish_events(&[raise(10, "hot"), raise(20, "hot"), raise(30, "jam")]);
        hub.count(&[raise(20, "hot")]);
        let (count, by_detector) = hub.raised_since(Timestamp::from_seconds(15));
        assert_eq!(count, 2);
        assert_eq!(by_detector[&(AssetId::from_name("Filler 1"), Arc::from("hot"))], 1);
        hub.publish_events(&[raise(day + 25, "hot")]);
        assert_eq!(hub.raised_since(Timestamp::EPOCH).0, 2, "the first two are more than a day older than the newest");
    }

    #[test]
    fn the_number_of_counted_alarms_is_bounded() {
        let hub = LiveHub::new();
        let many: Vec<Event> = (0..MAX_COUNTED as i64 + 5).map(|second| raise(second, "hot")).collect();
        hub.count(&many);
        assert_eq!(hub.raised_since(Timestamp::MIN).0, MAX_COUNTED);
    }

    #[test]
    fn a_state_holds_since_its_value_changed() {
        let hub = LiveHub::new();
        let series = SeriesId(7);
        let point = |seconds, value| Point { series, tqv: Tqv::good(Timestamp::from_seconds(seconds), Value::Integer(value)) };
        hub.publish_points(&[point(1, 6)]);
        assert_eq!(hub.state_since(series), None, "nobody asked to follow it yet");
        hub.follow(series, Some((Value::Integer(6), Timestamp::from_seconds(1))));
        hub.publish_points(&[point(5, 6), point(9, 2), point(12, 2)]);
        hub.publish_points(&[point(8, 6)]);
        assert_eq!(hub.state_since(series), Some((Value::Integer(2), Timestamp::from_seconds(9))), "late samples do not count");
    }
}

//! What a broker carries: its retained messages and what passes while somebody listens, as a tree of topics with their payloads.
//!
//! Listened to over a connection of its own that the broker forgets at once, with QoS 0: it takes nothing from the messages that
//! the plant reads. What was heard is kept for a minute, so that a tree can be opened without listening again.

mod fields;
mod tree;

use super::{
    MqttDevice,
    client::{self, Failure, Message, Signal, Stay},
};
use crate::IngestError;
use andon_models::{
    Timestamp,
    browse::{Browse, Browsed},
    definition::SourceProtocol,
    snapshot::ConnectionState,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use tree::Place;

/// How long is listened unless another time is asked for: retained messages come within a second, and many devices send every second or two.
const LISTEN: Duration = Duration::from_secs(3);
/// How long what was heard is good for opening its tree.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// How long a question waits for the one before it.
const TURN: Duration = Duration::from_secs(10);
/// Topics that are kept: what a person looks through; deeper filters show the others.
const MAX_TOPICS: usize = 5_000;
/// Bytes of payloads that are kept.
const MAX_BYTES: usize = 32 << 20;
/// Messages that are looked at; a broker that sends more in a few seconds is listened to no longer.
const MAX_MESSAGES: usize = 100_000;
/// Messages between the connection and us.
const SIGNALS: usize = 64;
/// Time limit from the first packet to a granted subscription.
const SUBSCRIBE: Duration = Duration::from_secs(10);

/// What was heard under a filter.
pub(super) struct Heard {
    /// Where it was listened.
    below: Place,
    at: Instant,
    topics: BTreeMap<Arc<str>, Last>,
    bytes: usize,
    messages: usize,
    /// What there is to know about it.
    note: String,
}

/// The last message of a topic.
struct Last {
    payload: bytes::Bytes,
    retained: bool,
    at: Timestamp,
}

impl MqttDevice {
    /// Answers a question about the broker.
    ///
    /// # Errors
    /// See [`IngestError`].
    pub async fn browse(&self, ask: &Browse) -> Result<Browsed, IngestError> {
        let source_name = || self.shared.source.name.clone();
        let turn = timeout(TURN, self.heard.lock()).await;
        let mut kept = turn.map_err(|_| IngestError::Busy { source_name: source_name(), limit: 1 })?;
        let places = if ask.read.is_empty() { vec![Place::of(&ask.node)] } else { Place::of_all(&ask.read) };
        if places.iter().any(Place::has_wildcards) {
            let reason = "a node is a topic without wildcards; topics are looked for with `find`";
            return Err(IngestError::Unsupported { source_name: source_name(), reason: reason.into() });
        }
        kept.retain(|heard| ask.listen.is_none() && heard.at.elapsed() < GOOD_FOR);
        for place in places {
            if !kept.iter().any(|heard| heard.below.covers(&place)) {
                let heard = self.hear(place, ask.listen.unwrap_or(LISTEN)).await?;
                // One of each kind is kept: the topics of a plant, and what the broker tells about itself.
                kept.retain(|other| other.below.is_of_broker() != heard.below.is_of_broker());
                kept.push(heard);
            }
        }
        Ok(tree::answer(&kept, ask, &self.routing))
    }

    /// Listens below a topic; where all topics are refused, to those of the source's own pattern.
    async fn hear(&self, below: Place, span: Duration) -> Result<Heard, IngestError> {
        let (filter, all) = (below.filter(), below.is_root());
        let own = match &self.shared.source.protocol {
            SourceProtocol::Mqtt { topic, .. } => topic.filter(),
            _ => filter.clone(),
        };
        let mut heard = Heard::new(below);
        match self.listen(&filter, span, &mut heard).await {
            Ok(()) => Ok(heard),
            Err(failure) if all && failure.state == ConnectionState::Misconfigured && own != filter => {
                let retried = self.listen(&own, span, &mut heard).await;
                retried.map_err(|_| self.not_connected(failure))?;
                heard.note = format!("the broker lets nobody listen to all topics; these are those of {own}");
                Ok(heard)
            }
            Err(failure) => Err(self.not_connected(failure)),
        }
    }

    fn not_connected(&self, failure: Failure) -> IngestError {
        IngestError::NotConnected { source_name: self.shared.source.name.clone(), reason: failure.reason.into() }
    }

    async fn listen(&self, filter: &str, span: Duration, heard: &mut Heard) -> Result<(), Failure> {
        // Another name than the collector's: a broker ends the connection of whoever comes with the same one.
        static VISITS: AtomicU64 = AtomicU64::new(0);
        let visit = VISITS.fetch_add(1, Ordering::Relaxed) ^ rand::random::<u64>();
        let name = format!("andon-{visit:016x}");
        let (client, events) = client::prepare(&self.shared.source.protocol, &name, Stay::Visit).await?;
        let (signal, mut signals) = mpsc::channel(SIGNALS);
        let driven = client::drive(events, client.clone(), vec![filter.to_owned()], signal);
        let mut driver = AbortOnDropHandle::new(tokio::spawn(driven));
        let mut until = Instant::now() + SUBSCRIBE;
        let mut subscribed = false;
        loop {
            let signal = tokio::select! {
                signal = signals.recv() => signal,
                () = sleep_until(until) => {
                    if !subscribed {
                        return Err(Failure::lost(format!("no subscription within {} s", SUBSCRIBE.as_secs())));
                    }
                    break;
                }
            };
            match signal {
                Some(Signal::Subscribed) => {
                    subscribed = true;
                    until = Instant::now() + span;
                }
                Some(Signal::Message(message)) => {
                    if !heard.take(message, (self.shared.now)()) {
                        break;
                    }
                }
                Some(Signal::Down(failure)) => return Err(failure),
                None => return Err(Failure::lost("the connection ended")),
            }
        }
        client.disconnect();
        let _ = timeout(super::GOODBYE, &mut driver).await;
        heard.at = Instant::now();
        Ok(())
    }
}

impl Heard {
    fn new(below: Place) -> Self {
        Self { below, at: Instant::now(), topics: BTreeMap::new(), bytes: 0, messages: 0, note: String::new() }
    }

    /// Keeps a message; false when there is no room for more.
    fn take(&mut self, message: Message, at: Timestamp) -> bool {
        self.messages += 1;
        let before = self.topics.get(&*message.topic).map(|last| last.payload.len());
        let bytes = self.bytes - before.unwrap_or_default() + message.payload.len();
        let full = match before {
            None if self.topics.len() >= MAX_TOPICS => Some(format!("{MAX_TOPICS} topics")),
            _ if bytes > MAX_BYTES => Some(format!("{} MiB", MAX_BYTES >> 20)),
            _ if self.messages > MAX_MESSAGES => Some(format!("{MAX_MESSAGES} messages")),
            _ => None,
        };
        if let Some(limit) = full {
            self.note = format!("stopped listening after {limit}: there are more. Ask for a topic to listen below it only");
            return false;
        }
        self.bytes = bytes;
        // Cut out of the packet it came in, which may hold many.
        let payload = bytes::Bytes::copy_from_slice(&message.payload);
        self.topics.insert(message.topic.into(), Last { payload, retained: message.retained, at });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, payload: &[u8]) -> Message {
        Message { topic: topic.into(), payload: bytes::Bytes::copy_from_slice(payload), retained: true, acknowledge: None }
    }

    #[test]
    fn what_was_heard_is_bounded_by_topics_and_says_so() {
        let mut heard = Heard::new(Place::of(""));
        for number in 0..MAX_TOPICS {
            assert!(heard.take(message(&format!("t/{number}"), b"1"), Timestamp::EPOCH));
        }
        assert!(heard.take(message("t/0", b"22"), Timestamp::EPOCH), "a known topic takes no more room");
        assert_eq!(heard.bytes, MAX_TOPICS + 1);
        assert!(!heard.take(message("t/more", b"1"), Timestamp::EPOCH));
        assert!(heard.note.contains("5000 topics"), "{}", heard.note);
    }

    #[test]
    fn what_was_heard_is_bounded_by_bytes() {
        let mut heard = Heard::new(Place::of(""));
        let large = vec![0; 4 << 20];
        let taken = (0..20).take_while(|number| heard.take(message(&format!("t/{number}"), &large), Timestamp::EPOCH)).count();
        assert_eq!(taken, MAX_BYTES / large.len());
    }

    #[test]
    fn a_part_of_what_was_heard_needs_no_listening() {
        let covers = |listened: &str, asked: &str| Place::of(listened).covers(&Place::of(asked));
        assert!(covers("", "plant/line1") && covers("", "/plant"));
        assert!(covers("plant", "plant/line1") && covers("plant", "plant/"));
        assert!(!covers("plant", "plant2/line1"));
        assert!(!covers("plant/line1", "plant"));
        assert!(covers("/", "/plant") && !covers("/", "plant"));
        // The root hears nothing of what the broker tells about itself.
        assert!(!covers("", "$SYS") && covers("$SYS", "$SYS/broker"));
    }
}

//! MQTT 3.1.1 and 5: topics find their machines, payloads their values; a message is acknowledged when its samples are on disk.

mod browse;
mod client;
mod feedback;
mod payload;
mod route;
#[cfg(test)]
mod tests;

use crate::{
    IngestError, Shared, SourcePlan, TagName, backoff::Backoff, batcher::IntakeSender, command::WritableDevice, convert,
};
use andon_models::{
    Sample, StatusCode, Timestamp, Tqv, Value,
    address::{Address, MqttAddress},
    catalog::Tag,
    definition::SourceProtocol,
    iot_events::{InputMessage, InputTopic},
    snapshot::ConnectionState,
};
use bytes::Bytes;
use client::{Acknowledge, Client, Failure, Message, Signal, Stay};
use feedback::Feedback;
use payload::{Found, Payload};
use route::{Routes, Routing};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Messages between the connection and us; more stay with the broker.
const SIGNALS: usize = 64;
/// Messages whose acknowledgement is due: there are no more packet numbers.
const UNACKNOWLEDGED: usize = u16::MAX as usize;
/// Time limit from the first packet to a granted subscription.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(15);
/// Time limit of a publication.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);
/// Time to say goodbye.
const GOODBYE: Duration = Duration::from_millis(500);
/// A message later than this is a replay: it says nothing about the sender's clock.
const CLOCK_OFFSET: i64 = 60_000_000_000;
/// Clock offsets that differ by less are the same.
const CLOCK_STEP: i64 = 1_000_000_000;
/// Largest message for detectors; HTTP takes no larger one either.
const MAX_INPUT_MESSAGE: usize = 256 << 10;
/// No value where one was expected (OPC UA BadNoData).
const NO_DATA: StatusCode = StatusCode(0x809B_0000);

/// The way to publish to a broker.
pub(crate) struct MqttDevice {
    shared: Arc<Shared>,
    client: Arc<Mutex<Option<Client>>>,
    feedback: Feedback,
    routing: Routing,
    /// What was heard for whoever looks at the broker; one listens at a time.
    heard: tokio::sync::Mutex<Vec<browse::Heard>>,
}

/// Starts the collector of a broker.
pub(crate) fn start(
    shared: Arc<Shared>,
    plan: SourcePlan,
    intake: IntakeSender,
    stop: CancellationToken,
) -> (MqttDevice, JoinHandle<()>) {
    let slot = Arc::new(Mutex::new(None));
    let client_id = client_id(&plan);
    let (pattern, time_path) = match &plan.source.protocol {
        SourceProtocol::Mqtt { topic, time_path, .. } => (topic.clone(), time_path.clone()),
        _ => (andon_models::definition::TopicPattern { levels: Vec::new() }, None),
    };
    let routing = Routing::new(pattern.clone(), plan.tags.clone(), &plan.asset_paths);
    let shown: Vec<Tag> = plan.tags.iter().filter_map(feedback::shown).collect();
    let tags = plan.tags.into_iter().filter(|tag| tag.read).chain(shown).collect();
    let feedback = Feedback::default();
    let topics = plan.inputs.iter().map(|(_, topic)| topic.pattern.filter()).collect();
    let routes = Routes::new(pattern, tags, &plan.asset_paths, topics);
    let collector = Collector {
        shared: shared.clone(),
        intake,
        routes,
        inputs: plan.inputs,
        time_path,
        client_id,
        slot: slot.clone(),
        feedback: feedback.clone(),
        clock: 0,
    };
    let device = MqttDevice { shared, client: slot, feedback, routing, heard: Default::default() };
    (device, tokio::spawn(collector.run(stop)))
}

/// The way to a broker that is only looked at: nothing is connected until somebody asks.
pub(crate) fn idle(shared: Arc<Shared>, plan: SourcePlan, _: CancellationToken) -> (crate::Device, Vec<JoinHandle<()>>) {
    let pattern = match plan.source.protocol {
        SourceProtocol::Mqtt { topic, .. } => topic,
        _ => andon_models::definition::TopicPattern { levels: Vec::new() },
    };
    let routing = Routing::new(pattern, plan.tags, &plan.asset_paths);
    let device =
        MqttDevice { shared, client: Arc::default(), feedback: Feedback::default(), routing, heard: Default::default() };
    (crate::Device::Mqtt(device), Vec::new())
}

/// The same for the same source of the same installation, so that the broker knows us again; 22 characters, because 3.1.1 promises
/// no more than 23 (section 3.1.3.1).
fn client_id(plan: &SourcePlan) -> String {
    let name = plan.source.name.bytes();
    let bytes = plan.pki_dir.as_os_str().as_encoded_bytes().iter().copied().chain([0]).chain(name);
    // FNV-1a: stable for ever, which the standard library's hashes are not.
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("andon-{hash:016x}")
}

struct Collector {
    shared: Arc<Shared>,
    intake: IntakeSender,
    routes: Routes,
    inputs: Vec<(Arc<str>, InputTopic)>,
    time_path: Option<Arc<str>>,
    client_id: String,
    slot: Arc<Mutex<Option<Client>>>,
    feedback: Feedback,
    /// Offset of the senders' clocks as told to the batcher.
    clock: i64,
}

impl Collector {
    async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        while let Some(failure) = self.stay_connected(&mut backoff, &stop).await {
            self.shared.status.failed(failure.state, &failure.reason, (self.shared.now)());
            let wait = match failure.state {
                ConnectionState::Misconfigured => Backoff::slow(rand::random()),
                _ => backoff.next(rand::random()),
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = async {
                    self.intake.lost(StatusCode::NOT_CONNECTED).await;
                    tokio::time::sleep(wait).await;
                } => {}
            }
        }
    }

    /// Connects, subscribes and listens until the broker is lost, and says why it is; or until the source is stopped.
    async fn stay_connected(&mut self, backoff: &mut Backoff, stop: &CancellationToken) -> Option<Failure> {
        let (client, events) = match client::prepare(&self.shared.source.protocol, &self.client_id, Stay::Kept).await {
            Ok(prepared) => prepared,
            Err(failure) => return Some(failure),
        };
        let (signal, signals) = mpsc::channel(SIGNALS);
        let mut driver =
            AbortOnDropHandle::new(tokio::spawn(client::drive(events, client.clone(), self.routes.filters(), signal)));
        let (acknowledge, due) = mpsc::channel(UNACKNOWLEDGED);
        let (not_stored, storing) = oneshot::channel();
        let _acknowledger = AbortOnDropHandle::new(tokio::spawn(acknowledge_when_durable(client.clone(), due, not_stored)));
        let failure = tokio::select! {
            () = stop.cancelled() => None,
            failure = self.listen(&client, signals, acknowledge, backoff) => Some(failure),
            Ok(()) = storing => Some(Failure::lost("samples could not be stored; the broker is asked for the messages again")),
        };
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.feedback.lost();
        if failure.is_none() {
            client.disconnect();
            let _ = timeout(GOODBYE, &mut driver).await;
        }
        failure
    }

    async fn listen(
        &mut self,
        client: &Client,
        mut signals: mpsc::Receiver<Signal>,
        acknowledge: mpsc::Sender<(Acknowledge, oneshot::Receiver<()>)>,
        backoff: &mut Backoff,
    ) -> Failure {
        let deadline = Instant::now() + SUBSCRIBE_TIMEOUT;
        let mut subscribed = false;
        loop {
            let signal = tokio::select! {
                signal = signals.recv() => signal,
                () = tokio::time::sleep_until(deadline), if !subscribed => {
                    return Failure::lost(format!(
                        "no subscription within {} s: the broker is overloaded, or is none; check host and port, and see its log",
                        SUBSCRIBE_TIMEOUT.as_secs()
                    ));
                }
            };
            match signal {
                Some(Signal::Subscribed) => {
                    subscribed = true;
                    *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
                    self.intake.connected().await;
                    self.shared.status.connected((self.shared.now)());
                    backoff.reset();
                }
                Some(Signal::Message(message)) => {
                    if let Err(failure) = self.take(message, &acknowledge).await {
                        return failure;
                    }
                }
                Some(Signal::Down(failure)) => return failure,
                None => return Failure::lost("the connection ended; it is made anew. If this repeats, see the broker's log"),
            }
        }
    }

    async fn take(
        &mut self,
        message: Message,
        acknowledge: &mpsc::Sender<(Acknowledge, oneshot::Receiver<()>)>,
    ) -> Result<(), Failure> {
        let samples = self.samples(&message);
        let messages = self.messages(&message);
        let receipt = match message.acknowledge {
            Some(packet) => {
                let (receipt, durable) = oneshot::channel();
                let queued = acknowledge.try_send((packet, durable));
                queued.map_err(|_| Failure::lost("the broker sends more than it may have under way; set its receive maximum or max_inflight_messages lower"))?;
                Some(receipt)
            }
            None => None,
        };
        // Waits when nobody takes them: what we do not read stays with the broker.
        self.intake.send(samples, messages, receipt).await;
        Ok(())
    }

    fn samples(&mut self, message: &Message) -> Vec<Sample> {
        let arrival = (self.shared.now)();
        let payload = Payload::parse(&message.payload);
        let time = self.time_path.as_ref().and_then(|path| payload.time(path));
        if let Some(time) = time {
            self.see_clock(arrival, time);
        }
        let time = time.unwrap_or(arrival);
        let no_value = if matches!(payload, Payload::Json(_)) { NO_DATA } else { StatusCode::DECODING_ERROR };
        let tags = self.routes.tags(&message.topic);
        let samples = tags.filter_map(|(tag, path)| {
            let tqv = match payload.value(path) {
                Found::Value(value) => convert::tqv(tag, value, time, StatusCode::GOOD),
                Found::NoValue => Tqv::bad(time, no_value),
                Found::Nothing => return None,
            };
            if !tag.read {
                // Only what a control shows; it is no value of a property.
                self.feedback.came(tag.id, tqv.value, message.retained, Instant::now());
                return None;
            }
            Some(Sample { tag: tag.id, tqv })
        });
        samples.collect()
    }

    /// What the message says to detectors. A payload that is no JSON is a text.
    fn messages(&self, message: &Message) -> Vec<InputMessage> {
        if !self.inputs.iter().any(|(_, topic)| topic.pattern.captures(&message.topic).is_some()) {
            return Vec::new();
        }
        if message.payload.len() > MAX_INPUT_MESSAGE {
            let size = message.payload.len();
            let reason = format!(
                "a message on {} has {size} bytes; detectors take at most {MAX_INPUT_MESSAGE}: send less in one message",
                message.topic
            );
            self.shared.status.trouble(&reason);
            return Vec::new();
        }
        let payload = match Payload::parse(&message.payload) {
            Payload::Json(payload) => payload,
            Payload::Text(text) => text.into(),
            Payload::Unreadable => {
                self.shared.status.trouble(&format!(
                    "a message on {} is neither JSON nor text: have its sender send one of them, or take another topic",
                    message.topic
                ));
                return Vec::new();
            }
        };
        let taken = self.inputs.iter().filter_map(|(input, topic)| {
            let payload = Arc::new(topic.message(&message.topic, &payload)?);
            Some(InputMessage { input: input.clone(), payload, id: None, retained: message.retained })
        });
        taken.collect()
    }

    fn see_clock(&mut self, arrival: Timestamp, time: Timestamp) {
        let offset = arrival.as_nanos().saturating_sub(time.as_nanos());
        if offset.abs() < CLOCK_OFFSET && (offset - self.clock).abs() > CLOCK_STEP {
            self.clock = offset;
            self.intake.clock(offset);
        }
    }
}

/// Acknowledges messages in the order they came (MQTT 5 section 4.6), each when its samples are on disk. What could not be stored
/// is not acknowledged, and the connection is given up so that the broker sends it again.
async fn acknowledge_when_durable(
    client: Client,
    mut due: mpsc::Receiver<(Acknowledge, oneshot::Receiver<()>)>,
    not_stored: oneshot::Sender<()>,
) {
    while let Some((message, durable)) = due.recv().await {
        if durable.await.is_err() {
            let _ = not_stored.send(());
            return;
        }
        client.acknowledge(&message).await;
    }
}

impl MqttDevice {
    /// Publishes with QoS 1 and waits for the broker's acknowledgement.
    pub async fn publish(&self, topic: &str, payload: Bytes, retain: bool) -> Result<(), IngestError> {
        self.publish_by(topic, |client| client.publish(topic, payload, retain)).await
    }

    /// Hands a message to the connection and waits until the broker has it.
    async fn publish_by(
        &self,
        topic: &str,
        publish: impl FnOnce(&Client) -> Option<oneshot::Receiver<()>>,
    ) -> Result<(), IngestError> {
        let source_name = self.shared.source.name.clone();
        if topic.is_empty() || topic.contains(['+', '#', '\0']) {
            let reason = format!("`{topic}` is no topic to publish to: it is empty or has a wildcard");
            return Err(IngestError::Unsupported { source_name, reason: reason.into() });
        }
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(client) = client else {
            return Err(IngestError::NotConnected { source_name, reason: self.shared.status.reason() });
        };
        let Some(acknowledged) = publish(&client) else {
            return Err(IngestError::Busy { source_name, limit: client::REQUESTS });
        };
        match timeout(PUBLISH_TIMEOUT, acknowledged).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(IngestError::Broken { source_name, reason: "the broker was lost before it acknowledged".into() }),
            Err(_) => Err(IngestError::Timeout { source_name, after: PUBLISH_TIMEOUT }),
        }
    }

    fn refused(&self, tag: &Tag, reason: String) -> IngestError {
        IngestError::Refused { source_name: self.shared.source.name.clone(), tag: TagName::of(tag), reason: reason.into() }
    }
}

impl WritableDevice for MqttDevice {
    async fn write(
        &self,
        tag: &Tag,
        value: &Value,
        left: &(dyn Fn() -> Option<Duration> + Send + Sync),
    ) -> Result<Value, IngestError> {
        let Address::Mqtt(address @ MqttAddress { topic: Some(topic), .. }) = &tag.address else {
            return Err(self.refused(tag, "it names no topic to publish to".into()));
        };
        if tag.feedback.is_none() {
            return Err(self.refused(tag, "nothing shows whether the machine took it: add `feedback:` to the control".into()));
        }
        let message = feedback::message(address, value).map_err(|reason| self.refused(tag, reason))?;
        let Some(left) = left() else { return Err(IngestError::Late) };
        self.feedback.forget(tag.id);
        // Neither retained nor kept past its deadline: a machine that comes back later must not find an old order.
        self.publish_by(topic, |client| client.order(topic, message, left)).await?;
        Ok(value.clone())
    }

    async fn read(&self, tag: &Tag) -> Result<Value, IngestError> {
        self.feedback.last(tag, Instant::now()).map_err(|reason| self.refused(tag, reason))
    }
}

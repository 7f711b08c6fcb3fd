//! One face for both protocol versions: 3.1.1 and 5 come as separate clients of the same shape.
//!
//! A connection is used once. After any error it is dropped with everything under way, and the broker's session, which outlives
//! it, sends again what was not acknowledged; so an acknowledgement never reaches a connection other than its own.

use andon_models::{
    definition::{MqttVersion, SourceProtocol},
    snapshot::ConnectionState,
};
use bytes::Bytes;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, NetworkOptions, Outgoing, Packet, QoS,
    Transport,
    v5::{self, mqttbytes::v5::PublishProperties},
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// How often the connection is proven alive; half as often as a person would notice.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Largest message: a document of a whole plant. The client's own limit, 10 KiB, ends the connection.
const MAX_MESSAGE: u32 = 4 << 20;
/// Messages under way that wait for our acknowledgement (MQTT 5).
const RECEIVE_MAXIMUM: u16 = 1_000;
/// How long the broker keeps messages for us while we are away (MQTT 5).
const SESSION_EXPIRY: Duration = Duration::from_secs(24 * 3_600);
/// Requests between us and the client: acknowledgements mostly.
pub(super) const REQUESTS: usize = 1_000;
/// The port of MQTT over TLS.
const TLS_PORT: u16 = 8883;

/// Why there is no connection.
#[derive(Debug)]
pub(super) struct Failure {
    pub state: ConnectionState,
    pub reason: String,
}

/// A message that came.
#[derive(Debug)]
pub(super) struct Message {
    pub topic: String,
    pub payload: Bytes,
    /// Whether it was published before we listened, nobody knows when.
    pub retained: bool,
    /// To be acknowledged once it is safe.
    pub acknowledge: Option<Acknowledge>,
}

/// The packet to acknowledge.
#[derive(Debug)]
pub(super) enum Acknowledge {
    V3(Box<rumqttc::Publish>),
    V5(Box<v5::mqttbytes::v5::Publish>),
}

/// What the connection tells.
#[derive(Debug)]
pub(super) enum Signal {
    Subscribed,
    Message(Message),
    Down(Failure),
}

/// How long the broker is to know us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    /// Over breaks of the connection: it keeps what we miss.
    Kept,
    /// As long as the connection: it keeps nothing, and nothing is acknowledged.
    Visit,
}

/// The sending side of a connection.
#[derive(Clone)]
pub(super) struct Client {
    requests: Requests,
    stay: Stay,
    /// Publications handed over whose packet numbers are not known yet, in order.
    waiting: Arc<Mutex<VecDeque<oneshot::Sender<()>>>>,
}

#[derive(Clone)]
enum Requests {
    V3(AsyncClient),
    V5(v5::AsyncClient),
}

/// The receiving side of a connection.
pub(super) enum Events {
    V3(Box<EventLoop>),
    V5(Box<v5::EventLoop>),
}

/// What both versions say, in one form.
enum Seen {
    Accepted,
    Subscribed(Result<(), String>),
    Message(Message),
    Sent(u16),
    Acknowledged(u16),
    Other,
}

impl Failure {
    pub fn lost(reason: impl Into<String>) -> Self {
        Self { state: ConnectionState::Lost, reason: reason.into() }
    }

    pub fn misconfigured(reason: impl Into<String>) -> Self {
        Self { state: ConnectionState::Misconfigured, reason: reason.into() }
    }
}

/// Prepares a connection; it is made when [`Events`] are driven.
pub(super) async fn prepare(protocol: &SourceProtocol, client_id: &str, stay: Stay) -> Result<(Client, Events), Failure> {
    let SourceProtocol::Mqtt { host, port, user, password, version, .. } = protocol else {
        return Err(Failure::misconfigured("not an mqtt source"));
    };
    let transport = transport(*port).await?;
    let credentials = user.as_ref().map(|user| {
        let password = password.as_ref().map(|password| password.0.to_string()).unwrap_or_default();
        (user.0.to_string(), password)
    });
    let visit = stay == Stay::Visit;
    let (requests, events) = match version {
        MqttVersion::V3 => {
            let mut options = MqttOptions::new(client_id, &**host, *port);
            options.set_transport(transport).set_keep_alive(KEEP_ALIVE).set_clean_session(visit).set_manual_acks(!visit);
            options.set_max_packet_size(MAX_MESSAGE as usize, MAX_MESSAGE as usize);
            if let Some((user, password)) = credentials {
                options.set_credentials(user, password);
            }
            let (client, mut events) = AsyncClient::new(options, REQUESTS);
            events.set_network_options(at_once());
            (Requests::V3(client), Events::V3(events.into()))
        }
        MqttVersion::V5 => {
            let mut options = v5::MqttOptions::new(client_id, &**host, *port);
            options.set_transport(transport).set_keep_alive(KEEP_ALIVE).set_clean_start(visit).set_manual_acks(!visit);
            options.set_max_packet_size(Some(MAX_MESSAGE)).set_receive_maximum(Some(RECEIVE_MAXIMUM));
            options.set_session_expiry_interval(Some(if visit { 0 } else { SESSION_EXPIRY.as_secs() as u32 }));
            options.set_network_options(at_once());
            if let Some((user, password)) = credentials {
                options.set_credentials(user, password);
            }
            let (client, events) = v5::AsyncClient::new(options, REQUESTS);
            (Requests::V5(client), Events::V5(events.into()))
        }
    };
    Ok((Client { requests, stay, waiting: Arc::default() }, events))
}

/// Without it a publication waits in the kernel until the broker's kernel has confirmed what went before it, up to 40 ms.
fn at_once() -> NetworkOptions {
    let mut options = NetworkOptions::new();
    options.set_tcp_nodelay(true);
    options
}

async fn transport(port: u16) -> Result<Transport, Failure> {
    if port != TLS_PORT {
        return Ok(Transport::tcp());
    }
    // The system's certificates are files, and a system without them makes the library panic.
    let loaded = tokio::task::spawn_blocking(Transport::tls_with_default_config).await;
    loaded.map_err(|_| {
        Failure::misconfigured("no TLS: the system's root certificates cannot be loaded; install the package ca-certificates")
    })
}

impl Client {
    /// Asks for messages: with QoS 1, or as they come where nothing is kept.
    fn subscribe(&self, filters: &[String]) -> Result<(), Failure> {
        let asked = match &self.requests {
            Requests::V3(client) => {
                let qos = if self.stay == Stay::Kept { QoS::AtLeastOnce } else { QoS::AtMostOnce };
                let filters = filters.iter().map(|filter| rumqttc::SubscribeFilter::new(filter.clone(), qos));
                client.try_subscribe_many(filters).is_ok()
            }
            Requests::V5(client) => {
                use v5::mqttbytes::QoS;
                let qos = if self.stay == Stay::Kept { QoS::AtLeastOnce } else { QoS::AtMostOnce };
                let filters = filters.iter().map(|filter| v5::mqttbytes::v5::Filter::new(filter.clone(), qos));
                client.try_subscribe_many(filters).is_ok()
            }
        };
        if asked {
            Ok(())
        } else {
            Err(Failure::misconfigured(format!("no valid topics: {}; mend them in the plant file", filters.join(", "))))
        }
    }

    /// Publishes a message; the receiver fires when the broker has it.
    pub fn publish(&self, topic: &str, payload: Bytes, retain: bool) -> Option<oneshot::Receiver<()>> {
        self.hand_over(|requests| match requests {
            Requests::V3(client) => client.try_publish(topic, QoS::AtLeastOnce, retain, payload).is_ok(),
            Requests::V5(client) => client.try_publish(topic, v5::mqttbytes::QoS::AtLeastOnce, retain, payload).is_ok(),
        })
    }

    /// Publishes what must not arrive later than `left` from now, though the broker may keep messages for a machine that is away.
    ///
    /// MQTT 5 has the broker forget it in time (section 3.3.2.3.3). MQTT 3.1.1 knows no such thing, so it goes with QoS 0, which a
    /// broker need not keep and most do not; then the receiver fires when it is on its way.
    pub fn order(&self, topic: &str, payload: Bytes, left: Duration) -> Option<oneshot::Receiver<()>> {
        // Whole seconds, and zero would be no time at all.
        let seconds = u32::try_from(left.as_secs()).unwrap_or(u32::MAX).max(1);
        self.hand_over(|requests| match requests {
            Requests::V3(client) => client.try_publish(topic, QoS::AtMostOnce, false, payload).is_ok(),
            Requests::V5(client) => {
                let (qos, expires) = (v5::mqttbytes::QoS::AtLeastOnce, Some(seconds));
                let properties = PublishProperties { message_expiry_interval: expires, ..PublishProperties::default() };
                client.try_publish_with_properties(topic, qos, false, payload, properties).is_ok()
            }
        })
    }

    fn hand_over(&self, publish: impl FnOnce(&Requests) -> bool) -> Option<oneshot::Receiver<()>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that the order here is the order on the wire.
        let handed_over = publish(&self.requests);
        handed_over.then(|| {
            let (acknowledged, receiver) = oneshot::channel();
            waiting.push_back(acknowledged);
            receiver
        })
    }

    /// Acknowledges a message.
    pub async fn acknowledge(&self, message: &Acknowledge) {
        // A connection that is gone gets the message again.
        match (&self.requests, message) {
            (Requests::V3(client), Acknowledge::V3(publish)) => _ = client.ack(publish).await,
            (Requests::V5(client), Acknowledge::V5(publish)) => _ = client.ack(publish).await,
            _ => {}
        }
    }

    pub fn disconnect(&self) {
        match &self.requests {
            Requests::V3(client) => _ = client.try_disconnect(),
            Requests::V5(client) => _ = client.try_disconnect(),
        }
    }
}

/// Drives a connection to its end. A full receiver holds up the broker, not the memory.
pub(super) async fn drive(mut events: Events, client: Client, filters: Vec<String>, signals: mpsc::Sender<Signal>) {
    let mut under_way: HashMap<u16, oneshot::Sender<()>> = HashMap::new();
    loop {
        let signal = match events.next().await {
            Ok(Seen::Accepted) => match client.subscribe(&filters) {
                Ok(()) => continue,
                Err(failure) => Signal::Down(failure),
            },
            Ok(Seen::Subscribed(Ok(()))) => Signal::Subscribed,
            Ok(Seen::Subscribed(Err(reason))) => Signal::Down(Failure::misconfigured(format!(
                "the broker refuses the subscription to {} ({reason}): check the topic and the user's rights",
                filters.join(", ")
            ))),
            Ok(Seen::Message(message)) => Signal::Message(message),
            Ok(Seen::Sent(number)) => {
                let waiting = client.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                match waiting {
                    // QoS 0 has no number, and nobody acknowledges it.
                    Some(sent) if number == 0 => _ = sent.send(()),
                    waiting => under_way.extend(waiting.map(|acknowledged| (number, acknowledged))),
                }
                continue;
            }
            Ok(Seen::Acknowledged(number)) => {
                under_way.remove(&number).map(|acknowledged| acknowledged.send(()));
                continue;
            }
            Ok(Seen::Other) => continue,
            Err(failure) => Signal::Down(failure),
        };
        let down = matches!(signal, Signal::Down(_));
        if signals.send(signal).await.is_err() || down {
            return;
        }
    }
}

impl Events {
    async fn next(&mut self) -> Result<Seen, Failure> {
        match self {
            Self::V3(events) => events.poll().await.map(seen_v3).map_err(|error| explain_v3(&error)),
            Self::V5(events) => events.poll().await.map(seen_v5).map_err(|error| explain_v5(&error)),
        }
    }
}

fn seen_v3(event: Event) -> Seen {
    match event {
        Event::Incoming(Packet::ConnAck(_)) => Seen::Accepted,
        Event::Incoming(Packet::SubAck(answer)) => {
            let refused = answer.return_codes.contains(&rumqttc::SubscribeReasonCode::Failure);
            Seen::Subscribed(if refused { Err("Failure".into()) } else { Ok(()) })
        }
        Event::Incoming(Packet::Publish(publish)) => Seen::Message(Message {
            topic: publish.topic.clone(),
            payload: publish.payload.clone(),
            retained: publish.retain,
            acknowledge: (publish.qos != QoS::AtMostOnce).then(|| Acknowledge::V3(publish.into())),
        }),
        Event::Incoming(Packet::PubAck(answer)) => Seen::Acknowledged(answer.pkid),
        Event::Outgoing(Outgoing::Publish(number)) => Seen::Sent(number),
        _ => Seen::Other,
    }
}

fn seen_v5(event: v5::Event) -> Seen {
    use v5::mqttbytes::v5::{Packet, SubscribeReasonCode};
    match event {
        v5::Event::Incoming(Packet::ConnAck(_)) => Seen::Accepted,
        v5::Event::Incoming(Packet::SubAck(answer)) => {
            let refused = answer.return_codes.iter().find(|code| !matches!(code, SubscribeReasonCode::Success(_)));
            Seen::Subscribed(refused.map_or(Ok(()), |code| Err(format!("{code:?}"))))
        }
        v5::Event::Incoming(Packet::Publish(publish)) => Seen::Message(Message {
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            payload: publish.payload.clone(),
            retained: publish.retain,
            acknowledge: (publish.qos != v5::mqttbytes::QoS::AtMostOnce).then(|| Acknowledge::V5(publish.into())),
        }),
        v5::Event::Incoming(Packet::PubAck(answer)) => Seen::Acknowledged(answer.pkid),
        v5::Event::Outgoing(Outgoing::Publish(number)) => Seen::Sent(number),
        _ => Seen::Other,
    }
}

fn explain_v3(error: &ConnectionError) -> Failure {
    match error {
        ConnectionError::ConnectionRefused(
            code @ (ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized),
        ) => refused_login(&format!("{code:?}")),
        ConnectionError::ConnectionRefused(
            code @ (ConnectReturnCode::RefusedProtocolVersion | ConnectReturnCode::BadClientId),
        ) => refused_version(&format!("{code:?}")),
        other => no_connection(&other.to_string()),
    }
}

fn explain_v5(error: &v5::ConnectionError) -> Failure {
    use v5::mqttbytes::v5::ConnectReturnCode as Code;
    match error {
        v5::ConnectionError::ConnectionRefused(
            code @ (Code::BadUserNamePassword | Code::NotAuthorized | Code::Banned | Code::BadAuthenticationMethod),
        ) => refused_login(&format!("{code:?}")),
        v5::ConnectionError::ConnectionRefused(
            code @ (Code::RefusedProtocolVersion
            | Code::UnsupportedProtocolVersion
            | Code::BadClientId
            | Code::ClientIdentifierNotValid),
        ) => refused_version(&format!("{code:?}")),
        other => no_connection(&other.to_string()),
    }
}

fn no_connection(reason: &str) -> Failure {
    Failure::lost(format!(
        "no connection to the broker: {reason}; check that it runs, host and port (8883 is TLS), and the firewall"
    ))
}

fn refused_login(code: &str) -> Failure {
    Failure::misconfigured(format!("the broker refuses the log-in ({code}): check user and password of the source"))
}

fn refused_version(code: &str) -> Failure {
    Failure::misconfigured(format!(
        "the broker refuses the connection ({code}): try `version: 3` or `version: 5` of the source"
    ))
}

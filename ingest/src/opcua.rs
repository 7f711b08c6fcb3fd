//! OPC UA: subscriptions with a canary, writes in the node's own type.

mod browse;
mod canary;
mod connect;
mod subscribe;
#[cfg(test)]
mod tests;
mod value;

use crate::{IngestError, Shared, TagName, backoff::Backoff, batcher::IntakeSender, command::WritableDevice, convert};
use andon_models::{StatusCode as Status, Timestamp, Value, address::Address, catalog::Tag, snapshot::ConnectionState};
use connect::{Connection, Failure, code_words};
use opcua::{
    client::Session,
    types::{
        AttributeId, DataValue, Error, NamespaceMap, NodeId, ReadValueId, StatusCode, TimestampsToReturn, Variant,
        VariantScalarTypeId, WriteValue,
    },
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use subscribe::Subscriptions;
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How often the canaries are looked at.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// When nodes that the server refused are tried again.
const RETRY_REFUSED: Duration = Duration::from_secs(30);

/// The way to write to an OPC UA server.
pub(crate) struct OpcUaDevice {
    shared: Arc<Shared>,
    live: watch::Receiver<Option<Live>>,
    desk: Mutex<browse::Desk>,
}

/// The session of the moment.
#[derive(Clone)]
struct Live {
    session: Arc<Session>,
    namespaces: Arc<NamespaceMap>,
}

/// Starts the collector of a server.
pub(crate) fn start(
    shared: Arc<Shared>,
    pki_dir: PathBuf,
    intake: IntakeSender,
    stop: CancellationToken,
) -> (OpcUaDevice, JoinHandle<()>) {
    let (sender, live) = watch::channel(None);
    let collector = Collector { shared: shared.clone(), pki_dir, intake, live: sender };
    (OpcUaDevice { shared, live, desk: Mutex::default() }, tokio::spawn(collector.run(stop)))
}

struct Collector {
    shared: Arc<Shared>,
    pki_dir: PathBuf,
    intake: IntakeSender,
    live: watch::Sender<Option<Live>>,
}

impl Collector {
    async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        while let Some(failure) = self.stay_connected(&mut backoff, &stop).await {
            self.live.send_replace(None);
            self.shared.status.failed(failure.state, &failure.reason, (self.shared.now)());
            let wait = match failure.state {
                ConnectionState::Misconfigured => Backoff::slow(rand::random()),
                _ => backoff.next(rand::random()),
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = async {
                    self.intake.lost(Status::NOT_CONNECTED).await;
                    tokio::time::sleep(wait).await;
                } => {}
            }
        }
        self.live.send_replace(None);
    }

    /// Connects, subscribes and watches until the server is lost, and says why it is; or until the source is stopped.
    async fn stay_connected(&self, backoff: &mut Backoff, stop: &CancellationToken) -> Option<Failure> {
        let opened = tokio::select! {
            () = stop.cancelled() => return None,
            opened = Connection::open(&self.shared, &self.pki_dir) => opened,
        };
        let connection = match opened {
            Ok(connection) => connection,
            Err(failure) => return Some(failure),
        };
        let failure = tokio::select! {
            () = stop.cancelled() => None,
            failure = self.watch(&connection, backoff) => Some(failure),
        };
        self.live.send_replace(None);
        connection.close().await;
        failure
    }

    async fn watch(&self, connection: &Connection, backoff: &mut Backoff) -> Failure {
        self.intake.connected().await;
        let created = tokio::select! {
            failure = connection.lost() => return failure,
            created = Subscriptions::create(&self.shared, connection, &self.intake) => created,
        };
        let mut subscriptions = match created {
            Ok(subscriptions) => subscriptions,
            Err(failure) => return failure,
        };
        self.live.send_replace(Some(Live {
            session: connection.session.clone(),
            namespaces: Arc::new(connection.namespaces.clone()),
        }));
        self.shared.status.connected((self.shared.now)());
        backoff.reset();
        let mut watch = tokio::time::interval(WATCH_EVERY);
        let mut retry = tokio::time::interval_at(tokio::time::Instant::now() + RETRY_REFUSED, RETRY_REFUSED);
        loop {
            tokio::select! {
                failure = connection.lost() => return failure,
                _ = watch.tick() => if let Some(silence) = subscriptions.missing() {
                    return Failure::lost(format!("the subscription has been silent for {} s; building it anew", silence.as_secs()));
                },
                _ = retry.tick() => if let Err(failure) = subscriptions.retry(connection).await {
                    return failure;
                },
            }
        }
    }
}

impl OpcUaDevice {
    fn live(&self) -> Result<Live, IngestError> {
        self.live.borrow().clone().ok_or_else(|| IngestError::NotConnected {
            source_name: self.shared.source.name.clone(),
            reason: self.shared.status.reason(),
        })
    }

    fn node(&self, tag: &Tag, namespaces: &NamespaceMap) -> Result<NodeId, IngestError> {
        let Address::OpcUa(address) = &tag.address else {
            return Err(IngestError::UnknownTag { source_name: self.shared.source.name.clone(), tag: TagName::of(tag) });
        };
        value::resolve(address, namespaces).map_err(|reason| self.refused(tag, reason))
    }

    fn refused(&self, tag: &Tag, reason: String) -> IngestError {
        IngestError::Refused { source_name: self.shared.source.name.clone(), tag: TagName::of(tag), reason: reason.into() }
    }

    /// What became of a request: the service's own error or none in time.
    async fn request<T>(&self, request: impl Future<Output = Result<T, Error>>) -> Result<T, IngestError> {
        let source_name = self.shared.source.name.clone();
        let after = connect::REQUEST_TIMEOUT;
        match timeout(after + Duration::from_secs(1), request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.status() == StatusCode::BadTimeout => Err(IngestError::Timeout { source_name, after }),
            Ok(Err(error)) => Err(IngestError::Broken { source_name, reason: error.to_string().into() }),
            Err(_) => Err(IngestError::Timeout { source_name, after }),
        }
    }

    /// The type a node takes: by its DataType, else by the value it has now.
    async fn type_of(&self, session: &Session, node: &NodeId, tag: &Tag) -> Result<VariantScalarTypeId, IngestError> {
        let asked = [AttributeId::DataType, AttributeId::Value].map(|attribute| ReadValueId::new(node.clone(), attribute));
        let answers = self.request(session.read(&asked, TimestampsToReturn::Neither, 0.0)).await?;
        let [data_type, value] = answers.as_slice() else {
            return Err(self.refused(tag, "the server does not say which type the node has".into()));
        };
        if data_type.status().is_bad() {
            return Err(self.refused(tag, code_words(data_type.status())));
        }
        let plain = match &data_type.value {
            Some(Variant::NodeId(data_type)) => value::plain_type(data_type),
            _ => None,
        };
        if let Some(Variant::Array(_)) = &value.value {
            return Err(self.refused(tag, "the node holds an array, which cannot be written".into()));
        }
        let found = plain.or_else(|| value.value.as_ref().and_then(value::scalar_type));
        found.ok_or_else(|| self.refused(tag, "the server does not say which type the node has".into()))
    }
}

impl WritableDevice for OpcUaDevice {
    async fn write(
        &self,
        tag: &Tag,
        value: &Value,
        left: &(dyn Fn() -> Option<Duration> + Send + Sync),
    ) -> Result<Value, IngestError> {
        let Live { session, namespaces } = self.live()?;
        let node = self.node(tag, &namespaces)?;
        // Until here nothing was sent: whatever goes wrong, the machine is as it was.
        let data_type = self.type_of(&session, &node, tag).await.map_err(|error| match error {
            IngestError::Timeout { source_name, .. } => {
                IngestError::NotConnected { source_name, reason: "the server does not answer; nothing was written".into() }
            }
            IngestError::Broken { source_name, reason } => IngestError::NotConnected { source_name, reason },
            other => other,
        })?;
        let raw = convert::unscaled(value, &tag.scaling);
        let variant = value::to_variant(&raw, data_type).map_err(|reason| IngestError::DoesNotFit {
            tag: TagName::of(tag),
            value: value.to_string().into(),
            reason: reason.into(),
        })?;
        let shown = in_units(tag, &variant);
        // Only the value: many servers refuse a write that brings a status or a time.
        let write = [WriteValue::new(node, AttributeId::Value, Default::default(), DataValue::value_only(variant))];
        if left().is_none() {
            return Err(IngestError::Late);
        }
        let codes = self.request(session.write(&write)).await?;
        match codes.first() {
            Some(code) if code.is_good() => Ok(shown),
            Some(code) => Err(self.refused(tag, code_words(*code))),
            None => Err(self.refused(tag, "the server gave no result".into())),
        }
    }

    async fn read(&self, tag: &Tag) -> Result<Value, IngestError> {
        let Live { session, namespaces } = self.live()?;
        let asked = [ReadValueId::new(self.node(tag, &namespaces)?, AttributeId::Value)];
        let answers = self.request(session.read(&asked, TimestampsToReturn::Both, 0.0)).await?;
        match answers.first() {
            Some(answer) if answer.status().is_bad() => Err(self.refused(tag, code_words(answer.status()))),
            Some(answer) => Ok(answer.value.as_ref().map_or(Value::Null, |variant| in_units(tag, variant))),
            None => Err(self.refused(tag, "the server gave no value".into())),
        }
    }
}

/// A variant in the unit and type of its property.
fn in_units(tag: &Tag, variant: &Variant) -> Value {
    convert::tqv(tag, value::to_value(variant), Timestamp::EPOCH, Status::GOOD).value
}

//! Subscriptions: which tags, how often, and what becomes of their notifications.
//!
//! The callbacks run inside the session's event loop: they convert and hand over, and never wait.

use super::{
    canary::Canary,
    connect::{Connection, Failure, code_words},
    value::{resolve, time_of, to_value, value_time},
};
use crate::{Shared, TagName, batcher::IntakeSender, convert};
use andon_models::{Sample, StatusCode as Status, Timestamp, Tqv, Value, address::Address, catalog::Tag};
use opcua::{
    client::{MonitoredItemMap, OnSubscriptionNotificationCore, Session},
    types::{
        AttributeId, DataChangeFilter, DataChangeNotification, DataChangeTrigger, DataValue, ExtensionObject,
        MonitoredItemCreateRequest, MonitoringMode, MonitoringParameters, NodeId, NotificationMessage, ReadValueId,
        StatusChangeNotification, StatusCode, TimestampsToReturn, VariableId, Variant,
    },
};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// Items of one subscription: servers commonly allow 1,000, one of which is the canary.
const ITEMS: usize = 900;
/// Items of one create request where the server states no limit.
const ITEMS_PER_CALL: usize = 500;
/// Notifications of one publish answer.
const NOTIFICATIONS: u32 = 1_000;
/// Values of one item that the server keeps between two publish answers.
const ITEM_QUEUE: u32 = 10;
/// Shortest publishing interval: faster than a person or a detector can use, and hard on a PLC.
const LEAST_INTERVAL: Duration = Duration::from_millis(50);
/// Interval of the canary.
const CANARY_INTERVAL: Duration = Duration::from_secs(1);
/// Publishing intervals without news until the server sends a sign of life.
const KEEP_ALIVE_COUNT: u32 = 10;
/// A subscription that nobody asks about lives so long in the server.
const LIFETIME: Duration = Duration::from_secs(60);
/// The canary's handle; tags use their number plus one.
const CANARY: u32 = u32::MAX;
/// Older than this against the server's clock, the first value of an item is delivered a second time, as of its arrival.
const OLD: Duration = Duration::from_secs(1);
/// So many beats of the canary that second delivery waits: a change that was already on its way says it better, and must not be
/// overtaken by it.
const HOLD_BEATS: u32 = 2;
/// Two readings of the server's clock that differ by more than this mean that it was set.
const CLOCK_STEP: i64 = 3_000_000_000;

/// All subscriptions of one session.
pub(super) struct Subscriptions {
    canaries: Vec<Arc<Canary>>,
    refused: Vec<(u32, Tag)>,
    shared: Arc<Shared>,
    intake: IntakeSender,
}

/// The clock of the server as far as we know it: ours minus theirs, in nanoseconds.
struct ServerClock(AtomicI64);

impl Subscriptions {
    /// Subscribes to all tags that are read.
    pub async fn create(shared: &Arc<Shared>, connection: &Connection, intake: &IntakeSender) -> Result<Self, Failure> {
        let mut tags: Vec<_> = shared.tags.values().filter(|tag| tag.read).cloned().collect();
        tags.sort_by_key(|tag| tag.id);
        let session = &connection.session;
        let (offset, per_call) = ask_server(session, (shared.now)()).await;
        intake.clock(offset);
        let clock = Arc::new(ServerClock(AtomicI64::new(offset)));
        let mut this = Self { canaries: Vec::new(), refused: Vec::new(), shared: shared.clone(), intake: intake.clone() };
        // Without tags the canary alone watches the session that carries the writes.
        let groups: Vec<&[Tag]> = if tags.is_empty() { vec![&[]] } else { tags.chunks(ITEMS).collect() };
        for group in groups {
            let canary = Arc::new(Canary::asked_for(CANARY_INTERVAL));
            let notifications = Notifications {
                shared: shared.clone(),
                intake: intake.clone(),
                tags: group.iter().map(|tag| (handle(tag), tag.clone())).collect(),
                first: group.iter().map(handle).collect(),
                held: HashMap::new(),
                canary: canary.clone(),
                clock: clock.clone(),
            };
            let interval = publishing_interval(shared);
            let lifetime = (LIFETIME.as_millis() / interval.as_millis()).max(u128::from(KEEP_ALIVE_COUNT) * 3) as u32;
            let created =
                session.create_subscription(interval, lifetime, KEEP_ALIVE_COUNT, NOTIFICATIONS, 0, true, notifications).await;
            let subscription = created.map_err(|error| Failure::lost(format!("the server gives no subscription: {error}")))?;
            let watched = watch_clock(session, subscription).await;
            this.canaries.push(if watched { canary } else { connection.publishes.clone() });
            for tags in group.chunks(per_call) {
                this.add(connection, subscription, tags).await?;
            }
        }
        Ok(this)
    }

    /// How long a subscription has been silent, if one is dead.
    pub fn missing(&self) -> Option<Duration> {
        self.canaries.iter().find_map(|canary| canary.missing())
    }

    /// Tries again what the server refused: nodes come and go with the PLC's program.
    pub async fn retry(&mut self, connection: &Connection) -> Result<(), Failure> {
        let mut refused = std::mem::take(&mut self.refused);
        refused.sort_by_key(|(subscription, _)| *subscription);
        for group in refused.chunk_by(|one, other| one.0 == other.0) {
            let tags: Vec<_> = group.iter().map(|(_, tag)| tag.clone()).collect();
            for tags in tags.chunks(ITEMS_PER_CALL) {
                self.add(connection, group[0].0, tags).await?;
            }
        }
        Ok(())
    }

    async fn add(&mut self, connection: &Connection, subscription: u32, tags: &[Tag]) -> Result<(), Failure> {
        let mut pending = Vec::new();
        for tag in tags {
            let Address::OpcUa(address) = &tag.address else { continue };
            match resolve(address, &connection.namespaces) {
                Ok(node) => pending.push((tag, node, tag.stale.is_some())),
                Err(reason) => self.refuse(subscription, tag, StatusCode::BadNodeIdInvalid, &reason),
            }
        }
        while !pending.is_empty() {
            let requests = pending.iter().map(|(tag, node, by_time)| self.request(tag, node, *by_time)).collect();
            let created = connection.session.create_monitored_items(subscription, TimestampsToReturn::Both, requests).await;
            let created = created.map_err(|error| Failure::lost(format!("the server refuses to monitor tags: {error}")))?;
            let mut again = Vec::new();
            for ((tag, node, by_time), created) in pending.into_iter().zip(created) {
                let code = created.result.status_code;
                let no_filter = matches!(
                    code,
                    StatusCode::BadMonitoredItemFilterUnsupported
                        | StatusCode::BadFilterNotAllowed
                        | StatusCode::BadMonitoredItemFilterInvalid
                );
                if by_time && no_filter {
                    again.push((tag, node, false));
                } else if code.is_bad() {
                    self.refuse(
                        subscription,
                        tag,
                        code,
                        &format!(
                            "{}; compare the node id with the server's tree, and what the user may read",
                            code_words(code)
                        ),
                    );
                }
            }
            pending = again;
        }
        Ok(())
    }

    /// A tag with a limit for silence is reported whenever the device touches it, even with the same value: that is what tells a
    /// constant value from a dead one.
    fn request(&self, tag: &Tag, node: &NodeId, by_time: bool) -> MonitoredItemCreateRequest {
        let filter = if by_time {
            ExtensionObject::new(DataChangeFilter {
                trigger: DataChangeTrigger::StatusValueTimestamp,
                deadband_type: 0,
                deadband_value: 0.0,
            })
        } else {
            ExtensionObject::null()
        };
        let sampling = self.shared.source.every.max(LEAST_INTERVAL);
        item(node.clone(), handle(tag), sampling, ITEM_QUEUE, filter)
    }

    fn refuse(&mut self, subscription: u32, tag: &Tag, code: StatusCode, reason: &str) {
        let status = Status(code.bits());
        self.shared.status.trouble(&format!("{}: {reason}", TagName::of(tag)));
        self.intake.offer(vec![Sample { tag: tag.id, tqv: Tqv::bad((self.shared.now)(), status) }]);
        self.refused.push((subscription, tag.clone()));
    }
}

fn handle(tag: &Tag) -> u32 {
    tag.id.0 + 1
}

fn item(node: NodeId, handle: u32, sampling: Duration, queue: u32, filter: ExtensionObject) -> MonitoredItemCreateRequest {
    let parameters = MonitoringParameters {
        client_handle: handle,
        sampling_interval: sampling.as_secs_f64() * 1_000.0,
        filter,
        queue_size: queue,
        discard_oldest: true,
    };
    MonitoredItemCreateRequest::new(node.into(), MonitoringMode::Reporting, parameters)
}

/// Adds the canary to a subscription; false when the server does not let its clock be monitored.
async fn watch_clock(session: &Session, subscription: u32) -> bool {
    let clock = item(VariableId::Server_ServerStatus_CurrentTime.into(), CANARY, CANARY_INTERVAL, 1, ExtensionObject::null());
    let created = session.create_monitored_items(subscription, TimestampsToReturn::Both, vec![clock]).await;
    created.is_ok_and(|created| created.first().is_some_and(|item| item.result.status_code.is_good()))
}

fn publishing_interval(shared: &Shared) -> Duration {
    shared.source.every.max(LEAST_INTERVAL)
}

/// How often the server answers a publish request at least.
pub(super) fn keep_alive_interval(shared: &Shared) -> Duration {
    publishing_interval(shared) * KEEP_ALIVE_COUNT
}

/// The offset of the server's clock, and how many items it takes at once.
async fn ask_server(session: &Session, now: Timestamp) -> (i64, usize) {
    let nodes: [NodeId; 2] = [
        VariableId::Server_ServerStatus_CurrentTime.into(),
        VariableId::Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall.into(),
    ];
    let nodes = nodes.map(|node| ReadValueId::new(node, AttributeId::Value));
    let Ok(values) = session.read(&nodes, TimestampsToReturn::Neither, 0.0).await else { return (0, ITEMS_PER_CALL) };
    let offset = values.first().and_then(|value| clock_offset(value, now)).unwrap_or(0);
    let limit = match values.get(1).and_then(|value| value.value.as_ref()).map(to_value) {
        Some(Value::Integer(limit)) if limit > 0 => usize::try_from(limit).unwrap_or(ITEMS_PER_CALL).min(ITEMS_PER_CALL),
        _ => ITEMS_PER_CALL,
    };
    (offset, limit)
}

fn clock_offset(value: &DataValue, now: Timestamp) -> Option<i64> {
    match value.value.as_ref()? {
        Variant::DateTime(time) => now.as_nanos().checked_sub(time_of(time)?.as_nanos()),
        _ => None,
    }
}

/// Takes the notifications of one subscription.
struct Notifications {
    shared: Arc<Shared>,
    intake: IntakeSender,
    tags: HashMap<u32, Tag>,
    /// Tags whose first value has not come yet.
    first: HashSet<u32>,
    /// First values that were old when they came, to be told again as of their arrival, and the beats they have waited.
    held: HashMap<u32, (Tqv, u32)>,
    canary: Arc<Canary>,
    clock: Arc<ServerClock>,
}

impl OnSubscriptionNotificationCore for Notifications {
    fn on_subscription_notification(&mut self, notification: NotificationMessage, _: MonitoredItemMap<'_>) {
        let mut samples = Vec::new();
        for data in notification.notification_data.into_iter().flatten() {
            if data.inner_is::<StatusChangeNotification>() {
                // The subscription is closing: the canary will be missed, and everything is built anew.
                self.shared.status.trouble("the server closed the subscription; it is made anew");
            } else if let Some(changes) = data.into_inner_as::<DataChangeNotification>() {
                for change in changes.monitored_items.into_iter().flatten() {
                    self.take(change.client_handle, &change.value, &mut samples);
                }
            }
        }
        self.intake.offer(samples);
    }
}

impl Notifications {
    fn take(&mut self, handle: u32, value: &DataValue, samples: &mut Vec<Sample>) {
        let now = (self.shared.now)();
        if handle == CANARY {
            self.canary.beat();
            self.release(samples);
            if let Some(offset) = clock_offset(value, now) {
                self.clock.see(offset, &self.intake);
            }
            return;
        }
        let Some(tag) = self.tags.get(&handle) else { return };
        let raw = value.value.as_ref().map_or(Value::Null, to_value);
        let tqv = convert::tqv(tag, raw, value_time(value, now), Status(value.status().bits()));
        let server_now = self.clock.server_time(now);
        if self.first.remove(&handle) && tqv.time + OLD < server_now {
            // What did not change for long is told twice: since when it is so, and that it still is.
            self.held.insert(handle, (Tqv { time: server_now, ..tqv.clone() }, 0));
        } else {
            self.held.remove(&handle);
        }
        samples.push(Sample { tag: tag.id, tqv });
    }

    /// Tells again what was held long enough; called at each beat of the canary.
    fn release(&mut self, samples: &mut Vec<Sample>) {
        self.held.values_mut().for_each(|(_, beats)| *beats += 1);
        for (handle, (tqv, _)) in self.held.extract_if(|_, (_, beats)| *beats >= HOLD_BEATS) {
            samples.extend(self.tags.get(&handle).map(|tag| Sample { tag: tag.id, tqv }));
        }
    }
}

impl ServerClock {
    /// A reading by notification is late by up to a publishing interval, so it only tells that the clock was set.
    fn see(&self, offset: i64, intake: &IntakeSender) {
        if (offset - self.0.load(Ordering::Relaxed)).abs() > CLOCK_STEP {
            self.0.store(offset, Ordering::Relaxed);
            intake.clock(offset);
        }
    }

    fn server_time(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_nanos(now.as_nanos().saturating_sub(self.0.load(Ordering::Relaxed)))
    }
}

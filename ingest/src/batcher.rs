//! Gathers the samples of one source into deliveries: one is under way to the disk while the next gathers. What comes when none is
//! under way goes on at once, and the slower the disk, the larger the batches: no pause to choose.
//!
//! It is also where silence is noticed, because every sample passes here. It waits for the receiver as long as it takes; meanwhile
//! its own bounded queue fills, and what does not fit is counted as dropped by whoever offers it. News about the connection always
//! fits: a part of the queue is kept free for it.

#[cfg(test)]
mod tests;

use crate::{
    Delivery, Shared, SourcePlan,
    lag::Times,
    stale::{SilenceRule, Watchdog},
};
use andon_models::{Sample, StatusCode, Timestamp, catalog::Tag, definition::SourceProtocol, iot_events::InputMessage};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

/// Samples of a full batch: large enough that the cost of a delivery vanishes, small enough to stay in the cache.
const BATCH_SAMPLES: usize = 1_000;
/// Messages for detectors of a full batch: a log record holds what they lead to.
const BATCH_MESSAGES: usize = 200;
/// How long a batch gathers at most while the one before is under way. A sync takes less; beyond it the disk is in trouble, and
/// detectors and pages go on without it.
const GATHER_AT_MOST: Duration = Duration::from_millis(50);
/// Messages between a protocol and its batcher; one message is one poll or one notification of at most 1,000 samples.
const QUEUE: usize = 256;
/// Places of the queue that samples do not take.
const KEPT_FREE: usize = 16;
/// How often silence is looked for.
const WATCH_EVERY: Duration = Duration::from_millis(250);
/// Shortest silence that counts for a tag without a limit of its own: longer than any hiccup of a network.
const LEAST_SILENCE: Duration = Duration::from_secs(10);
/// How long the last batch may wait for its receiver when the source stops.
const LAST_BATCH: Duration = Duration::from_secs(1);

/// What a protocol tells its batcher.
enum Intake {
    Values(Vec<Sample>, Vec<InputMessage>, Option<oneshot::Sender<()>>),
    Connected,
    Lost(StatusCode),
    Clock(i64),
}

/// The protocol's end of the queue.
#[derive(Clone)]
pub(crate) struct IntakeSender {
    queue: mpsc::Sender<Intake>,
    shared: Arc<Shared>,
}

/// Starts the batcher of a source.
pub(crate) fn start(
    plan: &SourcePlan,
    shared: Arc<Shared>,
    deliver: mpsc::Sender<Delivery>,
    stop: CancellationToken,
) -> (IntakeSender, JoinHandle<()>) {
    let (queue, incoming) = mpsc::channel(QUEUE);
    let read = plan.tags.iter().filter(|tag| tag.read);
    let rules = read.map(|tag| (tag.id, silence_rule(&plan.source.protocol, plan.source.every, tag)));
    let watchdog = Watchdog::new(rules, !matches!(plan.source.protocol, SourceProtocol::Mqtt { .. }));
    let batcher = Batcher::new(shared.clone(), deliver, watchdog, GATHER_AT_MOST);
    (IntakeSender { queue, shared }, tokio::spawn(batcher.run(incoming, stop)))
}

fn silence_rule(protocol: &SourceProtocol, every: Duration, tag: &Tag) -> SilenceRule {
    match (tag.stale, protocol) {
        (Some(limit), _) => SilenceRule::After(limit),
        (None, SourceProtocol::OpcUa { .. }) => SilenceRule::Never,
        (None, SourceProtocol::Modbus { .. } | SourceProtocol::Mqtt { .. }) => SilenceRule::Usual(LEAST_SILENCE.max(every * 3)),
    }
}

impl IntakeSender {
    /// Hands samples in without waiting; what finds no room is counted as dropped.
    pub fn offer(&self, samples: Vec<Sample>) {
        if samples.is_empty() {
            return;
        }
        let count = samples.len();
        self.shared.status.taken_in(count);
        if self.queue.capacity() <= KEPT_FREE || self.queue.try_send(Intake::Values(samples, Vec::new(), None)).is_err() {
            self.shared.status.not_taken_in(count);
            self.shared.status.dropped(count);
        }
    }

    /// Hands samples and messages for detectors in and waits for room; the receipt fires when they are safe on disk.
    pub async fn send(&self, samples: Vec<Sample>, messages: Vec<InputMessage>, receipt: Option<oneshot::Sender<()>>) {
        self.shared.status.taken_in(samples.len() + messages.len());
        // The batcher ends only with the source.
        let _ = self.queue.send(Intake::Values(samples, messages, receipt)).await;
    }

    /// The connection stands.
    pub async fn connected(&self) {
        let _ = self.queue.send(Intake::Connected).await;
    }

    /// The connection is gone: tags turn Bad.
    pub async fn lost(&self, status: StatusCode) {
        let _ = self.queue.send(Intake::Lost(status)).await;
    }

    /// The device's clock differs by so many nanoseconds (ours minus the device's).
    pub fn clock(&self, offset: i64) {
        // A clock reading that finds no room is followed by another.
        let _ = self.queue.try_send(Intake::Clock(offset));
    }
}

struct Batcher {
    shared: Arc<Shared>,
    deliver: mpsc::Sender<Delivery>,
    watchdog: Watchdog,
    samples: Vec<Sample>,
    messages: Vec<InputMessage>,
    receipts: Vec<oneshot::Sender<()>>,
    /// Values and messages in the batch that the source sent, and their times.
    received: u64,
    times: Times,
    /// Since when the connection stands, by our clock; none while there is none.
    connected: Option<Timestamp>,
    /// Our clock minus the device's, in nanoseconds.
    clock: i64,
    /// Deliveries on their way to the disk. One, but for full ones and a slow disk; the receiver's queue bounds them.
    under_way: JoinSet<()>,
    /// Whether the batch holds anything.
    open: bool,
    /// When the batch before was closed.
    closed: Instant,
    /// How long it gathers at most.
    gather: Duration,
}

impl Batcher {
    fn new(shared: Arc<Shared>, deliver: mpsc::Sender<Delivery>, watchdog: Watchdog, gather: Duration) -> Self {
        Self {
            shared,
            deliver,
            watchdog,
            samples: Vec::new(),
            messages: Vec::new(),
            receipts: Vec::new(),
            received: 0,
            times: Times::default(),
            connected: None,
            clock: 0,
            under_way: JoinSet::new(),
            open: false,
            closed: Instant::now(),
            gather,
        }
    }

    async fn run(mut self, mut incoming: mpsc::Receiver<Intake>, stop: CancellationToken) {
        let mut watch = tokio::time::interval(WATCH_EVERY);
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.closed + self.gather;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = self.under_way.join_next() => {}
                () = tokio::time::sleep_until(due), if self.open => self.flush(&stop).await,
                message = incoming.recv() => match message {
                    Some(message) => self.take(message),
                    None => break,
                },
                _ = watch.tick() => self.watch(),
            }
            // What has come meanwhile belongs together.
            while !self.is_full()
                && let Ok(message) = incoming.try_recv()
            {
                self.take(message);
            }
            if self.is_full() || self.open && self.under_way.is_empty() {
                self.flush(&stop).await;
            }
        }
        while let Ok(message) = incoming.try_recv() {
            self.take(message);
        }
        let last = self.close();
        // Receipts fire also when the source has stopped.
        self.under_way.detach_all();
        if let Some(delivery) = last {
            let _ = tokio::time::timeout(LAST_BATCH, self.deliver.send(delivery)).await;
        }
    }

    fn is_full(&self) -> bool {
        self.samples.len() >= BATCH_SAMPLES || self.messages.len() >= BATCH_MESSAGES
    }

    fn take(&mut self, message: Intake) {
        let now = (self.shared.now)();
        match message {
            Intake::Values(mut samples, mut messages, receipt) => {
                let arrived = Instant::now();
                let connected = self.connected.map(|since| Timestamp::from_nanos(since.as_nanos().saturating_sub(self.clock)));
                for sample in &mut samples {
                    self.watchdog.seen(sample, arrived, now);
                    self.times.see(sample.tqv.time, connected);
                }
                let count = samples.len() + messages.len();
                if count > 0 {
                    self.received += count as u64;
                    self.shared.status.received(count, now);
                }
                self.add(samples);
                if !messages.is_empty() {
                    self.open = true;
                    self.messages.append(&mut messages);
                }
                if let Some(receipt) = receipt {
                    self.open = true;
                    self.receipts.push(receipt);
                }
            }
            Intake::Connected => {
                self.connected = Some(now);
                self.watchdog.connected(Instant::now());
            }
            Intake::Lost(status) => {
                self.connected = None;
                let made = self.watchdog.lost(status, now);
                self.add(made);
            }
            Intake::Clock(offset) => {
                self.clock = offset;
                self.watchdog.clock(offset);
                // Only a server of OPC UA says what its clock shows; elsewhere it is guessed from what comes.
                if matches!(self.shared.source.protocol, SourceProtocol::OpcUa { .. }) {
                    self.shared.status.clock(offset);
                }
            }
        }
    }

    fn watch(&mut self) {
        let made = self.watchdog.overdue(Instant::now(), (self.shared.now)());
        self.add(made);
    }

    fn add(&mut self, mut samples: Vec<Sample>) {
        if !samples.is_empty() {
            self.open = true;
            self.samples.append(&mut samples);
        }
    }

    async fn flush(&mut self, stop: &CancellationToken) {
        let Some(delivery) = self.close() else { return };
        tokio::select! {
            sent = self.deliver.send(delivery) => {
                if sent.is_err() {
                    // Nobody takes samples any more: the process is going down.
                    stop.cancel();
                }
            }
            () = async { stop.cancelled().await; tokio::time::sleep(LAST_BATCH).await } => {}
        }
    }

    /// Takes the open batch. Receipts fire together with the delivery's own.
    fn close(&mut self) -> Option<Delivery> {
        (self.open, self.closed) = (false, Instant::now());
        let samples = std::mem::take(&mut self.samples);
        let messages = std::mem::take(&mut self.messages);
        let receipts = std::mem::take(&mut self.receipts);
        if samples.is_empty() && messages.is_empty() {
            // Messages without a value for us: nothing to keep, so they are done with.
            receipts.into_iter().for_each(|receipt| _ = receipt.send(()));
            return None;
        }
        let (durable, safe) = oneshot::channel();
        let (received, times, shared) =
            (std::mem::take(&mut self.received), std::mem::take(&mut self.times), self.shared.clone());
        self.under_way.spawn(async move {
            let on_disk = safe.await.is_ok();
            match (received, on_disk) {
                // What silence made of tags is no value that came.
                (0, _) => {}
                (_, true) => shared.status.on_disk(received, times, (shared.now)()),
                (_, false) => shared.status.not_on_disk(received),
            }
            if on_disk {
                receipts.into_iter().for_each(|receipt| _ = receipt.send(()));
            }
        });
        Some(Delivery { source: self.shared.source.name.clone(), samples, messages, durable })
    }
}

//! The polling of one Modbus device: connect, read what is due, deliver, and come back after every loss.

use super::{
    connection::{CallError, Connection, Content, exception_words},
    decode::decode,
    plan::{Block, Plan, is_bit_table},
};
use crate::{Shared, backoff::Backoff, batcher::IntakeSender, convert};
use andon_models::{
    Sample, StatusCode, TagId, Timestamp, Tqv, Value,
    address::{Address, ModbusAddress},
    catalog::Tag,
    definition::SourceProtocol,
    snapshot::ConnectionState,
};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_modbus::ExceptionCode;
use tokio_util::sync::CancellationToken;

/// Shortest polling interval: more often is more than one connection carries.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

/// The poller of one device.
pub(super) struct Poller {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    intake: IntakeSender,
    tags: Vec<Tag>,
    plan: Plan,
    /// Points reported Bad while their device answers: reported once.
    bad: HashSet<TagId>,
    connected: bool,
}

/// What one poll came to.
#[derive(Default)]
struct Poll {
    samples: Vec<Sample>,
    answered: usize,
    unanswered: Option<String>,
}

impl Poller {
    pub fn new(shared: Arc<Shared>, connection: Arc<Connection>, intake: IntakeSender) -> Self {
        let mut tags: Vec<_> = shared.tags.values().filter(|tag| tag.read).cloned().collect();
        tags.sort_by_key(|tag| tag.id);
        // Tags of another protocol cannot be bound here; a checked plant has none.
        tags.retain(|tag| matches!(tag.address, Address::Modbus(_)));
        let points = tags.iter().filter_map(point_of).cloned().collect();
        Self { shared, connection, intake, tags, plan: Plan::new(points), bad: HashSet::new(), connected: false }
    }

    /// Polls until the source is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        loop {
            let reason = tokio::select! {
                () = stop.cancelled() => break,
                reason = self.stay_connected(&mut backoff) => reason,
            };
            self.connection.close().await;
            self.connected = false;
            self.bad.clear();
            self.shared.status.failed(ConnectionState::Lost, &reason, (self.shared.now)());
            tokio::select! {
                () = stop.cancelled() => break,
                () = async {
                    self.intake.lost(StatusCode::NOT_CONNECTED).await;
                    tokio::time::sleep(backoff.next(rand::random())).await;
                } => {}
            }
        }
        self.connection.close().await;
    }

    /// Connects and polls until the device is lost; says why it is.
    async fn stay_connected(&mut self, backoff: &mut Backoff) -> String {
        let shared = self.shared.clone();
        let SourceProtocol::Modbus { host, unit } = &shared.source.protocol else {
            return "not a modbus source".into();
        };
        if let Err(reason) = self.connection.open(host, *unit).await {
            // It is really away, and may come back another: what it refused before is asked again.
            self.plan.reset();
            return reason;
        }
        let mut ticks = tokio::time::interval(self.shared.source.every.max(LEAST_INTERVAL));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            if !self.connection.is_open().await
                && let Err(reason) = self.connection.open(host, *unit).await
            {
                return reason;
            }
            let poll = self.poll().await;
            let lost = poll.unanswered.is_some() && poll.answered == 0;
            if let (true, Some(reason)) = (lost, poll.unanswered) {
                return reason;
            }
            if !self.connected {
                self.connected = true;
                self.intake.connected().await;
                self.shared.status.connected((self.shared.now)());
                backoff.reset();
            }
            self.intake.offer(poll.samples);
        }
    }

    /// Reads what is due. A block without an answer costs the connection, so the rest is left to the next poll.
    async fn poll(&mut self) -> Poll {
        let mut poll = Poll::default();
        let mut pending = self.plan.take_due(Instant::now());
        pending.reverse();
        while let Some(block) = pending.pop() {
            if poll.unanswered.is_some() {
                self.plan.keep(block);
                continue;
            }
            match self.connection.read(block.table, block.start, block.count).await {
                Ok(content) => {
                    poll.answered += 1;
                    self.take(&block, &content, &mut poll.samples);
                    self.plan.answered(block);
                }
                Err(CallError::Exception(code)) => {
                    if let Some(halves) = self.exception(block, code, &mut poll) {
                        pending.extend(halves.into_iter().rev());
                    }
                }
                Err(error) => self.no_answer(block, error, &mut poll),
            }
        }
        if poll.unanswered.is_none() {
            self.plan.all_well();
        }
        poll
    }

    fn take(&mut self, block: &Block, content: &Content, samples: &mut Vec<Sample>) {
        let now = (self.shared.now)();
        for index in &block.points {
            let tag = &self.tags[*index];
            let Some(point) = point_of(tag) else { continue };
            let tqv = match value_at(content, block, point) {
                Some(value) => convert::tqv(tag, value, now, StatusCode::GOOD),
                None => Tqv::bad(now, StatusCode::DECODING_ERROR),
            };
            self.bad.remove(&tag.id);
            samples.push(Sample { tag: tag.id, tqv });
        }
    }

    fn exception(&mut self, block: Block, code: ExceptionCode, poll: &mut Poll) -> Option<[Block; 2]> {
        match code {
            // It answers, but has no time: the next poll tries again, and silence is noticed elsewhere.
            ExceptionCode::Acknowledge | ExceptionCode::ServerDeviceBusy => {
                poll.answered += 1;
                self.shared.status.trouble(&exception_words(code));
                self.plan.keep(block);
                None
            }
            // The gateway answers for a device that is away.
            ExceptionCode::GatewayPathUnavailable | ExceptionCode::GatewayTargetDevice => {
                self.report_bad(&block, StatusCode::TIMEOUT, &exception_words(code), &mut poll.samples);
                poll.unanswered = Some(exception_words(code));
                self.plan.keep(block);
                None
            }
            _ => {
                poll.answered += 1;
                let alone = block.clone();
                let halves = self.plan.refused(block, Instant::now());
                if halves.is_none() {
                    self.report_bad(&alone, StatusCode::DEVICE_FAILURE, &exception_words(code), &mut poll.samples);
                }
                halves
            }
        }
    }

    fn no_answer(&mut self, block: Block, error: CallError, poll: &mut Poll) {
        let reason = match error {
            CallError::Timeout => format!(
                "no answer within {} s; check the unit id, and whether the device is switched on",
                super::connection::REQUEST_TIMEOUT.as_secs()
            ),
            CallError::Broken(reason) => reason,
            CallError::NotConnected | CallError::Exception(_) => "the connection is gone; it is made anew".into(),
        };
        if poll.answered > 0 {
            self.report_bad(&block, StatusCode::TIMEOUT, &reason, &mut poll.samples);
        }
        self.plan.silent(block, poll.answered > 0, Instant::now());
        poll.unanswered = Some(reason);
    }

    /// Bad samples for the points of a block, once until they answer again.
    fn report_bad(&mut self, block: &Block, status: StatusCode, reason: &str, samples: &mut Vec<Sample>) {
        let now = (self.shared.now)();
        for index in &block.points {
            let tag = &self.tags[*index];
            if self.bad.insert(tag.id) {
                samples.push(bad(tag, now, status));
                if let Some(point) = point_of(tag) {
                    self.shared.status.trouble(&format!("{point}: {reason}"));
                }
            }
        }
    }
}

fn bad(tag: &Tag, now: Timestamp, status: StatusCode) -> Sample {
    Sample { tag: tag.id, tqv: Tqv::bad(now, status) }
}

fn point_of(tag: &Tag) -> Option<&ModbusAddress> {
    match &tag.address {
        Address::Modbus(point) => Some(point),
        _ => None,
    }
}

/// The value of a point in a block that was read.
pub(super) fn value_at(content: &Content, block: &Block, point: &ModbusAddress) -> Option<Value> {
    let offset = usize::from(point.register.checked_sub(block.start)?);
    match content {
        Content::Bits(bits) if is_bit_table(point.table) => bits.get(offset).map(|bit| Value::Boolean(*bit)),
        Content::Registers(registers) if !is_bit_table(point.table) => decode(registers.get(offset..)?, point),
        _ => None,
    }
}

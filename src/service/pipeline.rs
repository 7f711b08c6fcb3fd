//! The loop that owns all changing state. Everyone else sends it messages or reads snapshots.
//!
//! A message becomes a step of the core; the step's record goes to the log; its effects wait for the disk in [`super::effects`].

use super::{
    clock::Now,
    core::{Core, Step},
    effects::{Durable, Effects},
    schedule::{CLOSED_KEY, Due, Schedule},
};
use andon_dashboards::LiveHub;
use andon_detectors::Input;
use andon_ingest::Delivery;
use andon_models::{
    Point,
    command::{Command, CommandOutcome},
    event::Event,
    operator::{OperatorRefusal, OperatorRequest},
};
use andon_query::Historian;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::MissedTickBehavior,
};

/// Messages that may wait for the loop: commands' outcomes, requests, computed metrics. Small, because their senders wait for answers.
pub const MAX_MESSAGES: usize = 256;
/// Deliveries of collectors that may wait for the loop. When it is full, collectors wait and their own queues fill.
pub const MAX_DELIVERIES: usize = 256;
/// Samples joined into one step at most: bounds the size of a log record and the time until the next message is seen.
const MAX_SAMPLES_PER_STEP: usize = 20_000;
/// How often time passes for detectors and metrics when nothing else happens.
const TICK: Duration = Duration::from_millis(100);

/// What others may tell the loop.
pub enum Message {
    /// A person asks for something.
    Operator(OperatorRequest, oneshot::Sender<Result<(), OperatorRefusal>>),
    /// A command is about to be sent; answered once that is on disk, or with the reason why it must not be sent.
    Sending(Command, oneshot::Sender<Leave>),
    /// What became of a command.
    Outcome(CommandOutcome),
    /// Metrics that were computed; answered once they can be read.
    Computed(Vec<Point>, oneshot::Sender<()>),
    /// Everything that was due is computed and stored; the document says up to where.
    MetricsDone(Vec<u8>),
    /// Something to be remembered.
    Record(Event),
}

/// Whether a command may be sent now.
pub enum Leave {
    /// It may, and that it is being sent is on disk.
    Send,
    /// It must not: an interlock, the deadline, or writes are disarmed.
    Forbidden(Arc<str>),
    /// It could not be recorded, so it must not be sent.
    NotRecorded,
}

/// The loop and what it reads from.
pub struct Pipeline {
    /// The state.
    pub core: Core,
    /// When metrics are due.
    pub schedule: Schedule,
    /// Where records go.
    pub historian: Historian,
    /// Where pages look.
    pub live: LiveHub,
    /// The clock.
    pub now: Now,
    /// Samples of collectors.
    pub deliveries: mpsc::Receiver<Delivery>,
    /// Everything else.
    pub messages: mpsc::Receiver<Message>,
    /// Where effects go.
    pub effects: Effects,
    /// Where due metrics go.
    pub jobs: mpsc::Sender<Due>,
}

impl Pipeline {
    /// Runs until `stop` is dropped or sent, then takes in what collectors already delivered.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => break,
                Some(message) = self.messages.recv() => self.message(message).await,
                _ = tick.tick() => self.tick().await,
                Some(delivery) = self.deliveries.recv() => self.deliveries(delivery).await,
            }
        }
        while let Ok(delivery) = self.deliveries.try_recv() {
            self.deliveries(delivery).await;
        }
    }

    /// Runs a step that was made outside, such as the start of new detectors.
    pub async fn finish(&mut self, step: Step) {
        self.commit(step, Vec::new(), None).await;
    }

    async fn deliveries(&mut self, first: Delivery) {
        let (mut samples, mut acknowledge) = (first.samples, Vec::from_iter(first.durable));
        while samples.len() < MAX_SAMPLES_PER_STEP {
            let Ok(next) = self.deliveries.try_recv() else { break };
            samples.extend(next.samples);
            acknowledge.extend(next.durable);
        }
        metrics::counter!("andon_samples_total").increment(samples.len() as u64);
        let step = self.core.samples((self.now)(), &samples);
        self.commit(step, acknowledge, None).await;
    }

    async fn message(&mut self, message: Message) {
        let now = (self.now)();
        match message {
            Message::Operator(request, reply) => {
                let mut step = self.core.operator(now, &request);
                match step.refusal.take() {
                    Some(refusal) => drop(reply.send(Err(refusal))),
                    None => self.commit(step, Vec::new(), Some(Durable::Operator(reply))).await,
                }
            }
            Message::Sending(command, reply) => match self.core.may_send(now, &command) {
                Err(reason) => drop(reply.send(Leave::Forbidden(reason))),
                Ok(()) => {
                    let step = self.core.decide(now, Input::Sent(command.id));
                    self.commit(step, Vec::new(), Some(Durable::Sending(reply))).await;
                }
            },
            Message::Outcome(outcome) => {
                let step = self.core.decide(now, Input::Outcome(&outcome));
                self.commit(step, Vec::new(), None).await;
            }
            Message::Computed(points, reply) => {
                let step = self.core.points(now, points);
                self.commit(step, Vec::new(), None).await;
                // The metric worker may have gone; then nobody waits for the answer.
                let _ = reply.send(());
            }
            Message::MetricsDone(closed) => {
                let mut step = Step::default();
                step.batch.keep.push((CLOSED_KEY.into(), closed));
                self.commit(step, Vec::new(), None).await;
            }
            Message::Record(event) => self.commit(Step::record(event), Vec::new(), None).await,
        }
    }

    async fn tick(&mut self) {
        let now = (self.now)();
        if self.core.next_due().is_some_and(|due| due <= now) {
            let step = self.core.time(now);
            self.commit(step, Vec::new(), None).await;
        }
        // Windows count as computed only when the worker takes them; while it is busy they wait in the schedule.
        if let Ok(permit) = self.jobs.try_reserve()
            && let Some(due) = self.schedule.due(now)
        {
            permit.send(due);
        }
    }

    /// Hands the record to the log, shows it to the pages, and passes the effects on to wait for the disk.
    async fn commit(&mut self, step: Step, acknowledge: Vec<oneshot::Sender<()>>, then: Option<Durable>) {
        if step.is_empty() && acknowledge.is_empty() && then.is_none() {
            return;
        }
        self.schedule.observe(&step.batch.points);
        self.live.publish_points(&step.batch.points);
        for snapshot in step.moved {
            self.live.publish_detector(snapshot);
        }
        self.live.publish_events(&step.batch.events);
        self.live.set_armed(self.core.armed());
        let durable = self.historian.enqueue(step.batch).await;
        self.effects.after(durable, step.effects, acknowledge, then).await;
    }
}

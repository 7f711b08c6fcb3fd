//! The loop that owns all changing state. Everyone else sends it messages or reads snapshots.
//!
//! A message becomes a step of the core; the step's record goes to the log; its effects wait for the disk in [`super::effects`].

use super::{
    audit::Audit,
    clock::Now,
    core::{Core, Effect, Step, watched},
    effects::{Durable, Effects},
    metrics_worker::Work,
    recompute::Computed,
    telemetry,
    unrecorded::Unrecorded,
};
use andon_dashboards::{AskBackfill, AskInstances, LiveHub, Prepare, Write};
use andon_detectors::{Input, Unsent};
use andon_ingest::Delivery;
use andon_models::{
    Point, Timestamp, Value,
    command::{Command, CommandOutcome},
    correction::{Correction, Reached},
    operator::{OperatorDeed, OperatorRefusal, OperatorRequest},
    schedule::{Job, Played, Schedule},
};
use andon_query::{Batch, Historian};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior},
};

/// Messages that may wait for the loop: commands' outcomes, requests, computed metrics. Small, because their senders wait for answers.
pub const MAX_MESSAGES: usize = 256;
/// Deliveries of collectors that may wait for the loop. When it is full, collectors wait and their own queues fill.
pub const MAX_DELIVERIES: usize = 256;
/// Written bodies, or parts of large ones, that may wait for the loop. When it is full, writers wait for their answer.
pub const MAX_WRITES: usize = 64;
/// Samples joined into one step at most: bounds the size of a log record and the time until the next message is seen.
const MAX_SAMPLES_PER_STEP: usize = 20_000;
/// Messages for detectors joined into one step at most, for the same reason; each leads to a record of some hundred bytes and more.
const MAX_MESSAGES_PER_STEP: usize = 1_000;
/// How often the records that there are say that the plant is watched: a crash forgets so much of what a `for` had counted.
const MARK_EVERY: Duration = Duration::from_secs(10);
/// How often time passes for detectors and metrics when nothing else happens.
const TICK: Duration = Duration::from_millis(100);

/// What others may tell the loop.
pub enum Message {
    /// A person asks for something.
    Operator(OperatorRequest, oneshot::Sender<Result<(), OperatorRefusal>>),
    /// A command is about to be sent, with what the device shows now where that matters; answered once that is on disk, or with the
    /// reason why it must not be sent.
    Sending(Command, Option<Value>, oneshot::Sender<Leave>),
    /// This data folder must not command, for this reason, until somebody takes it over.
    Foreign(Arc<str>),
    /// Somebody wants to write by hand.
    Prepare(Prepare),
    /// Somebody wants to know where instances of detectors stand.
    Instances(AskInstances),
    /// What became of a command.
    Outcome(CommandOutcome),
    /// The figures of a job, or none if they could not be computed; answered once they can be read.
    Computed(Job, Option<Computed>, oneshot::Sender<()>),
    /// Transforms over the past that a correction made others; answered when the record is on its way.
    Recomputed(Vec<Point>, oneshot::Sender<()>),
    /// What a correction changed, or none if it could not be worked out.
    Corrected(Vec<Correction>, Option<Vec<Reached>>),
    /// Everything that was due is computed and stored.
    MetricsDone,
    /// What came of a stretch of transforms, or the number of the back-fill whose stretch could not be played.
    Replayed(Result<Played, u32>),
    /// Somebody asks about back-fills.
    Backfill(AskBackfill),
    /// Something to be remembered.
    Record(Batch),
}

/// Whether a command may be sent now.
pub enum Leave {
    /// It may, and that it is being sent is on disk.
    Send,
    /// It must not: an interlock, the deadline, or writes are disarmed.
    Forbidden(Arc<str>),
    /// Not before sources have told again what its interlock reads, just after a start: to be asked again.
    NotYet(Arc<str>),
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
    /// Values written by programs.
    pub writes: mpsc::Receiver<Write>,
    /// Everything else.
    pub messages: mpsc::Receiver<Message>,
    /// Where it stands who did what.
    pub audit: Audit,
    /// Where effects go.
    pub effects: Effects,
    /// Where due metrics go.
    pub jobs: mpsc::Sender<Work>,
    /// Where corrections of the past are worked out.
    pub corrections: mpsc::Sender<Vec<Correction>>,
    /// What the disk does not take now.
    pub unrecorded: Unrecorded,
    /// When a record last said that the plant is watched.
    pub marked: Timestamp,
}

impl Pipeline {
    /// Runs until `stop` is dropped or sent, then takes in what collectors and effects have delivered until then. Stop the
    /// collectors before: what they send later is lost.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => break,
                Some(message) = self.messages.recv() => self.message(message).await,
                _ = tick.tick() => self.tick().await,
                Some(values) = next_values(&mut self.deliveries, &mut self.writes) => match values {
                    Values::Read(delivery) => self.deliveries(delivery).await,
                    Values::Written(write) => self.writes(write).await,
                },
            }
        }
        self.writes.close();
        while let Some(write) = self.writes.recv().await {
            self.writes(write).await;
        }
        self.deliveries.close();
        while let Some(delivery) = self.deliveries.recv().await {
            self.deliveries(delivery).await;
        }
        self.messages.close();
        while let Some(message) = self.messages.recv().await {
            self.message(message).await;
        }
        let keep = vec![watched((self.now)())];
        self.store(Step::record(Batch { keep, ..Batch::default() }), Vec::new(), None).await;
    }

    /// Runs a step that was made outside, such as the start of new detectors.
    pub async fn finish(&mut self, step: Step) {
        self.commit(step, Vec::new(), None).await;
    }

    async fn deliveries(&mut self, first: Delivery) {
        let start = Instant::now();
        let (mut samples, mut messages, mut acknowledge) = (first.samples, first.messages, vec![first.durable]);
        let mut from = vec![(first.source, messages.len())];
        while samples.len() < MAX_SAMPLES_PER_STEP && messages.len() < MAX_MESSAGES_PER_STEP {
            let Ok(next) = self.deliveries.try_recv() else { break };
            samples.extend(next.samples);
            from.push((next.source, next.messages.len()));
            messages.extend(next.messages);
            acknowledge.push(next.durable);
        }
        telemetry::samples(samples.len());
        let now = (self.now)();
        let mut step = self.core.samples(now, &samples);
        let sources = from.iter().flat_map(|(source, count)| std::iter::repeat_n(source, *count));
        for (source, message) in sources.zip(&messages) {
            let mut later = self.core.message(now, message);
            if let Some(refusal) = later.refusal.take() {
                let reason = format!("a message of {}: {refusal}", message.input).into();
                later.effects.push(Effect::Trouble { source: source.clone(), reason });
            }
            step.extend(later);
        }
        step.refused.iter().for_each(telemetry::refused);
        self.commit(step, acknowledge, None).await;
        telemetry::step("samples", start.elapsed());
    }

    /// Joins what waits into one step: many small writes share a record and a sync.
    async fn writes(&mut self, first: Write) {
        let start = Instant::now();
        let (mut points, mut replies) = (first.points, vec![first.reply]);
        while points.len() < MAX_SAMPLES_PER_STEP {
            let Ok(next) = self.writes.try_recv() else { break };
            points.extend(next.points);
            replies.push(next.reply);
        }
        telemetry::samples(points.len());
        let step = self.core.written((self.now)(), points);
        self.commit(step, Vec::new(), Some(Durable::Writers(replies))).await;
        telemetry::step("writes", start.elapsed());
    }

    async fn message(&mut self, message: Message) {
        let (start, now) = (Instant::now(), (self.now)());
        let kind = match message {
            Message::Operator(request, reply) => {
                let mut step = self.core.operator(now, &request);
                match step.refusal.take() {
                    // What else happened in the step happened: a timer that was due, a command that was refused.
                    Some(refusal) => {
                        _ = reply.send(Err(refusal));
                        self.commit(step, Vec::new(), None).await;
                    }
                    // What it means for closed windows is worked out with what follows from it.
                    None if matches!(request.deed, OperatorDeed::Edit(_)) => {
                        self.store(step, Vec::new(), Some(Durable::Operator(reply))).await;
                    }
                    None => self.commit(step, Vec::new(), Some(Durable::Operator(reply))).await,
                }
                "operator"
            }
            Message::Foreign(reason) => {
                self.core.set_foreign(Some(reason));
                self.live.set_armed(self.core.armed());
                "operator"
            }
            Message::Prepare(Prepare { write, reply }) => {
                // The person may have gone.
                let _ = reply.send(self.core.prepare(now, write));
                "operator"
            }
            Message::Instances(ask) => {
                let instances = self.core.instances(&ask);
                // The reader may have gone.
                let _ = ask.reply.send(instances);
                "read"
            }
            Message::Sending(command, current, reply) => {
                match self.core.may_send(now, &command, current.as_ref()) {
                    Err(Unsent { reason, passing: true }) => _ = reply.send(Leave::NotYet(reason)),
                    Err(Unsent { reason, .. }) => _ = reply.send(Leave::Forbidden(reason)),
                    Ok(()) => {
                        let step = self.core.decide(now, Input::Sent(command.id));
                        self.commit(step, Vec::new(), Some(Durable::Sending(reply))).await;
                    }
                }
                "command"
            }
            Message::Outcome(outcome) => {
                telemetry::command_outcome(outcome.state);
                let step = self.core.decide(now, Input::Outcome(&outcome));
                self.commit(step, Vec::new(), None).await;
                "command"
            }
            Message::Computed(job, figures, reply) => {
                match figures {
                    Some(computed) => self.figures(&job, computed).await,
                    None => self.schedule.failed(&job, now),
                }
                // The metric worker may have gone; then nobody waits for the answer.
                let _ = reply.send(());
                "figures"
            }
            Message::Recomputed(points, reply) => {
                let step = self.core.recomputed(points);
                self.store(step, Vec::new(), None).await;
                // The corrector may have gone; then nobody waits for the answer.
                let _ = reply.send(());
                "figures"
            }
            Message::Corrected(corrections, reached) => {
                self.corrected(&corrections, reached).await;
                "figures"
            }
            Message::MetricsDone => {
                let keep = self.schedule.settled();
                self.commit(Step::record(Batch { keep, ..Batch::default() }), Vec::new(), None).await;
                "figures"
            }
            Message::Replayed(played) => {
                match played {
                    Ok(mut played) => {
                        let keep = self.schedule.played(&played);
                        let points = std::mem::take(&mut played.points);
                        self.store(Step::past(Batch { points, keep, ..Batch::default() }), Vec::new(), None).await;
                    }
                    Err(number) => self.schedule.play_failed(number, now),
                }
                "figures"
            }
            Message::Backfill(ask) => {
                self.backfill(ask).await;
                "operator"
            }
            Message::Record(batch) => {
                self.commit(Step::record(batch), Vec::new(), None).await;
                "record"
            }
        };
        telemetry::step(kind, start.elapsed());
    }

    async fn tick(&mut self) {
        let (start, now) = (Instant::now(), (self.now)());
        if self.core.next_due().is_some_and(|due| due <= now) {
            let step = self.core.time(now);
            self.commit(step, Vec::new(), None).await;
            telemetry::step("time", start.elapsed());
        }
        let beats = self.core.beats(now);
        if !beats.is_empty() {
            self.store(beats, Vec::new(), None).await;
        }
        if !self.unrecorded.is_empty() {
            self.store(Step::default(), Vec::new(), None).await;
        }
        // Windows count as computed only when the worker takes them; while it is busy they wait in the schedule.
        if let Ok(permit) = self.jobs.try_reserve() {
            let jobs = self.schedule.due(now);
            if !jobs.is_empty() {
                permit.send(Work::Metrics(jobs));
            } else if let Some(play) = self.schedule.play(now) {
                permit.send(Work::Transforms(play));
            }
        }
        if let Ok(permit) = self.corrections.try_reserve() {
            let corrections = self.core.next_corrections(now);
            if !corrections.is_empty() {
                permit.send(corrections);
            }
        }
        let (keep, events) = self.schedule.end_backfills(now);
        if !keep.is_empty() {
            self.store(Step::record(Batch { keep, events, ..Batch::default() }), Vec::new(), None).await;
        }
    }

    /// Answers when what was asked for is on disk.
    async fn backfill(&mut self, ask: AskBackfill) {
        // Whoever asked may have gone, so no answer needs to arrive.
        match ask {
            AskBackfill::List(reply) => drop(reply.send(self.schedule.backfills())),
            AskBackfill::Start(order, reply) => {
                let history = (self.historian.oldest(), self.historian.forgets());
                match self.schedule.backfill(order, history, (self.now)()) {
                    Err(refusal) => drop(reply.send(Err(refusal))),
                    Ok((standing, keep, event)) => {
                        tracing::info!(number = standing.backfill.number, windows = standing.windows, "a back-fill was begun");
                        self.keep(Batch { keep, events: vec![event], ..Batch::default() }, reply, Ok(standing)).await;
                    }
                }
            }
            AskBackfill::Cancel(number, by, reply) => match self.schedule.cancel_backfill(number, &by) {
                Err(refusal) => drop(reply.send(Err(refusal))),
                Ok(keep) => self.keep(Batch { keep, ..Batch::default() }, reply, Ok(())).await,
            },
        }
    }

    /// Stores something and answers when it is on disk. Nobody is answered when it never gets there.
    async fn keep<T: Send + 'static>(&mut self, batch: Batch, reply: oneshot::Sender<T>, answer: T) {
        let (durable, on_disk) = oneshot::channel();
        self.store(Step::record(batch), vec![durable], None).await;
        tokio::spawn(async move {
            if on_disk.await.is_ok() {
                drop(reply.send(answer));
            }
        });
    }

    /// Has the windows computed again that a correction reaches, and forgets it: one record, so that a crash forgets neither.
    async fn corrected(&mut self, corrections: &[Correction], reached: Option<Vec<Reached>>) {
        let mut step = self.core.corrections_ended((self.now)(), corrections, reached.is_some());
        for reached in reached.into_iter().flatten() {
            step.batch.keep.extend(self.schedule.corrected(&reached));
        }
        self.store(step, Vec::new(), None).await;
    }

    async fn figures(&mut self, job: &Job, computed: Computed) {
        let mut step = match job.backfill {
            // What is computed over history is news to no detector.
            Some(_) => Step::past(Batch { points: computed.figures, ..Batch::default() }),
            None => self.core.points((self.now)(), computed.figures),
        };
        step.batch.events.extend(computed.events);
        step.batch.keep.extend(self.schedule.computed(job, &step.batch.points));
        for (series, late, next) in computed.reach {
            step.batch.keep.extend(self.schedule.reach(series, late, next));
        }
        self.store(step, Vec::new(), None).await;
    }

    /// Stores a step and what it means for closed windows.
    async fn commit(&mut self, mut step: Step, acknowledge: Vec<oneshot::Sender<()>>, then: Option<Durable>) {
        step.batch.keep.extend(self.schedule.observe(&step.batch.points));
        self.store(step, acknowledge, then).await;
    }

    /// Hands the record to the log, shows it to the pages, and passes the effects on to wait for the disk.
    async fn store(&mut self, mut step: Step, acknowledge: Vec<oneshot::Sender<()>>, then: Option<Durable>) {
        if step.is_empty() && acknowledge.is_empty() && then.is_none() && self.unrecorded.is_empty() {
            return;
        }
        step.keep_notices();
        let now = (self.now)();
        // Also after the clock went back.
        if now < self.marked || self.marked + MARK_EVERY <= now {
            self.marked = now;
            step.batch.keep.push(watched(now));
        }
        if !step.past {
            self.live.publish_points(&step.batch.points);
        }
        let events = step.batch.events.clone();
        // What comes later must not be on disk before what is owed.
        self.unrecorded.join(&mut step.batch);
        let audited = self.audit.keep(&mut step.batch);
        let mut durable = match &then {
            // Many of them write again when they are answered. What detectors ask for waits for none of them.
            Some(Durable::Writers(_)) if step.effects.is_empty() => self.historian.enqueue_patiently(step.batch).await,
            _ => self.historian.enqueue(step.batch).await,
        };
        if let Some(batch) = durable.take_back() {
            self.unrecorded.keep(batch);
        }
        // Pages that hear of an event ask for it: now queries see it.
        for snapshot in step.moved {
            self.live.publish_detector(snapshot);
        }
        self.live.publish_events(&events);
        self.live.set_armed(self.core.armed());
        self.effects.after(durable, audited, step.effects, acknowledge, then).await;
    }
}

/// Values from one side or the other.
enum Values {
    Read(Delivery),
    Written(Write),
}

/// The next values of either side, in no order: neither can keep the other waiting.
async fn next_values(deliveries: &mut mpsc::Receiver<Delivery>, writes: &mut mpsc::Receiver<Write>) -> Option<Values> {
    tokio::select! {
        Some(delivery) = deliveries.recv() => Some(Values::Read(delivery)),
        Some(write) = writes.recv() => Some(Values::Written(write)),
        else => None,
    }
}

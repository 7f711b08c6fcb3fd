//! Performs effects, each in a task of its own: bounded in number, reported back, and waited for by a clean stop.

#[cfg(test)]
mod tests;

use crate::service::{
    clock::Now,
    core::Effect,
    notify::{Notifier, Report, carrier::Carrier},
    pipeline::{Leave, Message},
    sources::Sources,
    telemetry,
};
use andon_models::{
    EventId, TagId, Value,
    command::{Command, CommandOutcome, CommandState},
    event::{Event, EventBody, Notification},
    notice::outbox::{Fate, Told},
};
use andon_query::Batch;
use futures::{StreamExt, stream};
use std::{
    collections::HashSet,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// Commands under way or waiting for their device at once. A plant that needs more is not being controlled but stormed.
const MAX_COMMANDS: usize = 256;
/// Messages that wait to be published: more than detectors make of the largest step. What is too much is dropped, and said.
const MAX_PUBLICATIONS: usize = 20_000;
/// Messages that the broker has not acknowledged yet.
const MAX_UNACKNOWLEDGED: usize = 32;

/// How long a command left open by an earlier run waits before it asks again for leave to be sent.
const ASK_AGAIN: Duration = Duration::from_millis(100);

const NOT_RECORDED: &str = "it could not be recorded, so it was not sent";

/// What effects act upon.
pub struct World {
    sources: Arc<Sources>,
    notifier: Notifier,
    /// The way back to the pipeline.
    messages: mpsc::Sender<Message>,
    now: Now,
    /// Everything under way. Once it is closed, nothing begins any more.
    under_way: TaskTracker,
    commands: Arc<Semaphore>,
    /// What is to be published, in order; none once the service stops.
    publications: Mutex<Option<mpsc::Sender<Publication>>>,
    /// Controls whose heartbeat is under way: one beat each, so that those of a slow device do not pile up.
    beating: Mutex<HashSet<TagId>>,
}

/// A message to the plant's broker.
struct Publication {
    topic: Arc<str>,
    payload: Arc<str>,
}

/// Publishes one after the other, without waiting for each to be acknowledged, until there will be no more.
async fn publish(sources: Arc<Sources>, mut waiting: mpsc::Receiver<Publication>) {
    // Each is handed over when it is first looked at, so they go in order.
    let waiting = stream::poll_fn(|context| waiting.poll_recv(context));
    let published = waiting.map(|Publication { topic, payload }| {
        let sources = sources.clone();
        async move {
            if let Err(error) = sources.publish(&topic, &payload).await {
                tracing::warn!(%topic, "a message was not published: {error:#}");
            }
        }
    });
    published.buffered(MAX_UNACKNOWLEDGED).for_each(|()| std::future::ready(())).await;
}

impl World {
    /// A world in which nothing is under way yet.
    pub fn new(sources: Arc<Sources>, notifier: Notifier, messages: mpsc::Sender<Message>, now: Now) -> Arc<Self> {
        let (under_way, beating) = (TaskTracker::new(), Mutex::default());
        let (publications, waiting) = mpsc::channel(MAX_PUBLICATIONS);
        under_way.spawn(publish(sources.clone(), waiting));
        let (commands, publications) = (Arc::new(Semaphore::new(MAX_COMMANDS)), Mutex::new(Some(publications)));
        Arc::new(Self { sources, notifier, messages, now, under_way, commands, publications, beating })
    }

    /// Begins to deliver notifications.
    pub fn start_notifications(self: &Arc<Self>, carrier: &Arc<Carrier>) {
        self.notifier.start(carrier, self, &self.now, &self.under_way);
    }

    /// Begins an effect whose record is on disk.
    pub fn perform(self: &Arc<Self>, effect: Effect) {
        let world = self.clone();
        match effect {
            Effect::Write(command) => {
                let failed = outcome(&command, CommandState::Failed, "too many commands are under way", &self.now);
                if !self.begin(&self.commands, async move { world.send_command(command).await }) {
                    self.report_at_once(Message::Outcome(failed));
                }
            }
            Effect::Beat(beat) => {
                // While the one before is under way it is left out: that is what a heartbeat is for.
                if !self.under_way.is_closed() && self.beating().insert(beat.tag) {
                    self.under_way.spawn(async move {
                        world.sources.beat(&beat, &world.now).await;
                        world.beating().remove(&beat.tag);
                    });
                }
            }
            Effect::Trouble { source, reason } => self.sources.trouble(&source, &reason),
            Effect::Notify(notice) => {
                if !self.notifier.offer(notice.clone()) {
                    let reason = format!("the plant file has no notify target {}", notice.target);
                    self.report_at_once(self.record(vec![Told { notice, fate: Fate::Failed, reason }]));
                }
            }
            Effect::Publish { topic, payload } => {
                let publications = self.publications();
                let Some(Err(error)) = publications.as_ref().map(|queue| queue.try_send(Publication { topic, payload })) else {
                    return;
                };
                tracing::warn!(topic = %error.into_inner().topic, "a message was not published: {MAX_PUBLICATIONS} are waiting");
            }
        }
    }

    /// Looks after a command that an earlier run left open.
    pub fn resume(self: &Arc<Self>, command: Command) {
        let world = self.clone();
        self.begin(&self.commands, async move { world.resume_command(command).await });
    }

    /// Says that a command is not sent because its record is not on disk.
    pub fn not_recorded(&self, command: &Command) {
        self.report_at_once(Message::Outcome(outcome(command, CommandState::Failed, NOT_RECORDED, &self.now)));
    }

    /// Begins nothing any more and waits for what is under way. What has not ended by then is looked after at the next start.
    pub async fn quiet(&self, patience: Duration) {
        self.under_way.close();
        *self.publications() = None;
        self.notifier.stop();
        if tokio::time::timeout(patience, self.under_way.wait()).await.is_err() {
            tracing::warn!("commands or notifications are still under way; they are looked after at the next start");
        }
    }

    fn publications(&self) -> MutexGuard<'_, Option<mpsc::Sender<Publication>>> {
        self.publications.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn beating(&self) -> MutexGuard<'_, HashSet<TagId>> {
        self.beating.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False if there is no room. While the service stops nothing begins, and what was asked for is found at the next start.
    fn begin(&self, room: &Arc<Semaphore>, effect: impl Future<Output = ()> + Send + 'static) -> bool {
        if self.under_way.is_closed() {
            return true;
        }
        let Ok(place) = room.clone().try_acquire_owned() else { return false };
        self.under_way.spawn(async move {
            effect.await;
            drop(place);
        });
        true
    }

    /// Sends one command: leave to send is on disk first, then the device, then the outcome. At most one task runs this per command.
    async fn send_command(&self, command: Command) {
        stand_still("decided").await;
        self.send_when(command, |leave| matches!(leave, Leave::NotYet(_))).await;
    }

    /// Asks for leave until it is given, or refused for good, or it is too late; then sends. Its turn at the device comes first, for leave
    /// is given for the very moment of sending; it is taken for each attempt, and is others' in between.
    async fn send_when(&self, command: Command, ask_again: impl Fn(&Leave) -> bool) {
        loop {
            let turn = self.sources.turn(&command).await;
            let current = self.sources.present_value(&command).await;
            let leave = self.leave_to_send(&command, current).await;
            if self.is_late(&command) || !leave.as_ref().is_some_and(&ask_again) {
                return self.send_with(leave, command).await;
            }
            drop(turn);
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Asks the pipeline. None when the service stops: the command stays open and is looked after at the next start.
    async fn leave_to_send(&self, command: &Command, current: Option<Value>) -> Option<Leave> {
        if self.under_way.is_closed() {
            return None;
        }
        let (reply, leave) = oneshot::channel();
        self.report(Message::Sending(command.clone(), current, reply)).await;
        leave.await.ok()
    }

    async fn send_with(&self, leave: Option<Leave>, command: Command) {
        let outcome = match leave {
            Some(Leave::Send) => {
                stand_still("recorded").await;
                let outcome = self.sources.write(&command, &self.now).await;
                stand_still("answered").await;
                outcome
            }
            Some(Leave::Forbidden(reason) | Leave::NotYet(reason)) if self.is_late(&command) => {
                outcome(&command, CommandState::Expired, &reason, &self.now)
            }
            Some(Leave::Forbidden(reason) | Leave::NotYet(reason)) => {
                outcome(&command, CommandState::Refused, &reason, &self.now)
            }
            Some(Leave::NotRecorded) => outcome(&command, CommandState::Failed, NOT_RECORDED, &self.now),
            None => return,
        };
        self.report(Message::Outcome(outcome)).await;
    }

    fn is_late(&self, command: &Command) -> bool {
        (self.now)() > command.deadline
    }

    /// Reads back first, sends only what is neither there nor too late. Its interlock may need values that a source which has just
    /// come back is about to deliver; so it is asked again until the deadline, each time on what the device shows then.
    async fn resume_command(&self, command: Command) {
        match self.sources.read_back(&command).await {
            Ok(value) if command.value.is_shown_by(&value) => {
                let mut outcome = outcome(&command, CommandState::Verified, "", &self.now);
                outcome.read_back = value;
                self.report(Message::Outcome(outcome)).await;
            }
            Ok(_) => self.send_when(command, |leave| matches!(leave, Leave::Forbidden(_) | Leave::NotYet(_))).await,
            Err(error) => {
                let reason = format!("after a restart it could not be read back: {error:#}");
                self.report(Message::Outcome(outcome(&command, CommandState::Unknown, &reason, &self.now))).await;
            }
        }
    }

    /// What became of notices: events, and nothing left to be done for those that are through.
    fn record(&self, told: Vec<Told>) -> Message {
        let mut batch = Batch::default();
        for Told { notice, fate, reason } in told {
            telemetry::notification(&notice.target, fate.name());
            if fate != Fate::Retrying {
                batch.keep.push((notice.key(), Vec::new()));
            }
            let body = EventBody::Notification(Notification {
                target: notice.target.clone(),
                message: notice.message.clone(),
                state: fate.name().into(),
                reason: reason.as_str().into(),
            });
            batch.events.push(Event {
                id: EventId::from_name(&format!("{}/{}/{}/{reason}", notice.event, notice.target, fate.name())),
                time: (self.now)(),
                asset: notice.about.asset,
                asset_path: notice.asset_path,
                detector: notice.detector,
                body,
            });
        }
        Message::Record(batch)
    }

    async fn report(&self, message: Message) {
        if self.messages.send(message).await.is_err() {
            tracing::debug!("the pipeline has ended; a report is not taken any more");
        }
    }

    /// Reports from where waiting for the pipeline is not allowed. Without room the next start finds the matter open.
    fn report_at_once(&self, message: Message) {
        if self.messages.try_send(message).is_err() {
            tracing::error!("no room for a report; its command or notification stays open until the next start");
        }
    }
}

impl Report for World {
    async fn told(&self, told: Vec<Told>) {
        self.report(self.record(told)).await;
    }
}

/// Stands still for ever at the moment that a test of crashes names, so that it can kill the process there. Only in builds with
/// debug assertions.
pub async fn stand_still(moment: &str) {
    if cfg!(debug_assertions) && std::env::var("ANDON_STAND_STILL").is_ok_and(|wanted| wanted == moment) {
        tracing::warn!("standing still: {moment}");
        std::future::pending::<()>().await;
    }
}

/// An outcome without a value read back.
pub fn outcome(command: &Command, state: CommandState, reason: &str, now: &Now) -> CommandOutcome {
    CommandOutcome { command: command.id, state, read_back: Value::Null, reason: reason.into(), time: now() }
}

//! What happens in the world, and only after its record is on disk: acknowledgements, commands, notifications, messages.
//!
//! One task keeps the order. What may take long (a device, a web server) goes on in tasks of its own, so that a slow one
//! delays nobody; those report back to the pipeline by message.

use super::{
    clock::Now,
    core::{Effect, Notice},
    notify::Notifier,
    pipeline::{Leave, Message},
    sources::Sources,
};
use andon_models::{
    EventId, Value,
    command::{Command, CommandOutcome, CommandState},
    event::{Event, EventBody, Notification},
    operator::OperatorRefusal,
};
use andon_query::{QueryError, Receipt};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// Records that may wait for the disk with their effects. When it is full the pipeline waits: the disk sets the pace.
const MAX_WAITING: usize = 1_024;
/// Commands under way at once. A plant that needs more at one moment is not being controlled but stormed.
const MAX_COMMANDS: usize = 32;
/// Notifications under way at once; the rest wait for their turn.
const MAX_NOTIFICATIONS: usize = 8;

/// Why a command was not sent.
const NOT_RECORDED: &str = "it could not be recorded, so it was not sent";

/// Who waits for a record to be on disk.
pub enum Durable {
    /// An operator, for the answer to a request.
    Operator(oneshot::Sender<Result<(), OperatorRefusal>>),
    /// A command, for the leave to be sent.
    Sending(oneshot::Sender<Leave>),
}

struct Waiting {
    receipt: Receipt,
    effects: Vec<Effect>,
    acknowledge: Vec<oneshot::Sender<()>>,
    then: Option<Durable>,
}

/// The entrance to the effects task.
pub struct Effects {
    waiting: mpsc::Sender<Waiting>,
}

/// What effects act upon.
#[derive(Clone)]
pub struct World {
    /// Connections to devices.
    pub sources: Arc<Sources>,
    /// Delivers notifications.
    pub notifier: Arc<Notifier>,
    /// The way back to the pipeline.
    pub messages: mpsc::Sender<Message>,
    /// The clock.
    pub now: Now,
    /// Everything under way, so that a clean stop can wait for it.
    pub under_way: TaskTracker,
}

struct Worker {
    world: Arc<World>,
    commands: Arc<Semaphore>,
    notifications: Arc<Semaphore>,
}

impl Effects {
    /// Starts the effects task. It ends when the entrance is dropped and everything waiting is done.
    pub fn start(world: World) -> (Self, tokio::task::JoinHandle<()>) {
        let (waiting, mut queue) = mpsc::channel::<Waiting>(MAX_WAITING);
        let worker = Worker {
            world: Arc::new(world),
            commands: Arc::new(Semaphore::new(MAX_COMMANDS)),
            notifications: Arc::new(Semaphore::new(MAX_NOTIFICATIONS)),
        };
        let task = tokio::spawn(async move {
            while let Some(Waiting { receipt, effects, acknowledge, then }) = queue.recv().await {
                worker.settle(receipt.await, effects, acknowledge, then);
            }
            worker.world.under_way.close();
            worker.world.under_way.wait().await;
        });
        (Self { waiting }, task)
    }

    /// Does these things once the record behind the receipt is on disk.
    pub async fn after(
        &self,
        receipt: Receipt,
        effects: Vec<Effect>,
        acknowledge: Vec<oneshot::Sender<()>>,
        then: Option<Durable>,
    ) {
        if self.waiting.send(Waiting { receipt, effects, acknowledge, then }).await.is_err() {
            tracing::error!("the effects task has ended; nothing more is done");
        }
    }
}

impl Worker {
    fn settle(
        &self,
        durable: Result<(), QueryError>,
        effects: Vec<Effect>,
        acknowledge: Vec<oneshot::Sender<()>>,
        then: Option<Durable>,
    ) {
        match &durable {
            Ok(()) => acknowledge.into_iter().for_each(|sender| _ = sender.send(())),
            Err(error) => tracing::error!(%error, "a record did not reach the disk; nothing it asked for is done"),
        }
        match (then, &durable) {
            (Some(Durable::Operator(reply)), Ok(())) => drop(reply.send(Ok(()))),
            (Some(Durable::Operator(reply)), Err(error)) => {
                drop(reply.send(Err(OperatorRefusal::NotRecorded(error.to_string().into()))));
            }
            (Some(Durable::Sending(reply)), Ok(())) => drop(reply.send(Leave::Send)),
            (Some(Durable::Sending(reply)), Err(_)) => drop(reply.send(Leave::NotRecorded)),
            (None, _) => {}
        }
        for effect in effects {
            self.perform(effect, durable.is_ok());
        }
    }

    fn perform(&self, effect: Effect, recorded: bool) {
        let world = self.world.clone();
        match effect {
            Effect::Write(command) if recorded => {
                let permits = self.commands.clone();
                self.world.under_way.spawn(async move {
                    let _permit = permits.acquire_owned().await;
                    world.send_command(command).await;
                });
            }
            Effect::Write(command) => {
                let outcome = outcome(&command, CommandState::Failed, NOT_RECORDED, &world.now);
                self.world.under_way.spawn(async move { world.report(Message::Outcome(outcome)).await });
            }
            Effect::Notify(notice) if recorded => {
                let permits = self.notifications.clone();
                self.world.under_way.spawn(async move {
                    let _permit = permits.acquire_owned().await;
                    world.send_notice(notice).await;
                });
            }
            Effect::Publish { topic, payload } if recorded => {
                self.world.under_way.spawn(async move {
                    if let Err(error) = world.sources.publish(&topic, &payload).await {
                        tracing::warn!(%topic, %error, "a message was not published");
                    }
                });
            }
            Effect::Notify(_) | Effect::Publish { .. } => {}
        }
    }
}

impl World {
    /// Sends one command: leave to send is on disk first, then the device, then the outcome. At most one task runs this per command.
    pub async fn send_command(&self, command: Command) {
        let (reply, leave) = oneshot::channel();
        self.report(Message::Sending(command.clone(), reply)).await;
        let outcome = match leave.await {
            Ok(Leave::Send) => self.sources.write(&command, &self.now).await,
            Ok(Leave::Forbidden(reason)) if (self.now)() > command.deadline => {
                outcome(&command, CommandState::Expired, &reason, &self.now)
            }
            Ok(Leave::Forbidden(reason)) => outcome(&command, CommandState::Refused, &reason, &self.now),
            Ok(Leave::NotRecorded) => outcome(&command, CommandState::Failed, NOT_RECORDED, &self.now),
            // The pipeline is gone: the command stays open and is looked after at the next start.
            Err(_) => return,
        };
        self.report(Message::Outcome(outcome)).await;
    }

    /// Looks after a command that an earlier run left open: reads back first, sends only what is neither there nor too late.
    pub async fn resume_command(&self, command: Command) {
        match self.sources.read_back(&command).await {
            Ok(value) if value == command.value => {
                let mut outcome = outcome(&command, CommandState::Verified, "", &self.now);
                outcome.read_back = value;
                self.report(Message::Outcome(outcome)).await;
            }
            Ok(_) => self.send_command(command).await,
            Err(error) => {
                let reason = format!("after a restart it could not be read back: {error}");
                self.report(Message::Outcome(outcome(&command, CommandState::Unknown, &reason, &self.now))).await;
            }
        }
    }

    async fn send_notice(&self, notice: Notice) {
        let result = self.notifier.deliver(&notice).await;
        let (state, reason) = match &result {
            Ok(()) => ("delivered", String::new()),
            Err(error) => ("failed", format!("{error:#}")),
        };
        let body = EventBody::Notification(Notification {
            target: notice.target.clone(),
            message: notice.message.clone(),
            state: state.into(),
            reason: reason.into(),
        });
        let event = Event {
            id: EventId::from_name(&format!("{}/{}/{state}", notice.event, notice.target)),
            time: (self.now)(),
            asset: None,
            asset_path: notice.asset_path.clone(),
            detector: notice.detector.clone(),
            body,
        };
        self.report(Message::Record(event)).await;
    }

    async fn report(&self, message: Message) {
        if self.messages.send(message).await.is_err() {
            tracing::debug!("the pipeline has ended; a report is not taken any more");
        }
    }
}

/// An outcome without a value read back.
pub fn outcome(command: &Command, state: CommandState, reason: &str, now: &Now) -> CommandOutcome {
    CommandOutcome { command: command.id, state, read_back: Value::Null, reason: reason.into(), time: now() }
}

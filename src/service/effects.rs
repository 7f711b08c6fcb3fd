//! What happens in the world, and only after its record is on disk: acknowledgements, commands, notifications, messages.
//!
//! One task keeps the order. What may take long (a device, a web server) goes on in tasks of its own ([`world`]), so that a slow
//! one delays nobody; those report back to the pipeline by message.

mod world;

pub use self::world::{World, outcome, stand_still};

use super::{core::Effect, pipeline::Leave};
use andon_models::operator::OperatorRefusal;
use andon_query::{QueryError, Receipt};
use std::sync::Arc;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// Records that may wait for the disk with their effects. When it is full the pipeline waits: the disk sets the pace.
const MAX_WAITING: usize = 1_024;

/// Who waits for a record to be on disk.
pub enum Durable {
    /// An operator, for the answer to a request.
    Operator(oneshot::Sender<Result<(), OperatorRefusal>>),
    /// A command, for the leave to be sent.
    Sending(oneshot::Sender<Leave>),
    /// Writers of values, for the acknowledgement.
    Writers(Vec<oneshot::Sender<Result<(), Arc<QueryError>>>>),
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

impl Effects {
    /// Starts the effects task. It ends when the entrance is dropped and every record was seen to the disk.
    pub fn start(world: Arc<World>) -> (Self, JoinHandle<()>) {
        let (waiting, mut queue) = mpsc::channel::<Waiting>(MAX_WAITING);
        let task = tokio::spawn(async move {
            while let Some(waiting) = queue.recv().await {
                waiting.settle(&world).await;
            }
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

impl Waiting {
    /// Waits for nothing but the disk: the pipeline may be waiting for this task.
    async fn settle(self, world: &Arc<World>) {
        let durable = self.receipt.await.map_err(Arc::new);
        match &durable {
            Ok(()) => self.acknowledge.into_iter().for_each(|sender| _ = sender.send(())),
            Err(error) => tracing::error!(%error, "a record did not reach the disk; nothing it asked for is done"),
        }
        match (self.then, &durable) {
            (Some(Durable::Operator(reply)), Ok(())) => _ = reply.send(Ok(())),
            (Some(Durable::Operator(reply)), Err(error)) => {
                _ = reply.send(Err(OperatorRefusal::NotRecorded(error.to_string().into())));
            }
            (Some(Durable::Sending(reply)), Ok(())) => _ = reply.send(Leave::Send),
            (Some(Durable::Sending(reply)), Err(_)) => _ = reply.send(Leave::NotRecorded),
            (Some(Durable::Writers(replies)), Ok(())) => replies.into_iter().for_each(|reply| _ = reply.send(Ok(()))),
            (Some(Durable::Writers(replies)), Err(error)) => {
                replies.into_iter().for_each(|reply| _ = reply.send(Err(error.clone())));
            }
            (None, _) => {}
        }
        for effect in self.effects {
            if durable.is_ok() {
                world.perform(effect);
                continue;
            }
            match effect {
                Effect::Write(command) => world.not_recorded(&command),
                // People are told also when the disk fails: twice after a crash, rather than not at all.
                Effect::Notify(_) | Effect::Trouble { .. } => world.perform(effect),
                Effect::Publish { .. } | Effect::Beat(_) => {}
            }
        }
    }
}

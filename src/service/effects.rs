//! What happens in the world, and only after its record is on disk: acknowledgements, commands, notifications, messages.
//!
//! One task keeps the order. What may take long (a device, a web server) goes on in tasks of its own ([`world`]), so that a slow
//! one delays nobody; those report back to the pipeline by message.

mod world;

pub use self::world::{World, outcome, stand_still};

use super::{
    audit::{Audit, Pending},
    core::Effect,
    pipeline::Leave,
};
use andon_models::operator::OperatorRefusal;
use andon_query::{QueryError, Receipt};
use std::sync::Arc;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// Records that may wait for the disk with their effects. When it is full the pipeline waits: the disk sets the pace.
const MAX_WAITING: usize = 1_024;
/// Records whose entries in the audit share a sync of the disk at most.
const MAX_TOGETHER: usize = 64;

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
    /// What belongs to the audit.
    audit: Option<Pending>,
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
    pub fn start(world: Arc<World>, audit: Audit) -> (Self, JoinHandle<()>) {
        let (waiting, mut queue) = mpsc::channel::<Waiting>(MAX_WAITING);
        let task = tokio::spawn(async move {
            let mut together = Vec::new();
            while queue.recv_many(&mut together, MAX_TOGETHER).await > 0 {
                match together.iter().any(|waiting| waiting.audit.is_some()) {
                    true => settle_recorded(std::mem::take(&mut together), &world, &audit).await,
                    // Nobody waits for more than the own record.
                    false => {
                        for mut waiting in together.drain(..) {
                            let durable = (&mut waiting.receipt).await.map_err(Arc::new);
                            waiting.settle(durable, Ok(()), &world);
                        }
                    }
                }
            }
        });
        (Self { waiting }, task)
    }

    /// Does these things once the record behind the receipt is on disk.
    pub async fn after(
        &self,
        receipt: Receipt,
        audit: Option<Pending>,
        effects: Vec<Effect>,
        acknowledge: Vec<oneshot::Sender<()>>,
        then: Option<Durable>,
    ) {
        if self.waiting.send(Waiting { receipt, audit, effects, acknowledge, then }).await.is_err() {
            tracing::error!("the effects task has ended; nothing more is done");
        }
    }
}

/// Waits for some records, then for the audit of what is in them: one sync for all. It waits for nothing but the disk: the pipeline may
/// be waiting for this task.
async fn settle_recorded(mut together: Vec<Waiting>, world: &Arc<World>, audit: &Audit) {
    let (mut on_disk, mut pending) = (Vec::with_capacity(together.len()), Vec::new());
    for waiting in &mut together {
        let durable = (&mut waiting.receipt).await.map_err(Arc::new);
        // What is not on disk comes again with the record that holds it.
        let audited = waiting.audit.take().filter(|_| durable.is_ok());
        on_disk.push((durable, audited.is_some()));
        pending.extend(audited);
    }
    let recorded = audit.append(pending).await;
    for (waiting, (durable, audited)) in together.into_iter().zip(on_disk) {
        waiting.settle(durable, if audited { recorded.clone() } else { Ok(()) }, world);
    }
}

impl Waiting {
    fn settle(self, durable: Result<(), Arc<QueryError>>, audited: Result<(), Arc<str>>, world: &Arc<World>) {
        match &durable {
            Ok(()) => self.acknowledge.into_iter().for_each(|sender| _ = sender.send(())),
            Err(error) => tracing::error!(%error, "a record did not reach the disk; nothing it asked for is done"),
        }
        match (self.then, &durable) {
            // What the audit does not take now is in the log, from where it comes into the audit later: a person is told, and no
            // machine goes on running for it.
            (Some(Durable::Operator(reply)), Ok(())) => _ = reply.send(audited.map_err(OperatorRefusal::NotAudited)),
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

//! Delivers notifications: each target has an outbox and a task of its own, so that a slow or dead one delays nobody else.
//!
//! What goes when is decided by `andon_models::notice::outbox`; the ways to the receivers are in [`carrier`].

pub mod carrier;
mod file;
mod mail;
mod program;
mod sign;
#[cfg(test)]
mod tests;

use super::clock::Now;
use andon_models::{
    definition::NotifyTarget,
    notice::{
        Notice,
        outbox::{Next, Outbox, Told},
    },
};
use carrier::Carrier;
pub use carrier::Places;
use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A target looks at the clock again after this, whatever it waits for: the clock may have been set.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Knows the targets of the plant file.
pub struct Notifier {
    targets: Vec<Arc<Target>>,
    stop: CancellationToken,
}

struct Target {
    definition: NotifyTarget,
    outbox: Mutex<Outbox>,
    /// Woken when something is offered.
    offered: Notify,
}

/// Where it is told what became of notices.
pub trait Report: Send + Sync + 'static {
    /// Records it. Whatever waits here delays this target only.
    fn told(&self, told: Vec<Told>) -> impl Future<Output = ()> + Send;
}

impl Notifier {
    /// A notifier for these targets; nothing goes before [`Notifier::start`].
    pub fn new(targets: &[NotifyTarget]) -> Self {
        let target = |definition: &NotifyTarget| {
            let outbox = Mutex::new(Outbox::new(definition.group));
            Arc::new(Target { definition: definition.clone(), outbox, offered: Notify::new() })
        };
        Self { targets: targets.iter().map(target).collect(), stop: CancellationToken::new() }
    }

    /// Puts a notice into the outbox of its target. False if the plant file has no such target.
    pub fn offer(&self, notice: Notice) -> bool {
        let Some(target) = self.targets.iter().find(|target| target.definition.name == notice.target) else { return false };
        target.outbox().offer(notice);
        target.offered.notify_one();
        true
    }

    /// Starts a task per target.
    pub fn start<R: Report>(&self, carrier: &Arc<Carrier>, report: &Arc<R>, now: &Now, tasks: &TaskTracker) {
        for target in &self.targets {
            let (target, carrier, report) = (target.clone(), carrier.clone(), report.clone());
            tasks.spawn(target.serve(carrier, report, now.clone(), self.stop.clone()));
        }
    }

    /// Begins no delivery any more; those under way come to their end. What waits is told after the next start.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// How many notices wait or are under way at a target.
    #[cfg(test)]
    fn waiting(&self, name: &str) -> Option<usize> {
        self.targets.iter().find(|target| &*target.definition.name == name).map(|target| target.outbox().len())
    }
}

impl Target {
    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve<R: Report>(self: Arc<Self>, carrier: Arc<Carrier>, report: Arc<R>, now: Now, stop: CancellationToken) {
        loop {
            let told = self.outbox().told();
            if !told.is_empty() {
                report.told(told).await;
            }
            if stop.is_cancelled() {
                return;
            }
            let next = self.outbox().next(now());
            match next {
                Next::Deliver(delivery) => {
                    let attempt = carrier.carry(&self.definition, &delivery.notices).await;
                    self.outbox().done(now(), attempt);
                }
                Next::Wait(until) => {
                    let patience = until.map_or(LOOK_AGAIN, |until| until.since(now()).min(LOOK_AGAIN));
                    // What was given up while it waited is told at once.
                    if !self.outbox().has_told() {
                        tokio::select! {
                            () = self.offered.notified() => {}
                            () = stop.cancelled() => {}
                            () = tokio::time::sleep(patience) => {}
                        }
                    }
                }
            }
        }
    }
}

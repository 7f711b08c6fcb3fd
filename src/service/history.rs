//! Produces history in fast time: the same core and the same historian as a live plant, driven by simulated time.

#[cfg(test)]
mod tests;

use super::{
    Opened,
    clock::Now,
    core::{Core, Effect, Step},
    effects::outcome,
    recompute::{self, Computed},
};
use andon_detectors::Input;
use andon_models::{
    AssetId, Sample, TagId, Timestamp, Tqv, Value,
    command::CommandState,
    operator::{OperatorDeed, OperatorRequest},
    schedule::GRACE,
};
use andon_query::{Batch, Historian, Receipt};
use anyhow::Context;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// Simulated time per step: how late a detector may see a sample, and a simulated machine its command.
const STEP: Duration = Duration::from_secs(10);
/// Points joined into one log record: fewer records are faster, larger ones take more memory.
const POINTS_PER_RECORD: usize = 50_000;
/// Records that may wait for the disk while the next ones are produced.
const MAX_PENDING: usize = 8;

/// A plant that can be moved through time and read by tag.
pub trait FastPlant {
    /// Moves the plant to an instant and hands out what changed since the last call, in time order.
    fn advance(&mut self, to: Timestamp, changes: &mut Vec<Sample>);
    /// Takes a command at once.
    fn write(&mut self, tag: TagId, value: &Value) -> Result<(), String>;
    /// Who acknowledges an alarm raised at this instant, and how long that takes.
    fn crew(&self, raised: Timestamp) -> (Arc<str>, Duration);
}

/// Runs a plant from `from` until it has caught up with the clock and stores everything as if it had been collected. `progress`
/// hears the instant reached. Returns the number of points stored.
pub async fn produce(
    opened: &mut Opened,
    plant: &mut impl FastPlant,
    from: Timestamp,
    clock: &Now,
    mut progress: impl FnMut(Timestamp),
) -> anyhow::Result<u64> {
    let historian = opened.historian.clone();
    let mut writer = Writer { historian: historian.clone(), record: Step::default(), pending: VecDeque::new(), points: 0 };
    writer.take(opened.core.start(from, &|series| historian.latest(series))).await?;
    let (mut now, mut changes, mut crew) = (from, Vec::new(), Crew::default());
    while now + STEP <= clock() {
        now = now + STEP;
        changes.clear();
        plant.advance(now, &mut changes);
        let mut step = opened.core.samples(now, &changes);
        step.extend(opened.core.time(now));
        perform(&mut opened.core, plant, now, &mut step);
        crew.acknowledge(&mut opened.core, plant, now, &mut step);
        writer.take(step).await?;
        progress(now);
    }
    writer.finish().await?;
    writer.points += compute(opened, now).await.context("cannot compute the metrics of the history")?;
    historian.flush().await.context("cannot turn the history into files")?;
    Ok(writer.points)
}

/// Does what detectors asked for, at once and in simulated time. Notifications of the past are told to nobody.
fn perform(core: &mut Core, plant: &mut impl FastPlant, now: Timestamp, step: &mut Step) {
    for effect in std::mem::take(&mut step.effects) {
        let Effect::Write(command) = effect else { continue };
        step.extend(core.decide(now, Input::Sent(command.id)));
        let (state, reason) = match plant.write(command.tag, &command.value) {
            Ok(()) => (CommandState::Verified, String::new()),
            Err(reason) => (CommandState::Failed, reason),
        };
        let clock: Now = Arc::new(move || now);
        let mut outcome = outcome(&command, state, &reason, &clock);
        if state == CommandState::Verified {
            outcome.read_back = command.value.clone();
        }
        step.extend(core.decide(now, Input::Outcome(&outcome)));
    }
    // What an outcome asks for in turn is told to nobody either.
    step.effects.clear();
}

/// The people who acknowledge alarms, in simulated time.
#[derive(Default)]
struct Crew {
    /// Alarms seen and not acknowledged yet, by the instant at which somebody will.
    due: BTreeMap<(Timestamp, AssetId, Arc<str>), Arc<str>>,
}

impl Crew {
    fn acknowledge(&mut self, core: &mut Core, plant: &impl FastPlant, now: Timestamp, step: &mut Step) {
        for moved in &step.moved {
            let raised = moved.alarm.since.filter(|_| moved.alarm.state.needs_acknowledgement());
            if let Some(raised) = raised {
                let (by, after) = plant.crew(raised);
                self.due.insert((raised + after, moved.asset, moved.detector.clone()), by);
            }
        }
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, asset, detector), by) = entry.remove_entry();
            let request = OperatorRequest { by, deed: OperatorDeed::Acknowledge { asset, detector, note: "".into() } };
            let mut acknowledged = core.operator(now, &request);
            // Somebody was quicker, or the alarm is gone: nothing to do.
            acknowledged.refusal = None;
            step.extend(acknowledged);
        }
    }
}

/// Computes every window that closed up to an instant, in the order and by the plans of a live plant.
async fn compute(opened: &mut Opened, until: Timestamp) -> anyhow::Result<u64> {
    let mut computed = 0;
    loop {
        let jobs = opened.schedule.due(until + GRACE);
        if jobs.is_empty() {
            return Ok(computed);
        }
        for job in &jobs {
            let Computed { figures: points, events, reach } =
                recompute::compute(&opened.historian, &opened.catalog, job, until).await?;
            computed += points.len() as u64;
            let mut keep = opened.schedule.computed(job, &points);
            for (series, late, next) in reach {
                keep.extend(opened.schedule.reach(series, late, next));
            }
            opened.historian.append(Batch { points, events, keep, ..Batch::default() }).await?;
        }
        let keep = opened.schedule.settled();
        opened.historian.append(Batch { keep, ..Batch::default() }).await?;
    }
}

/// Joins steps into large records and keeps a few of them on their way to the disk.
struct Writer {
    historian: Historian,
    record: Step,
    pending: VecDeque<Receipt>,
    points: u64,
}

impl Writer {
    async fn take(&mut self, step: Step) -> anyhow::Result<()> {
        self.record.extend(step);
        if self.record.batch.points.len() >= POINTS_PER_RECORD { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> anyhow::Result<()> {
        let batch = std::mem::take(&mut self.record).batch;
        self.points += batch.points.len() as u64;
        self.pending.push_back(self.historian.enqueue(batch).await);
        if self.pending.len() > MAX_PENDING {
            self.settle_one().await?;
        }
        Ok(())
    }

    async fn settle_one(&mut self) -> anyhow::Result<()> {
        match self.pending.pop_front() {
            Some(receipt) => Ok(receipt.await?),
            None => Ok(()),
        }
    }

    async fn finish(&mut self) -> anyhow::Result<()> {
        self.write().await?;
        while !self.pending.is_empty() {
            self.settle_one().await?;
        }
        Ok(())
    }
}

/// A good sample of a tag.
pub fn sample(tag: TagId, time: Timestamp, value: Value) -> Sample {
    Sample { tag, tqv: Tqv::good(time, value) }
}

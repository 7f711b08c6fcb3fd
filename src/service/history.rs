//! Produces history in fast time: the same core and the same historian as a live plant, driven by simulated time.

use super::{
    Opened,
    clock::Now,
    core::{Core, Effect, Step},
    effects::outcome,
    schedule::{CLOSED_KEY, Schedule},
};
use andon_detectors::Input;
use andon_models::{
    AssetId, Sample, TagId, Timestamp, Tqv, Value,
    command::CommandState,
    operator::{OperatorDeed, OperatorRequest},
};
use andon_query::{Batch, Historian, Receipt};
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
    writer.points += compute(opened, from, now).await?;
    historian.flush().await?;
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

/// Computes every window that closed in the span, in the order and by the plans of a live plant.
async fn compute(opened: &mut Opened, from: Timestamp, until: Timestamp) -> anyhow::Result<u64> {
    let mut schedule = Schedule::new(opened.catalog.clone(), from, None);
    let mut computed = 0;
    while let Some(due) = schedule.due(until + super::schedule::GRACE) {
        for job in due.jobs {
            let points = opened.historian.compute(job.model, &job.spec, &job.windows).await?;
            computed += points.len() as u64;
            opened.historian.append(Batch { points, ..Batch::default() }).await?;
        }
        let keep = vec![(CLOSED_KEY.to_owned(), due.closed)];
        opened.historian.append(Batch { keep, ..Batch::default() }).await?;
    }
    opened.schedule = schedule;
    Ok(computed)
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

//! What the tests of all protocols need: a plan, a receiver that remembers, conditions with a deadline.

use crate::{Delivery, Now, SourceHandle, SourcePlan};
use andon_models::{
    AssetId, CommandId, SeriesId, TagId, Timestamp, Tqv, Value, ValueType,
    address::Address,
    catalog::Tag,
    command::Command,
    definition::{AssetIndex, Scaling, Source},
};
use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{mpsc, watch};

/// How long a test waits for anything before it fails; test machines are slow and shared.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A machine that stood still for longer says nothing about time limits.
const STANDSTILL: Duration = Duration::from_secs(1);

/// A clock that is monotonic and looks like the wall clock.
pub fn now() -> Now {
    let start = tokio::time::Instant::now();
    Arc::new(move || Timestamp::from_seconds(1_800_000_000) + start.elapsed())
}

/// A tag.
pub fn tag(id: u32, address: Address, value_type: ValueType, read: bool) -> Tag {
    Tag {
        id: TagId(id),
        source: "source".into(),
        address,
        series: SeriesId(id),
        asset: AssetIndex(0),
        value_type,
        scaling: Scaling::default(),
        stale: None,
        read,
        feedback: None,
    }
}

/// A plan without asset paths, with certificates in a folder that goes with the test.
pub fn plan(source: Source, tags: Vec<Tag>) -> SourcePlan {
    let asset_paths = tags.iter().map(|tag| (tag.id, Arc::from("Line 1/Filler 1"))).collect();
    SourcePlan { source, tags, asset_paths, inputs: Vec::new(), pki_dir: std::env::temp_dir().join("andon-ingest-no-pki") }
}

/// A command to write a value: a minute to send it, half a second to see it.
pub fn command(tag: u32, value: Value) -> Command {
    let decided_at = Timestamp::from_seconds(1_800_000_000);
    Command {
        id: CommandId::from_name("test"),
        asset: AssetId::from_name("Filler 1"),
        control: "stop_request".into(),
        tag: TagId(tag),
        series: SeriesId(tag),
        value,
        decided_by: "overheat".into(),
        decided_at,
        deadline: decided_at + Duration::from_secs(60),
        verify: Duration::from_millis(500),
    }
}

/// Starts a source whose deliveries are remembered and acknowledged at once.
pub fn start(source: Source, tags: Vec<Tag>) -> (SourceHandle, Collected) {
    start_plan(plan(source, tags))
}

/// The same for a ready plan.
pub fn start_plan(plan: SourcePlan) -> (SourceHandle, Collected) {
    let (deliver, mut deliveries) = mpsc::channel::<Delivery>(16);
    let handle = crate::start(plan, deliver, now());
    let collected = Collected { samples: Arc::default(), count: watch::channel(0).0 };
    let (samples, count) = (collected.samples.clone(), collected.count.clone());
    tokio::spawn(async move {
        while let Some(delivery) = deliveries.recv().await {
            let mut samples = samples.lock().unwrap();
            for sample in delivery.samples {
                samples.entry(sample.tag).or_insert_with(Vec::new).push(sample.tqv);
            }
            drop(samples);
            let _ = delivery.durable.send(());
            count.send_modify(|count| *count += 1);
        }
    });
    (handle, collected)
}

/// Everything a source delivered.
pub struct Collected {
    samples: Arc<Mutex<HashMap<TagId, Vec<Tqv>>>>,
    count: watch::Sender<usize>,
}

impl Collected {
    /// Waits until the last values by tag fulfil a condition.
    pub async fn wait(&self, what: &str, condition: impl Fn(&HashMap<TagId, Tqv>) -> bool) {
        let holds = |_: &usize| condition(&self.latest_all());
        let mut count = self.count.subscribe();
        let waited = tokio::time::timeout(PATIENCE, count.wait_for(holds)).await;
        assert!(waited.is_ok(), "waited for {what} in vain; last values: {:?}", self.latest_all());
    }

    /// Waits until a tag has so many samples.
    pub async fn wait_count(&self, tag: u32, samples: usize) {
        let mut count = self.count.subscribe();
        let waited = tokio::time::timeout(PATIENCE, count.wait_for(|_| self.count(tag) >= samples)).await;
        assert!(waited.is_ok(), "tag {tag} has {} samples, not {samples}", self.count(tag));
    }

    fn latest_all(&self) -> HashMap<TagId, Tqv> {
        let samples = self.samples.lock().unwrap();
        samples.iter().filter_map(|(tag, tqvs)| Some((*tag, tqvs.iter().max_by_key(|tqv| tqv.time)?.clone()))).collect()
    }

    /// The newest sample of a tag.
    pub fn latest(&self, tag: u32) -> Tqv {
        self.latest_all()[&TagId(tag)].clone()
    }

    /// The newest value of a tag.
    pub fn value(&self, tag: u32) -> Value {
        self.latest(tag).value
    }

    /// All samples of a tag in order of arrival.
    pub fn all(&self, tag: u32) -> Vec<Tqv> {
        self.samples.lock().unwrap().get(&TagId(tag)).cloned().unwrap_or_default()
    }

    /// How many samples a tag has.
    pub fn count(&self, tag: u32) -> usize {
        self.all(tag).len()
    }
}

/// Notices when the machine stands still for so long that time limits of seconds run out by themselves.
pub struct Standstills(watch::Receiver<bool>);

impl Standstills {
    /// Watches from now on. For tests that run on one thread: there everything stands still together.
    pub fn watch() -> Self {
        let (stood_still, seen) = watch::channel(false);
        tokio::spawn(async move {
            let mut last = tokio::time::Instant::now();
            while !stood_still.is_closed() {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if last.elapsed() > STANDSTILL {
                    stood_still.send_replace(true);
                }
                last = tokio::time::Instant::now();
            }
        });
        Self(seen)
    }

    /// Whether it never stood still.
    pub fn none(&self) -> bool {
        !*self.0.borrow()
    }
}

/// Waits until a condition holds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "waited for {what} in vain");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

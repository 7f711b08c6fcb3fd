//! What waits for the disk, and what does not.

use super::*;
use crate::{
    status::Status,
    testing::{PATIENCE, now},
};
use andon_models::{StatusCode, TagId, Timestamp, Tqv, definition::Source};
use std::collections::HashMap;
use tokio::time::timeout;

/// Longer than any test runs.
const FOR_EVER: Duration = Duration::from_secs(100_000);

struct Bench {
    intake: IntakeSender,
    deliveries: mpsc::Receiver<Delivery>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Bench {
    fn new(gather: Duration) -> Self {
        let protocol = SourceProtocol::Modbus { host: "nowhere:502".into(), unit: 1 };
        let source = Source { name: "source".into(), protocol, every: Duration::from_secs(1), writes_allowed: false };
        let now = now();
        let status = Status::new(&source, 1, now());
        let shared = Arc::new(Shared { source, tags: HashMap::new(), status, now });
        let (deliver, deliveries) = mpsc::channel(64);
        let (queue, incoming) = mpsc::channel(QUEUE);
        let stop = CancellationToken::new();
        let batcher = Batcher::new(shared.clone(), deliver, Watchdog::new(None, false), gather);
        let task = tokio::spawn(batcher.run(incoming, stop.clone()));
        Self { intake: IntakeSender { queue, shared }, deliveries, stop, task }
    }

    fn offer(&self, count: i64) {
        let sample = |second| Sample { tag: TagId(1), tqv: Tqv::bad(Timestamp::from_seconds(second), StatusCode::GOOD) };
        self.intake.offer((0..count).map(sample).collect());
    }

    async fn next(&mut self) -> (usize, oneshot::Sender<()>) {
        let Delivery { samples, durable, .. } = timeout(PATIENCE, self.deliveries.recv()).await.unwrap().unwrap();
        (samples.len(), durable)
    }
}

#[tokio::test]
async fn while_one_batch_is_on_its_way_to_the_disk_the_next_gathers() {
    let mut bench = Bench::new(FOR_EVER);
    bench.offer(1);
    let (count, first) = bench.next().await;
    assert_eq!(count, 1, "nothing is under way, so it goes at once");
    (0..3).for_each(|_| bench.offer(2));
    first.send(()).unwrap();
    let (count, second) = bench.next().await;
    assert_eq!(count, 6, "what came meanwhile goes together");
    // Lost on the way: nobody is told that it is safe, and what comes then is not held up by it.
    let (receipt, safe) = oneshot::channel();
    bench.intake.send(Vec::new(), Vec::new(), Some(receipt)).await;
    bench.offer(1);
    drop(second);
    let (count, third) = bench.next().await;
    assert_eq!(count, 1);
    drop(third);
    assert!(timeout(PATIENCE, safe).await.unwrap().is_err());
}

#[tokio::test]
async fn what_is_on_its_way_to_the_disk_is_the_backlog_and_what_is_there_has_a_lag() {
    let mut bench = Bench::new(FOR_EVER);
    let mut status = bench.intake.shared.status.subscribe();
    bench.intake.connected().await;
    let sent = (bench.intake.shared.now)() + Duration::from_secs(3_600);
    let sample = |time| Sample { tag: TagId(1), tqv: Tqv::bad(time, StatusCode::GOOD) };
    bench.intake.offer(vec![sample(Timestamp::EPOCH), sample(sent)]);
    let (count, first) = bench.next().await;
    assert_eq!((count, status.borrow_and_update().backlog), (2, 2));
    bench.offer(3);
    first.send(()).unwrap();
    let (count, refused) = bench.next().await;
    let standing = timeout(PATIENCE, status.wait_for(|status| status.lag_ms.is_some())).await.unwrap().unwrap().clone();
    assert!(standing.lag_ms < Some(0), "a device whose clock is ahead: {standing:?}");
    assert_eq!(standing.lag_max_ms, standing.lag_ms, "the value from before the connection does not count");
    assert_eq!((count, standing.backlog), (3, 3));
    // The disk took nothing: the loop keeps them, and they get there with the next batch.
    drop(refused);
    bench.offer(1);
    let (_, third) = bench.next().await;
    assert_eq!(status.borrow_and_update().backlog, 4);
    third.send(()).unwrap();
    timeout(PATIENCE, status.wait_for(|status| status.backlog == 0)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_full_batch_waits_for_nothing() {
    let mut bench = Bench::new(FOR_EVER);
    bench.offer(1);
    let _on_its_way = bench.next().await;
    (0..4).for_each(|_| bench.offer(BATCH_SAMPLES as i64 / 2));
    let (first, _on_its_way_too) = bench.next().await;
    let (second, _) = bench.next().await;
    assert_eq!((first, second), (BATCH_SAMPLES, BATCH_SAMPLES));
}

#[tokio::test]
async fn a_disk_in_trouble_holds_up_no_detector() {
    let mut bench = Bench::new(Duration::from_millis(1));
    bench.offer(1);
    let _never_on_disk = bench.next().await;
    bench.offer(1);
    assert_eq!(bench.next().await.0, 1);
}

#[tokio::test]
async fn a_source_that_stops_hands_over_what_it_has_and_acknowledges_it_later() {
    let mut bench = Bench::new(FOR_EVER);
    bench.offer(1);
    let _on_its_way = bench.next().await;
    let (receipt, safe) = oneshot::channel();
    bench.intake.send(Vec::new(), Vec::new(), Some(receipt)).await;
    bench.offer(1);
    bench.stop.cancel();
    let (count, durable) = bench.next().await;
    assert_eq!(count, 1);
    timeout(PATIENCE, &mut bench.task).await.unwrap().unwrap();
    durable.send(()).unwrap();
    assert_eq!(timeout(PATIENCE, safe).await.unwrap(), Ok(()));
}

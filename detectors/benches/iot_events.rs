//! How fast detector models of IoT Events step: many instances of one model, a message for each in turn. And how fast they are back
//! after a restart.
//!
//! `cargo bench -p andon-detectors --bench iot_events`

use andon_detectors::iot_events::{EventEngine, Message};
use andon_models::{Timestamp, iot_events, snapshot::InstanceSnapshot};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const INSTANCES: usize = 10_000;

/// Instances of the largest plant that must be back within two seconds.
const RESTORED: usize = 100_000;

/// A threshold with a counter, a timer and a payload: what published models look like.
const MODEL: &str = r#"{
  "detectorModelName": "press", "key": "id",
  "detectorModelDefinition": { "initialStateName": "quiet", "states": [
    { "stateName": "quiet",
      "onEnter": { "events": [{ "eventName": "zero", "condition": "true", "actions": [{ "setVariable": { "variableName": "n", "value": "0" } }] }] },
      "onInput": { "transitionEvents": [{ "eventName": "high", "condition": "$input.press.sensor.bar > 70", "nextState": "loud",
        "actions": [{ "setVariable": { "variableName": "n", "value": "$variable.n + 3" } }, { "setTimer": { "timerName": "late", "seconds": 3600 } }] }] } },
    { "stateName": "loud",
      "onEnter": { "events": [{ "eventName": "tell", "condition": "$variable.n > 1", "actions": [{ "sns": { "targetArn": "people",
        "payload": { "contentExpression": "'{\"id\": \"${$input.press.id}\", \"bar\": ${$input.press.sensor.bar}}'", "type": "JSON" } } }] }] },
      "onInput": {
        "events": [{ "eventName": "low", "condition": "$input.press.sensor.bar <= 70", "actions": [{ "setVariable": { "variableName": "n", "value": "$variable.n - 1" } }] }],
        "transitionEvents": [{ "eventName": "calm", "condition": "$input.press.sensor.bar <= 70 || timeout('late')", "nextState": "quiet" }] } }
  ] } }"#;

/// One message per instance; every `high`th is above the threshold in even rounds, so that it moves in each.
fn messages(round: usize, high: usize) -> Vec<Arc<Value>> {
    let bar = |instance: usize| if instance.is_multiple_of(high) && round.is_multiple_of(2) { 90 } else { 40 + instance % 7 };
    (0..INSTANCES)
        .map(|instance| Arc::new(json!({ "id": format!("P{instance}"), "sensor": { "bar": bar(instance) } })))
        .collect()
}

fn steps(criterion: &mut Criterion) {
    let document = iot_events::read(MODEL, "press");
    let model = Arc::new(document.models.into_iter().next().expect("the model runs"));
    let mut group = criterion.benchmark_group("iot_events");
    group.throughput(Throughput::Elements(INSTANCES as u64));
    for (name, high) in [("no moves", usize::MAX), ("1 % moves", 100), ("all move", 1)] {
        let mut engine = EventEngine::new(&model);
        let mut round = 0;
        group.bench_function(name, |bencher| {
            let batch = || {
                round += 1;
                (Timestamp::EPOCH + Duration::from_secs(round as u64), messages(round, high))
            };
            let step = |(now, messages): (Timestamp, Vec<Arc<Value>>)| {
                let mut actions = 0;
                let mut sink = |evaluation: andon_detectors::iot_events::Evaluation<'_>| actions += evaluation.actions().len();
                engine.time(now, usize::MAX, &mut sink);
                for payload in &messages {
                    let message = Message { input: "press", payload, id: None, retained: false };
                    engine.message(now, message, &mut sink).expect("every message has a key");
                }
                actions
            };
            bencher.iter_batched(batch, step, BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// A restart: the kept documents of a hundred thousand instances with a running timer, until every one stands where it stood.
fn restore(criterion: &mut Criterion) {
    let document = iot_events::read(MODEL, "press");
    let model = Arc::new(document.models.into_iter().next().expect("the model runs"));
    let mut engine = EventEngine::new(&model);
    for instance in 0..RESTORED {
        let payload = Arc::new(json!({ "id": format!("P{instance}"), "sensor": { "bar": 90 } }));
        let message = Message { input: "press", payload: &payload, id: None, retained: false };
        engine.message(Timestamp::EPOCH, message, &mut |_| {}).expect("every message has a key");
    }
    let kept: Vec<Vec<u8>> =
        engine.snapshots().map(|snapshot| serde_json::to_vec(&snapshot).expect("a snapshot is plain data")).collect();
    let mut group = criterion.benchmark_group("iot_events");
    group.throughput(Throughput::Elements(RESTORED as u64));
    group.sample_size(10);
    group.bench_function("restore 100k", |bencher| {
        bencher.iter_with_large_drop(|| {
            let mut engine = EventEngine::new(&model);
            for document in &kept {
                let snapshot: InstanceSnapshot = serde_json::from_slice(document).expect("it was written so");
                assert!(engine.restore(snapshot));
            }
            assert_eq!((engine.count(), engine.next_due()), (RESTORED, Some(Timestamp::from_seconds(3_600))));
            engine
        });
    });
    group.finish();
}

criterion_group!(benches, steps, restore);
criterion_main!(benches);

//! Stories against a broker in the same process, in both versions of the protocol.

mod browse;

use crate::{
    Delivery, SourceHandle, SourcePlan,
    testing::{self, Collected},
};
use andon_fixtures::mqtt_broker::MqttBroker;
use andon_models::{
    Quality, StatusCode, TagId, Timestamp, Value, ValueType,
    address::{Address, MqttAddress},
    catalog::Tag,
    command::{Command, CommandState},
    definition::{MqttVersion, Source, SourceProtocol},
    snapshot::ConnectionState,
};
use bytes::Bytes;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

fn tag(id: u32, topic: Option<&str>, path: &str, value_type: ValueType) -> Tag {
    let address = MqttAddress { topic: topic.map(Into::into), path: path.into() };
    testing::tag(id, Address::Mqtt(address), value_type, true)
}

fn plan(broker: &MqttBroker, version: MqttVersion, tags: Vec<Tag>, home: &Path) -> SourcePlan {
    let url = if version == MqttVersion::V3 { broker.url() } else { broker.url_v5() };
    let protocol = SourceProtocol::Mqtt {
        host: "127.0.0.1".into(),
        port: url.rsplit_once(':').unwrap().1.parse().unwrap(),
        user: None,
        password: None,
        version,
        topic: "plant/{line}/{asset}/energy".parse().unwrap(),
        time_path: Some("time".into()),
    };
    let source = Source { name: "energy".into(), protocol, every: Duration::from_secs(1), writes_allowed: true };
    let paths = ["Line 1/Filler 1", "Line 2/Filler 2"];
    let asset_paths = tags.iter().map(|tag| (tag.id, Arc::from(paths[tag.id.0 as usize % 2]))).collect();
    // The folder makes the client's name, so each test is a client of its own.
    SourcePlan { source, tags, asset_paths, inputs: Vec::new(), pki_dir: home.into() }
}

fn tags() -> Vec<Tag> {
    vec![
        tag(0, None, "power.kw", ValueType::Double),
        tag(1, None, "power.kw", ValueType::Double),
        tag(2, Some("plant/site/air"), "", ValueType::Double),
    ]
}

async fn connected(handle: &SourceHandle) {
    let mut status = handle.status();
    let connected = status.wait_for(|status| status.state == ConnectionState::Connected);
    assert!(tokio::time::timeout(testing::PATIENCE, connected).await.is_ok(), "{:?}", handle.status().borrow());
}

async fn started(plan: SourcePlan) -> (SourceHandle, Collected) {
    let (handle, collected) = testing::start_plan(plan);
    connected(&handle).await;
    (handle, collected)
}

async fn topics_find_their_machines(version: MqttVersion) {
    let broker = MqttBroker::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let (handle, collected) = started(plan(&broker, version, tags(), home.path())).await;
    broker.publish("plant/line_1/filler_1/energy", r#"{"time": 1700000000.5, "power": {"kw": 4.5}}"#).unwrap();
    broker.publish("plant/line_2/filler_2/energy", r#"{"power": {"kw": 7}}"#).unwrap();
    broker.publish("plant/line_3/filler_3/energy", r#"{"power": {"kw": 9}}"#).unwrap();
    broker.publish("plant/site/air", "6.25").unwrap();
    collected.wait("three values", |latest| latest.len() == 3).await;
    assert_eq!((collected.latest(0).time, collected.value(0)), (Timestamp::from_millis(1_700_000_000_500), 4.5.into()));
    assert_eq!(collected.value(1), Value::Double(7.0));
    assert!(collected.latest(1).time >= Timestamp::from_seconds(1_800_000_000), "arrival time");
    assert_eq!(collected.value(2), Value::Double(6.25));
    broker.publish("plant/line_2/filler_2/energy", r#"{"power": {"kw": "much"}}"#).unwrap();
    broker.publish("plant/site/air", "?!").unwrap();
    broker.publish("plant/line_1/filler_1/energy", r#"{"time": 1700000001, "power": {"kw": null}}"#).unwrap();
    collected.wait("three Bad ones", |latest| latest.values().all(|tqv| tqv.quality == Quality::Bad)).await;
    assert_eq!(collected.latest(1).status, StatusCode::DECODING_ERROR);
    assert_eq!(collected.latest(0).status, super::NO_DATA);
    let outcome = handle.write(&testing::command(0, Value::Double(1.0))).await;
    assert_eq!(outcome.state, CommandState::Failed);
    assert!(outcome.reason.contains("names no topic"), "{}", outcome.reason);
    handle.stop().await;
}

#[tokio::test]
async fn topics_find_their_machines_in_v3() {
    topics_find_their_machines(MqttVersion::V3).await;
}

#[tokio::test]
async fn topics_find_their_machines_in_v5() {
    topics_find_their_machines(MqttVersion::V5).await;
}

/// A write is a message; only what comes back after it verifies it.
async fn a_write_is_verified_by_what_comes_back_after_it(version: MqttVersion) {
    let broker = MqttBroker::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let state = MqttAddress { topic: Some("plant/site/state".into()), path: "speed".into() };
    let set = || tag(0, Some("plant/site/set"), "speed", ValueType::Double);
    let control = Tag { id: TagId(1), feedback: Some(Address::Mqtt(state)), read: false, ..set() };
    let (handle, collected) = started(plan(&broker, version, vec![set(), control], home.path())).await;
    broker.publish("plant/site/state", r#"{"speed": 78.5}"#).unwrap();
    // What is published later comes later: then the state is known.
    broker.publish("plant/site/set", r#"{"speed": 1}"#).unwrap();
    collected.wait("what was published last", |latest| latest.values().any(|tqv| tqv.value == Value::Double(1.0))).await;
    let silent = handle.write(&testing::command(1, Value::Double(78.5))).await;
    assert_eq!(silent.state, CommandState::Unknown, "what was shown before says nothing: {}", silent.reason);

    let command = Command { verify: testing::PATIENCE, ..testing::command(1, Value::Double(80.0)) };
    let machine = async {
        collected.wait("the order", |latest| latest.values().any(|tqv| tqv.value == Value::Double(80.0))).await;
        broker.publish("plant/site/state", r#"{"speed": 80}"#).unwrap();
    };
    let (outcome, ()) = tokio::join!(handle.write(&command), machine);
    assert_eq!((outcome.state, outcome.read_back), (CommandState::Verified, Value::Double(80.0)), "{}", outcome.reason);
    handle.stop().await;
}

#[tokio::test]
async fn a_write_is_verified_in_v3() {
    a_write_is_verified_by_what_comes_back_after_it(MqttVersion::V3).await;
}

#[tokio::test]
async fn a_write_is_verified_in_v5() {
    a_write_is_verified_by_what_comes_back_after_it(MqttVersion::V5).await;
}

/// What a machine showed before the broker was lost is not what it shows now.
#[tokio::test]
async fn what_a_control_shows_is_unknown_while_the_broker_is_gone() {
    let mut broker = MqttBroker::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let state = MqttAddress { topic: Some("plant/site/state".into()), path: "".into() };
    let set = tag(1, Some("plant/site/set"), "", ValueType::Double);
    let control = Tag { feedback: Some(Address::Mqtt(state)), read: false, ..set };
    let (handle, _collected) = started(plan(&broker, MqttVersion::V3, vec![control], home.path())).await;
    testing::until("what it shows", || async {
        broker.publish("plant/site/state", "75").unwrap();
        handle.read_back(TagId(1)).await.is_ok_and(|value| value == Value::Double(75.0))
    })
    .await;
    broker.stop().await;
    testing::until("not known any more", || async { handle.read_back(TagId(1)).await.is_err() }).await;
    handle.stop().await;
}

async fn a_lost_broker_turns_tags_bad_once_and_is_found_again(version: MqttVersion) {
    let mut broker = MqttBroker::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let (handle, collected) = started(plan(&broker, version, tags(), home.path())).await;
    broker.publish("plant/site/air", "6.25").unwrap();
    collected.wait("a value", |latest| latest.len() == 1).await;
    broker.stop().await;
    collected.wait("all Bad", |latest| latest.len() == 3 && latest.values().all(|tqv| tqv.quality == Quality::Bad)).await;
    let error = handle.publish("plant/alarm", Bytes::from_static(b"x"), false).await.unwrap_err();
    assert!(error.to_string().contains("not connected"), "{error}");
    broker.restart().await.unwrap();
    testing::until("connected", || async { handle.status().borrow().connects == 2 }).await;
    broker.publish("plant/site/air", "6.5").unwrap();
    collected.wait("values again", |latest| latest[&TagId(2)].value == Value::Double(6.5)).await;
    for id in 0..3 {
        assert_eq!(collected.all(id).iter().filter(|tqv| tqv.quality == Quality::Bad).count(), 1, "tag {id}");
    }
    handle.stop().await;
}

#[tokio::test]
async fn a_lost_broker_is_found_again_in_v3() {
    a_lost_broker_turns_tags_bad_once_and_is_found_again(MqttVersion::V3).await;
}

#[tokio::test]
async fn a_lost_broker_is_found_again_in_v5() {
    a_lost_broker_turns_tags_bad_once_and_is_found_again(MqttVersion::V5).await;
}

/// The broker's own memory is the judge: what was not acknowledged comes again.
async fn messages_that_were_not_stored_come_again(version: MqttVersion) {
    let broker = MqttBroker::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let plan = plan(&broker, version, tags(), home.path());
    let sender_plan = {
        let mut plan = plan.clone();
        plan.source.name = "sender".into();
        plan.tags.clear();
        plan
    };
    let (sender, _) = started(sender_plan).await;
    let (deliver, mut deliveries) = mpsc::channel::<Delivery>(16);
    let handle = crate::start(plan, deliver, testing::now());
    connected(&handle).await;
    sender.publish("plant/site/air", Bytes::from_static(b"1"), false).await.unwrap();
    let first = next_with_receipt(&mut deliveries).await;
    // The disk is full: the delivery is dropped without being stored.
    drop(first);
    let (value, durable) = next_with_receipt(&mut deliveries).await;
    assert_eq!(value, Value::Double(1.0), "the same message again");
    durable.send(()).unwrap();
    // Once stored, it is gone: the next connection gets only what is new.
    sender.publish("plant/site/air", Bytes::from_static(b"2"), false).await.unwrap();
    let (value, durable) = next_with_receipt(&mut deliveries).await;
    assert_eq!(value, Value::Double(2.0));
    durable.send(()).unwrap();
    assert!(handle.status().borrow().connects >= 2);
    handle.stop().await;
    sender.stop().await;
}

async fn next_with_receipt(deliveries: &mut mpsc::Receiver<Delivery>) -> (Value, oneshot::Sender<()>) {
    loop {
        let delivery = tokio::time::timeout(testing::PATIENCE, deliveries.recv()).await.expect("a delivery").unwrap();
        // Others tell that the connection was lost.
        if let Some(good) = delivery.samples.iter().find(|sample| sample.tqv.quality == Quality::Good) {
            return (good.tqv.value.clone(), delivery.durable);
        }
    }
}

#[tokio::test]
async fn messages_that_were_not_stored_come_again_in_v3() {
    messages_that_were_not_stored_come_again(MqttVersion::V3).await;
}

#[tokio::test]
async fn messages_that_were_not_stored_come_again_in_v5() {
    messages_that_were_not_stored_come_again(MqttVersion::V5).await;
}

#[tokio::test]
async fn publications_are_acknowledged_and_wildcards_refused() {
    let broker = MqttBroker::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let (handle, collected) = started(plan(&broker, MqttVersion::V3, tags(), home.path())).await;
    handle.publish("plant/site/air", Bytes::from_static(b"3.5"), true).await.unwrap();
    collected.wait("our own message", |latest| latest.get(&TagId(2)).is_some_and(|tqv| tqv.value == Value::Double(3.5))).await;
    let error = handle.publish("plant/#", Bytes::new(), false).await.unwrap_err();
    assert!(error.to_string().contains("wildcard"), "{error}");
    handle.stop().await;
}

#[tokio::test]
async fn a_silent_topic_turns_uncertain() {
    let broker = MqttBroker::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut tags = tags();
    tags[2].stale = Some(Duration::from_millis(700));
    let (handle, collected) = started(plan(&broker, MqttVersion::V3, tags, home.path())).await;
    broker.publish("plant/site/air", "6.25").unwrap();
    let stale = |tqv: &andon_models::Tqv| tqv.status == StatusCode::STALE && tqv.value == Value::Double(6.25);
    collected.wait("Uncertain", |latest| latest.get(&TagId(2)).is_some_and(stale)).await;
    assert_eq!(collected.latest(2).quality, Quality::Uncertain);
    handle.stop().await;
}

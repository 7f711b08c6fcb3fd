//! Looking at a broker, beside the messages that the plant reads.

use super::*;
use andon_models::browse::{Browse, NodeKind};

async fn what_a_broker_carries_is_a_tree(version: MqttVersion) {
    let broker = MqttBroker::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let (handle, collected) = started(plan(&broker, version, tags(), home.path())).await;
    handle.publish("plant/line_1/filler_1/energy", Bytes::from_static(br#"{"power": {"kw": 4.5}}"#), true).await.unwrap();
    handle.publish("plant/site/air", Bytes::from_static(b"6.25"), true).await.unwrap();
    let listen = Some(Duration::from_secs(2));
    let root = handle.browse(&Browse { listen, ..Browse::default() }).await.unwrap();
    let names: Vec<_> = root.nodes.iter().map(|node| (&*node.name, node.kind)).collect();
    assert_eq!(names, [("plant", NodeKind::Folder), ("$SYS", NodeKind::Folder)]);
    // Without listening again.
    let topic = handle.browse(&Browse::children_of("plant/line_1/filler_1/energy")).await.unwrap();
    let field = &topic.nodes[0];
    assert_eq!((&*field.name, &field.value, field.kind), ("power.kw", &Value::Double(4.5), NodeKind::Field));
    assert_eq!(field.address.as_deref(), Some("plant/line_1/filler_1/energy#power.kw"));
    assert_eq!((field.short.as_deref(), &field.tags), (Some("power.kw"), &vec![TagId(0)]));
    let site = handle.browse(&Browse::children_of("plant/site")).await.unwrap();
    assert_eq!((&site.nodes[0].value, &site.nodes[0].tags), (&Value::Double(6.25), &vec![TagId(2)]));
    assert_eq!(handle.browse(&Browse { find: "kw".into(), ..Browse::default() }).await.unwrap().nodes.len(), 1);
    // The values of the plant went on over their own connection.
    broker.publish("plant/site/air", "7.5").unwrap();
    collected.wait("a value after it", |latest| latest.values().any(|tqv| tqv.value == Value::Double(7.5))).await;
    let wild = handle.browse(&Browse::children_of("plant/+")).await.unwrap_err();
    assert!(wild.message.contains("without wildcards"), "{wild}");
    handle.stop().await;
}

#[tokio::test]
async fn what_a_broker_carries_in_v3() {
    what_a_broker_carries_is_a_tree(MqttVersion::V3).await;
}

#[tokio::test]
async fn what_a_broker_carries_in_v5() {
    what_a_broker_carries_is_a_tree(MqttVersion::V5).await;
}

#[tokio::test]
async fn a_visit_connects_only_to_listen_and_says_when_it_cannot() {
    let broker = MqttBroker::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let handle = crate::visit(plan(&broker, MqttVersion::V3, tags(), home.path()), testing::now()).await.unwrap();
    let listen = Some(Duration::from_millis(200));
    let empty = handle.browse(&Browse { listen, ..Browse::default() }).await.unwrap();
    assert!(empty.nodes.len() == 1 && empty.note.contains("nothing was heard"), "{empty:?}");
    drop(broker);
    let gone = handle.browse(&Browse { listen, ..Browse::default() }).await;
    assert!(gone.is_err_and(|gone| gone.message.contains("not connected")));
    handle.stop().await;
}

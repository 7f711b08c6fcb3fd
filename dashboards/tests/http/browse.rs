//! What sources offer, over HTTP: what is asked reaches the connection, and what comes back is told in the words of the plant.

use crate::service::Service;
use andon_dashboards::{AskBrowse, Browses};
use andon_models::{
    TagId, ValueType,
    browse::{BrowseRefusal, BrowseTrouble, Browsed, NodeKind, SourceNode},
};
use reqwest::{Method, StatusCode};
use tokio::sync::mpsc;

/// A connection that knows one node with readings, tells what it was asked, and cannot reach `gone`.
pub fn connection() -> Browses {
    let (asks, mut queue) = mpsc::channel::<AskBrowse>(1);
    tokio::spawn(async move {
        while let Some(AskBrowse { ask, reply, .. }) = queue.recv().await {
            let refusal = |trouble, message: &str| Err(BrowseRefusal { trouble, message: message.into(), hint: "look".into() });
            let _ = reply.send(match &*ask.node {
                "gone" => refusal(BrowseTrouble::Unreachable, "source plc is not connected: no route"),
                "silent" => refusal(BrowseTrouble::Silent, "source plc did not answer"),
                "refused" => refusal(BrowseTrouble::Refused, "source plc refuses it"),
                _ => {
                    let node = SourceNode {
                        address: Some("ns=2;s=Filler.Temp".into()),
                        value_type: Some(ValueType::Double),
                        value: 78.5.into(),
                        tags: vec![TagId(0)],
                        ..SourceNode::new("ns=2;s=Filler.Temp", "Temp", NodeKind::Variable)
                    };
                    let nodes = vec![SourceNode { readings: vec![node.clone()], ..node }];
                    Ok(Browsed { nodes, next: Some(ask.after + ask.limit), note: format!("{:?} {:?}", ask.find, ask.read) })
                }
            });
        }
    });
    asks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_reaches_the_connection_and_the_answer_names_the_plant() {
    let service = Service::start().await;
    let answer = service.get("/api/sources/plc/browse?node=x&find=temp&read=a%0Ab&after=3&limit=5").await;
    assert_eq!((&answer["next"], &answer["node"]), (&8.into(), &"x".into()));
    assert_eq!(answer["note"], r#""temp" ["a", "b"]"#);
    let node = &answer["nodes"][0];
    assert_eq!((&node["value"], &node["type"], &node["kind"]), (&78.5.into(), &"double".into(), &"variable".into()));
    assert!(node["bound"][0]["asset"].as_str().is_some_and(|asset| asset.contains("Filler")), "{node}");
    assert!(node["line"].as_str().is_some_and(|line| line.starts_with("temp: { from: ns=2;s=Filler.Temp @")), "{node}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_answer_says_why() {
    let service = Service::start().await;
    for (path, status, words) in [
        ("/api/sources/plx/browse", StatusCode::NOT_FOUND, "did you mean plc?"),
        ("/api/sources/plc/browse?limit=5000", StatusCode::BAD_REQUEST, "1 to 500"),
        ("/api/sources/plc/browse?nod=x", StatusCode::BAD_REQUEST, "unknown field"),
        ("/api/sources/plc/browse?seconds=31", StatusCode::BAD_REQUEST, "30 s at most"),
        ("/api/sources/plc/browse?node=gone", StatusCode::SERVICE_UNAVAILABLE, "no route"),
        ("/api/sources/plc/browse?node=silent", StatusCode::GATEWAY_TIMEOUT, "did not answer"),
        ("/api/sources/plc/browse?node=refused", StatusCode::BAD_GATEWAY, "refuses"),
    ] {
        let (answered, body) = service.answer(service.request(Method::GET, path)).await;
        assert_eq!(answered, status, "{path}: {body}");
        assert!(body["error"].to_string().contains(words), "{path}: {body}");
    }
    service.stop().await;
}

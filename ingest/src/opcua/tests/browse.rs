//! Browsing, beside values that go on.

use super::*;
use andon_models::browse::{Browse, BrowseTrouble, Browsed, NodeKind};

/// A server with the nodes of the other stories and a folder of so many.
async fn server(many: usize) -> OpcUaServer {
    let more = (0..many).map(|number| node(&format!("Store.Level{number}"), number as f64, false));
    OpcUaServer::start(options(), nodes().into_iter().chain(more).collect()).await.unwrap()
}

async fn connected(server: &OpcUaServer) -> (SourceHandle, Collected) {
    let (handle, collected) = start(source(&server.url(), OpcUaSecurity::None, None), tags(), &std::env::temp_dir());
    status(&handle, "the connection", |status| status.state == ConnectionState::Connected).await;
    (handle, collected)
}

fn names(browsed: &Browsed) -> Vec<&str> {
    browsed.nodes.iter().map(|node| &*node.name).collect()
}

#[tokio::test]
async fn a_level_shows_values_types_and_what_reads_them() {
    let server = server(0).await;
    let (handle, _collected) = connected(&server).await;
    let root = handle.browse(&Browse::default()).await.unwrap();
    let filler = root.nodes.iter().find(|node| &*node.name == "Filler").unwrap();
    assert_eq!((filler.kind, &*filler.node, filler.children), (NodeKind::Folder, "nsu=urn:test;s=Filler", true));
    let level = handle.browse(&Browse::children_of("ns=2;s=Filler")).await.unwrap();
    let temp = level.nodes.iter().find(|node| &*node.name == "Temp").unwrap();
    assert_eq!(temp.address.as_deref(), Some("nsu=urn:test;s=Filler.Temp"));
    assert_eq!(temp.short.as_deref(), Some("ns=2;s=Filler.Temp"));
    assert_eq!((&temp.value, temp.value_type, &*temp.data_type), (&Value::Double(78.5), Some(ValueType::Double), "Double"));
    assert_eq!((temp.quality, &*temp.problem, &temp.tags), (Quality::Good, "", &vec![TagId(0)]));
    assert!(!temp.children);
    // By the name of the namespace as well as by its number.
    let state = level.nodes.iter().find(|node| &*node.name == "State").unwrap();
    assert_eq!((&state.tags, state.value_type), (&vec![TagId(1)], Some(ValueType::Integer)));
    let again = handle.browse(&Browse { read: vec!["ns=2;s=Filler.Temp".into()], ..Browse::default() }).await.unwrap();
    assert_eq!((&*again.nodes[0].node, &again.nodes[0].value), ("ns=2;s=Filler.Temp", &Value::Double(78.5)));
    handle.stop().await;
}

#[tokio::test]
async fn a_long_level_comes_in_pages_without_a_gap() {
    let server = server(1_203).await;
    let (handle, _collected) = connected(&server).await;
    let (mut all, mut after, mut pages) = (std::collections::BTreeSet::new(), Some(0), 0);
    while let Some(start) = after {
        let ask = Browse { after: start, limit: 250, ..Browse::children_of("ns=2;s=Store") };
        let page = handle.browse(&ask).await.unwrap();
        for node in &page.nodes {
            assert!(all.insert(node.node.clone()), "{} came twice", node.node);
        }
        (after, pages) = (page.next, pages + 1);
    }
    assert_eq!((all.len(), pages), (1_203, 5));
    // Out of turn: somebody else's question came in between, and the list is read anew.
    handle.browse(&Browse::default()).await.unwrap();
    let ask = Browse { after: 1_200, limit: 250, ..Browse::children_of("ns=2;s=Store") };
    assert_eq!(handle.browse(&ask).await.unwrap().nodes.len(), 3);
    handle.stop().await;
}

#[tokio::test]
async fn names_are_found_by_pattern_with_their_path() {
    let server = server(40).await;
    let (handle, _collected) = connected(&server).await;
    let found = handle.browse(&Browse { find: "level1?".into(), ..Browse::default() }).await.unwrap();
    assert_eq!(found.nodes.len(), 10);
    assert!(found.nodes.iter().all(|node| node.path.starts_with("Store/Level1")), "{:?}", names(&found));
    assert_eq!((found.next, &*found.note), (None, ""));
    let first = Browse { find: "level".into(), limit: 7, ..Browse::default() };
    let page = handle.browse(&first).await.unwrap();
    assert_eq!((page.nodes.len(), page.next), (7, Some(7)));
    let rest = handle.browse(&Browse { after: 7, limit: 100, ..first }).await.unwrap();
    assert_eq!((rest.nodes.len(), rest.next), (33, None));
    let below = Browse { find: "*".into(), ..Browse::children_of("ns=2;s=Filler") };
    assert_eq!(handle.browse(&below).await.unwrap().nodes.len(), 5);
    handle.stop().await;
}

#[tokio::test]
async fn what_cannot_be_answered_says_why() {
    let mut server = server(0).await;
    let (handle, _collected) = connected(&server).await;
    let wrong = handle.browse(&Browse::children_of("Filler")).await.unwrap_err();
    assert_eq!(wrong.trouble, BrowseTrouble::Wrong);
    assert!(wrong.message.contains("ns=2;s=Filler.Temp"), "{wrong}");
    let unknown = handle.browse(&Browse::children_of("nsu=urn:other;s=Filler")).await.unwrap_err();
    assert!(unknown.message.contains("it has") && unknown.message.contains("urn:test"), "{unknown}");
    let missing = handle.browse(&Browse::children_of("ns=2;s=Nowhere")).await.unwrap_err();
    assert_eq!(missing.trouble, BrowseTrouble::Refused);
    assert!(missing.message.contains("BadNodeIdUnknown"), "{missing}");
    server.stop().await;
    status(&handle, "the loss", |status| status.state == ConnectionState::Lost).await;
    let gone = handle.browse(&Browse::default()).await.unwrap_err();
    assert_eq!(gone.trouble, BrowseTrouble::Unreachable);
    handle.stop().await;
}

#[tokio::test]
async fn a_visit_looks_without_reading() {
    let server = server(0).await;
    let pki = tempfile::tempdir().unwrap();
    let source = source(&server.url(), OpcUaSecurity::None, None);
    let plan = crate::SourcePlan { pki_dir: pki.path().into(), ..testing::plan(source, tags()) };
    let handle = crate::visit(plan, testing::now()).await.unwrap();
    let level = handle.browse(&Browse::children_of("ns=2;s=Filler")).await.unwrap();
    assert_eq!(level.nodes.iter().filter(|node| !node.tags.is_empty()).count(), 5);
    assert_eq!(handle.status().borrow().received, 0);
    handle.stop().await;
}

//! Looking at registers, beside the polling.

use super::*;
use andon_models::browse::{Browse, BrowseTrouble, SourceNode};

fn words(value: f32) -> [(u16, u16); 2] {
    // Low word first: CDAB.
    let bits = value.to_bits();
    [(20, bits as u16), (21, (bits >> 16) as u16)]
}

async fn device(more: &[(u16, u16)], refused: &[u16]) -> (Server, SourceHandle, Collected) {
    let state = registers(&[&[(0, 7)], more].concat());
    state.lock().unwrap().refused.extend(refused);
    let server = Server::start(None, state).await;
    let (handle, collected) = source(&server, vec![tag(0, holding(0, ModbusType::U16), ValueType::Integer, true)]);
    collected.wait("the first value", |latest| latest.len() == 1).await;
    (server, handle, collected)
}

fn reading<'a>(node: &'a SourceNode, name: &str) -> &'a SourceNode {
    let names: Vec<_> = node.readings.iter().map(|reading| reading.node.clone()).collect();
    node.readings.iter().find(|reading| &*reading.node == name).unwrap_or_else(|| panic!("no {name} in {names:?}"))
}

#[tokio::test]
async fn a_range_is_read_in_every_common_way() {
    let (server, handle, _collected) = device(&words(82.5), &[]).await;
    let browsed = handle.browse(&Browse { count: 3, ..Browse::children_of("holding/20") }).await.unwrap();
    assert_eq!(browsed.nodes.iter().map(|node| &*node.node).collect::<Vec<_>>(), ["holding/20", "holding/21", "holding/22"]);
    let first = &browsed.nodes[0];
    let right = reading(first, "holding/20 float32 CDAB");
    assert_eq!((&right.value, right.address.as_deref()), (&Value::Double(82.5), Some("holding/20 float32 CDAB")));
    assert_eq!(reading(first, "holding/20 uint32 CDAB").value, Value::Integer(i64::from(82.5_f32.to_bits())));
    // Two registers either way round, with their bytes either way round; four for whole and decimal numbers; one with two orders.
    assert_eq!(first.readings.iter().filter(|reading| &*reading.data_type == "int32").count(), 4);
    assert_eq!(first.readings.iter().filter(|reading| &*reading.data_type == "int16").count(), 2);
    // The same address read anew, and only by reads.
    let read = vec!["holding/20 float32 CDAB".into()];
    assert_eq!(handle.browse(&Browse { read, ..Browse::default() }).await.unwrap().nodes[0].value, Value::Double(82.5));
    assert!(server.state.lock().unwrap().writes.is_empty());
    handle.stop().await;
}

#[tokio::test]
async fn a_refused_register_does_not_hide_its_neighbours() {
    let (_server, handle, collected) = device(&[(9, 1), (11, 3)], &[10]).await;
    let browsed = handle.browse(&Browse { count: 4, ..Browse::children_of("holding/8") }).await.unwrap();
    let shown: Vec<_> =
        browsed.nodes.iter().map(|node| (node.value.clone(), node.problem.contains("no such register"))).collect();
    let named: Vec<_> = browsed.nodes.iter().map(|node| node.address.is_some()).collect();
    assert_eq!(named, [true, true, false, true], "what is refused cannot be read by a plant file");
    assert_eq!(shown, [(0.into(), false), (1.into(), false), (Value::Null, true), (3.into(), false)]);
    assert_eq!(collected.latest(0).quality, Quality::Good);
    handle.stop().await;
}

#[tokio::test]
async fn another_unit_is_shown_without_an_address_of_this_source() {
    let (_server, handle, _collected) = device(&words(82.5), &[]).await;
    let ask = |node: &str| Browse { unit: Some(7), count: 3, ..Browse::children_of(node) };
    let browsed = handle.browse(&ask("holding/20")).await.unwrap();
    assert!(browsed.note.contains("unit 7 is another source"), "{}", browsed.note);
    let nodes = browsed.nodes.iter().chain(browsed.nodes.iter().flat_map(|node| &node.readings));
    assert!(nodes.clone().count() > 10 && nodes.clone().all(|node| node.address.is_none()), "{browsed:?}");
    let points = handle.browse(&ask("")).await.unwrap_err();
    assert!(points.message.contains("reads nothing of unit 7; ask for a range"), "{points}");
    handle.stop().await;
}

#[tokio::test]
async fn a_range_is_written_with_its_end_as_well() {
    let (_server, handle, _collected) = device(&[], &[]).await;
    let names = async |node: &str| {
        let browsed = handle.browse(&Browse { count: 4, ..Browse::children_of(node) }).await?;
        Ok::<_, andon_models::browse::BrowseRefusal>(browsed.nodes.iter().map(|node| node.node.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(names("holding/20..21").await.unwrap(), ["holding/20", "holding/21"]);
    assert_eq!(names("holding/20..").await.unwrap(), names("holding/20").await.unwrap());
    for wrong in ["holding/20..19", "holding/0..125", "holding/0..x"] {
        let refused = names(wrong).await.unwrap_err();
        assert!(refused.message.contains("is no range of 1 to 125; write holding/0..19"), "{refused}");
    }
    handle.stop().await;
}

#[tokio::test]
async fn a_device_that_is_gone_is_not_one_without_points() {
    let server = Server::start(None, registers(&[(0, 7)])).await;
    let (handle, _collected) = source(&server, Vec::new());
    let mut status = handle.status();
    let connected = status.wait_for(|status| status.state == ConnectionState::Connected);
    tokio::time::timeout(Duration::from_secs(30), connected).await.expect("it connects").unwrap();
    let browsed = handle.browse(&Browse::default()).await.unwrap();
    assert!(browsed.nodes.is_empty() && browsed.note.contains("Ask for a range"), "{browsed:?}");
    server.stop().await;
    let gone = handle.browse(&Browse::default()).await.unwrap_err();
    assert_eq!(gone.trouble, BrowseTrouble::Unreachable);
    handle.stop().await;
}

#[tokio::test]
async fn silence_about_what_is_looked_at_costs_no_value() {
    let (server, handle, collected) = device(&[], &[]).await;
    server.state.lock().unwrap().silent.insert(50);
    let silent = handle.browse(&Browse { count: 1, ..Browse::children_of("holding/50") }).await.unwrap_err();
    assert_eq!(silent.trouble, BrowseTrouble::Silent);
    let before = collected.count(0);
    collected.wait_count(0, before + 3).await;
    assert!(collected.all(0).iter().all(|tqv| tqv.quality == Quality::Good), "{:?}", collected.all(0));
    handle.stop().await;
}

#[tokio::test]
async fn without_a_range_the_points_of_the_plant_file_are_shown() {
    let (_server, handle, _collected) = device(&[], &[]).await;
    let browsed = handle.browse(&Browse::default()).await.unwrap();
    assert_eq!(
        (browsed.nodes.len(), &browsed.nodes[0].value, &browsed.nodes[0].tags),
        (1, &Value::Integer(7), &vec![TagId(0)])
    );
    assert!(browsed.note.contains("Ask for a range"), "{}", browsed.note);
    let named = handle.browse(&Browse { find: "temp".into(), ..Browse::default() }).await.unwrap_err();
    assert!(named.message.contains("have no names"), "{named}");
    let unknown = handle.browse(&Browse::children_of("holdin/0")).await.unwrap_err();
    assert_eq!(unknown.trouble, BrowseTrouble::Wrong);
    // The last register of a table has nothing behind it.
    let last = handle.browse(&Browse { count: 4, ..Browse::children_of("holding/65534") }).await.unwrap();
    assert_eq!(last.nodes.len(), 2);
    handle.stop().await;
}

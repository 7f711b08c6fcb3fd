//! Stories against a simulated controller in the same process.

mod browse;

use crate::{
    SourceHandle,
    testing::{self, Collected},
};
use andon_fixtures::opcua_server::{Node, OpcUaOptions, OpcUaServer};
use andon_models::{
    Quality, StatusCode, TagId, Timestamp, Value, ValueType,
    address::{Address, NodeAddress},
    catalog::Tag,
    command::CommandState,
    definition::{OpcUaSecurity, Secret, Source, SourceProtocol},
    snapshot::{ConnectionState, SourceStatus},
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What the tests take for now, as `testing::now` does.
const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn options() -> OpcUaOptions {
    OpcUaOptions { namespace: "urn:test".into(), ..OpcUaOptions::default() }
}

fn node(id: &str, value: impl Into<Value>, writable: bool) -> Node {
    let value = value.into();
    Node { id: id.into(), value_type: value.value_type().unwrap(), value, writable }
}

fn nodes() -> Vec<Node> {
    vec![
        node("Filler.Temp", 78.5, false),
        node("Filler.State", 6_i64, false),
        node("Filler.Reason", "Execute", false),
        node("Filler.StopRequest", false, true),
        node("Filler.Speed", 100_i64, true),
    ]
}

fn tag(id: u32, address: &str, value_type: ValueType, read: bool) -> Tag {
    testing::tag(id, Address::OpcUa(NodeAddress(address.into())), value_type, read)
}

fn tags() -> Vec<Tag> {
    vec![
        tag(0, "ns=2;s=Filler.Temp", ValueType::Double, true),
        tag(1, "nsu=urn:test;s=Filler.State", ValueType::Integer, true),
        tag(2, "ns=2;s=Filler.Reason", ValueType::String, true),
        tag(3, "ns=2;s=Filler.StopRequest", ValueType::Boolean, false),
        tag(4, "ns=2;s=Filler.Speed", ValueType::Integer, false),
    ]
}

fn source(url: &str, security: OpcUaSecurity, user: Option<(&str, &str)>) -> Source {
    let secret = |text: &str| Secret(text.into());
    let protocol = SourceProtocol::OpcUa {
        url: url.into(),
        user: user.map(|(user, _)| secret(user)),
        password: user.map(|(_, password)| secret(password)),
        security,
    };
    Source { name: "plc".into(), protocol, every: Duration::from_millis(100), writes_allowed: true }
}

fn start(source: Source, tags: Vec<Tag>, pki_dir: &Path) -> (SourceHandle, Collected) {
    testing::start_plan(crate::SourcePlan { pki_dir: pki_dir.into(), ..testing::plan(source, tags) })
}

async fn status(handle: &SourceHandle, what: &str, condition: impl Fn(&SourceStatus) -> bool) -> SourceStatus {
    let mut status = handle.status();
    let waited = tokio::time::timeout(testing::PATIENCE, status.wait_for(|status| condition(status))).await;
    match waited {
        Ok(Ok(status)) => status.clone(),
        _ => panic!("waited for {what} in vain: {:?}", handle.status().borrow()),
    }
}

#[tokio::test]
async fn values_arrive_with_the_time_of_their_source() {
    let server = OpcUaServer::start(options(), nodes()).await.unwrap();
    let long_ago = Timestamp::from_seconds(1_000_000_000);
    server.set([(0, long_ago, Value::Double(78.5))]).unwrap();
    let pki = tempfile::tempdir().unwrap();
    let (handle, collected) = start(source(&server.url(), OpcUaSecurity::None, None), tags(), pki.path());
    collected.wait("first values", |latest| latest.len() == 3).await;
    assert_eq!(collected.value(0), Value::Double(78.5));
    assert_eq!(collected.value(1), Value::Integer(6));
    assert_eq!(collected.value(2), Value::from("Execute"));
    // The values have been so for long: told as of then, and as of now when no change was on its way.
    collected.wait("the value as of now", |latest| latest[&TagId(0)].time > long_ago).await;
    let times: Vec<_> = collected.all(0).iter().map(|tqv| tqv.time).collect();
    assert_eq!((times.len(), times[0]), (2, long_ago));
    assert!(times[1] > long_ago + Duration::from_secs(1_000_000));
    // The wire carries steps of 100 ns.
    let later = Timestamp::from_micros(times[1].as_micros()) + Duration::from_secs(5);
    server.set([(0, later, Value::Double(79.0))]).unwrap();
    collected.wait("a change", |latest| latest[&TagId(0)].value == Value::Double(79.0)).await;
    assert_eq!(collected.latest(0).time, later);
    let state = handle.status().borrow().clone();
    assert_eq!((state.state, state.connects, &*state.protocol), (ConnectionState::Connected, 1, "opcua"));
    assert!(collected.all(3).is_empty(), "a control is not read");
    handle.stop().await;
}

#[tokio::test]
async fn a_restarted_server_is_found_again_and_values_that_did_not_change_count_again() {
    let mut server = OpcUaServer::start(options(), nodes()).await.unwrap();
    let pki = tempfile::tempdir().unwrap();
    let (handle, collected) = start(source(&server.url(), OpcUaSecurity::None, None), tags(), pki.path());
    collected.wait("first values", |latest| latest.len() == 3).await;
    server.stop().await;
    collected.wait("Bad", |latest| latest.values().all(|tqv| tqv.status == StatusCode::NOT_CONNECTED)).await;
    let lost = status(&handle, "lost", |status| status.state == ConnectionState::Lost).await;
    assert!(!lost.last_error.is_empty());
    let outcome = handle.write(&testing::command(3, true.into())).await;
    assert_eq!(outcome.state, CommandState::Failed);
    assert!(outcome.reason.contains("not connected"), "{}", outcome.reason);
    server.restart().await.unwrap();
    collected.wait("values again", |latest| latest.values().all(|tqv| tqv.quality == Quality::Good)).await;
    for id in 0..3 {
        assert_eq!(collected.all(id).iter().filter(|tqv| tqv.quality == Quality::Bad).count(), 1, "tag {id}");
    }
    assert_eq!(collected.value(1), Value::Integer(6));
    // And changes come, which is what fails elsewhere.
    server.set([(1, collected.latest(1).time + Duration::from_secs(60), Value::Integer(5))]).unwrap();
    collected.wait("a change after the return", |latest| latest[&TagId(1)].value == Value::Integer(5)).await;
    assert_eq!(handle.status().borrow().connects, 2);
    handle.stop().await;
}

#[tokio::test]
async fn writes_take_the_type_of_the_node_and_are_read_back() {
    let server = OpcUaServer::start(options(), nodes()).await.unwrap();
    let pki = tempfile::tempdir().unwrap();
    let mut tags = tags();
    tags.push(tag(5, "ns=2;s=Filler.Temp", ValueType::Double, false));
    tags.push(tag(6, "ns=2;s=Nowhere", ValueType::Double, false));
    let (handle, collected) = start(source(&server.url(), OpcUaSecurity::None, None), tags, pki.path());
    collected.wait("first values", |latest| latest.len() == 3).await;
    let outcome = handle.write(&testing::command(3, true.into())).await;
    assert_eq!((outcome.state, outcome.read_back, &*outcome.reason), (CommandState::Verified, true.into(), ""));
    // A decimal number without decimal places is a whole one.
    let outcome = handle.write(&testing::command(4, Value::Double(120.0))).await;
    assert_eq!((outcome.state, outcome.read_back), (CommandState::Verified, Value::Integer(120)));
    assert_eq!(handle.read_back(TagId(4)).await.unwrap(), Value::Integer(120));
    for (id, value, words) in [
        (4, Value::Double(1.5), "whole numbers"),
        (4, Value::Integer(i64::MAX), "too small"),
        (4, "fast".into(), "whole numbers"),
        (3, Value::Integer(1), "true or false"),
        (5, Value::Double(1.0), "BadUserAccessDenied"),
        (6, Value::Double(1.0), "BadNodeIdUnknown"),
    ] {
        let outcome = handle.write(&testing::command(id, value)).await;
        assert_eq!(outcome.state, CommandState::Failed, "tag {id}: {}", outcome.reason);
        assert!(outcome.reason.contains(words) || id == 5, "tag {id}: {}", outcome.reason);
    }
    let written: Vec<_> = server.writes();
    assert_eq!(written, [("Filler.StopRequest".to_owned(), true.into()), ("Filler.Speed".to_owned(), Value::Integer(120))]);
    handle.stop().await;
}

#[tokio::test]
async fn a_node_the_server_does_not_know_is_bad_and_the_rest_is_good() {
    let server = OpcUaServer::start(options(), nodes()).await.unwrap();
    let pki = tempfile::tempdir().unwrap();
    let tags = vec![
        tag(0, "ns=2;s=Filler.Temp", ValueType::Double, true),
        tag(1, "ns=2;s=Filler.Typo", ValueType::Double, true),
        tag(2, "nsu=urn:other;s=Filler.Temp", ValueType::Double, true),
        tag(3, "ns=2;s=Filler.Reason", ValueType::Double, true),
    ];
    let (handle, collected) = start(source(&server.url(), OpcUaSecurity::None, None), tags, pki.path());
    collected.wait("all tags", |latest| latest.len() == 4).await;
    assert_eq!(collected.latest(0).quality, Quality::Good);
    assert_eq!(collected.latest(1).status, StatusCode(0x8034_0000), "BadNodeIdUnknown");
    assert_eq!(collected.latest(2).quality, Quality::Bad);
    assert_eq!(collected.latest(3).status, StatusCode::DECODING_ERROR, "a text is no number");
    let status = status(&handle, "connected", |status| status.state == ConnectionState::Connected).await;
    assert!(status.last_error.contains("urn:other") || status.last_error.contains("Typo"), "{}", status.last_error);
    handle.stop().await;
}

#[tokio::test]
async fn silence_turns_a_tag_with_a_limit_uncertain_and_a_touched_constant_stays_good() {
    let server = OpcUaServer::start(options(), nodes()).await.unwrap();
    let pki = tempfile::tempdir().unwrap();
    let limited = |id, address| Tag { stale: Some(Duration::from_secs(2)), ..tag(id, address, ValueType::Double, true) };
    let tags = vec![
        limited(0, "ns=2;s=Filler.Temp"),
        Tag { value_type: ValueType::Integer, ..limited(1, "ns=2;s=Filler.State") },
        tag(2, "ns=2;s=Filler.Reason", ValueType::String, true),
    ];
    let (handle, collected) = start(source(&server.url(), OpcUaSecurity::None, None), tags, pki.path());
    collected.wait("first values", |latest| latest.len() == 3).await;
    let stale = || collected.all(0).into_iter().find(|tqv| tqv.status == StatusCode::STALE);
    // Same value, new time: the device is alive. On a slow machine a touch may come late, but the next one counts again.
    let mut touches = 0_u64;
    let mut touch = || {
        touches += 1;
        server.set([(1, START + Duration::from_millis(500 * touches), Value::Integer(6))]).unwrap();
    };
    testing::until("Uncertain, and the touched one Good", || {
        touch();
        let both = stale().is_some() && collected.latest(1).quality == Quality::Good;
        async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            both
        }
    })
    .await;
    let stale = stale().unwrap();
    assert_eq!((stale.quality, stale.value), (Quality::Uncertain, Value::Double(78.5)));
    assert_eq!(collected.latest(2).quality, Quality::Good, "reported by exception, watched by the canary");
    let again = collected.latest(0).time + Duration::from_millis(10);
    server.set([(0, again, Value::Double(78.5))]).unwrap();
    let good_again = || collected.all(0).iter().any(|tqv| tqv.time > stale.time && tqv.quality == Quality::Good);
    testing::until("Good again", || std::future::ready(good_again())).await;
    handle.stop().await;
}

#[tokio::test]
async fn an_untrusted_server_is_a_clear_state_and_a_moved_file_mends_it() {
    let server = OpcUaServer::start(OpcUaOptions { secure: true, ..options() }, nodes()).await.unwrap();
    let pki = tempfile::tempdir().unwrap();
    let url = server.url().replace("127.0.0.1", "localhost");
    let plc = || source(&url, OpcUaSecurity::SignAndEncrypt, None);
    let (handle, collected) = start(plc(), tags(), pki.path());
    let refused = status(&handle, "misconfigured", |status| status.state == ConnectionState::Misconfigured).await;
    assert!(refused.last_error.contains("is not trusted"), "{}", refused.last_error);
    collected.wait("Bad", |latest| latest.len() == 3 && latest.values().all(|tqv| tqv.quality == Quality::Bad)).await;
    handle.stop().await;
    let rejected = std::fs::read_dir(pki.path().join("rejected")).unwrap().next().unwrap().unwrap();
    assert!(refused.last_error.contains(rejected.file_name().to_str().unwrap()), "{}", refused.last_error);
    std::fs::rename(rejected.path(), pki.path().join("trusted").join(rejected.file_name())).unwrap();
    let (handle, collected) = start(plc(), tags(), pki.path());
    collected
        .wait("values, encrypted", |latest| latest.len() == 3 && latest.values().all(|tqv| tqv.quality == Quality::Good))
        .await;
    assert_eq!(handle.write(&testing::command(3, true.into())).await.state, CommandState::Verified);
    handle.stop().await;
}

#[tokio::test]
async fn what_a_person_must_mend_says_how() {
    let pki = tempfile::tempdir().unwrap();
    let check = async |options: OpcUaOptions, security, user, words: &str| {
        let server = OpcUaServer::start(options, nodes()).await.unwrap();
        let (handle, _collected) = start(source(&server.url(), security, user), tags(), pki.path());
        let status = status(&handle, words, |status| status.state == ConnectionState::Misconfigured).await;
        assert!(status.last_error.contains(words), "{}", status.last_error);
        assert!(!status.last_error.contains("guess"), "no secret in {}", status.last_error);
        handle.stop().await;
    };
    let with_user = OpcUaOptions { user: Some(("andon".into(), "secret".into())), ..options() };
    check(with_user.clone(), OpcUaSecurity::None, Some(("andon", "guess")), "check user and password").await;
    check(options(), OpcUaSecurity::SignAndEncrypt, None, "security: none").await;
    check(OpcUaOptions { secure: true, ..options() }, OpcUaSecurity::None, None, "remove `security: none`").await;
    let server = OpcUaServer::start(with_user, nodes()).await.unwrap();
    let (handle, collected) = start(source(&server.url(), OpcUaSecurity::None, Some(("andon", "secret"))), tags(), pki.path());
    collected.wait("values", |latest| latest.len() == 3).await;
    handle.stop().await;
}

/// A server that hangs while its connections stay open: nothing fails, nothing comes.
#[tokio::test]
async fn a_frozen_server_is_noticed_by_its_canary() {
    let server = OpcUaServer::start(options(), nodes()).await.unwrap();
    let behind = server.url().trim_start_matches("opc.tcp://").trim_end_matches('/').to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (frozen, freezing) = watch::channel(false);
    let answers = Arc::new(AtomicUsize::new(0));
    let counted = answers.clone();
    tokio::spawn(async move {
        while let Ok((front, _)) = listener.accept().await {
            let (behind, mut freezing, answers) = (behind.clone(), freezing.clone(), counted.clone());
            tokio::spawn(async move {
                if *freezing.borrow_and_update() {
                    return std::future::pending::<()>().await;
                }
                let (mut from_us, mut to_us) = front.into_split();
                let (mut from_server, mut to_server) = TcpStream::connect(behind).await.unwrap().into_split();
                let answer = async {
                    let mut part = vec![0; 65_536];
                    while let Ok(size @ 1..) = from_server.read(&mut part).await {
                        answers.fetch_add(1, Ordering::Relaxed);
                        to_us.write_all(&part[..size]).await.unwrap();
                    }
                };
                tokio::select! {
                    _ = tokio::io::copy(&mut from_us, &mut to_server) => {}
                    () = answer => {}
                    () = async { _ = freezing.wait_for(|frozen| *frozen).await } => {}
                }
                // Open and silent for as long as the test lasts.
                std::future::pending::<()>().await
            });
        }
    });
    let pki = tempfile::tempdir().unwrap();
    let url = format!("opc.tcp://127.0.0.1:{port}/");
    let (handle, collected) = start(source(&url, OpcUaSecurity::None, None), tags(), pki.path());
    collected.wait("first values", |latest| latest.len() == 3).await;
    // Two beats tell the interval. Nothing changes but the server's clock, so most answers are beats.
    let so_far = answers.load(Ordering::Relaxed);
    testing::until("beats", || std::future::ready(answers.load(Ordering::Relaxed) >= so_far + 4)).await;
    frozen.send_replace(true);
    let lost = status(&handle, "lost", |status| status.state == ConnectionState::Lost).await;
    assert!(lost.last_error.contains("silent for"), "{}", lost.last_error);
    frozen.send_replace(false);
    server.set([(1, collected.latest(1).time + Duration::from_secs(60), Value::Integer(9))]).unwrap();
    collected.wait("values again", |latest| latest[&TagId(1)].value == Value::Integer(9)).await;
    handle.stop().await;
}

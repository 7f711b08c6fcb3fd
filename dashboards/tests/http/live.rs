//! The live stream over a real WebSocket.

use crate::{
    plant::{self, point, series},
    service::{Service, within},
};
use andon_models::{Timestamp, alarm::AlarmState, snapshot::ConnectionState};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value as Json, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest as _},
};

/// At most one message of changes goes out in this time.
const ROUND: std::time::Duration = std::time::Duration::from_millis(250);

struct Page(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Page {
    async fn open(service: &Service) -> Self {
        let (socket, _) = connect_async(format!("ws://{}/api/live", service.authority)).await.unwrap();
        let mut page = Self(socket);
        assert_eq!(page.next().await["type"], "hello");
        page
    }

    async fn say(&mut self, message: Json) {
        self.0.send(Message::Text(message.to_string().into())).await.unwrap();
    }

    async fn next(&mut self) -> Json {
        loop {
            match within(self.0.next()).await.expect("the connection stands").unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(_) => panic!("closed"),
                _ => {}
            }
        }
    }

    /// The next message of a kind; others are skipped.
    async fn next_of(&mut self, kind: &str) -> Json {
        within(async {
            loop {
                let message = self.next().await;
                if message["type"] == kind {
                    return message;
                }
            }
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_gets_a_snapshot_then_changes_merged() {
    let service = Service::start().await;
    let mut page = Page::open(&service).await;
    let temp = series(&service.catalog, "Line 1/Filler 1", "fill_temp").0;
    page.say(json!({"subscribe": {"series": [temp]}})).await;
    let now = plant::now().as_millis();
    let snapshot = page.next_of("values").await;
    assert_eq!(snapshot, json!({"type": "values", "seq": 1, "now": now, "values": [[temp, now, 78.0, 0]]}));
    let later = |millis| Timestamp::from_millis(now + millis);
    let new = |millis, value: f64| point(&service.catalog, "Line 1/Filler 1", "fill_temp", later(millis), value);
    // The first change may go out at once; all that follow within a round come as one, however many rounds a slow machine takes.
    let began = tokio::time::Instant::now();
    service.live.publish_points(&[new(1, 1.0)]);
    for value in 2..=50_i32 {
        service.live.publish_points(&[new(i64::from(value), f64::from(value))]);
    }
    let mut messages = 0;
    loop {
        let change = page.next_of("values").await;
        messages += 1;
        if change["values"][0][2] == 50.0 {
            break;
        }
    }
    let rounds = began.elapsed().as_millis() / ROUND.as_millis();
    assert!(messages <= 2 + rounds, "{messages} messages for 50 changes in {rounds} rounds");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_told_what_to_load_again() {
    let service = Service::start().await;
    let mut page = Page::open(&service).await;
    service.live.publish_detector(plant::snapshot("Line 1/Filler 2", "hot/alarm", AlarmState::Unacknowledged));
    // Both belong to one change, and may come in either order.
    let mut expected = vec!["alarms", "detector"];
    within(async {
        while !expected.is_empty() {
            let hint = page.next().await;
            expected.retain(|kind| hint["type"] != *kind);
            assert!(hint["type"] != "detector" || hint["detector"] == "overheat", "{hint}");
        }
    })
    .await;
    service.live.publish_source(plant::source(ConnectionState::Lost, "refused"));
    page.next_of("sources").await;
    service.live.set_armed(false);
    page.next_of("plant").await;
    assert_eq!(page.next_of("heartbeat").await["now"], plant::now().as_millis());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_says_nonsense_is_told_so() {
    let service = Service::start().await;
    let mut page = Page::open(&service).await;
    page.say(json!({"subscribe": "everything"})).await;
    assert!(page.next_of("error").await["message"].as_str().unwrap().starts_with("not understood"));
    page.say(json!({"subscribe": {"series": vec![0; 6_000]}})).await;
    assert!(page.next_of("error").await["message"].as_str().unwrap().contains("too many"));
    page.next_of("heartbeat").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_page_cannot_listen() {
    let service = Service::start().await;
    let mut request = format!("ws://{}/api/live", service.authority).into_client_request().unwrap();
    request.headers_mut().insert("Origin", "http://evil.example".parse().unwrap());
    match connect_async(request).await {
        Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 403),
        other => panic!("{other:?}"),
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_service_closes_open_pages() {
    let service = Service::start().await;
    let mut page = Page::open(&service).await;
    service.stop().await;
    let closed = within(async {
        loop {
            match page.0.next().await {
                None | Some(Ok(Message::Close(_)) | Err(_)) => return true,
                Some(Ok(_)) => {}
            }
        }
    });
    assert!(closed.await);
}

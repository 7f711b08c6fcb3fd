//! Tests against a real web server on this computer.

use super::*;
use andon_models::{EventId, Timestamp, definition::Secret, notice::NoticeAbout};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

const SECRET: &str = "hooks/T0Ps3cr3t";

/// A web server that answers with these statuses, the last one again and again, and remembers what it was sent.
struct Server {
    url: String,
    bodies: Arc<Mutex<Vec<serde_json::Value>>>,
}

impl Server {
    fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/{SECRET}", listener.local_addr().unwrap());
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let received = bodies.clone();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for (stream, place) in listener.incoming().zip(0..) {
                let status = statuses[place.min(statuses.len() - 1)];
                answer(stream.unwrap(), status, &received);
            }
        });
        Self { url, bodies }
    }

    fn bodies(&self) -> Vec<serde_json::Value> {
        self.bodies.lock().unwrap().clone()
    }
}

fn answer(stream: TcpStream, status: u16, received: &Mutex<Vec<serde_json::Value>>) {
    let mut reader = BufReader::new(&stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some((name, value)) = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            length = value.trim().parse().unwrap_or_else(|_| panic!("{name}: {value}"));
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    received.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    write!(&stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
}

fn notifier(channel: NotifyChannel) -> Notifier {
    // The process does the same at its start; the first test to come here does it for all.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let target = NotifyTarget { name: "shift_lead".into(), channel, updates: false };
    Notifier { first_wait: Duration::from_millis(1), ..Notifier::new(&[target]).unwrap() }
}

fn webhook(url: &str) -> Notifier {
    notifier(NotifyChannel::Webhook { url: Secret(url.into()) })
}

fn notice(message: &str) -> Notice {
    Notice {
        time: Timestamp::EPOCH,
        target: "shift_lead".into(),
        message: message.into(),
        asset_path: "Line 1/Filler 1".into(),
        detector: "overheat".into(),
        event: EventId::from_name(message),
        about: NoticeAbout::default(),
    }
}

async fn deliver(notifier: &Notifier) -> Result<(), String> {
    notifier.deliver(&notice("too hot"), &|| false).await.map_err(|error| format!("{error:#}"))
}

#[tokio::test]
async fn a_webhook_gets_one_json_document() {
    let server = Server::start(&[204]);
    assert_eq!(deliver(&webhook(&server.url)).await, Ok(()));
    let expected = serde_json::json!({
        "id": EventId::from_name("too hot").to_string(),
        "asset": "Line 1/Filler 1",
        "detector": "overheat",
        "text": "too hot",
    });
    assert_eq!(server.bodies(), [expected]);
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_again() {
    let server = Server::start(&[500, 429, 200]);
    assert_eq!(deliver(&webhook(&server.url)).await, Ok(()));
    let ids: Vec<_> = server.bodies().iter().map(|body| body["id"].clone()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]), "a repetition can be recognised: {ids:?}");
}

#[tokio::test]
async fn a_server_that_stays_in_trouble_is_given_up() {
    let server = Server::start(&[500]);
    let error = deliver(&webhook(&server.url)).await.unwrap_err();
    assert!(error.contains("500"), "{error}");
    assert!(!error.contains(SECRET), "{error}");
    assert_eq!(server.bodies().len(), ATTEMPTS as usize);
}

#[tokio::test]
async fn a_server_that_does_not_want_it_is_not_asked_again() {
    let server = Server::start(&[404]);
    let error = deliver(&webhook(&server.url)).await.unwrap_err();
    assert!(error.contains("404"), "{error}");
    assert_eq!(server.bodies().len(), 1);
}

#[tokio::test]
async fn errors_never_show_the_secret_url() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [format!("http://{unused}/{SECRET}"), format!("http://{SECRET} /"), format!("no-url/{SECRET}")] {
        let error = deliver(&webhook(&url)).await.unwrap_err();
        assert!(!error.is_empty() && !error.contains("s3cr3t"), "{error}");
    }
}

#[tokio::test]
async fn notices_to_one_target_arrive_in_order_and_not_too_late() {
    let server = Server::start(&[500, 200]);
    let notifier = webhook(&server.url);
    let (first, second) = (notice("first"), notice("second"));
    let on_time = || false;
    let (told, also_told) = tokio::join!(notifier.deliver(&first, &on_time), notifier.deliver(&second, &on_time));
    told.and(also_told).unwrap();
    let texts: Vec<_> = server.bodies().iter().map(|body| body["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(texts, ["first", "first", "second"]);
    assert!(notifier.deliver(&first, &|| true).await.is_err());
    assert_eq!(server.bodies().len(), 3);
}

#[tokio::test]
async fn what_has_no_way_out_says_so() {
    let email = notifier(NotifyChannel::Email { address: "lead@example.com".into() });
    assert!(deliver(&email).await.unwrap_err().contains("lead@example.com"));
    let unknown = Notice { target: "nobody".into(), ..notice("x") };
    assert!(email.deliver(&unknown, &|| false).await.unwrap_err().to_string().contains("nobody"));
    assert_eq!(deliver(&notifier(NotifyChannel::Log)).await, Ok(()));
}

//! Tests against a real web server on this computer.

use super::*;
use andon_models::{
    EventId, Timestamp,
    definition::{NotifyChannel, Secret},
    notice::{
        NoticeAbout,
        form::cloud_event,
        outbox::{Fate, GROUP_AFTER},
    },
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

const SECRET: &str = "hooks/T0Ps3cr3t";

/// A web server that answers with these statuses, the last one again and again, and passes on what it was sent.
struct Server {
    url: String,
    bodies: mpsc::Receiver<serde_json::Value>,
}

impl Server {
    fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/{SECRET}", listener.local_addr().unwrap());
        let (received, bodies) = mpsc::sync_channel(1_000);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for (stream, place) in listener.incoming().zip(0..) {
                let (stream, status) = (stream.unwrap(), statuses[place.min(statuses.len() - 1)]);
                // Before the answer: whoever has the answer finds here what was asked.
                received.send(request(&stream)).unwrap();
                write!(&stream, "HTTP/1.1 {status} X\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    .unwrap();
            }
        });
        Self { url, bodies }
    }

    fn texts(&self) -> Vec<String> {
        self.bodies.try_iter().map(|body| body["data"]["text"].as_str().unwrap().to_owned()).collect()
    }
}

fn request(stream: &TcpStream) -> serde_json::Value {
    let mut reader = BufReader::new(stream);
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
    serde_json::from_slice(&body).unwrap()
}

fn target(name: &str, channel: NotifyChannel) -> NotifyTarget {
    NotifyTarget { name: name.into(), channel, template: "".into(), link: "".into(), updates: false, group: true }
}

fn webhook(name: &str, url: &str) -> NotifyTarget {
    target(name, NotifyChannel::Webhook { url: Secret(url.into()), secret: None })
}

fn notice(target: &str, message: &str) -> Notice {
    Notice {
        time: Timestamp::from_seconds(1),
        target: target.into(),
        message: message.into(),
        asset_path: "Line 1/Filler 1".into(),
        detector: "overheat".into(),
        event: EventId::from_name(message),
        about: NoticeAbout::default(),
    }
}

/// Passes on what became of notices.
struct Fates(tokio::sync::mpsc::Sender<Told>);

impl Report for Fates {
    async fn told(&self, told: Vec<Told>) {
        for told in told {
            self.0.send(told).await.unwrap();
        }
    }
}

struct Running {
    notifier: Notifier,
    fates: tokio::sync::mpsc::Receiver<Told>,
    tasks: TaskTracker,
}

fn run(targets: &[NotifyTarget]) -> Running {
    // The process does the same at its start; the first test to come here does it for all.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let began = tokio::time::Instant::now();
    let now: Now = Arc::new(move || Timestamp::from_seconds(2) + began.elapsed());
    let catalog = crate::service::testing::plant("plant: Test\n");
    let catalog = Arc::new(andon_models::catalog::Catalog::build(Arc::new(catalog), &mut Default::default()));
    let (deliver, _) = tokio::sync::mpsc::channel(1);
    let sources = crate::service::sources::Sources::start(&catalog, std::path::Path::new("unused"), &deliver, &now);
    let carrier = Arc::new(Carrier::new(Arc::new(sources), Places::default(), now.clone()).unwrap());
    let (told, fates) = tokio::sync::mpsc::channel(1_000);
    let (notifier, tasks) = (Notifier::new(targets), TaskTracker::new());
    notifier.start(&carrier, &Arc::new(Fates(told)), &now, &tasks);
    Running { notifier, fates, tasks }
}

impl Running {
    async fn fate(&mut self) -> (String, Fate, String) {
        // Longer than what comes after the first ones of a flood is collected.
        let told = tokio::time::timeout(Duration::from_secs(90), self.fates.recv()).await.unwrap().unwrap();
        (told.notice.message.to_string(), told.fate, told.reason)
    }
}

async fn one(channel: NotifyChannel) -> (Fate, String) {
    let mut running = run(&[target("lead", channel)]);
    assert!(running.notifier.offer(notice("lead", "too hot")));
    let (_, fate, reason) = running.fate().await;
    (fate, reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_gets_one_cloud_event() {
    let server = Server::start(&[204]);
    let webhook = webhook("lead", &server.url);
    assert_eq!(one(webhook.channel.clone()).await, (Fate::Sent, String::new()));
    assert_eq!(server.bodies.try_iter().collect::<Vec<_>>(), [cloud_event(&webhook, &[notice("lead", "too hot")])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_trouble_is_asked_again_with_the_same_id() {
    let server = Server::start(&[503, 429, 200]);
    let mut running = run(&[webhook("lead", &server.url)]);
    running.notifier.offer(notice("lead", "too hot"));
    let fates = [running.fate().await.1, running.fate().await.1, running.fate().await.1];
    assert_eq!(fates, [Fate::Retrying, Fate::Retrying, Fate::Sent]);
    let ids: Vec<_> = server.bodies.try_iter().map(|body| body["id"].clone()).collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]), "a repetition can be recognised: {ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_want_it_is_not_asked_again() {
    let server = Server::start(&[404]);
    let (fate, reason) = one(webhook("lead", &server.url).channel).await;
    assert!(fate == Fate::Failed && reason.contains("404") && !reason.contains("s3cr3t"), "{reason}");
    assert_eq!(server.bodies.try_iter().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_never_show_the_secret_url() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [format!("http://{unused}/{SECRET}"), format!("http://{SECRET} /"), format!("no-url/{SECRET}")] {
        let (_, reason) = one(webhook("lead", &url).channel).await;
        assert!(!reason.is_empty() && !reason.contains("s3cr3t"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_target_delays_nobody_else() {
    // It takes connections and never answers.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead_url = format!("http://{}/", dead.local_addr().unwrap());
    let server = Server::start(&[200]);
    let mut running = run(&[webhook("dead", &dead_url), webhook("lead", &server.url)]);
    (0..20_000).for_each(|n| assert!(running.notifier.offer(notice("dead", &n.to_string()))));
    running.notifier.offer(notice("lead", "too hot"));
    let mut lost = 0;
    loop {
        let (message, fate, reason) = running.fate().await;
        if message == "too hot" {
            assert_eq!(fate, Fate::Sent);
            break;
        }
        // Meanwhile the dead one may have been asked in vain.
        match fate {
            Fate::Failed => assert!(reason.contains("were waiting"), "{reason}"),
            Fate::Retrying => {}
            Fate::Sent => panic!("the dead one took {message}"),
        }
        lost += usize::from(fate == Fate::Failed);
    }
    assert!(lost <= 10_000 && running.notifier.waiting("dead").unwrap() <= andon_models::notice::outbox::MOST_WAITING + 1_000);
    assert_eq!(server.texts(), ["too hot"]);
    drop(dead);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_one_message() {
    let server = Server::start(&[200]);
    let mut running = run(&[webhook("lead", &server.url)]);
    (0..17).for_each(|n| _ = running.notifier.offer(notice("lead", &n.to_string())));
    let mut fates = Vec::new();
    for _ in 0..17 {
        fates.push(running.fate().await.1);
    }
    assert_eq!(fates, [Fate::Sent; 17]);
    // How many go before the flood is noticed depends on how fast they are offered; it is bounded.
    let texts = server.texts();
    assert!(texts.len() <= GROUP_AFTER + 1 && texts.iter().any(|text| text.contains("alarms in")), "{texts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_way_out_says_so() {
    let mail = andon_models::notice::Mail { to: vec!["lead@example.com".into()], from: "".into(), server: None };
    let (fate, reason) = one(NotifyChannel::Email(mail)).await;
    assert!(fate == Fate::Failed && reason.contains("no mail server"), "{reason}");
    let mqtt = NotifyChannel::Mqtt { source: "broker".into(), topic: "a".into() };
    let (fate, reason) = one(mqtt).await;
    assert!(fate == Fate::Retrying && reason.contains("broker"), "{reason}");
    assert_eq!(one(NotifyChannel::Log).await.0, Fate::Sent);
    let running = run(&[]);
    assert!(!running.notifier.offer(notice("nobody", "x")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_begins_nothing_and_ends_soon() {
    let server = Server::start(&[200]);
    let running = run(&[webhook("lead", &server.url)]);
    running.notifier.stop();
    running.tasks.close();
    running.notifier.offer(notice("lead", "too hot"));
    tokio::time::timeout(Duration::from_secs(20), running.tasks.wait()).await.unwrap();
}

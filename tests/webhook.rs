//! Somebody is told of an alarm: once, and not again because the process was killed; and not never because it was.

use crate::{
    controller::{Controller, collecting},
    harness::{Site, wait_for},
};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

const PLANT: &str = "
plant: { name: Test, timezone: Europe/Berlin }
sources:
  plc: { opcua: '$URL', security: none, every: 100ms }
notify:
  lead: { webhook: '$HOOK' }
models:
  filler:
    measurements:
      fill_temp: { unit: °C, from: ns=2;s=Filler.Temp @plc }
    detectors:
      overheat:
        message: It has {fill_temp}
        response: Close the steam valve.
        initial: normal
        states:
          normal: { go: [ { when: fill_temp > 82, to: hot } ] }
          hot:
            enter: [raise, notify lead]
            go: [ { when: fill_temp < 79, to: normal, do: [clear] } ]
assets:
  Filler 1: { model: filler, plc: plc }
";

/// What became of notifications, as SQL tells it; the first entry of each is that it was asked for.
const TOLD: &str = "SELECT count(*) FROM events WHERE kind = 'notification' AND body LIKE '%\"sent\"%'";

/// The web server of the one who is told.
pub struct Hook {
    pub url: String,
    status: Arc<AtomicU16>,
    pub bodies: Arc<Mutex<Vec<Value>>>,
}

impl Hook {
    /// Starts it; it answers with a status.
    pub fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (status, bodies) = (Arc::new(AtomicU16::new(status)), Arc::new(Mutex::new(Vec::new())));
        let (answers, received) = (status.clone(), bodies.clone());
        // Ends with the tests' process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, status) = (stream.unwrap(), answers.load(Ordering::SeqCst));
                // A sender that was killed in the middle has sent nothing.
                let Some(body) = request(&stream) else { continue };
                // Before the answer: whoever has the answer finds here what was told.
                received.lock().unwrap().push(body);
                let _ = write!(&stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        });
        Self { url, status, bodies }
    }

    /// What it was told, and the ids.
    fn told(&self) -> (Vec<String>, Vec<Value>) {
        let bodies = self.bodies.lock().unwrap();
        let text = |body: &Value| body["data"]["text"].as_str().unwrap().to_owned();
        (bodies.iter().map(text).collect(), bodies.iter().map(|body| body["id"].clone()).collect())
    }

    /// Waits until it was told so often.
    pub async fn wait_for(&self, count: usize) {
        wait_for("a notification", async || (self.bodies.lock().unwrap().len() >= count).then_some(())).await;
    }
}

fn request(stream: &TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((_, value)) = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

fn site(controller: &Controller, hook: &Hook) -> Site {
    Site::new(&PLANT.replace("$URL", &controller.url()).replace("$HOOK", &hook.url))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_is_told_once_also_when_the_process_is_killed() {
    let (controller, hook) = (Controller::start().await, Hook::start(200));
    let site = site(&controller, &hook);
    let andon = site.run().await;
    collecting(&andon).await;
    controller.heat(91.5);
    andon.wait_for_column(TOLD, &["1"]).await;
    andon.durable().await;
    andon.kill();

    let andon = site.run().await;
    andon.wait_for_column(TOLD, &["1"]).await;
    // Notifications to one target go in order: were the first told again, it would be before the second.
    controller.heat(70.0);
    andon.wait_for_column("SELECT state FROM alarms ORDER BY time DESC LIMIT 1", &["returned_unacknowledged"]).await;
    controller.heat(95.5);
    andon.wait_for_column(TOLD, &["2"]).await;
    let (texts, ids) = hook.told();
    assert_eq!(texts, ["It has 91.5 °C", "It has 95.5 °C"]);
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_that_a_crash_kept_from_being_told_is_told_after_it() {
    let (controller, hook) = (Controller::start().await, Hook::start(503));
    let site = site(&controller, &hook);
    let andon = site.run().await;
    collecting(&andon).await;
    controller.heat(91.5);
    hook.wait_for(1).await;
    andon.kill();

    hook.status.store(200, Ordering::SeqCst);
    let andon = site.run().await;
    andon.wait_for_column(TOLD, &["1"]).await;
    let (texts, ids) = hook.told();
    assert!(texts.iter().all(|text| text == "It has 91.5 °C"), "{texts:?}");
    assert!(ids.len() >= 2 && ids.iter().all(|id| *id == ids[0]), "a receiver can tell that it is the same: {ids:?}");
}

//! No question holds up the plant.

use super::*;
use crate::service::testing::series;
use andon_models::{Point, Tqv};
use serde_json::{Value as Json, json};
use tokio::runtime::Builder;

const PRESS: &str = "
plant: { name: Test, timezone: UTC }
models:
  press:
    measurements:
      temp: { unit: °C }
    detectors:
      hot:
        message: Hot
        response: Look.
        initial: normal
        states:
          normal: { go: [ { when: temp > 80, to: hot } ] }
          hot: { enter: [raise] }
assets:
  Press: { model: press }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_takes_every_worker_holds_up_no_decision_and_no_operator() {
    let workers = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let site = Site::new();
    let storage = HistorianOptions { workers: Some(workers.handle().clone()), ..HistorianOptions::new(site.folder.path()) };
    let opened = open(plant(PRESS), Default::default(), storage, (site.now)(), &site.now).await.unwrap();
    let running = start(opened, AppInfo::default(), site.now.clone()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    let server = Server::start(listener, mpsc::channel(1).0);
    running.let_in(&server).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();

    let (release, released) = std::sync::mpsc::sync_channel(1);
    let (begin, begun) = oneshot::channel();
    workers.spawn(async move {
        begin.send(()).unwrap();
        released.recv().unwrap();
    });
    soon("the busy worker", begun).await.unwrap();
    let asked = tokio::spawn(client.get(format!("{url}/events")).send());

    let temp = series(&running.pages.catalog, "Press", "temp");
    let point = Point { series: temp, tqv: Tqv::good((site.now)(), Value::Double(90.0)) };
    let (reply, stored) = oneshot::channel();
    running.pages.writes.send(andon_dashboards::Write { points: vec![point], reply }).await.unwrap();
    soon("the write", stored).await.unwrap().unwrap();
    let acknowledge = client.post(format!("{url}/alarms/Press/hot/acknowledge")).json(&json!({ "name": "Mara", "note": "" }));
    let answer = soon("the acknowledgement", acknowledge.send()).await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let alarms: Json = soon("the alarms", client.get(format!("{url}/alarms")).send()).await.unwrap().json().await.unwrap();
    assert!(alarms[0]["acknowledged_by"].as_str().is_some_and(|name| name.starts_with("Mara")), "{alarms}");

    assert!(!asked.is_finished(), "the question waits for its turn");
    release.send(()).unwrap();
    assert!(soon("the answer", asked).await.unwrap().unwrap().status().is_success());
    soon("the stop", running.stop(&server)).await.unwrap();
    server.stop().await;
    workers.shutdown_background();
}

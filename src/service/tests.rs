//! The whole service in this process, on a real protocol.

mod aside;
mod unaudited;

use super::*;
use crate::service::testing::plant;
use andon_fixtures::opcua_server::{Node, OpcUaOptions, OpcUaServer};
use andon_models::{Value, ValueType};
use andon_query::SqlLimits;

const PLANT: &str = "
plant: { name: Test, timezone: UTC }
sources:
  plc: { opcua: '$URL', security: none, every: 50ms }
models:
  press:
    measurements:
      temp: { from: ns=2;s=Temp @plc }
assets:
  Press: { model: press, plc: plc }
";

/// A plant without sources that tells somebody something as soon as it runs.
const TELLS: &str = "
plant: { name: Test, timezone: UTC }
notify:
  lead: { webhook: '$HOOK' }
models:
  press:
    measurements:
      temp: { unit: °C }
    detectors:
      hot:
        message: Told
        response: Look.
        initial: normal
        states:
          normal: { enter: [notify lead], go: [ { when: temp > 80, to: hot } ] }
          hot: {}
assets:
  Press: { model: press }
";

struct Site {
    folder: tempfile::TempDir,
    now: Now,
}

impl Site {
    fn new() -> Self {
        // The process does the same at its start; the first test to come here does it for all.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { folder: tempfile::tempdir().unwrap(), now: clock::system() }
    }

    async fn open(&self, text: &str) -> Opened {
        open(plant(text), Default::default(), HistorianOptions::new(self.folder.path()), (self.now)(), &self.now).await.unwrap()
    }

    async fn start(&self, text: &str) -> Running {
        start(self.open(text).await, AppInfo::default(), self.now.clone()).await.unwrap()
    }
}

async fn stop(running: Running) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    running.stop(&Server::start(listener, mpsc::channel(1).0)).await
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.unwrap_or_else(|_| panic!("{what} takes too long"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_ends_by_itself_is_noticed_and_the_rest_stops() {
    let site = Site::new();
    let mut running = site.start(&TELLS.replace("$HOOK", "http://127.0.0.1:9/hook")).await;
    running.pipeline.abort();
    let error = soon("the failure", running.failed()).await;
    // What lives by the pipeline ends with it, and may be noticed first.
    assert!(format!("{error:#}").contains("please report it"), "{error:#}");
    soon("the stop", stop(running)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_never_answers_does_not_hold_up_a_stop_and_is_told_at_the_next_start() {
    let site = Site::new();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = TELLS.replace("$HOOK", &format!("http://{}/hook", silent.local_addr().unwrap()));
    let running = site.start(&text).await;
    let _connection = soon("the notification", silent.accept()).await.unwrap();
    // It is silent to the end of the test: a stop that waited for it would never end.
    soon("the stop", stop(running)).await.unwrap();
    let notices = site.open(&text).await.notices;
    assert_eq!(notices.iter().map(|notice| &*notice.message).collect::<Vec<_>>(), ["Told"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_loses_no_sample_that_arrived() {
    let temp = Node { id: "Temp".into(), value_type: ValueType::Double, value: Value::Double(0.0), writable: false };
    let options = OpcUaOptions { namespace: "urn:test:press".into(), ..OpcUaOptions::default() };
    let controller = Arc::new(OpcUaServer::start(options, vec![temp]).await.unwrap());
    let site = Site::new();
    let running = site.start(&PLANT.replace("$URL", &controller.url())).await;

    let mut status = running.sources.status("plc").unwrap();
    let (device, clock) = (controller.clone(), site.now.clone());
    let stream = tokio::spawn(async move {
        let mut every = tokio::time::interval(Duration::from_millis(5));
        for value in 1_u32.. {
            every.tick().await;
            device.set([(0, clock(), Value::Double(value.into()))]).unwrap();
        }
    });
    let flows = status.wait_for(|status| status.received > 20);
    tokio::time::timeout(Duration::from_secs(60), flows).await.expect("values arrive").unwrap();
    stop(running).await.unwrap();
    stream.abort();

    let (received, dropped) = (status.borrow().received, status.borrow().dropped);
    let historian = Historian::open_read_only(site.folder.path()).await.unwrap();
    let answer = historian.sql("SELECT count(*) FROM samples WHERE property = 'temp'", SqlLimits::default()).await.unwrap();
    assert_eq!((answer.rows[0][0].as_u64(), dropped), (Some(received), 0), "stored and received");
}

/// What the loop says to a take-over decides about the lease, and not the other way round.
#[tokio::test]
async fn only_a_take_over_that_the_loop_agrees_to_takes_the_lease() {
    let folder = tempfile::tempdir().unwrap();
    let [original, copy] = ["original", "copy"].map(|name| folder.path().join(name));
    std::fs::create_dir(&original).unwrap();
    std::fs::create_dir(&copy).unwrap();
    assert_eq!(Leases::of(&original).check().unwrap(), None);
    std::fs::copy(original.join("lease.json"), copy.join("lease.json")).unwrap();
    let leases = Leases::of(&copy);
    let (messages, mut queue) = mpsc::channel(4);
    let requests = requests(messages, leases.clone());
    let mut ask = async |judgement| {
        let deed = OperatorDeed::Arm { armed: true, span: None, take_over: true };
        let (reply, answer) = oneshot::channel();
        requests.send((OperatorRequest { by: "kim".into(), deed }, reply)).await.unwrap();
        let Some(Message::Operator(_, judge)) = soon("the request", queue.recv()).await else { panic!("another message") };
        judge.send(judgement).unwrap();
        (soon("the answer", answer).await.unwrap(), queue.try_recv().ok())
    };
    let refusal = OperatorRefusal::NotNow("60 days are too long".into());
    let (answer, then) = ask(Err(refusal)).await;
    assert!(answer.is_err() && then.is_none());
    assert!(leases.check().unwrap().is_some(), "it is a copy as before");
    assert!(ask(Ok(())).await.0.is_ok());
    assert_eq!(leases.check().unwrap(), None);
    // A lease that cannot be taken: the loop, which has agreed, hears that this folder must not command.
    std::fs::remove_dir_all(&copy).unwrap();
    let (answer, then) = ask(Ok(())).await;
    assert!(answer.is_err() && matches!(then, Some(Message::Foreign(_))));
}

/// What nobody armed in person is armed at the start it was given for, and disarmed by the next one; the record of each start says which, and the
/// notice why follows.
#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_a_start_says_whether_writes_are_armed_behind_it() {
    let site = Site::new();
    for _ in 0..2 {
        let mut opened = site.open(HELD).await;
        opened.core.arm_first("an option", (site.now)(), false);
        assert!(opened.core.armed(), "until it starts");
        let running = start(opened, AppInfo::default(), site.now.clone()).await.unwrap();
        soon("the stop", stop(running)).await.unwrap();
    }
    let folder = site.folder.path().join(audit::FOLDER);
    let mut month = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let month = month.find(|path| path.extension().is_some()).expect("a file of records");
    let text = std::fs::read_to_string(month).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let told: Vec<_> =
        records.map(|record| [&record["verb"], &record["detail"]].map(|text| text.as_str().unwrap().to_owned())).collect();
    let verbs: Vec<_> = told.iter().map(|[verb, _]| &**verb).collect();
    assert_eq!(verbs, ["start", "start", "notice"]);
    assert!(told[0][1].ends_with("writes armed"), "{told:?}");
    assert!(told[1][1].ends_with("writes disarmed"), "{told:?}");
    assert!(told[2][1].starts_with("writes to machines are disarmed"), "{told:?}");
}

/// A press without a device: its values are written by programs.
const WRITTEN: &str = "
plant: { name: Test, timezone: UTC }
models:
  press:
    measurements:
      temp: { unit: °C }
    transforms:
      fahrenheit: { value: temp * 1.8 + 32, unit: °F }
    detectors:
      hot:
        message: Too hot
        response: Look.
        initial: normal
        states:
          normal: { go: [ { when: temp > 80, to: hot } ] }
          hot: {}
assets:
  Press: { model: press }
";

#[tokio::test(flavor = "multi_thread")]
async fn written_values_reach_transforms_and_detectors_and_survive() {
    let site = Site::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/write", listener.local_addr().unwrap());
    let running = start(site.open(WRITTEN).await, AppInfo::default(), site.now.clone()).await.unwrap();
    let server = Server::start(listener, mpsc::channel(1).0);
    running.let_in(&server).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let writers = (0..32).map(|writer| {
        let request = client.post(&url).body(format!("x,asset=Press temp={}\nmeter,id={writer} power={writer}\n", 90 + writer));
        async move { request.send().await.unwrap().status() }
    });
    let statuses = soon("the writers", futures::future::join_all(writers)).await;
    assert!(statuses.iter().all(|status| *status == reqwest::StatusCode::NO_CONTENT), "{statuses:?}");
    soon("the stop", running.stop(&server)).await.unwrap();
    let historian = Historian::open_read_only(site.folder.path()).await.unwrap();
    let count = async |sql: &str| historian.sql(sql, SqlLimits::default()).await.unwrap().rows[0][0].as_u64().unwrap();
    assert_eq!(count("SELECT count(*) FROM samples WHERE property = 'power'").await, 32);
    let temps = count("SELECT count(*) FROM samples WHERE property = 'temp'").await;
    assert_eq!(count("SELECT count(*) FROM samples WHERE property = 'fahrenheit'").await, temps);
    assert_eq!(count("SELECT count(*) FROM transitions WHERE to_state = 'hot'").await, 1);
}

const HELD: &str = "
plant: { name: Test, timezone: UTC }
models:
  press:
    measurements:
      temp: { unit: °C }
    detectors:
      hot:
        initial: normal
        states:
          normal: { go: [ { when: temp > 80, for: 10s, to: hot } ] }
          hot: {}
assets:
  Press: { model: press }
";

/// What had run of a `for` stays, and the time in which the service was down does not count.
#[tokio::test(flavor = "multi_thread")]
async fn a_for_stands_still_while_the_service_is_down() {
    let clock = Arc::new(std::sync::atomic::AtomicI64::new(1_800_000_000));
    let at = |second: i64| Timestamp::from_seconds(1_800_000_000 + second);
    let set = |second: i64| clock.store(1_800_000_000 + second, std::sync::atomic::Ordering::SeqCst);
    let hand = clock.clone();
    let now: Now = Arc::new(move || Timestamp::from_seconds(hand.load(std::sync::atomic::Ordering::SeqCst)));
    let site = Site { now, ..Site::new() };

    let running = site.start(HELD).await;
    let series = running.pages.catalog.series_named(andon_models::definition::AssetIndex(0), "temp").unwrap();
    let point = andon_models::Point { series, tqv: andon_models::Tqv::good(at(0), Value::Double(90.0)) };
    let (reply, stored) = oneshot::channel();
    running.pages.writes.send(andon_dashboards::Write { points: vec![point], reply }).await.unwrap();
    soon("the write", stored).await.unwrap().unwrap();
    set(4);
    soon("the stop", stop(running)).await.unwrap();

    set(54);
    let running = site.start(HELD).await;
    let live = running.pages.live.clone();
    set(61);
    let moved = async {
        loop {
            let snapshot = live.detectors().into_iter().find(|detector| &*detector.state == "hot");
            match snapshot {
                Some(snapshot) => break snapshot.last_transition.as_ref().unwrap().time,
                None => tokio::task::yield_now().await,
            }
        }
    };
    assert_eq!(soon("the move", moved).await, at(60));
    soon("the second stop", stop(running)).await.unwrap();
}

//! An audit that cannot be written.

use super::*;
use std::{fs, path::PathBuf};

/// What stands in the way of the audit.
struct Blocked {
    month: PathBuf,
    aside: PathBuf,
}

impl Blocked {
    fn new(site: &Site) -> Self {
        let folder = site.folder.path().join(audit::FOLDER);
        let month = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let month = month.into_iter().find(|path| path.extension().is_some()).expect("the start is recorded");
        let aside = folder.join("aside");
        fs::rename(&month, &aside).unwrap();
        // A folder where the file should be: for root as well, nothing can be written there.
        fs::create_dir(&month).unwrap();
        Self { month, aside }
    }

    fn end(&self) {
        fs::remove_dir(&self.month).unwrap();
        fs::rename(&self.aside, &self.month).unwrap();
    }

    fn count(&self, verb: &str) -> usize {
        fs::read_to_string(&self.month).unwrap().matches(&format!("\"verb\":\"{verb}\"")).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_log_is_done_and_said_so_while_the_audit_cannot_be_written() {
    let site = Site::new();
    let running = site.start(HELD).await;
    let blocked = Blocked::new(&site);

    let deed = OperatorDeed::Arm { armed: true, span: None, take_over: false };
    let (reply, answered) = oneshot::channel();
    running.pages.requests.send((OperatorRequest { by: "Mara".into(), deed }, reply)).await.unwrap();
    let answer = soon("the answer", answered).await.unwrap();
    assert!(matches!(answer, Err(OperatorRefusal::NotAudited(_))), "{answer:?}");
    assert!(running.pages.live.armed(), "it is done, as was said");

    blocked.end();
    soon("the stop", stop(running)).await.unwrap();
    drop(site.open(HELD).await);
    assert_eq!(blocked.count("arm"), 1, "what was owed is there, once");
}

/// A press that is stopped when it gets hot.
const STOPPED: &str = "
plant: { name: Test, timezone: UTC }
sources:
  plc: { opcua: '$URL', security: none, every: 50ms, writes: allow }
models:
  press:
    measurements:
      temp: { from: ns=2;s=Temp @plc }
    controls:
      stop_request: { type: bool, to: ns=2;s=Stop @plc, allow: [true], verify: 10s }
    detectors:
      hot:
        initial: normal
        states:
          normal: { go: [ { when: temp > 80, to: hot } ] }
          hot: { enter: [write stop_request = true] }
assets:
  Press: { model: press, plc: plc }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_is_written_and_verified_while_the_audit_cannot_be_written() {
    let node = |id: &str, value: Value, writable| Node {
        id: id.into(),
        value_type: value.value_type().unwrap_or(ValueType::Double),
        value,
        writable,
    };
    let nodes = vec![node("Temp", 20.0.into(), false), node("Stop", false.into(), true)];
    let options = OpcUaOptions { namespace: "urn:test:press".into(), ..OpcUaOptions::default() };
    let controller = OpcUaServer::start(options, nodes).await.unwrap();
    let text = STOPPED.replace("$URL", &controller.url());
    let site = Site::new();
    let mut opened = site.open(&text).await;
    opened.core.arm_first("Mara", (site.now)(), true);
    let running = start(opened, AppInfo::default(), site.now.clone()).await.unwrap();
    let mut status = running.sources.status("plc").unwrap();
    soon("the first value", status.wait_for(|status| status.received > 0)).await.unwrap();

    let blocked = Blocked::new(&site);
    controller.set([(0, (site.now)(), 95.0.into())]).unwrap();
    let verified = async {
        let sql = "SELECT count(*) FROM commands WHERE state = 'verified' AND read_back = 'true'";
        loop {
            let answer = running.historian.sql(sql, SqlLimits::default()).await.unwrap();
            if answer.rows[0][0] == 1 {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    soon("the shutdown", verified).await;
    assert_eq!(controller.writes(), [("Stop".to_owned(), Value::Boolean(true))]);
    assert!(running.pages.audit.borrow().trouble.contains("move it away"), "{:?}", running.pages.audit.borrow());

    blocked.end();
    soon("the stop", stop(running)).await.unwrap();
    drop(site.open(&text).await);
    for verb in ["command_requested", "command_sent", "command_verified"] {
        assert_eq!(blocked.count(verb), 1, "{verb}: what was owed is there, once");
    }
}

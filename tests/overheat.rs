//! The main story over real protocols: a temperature rises, the detector climbs from normal to tripped, the stop request reaches
//! the controller exactly once and is read back, and SQL finds all of it. Then the same with the process killed in the middle.

use crate::harness::{Andon, Site, shown, wait_for};
use andon_fixtures::opcua_server::{Node, OpcUaOptions, OpcUaServer};
use andon_models::{Timestamp, Value, ValueType};
use std::time::{SystemTime, UNIX_EPOCH};

const TEMP: usize = 0;
const STOP_REQUEST: usize = 2;

/// A controller with a temperature, a PackML state and a stop request.
struct Controller(OpcUaServer);

impl Controller {
    async fn start() -> Self {
        let node = |id: &str, value: Value, writable| Node {
            id: id.into(),
            value_type: value.value_type().unwrap_or(ValueType::Double),
            value,
            writable,
        };
        let nodes = vec![
            node("Filler.Temp", 75.5.into(), false),
            node("Filler.State", 6_i64.into(), false),
            node("Filler.StopRequest", false.into(), true),
        ];
        let options = OpcUaOptions { namespace: "urn:test:filler".into(), ..OpcUaOptions::default() };
        Self(OpcUaServer::start(options, nodes).await.unwrap())
    }

    fn heat(&self, temperature: f64) {
        self.0.set([(TEMP, now(), temperature.into())]).unwrap();
    }

    /// What was written, by the controller's own record.
    fn writes(&self) -> Vec<(String, Value)> {
        self.0.writes()
    }

    fn site(&self, warming: &str, alarm: &str) -> Site {
        Site::new(&PLANT.replace("$URL", &self.0.url()).replace("$WARMING", warming).replace("$ALARM", alarm))
    }
}

#[expect(clippy::disallowed_methods, reason = "the simulated controller stamps its values with its own clock")]
fn now() -> Timestamp {
    Timestamp::EPOCH + SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

const PLANT: &str = "
plant: { name: Test, timezone: Europe/Berlin }
sources:
  plc: { opcua: '$URL', security: none, every: 100ms, writes: allow }
notify:
  maintenance: { log: maintenance }
models:
  filler:
    attributes:
      temp_limit: { default: 82, unit: °C }
    measurements:
      fill_temp: { unit: °C, from: ns=2;s=Filler.Temp @plc }
      state: { type: int, from: ns=2;s=Filler.State @plc }
    controls:
      stop_request: { type: bool, to: ns=2;s=Filler.StopRequest @plc, allow: [true], interlock: running, verify: 5s, at_most: 4 per 1h }
    transforms:
      running: state == 6
    detectors:
      overheat:
        priority: high
        message: Bowl temperature {fill_temp} is above {temp_limit}
        response: Close the steam valve.
        initial: normal
        states:
          normal: { go: [ { when: fill_temp > temp_limit and running, to: hot } ] }
          hot:
            initial: warming
            go: [ { when: fill_temp < temp_limit - 3, for: 1s, to: normal, do: [clear] } ]
            states:
              warming: { go: [ { after: $WARMING, to: alarm } ] }
              alarm: { enter: [raise], go: [ { after: $ALARM, to: tripped } ] }
              tripped: { enter: [write stop_request = true, notify maintenance] }
assets:
  Filler 1: { model: filler, plc: plc }
";

const MOVES: &str = "SELECT to_state FROM events WHERE kind = 'transition' ORDER BY time";
const COMMANDS: &str = "SELECT state FROM commands ORDER BY time, state = 'verified', state = 'sent'";

async fn collecting(andon: &Andon) {
    let sql = "SELECT count(*) > 0 FROM samples WHERE property = 'fill_temp' AND quality = 'good'";
    andon.wait_for_column(sql, &["true"]).await;
}

/// The whole story as SQL tells it, and as the controller tells it.
async fn check_the_whole_story(andon: &Andon, controller: &Controller) {
    andon.wait_for_column(MOVES, &["normal", "hot/warming", "hot/alarm", "hot/tripped"]).await;
    andon.wait_for_column(COMMANDS, &["requested", "sent", "verified"]).await;
    assert_eq!(controller.writes(), [("Filler.StopRequest".to_owned(), Value::Boolean(true))]);
    assert_eq!(controller.0.value(STOP_REQUEST), Value::Boolean(true));
    assert_eq!(shown(&andon.sql("SELECT read_back FROM commands WHERE state = 'verified'").await[0][0]), "true");

    andon.wait_for_column("SELECT state FROM alarms ORDER BY time", &["unacknowledged"]).await;
    let alarm = andon.sql("SELECT asset, priority, message FROM alarms").await;
    assert_eq!(shown(&alarm[0][0]), "Filler 1");
    assert_eq!(shown(&alarm[0][1]), "high");
    assert!(shown(&alarm[0][2]).contains("91.5"), "{alarm:?}");

    let hot = "SELECT count(*) > 0 FROM samples WHERE asset = 'Filler 1' AND property = 'fill_temp' AND double = 91.5";
    andon.wait_for_column(hot, &["true"]).await;
    let why = andon.sql("SELECT body FROM events WHERE kind = 'transition' AND to_state = 'hot/warming'").await;
    let why: serde_json::Value = serde_json::from_str(&shown(&why[0][0])).unwrap();
    let explanation = &why["explanation"];
    assert!(explanation["rule"].as_str().unwrap().contains("fill_temp > temp_limit and running"), "{explanation}");
    let input = |name: &str| {
        let inputs = explanation["inputs"].as_array().unwrap();
        inputs.iter().find(|input| input["name"] == name).unwrap_or_else(|| panic!("{name} in {explanation}")).clone()
    };
    assert_eq!(input("fill_temp")["value"], 91.5);
    assert_eq!(input("fill_temp")["quality"], "good");
    assert_eq!(input("fill_temp")["source"], "opcua:plc");
    assert_eq!(input("temp_limit")["value"], 82.0);
    assert!(!explanation["steps"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rising_temperature_ends_in_one_verified_write() {
    let controller = Controller::start().await;
    let site = controller.site("500ms", "500ms");
    let andon = site.run().await;
    collecting(&andon).await;
    controller.heat(91.5);
    check_the_whole_story(&andon, &controller).await;
}

/// Killed before the decision to trip, and again while the command may be anywhere between decision and verification.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_story_with_the_process_killed_in_the_middle() {
    let controller = Controller::start().await;
    let site = controller.site("1s", "3s");
    let andon = site.run().await;
    collecting(&andon).await;
    controller.heat(91.5);
    andon.wait_for_column(MOVES, &["normal", "hot/warming", "hot/alarm"]).await;
    let before = andon.sql("SELECT count(*) FROM samples").await;
    andon.kill();

    let andon = site.run().await;
    let after = andon.sql("SELECT count(*) FROM samples").await;
    assert!(after[0][0].as_i64() >= before[0][0].as_i64(), "{before:?} samples before, {after:?} after");
    // Killed as soon as the decision can be seen; the write may be out or not.
    wait_for("the decision", async || {
        let rows = andon.try_sql("SELECT count(*) FROM commands").await?;
        (rows[0][0].as_i64() > Some(0)).then_some(())
    })
    .await;
    andon.kill();

    let andon = site.run().await;
    check_the_whole_story(&andon, &controller).await;
}

//! The main story over real protocols: a temperature rises, the detector climbs from normal to tripped, the stop request reaches
//! the controller exactly once and is read back, and SQL finds all of it. Then the same with the process killed in the middle.

use crate::{
    controller::{Controller, collecting},
    harness::{Andon, Site, shown, wait_for},
};
use andon_models::Value;

pub const STOP_REQUEST: &str = "Filler.StopRequest";

pub fn site(controller: &Controller, warming: &str, alarm: &str) -> Site {
    Site::new(&PLANT.replace("$URL", &controller.url()).replace("$WARMING", warming).replace("$ALARM", alarm))
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
    metrics:
      1s: { temp_max: max(fill_temp) }
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

/// The whole story as SQL tells it, and as the controller tells it.
async fn check_the_whole_story(andon: &Andon, controller: &Controller) {
    andon.wait_for_column(MOVES, &["normal", "hot/warming", "hot/alarm", "hot/tripped"]).await;
    andon.wait_for_column(COMMANDS, &["requested", "sent", "verified"]).await;
    assert_eq!(controller.writes(), [(STOP_REQUEST.to_owned(), Value::Boolean(true))]);
    assert_eq!(controller.stop_request(), Value::Boolean(true));
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
    let site = site(&controller, "500ms", "500ms");
    let andon = site.run().await;
    collecting(&andon).await;
    controller.heat(91.5);
    check_the_whole_story(&andon, &controller).await;
    check_metrics(&andon).await;
}

/// Prometheus finds what the story left behind.
async fn check_metrics(andon: &Andon) {
    // The first window of a second closes two seconds after its end.
    let plans = "andon_metric_plan_seconds_count{model=\"filler\",window=\"1s\"}";
    // Connected: a slow machine may have lost its controller for a moment.
    let connected = "andon_source_connected{source=\"plc\",protocol=\"opcua\"} 1\n";
    let page = wait_for("a plan of metrics", async || {
        Some(andon.get("/metrics").await).filter(|page| page.contains(plans) && page.contains(connected))
    })
    .await;
    let value = |metric: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(metric)).unwrap_or_else(|| panic!("{metric} in\n{page}"));
        line.trim().parse::<f64>().unwrap()
    };
    let source = "source=\"plc\",protocol=\"opcua\"";
    assert_eq!(value(&format!("andon_source_connected{{{source}}}")), 1.0);
    assert!(value(&format!("andon_source_received_total{{{source}}}")) >= 3.0);
    assert_eq!(value(&format!("andon_source_dropped_total{{{source}}}")), 0.0);
    assert!(value(&format!("andon_source_connects_total{{{source}}}")) >= 1.0);
    assert!((0.0..3_600.0).contains(&value(&format!("andon_source_last_value_age_seconds{{{source}}}"))));
    assert_eq!(value("andon_detectors{alarm=\"unacknowledged\"}"), 1.0);
    assert_eq!(value("andon_command_outcomes_total{state=\"verified\"}"), 1.0);
    assert_eq!(value("andon_armed"), 1.0);
    assert!(value("andon_samples_total") >= 3.0);
    assert!(value("andon_points_stored_total") > value("andon_samples_total"), "transforms are points too");
    assert!(value("andon_events_stored_total") >= 8.0);
    assert!(value("andon_log_records_total") > 3.0);
    assert_eq!(value("andon_buffered_points"), value("andon_points_stored_total"));
    assert_eq!(value("andon_flush_failures_total"), 0.0);
    assert!(value("andon_step_seconds_count{input=\"samples\"}") >= 1.0);
    assert!(value("andon_step_seconds_bucket{input=\"samples\",le=\"60\"}") >= 1.0);
    assert!(value(plans) >= 1.0);
}

/// Killed before the decision to trip, and again while the command may be anywhere between decision and verification.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_story_with_the_process_killed_in_the_middle() {
    let controller = Controller::start().await;
    let site = site(&controller, "1s", "3s");
    let andon = site.run().await;
    collecting(&andon).await;
    controller.heat(91.5);
    // A slow machine may have tripped by now as well; what follows holds in either case.
    andon.wait_for_column("SELECT count(*) FROM events WHERE kind = 'transition' AND to_state = 'hot/alarm'", &["1"]).await;
    let before = andon.sql("SELECT count(*) FROM samples").await;
    andon.durable().await;
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

//! A back-test of the history on which a detector ran live says what happened live, bit for bit; and what an edited one would have done.

use crate::{
    controller::now,
    harness::{Andon, Site, shown},
};
use andon_models::Timestamp;
use serde_json::Value;
use std::{path::Path, process::Command, time::Duration};

const PLANT: &str = "
plant: { name: Test, timezone: UTC }
notify:
  lead: { log: lead }
models:
  filler:
    attributes:
      temp_limit: { default: 82, unit: °C }
    measurements:
      fill_temp: { unit: °C }
      state: { type: int }
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
            go: [ { when: fill_temp < temp_limit - 3, for: 40s, to: normal, do: [clear] } ]
            states:
              warming: { go: [ { after: 60s, to: alarm } ] }
              alarm: { enter: [raise, notify lead] }
assets:
  Filler 1: { model: filler }
";

/// Temperatures, one each [`STEP`]: twice it is too hot for long enough. The first time somebody acknowledges it.
const TEMPERATURES: [f64; 12] = [75.0, 83.5, 84.0, 85.25, 86.0, 78.0, 77.0, 76.0, 82.5, 82.5, 82.75, 82.5];
const ACKNOWLEDGED_AFTER: usize = 5;
/// So far ahead of the clock at the end as a sample may be; between two of them there is time enough for any machine.
const STEP: Duration = Duration::from_secs(24);

/// Writes one line; what is answered is on disk.
async fn write(andon: &Andon, field: &str, time: Timestamp) {
    let client = reqwest::Client::new();
    let line = format!("Filler\\ 1 {field} {}", time.as_nanos());
    let answer = client.post(format!("{}/api/write?precision=ns", andon.url)).body(line).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 204, "{}", answer.text().await.unwrap());
}

fn backtest(site: &Site, arguments: &[&str]) -> String {
    let (plant, data) = (site.data().with_file_name("plant.yaml"), site.data());
    let out = Command::new(env!("CARGO_BIN_EXE_andon"))
        .arg("backtest")
        .arg(plant)
        .args(["--detector", "filler.overheat", "--data"])
        .arg(data)
        .args(arguments)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// What of its events came from its deciding; what became of a notification afterwards is the world's doing.
fn decided<'a>(bodies: impl Iterator<Item = &'a str>) -> Vec<String> {
    let event = |body: &str| serde_json::from_str::<Value>(body).unwrap();
    bodies
        .filter(|body| event(body)["kind"] != "notification" || event(body)["state"] == "requested")
        .map(str::to_owned)
        .collect()
}

/// The plant with its day, and when its last sample was. A run in which the machine stood still for longer than a step is made again:
/// there silence went on where samples should have come, as it would in a plant.
async fn run_live() -> (Site, Andon, Timestamp) {
    loop {
        let site = Site::new(PLANT);
        let andon = site.run().await;
        let first = now() + Duration::from_secs(1);
        let (mut last, mut longest) = (first, Duration::ZERO);
        write(&andon, "state=6i", first).await;
        for (temperature, number) in TEMPERATURES.into_iter().zip(1..) {
            let begun = tokio::time::Instant::now();
            last = last + STEP;
            write(&andon, &format!("fill_temp={temperature}"), last).await;
            if number == ACKNOWLEDGED_AFTER {
                acknowledge(&andon).await;
            }
            longest = longest.max(begun.elapsed());
        }
        if longest < STEP / 2 {
            return (site, andon, last);
        }
    }
}

async fn acknowledge(andon: &Andon) {
    let address = format!("{}/api/alarms/Filler%201/overheat/acknowledge", andon.url);
    let request = reqwest::Client::new().post(address).json(&serde_json::json!({ "note": "seen" }));
    let status = request.send().await.unwrap().status();
    assert!(status.is_success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_happened_live_and_what_would_have() {
    let (site, andon, last) = run_live().await;
    let rows = andon.sql("SELECT body FROM events WHERE detector = 'overheat' ORDER BY time").await;
    let bodies: Vec<String> = rows.iter().map(|row| shown(&row[0])).collect();
    let live = decided(bodies.iter().map(String::as_str));
    let raised = live.iter().filter(|body| body.contains("\"verb\":\"raise\"")).count();
    let acknowledged = live.iter().filter(|body| body.contains("\"verb\":\"acknowledge\"")).count();
    assert_eq!((raised, acknowledged), (2, 1), "{live:#?}");
    let began: Value = serde_json::from_str(&live[0]).unwrap();
    andon.kill();

    let window = ["--from", began["time"].as_str().unwrap(), "--to", &last.to_string()];
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let played = backtest(&site, &[&window[..], &["--json"]].concat());
    assert_eq!(sorted(decided(played.lines())), sorted(live.clone()));

    let printed = backtest(&site, &[&window[..], &["--events"]].concat());
    for wanted in [
        "normal -> hot/warming (input fill_temp)",
        "hot/warming -> hot/alarm (timer after 1m)",
        "alarm acknowledge",
        "alarms raised                          2",
        "moves                                  ",
    ] {
        assert!(printed.contains(wanted), "{wanted} in\n{printed}");
    }
    compare(&site, &window);
    // Nothing was written: the same again says the same.
    assert_eq!(sorted(decided(backtest(&site, &[&window[..], &["--json"]].concat()).lines())), sorted(live));
}

/// With a higher limit the second one is no alarm.
fn compare(site: &Site, window: &[&str]) {
    let edited = site.data().with_file_name("edited.yaml");
    std::fs::write(&edited, PLANT.replace("default: 82", "default: 82.6").replace("after: 60s", "after: 50s")).unwrap();
    let edited: &Path = &edited;
    let printed = backtest(site, &[window, &["--with", edited.to_str().unwrap()]].concat());
    let row = |name: &str| {
        let line =
            printed.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{name} in\n{printed}"));
        line.split_whitespace().rev().take(2).collect::<Vec<_>>()
    };
    assert_eq!(row("alarms raised"), ["1", "2"], "{printed}");
    assert!(printed.contains("0 raises in both"), "{printed}");
    assert_eq!((printed.matches("only old").count(), printed.matches("only new").count()), (2, 1), "{printed}");
}

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
    let paged = over_http(&andon, began["time"].as_str().unwrap(), &last.to_string()).await;
    replayed(&andon, began["time"].as_str().unwrap(), &last.to_string()).await;
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
    let printed = compare(&site, &window);
    assert!(printed.ends_with(paged["difference"].as_str().unwrap()), "{paged}\n{printed}");
    // Nothing was written: the same again says the same.
    assert_eq!(sorted(decided(backtest(&site, &[&window[..], &["--json"]].concat()).lines())), sorted(live));
}

/// With a higher limit the second one is no alarm.
fn compare(site: &Site, window: &[&str]) -> String {
    let path = site.data().with_file_name("edited.yaml");
    std::fs::write(&path, edited()).unwrap();
    let edited = path;
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
    printed.trim_end().to_owned()
}

fn edited() -> String {
    PLANT.replace("default: 82", "default: 82.6").replace("after: 60s", "after: 50s")
}

/// The same by the running service, while it runs.
async fn over_http(andon: &Andon, from: &str, to: &str) -> Value {
    let client = reqwest::Client::new();
    let address = format!("{}/api/backtests", andon.url);
    let order = |text: String| {
        let files = serde_json::json!([{ "name": "edited.yaml", "text": text }]);
        serde_json::json!({ "detector": "filler.overheat", "from": from, "to": to, "with": { "files": files } })
    };
    let wrong = client.post(&address).json(&order(edited().replace("warming: {", "warm: {"))).send().await.unwrap();
    assert_eq!(wrong.status().as_u16(), 400);
    let wrong: Value = wrong.json().await.unwrap();
    assert_eq!(wrong["diagnostics"][0]["file"], "edited.yaml", "{wrong}");
    let begun: Value = client.post(&address).json(&order(edited())).send().await.unwrap().json().await.unwrap();
    let one = format!("{address}/{}", begun["id"].as_str().unwrap_or_else(|| panic!("{begun}")));
    let began = tokio::time::Instant::now();
    let view: Value = loop {
        let view: Value = client.get(&one).send().await.unwrap().json().await.unwrap();
        if view["state"] != "running" {
            break view;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{view}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((&view["state"], &view["progress"]), (&"done".into(), &1.0.into()), "{view}");
    let count = |side: usize, name: &str| view["sides"][side][name].as_u64().unwrap();
    assert_eq!((count(0, "raised"), count(1, "raised")), (2, 1), "{view}");
    assert_eq!(count(0, "samples"), TEMPERATURES.len() as u64 + 1, "{view}");
    let events = view["sides"][0]["events"].as_array().unwrap();
    let moves = events.iter().filter(|event| event["kind"] == "transition").count() as u64;
    assert_eq!(moves, count(0, "transitions"), "{view}");
    assert!(events.iter().any(|event| event["to"] == "hot/alarm" && event["asset"] == "Filler 1"), "{view}");
    let strip = &view["sides"][0]["strips"][0];
    assert_eq!((&strip["asset"], &strip["spans"][0]["state"]), (&"Filler 1".into(), &"normal".into()), "{strip}");
    assert_eq!(client.delete(&one).send().await.unwrap().status().as_u16(), 204);
    assert_eq!(client.get(&one).send().await.unwrap().status().as_u16(), 404);
    view
}

/// One instance, step by step: when its alarm came it had read what the detector saw then.
async fn replayed(andon: &Andon, from: &str, to: &str) {
    let address = format!("{}/api/detectors/Filler%201/overheat/replay?from={from}&to={to}", andon.url);
    let view: Value = reqwest::get(address).await.unwrap().json().await.unwrap();
    let steps = view["steps"].as_array().unwrap_or_else(|| panic!("{view}"));
    assert_eq!(steps[0]["state"], "normal", "{view}");
    let alarm = steps.iter().find(|step| step["state"] == "hot/alarm").unwrap_or_else(|| panic!("{view}"));
    assert_eq!(
        (&alarm["trigger"], &alarm["moved"], &alarm["alarm"]),
        (&"timer after 1m".into(), &true.into(), &"unacknowledged".into())
    );
    let temperature = alarm["inputs"].as_array().unwrap().iter().find(|input| input["name"] == "fill_temp").unwrap();
    assert_eq!((&temperature["value"], &temperature["quality"]), (&85.25.into(), &"good".into()), "{alarm}");
    let warming = steps.iter().find(|step| step["state"] == "hot/warming").unwrap();
    assert_eq!(warming["timers"][0]["name"], "after 1m", "{warming}");
}

//! What is new or changed is computed over history: as it would have been computed live, to the end, over a crash, or as far as
//! somebody lets it.

use crate::{
    controller,
    harness::{Andon, Site, shown, wait_for},
};
use andon_models::Timestamp;
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path, process::Command, sync::LazyLock};

/// A full hour eight hours ago, in seconds: closed when the test begins, and not so long ago that what holds on since then takes long.
static START: LazyLock<i64> = LazyLock::new(|| {
    let now = controller::now().since(Timestamp::EPOCH).as_secs().cast_signed();
    now / 3_600 * 3_600 - 8 * 3_600
});

const RAW: &str = "
plant: { name: Test, timezone: UTC }
models:
  line:
    children: { machines: press }
  press:
    attributes: { ideal_rate: { default: 60, unit: 1/min }, offset: { default: 0.5 } }
    measurements:
      temp: {}
      running: { type: bool }
      good: { type: counter }
      bad: { type: counter }
assets:
  Line:
    model: line
    machines:
      Press 1: { model: press }
      Press 2: { model: press }
";

/// The same plant, with what is computed.
fn plant(warm: &str, kind: &str) -> String {
    let computed = format!(
        "  line:
    children: {{ machines: press }}
    metrics:
      {kind}: {{ hottest: max(machines.warm_avg) }}
  press:
    transforms:
      warmest: warm + 1
      warm: {warm}
    metrics:
      {kind}: {{ warm_avg: avg(warm), count: count(warmest) }}
      1h: {{ held: latest(warmest), spread: stdev(warm) }}
    oee: {{ running: running, good: good, bad: bad, ideal_rate: ideal_rate, windows: [1h] }}
"
    );
    RAW.replacen("  line:\n    children: { machines: press }\n  press:\n", &computed, 1)
}

async fn write(andon: &Andon, lines: &[String]) {
    for part in lines.chunks(2_000) {
        let request = reqwest::Client::new().post(format!("{}/api/write?precision=s", andon.url)).body(part.join("\n"));
        let status = request.send().await.unwrap().status();
        assert_eq!(status, reqwest::StatusCode::NO_CONTENT);
    }
}

/// What a press measures so many seconds after the start: quarters, so that sums are exact.
fn temp(press: i64, second: i64) -> f64 {
    (second * 7 % 113) as f64 / 4.0 + press as f64
}

/// Raw values of two presses, every ten seconds.
fn raw(seconds: i64) -> Vec<String> {
    let line = |press: i64, second: i64| {
        let (runs, good) = (second % 1_700 < 1_500, second / 2 + press);
        let fields = format!("temp={},running={runs},good={good},bad={}", temp(press, second), second / 100);
        format!("press,asset=Line/Press\\ {press} {fields} {}", *START + second)
    };
    (0..seconds).step_by(10).flat_map(|second| [line(1, second + 3), line(2, second + 5)]).collect()
}

async fn apply(andon: &Andon, text: &str) {
    let base = andon.json("/api/definition").await["hash"].clone();
    let body = json!({ "files": [{ "name": "plant.yaml", "text": text }], "base": base });
    let (status, answer) = andon.post("/api/definition/apply", &body).await;
    assert_eq!(status, 200, "{answer}");
}

fn time(second: i64) -> String {
    Timestamp::from_seconds(*START + second).to_string()
}

async fn begin(andon: &Andon, targets: &[&str], seconds: i64) -> Value {
    let order = json!({ "targets": targets, "from": time(0), "to": time(seconds), "name": "Kim" });
    let (status, begun) = andon.post("/api/backfills", &order).await;
    assert_eq!(status, 202, "{begun}");
    begun
}

async fn standing(andon: &Andon, begun: &Value) -> Value {
    andon.json(&format!("/api/backfills/{}", begun["number"])).await
}

async fn over(andon: &Andon, begun: &Value) -> Value {
    wait_for("the end of the back-fill", async || {
        let standing = standing(andon, begun).await;
        (!standing["ended"].is_null()).then_some(standing)
    })
    .await
}

/// Everything that is computed of these properties in so many seconds: asset, property, seconds after the start, value.
async fn computed(andon: &Andon, properties: &[&str], seconds: i64) -> BTreeMap<(String, String, i64), String> {
    let named: Vec<String> = properties.iter().map(|name| format!("'{name}'")).collect();
    let sql = format!(
        "SELECT asset, property, CAST(date_part('epoch', time) AS BIGINT) AS second, \
         coalesce(CAST(value AS VARCHAR), string) AS value FROM samples WHERE property IN ({}) \
         AND time <= '{}' AND (value IS NOT NULL OR string IS NOT NULL) ORDER BY time LIMIT 1000000",
        named.join(", "),
        time(seconds)
    );
    let row = |row: &Vec<Value>| {
        let second: i64 = shown(&row[2]).parse().unwrap();
        ((shown(&row[0]), shown(&row[1]), second - *START), shown(&row[3]))
    };
    andon.sql(&sql).await.iter().map(row).collect()
}

fn figure(computed: &BTreeMap<(String, String, i64), String>, asset: &str, property: &str, second: i64) -> Option<f64> {
    computed.get(&(asset.into(), property.into(), second)).map(|value| value.parse().unwrap())
}

/// The mean of what a press measures in a window of five minutes.
fn mean(press: i64, end: i64, warm: impl Fn(f64) -> f64) -> f64 {
    let seconds =
        (0..end).step_by(10).map(|second| second + 1 + 2 * press).filter(|second| end - 300 < *second && *second <= end);
    let values: Vec<f64> = seconds.map(|second| warm(temp(press, second))).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

fn assert_means(figures: &BTreeMap<(String, String, i64), String>, seconds: i64, warm: impl Fn(f64) -> f64 + Copy) {
    for end in (300..=seconds).step_by(300) {
        let means = [mean(1, end, warm), mean(2, end, warm)];
        assert_eq!(figure(figures, "Line/Press 1", "warm_avg", end), Some(means[0]), "{end}");
        assert_eq!(figure(figures, "Line/Press 2", "warm_avg", end), Some(means[1]), "{end}");
        assert_eq!(figure(figures, "Line", "hottest", end), Some(means[0].max(means[1])), "{end}");
    }
}

const SHOWN: [&str; 4] = ["warm", "warm_avg", "count", "hottest"];

#[tokio::test]
async fn a_new_transform_and_what_reads_it_are_computed_over_history_and_a_changed_one_again() {
    let site = Site::new(RAW);
    let andon = site.run().await;
    write(&andon, &raw(7_200)).await;
    apply(&andon, &plant("temp * 2 + offset", "5m")).await;
    assert!(computed(&andon, &SHOWN, 7_200).await.is_empty(), "new formulas hold from now on");

    // Whoever names the parent's metric gets what it is computed from where that was never computed.
    let begun = begin(&andon, &["press"], 7_200).await;
    let ended = over(&andon, &begun).await;
    assert_eq!((&ended["state"], &ended["windows_done"]), (&json!("done"), &ended["windows_total"]), "{ended}");
    let figures = computed(&andon, &SHOWN, 7_200).await;
    assert_means(&figures, 7_200, |temp| temp * 2.0 + 0.5);
    assert_eq!(figures.keys().filter(|(_, property, _)| property == "warm").count(), 2 * 720);
    let revisions = "SELECT count(*) FROM events WHERE kind = 'revision'";
    andon.wait_for_column(revisions, &["0"]).await;

    // The same again changes nothing.
    let again = over(&andon, &begin(&andon, &["press", "line"], 7_200).await).await;
    assert_eq!((&again["figures"], &again["transform_values"]), (&json!(0), &json!(0)), "{again}");

    // Another formula holds from now on, and over history when somebody says so.
    apply(&andon, &plant("temp * 3", "5m")).await;
    assert_eq!(computed(&andon, &SHOWN, 7_200).await, figures);
    let changed = over(&andon, &begin(&andon, &["press.warm"], 7_200).await).await;
    assert_eq!(&changed["state"], &json!("done"), "{changed}");
    assert_means(&computed(&andon, &SHOWN, 7_200).await, 7_200, |temp| temp * 3.0);
    let causes = "SELECT DISTINCT message FROM events WHERE kind = 'revision'";
    let cause = format!("back-fill {} of press.warm ({})", changed["number"], changed["by"].as_str().unwrap());
    andon.wait_for_column(causes, &[&cause]).await;
    let revised = "SELECT DISTINCT asset FROM events WHERE kind = 'revision' ORDER BY asset";
    andon.wait_for_column(revised, &["Line", "Line/Press 1", "Line/Press 2"]).await;
    let deeds = andon.get("/api/events?kind=deed").await;
    for word in ["end_backfill", "Kim", &format!("of press.warm from {} to {} is done", time(0), time(7_200)), "2880 values"] {
        assert!(deeds.contains(word), "{word}: {deeds}");
    }
}

const DERIVED: [&str; 14] = [
    "warm",
    "warmest",
    "warm_avg",
    "count",
    "held",
    "spread",
    "hottest",
    "availability",
    "performance",
    "quality_rate",
    "oee",
    "availability_1h",
    "oee_1h",
    "performance_1h",
];

#[tokio::test]
async fn derived_data_that_is_deleted_and_computed_again_is_what_it_was_to_the_bit() {
    let full = plant("temp / 3 + offset", "5m");
    let (live, bare) = (Site::new(&full), Site::new(RAW));
    let (live, bare) = (live.run().await, bare.run().await);
    write(&live, &raw(7_200)).await;
    // Only the raw values were kept.
    write(&bare, &raw(7_200)).await;
    apply(&bare, &full).await;
    let ended = over(&bare, &begin(&bare, &["press", "line"], 7_200).await).await;
    assert_eq!(ended["state"], "done", "{ended}");
    let recomputed = computed(&bare, &DERIVED, 7_200).await;
    for property in ["warm", "warmest", "warm_avg", "held", "spread", "hottest", "oee_1h"] {
        assert!(recomputed.keys().any(|(_, known, _)| known == property), "nothing of {property}");
    }
    // Late values are computed beside, so it may take a moment.
    wait_for("the same figures", async || (computed(&live, &DERIVED, 7_200).await == recomputed).then_some(())).await;
}

/// Six hours in windows of ten seconds, each with one value of each press: long enough to be met in the middle.
const LONG: i64 = 6 * 3_600;

/// A plant whose back-fill over [`LONG`] is under way.
async fn under_way(site: &Site, text: &str) -> (Andon, Value) {
    let andon = site.run().await;
    write(&andon, &raw(LONG)).await;
    apply(&andon, text).await;
    let begun = begin(&andon, &["press.warm_avg"], LONG).await;
    wait_for("some of it", async || {
        let standing = standing(&andon, &begun).await;
        assert_eq!(standing["ended"], Value::Null, "too fast to be met in the middle: {standing}");
        (standing["windows_done"].as_u64().unwrap() > 0).then_some(())
    })
    .await;
    (andon, begun)
}

#[tokio::test]
async fn a_back_fill_goes_on_after_a_crash() {
    let site = Site::new(RAW);
    let (andon, begun) = under_way(&site, &plant("temp * 2", "10s")).await;
    andon.kill();
    let andon = site.run().await;
    let ended = over(&andon, &begun).await;
    assert_eq!(ended["state"], "done", "{ended}");
    let figures = computed(&andon, &["warm_avg", "hottest"], LONG + 10).await;
    assert_eq!(figures.len(), 3 * LONG as usize / 10);
    assert_tens(&figures, 10..=LONG);
    let deeds = andon.get("/api/events?kind=deed").await;
    assert_eq!(deeds.matches("\"verb\":\"backfill\"").count(), 1, "{deeds}");
}

#[tokio::test]
async fn what_a_cancelled_back_fill_has_computed_stays_and_is_right() {
    let site = Site::new(RAW);
    // Without a transform: windows that read one are computed to the end, so that no figure contradicts another.
    let direct = plant("temp", "10s").replace("avg(warm)", "avg(temp) * 2").replace("count(warmest)", "count(temp)");
    let (andon, begun) = under_way(&site, &direct).await;
    let cancelled = reqwest::Client::new().delete(format!("{}/api/backfills/{}", andon.url, begun["number"])).send().await;
    assert_eq!(cancelled.unwrap().status(), 204);
    let ended = over(&andon, &begun).await;
    assert_eq!(ended["state"], "cancelled", "{ended}");
    let figures = computed(&andon, &["warm_avg", "hottest"], LONG + 10).await;
    let last = figures.keys().map(|(.., second)| *second).max().unwrap();
    assert!(last < LONG, "it was met in the middle: {last}");
    assert_eq!(figures.len(), 3 * last as usize / 10, "the line has what its presses have");
    assert_tens(&figures, 10..=last);
}

/// The figures of windows of ten seconds that end in this span.
fn assert_tens(figures: &BTreeMap<(String, String, i64), String>, ends: std::ops::RangeInclusive<i64>) {
    for end in ends.step_by(10) {
        let values = [temp(1, end - 7) * 2.0, temp(2, end - 5) * 2.0];
        assert_eq!(figure(figures, "Line/Press 1", "warm_avg", end), Some(values[0]), "{end}");
        assert_eq!(figure(figures, "Line/Press 2", "warm_avg", end), Some(values[1]), "{end}");
        assert_eq!(figure(figures, "Line", "hottest", end), Some(values[0].max(values[1])), "{end}");
    }
}

fn andon(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_andon")).current_dir(folder).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    (output.status.success(), text)
}

#[tokio::test]
async fn a_back_fill_by_command() {
    let site = Site::new(RAW);
    let running = site.run().await;
    write(&running, &raw(3_600)).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("new.yaml"), plant("temp * 2", "5m")).unwrap();
    let (_, planned) = andon(folder.path(), &["plan", "new.yaml", "--running", &running.url]);
    assert!(planned.contains("`andon backfill press.warm_avg --last 30d` computes it over history"), "{planned}");
    let (fine, applied) = andon(folder.path(), &["apply", "new.yaml", "--to", &running.url, "--yes", "--backfill", "1h"]);
    assert!(fine && applied.contains("Back-fill 1 of line.hottest, press.warmest, press.warm, press.warm_avg"), "{applied}");
    let (fine, followed) = andon(folder.path(), &["backfill", "--follow", "1", "--url", &running.url]);
    assert!(fine && followed.contains("1  done"), "{followed}");
    // Plant time, which is UTC here.
    let plant_time = |second: i64| time(second).replace('T', " ").replace(":00Z", "");
    let span = ["--from", &plant_time(0), "--to", &plant_time(3_600), "--url", &running.url, "--as", "Kim"];
    let (fine, computed_now) = andon(folder.path(), &[&["backfill", "press", "line"][..], &span].concat());
    assert!(fine && computed_now.contains("2  done"), "{computed_now}");
    assert_means(&computed(&running, &SHOWN, 3_600).await, 3_600, |temp| temp * 2.0);
    let (fine, again) = andon(folder.path(), &[&["backfill", "line.hottest"][..], &span].concat());
    assert!(fine && again.contains("12/12 windows, 0 figures"), "{again}");
    let (fine, refused) = andon(folder.path(), &[&["backfill", "line.hotest"][..], &span].concat());
    assert!(!fine && refused.contains("did you mean hottest?"), "{refused}");
    let (fine, listed) = andon(folder.path(), &["backfill", "--list", "--url", &running.url]);
    assert!(fine && listed.lines().count() == 3 && listed.starts_with("3  done  line.hottest"), "{listed}");
    let (fine, late) = andon(folder.path(), &["backfill", "--cancel", "1", "--url", &running.url]);
    assert!(!fine && late.contains("is over"), "{late}");
}

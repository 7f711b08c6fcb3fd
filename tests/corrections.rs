//! What an attribute was for a while, and counts that were wrong: said later, over a crash, and followed by exactly the figures that
//! depend on it, each with a revision that says why.

use crate::harness::{Andon, Site, wait_for};
use serde_json::{Value, json};
use std::process::{Command, Output};

const PLANT: &str = "
plant: { name: Test, timezone: UTC }
shifts: { early: '06:00-14:00', late: '14:00-22:00' }
models:
  area:
    children: { lines: line }
    oee: { of: lines, form: weighted }
  line:
    children: { machines: press }
    oee: { of: machines, form: weighted }
  press:
    attributes: { ideal_rate: { default: 60, unit: 1/min }, serial: { type: string } }
    measurements:
      running: { type: bool }
      good: { type: counter }
      bad: { type: counter }
      speed: { unit: 1/min }
    transforms: { load: speed / ideal_rate }
    metrics:
      shift: { load_max: max(load) }
    oee: { running: running, good: good, bad: bad, ideal_rate: ideal_rate }
assets:
  North:
    model: area
    lines:
      Line 1:
        model: line
        machines:
          Press A: { model: press }
          Press B: { model: press }
";

const A: &str = "North/Line 1/Press A";
const B: &str = "North/Line 1/Press B";

/// Every so often a machine tells its counts.
const STEP: i64 = 300;
const SHIFT: i64 = 8 * 3_600;

/// The day before the test: its windows are closed, and the present is not far.
struct Day(String);

impl Day {
    async fn of(andon: &Andon) -> Self {
        let rows = andon.sql("SELECT CAST(CAST(now() AS DATE) - INTERVAL '1 day' AS VARCHAR)").await;
        Self(rows[0][0].as_str().unwrap()[..10].to_owned())
    }

    /// An instant of it, of `06:00`.
    fn at(&self, clock: &str) -> String {
        format!("{}T{clock}:00Z", self.0)
    }

    /// The start of its early shift, in seconds.
    fn six(&self) -> i64 {
        self.at("06:00").parse::<andon_models::Timestamp>().unwrap().as_millis() / 1_000
    }

    /// A text with its date in place of `DAY`.
    fn of_it(&self, text: &str) -> String {
        text.replace("DAY", &self.0)
    }
}

/// Two shifts of two machines that run all the time and make 50 pieces a minute, five of 250 scrap.
async fn two_shifts(andon: &Andon, day: &Day) {
    let mut body = String::new();
    for asset in [A, B] {
        let asset = asset.replace(' ', "\\ ");
        for step in 0..=2 * SHIFT / STEP {
            let (good, time) = (step * 245, day.six() + step * STEP);
            body += &format!("press,asset={asset} running=true,good={good},bad={},speed=30 {time}\n", step * 5);
        }
    }
    let request = reqwest::Client::new().post(format!("{}/api/write?precision=s", andon.url)).body(body);
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// A figure of the early and the late shift, to three digits; empty where there is none.
async fn shifts(andon: &Andon, day: &Day, asset: &str, figure: &str) -> [String; 2] {
    let asset = asset.replace(' ', "%20");
    let board = andon.json(&format!("/api/oee?asset={asset}&from={}&to={}", day.at("06:00"), day.at("23:00"))).await;
    [day.at("14:00"), day.at("22:00")].map(|end| {
        let row = board["rows"].as_array().unwrap().iter().find(|row| row["end"] == end);
        let value = row.and_then(|row| row["figures"][figure].as_f64());
        value.map_or_else(String::new, |value| format!("{value:.3}"))
    })
}

async fn wait_for_shifts(andon: &Andon, day: &Day, asset: &str, figure: &str, expected: [&str; 2]) {
    let what = format!("{figure} of {asset}: {expected:?}");
    wait_for(&what, async || (shifts(andon, day, asset, figure).await == expected).then_some(())).await;
}

/// Figures that nothing was said about, with what they are.
const OTHERS: &str = "SELECT asset || ' ' || property || ' ' || CAST(time AS VARCHAR), value FROM samples \
     WHERE (property LIKE '%5m' OR property LIKE '%1h' OR property LIKE '%shift' OR property = 'load_max') \
     AND value IS NOT NULL AND time <= 'DAYT22:00:00Z' \
     AND (asset LIKE '%B' OR time <= 'DAYT06:00:00Z' OR time > 'DAYT14:00:00Z') ORDER BY 1";

/// Runs a command against it: whether it succeeded, and what it said.
fn command(andon: &Andon, arguments: &[&str]) -> (bool, String) {
    let output: Output =
        Command::new(env!("CARGO_BIN_EXE_andon")).args(arguments).env("ANDON_URL", &andon.url).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

#[tokio::test]
async fn what_an_attribute_was_for_a_shift_changes_that_shift_and_nothing_else() {
    let site = Site::new(PLANT);
    let andon = site.run().await;
    let day = Day::of(&andon).await;
    two_shifts(&andon, &day).await;
    for asset in [A, B, "North/Line 1", "North"] {
        wait_for_shifts(&andon, &day, asset, "performance", ["0.833", "0.833"]).await;
    }
    andon.wait_for_column("SELECT DISTINCT value FROM samples WHERE property = 'load_max'", &["0.5"]).await;
    // The last of all figures are those of the area.
    let last = "SELECT count(*) FROM samples WHERE property = 'performance_5m' AND asset = 'North' AND value IS NOT NULL \
                AND time <= 'DAYT22:00:00Z'";
    andon.wait_for_column(&day.of_it(last), &["192"]).await;
    let others = andon.sql(&day.of_it(OTHERS)).await;
    assert!(others.len() > 500, "{}", others.len());

    let (done, told) = command(
        &andon,
        &[
            "set",
            A,
            "ideal_rate",
            "3000",
            "--unit",
            "1/h",
            "--from",
            &day.of_it("DAY 06:00"),
            "--to",
            &day.of_it("DAYT15:00:00+01:00"),
            "--note",
            "new bottle",
            "--as",
            "Mara",
        ],
    );
    assert!(done, "{told}");
    assert!(told.contains(&day.of_it("ideal_rate: 60 → 50 1/min, from DAYT06:00:00Z to DAYT14:00:00Z")), "{told}");
    // It is acknowledged, and in the same moment the process dies.
    andon.kill();

    let andon = site.run().await;
    wait_for_shifts(&andon, &day, A, "performance", ["1.000", "0.833"]).await;
    wait_for_shifts(&andon, &day, A, "oee", ["0.980", "0.817"]).await;
    // Of the same time one made all that it could, the other five sixths.
    wait_for_shifts(&andon, &day, "North/Line 1", "performance", ["0.917", "0.833"]).await;
    wait_for_shifts(&andon, &day, "North", "performance", ["0.917", "0.833"]).await;
    wait_for_shifts(&andon, &day, B, "performance", ["0.833", "0.833"]).await;

    let load =
        |at: &str| format!("SELECT value FROM samples WHERE asset = '{A}' AND property = 'load' AND time = '{}'", day.at(at));
    for (at, value) in [("06:00", "0.6"), ("13:55", "0.6"), ("14:00", "0.5")] {
        andon.wait_for_column(&load(at), &[value]).await;
    }
    let load_max = format!("SELECT value FROM samples WHERE property = 'load_max' AND asset = '{A}' ORDER BY time");
    andon.wait_for_column(&load_max, &["0.6", "0.5"]).await;

    let revised = "SELECT asset || ' ' || CAST(max(since) AS VARCHAR) FROM events WHERE kind = 'revision' \
                   AND message = 'ideal_rate of North/Line 1/Press A set to 50 1/min, DAYT06:00:00Z … \
                   DAYT14:00:00Z, by Mara (local engineer): new bottle' AND since > 'DAYT06:00:00Z' \
                   GROUP BY asset ORDER BY asset";
    let until = |asset: &str| format!("{asset} {}", day.at("14:00"));
    andon.wait_for_column(&day.of_it(revised), &[&until("North"), &until("North/Line 1"), &until(A)]).await;
    andon
        .wait_for_column(
            "SELECT count(*) FROM events WHERE kind = 'revision' AND message LIKE 'ideal%' AND asset LIKE '%B'",
            &["0"],
        )
        .await;
    assert_eq!(andon.sql(&day.of_it(OTHERS)).await, others, "neighbours are what they were");
    let deed = "SELECT actor || ' ' || message FROM events WHERE kind = 'deed' AND trigger = 'set_attribute'";
    let told = day.of_it(&format!(
        "Mara (local engineer) ideal_rate of {A}, DAYT06:00:00Z … DAYT14:00:00Z: 60 1/min → 50 1/min: new bottle"
    ));
    andon.wait_for_column(deed, &[&told]).await;
    let now = andon.json(&format!("/api/assets/{}", A.replace('/', "%2F").replace(' ', "%20"))).await;
    let rate = now["properties"].as_array().unwrap().iter().find(|property| property["key"] == "ideal_rate").unwrap();
    assert_eq!(rate["value"], 60.0, "the plant file says what holds now");

    corrected(&andon, &day).await;
    refused(&andon, &day).await;
}

/// A count that was wrong.
async fn corrected(andon: &Andon, day: &Day) {
    let quality = |asset: &str| {
        day.of_it(&format!(
            "SELECT CAST(round(value, 4) AS VARCHAR) FROM samples WHERE asset = '{asset}' AND property = 'quality_rate_1h' \
             AND time IN ('DAYT16:00:00Z', 'DAYT17:00:00Z', 'DAYT18:00:00Z') ORDER BY time"
        ))
    };
    andon.wait_for_column(&quality(A), &["0.98", "0.98", "0.98"]).await;
    // Not less than before it: a counter that falls has begun anew.
    let wrong = ["correct", A, "bad", "596", "--at", &day.of_it("DAY 16:00"), "--note", "test piece", "--as", "Mara"];
    let (done, told) = command(andon, &wrong);
    assert!(done && told.contains("bad: 600 → 596"), "{told}");
    andon.wait_for_column(&quality(A), &["0.9813", "0.9787", "0.98"]).await;
    andon.wait_for_column(&quality(B), &["0.98", "0.98", "0.98"]).await;
    let causes = "SELECT DISTINCT message FROM events WHERE kind = 'revision' AND message LIKE 'correction%'";
    let cause =
        day.of_it(&format!("correction of bad of {A} at DAYT16:00:00Z: 600 → 596, by Mara (local engineer): test piece"));
    andon.wait_for_column(causes, &[&cause]).await;
    let (done, told) = command(andon, &["correct", A, "bad", "7", "--at", &day.of_it("DAY 16:01")]);
    assert!(!done && told.contains(&day.of_it("no good value at DAYT16:01:00Z")), "{told}");
    assert!(told.contains(&day.of_it("596 at DAYT16:00:00Z and 605 at DAYT16:05:00Z")), "{told}");
}

/// What cannot be is refused, and says what there is to do.
async fn refused(andon: &Andon, day: &Day) {
    let edit = json!({ "asset": A, "attribute": "ideal_rate", "value": 50, "from": day.of_it("DAY 14:00"), "to": day.of_it("DAY 22:00") });
    let cases: [(&str, Value, u16, &str); 13] = [
        ("attribute", json!("ideal_rat"), 404, "has no attribute ideal_rat did you mean ideal_rate?"),
        (
            "asset",
            json!("North/Line 1/Pres A"),
            404,
            "there is no asset North/Line 1/Pres A did you mean North/Line 1/Press A?",
        ),
        ("attribute", json!("good"), 400, "good of North/Line 1/Press A is no attribute a wrong value of it is corrected by"),
        ("attribute", json!("load"), 400, "it is computed"),
        ("value", json!("fast"), 400, "`fast` is no value of ideal_rate it is a number in 1/min"),
        ("unit", json!("bar"), 400, "bar measures something else"),
        ("from", json!("yesterday"), 400, "write 2026-11-01 06:00 in plant time"),
        ("to", json!("2126-03-02 22:00"), 400, "lies in the future what is to hold from now on stands in the plant file"),
        ("from", json!("2020-03-02 22:00"), 400, "the history begins at DAYT06:00:00Z"),
        ("to", json!(day.of_it("DAY 13:00")), 400, "is not before"),
        ("to", json!(null), 409, "is 60 1/min in the plant file, which says what holds now say up to when it was 50 1/min"),
        ("value", json!(60), 409, "was 60 1/min already"),
        ("note", json!("x".repeat(501)), 400, "the note is too long"),
    ];
    for (member, value, status, told) in cases {
        let mut edit = edit.clone();
        edit[member] = value;
        let (answered, answer) = andon.post("/api/attributes", &edit).await;
        let text = |name: &str| answer["error"][name].as_str().unwrap_or_default().to_owned();
        let words = format!("{} {}", text("message"), text("hint"));
        assert!(
            answered == status && words.contains(&day.of_it(told)),
            "{edit}\n  expected {status} {told}\n  got {answered} {words}"
        );
    }
    wait_for_shifts(andon, day, A, "performance", ["1.000", "0.833"]).await;
}

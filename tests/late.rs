//! Late values are computed after a crash that came right after them, and what they changed says so.

use crate::harness::{Andon, Site};

const PLANT: &str = "
plant: { name: Test, timezone: UTC }
models:
  press:
    attributes: { ideal_rate: { default: 60, unit: 1/min } }
    measurements:
      running: { type: bool }
      good: { type: counter }
      bad: { type: counter }
    oee: { running: running, good: good, bad: bad, ideal_rate: ideal_rate }
assets:
  Press: { model: press }
";

/// 2 March 2026, 10:00 UTC: long closed when the test begins.
const TEN: i64 = 1_772_445_600;

async fn write(andon: &Andon, lines: &[(&str, i64)]) {
    let body: String = lines.iter().map(|(field, second)| format!("press,asset=Press {field} {}\n", TEN + second)).collect();
    let request = reqwest::Client::new().post(format!("{}/api/write?precision=s", andon.url)).body(body);
    let status = request.send().await.unwrap().status();
    assert_eq!(status, reqwest::StatusCode::NO_CONTENT);
}

const AVAILABILITY: &str =
    "SELECT value FROM samples WHERE property = 'availability_1h' AND time = '2026-03-02T11:00:00Z' AND value IS NOT NULL";

#[tokio::test]
async fn late_values_are_not_forgotten_by_a_crash() {
    let site = Site::new(PLANT);
    let andon = site.run().await;
    write(&andon, &[("running=true,good=0,bad=0", 0), ("good=3000,bad=30", 3_000), ("running=false", 3_600)]).await;
    andon.wait_for_column(AVAILABILITY, &["1.0"]).await;
    // A stop of a quarter of an hour comes late; it is acknowledged, and in the same moment the process dies.
    write(&andon, &[("running=false", 900), ("running=true", 1_800)]).await;
    andon.kill();

    let andon = site.run().await;
    andon.wait_for_column(AVAILABILITY, &["0.75"]).await;
    let cause = "SELECT message FROM events WHERE kind = 'revision' AND rule = '1h' AND message LIKE 'late data of Press running' \
                 AND since = '2026-03-02T11:00:00Z' LIMIT 1";
    andon.wait_for_column(cause, &["late data of Press running"]).await;
}

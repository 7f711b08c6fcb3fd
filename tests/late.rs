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

const JOINED: &str = "
plant: { name: Test, timezone: UTC }
models:
  press:
    measurements: { left: {}, right: {} }
    transforms: { force: left + right, double: force * 2 }
    metrics:
      1h: { force_most: max(force), force_last: latest(double) }
assets:
  Press: { model: press }
";

/// Every minute of an hour: both sides of a press, `left` counting up and `right` in tens.
fn minutes(side: &str, minutes: std::ops::Range<i64>) -> Vec<(String, i64)> {
    let factor = if side == "left" { 1 } else { 10 };
    minutes.map(|minute| (format!("{side}={}", minute * factor), minute * 60)).collect()
}

fn borrowed(lines: &[(String, i64)]) -> Vec<(&str, i64)> {
    lines.iter().map(|(field, second)| (field.as_str(), *second)).collect()
}

/// One of two inputs has a hole, which is filled when all windows are closed: what the other gave in the hole was joined with the
/// value from before it, and becomes what it would have been in order.
#[tokio::test]
async fn a_hole_of_one_of_two_inputs_is_filled_as_if_it_had_never_been() {
    let site = Site::new(JOINED);
    let andon = site.run().await;
    // In the hole the left side is at its most and nobody knows the right one.
    let lines = [minutes("left", 0..60), minutes("right", 0..20), minutes("right", 50..55)].concat();
    let mut lines: Vec<(String, i64)> = lines.into_iter().chain([("left=0".to_owned(), 3_600)]).collect();
    lines.sort_by_key(|(_, second)| *second);
    write(&andon, &borrowed(&lines)).await;
    let most =
        "SELECT value FROM samples WHERE property = 'force_most' AND time = '2026-03-02T11:00:00Z' AND value IS NOT NULL";
    andon.wait_for_column(most, &["599.0"]).await;

    // The end of the hour too: 59 + 590 is more than there was.
    write(&andon, &borrowed(&[minutes("right", 20..50), minutes("right", 55..60)].concat())).await;
    andon.kill();

    let andon = site.run().await;
    andon.wait_for_column(most, &["649.0"]).await;
    let cause = "SELECT DISTINCT substr(message, 1, 18) FROM events WHERE kind = 'revision' AND rule = '1h'";
    andon.wait_for_column(cause, &["late data of Press"]).await;
    let every = "SELECT CAST(count(*) AS VARCHAR) || ' ' || CAST(count(DISTINCT time) AS VARCHAR) FROM samples \
                 WHERE property = 'force' AND value = 11 * date_part('minute', time) AND time < '2026-03-02T11:00:00Z'";
    andon.wait_for_column(every, &["60 60"]).await;
    let doubled = "SELECT count(*) FROM samples \
                   WHERE property = 'double' AND value = 22 * date_part('minute', time) AND time < '2026-03-02T11:00:00Z'";
    andon.wait_for_column(doubled, &["60"]).await;
}

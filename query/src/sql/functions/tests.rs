//! The functions in statements, over buffer and files.

use crate::{
    Batch, Historian, HistorianOptions, SqlLimits,
    testing::{PLANT, catalog, event, good, point, rows, series},
};
use andon_models::{Quality, Value};

/// A press with a value every 10 s that steps each minute, bad from 300 s to 360 s; half of it in files.
async fn historian(folder: &tempfile::TempDir) -> Historian {
    let catalog = catalog(PLANT);
    let (historian, _) = Historian::open(HistorianOptions::new(folder.path()), catalog.clone()).await.unwrap();
    let temp = series(&catalog, "Line 1/Press A", "temp");
    let values = |from: i64, to: i64| {
        (from..to).map(|step| step * 10).map(|second| {
            let bad = (300..360).contains(&second);
            let value = if bad { Value::Null } else { Value::from((second / 60) as f64) };
            point(temp, second, value, if bad { Quality::Bad } else { Quality::Good })
        })
    };
    historian.append(Batch { points: values(30, 60).collect(), ..Batch::default() }).await.unwrap();
    historian.flush().await.unwrap();
    let mut points: Vec<_> = values(0, 30).collect();
    for (second, recipe) in [(0, "P1"), (120, "P2"), (400, "P1")] {
        points.push(good(series(&catalog, "Line 1/Press A", "recipe"), second, recipe));
    }
    for (second, count) in [(0, 10), (100, 25), (200, 5), (300, 15)] {
        points.push(good(series(&catalog, "Line 1/Press A", "good"), second, Value::Integer(count)));
    }
    let events = vec![event(125, "overheat"), event(310, "overheat"), event(595, "overheat")];
    historian.append(Batch { points, events, ..Batch::default() }).await.unwrap();
    historian
}

async fn check(historian: &Historian, sql: &str, expected: &str) {
    let answer = serde_json::to_string(&rows(historian, sql).await).unwrap();
    assert_eq!(answer, expected, "{sql}");
}

async fn refused(historian: &Historian, sql: &str, expected: &str) {
    let answer = historian.sql(sql, SqlLimits::default()).await.map(|answer| answer.rows);
    let error = answer.expect_err(sql).to_string();
    assert!(error.contains(expected), "{sql}: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_and_windows_cut_time() {
    let folder = tempfile::tempdir().unwrap();
    let historian = historian(&folder).await;
    let check = async |sql: &str, expected: &str| check(&historian, sql, expected).await;
    check(
        "SELECT time_bucket('5m', time) AS bucket, count(*), avg(value) FROM samples WHERE property = 'temp' GROUP BY 1 ORDER BY 1",
        r#"[["2026-01-01T00:00:00Z",30,2.0],["2026-01-01T00:05:00Z",30,7.5]]"#,
    )
    .await;
    check(
        "SELECT window_end('5m', time) AS window, count(*) FROM samples WHERE property = 'temp' GROUP BY 1 ORDER BY 1",
        r#"[["2026-01-01T00:00:00Z",1],["2026-01-01T00:05:00Z",30],["2026-01-01T00:10:00Z",29]]"#,
    )
    .await;
    check(
        "SELECT time_bucket(INTERVAL '1 day', time, 'Europe/Berlin') AS day, count(*) FROM samples WHERE property = 'temp' GROUP BY 1",
        r#"[["2025-12-31T23:00:00Z",60]]"#,
    )
    .await;
    check("SELECT time_bucket('1 month', '2026-03-31T22:30:00Z', 'Europe/Berlin')", r#"[["2026-03-31T22:00:00Z"]]"#).await;
    let refused = async |sql: &str, expected: &str| refused(&historian, sql, expected).await;
    refused("SELECT time_bucket('5 moons', time) FROM samples", "no width").await;
    refused("SELECT time_bucket('5m', time, 'Europe/Berlim') FROM samples", "neither a time zone").await;
    refused("SELECT time_bucket('5m', value) FROM samples", "wants a time").await;
    refused("SELECT time_bucket('5m') FROM samples", "a width and a time").await;
    refused("SELECT window_end('shift', time) FROM samples", "shifts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_followed_through_time() {
    let folder = tempfile::tempdir().unwrap();
    let historian = historian(&folder).await;
    let check = async |sql: &str, expected: &str| check(&historian, sql, expected).await;
    check(
        "SELECT first(value, time), last(value, time), last(string, time) FROM samples WHERE property IN ('temp', 'recipe')",
        r#"[[0.0,9.0,"P1"]]"#,
    )
    .await;
    check(
        "SELECT property, last(string, time) AS recipe FROM samples WHERE property = 'recipe' GROUP BY property",
        r#"[["recipe","P1"]]"#,
    )
    .await;
    check("SELECT first(temp, time), last(temp, time), last(asset, time) FROM press", r#"[[0.0,9.0,"Line 1/Press A"]]"#).await;
    // 0 to 4 for a minute each, then nothing for a minute, then 6 to 8 for a minute and 9 for the last 50 s.
    let average = (60.0 * (1 + 2 + 3 + 4 + 6 + 7 + 8) as f64 + 450.0) / 530.0;
    let span = "TIMESTAMP '2026-01-01T00:00:00Z', TIMESTAMP '2026-01-01T00:10:00Z'";
    let spanned = (60.0 * (1 + 2 + 3 + 4 + 6 + 7 + 8 + 9) as f64) / 540.0;
    let sql = format!(
        "SELECT time_weighted_avg(good(value, quality), time), time_weighted_avg(good(value, quality), time, {span}) \
         FROM samples WHERE property = 'temp'"
    );
    check(&sql, &format!("[[{average},{spanned}]]")).await;
    check(
        "SELECT state_duration(string, time, 'P1'), state_duration(string, time, 'P2') FROM samples WHERE property = 'recipe'",
        "[[120.0,280.0]]",
    )
    .await;
    check("SELECT state_duration(value > 2, time) FROM samples WHERE property = 'temp' AND quality = 'good'", "[[410.0]]")
        .await;
    check("SELECT increase(value, time) FROM samples WHERE property = 'good'", "[[30.0]]").await;
    check("SELECT increase(value, time), time_weighted_avg(value, time) FROM samples WHERE property = 'none'", "[[null,null]]")
        .await;
    let refused = async |sql: &str, expected: &str| refused(&historian, sql, expected).await;
    refused("SELECT time_weighted_avg(value) FROM samples", "wants a value and its time").await;
    refused("SELECT time_weighted_avg(string, time) FROM samples", "wants a number").await;
    refused("SELECT time_weighted_avg(value, time) OVER (ORDER BY time) FROM samples", "GROUP BY").await;
    refused("SELECT increase(value, time, time, time) FROM samples", "the same for all rows").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_are_filled_between_rows() {
    let folder = tempfile::tempdir().unwrap();
    let historian = historian(&folder).await;
    let check = async |sql: &str, expected: &str| check(&historian, sql, expected).await;
    let holes = "WITH holes AS (SELECT asset, time, CASE WHEN extract(minute FROM time) = 5 THEN NULL ELSE value END AS value FROM samples \
                 WHERE property = 'temp' AND extract(second FROM time) = 0) ";
    check(
        &format!("{holes}SELECT locf(value) OVER (PARTITION BY asset ORDER BY time) FROM holes ORDER BY time"),
        "[[0.0],[1.0],[2.0],[3.0],[4.0],[4.0],[6.0],[7.0],[8.0],[9.0]]",
    )
    .await;
    check(
        &format!("{holes}SELECT interpolate(value, time) OVER (PARTITION BY asset ORDER BY time) FROM holes ORDER BY time DESC LIMIT 5"),
        "[[9.0],[8.0],[7.0],[6.0],[5.0]]",
    )
    .await;
    check(
        "SELECT DISTINCT locf(string) OVER (ORDER BY time, property) AS recipe FROM samples WHERE property IN ('temp', 'recipe') ORDER BY 1",
        r#"[["P1"],["P2"]]"#,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_series_is_sampled_and_thinned() {
    let folder = tempfile::tempdir().unwrap();
    let historian = historian(&folder).await;
    let check = async |sql: &str, expected: &str| check(&historian, sql, expected).await;
    let call = |mode: &str| {
        format!(
            "SELECT value, quality FROM history('Line 1/Press A', 'temp', '2026-01-01T00:03:30Z', '2026-01-01T00:06:30Z', '1m', '{mode}') ORDER BY time"
        )
    };
    check(&call("locf"), r#"[[4.0,"good"],[null,"bad"],[6.0,"good"]]"#).await;
    check(&call("linear"), r#"[[4.0,"good"],[null,"bad"],[6.0,"good"]]"#).await;
    check(&call("avg"), r#"[[3.5,"good"],[4.0,"good"],[6.0,"good"]]"#).await;
    check(
        "SELECT time, value FROM history('Line 1/Press A', 'good', '2026-01-01T00:00:30Z', '2026-01-01T00:01:30Z', INTERVAL '30 seconds', 'linear')",
        r#"[["2026-01-01T00:01:00Z",19.0],["2026-01-01T00:01:30Z",23.5]]"#,
    )
    .await;
    check(
        "SELECT value, quality FROM history('Line 1/Press A', 'recipe', '2025-12-31T23:59:00Z', '2026-01-01T00:01:00Z', '1m')",
        r#"[["P1","good"],["P1","good"]]"#,
    )
    .await;
    check(
        "SELECT count(*), max(value), min(value) FROM trend('Line 1/Press A', 'temp', '2025-12-31T00:00:00Z', '2026-01-02T00:00:00Z', 8)",
        "[[3,9.0,0.0]]",
    )
    .await;
    check(
        "SELECT count(*) FROM trend('Line 1/Press A', 'temp', '2025-12-31T00:00:00Z', '2026-01-02T00:00:00Z') WHERE quality = 'bad'",
        "[[6]]",
    )
    .await;
    let plan = rows(&historian, &format!("EXPLAIN {}", call("locf"))).await;
    let plan = serde_json::to_string(&plan).unwrap();
    assert!(plan.contains("SeriesExec: history(Line 1/Press A, temp") && !plan.contains("SortExec"), "{plan}");
    let refused = async |sql: &str, expected: &str| refused(&historian, sql, expected).await;
    refused(&call("locv"), "did you mean 'locf'").await;
    refused(&call("locf").replace("'temp'", "'tempp'"), "did you mean 'temp'").await;
    refused(&call("locf").replace("Press A", "Pres A"), "did you mean 'Line 1/Press A'").await;
    refused(&call("locf").replace("'1m'", "'1ms'").replace("2026-01-01T00:06", "2026-01-05T00:06"), "at most 1000000 rows")
        .await;
    refused("SELECT * FROM trend('Line 1/Press A', 'temp', '2026-01-01T00:00:00Z')", "write trend(").await;
    refused("SELECT * FROM history('Line 1/Press A', 'recipe', now(), now(), '1m', 'avg')", "is a text").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_looked_up_as_of_an_instant() {
    let folder = tempfile::tempdir().unwrap();
    let historian = historian(&folder).await;
    let check = async |sql: &str, expected: &str| check(&historian, sql, expected).await;
    check(
        "SELECT detector, value_at('Line 1/Press A', 'temp', time), value_at(asset, 'recipe', time) FROM alarms ORDER BY time",
        r#"[["overheat",2.0,"P2"],["overheat",4.0,"P2"],["overheat",9.0,"P1"]]"#,
    )
    .await;
    check("SELECT count(*) FROM alarms WHERE value_at(asset, 'temp', time) > 3", "[[2]]").await;
    check(
        "SELECT value_at('Line 1/Press A', 'temp', '2026-03-01T00:00:00Z'), value_at('Line 1/Press A', 'good', '2025-12-31T00:00:00Z')",
        "[[9.0,null]]",
    )
    .await;
    check("SELECT count(*) FROM samples WHERE property = 'temp' AND value_at(asset, property, time) = value", "[[54]]").await;
    let refused = async |sql: &str, expected: &str| refused(&historian, sql, expected).await;
    refused("SELECT value_at(asset, 'recipes', time) FROM alarms", "did you mean 'recipe'").await;
    refused("SELECT value_at('Line 1', 'temp', time) FROM alarms", "has no property 'temp'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_function_makes_gigabytes_of_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let historian = historian(&folder).await;
    for sql in
        ["repeat('x', 2000000000)", "lpad('x', 1000000000, 'y')", "range(0, 100000000000)", "array_repeat(1, 1000000000)"]
    {
        refused(&historian, &format!("SELECT {sql}"), "there is no function").await;
    }
    check(&historian, "SELECT count(*) FROM generate_series(1, 1000)", "[[1000]]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn much_is_not_made_of_little() {
    let folder = tempfile::tempdir().unwrap();
    let historian = historian(&folder).await;
    let many = "a".repeat(30_000);
    let first = format!("(SELECT concat(path, '{many}') AS s FROM asset)");
    let doubled = |what: &str| (0..14).fold(first.clone(), |from, _| format!("(SELECT {what} AS s FROM {from} t)"));
    let at_most = "would make more than 64 MB";
    refused(&historian, &format!("SELECT length(replace('{many}', 'a', '{many}'))"), at_most).await;
    refused(&historian, &format!("SELECT length(regexp_replace('{many}', 'a', '{many}', 'g'))"), at_most).await;
    refused(&historian, &format!("SELECT length(array_to_string(make_array('{many}', '{many}'), '{many}'))"), at_most).await;
    for what in ["s || s", "concat(s, s)", "encode(s, 'hex')", "overlay(s placing s from 1 for 0)"] {
        refused(&historian, &format!("SELECT length(s) FROM {} t", doubled(what)), at_most).await;
    }
    for (sql, expected) in [
        ("SELECT 'a' || 'b' || 1", r#"[["ab1"]]"#),
        ("SELECT path || '/' || asset_name FROM asset WHERE path = 'Line 1/Press A'", r#"[["Line 1/Press A/Press A"]]"#),
        ("SELECT 'a' || NULL, concat('a', NULL, 'b')", r#"[[null,"ab"]]"#),
        ("SELECT replace('a.b.c', '.', '--'), regexp_replace('x12y3', '[0-9]+', '<\\0>', 'g')", r#"[["a--b--c","x<12>y<3>"]]"#),
        ("SELECT array_concat(make_array(1), make_array(2, 3)), concat_ws('-', 'a', 'b')", r#"[["[1, 2, 3]","a-b"]]"#),
        ("SELECT overlay('Txxxxas' placing 'hom' from 2 for 4)", r#"[["Thomas"]]"#),
    ] {
        check(&historian, sql, expected).await;
    }
}

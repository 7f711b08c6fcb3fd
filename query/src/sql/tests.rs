//! SQL as people and programs use it.

use crate::{
    Batch, Historian, HistorianOptions, SqlLimits,
    testing::{PLANT, catalog, event, good, rows, series},
};
use andon_models::Value;
use std::time::Duration;

async fn historian(folder: &tempfile::TempDir) -> Historian {
    let catalog = catalog(PLANT);
    let (historian, _) = Historian::open(HistorianOptions::new(folder.path()), catalog.clone()).await.unwrap();
    let mut points = Vec::new();
    for (asset, offset) in [("Line 1/Press A", 0.0), ("Line 1/Press B", 100.0)] {
        for minute in 0..120 {
            points.push(good(series(&catalog, asset, "temp"), minute * 60, minute as f64 + offset));
        }
        points.push(good(series(&catalog, asset, "recipe"), 60, "P500"));
        points.push(good(series(&catalog, asset, "running"), 60, true));
        points.push(good(series(&catalog, asset, "state"), 60, Value::Integer(6)));
    }
    historian.append(Batch { points, events: vec![event(5, "overheat")], ..Batch::default() }).await.unwrap();
    historian
}

async fn check(historian: &Historian, sql: &str, expected: &str) {
    let answer = serde_json::to_string(&rows(historian, sql).await).unwrap();
    assert_eq!(answer, expected, "{sql}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_answer_by_the_names_people_know() {
    let folder = tempfile::tempdir().unwrap();
    let historian = historian(&folder).await;
    let check = async |sql: &str, expected: &str| check(&historian, sql, expected).await;
    check("SELECT count(*) FROM samples", "[[246]]").await;
    check(
        "SELECT time, asset, temp, running, recipe, state, ideal_rate FROM press WHERE time = '2026-01-01T00:01:00Z' ORDER BY asset",
        r#"[["2026-01-01T00:01:00Z","Line 1/Press A",1.0,true,"P500",6,120.0],["2026-01-01T00:01:00Z","Line 1/Press B",101.0,true,"P500",6,60.0]]"#,
    )
    .await;
    check("SELECT count(*), max(temp) FROM press WHERE asset = 'Line 1/Press B'", "[[120,219.0]]").await;
    check("SELECT state, priority, message, detector FROM alarms", r#"[["unacknowledged","high","too hot","overheat"]]"#).await;
    check(
        "SELECT a.asset_name, p.property_name, r.double_value FROM raw_time_series r \
         JOIN asset a ON a.asset_id = r.asset_id JOIN asset_property p ON p.asset_id = r.asset_id AND p.property_id = r.property_id \
         WHERE r.event_timestamp = TIMESTAMP '2026-01-01 00:02:00' ORDER BY 1",
        r#"[["Press A","temp",2.0],["Press B","temp",102.0]]"#,
    )
    .await;
    check(
        "SELECT event_timestamp, count_value, average_value, maximum_value, stdev_value > 0 FROM precomputed_aggregates \
         WHERE resolution = '1h' AND property_alias = '/Line 1/Press A/temp' ORDER BY 1 LIMIT 2",
        // The first point lies on the end of an hour and belongs to it.
        r#"[["2026-01-01T00:00:00Z",1,0.0,0.0,null],["2026-01-01T01:00:00Z",60,30.5,60.0,true]]"#,
    )
    .await;
    check(
        "SELECT property_alias, double_value, string_value FROM latest_value_time_series WHERE property_alias LIKE '%A/temp' OR \
         property_alias LIKE '%A/recipe' ORDER BY 1",
        r#"[["/Line 1/Press A/recipe",null,"P500"],["/Line 1/Press A/temp",119.0,null]]"#,
    )
    .await;
    check(
        "SELECT double_attribute_value FROM asset_property WHERE property_name = 'ideal_rate' ORDER BY 1",
        "[[60.0],[120.0]]",
    )
    .await;
    check("SELECT asset_name, path FROM asset WHERE parent_asset_id IS NULL", r#"[["Line 1","Line 1"]]"#).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_change_anything_or_leave_the_house_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let historian = historian(&folder).await;
    let file = folder.path().join("out.parquet");
    let file = file.display();
    for statement in [
        "INSERT INTO samples VALUES (1)",
        "DELETE FROM samples",
        "UPDATE stored_events SET kind = 'x'",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE samples",
        &format!("COPY (SELECT 1) TO '{file}'"),
        &format!("COPY samples TO '{file}'"),
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SET datafusion.execution.target_partitions = 1",
        "EXPLAIN ANALYZE SELECT 1",
        "EXPLAIN COPY (SELECT 1) TO '/tmp/x.csv'",
        "SELECT 1; DROP TABLE samples",
        "PREPARE p AS SELECT 1",
        "BEGIN",
        "",
        "SELEC 1",
    ] {
        let answer = historian.sql(statement, SqlLimits::default()).await;
        assert!(answer.is_err(), "{statement} was answered: {answer:?}");
    }
    assert!(!folder.path().join("out.parquet").exists());
    let error = historian.sql("DROP TABLE samples", SqlLimits::default()).await.unwrap_err().to_string();
    assert!(error.contains("CREATE or DROP is not allowed"), "{error}");
    let error = historian.sql("SELECT tempp FROM press", SqlLimits::default()).await.unwrap_err().to_string();
    assert!(error.contains("tempp") && error.contains("temp"), "{error}");
    for (statement, expected) in [
        ("SELECT * FROM sampels", "no table 'sampels'; did you mean 'samples'?"),
        ("SELECT * FROM nothing_like_it", "SHOW TABLES"),
        ("SELECT time_bukket('5m', time) FROM samples", "did you mean 'time_bucket'?"),
        ("SELECT propertie FROM samples", "property"),
        ("SELECT * FROM histori('a')", "did you mean 'history'?"),
        ("SELECT * FROM samples a ASOF JOIN samples b MATCH_CONDITION (a.time >= b.time) ON a.asset = b.asset", "value_at"),
        ("SELECT * FROM samples OFFSET 18446744073709551614", "OFFSET"),
        ("SELECT * FROM samples LIMIT 9223372036854775807 OFFSET 9223372036854775807", "OFFSET"),
        ("SELECT * FROM samples LIMIT 10 OFFSET 9223372036854775807", "OFFSET"),
    ] {
        let error = historian.sql(statement, SqlLimits::default()).await.map(|answer| answer.rows).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("internal"), "{statement}: {error}");
    }
    assert_eq!(rows(&historian, "SELECT count(*) FROM samples").await[0][0], 246);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let historian = historian(&folder).await;
    let limits = SqlLimits { rows: 10, ..SqlLimits::default() };
    let answer = historian.sql("SELECT * FROM samples", limits).await.unwrap();
    assert!(answer.truncated && answer.rows.len() == 10);
    assert!(!historian.sql("SELECT * FROM samples LIMIT 10", limits).await.unwrap().truncated);
    let limits = SqlLimits { time: Duration::from_millis(50), ..SqlLimits::default() };
    let endless = "SELECT count(*) FROM samples a, samples b, samples c, samples d, samples e WHERE a.value + b.value + c.value + d.value + e.value < -1";
    let error = historian.sql(endless, limits).await.unwrap_err();
    assert!(matches!(error, crate::QueryError::TimedOut(_)), "{error}");
    historian.close().await.unwrap();
    let options = HistorianOptions { memory: 3 << 20, ..HistorianOptions::new(folder.path()) };
    let (historian, _) = Historian::open(options, catalog(PLANT)).await.unwrap();
    let hungry = "SELECT count(DISTINCT concat(a.alias, b.alias, a.time, b.time)) FROM samples a, samples b";
    let error = historian.sql(hungry, SqlLimits::default()).await.unwrap_err().to_string();
    assert!(error.contains("memory"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_can_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let historian = historian(&folder).await;
    check(&historian, "SELECT NULL, CAST(NULL AS double) AS none, 1", "[[null,null,1]]").await;
    let tables = rows(&historian, "SHOW TABLES").await;
    assert!(tables.iter().any(|row| row.iter().any(|cell| cell == "press")), "{tables:?}");
    let columns = rows(&historian, "DESCRIBE samples").await;
    assert!(columns.iter().any(|row| row[0] == "property"), "{columns:?}");
    let plan = rows(&historian, "EXPLAIN SELECT * FROM history('Line 1/Press A', 'temp', now(), now(), '1m')").await;
    assert!(plan.len() > 1, "{plan:?}");
    let limits = SqlLimits::default();
    let types = "SELECT DATE '2026-01-01', now(), INTERVAL '1 day', [1, 2], NULL, 1.5, 'a', true, now() - now()";
    let types = historian.sql(types, limits).await.unwrap().columns;
    let types: Vec<&str> = types.iter().map(|column| column.r#type.as_str()).collect();
    let expected = ["date", "timestamp", "interval", "list of integer", "null", "double", "string", "boolean", "interval"];
    assert_eq!(types, expected);
    assert_eq!(historian.stats().statements, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_describe_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let tables = historian(&folder).await.tables();
    let names: Vec<&str> = tables.iter().map(|table| table.table.as_str()).collect();
    for name in
        ["samples", "latest", "asset", "asset_property", "events", "alarms", "commands", "raw_time_series", "press", "line"]
    {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let press = tables.iter().find(|table| table.table == "press").unwrap();
    assert!(
        press.columns.iter().any(|column| column.name == "temp" && column.r#type == "double" && column.description == "°C")
    );
}

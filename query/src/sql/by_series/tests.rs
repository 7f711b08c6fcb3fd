//! Answers with the rule against answers without it.

use crate::{
    Batch, Historian, HistorianOptions,
    testing::{PLANT, catalog, point, rows, series},
};
use andon_models::{Quality, Value, ValueType};

/// Two machines, and three streams of which two end in the same name. Values are whole, so sums do not depend on the order.
async fn historian(folder: &tempfile::TempDir) -> Historian {
    let catalog = catalog(PLANT);
    let (historian, _) = Historian::open(HistorianOptions::new(folder.path()), catalog.clone()).await.unwrap();
    let streams = ["hall/a/power", "hall/b/power", "hall/b/dust"]
        .map(|alias| historian.target_or_new(alias, ValueType::Double, "").unwrap().series);
    let mut points = Vec::new();
    for second in 0..400 {
        let quality = [Quality::Good, Quality::Good, Quality::Uncertain, Quality::Bad][usize::try_from(second % 4).unwrap()];
        for (offset, asset) in [(0, "Line 1/Press A"), (7, "Line 1/Press B")] {
            let value = if second % 28 == 3 { Value::Null } else { Value::Double((second * 13 % 97 + offset) as f64) };
            points.push(point(series(&catalog, asset, "temp"), second * 17, value, quality));
            points.push(point(series(&catalog, asset, "state"), second * 17, Value::Integer(second % 5 + offset), quality));
            points.push(point(series(&catalog, asset, "running"), second * 29, Value::Boolean(second % 3 == 0), quality));
            points.push(point(series(&catalog, asset, "recipe"), second * 61, format!("P{second}").as_str().into(), quality));
        }
        for stream in &streams {
            points.push(point(*stream, second * 11, Value::Double(f64::from(stream.0 % 5)), quality));
        }
    }
    historian.append(Batch { points, ..Batch::default() }).await.unwrap();
    historian
}

#[tokio::test(flavor = "multi_thread")]
async fn grouping_by_series_first_changes_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let historian = historian(&folder).await;
    // A part of the samples in files, the rest in the buffer.
    historian.flush().await.unwrap();
    let aggregates = "count(*), count(value), count(string), sum(\"double\"), sum(\"integer\"), avg(\"integer\"), avg(value), min(time), \
                      max(value), min(string), max(\"double\" * 2 - \"integer\")";
    let groups = [
        "asset, property",
        "property",
        "asset",
        "asset, date_trunc('minute', time)",
        "date_trunc('hour', time), property, quality",
        "upper(asset) || '/' || property",
        "model, data_is_even, property",
    ];
    let conditions = [
        "true",
        "quality = 'good'",
        "quality IN ('bad', 'uncertain') AND value > 3",
        "asset = 'Line 1/Press B' AND time > '2026-01-01T00:20:00Z'",
        "asset IS NULL",
        "quality = 'no such quality'",
        "'good' = quality OR quality = 'bad'",
    ];
    let from = "(SELECT *, CAST(extract(minute FROM time) AS BIGINT) % 2 = 0 AS data_is_even FROM samples s) t";
    for group in groups {
        for condition in conditions {
            let asked = format!("SELECT {group}, {aggregates} FROM {from} WHERE {condition} GROUP BY {group}");
            // The number of different series cannot be put together, so nothing is rewritten.
            let plain = asked.replacen(aggregates, &format!("{aggregates}, count(DISTINCT series)"), 1);
            let mut without = rows(&historian, &plain).await;
            without.iter_mut().for_each(|row| {
                row.pop();
            });
            let mut with = rows(&historian, &asked).await;
            with.sort_by_key(|row| format!("{row:?}"));
            without.sort_by_key(|row| format!("{row:?}"));
            assert_eq!(with, without, "{asked}");
            assert!(condition.contains("no such") == with.is_empty(), "{asked}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_can_be_put_together_is_grouped_by_series() {
    let folder = tempfile::tempdir().unwrap();
    let historian = historian(&folder).await;
    let plan = async |sql: &str| format!("{:?}", rows(&historian, &format!("EXPLAIN {sql}")).await);
    for (sql, expected) in [
        ("SELECT asset, max(\"double\") FROM samples GROUP BY asset", true),
        ("SELECT s.asset, max(s.\"double\") FROM samples AS s GROUP BY s.asset", true),
        ("SELECT asset, stddev(\"double\") FROM samples GROUP BY asset", false),
        ("SELECT quality, max(\"double\") FROM samples GROUP BY quality", false),
        ("SELECT series, asset, max(\"double\") FROM samples GROUP BY series, asset", false),
        ("SELECT asset, max(property) FROM samples GROUP BY asset", false),
        // Such parts come to values of other types.
        ("SELECT asset, avg(\"double\"::numeric(20, 3)) FROM samples GROUP BY asset", false),
        ("SELECT asset, sum(\"double\"::numeric(20, 3)) FROM samples GROUP BY asset", false),
        ("SELECT asset, avg(time - TIMESTAMP '2025-12-31T00:00:00Z') FROM samples GROUP BY asset", false),
        // Roll-ups know the answer.
        ("SELECT asset, max(value) FROM samples GROUP BY asset", false),
    ] {
        assert_eq!(plan(sql).await.contains("name_of_series"), expected, "{sql}\n{}", plan(sql).await);
    }
    // The order of the files is used: groups are finished one after the other, not held until the end.
    historian.flush().await.unwrap();
    let ordered = "SELECT asset, property, date_trunc('hour', time), max(\"double\") FROM samples GROUP BY 1, 2, 3";
    assert!(plan(ordered).await.contains("ordering_mode=Sorted"), "{}", plan(ordered).await);
    // A quality is sorted out where the samples are read.
    let good = "SELECT count(\"double\") FROM samples WHERE quality = 'good' AND time > '2026-01-01T00:20:00.5Z'";
    assert!(plan(good).await.contains("quality@4 = 0"), "{}", plan(good).await);
}

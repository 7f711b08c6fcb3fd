//! Data streams: made by their first values, kept like these.

use super::*;

fn write(historian: &Historian, alias: &str, second: i64, value: impl Into<Value>) -> Batch {
    let value = value.into();
    let target = historian.target_or_new(alias, value.value_type().unwrap(), "").unwrap();
    Batch { points: vec![good(target.series, second, target.accept(value).unwrap())], ..Batch::default() }
}

const ALL: &str = "SELECT alias, property, asset, value, string FROM samples WHERE asset IS NULL ORDER BY alias, time";

#[tokio::test(flavor = "multi_thread")]
async fn a_new_stream_is_known_right_after_a_crash_and_in_files() {
    let bench = Bench::new();
    let (historian, _) = bench.open().await;
    historian.append(write(&historian, "/Line 9/Oven/zone temp", 1, 180.5)).await.unwrap();
    historian.append(write(&historian, "boiler,site=a note", 2, "hot")).await.unwrap();
    historian.append(write(&historian, "/Line 9/Oven/zone temp", 3, 181_i64)).await.unwrap();
    let before = rows(&historian, ALL).await;
    assert_eq!(
        serde_json::to_string(&before).unwrap(),
        r#"[["/Line 9/Oven/zone temp","zone temp",null,180.5,null],["/Line 9/Oven/zone temp","zone temp",null,181.0,null],["boiler,site=a note","note",null,null,"hot"]]"#
    );
    kill(historian).await;

    let reader = Historian::open_read_only(bench.folder.path()).await.unwrap();
    assert_eq!(rows(&reader, ALL).await, before);
    let (historian, _) = bench.open().await;
    assert_eq!(rows(&historian, ALL).await, before);
    historian.flush().await.unwrap();
    historian.append(write(&historian, "third", 4, true)).await.unwrap();
    historian.flush().await.unwrap();
    assert_eq!(rows(&historian, ALL).await[..2], before[..2]);
    kill(historian).await;

    let (historian, recovered) = bench.open().await;
    assert_eq!(recovered.log_points, 0, "all of it is in files, names included");
    let listed =
        rows(&historian, "SELECT property_alias, property_type, property_data_type FROM asset_property WHERE asset IS NULL")
            .await;
    assert_eq!(
        serde_json::to_string(&listed).unwrap(),
        r#"[["/Line 9/Oven/zone temp","stream","DOUBLE"],["boiler,site=a note","stream","STRING"],["third","stream","BOOLEAN"]]"#
    );
    assert_eq!(rows(&historian, "SELECT value FROM latest WHERE alias = 'third'").await, [[serde_json::Value::from(1.0)]]);
    let next = historian.target_or_new("fourth", andon_models::ValueType::Double, "").unwrap();
    assert_eq!(next.series.0, crate::FIRST_STREAM + 3, "numbers are not given twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_an_asset_is_its_property_and_what_is_computed_takes_nothing() {
    let bench = Bench::new();
    let (historian, _) = bench.open().await;
    let double = andon_models::ValueType::Double;
    for alias in ["/Line 1/Press A/temp", "Line 1/Press A/temp"] {
        assert_eq!(historian.target_or_new(alias, double, "").unwrap().series, bench.temp());
    }
    assert_eq!(historian.property_target("Line 1/Press A", "temp").unwrap().unwrap().series, bench.temp());
    assert_eq!(historian.property_target("Line 1/Press A", "none").unwrap(), None);
    for (property, why) in [("temp_avg", "is computed"), ("ideal_rate", "is an attribute")] {
        let error = historian.target(&format!("/Line 1/Press A/{property}")).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_stay_usable() {
    let bench = Bench::new();
    let (historian, _) = bench.open().await;
    let many = 20_000;
    let mut points = bench.batch([1]).points;
    for number in 0..many {
        let target =
            historian.target_or_new(&format!("meter,id={number} power"), andon_models::ValueType::Double, "kW").unwrap();
        points.push(good(target.series, 1, f64::from(number)));
    }
    historian.append(Batch { points, ..Batch::default() }).await.unwrap();
    for round in ["buffer", "files"] {
        let all = "SELECT count(*), count(DISTINCT alias), sum(value), min(unit) FROM samples WHERE property = 'power'";
        let sum = f64::from(many) * f64::from(many - 1) / 2.0;
        assert_eq!(
            rows(&historian, all).await,
            [serde_json::json!([many, many, sum, "kW"]).as_array().unwrap().clone()],
            "{round}"
        );
        let one = "SELECT value FROM samples WHERE alias = 'meter,id=12345 power'";
        assert_eq!(rows(&historian, one).await, [[serde_json::Value::from(12_345.0)]], "{round}");
        for (condition, count) in [
            ("alias = 'meter,id=12345 power'", 1),
            ("alias = 'meter,id=12345 power' AND property = 'other'", 0),
            ("alias = 'nothing'", 0),
            ("alias = '/Line 1/Press A/temp'", 1),
            ("alias IN ('meter,id=1 power', 'meter,id=19999 power')", 2),
            ("alias = 'meter,id=1 power' OR property = 'temp'", 2),
            ("asset = 'Line 1/Press A'", 1),
            ("asset IS NULL", 20_000),
            ("'kW' = unit AND alias LIKE 'meter,id=1234%'", 11),
        ] {
            for table in ["samples", "latest"] {
                let counted = rows(&historian, &format!("SELECT count(*) FROM {table} WHERE {condition}")).await;
                assert_eq!(counted, [[serde_json::Value::from(count)]], "{round}: {table} where {condition}");
            }
        }
        historian.flush().await.unwrap();
    }
}

/// Whoever reads the files has no other column to tell two streams apart whose names end alike.
#[tokio::test(flavor = "multi_thread")]
async fn files_hold_the_whole_names_of_streams() {
    let bench = Bench::new();
    let (historian, _) = bench.open().await;
    let mut batch = bench.batch(0..2);
    for alias in ["boiler,unit=1 v", "boiler,unit=2 v"] {
        batch.points.extend(write(&historian, alias, 1, 0.5).points);
    }
    historian.append(batch).await.unwrap();
    historian.flush().await.unwrap();
    let session = datafusion::prelude::SessionContext::new();
    let folder = bench.folder.path().join("history/samples").display().to_string();
    session.register_parquet("stored", &folder, Default::default()).await.unwrap();
    let stored = session.sql("SELECT DISTINCT asset, property FROM stored ORDER BY property").await.unwrap();
    let stored = arrow::util::pretty::pretty_format_batches(&stored.collect().await.unwrap()).unwrap().to_string();
    for name in
        ["|                | boiler,unit=1 v |", "|                | boiler,unit=2 v |", "| Line 1/Press A | temp            |"]
    {
        assert!(stored.contains(name), "{name} in\n{stored}");
    }
}

//! Files in, points and mistakes out.

use super::*;
use crate::{
    directory::Directory,
    testing::{PLANT, catalog},
};
use arrow::{
    array::{ArrayRef, BooleanArray, Float32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray},
    compute::cast,
    datatypes::DataType,
};
use std::{io::Write, ops::ControlFlow};

fn names() -> Names {
    let mut directory = Directory::default();
    directory.learn(&catalog(PLANT));
    Names::of(&Arc::new(directory))
}

/// What a file comes to, a line per point and mistake.
fn read_bytes(name: &str, bytes: &[u8], options: &ReadOptions) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let names = names();
    let mut shown = String::new();
    let read = read(&path, &names, options, &mut |step| {
        match step {
            Step::Points(points) => {
                for Point { series, tqv } in points {
                    let name = names.alias_of(series).unwrap().replace("/Line 1/Press ", "");
                    let status = if tqv.status.0 == 0 { String::new() } else { format!(" {:x}", tqv.status.0) };
                    shown += &format!("{name} {} {:?} {}{status}\n", tqv.time, tqv.value, tqv.quality);
                }
            }
            Step::Problem { line, message } => shown += &format!("{line}: {message}\n"),
            Step::Progress(_) => {}
        }
        ControlFlow::Continue(())
    });
    if let Err(error) = read {
        shown += &error.to_string().replace(&path.display().to_string(), "FILE");
    }
    shown
}

fn check(text: &str, expected: &str) {
    let shown = read_bytes("values.csv", text.as_bytes(), &ReadOptions::default());
    assert_eq!(shown.trim(), expected.trim());
}

#[test]
fn long_files_have_a_value_per_row() {
    check(
        "time,asset,property,value,quality,status
2026-01-05T06:00:00.000000001Z,Line 1/Press A,temp,20.5,,
1767592801,Line 1/Press A,running,true,good,
1767592802000,Line 1/Press A,recipe,\"a, \"\"b\"\"\",uncertain,
1767592803000,Line 1/Press A,recipe,\"\",,
2026-01-05T06:00:04Z,Line 1/Press A,temp,,,
2026-01-05T06:00:05Z,Line 1/Press B,good,7,Bad,2148139008
2026-01-05T06:00:06Z,,/Line 1/Press B/state,-3,,",
        "
A/temp 2026-01-05T06:00:00.000000001Z Double(20.5) good
A/running 2026-01-05T06:00:01Z Boolean(true) good
A/recipe 2026-01-05T06:00:02Z String(\"a, \\\"b\\\"\") uncertain 40000000
A/recipe 2026-01-05T06:00:03Z String(\"\") good
A/temp 2026-01-05T06:00:04Z Null bad 809b0000
B/good 2026-01-05T06:00:05Z Double(7.0) bad 800a0000
B/state 2026-01-05T06:00:06Z Integer(-3) good",
    );
}

#[test]
fn wide_files_have_a_column_per_property_or_alias() {
    check(
        "time;asset;temp;running
2026-01-05T06:00:00Z;Line 1/Press A;20.5;1
2026-01-05T06:00:01Z;Line 1/Press B;;0",
        "
A/temp 2026-01-05T06:00:00Z Double(20.5) good
A/running 2026-01-05T06:00:00Z Boolean(true) good
B/running 2026-01-05T06:00:01Z Boolean(false) good",
    );
    check(
        "time\t/Line 1/Press A/temp\tLine 1/Press B/temp\tLine 1/Press C/temp
2026-01-05T06:00:00Z\t1\t2\t3
2026-01-05T06:00:01Z\tx\t4\t",
        "
1: there is no asset `Line 1/Press C`; did you mean `Line 1/Press A`? (or make it a data stream: --create-streams)
2: /Line 1/Press A/temp: `x` is no number
A/temp 2026-01-05T06:00:00Z Double(1.0) good
B/temp 2026-01-05T06:00:00Z Double(2.0) good
B/temp 2026-01-05T06:00:01Z Double(4.0) good"
            .replace("2: /Line", "3: /Line")
            .as_str(),
    );
}

#[test]
fn mistakes_name_their_line_and_the_way_out() {
    check(
        "time,asset,property,value
yesterday,Line 1/Press A,temp,1
2026-01-05 06:00:00,Line 1/Press A,temp,1
2026-01-05T06:00:00Z,Line 1/Pres A,temp,1
2026-01-05T06:00:00Z,Line 1/Press A,tempp,1
2026-01-05T06:00:00Z,Line 1/Press A,state,1.5
2026-01-05T06:00:00Z,Line 1/Press A,temp,1,2
2026-01-05T06:00:00Z,Line 1/Press A,temp
2026-01-05T06:00:00Z,Line 1/Press A,temp,2",
        "
2: `yesterday` is no time; write 2026-01-05T06:00:00Z or a number since 1970, or say --time-format '%d.%m.%Y %H:%M:%S'
3: `2026-01-05T06:00:00` does not say its offset; say the zone it was written in, as --timezone Europe/Berlin or UTC
4: there is no asset `Line 1/Pres A`; did you mean `Line 1/Press A`? (or make it a data stream: --create-streams)
5: `Line 1/Press A` has no property `tempp`; did you mean `temp`? (or make it a data stream: --create-streams)
6: `1.5` is no whole number
7: the line has 5 fields, the header 4
8: the line has 3 fields, the header 4
A/temp 2026-01-05T06:00:00Z Double(2.0) good",
    );
    check("", "1: the file is empty; its first line must name the columns");
    check(
        "time,asset,property,value,qualty\n",
        &format!("1: {}", {
            "the column `qualty` (number 5) is not understood; did you mean `quality`? columns are time,asset,property,value[,quality] \
         or time,alias,value, or one column per property behind time,asset, or one per alias behind time"
        }),
    );
    let shown = read_bytes("x.zip", b"PK\x03\x04", &ReadOptions::default());
    assert_eq!(shown, "cannot read FILE: it is neither CSV (as UTF-8 text, or compressed by gzip) nor Parquet");
}

#[test]
fn a_local_file_with_decimal_commas_is_read_also_compressed() {
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    let time = TimeForm { zone: Some(zone), ..TimeForm::default() };
    let options = ReadOptions { time, decimal_comma: true, now: None };
    let text = "time;asset;temp\r\n2026-10-25 02:30:00;Line 1/Press A;1,5\r\n2026-10-25 02:30:00;Line 1/Press A;2,5\r\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let expected = "A/temp 2026-10-25T00:30:00Z Double(1.5) good\nA/temp 2026-10-25T01:30:00Z Double(2.5) good\n";
    assert_eq!(read_bytes("values.csv", text.as_bytes(), &options), expected);
    assert_eq!(read_bytes("values.csv.gz", &packed, &options), expected);
    assert!(read_bytes("values.csv.gz", &packed[..packed.len() - 9], &options).contains("cannot read FILE"));
}

fn parquet_of(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ::parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn parquet_files_of_others_are_read_by_the_same_names() {
    let time: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![1_767_592_800_000, 1_767_592_801_500]));
    let utc: ArrayRef =
        Arc::new(TimestampMillisecondArray::from(vec![1_767_592_800_000, 1_767_592_801_500]).with_timezone("UTC"));
    let asset: ArrayRef = Arc::new(StringArray::from(vec!["Line 1/Press A", "Line 1/Press B"]));
    let words = cast(&asset, &DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::LargeUtf8))).unwrap();
    let temp: ArrayRef = Arc::new(Float32Array::from(vec![Some(1.5), Some(f32::NAN)]));
    let good: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(9)]));
    let running: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
    let wide = parquet_of(vec![
        ("time", utc),
        ("asset", words),
        ("temp", temp),
        ("good", good.clone()),
        ("running", running),
        ("__index_level_0__", good),
    ]);
    let expected = "A/temp 2026-01-05T06:00:00Z Double(1.5) good\nA/running 2026-01-05T06:00:00Z Boolean(true) good\n\
                    B/good 2026-01-05T06:00:01.5Z Double(9.0) good\nB/running 2026-01-05T06:00:01.5Z Boolean(false) good\n";
    assert_eq!(read_bytes("wide.parquet", &wide, &ReadOptions::default()), expected);
    let value: ArrayRef = Arc::new(StringArray::from(vec!["1.5", "x"]));
    let property: ArrayRef = Arc::new(StringArray::from(vec!["temp", "temp"]));
    let long = parquet_of(vec![("time", time), ("asset", asset), ("property", property), ("value", value)]);
    let shown = read_bytes("long.parquet", &long, &ReadOptions::default());
    assert!(shown.starts_with("1: `2026-01-05T06:00:00` does not say its offset"), "{shown}");
    let zone = TimeForm { zone: Some(jiff::tz::TimeZone::UTC), ..TimeForm::default() };
    let shown = read_bytes("long.parquet", &long, &ReadOptions { time: zone, ..ReadOptions::default() });
    assert_eq!(shown, "2: `x` is no number\nA/temp 2026-01-05T06:00:00Z Double(1.5) good\n");
}

#[test]
fn a_tally_counts_rows_spans_and_doubles() {
    let names = names();
    let target = names.property("Line 1/Press A", "temp").unwrap();
    let point = |second, quality| crate::testing::point(target.series, second, 1.0.into(), quality);
    use andon_models::Quality::{Bad, Good};
    let mut tally = Tally::new(true);
    tally.add(&[point(5, Good), point(1, Good), point(5, Bad), point(1, Good), point(1, Good)]);
    assert_eq!((tally.rows(), tally.doubles()), (5, Some(2)));
    assert_eq!(tally.span(), Some((crate::testing::at(1), crate::testing::at(5))));
    let mut problems = Problems::default();
    for line in [7, 3, 9] {
        problems.add("a.csv".as_ref(), line, if line == 3 { "other".into() } else { "same".into() });
    }
    let shown: Vec<_> = problems.first(20).into_iter().map(|problem| (problem.line, problem.lines)).collect();
    assert_eq!((problems.count(), shown), (3, vec![(3, 1), (7, 2)]));
}

mod round_trip {
    use super::*;
    use crate::{Batch, Historian, HistorianOptions};
    use andon_models::{Quality, SeriesId, StatusCode, Timestamp, Tqv, Value, ValueType};
    use futures::StreamExt;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Points = BTreeMap<(SeriesId, Timestamp, Quality), (StatusCode, Value)>;

    fn value(value_type: ValueType) -> BoxedStrategy<Value> {
        let some = match value_type {
            ValueType::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
            ValueType::Integer => any::<i64>().prop_map(Value::Integer).boxed(),
            ValueType::Double => {
                any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Double).boxed()
            }
            ValueType::String => "[a-zß ,;\"\n\r\t']{0,8}".prop_map(|text| Value::String(text.into())).boxed(),
        };
        prop_oneof![1 => Just(Value::Null), 6 => some].boxed()
    }

    fn point() -> impl Strategy<Value = Point> {
        let names = names();
        let targets: Vec<Target> = ["running", "temp", "recipe", "state"]
            .iter()
            .flat_map(|property| ["A", "B"].map(|press| names.property(&format!("Line 1/Press {press}"), property).unwrap()))
            .collect();
        let quality = prop::sample::select(vec![Quality::Good, Quality::Uncertain, Quality::Bad]);
        // Three days around the epoch, so that days, negative instants and repeated keys all occur.
        let time = prop_oneof![-130_000_000_000_000..130_000_000_000_000_i64, 0..5_i64];
        (prop::sample::select(targets), time, quality, any::<u32>()).prop_flat_map(|(target, time, quality, status)| {
            value(target.value_type).prop_map(move |value| Point {
                series: target.series,
                tqv: Tqv { time: Timestamp::from_nanos(time), quality, status: StatusCode(status), value },
            })
        })
    }

    async fn export(historian: &Historian, format: Format) -> Vec<u8> {
        let mut stream = historian.export_stream(&ExportFilter::default()).unwrap();
        let mut writer = FileWriter::new(Vec::new(), format, &stream.schema(), true).unwrap();
        while let Some(batch) = stream.next().await {
            writer.write(&batch.unwrap()).unwrap();
        }
        writer.finish().unwrap()
    }

    fn import(name: &str, bytes: &[u8], historian: &Historian) -> Vec<Point> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut all = Vec::new();
        read(&path, &historian.names(), &ReadOptions::default(), &mut |step| {
            match step {
                Step::Points(points) => all.extend(points),
                Step::Problem { line, message } => panic!("{line}: {message}\n{}", String::from_utf8_lossy(bytes)),
                Step::Progress(_) => {}
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        all
    }

    fn unique(points: &[Point]) -> Points {
        points.iter().cloned().map(|Point { series, tqv }| ((series, tqv.time, tqv.quality), (tqv.status, tqv.value))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn what_is_exported_is_imported_exactly(points in prop::collection::vec(point(), 1..60), flushed in 0..60_usize) {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let folder = tempfile::tempdir().unwrap();
                let (historian, _) =
                    Historian::open(HistorianOptions::new(folder.path()), catalog(PLANT)).await.unwrap();
                let (files, buffer) = points.split_at(flushed.min(points.len()));
                historian.append(Batch { points: files.to_vec(), ..Batch::default() }).await.unwrap();
                historian.flush().await.unwrap();
                historian.append(Batch { points: buffer.to_vec(), ..Batch::default() }).await.unwrap();
                for (name, format) in [("all.csv", Format::Csv), ("all.parquet", Format::Parquet)] {
                    let bytes = export(&historian, format).await;
                    let back = import(name, &bytes, &historian);
                    assert_eq!(unique(&back), unique(&points), "{name}");
                    assert_eq!(back.len(), unique(&back).len(), "{name}: nothing twice");
                }
                historian.close().await.unwrap();
            });
        }
    }
}

//! Every form of the columns, and what is told of a wrong one.

use super::*;
use crate::testing::{PLANT, at, catalog, series};
use andon_models::{Quality, StatusCode, Value, catalog::Catalog};
use arrow::{
    array::{
        ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
        TimestampMillisecondArray, TimestampNanosecondArray,
    },
    datatypes::Int32Type,
    ipc::writer::StreamWriter,
};
use proptest::prelude::*;
use std::sync::Arc;

struct Bench {
    _folder: tempfile::TempDir,
    catalog: Arc<Catalog>,
    historian: Historian,
}

impl Bench {
    async fn new() -> Self {
        let (folder, catalog) = (tempfile::tempdir().unwrap(), catalog(PLANT));
        let options = crate::HistorianOptions::new(folder.path());
        let (historian, _) = Historian::open(options, catalog.clone()).await.unwrap();
        Self { _folder: folder, catalog, historian }
    }

    fn read(&self, stream: Vec<u8>) -> Result<Vec<Point>, String> {
        let mut reader = ArrowPoints::new(&self.historian, stream.into(), at(3_600)).map_err(|error| error.to_string())?;
        let mut points = Vec::new();
        while let Some(batch) = reader.next_points().map_err(|error| error.to_string())? {
            points.extend(batch);
        }
        Ok(points)
    }

    fn refusal(&self, columns: &[(&str, ArrayRef)]) -> String {
        self.read(stream(&[batch(columns)])).unwrap_err()
    }
}

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.iter().map(|(name, column)| (*name, column.clone(), true))).unwrap()
}

fn stream(batches: &[RecordBatch]) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batches[0].schema()).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.into_inner().unwrap()
}

fn nanos(seconds: &[i64]) -> ArrayRef {
    Arc::new(
        TimestampNanosecondArray::from_iter_values(seconds.iter().map(|second| at(*second).as_nanos())).with_timezone("UTC"),
    )
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn dictionary(values: &[&str]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<DictionaryArray<Int32Type>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_the_columns_is_read() {
    let bench = Bench::new().await;
    let double: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), None, Some(f64::NAN)]));
    let temp = series(&bench.catalog, "Line 1/Press A", "temp");
    let asset = [dictionary(&["Line 1/Press A"; 3]), texts(&["temp"; 3])];
    let by_property =
        [("time", nanos(&[1, 2, 3])), ("asset", asset[0].clone()), ("property", asset[1].clone()), ("value", double.clone())];
    let points = bench.read(stream(&[batch(&by_property), batch(&by_property)])).unwrap();
    assert_eq!(points.len(), 6);
    let expected = [(1.5.into(), Quality::Good, StatusCode::GOOD), (Value::Null, Quality::Bad, StatusCode::NO_DATA)];
    for (row, point) in points[..3].iter().enumerate() {
        assert_eq!((point.series, point.tqv.time), (temp, at(row as i64 + 1)));
        assert_eq!((point.tqv.value.clone(), point.tqv.quality, point.tqv.status), expected[row.min(1)], "row {row}");
    }
    let millis: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![1_500, -1]));
    let by_alias = [
        ("time", millis),
        ("alias", texts(&["/Line 1/Press A/temp", "meter 7"])),
        ("value", Arc::new(Int64Array::from(vec![80, 7])) as ArrayRef),
        ("quality", dictionary(&["uncertain", "good"])),
        ("status", Arc::new(Int64Array::from(vec![Some(0x4090_0000), None]))),
        ("unit", texts(&["", "m³"])),
    ];
    let points = bench.read(stream(&[batch(&by_alias)])).unwrap();
    assert_eq!(
        (points[0].series, &points[0].tqv.value, points[0].tqv.quality),
        (temp, &Value::Double(80.0), Quality::Uncertain)
    );
    assert_eq!((points[0].tqv.status, points[1].tqv.time.as_nanos()), (StatusCode::STALE, -1_000_000));
    let meter = bench.historian.stream(points[1].series).unwrap();
    assert_eq!((meter.alias.as_ref(), meter.unit.as_ref(), &points[1].tqv.value), ("meter 7", "m³", &Value::Integer(7)));
    let by_number = [
        ("time", nanos(&[1, 2])),
        ("series", Arc::new(Int32Array::from(vec![temp.0 as i32, meter.series.0 as i32])) as ArrayRef),
        ("double", Arc::new(Float64Array::from(vec![Some(3.0), None]))),
        ("integer", Arc::new(Int64Array::from(vec![None, Some(4)]))),
    ];
    let points = bench.read(stream(&[batch(&by_number)])).unwrap();
    assert_eq!([&points[0].tqv.value, &points[1].tqv.value], [&Value::Double(3.0), &Value::Integer(4)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_stored_is_named_by_row_and_column() {
    let bench = Bench::new().await;
    let (one, two): (ArrayRef, ArrayRef) =
        (Arc::new(Float64Array::from(vec![1.0])), Arc::new(Float64Array::from(vec![1.0, 2.5])));
    let alias = || ("alias", texts(&["a"]));
    for (columns, message) in [
        (vec![alias(), ("value", one.clone())], "column `time`: it is missing"),
        (vec![("time", one.clone()), alias(), ("value", one.clone())], "column `time`: a timestamp is expected, not Float64"),
        (vec![("time", nanos(&[1])), ("value", one.clone())], "column `alias`: it is missing"),
        (vec![("time", nanos(&[1])), alias()], "column `value`: it is missing"),
        (vec![("time", nanos(&[9_999])), alias(), ("value", one.clone())], "row 0, column `time`: 2026-01-01T02:46:39Z is"),
        (vec![("time", nanos(&[1])), ("alias", one.clone()), ("value", one.clone())], "column `alias`: a string is expected"),
        (
            vec![("time", nanos(&[1, 2])), ("alias", texts(&["a", "/Line 1/Press A/temp_avg"])), ("value", two.clone())],
            "row 1, column `alias`: /Line 1/Press A/temp_avg is computed",
        ),
        (
            vec![("time", nanos(&[1, 2])), ("alias", texts(&["a", "/Line 1/Press A/state"])), ("value", two.clone())],
            "row 1, column `value`: 2.5 does not fit its series, which takes integer",
        ),
        (
            vec![("time", nanos(&[1])), ("series", Arc::new(Int32Array::from(vec![99]))), ("value", one.clone())],
            "row 0, column `series`: there is no series 99",
        ),
        (
            vec![("time", nanos(&[1])), alias(), ("value", one.clone()), ("quality", texts(&["fine"]))],
            "row 0, column `quality`: \"fine\" is neither",
        ),
        (
            vec![("time", nanos(&[1])), ("asset", texts(&["Line 1"])), ("property", texts(&["x"])), ("value", one.clone())],
            "row 0, column `property`: \"Line 1\" has no property \"x\"",
        ),
        (
            vec![("time", nanos(&[1, 2])), ("alias", texts(&["/Line 1/Press A/temp"; 2])), ("value", texts(&["1", "hot"]))],
            "row 0, column `value`: 1 does not fit its series, which takes double",
        ),
    ] {
        let refusal = bench.refusal(&columns);
        assert!(refusal.contains(message), "{refusal} / {message}");
    }
    assert!(bench.read(Vec::new()).unwrap_err().contains("it is empty"));
    assert!(bench.read(b"ARROW1\0\0rubbish".to_vec()).unwrap_err().contains("not the file format"));
    let whole = stream(&[batch(&[
        ("time", nanos(&[1])),
        alias(),
        ("value", one),
        ("boolean", Arc::new(BooleanArray::from(vec![true]))),
    ])]);
    assert_eq!(bench.read(whole.clone()).unwrap().len(), 1);
    for length in 0..whole.len() {
        // Only the mark of the end may be missing.
        let read = bench.read(whole[..length].to_vec());
        assert!(read.as_ref().is_ok_and(|points| points.len() <= 1) || read.is_err(), "cut at {length}: {read:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_streams_are_survived() {
    let bench = Bench::new().await;
    let columns = [("time", nanos(&[1, 2])), ("alias", dictionary(&["a", "b"])), ("value", texts(&["x", "y"]))];
    let whole = stream(&[batch(&columns)]);
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let mut runner = proptest::test_runner::TestRunner::default();
    let survived = runner.run(&damage, |places| {
        let mut bytes = whole.clone();
        for (place, value) in places {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let _ = bench.read(bytes);
        Ok(())
    });
    survived.unwrap_or_else(|error| panic!("{error}"));
}

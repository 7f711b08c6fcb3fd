//! A small plant and short ways to say things in tests.

use crate::{Historian, SqlLimits};
use andon_models::{
    EventId, Point, Quality, SeriesId, StatusCode, Timestamp, Tqv, Value,
    alarm::{AlarmState, AlarmVerb, Priority},
    catalog::{Catalog, SeriesDirectory},
    event::{AlarmChange, Event, EventBody},
    plant_file,
};
use std::sync::Arc;

/// Two presses on a line.
pub const PLANT: &str = "
plant: { name: Test, timezone: Europe/Berlin }
shifts: { early: Mon-Fri 06:00-14:00 }
sources:
  plc: { modbus: 'tcp://127.0.0.1:502', unit: 1 }
models:
  press:
    attributes:
      ideal_rate: { default: 120, unit: 1/h }
    measurements:
      running: { type: bool, from: coil/0 @plc }
      temp: { unit: °C, from: holding/0 float32 @plc }
      good: { type: counter, from: holding/2 u32 @plc }
      bad: { type: counter, from: holding/4 u32 @plc }
      recipe: { type: string, from: holding/10 string(4) @plc }
      state: { type: int, from: holding/20 @plc }
    metrics:
      5m:
        temp_avg: avg(temp)
    oee:
      running: running
      good: good
      bad: bad
      ideal_rate: ideal_rate
  line:
    children: { machines: press }
assets:
  Line 1:
    model: line
    machines:
      Press A: { model: press, plc: plc }
      Press B: { model: press, plc: plc, attributes: { ideal_rate: 60 } }
";

/// The catalog of a plant file.
pub fn catalog(text: &str) -> Arc<Catalog> {
    let loaded = plant_file::load(&[("plant.yaml".into(), text.into())], &|_| None);
    let plant = loaded.plant.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()))
}

/// A series by asset and property.
pub fn series(catalog: &Catalog, asset: &str, property: &str) -> SeriesId {
    catalog.series_named(catalog.plant.asset_at(asset).unwrap(), property).unwrap()
}

/// Seconds after the first instant of 2026.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(1_767_225_600 + second)
}

/// A point.
pub fn point(series: SeriesId, second: i64, value: Value, quality: Quality) -> Point {
    Point { series, tqv: Tqv { time: at(second), quality, status: StatusCode::GOOD, value } }
}

/// A good point.
pub fn good(series: SeriesId, second: i64, value: impl Into<Value>) -> Point {
    point(series, second, value.into(), Quality::Good)
}

/// An alarm that is raised.
pub fn event(second: i64, detector: &str) -> Event {
    let change = AlarmChange {
        from: AlarmState::Normal,
        state: AlarmState::Unacknowledged,
        verb: AlarmVerb::Raise,
        priority: Priority::High,
        message: "too hot".into(),
        response: "".into(),
        since: Some(at(second)),
        by: "".into(),
        note: "".into(),
        explanation: Default::default(),
    };
    Event {
        id: EventId::from_name(&format!("{detector} {second}")),
        time: at(second),
        asset: None,
        asset_path: "Line 1/Press A".into(),
        detector: detector.into(),
        body: EventBody::Alarm(change),
    }
}

/// The rows of an answer.
pub async fn rows(historian: &Historian, sql: &str) -> Vec<Vec<serde_json::Value>> {
    historian.sql(sql, SqlLimits::default()).await.unwrap_or_else(|error| panic!("{sql}: {error}")).rows
}

//! A machine of a few lines that runs hot once, in fast time.

use super::*;
use crate::service::{
    self, clock,
    testing::{at, plant, series},
};
use andon_models::catalog::Catalog;
use andon_query::{HistorianOptions, SqlLimits};

mod late;

const PLANT: &str = "
plant: { name: Test, timezone: UTC }
sources:
  plc: { modbus: 'tcp://127.0.0.1:502', unit: 1, writes: allow }
notify:
  maintenance: { log: maintenance }
models:
  press:
    measurements:
      temp: { unit: °C, from: holding/0 float32 @plc }
      running: { type: bool, from: coil/0 @plc }
    controls:
      stop_request: { type: bool, to: coil/1 @plc, allow: [true], interlock: running }
    metrics:
      5m: { temp_max: max(temp) }
    detectors:
      hot:
        priority: high
        message: It has {temp}
        response: Cool it.
        initial: normal
        states:
          normal: { go: [ { when: temp > 80, for: 1m, to: alarm } ] }
          alarm:
            enter: [raise, write stop_request = true, notify maintenance]
            go: [ { when: temp < 70, to: normal, do: [clear] } ]
assets:
  Press: { model: press, plc: plc }
";

/// Seconds of history that are made.
const SPAN: i64 = 1_200;
/// When the press gets hot.
const HOT: i64 = 400;

/// A press that gets hot and cools down once it is told to stop.
struct Press {
    temp: TagId,
    running: TagId,
    seen: Timestamp,
    stopped: Option<Timestamp>,
    writes: Vec<(TagId, Value)>,
}

impl Press {
    fn new(catalog: &Catalog) -> Self {
        let tag = |name| catalog.entry(series(catalog, "Press", name)).unwrap().tag.unwrap();
        Self { temp: tag("temp"), running: tag("running"), seen: at(0), stopped: None, writes: Vec::new() }
    }

    fn temperature(&self, time: Timestamp) -> f64 {
        let hot = time > at(HOT) && self.stopped.is_none_or(|stopped| time < stopped + Duration::from_secs(120));
        if hot { 91.0 } else { 60.0 }
    }
}

impl FastPlant for Press {
    fn advance(&mut self, to: Timestamp, changes: &mut Vec<Sample>) {
        while self.seen + Duration::from_secs(5) <= to {
            self.seen = self.seen + Duration::from_secs(5);
            changes.push(sample(self.temp, self.seen, self.temperature(self.seen).into()));
            changes.push(sample(self.running, self.seen, self.stopped.is_none().into()));
        }
    }

    fn write(&mut self, tag: TagId, value: &Value) -> Result<(), String> {
        self.writes.push((tag, value.clone()));
        self.stopped = Some(self.seen);
        Ok(())
    }

    fn crew(&self, _: Timestamp) -> (Arc<str>, Duration) {
        ("a.lang".into(), Duration::from_secs(30))
    }
}

async fn column(historian: &Historian, sql: &str) -> Vec<String> {
    let answer = historian.sql(sql, SqlLimits::default()).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let shown = |cell: &serde_json::Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
    answer.rows.iter().map(|row| shown(&row[0])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plant_lives_through_its_history_as_if_it_had_been_collected() {
    let folder = tempfile::tempdir().unwrap();
    let now: clock::Now = Arc::new(|| at(SPAN));
    let open = || service::open(plant(PLANT), Default::default(), HistorianOptions::new(folder.path()), at(0), &now);
    let mut opened = open().await.unwrap();
    opened.core.arm_first("a.lang", at(0), true);
    let mut press = Press::new(&opened.catalog);
    let mut reached = Vec::new();
    let points = produce(&mut opened, &mut press, at(0), &now, |at| reached.push(at)).await.unwrap();
    let historian = opened.historian.clone();

    // The detector's write reached the press, once, and is recorded like any.
    let control = opened.catalog.control(opened.catalog.plant.asset_at("Press").unwrap(), "stop_request").unwrap();
    assert_eq!(press.writes, [(control.tag, Value::Boolean(true))]);
    let states = column(&historian, "SELECT state FROM commands ORDER BY time, state = 'verified', state = 'sent'").await;
    assert_eq!(states, ["requested", "sent", "verified"]);
    assert_eq!(column(&historian, "SELECT value FROM samples WHERE property = 'stop_request'").await, ["1.0"]);

    // The crew acknowledged the alarm while it was there.
    let alarms = column(&historian, "SELECT state FROM alarms ORDER BY time").await;
    assert_eq!(alarms, ["unacknowledged", "acknowledged", "normal"]);
    let body = column(&historian, "SELECT body FROM alarms WHERE state = 'acknowledged'").await;
    assert!(body[0].contains("a.lang"), "{body:?}");

    // Metrics of every window that ended, and all of it counted.
    let metrics = column(&historian, "SELECT value FROM samples WHERE property = 'temp_max' ORDER BY time").await;
    assert_eq!(metrics, ["60.0", "91.0", "60.0", "60.0"]);
    assert_eq!(column(&historian, "SELECT count(*) FROM samples").await, [points.to_string()]);
    assert_eq!(reached.last(), Some(&at(SPAN)));
    assert_eq!(historian.stats().buffered_points, 0, "it is in files");

    // A live plant goes on from here, and tells nobody of the past.
    assert!(opened.schedule.due(at(SPAN) + GRACE).is_empty());
    historian.clone().close().await.unwrap();
    drop(opened);
    let mut again = open().await.unwrap();
    assert!(again.notices.is_empty(), "{:?}", again.notices);
    assert!(again.schedule.due(at(SPAN) + GRACE).is_empty());
    assert_eq!(again.core.snapshots()[0].state.as_ref(), "normal");
}

//! Metrics over points in memory, against figures worked out by hand.

use super::*;
use andon_models::{
    catalog::SeriesDirectory,
    oee::{OeeRecord, OeeResult},
    plant_file,
};
use arrow::{
    array::{
        BooleanArray, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
    },
    datatypes::{Field, Schema, TimeUnit},
};
use datafusion::datasource::MemTable;

mod sitewise;

const PLANT: &str = "
plant: { name: Test, timezone: UTC }
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
      mode: { type: string, from: holding/10 string(4) @plc }
    metrics:
      5m:
        temp_avg: avg(temp)
        temp_span: max(temp) - min(temp)
        samples: count(temp)
        made: increase(good) + increase(bad)
        run_share: statetime(running) / 300
        hot_time: statetime(temp > 25)
        last_mode: last(mode)
        rate_now: made * 12 / ideal_rate
        odd: 1 / (count(temp) - count(temp))
    oee:
      running: running
      good: good
      bad: bad
      ideal_rate: ideal_rate
  line:
    children: { machines: press }
    metrics:
      5m:
        made: sum(machines.made)
        worst_temp: max(machines.temp)
    oee: { of: machines, form: weighted }
assets:
  Line:
    model: line
    machines:
      Press A: { model: press, plc: plc }
      Press B: { model: press, plc: plc }
";

struct Bench {
    catalog: Arc<Catalog>,
    rows: Vec<(i32, i64, i8, Value)>,
}

impl Bench {
    fn new() -> Self {
        Self::of(PLANT)
    }

    fn of(text: &str) -> Self {
        let files = [("plant.yaml".to_owned(), text.to_owned())];
        let loaded = plant_file::load(&files, &|_| None);
        let plant = loaded.plant.unwrap_or_else(|| panic!("{}", plant_file::render(&loaded.diagnostics, &files, false)));
        let catalog = Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()));
        Self { catalog, rows: Vec::new() }
    }

    fn asset(&self, path: &str) -> AssetIndex {
        self.catalog.plant.asset_at(path).unwrap()
    }

    fn put(&mut self, asset: &str, property: &str, seconds: i64, value: impl Into<Value>) {
        self.put_with(asset, property, seconds, 0, value.into());
    }

    fn put_with(&mut self, asset: &str, property: &str, seconds: i64, quality: i8, value: Value) {
        let series = self.catalog.series_named(self.asset(asset), property).unwrap();
        self.rows.push((series.0.cast_signed(), seconds * 1_000_000, quality, value));
    }

    fn table(&self) -> Arc<dyn TableProvider> {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let schema = Arc::new(Schema::new(vec![
            Field::new("series", DataType::Int32, false),
            Field::new("time", time, false),
            Field::new("nanos", DataType::Int16, false),
            Field::new("double", DataType::Float64, true),
            Field::new("integer", DataType::Int64, true),
            Field::new("boolean", DataType::Boolean, true),
            Field::new("string", DataType::Utf8, true),
            Field::new("quality", DataType::Int8, false),
        ]));
        let rows = &self.rows;
        let double = |value: &Value| if let Value::Double(number) = value { Some(*number) } else { None };
        let integer = |value: &Value| if let Value::Integer(number) = value { Some(*number) } else { None };
        let boolean = |value: &Value| value.as_bool();
        let string = |value: &Value| if let Value::String(text) = value { Some(text.to_string()) } else { None };
        let columns: Vec<arrow::array::ArrayRef> = vec![
            Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.0))),
            Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.1)).with_timezone("UTC")),
            Arc::new(Int16Array::from_iter_values(rows.iter().map(|_| 0))),
            Arc::new(Float64Array::from_iter(rows.iter().map(|row| double(&row.3)))),
            Arc::new(Int64Array::from_iter(rows.iter().map(|row| integer(&row.3)))),
            Arc::new(BooleanArray::from_iter(rows.iter().map(|row| boolean(&row.3)))),
            Arc::new(StringArray::from_iter(rows.iter().map(|row| string(&row.3)))),
            Arc::new(Int8Array::from_iter_values(rows.iter().map(|row| row.2))),
        ];
        let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
        Arc::new(MemTable::try_new(schema, vec![vec![batch]]).unwrap())
    }

    async fn result(&self, asset: &str, window: Window) -> OeeResult {
        let found = results(&SessionContext::new(), self.table(), &self.catalog, &[self.asset(asset)], &[window]).await;
        found.unwrap().remove(0).remove(0)
    }

    async fn records(&self, assets: &[&str], windows: &[Window]) -> Vec<(AssetIndex, OeeRecord)> {
        let assets: Vec<AssetIndex> = assets.iter().map(|asset| self.asset(asset)).collect();
        records(&SessionContext::new(), self.table(), &self.catalog, &assets, windows).await.unwrap()
    }

    async fn compute(&self, model: &str, every: u64, windows: &[Window]) -> Vec<(String, String, i64, Value)> {
        let model = ModelIndex(self.catalog.plant.models.iter().position(|known| &*known.name == model).unwrap());
        let spec = WindowSpec::Tumbling { every: std::time::Duration::from_secs(every), offset: std::time::Duration::ZERO };
        let points = compute(
            &SessionContext::new(),
            self.table(),
            &self.catalog,
            &Extent { model, spec: &spec, windows, assets: Assets::ALL },
        )
        .await
        .unwrap();
        let mut shown: Vec<_> = points
            .into_iter()
            .map(|point| {
                let entry = self.catalog.entry(point.series).unwrap();
                let asset = self.catalog.plant.assets[entry.asset.0].name.to_string();
                let second = point.tqv.time.as_nanos() / 1_000_000_000;
                (asset, entry.key.to_string(), second, point.tqv.value)
            })
            .collect();
        shown.sort_by(|a, b| (&a.0, &a.1, a.2).cmp(&(&b.0, &b.1, b.2)));
        shown
    }
}

fn window(start: i64, end: i64) -> Window {
    Window { start: Timestamp::from_seconds(start), end: Timestamp::from_seconds(end) }
}

fn of<'a>(all: &'a [(String, String, i64, Value)], asset: &str, key: &str) -> Vec<(i64, &'a Value)> {
    all.iter().filter(|row| row.0 == asset && row.1 == key).map(|row| (row.2, &row.3)).collect()
}

#[tokio::test]
async fn every_aggregate_over_two_windows_and_two_assets() {
    let mut bench = Bench::new();
    let a = "Line/Press A";
    bench.put(a, "running", -100, true);
    bench.put(a, "running", 100, false);
    bench.put(a, "running", 250, true);
    bench.put(a, "temp", 0, 99.0); // on the border: belongs to the window before
    bench.put(a, "temp", 60, 20.0);
    bench.put_with(a, "temp", 120, 2, Value::Null);
    bench.put(a, "temp", 180, 30.0);
    bench.put(a, "temp", 300, 26.0); // on the end: belongs to the first window
    bench.put(a, "temp", 450, 24.0);
    bench.put(a, "good", -50, 1_000_i64);
    bench.put(a, "good", 150, 1_010_i64);
    bench.put(a, "good", 400, 3_i64); // counter reset
    bench.put(a, "bad", -50, 7_i64);
    bench.put(a, "bad", 200, 8_i64);
    bench.put(a, "mode", 10, "auto");
    bench.put(a, "mode", 20, "hand");
    bench.put("Line/Press B", "temp", 100, 55.0);

    let windows = [window(0, 300), window(300, 600)];
    let all = bench.compute("press", 300, &windows).await;
    let number = |value: f64| Value::Double(value);
    assert_eq!(of(&all, "Press A", "temp_avg"), [(300, &number((20.0 + 30.0 + 26.0) / 3.0)), (600, &number(24.0))]);
    assert_eq!(of(&all, "Press A", "temp_span"), [(300, &number(10.0)), (600, &number(0.0))]);
    assert_eq!(of(&all, "Press A", "made"), [(300, &number(11.0)), (600, &number(3.0))]);
    assert_eq!(of(&all, "Press A", "run_share"), [(300, &number(150.0 / 300.0)), (600, &number(1.0))]);
    // Hot from the carried 99.0 to 60, not while Bad, hot from 180 on; then 26.0 is carried in until 450.
    assert_eq!(of(&all, "Press A", "hot_time"), [(300, &number(60.0 + 120.0)), (600, &number(150.0))]);
    assert_eq!(of(&all, "Press A", "last_mode"), [(300, &Value::from("hand"))]);
    assert_eq!(of(&all, "Press A", "rate_now"), [(300, &number(11.0 * 12.0 / 120.0)), (600, &number(0.3))]);
    assert_eq!(of(&all, "Press A", "odd"), []);
    assert_eq!(of(&all, "Press B", "temp_avg"), [(300, &number(55.0))]);
    assert_eq!(of(&all, "Press B", "samples").len(), 2);
}

/// The source was lost over the border of two windows; what was made meanwhile counts where it shows.
#[tokio::test]
async fn a_counter_goes_on_from_its_last_good_reading() {
    for lost_at in [-20, 290] {
        let mut bench = Bench::new();
        bench.put("Line/Press A", "good", -30, 100_i64);
        bench.put_with("Line/Press A", "good", lost_at, 2, Value::Null);
        bench.put("Line/Press A", "good", 310, 140_i64);
        bench.put("Line/Press A", "bad", -30, 0_i64);
        let all = bench.compute("press", 300, &[window(0, 300), window(300, 600)]).await;
        let made = of(&all, "Press A", "made");
        assert_eq!(made.last(), Some(&(600, &Value::Double(40.0))), "lost at {lost_at}");
    }
}

#[tokio::test]
async fn a_line_sees_its_machines() {
    let mut bench = Bench::new();
    bench.put("Line/Press A", "temp", 10, 20.0);
    bench.put("Line/Press B", "temp", 20, 31.0);
    bench.put("Line/Press A", "made", 300, 5.0);
    bench.put("Line/Press B", "made", 300, 8.0);
    let all = bench.compute("line", 300, &[window(0, 300)]).await;
    assert_eq!(of(&all, "Line", "made"), [(300, &Value::Double(13.0))]);
    assert_eq!(of(&all, "Line", "worst_temp"), [(300, &Value::Double(31.0))]);
}

/// The golden case G4 of the OEE rules, through the plan: 30 s per part, eight planned hours, three of them run.
#[tokio::test]
async fn oee_through_the_plan_is_the_rule_itself() {
    let mut bench = Bench::new();
    let a = "Line/Press A";
    for (minute, running, parts, bad) in
        [(0, true, 1200, 10), (60, true, 1300, 11), (120, false, 1400, 11), (180, true, 1400, 11), (210, true, 1440, 14)]
    {
        // The counter of all parts starts the shift at its first reading; good ones are what is left.
        bench.put(a, "running", minute * 60, running);
        bench.put(a, "good", minute * 60, i64::from(parts - bad));
        bench.put(a, "bad", minute * 60, i64::from(bad));
    }
    let shift = window(0, 4 * 3_600);
    let expected = bench.result(a, shift).await;
    let run = std::time::Duration::from_secs(3 * 3_600);
    assert_eq!(expected.totals.actual_production_time, run);
    assert_eq!(expected.availability, Some(0.75));
    assert_eq!(expected.totals.total, Some(240.0));

    let hours: Vec<Window> = (0..4).map(|hour| window(hour * 3_600, (hour + 1) * 3_600)).collect();
    let all = bench.compute("press", 3_600, &hours).await;
    for (hour, window) in hours.iter().enumerate() {
        let own = bench.result(a, *window).await;
        let stored = |key: &str| {
            of(&all, "Press A", key)
                .into_iter()
                .find(|(at, _)| *at == (hour as i64 + 1) * 3_600)
                .map(|(_, value)| value.clone())
        };
        assert_eq!(stored("availability_1h"), own.availability.map(Value::Double), "hour {hour}");
        assert_eq!(stored("oee_1h"), own.oee.map(Value::Double), "hour {hour}");
        assert_eq!(stored("quality_rate_1h"), own.quality_rate.map(Value::Double), "hour {hour}");
    }
}

/// A line's figures are made of its machines' records of the same window, and are those of the rule over the same span.
#[tokio::test]
async fn a_line_is_made_of_its_machines() {
    let mut bench = Bench::new();
    for (machine, made, runs) in [("Line/Press A", 6, true), ("Line/Press B", 4, false)] {
        bench.put(machine, "running", -10, true);
        bench.put(machine, "running", 1_800, runs);
        bench.put(machine, "good", -10, 0_i64);
        bench.put(machine, "good", 1_700, made);
        bench.put(machine, "bad", -10, 0_i64);
    }
    let hour = window(0, 3_600);
    let machines = bench.compute("press", 3_600, &[hour]).await;
    for machine in ["Press A", "Press B"] {
        let record = of(&machines, machine, "oee_record_1h")[0].1.clone();
        bench.put(&format!("Line/{machine}"), "oee_record_1h", 3_600, record);
    }
    let line = bench.compute("line", 3_600, &[hour]).await;
    // Two machines were planned for an hour each; one stood half of it; ten pieces take 30 s each.
    let figures = ["availability_1h", "performance_1h", "oee_1h"].map(|key| of(&line, "Line", key)[0].1.as_f64().unwrap());
    assert_eq!(figures, [0.75, 300.0 / 5_400.0, 300.0 / 7_200.0]);
    let live = &bench.records(&["Line"], &[hour]).await[0].1;
    assert_eq!((live.totals.oee(), live.totals.machines), (Some(300.0 / 7_200.0), 2));
}

/// Many machines and hours asked for at once have the figures of each by itself, whichever plan they came into.
#[tokio::test]
async fn records_asked_for_together_are_those_of_each() {
    let names: Vec<String> = (0..19).map(|number| format!("Line/Press {number}")).collect();
    let machines: String = names.iter().map(|name| format!("      {}: {{ model: press, plc: plc }}\n", &name[5..])).collect();
    let (head, _) = PLANT.split_once("      Press A").unwrap();
    let mut bench = Bench::of(&format!("{head}{machines}"));
    for (number, name) in (0..).zip(&names) {
        bench.put(name, "running", -10, true);
        bench.put(name, "running", 1_000 + number * 300, false);
        // Some have said nothing for hours, some say something in each.
        for part in (0..number + 2).map(|part| part * 700) {
            bench.put(name, "good", part, part / 10);
            bench.put(name, "bad", part, part / 500);
        }
    }
    let hours: Vec<Window> = (0..4).map(|hour| window(hour * 3_600, (hour + 1) * 3_600)).collect();
    let asked: Vec<&str> = std::iter::once("Line").chain(names.iter().rev().map(String::as_str)).collect();
    let together = bench.records(&asked, &hours).await;
    let mut each = Vec::new();
    for asset in &asked {
        for hour in &hours {
            each.extend(bench.records(&[asset], &[*hour]).await);
        }
    }
    assert_eq!(together, each);
    assert_eq!(together.len(), 20 * 4);
    assert_eq!(together[0].1.totals.machines, 19);
    assert_ne!(together[4].1.totals, together[5].1.totals);
}

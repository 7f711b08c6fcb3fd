//! What a formula that is tried on an asset gives, and which mistakes it tells.

use super::*;
use crate::{Quality, Timestamp, catalog::SeriesDirectory, plant_file};
use std::fmt::Write as _;

const PLANT: &str = "
plant: { name: Test, timezone: UTC }
models:
  line:
    children: { machines: filler }
    attributes: { target: { unit: °C, default: 90 } }
    metrics:
      1h: { hottest: max(machines.fill_temp) }
  filler:
    attributes: { temp_limit: { unit: °C, default: 85 } }
    measurements:
      fill_temp: { unit: °C, type: double }
      pressure: { unit: bar, type: double }
      speed: { unit: 1/h, type: double }
      good_count: { type: counter, counter: rollover(100) }
    transforms: { hot: fill_temp > temp_limit }
    metrics:
      5m: { temp_avg: avg(fill_temp) }
assets:
  Line 1:
    model: line
    machines:
      Filler 1: { model: filler }
      Filler 2: { model: filler }
";

fn catalog() -> Catalog {
    let loaded = plant_file::load(&[("plant.yaml".into(), PLANT.into())], &|_| None);
    let plant = loaded.plant.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    Catalog::build(Arc::new(plant), &mut SeriesDirectory::default())
}

/// What is said of a formula of the filler: kind, type and unit, then findings with the words they point at.
fn said(text: &str) -> String {
    let catalog = catalog();
    let filler = catalog.plant.asset_at("Line 1/Filler 1").unwrap();
    let tell = |out: &mut String, finding: &Finding| {
        let at = &text[finding.span.start..finding.span.end];
        let nearest = finding.nearest.as_deref().map(|name| format!(" → {name}")).unwrap_or_default();
        writeln!(out, "{:?} at `{at}`: {}; {}{nearest}", finding.severity, finding.message, finding.hint).unwrap();
    };
    let mut out = String::new();
    match read(&catalog.plant, catalog.plant.assets[filler.0].model, text) {
        Ok(preview) => {
            let kind = if preview.metric { "metric" } else { "transform" };
            writeln!(out, "{kind} {} [{}]", preview.value_type, preview.unit).unwrap();
            preview.findings.iter().for_each(|finding| tell(&mut out, finding));
        }
        Err(finding) => tell(&mut out, &finding),
    }
    out
}

#[test]
fn a_formula_is_told_its_kind_and_unit() {
    assert_eq!(said("fill_temp + 1"), "transform double [°C]\n");
    assert_eq!(said("fill_temp > parent.target"), "transform boolean []\n");
    assert_eq!(said("max(fill_temp) - avg(fill_temp)"), "metric double [K]\n");
    assert_eq!(said("convert(pressure, 'bar', 'kPa')"), "transform double [kPa]\n");
    assert_eq!(said("temp_avg * 2"), "metric double []\n");
}

#[test]
fn a_mistake_has_its_place_and_the_way_out() {
    assert_eq!(
        said("fil_temp + 1"),
        "Error at `fil_temp`: there is no `fil_temp` here; did you mean `fill_temp`? → fill_temp\n"
    );
    assert!(
        said("fill_temp + pressure")
            .contains("Error at `fill_temp + pressure`: `fill_temp + pressure` puts °C and bar together")
    );
    assert!(said("fill_temp + avg(fill_temp)").starts_with("Error at `fill_temp`: `fill_temp` has many values in a window"));
    assert!(said("fill_temp +").starts_with("Error"));
    assert!(said("null").contains("never has a value"));
    assert!(said("").starts_with("Error"));
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn told(results: &[Tqv]) -> Vec<(i64, Value, Quality)> {
    results.iter().map(|tqv| (tqv.time.as_millis() / 1_000, tqv.value.clone(), tqv.quality)).collect()
}

#[test]
fn a_transform_follows_its_samples() {
    let catalog = catalog();
    let filler = catalog.plant.asset_at("Line 1/Filler 1").unwrap();
    let preview = read(&catalog.plant, catalog.plant.assets[filler.0].model, "fill_temp - temp_limit + pressure * 0").unwrap();
    let [temp, pressure] = ["fill_temp", "pressure"].map(|name| catalog.series_named(filler, name).unwrap());
    let points = [(10, temp, 86.0), (20, temp, 88.5), (15, pressure, 2.0)];
    let points = points.map(|(time, series, value)| Point { series, tqv: Tqv::good(at(time), value.into()) }).to_vec();
    let before = |series| (series == pressure).then(|| Tqv::good(at(5), 1.0.into()));
    let results = preview.per_sample(&catalog, filler, before, points);
    let good = Quality::Good;
    assert_eq!(told(&results), [(10, 1.0.into(), good), (15, 1.0.into(), good), (20, 3.5.into(), good)]);
}

#[test]
fn a_metric_has_a_point_per_window() {
    let catalog = catalog();
    let filler = catalog.plant.asset_at("Line 1/Filler 1").unwrap();
    let preview = read(&catalog.plant, catalog.plant.assets[filler.0].model, "increase(good_count)").unwrap();
    let counter = counter_of(&catalog, filler, &preview.expression.references[0]);
    let samples = [(0, 90), (30, 95), (70, 5), (110, 8)].map(|(time, count)| Tqv::good(at(time), Value::Integer(count)));
    let series = [samples.to_vec()];
    let windows = [(0, 60), (60, 120), (120, 180)].map(|(start, end)| Window { start: at(start), end: at(end) });
    let results = preview.per_window(&windows, &[Input { series: &series, counter }]).unwrap();
    // 95 → 105 (rolled over at 100) → 108.
    let expected = [(60, 5.0), (120, 13.0), (180, 0.0)].map(|(time, gained)| (time, Value::from(gained), Quality::Good));
    assert_eq!(told(&results), expected);
}

#[test]
fn children_are_pooled_where_nothing_is_followed() {
    let catalog = catalog();
    let line = catalog.plant.asset_at("Line 1").unwrap();
    let model = catalog.plant.assets[line.0].model;
    let window = [Window { start: at(0), end: at(60) }];
    let series = [vec![Tqv::good(at(10), 80.0.into())], vec![Tqv::good(at(20), 84.0.into())]];
    let input = [Input { series: &series, counter: CounterRule::default() }];
    let value = |text| read(&catalog.plant, model, text).unwrap().per_window(&window, &input).map(|results| told(&results));
    assert_eq!(value("avg(machines.fill_temp)").unwrap(), [(60, 82.0.into(), Quality::Good)]);
    let refused = value("time_weighted_avg(machines.fill_temp)").unwrap_err();
    assert!(refused.message.contains("of several machines has no preview"), "{}", refused.message);
}

//! Tests of transforms that are computed again because what they read has changed.

use super::super::{
    Transforms,
    over_history::{OverHistory, Readers},
};
use crate::{
    Point, SeriesId, Timestamp, Tqv, Value,
    catalog::{Catalog, SeriesDirectory},
    plant_file,
};
use proptest::{prelude::*, sample::Index};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

const PLANT: &str = "
plant: { name: Test, timezone: UTC }
models:
  line:
    attributes: { target: { default: 500, unit: g } }
    children: { fillers: filler }
  filler:
    attributes: { tare: { default: 10, unit: g } }
    measurements:
      gross: { unit: g }
      count: { type: counter }
    transforms:
      net: gross - tare
      over: net - target
      many: count * 2
assets:
  Line 1:
    model: line
    fillers:
      Filler 1: { model: filler }
";

fn catalog() -> Arc<Catalog> {
    of(PLANT)
}

fn of(text: &str) -> Arc<Catalog> {
    let loaded = plant_file::load(&[("plant.yaml".into(), text.into())], &|_| None);
    let plant = loaded.plant.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()))
}

fn series(catalog: &Catalog, name: &str) -> SeriesId {
    let filler = catalog.series_named(catalog.plant.asset_at("Line 1/Filler 1").unwrap(), name);
    filler.or_else(|| catalog.series_named(catalog.plant.asset_at("Line 1").unwrap(), name)).unwrap()
}

fn good(series: SeriesId, second: i64, value: f64) -> Point {
    Point { series, tqv: Tqv::good(Timestamp::from_seconds(second), value.into()) }
}

fn shown(catalog: &Catalog, points: &[Point]) -> String {
    let show = |point: &Point| {
        let key = &catalog.entry(point.series).unwrap().key;
        format!("{key}@{}={}", point.tqv.time.as_millis() / 1_000, point.tqv.value)
    };
    points.iter().map(show).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_reads_a_series_is_found_through_chains_and_parents() {
    let catalog = catalog();
    let readers = Readers::of(&catalog);
    let outputs = |name: &str| {
        let outputs = readers.all([series(&catalog, name)]);
        outputs.into_iter().map(|id| catalog.entry(id).unwrap().key.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(outputs("tare"), "net over");
    assert_eq!(outputs("target"), "over", "of the parent");
    assert_eq!(outputs("count"), "many");
    assert_eq!(outputs("over"), "");
}

#[test]
fn an_attribute_holds_from_its_values_on_and_only_what_is_different_comes_out() {
    let catalog = catalog();
    let [tare, gross, net, over] = ["tare", "gross", "net", "over"].map(|name| series(&catalog, name));
    let mut again = OverHistory::new(&catalog, &Readers::of(&catalog).all([tare]));
    assert!(again.series().contains(&series(&catalog, "target")));
    let held = [(tare, 8.0), (gross, 505.0), (net, 495.0), (over, -5.0)];
    let held = held.map(|(series, value)| (series, Tqv::good(Timestamp::EPOCH, Value::Double(value))));
    again.begin(&HashMap::from(held));
    let stretch = vec![
        good(gross, 10, 510.0),
        good(net, 10, 500.0),
        good(over, 10, 0.0),
        good(gross, 20, 520.0),
        good(net, 20, 510.0),
        good(over, 20, 10.0),
        good(tare, 20, 10.0),
    ];
    assert_eq!(shown(&catalog, &again.play(stretch)), "net@10=502 over@10=2", "at 20 the old value holds again");
    let stretch = vec![good(gross, 30, 530.0)];
    assert_eq!(shown(&catalog, &again.play(stretch)), "net@30=520 over@30=20", "what was never stored comes too");
}

const JOINED: &str = "
plant: { name: Test, timezone: UTC }
models:
  press:
    measurements: { a: {}, b: {}, c: {} }
    transforms:
      sum: a + b
      twice: sum * 2
      all: twice - c
assets:
  Press: { model: press }
";

/// The values of all results that there are, by series and time.
type Stored = BTreeMap<(Timestamp, SeriesId), Tqv>;

fn keep(stored: &mut Stored, points: &[Point]) {
    stored.extend(points.iter().map(|point| ((point.tqv.time, point.series), point.tqv.clone())));
}

/// Live values in some order of arrival, and then again what came late. The results, as text.
fn live(catalog: &Catalog, batches: &[Vec<Point>]) -> (String, usize) {
    let (mut transforms, mut stored) = (Transforms::new(catalog), Stored::new());
    let mut late = BTreeMap::new();
    for batch in batches {
        let mut points = batch.clone();
        transforms.apply(&mut points);
        keep(&mut stored, &points);
        late.extend(
            transforms
                .take_late()
                .into_iter()
                .map(|(series, window)| (series, window.start))
                .filter(|(series, start)| late.get(series).is_none_or(|known| start < known))
                .collect::<Vec<_>>(),
        );
    }
    let again = late.len();
    if let Some(first) = late.values().min() {
        let mut over = OverHistory::new(catalog, &Readers::of(catalog).all(late.keys().copied()));
        let before = |series: &SeriesId| {
            let mut values = stored.range(..(*first, SeriesId(0))).filter(|((_, of), _)| of == series);
            Some((*series, values.next_back()?.1.clone()))
        };
        over.begin(&over.inputs().iter().filter_map(before).collect());
        let read = over.series();
        let points = stored.range((*first, SeriesId(0))..).filter(|((_, series), _)| read.contains(series));
        let points = points.map(|((_, series), tqv)| Point { series: *series, tqv: tqv.clone() }).collect();
        let changed = over.play(points);
        keep(&mut stored, &changed);
    }
    let results = stored.into_iter().filter(|((_, series), tqv)| is_result(catalog, *series) && tqv.value != Value::Null);
    let points: Vec<Point> = results.map(|((_, series), tqv)| Point { series, tqv }).collect();
    (shown(catalog, &points), again)
}

fn is_result(catalog: &Catalog, series: SeriesId) -> bool {
    super::super::over_history::is_transform(catalog, series)
}

proptest! {
    /// What comes in any order is, once what came late is worked out, what it would have been in order.
    #[test]
    fn in_any_order_of_arrival_the_results_become_those_in_order(
        values in proptest::collection::btree_map((0_i64..40, 0_usize..3), 0_i64..50, 1..40),
        order in proptest::collection::vec(any::<Index>(), 40),
        size in 1_usize..4,
    ) {
        let catalog = of(JOINED);
        let press = catalog.plant.asset_at("Press").unwrap();
        let inputs = ["a", "b", "c"].map(|name| catalog.series_named(press, name).unwrap());
        let point = |((second, input), value): (&(i64, usize), &i64)| good(inputs[*input], *second, *value as f64);
        let in_order: Vec<Point> = values.iter().map(point).collect();
        let mut arriving = in_order.clone();
        for (place, index) in (0..arriving.len()).zip(&order) {
            arriving.swap(place, index.index(in_order.len()));
        }
        let batches: Vec<Vec<Point>> = arriving.chunks(size).map(<[Point]>::to_vec).collect();
        let (expected, again) = live(&catalog, &[in_order]);
        prop_assert_eq!(again, 0, "nothing came late");
        prop_assert_eq!(live(&catalog, &batches).0, expected);
    }
}

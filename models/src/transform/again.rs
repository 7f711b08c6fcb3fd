//! Transforms once more, over values of the past that became others.

use super::Transforms;
use crate::{Point, SeriesId, Timestamp, Tqv, catalog::Catalog, definition::PropertyKind};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The transforms that a series leads to, directly or not, to be computed again in order of time.
#[derive(Clone, Debug)]
pub struct Again {
    transforms: Transforms,
    /// The series they give.
    outputs: BTreeSet<SeriesId>,
    /// Everything else that they read.
    inputs: BTreeSet<SeriesId>,
}

impl Again {
    /// The transforms that read a series, and those that read them; none if there is none.
    pub fn of(catalog: &Catalog, series: SeriesId) -> Option<Self> {
        let mut reads: HashMap<SeriesId, Vec<SeriesId>> = HashMap::new();
        for entry in catalog.series() {
            let Some(PropertyKind::Transform { expression }) = catalog.property(entry.id).map(|property| &property.kind) else {
                continue;
            };
            let read = expression.references.iter().flat_map(|reference| catalog.resolve(entry.asset, reference));
            reads.insert(entry.id, read.collect());
        }
        let mut read_by: HashMap<SeriesId, Vec<SeriesId>> = HashMap::new();
        for (reader, read) in &reads {
            read.iter().for_each(|read| read_by.entry(*read).or_default().push(*reader));
        }
        let (mut outputs, mut found) = (BTreeSet::new(), vec![series]);
        while let Some(next) = found.pop() {
            found.extend(read_by.get(&next).into_iter().flatten().copied().filter(|reader| outputs.insert(*reader)));
        }
        // A transform of its own inputs is a circle, which the checks of a plant file refuse.
        outputs.remove(&series);
        let inputs = outputs.iter().filter_map(|output| reads.get(output)).flatten().copied();
        let inputs: BTreeSet<SeriesId> = inputs.filter(|input| !outputs.contains(input)).collect();
        let transforms = Transforms::of(catalog, &|series| outputs.contains(&series));
        (!outputs.is_empty()).then_some(Self { transforms, outputs, inputs })
    }

    /// What must be read: what they are computed from, and what they gave.
    pub fn reads(&self) -> Vec<SeriesId> {
        self.inputs.union(&self.outputs).copied().collect()
    }

    /// The series that they give.
    pub fn outputs(&self) -> impl Iterator<Item = SeriesId> + '_ {
        self.outputs.iter().copied()
    }

    /// Begins after an instant at which these values held. Attributes too hold from their values on.
    pub fn begin(&mut self, held: &HashMap<SeriesId, Tqv>) {
        self.transforms.seed(|series| held.get(&series).cloned());
        let inputs = self.inputs.iter().filter_map(|series| Some(Point { series: *series, tqv: held.get(series)?.clone() }));
        let constants: HashSet<SeriesId> = self.transforms.constants().collect();
        self.transforms.apply(&mut inputs.filter(|point| constants.contains(&point.series)).collect());
    }

    /// Takes all stored points of a stretch of time, of what they read and of what they gave, in order of time. Gives the results
    /// that are others than those stored.
    pub fn take(&mut self, points: Vec<Point>) -> Vec<Point> {
        let (stored, mut points): (Vec<Point>, Vec<Point>) =
            points.into_iter().partition(|point| self.outputs.contains(&point.series));
        // Of two of one instant the later one counts, which is the worse one where points are read in order.
        let stored: HashMap<(SeriesId, Timestamp), Tqv> = stored.into_iter().map(by_instant).collect();
        let inputs = points.len();
        self.transforms.apply(&mut points);
        let results: BTreeMap<(SeriesId, Timestamp), Tqv> = points.into_iter().skip(inputs).map(by_instant).collect();
        let changed = results.into_iter().filter(|(key, tqv)| stored.get(key).is_none_or(|stored| !same(stored, tqv)));
        changed.map(|((series, _), tqv)| Point { series, tqv }).collect()
    }
}

fn by_instant(point: Point) -> ((SeriesId, Timestamp), Tqv) {
    ((point.series, point.tqv.time), point.tqv)
}

fn same(stored: &Tqv, result: &Tqv) -> bool {
    (stored.quality, &stored.value) == (result.quality, &result.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Value, catalog::SeriesDirectory, plant_file};
    use std::sync::Arc;

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
        let loaded = plant_file::load(&[("plant.yaml".into(), PLANT.into())], &|_| None);
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
        let outputs = |name: &str| {
            let again = Again::of(&catalog, series(&catalog, name));
            again
                .map(|again| again.outputs().map(|id| catalog.entry(id).unwrap().key.to_string()).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(outputs("tare").as_deref(), Some("net over"));
        assert_eq!(outputs("target").as_deref(), Some("over"), "of the parent");
        assert_eq!(outputs("count").as_deref(), Some("many"));
        assert_eq!(outputs("over"), None);
    }

    #[test]
    fn an_attribute_holds_from_its_values_on_and_only_what_is_different_comes_out() {
        let catalog = catalog();
        let [tare, gross, net, over] = ["tare", "gross", "net", "over"].map(|name| series(&catalog, name));
        let mut again = Again::of(&catalog, tare).unwrap();
        assert!(again.reads().contains(&series(&catalog, "target")));
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
        assert_eq!(shown(&catalog, &again.take(stretch)), "net@10=502 over@10=2", "at 20 the old value holds again");
        let stretch = vec![good(gross, 30, 530.0)];
        assert_eq!(shown(&catalog, &again.take(stretch)), "net@30=520 over@30=20", "what was never stored comes too");
    }
}

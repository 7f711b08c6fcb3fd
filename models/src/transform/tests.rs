//! Transforms, sample by sample.

use super::*;
use crate::{
    AssetId, ModelId, PropertyId,
    calendar::ShiftCalendar,
    catalog::SeriesDirectory,
    definition::{Asset, AssetIndex, AssetModel, ModelIndex, Plant, Property, PropertyKind, Scaling},
    expression::{
        Reference, Resolved, Scope, Type,
        formula::{self, FormulaKind, FormulaScope, FormulaVariable, Role},
    },
};

/// Every name is an own number, but `line.x` is the parent's.
struct Names;

impl Scope for Names {
    fn resolve(&self, path: &[&str]) -> Option<Resolved> {
        let reference = match path {
            [own] => Reference::Own((*own).into()),
            ["line", parent] => Reference::Parent((*parent).into()),
            _ => return None,
        };
        Some(Resolved { reference, node_type: Type::Number, unit: "".into() })
    }

    fn candidates(&self) -> Vec<String> {
        Vec::new()
    }

    fn aggregates(&self) -> bool {
        false
    }
}

impl FormulaScope for Names {
    fn variable(&self, name: &str) -> Option<FormulaVariable> {
        let role = if name == "offset" { Role::Attribute } else { Role::Samples };
        Some(FormulaVariable { reference: Reference::Own(name.into()), value_type: Type::Number, role })
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn kind(&self) -> FormulaKind {
        FormulaKind::Transform
    }
}

fn property(name: &str, value_type: ValueType, kind: PropertyKind) -> Property {
    Property {
        id: PropertyId::from_name(name),
        name: name.into(),
        key: name.into(),
        unit: "".into(),
        value_type,
        kind,
        normal: None,
        stale: None,
        target: None,
        hidden: false,
        origin: Default::default(),
        composite: None,
        declared: None,
    }
}

fn model(name: &str, properties: Vec<Property>) -> AssetModel {
    AssetModel {
        id: ModelId::from_name(name),
        name: name.into(),
        properties,
        controls: Vec::new(),
        oee: None,
        oee_of: None,
        detectors: Vec::new(),
        hierarchies: Vec::new(),
        origin: Default::default(),
        kind: Default::default(),
        composites: Vec::new(),
        implements: Vec::new(),
    }
}

fn asset(path: &str, model: usize, parent: Option<AssetIndex>) -> Asset {
    Asset {
        id: AssetId::from_name(path),
        name: path.into(),
        path: path.into(),
        model: ModelIndex(model),
        parent,
        children: Vec::new(),
        attributes: vec![("offset".into(), Value::Integer(100))],
        slots: Vec::new(),
        origin: Default::default(),
        aliases: Vec::new(),
    }
}

/// A line with measurement `speed`, and a machine on it with measurements a, b, c, attribute `offset` = 100, and transforms.
struct Bench {
    catalog: Catalog,
    transforms: Transforms,
}

impl Bench {
    fn new(formulas: &[(&str, &str)]) -> Self {
        Self::with(formulas, |text| Expression::parse(text, &Names).expect("a formula"))
    }

    /// The same with formulas of SiteWise.
    fn sitewise(formulas: &[(&str, &str)]) -> Self {
        Self::with(formulas, |text| formula::parse(text, &Names).expect("a formula"))
    }

    fn with(formulas: &[(&str, &str)], parse: impl Fn(&str) -> Expression) -> Self {
        let measurement = |name: &str| {
            let kind = PropertyKind::Measurement { binding: None, counter: None, scaling: Scaling::default() };
            property(name, ValueType::Double, kind)
        };
        let mut properties = vec![measurement("a"), measurement("b"), measurement("c")];
        properties.push(property("offset", ValueType::Double, PropertyKind::Attribute { default: Value::Null }));
        for (name, formula) in formulas {
            let expression = parse(formula);
            let value_type = if expression.result_type() == Type::Boolean { ValueType::Boolean } else { ValueType::Double };
            properties.push(property(name, value_type, PropertyKind::Transform { expression: expression.into() }));
        }
        let plant = Plant {
            name: "Bench".into(),
            calendar: ShiftCalendar::new(jiff::tz::TimeZone::UTC),
            sources: Vec::new(),
            notify: Vec::new(),
            models: vec![model("line", vec![measurement("speed")]), model("machine", properties)],
            assets: vec![asset("Line", 0, None), asset("Line/Machine", 1, Some(AssetIndex(0)))],
            inputs: Vec::new(),
            targets: Vec::new(),
            detectors: Vec::new(),
        };
        let catalog = Catalog::build(plant.into(), &mut SeriesDirectory::default());
        let transforms = Transforms::new(&catalog);
        Self { catalog, transforms }
    }

    fn series(&self, name: &str) -> SeriesId {
        let own = self.catalog.series_named(AssetIndex(1), name);
        own.or_else(|| self.catalog.series_named(AssetIndex(0), name)).expect("a series")
    }

    /// `name@time=value`, with `!` for Bad, gives what was added, in the same words.
    fn apply(&mut self, samples: &str) -> String {
        let sample = |text: &str| {
            let (name, rest) = text.split_once('@').expect("a time");
            let (time, value) = rest.split_once('=').expect("a value");
            let time = Timestamp::from_seconds(time.parse().expect("seconds"));
            let tqv = match value {
                "!" => Tqv::bad(time, StatusCode::NOT_CONNECTED),
                number => Tqv::good(time, Value::Double(number.parse().expect("a number"))),
            };
            Point { series: self.series(name), tqv }
        };
        let mut points: Vec<Point> = samples.split_whitespace().map(sample).collect();
        let given = points.len();
        self.transforms.apply(&mut points);
        points[given..].iter().map(|point| self.show(point)).collect::<Vec<_>>().join(" ")
    }

    fn show(&self, point: &Point) -> String {
        let key = &self.catalog.entry(point.series).expect("a series").key;
        let time = point.tqv.time.as_millis() / 1000;
        match (point.tqv.quality, &point.tqv.value) {
            (Quality::Good, value) => format!("{key}@{time}={value}"),
            (quality, Value::Null) => format!("{key}@{time}=!{quality}:{:08x}", point.tqv.status.0),
            (quality, value) => format!("{key}@{time}={value}!{quality}"),
        }
    }
}

#[test]
fn each_sample_gives_a_result_and_others_join() {
    let mut bench = Bench::new(&[("sum", "a + b + offset")]);
    assert_eq!(bench.apply("a@1=1"), "");
    assert_eq!(bench.apply("b@2=10"), "sum@2=111");
    assert_eq!(bench.apply("a@3=2 a@4=3 b@5=20"), "sum@3=112 sum@4=113 sum@5=123");
    // Out of order in the batch, and together at one instant.
    assert_eq!(bench.apply("b@7=30 a@7=5 a@6=4"), "sum@6=124 sum@7=135");
    assert_eq!(bench.apply("c@8=1"), "");
}

#[test]
fn chains_follow_at_the_same_instant() {
    let mut bench = Bench::new(&[("third", "second * 10"), ("first", "a + 1"), ("second", "first + b")]);
    assert_eq!(bench.apply("b@1=1 a@1=1"), "first@1=2 second@1=3 third@1=30");
    assert_eq!(bench.apply("b@2=2"), "second@2=4 third@2=40");
}

#[test]
fn circles_are_never_computed() {
    let mut bench = Bench::new(&[("x", "y + a"), ("y", "x + a"), ("z", "a")]);
    assert_eq!(bench.apply("a@1=1"), "z@1=1");
}

#[test]
fn parents_are_read() {
    let mut bench = Bench::new(&[("share", "a / line.speed")]);
    assert_eq!(bench.apply("speed@1=4 a@2=1"), "share@2=0.25");
}

#[test]
fn bad_inputs_make_bad_results_until_they_are_good_again() {
    let mut bench = Bench::new(&[("hot", "a > 5 and b > 0")]);
    assert_eq!(bench.apply("a@1=6 b@1=1"), "hot@1=true");
    assert_eq!(bench.apply("a@2=!"), "hot@2=!bad:808a0000");
    // The other input goes on: nothing is made of the lost one's last value.
    assert_eq!(bench.apply("b@3=1"), "hot@3=!bad:808a0000");
    // But what does not depend on it is known.
    assert_eq!(bench.apply("b@4=0"), "hot@4=false");
    assert_eq!(bench.apply("b@5=1 a@6=7"), "hot@5=!bad:808a0000 hot@6=true");
}

#[test]
fn no_result_is_said_and_not_left_out() {
    let mut bench = Bench::new(&[("ratio", "a / b")]);
    assert_eq!(bench.apply("a@1=6 b@1=3"), "ratio@1=2");
    assert_eq!(bench.apply("b@2=0"), "ratio@2=!bad:809b0000");
}

#[test]
fn late_samples_give_their_own_result_and_move_nothing() {
    let mut bench = Bench::new(&[("sum", "a + b"), ("double", "sum * 2")]);
    bench.apply("a@10=1 b@10=10 a@20=2");
    assert_eq!(bench.apply("a@15=5"), "sum@15=15 double@15=30");
    assert_eq!(bench.apply("b@30=20"), "sum@30=22 double@30=44");
}

#[test]
fn a_slower_source_corrects_the_newest_result() {
    let mut bench = Bench::new(&[("sum", "a + b"), ("double", "sum * 2")]);
    bench.apply("a@10=1 b@10=10");
    assert_eq!(bench.apply("b@13=20"), "sum@13=21 double@13=42");
    // Sample 12 of `a` comes after sample 13 of `b`: right at 12, and 13 was computed without it.
    assert_eq!(bench.apply("a@12=5"), "sum@12=15 double@12=30 sum@13=25 double@13=50");
    // Nothing to correct when the result stays the same.
    assert_eq!(bench.apply("b@20=20 a@19=5"), "sum@19=25 double@19=50 sum@20=25 double@20=50");
    assert_eq!(bench.apply("a@19=5"), "sum@19=25 double@19=50");
}

#[test]
fn seeding_takes_up_where_an_earlier_run_ended() {
    let mut bench = Bench::new(&[("sum", "a + b")]);
    let a = bench.series("a");
    bench.transforms.seed(|series| (series == a).then(|| Tqv::good(Timestamp::from_seconds(5), 7.0.into())));
    assert_eq!(bench.apply("b@6=1"), "sum@6=8");
}

#[test]
fn what_an_earlier_run_was_told_is_not_known_until_it_is_told_anew() {
    let mut bench = Bench::new(&[("sum", "a + b"), ("double", "sum * 2")]);
    let (a, double) = (bench.series("a"), bench.series("double"));
    bench.transforms.seed(|_| Some(Tqv::good(Timestamp::from_seconds(5), 7.0.into())));
    let doubted = bench.transforms.doubt(&[a].into());
    assert_eq!((doubted.len(), doubted.contains(&double)), (3, true));
    assert_eq!(bench.apply("b@6=1"), "sum@6=!bad:808a0000 double@6=!bad:808a0000");
    assert_eq!(bench.apply("a@7=2"), "sum@7=3 double@7=6");
}

/// The worked example of `pretrigger` (compatibility with AWS IoT SiteWise): a = 10, 20, -, 30 and b = 1, 2, 3, - at 0, 5, 10, 15 minutes.
#[test]
fn pretrigger_in_every_order_of_arrival() {
    let bench = || Bench::sitewise(&[("r", "a + b + pretrigger(b)")]);
    let mut in_order = bench();
    assert_eq!(in_order.apply("a@0=10 b@0=1"), "");
    assert_eq!(in_order.apply("a@300=20 b@300=2"), "r@300=23");
    assert_eq!(in_order.apply("b@600=3"), "r@600=25");
    assert_eq!(in_order.apply("a@900=30"), "r@900=36");
    // One sample at a time.
    let mut single = bench();
    assert_eq!(single.apply("a@0=10"), "");
    assert_eq!(single.apply("b@0=1"), "");
    assert_eq!(single.apply("a@300=20"), "r@300=22");
    assert_eq!(single.apply("b@300=2"), "r@300=23");
    // The second value of a comes before its first.
    let mut swapped = bench();
    assert_eq!(swapped.apply("b@0=1"), "");
    assert_eq!(swapped.apply("a@300=20"), "r@300=22");
    // Both second values come first: there is no earlier b yet.
    let mut late = bench();
    assert_eq!(late.apply("a@300=20"), "");
    assert_eq!(late.apply("b@300=2"), "");
}

#[test]
fn formulas_join_the_latest_good_values_and_drop_what_has_no_result() {
    let mut bench = Bench::sitewise(&[("sum", "a + b + offset"), ("ratio", "a / b")]);
    assert_eq!(bench.apply("a@1=1"), "");
    assert_eq!(bench.apply("b@2=10"), "sum@2=111 ratio@2=0.1");
    // A Bad value sets nothing off, and the good one before it is used.
    assert_eq!(bench.apply("a@3=!"), "");
    assert_eq!(bench.apply("b@4=0"), "sum@4=101");
    assert_eq!(bench.apply("a@5=7 b@5=7"), "sum@5=114 ratio@5=1");
    // A late sample joins what was known then.
    assert_eq!(bench.apply("a@4=3"), "sum@4=103");
}

#[test]
fn formulas_know_the_time_of_their_sample() {
    let mut bench = Bench::sitewise(&[("t", "timestamp() - timestamp(b)"), ("h", "hour(localtime(now() * 1 + a * 0, '+2'))")]);
    assert_eq!(bench.apply("b@3600=1"), "t@3600=0");
    assert_eq!(bench.apply("b@3700=1 a@7200=0"), "t@3700=0 h@7200=4");
}

mod over_history;
mod readers;

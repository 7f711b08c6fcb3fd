//! Transforms over stored values: what comes out is what live values would have given, and only what is new.

use super::{super::over_history::OverHistory, *};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

type Stored = BTreeMap<(SeriesId, Timestamp, Quality), Tqv>;

/// What is stored once points are, the later ones over the earlier.
fn store(stored: &mut Stored, points: impl IntoIterator<Item = Point>) {
    for Point { series, tqv } in points {
        stored.insert((series, tqv.time, tqv.quality), tqv);
    }
}

/// Plays what is stored in stretches of so many instants, and stores what is new; says how much that was.
fn play(bench: &Bench, wanted: &[&str], stored: &mut Stored, from: i64, stretch: usize) -> usize {
    let wanted: BTreeSet<SeriesId> = wanted.iter().map(|name| bench.series(name)).collect();
    let mut again = OverHistory::new(&bench.catalog, &wanted);
    let from = Timestamp::from_seconds(from);
    let mut before: HashMap<SeriesId, Tqv> = HashMap::new();
    for ((series, time, _), tqv) in stored.iter().filter(|((_, time, _), _)| *time <= from) {
        if before.get(series).is_none_or(|known| known.time <= *time) {
            before.insert(*series, tqv.clone());
        }
    }
    again.begin(&before);
    let reads: BTreeSet<SeriesId> = again.series().into_iter().collect();
    let mut points: Vec<Point> = stored
        .iter()
        .filter(|((series, time, _), _)| *time > from && reads.contains(series))
        .map(|((series, ..), tqv)| Point { series: *series, tqv: tqv.clone() })
        .collect();
    points.sort_by_key(|point| (point.tqv.time, point.series));
    let instants: Vec<Timestamp> = points.iter().map(|point| point.tqv.time).collect::<BTreeSet<_>>().into_iter().collect();
    let mut new = 0;
    for part in instants.chunks(stretch.max(1)) {
        let part = points.iter().filter(|point| part.contains(&point.tqv.time)).cloned().collect();
        let changed = again.play(part);
        new += changed.len();
        store(stored, changed);
    }
    new
}

/// Feeds samples one instant at a time, and keeps them with what follows.
fn live(bench: &mut Bench, samples: &[(&str, i64, Option<f64>)]) -> Stored {
    let mut stored = Stored::new();
    let times: BTreeSet<i64> = samples.iter().map(|(_, time, _)| *time).collect();
    for time in times {
        let at = Timestamp::from_seconds(time);
        let now = samples.iter().filter(|(_, of, _)| *of == time);
        let tqv = |value: &Option<f64>| match value {
            Some(value) => Tqv::good(at, Value::Double(*value)),
            None => Tqv::bad(at, StatusCode::NOT_CONNECTED),
        };
        let mut points: Vec<Point> =
            now.map(|(name, _, value)| Point { series: bench.series(name), tqv: tqv(value) }).collect();
        points.sort_by_key(|point| point.series);
        bench.transforms.apply(&mut points);
        store(&mut stored, points);
    }
    stored
}

fn raw(bench: &Bench, stored: &Stored) -> Stored {
    let raw = ["a", "b", "c"].map(|name| bench.series(name));
    stored.iter().filter(|((series, ..), _)| raw.contains(series)).map(|(key, tqv)| (*key, tqv.clone())).collect()
}

const CHAIN: [(&str, &str); 3] = [("third", "second * 10"), ("first", "a + 1"), ("second", "first / b")];

#[test]
fn a_new_chain_is_computed_over_history() {
    let mut bench = Bench::new(&CHAIN);
    let samples = [("a", 1, Some(1.0)), ("b", 2, Some(2.0)), ("a", 3, None), ("a", 4, Some(5.0)), ("b", 5, Some(0.0))];
    let expected = live(&mut bench, &samples);
    let mut stored = raw(&bench, &expected);
    assert_eq!(play(&bench, &["first", "second", "third"], &mut stored, 0, 1), expected.len() - samples.len());
    assert_eq!(stored, expected);
    assert_eq!(play(&bench, &["first", "second", "third"], &mut stored, 0, 2), 0, "what is there is not written again");
    // Whoever names the first of the chain has all of it.
    let mut stored = raw(&bench, &expected);
    play(&bench, &["first"], &mut stored, 0, 3);
    assert_eq!(stored, expected);
}

#[test]
fn the_values_before_the_span_are_known() {
    let mut bench = Bench::new(&CHAIN);
    let samples = [("a", 1, Some(1.0)), ("b", 2, Some(2.0)), ("b", 10, Some(4.0)), ("a", 11, Some(7.0))];
    let expected = live(&mut bench, &samples);
    let mut stored = raw(&bench, &expected);
    play(&bench, &["first"], &mut stored, 5, 1);
    let after: Stored = expected.into_iter().filter(|((_, time, _), _)| *time > Timestamp::from_seconds(5)).collect();
    let found: Stored = stored.into_iter().filter(|((_, time, _), _)| *time > Timestamp::from_seconds(5)).collect();
    assert_eq!(found, after);
}

#[test]
fn a_value_that_there_is_none_of_any_more_gives_way() {
    let mut before = Bench::new(&[("ratio", "a / 2")]);
    let mut stored = live(&mut before, &[("a", 1, Some(4.0)), ("a", 2, Some(6.0))]);
    let after = Bench::new(&[("ratio", "a / (a - 4)")]);
    assert_eq!(play(&after, &["ratio"], &mut stored, 0, 9), 2, "one is gone and says so, the other is what it was");
    let shown: Vec<String> = stored
        .iter()
        .filter(|((series, ..), _)| *series == after.series("ratio"))
        .map(|((series, ..), tqv)| after.show(&Point { series: *series, tqv: tqv.clone() }))
        .collect();
    assert_eq!(shown, ["ratio@1=null", "ratio@1=!bad:809b0000", "ratio@2=3"]);
}

#[test]
fn attributes_hold_from_their_own_time() {
    let bench = Bench::new(&[("sum", "a + offset")]);
    let (a, offset, sum) = (bench.series("a"), bench.series("offset"), bench.series("sum"));
    let at = Timestamp::from_seconds;
    let mut again = OverHistory::new(&bench.catalog, &BTreeSet::from([sum]));
    again.begin(&HashMap::from([(offset, Tqv::good(at(-9), 10.0.into()))]));
    let point = |series, second, value: f64| Point { series, tqv: Tqv::good(at(second), value.into()) };
    let played = again.play(vec![point(a, 1, 1.0), point(offset, 2, 20.0), point(a, 3, 1.0)]);
    assert_eq!(played, [point(sum, 1, 11.0), point(sum, 3, 21.0)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// All results deleted and computed again from the samples: the same to the bit, however it is cut.
    #[test]
    fn computed_again_they_are_what_they_were(
        samples in proptest::collection::vec((0..3_usize, 0..60_i64, proptest::option::weighted(0.9, -1e3..1e3_f64)), 1..80),
        stretch in 1..20_usize,
        sitewise: bool,
    ) {
        let formulas = [("x", "a + b * 3"), ("y", "x / c"), ("z", "y - a")];
        let bench = || if sitewise { Bench::sitewise(&formulas) } else { Bench::new(&formulas) };
        let samples: BTreeMap<(usize, i64), Option<f64>> = samples.into_iter().map(|(of, at, value)| ((of, at), value)).collect();
        let samples: Vec<_> = samples.into_iter().map(|((of, at), value)| (["a", "b", "c"][of], at, value)).collect();
        let mut plant = bench();
        let expected = live(&mut plant, &samples);
        let mut stored = raw(&plant, &expected);
        play(&plant, &["x"], &mut stored, -1, stretch);
        prop_assert_eq!(stored, expected);
    }
}

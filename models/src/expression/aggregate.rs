//! Aggregates over the samples of one window: the rule itself, on plain data, so that live, report and replay agree.
//!
//! Samples are Good values in time order, the argument's formula applied already. A `Null` says that from its time on nothing
//! is known (the data turned Bad): it counts for nothing and ends what the value before it held. Samples at or before the
//! start of the window are carried in; samples after its end are ignored.

use super::{
    Aggregate,
    cell::Cell,
    follow::{Holding, Rising},
};
use crate::{Timestamp, Value, definition::CounterRule, window::Window};

mod weighted;

/// What an aggregate looks at.
#[derive(Clone, Copy, Debug)]
pub struct AggregateInput<'a> {
    /// The window.
    pub window: Window,
    /// Samples in time order, those carried in first.
    pub samples: &'a [(Timestamp, Value)],
    /// For `increase`, how the counter starts over.
    pub counter: CounterRule,
}

/// Aggregates the samples of a window; `Null` when there is nothing to say.
pub fn aggregate(aggregate: Aggregate, input: AggregateInput<'_>) -> Value {
    let AggregateInput { window, samples, .. } = input;
    let begin = samples.partition_point(|(time, _)| *time <= window.start);
    let end = samples.partition_point(|(time, _)| *time <= window.end);
    let inside = &samples[begin.min(end)..end];
    let values = || inside.iter().map(|(_, value)| value).filter(|value| **value != Value::Null);
    let numbers = || values().filter_map(Value::as_f64).filter(|number| number.is_finite());
    let choose = |best: fn(f64, f64) -> f64| numbers().reduce(best).map_or(Value::Null, Value::from);
    match aggregate {
        Aggregate::Count => Value::Integer(i64::try_from(values().count()).unwrap_or(i64::MAX)),
        Aggregate::First => values().next().cloned().unwrap_or(Value::Null),
        Aggregate::Last => values().next_back().cloned().unwrap_or(Value::Null),
        Aggregate::Latest => last_value(&samples[..end]),
        Aggregate::Before => last_value(&samples[..begin.min(end)]),
        Aggregate::TimeWeightedLinear => weighted::linear(&input).map_or(Value::Null, Value::from),
        Aggregate::TimeWeightedDeviation => weighted::deviation(&input).map_or(Value::Null, Value::from),
        Aggregate::Earliest => match last_value(&samples[..begin]) {
            Value::Null => values().next().cloned().unwrap_or(Value::Null),
            carried => carried,
        },
        Aggregate::Minimum => choose(f64::min),
        Aggregate::Maximum => choose(f64::max),
        Aggregate::Sum => numbers().reduce(|sum, number| sum + number).map_or(Value::Null, Value::from),
        Aggregate::Average => mean(numbers()).map_or(Value::Null, |(mean, _)| Value::from(mean)),
        Aggregate::StandardDeviation => deviation(numbers()).map_or(Value::Null, Value::from),
        Aggregate::Increase => rising(input).map_or(Value::Null, Value::from),
        Aggregate::StateTime => held(input).nonzero_seconds().map_or(Value::Null, Value::from),
        Aggregate::TimeWeightedAverage => held(input).average().map_or(Value::Null, Value::from),
    }
}

fn last_value(samples: &[(Timestamp, Value)]) -> Value {
    samples.iter().rev().map(|(_, value)| value).find(|value| **value != Value::Null).cloned().unwrap_or(Value::Null)
}

fn mean(numbers: impl Iterator<Item = f64>) -> Option<(f64, usize)> {
    let (sum, count) = numbers.fold((0.0, 0_usize), |(sum, count), number| (sum + number, count + 1));
    (count > 0).then(|| (sum / count as f64, count))
}

/// Sample standard deviation by Welford's method, which does not cancel; none for fewer than two samples.
fn deviation(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut count, mut mean, mut squares) = (0.0_f64, 0.0_f64, 0.0_f64);
    for number in numbers {
        count += 1.0;
        let before = number - mean;
        mean += before / count;
        squares += before * (number - mean);
    }
    (count > 1.0).then(|| (squares / (count - 1.0)).sqrt())
}

/// One aggregate over several arguments, each given by count, value (mean, sum, least, greatest) and deviation. The first `samples`
/// of them are of samples: while none of these has one, there is no result.
pub(super) fn pooled(aggregate: Aggregate, samples: u8, cells: &[Cell]) -> Cell {
    let arguments = || cells.as_chunks::<3>().0.iter();
    if samples > 0
        && aggregate != Aggregate::Count
        && arguments().take(samples.into()).all(|[_, value, _]| *value == Cell::Null)
    {
        return Cell::Null;
    }
    let known =
        || arguments().filter_map(|[count, value, deviation]| Some((count.as_f64()?, value.as_f64()?, deviation.as_f64())));
    let values = || known().map(|(_, value, _)| value);
    let total: f64 = known().map(|(count, ..)| count).sum();
    let mean = || known().map(|(count, value, _)| count * value).sum::<f64>() / total;
    let result = match aggregate {
        Aggregate::Count => Some(arguments().filter_map(|[count, ..]| count.as_f64()).sum()),
        Aggregate::Sum => values().reduce(|sum, value| sum + value),
        Aggregate::Minimum => values().reduce(f64::min),
        Aggregate::Maximum => values().reduce(f64::max),
        Aggregate::Average => (total > 0.0).then(mean),
        Aggregate::StandardDeviation if total > 1.0 => {
            let mean = mean();
            let squares = known().map(|(count, value, deviation)| {
                (count - 1.0) * deviation.unwrap_or(0.0).powi(2) + count * (value - mean).powi(2)
            });
            Some((squares.sum::<f64>() / (total - 1.0)).sqrt())
        }
        _ => None,
    };
    result.map_or(Cell::Null, Cell::number)
}

fn rising(input: AggregateInput<'_>) -> Option<f64> {
    let mut rising = Rising::new(input.window, input.counter);
    input.samples.iter().for_each(|(time, value)| rising.push(*time, value.as_f64()));
    rising.gained()
}

fn held(input: AggregateInput<'_>) -> Holding {
    let mut holding = Holding::new(input.window);
    input.samples.iter().for_each(|(time, value)| holding.push(*time, value.as_f64()));
    holding.finish();
    holding
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64, second: i64) -> Timestamp {
        Timestamp::from_seconds((14 * 60 + minute) * 60 + second)
    }

    fn run(kind: Aggregate, window: Window, samples: &[(Timestamp, Value)], counter: CounterRule) -> Value {
        aggregate(kind, AggregateInput { window, samples, counter })
    }

    /// Golden numbers G6: a value exactly on the end of the first window does not make that window report.
    #[test]
    fn statetime_per_minute() {
        let idle = [(0, 0, 0), (0, 30, 1), (1, 15, 1), (2, 45, 0), (4, 0, 0)];
        let samples: Vec<_> = idle.iter().map(|(m, s, value)| (at(*m, *s), Value::Integer(*value))).collect();
        let result = |minute| {
            let window = Window { start: at(minute - 1, 0), end: at(minute, 0) };
            run(Aggregate::StateTime, window, &samples, CounterRule::Reset)
        };
        let seconds: Vec<Value> = (0..=4).map(result).collect();
        let expected = [Value::Null, 30.0.into(), 60.0.into(), 45.0.into(), 0.0.into()];
        assert_eq!(seconds, expected);
    }

    #[test]
    fn carried_in_and_inside() {
        let window = Window { start: at(1, 0), end: at(2, 0) };
        let samples = [
            (at(0, 30), 4.0.into()),
            (at(1, 15), 8.0.into()),
            (at(1, 30), Value::Null),
            (at(1, 45), 2.0.into()),
            (at(2, 1), 99.0.into()),
        ];
        let check = |kind, expected: Value| assert_eq!(run(kind, window, &samples, CounterRule::Reset), expected, "{kind}");
        check(Aggregate::Count, Value::Integer(2));
        check(Aggregate::First, 8.0.into());
        check(Aggregate::Last, 2.0.into());
        check(Aggregate::Latest, 2.0.into());
        check(Aggregate::Earliest, 4.0.into());
        check(Aggregate::Average, 5.0.into());
        check(Aggregate::Sum, 10.0.into());
        check(Aggregate::Minimum, 2.0.into());
        check(Aggregate::Maximum, 8.0.into());
        check(Aggregate::StandardDeviation, Value::from(18_f64.sqrt()));
        // 15 s each of 4, 8 and 2; the Bad quarter does not count.
        check(Aggregate::TimeWeightedAverage, Value::from(14.0 / 3.0));
        check(Aggregate::StateTime, 45.0.into());
        check(Aggregate::Increase, 6.0.into());
    }

    #[test]
    fn an_empty_window_only_counts_and_carries() {
        let window = Window { start: at(1, 0), end: at(2, 0) };
        let carried = [(at(0, 30), Value::Double(4.0))];
        for kind in [
            Aggregate::Average,
            Aggregate::Sum,
            Aggregate::First,
            Aggregate::Last,
            Aggregate::Minimum,
            Aggregate::StandardDeviation,
        ] {
            assert_eq!(run(kind, window, &carried, CounterRule::Reset), Value::Null, "{kind}");
        }
        assert_eq!(run(Aggregate::Count, window, &carried, CounterRule::Reset), Value::Integer(0));
        assert_eq!(run(Aggregate::Latest, window, &carried, CounterRule::Reset), 4.0.into());
        assert_eq!(run(Aggregate::TimeWeightedAverage, window, &carried, CounterRule::Reset), 4.0.into());
        assert_eq!(run(Aggregate::Increase, window, &carried, CounterRule::Reset), 0.0.into());
        assert_eq!(run(Aggregate::Latest, window, &[], CounterRule::Reset), Value::Null);
        assert_eq!(run(Aggregate::StateTime, window, &[], CounterRule::Reset), Value::Null);
    }

    #[test]
    fn counters_start_over_by_their_rule() {
        let window = Window { start: at(1, 0), end: at(2, 0) };
        let samples: Vec<_> =
            [(0, 65_530.0), (70, 65_534.0), (80, 4.0), (90, 10.0)].map(|(s, value)| (at(0, s), Value::Double(value))).into();
        assert_eq!(run(Aggregate::Increase, window, &samples, CounterRule::Reset), 14.0.into());
        assert_eq!(run(Aggregate::Increase, window, &samples, CounterRule::Rollover(65_536.0)), 16.0.into());
        assert_eq!(run(Aggregate::Increase, window, &samples, CounterRule::Monotonic), 4.0.into());
    }

    #[test]
    fn a_counter_that_was_set_counts_on_from_there() {
        let window = Window { start: at(1, 0), end: at(2, 0) };
        let samples: Vec<_> = [(0, 9e6), (70, 9e6 + 5.0), (80, 8.9e6), (90, 8.9e6 + 2.0)]
            .map(|(s, value)| (at(0, s), Value::Double(value)))
            .into();
        assert_eq!(run(Aggregate::Increase, window, &samples, CounterRule::Reset), 7.0.into());
    }

    #[test]
    fn a_counter_that_was_lost_is_followed_from_its_last_good_reading() {
        let window = Window { start: at(1, 0), end: at(2, 0) };
        let check = |samples: &[(i64, Value)], expected: Value| {
            let samples: Vec<_> = samples.iter().map(|(s, value)| (at(0, *s), value.clone())).collect();
            assert_eq!(run(Aggregate::Increase, window, &samples, CounterRule::Reset), expected, "{samples:?}");
        };
        check(&[(10, 5.0.into()), (50, Value::Null), (70, 9.0.into())], 4.0.into());
        check(&[(10, 5.0.into()), (50, Value::Null)], Value::Null);
        check(&[(10, 5.0.into()), (70, Value::Null)], 0.0.into());
        check(&[(50, Value::Null), (70, 9.0.into())], 0.0.into());
    }
}

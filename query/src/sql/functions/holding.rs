//! `time_weighted_avg`, `state_duration` and `increase`: how long values hold, and what counters gain.
//!
//! Rows may come in any order and from several partitions, so a group keeps 16 bytes per row until it is complete; the memory
//! pool counts them. The rules are those of metrics, [`Holding`] and [`Rising`]. A row without a value says that from then on
//! nothing is known. Without `from` and `to` a group reaches from its first row to its last.

use super::arguments::{as_number, as_time, nanos};
use andon_models::{
    Timestamp,
    definition::CounterRule,
    expression::{Holding, Rising},
    window::Window,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, Int64Array},
    compute::{cast, kernels::cmp::eq},
    datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type},
};
use datafusion::{
    common::{exec_err, plan_err, utils::SingleRowListArrayBuilder},
    error::Result,
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
    scalar::ScalarValue,
};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Rule {
    Average,
    StateDuration,
    Increase,
}

/// One of the functions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Followed {
    rule: Rule,
    signature: Signature,
}

/// All of them.
pub fn functions() -> [Followed; 3] {
    [Rule::Average, Rule::StateDuration, Rule::Increase]
        .map(|rule| Followed { rule, signature: Signature::user_defined(Volatility::Immutable) })
}

/// Whether a function needs a whole group at once: over a window that moves along, it would begin anew at every row.
pub fn needs_whole_group(function: &AggregateUDF) -> bool {
    function.inner().is::<Followed>()
}

impl AggregateUDFImpl for Followed {
    fn name(&self) -> &str {
        match self.rule {
            Rule::Average => "time_weighted_avg",
            Rule::StateDuration => "state_duration",
            Rule::Increase => "increase",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.name();
        let number = |given| as_number(name, given);
        let time = |given| as_time(name, given);
        match (self.rule, given) {
            (Rule::StateDuration, [state, at]) => Ok(vec![number(state)?, time(at)?]),
            (Rule::StateDuration, [state, at, wanted, bounds @ ..]) if matches!(bounds.len(), 0 | 2) => {
                let is_text = |given: &DataType| as_number(name, given).is_err();
                let compared = if is_text(state) || is_text(wanted) { DataType::Utf8 } else { DataType::Float64 };
                let mut types = vec![compared.clone(), time(at)?, compared];
                for bound in bounds {
                    types.push(time(bound)?);
                }
                Ok(types)
            }
            (Rule::StateDuration, _) => {
                plan_err!("{name} wants a state, its time and the state to count: {name}(state, time, 'running')")
            }
            (_, [value, at]) => Ok(vec![number(value)?, time(at)?]),
            (_, [value, at, from, to]) => Ok(vec![number(value)?, time(at)?, time(from)?, time(to)?]),
            _ => plan_err!("{name} wants a value and its time, and may be given a span: {name}(value, time, from, to)"),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return plan_err!("{} knows no DISTINCT: every row counts until the next", self.name());
        }
        Ok(Box::new(Samples { rule: self.rule, rows: Vec::new(), is_sorted: true, from: None, to: None }))
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let list = |name: &str, of: DataType| Field::new_list(name, Field::new_list_field(of, true), true);
        let fields = [
            list("times", DataType::Int64),
            list("numbers", DataType::Float64),
            Field::new("from", DataType::Int64, true),
            Field::new("to", DataType::Int64, true),
        ];
        Ok(fields.into_iter().map(Arc::new).collect())
    }
}

/// The rows of a group: nanoseconds and numbers, NaN for none.
#[derive(Debug)]
struct Samples {
    rule: Rule,
    rows: Vec<(i64, f64)>,
    is_sorted: bool,
    from: Option<i64>,
    to: Option<i64>,
}

/// By time; at the same time, what ends the holding comes last, as in the files.
fn order(a: &(i64, f64), b: &(i64, f64)) -> std::cmp::Ordering {
    a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
}

impl Samples {
    fn push(&mut self, time: i64, number: Option<f64>) {
        let row = (time, number.filter(|number| number.is_finite()).unwrap_or(f64::NAN));
        self.is_sorted &= self.rows.last().is_none_or(|last| order(last, &row).is_le());
        self.rows.push(row);
    }

    fn bound(known: &mut Option<i64>, given: &Int64Array) -> Result<()> {
        for bound in given.iter().flatten() {
            if known.is_some_and(|known| known != bound) {
                return exec_err!("the span from … to must be the same for all rows of a group; put it into GROUP BY");
            }
            *known = Some(bound);
        }
        Ok(())
    }

    fn result(&mut self) -> Option<f64> {
        if !self.is_sorted {
            self.rows.sort_unstable_by(order);
            self.is_sorted = true;
        }
        let at = Timestamp::from_nanos;
        let start = self.from.or_else(|| self.rows.first().map(|row| row.0)).map(at)?;
        let end = self.to.or_else(|| self.rows.last().map(|row| row.0)).map(at)?;
        let window = Window { start, end };
        let rows = self.rows.iter().map(|(time, number)| (at(*time), Some(*number).filter(|number| !number.is_nan())));
        if self.rule == Rule::Increase {
            let mut rising = Rising::new(window, CounterRule::Reset);
            rows.for_each(|(time, number)| rising.push(time, number));
            return rising.gained();
        }
        let mut holding = Holding::new(window);
        rows.for_each(|(time, number)| holding.push(time, number));
        holding.finish();
        if self.rule == Rule::Average { holding.average() } else { holding.nonzero_seconds() }
    }
}

impl Accumulator for Samples {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let times = nanos(&columns[1])?;
        let counts_state = self.rule == Rule::StateDuration && columns.len() > 2;
        let numbers = if counts_state { cast(&eq(&columns[0], &columns[2])?, &DataType::Float64)? } else { columns[0].clone() };
        let numbers = numbers.as_primitive::<Float64Type>();
        if let [.., from, to] = &columns[2 + usize::from(counts_state)..] {
            Self::bound(&mut self.from, &nanos(from)?)?;
            Self::bound(&mut self.to, &nanos(to)?)?;
        }
        self.rows.reserve(times.len());
        for row in (0..times.len()).filter(|row| times.is_valid(*row)) {
            self.push(times.value(row), numbers.is_valid(row).then(|| numbers.value(row)));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.result()))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.rows.capacity() * size_of::<(i64, f64)>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let rows = std::mem::take(&mut self.rows);
        let times: Int64Array = rows.iter().map(|row| row.0).collect::<Vec<_>>().into();
        let numbers: Float64Array = rows.into_iter().map(|row| row.1).collect::<Vec<_>>().into();
        let list = |values: ArrayRef| SingleRowListArrayBuilder::new(values).build_list_scalar();
        Ok(vec![list(Arc::new(times)), list(Arc::new(numbers)), ScalarValue::Int64(self.from), ScalarValue::Int64(self.to)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        Self::bound(&mut self.from, states[2].as_primitive::<Int64Type>())?;
        Self::bound(&mut self.to, states[3].as_primitive::<Int64Type>())?;
        let (times, numbers) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        for (times, numbers) in times.iter().zip(numbers.iter()) {
            let (Some(times), Some(numbers)) = (times, numbers) else { continue };
            let (times, numbers) = (times.as_primitive::<Int64Type>(), numbers.as_primitive::<Float64Type>());
            self.rows.reserve(times.len());
            times.values().iter().zip(numbers.values()).for_each(|(time, number)| self.push(*time, Some(*number)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::arguments::instants, *};
    use andon_models::{
        Value,
        expression::{Aggregate, AggregateInput, aggregate},
    };
    use proptest::prelude::*;

    fn samples(rule: Rule) -> Samples {
        Samples { rule, rows: Vec::new(), is_sorted: true, from: None, to: None }
    }

    /// An instant, a number or none, and the partition the row comes from.
    type Row = (i64, Option<f64>, u8);

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let number = prop_oneof![1 => Just(None), 4 => (0_i32..50).prop_map(|number| Some(f64::from(number) / 4.0))];
        proptest::collection::vec((0_i64..10_000, number, 0_u8..3), 0..60).prop_map(|mut rows| {
            rows.sort_by_key(|row| row.0);
            rows.dedup_by_key(|row| row.0);
            rows
        })
    }

    proptest! {
        /// SQL gives the number that a metric gives, in whatever order and through however many partial states its rows come.
        #[test]
        fn sql_and_metrics_agree(rows in rows(), from in 0_i64..8_000, span in 0_i64..8_000, turn in any::<bool>()) {
            let window = Window { start: Timestamp::from_nanos(from), end: Timestamp::from_nanos(from + span) };
            let ordered: Vec<(Timestamp, Value)> = rows
                .iter()
                .map(|(time, number, _)| (Timestamp::from_nanos(*time), number.map_or(Value::Null, Value::Double)))
                .collect();
            for (rule, kind) in [
                (Rule::Average, Aggregate::TimeWeightedAverage),
                (Rule::StateDuration, Aggregate::StateTime),
                (Rule::Increase, Aggregate::Increase),
            ] {
                let input = AggregateInput { window, samples: &ordered, counter: CounterRule::Reset };
                let expected = aggregate(kind, input).as_f64();
                let mut total = samples(rule);
                for part in 0..3 {
                    let mut partial = samples(rule);
                    let mine: Vec<_> = rows.iter().filter(|row| row.2 == part).collect();
                    let mine = if turn { mine.into_iter().rev().collect() } else { mine };
                    let times = |time: &dyn Fn(&Row) -> i64| -> ArrayRef {
                        instants(mine.iter().map(|row| time(row)).collect::<Vec<_>>().into())
                    };
                    let is_state = rule == Rule::StateDuration;
                    let state = |number: f64| if is_state { f64::from(u8::from(number != 0.0)) } else { number };
                    let numbers: Float64Array = mine.iter().map(|row| row.1.map(state)).collect();
                    let wanted: ArrayRef = Arc::new(Float64Array::from(vec![1.0; mine.len()]));
                    let mut columns: Vec<ArrayRef> = vec![Arc::new(numbers), times(&|row| row.0)];
                    columns.extend(Some(wanted).filter(|_| is_state));
                    columns.extend([times(&|_| from), times(&|_| from + span)]);
                    partial.update_batch(&columns).unwrap();
                    let state = partial.state().unwrap();
                    let state: Vec<ArrayRef> = state.iter().map(|value| value.to_array().unwrap()).collect();
                    total.merge_batch(&state).unwrap();
                }
                // Without a row the span is not known either.
                if !rows.is_empty() {
                    prop_assert_eq!(total.evaluate().unwrap(), ScalarValue::Float64(expected), "{:?}", rule);
                }
            }
        }
    }
}

//! `first(value, time)` and `last(value, time)`: the value at the earliest and at the latest time of a group. Rows without a value
//! are skipped. Of rows with the same time any may be taken; a series has such rows only with different qualities.

use super::arguments::{as_time, nanos, time_type};
use arrow::{
    array::{Array, ArrayRef},
    datatypes::{DataType, Field, FieldRef},
};
use datafusion::{
    common::plan_err,
    error::Result,
    functions_aggregate::first_last::{first_value_udaf, last_value_udaf},
    logical_expr::{
        Accumulator, AggregateUDFImpl, Expr, Signature, Volatility,
        expr::{AggregateFunction, NullTreatment},
        function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs},
    },
    scalar::ScalarValue,
};
use std::sync::Arc;

/// `first` or `last`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct FirstOrLast {
    last: bool,
    signature: Signature,
}

/// Both functions.
pub fn functions() -> [FirstOrLast; 2] {
    [false, true].map(|last| FirstOrLast { last, signature: Signature::user_defined(Volatility::Immutable) })
}

impl AggregateUDFImpl for FirstOrLast {
    fn name(&self) -> &str {
        if self.last { "last" } else { "first" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.name();
        let [value, time] = given else { return plan_err!("{name} wants a value and its time: {name}(value, time)") };
        let value = if let DataType::Dictionary(_, plain) = value { plain } else { value };
        Ok(vec![value.clone(), as_time(name, time)?])
    }

    /// DataFusion's own functions do the same over groups, faster.
    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        let last = self.last;
        Some(Box::new(move |function: AggregateFunction, _| {
            let mut params = function.params;
            let Some(time) = params.args.pop() else { return plan_err!("first and last want a value and its time") };
            // Rows without a time come first for `last` and last for `first`, so that they lose.
            params.order_by = vec![time.sort(true, last)];
            params.null_treatment = Some(NullTreatment::IgnoreNulls);
            let func = if last { last_value_udaf() } else { first_value_udaf() };
            Ok(Expr::AggregateFunction(AggregateFunction { func, params }))
        }))
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let none = ScalarValue::try_from(args.return_type())?;
        Ok(Box::new(Best { last: self.last, time: None, value: none }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let value = Field::new("value", args.return_field.data_type().clone(), true);
        Ok(vec![Arc::new(value), Arc::new(Field::new("time", time_type(), true))])
    }
}

/// The best row so far.
#[derive(Debug)]
struct Best {
    last: bool,
    time: Option<i64>,
    value: ScalarValue,
}

impl Accumulator for Best {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let times = nanos(&columns[1])?;
        let better = |new: i64, old: i64| if self.last { new >= old } else { new < old };
        let mut best = None;
        let mut time = self.time;
        for row in (0..times.len()).filter(|row| times.is_valid(*row) && columns[0].is_valid(*row)) {
            if time.is_none_or(|time| better(times.value(row), time)) {
                (time, best) = (Some(times.value(row)), Some(row));
            }
        }
        if let Some(row) = best {
            self.time = time;
            self.value = ScalarValue::try_from_array(&columns[0], row)?;
            // A text must not keep the batch it came in.
            self.value.compact();
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::TimestampNanosecond(self.time, Some("UTC".into()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

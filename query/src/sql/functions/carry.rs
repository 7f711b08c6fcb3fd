//! `locf(value) OVER (…)` carries the last value forward into rows without one; `interpolate(value, time) OVER (…)` draws a
//! straight line between the values before and after.

use super::arguments::{as_number, as_time, nanos};
use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, UInt32Array},
    compute::take,
    datatypes::{DataType, Field, FieldRef, Float64Type},
};
use datafusion::{
    common::plan_err,
    error::Result,
    logical_expr::{
        LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDFImpl,
        function::{PartitionEvaluatorArgs, WindowUDFFieldArgs},
    },
    physical_expr::PhysicalExpr,
    scalar::ScalarValue,
};
use std::{ops::Range, sync::Arc};

/// `locf` or `interpolate`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Filling {
    linear: bool,
    signature: Signature,
}

/// Both functions.
pub fn functions() -> [Filling; 2] {
    [false, true].map(|linear| Filling { linear, signature: Signature::user_defined(Volatility::Immutable) })
}

impl WindowUDFImpl for Filling {
    fn name(&self) -> &str {
        if self.linear { "interpolate" } else { "locf" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match (self.linear, given) {
            (false, [value]) => Ok(vec![value.clone()]),
            (false, _) => plan_err!("locf wants one value: locf(value) OVER (PARTITION BY asset ORDER BY time)"),
            (true, [value, time]) => Ok(vec![as_number("interpolate", value)?, as_time("interpolate", time)?]),
            (true, _) => plan_err!(
                "interpolate wants a value and its time: interpolate(value, time) OVER (PARTITION BY asset ORDER BY time)"
            ),
        }
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        if self.linear {
            return Ok(Box::new(Line));
        }
        let value_type = args.input_fields().first().map_or(DataType::Null, |field| field.data_type().clone());
        Ok(Box::new(Carry { last: ScalarValue::try_from(&value_type)? }))
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let given = args.get_input_field(0).map_or(DataType::Null, |field| field.data_type().clone());
        Ok(Arc::new(Field::new(args.name(), if self.linear { DataType::Float64 } else { given }, true)))
    }

    fn limit_effect(&self, _: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        if self.linear { LimitEffect::Unknown } else { LimitEffect::None }
    }
}

/// Needs no row but the last, so rows stream through it.
#[derive(Debug)]
struct Carry {
    last: ScalarValue,
}

impl PartitionEvaluator for Carry {
    fn is_causal(&self) -> bool {
        true
    }

    fn supports_bounded_execution(&self) -> bool {
        true
    }

    fn evaluate(&mut self, values: &[ArrayRef], range: &Range<usize>) -> Result<ScalarValue> {
        if values[0].is_valid(range.start) {
            self.last = ScalarValue::try_from_array(&values[0], range.start)?;
            self.last.compact();
        }
        Ok(self.last.clone())
    }

    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let mut last = None;
        let sources: UInt32Array = (0..rows)
            .map(|row| {
                last = u32::try_from(row).ok().filter(|_| values[0].is_valid(row)).or(last);
                last
            })
            .collect();
        Ok(take(&values[0], &sources, None)?)
    }
}

/// Must know the next value, so it sees a whole partition at once.
#[derive(Debug)]
struct Line;

impl PartitionEvaluator for Line {
    fn evaluate_all(&mut self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let (values, times) = (columns[0].as_primitive::<Float64Type>(), nanos(&columns[1])?);
        let mut filled: Vec<Option<f64>> = values.iter().collect();
        let known = |row: usize| values.is_valid(row) && times.is_valid(row);
        let mut before: Option<usize> = None;
        for row in (0..rows).filter(|row| known(*row)) {
            if let Some(before) = before {
                for between in (before + 1..row).filter(|between| values.is_null(*between) && times.is_valid(*between)) {
                    let [from, at, to] = [before, between, row].map(|row| times.value(row));
                    filled[between] = between_two(from, values.value(before), at, to, values.value(row));
                }
            }
            before = Some(row);
        }
        Ok(Arc::new(Float64Array::from(filled)))
    }
}

/// The height at an instant of the line between two points; none outside of them.
pub fn between_two(from: i64, low: f64, at: i64, to: i64, high: f64) -> Option<f64> {
    if at < from || at > to {
        return None;
    }
    let (part, whole) = ((i128::from(at) - i128::from(from)) as f64, (i128::from(to) - i128::from(from)) as f64);
    Some(if whole == 0.0 { low } else { low + (high - low) * (part / whole) })
}

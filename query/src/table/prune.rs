//! What a query's conditions say about series and time: enough to leave out files, pages and buffered rows.
//!
//! It never leaves out a row that the conditions would keep; the conditions themselves are applied again above the scan.

use andon_models::Timestamp;
use arrow::{
    array::{AsArray, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::{Int8Type, Int32Type, TimestampMicrosecondType},
};
use datafusion::{
    common::Column,
    error::Result,
    logical_expr::{BinaryExpr, Expr, Operator, expr::InList, utils::split_conjunction},
    prelude::{col, lit},
    scalar::ScalarValue,
};
use std::collections::BTreeSet;

use super::columns::{Chunk, QUALITY, SERIES, TIME, quality_code, quality_named};

/// More series than this are pruned by their range only; the rows are sorted out by the condition itself.
const MAX_LISTED_SERIES: usize = 2_000;

/// The part of the history a query can need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prune {
    /// The series as stored; none means all.
    pub series: Option<BTreeSet<i32>>,
    /// The first microsecond.
    pub from: i64,
    /// The last microsecond.
    pub to: i64,
    /// The codes of the qualities, exactly; none means all.
    pub qualities: Option<BTreeSet<i8>>,
}

impl Default for Prune {
    fn default() -> Self {
        Self { series: None, from: i64::MIN, to: i64::MAX, qualities: None }
    }
}

impl Prune {
    /// One series, from one instant to another, both included.
    pub fn one(series: i32, from: Timestamp, to: Timestamp) -> Self {
        Self { series: Some([series].into()), from: from.as_micros(), to: to.as_micros(), qualities: None }
    }

    /// The qualities that a condition on `quality` alone leaves: `quality = 'good'`, `quality in ('good', 'uncertain')`. As quality
    /// belongs to a point's identity, such a condition may be applied before the latest write is chosen, and then is done with.
    pub fn qualities_of(condition: &Expr) -> Option<BTreeSet<i8>> {
        let is_quality = |expression: &Expr| matches!(plain_column(expression), Some(column) if column.name == "quality");
        let code = |expression: &Expr| match plain(expression) {
            Expr::Literal(value, _) => Some(quality_named(value.try_as_str()??).map(quality_code)),
            _ => None,
        };
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if is_quality(left) => {
                Some(code(right)?.into_iter().collect())
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if is_quality(right) => {
                Some(code(left)?.into_iter().collect())
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                let mut codes = Self::qualities_of(left)?;
                codes.extend(Self::qualities_of(right)?);
                Some(codes)
            }
            Expr::InList(InList { expr, list, negated: false }) if is_quality(expr) => {
                Some(list.iter().map(code).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
            }
            _ => None,
        }
    }

    /// Reads conditions on `series` and `time`; what it does not understand leaves nothing out.
    pub fn of(conditions: &[Expr]) -> Self {
        let mut prune = Self::default();
        conditions.iter().flat_map(|condition| split_conjunction(condition)).for_each(|condition| prune.add(condition));
        prune
    }

    /// Keeps only these series as well.
    pub fn only(&mut self, series: BTreeSet<i32>) {
        self.series = Some(match self.series.take() {
            None => series,
            Some(known) => known.intersection(&series).copied().collect(),
        });
    }

    fn add(&mut self, condition: &Expr) {
        if let Some(qualities) = Self::qualities_of(condition) {
            self.qualities = Some(match self.qualities.take() {
                None => qualities,
                Some(known) => known.intersection(&qualities).copied().collect(),
            });
            return;
        }
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (plain(left), op, plain(right)) {
                (Expr::Column(column), op, Expr::Literal(value, _)) => self.compare(&column.name, *op, value),
                (Expr::Literal(value, _), op, Expr::Column(column)) => {
                    if let Some(swapped) = op.swap() {
                        self.compare(&column.name, swapped, value);
                    }
                }
                (_, Operator::Or, _) => {
                    if let Some(series) = alternatives(condition) {
                        self.only(series);
                    }
                }
                _ => {}
            },
            Expr::Between(between) if !between.negated => {
                if let (Expr::Column(column), Expr::Literal(low, _), Expr::Literal(high, _)) =
                    (plain(&between.expr), plain(&between.low), plain(&between.high))
                {
                    self.compare(&column.name, Operator::GtEq, low);
                    self.compare(&column.name, Operator::LtEq, high);
                }
            }
            Expr::InList(_) => {
                if let Some(series) = alternatives(condition) {
                    self.only(series);
                }
            }
            _ => {}
        }
    }

    fn compare(&mut self, column: &str, operator: Operator, value: &ScalarValue) {
        match (column, operator) {
            ("series", Operator::Eq) => {
                if let Some(series) = whole(value) {
                    self.only([series].into());
                }
            }
            ("time", Operator::Eq) => {
                if let Some((low, high)) = micros(value) {
                    self.from = self.from.max(low);
                    self.to = self.to.min(high);
                }
            }
            ("time", Operator::Gt | Operator::GtEq) => {
                self.from = micros(value).map_or(self.from, |(low, _)| self.from.max(low))
            }
            ("time", Operator::Lt | Operator::LtEq) => self.to = micros(value).map_or(self.to, |(_, high)| self.to.min(high)),
            _ => {}
        }
    }

    /// Whether rows from one instant to another may be needed.
    pub fn touches(&self, from: Timestamp, to: Timestamp) -> bool {
        from.as_micros() <= self.to && self.from <= to.as_micros()
    }

    /// Whether rows of a range of series may be needed.
    pub fn touches_series(&self, (low, high): (i32, i32)) -> bool {
        self.series.as_ref().is_none_or(|series| series.range(low..=high).next().is_some())
    }

    /// The same as a condition on the columns of points; none when nothing is left out.
    pub fn condition(&self) -> Option<Expr> {
        let instant = |micros: i64| lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())));
        let mut parts = Vec::new();
        if self.from > i64::MIN {
            parts.push(col("time").gt_eq(instant(self.from)));
        }
        if self.to < i64::MAX {
            parts.push(col("time").lt_eq(instant(self.to)));
        }
        if let Some(series) = &self.series {
            let (Some(low), Some(high)) = (series.first(), series.last()) else { return Some(lit(false)) };
            if low == high {
                parts.push(col("series").eq(lit(*low)));
            } else {
                parts.push(col("series").gt_eq(lit(*low)));
                parts.push(col("series").lt_eq(lit(*high)));
                // A list of all from the lowest to the highest says nothing more.
                if series.len() <= MAX_LISTED_SERIES && series.len() <= high.abs_diff(*low) as usize {
                    parts.push(col("series").in_list(series.iter().map(|series| lit(*series)).collect(), false));
                }
            }
        }
        if let Some(qualities) = &self.qualities {
            parts.push(match qualities.first() {
                Some(only) if qualities.len() == 1 => col("quality").eq(lit(*only)),
                _ => col("quality").in_list(qualities.iter().map(|quality| lit(*quality)).collect(), false),
            });
        }
        parts.into_iter().reduce(Expr::and)
    }

    /// The rows of a chunk that may be needed; none when there are none.
    ///
    /// # Errors
    /// When the batch is not one of points.
    pub fn filter(&self, chunk: &Chunk) -> Result<Option<RecordBatch>> {
        let batch = &chunk.rows;
        if chunk.to < self.from || self.to < chunk.from {
            return Ok(None);
        }
        let times = batch.column(TIME).as_primitive::<TimestampMicrosecondType>().values();
        let series = batch.column(SERIES).as_primitive::<Int32Type>().values();
        let one = self.series.as_ref().filter(|series| series.len() == 1).and_then(|series| series.first().copied());
        let wanted = |number: i32| match (one, &self.series) {
            (Some(one), _) => one == number,
            (None, Some(series)) => series.contains(&number),
            (None, None) => true,
        };
        let qualities = batch.column(QUALITY).as_primitive::<Int8Type>().values();
        let of_quality = |quality: &i8| self.qualities.as_ref().is_none_or(|wanted| wanted.contains(quality));
        let keep: BooleanArray = times
            .iter()
            .zip(series)
            .zip(qualities)
            .map(|((time, series), quality)| {
                Some(self.from <= *time && *time <= self.to && wanted(*series) && of_quality(quality))
            })
            .collect();
        match keep.true_count() {
            0 => Ok(None),
            rows if rows == keep.len() => Ok(Some(batch.clone())),
            _ => Ok(Some(filter_record_batch(batch, &keep)?)),
        }
    }
}

/// Looks through casts and aliases, which do not change which rows are meant.
pub fn plain(expression: &Expr) -> &Expr {
    match expression {
        Expr::Cast(cast) => match cast.expr.as_ref() {
            // A cast of a column may round; only the optimizer's own widening of literals is looked through.
            inner @ Expr::Literal(..) => inner,
            _ => expression,
        },
        Expr::Alias(alias) => plain(&alias.expr),
        _ => expression,
    }
}

/// A column, looked at through the casts that make its texts comparable.
pub fn plain_column(expression: &Expr) -> Option<&Column> {
    match expression {
        Expr::Column(column) => Some(column),
        Expr::Cast(cast) => plain_column(&cast.expr),
        Expr::Alias(alias) => plain_column(&alias.expr),
        _ => None,
    }
}

/// The series of `series = 1 or series in (2, 3)`; none if anything else is in it.
fn alternatives(condition: &Expr) -> Option<BTreeSet<i32>> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let mut series = alternatives(left)?;
            series.extend(alternatives(right)?);
            Some(series)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (plain(left), plain(right)) {
            (Expr::Column(column), Expr::Literal(value, _)) | (Expr::Literal(value, _), Expr::Column(column))
                if column.name == "series" =>
            {
                Some([whole(value)?].into())
            }
            _ => None,
        },
        Expr::InList(InList { expr, list, negated: false }) => match plain(expr) {
            Expr::Column(column) if column.name == "series" => list
                .iter()
                .map(|item| match plain(item) {
                    Expr::Literal(value, _) => whole(value),
                    _ => None,
                })
                .collect(),
            _ => None,
        },
        _ => None,
    }
}

fn whole(value: &ScalarValue) -> Option<i32> {
    match value {
        ScalarValue::Int32(number) => *number,
        ScalarValue::Int64(number) => number.and_then(|number| i32::try_from(number).ok()),
        _ => None,
    }
}

/// The microseconds an instant lies between.
fn micros(value: &ScalarValue) -> Option<(i64, i64)> {
    let nanos: i128 = match value {
        ScalarValue::TimestampSecond(Some(time), _) => i128::from(*time) * 1_000_000_000,
        ScalarValue::TimestampMillisecond(Some(time), _) => i128::from(*time) * 1_000_000,
        ScalarValue::TimestampMicrosecond(Some(time), _) => i128::from(*time) * 1_000,
        ScalarValue::TimestampNanosecond(Some(time), _) => i128::from(*time),
        _ => return None,
    };
    // Rows are kept by whole microseconds, so both bounds may be generous.
    let low = nanos.div_euclid(1_000);
    let clamp = |micros: i128| i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX });
    Some((clamp(low), clamp(low + i128::from(nanos.rem_euclid(1_000) != 0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_on_series_and_time_are_understood() {
        let at = |micros| lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())));
        let prune = Prune::of(&[
            col("series").eq(lit(3)).or(col("series").eq(lit(5))),
            col("time").gt(at(10)).and(col("time").lt_eq(at(20))),
        ]);
        assert_eq!(prune, Prune { series: Some([3, 5].into()), from: 10, to: 20, qualities: None });
        let prune = Prune::of(&[col("series").in_list(vec![lit(3), lit(4)], false), at(7).lt(col("time"))]);
        assert_eq!(prune, Prune { series: Some([3, 4].into()), from: 7, to: i64::MAX, qualities: None });
        let unknown =
            Prune::of(&[col("series").eq(lit(3)).or(col("time").eq(at(1))), col("series").in_list(vec![lit(3)], true)]);
        assert_eq!(unknown, Prune::default());
        let quality =
            |texts: &[&str]| Prune::of(&[col("quality").in_list(texts.iter().map(|text| lit(*text)).collect(), false)]);
        assert_eq!(quality(&["good", "bad", "odd"]).qualities, Some([0, 2].into()));
        assert_eq!(Prune::of(&[col("quality").not_eq(lit("good"))]), Prune::default());
        assert_eq!(Prune::of(&[col("quality").eq(lit("good")), lit("bad").eq(col("quality"))]).qualities, Some([].into()));
        let nanos = lit(ScalarValue::TimestampNanosecond(Some(1_500), Some("UTC".into())));
        assert_eq!(Prune::of(&[col("time").lt(nanos.clone())]).to, 2);
        assert_eq!(Prune::of(&[col("time").gt(nanos)]).from, 1);
    }
}

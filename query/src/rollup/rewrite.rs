//! Lets questions for means, sums, extremes and counts of samples be answered from roll-ups.
//!
//! Of `SELECT asset, date_bin(INTERVAL '1 hour', time), avg(value) FROM samples WHERE … GROUP BY …` the samples are replaced by
//! pieces (see [`super::pieces`]), each aggregate by what makes it from pieces. All else stays: conditions on time and spans of
//! `date_bin` see the pieces as they would see the samples. A question with anything in it that could tell pieces from samples is
//! left alone.

use super::{
    Resolution,
    pieces::{COUNT, MAX, MIN, NUMBERS, PiecesTable, SUM},
    spans::Span,
};
use crate::{
    directory::NAMES,
    historian::store::Store,
    sql::{
        question::{Part, Question},
        shortcut::Shortcut,
    },
    table::named::NamedTable,
};
use andon_models::time::parse_duration;
use arrow::datatypes::DataType;
use datafusion::{
    common::{
        Column, ScalarValue,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    datasource::provider_as_source,
    error::Result,
    functions_aggregate::expr_fn::{max, min, sum},
    logical_expr::{Aggregate, BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, lit, utils::conjunction},
    prelude::{cast, coalesce},
};
use std::sync::Arc;

/// Shorter spans than this are read from the samples: there is little to win.
const SHORTEST_NANOS: i64 = 3_600_000_000_000;

/// Answers from roll-ups.
pub struct UseRollups {
    store: Arc<Store>,
    samples: Arc<NamedTable>,
}

impl UseRollups {
    /// For the table `samples`.
    pub fn new(store: Arc<Store>, samples: Arc<NamedTable>) -> Self {
        Self { store, samples }
    }
}

impl Shortcut for UseRollups {
    fn plan(&self, aggregate: &Aggregate, question: &Question) -> Result<Option<LogicalPlan>> {
        let Some((span, conditions)) = span_and_conditions(question) else { return Ok(None) };
        let mut coarsest = Resolution::Day;
        for group in &question.groups {
            let Some(allowed) = resolution_of(group) else { return Ok(None) };
            coarsest = coarsest.min(allowed);
        }
        if span.to.saturating_sub(span.from) < SHORTEST_NANOS {
            return Ok(None);
        }
        let Some(parts) = question.aggregates.iter().map(of_pieces).collect::<Option<Vec<Asked>>>() else { return Ok(None) };
        self.build(aggregate, question, parts, coarsest, span, conditions).map(Some)
    }
}

impl UseRollups {
    fn build(
        &self,
        aggregate: &Aggregate,
        question: &Question,
        parts: Vec<Asked>,
        coarsest: Resolution,
        span: Span,
        conditions: Vec<Expr>,
    ) -> Result<LogicalPlan> {
        let pieces = PiecesTable::new(self.store.clone(), self.samples.clone(), coarsest, span);
        let table = &question.scan.table_name;
        let column = |name: &str| Expr::Column(Column::new(Some(table.clone()), name));
        let scan = LogicalPlanBuilder::scan(table.clone(), provider_as_source(Arc::new(pieces)), None)?;
        let filtered = match conjunction(conditions) {
            Some(condition) => scan.filter(condition)?,
            None => scan,
        };
        // Names of our own: what the columns were called is said above.
        let names = |kind: &str, index: usize| format!("__{kind}_{index}");
        let groups = question.groups.iter().enumerate().map(|(index, group)| group.clone().alias(names("group", index)));
        let groups: Vec<Expr> = groups.collect();
        let aggregates = [COUNT, NUMBERS, SUM].map(|name| sum(column(name)).alias(format!("__{name}")));
        let extremes = [min(column(MIN)).alias(format!("__{MIN}")), max(column(MAX)).alias(format!("__{MAX}"))];
        let inner = filtered.aggregate(groups, aggregates.into_iter().chain(extremes))?;
        let inner_column = |name: String| Expr::Column(Column::from_name(name));
        let of = |name: &str| inner_column(format!("__{name}"));
        let values = (0..question.groups.len()).map(|index| inner_column(names("group", index)));
        let values = values.chain(parts.into_iter().map(|part| match part {
            Asked::Rows => or_zero(of(COUNT)),
            Asked::Values(Part::Count) => or_zero(of(NUMBERS)),
            Asked::Values(Part::Sum) => of(SUM),
            Asked::Values(Part::Minimum) => of(MIN),
            Asked::Values(Part::Maximum) => of(MAX),
            Asked::Values(Part::Average) => of(SUM) / cast(of(NUMBERS), DataType::Float64),
        }));
        let named = values
            .zip(aggregate.schema.iter())
            .map(|(value, (qualifier, field))| value.alias_qualified(qualifier.cloned(), field.name()));
        inner.project(named.collect::<Vec<_>>())?.build()
    }
}

fn or_zero(value: Expr) -> Expr {
    coalesce(vec![value, lit(0_i64)])
}

/// What an aggregate asks of pieces.
enum Asked {
    /// How many rows there are.
    Rows,
    /// Something of their values.
    Values(Part),
}

/// What an aggregate asks of pieces; none if pieces do not say.
fn of_pieces(expression: &Expr) -> Option<Asked> {
    match Part::of(expression)? {
        (Part::Count, Expr::Literal(value, _)) if !value.is_null() => Some(Asked::Rows),
        (part, Expr::Column(column)) if column.name == "value" => Some(Asked::Values(part)),
        _ => None,
    }
}

/// The coarsest resolution whose pieces fall into the groups as their samples would; none if not even minutes do.
fn resolution_of(group: &Expr) -> Option<Resolution> {
    match group {
        Expr::Alias(alias) => resolution_of(&alias.expr),
        Expr::Column(column) if is_name(&column.name) => Some(Resolution::Day),
        Expr::ScalarFunction(function) if matches!(function.func.name(), "date_bin" | "time_bucket" | "window_end") => {
            let (width, time, origin) = match function.args.as_slice() {
                [width, time] => (width, time, 0),
                [width, time, origin] => (width, time, nanos(origin)?),
                _ => return None,
            };
            if !is_time(time) {
                return None;
            }
            fits(interval(width)?, origin)
        }
        Expr::ScalarFunction(function) if function.func.name() == "date_trunc" => {
            let [unit, time] = function.args.as_slice() else { return None };
            let Expr::Literal(unit, _) = unit else { return None };
            if !is_time(time) {
                return None;
            }
            match unit.try_as_str().flatten()?.to_lowercase().as_str() {
                "minute" => Some(Resolution::Minute),
                "hour" => Some(Resolution::Hour),
                "day" | "week" | "month" | "quarter" | "year" => Some(Resolution::Day),
                _ => None,
            }
        }
        Expr::Literal(..) => Some(Resolution::Day),
        // What is made of such parts is the same for a piece and its samples.
        Expr::BinaryExpr(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::Case(_)
        | Expr::Like(_)
        | Expr::InList(_)
        | Expr::Between(_)
        | Expr::Not(_)
        | Expr::Negative(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::ScalarFunction(_)
            if !group.is_volatile() =>
        {
            let mut coarsest = Some(Resolution::Day);
            let _ = group.apply_children(|part| {
                coarsest = coarsest.and_then(|known| resolution_of(part).map(|allowed| known.min(allowed)));
                Ok(if coarsest.is_some() { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
            });
            coarsest
        }
        _ => None,
    }
}

/// The coarsest resolution of which a width and an origin are multiples.
fn fits(width: i64, origin: i64) -> Option<Resolution> {
    let multiple = |resolution: &Resolution| {
        let length = resolution.micros() * 1_000;
        width > 0 && width % length == 0 && origin % length == 0
    };
    Resolution::ALL.into_iter().rev().find(multiple)
}

fn is_name(column: &str) -> bool {
    column == "quality" || NAMES.contains(&column)
}

fn is_time(expression: &Expr) -> bool {
    matches!(expression, Expr::Column(column) if column.name == "time")
}

/// A fixed interval in nanoseconds; none for months and shifts.
fn interval(expression: &Expr) -> Option<i64> {
    let Expr::Literal(value, _) = expression else { return None };
    if let Some(text) = value.try_as_str() {
        return i64::try_from(parse_duration(text?)?.as_nanos()).ok();
    }
    match value {
        ScalarValue::IntervalMonthDayNano(Some(value)) if value.months == 0 => {
            i64::from(value.days).checked_mul(86_400_000_000_000)?.checked_add(value.nanoseconds)
        }
        ScalarValue::IntervalDayTime(Some(value)) => i64::from(value.days)
            .checked_mul(86_400_000_000_000)?
            .checked_add(i64::from(value.milliseconds).checked_mul(1_000_000)?),
        _ => None,
    }
}

/// An instant in nanoseconds.
fn nanos(expression: &Expr) -> Option<i64> {
    let Expr::Literal(value, _) = expression else { return None };
    match value {
        // With or without a zone: the count is that of UTC.
        ScalarValue::TimestampSecond(Some(time), _) => time.checked_mul(1_000_000_000),
        ScalarValue::TimestampMillisecond(Some(time), _) => time.checked_mul(1_000_000),
        ScalarValue::TimestampMicrosecond(Some(time), _) => time.checked_mul(1_000),
        ScalarValue::TimestampNanosecond(Some(time), _) => Some(*time),
        _ => None,
    }
}

/// The span of time that the conditions leave, and the conditions; none if one could tell pieces from samples.
fn span_and_conditions(question: &Question) -> Option<(Span, Vec<Expr>)> {
    let mut span = Span::ALL;
    for condition in &question.conditions {
        let columns = condition.column_refs();
        if condition.is_volatile() || columns.is_empty() {
            return None;
        }
        if columns.iter().all(|column| is_name(&column.name)) {
            continue;
        }
        narrow(&mut span, condition)?;
    }
    Some((span, question.conditions.clone()))
}

/// Takes a comparison of time with an instant into account; none for anything else.
fn narrow(span: &mut Span, condition: &Expr) -> Option<()> {
    if let Expr::Between(between) = condition {
        if between.negated || !is_time(&between.expr) {
            return None;
        }
        span.from = span.from.max(nanos(&between.low)?);
        span.to = span.to.min(nanos(&between.high)?);
        return Some(());
    }
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return None };
    let (op, instant) = match (is_time(left), is_time(right)) {
        (true, false) => (*op, nanos(right)?),
        (false, true) => (op.swap()?, nanos(left)?),
        _ => return None,
    };
    match op {
        Operator::Gt => span.from = span.from.max(instant.checked_add(1)?),
        Operator::GtEq => span.from = span.from.max(instant),
        Operator::Lt => span.to = span.to.min(instant.checked_sub(1)?),
        Operator::LtEq => span.to = span.to.min(instant),
        _ => return None,
    }
    Some(())
}

//! What an aggregation asks of a table, seen through the renaming and the conditions in between.

use crate::table::named::NamedTable;
use datafusion::{
    common::{Column, DFSchema, tree_node::Transformed},
    datasource::source_as_provider,
    error::Result,
    logical_expr::{Aggregate, Expr, LogicalPlan, TableScan, expr::AggregateFunction, utils::split_conjunction},
};
use std::collections::HashMap;

/// An aggregation of a scan, with nothing but renaming and conditions in between.
pub(crate) struct Question {
    /// The table.
    pub scan: TableScan,
    /// All conditions on its rows.
    pub conditions: Vec<Expr>,
    /// What is grouped by, in columns of the table.
    pub groups: Vec<Expr>,
    /// The aggregates, in columns of the table.
    pub aggregates: Vec<Expr>,
}

impl Question {
    /// The question; none if it is of another table, or if there is anything else between the aggregation and the table.
    ///
    /// # Errors
    /// When an expression cannot be followed, or a table is no provider of rows.
    pub fn of(aggregate: &Aggregate, table: &NamedTable) -> Result<Option<Self>> {
        if aggregate.group_expr.iter().any(|group| matches!(group, Expr::GroupingSet(_))) {
            return Ok(None);
        }
        let (mut groups, mut aggregates) = (aggregate.group_expr.clone(), aggregate.aggr_expr.clone());
        let mut conditions = Vec::new();
        let mut plan = aggregate.input.as_ref();
        loop {
            plan = match plan {
                LogicalPlan::Projection(projection) => {
                    let made = projection.expr.iter().map(|made| made.clone().unalias());
                    see_through(&projection.schema, made, &mut groups, &mut aggregates, &mut conditions)?;
                    projection.input.as_ref()
                }
                LogicalPlan::SubqueryAlias(alias) => {
                    let inner = alias.input.schema().columns().into_iter().map(Expr::Column);
                    see_through(&alias.schema, inner, &mut groups, &mut aggregates, &mut conditions)?;
                    alias.input.as_ref()
                }
                LogicalPlan::Filter(filter) => {
                    conditions.extend(split_conjunction(&filter.predicate).into_iter().cloned());
                    filter.input.as_ref()
                }
                LogicalPlan::TableScan(scan) if scan.fetch.is_none() && is_of(scan, table)? => {
                    conditions.extend(scan.filters.iter().flat_map(|filter| split_conjunction(filter)).cloned());
                    let mut unique: Vec<Expr> = Vec::new();
                    conditions.into_iter().for_each(|condition| {
                        if !unique.contains(&condition) {
                            unique.push(condition);
                        }
                    });
                    return Ok(Some(Self { scan: scan.clone(), conditions: unique, groups, aggregates }));
                }
                _ => return Ok(None),
            };
        }
    }
}

fn is_of(scan: &TableScan, table: &NamedTable) -> Result<bool> {
    let provider = source_as_provider(&scan.source)?;
    Ok(provider.downcast_ref::<NamedTable>().is_some_and(|asked| std::ptr::eq(asked, table)))
}

/// An aggregate that can be put together from those of parts of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Count,
    Sum,
    Average,
    Minimum,
    Maximum,
}

impl Part {
    /// Which one an expression is, and of what; none for anything else, and where not all rows count alike.
    pub fn of(expression: &Expr) -> Option<(Self, &Expr)> {
        let AggregateFunction { func, params } = match expression {
            Expr::AggregateFunction(function) => function,
            Expr::Alias(alias) => return Self::of(&alias.expr),
            _ => return None,
        };
        if params.distinct || params.filter.is_some() || !params.order_by.is_empty() || params.null_treatment.is_some() {
            return None;
        }
        let [argument] = params.args.as_slice() else { return None };
        let part = match func.name() {
            "count" => Self::Count,
            "sum" => Self::Sum,
            "avg" | "mean" => Self::Average,
            "min" => Self::Minimum,
            "max" => Self::Maximum,
            _ => return None,
        };
        Some((part, argument))
    }
}

/// Says what was asked of a plan's columns in terms of what these are made of.
fn see_through(
    schema: &DFSchema,
    made: impl Iterator<Item = Expr>,
    groups: &mut [Expr],
    aggregates: &mut [Expr],
    conditions: &mut [Expr],
) -> Result<()> {
    let known: HashMap<Column, Expr> = schema.columns().into_iter().zip(made).collect();
    for expression in groups.iter_mut().chain(aggregates).chain(conditions) {
        *expression = replaced(expression.clone(), &known)?;
    }
    Ok(())
}

/// An expression over what a projection was made of.
fn replaced(expression: Expr, known: &HashMap<Column, Expr>) -> Result<Expr> {
    use datafusion::common::tree_node::TreeNode;
    let replaced = expression.transform(|node| {
        Ok(match &node {
            Expr::Column(column) => match known.get(column) {
                Some(made) => Transformed::yes(made.clone()),
                None => Transformed::no(node),
            },
            _ => Transformed::no(node),
        })
    })?;
    Ok(replaced.data)
}

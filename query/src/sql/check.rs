//! What a statement may do: read, and nothing else. An allow-list of plan nodes, so that what is new is refused until it is looked at.

use super::functions::needs_whole_group;
use crate::QueryError;
use arrow::datatypes::DataType;
use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    logical_expr::{Expr, LogicalPlan, SkipType, WindowFunctionDefinition},
};

/// Refuses a plan that does anything but read.
///
/// # Errors
/// Names what is not allowed.
pub fn only_reads(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut refused = None;
    let mut moving = None;
    let mut skips_too_many = false;
    plan.apply_with_subqueries(|node| {
        refused = refusal(node);
        moving = moving_group(node);
        skips_too_many = skips_more_than(node, MAX_OFFSET);
        let stop = refused.is_some() || moving.is_some() || skips_too_many;
        Ok(if stop { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if skips_too_many {
        return Err(QueryError::Statement(format!("OFFSET is at most {MAX_OFFSET}; name the time to begin at instead")));
    }
    if let Some(name) = moving {
        return Err(QueryError::Statement(format!("{name} follows a whole group of rows: use it with GROUP BY, not OVER")));
    }
    match refused {
        Some(what) => Err(QueryError::Statement(format!(
            "{what} is not allowed: SQL here only reads. Use SELECT; history changes only through sources, the API and the plant file"
        ))),
        None => Ok(()),
    }
}

/// Rows a statement may skip: more than any history holds, and few enough to be added to a LIMIT.
const MAX_OFFSET: usize = 1_000_000_000_000;

fn skips_more_than(node: &LogicalPlan, most: usize) -> bool {
    let LogicalPlan::Limit(limit) = node else { return false };
    match limit.get_skip_type() {
        Ok(SkipType::Literal(rows)) => rows > most,
        // A number that is no row count any more.
        _ => matches!(limit.skip.as_deref(), Some(Expr::Literal(rows, _)) if rows.cast_to(&DataType::Int64).is_err()),
    }
}

/// The name of a function that is asked for again at every row but needs all rows before each time.
fn moving_group(node: &LogicalPlan) -> Option<String> {
    let LogicalPlan::Window(window) = node else { return None };
    let name = |expression: &Expr| match expression {
        Expr::WindowFunction(window) => match &window.fun {
            WindowFunctionDefinition::AggregateUDF(function) if needs_whole_group(function) => Some(function.name().to_owned()),
            _ => None,
        },
        _ => None,
    };
    let mut found = None;
    for expression in &window.window_expr {
        let visited = expression.apply(|part| {
            found = found.take().or_else(|| name(part));
            Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        });
        debug_assert!(visited.is_ok(), "looking at an expression cannot fail");
    }
    found
}

fn refusal(node: &LogicalPlan) -> Option<&'static str> {
    match node {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_) => None,
        // Would run the statement under it as well, whatever it is, and show file names.
        LogicalPlan::Analyze(_) => Some("EXPLAIN ANALYZE"),
        LogicalPlan::Dml(_) => Some("INSERT, UPDATE or DELETE"),
        LogicalPlan::Copy(_) => Some("COPY"),
        LogicalPlan::Ddl(_) => Some("CREATE or DROP"),
        LogicalPlan::Statement(_) => Some("SET, PREPARE or a transaction"),
        _ => Some("this statement"),
    }
}

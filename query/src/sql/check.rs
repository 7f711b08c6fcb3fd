//! What a statement may do: read, and nothing else. An allow-list of plan nodes, so that what is new is refused until it is looked at.

use crate::QueryError;
use datafusion::{common::tree_node::TreeNodeRecursion, logical_expr::LogicalPlan};

/// Refuses a plan that does anything but read.
///
/// # Errors
/// Names what is not allowed.
pub fn only_reads(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut refused = None;
    plan.apply_with_subqueries(|node| {
        refused = refusal(node);
        Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    match refused {
        Some(what) => Err(QueryError::Statement(format!(
            "{what} is not allowed: SQL here only reads. Use SELECT; history changes only through sources, the API and the plant file"
        ))),
        None => Ok(()),
    }
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

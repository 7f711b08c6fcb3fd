//! The optimizer's rule for questions about samples that can be answered at less cost.

use super::question::Question;
use crate::table::named::NamedTable;
use datafusion::{
    common::tree_node::Transformed,
    error::Result,
    logical_expr::{Aggregate, LogicalPlan},
    optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule},
};
use std::{fmt, sync::Arc};

/// A way to answer some questions about samples at less cost.
pub(crate) trait Shortcut: Send + Sync {
    /// A plan with the columns and rows of `aggregate`, of which `question` says what it asks; none if this way does not lead there.
    fn plan(&self, aggregate: &Aggregate, question: &Question) -> Result<Option<LogicalPlan>>;
}

/// Takes the first shortcut that leads there.
pub(crate) struct TakeShortcuts {
    /// The table of all samples.
    pub samples: Arc<NamedTable>,
    /// The shortcuts, the shortest first.
    pub shortcuts: Vec<Box<dyn Shortcut>>,
}

impl fmt::Debug for TakeShortcuts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl OptimizerRule for TakeShortcuts {
    fn name(&self) -> &str {
        "take_shortcuts"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(Transformed::no(plan)) };
        let Some(question) = Question::of(aggregate, &self.samples)? else { return Ok(Transformed::no(plan)) };
        for shortcut in &self.shortcuts {
            if let Some(shorter) = shortcut.plan(aggregate, &question)? {
                return Ok(Transformed::yes(shorter));
            }
        }
        Ok(Transformed::no(plan))
    }
}

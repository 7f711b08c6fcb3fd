//! Ends a statement at its deadline also where it would not stop by itself: a join that produces rows without an end which a
//! filter throws away again never gives its task back, so a timeout around it would wait for ever. The same holds for a statement
//! that nobody waits for any more.

use datafusion::{
    common::tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    error::{DataFusionError, Result},
    execution::TaskContext,
    physical_expr::PhysicalExpr,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, future};
use std::{fmt, sync::Arc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// When a statement is over.
#[derive(Clone, Debug)]
pub struct End {
    /// It may not run longer.
    pub deadline: Instant,
    /// Cancelled when nobody reads its rows any more.
    pub stop: CancellationToken,
}

/// Puts a check behind every operator that can make many rows of few.
///
/// # Errors
/// When the plan cannot be rebuilt.
pub fn enforce(plan: Arc<dyn ExecutionPlan>, end: End) -> Result<Arc<dyn ExecutionPlan>> {
    let checked = plan.transform_up(|node| {
        let multiplies = ["Join", "Unnest", "Recursive", "WorkTable", "Window"].iter().any(|kind| node.name().contains(kind));
        Ok(if multiplies {
            Transformed::yes(Arc::new(DeadlineExec { input: node, end: end.clone() }) as _)
        } else {
            Transformed::no(node)
        })
    })?;
    Ok(checked.data)
}

#[derive(Debug)]
struct DeadlineExec {
    input: Arc<dyn ExecutionPlan>,
    end: End,
}

impl DisplayAs for DeadlineExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeadlineExec")
    }
}

impl ExecutionPlan for DeadlineExec {
    fn name(&self) -> &str {
        "DeadlineExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let end = self.end.clone();
        Ok(children.pop().map_or(self, |input| Arc::new(Self { input, end })))
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let End { deadline, stop } = self.end.clone();
        let batches = self.input.execute(partition, context)?.then(move |batch| {
            let late = stop.is_cancelled() || Instant::now() >= deadline;
            future::ready(if late { Err(DataFusionError::Execution("the statement ran out of time".into())) } else { batch })
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

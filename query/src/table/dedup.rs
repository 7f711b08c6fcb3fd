//! The latest write wins: of rows with the same series, time and quality only the one with the highest `seq` is kept.
//!
//! [`sort_unique`] does it for rows in memory, [`DedupExec`] for a merged stream of sorted sources.

use super::columns::{NANOS, QUALITY, SEQ, SERIES, TIME, schema};
use arrow::{
    array::{AsArray, BooleanArray, RecordBatch, UInt32Array},
    compute::{concat_batches, filter_record_batch, take_record_batch},
    datatypes::{Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType},
};
use datafusion::{
    common::tree_node::TreeNodeRecursion,
    error::Result,
    execution::TaskContext,
    physical_expr::{EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr, expressions::Column},
    physical_plan::{
        DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::StreamExt;
use std::{fmt, sync::Arc};

/// Series, time in nanoseconds, quality: what two rows must not share.
type Key = (i32, i64, i8);

fn key(batch: &RecordBatch) -> impl Fn(usize) -> Key + '_ {
    let series = batch.column(SERIES).as_primitive::<Int32Type>().values();
    let time = batch.column(TIME).as_primitive::<TimestampMicrosecondType>().values();
    let nanos = batch.column(NANOS).as_primitive::<Int16Type>().values();
    let quality = batch.column(QUALITY).as_primitive::<Int8Type>().values();
    move |row| (series[row], time[row].saturating_mul(1_000).saturating_add(i64::from(nanos[row])), quality[row])
}

/// Sorts points by series and time, and keeps of equal keys the one that was written last. Batches are in the order of writing.
///
/// # Errors
/// When the batches are not points.
pub fn sort_unique<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>) -> Result<RecordBatch> {
    let all = concat_batches(&schema(), batches)?;
    let (key, seq) = (key(&all), all.column(SEQ).as_primitive::<Int64Type>().values());
    let mut order: Vec<(Key, i64, u32)> =
        (0..all.num_rows()).map(|row| (key(row), seq[row], u32::try_from(row).unwrap_or(u32::MAX))).collect();
    order.sort_unstable();
    let last = |index: usize| order.get(index + 1).is_none_or(|next| next.0 != order[index].0);
    let rows: UInt32Array = (0..order.len()).filter(|index| last(*index)).map(|index| order[index].2).collect();
    Ok(take_record_batch(&all, &rows)?)
}

/// The order of sorted points: by series, time, quality, the latest write first.
pub fn ordering() -> LexOrdering {
    let by = |name: &str, index: usize, descending: bool| {
        let options = arrow::compute::SortOptions { descending, nulls_first: true };
        PhysicalSortExpr::new(Arc::new(Column::new(name, index)), options)
    };
    LexOrdering::new([
        by("series", SERIES, false),
        by("time", TIME, false),
        by("nanos", NANOS, false),
        by("quality", QUALITY, false),
        by("seq", SEQ, true),
    ])
    .expect("five expressions are an ordering")
}

/// Keeps the first row of each key of one stream that is sorted by [`ordering`].
#[derive(Debug)]
pub struct DedupExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl DedupExec {
    /// Reads one sorted stream of points with all columns.
    pub fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let equivalence = EquivalenceProperties::new_with_orderings(input.schema(), [ordering()]);
        let one = datafusion::physical_plan::Partitioning::UnknownPartitioning(1);
        let properties = PlanProperties::new(equivalence, one, EmissionType::Incremental, Boundedness::Bounded);
        Self { input, properties: Arc::new(properties) }
    }
}

impl DisplayAs for DedupExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DedupExec")
    }
}

impl ExecutionPlan for DedupExec {
    fn name(&self) -> &str {
        "DedupExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn input_distribution_requirements(&self) -> datafusion::physical_plan::InputDistributionRequirements {
        datafusion::physical_plan::InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn required_input_ordering(&self) -> Vec<Option<datafusion::physical_expr::OrderingRequirements>> {
        vec![Some(ordering().into())]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(children.pop().map_or(self, |input| Arc::new(Self::new(input))))
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut last: Option<Key> = None;
        let batches = self.input.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            let keep: BooleanArray = {
                let key = key(&batch);
                (0..batch.num_rows()).map(|row| Some(last.replace(key(row)) != Some(key(row)))).collect()
            };
            if keep.true_count() == keep.len() { Ok(batch) } else { Ok(filter_record_batch(&batch, &keep)?) }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

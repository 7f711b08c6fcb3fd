//! The latest write wins: of rows with the same series, time and quality only the one with the highest `seq` is kept.
//!
//! [`sort_unique`] does it for rows in memory, [`DedupExec`] for a merged stream of sorted sources.

use super::columns::{NANOS, QUALITY, SEQ, SERIES, TIME};
use arrow::{
    array::{AsArray, BooleanArray, RecordBatch},
    compute::{filter_record_batch, interleave_record_batch},
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

/// Sorts points by series and time, and keeps of equal keys the one that was written last. Batches are in the order of writing; those
/// that come out have so many rows each, and each its own memory: what counts the memory of a batch counts all that it points into.
///
/// # Errors
/// When the batches are not points.
pub fn sort_unique<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>, rows: usize) -> Result<Vec<RecordBatch>> {
    let batches: Vec<&RecordBatch> = batches.into_iter().collect();
    let count = batches.iter().map(|batch| batch.num_rows()).sum();
    let mut order: Vec<(Key, i64, (u32, u32))> = Vec::with_capacity(count);
    for (number, batch) in (0_u32..).zip(&batches) {
        let (key, seq) = (key(batch), batch.column(SEQ).as_primitive::<Int64Type>().values());
        order.extend((0_u32..).zip(seq).map(|(row, seq)| (key(row as usize), *seq, (number, row))));
    }
    order.sort_unstable();
    order.dedup_by(|later, earlier| {
        let same = later.0 == earlier.0;
        if same {
            *earlier = *later;
        }
        same
    });
    let mut places = Vec::new();
    let sorted = order.chunks(rows).map(|chunk| {
        places.clear();
        places.extend(chunk.iter().map(|(_, _, (batch, row))| (*batch as usize, *row as usize)));
        Ok(interleave_record_batch(&batches, &places)?)
    });
    sorted.collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::columns::{PointColumns, PointRows};
    use andon_models::{Point, SeriesId, Timestamp, Tqv, Value};
    use arrow::array::Array;

    fn written(numbers: impl IntoIterator<Item = (u32, i64, f64)>, seq: i64) -> RecordBatch {
        let mut columns = PointColumns::default();
        for (series, second, value) in numbers {
            columns
                .push(&Point { series: SeriesId(series), tqv: Tqv::good(Timestamp::from_seconds(second), value.into()) }, seq);
        }
        columns.take().rows
    }

    #[test]
    fn the_last_write_of_each_point_comes_out_in_order() {
        let batches = [
            written([(2, 1, 1.0), (1, 2, 2.0), (1, 1, 3.0)], 1),
            written([(1, 2, 4.0), (1, 2, 5.0), (2, 0, 6.0)], 2),
            written([(2, 0, 7.0)], 3),
        ];
        for (rows, sizes) in [(usize::MAX, vec![4]), (3, vec![3, 1]), (1, vec![1; 4])] {
            let sorted = sort_unique(&batches, rows).unwrap();
            assert_eq!(sorted.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), sizes);
            let values = sorted.iter().flat_map(|batch| {
                let rows = PointRows::new(batch);
                (0..batch.num_rows()).map(|row| rows.value(row)).collect::<Vec<_>>()
            });
            assert_eq!(values.collect::<Vec<_>>(), [3.0, 5.0, 7.0, 1.0].map(Value::from));
        }
        assert!(sort_unique(&[], 10).unwrap().is_empty());
    }

    #[test]
    fn each_sorted_batch_has_its_own_memory() {
        let batch = written((0..10_000).map(|second| (1, second, 0.5)), 1);
        let bytes = |column: &Arc<dyn Array>| column.get_buffer_memory_size();
        let whole: usize = batch.columns().iter().map(bytes).sum();
        for part in sort_unique([&batch], 100).unwrap() {
            assert!(part.columns().iter().map(bytes).sum::<usize>() < whole / 20);
        }
    }
}

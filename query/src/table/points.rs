//! All points as one table: files and buffer, de-duplicated, pruned by series and time, sorted where they are.

use super::{
    columns::{CHUNK_ROWS, Chunk, schema},
    dedup::{DedupExec, ordering, sort_unique},
    files::DataFile,
    prune::Prune,
};
use crate::historian::inspect::all_whole;
use crate::historian::store::{Snapshot, Store, hours};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{DFSchema, ToDFSchema},
    datasource::{
        listing::PartitionedFile,
        memory::MemorySourceConfig,
        physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource},
        source::DataSourceExec,
    },
    error::Result,
    execution::{SessionState, object_store::ObjectStoreUrl},
    logical_expr::{Expr, TableProviderFilterPushDown, TableType},
    physical_expr::LexOrdering,
    physical_optimizer::{PhysicalOptimizerRule, filter_pushdown::FilterPushdown},
    physical_plan::{
        ExecutionPlan, empty::EmptyExec, filter::FilterExec, projection::ProjectionExec,
        sorts::sort_preserving_merge::SortPreservingMergeExec, union::UnionExec,
    },
};
use std::{collections::BTreeSet, fmt, sync::Arc};

/// More files than this are read without their order: merging so many streams costs more than sorting what is left.
const MAX_SORTED_FILES: usize = 128;

/// Files read one after another when their order does not matter.
const FILES_PER_GROUP: usize = 16;

/// The table of all points.
pub struct PointsTable {
    store: Arc<Store>,
}

impl fmt::Debug for PointsTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PointsTable")
    }
}

impl PointsTable {
    /// Reads everything the store knows.
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// Plans a scan of the points a query can need, with these columns.
    ///
    /// # Errors
    /// When the plan cannot be made.
    pub fn plan(&self, state: &dyn Session, prune: &Prune, projection: Option<&Vec<usize>>) -> Result<Arc<dyn ExecutionPlan>> {
        Self::plan_of(state, &self.store.snapshot(), prune, projection)
    }

    /// As [`PointsTable::plan`], of what was there at some moment.
    ///
    /// # Errors
    /// When the plan cannot be made.
    pub fn plan_of(
        state: &dyn Session,
        Snapshot { points, files, late, .. }: &Snapshot,
        prune: &Prune,
        projection: Option<&Vec<usize>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let late = touched(late, prune);
        let wanted = files.points.iter().filter(|file| prune.touches(file.from, file.to) && prune.touches_series(file.series));
        all_whole(wanted.clone())?;
        let repeats = |file: &DataFile| late.range(hours(file.from, file.to)).next().is_some();
        let (merged, plain): (Vec<&DataFile>, Vec<&DataFile>) = wanted.partition(|file| repeats(file));
        let buffer = buffered(points, prune)?;
        let mut inputs = Vec::new();
        let mut to_merge = Vec::new();
        if !plain.is_empty() {
            inputs.push(scan_files(state, &files.root, &plain, prune, projection)?);
        }
        if let Some(buffer) = buffer {
            if late.is_empty() { inputs.push(project(buffer, projection)?) } else { to_merge.push(buffer) }
        }
        if !merged.is_empty() {
            // The latest write is chosen by columns that nobody asked for.
            let ordered: Result<Vec<_>> =
                merged.iter().map(|file| scan_files(state, &files.root, &[file], prune, None)).collect();
            to_merge.extend(ordered?);
        }
        match to_merge.len() {
            0 => {}
            1 => inputs.push(project(to_merge.remove(0), projection)?),
            _ => {
                let union = UnionExec::try_new(to_merge)?;
                let sorted = Arc::new(SortPreservingMergeExec::new(ordering(), union).with_round_robin_repartition(false));
                inputs.push(project(Arc::new(DedupExec::new(sorted)), projection)?);
            }
        }
        match inputs.len() {
            0 => project(Arc::new(EmptyExec::new(schema())), projection),
            1 => Ok(inputs.remove(0)),
            _ => UnionExec::try_new(inputs),
        }
    }
}

#[async_trait]
impl TableProvider for PointsTable {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.plan(state, &Prune::of(filters), projection)
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|filter| pushdown(filter, &["series", "time"])).collect())
    }
}

/// Only conditions on keys may go below the de-duplication: a condition on a value would bring overwritten rows back.
pub fn pushdown(filter: &Expr, keys: &[&str]) -> TableProviderFilterPushDown {
    let on_keys = filter.column_refs().iter().all(|column| keys.contains(&column.name.as_str()));
    if on_keys { TableProviderFilterPushDown::Inexact } else { TableProviderFilterPushDown::Unsupported }
}

/// Columns of a plan over all columns of points.
pub fn project(plan: Arc<dyn ExecutionPlan>, projection: Option<&Vec<usize>>) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(projection) = projection else { return Ok(plan) };
    let schema = plan.schema();
    let column = |index: &usize| {
        let name = schema.field(*index).name().clone();
        let column = datafusion::physical_expr::expressions::Column::new(&name, *index);
        (Arc::new(column) as Arc<dyn datafusion::physical_expr::PhysicalExpr>, name)
    };
    Ok(Arc::new(ProjectionExec::try_new(projection.iter().map(column).collect::<Vec<_>>(), plan)?))
}

/// The late hours a query touches.
fn touched(late: &BTreeSet<i64>, prune: &Prune) -> BTreeSet<i64> {
    const HOUR_MICROS: i64 = 3_600_000_000;
    late.range(prune.from.div_euclid(HOUR_MICROS)..=prune.to.div_euclid(HOUR_MICROS)).copied().collect()
}

/// The buffered rows a query can need, sorted and unique.
fn buffered(points: &[Chunk], prune: &Prune) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let wanted: Result<Vec<RecordBatch>> = points.iter().filter_map(|chunk| prune.filter(chunk).transpose()).collect();
    let wanted = wanted?;
    if wanted.is_empty() {
        return Ok(None);
    }
    let sorted = sort_unique(&wanted, CHUNK_ROWS)?;
    let source = MemorySourceConfig::try_new(&[sorted], schema(), None)?.try_with_sort_information(vec![ordering()])?;
    Ok(Some(DataSourceExec::from_data_source(source)))
}

/// Reads columns of files, each sorted within itself.
///
/// # Errors
/// When the plan cannot be made.
fn scan_files(
    state: &dyn Session,
    root: &ObjectStoreUrl,
    files: &[&DataFile],
    prune: &Prune,
    projection: Option<&Vec<usize>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let sorted = files.len() <= MAX_SORTED_FILES;
    let groups: Vec<FileGroup> = files
        .chunks(if sorted { 1 } else { FILES_PER_GROUP })
        .map(|files| files.iter().map(|file| partitioned(file)).collect())
        .collect();
    let orderings: Vec<LexOrdering> = if sorted { vec![ordering()] } else { Vec::new() };
    read_columns(state, root, schema(), groups, orderings, prune.condition(), projection)
}

/// A file as the query engine names it. It stays on disk as long as the plan that reads it.
pub fn partitioned(file: &DataFile) -> PartitionedFile {
    PartitionedFile::new(file.location.to_string(), file.size).with_extension(file.pin.clone())
}

/// Moves conditions into the readers of a plan that the engine does not plan itself.
///
/// # Errors
/// When a condition does not fit.
pub fn optimized(state: &SessionState, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    FilterPushdown::new().optimize(plan, state.config_options())
}

/// Reads Parquet files with a condition right above them, where the reader finds it and prunes row groups and pages by it.
///
/// # Errors
/// When the plan cannot be made.
pub fn read_parquet(
    state: &dyn Session,
    root: &ObjectStoreUrl,
    schema: SchemaRef,
    groups: Vec<FileGroup>,
    orderings: Vec<LexOrdering>,
    condition: Option<Expr>,
) -> Result<Arc<dyn ExecutionPlan>> {
    read_columns(state, root, schema, groups, orderings, condition, None)
}

/// As [`read_parquet`], of some columns. Columns of the condition are read as well, and no other.
///
/// # Errors
/// When the plan cannot be made.
pub fn read_columns(
    state: &dyn Session,
    root: &ObjectStoreUrl,
    schema: SchemaRef,
    groups: Vec<FileGroup>,
    orderings: Vec<LexOrdering>,
    condition: Option<Expr>,
    projection: Option<&Vec<usize>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let read = projection.map(|projection| with_columns_of(&schema, projection, condition.as_ref())).transpose()?;
    let source = Arc::new(super::reader::keeping_metadata(ParquetSource::new(schema.clone()), state, root)?);
    let config = FileScanConfigBuilder::new(root.clone(), source)
        .with_file_groups(groups)
        .with_output_ordering(orderings)
        .with_projection_indices(read.clone())?
        .build();
    let scan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
    let Some(condition) = condition else { return Ok(scan) };
    let known: DFSchema = scan.schema().to_dfschema()?;
    let condition = state.create_physical_expr(condition, &known)?;
    let filtered = Arc::new(FilterExec::try_new(condition, scan)?);
    match (read, projection) {
        (Some(read), Some(projection)) if read != *projection => {
            let places: Vec<usize> =
                projection.iter().filter_map(|wanted| read.iter().position(|read| read == wanted)).collect();
            project(filtered, Some(&places))
        }
        _ => Ok(filtered),
    }
}

/// The columns, and those of a condition that are not among them.
fn with_columns_of(schema: &SchemaRef, projection: &[usize], condition: Option<&Expr>) -> Result<Vec<usize>> {
    let mut read = projection.to_vec();
    for column in condition.into_iter().flat_map(Expr::column_refs) {
        let index = schema.index_of(&column.name)?;
        if !read.contains(&index) {
            read.push(index);
        }
    }
    Ok(read)
}

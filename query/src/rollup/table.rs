//! Roll-ups in SQL: the table `rollup`, and the plan node that gives its rows.

use super::{
    Resolution, pieces,
    total::{Key, Total},
    view::View,
};
use crate::{
    directory::{NAMES, Names},
    historian::store::Store,
    table::{named::NamedTable, points::pushdown, prune::Prune},
};
use arrow::{
    array::{
        ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
    },
    datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::tree_node::TreeNodeRecursion,
    error::{DataFusionError, Result},
    execution::{SessionState, TaskContext},
    logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType, utils::split_conjunction},
    physical_expr::{EquivalenceProperties, PhysicalExpr},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SendableRecordBatchStream,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt};
use std::{collections::BTreeSet, fmt, sync::Arc};

/// The columns that are not names, with their descriptions.
pub const COLUMNS: [(&str, &str); 14] = [
    ("time", "end of the window; it begins after its start and includes its end"),
    ("resolution", "length of the window: 1m, 15m, 1h or 1d"),
    ("quality", "good, uncertain or bad: windows are kept for each"),
    ("count", "samples"),
    ("numbers", "samples with a number"),
    ("avg", "mean of the numbers"),
    ("min", "lowest number"),
    ("max", "highest number"),
    ("sum", "sum of the numbers"),
    ("stdev", "sample standard deviation of the numbers"),
    ("first", "number of the earliest sample"),
    ("last", "number of the latest sample"),
    ("first_time", "when the earliest sample was"),
    ("last_time", "when the latest sample was"),
];

/// Windows whose totals are in memory at once.
const WINDOWS_AT_ONCE: usize = 250_000;

pub(super) fn text_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

pub(super) fn instant_type() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

/// The schema of roll-ups in SQL: names, then [`COLUMNS`].
pub fn schema() -> SchemaRef {
    let own = COLUMNS.iter().map(|(name, _)| {
        let data_type = match *name {
            "time" | "first_time" | "last_time" => instant_type(),
            "resolution" | "quality" => text_type(),
            "count" | "numbers" => DataType::Int64,
            _ => DataType::Float64,
        };
        Field::new(*name, data_type, true)
    });
    Arc::new(Schema::new(name_fields().chain(own).collect::<Vec<_>>()))
}

/// The names of a row's series.
const OF_SERIES: [&str; 8] = ["asset", "property", "unit", "model", "alias", "asset_id", "property_id", "series"];

pub(super) fn name_fields() -> impl Iterator<Item = Field> {
    OF_SERIES.iter().map(|name| {
        let data_type = if *name == "series" { DataType::Int32 } else { text_type() };
        Field::new(*name, data_type, true)
    })
}

/// The table of roll-ups.
pub struct RollupTable {
    store: Arc<Store>,
    samples: Arc<NamedTable>,
}

impl fmt::Debug for RollupTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RollupTable")
    }
}

impl RollupTable {
    /// Reads everything the store knows.
    pub fn new(store: Arc<Store>, samples: Arc<NamedTable>) -> Self {
        Self { store, samples }
    }
}

#[async_trait]
impl TableProvider for RollupTable {
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
        let names = self.samples.names();
        let prune = self.samples.prune(state, filters)?;
        let view = Arc::new(View::of(&self.store, &prune)?);
        let resolutions = wanted_resolutions(filters);
        let tasks = resolutions.into_iter().flat_map(|resolution| windows(&view, &names, resolution, &prune)).collect();
        let shape = Shape::Rollups;
        Ok(Arc::new(TotalsExec::new(state, view, names, tasks, shape, projection.cloned())?))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let keys: Vec<&str> = NAMES.iter().copied().chain(["time", "resolution"]).collect();
        Ok(filters.iter().map(|filter| pushdown(filter, &keys)).collect())
    }
}

/// The resolutions that conditions leave.
fn wanted_resolutions(filters: &[Expr]) -> Vec<Resolution> {
    let literal = |expression: &Expr| match expression {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        Expr::Cast(cast) => match cast.expr.as_ref() {
            Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
            _ => None,
        },
        _ => None,
    };
    let is_resolution = |expression: &Expr| match expression {
        Expr::Column(column) => column.name == "resolution",
        Expr::Cast(cast) => matches!(cast.expr.as_ref(), Expr::Column(column) if column.name == "resolution"),
        _ => false,
    };
    fn any(condition: &Expr, one: &dyn Fn(&Expr) -> Option<Vec<String>>) -> Option<Vec<String>> {
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                Some([any(left, one)?, any(right, one)?].concat())
            }
            other => one(other),
        }
    }
    let one = |condition: &Expr| match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if is_resolution(left) => Some(vec![literal(right)?]),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if is_resolution(right) => Some(vec![literal(left)?]),
        Expr::InList(list) if !list.negated && is_resolution(&list.expr) => list.list.iter().map(literal).collect(),
        _ => None,
    };
    let mut wanted = Resolution::ALL.to_vec();
    for condition in filters.iter().flat_map(|filter| split_conjunction(filter)) {
        if let Some(named) = any(condition, &one) {
            wanted.retain(|resolution| named.iter().any(|name| name == resolution.name()));
        }
    }
    wanted
}

/// A part of the rows, small enough to be in memory.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// Windows by their ends.
    Windows(Resolution, Prune),
    /// Points from one instant to another, both included, in nanoseconds.
    Points(Prune, i64, i64),
}

/// Windows of a resolution, in parts.
pub(super) fn windows(view: &View, names: &Names, resolution: Resolution, prune: &Prune) -> Vec<Task> {
    let mut tasks = Vec::new();
    for partition in view.partitions(resolution, prune) {
        let (first, last) = resolution.ends_of(partition);
        let (from, to) = (first.max(prune.from), last.min(prune.to));
        let windows = usize::try_from((to - from) / resolution.micros() + 1).unwrap_or(1);
        let at_once = (WINDOWS_AT_ONCE / windows).max(1);
        let known: Vec<i32> = match &prune.series {
            Some(series) => series.iter().copied().collect(),
            None => {
                let mut known: Vec<i32> = names.series().collect();
                known.sort_unstable();
                known
            }
        };
        if prune.series.is_none() && known.len() <= at_once {
            tasks.push(Task::Windows(resolution, Prune { from, to, ..Prune::default() }));
            continue;
        }
        let parts = known.chunks(at_once).map(|series| Prune {
            series: Some(series.iter().copied().collect()),
            from,
            to,
            ..Prune::default()
        });
        tasks.extend(parts.map(|prune| Task::Windows(resolution, prune)));
    }
    tasks
}

/// What the rows look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One row per window.
    Rollups,
    /// Rows that together stand for samples.
    Pieces,
}

impl Shape {
    fn schema(self) -> SchemaRef {
        match self {
            Self::Rollups => schema(),
            Self::Pieces => pieces::schema(),
        }
    }
}

/// Gives totals as rows, part by part.
pub(super) struct TotalsExec {
    state: SessionState,
    view: Arc<View>,
    names: Arc<Names>,
    tasks: Vec<Task>,
    shape: Shape,
    projection: Option<Vec<usize>>,
    properties: Arc<PlanProperties>,
}

impl TotalsExec {
    pub(super) fn new(
        state: &dyn Session,
        view: Arc<View>,
        names: Arc<Names>,
        tasks: Vec<Task>,
        shape: Shape,
        projection: Option<Vec<usize>>,
    ) -> Result<Self> {
        let schema = shape.schema();
        let schema = projection.as_ref().map_or(Ok(schema.clone()), |columns| schema.project(columns).map(Arc::new))?;
        let partitions = state.config().target_partitions().min(tasks.len()).max(1);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let state = state.as_any().downcast_ref::<SessionState>().cloned();
        let state = state.ok_or_else(|| DataFusionError::Internal("a session of an unknown kind".into()))?;
        Ok(Self { state, view, names, tasks, shape, projection, properties: Arc::new(properties) })
    }
}

impl fmt::Debug for TotalsExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotalsExec")
    }
}

impl DisplayAs for TotalsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used: BTreeSet<&str> = (self.tasks.iter())
            .map(|task| match task {
                Task::Windows(..) if !self.view.is_rolled() => "samples",
                Task::Windows(resolution, _) => resolution.name(),
                Task::Points(..) => "samples",
            })
            .collect();
        write!(f, "TotalsExec: parts={}, of={}", self.tasks.len(), used.into_iter().collect::<Vec<_>>().join(" "))
    }
}

impl ExecutionPlan for TotalsExec {
    fn name(&self) -> &str {
        "TotalsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let partitions = self.properties.output_partitioning().partition_count();
        let tasks: Vec<Task> = self.tasks.iter().skip(partition).step_by(partitions).cloned().collect();
        let (state, view, names) = (self.state.clone(), self.view.clone(), self.names.clone());
        let (shape, projection) = (self.shape, self.projection.clone());
        let batches = futures::stream::iter(tasks).then(move |task| {
            let (state, view, names, projection) = (state.clone(), view.clone(), names.clone(), projection.clone());
            async move {
                let batches = match task {
                    Task::Points(prune, from, to) => pieces::points(&state, &view, &names, prune, from, to, projection).await?,
                    Task::Windows(resolution, prune) => {
                        let totals = view.totals(&state, resolution, &prune).await?.sorted();
                        let batch = match shape {
                            Shape::Rollups => rows(resolution, &totals, &names, projection.as_ref())?,
                            Shape::Pieces => pieces::of_totals(resolution, &totals, &names, projection.as_ref())?,
                        };
                        futures::stream::iter([Ok(batch)]).boxed()
                    }
                };
                Ok::<_, DataFusionError>(batches)
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches.try_flatten())))
    }
}

/// Columns of a schema, made one by one.
pub(super) fn project(
    schema: &SchemaRef,
    projection: Option<&Vec<usize>>,
    names: &Names,
    series: &Int32Array,
    make: impl Fn(&str) -> Result<ArrayRef>,
) -> Result<RecordBatch> {
    let schema = projection.map_or(Ok(schema.clone()), |columns| schema.project(columns).map(Arc::new))?;
    let is_name = |name: &str| name != "series" && NAMES.contains(&name);
    let wanted: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).filter(|name| is_name(name)).collect();
    let mut named = names.columns(series.values(), &wanted)?.into_iter();
    let mut column = |name: &str| match name {
        "series" => Ok(Arc::new(series.clone()) as ArrayRef),
        name if is_name(name) => named.next().ok_or_else(|| DataFusionError::Internal(format!("no names for {name}"))),
        name => make(name),
    };
    let columns: Vec<ArrayRef> = schema.fields().iter().map(|field| column(field.name())).collect::<Result<_>>()?;
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(series.len()));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

fn rows(
    resolution: Resolution,
    totals: &[(Key, Total)],
    names: &Names,
    projection: Option<&Vec<usize>>,
) -> Result<RecordBatch> {
    let series = Int32Array::from_iter_values(totals.iter().map(|(key, _)| key.0));
    let double = |value: &dyn Fn(&Total) -> Option<f64>| -> ArrayRef {
        Arc::new(totals.iter().map(|(_, total)| value(total)).collect::<Float64Array>())
    };
    let long = |value: fn(&Total) -> i64| -> ArrayRef {
        Arc::new(totals.iter().map(|(_, total)| value(total)).collect::<Int64Array>())
    };
    let instant = |nanos: fn(&Key, &Total) -> i64| -> ArrayRef {
        let instants = totals.iter().map(|(key, total)| nanos(key, total));
        Arc::new(TimestampNanosecondArray::from_iter_values(instants).with_timezone("UTC"))
    };
    let some = |total: &Total, value: f64| (total.all.count > 0).then_some(value);
    project(&schema(), projection, names, &series, |name| {
        Ok(match name {
            "time" => instant(|key, _| key.1.saturating_mul(1_000)),
            "first_time" => instant(|_, total| total.first.nanos),
            "last_time" => instant(|_, total| total.last.nanos),
            "resolution" => texts(totals.iter().map(|_| 0), &[resolution.name()])?,
            "quality" => qualities(totals.iter().map(|(key, _)| key.2))?,
            "count" => long(|total| total.count),
            "numbers" => long(|total| total.all.count),
            "avg" => double(&Total::avg),
            "min" => double(&|total| some(total, total.all.min)),
            "max" => double(&|total| some(total, total.all.max)),
            "sum" => double(&|total| some(total, total.all.sum)),
            "stdev" => double(&Total::stdev),
            "first" => double(&|total| total.first.value),
            "last" => double(&|total| total.last.value),
            other => return Err(DataFusionError::Internal(format!("roll-ups have no {other}"))),
        })
    })
}

pub(super) fn qualities(codes: impl Iterator<Item = i8>) -> Result<ArrayRef> {
    texts(codes.map(|code| i32::from(code.clamp(0, 2))), &["good", "uncertain", "bad"])
}

fn texts(keys: impl Iterator<Item = i32>, texts: &[&str]) -> Result<ArrayRef> {
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(Int32Array::from_iter_values(keys), texts)?))
}

//! Points with their names: what people ask in SQL. Names come from the directory, so conditions on names become series numbers
//! before anything is read.

use super::{
    points::{PointsTable, pushdown},
    prune::Prune,
};
use crate::{
    directory::{Directory, NAMES, Names},
    historian::store::Store,
};
use arrow::{
    array::{
        Array, ArrayRef, AsArray, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray, TimestampNanosecondArray,
    },
    datatypes::{
        DataType, Field, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit,
        TimestampMicrosecondType,
    },
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::tree_node::TreeNodeRecursion,
    error::{DataFusionError, Result},
    execution::TaskContext,
    logical_expr::{Expr, TableProviderFilterPushDown, TableType},
    physical_expr::{EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr, expressions::Column},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties, SendableRecordBatchStream,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::StreamExt;
use std::{fmt, sync::Arc};

/// The columns with their descriptions.
pub const COLUMNS: [(&str, &str); 17] = [
    ("asset", "path of the asset"),
    ("property", "key of the property, or name of the control"),
    ("time", "when the value was true"),
    ("value", "value as a number, whatever its type; texts have none"),
    ("double", "value of a decimal property"),
    ("integer", "value of a whole-number property"),
    ("boolean", "value of a true-or-false property"),
    ("string", "value of a text property"),
    ("quality", "good, uncertain or bad"),
    ("status", "status code of the protocol; 0 is good"),
    ("unit", "unit of the value"),
    ("model", "model of the asset"),
    ("alias", "asset and property as one name"),
    ("asset_id", "id of the asset"),
    ("property_id", "id of the property"),
    ("series", "number of the series"),
    ("seq", "of rows with the same series, time and quality the one with the highest number counts"),
];

/// The type of a name: its text once, and a number per row.
pub(crate) fn name_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// The schema of named points.
pub fn schema() -> SchemaRef {
    let fields = COLUMNS.iter().map(|(name, _)| {
        let data_type = match *name {
            "time" => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            "value" | "double" => DataType::Float64,
            "integer" | "status" | "seq" => DataType::Int64,
            "boolean" => DataType::Boolean,
            "string" => DataType::Utf8,
            "series" => DataType::Int32,
            _ => name_type(),
        };
        Field::new(*name, data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The table of all points with their names.
#[derive(Debug)]
pub struct NamedTable {
    points: PointsTable,
    directory: Arc<Directory>,
}

impl NamedTable {
    /// Reads everything the store knows, by the names of the directory.
    pub fn new(store: Arc<Store>, directory: Arc<Directory>) -> Self {
        Self { points: PointsTable::new(store), directory }
    }

    /// The part of the history that conditions on names, series and time leave.
    ///
    /// # Errors
    /// When a condition cannot be evaluated.
    pub fn prune(&self, state: &dyn Session, conditions: &[Expr]) -> Result<Prune> {
        let mut prune = Prune::of(conditions);
        if let Some(series) = super::choose::series(&self.directory, state, conditions)? {
            prune.only(series);
        }
        Ok(prune)
    }

    /// The names of all series.
    pub(crate) fn names(&self) -> Arc<Names> {
        self.directory.names()
    }

    /// Adds the names to points.
    ///
    /// # Errors
    /// When the batch is not one of points.
    pub fn name(&self, points: &RecordBatch) -> Result<RecordBatch> {
        self.name_columns(points, None)
    }

    /// Adds the names to points and picks columns.
    ///
    /// # Errors
    /// When the batch is not one of points.
    pub fn name_columns(&self, points: &RecordBatch, projection: Option<&Vec<usize>>) -> Result<RecordBatch> {
        let all: Vec<usize> = (0..COLUMNS.len()).collect();
        let columns = projection.unwrap_or(&all);
        name(points, &self.directory.names(), columns, &Arc::new(schema().project(columns)?))
    }
}

#[async_trait]
impl TableProvider for NamedTable {
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
        let prune = self.prune(state, filters)?;
        let all: Vec<usize> = (0..COLUMNS.len()).collect();
        let wanted = projection.unwrap_or(&all).clone();
        let input = self.points.plan(state, &prune, Some(&needed(&wanted)?))?;
        // The rows are of this moment: a stream that came along since the first look has its name too.
        Ok(Arc::new(NamedExec::new(input, self.directory.names(), wanted)?))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let keys: Vec<&str> = NAMES.iter().copied().chain(["time"]).collect();
        let supported = |filter: &&Expr| match Prune::qualities_of(filter) {
            Some(_) => TableProviderFilterPushDown::Exact,
            None => pushdown(filter, &keys),
        };
        Ok(filters.iter().map(supported).collect())
    }
}

/// The order of named points: by series and time, where the points are in that order.
fn order(input: &Arc<dyn ExecutionPlan>, named: &SchemaRef) -> Result<Option<LexOrdering>> {
    let by = |schema: &SchemaRef, name: &str| -> Result<PhysicalSortExpr> {
        Ok(PhysicalSortExpr::new_default(Arc::new(Column::new(name, schema.index_of(name)?))))
    };
    let points = input.schema();
    if named.index_of("series").is_err() || named.index_of("time").is_err() {
        return Ok(None);
    }
    let wanted = [by(&points, "series")?, by(&points, "time")?, by(&points, "nanos")?];
    if !input.equivalence_properties().ordering_satisfy(wanted)? {
        return Ok(None);
    }
    Ok(LexOrdering::new([by(named, "series")?, by(named, "time")?]))
}

/// Turns points into named points.
#[derive(Debug)]
struct NamedExec {
    input: Arc<dyn ExecutionPlan>,
    names: Arc<Names>,
    columns: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl NamedExec {
    fn new(input: Arc<dyn ExecutionPlan>, names: Arc<Names>, columns: Vec<usize>) -> Result<Self> {
        let schema = Arc::new(schema().project(&columns)?);
        let order = order(&input, &schema)?;
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(schema, order),
            datafusion::physical_plan::Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Ok(Self { input, names, columns, properties: Arc::new(properties) })
    }
}

impl DisplayAs for NamedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.columns.iter().map(|column| COLUMNS[*column].0).collect();
        write!(f, "NamedExec: {}", names.join(", "))
    }
}

impl ExecutionPlan for NamedExec {
    fn name(&self) -> &str {
        "NamedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else { return Ok(self) };
        Ok(Arc::new(Self::new(input, self.names.clone(), self.columns.clone())?))
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (names, columns, schema) = (self.names.clone(), self.columns.clone(), self.schema());
        let batches = self.input.execute(partition, context)?.map(move |batch| name(&batch?, &names, &columns, &schema));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// The columns of points that these columns are made of. The series is always read: without any column there would be no rows.
fn needed(columns: &[usize]) -> Result<Vec<usize>> {
    let mut names = vec!["series"];
    for column in columns {
        match COLUMNS[*column].0 {
            "time" => names.extend(["time", "nanos"]),
            "value" => names.extend(["double", "integer", "boolean"]),
            name if NAMES.contains(&name) => {}
            name => names.push(name),
        }
    }
    let known = super::columns::schema();
    let mut needed: Vec<usize> = names.iter().map(|name| known.index_of(name)).collect::<Result<_, _>>()?;
    needed.sort_unstable();
    needed.dedup();
    Ok(needed)
}

fn stored<'a>(points: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    points.column_by_name(name).ok_or_else(|| DataFusionError::Internal(format!("points were read without {name}")))
}

fn name(points: &RecordBatch, names: &Names, columns: &[usize], schema: &SchemaRef) -> Result<RecordBatch> {
    let series = stored(points, "series")?.as_primitive::<Int32Type>();
    let is_name = |name: &str| name != "series" && NAMES.contains(&name);
    let wanted: Vec<&str> = columns.iter().map(|column| COLUMNS[*column].0).filter(|name| is_name(name)).collect();
    let mut named = names.columns(series.values(), &wanted)?.into_iter();
    let mut column = |index: &usize| -> Result<ArrayRef> {
        Ok(match COLUMNS[*index].0 {
            "time" => time(points)?,
            "value" => number(points)?,
            "quality" => quality(points)?,
            name if is_name(name) => named.next().ok_or_else(|| DataFusionError::Internal(format!("no names for {name}")))?,
            name => stored(points, name)?.clone(),
        })
    };
    let columns: Result<Vec<ArrayRef>> = columns.iter().map(&mut column).collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(points.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns?, &options)?)
}

/// Instants with nanoseconds.
pub(crate) fn time(points: &RecordBatch) -> Result<ArrayRef> {
    let micros = stored(points, "time")?.as_primitive::<TimestampMicrosecondType>().values();
    let nanos = stored(points, "nanos")?.as_primitive::<Int16Type>().values();
    let time = micros.iter().zip(nanos).map(|(micros, nanos)| micros.saturating_mul(1_000).saturating_add(i64::from(*nanos)));
    Ok(Arc::new(TimestampNanosecondArray::from_iter_values(time).with_timezone("UTC")))
}

/// Values as numbers, whatever their type; texts have none.
pub(crate) fn number(points: &RecordBatch) -> Result<ArrayRef> {
    let (double, integer, boolean) = (stored(points, "double")?, stored(points, "integer")?, stored(points, "boolean")?);
    if integer.null_count() == integer.len() && boolean.null_count() == boolean.len() {
        return Ok(double.clone());
    }
    let (double, integer) = (double.as_primitive::<Float64Type>(), integer.as_primitive::<Int64Type>());
    let boolean = boolean.as_boolean();
    let value = |row: usize| {
        if double.is_valid(row) {
            Some(double.value(row))
        } else if integer.is_valid(row) {
            Some(integer.value(row) as f64)
        } else {
            boolean.is_valid(row).then(|| f64::from(u8::from(boolean.value(row))))
        }
    };
    Ok(Arc::new((0..points.num_rows()).map(value).collect::<Float64Array>()))
}

fn quality(points: &RecordBatch) -> Result<ArrayRef> {
    let codes = stored(points, "quality")?.as_primitive::<Int8Type>().values();
    let keys = Int32Array::from_iter_values(codes.iter().map(|code| i32::from((*code).clamp(0, 2))));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(["good", "uncertain", "bad"]));
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, names)?))
}

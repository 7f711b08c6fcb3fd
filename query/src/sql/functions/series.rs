//! Tables made of one series: named by asset and property, read in time order, reshaped row by row.

use crate::{
    QueryError,
    directory::Directory,
    historian::store::Store,
    history::{Wanted, in_order, value_before},
    table::{columns::PointRows, points::PointsTable},
};
use andon_models::{Quality, SeriesId, Timestamp, Tqv, Value, ValueType, expression::nearest, window::Window};
use arrow::{
    array::{ArrayRef, Float64Builder, RecordBatch, StringBuilder, TimestampNanosecondBuilder},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{plan_datafusion_err, tree_node::TreeNodeRecursion},
    error::{DataFusionError, Result},
    execution::TaskContext,
    logical_expr::{Expr, TableType},
    physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr, expressions::Column},
    physical_plan::{
        DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, InputDistributionRequirements, Partitioning, PlanProperties,
        SendableRecordBatchStream,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
    prelude::SessionContext,
};
use futures::StreamExt;
use std::{fmt, sync::Arc};

/// Finds series by their names and reads them.
pub struct SeriesNames {
    store: Arc<Store>,
    directory: Arc<Directory>,
    /// Shares memory and limits with the session of the statement, but none of its functions, or neither would ever be dropped.
    session: SessionContext,
}

/// A series that was found.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its number.
    pub series: SeriesId,
    /// The type of its values.
    pub value_type: ValueType,
}

impl fmt::Debug for SeriesNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeriesNames")
    }
}

impl SeriesNames {
    /// Names for everything in a store.
    pub fn new(session: &SessionContext, store: Arc<Store>, directory: Arc<Directory>) -> Self {
        let session = SessionContext::new_with_config_rt(session.copied_config(), session.runtime_env());
        Self { store, directory, session }
    }

    /// The session that reads for functions.
    pub fn session(&self) -> &SessionContext {
        &self.session
    }

    /// All points.
    pub fn points(&self) -> Arc<PointsTable> {
        Arc::new(PointsTable::new(self.store.clone()))
    }

    /// The series of a property of an asset, or of a data stream when the asset is empty, if there is one.
    pub fn find(&self, asset: &str, property: &str) -> Option<Found> {
        let (series, value_type) = self.directory.series_of(asset, property)?;
        Some(Found { series, value_type })
    }

    /// The same, for a name that a person wrote.
    ///
    /// # Errors
    /// Says which name is unknown and what may have been meant.
    pub fn resolve(&self, asset: &str, property: &str) -> Result<Found> {
        if let Some(found) = self.find(asset, property) {
            return Ok(found);
        }
        if asset.is_empty() {
            return Err(plan_datafusion_err!(
                "there is no data stream '{property}'; SELECT DISTINCT alias FROM samples lists them"
            ));
        }
        let rows = || self.directory.series.values();
        let meant = |near: Option<&str>| near.map_or(String::new(), |near| format!("; did you mean '{near}'?"));
        let is_asset = self.directory.assets.iter().any(|row| row.path.as_ref() == asset);
        if is_asset || rows().any(|row| row.asset.as_ref() == asset) {
            let near = nearest(property, rows().filter(|row| row.asset.as_ref() == asset).map(|row| row.property.as_ref()));
            return Err(plan_datafusion_err!("'{asset}' has no property '{property}'{}", meant(near)));
        }
        let near = nearest(
            asset,
            rows().map(|row| row.asset.as_ref()).chain(self.directory.assets.iter().map(|row| row.path.as_ref())),
        );
        let table = if near.is_none() { "; SELECT path FROM asset lists them" } else { "" };
        Err(plan_datafusion_err!("there is no asset '{asset}'{}{table}", meant(near)))
    }

    /// The type of a property whose asset is not known yet; a number when assets differ.
    ///
    /// # Errors
    /// When no asset has such a property.
    pub fn type_of(&self, property: &str) -> Result<ValueType> {
        let mut types =
            self.directory.series.values().filter(|row| row.property.as_ref() == property).map(|row| row.value_type);
        let Some(first) = types.next() else {
            let near = nearest(property, self.directory.series.values().map(|row| row.property.as_ref()));
            let meant = near.map_or(String::new(), |near| format!("; did you mean '{near}'?"));
            return Err(plan_datafusion_err!("no asset has a property '{property}'{meant}"));
        };
        Ok(if types.all(|other| other == first) { first } else { ValueType::Double })
    }

    /// The last point of a series at or before an instant.
    ///
    /// # Errors
    /// When history cannot be read.
    pub async fn before(&self, series: SeriesId, time: Timestamp, wanted: Wanted) -> Result<Option<Tqv>> {
        let fits = |tqv: &Tqv| tqv.time <= time && (wanted == Wanted::Any || tqv.quality == Quality::Good);
        if let Some(latest) = self.store.latest(series).filter(fits) {
            return Ok(Some(latest));
        }
        let found = value_before(&self.session, self.points(), series, time, wanted).await;
        found.map_err(|error| match error {
            QueryError::DataFusion(error) => error,
            other => DataFusionError::External(Box::new(other)),
        })
    }
}

/// Makes rows of points that come in time order.
pub trait Reshape: Send {
    /// Takes the next point.
    fn push(&mut self, point: Tqv, rows: &mut Rows);

    /// Ends the series.
    fn finish(&mut self, rows: &mut Rows);

    /// Whether it needs no further point.
    fn is_complete(&self) -> bool {
        false
    }
}

/// Makes a [`Reshape`] for one execution.
pub type MakeReshape = Arc<dyn Fn(Option<Tqv>) -> Box<dyn Reshape> + Send + Sync>;

/// What a table of a series reads and how it shows it.
#[derive(Clone)]
pub struct SeriesTable {
    /// Its name and arguments, for EXPLAIN.
    pub title: String,
    /// Finds and reads.
    pub names: Arc<SeriesNames>,
    /// The series.
    pub found: Found,
    /// The points that are read.
    pub window: Window,
    /// Whether the point before the window is needed.
    pub carries: bool,
    /// Makes the rows.
    pub make: MakeReshape,
}

impl fmt::Debug for SeriesTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)
    }
}

#[async_trait]
impl TableProvider for SeriesTable {
    fn schema(&self) -> SchemaRef {
        schema(self.found.value_type)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let before =
            if self.carries { self.names.before(self.found.series, self.window.start, Wanted::Any).await? } else { None };
        let input = in_order(state, self.names.points(), self.found.series, self.window).await?;
        let plan = Arc::new(SeriesExec::new(input, self.clone(), before)?);
        crate::table::points::project(plan, projection)
    }
}

/// `time`, `value` and `quality`.
fn schema(value_type: ValueType) -> SchemaRef {
    let value = if value_type == ValueType::String { DataType::Utf8 } else { DataType::Float64 };
    Arc::new(Schema::new(vec![
        Field::new("time", super::arguments::time_type(), false),
        Field::new("value", value, true),
        Field::new("quality", DataType::Utf8, true),
    ]))
}

/// Rows of a table of a series.
pub struct Rows {
    time: TimestampNanosecondBuilder,
    number: Float64Builder,
    text: StringBuilder,
    quality: StringBuilder,
    schema: SchemaRef,
    value_type: ValueType,
    len: usize,
}

impl Rows {
    fn new(value_type: ValueType) -> Self {
        Self {
            time: TimestampNanosecondBuilder::new().with_timezone("UTC"),
            number: Float64Builder::new(),
            text: StringBuilder::new(),
            quality: StringBuilder::new(),
            schema: schema(value_type),
            value_type,
            len: 0,
        }
    }

    /// Adds a row.
    pub fn push(&mut self, time: Timestamp, value: &Value, quality: Option<Quality>) {
        self.time.append_value(time.as_nanos());
        match value {
            _ if self.value_type != ValueType::String => self.number.append_option(value.as_f64()),
            Value::String(text) => self.text.append_value(text),
            _ => self.text.append_null(),
        }
        self.quality.append_option(quality.map(|quality| match quality {
            Quality::Good => "good",
            Quality::Uncertain => "uncertain",
            Quality::Bad => "bad",
        }));
        self.len += 1;
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.len == 0 {
            return Ok(None);
        }
        self.len = 0;
        let value: ArrayRef = match self.value_type {
            ValueType::String => Arc::new(self.text.finish()),
            _ => Arc::new(self.number.finish()),
        };
        let columns = vec![Arc::new(self.time.finish()) as ArrayRef, value, Arc::new(self.quality.finish())];
        Ok(Some(RecordBatch::try_new(self.schema.clone(), columns)?))
    }
}

/// Reshapes one series.
#[derive(Debug)]
struct SeriesExec {
    input: Arc<dyn ExecutionPlan>,
    table: SeriesTable,
    before: Option<Tqv>,
    properties: Arc<PlanProperties>,
}

impl SeriesExec {
    fn new(input: Arc<dyn ExecutionPlan>, table: SeriesTable, before: Option<Tqv>) -> Result<Self> {
        let schema = schema(table.found.value_type);
        let equivalence = EquivalenceProperties::new_with_orderings(
            schema,
            [[PhysicalSortExpr::new_default(Arc::new(Column::new("time", 0)))]],
        );
        let one = Partitioning::UnknownPartitioning(1);
        let properties = PlanProperties::new(equivalence, one, EmissionType::Incremental, Boundedness::Bounded);
        Ok(Self { input, table, before, properties: Arc::new(properties) })
    }
}

impl DisplayAs for SeriesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeriesExec: {}", self.table.title)
    }
}

impl ExecutionPlan for SeriesExec {
    fn name(&self) -> &str {
        "SeriesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn required_input_ordering(&self) -> Vec<Option<datafusion::physical_expr::OrderingRequirements>> {
        let schema = self.input.schema();
        let by = |name: &str| {
            let column = Column::new_with_schema(name, &schema).ok()?;
            let options = arrow::compute::SortOptions { descending: false, nulls_first: true };
            Some(PhysicalSortExpr::new(Arc::new(column), options))
        };
        let order = ["time", "nanos", "quality"].into_iter().filter_map(by);
        vec![datafusion::physical_expr::LexOrdering::new(order).map(Into::into)]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else { return Ok(self) };
        Ok(Arc::new(Self::new(input, self.table.clone(), self.before.clone())?))
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let running = Running {
            points: Some(self.input.execute(partition, context)?),
            reshape: (self.table.make)(self.before.clone()),
            rows: Rows::new(self.table.found.value_type),
        };
        let batches = futures::stream::try_unfold(running, |mut running| async move {
            Ok(running.next().await?.map(|batch| (batch, running)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

struct Running {
    points: Option<SendableRecordBatchStream>,
    reshape: Box<dyn Reshape>,
    rows: Rows,
}

impl Running {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(points) = &mut self.points {
            match points.next().await.transpose()? {
                Some(batch) => {
                    let points = PointRows::new(&batch);
                    (0..batch.num_rows()).for_each(|row| self.reshape.push(points.tqv(row), &mut self.rows));
                }
                None => self.points = None,
            }
            if self.points.is_none() || self.reshape.is_complete() {
                self.points = None;
                self.reshape.finish(&mut self.rows);
            }
            if let Some(batch) = self.rows.take()? {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}

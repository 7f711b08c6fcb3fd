//! Cuts each series into windows, and carries its last value into every window: rows `(asset, slot, window, …)`.

use super::{
    carry::{between, of_series, values_before},
    inputs::{Feed, Inputs},
    rows::{Row, Rows, columns},
};
use crate::error::QueryError;
use andon_models::{SeriesId, window::Window};
use arrow::{
    array::{BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, RecordBatch, StringBuilder},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::{
    catalog::{TableProvider, streaming::StreamingTable},
    error::DataFusionError,
    execution::TaskContext,
    physical_plan::{
        ExecutionPlan, SendableRecordBatchStream, execute_stream, stream::RecordBatchStreamAdapter, streaming::PartitionStream,
    },
    prelude::{SessionContext, col},
};
use futures::{StreamExt, stream};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

/// Reads the points of the inputs and cuts them into windows, as a table.
pub async fn table(
    session: &SessionContext,
    points: Arc<dyn TableProvider>,
    inputs: &Inputs,
    windows: &[Window],
) -> Result<Arc<dyn TableProvider>, QueryError> {
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
        return Err(QueryError::Internal("no windows to compute".into()));
    };
    let mut carried = values_before(session, &points, inputs, first.start).await?;
    for (series, value) in &inputs.constants {
        carried.entry(*series).or_insert_with(|| vec![Row::constant(first.start, value)]);
    }
    let scan = session
        .read_table(points)?
        .filter(of_series(inputs.feeds.keys()).and(between(first.start, last.end)))?
        .select(columns())?
        .sort(["series", "time", "nanos"].map(|name| col(name).sort(true, true)).to_vec())?
        .create_physical_plan()
        .await?;
    let cutter = Cutter::new(inputs.feeds.clone(), windows.to_vec(), carried);
    let rows = WindowedRows { scan, schema: schema(), cutter: Mutex::new(Some(cutter)) };
    Ok(Arc::new(StreamingTable::try_new(rows.schema.clone(), vec![Arc::new(rows)])?))
}

/// The columns of a windowed row. `start` and `end` are the window's; `carried` tells a value from before the window.
fn schema() -> SchemaRef {
    let field = |name: &str, data_type: DataType, nullable| Field::new(name, data_type, nullable);
    Arc::new(Schema::new(vec![
        field("asset", DataType::Int32, false),
        field("slot", DataType::Int32, false),
        field("window", DataType::Int32, false),
        field("start", DataType::Int64, false),
        field("end", DataType::Int64, false),
        field("series", DataType::Int32, false),
        field("at", DataType::Int64, false),
        field("carried", DataType::Boolean, false),
        field("number", DataType::Float64, true),
        field("text", DataType::Utf8, true),
    ]))
}

#[derive(Debug)]
struct WindowedRows {
    scan: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    /// Taken by the one execution; a second one would have nothing to cut.
    cutter: Mutex<Option<Cutter>>,
}

impl PartitionStream for WindowedRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let cutter = self.cutter.lock().ok().and_then(|mut cutter| cutter.take());
        let opened = cutter
            .ok_or_else(|| DataFusionError::Internal("windowed rows are read once".into()))
            .and_then(|cutter| Ok((cutter, execute_stream(self.scan.clone(), context)?)));
        let batches = match opened {
            Ok((cutter, points)) => cut(cutter, points).boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        };
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batches))
    }
}

fn cut(cutter: Cutter, points: SendableRecordBatchStream) -> impl futures::Stream<Item = Result<RecordBatch, DataFusionError>> {
    stream::unfold(Some((cutter, points)), |state| async {
        let (mut cutter, mut points) = state?;
        match points.next().await {
            Some(Ok(batch)) => Some((cutter.push(&batch), Some((cutter, points)))),
            Some(Err(error)) => Some((Err(error), None)),
            None => Some((cutter.finish(), None)),
        }
    })
}

/// Walks along sorted rows and knows the windows.
#[derive(Debug)]
struct Cutter {
    feeds: BTreeMap<SeriesId, Vec<Feed>>,
    windows: Vec<Window>,
    carried: HashMap<SeriesId, Vec<Row>>,
    /// The series being walked, the window it has come to, and whether that window has its carried rows.
    current: Option<(SeriesId, usize, bool)>,
    /// The last row, and before it the last Good one if the last is not.
    last: Vec<Row>,
    out: Out,
}

impl Cutter {
    fn new(feeds: BTreeMap<SeriesId, Vec<Feed>>, windows: Vec<Window>, carried: HashMap<SeriesId, Vec<Row>>) -> Self {
        Self { feeds, windows, carried, current: None, last: Vec::new(), out: Out::default() }
    }

    fn push(&mut self, batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
        let rows = Rows::new(batch).map_err(|error| DataFusionError::External(Box::new(error)))?;
        for row in 0..rows.len() {
            let series = SeriesId(rows.series(row));
            if self.current.is_none_or(|(current, ..)| current != series) {
                self.finish_series();
                self.begin_series(series);
            }
            self.row(rows.row(row));
        }
        self.out.take()
    }

    /// Ends the last series, and gives every series without a row its carried value.
    fn finish(&mut self) -> Result<RecordBatch, DataFusionError> {
        self.finish_series();
        for series in self.carried.keys().copied().collect::<Vec<_>>() {
            self.begin_series(series);
            self.finish_series();
        }
        self.out.take()
    }

    fn begin_series(&mut self, series: SeriesId) {
        self.last = self.carried.remove(&series).unwrap_or_default();
        self.current = Some((series, 0, false));
    }

    fn row(&mut self, row: Row) {
        let Some((series, mut window, mut opened)) = self.current else { return };
        while self.windows.get(window).is_some_and(|current| row.time > current.end.as_nanos()) {
            self.open(series, window, opened);
            (window, opened) = (window + 1, false);
        }
        if self.windows.get(window).is_some_and(|current| row.time > current.start.as_nanos()) {
            self.open(series, window, opened);
            opened = true;
            self.emit(series, window, &row, false);
        }
        self.last.retain(|last| !row.is_good() && last.is_good());
        self.last.push(row);
        self.current = Some((series, window, opened));
    }

    fn finish_series(&mut self) {
        let Some((series, from, opened)) = self.current.take() else { return };
        for window in from..self.windows.len() {
            self.open(series, window, opened && window == from);
        }
        self.last.clear();
    }

    /// Emits the carried rows of a window, once.
    fn open(&mut self, series: SeriesId, window: usize, opened: bool) {
        if !opened {
            let last = std::mem::take(&mut self.last);
            last.iter().for_each(|row| self.emit(series, window, row, true));
            self.last = last;
        }
    }

    fn emit(&mut self, series: SeriesId, window: usize, row: &Row, carried: bool) {
        for feed in self.feeds.get(&series).into_iter().flatten() {
            self.out.push(*feed, series, window, self.windows[window], row, carried);
        }
    }
}

#[derive(Debug, Default)]
struct Out {
    asset: Int32Builder,
    slot: Int32Builder,
    window: Int32Builder,
    start: Int64Builder,
    end: Int64Builder,
    series: Int32Builder,
    at: Int64Builder,
    carried: BooleanBuilder,
    number: Float64Builder,
    text: StringBuilder,
}

impl Out {
    fn push(&mut self, feed: Feed, series: SeriesId, index: usize, window: Window, row: &Row, carried: bool) {
        self.asset.append_value(feed.asset);
        self.slot.append_value(feed.slot);
        self.window.append_value(i32::try_from(index).unwrap_or(i32::MAX));
        self.start.append_value(window.start.as_nanos());
        self.end.append_value(window.end.as_nanos());
        self.series.append_value(series.0.cast_signed());
        self.at.append_value(row.time);
        self.carried.append_value(carried);
        self.number.append_option(row.number);
        self.text.append_option(row.text.as_deref());
    }

    fn take(&mut self) -> Result<RecordBatch, DataFusionError> {
        let columns = vec![
            Arc::new(self.asset.finish()) as _,
            Arc::new(self.slot.finish()) as _,
            Arc::new(self.window.finish()) as _,
            Arc::new(self.start.finish()) as _,
            Arc::new(self.end.finish()) as _,
            Arc::new(self.series.finish()) as _,
            Arc::new(self.at.finish()) as _,
            Arc::new(self.carried.finish()) as _,
            Arc::new(self.number.finish()) as _,
            Arc::new(self.text.finish()) as _,
        ];
        Ok(RecordBatch::try_new(schema(), columns)?)
    }
}

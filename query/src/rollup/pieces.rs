//! Rows that together stand for the samples: a window gives one for its samples before its end, which carries an instant inside the
//! window, and one for the sample exactly at the end. So whatever is asked of them by spans on the grid of the windows comes out as
//! if asked of the samples, whether the spans include their start or their end.

use super::{
    Resolution,
    spans::Span,
    table::{Shape, Task, TotalsExec, instant_type, name_fields, project, qualities, text_type, windows},
    total::{Key, Numbers, Total},
    view::{COUNTED, View},
};
use crate::{
    directory::{NAMES, Names},
    historian::store::Store,
    table::{
        named::{NamedTable, number, time},
        points::{optimized, pushdown},
        prune::Prune,
    },
};
use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, TimestampNanosecondArray,
    },
    compute::filter_record_batch,
    datatypes::{DataType, Field, Float64Type, Int8Type, Int32Type, Schema, SchemaRef, TimestampNanosecondType},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    error::{DataFusionError, Result},
    execution::SessionState,
    logical_expr::{Expr, TableProviderFilterPushDown, TableType},
    physical_plan::{ExecutionPlan, execute_stream},
};
use futures::{StreamExt, stream::BoxStream};
use std::{fmt, sync::Arc};

/// The columns beside names, `time` and `quality`: rows, rows with a number, and what is known of the numbers.
pub const COUNT: &str = "count";
/// See [`COUNT`].
pub const NUMBERS: &str = "numbers";
/// See [`COUNT`].
pub const SUM: &str = "sum";
/// See [`COUNT`].
pub const MIN: &str = "min";
/// See [`COUNT`].
pub const MAX: &str = "max";

/// The schema of pieces.
pub fn schema() -> SchemaRef {
    let own = [
        Field::new("time", instant_type(), true),
        Field::new("quality", text_type(), true),
        Field::new(COUNT, DataType::Int64, true),
        Field::new(NUMBERS, DataType::Int64, true),
        Field::new(SUM, DataType::Float64, true),
        Field::new(MIN, DataType::Float64, true),
        Field::new(MAX, DataType::Float64, true),
    ];
    Arc::new(Schema::new(name_fields().chain(own).collect::<Vec<_>>()))
}

/// Pieces of the samples in a span of time, cut at a resolution or finer.
pub struct PiecesTable {
    store: Arc<Store>,
    samples: Arc<NamedTable>,
    coarsest: Resolution,
    span: Span,
}

impl fmt::Debug for PiecesTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PiecesTable")
    }
}

impl PiecesTable {
    /// Of the samples from one instant to another. Conditions on time must be applied to the pieces as well.
    pub fn new(store: Arc<Store>, samples: Arc<NamedTable>, coarsest: Resolution, span: Span) -> Self {
        Self { store, samples, coarsest, span }
    }
}

#[async_trait]
impl TableProvider for PiecesTable {
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
        let on_names: Vec<Expr> = filters.iter().filter(|filter| !mentions_time(filter)).cloned().collect();
        let series = self.samples.prune(state, &on_names)?.series;
        let (from, to) = self.span.micros();
        let view = Arc::new(View::of(
            &self.store,
            &Prune { series: series.clone(), from, to: to.saturating_add(60_000_000), ..Prune::default() },
        )?);
        // Roll-ups outlive points: what is forgotten must not come back as samples.
        let cut = view.rollups.whole_from.saturating_mul(1_000);
        let rest = Span { from: self.span.from.max(cut.saturating_add(1)), to: self.span.to };
        let mut parts = rest.parts(self.coarsest);
        if self.span.from <= cut {
            parts.points.push((self.span.from, self.span.to.min(cut)));
        }
        let mut tasks = Vec::new();
        for (resolution, from, to) in parts.windows {
            let prune = Prune { series: series.clone(), from, to, ..Prune::default() };
            tasks.extend(windows(&view, &names, resolution, &prune));
        }
        for (from, to) in parts.points {
            let prune =
                Prune { series: series.clone(), from: from.div_euclid(1_000), to: to.div_euclid(1_000), ..Prune::default() };
            tasks.push(Task::Points(prune, from, to));
        }
        Ok(Arc::new(TotalsExec::new(state, view, names, tasks, Shape::Pieces, projection.cloned())?))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|filter| pushdown(filter, &NAMES)).collect())
    }
}

fn mentions_time(filter: &Expr) -> bool {
    filter.column_refs().iter().any(|column| column.name == "time")
}

/// A piece: whose, when, how many rows, and their numbers.
struct Piece {
    series: i32,
    quality: i8,
    nanos: i64,
    count: i64,
    numbers: Numbers,
}

/// The pieces of windows.
pub(super) fn of_totals(
    resolution: Resolution,
    totals: &[(Key, Total)],
    names: &Names,
    projection: Option<&Vec<usize>>,
) -> Result<RecordBatch> {
    let mut pieces = Vec::with_capacity(totals.len() + totals.len() / 4);
    for ((series, end, quality), total) in totals {
        let (series, quality, at_end) = (*series, *quality, total.has_end(*end));
        let inside = (end - resolution.micros()) * 1_000 + 1;
        let count = total.count - i64::from(at_end);
        if count > 0 {
            pieces.push(Piece { series, quality, nanos: inside, count, numbers: total.inner });
        }
        if at_end {
            let number = |value: f64| Numbers { count: 1, sum: value, min: value, max: value };
            let numbers = total.last.value.map(number).unwrap_or_default();
            pieces.push(Piece { series, quality, nanos: total.last.nanos, count: 1, numbers });
        }
    }
    let series = Int32Array::from_iter_values(pieces.iter().map(|piece| piece.series));
    let double = |value: fn(&Numbers) -> f64| -> ArrayRef {
        let some = |piece: &Piece| (piece.numbers.count > 0).then(|| value(&piece.numbers));
        Arc::new(pieces.iter().map(some).collect::<Float64Array>())
    };
    project(&schema(), projection, names, &series, |name| {
        Ok(match name {
            "time" => {
                let instants = pieces.iter().map(|piece| piece.nanos);
                Arc::new(TimestampNanosecondArray::from_iter_values(instants).with_timezone("UTC"))
            }
            "quality" => qualities(pieces.iter().map(|piece| piece.quality))?,
            COUNT => Arc::new(Int64Array::from_iter_values(pieces.iter().map(|piece| piece.count))),
            NUMBERS => Arc::new(Int64Array::from_iter_values(pieces.iter().map(|piece| piece.numbers.count))),
            SUM => double(|numbers| numbers.sum),
            MIN => double(|numbers| numbers.min),
            MAX => double(|numbers| numbers.max),
            other => return Err(DataFusionError::Internal(format!("pieces have no {other}"))),
        })
    })
}

/// Points as pieces of their own.
pub(super) async fn points(
    state: &SessionState,
    view: &View,
    names: &Arc<Names>,
    prune: Prune,
    from: i64,
    to: i64,
    projection: Option<Vec<usize>>,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let plan = optimized(state, view.plan_points(state, &prune, &COUNTED)?)?;
    let names = names.clone();
    let rows = execute_stream(plan, state.task_ctx())?;
    Ok(rows.map(move |batch| of_points(&batch?, &names, from, to, projection.as_ref())).boxed())
}

fn of_points(points: &RecordBatch, names: &Names, from: i64, to: i64, projection: Option<&Vec<usize>>) -> Result<RecordBatch> {
    let instants = time(points)?;
    let inside =
        instants.as_primitive::<TimestampNanosecondType>().values().iter().map(|time| Some(from <= *time && *time <= to));
    let points = &filter_record_batch(points, &inside.collect::<BooleanArray>())?;
    let column = |name: &str| points.schema_ref().index_of(name).map(|index| points.column(index).clone());
    let series = column("series")?.as_primitive::<Int32Type>().clone();
    project(&schema(), projection, names, &series, |name| {
        Ok(match name {
            "time" => time(points)?,
            "quality" => qualities(column("quality")?.as_primitive::<Int8Type>().values().iter().copied())?,
            COUNT => Arc::new(Int64Array::from(vec![1; points.num_rows()])),
            NUMBERS => {
                let value = number(points)?;
                let value = value.as_primitive::<Float64Type>();
                Arc::new(Int64Array::from_iter_values((0..value.len()).map(|row| i64::from(value.is_valid(row)))))
            }
            SUM | MIN | MAX => number(points)?,
            other => return Err(DataFusionError::Internal(format!("pieces have no {other}"))),
        })
    })
}

//! The table of events, made of buffer and files, and the search that pages use.

use super::{
    asked::{About, Asked},
    columns::CHUNK_ROWS,
    event_columns::{batch, schema},
    files::DataFile,
    points::{partitioned, pushdown, read_columns},
};
use crate::historian::inspect::all_whole;
use crate::{EventFilter, QueryError, historian::store::Store};
use andon_models::{Timestamp, event::Event};
use arrow::{array::AsArray, datatypes::SchemaRef};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    datasource::{memory::MemorySourceConfig, physical_plan::FileGroup},
    error::Result,
    logical_expr::{Expr, TableProviderFilterPushDown, TableType},
    physical_plan::{ExecutionPlan, union::UnionExec},
    prelude::{SessionContext, col, lit},
    scalar::ScalarValue,
};
use std::{fmt, sync::Arc, time::Duration};

/// Most events of one answer.
const MAX_EVENTS: usize = 50_000;

/// The table of all events.
pub struct EventsTable {
    store: Arc<Store>,
}

impl EventsTable {
    /// Reads everything the store knows.
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }
}

impl fmt::Debug for EventsTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventsTable")
    }
}

#[async_trait]
impl TableProvider for EventsTable {
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
        let asked = Asked::of(filters);
        let (wanted, files) = self.store.events(&asked);
        let buffered = wanted.chunks(CHUNK_ROWS).map(batch).collect();
        let buffer = MemorySourceConfig::try_new_exec(&[buffered], schema(), projection.cloned())?;
        let touched = files.events.iter().filter(|file: &&DataFile| asked.times.touches(file.from, file.to));
        all_whole(touched.clone())?;
        let touched: FileGroup = touched.map(partitioned).collect();
        if touched.is_empty() {
            return Ok(buffer);
        }
        let condition = asked.times.condition();
        let files = read_columns(state, &files.root, schema(), vec![touched], Vec::new(), condition, projection)?;
        UnionExec::try_new(vec![buffer, files])
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|filter| pushdown(filter, &About::COLUMNS)).collect())
    }
}

/// Events that pass a filter, newest first.
///
/// # Errors
/// When history cannot be read.
pub async fn find(session: &SessionContext, store: &Arc<Store>, filter: EventFilter) -> Result<Vec<Event>, QueryError> {
    let limit = if filter.limit == 0 { EventFilter::DEFAULT_LIMIT } else { filter.limit.min(MAX_EVENTS) };
    let newest = store.newest_event().unwrap_or(Timestamp::EPOCH).min(filter.to.unwrap_or(Timestamp::MAX));
    let steps = if limit < MAX_EVENTS { &LOOK_BACK[..] } else { &[] };
    // The newest are wanted, and most pages find enough of them in the last days.
    for span in steps {
        let from = newest - *span;
        let bounded = EventFilter { from: filter.from.max(Some(from)), ..filter.clone() };
        let events = search(session, store, &bounded, limit).await?;
        if events.len() == limit || filter.from.is_some_and(|asked| from <= asked) {
            return Ok(events);
        }
    }
    search(session, store, &filter, limit).await
}

/// How far back is looked, one step after the other, before everything is read.
const LOOK_BACK: [Duration; 2] = [Duration::from_secs(86_400), Duration::from_secs(8 * 86_400)];

async fn search(
    session: &SessionContext,
    store: &Arc<Store>,
    filter: &EventFilter,
    limit: usize,
) -> Result<Vec<Event>, QueryError> {
    let mut table = session.read_table(Arc::new(EventsTable::new(store.clone())))?;
    for condition in conditions(filter) {
        table = table.filter(condition)?;
    }
    let newest_first = ["time", "nanos", "seq"].map(|name| col(name).sort(false, true)).to_vec();
    let batches = table.sort(newest_first)?.limit(0, Some(limit))?.select(vec![col("body")])?.collect().await?;
    let mut events = Vec::new();
    for batch in &batches {
        for text in batch.column(0).as_string::<i32>().iter().flatten() {
            events.push(serde_json::from_str(text).map_err(|error| QueryError::Internal(format!("a stored event: {error}")))?);
        }
    }
    Ok(events)
}

fn conditions(filter: &EventFilter) -> Vec<Expr> {
    let instant = |micros: i64| lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())));
    // `from` is exclusive and `to` inclusive, as for windows; below the microsecond nobody asks for events.
    let from = filter.from.map(|from| col("time").gt(instant(from.as_micros())));
    let to = filter.to.map(|to| col("time").lt_eq(instant(to.as_micros())));
    let asset = filter.asset.map(|asset| col("asset_id").eq(lit(asset.to_string())));
    // An empty text is not stored.
    let of_path = |path: &Arc<str>| if path.is_empty() { col("asset").is_null() } else { col("asset").eq(lit(path.as_ref())) };
    let path = filter.path.as_ref().map(of_path);
    let detector = filter.detector.as_ref().map(|detector| col("detector").eq(lit(detector.as_ref())));
    let rule = filter.rule.as_ref().map(|rule| col("rule").eq(lit(rule.as_ref())));
    let about = filter.about.map(|about| {
        let [start, end] = [about.start, about.end].map(|time| instant(time.as_micros()));
        col("since").gt_eq(start).and(col("since").lt_eq(end))
    });
    let kinds = (!filter.kinds.is_empty())
        .then(|| col("kind").in_list(filter.kinds.iter().map(|kind| lit(kind.as_ref())).collect(), false));
    [from, to, asset, path, detector, rule, about, kinds].into_iter().flatten().collect()
}

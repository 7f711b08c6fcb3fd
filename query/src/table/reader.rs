//! How Parquet files are opened: what their footers and page indexes say is kept in memory between statements.
//!
//! A statement about one series reads a few pages, and finding them takes longer than reading them when every file has to be asked
//! first. Files never change under their name, so what was read once stays true; the oldest goes when [`MAX_METADATA`] is reached.

use datafusion::{
    catalog::Session,
    datasource::physical_plan::{ParquetSource, parquet::CachedParquetFileReaderFactory},
    error::Result,
    execution::object_store::ObjectStoreUrl,
};
use std::sync::Arc;

/// Bytes of footers and page indexes kept: some thousand files of a day each.
pub const MAX_METADATA: usize = 64 << 20;

/// Footer and what stands before it in one read: more than most files have.
const FOOTER_HINT: usize = 128 << 10;

/// Lets a source keep what it learns about its files in the session's cache.
///
/// # Errors
/// When the place of the files is not known to the session.
pub fn keeping_metadata(source: ParquetSource, state: &dyn Session, root: &ObjectStoreUrl) -> Result<ParquetSource> {
    let runtime = state.runtime_env();
    let cache = runtime.cache_manager.get_file_metadata_cache();
    let factory = CachedParquetFileReaderFactory::new(runtime.object_store(root)?, cache);
    Ok(source.with_parquet_file_reader_factory(Arc::new(factory)).with_metadata_size_hint(FOOTER_HINT))
}

#[cfg(test)]
mod tests {
    use crate::{
        Batch, Historian, HistorianOptions,
        testing::{PLANT, catalog, good, series},
    };
    use datafusion::physical_plan::{ExecutionPlan, collect};
    use std::sync::Arc;
    use tokio::time::Instant;

    async fn historian(folder: &tempfile::TempDir, seconds: impl Iterator<Item = i64> + Clone) -> Historian {
        let catalog = catalog(PLANT);
        let (historian, _) = Historian::open(HistorianOptions::new(folder.path()), catalog.clone()).await.unwrap();
        let mut points = Vec::new();
        for asset in ["Line 1/Press A", "Line 1/Press B"] {
            for property in ["temp", "state"] {
                let series = series(&catalog, asset, property);
                points.extend(seconds.clone().map(|second| good(series, second, (second % 100) as f64)));
            }
        }
        for points in points.chunks(50_000) {
            historian.append(Batch { points: points.to_vec(), ..Batch::default() }).await.unwrap();
        }
        historian.flush().await.unwrap();
        historian
    }

    /// Runs a statement; gives its rows and the plan with what it counted.
    async fn run(historian: &Historian, sql: &str) -> (usize, Arc<dyn ExecutionPlan>) {
        let session = historian.session();
        let plan = session.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        let batches = collect(plan.clone(), session.task_ctx()).await.unwrap();
        (batches.iter().map(arrow::array::RecordBatch::num_rows).sum(), plan)
    }

    /// Rows that leave the reading of files.
    fn rows_read(plan: &Arc<dyn ExecutionPlan>) -> usize {
        let own = if plan.name() == "DataSourceExec" { plan.metrics().and_then(|metrics| metrics.output_rows()) } else { None };
        own.unwrap_or(0) + plan.children().into_iter().map(rows_read).sum::<usize>()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_series_for_one_hour_reads_a_few_pages() {
        let folder = tempfile::tempdir().unwrap();
        let historian = historian(&folder, 0..86_400).await;
        let hour = "time > '2026-01-01T10:00:00Z' AND time <= '2026-01-01T11:00:00Z'";
        // The hour begins and ends within a page.
        let pages = 4 * 8_192;
        for sql in [
            format!("SELECT time, value FROM samples WHERE asset = 'Line 1/Press B' AND property = 'temp' AND {hour}"),
            format!("SELECT time, temp FROM press WHERE asset = 'Line 1/Press B' AND {hour}"),
            "SELECT time, value FROM history('Line 1/Press B', 'temp', '2026-01-01T10:00:00Z', '2026-01-01T11:00:00Z', '1s')"
                .into(),
        ] {
            let (rows, plan) = run(&historian, &sql).await;
            assert_eq!(rows, 3_600, "{sql}");
            let read = rows_read(&plan);
            assert!((3_600..=pages).contains(&read), "{sql}\n{read} of {} rows were read", 4 * 86_400);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn footers_are_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let historian = historian(&folder, (0..100 * 86_400).step_by(3_600)).await;
        let cache = historian.session().runtime_env().cache_manager.get_file_metadata_cache();
        let files = usize::try_from(historian.stats().files).unwrap();
        assert!((100..=101).contains(&files), "{files} files");
        let mut took = Vec::new();
        for _ in 0..3 {
            let start = Instant::now();
            let (rows, _) = run(&historian, "SELECT * FROM samples WHERE alias = '/Line 1/Press A/temp'").await;
            took.push(start.elapsed());
            assert_eq!(rows, 2_400);
            assert_eq!(cache.len(), files);
        }
        println!(
            "{files} files: {took:?}, {} bytes of metadata kept",
            cache.list_entries().values().map(|entry| entry.value.file_metadata.memory_size()).sum::<usize>()
        );
    }
}

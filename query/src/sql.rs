//! SQL: read-only, bounded in time, rows and memory, over tables that people and SiteWise clients know.

mod answer;
mod bind;
mod by_series;
mod check;
mod deadline;
mod functions;
mod properties;
pub(crate) mod question;
pub(crate) mod shortcut;
mod size;
mod statements;
mod stream;
pub(crate) mod syntax;
mod tables;
#[cfg(test)]
mod tests;
mod views;
mod wide;
mod words;

pub use answer::{answer, type_name};
pub use check::only_reads;
pub use size::check_size;
pub use statements::Statements;
pub use stream::stream;
pub use stream::{statement, stream_plan};

use crate::{
    HistorianOptions, QueryError, TableDescription,
    directory::Directory,
    historian::{place::Place, store::Store},
    table::reader,
};
use datafusion::{
    execution::{memory_pool::FairSpillPool, runtime_env::RuntimeEnvBuilder},
    prelude::{SessionConfig, SessionContext},
};
use std::sync::Arc;

/// A session that knows all tables, and their descriptions. It can write nothing, not even temporary files.
///
/// # Errors
/// When a table cannot be set up.
pub async fn session(
    options: &HistorianOptions,
    bucket: Option<&Place>,
    store: &Arc<Store>,
    directory: &Arc<Directory>,
) -> Result<(SessionContext, Vec<TableDescription>), QueryError> {
    let config = SessionConfig::new()
        .with_extension(Arc::new(Statements::default()))
        .with_information_schema(true)
        .with_default_catalog_and_schema("andon", "plant")
        .set_str("datafusion.execution.time_zone", "UTC")
        .set_bool("datafusion.execution.parquet.pushdown_filters", false)
        .set_bool("datafusion.optimizer.repartition_file_scans", false);
    let runtime = RuntimeEnvBuilder::new()
        .with_metadata_cache_limit(reader::MAX_METADATA)
        .with_memory_pool(Arc::new(FairSpillPool::new(options.query_bytes())))
        .with_disk_manager_builder(
            datafusion::execution::disk_manager::DiskManagerBuilder::default()
                .with_mode(datafusion::execution::disk_manager::DiskManagerMode::Disabled),
        )
        .build_arc()?;
    if let Some(bucket) = bucket {
        runtime.register_object_store(bucket.root().as_ref(), bucket.store().clone());
    }
    let session = SessionContext::new_with_config_rt(config, runtime);
    functions::register(&session, store, directory)?;
    let tables = tables::register(&session, store, directory).await?;
    Ok((session, tables))
}

//! Runs a statement within its limits: the one way for all who ask, over HTTP, the command line or PostgreSQL's protocol.

use super::{
    bind,
    check::only_reads,
    deadline::{End, enforce},
    size::check_size,
    statements::Statements,
};
use crate::{QueryError, SqlLimits};
use andon_models::window::Window;
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{
    error::{DataFusionError, Result as EngineResult},
    execution::SendableRecordBatchStream,
    logical_expr::LogicalPlan,
    physical_plan::{execute_stream, stream::RecordBatchStreamAdapter},
    prelude::SessionContext,
};
use futures::{StreamExt, stream};
use std::{future::Future, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Batches made before the reader wants them: one is read while the next one is made, and a slow reader holds up the statement.
const BATCHES_AHEAD: usize = 2;

/// Runs a statement, over a span if it asks for one: checks its size and that it only reads, and streams its rows. The stream ends with an error at its deadline;
/// dropping it ends the statement. Rows and memory are counted by who reads. [`statement`] makes its errors readable.
///
/// # Errors
/// When the statement is wrong, would change something, or is not planned in time.
pub async fn stream(
    session: &SessionContext,
    sql: &str,
    span: Option<Window>,
    limits: SqlLimits,
) -> Result<SendableRecordBatchStream, QueryError> {
    check_size(sql)?;
    let (of_plan, sql) = (session.clone(), sql.to_owned());
    let plan = async move { bind::plan(&of_plan, &sql, span).await };
    start(session, plan, limits.time).await
}

/// Runs a statement that is planned already, like [`stream`].
///
/// # Errors
/// When the plan would change something, or is not ready to run in time.
pub async fn stream_plan(
    session: &SessionContext,
    plan: LogicalPlan,
    limits: SqlLimits,
) -> Result<SendableRecordBatchStream, QueryError> {
    start(session, async { Ok(plan) }, limits.time).await
}

async fn start(
    session: &SessionContext,
    plan: impl Future<Output = Result<LogicalPlan, QueryError>> + Send + 'static,
    time: Duration,
) -> Result<SendableRecordBatchStream, QueryError> {
    let stop = CancellationToken::new();
    let end = End { deadline: Instant::now() + time, stop: stop.clone() };
    let (started, schema) = oneshot::channel();
    let (batches, received) = mpsc::channel(BATCHES_AHEAD);
    // Its own task: a long step of one statement does not hold up the caller. Dropping the set ends the statement.
    let mut task = JoinSet::new();
    task.spawn(run(session.clone(), plan, end.clone(), started, batches));
    let running = Running { batches: received, task, end, time, over: false, _stop: stop.drop_guard() };
    let schema = match timeout_at(running.end.deadline, schema).await {
        Ok(Ok(Ok(schema))) => schema,
        Ok(Ok(Err(error))) if Instant::now() < running.end.deadline => return Err(error),
        Ok(Err(_)) => return Err(QueryError::Internal("the statement ended before it began".into())),
        Ok(Ok(Err(_))) | Err(_) => return Err(QueryError::TimedOut(time)),
    };
    let batches = stream::unfold(running, |mut running| async { running.next().await.map(|batch| (batch, running)) });
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
}

async fn run(
    session: SessionContext,
    plan: impl Future<Output = Result<LogicalPlan, QueryError>>,
    end: End,
    started: oneshot::Sender<Result<SchemaRef, QueryError>>,
    batches: mpsc::Sender<EngineResult<RecordBatch>>,
) {
    let _counted = Statements::count(&session);
    let mut rows = match execute(&session, plan, end).await {
        Ok(rows) => rows,
        Err(error) => return drop(started.send(Err(error))),
    };
    if started.send(Ok(rows.schema())).is_err() {
        return;
    }
    while let Some(batch) = rows.next().await {
        let failed = batch.is_err();
        if batches.send(batch).await.is_err() || failed {
            return;
        }
    }
}

async fn execute(
    session: &SessionContext,
    plan: impl Future<Output = Result<LogicalPlan, QueryError>>,
    end: End,
) -> Result<SendableRecordBatchStream, QueryError> {
    let plan = plan.await?;
    only_reads(&plan)?;
    let frame = session.execute_logical_plan(plan).await.map_err(statement)?;
    let plan = enforce(frame.create_physical_plan().await.map_err(statement)?, end).map_err(statement)?;
    execute_stream(plan, session.task_ctx()).map_err(statement)
}

/// A statement that runs in its own task.
struct Running {
    batches: mpsc::Receiver<EngineResult<RecordBatch>>,
    task: JoinSet<()>,
    end: End,
    time: Duration,
    over: bool,
    _stop: DropGuard,
}

impl Running {
    async fn next(&mut self) -> Option<EngineResult<RecordBatch>> {
        if self.over {
            return None;
        }
        let batch = match timeout_at(self.end.deadline, self.batches.recv()).await {
            Ok(Some(Ok(batch))) => return Some(Ok(batch)),
            Ok(Some(Err(error))) if Instant::now() < self.end.deadline => Some(Err(error)),
            Ok(None) => self.outcome().await.map(Err),
            Ok(Some(Err(_))) | Err(_) => Some(Err(DataFusionError::External(Box::new(QueryError::TimedOut(self.time))))),
        };
        self.over = true;
        self.task.abort_all();
        batch
    }

    /// A task that broke is no end of the rows.
    async fn outcome(&mut self) -> Option<DataFusionError> {
        let error = self.task.join_next().await?.err()?;
        Some(DataFusionError::External(Box::new(QueryError::Internal(error.to_string()))))
    }
}

/// The message of a failed statement, without the engine's inner words.
pub fn statement(error: DataFusionError) -> QueryError {
    let error = match error {
        DataFusionError::External(cause) => match cause.downcast::<QueryError>() {
            Ok(error) => return *error,
            Err(cause) => DataFusionError::External(cause),
        },
        error => error,
    };
    if let DataFusionError::ResourcesExhausted(_) = error.find_root() {
        return QueryError::Statement("the statement needs more memory than it may take; narrow it by time or asset".into());
    }
    let text = error.strip_backtrace();
    let text = ["Error during planning: ", "Schema error: ", "SQL error: ", "Execution error: "]
        .iter()
        .fold(text, |text, prefix| text.strip_prefix(prefix).map(str::to_owned).unwrap_or(text));
    QueryError::Statement(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Rows for hours that a filter throws away.
    const ENDLESS: &str = "WITH n AS (SELECT value FROM generate_series(1, 200)) SELECT a.value \
        FROM n a, n b, n c, n d, n e WHERE a.value + b.value + c.value + d.value + e.value < 0";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_stream_ends_at_its_deadline() {
        let session = SessionContext::new();
        let limits = SqlLimits { time: Duration::from_millis(200), ..SqlLimits::default() };
        let error = match stream(&session, ENDLESS, None, limits).await {
            Ok(mut rows) => {
                let error = statement(rows.next().await.unwrap().unwrap_err());
                assert!(rows.next().await.is_none());
                error
            }
            // A busy machine may not even get it planned.
            Err(error) => error,
        };
        assert!(matches!(error, QueryError::TimedOut(_)), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_statement_ends_when_nobody_reads_it() {
        let session = SessionContext::new();
        let tasks = tokio::runtime::Handle::current().metrics();
        let before = tasks.num_alive_tasks();
        let limits = SqlLimits { time: Duration::from_secs(3_600), ..SqlLimits::default() };
        let rows = stream(&session, ENDLESS, None, limits).await.unwrap();
        assert!(tasks.num_alive_tasks() > before);
        drop(rows);
        let ended = async {
            while tasks.num_alive_tasks() > before {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), ended).await.expect("the statement ends when its stream is dropped");
    }
}

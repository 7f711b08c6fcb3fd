//! A statement with its parameters, and the rows of it that were not sent yet.

use super::{
    encode::Rows,
    failure::{Failure, code},
    types::Column,
    wire::Writer,
};
use crate::{QueryError, SqlLimits, sql};
use datafusion::{execution::SendableRecordBatchStream, logical_expr::LogicalPlan, prelude::SessionContext};
use futures::StreamExt;
use std::{sync::Arc, time::Duration};
use tokio::{io::AsyncWrite, time::timeout};

/// Rows of one statement: what a tool reads in minutes. They are never all in memory.
const MAX_ROWS: u64 = 100_000_000;
/// How long a client may leave its rows unread before its statement ends.
pub const UNREAD: Duration = Duration::from_secs(120);

/// A statement that is under way, or will be.
pub struct Portal {
    /// Its columns.
    pub columns: Arc<[Column]>,
    /// Their forms: text or binary.
    pub formats: Vec<i16>,
    /// What the answer ends with.
    pub tag: &'static str,
    plan: Option<LogicalPlan>,
    rows: Option<SendableRecordBatchStream>,
    batch: Option<(Rows, usize)>,
    sent: u64,
}

/// Why a portal stopped sending.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// So many rows, and these were all.
    All(u64),
    /// As many as were wanted; there may be more.
    Some(u64),
}

impl Portal {
    /// A portal whose statement has not begun.
    pub fn new(plan: LogicalPlan, columns: Arc<[Column]>, formats: Vec<i16>) -> Self {
        Self { columns, formats, tag: "SELECT", plan: Some(plan), rows: None, batch: None, sent: 0 }
    }

    /// Sends up to so many rows; 0 means all. The first call begins the statement.
    ///
    /// # Errors
    /// When the statement fails, or the client does not read its rows.
    pub async fn send<W: AsyncWrite + Unpin>(
        &mut self,
        session: &SessionContext,
        limits: SqlLimits,
        wanted: usize,
        to: &mut Writer<W>,
    ) -> Result<Sent, Failure> {
        if let Some(plan) = self.plan.take() {
            self.rows = Some(sql::stream_plan(session, plan, limits).await?);
        }
        let mut count = 0;
        loop {
            if self.batch.is_none() && !self.next_batch().await? {
                return Ok(Sent::All(count));
            }
            let Some((rows, at)) = &mut self.batch else { continue };
            while *at < rows.len() && (wanted == 0 || count < wanted as u64) && !to.is_full() {
                rows.encode(*at, &self.formats, to.buffer()).map_err(|error| Failure::from(QueryError::from(error)))?;
                *at += 1;
                count += 1;
            }
            if *at >= rows.len() {
                self.batch = None;
            }
            if to.is_full() {
                flush(to).await?;
            }
            if self.sent + count > MAX_ROWS {
                return Err(Failure::new(code::TOO_LARGE, format!("a statement answers at most {MAX_ROWS} rows; narrow it")));
            }
            if wanted > 0 && count >= wanted as u64 {
                self.sent += count;
                return Ok(Sent::Some(count));
            }
        }
    }

    async fn next_batch(&mut self) -> Result<bool, Failure> {
        let Some(rows) = &mut self.rows else { return Ok(false) };
        match rows.next().await {
            Some(batch) => {
                let rows = Rows::new(&batch?).map_err(|error| Failure::from(QueryError::from(error)))?;
                self.batch = Some((rows, 0));
                Ok(true)
            }
            None => {
                self.rows = None;
                Ok(false)
            }
        }
    }
}

/// Sends what there is to a client that reads.
///
/// # Errors
/// When it does not read, or is gone.
pub async fn flush<W: AsyncWrite + Unpin>(to: &mut Writer<W>) -> Result<(), Failure> {
    match timeout(UNREAD, to.flush()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::new("08006", error.to_string())),
        Err(_) => Err(Failure::new("08006", "the client does not read")),
    }
}

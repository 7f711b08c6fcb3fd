//! What is stored together, and how the caller hears that it is safe.

use crate::{DataStream, QueryError};
use andon_models::{
    Point,
    event::{Event, SystemNotice},
};
use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::oneshot;

/// One log record: all of it is remembered, or none of it.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Values of series.
    pub points: Vec<Point>,
    /// What happened.
    pub events: Vec<Event>,
    /// Small documents by key. The last one of a key wins; an empty one forgets the key. All are given back when the historian opens.
    pub keep: Vec<(String, Vec<u8>)>,
    /// Definitions of data streams. The historian adds those that the points need and that are not on disk yet.
    pub streams: Vec<DataStream>,
}

/// A promise that a batch gets on disk. Dropping it changes nothing about the batch.
#[derive(Debug)]
pub struct Receipt(Outcome);

#[derive(Debug)]
enum Outcome {
    /// The log will say.
    Pending(oneshot::Receiver<Result<(), Arc<str>>>),
    /// It was never handed to the log.
    Refused(Option<QueryError>),
}

/// What the historian knew when it was opened.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// The kept documents by key.
    pub kept: HashMap<String, Vec<u8>>,
    /// Points that were only in the log.
    pub log_points: u64,
    /// Events that were only in the log.
    pub log_events: u64,
    /// What was cut off, set aside or missing, in words for the engineer.
    pub notices: Vec<SystemNotice>,
}

impl Batch {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty() && self.events.is_empty() && self.keep.is_empty() && self.streams.is_empty()
    }
}

impl Receipt {
    /// A receipt and the place where the log answers it.
    pub(crate) fn new() -> (oneshot::Sender<Result<(), Arc<str>>>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(Outcome::Pending(receiver)))
    }

    /// A receipt of a batch that was refused.
    pub(crate) fn refused(error: QueryError) -> Self {
        Self(Outcome::Refused(Some(error)))
    }
}

impl Future for Receipt {
    type Output = Result<(), QueryError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let failed = |reason: &str| QueryError::LogFailed(reason.to_owned());
        match &mut self.0 {
            Outcome::Refused(error) => Poll::Ready(Err(error.take().unwrap_or_else(|| failed("the batch was refused")))),
            Outcome::Pending(answer) => Pin::new(answer).poll(context).map(|answer| match answer {
                Ok(answer) => answer.map_err(|reason| failed(&reason)),
                Err(_) => Err(failed("the historian is closed")),
            }),
        }
    }
}

//! What is stored together, and how the caller hears that it is safe.

use crate::{DataStream, QueryError, historian::Answer};
use andon_models::{
    Point, Value,
    event::{Event, SystemNotice},
};
use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
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
    Pending(oneshot::Receiver<Answer>),
    /// It was never handed to the log, and nobody sees it.
    Refused(Option<QueryError>, Box<Batch>),
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

    /// About how many bytes it takes in memory and in the log.
    pub(crate) fn bytes(&self) -> usize {
        let points: usize = self.points.iter().map(point_bytes).sum();
        let kept: usize = self.keep.iter().map(|(key, document)| key.len() + document.len()).sum();
        points + self.events.len() * EVENT_BYTES + kept
    }
}

/// A point in the buffer: its columns with their validity bits, and room for growth.
const POINT_BYTES: usize = 64;
/// An event with its explanation, in the buffer and as text.
pub(crate) const EVENT_BYTES: usize = 1_280;

/// About how many bytes a point takes in the buffer.
pub(crate) fn point_bytes(point: &Point) -> usize {
    match &point.tqv.value {
        Value::String(text) => POINT_BYTES + text.len(),
        _ => POINT_BYTES,
    }
}

impl Receipt {
    /// A receipt and the place where the log answers it.
    pub(crate) fn new() -> (oneshot::Sender<Answer>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(Outcome::Pending(receiver)))
    }

    /// A receipt of a batch that was refused.
    pub(crate) fn refused(error: QueryError, batch: Batch) -> Self {
        Self(Outcome::Refused(Some(error), Box::new(batch)))
    }

    /// Gives back a batch that was refused at the door because the disk takes nothing. Nothing of it was stored, and nobody sees it;
    /// handed in again later, it can be.
    pub fn take_back(&mut self) -> Option<Batch> {
        match &mut self.0 {
            Outcome::Refused(Some(QueryError::StorageFull(_) | QueryError::LogFailed(_)), batch) => Some(std::mem::take(batch)),
            Outcome::Refused(..) | Outcome::Pending(_) => None,
        }
    }
}

impl Future for Receipt {
    type Output = Result<(), QueryError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let failed = |reason: &str| QueryError::LogFailed(reason.to_owned());
        match &mut self.0 {
            Outcome::Refused(error, _) => Poll::Ready(Err(error.take().unwrap_or_else(|| failed("the batch was refused")))),
            Outcome::Pending(answer) => Pin::new(answer).poll(context).map(|answer| match answer {
                Ok(answer) => answer.map_err(QueryError::from),
                Err(_) => Err(failed("the historian is closed")),
            }),
        }
    }
}

//! Hands points to the pipeline in steps and waits for the disk.

use super::{Refusal, Write, Writes};
use andon_models::{Point, Value};
use andon_query::QueryError;
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::oneshot;

/// Points of one step: as many as the pipeline takes from collectors at once.
const STEP_POINTS: usize = 20_000;
/// Bytes of texts of one step: far below the largest log record.
const STEP_TEXT_BYTES: usize = 8 << 20;
/// Steps of one body that may wait for the disk: enough to keep it busy, few enough to bound memory.
const MAX_STEPS_AHEAD: usize = 4;

/// The points of one body.
pub(crate) struct Intake<'a> {
    writes: &'a Writes,
    /// Those of the next step.
    pub(crate) points: Vec<Point>,
    text_bytes: usize,
    waiting: VecDeque<Waiting>,
    stored: usize,
}

/// A step on its way to the disk.
struct Waiting {
    points: usize,
    answer: oneshot::Receiver<Result<(), Arc<QueryError>>>,
}

impl<'a> Intake<'a> {
    pub(crate) fn new(writes: &'a Writes) -> Self {
        Self { writes, points: Vec::new(), text_bytes: 0, waiting: VecDeque::new(), stored: 0 }
    }

    /// Sends a step when there is enough for one. To be called after points were added, with those.
    ///
    /// # Errors
    /// When an earlier step was not stored.
    pub(crate) async fn added(&mut self, from: usize) -> Result<(), Refusal> {
        let text = |point: &Point| if let Value::String(text) = &point.tqv.value { text.len() } else { 0 };
        self.text_bytes += self.points[from.min(self.points.len())..].iter().map(text).sum::<usize>();
        if self.points.len() < STEP_POINTS && self.text_bytes < STEP_TEXT_BYTES {
            return Ok(());
        }
        self.send().await
    }

    /// Adds many points, in as many steps as they need.
    ///
    /// # Errors
    /// When an earlier step was not stored.
    pub(crate) async fn add(&mut self, points: Vec<Point>) -> Result<(), Refusal> {
        let mut points = points.into_iter();
        loop {
            let from = self.points.len();
            self.points.extend(points.by_ref().take(STEP_POINTS - from.min(STEP_POINTS - 1)));
            if self.points.len() == from {
                return Ok(());
            }
            self.added(from).await?;
        }
    }

    /// Sends the rest and waits until all is on disk; answers how many points that are.
    ///
    /// # Errors
    /// When something was not stored, with how many points were.
    pub(crate) async fn finish(mut self) -> Result<usize, Refusal> {
        if !self.points.is_empty() {
            self.send().await?;
        }
        while !self.waiting.is_empty() {
            self.settle().await?;
        }
        Ok(self.stored)
    }

    async fn send(&mut self) -> Result<(), Refusal> {
        if self.waiting.len() >= MAX_STEPS_AHEAD {
            self.settle().await?;
        }
        let points = std::mem::take(&mut self.points);
        self.text_bytes = 0;
        let (reply, answer) = oneshot::channel();
        self.waiting.push_back(Waiting { points: points.len(), answer });
        self.writes.send(Write { points, reply }).await.map_err(|_| Refusal::stopping(self.stored))
    }

    async fn settle(&mut self) -> Result<(), Refusal> {
        let Some(Waiting { points, answer }) = self.waiting.pop_front() else { return Ok(()) };
        match answer.await {
            Ok(Ok(())) => self.stored += points,
            Ok(Err(error)) => return Err(Refusal::not_stored(&error, self.stored)),
            Err(_) => return Err(Refusal::stopping(self.stored)),
        }
        Ok(())
    }
}

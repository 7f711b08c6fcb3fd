//! Values that programs write over HTTP: read from a body, matched to series, handed to the pipeline, answered from the disk.
//!
//! They take the way of collectors' samples, so transforms, detectors and pages see them. A body goes in bounded steps; many small
//! bodies share a log record. Nothing is acknowledged before it is on disk, and what is refused is named by line or row.

mod body;
mod intake;
mod lines;
mod refusal;

pub(crate) use body::{MAX_WRITE_BYTES, Room};
pub(crate) use intake::Intake;
pub(crate) use lines::{Known, Precision, write_lines};
pub(crate) use refusal::{Dialect, LineRefusal, Refusal, WriteRefusal};

use andon_models::Point;
use andon_query::QueryError;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Points on their way to the plant's loop.
#[derive(Debug)]
pub struct Write {
    /// The points, in the order of the body.
    pub points: Vec<Point>,
    /// Answered when they are on disk, or with the reason why they are not.
    pub reply: oneshot::Sender<Result<(), Arc<QueryError>>>,
}

/// Where written points go.
pub type Writes = mpsc::Sender<Write>;

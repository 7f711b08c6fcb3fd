//! Points from an Arrow IPC stream: the fast way in for programs that have columns.
//!
//! | column | type | |
//! |---|---|---|
//! | `time` | timestamp of any unit | instant; without a zone it is UTC |
//! | `series`, or `alias`, or `asset` and `property` | int32; string or dictionary of strings | where the value belongs |
//! | `value`, or some of `double`, `integer`, `boolean`, `string` | double, whole number, boolean, string | the value |
//! | `quality` | `good`, `uncertain`, `bad`, or 0, 1, 2 | optional; good where there is a value, else bad |
//! | `status` | whole number | optional |
//! | `unit` | string or dictionary | optional; of new data streams |
//!
//! Series are looked up once per name and batch, not per row. Other columns are ignored.

mod columns;
mod frames;
#[cfg(test)]
mod tests;

use crate::{Historian, QueryError};
use andon_models::{Point, Timestamp};
use arrow::{buffer::Buffer, ipc::reader::StreamDecoder};
use bytes::Bytes;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Reads points batch by batch.
pub struct ArrowPoints {
    decoder: StreamDecoder,
    rest: Buffer,
    historian: Historian,
    now: Timestamp,
    rows: usize,
}

impl ArrowPoints {
    /// Begins to read a stream; values of after `now` are refused, with some minutes' grace.
    ///
    /// # Errors
    /// When it is none, or compressed within.
    pub fn new(historian: &Historian, stream: Bytes, now: Timestamp) -> Result<Self, QueryError> {
        frames::check(&stream)?;
        Ok(Self { decoder: StreamDecoder::new(), rest: Buffer::from(stream), historian: historian.clone(), now, rows: 0 })
    }

    /// The points of the next batch; none at the end.
    ///
    /// # Errors
    /// Names the row, from 0 over the whole stream, and the column that cannot be stored. Data streams that the rows before it named
    /// for the first time are known then, though without values.
    pub fn next_points(&mut self) -> Result<Option<Vec<Point>>, QueryError> {
        // The reader panics on offsets that lead out of a buffer.
        let read = catch_unwind(AssertUnwindSafe(|| match self.decoder.decode(&mut self.rest) {
            Ok(None) => self.decoder.finish().map(|()| None),
            read => read,
        }));
        let refused = |why: &str| QueryError::Refused(format!("the body is no Arrow IPC stream: {why}"));
        let read = read.map_err(|_| refused("a message is damaged"))?;
        let Some(batch) = read.map_err(|error| refused(&error.to_string()))? else { return Ok(None) };
        let points = columns::points(&self.historian, &batch, self.now, self.rows)?;
        self.rows += batch.num_rows();
        Ok(Some(points))
    }
}

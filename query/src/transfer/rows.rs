//! From what a file says in one row to points, on their way out in batches.

use super::{
    ReadOptions, Step,
    cell::{Cell, standing},
    names::{Names, Resolver},
    time::Clock,
};
use crate::directory::Target;
use andon_models::{Point, Quality, SeriesId, StatusCode, Timestamp, Tqv, Value, admission::admit};
use std::{collections::HashMap, ops::ControlFlow, sync::Arc};

/// Points that leave together: one log record, small beside the largest one.
const BATCH_POINTS: usize = 16_384;

/// Bytes of texts that leave together, for the same reason.
const BATCH_TEXT_BYTES: usize = 8 << 20;

/// Takes what reading comes to; a break ends the reading.
pub type Take<'t> = dyn FnMut(Step) -> ControlFlow<()> + 't;

/// Points of one file.
pub struct Rows<'a, 't> {
    /// Finds series by name.
    pub resolver: Resolver<'a>,
    /// Reads times.
    pub clock: Clock<'a>,
    decimal_comma: bool,
    now: Timestamp,
    points: Vec<Point>,
    text_bytes: usize,
    /// The last instant of each series, where the two hours of autumn must be told apart.
    last: Option<HashMap<SeriesId, i64>>,
    take: &'t mut Take<'t>,
}

/// What a row says about how far its value may be trusted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    /// The quality.
    pub quality: Option<Quality>,
    /// The status code.
    pub status: Option<StatusCode>,
}

impl<'a, 't> Rows<'a, 't> {
    /// Rows of a file from its beginning.
    pub fn new(names: &'a Names, options: &'a ReadOptions, take: &'t mut Take<'t>) -> Self {
        Self {
            resolver: Resolver::new(names),
            clock: Clock::new(&options.time),
            decimal_comma: options.decimal_comma,
            now: options.now.unwrap_or(Timestamp::MAX),
            points: Vec::with_capacity(BATCH_POINTS),
            text_bytes: 0,
            last: options.time.zone.as_ref().map(|_| HashMap::new()),
            take,
        }
    }

    /// The last instant of a series in this file.
    pub fn previous(&self, series: SeriesId) -> i64 {
        self.last.as_ref().and_then(|last| last.get(&series)).copied().unwrap_or(i64::MIN)
    }

    /// Adds what stands in a row.
    ///
    /// # Errors
    /// Why the value does not fit its series.
    pub fn add(&mut self, target: Target, time: Timestamp, cell: Cell<'_>, said: Said) -> Result<ControlFlow<()>, String> {
        admit(time, self.now).map_err(|refusal| format!("{time} is {refusal}"))?;
        let value = cell.fit(target.value_type, self.decimal_comma)?;
        let (quality, status) = standing(said.quality, said.status, value == Value::Null);
        if let Some(last) = &mut self.last {
            last.insert(target.series, time.as_nanos());
        }
        if let Value::String(text) = &value {
            self.text_bytes += text.len();
        }
        self.points.push(Point { series: target.series, tqv: Tqv { time, quality, status, value } });
        let full = self.points.len() >= BATCH_POINTS || self.text_bytes >= BATCH_TEXT_BYTES;
        Ok(if full { self.flush() } else { ControlFlow::Continue(()) })
    }

    /// Says what is wrong with a row.
    pub fn problem(&mut self, line: u64, message: impl Into<Arc<str>>) -> ControlFlow<()> {
        (self.take)(Step::Problem { line, message: message.into() })
    }

    /// Says how many bytes of the file are read.
    pub fn progress(&mut self, bytes: u64) -> ControlFlow<()> {
        (self.take)(Step::Progress(bytes))
    }

    /// Hands out what is left.
    pub fn flush(&mut self) -> ControlFlow<()> {
        if self.points.is_empty() {
            return ControlFlow::Continue(());
        }
        self.text_bytes = 0;
        (self.take)(Step::Points(std::mem::replace(&mut self.points, Vec::with_capacity(BATCH_POINTS))))
    }
}

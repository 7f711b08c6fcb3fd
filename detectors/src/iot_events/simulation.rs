//! Runs a detector model over lines of text in virtual time: what `andon simulate` does, without files.
//!
//! A line is `{"time":"2026-01-01T00:00:00Z","input":"Name","payload":{…}}`; one with only `time` moves the clock. Before a line's
//! message every timer goes off that is due by its time, each at its deadline. The clock never goes back: a message stamped earlier
//! than what came before counts as of now, which is said. So the same lines always give the same answer.

use super::{
    engine::{EventEngine, Message},
    evaluation::Evaluation,
};
use andon_models::{Timestamp, iot_events::DetectorModel};
use serde::Deserialize;
use serde_json::Value as Json;
use std::{ops::ControlFlow, sync::Arc};

/// Longest line. AWS takes messages of a kilobyte; exports of others may be longer.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// Timers that go off before it is asked whether anybody still reads.
const AT_ONCE: usize = 256;

/// One line of messages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub time: Timestamp,
    pub input: Option<String>,
    pub payload: Option<Json>,
    #[serde(rename = "messageId")]
    message_id: Option<Arc<str>>,
}

/// A detector model in virtual time.
#[derive(Debug)]
pub struct Simulation {
    engine: EventEngine,
}

/// What is to be said about a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// The line cannot be read; nothing of it was done.
    Wrong(String),
    /// The line was read, but its message reached no instance, or not at its time.
    Doubt(String),
}

impl Simulation {
    /// A simulation before the first message.
    pub fn new(model: &Arc<DetectorModel>, trace: bool) -> Self {
        let engine = EventEngine::new(model);
        Self { engine: if trace { engine.tracing() } else { engine } }
    }

    /// Takes one line, and hands over every evaluation it leads to. `Break` ends the simulation: nobody reads any more.
    pub fn line(
        &mut self,
        text: &str,
        out: &mut dyn FnMut(&Evaluation<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<(), Vec<Remark>> {
        if text.trim().is_empty() {
            return ControlFlow::Continue(Vec::new());
        }
        let line = match read(text) {
            Ok(line) => line,
            Err(mistake) => return ControlFlow::Continue(vec![Remark::Wrong(mistake)]),
        };
        let mut remarks = Vec::new();
        let now = self.engine.now();
        if line.time < now && now > Timestamp::MIN {
            remarks.push(Remark::Doubt(format!("the time {} lies before {now}; it counts as {now}", line.time)));
        }
        let mut flow = ControlFlow::Continue(());
        loop {
            let all = self
                .engine
                .time(line.time, AT_ONCE, &mut |evaluation| flow = if flow.is_break() { flow } else { out(&evaluation) });
            if flow.is_break() {
                return ControlFlow::Break(());
            }
            if all {
                break;
            }
        }
        if let Some(input) = &line.input {
            let payload = Arc::new(line.payload.unwrap_or(Json::Null));
            let message = Message { input, payload: &payload, id: line.message_id.as_ref(), retained: false };
            let told = self.engine.message(line.time, message, &mut |evaluation| flow = out(&evaluation));
            if let Err(refusal) = told {
                remarks.push(Remark::Doubt(refusal.to_string()));
            }
        }
        match flow {
            ControlFlow::Continue(()) => ControlFlow::Continue(remarks),
            ControlFlow::Break(()) => ControlFlow::Break(()),
        }
    }
}

/// Reads a line.
pub(crate) fn read(text: &str) -> Result<Line, String> {
    if text.len() > MAX_LINE_BYTES {
        return Err(format!("the line has {} bytes; at most {MAX_LINE_BYTES} are taken", text.len()));
    }
    let line: Line = serde_json::from_str(text).map_err(|error| {
        // The number of the line is the caller's to tell.
        let shown = error.to_string().replace(" at line 1 column ", ", column ");
        format!("{shown}; expected {{\"time\":\"2026-01-01T00:00:00Z\",\"input\":\"Name\",\"payload\":{{…}}}}")
    })?;
    match (&line.input, &line.payload) {
        (None, Some(_)) => Err("there is a payload, but no input".into()),
        _ => Ok(line),
    }
}

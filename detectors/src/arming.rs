//! The one switch for all writes to machines: off until somebody arms it, and off again by itself.
//!
//! It goes off when its time is over, when the definition of what may be written changes, when too many commands come in a
//! minute, and at the restart of a run that nobody armed in person.

use andon_models::{Timestamp, time::format_duration};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// A clock that went back by more than this makes the end of an arming meaningless.
pub(crate) const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// Whether machines may be written, since when, by whom and until when. Kept over a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arming {
    /// Whether anything may be written.
    pub armed: bool,
    /// Who armed or disarmed.
    pub by: Arc<str>,
    /// When.
    pub at: Timestamp,
    /// When an arming ends; none when somebody must end it.
    pub until: Option<Timestamp>,
    /// Whether a person did it, rather than an option of the first start.
    pub attended: bool,
    /// Why it is off, in words; empty while it is on.
    pub reason: Arc<str>,
    /// Names what may be written and who decides it, as it was then.
    pub controls: Arc<str>,
}

impl Arming {
    /// How a data folder begins.
    pub fn never() -> Self {
        Self {
            armed: false,
            by: "".into(),
            at: Timestamp::EPOCH,
            until: None,
            attended: false,
            reason: "nobody has armed them yet (`andon arm`)".into(),
            controls: "".into(),
        }
    }

    /// On.
    pub fn on(by: Arc<str>, at: Timestamp, span: Option<Duration>, attended: bool) -> Self {
        let until = span.map(|span| at + span);
        Self { armed: true, by, at, until, attended, reason: "".into(), controls: "".into() }
    }

    /// Off.
    pub fn off(by: Arc<str>, at: Timestamp, reason: Arc<str>) -> Self {
        Self { armed: false, by, at, until: None, attended: true, reason, controls: "".into() }
    }

    /// Why it must go off now, if it must.
    pub(crate) fn ended(&self, now: Timestamp) -> Option<Arc<str>> {
        let until = self.until.filter(|_| self.armed)?;
        if until <= now {
            let span = format_duration(until.since(self.at));
            return Some(format!("the {span} for which {} armed them are over", self.by).into());
        }
        (now + CLOCK_TOLERANCE < self.at)
            .then(|| "the clock went back, so nobody knows when their time is over; arm them again".into())
    }

    /// Why it must go off at a start with this definition of controls, if it must.
    pub(crate) fn refused_at_start(&self, controls: &str) -> Option<Arc<str>> {
        if !self.armed {
            return None;
        }
        // It was given for this very start.
        if self.controls.is_empty() {
            return None;
        }
        if *self.controls != *controls {
            return Some("the definition of what may be written has changed; look at it, then arm again".into());
        }
        (!self.attended)
            .then(|| "the first run was armed by its start and not by a person; after a restart somebody must arm".into())
    }

    /// Why nothing may be written, in words.
    pub(crate) fn forbids(&self) -> String {
        if self.reason.is_empty() { "writes are disarmed".into() } else { format!("writes are disarmed: {}", self.reason) }
    }
}

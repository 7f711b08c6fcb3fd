//! Dry runs: a detector or a control that does everything but send.

use super::Body;
use crate::policy::Desk;
use andon_models::{
    Timestamp,
    command::DryRun,
    definition::Control,
    event::{Deed, EventBody},
    operator::OperatorRefusal,
    snapshot::DryRunSnapshot,
    time::format_duration,
};
use std::sync::Arc;

impl Body {
    /// Why a write of this control would only be pretended; none if it would be sent.
    pub fn pretends(&self, control: &Control) -> Option<&'static str> {
        let released = || self.dry_run.as_ref().is_some_and(|dry| !dry.released_by.is_empty());
        match self.program.model.dry_run {
            _ if control.policy.dry_run => Some("dry run of the control: not sent"),
            DryRun::No => None,
            DryRun::AtLeast(_) if released() => None,
            DryRun::Always | DryRun::AtLeast(_) => Some("dry run of the detector: not sent"),
        }
    }

    /// Begins to count a dry run, if the model wants one.
    pub(super) fn begin_dry_run(&mut self, now: Timestamp) {
        let until = match self.program.model.dry_run {
            DryRun::No => {
                self.dry_run = None;
                return;
            }
            DryRun::Always => None,
            DryRun::AtLeast(span) => Some(now + span),
        };
        let begun = DryRunSnapshot { since: now, until, commands: 0, refused: 0, last: None, released_by: "".into() };
        self.dry_run.get_or_insert(begun);
        self.out.dirty = true;
    }

    /// Counts what would have been sent.
    pub(super) fn count_pretence(&mut self, now: Timestamp, pretended: bool, permitted: bool) {
        let Some(dry) = self.dry_run.as_mut().filter(|_| pretended) else { return };
        match permitted {
            true => (dry.commands, dry.last) = (dry.commands + 1, Some(now)),
            false => dry.refused += 1,
        }
    }

    /// Ends a dry run that has lasted long enough.
    ///
    /// # Errors
    /// Why it goes on.
    pub fn release(&mut self, desk: &Desk, by: &Arc<str>) -> Result<(), OperatorRefusal> {
        let refuse = |reason: String| Err(OperatorRefusal::NotNow(reason.into()));
        let Some(dry) = &mut self.dry_run else { return refuse("it is not on a dry run".into()) };
        let Some(until) = dry.until else {
            return refuse("it is on a dry run for good: change `dry_run` in the plant file".into());
        };
        if !dry.released_by.is_empty() {
            return refuse(format!("{} released it already", dry.released_by));
        }
        let report = format!(
            "{} since {}: it would have sent {} commands, and {} would have been refused",
            format_duration(desk.now.since(dry.since)),
            dry.since,
            dry.commands,
            dry.refused
        );
        if desk.now < until {
            return refuse(format!("it must run dry until {until}; so far {report}"));
        }
        dry.released_by = by.clone();
        let deed = Deed { by: by.clone(), verb: "release".into(), detail: format!("dry run of {report}").into(), hour: None };
        self.be_at(desk.now);
        self.record(EventBody::Deed(deed));
        Ok(())
    }
}

//! Whether a detector is at rest, and which samples leave it there: most samples change nothing.
//!
//! A detector is at rest when a sample like those it has would do nothing at all. Then there is a [`Band`] for each place: as long as
//! samples stay within it, no rule that they set off fires, no `for` starts, breaks or pauses, and the alarm is not suppressed or
//! shown, because no formula that decides this gives another result. Such a sample need not be taken through the rules; it has only to
//! be known. What is not provably so has the band [`Band::Never`], and its samples go the long way, which is always right.

use super::{Body, SILENCE, timers::HoldChange};
use crate::{
    policy::Desk,
    program::{Formula, Rule},
};
use andon_models::{
    Quality, Timestamp, Value,
    expression::{Band, SlotValue},
};

/// Until when samples are quiet, if they are within their bands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    /// The newest time of a quiet sample. A timer that goes off is no rest, and from [`SILENCE`] before it on samples put off when
    /// the caller's time should move it.
    pub until: Timestamp,
    /// Whether it waits for something in event time, so that it matters how far its devices' clocks are behind.
    pub waits: bool,
}

impl Body {
    /// The bands of its places while it is at rest; none if it is not.
    pub fn rest(&self, desk: &mut Desk, bands: &mut Vec<Band>) -> Option<Rest> {
        let due = self.first_due().into_iter().chain(self.alarm.due()).min();
        let moving =
            self.leaf.is_none() || !self.staged.is_empty() || !self.changed.is_empty() || self.alarm.is_left_suppressed();
        let ordered = !self.program.model.lateness.is_zero() || !self.waiting.is_empty();
        // What another detector sends while a batch is taken comes before the samples of that batch.
        if moving
            || ordered
            || self.program.receives
            || due.is_some_and(|due| due <= self.seen)
            || self.new_design(desk).is_some()
        {
            return None;
        }
        bands.clear();
        bands.extend(self.values.iter().map(band_to_begin_with));
        if let Some(formula) = &self.program.suppress_when {
            self.gather(formula, &mut desk.scratch);
            self.narrow(formula, &desk.scratch, bands);
        }
        for node in self.active() {
            for (position, rule) in node.rules.iter().enumerate().filter(|(_, rule)| !rule.listens.is_empty()) {
                self.narrow_by_rule(desk, node.id, position, rule, bands);
            }
        }
        Some(Rest { until: due.map_or(Timestamp::MAX, |due| due - SILENCE), waits: due.is_some() })
    }

    fn narrow_by_rule(&self, desk: &mut Desk, node: usize, position: usize, rule: &Rule, bands: &mut [Band]) {
        let rests = match &rule.when {
            _ if rule.hold.is_some() => self.hold_change(desk, node, position, rule) == HoldChange::None,
            _ if rule.is_set_off_by_time() || !self.after_passed(node, position, rule) => return,
            Some(formula) => !self.guard_holds(desk, formula),
            None => false,
        };
        match &rule.when {
            // Its slots were put together for the answer.
            Some(formula) if rests => self.narrow(formula, &desk.scratch, bands),
            _ => rule.listens.iter().flat_map(|line| self.places_of(*line)).for_each(|place| bands[place] = Band::Never),
        }
    }

    fn narrow(&self, formula: &Formula, slots: &[SlotValue], bands: &mut [Band]) {
        formula.expression.bands(slots, &mut |slot, band| {
            self.places_of(formula.lines[slot]).for_each(|place| bands[place] = bands[place].and(band));
        });
    }
}

/// Where there is no good value, the first one goes the long way.
fn band_to_begin_with(slot: &SlotValue) -> Band {
    if slot.quality == Quality::Good && slot.value != Value::Null { Band::Any } else { Band::Never }
}

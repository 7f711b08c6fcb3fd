//! The alarm of a detector: its condition with delays, its state, whom it told, and what is due.
//!
//! A condition reaches the machine ([`cycle`]) once its delay is over. Delays, repetition and escalation run in event time, like the
//! timers of states; only the end of a shelving is the caller's time, because a person named it.

mod cycle;
mod due;
#[cfg(test)]
mod tests;

pub(crate) use due::Due;

use andon_models::{
    Timestamp,
    alarm::{AlarmSettings, AlarmState, AlarmVerb, Priority},
    detector::DetectorModel,
    event::Explanation,
    snapshot::{AlarmSnapshot, PendingAlarm},
};
use cycle::{Cycle, Talk, Told};
use statig::prelude::*;
use std::{sync::Arc, time::Duration};

/// An alarm with its machine.
pub(crate) struct Alarm {
    machine: StateMachine<Cycle>,
    model: Arc<DetectorModel>,
    /// Everything but the state and what the model says; those fields are filled in for [`Alarm::snapshot`].
    kept: AlarmSnapshot,
}

/// What an operator's hand adds to a verb.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hand {
    pub by: Arc<str>,
    pub until: Option<Timestamp>,
}

/// From which state to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    pub from: AlarmState,
    pub to: AlarmState,
}

impl Moved {
    /// Whether the operator is called: a condition came, or is seen for the first time.
    pub fn annunciates(self) -> bool {
        let acknowledged = self.from.stands() && self.to == AlarmState::Acknowledged;
        self.to.stands() && self.from != self.to && !acknowledged
    }

    /// Whether whoever was called may go: it does not stand any more, or is hidden.
    pub fn resolves(self) -> bool {
        self.from.stands() && !self.to.stands()
    }
}

impl Alarm {
    /// An alarm as it begins.
    pub fn new(model: Arc<DetectorModel>) -> Self {
        let starts = if model.alarm.starts_out_of_service { AlarmState::OutOfService } else { AlarmState::Normal };
        let mut alarm = Self { machine: Cycle.state_machine(), model, kept: AlarmSnapshot::default() };
        alarm.stand(starts);
        alarm
    }

    /// An alarm as it stood; priority, response and settings are the model's, which may have been edited since.
    pub fn restore(snapshot: AlarmSnapshot, model: Arc<DetectorModel>) -> Self {
        let mut alarm = Self { machine: Cycle.state_machine(), model, kept: snapshot };
        alarm.kept.suppressed_by_design &= alarm.settings().suppress_when.is_some();
        alarm.stand(alarm.kept.state);
        alarm
    }

    fn stand(&mut self, state: AlarmState) {
        let told = self.tell(Told::Stand(state));
        debug_assert!(told.is_ok(), "standing is never refused: {told:?}");
    }

    /// What is stored and shown.
    pub fn snapshot(&self) -> AlarmSnapshot {
        AlarmSnapshot {
            state: self.state(),
            priority: self.priority(),
            response: self.model.response.clone(),
            ..self.kept.clone()
        }
    }

    fn settings(&self) -> &AlarmSettings {
        &self.model.alarm
    }

    /// Where it stands.
    pub fn state(&self) -> AlarmState {
        self.machine.state().named()
    }

    /// How urgent it is: as the model says, or as its escalation has made it.
    pub fn priority(&self) -> Priority {
        let taken = self.settings().escalate.iter().take(self.kept.escalated);
        taken.filter_map(|step| step.priority).next_back().unwrap_or(self.model.priority)
    }

    /// When a shelving ends.
    pub fn shelved_until(&self) -> Option<Timestamp> {
        self.kept.shelved_until
    }

    /// When it was raised last.
    pub fn since(&self) -> Option<Timestamp> {
        self.kept.since
    }

    /// Its message as of the last raise.
    pub fn message(&self) -> Arc<str> {
        self.kept.message.clone()
    }

    /// The condition came. It counts at once, or when it has stood for the delay; `explanation` is kept until then.
    pub fn condition_came(&mut self, now: Timestamp, message: Arc<str>, explanation: &Arc<Explanation>) -> Option<Moved> {
        let delay = self.settings().on_delay;
        match self.kept.pending.take() {
            // It was never gone for long enough to have gone.
            Some(pending) if !pending.raises => return None,
            Some(pending) => self.kept.pending = Some(pending),
            None if !self.kept.active && !delay.is_zero() => {
                let explanation = explanation.clone();
                self.kept.pending = Some(PendingAlarm { raises: true, since: now, due: now + delay, message, explanation });
            }
            None => return self.raise(now, message),
        }
        None
    }

    /// The condition went. It counts at once, or when it has been away for the delay.
    pub fn condition_went(&mut self, now: Timestamp, explanation: &Arc<Explanation>) -> Option<Moved> {
        let delay = self.settings().off_delay;
        match self.kept.pending.take() {
            Some(pending) if pending.raises => return None,
            Some(pending) => self.kept.pending = Some(pending),
            None if self.kept.active && !delay.is_zero() => {
                let (message, explanation) = (self.message(), explanation.clone());
                self.kept.pending = Some(PendingAlarm { raises: false, since: now, due: now + delay, message, explanation });
            }
            None => return self.clear(now),
        }
        None
    }

    /// Raises it without a delay. Says how it moved, if it did.
    pub fn raise(&mut self, now: Timestamp, message: Arc<str>) -> Option<Moved> {
        self.kept.pending = None;
        let moved = self.verb(now, AlarmVerb::Raise).ok().flatten();
        if moved.is_some() || (!self.kept.active && self.state().is_hidden()) {
            self.kept.since = Some(now);
            self.kept.message = message;
        }
        self.kept.active = true;
        moved
    }

    /// Clears it without a delay.
    pub fn clear(&mut self, now: Timestamp) -> Option<Moved> {
        self.kept.pending = None;
        self.kept.active = false;
        self.verb(now, AlarmVerb::Clear).ok().flatten()
    }

    /// The plant came to stand, or stands no more, so that it is suppressed by design.
    pub fn design(&mut self, now: Timestamp, suppressed: bool) -> Option<Moved> {
        self.kept.suppressed_by_design = suppressed;
        let verb = if suppressed { AlarmVerb::Suppress } else { AlarmVerb::Unsuppress };
        if !suppressed && self.state() != AlarmState::Suppressed {
            return None;
        }
        self.verb(now, verb).ok().flatten()
    }

    /// Whether the plant stands so that it is suppressed.
    pub fn is_suppressed_by_design(&self) -> bool {
        self.kept.suppressed_by_design
    }

    /// Whether it is suppressed though nothing suppresses it: the model lost its `suppress_when`.
    pub fn is_left_suppressed(&self) -> bool {
        self.state() == AlarmState::Suppressed && !self.is_suppressed()
    }

    fn is_suppressed(&self) -> bool {
        self.kept.suppressed_by_design || self.kept.suppressed_by_hand
    }

    /// What a person, or the end of a shelving, does. A verb that changes no state may still change what is kept or be worth a record.
    ///
    /// # Errors
    /// The reason why it cannot be done now.
    pub fn handle(&mut self, now: Timestamp, verb: AlarmVerb, hand: &Hand) -> Result<Option<Moved>, &'static str> {
        let by_hand = self.kept.suppressed_by_hand;
        match verb {
            AlarmVerb::Suppress if by_hand => return Err("the alarm is suppressed by hand already"),
            AlarmVerb::Unsuppress if self.kept.suppressed_by_design && !by_hand => {
                return Err("the alarm is suppressed by design, as long as the plant stands so");
            }
            AlarmVerb::Unsuppress if !by_hand => return Err("the alarm is not suppressed"),
            AlarmVerb::Suppress => self.kept.suppressed_by_hand = true,
            AlarmVerb::Unsuppress => self.kept.suppressed_by_hand = false,
            _ => {}
        }
        let moved = self.verb(now, verb).inspect_err(|_| self.kept.suppressed_by_hand = by_hand)?;
        match verb {
            AlarmVerb::Acknowledge => {
                self.kept.acknowledged_by = hand.by.clone();
                self.kept.acknowledged_at = Some(now);
            }
            AlarmVerb::Shelve => self.kept.shelved_until = hand.until,
            _ => {}
        }
        // Shelving a shelved alarm changes its end though not its state, and a comment is for the record: those count too.
        let here = self.state();
        let counts = matches!(verb, AlarmVerb::Shelve | AlarmVerb::Comment | AlarmVerb::Suppress | AlarmVerb::Unsuppress);
        Ok(moved.or_else(|| counts.then_some(Moved { from: here, to: here })))
    }

    /// Puts what it knows in event time back: delays, repetitions and escalation keep what was left of them.
    pub fn go_back(&mut self, by: Duration) {
        let kept = &mut self.kept;
        for time in [&mut kept.since, &mut kept.annunciated, &mut kept.acknowledged_at].into_iter().flatten() {
            *time = *time - by;
        }
        if let Some(pending) = &mut kept.pending {
            (pending.since, pending.due) = (pending.since - by, pending.due - by);
        }
    }

    /// Puts the end of a shelving back with the caller's time, and never further than `most` from now.
    pub fn shelving_goes_back(&mut self, by: Duration, now: Timestamp, most: Duration) {
        if let Some(until) = &mut self.kept.shelved_until {
            *until = (*until - by).min(now + most);
        }
    }

    /// Remembers whom it told, once each.
    pub fn told(&mut self, target: &Arc<str>) {
        if !self.kept.told.contains(target) {
            self.kept.told.push(target.clone());
        }
    }

    /// Whom it told.
    pub fn whom_it_told(&self) -> &[Arc<str>] {
        &self.kept.told
    }

    /// Forgets whom it told.
    pub fn forget_told(&mut self) {
        self.kept.told.clear();
    }

    fn verb(&mut self, now: Timestamp, verb: AlarmVerb) -> Result<Option<Moved>, &'static str> {
        let moved = self.tell(Told::Verb(verb))?;
        if let Some(moved) = moved {
            self.arrived(now, moved);
        }
        Ok(moved)
    }

    /// What goes with a state: everything that belonged to the one before is forgotten.
    fn arrived(&mut self, now: Timestamp, moved: Moved) {
        self.kept.repeated = 0;
        if moved.from == AlarmState::Shelved {
            self.kept.shelved_until = None;
        }
        if moved.annunciates() {
            self.kept.latched = self.settings().latch;
            self.kept.annunciated = Some(now);
            self.kept.escalated = 0;
        }
        if moved.annunciates() || moved.from.is_hidden() {
            self.kept.acknowledged_by = "".into();
            self.kept.acknowledged_at = None;
        }
        if moved.to == AlarmState::Normal {
            self.kept.latched = false;
            self.kept.escalated = 0;
        }
    }

    fn tell(&mut self, told: Told) -> Result<Option<Moved>, &'static str> {
        let from = self.state();
        let mut talk = Talk {
            active: self.kept.active,
            latched: self.kept.latched,
            suppressed: self.is_suppressed(),
            by_design: self.kept.suppressed_by_design,
            acknowledge: self.settings().acknowledge,
            life_cycle: self.settings().life_cycle,
            refused: None,
        };
        self.machine.handle_with_context(&told, &mut talk);
        let to = self.state();
        match talk.refused {
            Some(reason) => Err(reason),
            None => Ok((from != to).then_some(Moved { from, to })),
        }
    }
}

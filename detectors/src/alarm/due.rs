//! What an alarm does when its time comes: the end of a delay, an annunciation repeated, a step of its escalation.

use super::{Alarm, Moved};
use andon_models::{
    Timestamp,
    alarm::{AlarmState, AlarmVerb, EscalationStep},
    event::{ExplainedTimer, Explanation},
    time::format_duration,
};
use std::{sync::Arc, time::Duration};

/// Something that was due, and happened.
#[derive(Debug, PartialEq)]
pub(crate) enum Due {
    /// The condition has stood, or been away, for its delay.
    Delayed(AlarmVerb, Option<Moved>, Explanation),
    /// It is annunciated again.
    Again(Moved, Explanation),
    /// The next step of its escalation.
    Escalated(EscalationStep, Explanation),
}

/// What is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Delay,
    Escalation,
    Again,
}

impl Alarm {
    /// When the next thing is due, in event time.
    pub fn due(&self) -> Option<Timestamp> {
        self.next(Timestamp::MIN).map(|(due, _)| due)
    }

    /// What comes first, and when. Repetitions that were missed until `limit`, while nothing ran, are the last of them.
    fn next(&self, limit: Timestamp) -> Option<(Timestamp, Kind)> {
        let delay = self.kept.pending.as_ref().map(|pending| (pending.due, Kind::Delay));
        let escalation = self.next_step().map(|(due, _)| (due, Kind::Escalation));
        let again = self.repeats().map(|(from, span)| {
            let due = from + span;
            (due + beats(span, missed(due, span, limit)), Kind::Again)
        });
        delay.into_iter().chain(escalation).chain(again).min()
    }

    fn next_step(&self) -> Option<(Timestamp, &EscalationStep)> {
        let step = self.settings().escalate.get(self.kept.escalated)?;
        (self.state() == AlarmState::Unacknowledged).then_some((self.kept.annunciated? + step.after, step))
    }

    /// From when and after how long it is annunciated again.
    fn repeats(&self) -> Option<(Timestamp, Duration)> {
        let (base, span) = match self.state() {
            AlarmState::Unacknowledged => (self.kept.annunciated, self.settings().re_alarm),
            AlarmState::Acknowledged if self.kept.active => {
                (self.kept.acknowledged_at.or(self.kept.annunciated), self.settings().re_alarm_standing)
            }
            _ => return None,
        };
        // Repetitions are counted, so that escalation can go on counting from the annunciation.
        let span = span.filter(|span| !span.is_zero())?;
        Some((base? + beats(span, self.kept.repeated), span))
    }

    /// Does what is due next, by `limit` at the latest.
    pub fn go_off(&mut self, limit: Timestamp) -> Option<(Timestamp, Due)> {
        let (due, kind) = self.next(limit).filter(|(due, _)| *due <= limit)?;
        match kind {
            Kind::Delay => self.delay_over(due).map(|done| (due, done)),
            Kind::Escalation => {
                let from = self.kept.annunciated?;
                let step = self.next_step()?.1.clone();
                self.kept.escalated += 1;
                let why = timer(format!("escalation after {}", format_duration(step.after)), from, due);
                Some((due, Due::Escalated(step, why)))
            }
            Kind::Again => {
                let (from, span) = self.repeats()?;
                let passed = missed(from, span, due);
                self.kept.repeated = self.kept.repeated.saturating_add(passed);
                let here = self.state();
                let moved = self.verb(due, AlarmVerb::ReAlarm).ok().flatten();
                let why = timer(format!("re-alarm after {}", format_duration(span)), from, due);
                Some((due, Due::Again(moved.unwrap_or(Moved { from: here, to: here }), why)))
            }
        }
    }

    fn delay_over(&mut self, now: Timestamp) -> Option<Due> {
        let pending = self.kept.pending.take()?;
        let (verb, name) = if pending.raises { (AlarmVerb::Raise, "on delay") } else { (AlarmVerb::Clear, "off delay") };
        let moved = if pending.raises { self.raise(now, pending.message) } else { self.clear(now) };
        let span = format_duration(pending.due.since(pending.since));
        let ran = ExplainedTimer { name: format!("{name} {span}").into(), started: pending.since, due: pending.due };
        let why = Explanation { timer: Some(ran), ..Arc::unwrap_or_clone(pending.explanation) };
        Some(Due::Delayed(verb, moved, why))
    }
}

/// How many whole spans lie between two instants.
fn missed(from: Timestamp, span: Duration, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_nanos() / span.as_nanos()).unwrap_or(u64::MAX)
}

/// So many times a span; saturates.
fn beats(span: Duration, count: u64) -> Duration {
    let nanos = span.as_nanos().saturating_mul(u128::from(count));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn timer(name: String, started: Timestamp, due: Timestamp) -> Explanation {
    let trigger = format!("timer {name}").into();
    Explanation { trigger, timer: Some(ExplainedTimer { name: name.into(), started, due }), ..Explanation::default() }
}

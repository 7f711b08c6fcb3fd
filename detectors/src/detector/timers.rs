//! The timers of a detector: `after`, `for` and `every`, in event time.

use super::{Body, Dispatch, shift};
use crate::{
    explanation::Truth,
    policy::Desk,
    program::{Formula, Node, Rule, TimerKind},
};
use andon_models::{Timestamp, detector::OnBad, event::ExplainedTimer};
use std::{sync::Arc, time::Duration};

/// A running or finished timer of one rule in an active state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timer {
    pub node: usize,
    pub rule: usize,
    pub kind: TimerKind,
    pub started: Timestamp,
    pub due: Timestamp,
    pub paused: Option<Timestamp>,
    pub fired: bool,
}

/// What has to become of a `for`, with the position of its timer if it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoldChange {
    None,
    Start(Duration),
    Break(usize),
    Pause(usize),
    Resume(usize),
}

impl Timer {
    /// When it goes off; none while it stands still or after it did.
    pub fn pending(&self) -> Option<Timestamp> {
        (!self.fired && self.paused.is_none()).then_some(self.due)
    }
}

impl Body {
    /// The next timer to go off at or before an instant: by deadline, then by name.
    pub fn next_timer(&self, limit: Timestamp) -> Option<(Timestamp, Dispatch)> {
        let due =
            self.timers.iter().filter_map(|timer| Some((pending(timer, &self.timers).filter(|due| *due <= limit)?, timer)));
        let first = due.min_by(|(due, timer), (other_due, other)| {
            due.cmp(other_due).then_with(|| self.timer_name(timer).cmp(self.timer_name(other)))
        });
        first.map(|(due, timer)| (due, Dispatch::Due { node: timer.node, rule: timer.rule, kind: timer.kind }))
    }

    /// When the first timer goes off.
    pub fn first_due(&self) -> Option<Timestamp> {
        self.timers.iter().filter_map(|timer| pending(timer, &self.timers)).min()
    }

    /// The name of a timer as pages show it.
    pub fn timer_name(&self, timer: &Timer) -> &Arc<str> {
        &self.program.nodes[timer.node].rules[timer.rule].timer_words(timer.kind).name
    }

    /// Starts the timers of a state that was just entered.
    pub fn start_timers(&mut self, desk: &mut Desk, node: &Node) {
        for (position, rule) in node.rules.iter().enumerate() {
            if let Some(span) = rule.stay() {
                self.start_timer(node.id, position, TimerKind::Stay, span);
            }
            if rule.hold.is_some() && !rule.limited {
                self.update_hold(desk, node.id, position, rule);
            }
        }
    }

    fn start_timer(&mut self, node: usize, rule: usize, kind: TimerKind, span: Duration) {
        let started = self.instant;
        // In one fixed order, so that a restored detector is the same to the last byte.
        let position = self.timers.partition_point(|timer| (timer.node, timer.rule, timer.kind) < (node, rule, kind));
        self.timers.insert(position, Timer { node, rule, kind, started, due: started + span, paused: None, fired: false });
        self.out.dirty = true;
    }

    /// Starts, breaks, pauses or resumes a `for`.
    pub fn update_hold(&mut self, desk: &mut Desk, node: usize, position: usize, rule: &Rule) {
        match self.hold_change(desk, node, position, rule) {
            HoldChange::None => return,
            HoldChange::Start(span) => self.start_timer(node, position, TimerKind::Hold, span),
            HoldChange::Break(running) => drop(self.timers.remove(running)),
            HoldChange::Pause(running) => self.timers[running].paused = Some(self.instant),
            HoldChange::Resume(running) => {
                let timer = &mut self.timers[running];
                timer.due = timer.due + timer.paused.take().map_or(Duration::ZERO, |paused| self.instant.since(paused));
            }
        }
        self.out.dirty = true;
    }

    /// What has to become of a `for`, as its guard stands now; the slots of the guard are left in the desk's scratch.
    pub fn hold_change(&self, desk: &mut Desk, node: usize, position: usize, rule: &Rule) -> HoldChange {
        let Some(span) = rule.hold else { return HoldChange::None };
        let truth = self.hold_truth(desk, rule);
        let Some(running) = self.timer_at(node, position, TimerKind::Hold) else {
            return if truth == Truth::Holds { HoldChange::Start(span) } else { HoldChange::None };
        };
        let timer = &self.timers[running];
        match (truth, rule.on_bad) {
            (Truth::Holds, _) if timer.paused.is_some() => HoldChange::Resume(running),
            (Truth::Fails, _) | (Truth::Unknown, OnBad::Reset) => HoldChange::Break(running),
            (Truth::Unknown, OnBad::Pause) if timer.paused.is_none() && !timer.fired => HoldChange::Pause(running),
            (Truth::Holds | Truth::Unknown, _) => HoldChange::None,
        }
    }

    /// Takes up again what every `for` watches, after a time in which nobody watched: since `until` by the caller's time, or since what
    /// was seen last where that is not known. Nobody knows whether its guard held all the while, so the time does not count: what had run
    /// stays, and the rest runs from when its inputs are known to hold it (`pause`), or it starts over then (`reset`). What was due while
    /// somebody watched still goes off, and with `ignore` the last good values count, as ever. `after` and `every` say nothing about inputs.
    pub fn watch_again(&mut self, desk: &mut Desk, until: Option<Timestamp>) {
        let until = until.map_or(self.seen, |until| shift(until, -self.behind).max(self.seen));
        let again = self.event_now(desk.now);
        if again <= until {
            return;
        }
        let program = self.program.clone();
        let mut timers = std::mem::take(&mut self.timers);
        let unwatched: Vec<bool> = timers.iter().map(|timer| self.was_unwatched(desk, timer, until, &timers)).collect();
        let mut unwatched = unwatched.into_iter();
        timers.retain_mut(|timer| {
            if !unwatched.next().unwrap_or_default() {
                return true;
            }
            self.out.dirty = true;
            let rule = &program.nodes[timer.node].rules[timer.rule];
            match (self.hold_truth(desk, rule), rule.on_bad, rule.hold) {
                (Truth::Holds, OnBad::Reset, Some(span)) => (timer.started, timer.due) = (again, again + span),
                (Truth::Holds, ..) => timer.due = timer.due + again.since(until),
                (Truth::Unknown, OnBad::Pause, _) => timer.paused = Some(until),
                (Truth::Unknown | Truth::Fails, ..) => return false,
            }
            true
        });
        self.timers = timers;
    }

    /// Whether a timer is a running `for` over inputs that was not over when the watch ended.
    fn was_unwatched(&self, desk: &Desk, timer: &Timer, until: Timestamp, timers: &[Timer]) -> bool {
        let rule = &self.program.nodes[timer.node].rules[timer.rule];
        let of_plant = |place: usize| self.series[place].is_some_and(|series| desk.catalog.attribute(series).is_none());
        let reads = |formula: &Formula| formula.lines.iter().any(|line| self.places_of(*line).any(of_plant));
        timer.kind == TimerKind::Hold
            && rule.on_bad != OnBad::Ignore
            && pending(timer, timers).is_some_and(|due| due > until)
            && rule.when.as_ref().is_some_and(reads)
    }

    fn timer_at(&self, node: usize, rule: usize, kind: TimerKind) -> Option<usize> {
        self.timers.iter().position(|timer| (timer.node, timer.rule, timer.kind) == (node, rule, kind))
    }

    fn hold_truth(&self, desk: &mut Desk, rule: &Rule) -> Truth {
        let Some(formula) = &rule.when else { return Truth::Holds };
        self.gather(formula, &mut desk.scratch);
        if rule.on_bad != OnBad::Ignore {
            return Truth::of(&self.evaluate(formula, &desk.scratch));
        }
        for (slot, line) in desk.scratch.iter_mut().zip(&formula.lines) {
            if let Some(good) = self.last_good(*line) {
                *slot = good;
            }
        }
        Truth::of(&formula.expression.evaluate_children(&desk.scratch, &|slot| self.children(formula, slot, true)))
    }

    /// Notes that a timer went off: `every` starts over, the others are done. Says what ran; none if the timer is gone.
    pub fn went_off(&mut self, node: usize, rule: usize, kind: TimerKind) -> Option<ExplainedTimer> {
        let every = self.program.nodes[node].rules[rule].every.filter(|every| !every.is_zero());
        let position = self.timer_at(node, rule, kind)?;
        let due = pending(&self.timers[position], &self.timers)?;
        let name = self.timer_name(&self.timers[position]).clone();
        let timer = &mut self.timers[position];
        let explained = ExplainedTimer { name, started: timer.started, due };
        match every {
            Some(every) => {
                timer.started = timer.due;
                timer.due = timer.due + every;
            }
            None => timer.fired = true,
        }
        self.out.dirty = true;
        Some(explained)
    }

    /// Whether the `after` of a rule has passed; true for rules without one.
    pub fn after_passed(&self, node: usize, position: usize, rule: &Rule) -> bool {
        let stay = || self.timer_at(node, position, TimerKind::Stay);
        rule.after.is_none() || stay().is_some_and(|stay| self.timers[stay].fired)
    }

    /// Lets `every` timers that are overdue skip to their next beat after an instant.
    pub fn skip_beats(&mut self, limit: Timestamp) {
        for timer in &mut self.timers {
            let Some(every) = self.program.nodes[timer.node].rules[timer.rule].every.filter(|every| !every.is_zero()) else {
                continue;
            };
            let behind = limit.since(timer.due).as_nanos();
            if timer.pending().is_some_and(|due| due <= limit) {
                let beats = u64::try_from(behind / every.as_nanos() + 1).unwrap_or(u64::MAX);
                let skip = every.as_nanos().saturating_mul(u128::from(beats));
                timer.due = timer.due + Duration::from_nanos(u64::try_from(skip).unwrap_or(u64::MAX));
                timer.started = timer.due - every;
            }
        }
    }
}

/// When a timer goes off: a `for` not before the `after` of its rule is over as well.
fn pending(timer: &Timer, timers: &[Timer]) -> Option<Timestamp> {
    let due = timer.pending()?;
    let stay = |other: &&Timer| (other.node, other.rule, other.kind) == (timer.node, timer.rule, TimerKind::Stay);
    match timer.kind {
        TimerKind::Hold => Some(timers.iter().find(stay).map_or(due, |stay| due.max(stay.due))),
        TimerKind::Stay => Some(due),
    }
}

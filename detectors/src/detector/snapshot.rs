//! What a detector keeps over a restart, by names, and how it comes back without repeating an action.

use super::{Body, Detector, Dispatch, Timer};
use crate::{alarm::Alarm, command::CommandLife, policy::Desk};
use andon_models::{
    Point, Quality, SeriesId, StatusCode, Timestamp, Tqv, Value,
    catalog::Catalog,
    expression::{Reference, SlotValue},
    snapshot::{DetectorSnapshot, TimerSnapshot},
};
use std::collections::HashSet;

impl Body {
    /// Everything that must survive a restart.
    pub fn snapshot(&self) -> DetectorSnapshot {
        let path = |id: usize| self.program.nodes[id].path.clone();
        let ordered = !self.program.model.lateness.is_zero();
        let variables = self.program.table.iter().zip(&self.values).filter_map(|(line, slot)| match &line.reference {
            Reference::Variable(name) => Some((name.clone(), slot.value.clone())),
            _ => None,
        });
        DetectorSnapshot {
            asset: self.asset,
            asset_path: self.path.clone(),
            detector: self.program.model.name.clone(),
            state: self.state_path(),
            since: self.since,
            history: self.history.iter().map(|(group, leaf)| (path(*group), path(*leaf))).collect(),
            variables: variables.collect(),
            timers: self.timers.iter().map(|timer| self.timer_snapshot(timer)).collect(),
            alarm: self.alarm.snapshot(),
            commands: self.commands.iter().map(CommandLife::snapshot).collect(),
            commands_decided: self.commands_decided,
            events_recorded: self.events_recorded,
            last_transition: self.last_transition.clone(),
            failures: self.failures,
            last_failure: self.last_failure.clone(),
            seen: self.seen,
            behind: self.behind,
            definition: self.program.definition.clone(),
            dry_run: self.dry_run.clone(),
            good: self.points(|place| self.last_good(place)),
            inputs: if ordered { self.points(|place| Some(self.values[place].clone())) } else { Vec::new() },
            waiting: self
                .waiting
                .iter()
                .filter_map(|(time, place, tqv)| self.point(*place, Tqv { time: *time, ..tqv.clone() }))
                .collect(),
        }
    }

    fn points(&self, value: impl Fn(usize) -> Option<SlotValue>) -> Vec<Point> {
        let point = |place: usize| {
            let SlotValue { value, quality, time } = value(place)?;
            // Detectors go by quality; the code behind it is in the history.
            let status = if quality == Quality::Good { StatusCode::GOOD } else { StatusCode::NO_DATA };
            self.point(place, Tqv { time: time?, value, quality, status })
        };
        (0..self.series.len()).filter_map(point).collect()
    }

    fn point(&self, place: usize, tqv: Tqv) -> Option<Point> {
        Some(Point { series: self.series[place]?, tqv })
    }

    fn timer_snapshot(&self, timer: &Timer) -> TimerSnapshot {
        TimerSnapshot {
            state: self.program.nodes[timer.node].path.clone(),
            rule: timer.rule,
            text: self.program.nodes[timer.node].rules[timer.rule].text.clone(),
            name: self.timer_name(timer).clone(),
            started: timer.started,
            due: timer.due,
            paused: timer.paused,
            fired: timer.fired,
        }
    }

    /// Takes the newest values from before the restart. Attributes stay what the plant file says.
    pub fn seed(&mut self, catalog: &Catalog, latest: &dyn Fn(SeriesId) -> Option<Tqv>) {
        for line in 0..self.series.len() {
            let Some(series) = self.series[line] else { continue };
            if catalog.attribute(series).is_some() {
                continue;
            }
            if let Some(tqv) = latest(series) {
                self.newest = self.newest.max(tqv.time);
                self.seen = self.seen.max(tqv.time);
                self.learn(line, SlotValue::from(&tqv));
            }
        }
    }

    /// Takes the values of these series for no longer known. Says whether it knew any.
    pub fn doubt(&mut self, told: &HashSet<SeriesId>) -> bool {
        let mut knew = false;
        for place in 0..self.series.len() {
            let SlotValue { time, quality, .. } = self.values[place];
            if self.series[place].is_some_and(|series| told.contains(&series)) && time.is_some() && quality != Quality::Bad {
                self.learn(place, SlotValue { value: Value::Null, quality: Quality::Bad, time });
                knew = true;
            }
        }
        knew
    }

    /// Values that the newest stored ones do not tell.
    fn restore_values(&mut self, catalog: &Catalog, snapshot: &DetectorSnapshot) {
        let place_of = |series: SeriesId, known: &[Option<SeriesId>]| known.iter().position(|place| *place == Some(series));
        let kept = !snapshot.inputs.is_empty() || !snapshot.waiting.is_empty();
        if kept && !self.program.model.lateness.is_zero() {
            for place in 0..self.series.len() {
                if self.series[place].is_some_and(|series| catalog.attribute(series).is_none()) {
                    self.values[place] = SlotValue::missing();
                    if let Some(good) = self.good.get_mut(place) {
                        *good = SlotValue::missing();
                    }
                }
            }
            (self.newest, self.seen) = (Timestamp::MIN, snapshot.seen);
            for Point { series, tqv } in &snapshot.inputs {
                let Some(place) = place_of(*series, &self.series) else { continue };
                self.newest = self.newest.max(tqv.time);
                self.learn(place, SlotValue::from(tqv));
            }
            let waiting = snapshot.waiting.iter();
            let places = waiting.filter_map(|point| Some((place_of(point.series, &self.series)?, &point.tqv)));
            self.waiting = places.map(|(place, tqv)| (tqv.time, place, tqv.clone())).collect();
            self.newest = self.waiting.last().map_or(self.newest, |(time, ..)| self.newest.max(*time));
        }
        for Point { series, tqv } in &snapshot.good {
            if let Some(good) = place_of(*series, &self.series).and_then(|place| self.good.get_mut(place)) {
                *good = SlotValue::from(tqv);
            }
        }
    }

    fn restore(&mut self, catalog: &Catalog, snapshot: DetectorSnapshot) -> Option<usize> {
        let leaf = self.take_over(&snapshot);
        // Before `seen` is taken over: with `lateness` the newest stored values say nothing about it.
        self.restore_values(catalog, &snapshot);
        self.alarm = Alarm::restore(snapshot.alarm, self.program.model.clone());
        self.commands = snapshot.commands.into_iter().map(CommandLife::restore).collect();
        self.commands_decided = snapshot.commands_decided;
        self.take_over_dry_run(snapshot.dry_run, &snapshot.definition);
        self.events_recorded = snapshot.events_recorded;
        self.last_transition = snapshot.last_transition;
        self.failures = snapshot.failures;
        self.last_failure = snapshot.last_failure;
        self.stored_seen = snapshot.seen;
        self.seen = self.seen.max(snapshot.seen);
        self.behind = snapshot.behind;
        self.since = snapshot.since;
        self.instant = self.seen;
        self.refresh_flags();
        leaf
    }
}

impl Detector {
    /// Puts it back to where it stood, without repeating an action. A state that is gone from the model leaves it unstarted.
    pub fn restore(&mut self, desk: &mut Desk, snapshot: DetectorSnapshot) {
        for life in &snapshot.commands {
            let model = desk.catalog.plant.model_of(self.body.index);
            let control = model.control(&life.command.control).cloned();
            if let Some(control) = control.filter(|_| life.state != andon_models::command::CommandState::Refused) {
                desk.count(self.body.asset, &control, life.command.decided_at);
            }
        }
        let edited = !snapshot.definition.is_empty() && snapshot.definition != self.body.program.definition;
        let Some(leaf) = self.body.restore(&desk.catalog, snapshot) else { return };
        if edited {
            self.body.start_new_holds(desk);
        }
        self.body.restoring = true;
        self.handle(desk, Dispatch::Enter(leaf));
        self.body.restoring = false;
    }
}

//! What a detector knows: where it stands, the values its formulas see, its timers, alarm and commands.

use super::{MOST_AHEAD, Timer, Trigger, lag, shift};
use crate::{
    action::Action,
    alarm::Alarm,
    command::CommandLife,
    explanation::Truth,
    origin::{Origin, Origins},
    policy::Desk,
    program::{Formula, Line, Node, Program, Rule},
};
use andon_models::{
    AssetId, Quality, SeriesId, Timestamp, Tqv, Value,
    alarm::LONGEST_SHELVING,
    catalog::Catalog,
    definition::AssetIndex,
    event::{Event, EventBody, Explanation, Transition},
    expression::{Reference, SlotValue},
    snapshot::{DryRunSnapshot, LastTransition},
};
use std::{ops::Range, sync::Arc, time::Duration};

/// Everything a detector knows.
pub(crate) struct Body {
    pub program: Arc<Program>,
    pub asset: AssetId,
    pub index: AssetIndex,
    pub path: Arc<str>,
    /// The series behind each place: those of the table's lines, then those of the children that lines read.
    pub series: Vec<Option<SeriesId>>,
    /// What people are told of each place.
    pub origins: Vec<Arc<Origin>>,
    /// The lines that read children, with the places of those.
    pub families: Vec<(usize, Range<usize>)>,
    /// Places with a sample of this instant.
    pub fresh: Vec<usize>,
    /// What formulas see, by place.
    pub values: Vec<SlotValue>,
    /// The last good values, where some rule counts on them.
    pub(super) good: Vec<SlotValue>,
    pub(super) leaf: Option<usize>,
    pub(super) since: Timestamp,
    pub seen: Timestamp,
    /// What it had seen by its snapshot, without the samples it was seeded with.
    pub(super) stored_seen: Timestamp,
    /// Time of the newest sample.
    pub newest: Timestamp,
    /// How far its devices' clocks lag, in nanoseconds.
    pub(super) behind: i64,
    /// Groups with their last leaf.
    pub(super) history: Vec<(usize, usize)>,
    pub(super) timers: Vec<Timer>,
    pub(super) alarm: Alarm,
    pub commands: Vec<CommandLife>,
    pub(super) commands_decided: u64,
    /// What it pretends, while it does.
    pub(super) dry_run: Option<DryRunSnapshot>,
    pub(super) events_recorded: u64,
    pub(super) failures: u64,
    pub(super) last_failure: Arc<str>,
    pub(super) last_transition: Option<LastTransition>,
    /// Samples that wait to be put in order.
    pub(super) waiting: Vec<(Timestamp, usize, Tqv)>,
    /// The event time of what happens now.
    pub instant: Timestamp,
    /// Entering without doing what entering does.
    pub(super) restoring: bool,
    /// Where it stood before its model was edited so that the state is gone.
    pub(super) lost_state: Arc<str>,
    /// What else an edited model did not keep, to be told at the start.
    pub(super) notes: Vec<String>,
    /// Assignments that become visible after this step.
    pub(super) staged: Vec<(usize, Value)>,
    /// Variables that changed in this step.
    pub(super) changed: Vec<usize>,
    pub(super) moving: Option<Move>,
    pub(super) rule_actions: Option<(Arc<Node>, usize)>,
    pub(super) reenter: Option<usize>,
    pub out: Outbox,
}

/// What a step asks for.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub records: Vec<Event>,
    pub deferred: Vec<Action>,
    pub sends: Vec<Arc<str>>,
    /// Whether anything changed that must survive a restart.
    pub dirty: bool,
}

/// A move under way.
#[derive(Debug)]
pub(super) struct Move {
    from: Arc<str>,
    /// Why, without the actions.
    pub(super) explanation: Arc<Explanation>,
    /// The actions that ran so far, as written.
    pub(super) actions: Vec<Arc<str>>,
    /// Where its record belongs among the records.
    mark: usize,
}

impl Body {
    pub(super) fn new(program: Arc<Program>, catalog: &Catalog, index: AssetIndex, origins: &mut Origins) -> Self {
        let asset = &catalog.plant.assets[index.0];
        let Places { series, families, lines } = Places::of(&program, catalog, index);
        let read = || lines.iter().zip(&series);
        let values: Vec<_> = read().map(|(line, series)| first_value(&program, catalog, &line.reference, *series)).collect();
        let origins = read().map(|(line, series)| origins.of(catalog, line, *series)).collect();
        let good = if program.remembers_good { values.clone() } else { Vec::new() };
        Self {
            asset: asset.id,
            index,
            path: asset.path.clone(),
            series,
            origins,
            families,
            fresh: Vec::new(),
            values,
            good,
            leaf: None,
            since: Timestamp::MIN,
            seen: Timestamp::MIN,
            stored_seen: Timestamp::MIN,
            newest: Timestamp::MIN,
            behind: 0,
            history: Vec::new(),
            timers: Vec::new(),
            alarm: Alarm::new(program.model.clone()),
            commands: Vec::new(),
            commands_decided: 0,
            dry_run: None,
            events_recorded: 0,
            failures: 0,
            last_failure: "".into(),
            last_transition: None,
            waiting: Vec::new(),
            instant: Timestamp::MIN,
            restoring: false,
            lost_state: "".into(),
            notes: Vec::new(),
            staged: Vec::new(),
            changed: Vec::new(),
            moving: None,
            rule_actions: None,
            reenter: None,
            out: Outbox::default(),
            program,
        }
    }

    /// Whether there is something to tell about an edited definition.
    pub fn has_notes(&self) -> bool {
        !self.notes.is_empty()
    }

    /// Puts the values of a formula's slots into `scratch`.
    pub fn gather<'a>(&self, formula: &Formula, scratch: &'a mut Vec<SlotValue>) -> &'a [SlotValue] {
        scratch.clear();
        scratch.extend(formula.lines.iter().map(|line| self.values[*line].clone()));
        scratch
    }

    /// What a formula gives, with the slots that [`Self::gather`] put together.
    pub fn evaluate(&self, formula: &Formula, slots: &[SlotValue]) -> SlotValue {
        match formula.reads_children {
            true => formula.expression.evaluate_children(slots, &|slot| self.children(formula, slot, false)),
            false => formula.expression.evaluate(slots),
        }
    }

    /// The values of the children that a slot reads; where one is not good, perhaps its last good one.
    pub fn children(&self, formula: &Formula, slot: usize, last_good: bool) -> Vec<SlotValue> {
        let value = |place| match self.last_good(place) {
            Some(good) if last_good => good,
            _ => self.values[place].clone(),
        };
        self.places_of(formula.lines[slot]).map(value).collect()
    }

    /// The places of a line: its own, or those of the children it reads.
    pub fn places_of(&self, line: usize) -> Range<usize> {
        let family = self.families.iter().find(|(known, _)| *known == line);
        family.map_or(line..line + 1, |(_, places)| places.clone())
    }

    /// The table line of a place.
    pub(super) fn line_of(&self, place: usize) -> usize {
        let family = self.families.iter().find(|(_, places)| places.contains(&place));
        family.map_or(place, |(line, _)| *line)
    }

    /// Whether a rule listens to a trigger.
    pub(super) fn hears(&self, rule: &Rule, trigger: &Trigger) -> bool {
        match trigger {
            Trigger::Samples => self.fresh.iter().any(|place| rule.listens.contains(&self.line_of(*place))),
            Trigger::Changed(lines) => lines.iter().any(|line| rule.listens.contains(line)),
            Trigger::Message(name) => rule.message.as_ref() == Some(name),
        }
    }

    /// The lines among which a rule without a guard decides now.
    pub fn surroundings(&self) -> &[usize] {
        self.leaf.map_or(&[], |leaf| &self.program.surroundings[leaf])
    }

    /// The active leaf and the groups around it, from the inside out.
    pub fn active(&self) -> impl Iterator<Item = &Arc<Node>> {
        std::iter::successors(self.leaf.map(|leaf| &self.program.nodes[leaf]), |node| node.parent.as_ref())
    }

    /// Whether the samples that set off a rule without a guard are good.
    pub(super) fn fresh_is_good(&self, rule: &Rule) -> bool {
        let mut heard = self.fresh.iter().filter(|place| rule.listens.contains(&self.line_of(**place)));
        heard.all(|place| self.values[*place].quality == Quality::Good)
    }

    /// The path of the active leaf; empty before the start.
    pub fn state_path(&self) -> Arc<str> {
        self.leaf.map_or_else(|| "".into(), |leaf| self.program.nodes[leaf].path.clone())
    }

    /// The event time of a sample, and how far the device's clock is behind.
    pub(super) fn event_time(&mut self, time: Timestamp, now: Timestamp) -> Timestamp {
        let time = if time > now + MOST_AHEAD { now } else { time };
        self.behind = lag(time, now);
        self.newest = self.newest.max(time);
        time
    }

    /// The event time by the caller's time, which goes on in silence too.
    pub fn event_now(&self, now: Timestamp) -> Timestamp {
        self.instant.max(shift(now, -self.behind))
    }

    /// Takes what it was seeded with for no later than live samples count: those of a clock far ahead are of now.
    pub fn heed_seeds(&mut self, now: Timestamp) {
        if self.newest > now + MOST_AHEAD {
            self.newest = now;
        }
        if self.seen > now + MOST_AHEAD {
            self.seen = now.max(self.stored_seen);
            self.instant = self.seen;
        }
    }

    pub(super) fn be_at(&mut self, instant: Timestamp) {
        self.seen = self.seen.max(instant);
        self.instant = self.seen;
    }

    /// Puts everything it knows of times back.
    pub(super) fn go_back(&mut self, by: Duration) {
        let back = |time: &mut Timestamp| {
            if *time > Timestamp::MIN {
                *time = *time - by;
            }
        };
        [&mut self.seen, &mut self.newest, &mut self.since, &mut self.instant].into_iter().for_each(back);
        for timer in &mut self.timers {
            back(&mut timer.started);
            back(&mut timer.due);
            timer.paused.iter_mut().for_each(back);
        }
        for slot in self.values.iter_mut().chain(&mut self.good) {
            slot.time.iter_mut().for_each(back);
        }
        self.alarm.go_back(by);
        self.out.dirty = true;
    }

    /// Puts back what a person or the plant file counts in the caller's time: the end of a shelving, a dry run.
    pub(super) fn caller_goes_back(&mut self, by: Duration, now: Timestamp) {
        self.out.dirty |= self.alarm.shelved_until().is_some() || self.dry_run.is_some();
        self.alarm.shelving_goes_back(by, now, LONGEST_SHELVING);
        if let Some(dry) = &mut self.dry_run {
            dry.since = dry.since - by;
            for time in [&mut dry.until, &mut dry.last].into_iter().flatten() {
                *time = *time - by;
            }
        }
    }

    /// Takes note of samples of the past that changed nothing, once their values are [learnt](Self::learn).
    pub fn has_seen(&mut self, newest: Timestamp, behind: i64) {
        self.newest = self.newest.max(newest);
        self.behind = behind;
        self.be_at(newest);
    }

    /// How far its devices' clocks lag, in nanoseconds.
    pub fn behind(&self) -> i64 {
        self.behind
    }

    /// Whether a guard holds; its slots are left in the desk's scratch.
    pub fn guard_holds(&self, desk: &mut Desk, formula: &Formula) -> bool {
        let slots = self.gather(formula, &mut desk.scratch);
        match formula.reads_children {
            true => Truth::of(&self.evaluate(formula, slots)) == Truth::Holds,
            false => formula.expression.holds(slots),
        }
    }

    pub fn learn(&mut self, place: usize, slot: SlotValue) {
        if self.program.remembers_good {
            if slot.quality == Quality::Good {
                self.good[place] = slot.clone();
            } else if self.values[place].quality == Quality::Good {
                // From now on only the snapshot knows the last good value.
                self.out.dirty = true;
            }
        }
        self.values[place] = slot;
    }

    /// The last good value of a place whose value is not good now; none without one, or where no rule counts on it.
    pub(super) fn last_good(&self, place: usize) -> Option<SlotValue> {
        let good = self.good.get(place).filter(|good| good.value != Value::Null)?;
        (self.values[place].quality != Quality::Good).then(|| good.clone())
    }

    pub(super) fn change_variable(&mut self, line: usize, value: Value) {
        if self.values[line].value != value {
            self.values[line].value = value;
            self.changed.push(line);
            self.out.dirty = true;
        }
    }

    /// Makes staged assignments and the alarm's flags visible; gives the lines that changed.
    pub(super) fn take_changes(&mut self) -> Vec<usize> {
        for (line, value) in std::mem::take(&mut self.staged) {
            self.change_variable(line, value);
        }
        let mut changed = std::mem::take(&mut self.changed);
        if self.out.dirty {
            changed.extend(self.refresh_flags());
        }
        changed
    }

    pub(super) fn fail(&mut self, reason: String) {
        self.failures += 1;
        self.last_failure = reason.into();
        self.out.dirty = true;
    }

    /// Begins a move that is worth a record.
    pub(super) fn begin_move(&mut self, from: Arc<str>, explanation: Explanation) {
        let (explanation, mark) = (Arc::new(explanation), self.out.records.len());
        self.moving = Some(Move { from, explanation, actions: Vec::new(), mark });
    }

    pub(super) fn finish_move(&mut self) {
        let Some(Move { from, mut explanation, actions, mark }) = self.moving.take() else { return };
        if !actions.is_empty() {
            // What the alarm was given stays without them.
            Arc::make_mut(&mut explanation).actions = actions;
        }
        let to = self.state_path();
        self.last_transition =
            Some(LastTransition { from: from.clone(), to: to.clone(), time: self.instant, explanation: explanation.clone() });
        self.record_at(mark, EventBody::Transition(Transition { from, to, explanation }));
    }

    /// The leaf that entering a state leads to: the last one of a group with history, else down its initial states.
    pub(super) fn landing(&self, mut id: usize) -> usize {
        loop {
            let node = &self.program.nodes[id];
            if node.history
                && let Some((_, leaf)) = self.history.iter().find(|(group, _)| *group == id)
            {
                return *leaf;
            }
            match node.initial {
                Some(initial) => id = initial,
                None => return id,
            }
        }
    }
}

/// Where the values of one instance come from.
struct Places<'p> {
    series: Vec<Option<SeriesId>>,
    families: Vec<(usize, Range<usize>)>,
    lines: Vec<&'p Line>,
}

impl<'p> Places<'p> {
    fn of(program: &'p Program, catalog: &Catalog, index: AssetIndex) -> Self {
        let mut places = Self { series: Vec::new(), families: Vec::new(), lines: program.table.iter().collect() };
        let mut children = Vec::new();
        for (line, entry) in program.table.iter().enumerate() {
            let series = catalog.resolve(index, &entry.reference);
            if let Reference::Children { .. } = entry.reference {
                let start = program.table.len() + children.len();
                places.families.push((line, start..start + series.len()));
                children.extend(series.into_iter().map(Some));
                places.series.push(None);
            } else {
                places.series.push(series.first().copied());
            }
        }
        for (line, range) in &places.families {
            places.lines.extend(range.clone().map(|_| &program.table[*line]));
        }
        places.series.extend(children);
        places
    }
}

/// What a line holds before any sample: the variable's first value, the attribute's value, else nothing.
fn first_value(program: &Program, catalog: &Catalog, reference: &Reference, series: Option<SeriesId>) -> SlotValue {
    let known = match reference {
        Reference::Variable(name) => {
            let variable = program.model.variables.iter().find(|(variable, _)| variable == name);
            Some(variable.map_or(Value::Null, |(_, value)| value.clone()))
        }
        Reference::Alarm(_) => Some(Value::Boolean(false)),
        Reference::Own(_) | Reference::Parent(_) | Reference::Children { .. } | Reference::Before(_) | Reference::Time => {
            series.and_then(|series| catalog.attribute(series))
        }
    };
    match known {
        Some(value) => SlotValue { value, quality: Quality::Good, time: None },
        None => SlotValue { value: Value::Null, quality: Quality::Bad, time: None },
    }
}

//! A detector at play: samples, timers and people's deeds in order of time, and nothing that reaches the world.

use super::{
    super::core::{Core, Effect, Step},
    Note,
};
use andon_detectors::Input;
use andon_models::{
    AssetId, Point, Timestamp,
    alarm::{AlarmState, AlarmVerb},
    command::{CommandOutcome, CommandState},
    event::{Event, EventBody},
    iot_events::InputMessage,
    operator::OperatorRequest,
    snapshot::DetectorSnapshot,
};
use andon_query::Stretch;
use anyhow::bail;
use std::{collections::BTreeSet, sync::Arc};

/// Timers that may go off between two samples: a detector that never comes to rest is stopped, and says so.
const MOST_TIMERS: usize = 1_000_000;

/// Raises that are remembered to be compared: some 50 MB.
const MOST_RAISES: usize = 1_000_000;

/// What a detector did in a stretch of history.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// When which asset's alarm was raised: the first of them, if there were very many.
    pub raises: BTreeSet<(Timestamp, Arc<str>)>,
    /// Values that went through.
    pub points: u64,
    /// Moves.
    pub moves: usize,
    /// Alarms raised.
    pub raised: usize,
    /// Alarms that were no longer there.
    pub cleared: usize,
    /// Writes it asked for.
    pub commands: usize,
    /// Writes that a rule refused.
    pub refused: usize,
    /// Notifications it asked for.
    pub notices: usize,
    /// Guards that could not be evaluated.
    pub failures: u64,
}

/// Something that happens while it plays.
pub enum Happening<'a> {
    /// An event.
    Event(&'a Event),
    /// Values that a step took, computed ones too.
    Values(&'a [Point]),
    /// How a detector stands after a step at this instant that changed something of it.
    Stands(Timestamp, &'a DetectorSnapshot),
}

/// Whose events count.
#[derive(Clone, Debug)]
pub enum Scope {
    /// All.
    All,
    /// Those of assets: another part tells the rest.
    Assets,
    /// Those of one detector over messages; what the others do only leads to them.
    Detector(Arc<str>),
}

/// A detector at play.
pub struct Player<N> {
    core: Core,
    /// What people did, oldest last.
    deeds: Vec<(Timestamp, OperatorRequest)>,
    /// Whose events count.
    scope: Scope,
    note: Option<Note<N>>,
    notes: Vec<(Timestamp, N)>,
    played: Played,
    /// What the start led to, until there is somebody to hear it.
    started: Option<(Timestamp, Step)>,
}

impl<N> Player<N> {
    /// Plays with a core that was just started.
    pub fn new(core: Core, start: Timestamp, started: Step) -> Self {
        let (deeds, notes, played) = (Vec::new(), Vec::new(), Played::default());
        Self { core, deeds, scope: Scope::All, note: None, notes, played, started: Some((start, started)) }
    }

    /// Says what people did, oldest last, and what is to be told.
    pub fn begin(&mut self, scope: Scope, deeds: Vec<(Timestamp, OperatorRequest)>, note: Option<Note<N>>) {
        (self.scope, self.deeds, self.note) = (scope, deeds, note);
        if let Some((start, step)) = self.started.take() {
            self.take(start, step);
        }
    }

    /// Plays a stretch to its end.
    ///
    /// # Errors
    /// When timers never come to rest.
    pub fn play(&mut self, stretch: Stretch) -> anyhow::Result<()> {
        self.played.points += stretch.points.len() as u64;
        let mut points = stretch.points.into_iter().peekable();
        let mut size = 1;
        while let Some(first) = points.next() {
            let time = first.tqv.time;
            let mut together = Vec::with_capacity(size);
            together.push(first);
            while let Some(point) = points.next_if(|point| point.tqv.time == time) {
                together.push(point);
            }
            size = together.len();
            self.wait(time)?;
            let step = self.core.written(time, together);
            self.take(time, step);
        }
        self.wait(stretch.to)
    }

    /// Plays a message.
    ///
    /// # Errors
    /// When timers never come to rest.
    pub fn message(&mut self, time: Timestamp, message: &InputMessage) -> anyhow::Result<()> {
        self.played.points += 1;
        self.wait(time)?;
        let step = self.core.message(time, message);
        self.take(time, step);
        Ok(())
    }

    /// What is to be told since it was asked last.
    pub fn notes(&mut self) -> Vec<(Timestamp, N)> {
        std::mem::take(&mut self.notes)
    }

    /// What it did.
    pub fn finish(mut self) -> Played {
        self.played.failures = self.core.snapshots().iter().map(|snapshot| snapshot.failures).sum();
        self.played
    }

    fn tell(&mut self, time: Timestamp, happening: Happening<'_>) {
        if let Some(note) = self.note.as_ref().and_then(|note| note(happening)) {
            self.notes.push((time, note));
        }
    }

    /// Lets timers go off and people act until an instant.
    pub fn wait(&mut self, until: Timestamp) -> anyhow::Result<()> {
        for _ in 0..MOST_TIMERS {
            let deed = self.deeds.last().map(|(time, _)| *time).filter(|time| *time < until);
            let due = self.core.next_due().filter(|due| *due < until);
            match (deed, due) {
                (Some(deed), due) if due.is_none_or(|due| deed <= due) => {
                    let Some((time, request)) = self.deeds.pop() else { return Ok(()) };
                    let step = self.core.operator(time, &request);
                    self.take(time, step);
                }
                (_, Some(due)) => {
                    let step = self.core.time(due);
                    self.take(due, step);
                }
                (_, None) => return Ok(()),
            }
        }
        bail!("more than {MOST_TIMERS} timers went off before {until}: look at its `every` and `after`")
    }

    /// Counts what a step asked for, tells it, and gives commands their outcome.
    fn take(&mut self, now: Timestamp, step: Step) {
        let mut open = vec![step];
        while let Some(step) = open.pop() {
            for effect in step.effects {
                match effect {
                    Effect::Write(command) => {
                        self.played.commands += 1;
                        open.push(self.core.decide(now, Input::Sent(command.id)));
                        let outcome = CommandOutcome {
                            command: command.id,
                            state: CommandState::Verified,
                            read_back: command.value.clone(),
                            reason: "".into(),
                            time: now,
                        };
                        open.push(self.core.decide(now, Input::Outcome(&outcome)));
                    }
                    Effect::Notify(notice) => self.played.notices += usize::from(self.scope.counts(None, &notice.detector)),
                    _ => {}
                }
            }
            if !step.batch.points.is_empty() {
                self.tell(now, Happening::Values(&step.batch.points));
            }
            for event in step.batch.events.iter().filter(|event| self.scope.counts(event.asset, &event.detector)) {
                self.played.count(event);
                if let Some(note) = self.note.as_ref().and_then(|note| note(Happening::Event(event))) {
                    self.notes.push((event.time, note));
                }
            }
            for snapshot in &step.moved {
                self.tell(now, Happening::Stands(now, snapshot));
            }
        }
    }
}

impl Scope {
    fn counts(&self, asset: Option<AssetId>, detector: &str) -> bool {
        match self {
            Self::All => true,
            Self::Assets => asset.is_some(),
            Self::Detector(named) => **named == *detector,
        }
    }
}

impl Played {
    /// What two parts did together.
    pub fn joined(mut self, other: Self) -> Self {
        self.raises.extend(other.raises);
        while self.raises.len() > MOST_RAISES {
            self.raises.pop_last();
        }
        self.points += other.points;
        self.moves += other.moves;
        self.raised += other.raised;
        self.cleared += other.cleared;
        self.commands += other.commands;
        self.refused += other.refused;
        self.notices += other.notices;
        self.failures += other.failures;
        self
    }

    fn count(&mut self, event: &Event) {
        match &event.body {
            EventBody::Transition(_) => self.moves += 1,
            EventBody::Alarm(change) if change.verb == AlarmVerb::Raise => {
                self.raised += usize::from(is_new(change.from));
                if self.raises.len() < MOST_RAISES {
                    self.raises.insert((event.time, event.asset_path.clone()));
                }
            }
            EventBody::Alarm(change) if change.verb == AlarmVerb::Clear => self.cleared += 1,
            EventBody::Command(change) => self.refused += usize::from(change.state == CommandState::Refused),
            _ => {}
        }
    }
}

/// Whether a raise is a new alarm, and not one that was there.
fn is_new(from: AlarmState) -> bool {
    !from.is_active()
}

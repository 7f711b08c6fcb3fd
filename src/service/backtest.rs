//! Plays recorded history through a detector as it is defined now: what it would have raised, told and written.
//!
//! The core is the live one, driven in event time: samples of one instant together, and every timer at its own time in between.
//! Transforms are computed anew, metrics are taken as they were stored. Commands count as verified at once and are sent nowhere;
//! people acknowledge as they did.

use super::core::{Core, Effect, Step};
use andon_detectors::{Engine, Input};
use andon_models::{
    AssetId, Point, PropertyId, SeriesId, Timestamp,
    alarm::{AlarmState, AlarmVerb},
    catalog::{Catalog, SeriesDirectory},
    command::{CommandOutcome, CommandState},
    definition::{Plant, PropertyKind},
    event::{Event, EventBody},
    operator::{OperatorDeed, OperatorRequest},
    window::Window,
};
use andon_query::{EventFilter, Historian};
use anyhow::{Context, bail, ensure};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// History read at a time at most: detectors' timers go off in between all the same.
const STRETCH: Duration = Duration::from_secs(24 * 3_600);

/// Values read at a time, of all series together: some 100 MB.
const MOST_POINTS: usize = 500_000;

/// Values of one series read at a time at least, however many series there are.
const LEAST_POINTS: usize = 1_000;

/// Timers that may go off between two samples: a detector that never comes to rest is stopped, and says so.
const MOST_TIMERS: usize = 1_000_000;

/// Acknowledgements that are played back at most: people give so many in years.
const MOST_DEEDS: usize = 100_000;

/// Changes of alarms read at a time.
const PAGE: usize = 10_000;

/// What a detector did in a stretch of history.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// When which asset's alarm was raised.
    pub raises: BTreeSet<(Timestamp, Arc<str>)>,
    /// Values that went through.
    pub points: u64,
    /// Moves.
    pub moves: usize,
    /// Alarms raised.
    pub raised: usize,
    /// Writes it asked for.
    pub commands: usize,
    /// Writes that a rule refused.
    pub refused: usize,
    /// Notifications it asked for.
    pub notices: usize,
}

/// What is told while it plays.
pub enum Heard<'a> {
    /// Something happened. Events come in time order and are not kept.
    Event(&'a Event),
    /// So many values went through.
    Points(u64),
}

/// A plant with one of its detectors alone.
///
/// # Errors
/// When there is no such detector; the nearest is named.
pub fn alone(plant: &Plant, named: &str) -> anyhow::Result<Plant> {
    let Some((model, detector)) = named.split_once('.') else {
        bail!("`{named}` names no detector: write model.detector, such as filler.overheat");
    };
    let mut alone = plant.clone();
    for entry in &mut alone.models {
        let wanted = *entry.name == *model;
        entry.detectors.retain(|known| wanted && *known.name == *detector);
    }
    if alone.models.iter().all(|model| model.detectors.is_empty()) {
        let names = plant.models.iter();
        let all: Vec<String> =
            names.flat_map(|model| model.detectors.iter().map(move |known| format!("{}.{}", model.name, known.name))).collect();
        let near = andon_models::expression::nearest(named, all.iter().map(String::as_str));
        let hint = near.map_or_else(|| format!("there are {}", all.join(", ")), |near| format!("did you mean {near}?"));
        bail!("there is no detector {named}; {hint}");
    }
    Ok(alone)
}

/// Plays a window of history; `hear` is told what happens meanwhile.
///
/// # Errors
/// When history cannot be read.
pub async fn play(
    historian: &Historian,
    known: &[(AssetId, PropertyId, SeriesId)],
    plant: Plant,
    window: Window,
    mut hear: impl FnMut(Heard<'_>),
) -> anyhow::Result<Played> {
    let mut directory = SeriesDirectory::restore(known.iter().copied());
    let catalog = Arc::new(Catalog::build(Arc::new(plant), &mut directory));
    let recorded: HashSet<SeriesId> = known.iter().map(|(.., series)| *series).collect();
    let series: Vec<SeriesId> = inputs(&catalog).into_iter().filter(|series| recorded.contains(series)).collect();
    let mut latest = HashMap::new();
    for series in &series {
        if let Some(tqv) = historian.value_before(*series, window.start).await.context("cannot read the history")? {
            latest.insert(*series, tqv);
        }
    }
    let mut core = Core::new(catalog.clone());
    core.restore(&HashMap::new(), &|series| latest.get(&series).cloned());
    core.arm_first("the back-test", window.start, true);
    let start = core.start(window.start, &|series| latest.get(&series).cloned());
    let deeds = deeds(historian, &catalog, window, PAGE).await?;
    let mut player = Player { core, deeds, played: Played::default(), hear: &mut hear };
    player.take(window.start, start);
    let most = (MOST_POINTS / series.len().max(1)).max(LEAST_POINTS);
    let mut from = window.start;
    while from < window.end {
        let part = Window { start: from, end: (from + STRETCH).min(window.end) };
        let (by_time, to) = points(historian, &series, part, most).await?;
        for (time, points) in by_time {
            player.wait(time)?;
            player.played.points += points.len() as u64;
            let step = player.core.written(time, points);
            player.take(time, step);
        }
        player.wait(to)?;
        (player.hear)(Heard::Points(player.played.points));
        from = to;
    }
    Ok(player.played)
}

/// The values after the start of a stretch, by time, and the instant up to which these are all: its end, or before that when one of
/// the series has more than `most`.
async fn points(
    historian: &Historian,
    series: &[SeriesId],
    part: Window,
    most: usize,
) -> anyhow::Result<(BTreeMap<Timestamp, Vec<Point>>, Timestamp)> {
    let mut by_time: BTreeMap<Timestamp, Vec<Point>> = BTreeMap::new();
    let mut to = part.end;
    for series in series {
        let window = Window { start: part.start, end: to };
        let found = historian.first_points(*series, window, most).await.context("cannot read the history")?;
        if let Some(last) = found.last().filter(|_| found.len() == most) {
            // There may be more of this instant: that one is left to the next stretch.
            to = Timestamp::from_nanos(last.time.as_nanos() - 1);
        }
        for tqv in found {
            by_time.entry(tqv.time).or_default().push(Point { series: *series, tqv });
        }
    }
    by_time.retain(|time, _| *time <= to);
    Ok((by_time, to))
}

/// The stored series that the detectors of a plant depend on: what they read, and for a transform what it is computed from.
fn inputs(catalog: &Catalog) -> Vec<SeriesId> {
    let mut found: Vec<SeriesId> = Engine::new(Arc::new(catalog.clone())).reads();
    let mut next = 0;
    while let Some(series) = found.get(next).copied() {
        next += 1;
        let (Some(entry), Some(property)) = (catalog.entry(series), catalog.property(series)) else { continue };
        let PropertyKind::Transform { expression, .. } = &property.kind else { continue };
        for read in expression.references.iter().flat_map(|reference| catalog.resolve(entry.asset, reference)) {
            if !found.contains(&read) {
                found.push(read);
            }
        }
    }
    let stored = |series: &SeriesId| {
        let property = catalog.property(*series);
        property
            .is_some_and(|property| !matches!(property.kind, PropertyKind::Transform { .. } | PropertyKind::Attribute { .. }))
    };
    found.retain(stored);
    found
}

/// Who acknowledged what, oldest last. Of `page` changes at a time, because a plant has many more of them than of acknowledgements.
async fn deeds(
    historian: &Historian,
    catalog: &Catalog,
    window: Window,
    page: usize,
) -> anyhow::Result<Vec<(Timestamp, OperatorRequest)>> {
    let names: BTreeSet<Arc<str>> =
        catalog.plant.models.iter().flat_map(|model| &model.detectors).map(|detector| detector.name.clone()).collect();
    let mut deeds = Vec::new();
    for detector in names {
        let (mut to, mut before) = (window.end, HashSet::new());
        loop {
            let filter = EventFilter {
                kinds: vec!["alarm".into()],
                from: Some(window.start),
                to: Some(to),
                asset: None,
                detector: Some(detector.clone()),
                path: None,
                limit: page,
            };
            let events = historian.events(filter).await.context("cannot read the history")?;
            let oldest = events.last().map(|event| event.time).filter(|_| events.len() >= page);
            // Those of the last instant of a page come again with the next.
            let ids = events.iter().map(|event| event.id).collect();
            deeds.extend(events.into_iter().filter(|event| !before.contains(&event.id)).filter_map(acknowledgement));
            before = ids;
            ensure!(
                deeds.len() <= MOST_DEEDS,
                "more than {MOST_DEEDS} acknowledgements are too many to play; take a shorter span"
            );
            match oldest {
                Some(oldest) if oldest.as_micros() < to.as_micros() => to = oldest,
                Some(oldest) => bail!("{page} alarms changed at {oldest}, and not all of them can be read; take another span"),
                None => break,
            }
        }
    }
    deeds.sort_by_key(|(time, _)| Reverse(*time));
    Ok(deeds)
}

/// What a person did, to be done again.
fn acknowledgement(event: Event) -> Option<(Timestamp, OperatorRequest)> {
    let (EventBody::Alarm(change), Some(asset)) = (event.body, event.asset) else { return None };
    let deed = OperatorDeed::Acknowledge { asset, detector: event.detector, note: change.note };
    (change.verb == AlarmVerb::Acknowledge).then_some((event.time, OperatorRequest { by: change.by, deed }))
}

/// A detector at play.
struct Player<'a> {
    core: Core,
    /// What people did, oldest last.
    deeds: Vec<(Timestamp, OperatorRequest)>,
    played: Played,
    hear: &'a mut dyn FnMut(Heard<'_>),
}

impl Player<'_> {
    /// Lets timers go off and people act until an instant.
    fn wait(&mut self, until: Timestamp) -> anyhow::Result<()> {
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
                    Effect::Notify(_) => self.played.notices += 1,
                    _ => {}
                }
            }
            for event in &step.batch.events {
                self.played.count(event);
                (self.hear)(Heard::Event(event));
            }
        }
    }
}

impl Played {
    fn count(&mut self, event: &Event) {
        match &event.body {
            EventBody::Transition(_) => self.moves += 1,
            EventBody::Alarm(change) if change.verb == AlarmVerb::Raise => {
                self.raised += usize::from(is_new(change.from));
                self.raises.insert((event.time, event.asset_path.clone()));
            }
            EventBody::Command(change) => self.refused += usize::from(change.state == CommandState::Refused),
            _ => {}
        }
    }
}

/// Whether a raise is a new alarm, and not one that was there.
fn is_new(from: AlarmState) -> bool {
    !from.is_active()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::testing::{at, good, plant, series};
    use andon_models::{
        EventId,
        alarm::Priority,
        event::{AlarmChange, Explanation},
    };
    use andon_query::{Batch, HistorianOptions};

    const PLANT: &str = "
plant: Test
models:
  press:
    measurements:
      temp: { unit: °C }
      speed: {}
    detectors:
      hot:
        message: Too hot
        response: Look.
        initial: normal
        states:
          normal: { go: [ { when: temp > 80 and speed > 0, to: hot } ] }
          hot: { enter: [raise] }
assets:
  Press: { model: press }
";

    async fn historian(folder: &std::path::Path) -> (Historian, Arc<Catalog>) {
        let catalog = Arc::new(Catalog::build(Arc::new(plant(PLANT)), &mut SeriesDirectory::default()));
        (Historian::open(HistorianOptions::new(folder), catalog.clone()).await.unwrap().0, catalog)
    }

    #[tokio::test]
    async fn stretches_hold_every_value_once_however_many_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let (historian, catalog) = historian(folder.path()).await;
        let [temp, speed] = ["temp", "speed"].map(|name| series(&catalog, "Press", name));
        let mut written: Vec<Point> = (1..=100).map(|second| good(temp, second, second as f64)).collect();
        written.extend((1..=10).map(|step| good(speed, step * 10, step as f64)));
        historian.append(Batch { points: written.clone(), ..Batch::default() }).await.unwrap();
        let (mut read, mut from, mut stretches) = (Vec::new(), at(0), 0);
        while from < at(100) {
            let part = Window { start: from, end: at(100) };
            let (by_time, to) = points(&historian, &[temp, speed], part, 7).await.unwrap();
            assert!(by_time.keys().all(|time| from < *time && *time <= to));
            read.extend(by_time.into_values().flatten());
            (from, stretches) = (to, stretches + 1);
        }
        let key = |point: &Point| (point.series, point.tqv.time);
        read.sort_by_key(key);
        written.sort_by_key(key);
        assert_eq!(read, written);
        assert!(stretches >= 100 / 7, "{stretches}");
    }

    fn change(number: i64, detector: &str, verb: AlarmVerb) -> Event {
        let change = AlarmChange {
            from: AlarmState::Unacknowledged,
            state: AlarmState::Acknowledged,
            verb,
            priority: Priority::High,
            message: "".into(),
            response: "".into(),
            since: None,
            by: "kim".into(),
            note: number.to_string().into(),
            explanation: Explanation::default(),
        };
        Event {
            id: EventId::from_name(&format!("{detector}/{number}/{}", verb.name())),
            // Three at each instant.
            time: at(1 + number / 3),
            asset: Some(AssetId::from_name("Press")),
            asset_path: "Press".into(),
            detector: detector.into(),
            body: EventBody::Alarm(change),
        }
    }

    #[tokio::test]
    async fn every_acknowledgement_is_found_among_many_other_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (historian, catalog) = historian(folder.path()).await;
        let verb = |number| if number % 5 == 0 { AlarmVerb::Acknowledge } else { AlarmVerb::Raise };
        let events: Vec<Event> = (0..60)
            .flat_map(|number| [change(number, "hot", verb(number)), change(number, "other", AlarmVerb::Acknowledge)])
            .collect();
        historian.append(Batch { events, ..Batch::default() }).await.unwrap();
        let window = Window { start: at(0), end: at(100) };
        let mut notes = Vec::new();
        for (_, request) in deeds(&historian, &catalog, window, 4).await.unwrap() {
            let OperatorDeed::Acknowledge { note, .. } = request.deed else { panic!("another deed") };
            notes.push(note.parse::<i64>().unwrap());
        }
        assert_eq!(notes, (0..12).rev().map(|number| number * 5).collect::<Vec<_>>(), "oldest last");
        let error = deeds(&historian, &catalog, window, 3).await.unwrap_err().to_string();
        assert!(error.contains("not all of them can be read"), "{error}");
    }
}

//! What people did while it ran live, to be done again.

use andon_models::{
    Timestamp,
    alarm::AlarmVerb,
    catalog::Catalog,
    event::{Event, EventBody},
    operator::{OperatorDeed, OperatorRequest},
    window::Window,
};
use andon_query::{EventFilter, Historian};
use anyhow::{Context, bail, ensure};
use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

/// Acknowledgements that are played back at most: people give so many in years.
const MOST_DEEDS: usize = 100_000;

/// Changes of alarms read at a time.
pub const PAGE: usize = 10_000;

/// Who acknowledged what, oldest last. Of `page` changes at a time, because a plant has many more of them than of acknowledgements.
pub async fn deeds(
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
                detector: Some(detector.clone()),
                limit: page,
                ..EventFilter::default()
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

#[cfg(test)]
mod tests;

//! Detectors over messages: played from the messages as they were recorded.

use super::{
    super::core::Core,
    Heard, Job, Note, Played,
    player::{Player, Scope},
};
use andon_detectors::Engine;
use andon_models::{
    Timestamp,
    catalog::{Catalog, SeriesDirectory},
    event::{EventBody, ReceivedMessage},
    iot_events::InputMessage,
    window::Window,
};
use andon_query::{EventFilter, Historian};
use anyhow::{Context, bail, ensure};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Messages that are read at a time: some 20 MB.
const MOST_MESSAGES: usize = 10_000;

/// The first stretch that is read; the next ones are as long as their messages allow.
const FIRST_STRETCH: Duration = Duration::from_secs(3_600);

/// Plays a window; what other detectors send to the one that is meant comes from them, as it did.
pub async fn play<N: Send + 'static>(
    job: Job<'_>,
    note: Option<Note<N>>,
    mut hear: impl FnMut(Heard<N>),
) -> anyhow::Result<Played> {
    let Job { historian, known, plant, window, named, cancelled, .. } = job;
    let mut directory = SeriesDirectory::restore(known.iter().copied());
    let catalog = Arc::new(Catalog::build(Arc::new(plant), &mut directory));
    // No detector of an asset: their back-tests are their own.
    let core = Core::passing(catalog.clone(), Engine::of(catalog, &|_| false), &|_| false);
    let mut player = Player::new(core, window.start, Default::default());
    player.begin(Scope::Detector(named.into()), Vec::new(), note);
    let (mut from, mut span, mut points) = (window.start, FIRST_STRETCH, 0);
    while from < window.end {
        ensure!(!cancelled.load(Ordering::Relaxed), "it was cancelled");
        let (messages, to) = read(historian, Window { start: from, end: (from + span).min(window.end) }).await?;
        points += messages.len() as u64;
        let few = messages.len() * 2 < MOST_MESSAGES;
        let length = to.since(from);
        span = if few { length.saturating_mul(2) } else { length };
        let playing = tokio::task::spawn_blocking(move || {
            for (time, message) in &messages {
                let message = InputMessage::again(message).context("a recorded message cannot be read")?;
                player.message(*time, &message)?;
            }
            player.wait(to)?;
            anyhow::Ok(player)
        });
        player = playing.await??;
        player.notes().into_iter().for_each(|(_, note)| hear(Heard::Note(note)));
        from = to;
        hear(Heard::Points(points, from.since(window.start).as_secs_f64() / window.span().as_secs_f64()));
    }
    ensure!(
        points > 0,
        "no message is recorded from {} to {}, so there is nothing to play: messages are recorded as they come, and kept as long as \
         events are",
        window.start,
        window.end
    );
    Ok(player.finish())
}

/// The messages of the first part of a window, oldest first, and where it ends.
async fn read(historian: &Historian, mut window: Window) -> anyhow::Result<(Vec<(Timestamp, ReceivedMessage)>, Timestamp)> {
    loop {
        let filter = EventFilter {
            kinds: vec!["message".into()],
            from: Some(window.start),
            to: Some(window.end),
            limit: MOST_MESSAGES,
            ..EventFilter::default()
        };
        let events = historian.events(filter).await.context("cannot read the history")?;
        if events.len() < MOST_MESSAGES {
            let messages = events.into_iter().rev().filter_map(|event| match event.body {
                EventBody::Message(message) => Some((event.time, message)),
                _ => None,
            });
            return Ok((messages.collect(), window.end));
        }
        // The newest came; the oldest are wanted first. Below the microsecond nothing is told apart.
        let half = window.span() / 2;
        if half < Duration::from_micros(2) {
            bail!("more than {MOST_MESSAGES} messages came at {}, and not all of them can be read", window.start);
        }
        window.end = Timestamp::from_nanos((window.start + half).as_micros().saturating_mul(1_000));
    }
}

//! Plays values that are stored through transforms again: a back-fill's stretches, one after the other.

use andon_models::{
    SeriesId,
    catalog::Catalog,
    schedule::{Play, Played},
    transform::over_history::OverHistory,
};
use andon_query::{Historian, QueryError, Replay};
use std::{collections::BTreeSet, sync::Arc};
use tokio::task::spawn_blocking;

/// Values of a stretch at most: with what comes of them a log record of a few megabytes, and well below a second of work.
const MOST_POINTS: usize = 50_000;

/// What is being played.
struct Playing {
    number: u32,
    /// None when no transform is to be computed.
    again: Option<OverHistory>,
    replay: Replay,
}

/// Plays stretches. What it knows at the end of one is what the next one begins with.
pub struct Replayer {
    catalog: Arc<Catalog>,
    historian: Historian,
    /// With the instant it has come to.
    playing: Option<(andon_models::Timestamp, Playing)>,
}

impl Replayer {
    /// Plays what the historian has.
    pub fn new(catalog: Arc<Catalog>, historian: Historian) -> Self {
        Self { catalog, historian, playing: None }
    }

    /// Plays the next stretch.
    ///
    /// # Errors
    /// When history cannot be read.
    pub async fn play(&mut self, play: &Play) -> Result<Played, QueryError> {
        let known = self.playing.take().filter(|(at, playing)| (*at, playing.number) == (play.after, play.number));
        let mut playing = match known {
            Some((_, playing)) => playing,
            None => self.begin(play).await?,
        };
        let nothing = Played { number: play.number, points: Vec::new(), to: play.until };
        let Some(mut again) = playing.again.take() else { return Ok(nothing) };
        let Some(stretch) = playing.replay.next(play.until).await? else { return Ok(nothing) };
        let to = stretch.to;
        // It takes long and never waits: it must not hold up a thread that others wait for.
        let (again, points) = spawn_blocking(move || {
            let points = again.play(stretch.points);
            (again, points)
        })
        .await
        .map_err(|error| QueryError::Internal(format!("transforms could not be computed: {error}")))?;
        playing.again = Some(again);
        self.playing = Some((to, playing));
        Ok(Played { number: play.number, points, to })
    }

    async fn begin(&self, play: &Play) -> Result<Playing, QueryError> {
        let behind: Vec<SeriesId> = play.behind.iter().copied().collect();
        let known = self.historian.values_before(&behind, play.begin).await?;
        let missing = behind.into_iter().filter(|series| !known.contains_key(series));
        let wanted: BTreeSet<SeriesId> = play.transforms.iter().copied().chain(missing).collect();
        let again = (!wanted.is_empty()).then(|| OverHistory::new(&self.catalog, &wanted));
        let series = again.as_ref().map_or_else(Vec::new, OverHistory::series);
        let replay = self.historian.replay(&series, play.after, MOST_POINTS);
        let again = match again {
            Some(mut again) => {
                again.begin(&self.historian.values_before(&again.inputs(), play.after).await?);
                Some(again)
            }
            None => None,
        };
        Ok(Playing { number: play.number, again, replay })
    }
}

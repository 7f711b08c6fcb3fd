//! A sign of life that must keep coming: when it stays away, the subscription is dead, whatever the connection says.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Missed beats until the subscription counts as dead.
const MISSED: u32 = 3;
/// Time for the second beat to come: until then the server's real interval is not known.
const FIRST_BEATS: Duration = Duration::from_secs(15);
/// Added to the limit, so that a busy server is not taken for a dead one.
const SLACK: Duration = Duration::from_secs(1);

/// Watches the beats of one subscription. The interval is learned, because servers revise what they were asked for.
#[derive(Debug)]
pub(super) struct Canary(Mutex<State>);

#[derive(Debug)]
struct State {
    last: Instant,
    beats: u64,
    longest: Duration,
}

impl Canary {
    /// A canary that was asked to beat at this interval. The first beats come close together, so they alone say nothing.
    pub fn asked_for(interval: Duration) -> Self {
        Self(Mutex::new(State { last: Instant::now(), beats: 0, longest: interval }))
    }

    /// A sign of life came.
    pub fn beat(&self) {
        self.beat_at(Instant::now());
    }

    /// How long there has been none, if that is too long.
    pub fn missing(&self) -> Option<Duration> {
        self.missing_at(Instant::now())
    }

    fn beat_at(&self, at: Instant) {
        let mut state = self.state();
        if state.beats > 0 {
            state.longest = state.longest.max(at.saturating_duration_since(state.last));
        }
        state.last = at;
        state.beats += 1;
    }

    fn missing_at(&self, at: Instant) -> Option<Duration> {
        let state = self.state();
        let silence = at.saturating_duration_since(state.last);
        let limit = state.longest * MISSED + SLACK;
        let limit = if state.beats < 2 { limit.max(FIRST_BEATS) } else { limit };
        (silence > limit).then_some(silence)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_missed_beats_are_too_many() {
        let canary = Canary::asked_for(Duration::from_secs(1));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        (0..5).for_each(|beat| canary.beat_at(at(beat * 2)));
        assert_eq!(canary.missing_at(at(8 + 7)), None);
        assert_eq!(canary.missing_at(at(8 + 8)), Some(Duration::from_secs(8)));
        canary.beat_at(at(17));
        assert_eq!(canary.missing_at(at(18)), None);
    }

    #[test]
    fn two_beats_close_together_make_no_short_interval() {
        let canary = Canary::asked_for(Duration::from_secs(1));
        let start = Instant::now();
        canary.beat_at(start);
        canary.beat_at(start + Duration::from_millis(50));
        assert_eq!(canary.missing_at(start + Duration::from_secs(4)), None);
        assert!(canary.missing_at(start + Duration::from_millis(4_100)).is_some());
    }

    #[test]
    fn a_subscription_that_never_beats_is_dead_after_a_while() {
        let canary = Canary::asked_for(Duration::from_secs(1));
        let start = Instant::now();
        assert_eq!(canary.missing_at(start + Duration::from_secs(14)), None);
        assert!(canary.missing_at(start + Duration::from_secs(16)).is_some());
    }
}

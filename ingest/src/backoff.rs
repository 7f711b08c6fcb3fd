//! When to try again: exponential back-off with jitter, for ever.

use std::time::Duration;

/// The first wait: short, because most losses are.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait: an operator who plugs the cable back in should not wait longer.
const LONGEST: Duration = Duration::from_secs(30);
/// Doublings until the longest wait is reached.
const DOUBLINGS: u32 = 6;

/// Counts the failures since the last success.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait before the next try. `chance` in 0..1 spreads sources that were lost together.
    pub fn next(&mut self, chance: f64) -> Duration {
        let longest_now = (FIRST * 2_u32.pow(self.failures.min(DOUBLINGS))).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        FIRST + (longest_now - FIRST).mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
    }

    /// The wait when only a person can mend the cause.
    pub fn slow(chance: f64) -> Duration {
        LONGEST.mul_f64(0.75 + chance.clamp(0.0, 1.0) / 4.0)
    }

    /// Starts over, because values came.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_half_a_second_to_thirty_and_stay_there() {
        for chance in [0.0, 0.3, 1.0] {
            let mut backoff = Backoff::default();
            let waits: Vec<_> = (0..40).map(|_| backoff.next(chance)).collect();
            assert_eq!(waits[0], FIRST);
            assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
            assert!(waits.iter().all(|wait| (FIRST..=LONGEST).contains(wait)), "{waits:?}");
            assert!(waits[39] >= LONGEST / 2, "{waits:?}");
        }
    }

    #[test]
    fn sources_lost_together_come_back_apart() {
        let (mut one, mut other) = (Backoff::default(), Backoff::default());
        one.next(0.0);
        other.next(0.0);
        assert_ne!(one.next(0.1), other.next(0.9));
    }

    #[test]
    fn starts_over_after_a_success() {
        let mut backoff = Backoff::default();
        (0..10).for_each(|_| _ = backoff.next(0.5));
        backoff.reset();
        assert_eq!(backoff.next(0.5), FIRST);
    }
}

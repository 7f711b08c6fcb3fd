//! How counters start over: the one place that turns two readings into what was made between them.

use crate::definition::CounterRule;

impl CounterRule {
    /// What was counted from one reading to the next; none when the new reading is bad data and must be left out.
    ///
    /// - `reset`: after a fall the new reading counts from zero.
    /// - `rollover(n)`: after a fall the counter went through n; a reading that cannot come from that counts as a reset.
    /// - `monotonic`: a fall is bad data.
    /// - A reading that is negative or not finite is bad data under every rule.
    pub fn gain(self, before: f64, reading: f64) -> Option<f64> {
        if !reading.is_finite() || reading < 0.0 {
            return None;
        }
        if reading >= before {
            return Some(reading - before);
        }
        match self {
            Self::Reset => Some(reading),
            Self::Rollover(limit) if before <= limit => Some(limit - before + reading),
            Self::Rollover(_) => Some(reading),
            Self::Monotonic => None,
        }
    }
}

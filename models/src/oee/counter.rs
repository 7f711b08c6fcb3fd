//! How counters start over: the one place that turns two readings into what was made between them.

use crate::definition::CounterRule;

/// Part of what a counter had, or of its range, from which on a fall is no start from zero, or no rollover. Controllers restart and
/// begin at zero, or at what they kept last: the one leaves little of what was there, the other most of it.
const HALF: f64 = 0.5;

/// What a reading says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gain {
    /// So much was made since the reading before.
    Made(f64),
    /// The counter was set: it counts on from here, and what was made since the reading before is not known.
    Set,
    /// Bad data, which must be left out.
    Bad,
}

/// Follows the readings of one counter.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    rule: CounterRule,
    before: Option<f64>,
    /// What it had before it fell, until it counts again.
    fell_from: Option<f64>,
}

impl Counter {
    /// A counter of which nothing is known yet.
    pub fn new(rule: CounterRule) -> Self {
        Self { rule, before: None, fell_from: None }
    }

    /// Takes the next reading. The first one has made nothing.
    ///
    /// - `reset`: after a fall the new reading counts from zero, if it is at most half of what was there. A larger one is no start
    ///   from zero, but a value that was kept or typed: nothing of it was made now.
    /// - `rollover(n)`: after a fall the counter went through n, if that is at most half of n; else it was reset.
    /// - `monotonic`: a fall is bad data.
    /// - A counter that fell, stood, and is back in one step was only not there, as while a controller or its gateway starts: what is above
    ///   the reading before the fall was made. One that has counted since was reset.
    /// - A reading that is negative or not finite is bad data under every rule.
    pub fn read(&mut self, reading: f64) -> Gain {
        let gain = match self.before {
            _ if !reading.is_finite() || reading < 0.0 => Gain::Bad,
            None => Gain::Made(0.0),
            Some(before) if reading >= before => self.rise(before, reading),
            Some(before) => self.fall(before, reading),
        };
        if gain != Gain::Bad {
            self.before = Some(reading);
        }
        gain
    }

    fn rise(&mut self, before: f64, reading: f64) -> Gain {
        if reading == before {
            return Gain::Made(0.0);
        }
        let stood = self.fell_from.take().filter(|high| reading >= *high);
        Gain::Made(reading - stood.unwrap_or(before))
    }

    fn fall(&mut self, before: f64, reading: f64) -> Gain {
        match self.rule {
            CounterRule::Monotonic => return Gain::Bad,
            CounterRule::Rollover(limit) if before <= limit && limit - before + reading <= limit * HALF => {
                return Gain::Made(limit - before + reading);
            }
            CounterRule::Reset | CounterRule::Rollover(_) => {}
        }
        self.fell_from = None;
        if reading > before * HALF {
            return Gain::Set;
        }
        self.fell_from = Some(before);
        Gain::Made(reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: CounterRule, readings: &[f64], expected: &[Gain]) {
        let mut counter = Counter::new(rule);
        let gains: Vec<Gain> = readings.iter().map(|reading| counter.read(*reading)).collect();
        assert_eq!(gains, expected, "{readings:?}");
    }

    const START: Gain = Gain::Made(0.0);

    #[test]
    fn a_restart_counts_what_was_made_and_nothing_that_was_there_before() {
        use Gain::{Made, Set};
        // From zero.
        check(CounterRule::Reset, &[40e6, 3.0, 10.0], &[START, Made(3.0), Made(7.0)]);
        // At what the controller kept some hours ago.
        check(CounterRule::Reset, &[40_050e3, 40e6, 40_000_007.0], &[START, Set, Made(7.0)]);
        // A controller that shows zero until it is up.
        check(CounterRule::Reset, &[40e6, 0.0, 0.0, 40_000_002.0, 40_000_005.0], &[START, START, START, Made(2.0), Made(3.0)]);
        // A new order, whose next reading but one comes after an outage: it had begun to count.
        check(CounterRule::Reset, &[1_000.0, 0.0, 5.0, 1_200.0], &[START, START, Made(5.0), Made(1_195.0)]);
        // A new order, which later becomes larger than the one before, in steps.
        check(CounterRule::Reset, &[100.0, 0.0, 60.0, 120.0], &[START, START, Made(60.0), Made(60.0)]);
    }

    #[test]
    fn a_rollover_is_told_from_a_restart() {
        use Gain::{Made, Set};
        let rule = CounterRule::Rollover(65_536.0);
        check(rule, &[65_534.0, 4.0], &[START, Made(6.0)]);
        check(rule, &[30_000.0, 5.0], &[START, Made(5.0)]);
        check(rule, &[30_000.0, 29_000.0], &[START, Set]);
        check(rule, &[70_000.0, 5.0], &[START, Made(5.0)]);
    }

    #[test]
    fn bad_readings_are_left_out() {
        use Gain::{Bad, Made};
        check(CounterRule::Monotonic, &[10.0, 3.0, 12.0], &[START, Bad, Made(2.0)]);
        check(CounterRule::Reset, &[10.0, -1.0, f64::NAN, 12.0], &[START, Bad, Bad, Made(2.0)]);
    }
}

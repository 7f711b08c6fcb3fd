//! The rules of values that hold and of counters that rise, one sample after the other: nothing is kept but sums, so that a
//! window of any length costs the same memory. [`super::aggregate`], SQL and down-sampling all follow series by these.

use crate::{
    Timestamp,
    definition::CounterRule,
    oee::{Counter, Gain},
    window::Window,
};

/// Follows what a series holds during a window: each known value holds until the next sample.
#[derive(Clone, Copy, Debug)]
pub struct Holding {
    window: Window,
    held: Option<(Timestamp, f64)>,
    known: u128,
    weighted: f64,
    nonzero: u128,
}

impl Holding {
    /// Follows through one window.
    pub fn new(window: Window) -> Self {
        Self { window, held: None, known: 0, weighted: 0.0, nonzero: 0 }
    }

    /// Takes the next sample in time order, those before the window included. None says that from then on nothing is known.
    pub fn push(&mut self, time: Timestamp, number: Option<f64>) {
        self.settle(time);
        self.held = number.map(|number| (time, number));
    }

    /// Ends the window: what is held now is held until its end.
    pub fn finish(&mut self) {
        self.settle(self.window.end);
        self.held = None;
    }

    fn settle(&mut self, until: Timestamp) {
        let Some((since, number)) = self.held else { return };
        let Some(span) = (Window { start: since, end: until }).intersection(&self.window) else { return };
        let nanos = span.span().as_nanos();
        self.known += nanos;
        self.weighted += number * nanos as f64;
        self.nonzero += if number == 0.0 { 0 } else { nanos };
    }

    /// The average weighted by time; none when no value was known at any time.
    pub fn average(&self) -> Option<f64> {
        (self.known > 0).then(|| self.weighted / self.known as f64)
    }

    /// Seconds in which the value was not 0, exact to the nanosecond; none when no value was known at any time.
    pub fn nonzero_seconds(&self) -> Option<f64> {
        (self.known > 0).then(|| self.nonzero as f64 / 1e9)
    }
}

/// Follows a counter through a window.
#[derive(Clone, Copy, Debug)]
pub struct Rising {
    window: Window,
    counter: Counter,
    gained: Option<f64>,
}

impl Rising {
    /// Follows through one window.
    pub fn new(window: Window, counter: CounterRule) -> Self {
        Self { window, counter: Counter::new(counter), gained: None }
    }

    /// Takes the next reading in time order, those before the window included; none is a Bad one.
    pub fn push(&mut self, time: Timestamp, reading: Option<f64>) {
        if time <= self.window.start {
            let read = reading.map(|reading| self.counter.read(reading));
            self.gained = read.filter(|read| *read != Gain::Bad).map(|_| 0.0);
            return;
        }
        let Some(reading) = reading.filter(|_| time <= self.window.end) else { return };
        let gained = self.gained.unwrap_or(0.0);
        match self.counter.read(reading) {
            Gain::Made(gain) => self.gained = Some(gained + gain),
            // What was made before it was set is not known, and nothing is guessed.
            Gain::Set => self.gained = Some(gained),
            Gain::Bad => {}
        }
    }

    /// What the counter gained since the reading carried in, or since the first one inside when there is none. None when it was
    /// Bad from the start to the end.
    pub fn gained(&self) -> Option<f64> {
        self.gained
    }
}

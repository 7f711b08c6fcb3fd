//! Pieces: what the counters gained, where in time it was made, and how long it should have taken.

use super::{
    Counter, Gain as Read, Lumps, OeeDefinition, OeeInputs,
    timeline::{Class, Segment, at, in_order},
};
use crate::{Timestamp, definition::CounterRule, window::Window};
use std::time::Duration;

/// Pieces of one counter inside planned busy time.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    /// How many; none when the counter says nothing.
    pub count: Option<f64>,
    /// Seconds they take at the ideal rate; none when it is not known for some of them.
    pub standard_seconds: Option<f64>,
    /// How many of them were made while the machine was starting up, and the seconds these take.
    pub startup: Option<(f64, Option<f64>)>,
    /// Parts of the window in which the counter is not known.
    pub missing: Vec<Window>,
}

/// What one reading added.
struct Gain {
    /// Since the reading before, or the start of the window.
    made: Window,
    pieces: f64,
}

/// What the machine is set to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Setting {
    /// Pieces per second; none when it is not known.
    rate: Option<f64>,
    startup: bool,
}

/// What the machine is set to, over time.
pub(super) struct Settings(Vec<(Timestamp, Setting)>);

impl Settings {
    /// The ideal rate of the product that is made, else the machine's own; and when it is starting up.
    pub fn new(definition: &OeeDefinition, inputs: &OeeInputs) -> Self {
        let rates = in_order(&inputs.ideal_rate);
        // A rate and a product are settings: Bad data does not unset them.
        let rates: Vec<(Timestamp, f64)> = rates.iter().filter_map(|(time, rate)| Some((*time, (*rate)?))).collect();
        let products = in_order(&inputs.product);
        let products: Vec<_> = products.iter().filter_map(|(time, product)| Some((*time, product.clone()?))).collect();
        let startup = in_order(&inputs.startup);
        let mut times: Vec<Timestamp> = rates.iter().map(|(time, _)| *time).collect();
        times.extend(products.iter().map(|(time, _)| *time));
        times.extend(startup.iter().map(|(time, _)| *time));
        times.sort_unstable();
        times.dedup();
        let valid = |rate: f64| Some(rate).filter(|rate| rate.is_finite() && *rate > 0.0);
        let setting = |time: Timestamp| {
            let listed = at(&products, time)
                .and_then(|product| definition.ideal_rates.iter().find(|(name, _)| **name == *product.trim()));
            let own = || at(&rates, time).and_then(|rate| valid(rate * definition.ideal_rate_per_second));
            let rate = listed.map_or_else(own, |(_, rate)| valid(*rate));
            Setting { rate, startup: at(&startup, time).copied().flatten() == Some(true) }
        };
        Self(times.into_iter().map(|time| (time, setting(time))).collect())
    }

    /// Pieces that could be made in a span at the ideal rate; none where it is not known.
    pub fn capacity(&self, span: Window) -> Option<f64> {
        self.parts(span).try_fold(0.0, |sum, (part, setting)| Some(sum + part.span().as_secs_f64() * setting.rate?))
    }

    fn ever_known(&self, until: Timestamp) -> bool {
        self.0.iter().any(|(time, setting)| *time <= until && setting.rate.is_some())
    }

    fn at(&self, time: Timestamp) -> Setting {
        at(&self.0, time).copied().unwrap_or_default()
    }

    /// A span in parts of one setting each.
    fn parts(&self, span: Window) -> impl Iterator<Item = (Window, Setting)> + '_ {
        let inside = self.0.partition_point(|(time, _)| *time <= span.start);
        let changes = self.0[inside..].iter().map(|(time, _)| *time).take_while(move |time| *time < span.end);
        let starts = std::iter::once(span.start).chain(changes.clone());
        let ends = changes.chain(std::iter::once(span.end));
        let parts = starts.zip(ends).filter(|(start, end)| start < end);
        parts.map(|(start, end)| (Window { start, end }, self.at(start)))
    }
}

/// Counts the pieces of one counter.
pub(super) fn count(
    readings: &[(Timestamp, Option<f64>)],
    rule: CounterRule,
    inputs: &OeeInputs,
    segments: &[Segment],
    settings: &Settings,
) -> Pieces {
    let (gains, missing, known) = gains(&in_order(readings), rule, inputs);
    if !known {
        return Pieces { missing, ..Pieces::default() };
    }
    let mut tally = Tally::default();
    for gain in gains.iter().filter(|gain| gain.pieces > 0.0) {
        spread(gain, inputs, segments, settings, &mut tally);
    }
    // Without a piece no rate is needed, but a machine that never had one has no performance.
    let rate_known = settings.ever_known(inputs.window.end);
    let seconds = |sum: &Sum| sum.seconds().filter(|_| rate_known);
    Pieces {
        count: Some(tally.all.pieces),
        standard_seconds: seconds(&tally.all),
        startup: Some((tally.startup.pieces, seconds(&tally.startup))),
        missing,
    }
}

/// The gains of a counter that reach into the window, where it is not known, and whether it is known at all.
fn gains(readings: &[(Timestamp, Option<f64>)], rule: CounterRule, inputs: &OeeInputs) -> (Vec<Gain>, Vec<Window>, bool) {
    let Window { start, end } = inputs.window;
    let begin = readings.partition_point(|(time, _)| *time <= start);
    let carried = &readings[..begin];
    let mut counter = Counter::new(rule);
    let mut before = None;
    for (time, reading) in carried {
        if let Some(reading) = reading
            && counter.read(*reading) != Read::Bad
        {
            before = Some(*time);
        }
    }
    let mut bad_since = match carried.last() {
        Some((_, Some(_))) => None,
        _ => Some(start),
    };
    let (mut gains, mut missing) = (Vec::new(), Vec::new());
    for (time, reading) in &readings[begin..] {
        let after_end = *time > end;
        if after_end && inputs.lumps == Lumps::Inside {
            break;
        }
        let read = reading.map_or(Read::Bad, |reading| counter.read(reading));
        match (read, before) {
            (Read::Bad, _) => {
                bad_since = bad_since.or(Some(*time));
                continue;
            }
            // What a counter gained over a gap is known once it reads again.
            (Read::Made(pieces), Some(since)) => {
                let since = if inputs.lumps == Lumps::Inside { start.max(since) } else { since };
                gains.push(Gain { made: Window { start: since, end: *time }, pieces });
            }
            (Read::Set, _) | (Read::Made(_), None) => {
                let since = before.map_or(start, |since| start.max(since));
                missing.push(Window { start: since, end: (*time).min(end) });
            }
        }
        before = Some(*time);
        bad_since = None;
        if after_end {
            break;
        }
    }
    let known = before.is_some() && bad_since.is_none_or(|since| since > start);
    missing.extend(bad_since.map(|since| Window { start: since, end }).filter(|gap| gap.start < gap.end));
    (gains, missing, known)
}

/// Spreads a gain evenly over the time the machine ran since the reading before; if it is not known to have run at all, over the
/// shift time of which nothing is known; and if there is none of that either, the pieces stay at their own time stamp.
fn spread(gain: &Gain, inputs: &OeeInputs, segments: &[Segment], settings: &Settings, tally: &mut Tally) {
    let first = segments.partition_point(|segment| segment.span.end <= gain.made.start);
    let touched = || segments[first..].iter().take_while(|segment| segment.span.start < gain.made.end);
    let ran: fn(&Segment) -> bool = |segment| segment.running == Some(true);
    let unknown: fn(&Segment) -> bool = |segment| segment.class == Class::Unknown && segment.running.is_none();
    for worked in [ran, unknown] {
        let parts = || {
            touched()
                .filter(|segment| worked(segment))
                .filter_map(|segment| Some((segment, segment.span.intersection(&gain.made)?)))
        };
        let whole: Duration = parts().map(|(_, span)| span.span()).sum();
        if whole.is_zero() {
            continue;
        }
        for (_, span) in parts().filter(|(segment, _)| segment.is_busy()) {
            let Some(span) = span.intersection(&inputs.window) else { continue };
            for (part, setting) in settings.parts(span) {
                let own = part.span();
                let share = if own == whole { 1.0 } else { own.as_nanos() as f64 / whole.as_nanos() as f64 };
                tally.add(gain.pieces * share, setting);
            }
        }
        return;
    }
    let own = gain.made.end;
    if inputs.window.contains(own) && inputs.scheduled.iter().any(|part| part.contains(own)) {
        tally.add(gain.pieces, settings.at(own));
    }
}

/// All pieces, and those of the start-up.
#[derive(Default)]
struct Tally {
    all: Sum,
    startup: Sum,
}

/// Pieces by rate, so that no mean of rates is ever taken.
#[derive(Default)]
struct Sum {
    pieces: f64,
    by_rate: Vec<(f64, f64)>,
    rate_unknown: bool,
}

impl Tally {
    fn add(&mut self, pieces: f64, setting: Setting) {
        self.all.add(pieces, setting.rate);
        if setting.startup {
            self.startup.add(pieces, setting.rate);
        }
    }
}

impl Sum {
    fn add(&mut self, pieces: f64, rate: Option<f64>) {
        self.pieces += pieces;
        match (rate, self.by_rate.last_mut()) {
            (Some(rate), Some((last, sum))) if *last == rate => *sum += pieces,
            (Some(rate), _) => self.by_rate.push((rate, pieces)),
            (None, _) => self.rate_unknown = true,
        }
    }

    fn seconds(&self) -> Option<f64> {
        (!self.rate_unknown).then(|| self.by_rate.iter().fold(0.0, |sum, (rate, pieces)| sum + pieces / rate))
    }
}

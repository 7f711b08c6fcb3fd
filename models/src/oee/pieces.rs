//! Pieces: what the counters gained, where in time it was made, and how long it should have taken.

use super::{
    Lumps, OeeDefinition, OeeInputs,
    timeline::{Class, Segment, at, in_order},
};
use crate::{Timestamp, definition::CounterRule, window::Window};

/// Pieces of one counter inside planned busy time.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    /// How many; none when the counter says nothing.
    pub count: Option<f64>,
    /// Seconds they take at the ideal rate; none when it is not known for some of them.
    pub standard_seconds: Option<f64>,
    /// Parts of the window in which the counter is not known.
    pub missing: Vec<Window>,
}

/// What one reading added.
struct Gain {
    /// Since the reading before, or the start of the window.
    made: Window,
    pieces: f64,
}

/// The ideal rate in pieces per second; none from where it is set to something that is no rate.
pub(super) fn rates(definition: &OeeDefinition, inputs: &OeeInputs) -> Vec<(Timestamp, Option<f64>)> {
    let per_second = |rate: f64| Some(rate * definition.ideal_rate_per_second).filter(|rate| rate.is_finite() && *rate > 0.0);
    in_order(&inputs.ideal_rate).iter().filter_map(|(time, rate)| rate.map(|rate| (*time, per_second(rate)))).collect()
}

/// Counts the pieces of one counter.
pub(super) fn count(
    readings: &[(Timestamp, Option<f64>)],
    rule: CounterRule,
    inputs: &OeeInputs,
    segments: &[Segment],
    rates: &[(Timestamp, Option<f64>)],
) -> Pieces {
    let (gains, missing, known) = gains(&in_order(readings), rule, inputs);
    if !known {
        return Pieces { missing, ..Pieces::default() };
    }
    let mut tally = Tally::default();
    for gain in gains.iter().filter(|gain| gain.pieces > 0.0) {
        spread(gain, inputs, segments, rates, &mut tally);
    }
    // Without a piece no rate is needed, but a machine that never had one has no performance.
    let ever_known = rates.iter().any(|(time, rate)| *time <= inputs.window.end && rate.is_some());
    let rate_known = ever_known && !tally.rate_unknown;
    Pieces { count: Some(tally.pieces), standard_seconds: rate_known.then(|| tally.standard_seconds()), missing }
}

/// The gains of a counter that reach into the window, where it is not known, and whether it is known at all.
fn gains(readings: &[(Timestamp, Option<f64>)], rule: CounterRule, inputs: &OeeInputs) -> (Vec<Gain>, Vec<Window>, bool) {
    let Window { start, end } = inputs.window;
    let begin = readings.partition_point(|(time, _)| *time <= start);
    let carried = &readings[..begin];
    let mut before = carried.iter().rev().find_map(|(time, reading)| reading.map(|reading| (*time, reading)));
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
        let gain = match (before, reading) {
            (_, None) => None,
            (None, Some(_)) => Some(0.0),
            (Some((_, before)), Some(reading)) => rule.gain(before, *reading),
        };
        let (Some(reading), Some(pieces)) = (reading, gain) else {
            bad_since = bad_since.or(Some(*time));
            continue;
        };
        match before {
            // What a counter gained over a gap is known once it reads again.
            Some((since, _)) => {
                let since = if inputs.lumps == Lumps::Inside { since.max(start) } else { since };
                gains.push(Gain { made: Window { start: since, end: *time }, pieces });
            }
            None => missing.push(Window { start, end: (*time).min(end) }),
        }
        before = Some((*time, *reading));
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
fn spread(gain: &Gain, inputs: &OeeInputs, segments: &[Segment], rates: &[(Timestamp, Option<f64>)], tally: &mut Tally) {
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
        let whole: u128 = parts().map(|(_, span)| span.span().as_nanos()).sum();
        if whole == 0 {
            continue;
        }
        for (_, span) in parts().filter(|(segment, _)| segment.is_busy()) {
            let Some(span) = span.intersection(&inputs.window) else { continue };
            for (part, rate) in by_rate(span, rates) {
                let nanos = part.span().as_nanos();
                let share = if nanos == whole { 1.0 } else { nanos as f64 / whole as f64 };
                tally.add(gain.pieces * share, rate);
            }
        }
        return;
    }
    let own = gain.made.end;
    if inputs.window.contains(own) && inputs.scheduled.iter().any(|part| part.contains(own)) {
        tally.add(gain.pieces, at(rates, own).copied().flatten());
    }
}

/// A span in parts of one rate each.
fn by_rate(span: Window, rates: &[(Timestamp, Option<f64>)]) -> impl Iterator<Item = (Window, Option<f64>)> + '_ {
    let inside = rates.partition_point(|(time, _)| *time <= span.start);
    let changes = rates[inside..].iter().map(|(time, _)| *time).take_while(move |time| *time < span.end);
    let starts = std::iter::once(span.start).chain(changes.clone());
    let ends = changes.chain(std::iter::once(span.end));
    starts.zip(ends).filter(|(start, end)| start < end).map(|(start, end)| {
        let rate = at(rates, start).copied().flatten();
        (Window { start, end }, rate)
    })
}

/// Pieces by rate, so that no mean of rates is ever taken.
#[derive(Default)]
struct Tally {
    pieces: f64,
    by_rate: Vec<(f64, f64)>,
    rate_unknown: bool,
}

impl Tally {
    fn add(&mut self, pieces: f64, rate: Option<f64>) {
        self.pieces += pieces;
        match (rate, self.by_rate.last_mut()) {
            (Some(rate), Some((last, sum))) if *last == rate => *sum += pieces,
            (Some(rate), _) => self.by_rate.push((rate, pieces)),
            (None, _) => self.rate_unknown = true,
        }
    }

    fn standard_seconds(&self) -> f64 {
        self.by_rate.iter().map(|(rate, pieces)| pieces / rate).sum()
    }
}

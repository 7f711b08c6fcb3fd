//! Aggregates that weigh values by time and need more than sums: lines between samples, and deviations.

use super::AggregateInput;
use crate::{Timestamp, window::Window};

/// A stretch of the window between two samples: what began it, what ends it, and the part inside the window.
struct Stretch {
    from: (Timestamp, f64),
    to: Option<(Timestamp, f64)>,
    inside: Window,
}

/// The stretches of a window in which something is known.
fn stretches<'i>(input: &'i AggregateInput<'_>) -> impl Iterator<Item = Stretch> + 'i {
    let window = input.window;
    let samples = &input.samples[..input.samples.partition_point(|(time, _)| *time <= window.end)];
    samples.iter().enumerate().filter_map(move |(index, (time, value))| {
        let from = (*time, value.as_f64()?);
        let next = samples.get(index + 1);
        let to = next.and_then(|(time, value)| Some((*time, value.as_f64()?)));
        let span = Window { start: *time, end: next.map_or(window.end, |(time, _)| *time) };
        Some(Stretch { from, to, inside: span.intersection(&window)? })
    })
}

/// Mean of the line drawn from sample to sample. What was carried in begins the line, what is last holds until the end.
pub(super) fn linear(input: &AggregateInput<'_>) -> Option<f64> {
    let (mut area, mut known) = (0.0, 0.0);
    for Stretch { from, to, inside } in stretches(input) {
        let nanos = inside.span().as_nanos() as f64;
        let at = |time: Timestamp| match to {
            Some(to) if to.0 > from.0 => {
                let share = (time.as_nanos() - from.0.as_nanos()) as f64 / (to.0.as_nanos() - from.0.as_nanos()) as f64;
                from.1 + (to.1 - from.1) * share
            }
            _ => from.1,
        };
        area += f64::midpoint(at(inside.start), at(inside.end)) * nanos;
        known += nanos;
    }
    (known > 0.0).then(|| area / known)
}

/// Standard deviation of values weighted by how long each held: of the whole time, not of a sample of it.
pub(super) fn deviation(input: &AggregateInput<'_>) -> Option<f64> {
    let (mut weight, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for Stretch { from, inside, .. } in stretches(input) {
        let nanos = inside.span().as_nanos() as f64;
        if nanos > 0.0 {
            weight += nanos;
            let before = from.1 - mean;
            mean += before * nanos / weight;
            squares += nanos * before * (from.1 - mean);
        }
    }
    (weight > 0.0).then(|| (squares / weight).sqrt())
}

//! Which windows and which single points make up a span of time.

use super::Resolution;

/// Windows lie between whole days this far from the epoch, in 1677 and 2262: beyond, their borders could not be said.
const LIMIT: i64 = 106_750 * 86_400_000_000_000;

/// A span of time, both ends included, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first instant.
    pub from: i64,
    /// The last instant.
    pub to: i64,
}

/// Windows and points that hold all rows of a span once. They may hold one more, exactly at the instant behind the span, and the
/// windows may hold rows of the minute before it: whoever uses them applies the conditions on time to the pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Resolution, first and last end in microseconds.
    pub windows: Vec<(Resolution, i64, i64)>,
    /// First and last instant in nanoseconds.
    pub points: Vec<(i64, i64)>,
}

impl Span {
    /// All time.
    pub const ALL: Self = Self { from: i64::MIN, to: i64::MAX };

    /// In microseconds, rounded outwards.
    pub fn micros(&self) -> (i64, i64) {
        (self.from.div_euclid(1_000), self.to.div_euclid(1_000) + 1)
    }

    /// The windows of at most a resolution, and the points at the edges that fill no minute.
    pub fn parts(&self, coarsest: Resolution) -> Parts {
        let mut parts = Parts::default();
        if self.from < -LIMIT {
            parts.points.push((self.from, self.to.min(-LIMIT)));
        }
        if self.to > LIMIT {
            parts.points.push((self.from.max(LIMIT + 1), self.to));
        }
        Self { from: self.from.max(-LIMIT + 1), to: self.to.min(LIMIT) }.cut(coarsest, &mut parts);
        parts
    }

    fn cut(&self, coarsest: Resolution, parts: &mut Parts) {
        let minute = Resolution::Minute.micros() * 1_000;
        if self.from > self.to {
            return;
        }
        // A minute is usable when the instants between its borders lie inside.
        let start = -(-(self.from - 1)).div_euclid(minute) * minute;
        let end = (self.to + 1).div_euclid(minute) * minute;
        if start >= end {
            parts.points.push((self.from, self.to));
            return;
        }
        if self.from == start {
            // The row at the border is the last one of the minute before.
            parts.windows.push((Resolution::Minute, start / 1_000, start / 1_000));
        } else if self.from <= start {
            parts.points.push((self.from, start));
        }
        if self.to > end {
            parts.points.push((end + 1, self.to));
        }
        cover(coarsest, start / 1_000, end / 1_000, &mut parts.windows);
    }
}

/// Windows from one border to another, in microseconds: the coarsest in the middle, finer ones at the edges.
fn cover(resolution: Resolution, start: i64, end: i64, windows: &mut Vec<(Resolution, i64, i64)>) {
    if start >= end {
        return;
    }
    let length = resolution.micros();
    let first = -(-start).div_euclid(length) * length;
    let last = end.div_euclid(length) * length;
    let Some(finer) = resolution.finer() else {
        windows.push((resolution, start + length, end));
        return;
    };
    if first >= last {
        return cover(finer, start, end, windows);
    }
    cover(finer, start, first, windows);
    windows.push((resolution, first + length, last));
    cover(finer, last, end, windows);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Each instant of the span is in exactly one part.
        #[test]
        fn parts_hold_every_instant_once(
            from in -400_000_i64..400_000, length in 0_i64..400_000, nanos in -1_i64..=1, more in -1_i64..=1, grid in 0_usize..4,
        ) {
            let second = 1_000_000_000;
            let unit = [second, 60 * second, 900 * second, 3_600 * second][grid];
            let span = Span { from: from / 60 * unit + nanos, to: (from + length) / 60 * unit + more };
            for coarsest in Resolution::ALL {
                let parts = span.parts(coarsest);
                let borders = parts.windows.iter().flat_map(|(resolution, first, last)| {
                    [(first - resolution.micros()) * 1_000, last * 1_000]
                });
                let edges = parts.points.iter().flat_map(|(from, to)| [*from, *to]);
                for instant in borders.chain(edges).chain([span.from, span.to]).flat_map(|at| [at - 1, at, at + 1]) {
                    let windows = parts.windows.iter().filter(|(resolution, first, last)| {
                        let end = resolution.end_of(instant);
                        *first <= end && end <= *last
                    });
                    let points = parts.points.iter().filter(|(from, to)| *from <= instant && instant <= *to);
                    let times = windows.count() + points.count();
                    let expected = usize::from(span.from <= instant && instant <= span.to);
                    prop_assert!(times == expected || (expected == 0 && times == 1 && !parts.windows.is_empty()), "{instant} {times} {span:?} {parts:?}");
                    if expected == 0 && times == 1 {
                        // Only as a piece of its own, or as part of a minute that the conditions on time leave out.
                        let lone = instant == span.to + 1 || instant <= span.from;
                        prop_assert!(lone, "{instant} {span:?} {parts:?}");
                    }
                }
            }
        }
    }
}

//! What to write so that a value holds in exactly one span of a series whose values hold until the next one.

use crate::{Timestamp, Tqv, Value, window::Window};
use std::time::Duration;

/// A value that holds for longer is stated again so often: metrics look 45 days back for what holds at the start of a window.
pub const RESTATE: Duration = Duration::from_secs(30 * 86_400);

/// How a series becomes another one in a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay {
    /// What to write, in order of time.
    pub values: Vec<Tqv>,
    /// Where another value holds than before, in order of time; empty if it was so already.
    pub changed: Vec<Window>,
    /// What held there before, in order of time, no value twice in a row.
    pub before: Vec<Value>,
}

/// Says what to write so that `value` holds from the start of a span on, up to its end. `stored` are the values of the series in
/// order of time, from the last one at or before the span's start to the last one at or before its end; `otherwise` holds before
/// the first of them.
pub fn overlay(stored: &[Tqv], otherwise: &Value, span: Window, value: &Value) -> Overlay {
    let held = |time: Timestamp| stored.iter().rev().find(|tqv| tqv.time <= time).map_or(otherwise, |tqv| &tqv.value);
    let inside = stored.iter().map(|tqv| tqv.time).filter(|time| span.start < *time && *time < span.end);
    let mut starts: Vec<Timestamp> = [span.start].into_iter().chain(inside).collect();
    starts.dedup();
    let mut overlay = Overlay::default();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(span.end);
        let before = held(*start);
        if before != value {
            overlay.change(Window { start: *start, end }, before);
        }
    }
    if overlay.changed.is_empty() {
        return overlay;
    }
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(span.end);
        let mut time = *start;
        while time < end {
            overlay.values.push(Tqv::good(time, value.clone()));
            time = time + RESTATE;
        }
    }
    if stored.iter().all(|tqv| tqv.time != span.end) && held(span.end) != value {
        overlay.values.push(Tqv::good(span.end, held(span.end).clone()));
    }
    overlay
}

impl Overlay {
    fn change(&mut self, span: Window, before: &Value) {
        match self.changed.last_mut() {
            Some(last) if last.end == span.start => last.end = span.end,
            _ => self.changed.push(span),
        }
        if self.before.last() != Some(before) {
            self.before.push(before.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(second)
    }

    fn stored(values: &[(i64, i64)]) -> Vec<Tqv> {
        values.iter().map(|(second, value)| Tqv::good(at(*second), (*value).into())).collect()
    }

    /// What is written and where it changes something, as text.
    fn check(values: &[(i64, i64)], (start, end): (i64, i64), value: i64) -> String {
        let overlay = overlay(&stored(values), &Value::from(0), Window { start: at(start), end: at(end) }, &Value::from(value));
        let seconds = |time: Timestamp| time.as_millis() / 1_000;
        let written: Vec<String> = overlay.values.iter().map(|tqv| format!("{}={}", seconds(tqv.time), tqv.value)).collect();
        let changed: Vec<String> =
            overlay.changed.iter().map(|span| format!("{}..{}", seconds(span.start), seconds(span.end))).collect();
        let before: Vec<String> = overlay.before.iter().map(Value::to_string).collect();
        format!("{} | {} | {}", written.join(" "), changed.join(" "), before.join(" "))
    }

    #[test]
    fn a_value_takes_exactly_its_span() {
        assert_eq!(check(&[(0, 1)], (10, 20), 5), "10=5 20=1 | 10..20 | 1", "what held before goes on");
        assert_eq!(check(&[(0, 1), (15, 2)], (10, 20), 5), "10=5 15=5 20=2 | 10..20 | 1 2");
        assert_eq!(check(&[(0, 1), (20, 2)], (10, 20), 5), "10=5 | 10..20 | 1", "another value begins there anyway");
        assert_eq!(check(&[], (10, 20), 5), "10=5 20=0 | 10..20 | 0", "before the first value holds what the definition says");
        assert_eq!(check(&[(0, 1), (15, 5)], (10, 20), 5), "10=5 15=5 | 10..15 | 1", "it held for a part of it already");
        assert_eq!(check(&[(0, 5)], (10, 20), 5), " |  | ", "it was so already");
        let month = RESTATE.as_secs() as i64;
        assert_eq!(check(&[(0, 1)], (0, month + 1), 5), format!("0=5 {month}=5 {}=1 | 0..{} | 1", month + 1, month + 1));
    }

    proptest! {
        #[test]
        fn inside_the_new_value_holds_and_outside_what_held(
            values in proptest::collection::btree_map(0_i64..60, 0_i64..4, 0..12),
            start in 0_i64..59, length in 1_i64..40, value in 0_i64..4,
        ) {
            let known: Vec<(i64, i64)> = values.into_iter().collect();
            let (span, mut after) = (Window { start: at(start), end: at(start + length) }, BTreeMap::new());
            let all = stored(&known);
            let first = all.iter().rposition(|tqv| tqv.time <= span.start).unwrap_or(0);
            let last = all.iter().rposition(|tqv| tqv.time <= span.end).map_or(0, |last| last + 1);
            let overlay = overlay(&all[first.min(last)..last], &Value::from(0), span, &Value::from(value));
            after.extend(all.iter().cloned().map(|tqv| (tqv.time, tqv.value)));
            after.extend(overlay.values.iter().cloned().map(|tqv| (tqv.time, tqv.value)));
            let held = |known: &BTreeMap<Timestamp, Value>, second: i64| {
                known.range(..=at(second)).next_back().map_or(Value::from(0), |(_, value)| value.clone())
            };
            let before: BTreeMap<_, _> = all.into_iter().map(|tqv| (tqv.time, tqv.value)).collect();
            for second in 0..110 {
                let inside = (start..start + length).contains(&second);
                let expected = if inside { Value::from(value) } else { held(&before, second) };
                prop_assert_eq!(held(&after, second), expected, "at {}", second);
                let changed = overlay.changed.iter().any(|span| span.start <= at(second) && at(second) < span.end);
                prop_assert_eq!(changed, held(&before, second) != held(&after, second), "at {}", second);
            }
        }
    }
}

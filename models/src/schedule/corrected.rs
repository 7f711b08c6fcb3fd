//! What values of the past that somebody made others mean for closed windows.

use super::{Documents, Schedule, order::Feed};
use crate::correction::Reached;
use std::time::Duration;

impl Schedule {
    /// Takes values of the past that somebody made others. They touch all closed windows in which they lie or hold, and no more.
    pub fn corrected(&mut self, reached: &Reached) -> Documents {
        let Some(feeds) = self.feeds.get(&reached.series) else { return Documents::new() };
        let (holds, inside): (Vec<Feed>, Vec<Feed>) = feeds.iter().cloned().partition(|feed| feed.carried);
        // A value at the end of a window belongs to it.
        let cause = &reached.cause;
        let from = reached.values.start - Duration::from_nanos(1);
        let mut documents = self.touch_span(&inside, from, Some(reached.values.end), cause);
        documents.extend(self.touch_span(&holds, from, reached.until, cause));
        documents
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Stage, at, series};
    use crate::{correction::Reached, window::Window};

    /// What becomes due after values of Press A from `first` to `last` changed, the last of which holds until `until`.
    fn check(property: &str, (first, last): (i64, i64), until: Option<i64>) -> String {
        let mut stage = Stage::new(7_200);
        let reached = Reached {
            series: series(&stage.catalog, "Line 1/Press A", property),
            values: Window { start: at(first), end: at(last) },
            until: until.map(at),
            cause: "a correction".into(),
        };
        let documents = stage.schedule.corrected(&reached);
        stage.keep(documents);
        // A crash in between forgets nothing.
        stage.restart(7_200);
        stage.due(7_201)
    }

    #[test]
    fn windows_in_which_changed_values_lie_are_computed_again_and_no_others() {
        assert_eq!(check("temp", (700, 700), Some(2_000)), "press 5m 900", "an average reads its own window alone");
        assert_eq!(check("temp", (700, 1_300), None), "press 5m 900,1200,1500");
        assert_eq!(check("temp", (600, 600), Some(700)), "press 5m 600", "a value at the end of a window belongs to it");
        assert_eq!(check("temp", (7_300, 7_300), None), "", "an open window is computed when it closes");
    }
}

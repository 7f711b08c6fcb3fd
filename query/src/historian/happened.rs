//! The events that are not in files, found by what they are about: a question about one instance does not go through those of all others.

use crate::table::asked::{About, Asked};
use andon_models::{Timestamp, event::Event};
use std::{collections::HashMap, sync::Arc};

/// An event with the number of its log record.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What happened.
    pub event: Arc<Event>,
    /// The log record it came with.
    pub record: u64,
}

/// Events in the order they came, with the places of each text that people ask for. The index is bounded as the events are: it has four
/// places for each.
#[derive(Debug, Default)]
pub struct Happened {
    events: Vec<Stored>,
    places: [HashMap<Arc<str>, Vec<u32>>; About::ALL.len()],
    newest: Option<Timestamp>,
}

impl Happened {
    /// Takes an event.
    pub fn push(&mut self, stored: Stored) {
        // More than four billion do not fit into the memory that starts a flush.
        let place = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        for (about, places) in About::ALL.into_iter().zip(&mut self.places) {
            let text = about.of(&stored.event);
            match places.get_mut(&*text) {
                Some(known) => known.push(place),
                None => drop(places.insert(text.into(), vec![place])),
            }
        }
        self.newest = self.newest.max(Some(stored.event.time));
        self.events.push(stored);
    }

    /// All of them, in the order they came.
    pub fn all(&self) -> &[Stored] {
        &self.events
    }

    /// The time of the newest.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// Those that a question may mean, in the order they came, and how many were looked at for it.
    pub fn find(&self, asked: &Asked) -> (Vec<Stored>, usize) {
        let Some(places) = self.places_of(asked) else {
            let found = self.events.iter().filter(|stored| asked.means(&stored.event));
            return (found.cloned().collect(), self.events.len());
        };
        let found = places.iter().map(|place| &self.events[*place as usize]).filter(|stored| asked.means(&stored.event));
        (found.cloned().collect(), places.len())
    }

    /// The fewest places that hold all that is asked for; none when nothing but time is asked for.
    fn places_of(&self, asked: &Asked) -> Option<Vec<u32>> {
        let lists = About::ALL.into_iter().zip(&self.places).filter_map(|(about, places)| {
            let texts = asked.texts(about)?;
            Some(texts.iter().filter_map(|text| places.get(&**text)).collect::<Vec<_>>())
        });
        let fewest = lists.min_by_key(|lists| lists.iter().map(|list| list.len()).sum::<usize>())?;
        let mut places: Vec<u32> = fewest.into_iter().flatten().copied().collect();
        places.sort_unstable();
        Some(places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{
        AssetId, EventId,
        event::{Deed, EventBody, SystemNotice},
    };
    use datafusion::prelude::{Expr, col, lit};

    fn event(number: i64, path: &str, detector: &str, deed: bool) -> Event {
        let body = match deed {
            true => EventBody::Deed(Deed { by: "kim".into(), verb: "note".into(), detail: "".into(), hour: None }),
            false => EventBody::System(SystemNotice { subject: "log".into(), level: "info".into(), message: "".into() }),
        };
        Event {
            id: EventId::from_name(&number.to_string()),
            time: Timestamp::from_seconds(number),
            asset: (!path.is_empty()).then(|| AssetId::from_name(path)),
            asset_path: path.into(),
            detector: detector.into(),
            body,
        }
    }

    /// Some instances with ten events each, every tenth a deed, and one event of nothing.
    fn happened(instances: i64) -> Happened {
        let mut happened = Happened::default();
        for number in 0..instances * 10 {
            let path = format!("M-{}", number % instances);
            let stored = Stored { event: Arc::new(event(number, &path, "motor", number % 10 == 0)), record: 1 };
            happened.push(stored);
        }
        happened.push(Stored { event: Arc::new(event(-1, "", "", false)), record: 2 });
        happened
    }

    fn find(happened: &Happened, conditions: &[Expr]) -> (Vec<i64>, usize) {
        let (found, looked_at) = happened.find(&Asked::of(conditions));
        (found.iter().map(|stored| stored.event.time.as_nanos() / 1_000_000_000).collect(), looked_at)
    }

    #[test]
    fn what_is_looked_at_does_not_grow_with_the_events_of_others() {
        for instances in [7, 4_000] {
            let happened = happened(instances);
            let expected: Vec<i64> = (0..10).map(|round| 3 + round * instances).collect();
            let of_one = [col("asset").eq(lit("M-3")), col("detector").eq(lit("motor"))];
            assert_eq!(find(&happened, &of_one), (expected.clone(), 10), "{instances} instances");
            let id = AssetId::from_name("M-3").to_string();
            assert_eq!(find(&happened, &[col("asset_id").eq(lit(id))]), (expected, 10));
            assert_eq!(find(&happened, &[col("asset").is_null()]), (vec![-1], 1));
            assert_eq!(find(&happened, &[col("asset").eq(lit("M-9999"))]), (vec![], 0));
            assert_eq!(find(&happened, &[lit(true)]).1, instances as usize * 10 + 1, "nothing is asked for");
        }
        let deeds = find(&happened(50), &[col("kind").in_list(vec![lit("deed"), lit("alarm")], false)]);
        assert_eq!(deeds, ((0..50).map(|number| number * 10).collect(), 50));
        let two = find(&happened(50), &[col("asset").eq(lit("M-3")).or(lit("M-1").eq(col("asset")))]);
        assert_eq!((&two.0[..3], two.1), (&[1, 3, 51][..], 20), "in the order they came");
    }
}

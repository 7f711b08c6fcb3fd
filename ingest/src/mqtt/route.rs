//! Which tags a topic feeds: by the source's topic pattern and the tag's machine, or by the tag's own topic.

use andon_models::{TagId, address::Address, catalog::Tag, definition::TopicPattern};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// Topics whose tags are remembered: more than a plant has; a broker that invents topics does not fill the memory.
const REMEMBERED: usize = 10_000;

/// The tags of one source by topic.
pub(super) struct Routes {
    pattern: TopicPattern,
    tags: Vec<(Tag, Arc<str>)>,
    /// Filters of messages for detectors.
    inputs: Vec<String>,
    remembered: HashMap<Arc<str>, Arc<[usize]>>,
}

impl Routes {
    pub fn new(pattern: TopicPattern, tags: Vec<Tag>, asset_paths: &HashMap<TagId, Arc<str>>, inputs: Vec<String>) -> Self {
        let with_paths = tags.into_iter().map(|tag| {
            let path = asset_paths.get(&tag.id).cloned().unwrap_or_default();
            (tag, path)
        });
        Self { pattern, tags: with_paths.collect(), inputs, remembered: HashMap::new() }
    }

    /// The filters to subscribe to.
    pub fn filters(&self) -> Vec<String> {
        let own = self.tags.iter().filter_map(|(tag, _)| own_topic(tag)).map(str::to_owned);
        let mut filters: BTreeSet<_> = own.chain(self.inputs.iter().cloned()).collect();
        if filters.is_empty() || self.tags.iter().any(|(tag, _)| own_topic(tag).is_none()) {
            filters.insert(self.pattern.filter());
        }
        filters.into_iter().collect()
    }

    /// The tags that a message on a topic feeds, with the path of each in the payload.
    pub fn tags(&mut self, topic: &str) -> impl Iterator<Item = (&Tag, &str)> {
        let found = match self.remembered.get(topic) {
            Some(found) => found.clone(),
            None => self.find(topic),
        };
        let tags = &self.tags;
        (0..found.len()).filter_map(move |index| {
            let (tag, _) = &tags[found[index]];
            match &tag.address {
                Address::Mqtt(address) => Some((tag, &*address.path)),
                _ => None,
            }
        })
    }

    fn find(&mut self, topic: &str) -> Arc<[usize]> {
        let feeds = |(tag, asset_path): &(Tag, Arc<str>)| match own_topic(tag) {
            Some(filter) => filter_takes(filter, topic),
            None => self.pattern.is_about(topic, asset_path),
        };
        let found: Arc<[usize]> = (0..self.tags.len()).filter(|index| feeds(&self.tags[*index])).collect();
        if self.remembered.len() >= REMEMBERED {
            self.remembered.clear();
        }
        self.remembered.insert(topic.into(), found.clone());
        found
    }
}

/// Which tags read what on a topic, for whoever looks at the broker. The collector has routes of its own.
pub(super) struct Routing {
    pattern: TopicPattern,
    routes: Mutex<Routes>,
}

impl Routing {
    pub fn new(pattern: TopicPattern, tags: Vec<Tag>, asset_paths: &HashMap<TagId, Arc<str>>) -> Self {
        let routes = Mutex::new(Routes::new(pattern.clone(), tags, asset_paths, Vec::new()));
        Self { pattern, routes }
    }

    /// Whether the source's own pattern takes a topic.
    pub fn takes(&self, topic: &str) -> bool {
        self.pattern.captures(topic).is_some()
    }

    /// The tags that read a path of the payloads on a topic.
    pub fn tags(&self, topic: &str, path: &str) -> Vec<TagId> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let reads = routes.tags(topic).filter(|(_, read)| steps(read).eq(steps(path)));
        reads.map(|(tag, _)| tag.id).collect()
    }
}

/// The steps of a path, however it is written: `lines[0].speed` and `lines.0.speed` are the same.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split(['.', '[', ']']).filter(|step| !step.is_empty())
}

fn own_topic(tag: &Tag) -> Option<&str> {
    match &tag.address {
        Address::Mqtt(address) => address.topic.as_deref(),
        _ => None,
    }
}

/// Whether a topic filter with `+` and `#` takes a topic (MQTT 5 section 4.7).
fn filter_takes(filter: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    for expected in filter.split('/') {
        match (expected, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (expected, Some(level)) if expected == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use andon_models::{ValueType, address::MqttAddress};

    fn tag(id: u32, topic: Option<&str>) -> Tag {
        let address = MqttAddress { topic: topic.map(Into::into), path: "kw".into() };
        testing::tag(id, Address::Mqtt(address), ValueType::Double, true)
    }

    fn routes() -> Routes {
        let paths = [(0, "Line 1/Filler 1"), (1, "Line 2/Filler 1"), (2, "Line 2/Capper 2"), (3, "Site")];
        let paths = paths.into_iter().map(|(id, path)| (TagId(id), Arc::from(path))).collect();
        let tags = vec![tag(0, None), tag(1, None), tag(2, None), tag(3, Some("site/+/air"))];
        Routes::new("plant/{line}/{asset}/energy".parse().unwrap(), tags, &paths, Vec::new())
    }

    fn check(routes: &mut Routes, topic: &str, expected: &[u32]) {
        let tags: Vec<_> = routes.tags(topic).map(|(tag, _)| tag.id.0).collect();
        assert_eq!(tags, expected, "{topic}");
    }

    #[test]
    fn a_topic_finds_the_tags_of_its_machine() {
        let mut routes = routes();
        assert_eq!(routes.filters(), ["plant/+/+/energy", "site/+/air"]);
        for _ in 0..2 {
            check(&mut routes, "plant/line_1/filler_1/energy", &[0]);
            check(&mut routes, "plant/LINE-2/filler1/energy", &[1]);
            check(&mut routes, "plant/line_2/capper_2/energy", &[2]);
            check(&mut routes, "plant/line_3/filler_1/energy", &[]);
            check(&mut routes, "site/north/air", &[3]);
        }
    }

    #[test]
    fn filters() {
        assert!(filter_takes("a/#", "a/b/c"));
        assert!(filter_takes("a/#", "a"));
        assert!(filter_takes("a/+/c", "a/b/c"));
        assert!(!filter_takes("a/+", "a/b/c"));
        assert!(!filter_takes("a/b", "a"));
    }

    #[test]
    fn a_broker_that_invents_topics_does_not_fill_the_memory() {
        let mut routes = routes();
        (0..2 * REMEMBERED).for_each(|topic| check(&mut routes, &format!("invented/{topic}"), &[]));
        assert!(routes.remembered.len() <= REMEMBERED);
    }
}

//! The simulated plant as the fast production of history sees it: by tag.

use crate::service::history::{FastPlant, sample};
use andon_fixtures::Simulation;
use andon_models::{Sample, TagId, Timestamp, Value, catalog::Catalog};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

/// Joins the simulation's points with the catalog's tags, by source and address.
pub struct DemoPlant {
    simulation: Arc<Mutex<Simulation>>,
    tag_of_point: Vec<Option<TagId>>,
    point_of_tag: HashMap<TagId, usize>,
    changes: Vec<(usize, Timestamp, Value)>,
}

impl DemoPlant {
    /// Binds every point that the plant file names.
    pub fn new(catalog: &Catalog, simulation: Arc<Mutex<Simulation>>) -> Self {
        let tags: HashMap<(String, String), (TagId, bool)> = catalog
            .tags()
            .iter()
            .map(|tag| ((tag.source.to_string(), simulated_address(catalog, tag)), (tag.id, tag.read)))
            .collect();
        let (mut tag_of_point, mut point_of_tag) = (Vec::new(), HashMap::new());
        if let Ok(simulation) = simulation.lock() {
            for (index, point) in simulation.points().iter().enumerate() {
                let bound = tags.get(&(point.source.to_string(), point.address.clone()));
                tag_of_point.push(bound.filter(|(_, read)| *read).map(|(tag, _)| *tag));
                if let Some((tag, _)) = bound {
                    point_of_tag.insert(*tag, index);
                }
            }
        }
        Self { simulation, tag_of_point, point_of_tag, changes: Vec::new() }
    }
}

impl FastPlant for DemoPlant {
    fn advance(&mut self, to: Timestamp, changes: &mut Vec<Sample>) {
        let Ok(mut simulation) = self.simulation.lock() else { return };
        simulation.advance(to);
        self.changes.clear();
        simulation.changed(&mut self.changes);
        let bound = self.changes.drain(..).filter_map(|(point, time, value)| Some(sample(self.tag_of_point[point]?, time, value)));
        changes.extend(bound);
    }

    fn write(&mut self, tag: TagId, value: &Value) -> Result<(), String> {
        let point = self.point_of_tag.get(&tag).ok_or("the simulated plant has no such point")?;
        self.simulation.lock().map_err(|_| "the simulation has panicked")?.write(*point, value.clone())
    }
}

//! The simulated plant as the fast production of history sees it: by tag.

use crate::service::{
    Opened,
    history::{FastPlant, sample},
};
use andon_fixtures::{SimulatedPoint, Simulation};
use andon_models::{
    Sample, TagId, Timestamp, Value,
    catalog::{Catalog, Tag},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Who stands at the line, shift by shift.
const CREW: [&str; 4] = ["a.lang", "m.huber", "s.yilmaz", "t.novak"];
const SHIFT_SECONDS: i64 = 8 * 3_600;

/// Joins the simulation's points with the catalog's tags, by asset and property.
pub struct DemoPlant {
    simulation: Arc<Mutex<Simulation>>,
    tag_of_point: Vec<Option<TagId>>,
    point_of_tag: HashMap<TagId, usize>,
    changes: Vec<(usize, Timestamp, Value)>,
}

impl DemoPlant {
    /// Binds every point that the plant file names.
    pub fn new(catalog: &Catalog, simulation: Arc<Mutex<Simulation>>) -> Self {
        let (mut tag_of_point, mut point_of_tag) = (Vec::new(), HashMap::new());
        if let Ok(simulation) = simulation.lock() {
            for (index, point) in simulation.points().iter().enumerate() {
                let tag = tag_of(catalog, &point.asset, point.property);
                tag_of_point.push(tag.filter(|tag| tag.read).map(|tag| tag.id));
                if let Some(tag) = tag {
                    point_of_tag.insert(tag.id, index);
                }
            }
        }
        Self { simulation, tag_of_point, point_of_tag, changes: Vec::new() }
    }
}

/// What each point of the simulation had last in a history that was kept.
pub fn last_values(opened: &Opened, simulation: &Simulation) -> Vec<(usize, f64)> {
    let last = |(index, point): (usize, &SimulatedPoint)| {
        let asset = opened.catalog.plant.asset_at(&point.asset)?;
        let series = opened.catalog.series_named(asset, point.property)?;
        Some((index, opened.historian.latest(series)?.value.as_f64()?))
    };
    simulation.points().iter().enumerate().filter_map(last).collect()
}

/// The tag of a property or a control.
fn tag_of<'c>(catalog: &'c Catalog, asset: &str, property: &str) -> Option<&'c Tag> {
    let asset = catalog.plant.asset_at(asset)?;
    let series =
        catalog.series_named(asset, property).or_else(|| catalog.control(asset, property).map(|point| point.series))?;
    catalog.tag(catalog.entry(series)?.tag?)
}

impl FastPlant for DemoPlant {
    fn advance(&mut self, to: Timestamp, changes: &mut Vec<Sample>) {
        let Ok(mut simulation) = self.simulation.lock() else { return };
        simulation.advance(to);
        self.changes.clear();
        simulation.changed(&mut self.changes);
        let bound =
            self.changes.drain(..).filter_map(|(point, time, value)| Some(sample(self.tag_of_point[point]?, time, value)));
        changes.extend(bound);
    }

    fn write(&mut self, tag: TagId, value: &Value) -> Result<(), String> {
        let point = self.point_of_tag.get(&tag).ok_or("the simulated plant has no such point")?;
        self.simulation.lock().map_err(|_| "the simulation has panicked")?.write(*point, value.clone())
    }

    fn crew(&self, raised: Timestamp) -> (Arc<str>, Duration) {
        let chance = raised.as_millis() / 1_000;
        let by = CREW[usize::try_from(chance / SHIFT_SECONDS % CREW.len() as i64).unwrap_or_default()];
        (by.into(), Duration::from_secs(40 + u64::try_from(chance * 37 % 400).unwrap_or_default()))
    }
}

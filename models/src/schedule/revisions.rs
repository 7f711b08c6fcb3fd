//! Revisions: the record that the figures of a closed window changed, and why.

use super::Job;
use crate::{
    AssetId, EventId, Timestamp, Value,
    catalog::Catalog,
    definition::{AssetIndex, PropertyIndex},
    event::{Event, EventBody, RevisedFigure, Revision},
    window::Window,
};

/// One figure that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct FigureChange {
    /// Of which asset.
    pub asset: AssetIndex,
    /// Of which window.
    pub window: Window,
    /// Which metric.
    pub property: PropertyIndex,
    /// Its stored value; `Null` if it had none.
    pub before: Value,
    /// Its value now; `Null` if it has none.
    pub after: Value,
}

/// The events of a job: one for each asset and window whose figures changed. `changes` are in the order of window and asset;
/// `earlier` says how many revisions a window of an asset had before.
pub fn revisions(
    catalog: &Catalog,
    job: &Job,
    changes: &[FigureChange],
    earlier: impl Fn(AssetId, &Window) -> u64,
    now: Timestamp,
) -> Vec<Event> {
    let same = |one: &FigureChange, other: &FigureChange| (one.asset, one.window) == (other.asset, other.window);
    let event = |changes: &[FigureChange]| {
        let FigureChange { asset, window, .. } = &changes[0];
        let (asset, model) = (&catalog.plant.assets[asset.0], catalog.plant.model_of(*asset));
        let (spec, number) = (job.spec.name(), earlier(asset.id, window) + 1);
        // Records are long, and the figures say it in short.
        let shown = changes.iter().filter(|change| !model.properties[change.property.0].hidden);
        let figures = shown.map(|change| RevisedFigure {
            property: model.properties[change.property.0].key.clone(),
            before: change.before.clone(),
            after: change.after.clone(),
        });
        let revision = Revision {
            window: *window,
            number,
            cause: job.revised.get(window).and_then(|touched| touched.cause(asset.id)).cloned().unwrap_or_default(),
            changes: figures.collect(),
            spec: spec.as_str().into(),
        };
        Event {
            id: EventId::from_name(&format!("revision/{}/{spec}/{}/{number}/{now}", asset.id, window.end)),
            time: now,
            asset: Some(asset.id),
            asset_path: asset.path.clone(),
            detector: "".into(),
            body: EventBody::Revision(revision),
        }
    };
    changes.chunk_by(same).map(event).collect()
}

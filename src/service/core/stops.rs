//! What people say about stops: kept as values of the machine, and ended when the machine runs again.

use andon_models::{
    AssetId, EventId, Point, Quality, SeriesId, Timestamp, Tqv, Value,
    catalog::Catalog,
    definition::AssetIndex,
    event::{Deed, Event, EventBody},
    oee::{STOP_EDITS, edits::StopEdit},
};
use std::collections::HashMap;

/// Statements about stops that still go on.
#[derive(Default)]
pub struct OpenStops {
    /// By the series that says whether the machine runs.
    statements: HashMap<SeriesId, Open>,
}

struct Open {
    edits: SeriesId,
    since: Timestamp,
}

impl OpenStops {
    /// Takes over from an earlier run: the newest statement of a machine tells.
    pub fn restore(catalog: &Catalog, latest: &dyn Fn(SeriesId) -> Option<Tqv>) -> Self {
        let mut stops = Self::default();
        for asset in (0..catalog.plant.assets.len()).map(AssetIndex) {
            let Some(Tqv { time, value: Value::String(text), .. }) = catalog.series_named(asset, STOP_EDITS).and_then(latest)
            else {
                continue;
            };
            stops.said(catalog, asset, &StopEdit::read(time, &text).into_iter().collect::<Vec<_>>());
        }
        stops
    }

    /// The values of statements about a machine; none if it has no OEE of its own.
    pub fn edit(&mut self, catalog: &Catalog, asset: AssetIndex, edits: &[StopEdit]) -> Option<Vec<Point>> {
        let series = catalog.series_named(asset, STOP_EDITS)?;
        self.said(catalog, asset, edits);
        Some(edits.iter().map(|edit| point(series, edit)).collect())
    }

    fn said(&mut self, catalog: &Catalog, asset: AssetIndex, edits: &[StopEdit]) {
        let running = catalog.plant.model_of(asset).oee.as_ref().map(|oee| &*oee.running);
        let series = running.and_then(|running| catalog.series_named(asset, running));
        let (Some(running), Some(edits_of)) = (series, catalog.series_named(asset, STOP_EDITS)) else { return };
        for StopEdit { span, statement } in edits {
            match span.end == Timestamp::MAX && !statement.is_blank() {
                true => drop(self.statements.insert(running, Open { edits: edits_of, since: span.start })),
                // It ends what was said before at this instant.
                false if self.statements.get(&running).is_some_and(|open| open.since == span.start) => {
                    self.statements.remove(&running);
                }
                false => {}
            }
        }
    }

    /// Adds to values what ends statements: machines that run again.
    pub fn end(&mut self, points: &mut Vec<Point>) {
        if self.statements.is_empty() {
            return;
        }
        let mut ends = Vec::new();
        for Point { series, tqv } in points.iter() {
            let runs = tqv.quality == Quality::Good && tqv.value.as_f64().is_some_and(|value| value != 0.0);
            let ended = self.statements.get(series).filter(|open| runs && open.since < tqv.time).map(|open| open.edits);
            if let Some(edits) = ended {
                self.statements.remove(series);
                ends.push(point(edits, &StopEdit::blank(tqv.time)));
            }
        }
        points.extend(ends);
    }
}

fn point(series: SeriesId, edit: &StopEdit) -> Point {
    Point { series, tqv: Tqv::good(edit.span.start, Value::from(edit.text().as_str())) }
}

/// That something was said, for the audit.
pub fn said(catalog: &Catalog, asset: AssetIndex, now: Timestamp, deed: Deed) -> Event {
    let asset = &catalog.plant.assets[asset.0];
    Event {
        id: EventId::from_name(&format!("{}/{}/{now}/{}", deed.verb, asset.id, deed.detail)),
        time: now,
        asset: Some(asset.id),
        asset_path: asset.path.clone(),
        detector: "".into(),
        body: EventBody::Deed(deed),
    }
}

/// The machine of an id.
pub fn machine(catalog: &Catalog, asset: AssetId) -> Option<AssetIndex> {
    catalog.plant.assets.iter().position(|known| known.id == asset).map(AssetIndex)
}

//! Figures of windows that were computed before: only what is different is new.

use super::{
    Extent,
    carry::{between, of_series},
    compute,
    rows::{Row, Rows, columns},
};
use crate::error::QueryError;
use andon_models::{
    Point, Quality, SeriesId, StatusCode, Timestamp, Tqv, Value,
    catalog::Catalog,
    definition::{AssetIndex, PropertyIndex, PropertyKind},
    schedule::revisions::FigureChange,
    window::Window,
};
use datafusion::{catalog::TableProvider, prelude::SessionContext};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

/// What a new computation of windows changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Revised {
    /// The points to store: figures that changed. What has no value any more is a Good point without one.
    pub points: Vec<Point>,
    /// What changed, by asset and window.
    pub changes: Vec<FigureChange>,
}

/// Computes windows again and compares the figures with those that are stored.
///
/// # Errors
/// When the history cannot be read or the plan fails.
pub async fn revise(
    session: &SessionContext,
    points: Arc<dyn TableProvider>,
    catalog: &Arc<Catalog>,
    extent: &Extent<'_>,
) -> Result<Revised, QueryError> {
    let outputs = outputs(catalog, extent);
    let mut stored = stored(session, &points, &outputs, extent.windows).await?;
    let computed = compute(session, points, catalog, extent).await?;
    let by_end: HashMap<Timestamp, Window> = extent.windows.iter().map(|window| (window.end, *window)).collect();
    let mut revised = Revised::default();
    let mut change = |series: SeriesId, end: Timestamp, before: Value, after: Value| {
        let (Some((asset, property)), Some(window)) = (outputs.get(&series).copied(), by_end.get(&end).copied()) else {
            return;
        };
        revised.changes.push(FigureChange { asset, window, property, before, after });
    };
    for point in computed {
        let before = stored.remove(&(point.series, point.tqv.time));
        if before.as_ref().is_some_and(|before| before.shows(&point.tqv.value)) {
            continue;
        }
        let before = before.map_or(Value::Null, |before| before.value());
        change(point.series, point.tqv.time, before, point.tqv.value.clone());
        revised.points.push(point);
    }
    // What is left is stored and has no value any more.
    for ((series, end), before) in stored.into_iter().filter(|(_, row)| row.is_good()) {
        change(series, end, before.value(), Value::Null);
        let none = Tqv { time: end, quality: Quality::Good, status: StatusCode::NO_DATA, value: Value::Null };
        revised.points.push(Point { series, tqv: none });
    }
    revised.points.sort_by_key(|point| (point.tqv.time, point.series));
    revised.changes.sort_by_key(|change| (change.window.end, change.asset, change.property));
    Ok(revised)
}

/// The series of the metrics.
fn outputs(catalog: &Catalog, extent: &Extent<'_>) -> BTreeMap<SeriesId, (AssetIndex, PropertyIndex)> {
    let properties = catalog.plant.models[extent.model.0].properties.iter().enumerate();
    let metrics = properties
        .filter(|(_, property)| matches!(&property.kind, PropertyKind::Metric { window, .. } if window == extent.spec));
    let metrics: Vec<PropertyIndex> = metrics.map(|(index, _)| PropertyIndex(index)).collect();
    let all = extent.assets(catalog).into_iter().flat_map(|asset| metrics.iter().map(move |property| (asset, *property)));
    all.filter_map(|(asset, property)| Some((catalog.series_of(asset, property)?, (asset, property)))).collect()
}

/// The stored figures at the ends of windows, in the order of their keys.
async fn stored(
    session: &SessionContext,
    points: &Arc<dyn TableProvider>,
    outputs: &BTreeMap<SeriesId, (AssetIndex, PropertyIndex)>,
    windows: &[Window],
) -> Result<BTreeMap<(SeriesId, Timestamp), Row>, QueryError> {
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return Ok(BTreeMap::new()) };
    let ends: HashSet<i64> = windows.iter().map(|window| window.end.as_nanos()).collect();
    let table = session.read_table(points.clone())?.filter(of_series(outputs.keys()).and(between(first.start, last.end)))?;
    let mut stored = BTreeMap::new();
    for batch in &table.select(columns())?.collect().await? {
        let rows = Rows::new(batch)?;
        for index in 0..rows.len() {
            let row = rows.row(index);
            if ends.contains(&row.time) {
                stored.insert((SeriesId(rows.series(index)), Timestamp::from_nanos(row.time)), row);
            }
        }
    }
    Ok(stored)
}

impl Row {
    fn shows(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.text.as_deref() == Some(&**text),
            _ => self.number.map(f64::to_bits) == value.as_f64().map(f64::to_bits) && self.text.is_none(),
        }
    }

    pub(super) fn value(&self) -> Value {
        let text = self.text.as_deref().map(Value::from);
        text.or_else(|| self.number.map(Value::from)).unwrap_or(Value::Null)
    }
}

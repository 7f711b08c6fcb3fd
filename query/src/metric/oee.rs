//! OEE of windows: rows become the inputs of the rule, and one asset's full result in any span.

use super::{inputs::Inputs, windowed};
use crate::error::QueryError;
use andon_models::{
    Timestamp,
    catalog::Catalog,
    definition::{AssetIndex, ModelIndex},
    expression::Reference,
    oee::{self, OeeInputs, OeeRecord, OeeResult, inputs::Role},
    window::{Window, WindowSpec},
};
use arrow::{
    array::{Array, AsArray},
    datatypes::{Float64Type, Int32Type, Int64Type},
};
use datafusion::{catalog::TableProvider, prelude::SessionContext};
use futures::StreamExt as _;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// What a slot of an OEE block brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// An input of a machine's own block.
    Machine(Role),
    /// The records of children.
    Children,
}

/// A row for an OEE block: what it brings, when, number or text.
pub type PartRow = (Part, i64, Option<f64>, Option<String>);

/// The inputs of a model's OEE block.
pub fn references(catalog: &Catalog, model: ModelIndex, spec: &WindowSpec) -> Vec<(Part, Reference)> {
    let model = &catalog.plant.models[model.0];
    if let Some(own) = &model.oee {
        return own.roles().into_iter().map(|(role, key)| (Part::Machine(role), Reference::Own(key))).collect();
    }
    let children = model.oee_of.iter().flat_map(|of| of.references(&catalog.plant, model, spec));
    children.map(|reference| (Part::Children, reference)).collect()
}

/// Assets in one plan: it has its fixed cost, and the rows of its assets are in memory until they are judged. A shift of a machine that
/// says something every second is some 10 MB.
const ASSETS_IN_PLAN: usize = 8;

/// The full OEE of assets of one model, which has an `oee:` block of its own, in windows that are in time order and do not overlap: by the same rule and
/// from the same rows as the metrics.
///
/// Shape: by asset, then by window.
///
/// # Errors
/// When the history cannot be read.
pub async fn results(
    session: &SessionContext,
    points: Arc<dyn TableProvider>,
    catalog: &Arc<Catalog>,
    assets: &[AssetIndex],
    windows: &[Window],
) -> Result<Vec<Vec<OeeResult>>, QueryError> {
    let Some(model) = assets.first().map(|first| catalog.plant.assets[first.0].model) else { return Ok(Vec::new()) };
    let Some(definition) = catalog.plant.models[model.0].oee.as_ref().filter(|_| !windows.is_empty()) else {
        return Ok(Vec::new());
    };
    let (roles, slots): (Vec<Role>, Vec<Reference>) =
        definition.roles().into_iter().map(|(role, key)| (role, Reference::Own(key))).unzip();
    let inputs = Inputs::new(catalog, assets, &slots);
    let session = super::single_partition(session);
    let table = windowed::table(&session, points, &inputs, windows).await?;
    let mut rows: Vec<Vec<Vec<PartRow>>> = vec![vec![Vec::new(); windows.len()]; assets.len()];
    let mut batches = session.read_table(table)?.execute_stream().await?;
    while let Some(batch) = batches.next().await.transpose()? {
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| QueryError::Internal(format!("no column {name}")));
        let asset = column("asset")?.as_primitive::<Int32Type>();
        let window = column("window")?.as_primitive::<Int32Type>();
        let slot = column("slot")?.as_primitive::<Int32Type>();
        let at = column("at")?.as_primitive::<Int64Type>();
        let (number, text) = (column("number")?.as_primitive::<Float64Type>(), column("text")?.as_string::<i32>());
        for row in 0..batch.num_rows() {
            let part = Part::Machine(roles[slot.value(row) as usize]);
            let number = number.is_valid(row).then(|| number.value(row));
            let text = text.is_valid(row).then(|| text.value(row).to_owned());
            rows[asset.value(row) as usize][window.value(row) as usize].push((part, at.value(row), number, text));
        }
    }
    let judged = |rows: Vec<Vec<PartRow>>| {
        windows.iter().zip(rows).filter_map(|(window, rows)| machine(catalog, model, *window, rows)).collect()
    };
    Ok(rows.into_iter().map(judged).collect())
}

/// The records of assets in windows that are in time order and do not overlap: their own, or made of those of their children, however deep
/// they are. In the order of the assets, then of the windows; an asset without an `oee:` block has none.
///
/// # Errors
/// When the history cannot be read.
pub async fn records(
    session: &SessionContext,
    points: Arc<dyn TableProvider>,
    catalog: &Arc<Catalog>,
    assets: &[AssetIndex],
    windows: &[Window],
) -> Result<Vec<(AssetIndex, OeeRecord)>, QueryError> {
    let mut machines: BTreeMap<ModelIndex, BTreeSet<AssetIndex>> = BTreeMap::new();
    for asset in assets {
        machines_of(catalog, *asset, &mut machines);
    }
    let mut own = HashMap::new();
    for of_model in machines.into_values() {
        let of_model: Vec<AssetIndex> = of_model.into_iter().collect();
        for some in of_model.chunks(ASSETS_IN_PLAN) {
            let results = results(session, points.clone(), catalog, some, windows).await?;
            for (asset, results) in some.iter().zip(results) {
                let records = results.iter().map(|result| OeeRecord::of(result, true)).collect();
                own.insert(*asset, records);
            }
        }
    }
    let of = |asset: &AssetIndex| {
        let asset = *asset;
        let own = &own;
        (0..windows.len()).filter_map(move |window| Some((asset, made_of(catalog, asset, window, own)?)))
    };
    Ok(assets.iter().flat_map(of).collect())
}

/// The records of machines, by window.
type Own = HashMap<AssetIndex, Vec<OeeRecord>>;

/// The children whose records make the one of an asset; none of one with a block of its own.
fn parts(catalog: &Catalog, asset: AssetIndex) -> impl Iterator<Item = AssetIndex> {
    let of = catalog.plant.model_of(asset).oee_of.as_ref();
    let by_hierarchy = catalog.plant.assets[asset.0].children.iter();
    let taken = by_hierarchy.filter(move |(hierarchy, _)| of.is_some_and(|of| of.hierarchies.contains(hierarchy)));
    taken.flat_map(|(_, children)| children.iter().copied())
}

fn machines_of(catalog: &Catalog, asset: AssetIndex, machines: &mut BTreeMap<ModelIndex, BTreeSet<AssetIndex>>) {
    if catalog.plant.model_of(asset).oee.is_some() {
        machines.entry(catalog.plant.assets[asset.0].model).or_default().insert(asset);
    }
    parts(catalog, asset).for_each(|part| machines_of(catalog, part, machines));
}

fn made_of(catalog: &Catalog, asset: AssetIndex, window: usize, own: &Own) -> Option<OeeRecord> {
    match &catalog.plant.model_of(asset).oee_of {
        None => own.get(&asset)?.get(window).cloned(),
        Some(of) => {
            let records: Vec<OeeRecord> =
                parts(catalog, asset).filter_map(|part| made_of(catalog, part, window, own)).collect();
            oee::combine(of.form, &records)
        }
    }
}

/// Applies the rule to collected rows. None without an `oee:` block.
pub fn evaluate(
    catalog: &Catalog,
    model: ModelIndex,
    window: Window,
    spec: &WindowSpec,
    rows: Vec<PartRow>,
) -> Option<OeeRecord> {
    let definition = &catalog.plant.models[model.0];
    if definition.oee.is_some() {
        let with_stops = matches!(spec, WindowSpec::Tumbling { every, .. } if *every == oee::STOPS_EVERY);
        return machine(catalog, model, window, rows).map(|result| OeeRecord::of(&result, with_stops));
    }
    // What was carried in belongs to other windows. Rows come by series, so machines keep one order.
    let read = |(_, at, _, text): &PartRow| OeeRecord::read(text.as_deref().filter(|_| *at == window.end.as_nanos())?);
    let records: Vec<OeeRecord> = rows.iter().filter_map(read).collect();
    oee::combine(definition.oee_of.as_ref()?.form, &records)
}

fn machine(catalog: &Catalog, model: ModelIndex, window: Window, mut rows: Vec<PartRow>) -> Option<OeeResult> {
    let model = &catalog.plant.models[model.0];
    let definition = model.oee.as_ref()?;
    let mut inputs = OeeInputs::new(window, catalog.plant.calendar.scheduled(window));
    definition.prepare(model, &mut inputs);
    rows.sort_by_key(|(_, at, ..)| *at);
    for (part, at, number, text) in rows {
        if let Part::Machine(role) = part {
            inputs.push(role, Timestamp::from_nanos(at), number, text.as_deref());
        }
    }
    Some(oee::evaluate(definition, &inputs))
}

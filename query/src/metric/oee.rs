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
use std::{future::Future, pin::Pin, sync::Arc};

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

/// The full OEE of one asset in any span, by the same rule and from the same rows as the metrics. None without an `oee:` block of its
/// own.
///
/// # Errors
/// When the history cannot be read.
pub async fn oee(
    session: &SessionContext,
    points: Arc<dyn TableProvider>,
    catalog: &Arc<Catalog>,
    asset: AssetIndex,
    window: Window,
) -> Result<Option<OeeResult>, QueryError> {
    let Some(definition) = &catalog.plant.model_of(asset).oee else { return Ok(None) };
    let (roles, slots): (Vec<Role>, Vec<Reference>) =
        definition.roles().into_iter().map(|(role, key)| (role, Reference::Own(key))).unzip();
    let inputs = Inputs::new(catalog, &[asset], &slots);
    let session = super::single_partition(session);
    let table = windowed::table(&session, points, &inputs, &[window]).await?;
    let mut rows = Vec::new();
    for batch in session.read_table(table)?.collect().await? {
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| QueryError::Internal(format!("no column {name}")));
        let slot = column("slot")?.as_primitive::<Int32Type>();
        let at = column("at")?.as_primitive::<Int64Type>();
        let (number, text) = (column("number")?.as_primitive::<Float64Type>(), column("text")?.as_string::<i32>());
        for row in 0..batch.num_rows() {
            let number = number.is_valid(row).then(|| number.value(row));
            let text = text.is_valid(row).then(|| text.value(row).to_owned());
            rows.push((Part::Machine(roles[slot.value(row) as usize]), at.value(row), number, text));
        }
    }
    Ok(machine(catalog, catalog.plant.assets[asset.0].model, window, rows))
}

/// The record of one asset in any span: its own, or made of its children's, however deep they are.
///
/// # Errors
/// When the history cannot be read.
pub fn record<'a>(
    session: &'a SessionContext,
    points: Arc<dyn TableProvider>,
    catalog: &'a Arc<Catalog>,
    asset: AssetIndex,
    window: Window,
) -> Pin<Box<dyn Future<Output = Result<Option<OeeRecord>, QueryError>> + Send + 'a>> {
    Box::pin(async move {
        let model = catalog.plant.model_of(asset);
        let Some(of) = &model.oee_of else {
            let own = oee(session, points, catalog, asset, window).await?;
            return Ok(own.map(|result| OeeRecord::of(&result, true)));
        };
        let mut records = Vec::new();
        for (hierarchy, children) in &catalog.plant.assets[asset.0].children {
            for child in children.iter().filter(|_| of.hierarchies.contains(hierarchy)) {
                records.extend(record(session, points.clone(), catalog, *child, window).await?);
            }
        }
        Ok(oee::combine(of.form, &records))
    })
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

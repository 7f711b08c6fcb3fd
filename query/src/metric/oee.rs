//! OEE of windows: which rows play which part, and the full result of one asset and any span.

use super::{inputs::Inputs, windowed};
use crate::error::QueryError;
use andon_models::{
    Timestamp,
    catalog::Catalog,
    definition::{AssetIndex, CounterRule, ModelIndex, PropertyKind},
    expression::Reference,
    oee::{self, OeeDefinition, OeeInputs, OeeResult},
    window::Window,
};
use arrow::{
    array::{Array, AsArray},
    datatypes::{Float64Type, Int32Type, Int64Type},
};
use datafusion::{catalog::TableProvider, prelude::SessionContext};
use std::sync::Arc;

/// The part an input plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Whether the machine runs.
    Running,
    /// Whether a stop is planned.
    PlannedStop,
    /// Counter of good pieces.
    Good,
    /// Counter of bad pieces.
    Bad,
    /// Ideal rate.
    IdealRate,
    /// Stop reason.
    Reason,
}

/// The inputs of an OEE block.
pub fn references(definition: &OeeDefinition) -> impl Iterator<Item = (Role, Reference)> {
    let required =
        [(Role::Running, &definition.running), (Role::Good, &definition.good), (Role::IdealRate, &definition.ideal_rate)];
    let optional =
        [(Role::PlannedStop, &definition.planned_stop), (Role::Bad, &definition.bad), (Role::Reason, &definition.reason)];
    let optional = optional.into_iter().filter_map(|(role, key)| Some((role, key.as_ref()?)));
    let all: Vec<_> = required.into_iter().chain(optional).map(|(role, key)| (role, Reference::Own(key.clone()))).collect();
    all.into_iter()
}

/// The full OEE of one asset in any span, by the same rule and from the same rows as the metrics. None without an `oee:` block.
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
    let (roles, slots): (Vec<Role>, Vec<Reference>) = references(definition).unzip();
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
            rows.push((roles[slot.value(row) as usize], at.value(row), number, text));
        }
    }
    Ok(evaluate(catalog, catalog.plant.assets[asset.0].model, window, rows))
}

/// Applies the rule to collected rows. None without an `oee:` block.
pub fn evaluate(
    catalog: &Catalog,
    model: ModelIndex,
    window: Window,
    mut rows: Vec<(Role, i64, Option<f64>, Option<String>)>,
) -> Option<OeeResult> {
    let definition = catalog.plant.models[model.0].oee.as_ref()?;
    let mut inputs = OeeInputs::new(window, catalog.plant.calendar.scheduled(window));
    inputs.good_rule = counter_rule(catalog, model, Some(&definition.good));
    inputs.bad_rule = counter_rule(catalog, model, definition.bad.as_ref());
    rows.sort_by_key(|(_, at, ..)| *at);
    for (role, at, number, text) in rows {
        let at = Timestamp::from_nanos(at);
        let truth = number.map(|number| number != 0.0);
        match role {
            Role::Running => inputs.running.push((at, truth)),
            Role::PlannedStop => inputs.planned_stop.push((at, truth)),
            Role::Good => inputs.good.push((at, number)),
            Role::Bad => inputs.bad.push((at, number)),
            Role::IdealRate => inputs.ideal_rate.push((at, number)),
            Role::Reason => inputs.reason.push((at, text.map(Into::into))),
        }
    }
    Some(oee::evaluate(definition, &inputs))
}

fn counter_rule(catalog: &Catalog, model: ModelIndex, key: Option<&Arc<str>>) -> CounterRule {
    let model = &catalog.plant.models[model.0];
    let property = key.and_then(|key| model.property(key)).map(|index| &model.properties[index.0]);
    match property.map(|property| &property.kind) {
        Some(PropertyKind::Measurement { counter: Some(counter), .. }) => *counter,
        _ => CounterRule::default(),
    }
}

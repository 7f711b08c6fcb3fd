//! What every handler shares: the state handed in, and what follows from the definition alone.

use crate::{
    AppState,
    api::lines::LineReport,
    board::Board,
    error::ApiError,
    kept::Kept,
    live::{COUNTED_SPAN, MAX_COUNTED},
    machine::{Activity, Roles, Signals, state_name},
    security::Principal,
    view::{Datum, QualityView, Time, span_ms},
    write::{Known, Room},
};
use andon_models::{
    AssetId, SeriesId, Timestamp, Tqv, Value,
    definition::{Asset, AssetIndex, AssetModel, Plant, PropertyIndex, PropertyKind},
    expression::nearest,
    operator::{OperatorDeed, OperatorRequest},
    snapshot::ConnectionState,
    window::Window,
};
use andon_query::EventFilter;
use serde::Serialize;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{sync::oneshot, time};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

/// How long an operator waits for the loop that owns the plant.
const MAX_REQUEST_TIME: Duration = Duration::from_secs(10);
/// How far back the start of a machine's present state is looked for.
const STATE_RECALL: Duration = Duration::from_secs(24 * 3_600);
/// Values that are looked at for it.
const STATE_RECALL_POINTS: usize = 2_000;

/// The state of the service.
pub(crate) struct App {
    pub(crate) state: AppState,
    /// By model.
    pub(crate) roles: Vec<Roles>,
    pub(crate) lines: Vec<Line>,
    pub(crate) board: Board,
    /// Reports of lines, by line, start of the shift, and the instant of the past at which they are seen.
    pub(crate) line_reports: Kept<(AssetIndex, Timestamp, Option<Timestamp>), LineReport>,
    /// Room for what is being written.
    pub(crate) room: Room,
    /// Series of keys that were written before.
    pub(crate) known: Known,
    /// Cancelled when the service ends.
    pub(crate) end: CancellationToken,
    by_id: HashMap<AssetId, AssetIndex>,
}

/// A row of the overview: a group of machines, or a machine that belongs to no group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) asset: AssetIndex,
    pub(crate) machines: Vec<AssetIndex>,
}

/// What a machine does, in one word.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct StateView {
    /// The name of its state.
    name: String,
    /// Since when; null if unknown.
    since: Option<Time>,
    /// What that means.
    activity: Activity,
    /// Why it stands; empty while it runs.
    reason: String,
}

/// A value that stands for a machine.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PropertyValue {
    /// The series to subscribe to.
    #[schema(value_type = u32)]
    pub(crate) series: SeriesId,
    /// The property's key, unique in its model.
    pub(crate) key: String,
    /// Its name.
    pub(crate) name: String,
    /// Its unit; empty if none.
    pub(crate) unit: String,
    /// Its newest value.
    pub(crate) value: Datum,
    /// How far it may be trusted.
    pub(crate) quality: QualityView,
    /// When it was true; null before the first value.
    pub(crate) time: Option<Time>,
    /// `[low, high]` of its normal band.
    #[schema(value_type = Option<(f64, f64)>)]
    pub(crate) normal: Option<[f64; 2]>,
    /// Silent longer than this, it is stale.
    pub(crate) stale_after_ms: Option<u64>,
    /// Whether it is an attribute: what it says holds until somebody changes it, however old it is.
    pub(crate) constant: bool,
}

impl App {
    pub(crate) fn new(state: AppState) -> Self {
        let plant = &state.catalog.plant;
        let roles = plant.models.iter().map(Roles::of).collect();
        let lines = lines(plant);
        let by_id = plant.assets.iter().enumerate().map(|(index, asset)| (asset.id, AssetIndex(index))).collect();
        Self {
            roles,
            lines,
            by_id,
            board: Board::default(),
            line_reports: Kept::default(),
            room: Room::default(),
            known: Known::default(),
            end: CancellationToken::new(),
            state,
        }
    }

    pub(crate) fn plant(&self) -> &Plant {
        &self.state.catalog.plant
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.state.now)()
    }

    pub(crate) fn asset(&self, index: AssetIndex) -> &Asset {
        &self.plant().assets[index.0]
    }

    pub(crate) fn model(&self, index: AssetIndex) -> &AssetModel {
        self.plant().model_of(index)
    }

    pub(crate) fn roles_of(&self, index: AssetIndex) -> &Roles {
        &self.roles[self.asset(index).model.0]
    }

    pub(crate) fn index_of(&self, asset: AssetId) -> Option<AssetIndex> {
        self.by_id.get(&asset).copied()
    }

    /// The asset a caller names, by id or by path.
    pub(crate) fn find(&self, named: &str) -> Result<AssetIndex, ApiError> {
        let by_id = named.parse().ok().and_then(|id| self.index_of(id));
        let found = by_id.or_else(|| self.plant().asset_at(named));
        found.ok_or_else(|| {
            let near = nearest(named, self.plant().assets.iter().map(|asset| &*asset.path));
            let hint = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
            ApiError::not_found(format!("there is no asset {named}"), hint + "GET /api/assets lists them all")
        })
    }

    /// All assets below one, and itself.
    pub(crate) fn subtree(&self, root: AssetIndex) -> Vec<AssetIndex> {
        let mut found = vec![root];
        let mut position = 0;
        while let Some(index) = found.get(position).copied() {
            found.extend(self.asset(index).children.iter().flat_map(|(_, children)| children).copied());
            position += 1;
        }
        found
    }

    /// The newest value of a property; an attribute has one even before anything was recorded.
    pub(crate) fn value(&self, asset: AssetIndex, property: PropertyIndex) -> Option<Tqv> {
        let series = self.state.catalog.series_of(asset, property)?;
        let attribute = || self.state.catalog.attribute(series).filter(|value| *value != Value::Null);
        self.state.historian.latest(series).or_else(|| Some(Tqv::good(Timestamp::EPOCH, attribute()?)))
    }

    /// A property with its newest value.
    pub(crate) fn property_value(&self, asset: AssetIndex, property: PropertyIndex) -> Option<PropertyValue> {
        let definition = &self.model(asset).properties[property.0];
        let series = self.state.catalog.series_of(asset, property)?;
        let tqv = self.value(asset, property);
        Some(PropertyValue {
            series,
            key: definition.key.to_string(),
            name: definition.name.to_string(),
            unit: definition.unit.to_string(),
            quality: tqv.as_ref().map_or(QualityView::Bad, |tqv| tqv.quality.into()),
            time: tqv.as_ref().map(|tqv| tqv.time).filter(|time| *time != Timestamp::EPOCH).map(Time),
            value: Datum(tqv.map_or(Value::Null, |tqv| tqv.value)),
            normal: definition.normal.map(|(low, high)| [low, high]),
            stale_after_ms: definition.stale.map(span_ms),
            constant: matches!(definition.kind, PropertyKind::Attribute { .. }),
        })
    }

    /// What a machine does now; none when its model says nothing about that.
    pub(crate) fn machine_state(&self, asset: AssetIndex) -> Option<StateView> {
        let followed = |series| self.state.live.state_since(series).map(|(_, since)| since);
        let since = |shown: Option<SeriesId>, present: Option<&Tqv>| shown.and_then(followed).or(present.map(|tqv| tqv.time));
        self.state_from(asset, |property| self.value(asset, property), since)
    }

    /// What a machine did when its properties had some values, and since when by its state's series and value.
    pub(crate) fn state_from(
        &self,
        asset: AssetIndex,
        value_of: impl Fn(PropertyIndex) -> Option<Tqv>,
        since: impl Fn(Option<SeriesId>, Option<&Tqv>) -> Option<Timestamp>,
    ) -> Option<StateView> {
        let roles = self.roles_of(asset);
        let shown = roles.state.or(roles.running)?;
        let value = |property: Option<PropertyIndex>| property.and_then(&value_of);
        let [running, planned, state, reason] = [roles.running, roles.planned, roles.state, roles.reason].map(value);
        let signals =
            Signals { running: running.as_ref(), planned: planned.as_ref(), state: state.as_ref(), reason: reason.as_ref() };
        let present = if roles.state.is_some() { &state } else { &running };
        let name = present.as_ref().map_or_else(|| "Unknown".into(), |tqv| state_name(&tqv.value));
        let since = since(self.state.catalog.series_of(asset, shown), present.as_ref());
        let activity = signals.activity();
        Some(StateView { name, since: since.map(Time), activity, reason: signals.reason().to_string() })
    }

    /// Why a machine's values do not come: the first of its sources that is not connected.
    pub(crate) fn source_down(&self, asset: AssetIndex) -> Option<String> {
        let sources = self.asset(asset).slots.iter().filter_map(|(_, source)| self.state.live.source(source));
        let mut down = sources.filter(|source| source.state != ConnectionState::Connected);
        down.next().map(|source| {
            let state = match source.state {
                ConnectionState::Connecting | ConnectionState::Connected => "connecting",
                ConnectionState::Lost => "not connected",
                ConnectionState::Misconfigured => "refused",
            };
            let colon = if source.last_error.is_empty() { "" } else { ": " };
            format!("{} {state}{colon}{}", source.source, source.last_error)
        })
    }

    /// Hands an operator's request to the loop that owns the plant and waits for its answer.
    pub(crate) async fn request(&self, principal: &Principal, deed: OperatorDeed) -> Result<(), ApiError> {
        self.request_as(principal.name.clone(), deed).await
    }

    /// The same for somebody who has a name beside the log-in.
    pub(crate) async fn request_as(&self, by: Arc<str>, deed: OperatorDeed) -> Result<(), ApiError> {
        let (answer, answered) = oneshot::channel();
        let request = OperatorRequest { by, deed };
        let asked = async {
            self.state.requests.send((request, answer)).await.ok()?;
            answered.await.ok()
        };
        match time::timeout(MAX_REQUEST_TIME, asked).await {
            Ok(Some(result)) => result.map_err(ApiError::from),
            Ok(None) => Err(ApiError::unavailable("the plant is shutting down; nothing was done", "try again when it runs")),
            Err(_) => Err(ApiError::unavailable(
                "the plant did not answer in time; it may still do it",
                "load the alarm again before you repeat it",
            )),
        }
    }

    /// Brings in what happened before the start: alarms to count, and since when machines are in their present state.
    pub(crate) async fn recall(&self) {
        let now = self.now();
        let alarms = EventFilter {
            kinds: vec!["alarm".into()],
            from: Some(now - COUNTED_SPAN),
            limit: MAX_COUNTED,
            ..EventFilter::default()
        };
        match self.state.historian.events(alarms).await {
            Ok(events) => self.state.live.count(&events),
            Err(error) => tracing::warn!(%error, "alarms before the start are not counted"),
        }
        for asset in (0..self.plant().assets.len()).map(AssetIndex) {
            let roles = self.roles_of(asset);
            let shown = roles.state.or(roles.running);
            let Some(series) = shown.and_then(|property| self.state.catalog.series_of(asset, property)) else { continue };
            self.state.live.follow(series, None);
            let window = Window { start: now - STATE_RECALL, end: now };
            match self.state.historian.history(series, window, STATE_RECALL_POINTS).await {
                Ok(history) => self.state.live.follow(series, last_change(&history)),
                Err(error) => tracing::warn!(%error, "the start of a machine's state is unknown"),
            }
        }
    }
}

/// The newest Good value, and the first time of its unbroken run.
fn last_change(history: &[Tqv]) -> Option<(Value, Timestamp)> {
    let good = || history.iter().rev().filter(|tqv| tqv.quality == andon_models::Quality::Good);
    let newest = &good().next()?.value;
    let since = good().take_while(|tqv| tqv.value == *newest).last()?.time;
    Some((newest.clone(), since))
}

/// Groups of machines in file order: an asset whose children have no children; machines outside of such a group stand alone.
fn lines(plant: &Plant) -> Vec<Line> {
    let children = |index: usize| plant.assets[index].children.iter().flat_map(|(_, children)| children).copied();
    let is_leaf = |index: usize| children(index).next().is_none();
    let is_group = |index: usize| !is_leaf(index) && children(index).all(|child| is_leaf(child.0));
    let line = |index: usize| {
        let asset = AssetIndex(index);
        if is_group(index) {
            return Some(Line { asset, machines: children(index).collect() });
        }
        let alone = is_leaf(index) && !plant.assets[index].parent.is_some_and(|parent| is_group(parent.0));
        alone.then(|| Line { asset, machines: vec![asset] })
    };
    (0..plant.assets.len()).filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::StatusCode;

    #[test]
    fn a_state_began_with_the_first_of_its_equal_values() {
        let at = |seconds, value: i64| Tqv::good(Timestamp::from_seconds(seconds), Value::Integer(value));
        let gap = Tqv::bad(Timestamp::from_seconds(7), StatusCode::NOT_CONNECTED);
        let history = [at(1, 2), at(3, 6), at(5, 6), gap, at(9, 6)];
        assert_eq!(last_change(&history), Some((Value::Integer(6), Timestamp::from_seconds(3))));
        assert_eq!(last_change(&[]), None);
    }
}

//! What the pages need to know of a kind of machine, found in its model: which value is the main one, which tells its state,
//! and what its running, planned stops and reasons are. Nothing here depends on names of one plant.

use andon_models::{
    Quality, Tqv, Value, ValueType,
    definition::{AssetModel, Property, PropertyIndex, PropertyKind},
    detector::DetectorModel,
    expression::Reference,
};
use std::sync::Arc;

/// Names under which models keep the state of a machine when no OEE block leads to it.
const STATE_NAMES: [&str; 3] = ["state", "packml_state", "machine_state"];
/// Names of PackML states by number (ISA-TR88.00.02, table 2); 0 is unused.
const PACKML: [&str; 18] = [
    "Undefined",
    "Clearing",
    "Stopped",
    "Starting",
    "Idle",
    "Suspended",
    "Execute",
    "Stopping",
    "Aborting",
    "Aborted",
    "Holding",
    "Held",
    "Unholding",
    "Suspending",
    "Unsuspending",
    "Resetting",
    "Completing",
    "Complete",
];
/// PackML states in which a machine waits for its neighbours: Suspended, Suspending, Unsuspending.
const SUSPENDED: [i64; 3] = [5, 13, 14];
/// Words in a reason that say the machine waits for its neighbours.
const WAITING_WORDS: [&str; 3] = ["starved", "blocked", "waiting"];

/// The properties of a model that pages single out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    /// The value that stands for the machine.
    pub(crate) main: Option<PropertyIndex>,
    /// Its state: a PackML number, or a text.
    pub(crate) state: Option<PropertyIndex>,
    /// Whether it runs.
    pub(crate) running: Option<PropertyIndex>,
    /// Whether a stop is planned.
    pub(crate) planned: Option<PropertyIndex>,
    /// Why it stands.
    pub(crate) reason: Option<PropertyIndex>,
}

/// What a machine does, as a strip shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Activity {
    /// It produces.
    Running,
    /// It could, but its neighbours cannot (starved, blocked).
    Waiting,
    /// It stands and should not.
    Stopped,
    /// It stands as planned.
    Planned,
    /// Nobody knows: no data, or none that may be trusted.
    Unknown,
}

impl Roles {
    /// Finds them in a model.
    pub(crate) fn of(model: &AssetModel) -> Self {
        let oee = model.oee.as_ref();
        let running = oee.and_then(|oee| model.property(&oee.running));
        let planned = oee.and_then(|oee| model.property(oee.planned_stop.as_deref()?));
        let reason = oee.and_then(|oee| model.property(oee.reasons.first()?));
        Self { main: main(model), state: state(model, running), running, planned, reason }
    }
}

/// A measurement with a normal band that a detector watches; else one with a band, one that is watched, any analog one.
fn main(model: &AssetModel) -> Option<PropertyIndex> {
    let watched = |property: &Property| model.detectors.iter().any(|detector| watches(detector, &property.key));
    let rank = |property: &Property| -> Option<u8> {
        let PropertyKind::Measurement { counter: None, .. } = property.kind else { return None };
        match (property.normal.is_some(), watched(property), property.value_type) {
            (true, true, _) => Some(0),
            (true, false, _) => Some(1),
            (false, true, ValueType::Double) => Some(2),
            (false, false, ValueType::Double) => Some(3),
            _ => None,
        }
    };
    let ranked = model.properties.iter().enumerate().filter_map(|(index, property)| Some((rank(property)?, index)));
    ranked.min().map(|(_, index)| PropertyIndex(index))
}

fn watches(detector: &DetectorModel, key: &str) -> bool {
    guard_references(detector).any(|reference| matches!(reference, Reference::Own(name) if &**name == key))
}

/// Everything the guards of a detector read.
pub(crate) fn guard_references(detector: &DetectorModel) -> impl Iterator<Item = &Reference> {
    let rules = detector.states.iter().flat_map(|state| &state.rules);
    rules.filter_map(|rule| rule.when.as_ref()).flat_map(|guard| &guard.references)
}

/// What the running flag is computed from, else a property with the usual name.
fn state(model: &AssetModel, running: Option<PropertyIndex>) -> Option<PropertyIndex> {
    let tells = |index: &PropertyIndex| matches!(model.properties[index.0].value_type, ValueType::Integer | ValueType::String);
    let behind_running = running.and_then(|running| {
        let PropertyKind::Transform { expression } = &model.properties[running.0].kind else { return None };
        let own = |reference: &Reference| match reference {
            Reference::Own(name) => model.property(name),
            _ => None,
        };
        expression.references.iter().filter_map(own).find(tells)
    });
    behind_running.or_else(|| STATE_NAMES.iter().filter_map(|name| model.property(name)).find(tells))
}

/// The name of a state, for people.
pub(crate) fn state_name(value: &Value) -> String {
    match value {
        Value::Integer(number) => {
            let packml = usize::try_from(*number).ok().and_then(|number| PACKML.get(number));
            packml.map_or_else(|| format!("State {number}"), |name| (*name).to_owned())
        }
        Value::Boolean(true) => "Running".into(),
        Value::Boolean(false) => "Stopped".into(),
        Value::Null => "Unknown".into(),
        other => other.to_string(),
    }
}

/// What is known of a machine at one instant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Signals<'a> {
    /// Whether it runs.
    pub(crate) running: Option<&'a Tqv>,
    /// Whether a stop is planned.
    pub(crate) planned: Option<&'a Tqv>,
    /// Its state.
    pub(crate) state: Option<&'a Tqv>,
    /// Why it stands.
    pub(crate) reason: Option<&'a Tqv>,
}

impl Signals<'_> {
    /// What the machine does. Only Good data counts.
    pub(crate) fn activity(&self) -> Activity {
        let Some(running) = good(self.running).and_then(as_truth) else { return Activity::Unknown };
        if running {
            Activity::Running
        } else if good(self.planned).and_then(as_truth) == Some(true) {
            Activity::Planned
        } else if self.waits() {
            Activity::Waiting
        } else {
            Activity::Stopped
        }
    }

    fn waits(&self) -> bool {
        let suspended = matches!(good(self.state), Some(Value::Integer(state)) if SUSPENDED.contains(state));
        let spoken = [self.state, self.reason].into_iter().filter_map(good);
        suspended || spoken.filter_map(as_text).any(is_waiting)
    }

    /// Why the machine stands; empty while it runs or when nothing is said.
    pub(crate) fn reason(&self) -> Arc<str> {
        if self.activity() == Activity::Running {
            return Arc::default();
        }
        match good(self.reason) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => Arc::default(),
            Some(other) => other.to_string().into(),
        }
    }
}

/// Whether a reason says that the machine waits for its neighbours.
pub(crate) fn is_waiting(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    WAITING_WORDS.iter().any(|word| reason.contains(word))
}

fn good(tqv: Option<&Tqv>) -> Option<&Value> {
    tqv.filter(|tqv| tqv.quality == Quality::Good).map(|tqv| &tqv.value)
}

fn as_truth(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_f64().map(|number| number != 0.0))
}

fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::{StatusCode, Timestamp};

    fn tqv(value: impl Into<Value>) -> Tqv {
        Tqv::good(Timestamp::EPOCH, value.into())
    }

    #[test]
    fn a_standing_machine_waits_only_for_its_neighbours() {
        let (yes, no, suspended, held) = (tqv(true), tqv(false), tqv(5_i64), tqv(11_i64));
        let (blocked, jam) = (tqv("Blocked by Packer 1"), tqv("Cap jam"));
        let activity = |running, planned, state, reason| {
            let signals = Signals { running: Some(running), planned: Some(planned), state: Some(state), reason: Some(reason) };
            (signals.activity(), signals.reason().to_string())
        };
        assert_eq!(activity(&yes, &no, &held, &jam), (Activity::Running, String::new()));
        assert_eq!(activity(&no, &yes, &suspended, &jam), (Activity::Planned, "Cap jam".into()));
        assert_eq!(activity(&no, &no, &suspended, &jam), (Activity::Waiting, "Cap jam".into()));
        assert_eq!(activity(&no, &no, &held, &blocked), (Activity::Waiting, "Blocked by Packer 1".into()));
        assert_eq!(activity(&no, &no, &held, &jam), (Activity::Stopped, "Cap jam".into()));
    }

    #[test]
    fn data_that_may_not_be_trusted_says_nothing() {
        let bad = Tqv::bad(Timestamp::EPOCH, StatusCode::NOT_CONNECTED);
        assert_eq!(Signals { running: Some(&bad), ..Signals::default() }.activity(), Activity::Unknown);
        assert_eq!(Signals::default().activity(), Activity::Unknown);
    }

    #[test]
    fn states_have_names() {
        assert_eq!(state_name(&Value::Integer(6)), "Execute");
        assert_eq!(state_name(&Value::Integer(40)), "State 40");
        assert_eq!(state_name(&Value::Integer(-1)), "State -1");
        assert_eq!(state_name(&"Cleaning".into()), "Cleaning");
    }
}

//! Stop reasons: what each one takes away from, whether it was planned, and which of two wins.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a stop takes away from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossClass {
    /// Leaves planned busy time: no loss of the machine (no order, a break, a meeting).
    ScheduleLoss,
    /// Stops that cost availability: breakdowns, and set-ups where the reason is planned.
    Availability,
    /// Stops that count as slow production: micro-stops.
    Performance,
}

impl LossClass {
    /// The word for it in files and results.
    pub fn word(self) -> &'static str {
        match self {
            Self::ScheduleLoss => "schedule_loss",
            Self::Availability => "availability",
            Self::Performance => "performance",
        }
    }
}

/// One reason as the plant file declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Its name, as people see it.
    pub name: Arc<str>,
    /// What its stops take away from.
    pub class: LossClass,
    /// Whether its stops are planned: a planned stop that costs availability is a set-up.
    pub planned: bool,
    /// Where two reasons are given for one instant, the higher wins.
    pub priority: i64,
    /// What controllers send for it, beside its name.
    pub codes: Vec<Arc<str>>,
}

/// All reasons of a plant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons(pub Vec<Reason>);

impl Reasons {
    /// The reason behind a name or code. What the file does not declare is an unplanned stop of that name, of priority 0.
    pub fn of(&self, given: &str) -> Reason {
        let given = given.trim();
        let declared = self.0.iter().find(|reason| &*reason.name == given);
        let declared = declared.or_else(|| self.0.iter().find(|reason| reason.codes.iter().any(|code| &**code == given)));
        declared.cloned().unwrap_or_else(|| Reason {
            name: given.into(),
            class: LossClass::Availability,
            planned: false,
            priority: 0,
            codes: Vec::new(),
        })
    }
}

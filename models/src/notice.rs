//! Notifications: what a message to people or programs is about.

use crate::{
    AssetId, Timestamp,
    alarm::{AlarmState, AlarmVerb, Priority},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a notification is about, for receivers that keep a record of the alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeAbout {
    /// The asset.
    pub asset: Option<AssetId>,
    /// How urgent it is.
    pub priority: Priority,
    /// What happened to the alarm.
    pub verb: AlarmVerb,
    /// Where the alarm stands.
    pub state: AlarmState,
    /// When it was raised.
    pub since: Option<Timestamp>,
    /// What the operator should do.
    pub response: Arc<str>,
}

impl Default for NoticeAbout {
    fn default() -> Self {
        Self {
            asset: None,
            priority: Priority::default(),
            verb: AlarmVerb::Raise,
            state: AlarmState::default(),
            since: None,
            response: "".into(),
        }
    }
}

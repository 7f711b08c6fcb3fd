//! Notifications: what is told, to which targets, in which form, and when. Nothing here sends anything.
//!
//! A [`Notice`] waits in the [`outbox`] of its target, which says when it goes, alone or in a group, and when it is given up.
//! [`form`] writes it as the receiver wants it.

pub mod form;
pub mod outbox;
mod target;

pub use target::{Mail, MailSecurity, MailServer, NotifyChannel, NotifyTarget};

use crate::{
    AssetId, EventId, Timestamp,
    alarm::{AlarmState, AlarmVerb, Priority},
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// One notification to deliver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// When it was decided.
    pub time: Timestamp,
    /// The target's name in the plant file.
    pub target: Arc<str>,
    /// The text.
    pub message: Arc<str>,
    /// The asset it is about.
    pub asset_path: Arc<str>,
    /// The detector it comes from.
    pub detector: Arc<str>,
    /// The event behind it: a receiver can recognise a repetition.
    pub event: EventId,
    /// What it is about.
    #[serde(default)]
    pub about: NoticeAbout,
}

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

impl Notice {
    /// First part of the keys of kept notices.
    pub const PREFIX: &str = "notice/";

    /// Key of the kept document that remembers it until it is known what became of it.
    pub fn key(&self) -> String {
        format!("{}{}/{}", Self::PREFIX, self.event, self.target)
    }
}

/// How long a `Retry-After` header asks to wait: seconds, or a date. None if it says neither.
///
/// Source: RFC 9110, 10.2.3.
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::from(date.timestamp()).since(now))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-10-21T07:28:00Z".parse().unwrap();
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Wed, 21 Oct 2026 07:29:30 GMT", now), Some(Duration::from_secs(90)));
        assert_eq!(retry_after("Wed, 21 Oct 2026 07:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}

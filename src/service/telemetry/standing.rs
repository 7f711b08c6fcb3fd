//! What is not counted but looked at: the historian, the sources, the detectors, each time the metrics page is asked for.

use super::names::*;
use crate::service::clock::Now;
use andon_dashboards::LiveHub;
use andon_models::{
    Timestamp,
    alarm::AlarmState,
    audit::AuditState,
    snapshot::{ConnectionState, SourceStatus},
};
use andon_query::{Historian, HistorianStats, StorageHealth};
use metrics::{counter, gauge};
use tokio::sync::watch;

/// Where the page looks.
pub struct Standing {
    /// The memory.
    pub historian: Historian,
    /// Sources and detectors as they stand.
    pub live: LiveHub,
    /// How the audit stands.
    pub audit: watch::Receiver<AuditState>,
    /// The clock.
    pub now: Now,
}

impl Standing {
    /// Brings the metrics up to date.
    pub fn record(&self) {
        gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1);
        gauge!(ARMED).set(u8::from(self.live.armed()));
        record_historian(&self.historian.stats());
        if let Ok(health) = self.historian.watch_storage() {
            record_storage(&health.borrow());
        }
        record_audit(&self.audit.borrow());
        record_alarms(self.live.detectors().iter().map(|detector| detector.alarm.state));
        let now = (self.now)();
        self.live.sources().iter().for_each(|source| record_source(source, now));
    }
}

pub(super) fn record_historian(stats: &HistorianStats) {
    counter!(POINTS_STORED).absolute(stats.points);
    counter!(EVENTS_STORED).absolute(stats.events);
    counter!(LOG_RECORDS).absolute(stats.log_record);
    counter!(FLUSHES).absolute(stats.flushes);
    counter!(FLUSH_FAILURES).absolute(stats.flush_failures);
    gauge!(SERIES).set(stats.series as f64);
    gauge!(BUFFERED_POINTS).set(stats.buffered_points as f64);
    gauge!(FILES).set(stats.files as f64);
    gauge!(FILE_ROWS).set(stats.file_rows as f64);
    gauge!(STATEMENTS).set(stats.statements as f64);
}

pub(super) fn record_storage(health: &StorageHealth) {
    gauge!(STORAGE_OK, "part" => "log").set(u8::from(health.log.is_none()));
    gauge!(STORAGE_OK, "part" => "history").set(u8::from(health.history.is_none()));
}

pub(super) fn record_audit(state: &AuditState) {
    counter!(AUDIT_RECORDS).absolute(state.records);
    gauge!(AUDIT_OK, "part" => "chain").set(u8::from(state.first_bad.is_none()));
    gauge!(AUDIT_OK, "part" => "disk").set(u8::from(state.trouble.is_empty()));
}

/// Every state has its number, also when it is 0: a graph of a state that went away must not stay where it was.
pub(super) fn record_alarms(alarms: impl Iterator<Item = AlarmState> + Clone) {
    for state in AlarmState::ALL {
        let count = alarms.clone().filter(|alarm| *alarm == state).count();
        gauge!(DETECTORS, "alarm" => state.name()).set(count as f64);
    }
}

pub(super) fn record_source(status: &SourceStatus, now: Timestamp) {
    let labels = [("source", status.source.to_string()), ("protocol", status.protocol.to_string())];
    gauge!(SOURCE_CONNECTED, &labels).set(u8::from(status.state == ConnectionState::Connected));
    if let Some(last) = status.last_value {
        gauge!(SOURCE_AGE, &labels).set(now.since(last).as_secs_f64());
    }
    for (name, lag) in [(SOURCE_LAG, status.lag_ms), (SOURCE_LAG_MAX, status.lag_max_ms)] {
        if let Some(lag) = lag {
            gauge!(name, &labels).set(lag as f64 / 1e3);
        }
    }
    gauge!(SOURCE_BACKLOG, &labels).set(status.backlog as f64);
    counter!(SOURCE_RECEIVED, &labels).absolute(status.received);
    counter!(SOURCE_DROPPED, &labels).absolute(status.dropped);
    counter!(SOURCE_CONNECTS, &labels).absolute(status.connects);
}

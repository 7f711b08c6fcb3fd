//! The names of all metrics and what they mean; `docs/metrics.md` is the same for people.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub const BUILD: &str = "andon_build_info";
pub const ARMED: &str = "andon_armed";

pub const SAMPLES: &str = "andon_samples_total";
pub const REFUSED: &str = "andon_samples_refused_total";
pub const STEP: &str = "andon_step_seconds";
pub const METRIC_PLAN: &str = "andon_metric_plan_seconds";
pub const COMMAND_OUTCOMES: &str = "andon_command_outcomes_total";
pub const NOTIFICATIONS: &str = "andon_notifications_total";
pub const DETECTORS: &str = "andon_detectors";

pub const POINTS_STORED: &str = "andon_points_stored_total";
pub const EVENTS_STORED: &str = "andon_events_stored_total";
pub const LOG_RECORDS: &str = "andon_log_records_total";
pub const SERIES: &str = "andon_series";
pub const BUFFERED_POINTS: &str = "andon_buffered_points";
pub const FILES: &str = "andon_history_files";
pub const FILE_ROWS: &str = "andon_history_rows";
pub const STATEMENTS: &str = "andon_statements_running";
pub const FLUSHES: &str = "andon_flushes_total";
pub const FLUSH_FAILURES: &str = "andon_flush_failures_total";
pub const STORAGE_OK: &str = "andon_storage_ok";

pub const AUDIT_RECORDS: &str = "andon_audit_records_total";
pub const AUDIT_OK: &str = "andon_audit_ok";

pub const SOURCE_CONNECTED: &str = "andon_source_connected";
pub const SOURCE_AGE: &str = "andon_source_last_value_age_seconds";
pub const SOURCE_RECEIVED: &str = "andon_source_received_total";
pub const SOURCE_DROPPED: &str = "andon_source_dropped_total";
pub const SOURCE_LAG: &str = "andon_source_lag_seconds";
pub const SOURCE_LAG_MAX: &str = "andon_source_lag_max_seconds";
pub const SOURCE_BACKLOG: &str = "andon_source_backlog";
pub const SOURCE_CONNECTS: &str = "andon_source_connects_total";

/// Tells the recorder what each metric means.
pub fn describe() {
    describe_gauge!(BUILD, "1; the label says which version runs");
    describe_gauge!(ARMED, "1 while writes to machines are allowed");

    describe_counter!(SAMPLES, Unit::Count, "samples that collectors handed to the pipeline");
    describe_counter!(REFUSED, Unit::Count, "samples that were not let in because of their time, by source and reason");
    describe_histogram!(STEP, Unit::Seconds, "time for one input of the pipeline, up to handing its record to the log");
    describe_histogram!(METRIC_PLAN, Unit::Seconds, "time to compute the metrics of a model in the windows that are due");
    describe_counter!(COMMAND_OUTCOMES, Unit::Count, "commands by how they ended");
    describe_counter!(NOTIFICATIONS, Unit::Count, "notifications that were delivered or failed");
    describe_gauge!(DETECTORS, Unit::Count, "detectors by the state of their alarm");

    describe_counter!(POINTS_STORED, Unit::Count, "points stored since the start: samples, transforms and metrics");
    describe_counter!(EVENTS_STORED, Unit::Count, "events stored since the start");
    describe_counter!(LOG_RECORDS, Unit::Count, "records ever written to the log of this data folder");
    describe_gauge!(SERIES, Unit::Count, "series with at least one value");
    describe_gauge!(BUFFERED_POINTS, Unit::Count, "points in memory and in the log that are not in Parquet yet");
    describe_gauge!(FILES, Unit::Count, "Parquet files of the history");
    describe_gauge!(FILE_ROWS, Unit::Count, "rows in the Parquet files of the history");
    describe_gauge!(STATEMENTS, Unit::Count, "SQL statements that run now");
    describe_counter!(FLUSHES, Unit::Count, "times the buffer became Parquet since the start");
    describe_counter!(FLUSH_FAILURES, Unit::Count, "flushes that failed since the start; the log keeps the data");

    describe_gauge!(STORAGE_OK, "1 while what is taken in gets on disk; `part` is log or history");

    describe_counter!(AUDIT_RECORDS, Unit::Count, "records ever written to the audit of this data folder");
    describe_gauge!(AUDIT_OK, "1 while the audit is as it was written (`part` chain) and is written (`part` disk)");

    describe_gauge!(SOURCE_CONNECTED, "1 while the source is connected");
    describe_gauge!(SOURCE_AGE, Unit::Seconds, "time since the last value of the source; absent before the first");
    describe_counter!(SOURCE_RECEIVED, Unit::Count, "values received from the source since the start");
    describe_counter!(SOURCE_DROPPED, Unit::Count, "values of the source dropped because a queue was full");
    describe_gauge!(SOURCE_LAG, Unit::Seconds, "from the source time of the value that got on disk last to that moment");
    describe_gauge!(SOURCE_LAG_MAX, Unit::Seconds, "the largest lag in the minute up to the last value that got on disk");
    describe_gauge!(SOURCE_BACKLOG, Unit::Count, "values received from the source that are not on disk yet");
    describe_counter!(SOURCE_CONNECTS, Unit::Count, "connections made to the source since the start");

    describe_counter!("andon_http_answers_total", Unit::Count, "answers of the HTTP interface by route and status");
    describe_histogram!("andon_http_answer_seconds", Unit::Seconds, "time for an answer of the HTTP interface by route");
}

//! What the metrics page says, without a running plant.

use super::{standing::*, *};
use andon_models::{
    Timestamp,
    alarm::AlarmState,
    snapshot::{ConnectionState, SourceStatus},
};
use andon_query::HistorianStats;

/// The page after something was recorded.
fn page(record: impl FnOnce()) -> String {
    let recorder = builder().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        describe();
        record();
    });
    handle.render()
}

fn check(page: &str, lines: &[&str]) {
    for line in lines {
        assert!(page.lines().any(|found| found == *line), "{line} in\n{page}");
    }
}

fn status(state: ConnectionState, last_value: Option<Timestamp>) -> SourceStatus {
    SourceStatus {
        source: "plc".into(),
        protocol: "opcua".into(),
        endpoint: "".into(),
        state,
        since: Timestamp::EPOCH,
        last_value,
        tags: 3,
        received: 120,
        dropped: 4,
        connects: 2,
        lag_ms: Some(250),
        lag_max_ms: Some(1_500),
        backlog: 7,
        clock_offset_ms: None,
        last_error: "".into(),
    }
}

#[test]
fn a_source_shows_its_connection_and_the_age_of_its_last_value() {
    let now = Timestamp::from_seconds(100);
    let shown = page(|| record_source(&status(ConnectionState::Connected, Some(Timestamp::from_seconds(90))), now));
    check(
        &shown,
        &[
            "# TYPE andon_source_connected gauge",
            "andon_source_connected{source=\"plc\",protocol=\"opcua\"} 1",
            "andon_source_last_value_age_seconds{source=\"plc\",protocol=\"opcua\"} 10",
            "# TYPE andon_source_received_total counter",
            "andon_source_received_total{source=\"plc\",protocol=\"opcua\"} 120",
            "andon_source_lag_seconds{source=\"plc\",protocol=\"opcua\"} 0.25",
            "andon_source_lag_max_seconds{source=\"plc\",protocol=\"opcua\"} 1.5",
            "andon_source_backlog{source=\"plc\",protocol=\"opcua\"} 7",
            "andon_source_dropped_total{source=\"plc\",protocol=\"opcua\"} 4",
            "andon_source_connects_total{source=\"plc\",protocol=\"opcua\"} 2",
        ],
    );
    let shown = page(|| record_source(&status(ConnectionState::Lost, None), now));
    check(&shown, &["andon_source_connected{source=\"plc\",protocol=\"opcua\"} 0"]);
    assert!(!shown.contains("andon_source_last_value_age_seconds{"), "no value, no age");
}

#[test]
fn detectors_are_counted_by_the_state_of_their_alarm() {
    let states = [AlarmState::Normal, AlarmState::Unacknowledged, AlarmState::Normal];
    let shown = page(|| record_alarms(states.into_iter()));
    check(
        &shown,
        &[
            "andon_detectors{alarm=\"normal\"} 2",
            "andon_detectors{alarm=\"unacknowledged\"} 1",
            "andon_detectors{alarm=\"shelved\"} 0",
        ],
    );
}

#[test]
fn durations_are_counted_in_classes() {
    let shown = page(|| {
        step("samples", Duration::from_micros(300));
        step("samples", Duration::from_secs(2));
        metric_plan("filler", "5m", Duration::from_millis(20));
    });
    check(
        &shown,
        &[
            "# TYPE andon_step_seconds histogram",
            "andon_step_seconds_bucket{input=\"samples\",le=\"0.0005\"} 1",
            "andon_step_seconds_bucket{input=\"samples\",le=\"+Inf\"} 2",
            "andon_step_seconds_count{input=\"samples\"} 2",
            "andon_metric_plan_seconds_count{model=\"filler\",window=\"5m\"} 1",
        ],
    );
}

#[test]
fn every_metric_is_explained_on_the_page_and_in_the_documentation() {
    let documented = include_str!("../../../docs/metrics.md");
    let shown = page(|| {
        samples(3);
        step("samples", Duration::ZERO);
        metric_plan("filler", "5m", Duration::ZERO);
        command_outcome(CommandState::Verified);
        notification("shift_lead", "delivered");
        record_historian(&HistorianStats::default());
        record_alarms([].into_iter());
        record_audit(&Default::default());
        record_source(&status(ConnectionState::Connected, Some(Timestamp::EPOCH)), Timestamp::EPOCH);
    });
    let names: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(names.len() > 18, "{names:?}");
    for name in names {
        assert!(shown.contains(&format!("# HELP {name} ")), "{name} has no description");
        assert!(documented.contains(&format!("`{name}`")), "{name} is not in docs/metrics.md");
    }
}

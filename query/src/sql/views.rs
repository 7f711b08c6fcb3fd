//! Views: other names and cuts of the same rows.

/// A view: name, what its rows are, statement.
pub type View = (&'static str, &'static str, &'static str);

/// All views, each after those it reads.
pub const VIEWS: [View; 10] = [
    (
        "events",
        "everything that happened, with its explanation in body",
        "SELECT time, kind, asset, detector, from_state, to_state, trigger, rule, priority, message, response, actor, note, reason, \
         command, control, address, value, read_back, since, asset_id, id, body FROM stored_events",
    ),
    (
        "transitions",
        "moves of detectors from state to state",
        "SELECT time, asset, detector, from_state, to_state, trigger, rule, asset_id, id, body FROM stored_events \
         WHERE kind = 'transition'",
    ),
    (
        "alarms",
        "changes of alarms: raised, acknowledged, cleared, shelved",
        "SELECT time, asset, detector, from_state, to_state AS state, trigger AS verb, priority, message, response, since, actor, \
         note, asset_id, id, body FROM stored_events WHERE kind = 'alarm'",
    ),
    (
        "commands",
        "writes to machines: requested, sent, verified, failed, unknown, refused or expired",
        "SELECT time, asset, detector, command, control, address, value, to_state AS state, read_back, reason, \
         actor AS decided_by, since AS decided_at, asset_id, id, body FROM stored_events WHERE kind = 'command'",
    ),
    (
        "notifications",
        "what people were told: requested, sent, retrying or failed",
        "SELECT time, actor AS target, to_state AS state, message, reason, asset, detector, asset_id, id, body FROM stored_events \
         WHERE kind = 'notification'",
    ),
    (
        "raw_time_series",
        "all values, with the names of AWS IoT SiteWise",
        "SELECT asset_id, property_id, alias AS property_alias, time AS event_timestamp, upper(quality) AS quality, \
         boolean AS boolean_value, integer AS int_value, double AS double_value, string AS string_value FROM samples",
    ),
    (
        "latest_value_time_series",
        "newest value of every property, with the names of AWS IoT SiteWise",
        "SELECT asset_id, property_id, alias AS property_alias, time AS event_timestamp, upper(quality) AS quality, \
         boolean AS boolean_value, integer AS int_value, double AS double_value, string AS string_value FROM latest",
    ),
    (
        "precomputed_aggregates",
        "values by 1m, 15m, 1h and 1d, with the names of AWS IoT SiteWise",
        "SELECT asset_id, property_id, alias AS property_alias, time AS event_timestamp, 'GOOD' AS quality, resolution, \
         sum AS sum_value, count AS count_value, avg AS average_value, max AS maximum_value, min AS minimum_value, \
         stdev AS stdev_value FROM rollup WHERE quality = 'good'",
    ),
    (
        "oee",
        "OEE of machines, lines and areas: one row for each window, with all figures",
        "SELECT time, asset, substr(property, 12) AS \"window\", f['start'] AS \"start\", f['availability'] AS availability, \
         f['performance'] AS performance, f['quality_rate'] AS quality_rate, f['oee'] AS oee, f['teep'] AS teep, f['nee'] \
         AS nee, f['utilisation'] AS utilisation, f['technical_efficiency'] AS technical_efficiency, f['setup_rate'] AS \
         setup_rate, f['scrap_ratio'] AS scrap_ratio, f['rework_ratio'] AS rework_ratio, f['first_pass_yield'] AS \
         first_pass_yield, f['throughput_per_hour'] AS throughput_per_hour, f['mtbf_s'] AS mtbf_s, f['mttr_s'] AS mttr_s, \
         f['mttf_s'] AS mttf_s, f['good'] AS good, f['bad'] AS bad, f['rework'] AS rework, f['total'] AS total, \
         f['calendar_s'] AS calendar_s, f['schedule_loss_s'] AS schedule_loss_s, f['planned_busy_s'] AS planned_busy_s, \
         f['running_s'] AS running_s, f['micro_stop_s'] AS micro_stop_s, f['setup_s'] AS setup_s, f['breakdown_s'] AS \
         breakdown_s, f['unknown_s'] AS unknown_s, f['coverage'] AS coverage, f['no_value_reason'] AS no_value_reason, \
         f['ideal_rate_suspect'] AS ideal_rate_suspect FROM (SELECT time, asset, property, oee_figures(string) AS f FROM \
         samples WHERE starts_with(property, 'oee_record_') AND quality = 'good' AND string IS NOT NULL)",
    ),
    (
        "stops",
        "stops of machines with their reasons, cut at full hours: of a longer one the later rows are `continued`",
        "SELECT time, s['start'] AS \"start\", s['end'] AS \"end\", asset, s['seconds'] AS seconds, s['reason'] AS reason, \
         s['class'] AS \"class\", s['planned'] AS planned, s['micro'] AS micro, s['continued'] AS continued, s['comment'] AS \
         \"comment\", s['by'] AS \"by\" FROM (SELECT time, asset, unnest(oee_stops(string)) AS s FROM samples WHERE property = \
         'oee_record_1h' AND quality = 'good' AND string IS NOT NULL)",
    ),
];

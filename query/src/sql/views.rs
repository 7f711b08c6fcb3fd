//! Views: other names and cuts of the same rows.

/// A view: name, what its rows are, statement.
pub type View = (&'static str, &'static str, &'static str);

/// All views, each after those it reads.
pub const VIEWS: [View; 8] = [
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
];

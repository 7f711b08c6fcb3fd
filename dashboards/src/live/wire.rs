//! What goes over the live WebSocket, both ways.

use andon_models::{Quality, SeriesId, Timestamp, Tqv, Value};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeSeq as _};

/// What a page may say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum FromPage {
    /// The values it wants from now on; replaces what it wanted before.
    Subscribe(Subscription),
}

/// The values a page wants.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subscription {
    /// Their series.
    pub(super) series: Vec<SeriesId>,
}

/// What a page is told.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ToPage {
    /// The connection stands.
    Hello { now: i64 },
    /// New values: all it subscribed to at first, then those that changed.
    Values { seq: u64, now: i64, values: Vec<Row> },
    /// Alarms changed: load them again.
    Alarms,
    /// A detector moved: load it again.
    Detector { asset: String, detector: String },
    /// A source changed: load them again.
    Sources,
    /// Arming changed: load the plant again.
    Plant,
    /// Nothing else happened; the link stands and this is the plant's time.
    Heartbeat { now: i64 },
    /// What the page said was not understood.
    Error { message: String },
}

/// `[series, time in ms, value, quality]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row(pub(super) SeriesId, pub(super) Tqv);

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(series, tqv) = self;
        (series, tqv.time.as_millis(), &tqv.value, quality_number(tqv.quality)).serialize(serializer)
    }
}

/// 0 good, 1 uncertain, 2 bad.
pub(crate) fn quality_number(quality: Quality) -> u8 {
    match quality {
        Quality::Good => 0,
        Quality::Uncertain => 1,
        Quality::Bad => 2,
    }
}

/// Writes values as `[[time in ms, value, quality] …]`.
pub(crate) fn encode_points<S: Serializer>(points: &[Tqv], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(points.len()))?;
    for Tqv { time, quality, value, .. } in points {
        list.serialize_element::<(i64, &Value, u8)>(&(time.as_millis(), value, quality_number(*quality)))?;
    }
    list.end()
}

/// Milliseconds since the epoch, as arrays and messages carry time.
pub(super) fn millis(time: Timestamp) -> i64 {
    time.as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_look_as_documented() {
        let row = Row(SeriesId(3), Tqv::good(Timestamp::from_millis(1_500), Value::Double(2.5)));
        let values = ToPage::Values { seq: 1, now: 2_000, values: vec![row] };
        let text = serde_json::to_string(&values).unwrap();
        assert_eq!(text, r#"{"type":"values","seq":1,"now":2000,"values":[[3,1500,2.5,0]]}"#);
        assert_eq!(serde_json::to_string(&ToPage::Alarms).unwrap(), r#"{"type":"alarms"}"#);
        let FromPage::Subscribe(subscription) = serde_json::from_str(r#"{"subscribe":{"series":[1,2]}}"#).unwrap();
        assert_eq!(subscription.series, [SeriesId(1), SeriesId(2)]);
    }
}

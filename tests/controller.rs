//! A filler's controller on real OPC UA: a temperature, a PackML state and a stop request.

use crate::harness::Andon;
use andon_fixtures::opcua_server::{Node, OpcUaOptions, OpcUaServer};
use andon_models::{Timestamp, Value, ValueType};
use std::time::{SystemTime, UNIX_EPOCH};

const TEMP: usize = 0;
const STOP_REQUEST: usize = 2;

/// The controller. It has a mind of its own only as far as a test tells it.
pub struct Controller(OpcUaServer);

impl Controller {
    /// Starts it, cool and running.
    pub async fn start() -> Self {
        let node = |id: &str, value: Value, writable| Node {
            id: id.into(),
            value_type: value.value_type().unwrap_or(ValueType::Double),
            value,
            writable,
        };
        let nodes = vec![
            node("Filler.Temp", 75.5.into(), false),
            node("Filler.State", 6_i64.into(), false),
            node("Filler.StopRequest", false.into(), true),
        ];
        let options = OpcUaOptions { namespace: "urn:test:filler".into(), ..OpcUaOptions::default() };
        Self(OpcUaServer::start(options, nodes).await.unwrap())
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Shows another temperature from now on.
    pub fn heat(&self, temperature: f64) {
        self.0.set([(TEMP, now(), temperature.into())]).unwrap();
    }

    /// What stands in its stop request.
    pub fn stop_request(&self) -> Value {
        self.0.value(STOP_REQUEST)
    }

    /// What was written, by its own record.
    pub fn writes(&self) -> Vec<(String, Value)> {
        self.0.writes()
    }
}

/// Waits until temperatures of the controller are stored.
pub async fn collecting(andon: &Andon) {
    let sql = "SELECT count(*) > 0 FROM samples WHERE property = 'fill_temp' AND quality = 'good'";
    andon.wait_for_column(sql, &["true"]).await;
}

/// The time by the wall clock.
#[expect(clippy::disallowed_methods, reason = "the simulated controller stamps its values with its own clock")]
pub fn now() -> Timestamp {
    Timestamp::EPOCH + SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

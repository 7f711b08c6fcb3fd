//! The whole service in this process, on a real protocol.

use super::*;
use crate::service::testing::plant;
use andon_fixtures::opcua_server::{Node, OpcUaOptions, OpcUaServer};
use andon_models::{Value, ValueType};
use andon_query::SqlLimits;

const PLANT: &str = "
plant: { name: Test, timezone: UTC }
sources:
  plc: { opcua: '$URL', security: none, every: 50ms }
models:
  press:
    measurements:
      temp: { from: ns=2;s=Temp @plc }
assets:
  Press: { model: press, plc: plc }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_loses_no_sample_that_arrived() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let temp = Node { id: "Temp".into(), value_type: ValueType::Double, value: Value::Double(0.0), writable: false };
    let options = OpcUaOptions { namespace: "urn:test:press".into(), ..OpcUaOptions::default() };
    let controller = Arc::new(OpcUaServer::start(options, vec![temp]).await.unwrap());
    let folder = tempfile::tempdir().unwrap();
    let now = clock::system();
    let plant = plant(&PLANT.replace("$URL", &controller.url()));
    let opened = open(plant, &[], folder.path().to_owned(), now(), &now).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = start(opened, listener, AppInfo::default(), now.clone()).await.unwrap();

    let mut status = running.sources.status("plc").unwrap();
    let (device, clock) = (controller.clone(), now.clone());
    let stream = tokio::spawn(async move {
        let mut every = tokio::time::interval(Duration::from_millis(5));
        for value in 1_u32.. {
            every.tick().await;
            device.set([(0, clock(), Value::Double(value.into()))]).unwrap();
        }
    });
    let flows = status.wait_for(|status| status.received > 20);
    tokio::time::timeout(Duration::from_secs(60), flows).await.expect("values arrive").unwrap();
    running.stop().await.unwrap();
    stream.abort();

    let (received, dropped) = (status.borrow().received, status.borrow().dropped);
    let historian = Historian::open_read_only(folder.path()).await.unwrap();
    let answer = historian.sql("SELECT count(*) FROM samples WHERE property = 'temp'", SqlLimits::default()).await.unwrap();
    assert_eq!((answer.rows[0][0].as_u64(), dropped), (Some(received), 0), "stored and received");
}

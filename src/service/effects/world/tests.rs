//! Effects at the edge of what there is room for.

use super::*;
use crate::service::{clock, testing::plant};
use andon_fixtures::{
    mqtt_broker::MqttBroker,
    opcua_server::{Node, OpcUaOptions, OpcUaServer},
};
use andon_models::{
    AssetId, CommandId, SeriesId, ValueType,
    catalog::{Catalog, SeriesDirectory},
};

const PLANT: &str = "
plant: Test
sources:
  plc: { opcua: '$URL', security: none, every: 100ms, writes: allow }
models:
  press:
    controls:
      speed: { type: double, to: ns=2;s=Speed @plc, min: 0, max: 100, step: 5 }
assets:
  Press: { model: press, plc: plc }
";

struct Stage {
    world: Arc<World>,
    sources: Arc<Sources>,
    messages: mpsc::Receiver<Message>,
    command: Command,
    _folder: tempfile::TempDir,
}

fn stage(url: &str) -> Stage {
    let plant = plant(&PLANT.replace("$URL", url));
    let catalog = Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()));
    let (folder, now) = (tempfile::tempdir().unwrap(), clock::system());
    let (deliver, _) = mpsc::channel(1);
    let sources = Arc::new(Sources::start(&catalog, folder.path(), &deliver, &now));
    let (messages, queue) = mpsc::channel(16);
    let command = Command {
        id: CommandId::from_name("test"),
        asset: AssetId::from_name("Press"),
        control: "speed".into(),
        tag: catalog.tags()[0].id,
        series: SeriesId(0),
        value: 78.0.into(),
        decided_by: "test".into(),
        decided_at: now(),
        deadline: now() + Duration::from_secs(3_600),
        verify: Duration::from_secs(60),
    };
    let world = World::new(sources.clone(), Notifier::new(&[]), messages, now);
    Stage { world, sources, messages: queue, command, _folder: folder }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.unwrap_or_else(|_| panic!("{what} takes too long"))
}

#[tokio::test]
async fn heartbeats_take_no_room_of_commands_and_do_not_pile_up() {
    let Stage { world, command, .. } = stage("opc.tcp://127.0.0.1:9");
    for _ in 0..2 * MAX_COMMANDS {
        world.perform(Effect::Beat(command.clone()));
    }
    // Beside the beat there is who publishes.
    assert_eq!((world.under_way.len(), world.commands.available_permits()), (2, MAX_COMMANDS));
    let over = async {
        while !world.beating().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the beat", over).await;
    world.perform(Effect::Beat(command));
    assert_eq!(world.beating().len(), 1, "the next one beats again");
}

#[tokio::test]
async fn a_command_left_open_is_judged_by_what_its_device_shows_at_each_attempt() {
    let node = Node { id: "Speed".into(), value_type: ValueType::Double, value: 75.0.into(), writable: true };
    let options = OpcUaOptions { namespace: "urn:test:press".into(), ..OpcUaOptions::default() };
    let controller = OpcUaServer::start(options, vec![node]).await.unwrap();
    let Stage { world, sources, mut messages, command, _folder } = stage(&controller.url());
    let connected = async { while sources.connected("plc").await.is_err() {} };
    soon("the connection", connected).await;
    world.resume(command.clone());
    let mut asked = async || match soon("the question", messages.recv()).await {
        Some(Message::Sending(_, current, leave)) => (current, leave),
        _ => panic!("another message"),
    };
    let (current, leave) = asked().await;
    assert_eq!(current, Some(75.0.into()));
    // Others have their turn until it tries again: all of them, one of which waits for this.
    let mut others = std::pin::pin!(futures::future::join_all((0..8).map(|_| sources.turn(&command))));
    assert!(futures::poll!(&mut others).is_pending());
    let _ = leave.send(Leave::Forbidden("the door is open".into()));
    let turns = soon("the turn of others", others).await;
    controller.set([(0, (world.now)(), 60.0.into())]).unwrap();
    drop(turns);
    let (current, _leave) = asked().await;
    assert_eq!(current, Some(60.0.into()));
}

/// More at once than the broker has acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn what_detectors_publish_arrives_in_order_and_whole() {
    const MANY: i64 = 2_000;
    let broker = MqttBroker::start().await.unwrap();
    let text = "
plant: Test
sources:
  broker: { mqtt: '$URL', topic: 'told/{asset}' }
models:
  line: { measurements: { number: { type: int, from: number @broker } } }
assets:
  Line: { model: line, broker: broker }
";
    let plant = plant(&text.replace("$URL", &broker.url()));
    let catalog = Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()));
    let (folder, now) = (tempfile::tempdir().unwrap(), clock::system());
    let (deliver, mut delivered) = mpsc::channel(16);
    let sources = Arc::new(Sources::start(&catalog, folder.path(), &deliver, &now));
    let (messages, _queue) = mpsc::channel(16);
    let world = World::new(sources.clone(), Notifier::new(&[]), messages, now);
    let connected = async { while sources.connected("broker").await.is_err() {} };
    soon("the connection", connected).await;
    for number in 0..MANY {
        let payload = format!("{{\"number\": {number}}}");
        world.perform(Effect::Publish { topic: "told/Line".into(), payload: payload.into() });
    }
    let mut told = Vec::new();
    while (told.len() as i64) < MANY {
        let delivery = soon("what was published", delivered.recv()).await.unwrap();
        // The broker waits for each to be safe.
        delivery.durable.send(()).unwrap();
        told.extend(delivery.samples.iter().filter_map(|sample| sample.tqv.value.as_f64()));
    }
    assert_eq!(told, (0..MANY).map(|number| number as f64).collect::<Vec<_>>());
    soon("the end", world.quiet(Duration::from_secs(60))).await;
}

//! The whole simulated plant through the collectors: every tag of the example file arrives, and a control reaches its machine.

use crate::{Delivery, Now, SourceHandle, SourcePlan, testing};
use andon_fixtures::{DemoServers, Simulation};
use andon_models::{
    Quality, StatusCode, TagId, Timestamp, Tqv, Value,
    address::Address,
    catalog::{Catalog, SeriesDirectory, Tag},
    command::{Command, CommandState},
    plant_file,
};
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::mpsc;

async fn servers() -> (DemoServers, Arc<Mutex<Simulation>>, Now) {
    let start: Timestamp = "2026-08-03T04:00:00Z".parse().unwrap();
    let live = start + Duration::from_secs(3_600);
    let mut simulation = Simulation::new(1, start, true);
    simulation.advance(live);
    let simulation = Arc::new(Mutex::new(simulation));
    let zero = tokio::time::Instant::now();
    let now: Now = Arc::new(move || live + zero.elapsed());
    (DemoServers::start(simulation.clone(), now.clone()).await.unwrap(), simulation, now)
}

fn catalog(servers: &DemoServers) -> Catalog {
    let file = ("bottling.yaml".to_owned(), andon_fixtures::BOTTLING.to_owned());
    let loaded = plant_file::load(&[file], &|name| servers.variable(name));
    Catalog::build(Arc::new(loaded.plant.expect("the example loads")), &mut SeriesDirectory::default())
}

fn start_all(catalog: &Catalog, deliver: &mpsc::Sender<Delivery>, now: &Now, pki_dir: &Path) -> Vec<SourceHandle> {
    let sources = catalog.plant.sources.iter().map(|source| {
        let tags: Vec<_> = catalog.tags().iter().filter(|tag| tag.source == source.name).cloned().collect();
        let asset_paths = tags.iter().map(|tag| (tag.id, catalog.plant.assets[tag.asset.0].path.clone())).collect();
        let plan = SourcePlan { source: source.clone(), tags, asset_paths, inputs: Vec::new(), pki_dir: pki_dir.into() };
        crate::start(plan, deliver.clone(), now.clone())
    });
    sources.collect()
}

#[tokio::test]
async fn every_tag_of_the_example_arrives_and_a_control_reaches_its_machine() {
    let (servers, simulation, now) = servers().await;
    let catalog = catalog(&servers);
    let home = tempfile::tempdir().unwrap();
    let (deliver, mut deliveries) = mpsc::channel(64);
    let handles = start_all(&catalog, &deliver, &now, home.path());
    let expected = catalog.tags().iter().filter(|tag| tag.read).count();
    assert!(expected > 200, "{expected} tags");
    let latest = Arc::new(Mutex::new(HashMap::<TagId, Tqv>::new()));
    let keep = latest.clone();
    tokio::spawn(async move {
        while let Some(delivery) = deliveries.recv().await {
            let mut latest = keep.lock().unwrap();
            for sample in delivery.samples {
                let newer = latest.get(&sample.tag).is_none_or(|last| last.time <= sample.tqv.time);
                if newer {
                    latest.insert(sample.tag, sample.tqv);
                }
            }
            drop(latest);
            let _ = delivery.durable.send(());
        }
    });
    let missing = || -> Vec<String> {
        let latest = latest.lock().unwrap();
        let good = |tag: &Tag| latest.get(&tag.id).is_some_and(|tqv| tqv.quality == Quality::Good);
        let missing = catalog.tags().iter().filter(|tag| tag.read && !good(tag));
        missing.map(|tag| format!("{} {} {:?}", tag.source, tag.address, latest.get(&tag.id))).collect()
    };
    let deadline = tokio::time::Instant::now() + testing::PATIENCE;
    while !missing().is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "not Good: {:#?}", missing());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let off = |tqv: &Tqv| now().since(tqv.time) > Duration::from_secs(30) && tqv.status != StatusCode::GOOD;
    assert!(!latest.lock().unwrap().values().any(off));

    let control = |tag: &&Tag| matches!(&tag.address, Address::OpcUa(node) if !tag.read && node.0.contains("Filler"));
    let stop = catalog.tags().iter().find(control).expect("a filler can be stopped");
    let handle = handles.iter().find(|handle| handle.name() == &*stop.source).unwrap();
    let command =
        Command { tag: stop.id, deadline: now() + Duration::from_secs(60), ..testing::command(0, Value::Boolean(true)) };
    let outcome = handle.write(&command).await;
    assert_eq!((outcome.state, &*outcome.reason), (CommandState::Verified, ""));
    assert_eq!(simulation.lock().unwrap().writes().len(), 1);
    for handle in handles {
        let status = handle.status().borrow().clone();
        assert_eq!((status.connects, status.dropped, &*status.last_error), (1, 0, ""), "{}", status.source);
        handle.stop().await;
    }
    servers.stop().await;
}

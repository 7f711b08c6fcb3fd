//! What people did is found among everything else that happened.

use super::*;
use crate::service::testing::{at, plant};
use andon_models::{
    AssetId, EventId,
    alarm::{AlarmState, Priority},
    catalog::SeriesDirectory,
    event::AlarmChange,
};
use andon_query::{Batch, HistorianOptions};

const PLANT: &str = "
plant: Test
models:
  press:
    measurements:
      temp: { unit: °C }
      speed: {}
    detectors:
      hot:
        message: Too hot
        response: Look.
        initial: normal
        states:
          normal: { go: [ { when: temp > 80 and speed > 0, to: hot } ] }
          hot: { enter: [raise] }
assets:
  Press: { model: press }
";

async fn historian(folder: &std::path::Path) -> (Historian, Arc<Catalog>) {
    let catalog = Arc::new(Catalog::build(Arc::new(plant(PLANT)), &mut SeriesDirectory::default()));
    (Historian::open(HistorianOptions::new(folder), catalog.clone()).await.unwrap().0, catalog)
}

fn change(number: i64, detector: &str, verb: AlarmVerb) -> Event {
    let change = AlarmChange {
        from: AlarmState::Unacknowledged,
        state: AlarmState::Acknowledged,
        verb,
        priority: Priority::High,
        message: "".into(),
        response: "".into(),
        since: None,
        by: "kim".into(),
        note: number.to_string().into(),
        explanation: Default::default(),
    };
    Event {
        id: EventId::from_name(&format!("{detector}/{number}/{}", verb.name())),
        // Three at each instant.
        time: at(1 + number / 3),
        asset: Some(AssetId::from_name("Press")),
        asset_path: "Press".into(),
        detector: detector.into(),
        body: EventBody::Alarm(change),
    }
}

#[tokio::test]
async fn every_acknowledgement_is_found_among_many_other_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (historian, catalog) = historian(folder.path()).await;
    let verb = |number| if number % 5 == 0 { AlarmVerb::Acknowledge } else { AlarmVerb::Raise };
    let events: Vec<Event> = (0..60)
        .flat_map(|number| [change(number, "hot", verb(number)), change(number, "other", AlarmVerb::Acknowledge)])
        .collect();
    historian.append(Batch { events, ..Batch::default() }).await.unwrap();
    let window = Window { start: at(0), end: at(100) };
    let mut notes = Vec::new();
    for (_, request) in deeds(&historian, &catalog, window, 4).await.unwrap() {
        let OperatorDeed::Acknowledge { note, .. } = request.deed else { panic!("another deed") };
        notes.push(note.parse::<i64>().unwrap());
    }
    assert_eq!(notes, (0..12).rev().map(|number| number * 5).collect::<Vec<_>>(), "oldest last");
    let error = deeds(&historian, &catalog, window, 3).await.unwrap_err().to_string();
    assert!(error.contains("not all of them can be read"), "{error}");
}

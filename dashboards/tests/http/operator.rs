//! What operators ask for reaches the loop that owns the plant, and its answer reaches them.

use crate::service::{Service, within};
use andon_models::{
    AssetId,
    operator::{OperatorDeed, OperatorRefusal, OperatorRequest},
};
use reqwest::StatusCode;
use serde_json::{Value as Json, json};
use std::time::Duration;

const ACKNOWLEDGE: &str = "/api/alarms/Line%201%2FFiller%201/overheat/acknowledge";
const SHELVE: &str = "/api/alarms/Line%201%2FFiller%201/overheat/shelve";
const UNSHELVE: &str = "/api/alarms/Line%201%2FFiller%201/overheat/unshelve";

/// Sends a request, answers it in the plant's place, and gives what the plant was asked and what the operator was told.
async fn ask(path: &str, body: Json, answer: Result<(), OperatorRefusal>) -> (OperatorDeed, StatusCode, Json) {
    let (request, status, told) = request(path, body, answer).await;
    assert_eq!(&*request.by, "local engineer");
    (request.deed, status, told)
}

async fn request(path: &str, body: Json, answer: Result<(), OperatorRefusal>) -> (OperatorRequest, StatusCode, Json) {
    let mut service = Service::start().await;
    let mut requests = std::mem::replace(&mut service.requests, tokio::sync::mpsc::channel(1).1);
    let plant = tokio::spawn(async move {
        let (request, reply) = requests.recv().await.unwrap();
        reply.send(answer).unwrap();
        request
    });
    let (status, told) = service.post(path, &body).await;
    let request = within(plant).await.unwrap();
    service.stop().await;
    (request, status, told)
}

fn filler() -> AssetId {
    AssetId::from_name("Line 1/Filler 1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_reaches_the_plant() {
    let (deed, status, _) = ask(ACKNOWLEDGE, json!({"note": " valve checked "}), Ok(())).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(deed, OperatorDeed::Acknowledge { asset: filler(), detector: "overheat".into(), note: "valve checked".into() });
    let (deed, status, _) = ask(ACKNOWLEDGE, json!({}), Ok(())).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(deed, OperatorDeed::Acknowledge { asset: filler(), detector: "overheat".into(), note: "".into() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shelving_and_arming_reach_the_plant() {
    let (deed, status, _) = ask(SHELVE, json!({"minutes": 15, "note": "sensor is being changed"}), Ok(())).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let span = Duration::from_secs(900);
    let note = "sensor is being changed".into();
    assert_eq!(deed, OperatorDeed::Shelve { asset: filler(), detector: "overheat".into(), span, note });
    let (deed, status, _) = ask(UNSHELVE, json!({}), Ok(())).await;
    assert_eq!(
        (status, deed),
        (StatusCode::NO_CONTENT, OperatorDeed::Unshelve { asset: filler(), detector: "overheat".into() })
    );
    let week = json!({"minutes": 7 * 24 * 60, "note": "the line is rebuilt"});
    assert_eq!(ask(SHELVE, week, Ok(())).await.1, StatusCode::NO_CONTENT);
    let (deed, status, _) = ask("/api/arm", json!({"armed": false}), Ok(())).await;
    assert_eq!((status, deed), (StatusCode::NO_CONTENT, OperatorDeed::Arm { armed: false, span: None, take_over: false }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_bears_the_name_of_who_asks_for_it() {
    for (body, by) in [(json!({"name": " kim "}), "kim (local engineer)"), (json!({}), "local engineer")] {
        let (request, status, _) = request("/api/detectors/Line%201%2FFiller%201/overheat/release", body, Ok(())).await;
        assert_eq!((status, &*request.by), (StatusCode::NO_CONTENT, by));
        assert_eq!(request.deed, OperatorDeed::Release { asset: filler(), detector: "overheat".into() });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_about_an_alarm_bears_a_name() {
    let alarm = "/api/alarms/Line%201%2FFiller%201/overheat";
    for (verb, body) in [
        ("acknowledge", json!({"name": "Mara"})),
        ("shelve", json!({"minutes": 15, "note": "sensor", "name": "Mara"})),
        ("unshelve", json!({"name": "Mara"})),
        ("out-of-service", json!({"note": "overhaul", "name": "Mara"})),
        ("return-to-service", json!({"name": "Mara"})),
        ("reset", json!({"name": "Mara"})),
    ] {
        let (request, status, told) = request(&format!("{alarm}/{verb}"), body, Ok(())).await;
        assert_eq!((status, &*request.by), (StatusCode::NO_CONTENT, "Mara (local engineer)"), "{verb}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_told_in_the_plants_words() {
    let refusals = [
        (OperatorRefusal::UnknownDetector("overheat".into()), StatusCode::NOT_FOUND, "there is no detector overheat"),
        (OperatorRefusal::NotNow("it is not in alarm".into()), StatusCode::CONFLICT, "it is not in alarm"),
        (
            OperatorRefusal::NotRecorded("disk full".into()),
            StatusCode::SERVICE_UNAVAILABLE,
            "not recorded, so not done: disk full",
        ),
    ];
    for (refusal, expected, message) in refusals {
        let (_, status, told) = ask(ACKNOWLEDGE, json!({}), Err(refusal)).await;
        assert_eq!((status, &told["error"]["message"]), (expected, &json!(message)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_never_reaches_the_plant() {
    let mut service = Service::start().await;
    let cases = [
        (SHELVE, json!({"minutes": 0, "note": "why"}), StatusCode::BAD_REQUEST),
        (SHELVE, json!({"minutes": 7 * 24 * 60 + 1, "note": "why"}), StatusCode::BAD_REQUEST),
        (SHELVE, json!({"minutes": 15, "note": " "}), StatusCode::BAD_REQUEST),
        (SHELVE, json!({"minutes": 15}), StatusCode::BAD_REQUEST),
        (ACKNOWLEDGE, json!({"note": "n".repeat(1_001)}), StatusCode::BAD_REQUEST),
        (ACKNOWLEDGE, json!({"not": "known"}), StatusCode::BAD_REQUEST),
        (ACKNOWLEDGE, json!({"name": "Kim\nand Ada"}), StatusCode::BAD_REQUEST),
        (ACKNOWLEDGE, json!({"name": "Kim\u{1b}[2K"}), StatusCode::BAD_REQUEST),
        (ACKNOWLEDGE, json!({"name": "\u{202e}miK"}), StatusCode::BAD_REQUEST),
        ("/api/alarms/Line%201%2FFiller%201/none/acknowledge", json!({}), StatusCode::NOT_FOUND),
        ("/api/alarms/nowhere/overheat/acknowledge", json!({}), StatusCode::NOT_FOUND),
    ];
    for (path, body, expected) in cases {
        let (status, told) = service.post(path, &body).await;
        assert_eq!(status, expected, "{path} {body}: {told}");
    }
    let (_, told) = service.post(ACKNOWLEDGE, &json!({"name": "Kim\tAda"})).await;
    assert_eq!(told["error"]["message"], "the name has the character U+0009, which nobody sees");
    assert!(service.requests.try_recv().is_err());
    service.requests.close();
    assert_eq!(service.post(ACKNOWLEDGE, &json!({})).await.0, StatusCode::SERVICE_UNAVAILABLE, "nobody is there to ask");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_for_the_next_shift_reaches_the_plant_with_its_author() {
    const NOTES: &str = "/api/lines/Line%201/notes";
    let (request, status, _) = request(NOTES, json!({"text": " cap torque runs high\n", "name": "Mara"}), Ok(())).await;
    assert_eq!((status, &*request.by), (StatusCode::NO_CONTENT, "Mara (local engineer)"));
    let asset = AssetId::from_name("Line 1");
    assert_eq!(request.deed, OperatorDeed::Note { asset, text: "cap torque runs high".into(), hour: None });
    let about = |text: &str| json!({"text": text, "hour": "2026-03-02T05:00:00Z"});
    for text in ["cap jam, film changed", ""] {
        let (told, status, _) = ask(NOTES, about(text), Ok(())).await;
        let hour = Some("2026-03-02T05:00:00Z".parse().unwrap());
        assert_eq!((status, told), (StatusCode::NO_CONTENT, OperatorDeed::Note { asset, text: text.into(), hour }));
    }

    let service = Service::start().await;
    let at = |hour: &str| json!({"text": "x", "hour": hour});
    // Between two hours, not begun yet, longer ago than may be written to.
    let hours = ["2026-03-02T05:30:00Z", "2026-03-02T09:00:00Z", "2026-02-20T05:00:00Z"].map(at);
    for body in hours.into_iter().chain([json!({"text": "  "}), json!({"text": "x".repeat(1_001)})]) {
        assert_eq!(service.post(NOTES, &body).await.0, StatusCode::BAD_REQUEST, "{body}");
    }
    let (_, told) = service.post(NOTES, &at("2026-03-02T05:30:00Z")).await;
    assert!(
        told["error"]["hint"].as_str().unwrap().starts_with("hours count from the start of the shift, 2026-03-02T05:00:00Z"),
        "{told}"
    );
    assert_eq!(service.post("/api/lines/Line%209/notes", &json!({"text": "x"})).await.0, StatusCode::NOT_FOUND);
    service.stop().await;
}

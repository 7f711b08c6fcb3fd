//! Back-fills over HTTP: begun, shown, taken back, and refused in words.

use crate::{service::Service, shape::differences};
use reqwest::{Method, StatusCode};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_back_fill_is_begun_shown_and_taken_back() {
    let service = Service::start().await;
    let document = service.get("/api/openapi.json").await;
    let order = json!({ "targets": ["filler.temp_avg", " filler.running "], "last_seconds": 86_400, "name": "Kim" });
    let (status, begun) = service.post("/api/backfills", &order).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{begun}");
    let schema = &document["paths"]["/api/backfills"]["post"]["responses"]["202"]["content"]["application/json"]["schema"];
    assert_eq!(differences(&document, schema, &begun), Vec::<String>::new());
    assert_eq!((&begun["number"], &begun["state"], &begun["progress"]), (&json!(1), &json!("waiting"), &json!(0.0)));
    assert_eq!(begun["targets"], json!(["filler.temp_avg", "filler.running"]));
    assert!(begun["by"].as_str().unwrap().contains("Kim"), "{begun}");
    assert_eq!(begun["windows_total"], 24, "two hours of history, in five minutes");
    assert!(begun["note"].as_str().unwrap().starts_with("there is no history before"), "{begun}");
    assert_eq!(service.get("/api/backfills").await, json!([begun]));
    assert_eq!(service.get("/api/backfills/1").await, begun);
    for (number, wanted) in [(1, StatusCode::NO_CONTENT), (1, StatusCode::CONFLICT), (2, StatusCode::NOT_FOUND)] {
        let request = service.request(Method::DELETE, &format!("/api/backfills/{number}"));
        assert_eq!(service.answer(request).await.0, wanted, "{number}");
    }
    let over = service.get("/api/backfills/1").await;
    assert_eq!((&over["state"], &over["progress"]), (&json!("cancelled"), &json!(1.0)));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_computed_is_refused_in_words() {
    let service = Service::start().await;
    for (order, words) in [
        (json!({ "targets": ["filer"], "last_seconds": 60 }), "did you mean filler?"),
        (json!({ "targets": ["filler.temp_agv"], "last_seconds": 60 }), "did you mean temp_avg?"),
        (json!({ "targets": ["filler.fill_temp"], "last_seconds": 60 }), "is not computed"),
        (json!({ "targets": [], "last_seconds": 60 }), "name between one"),
        (json!({ "targets": ["x".repeat(600)], "last_seconds": 60 }), "600 characters"),
        (json!({ "targets": ["filler"] }), "not said how much"),
        (json!({ "targets": ["filler"], "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z" }), "lies after"),
        (json!({ "targets": ["filler"], "last_seconds": 60, "over": 1 }), "unknown field"),
    ] {
        let (status, answer) = service.post("/api/backfills", &order).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{order}: {answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(words), "{order}: {answer}");
    }
    service.stop().await;
}

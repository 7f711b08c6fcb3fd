//! Back-tests over HTTP: what is asked reaches whoever plays them, and what is refused says why.

use crate::service::Service;
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

async fn start(service: &Service, body: Json) -> (StatusCode, Json) {
    service.post("/api/backtests", &body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_back_test_begins_and_ends() {
    let service = Service::start().await;
    let (status, body) =
        start(&service, json!({ "detector": "filler.overheat", "last_seconds": 3600, "asset": "Line 1/Filler 1" })).await;
    assert_eq!((status, body), (StatusCode::ACCEPTED, json!({ "id": "b1" })));
    let view = service.get("/api/backtests/b1").await;
    assert_eq!((&view["state"], &view["sides"][1]["name"]), (&json!("running"), &json!("edited")));
    assert_eq!(view["sides"][0]["events"][0]["to"], "hot");
    assert_eq!(view["sides"][0]["strips"][0]["spans"][0]["state"], "normal");
    for (id, wanted) in [("b1", StatusCode::NO_CONTENT), ("b2", StatusCode::NOT_FOUND)] {
        let request = service.request(Method::DELETE, &format!("/api/backtests/{id}"));
        assert_eq!(service.answer(request).await.0, wanted, "{id}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_played_is_refused_in_words() {
    let service = Service::start().await;
    for (body, wanted, words) in [
        (json!({ "detector": "filler.busy", "last_seconds": 60 }), StatusCode::CONFLICT, "b1 is running"),
        (json!({ "detector": "filler.gone", "last_seconds": 60 }), StatusCode::BAD_REQUEST, "no detector filler.gone"),
        (json!({ "detector": "filler.overheat" }), StatusCode::BAD_REQUEST, "not said how much"),
        (json!({ "detector": "filler.overheat", "last_seconds": 400 * 86_400 }), StatusCode::BAD_REQUEST, "366 days"),
        (
            json!({ "detector": "filler.overheat", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z" }),
            StatusCode::BAD_REQUEST,
            "lies after",
        ),
        (json!({ "detector": "filler.overheat", "last_seconds": 60, "asset": "Nowhere" }), StatusCode::NOT_FOUND, "Nowhere"),
    ] {
        let (status, answer) = start(&service, body.clone()).await;
        assert_eq!(status, wanted, "{body}: {answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(words), "{body}: {answer}");
    }
    let edited = json!({ "files": [{ "name": "edited.yaml", "text": "plant: Test\nmodls: {}\n" }] });
    let (status, answer) = start(&service, json!({ "detector": "filler.overheat", "last_seconds": 60, "with": edited })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    let diagnostic = &answer["diagnostics"][0];
    assert_eq!((&diagnostic["file"], &diagnostic["line"]), (&json!("edited.yaml"), &json!(2)), "{answer}");
    service.stop().await;
}

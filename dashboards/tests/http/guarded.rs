//! What is refused, and how.

use crate::service::Service;
use reqwest::{Method, StatusCode, header};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_names_and_foreign_pages_are_refused() {
    let service = Service::start().await;
    let foreign_name = service.request(Method::GET, "/api/plant").header(header::HOST, "evil.example:80");
    assert_eq!(service.answer(foreign_name).await.0, StatusCode::MISDIRECTED_REQUEST);
    let page = service.request(Method::GET, "/").header(header::HOST, "evil.example").header(header::ACCEPT, "text/html,*/*");
    let words = page.send().await.unwrap().text().await.unwrap();
    assert_eq!(
        words, "this is not \"evil.example\"\nuse http://localhost or http://127.0.0.1\n",
        "a browser shows words as they are"
    );
    let statement = json!({"sql": "SELECT 1"});
    let forged = service.request(Method::POST, "/api/sql").header(header::ORIGIN, "http://evil.example").json(&statement);
    let (status, body) = service.answer(forged).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(body["error"]["hint"], "act in Andon's own page");
    let own = format!("http://{}", service.authority);
    let honest = service.request(Method::POST, "/api/sql").header(header::ORIGIN, own).json(&statement);
    assert_eq!(service.answer(honest).await.0, StatusCode::OK);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_carries_the_security_headers() {
    let service = Service::start().await;
    for path in ["/", "/alarms", "/api/plant", "/api/nothing", "/assets/none.js", "/healthz"] {
        let response = service.request(Method::GET, path).send().await.unwrap();
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"), "{path}: {policy}");
        assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        let stored = response.headers().get(header::CACHE_CONTROL).map(|value| value.to_str().unwrap());
        if path.starts_with("/api") {
            assert_eq!(stored, Some("no-store"), "{path}");
        }
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_requests_are_refused_in_json() {
    let service = Service::start().await;
    let too_long = json!({"sql": " ".repeat(300 * 1024)}).to_string();
    let cases = [
        (service.request(Method::GET, "/api/nothing"), StatusCode::NOT_FOUND),
        (service.request(Method::GET, "/api/assets/none"), StatusCode::NOT_FOUND),
        (service.request(Method::GET, "/api/detectors/Line%201%2FFiller%201/none"), StatusCode::NOT_FOUND),
        (service.request(Method::GET, "/api/alarms?view=all"), StatusCode::BAD_REQUEST),
        (service.request(Method::GET, "/api/alarms?wiew=active"), StatusCode::BAD_REQUEST),
        (service.request(Method::GET, "/api/events?kind=party"), StatusCode::BAD_REQUEST),
        (service.request(Method::GET, "/api/events?from=yesterday"), StatusCode::BAD_REQUEST),
        (service.request(Method::GET, "/api/series/0/history?from=2000&to=1000"), StatusCode::BAD_REQUEST),
        (service.request(Method::GET, "/api/series/x/history"), StatusCode::NOT_FOUND),
        (service.request(Method::GET, "/api/trend?series=0&from=2000&to=1000"), StatusCode::BAD_REQUEST),
        (service.request(Method::GET, "/api/trend?series=99999"), StatusCode::NOT_FOUND),
        (service.request(Method::GET, "/api/trend?series=1,2,3,4,5,6,7,8,9"), StatusCode::BAD_REQUEST),
        (service.request(Method::GET, "/api/live"), StatusCode::UPGRADE_REQUIRED),
        (service.request(Method::POST, "/api/sql").body("{"), StatusCode::BAD_REQUEST),
        (service.request(Method::POST, "/api/sql").body("{}"), StatusCode::BAD_REQUEST),
        (service.request(Method::POST, "/api/sql").body(too_long), StatusCode::PAYLOAD_TOO_LARGE),
        (service.request(Method::DELETE, "/api/plant"), StatusCode::METHOD_NOT_ALLOWED),
        (service.request(Method::DELETE, "/alarms"), StatusCode::METHOD_NOT_ALLOWED),
    ];
    for (request, expected) in cases {
        let address = format!("{request:?}");
        let (status, body) = service.answer(request).await;
        assert_eq!(status, expected, "{address}: {body}");
        assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{address}: {body}");
        assert!(body["error"]["hint"].is_string(), "{address}: {body}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_of_the_interface_show_its_page() {
    let service = Service::start().await;
    for path in ["/", "/alarms", "/detectors/x/overheat", "/assets/Line%201%2FFiller%201"] {
        let response = service.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(response.text().await.unwrap().contains("<title>"), "{path}");
    }
    service.stop().await;
}

//! Every operation of the OpenAPI document answers the shape it documents.

use crate::{
    plant::{NOW, series},
    service::Service,
    shape::differences,
};
use andon_models::AssetId;
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

/// Operations that answer nothing, or no JSON; other tests look at them.
const OTHERWISE: [&str; 29] = [
    "/api/attributes",
    "/api/corrections",
    "/lines/{asset}/notes",
    "/api/trend",
    "/api/export",
    "/api/backfills",
    "/api/backfills/{number}",
    "/api/backtests",
    "/inputs/{input}",
    "/reason",
    "/split",
    "/release",
    "/commands/prepare",
    "/commands/confirm",
    "/api/arm",
    "/acknowledge",
    "/shelve",
    "/unshelve",
    "/suppress",
    "/unsuppress",
    "/out-of-service",
    "/return-to-service",
    "/reset",
    "/comment",
    "/api/live",
    "/metrics",
    "/write",
    "/write/arrow",
    "/ping",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_answers_its_documented_shape() {
    let service = Service::start().await;
    let document = service.get("/api/openapi.json").await;
    let mut checked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        if OTHERWISE.iter().any(|end| path.ends_with(end)) {
            continue;
        }
        for (method, operation) in operations.as_object().unwrap() {
            for address in addresses(&service, path) {
                let request = match method.as_str() {
                    "get" => service.request(Method::GET, &address),
                    "post" => service.request(Method::POST, &address).json(&body_of(path)),
                    "delete" => service.request(Method::DELETE, &address),
                    other => panic!("no test knows {other} {path}"),
                };
                let (status, body) = service.answer(request).await;
                if status == StatusCode::NO_CONTENT && operation["responses"]["204"].is_object() {
                    continue;
                }
                assert_eq!(status, StatusCode::OK, "{method} {address}: {body}");
                let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
                assert!(schema.is_object(), "{method} {path} documents no answer");
                assert_eq!(differences(&document, schema, &body), Vec::<String>::new(), "{method} {address}");
                checked += 1;
            }
        }
    }
    assert!(checked >= 18, "{checked}");
    service.stop().await;
}

/// A parameter that is written wrong is not taken for one that holds, wherever it is. Only clients of InfluxDB send others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_refuses_a_parameter_that_it_does_not_know() {
    let service = Service::start().await;
    let document = service.get("/api/openapi.json").await;
    let ours = |path: &&String| path.starts_with("/api/") && *path != "/api/v2/write";
    let mut asked = 0;
    for path in document["paths"].as_object().unwrap().keys().filter(ours) {
        for method in document["paths"][path].as_object().unwrap().keys() {
            let address =
                path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect::<Vec<_>>().join("/");
            let method: Method = method.to_uppercase().parse().unwrap();
            let request = service.request(method.clone(), &format!("{address}?nonsense=1"));
            let (status, body) = service.answer(request).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{method} {path}: {body}");
            let told = body["error"]["message"].as_str().unwrap_or_default();
            assert!(told.contains("unknown field `nonsense`"), "{method} {path}: {body}");
            asked += 1;
        }
    }
    assert!(asked >= 60, "{asked}");
    assert_eq!(service.answer(service.request(Method::GET, "/api/plant?")).await.0, StatusCode::OK, "none is none");
    service.stop().await;
}

fn body_of(path: &str) -> Json {
    match path {
        "/api/expressions/preview" => json!({"asset": "Line 1/Filler 1", "expression": "fill_temp + presure"}),
        "/api/definition/check" | "/api/definition/plan" => json!({"files": []}),
        "/api/definition/apply" => json!({"files": [], "base": "1"}),
        "/api/definition/revert" => json!({"version": 1, "base": "1"}),
        _ => json!({"sql": "SELECT 1 AS one, 'a' AS a"}),
    }
}

fn addresses(service: &Service, path: &str) -> Vec<String> {
    let asset = AssetId::from_name("Line 1/Filler 1").to_string();
    let temp = series(&service.catalog, "Line 1/Filler 1", "fill_temp").0.to_string();
    let address =
        path.replace("{asset}", &asset).replace("{detector}", "overheat").replace("{series}", &temp).replace("{source}", "plc");
    let address = address.replace("{id}", "1");
    match path {
        "/api/alarms" => ["active", "shelved", "suppressed", "out_of_service", "history"]
            .iter()
            .map(|view| format!("{address}?view={view}"))
            .collect(),
        "/api/assets/{asset}" => {
            vec![
                address.clone(),
                "/api/assets/Line%201%2FFiller%202".into(),
                "/api/assets/Line%201".into(),
                format!("{address}?as_of={NOW}"),
            ]
        }
        "/api/notes" => vec![format!("{address}?from=2026-03-02T05:00:00Z&to=2026-03-02T13:00:00Z")],
        "/api/backtests/{id}" => vec!["/api/backtests/b1".into()],
        "/api/detectors/{asset}/{detector}/replay" => vec![format!("{address}?from=0&to=2000000")],
        "/api/instances/{detector}" => vec![format!("{address}?key=M-1")],
        "/api/lines/{asset}" => vec!["/api/lines/Line%201".into(), "/api/lines/Line%201?as_of=2026-03-02T08:10:00Z".into()],
        "/api/events" => vec![address.clone(), format!("{address}?kind=alarm,transition&asset={asset}&limit=2&from=0")],
        "/api/oee" => vec![address.clone(), format!("{address}?losses=true&asset={asset}")],
        "/api/stops" => vec![format!("{address}?asset={asset}")],
        "/api/explain" => ["oee", "temp_avg", "running", "fill_temp"]
            .iter()
            .map(|of| format!("{address}?asset={asset}&property={of}"))
            .collect(),
        _ => vec![address],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_names_every_route() {
    let service = Service::start().await;
    let document = service.get("/api/openapi.json").await;
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    for path in ["/api/plant", "/api/overview", "/api/sql", "/api/schema", "/api/live", "/healthz", "/readyz", "/metrics"] {
        assert!(paths.iter().any(|known| *known == path), "{path}");
    }
    let described = |operation: &Json| operation["summary"].as_str().or(operation["description"].as_str()).is_some();
    for (path, operations) in document["paths"].as_object().unwrap() {
        assert!(operations.as_object().unwrap().values().all(described), "{path} says nothing about itself");
    }
    let operations = document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let ids: Vec<&str> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    service.stop().await;
}

/// The types of the web interface are made from this file (`npm run types`), so it must be what the service says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_web_interface_knows_the_present_document() {
    let service = Service::start().await;
    let document = service.get("/api/openapi.json").await;
    service.stop().await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/web/openapi.json");
    let present = serde_json::to_string_pretty(&document).unwrap() + "\n";
    if std::env::var_os("ANDON_UPDATE_OPENAPI").is_some() {
        std::fs::write(file, &present).unwrap();
    }
    let known = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        known == present,
        "dashboards/web/openapi.json is not what the service says of itself; run this test with ANDON_UPDATE_OPENAPI=1, \
         then `npm run types` in dashboards/web"
    );
}

//! Asking for and changing the definition, and what others notice of it.

use crate::{plant, service::Service};
use andon_dashboards::{
    Applied, AskDefinition, ChangeView, Definition, DefinitionRefusal, Definitions, DiagnosticView, FileText, Planned, Version,
    VersionFiles,
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::sync::mpsc;

/// An owner of a definition that says what it was asked.
pub fn owner() -> Definitions {
    let (definitions, mut asks) = mpsc::channel(4);
    tokio::spawn(async move {
        while let Some(ask) = asks.recv().await {
            answer(ask);
        }
    });
    definitions
}

fn answer(ask: AskDefinition) {
    let file = || vec![FileText { name: "plant.yaml".into(), text: "plant: {}".into() }];
    let version = || Version { id: 1, time: plant::now(), by: "kim".into(), comment: "first".into(), hash: "1".into() };
    let diagnostics = |files: Vec<FileText>| {
        let severity = "warning";
        let told = |file: FileText| DiagnosticView {
            severity,
            code: "odd",
            file: file.name,
            line: 1,
            column: 1,
            end_line: 1,
            end_column: 2,
            message: file.text,
            hint: String::new(),
        };
        files.into_iter().map(told).collect()
    };
    let changes = || {
        let what = "filler.temp_limit".into();
        vec![ChangeView {
            what,
            kind: "changed",
            before: Some("82".into()),
            after: Some("84".into()),
            consequences: Vec::new(),
            backfill: None,
        }]
    };
    match ask {
        AskDefinition::Read(reply) => {
            let found = Definition {
                hash: "1".into(),
                place: "file",
                changed_on_disk: false,
                files: file(),
                versions: vec![version()],
            };
            _ = reply.send(Ok(found));
        }
        AskDefinition::Version(1, reply) => _ = reply.send(Ok(VersionFiles { version: version(), files: file() })),
        AskDefinition::Version(id, reply) => {
            _ = reply.send(Err(DefinitionRefusal::Unknown(format!("there is no version {id}"), "look".into())));
        }
        AskDefinition::Check(files, reply) => _ = reply.send(Ok(diagnostics(files))),
        AskDefinition::Plan(files, reply) => {
            let planned = Planned {
                hash: "2".into(),
                base: "1".into(),
                diagnostics: diagnostics(files),
                changes: changes(),
                consequences: vec!["all".into()],
                text: "~".into(),
            };
            _ = reply.send(Ok(planned));
        }
        AskDefinition::Apply(change, reply) if change.base == "1" => {
            let text = format!("{} {} {:?}", change.by, change.comment, change.files.map(|files| files.len()));
            let applied = Applied { hash: "2".into(), version: 2, changes: changes(), consequences: Vec::new(), text };
            _ = reply.send(Ok(applied));
        }
        AskDefinition::Apply(_, reply) => {
            _ = reply.send(Err(DefinitionRefusal::Conflict("changed meanwhile".into(), "read it again".into())));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definition_is_read_checked_planned_and_applied() {
    let service = Service::start().await;
    let files = json!([{"name": "plant.yaml", "text": "plant: { name: x }"}]);
    assert_eq!(service.get("/api/definition").await["versions"][0]["by"], "kim");
    assert_eq!(service.get("/api/definition/versions/1").await["files"][0]["text"], "plant: {}");
    assert_eq!(service.answer(service.request(Method::GET, "/api/definition/versions/9")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(service.get("/api/definition/schema").await["type"], "object");
    let (status, checked) = service.post("/api/definition/check", &json!({"files": files})).await;
    assert_eq!((status, checked["diagnostics"][0]["message"].as_str()), (StatusCode::OK, Some("plant: { name: x }")));
    let apply = json!({"files": files, "base": "1", "comment": " hotter ", "name": "Kim"});
    let (status, applied) = service.post("/api/definition/apply", &apply).await;
    assert_eq!((status, applied["text"].as_str()), (StatusCode::OK, Some("Kim (local engineer) hotter Ok(1)")));
    let (_, reverted) = service.post("/api/definition/revert", &json!({"version": 1, "base": "1"})).await;
    assert_eq!(reverted["text"], "local engineer  Err(1)");
    let stale = json!({"files": files, "base": "0"});
    let (status, refused) = service.post("/api/definition/apply", &stale).await;
    assert_eq!((status, refused["error"]["hint"].as_str()), (StatusCode::CONFLICT, Some("read it again")));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_bodies_of_definitions_are_refused() {
    let service = Service::start().await;
    let (status, _) = service.post("/api/definition/check", &json!({"file": []})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let long = json!({"files": [], "base": "1", "comment": "x".repeat(1_001)});
    assert_eq!(service.post("/api/definition/apply", &long).await.0, StatusCode::BAD_REQUEST);
    // Larger than what other routes take, and still a plant file.
    let large = json!({"files": [{"name": "plant.yaml", "text": " ".repeat(1 << 20)}]});
    assert_eq!(service.post("/api/definition/check", &large).await.0, StatusCode::OK);
    assert_eq!(service.answer(service.request(Method::DELETE, "/api/definition")).await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(service.answer(service.request(Method::GET, "/api/definition/none")).await.0, StatusCode::NOT_FOUND);
    let forged = service.request(Method::POST, "/api/definition/check").header("origin", "http://evil.example");
    assert_eq!(service.answer(forged.json(&json!({"files": []}))).await.0, StatusCode::FORBIDDEN);
    // Last, because its connection is closed with the answer and nothing else may go over it.
    let too_large = json!({"files": [{"name": "plant.yaml", "text": " ".repeat(21 << 20)}]});
    assert_eq!(service.post("/api/definition/check", &too_large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_wait_for_a_plant_that_starts_again_and_the_definition_answers_meanwhile() {
    let service = Service::start().await;
    service.close().await;
    assert_eq!(service.get("/api/definition").await["hash"], "1");
    let waiting = service.request(Method::GET, "/api/plant");
    let waiting = tokio::spawn(waiting.send());
    assert!(!waiting.is_finished());
    service.open().await;
    assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::OK);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_plant_that_never_comes_is_told_when_the_service_ends() {
    let service = Service::start().await;
    service.close().await;
    let waiting = tokio::spawn(service.request(Method::GET, "/api/plant").send());
    // The request is in: another one after it was answered.
    service.get("/api/definition").await;
    service.stop().await;
    // Told in words, or cut off if it was still on its way.
    if let Ok(answer) = waiting.await.unwrap() {
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}

//! Values written by programs, in every dialect, and what they are told.

use crate::service::Service;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value as Json, json};

async fn write(service: &Service, address: &str, body: impl Into<reqwest::Body>) -> (StatusCode, Json) {
    service.answer(service.request(Method::POST, address).body(body)).await
}

async fn rows(service: &Service, sql: &str) -> Json {
    let (status, answer) = service.post("/api/sql", &json!({ "sql": sql })).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["rows"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_become_properties_and_streams() {
    let service = Service::start().await;
    let body = "filler,host=h1,asset=Line\\ 1/Filler\\ 1 fill_temp=91.25 1767225600000000001\n\
                /Line\\ 1/Filler\\ 2 fill_temp=88i 1767225600000000002\n\
                boiler,site=b,area=a pressure=4.5,note=\"all well\",open=t,count=3i 1767225600000000003\n";
    for address in ["/api/write", "/write?db=x&precision=ns", "/api/v2/write?org=o&bucket=b&precision=ns"] {
        assert_eq!(write(&service, address, body).await, (StatusCode::NO_CONTENT, Json::Null), "{address}");
    }
    let sql = "SELECT alias, asset, property, time, double, \"integer\", boolean, string FROM samples \
               WHERE time >= '2026-01-01T00:00:00Z' AND time < '2026-01-01T00:00:01Z' ORDER BY time, property";
    let boiler = |field: &str| format!("boiler,area=a,site=b {field}");
    let time = |nanos: u8| format!("2026-01-01T00:00:00.00000000{nanos}Z");
    let expected = json!([
        ["/Line 1/Filler 1/fill_temp", "Line 1/Filler 1", "fill_temp", time(1), 91.25, null, null, null],
        ["/Line 1/Filler 2/fill_temp", "Line 1/Filler 2", "fill_temp", time(2), 88.0, null, null, null],
        [boiler("count"), null, "count", time(3), null, 3, null, null],
        [boiler("note"), null, "note", time(3), null, null, null, "all well"],
        [boiler("open"), null, "open", time(3), null, null, true, null],
        [boiler("pressure"), null, "pressure", time(3), 4.5, null, null, null],
    ]);
    assert_eq!(rows(&service, sql).await, expected);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_line_is_told_in_the_writers_dialect_and_the_others_are_stored() {
    let service = Service::start().await;
    let body = "a f=1 1\nb f= 2\na f=\"text\" 3\nc f=4 4\n";
    let (status, answer) = write(&service, "/api/write", body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(answer["dropped"], 2);
    assert_eq!(answer["lines"][0], json!({"line": 2, "reason": "missing field value in \"b f= 2\""}));
    assert_eq!(answer["lines"][1]["line"], 3);
    let clash = "field type conflict: f is string here, but its series takes double";
    assert!(answer["lines"][1]["reason"].as_str().unwrap().starts_with(clash), "{answer}");
    assert_eq!(
        rows(&service, "SELECT alias, value FROM samples WHERE asset IS NULL ORDER BY alias").await,
        json!([["a f", 1.0], ["c f", 4.0]])
    );

    let (status, answer) = write(&service, "/write", "a f=2 5\nb\n").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(answer, json!({"error": "partial write: line 2: missing fields in \"b\" dropped=1"}));
    let (status, answer) = write(&service, "/api/v2/write", "b\n").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer,
        json!({"code": "invalid", "message": "unable to parse: line 1: missing fields in \"b\" dropped=1", "line": 1})
    );

    let computed = "x,asset=Line\\ 1/Filler\\ 1 fill_temp_5m=1";
    let (status, answer) = write(&service, "/api/write", computed).await;
    assert!(
        status == StatusCode::NO_CONTENT || answer["lines"][0]["reason"].as_str().unwrap().contains("is computed"),
        "{answer}"
    );
    let (status, answer) = write(&service, "/api/write", "a f=1 4102444800000000000").await;
    assert!(status == StatusCode::BAD_REQUEST && answer.to_string().contains("the time 2100-01-01T00:00:00Z is"), "{answer}");
    let (status, _) = write(&service, "/api/write?precision=days", "a f=1").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, answer) = write(&service, "/api/write?precision=s", "a f=1 1767225600000000000").await;
    assert!(status == StatusCode::BAD_REQUEST && answer.to_string().contains("does `precision` fit"), "{answer}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_may_be_packed_and_are_bounded_also_unpacked() {
    use std::io::Write as _;
    let service = Service::start().await;
    let pack = |body: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(body).unwrap();
        packer.finish().unwrap()
    };
    let packed = |address: &str, body: Vec<u8>| {
        service.request(Method::POST, address).header(header::CONTENT_ENCODING, "gzip").body(body)
    };
    assert_eq!(service.answer(packed("/api/v2/write?precision=s", pack(b"a f=1 7\n"))).await.0, StatusCode::NO_CONTENT);
    assert_eq!(rows(&service, "SELECT time FROM samples WHERE alias = 'a f'").await, json!([["1970-01-01T00:00:07Z"]]));
    assert_eq!(service.answer(packed("/write", b"a f=1 7\n".to_vec())).await.0, StatusCode::BAD_REQUEST);
    let bomb = pack(&vec![b'\n'; 33 << 20]);
    assert!(bomb.len() < 1 << 20);
    let (status, answer) = service.answer(packed("/write", bomb)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer["error"].as_str().unwrap().contains("at most 32 MiB"), "{answer}");
    assert_eq!(write(&service, "/api/write", vec![b'\n'; 33 << 20]).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let unknown = service.request(Method::POST, "/write").header(header::CONTENT_ENCODING, "br").body("a f=1");
    assert_eq!(service.answer(unknown).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let foreign = service.request(Method::POST, "/write").header(header::ORIGIN, "http://evil.example").body("a f=1");
    assert_eq!(service.answer(foreign).await.0, StatusCode::FORBIDDEN);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_go_in_steps_and_many_streams_fit_one_body() {
    let service = Service::start().await;
    let lines: String = (0..50_000).map(|number| format!("meter,id={} power={number} {number}\n", number % 20_000)).collect();
    assert_eq!(write(&service, "/api/write", lines).await, (StatusCode::NO_CONTENT, Json::Null));
    let counted =
        rows(&service, "SELECT count(*), count(DISTINCT alias), sum(value) FROM samples WHERE property = 'power'").await;
    assert_eq!(counted, json!([[50_000, 20_000, 50_000.0 * 49_999.0 / 2.0]]));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_ask_whether_somebody_is_there_are_answered() {
    let service = Service::start().await;
    for method in [Method::GET, Method::HEAD] {
        let answer = service.request(method, "/ping").send().await.unwrap();
        assert_eq!(
            (answer.status(), answer.headers()["x-influxdb-version"].to_str().unwrap()),
            (StatusCode::NO_CONTENT, "andon-0.0.0-test")
        );
    }
    let (status, answer) = write(&service, "/api/write/arrow", "rubbish").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["error"]["message"].as_str().unwrap().contains("no Arrow IPC stream"), "{answer}");
    service.stop().await;
}

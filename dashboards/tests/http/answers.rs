//! What the answers say about the small plant.

use crate::{
    plant::{self, NOW, before, series},
    service::Service,
};
use andon_models::{AssetId, alarm::AlarmState, snapshot::ConnectionState};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_header_knows_plant_shift_alarms_and_sources() {
    let service = Service::start().await;
    let plant = service.get("/api/plant").await;
    assert_eq!(plant["name"], "Testville");
    assert_eq!(plant["time_zone"], "Europe/Berlin");
    assert_eq!(plant["now"], NOW);
    assert_eq!(plant["shift"], json!({"name": "early", "start": "2026-03-02T05:00:00Z", "end": "2026-03-02T13:00:00Z"}));
    assert_eq!(plant["alarms"], json!({"critical": 0, "high": 1, "medium": 0, "low": 0}));
    assert_eq!(
        (&plant["unacknowledged"], &plant["alarms_per_hour"], &plant["alarms_per_hour_goal"]),
        (&json!(1), &json!(1), &json!(6))
    );
    assert_eq!(plant["sources"], json!({"total": 1, "connected": 1}));
    assert_eq!((&plant["demo"], &plant["armed"]), (&json!(true), &json!(true)));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_overview_shows_lines_machines_losses_and_what_needs_attention() {
    let service = Service::start().await;
    let overview = service.get("/api/overview").await;
    assert_eq!(overview["lines"].as_array().unwrap().len(), 1);
    let line = &overview["lines"][0];
    assert_eq!((&line["name"], &line["description"]), (&json!("Line 1"), &json!("Half a litre")));
    // Filler 2 runs all the time at half its rate, which is worse than the jam of Filler 1.
    assert_eq!(line["oee"]["of"], "Line 1/Filler 2");
    assert_eq!(line["oee"]["target"], 0.75);
    close(&line["oee"]["availability"], 1.0);
    close(&line["oee"]["performance"], 0.5);
    assert_eq!(line["strip"], json!([{"from": "2026-03-02T05:00:00Z", "to": NOW, "state": "running", "reason": ""}]));
    let machine = &line["machines"][0];
    assert_eq!(machine["state"]["name"], "Execute");
    assert_eq!((&machine["state"]["activity"], &machine["state"]["since"]), (&json!("running"), &json!(before(20))));
    let main = &machine["main"];
    assert_eq!((&main["key"], &main["value"], &main["quality"]), (&json!("fill_temp"), &json!(78.0), &json!("good")));
    assert_eq!((&main["normal"], &main["stale_after_ms"]), (&json!([74.0, 80.0]), &json!(10_000)));
    let spark = main["spark"].as_array().unwrap();
    assert!((9..=60).contains(&spark.len()), "{spark:?}");
    assert_eq!(spark.last().unwrap(), &json!([before(0).as_millis(), 78.0]));
    assert_eq!(machine["alarm"], json!({"priority": 2, "acknowledged": false, "message": "Temperature 83 °C is above 82 °C"}));
    assert_eq!(overview["attention"][0]["detector"], "overheat");
    assert_eq!(overview["attention"][0]["count_24h"], 1);
    // The bottleneck did not stand for it: the row says whose minutes these are.
    let asset = AssetId::from_name("Line 1").to_string();
    let loss = json!([{"asset": asset, "path": "Line 1", "reason": "Cap jam", "duration_ms": 1_200_000, "of": "Line 1/Filler 1",
        "bottleneck": false, "machines": 1}]);
    assert_eq!(overview["losses"], loss);
    service.stop().await;
}

fn close(value: &Json, expected: f64) {
    let number = value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    assert!((number - expected).abs() < 0.01, "{number} is not {expected}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_source_is_told_where_its_values_stand() {
    let service = Service::start().await;
    service.live.publish_source(plant::source(ConnectionState::Lost, "connection refused; is the controller on?"));
    let overview = service.get("/api/overview").await;
    let reason = "plc not connected: connection refused; is the controller on?";
    assert_eq!(overview["lines"][0]["machines"][1]["source_down"], reason);
    assert_eq!(service.get("/api/plant").await["sources"], json!({"total": 1, "connected": 0}));
    assert_eq!(service.get("/readyz").await["sources_connected"], 0, "told, but the service does its part");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asset_shows_all_its_properties() {
    let service = Service::start().await;
    let asset = service.get("/api/assets/Line%201%2FFiller%202").await;
    let property = |key: &str| {
        let all = asset["properties"].as_array().unwrap();
        all.iter().find(|property| property["key"] == key).unwrap_or_else(|| panic!("no {key} in {asset}")).clone()
    };
    let pressure = property("pressure");
    assert_eq!((&pressure["value"], &pressure["quality"]), (&Json::Null, &json!("bad")));
    assert_eq!((&pressure["kind"], &pressure["status"]), (&json!("measurement"), &json!(0x808A_0000_u32)));
    assert_eq!(pressure["source"], "opcua:plc ns=2;s=Pressure");
    assert_eq!((&property("running")["kind"], &property("running")["formula"]), (&json!("transform"), &json!("state == 6")));
    assert_eq!((&property("temp_avg")["kind"], &property("temp_avg")["window"]), (&json!("metric"), &json!("5m")));
    assert_eq!((&property("temp_limit")["kind"], &property("temp_limit")["value"]), (&json!("attribute"), &json!(82.0)));
    assert_eq!((&property("stop_request")["kind"], &property("stop_request")["type"]), (&json!("control"), &json!("boolean")));
    assert_eq!(asset["detectors"][0]["state"], "normal");
    assert_eq!(asset["oee"]["of"], "Line 1/Filler 2");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tree_carries_the_most_urgent_alarm_upwards() {
    let service = Service::start().await;
    service.live.publish_detector(plant::snapshot("Line 1/Filler 2", "hot/alarm", AlarmState::Acknowledged));
    let assets = service.get("/api/assets").await;
    let marks: Vec<_> =
        assets.as_array().unwrap().iter().map(|asset| (&asset["path"], &asset["highest_alarm"]["acknowledged"])).collect();
    let expected = [("Line 1", false), ("Line 1/Filler 1", false), ("Line 1/Filler 2", true)];
    let expected: Vec<_> = expected.into_iter().map(|(path, seen)| (json!(path), json!(seen))).collect();
    assert_eq!(marks, expected.iter().map(|(path, seen)| (path, seen)).collect::<Vec<_>>());
    assert_eq!(assets[0]["children"][0], assets[1]["id"]);
    assert_eq!(assets[1]["parent"], assets[0]["id"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_detector_shows_its_machine_and_its_story() {
    let service = Service::start().await;
    let detector = service.get("/api/detectors/Line%201%2FFiller%201/overheat").await;
    let states: Vec<&Json> = detector["model"]["states"].as_array().unwrap().iter().map(|state| &state["path"]).collect();
    assert_eq!(states, ["normal", "hot", "hot/warming", "hot/alarm"]);
    assert_eq!(detector["model"]["initial"], "normal");
    assert_eq!(detector["model"]["states"][0]["rules"][0]["to"], "hot");
    assert_eq!(detector["model"]["states"][2]["rules"][0]["kind"], "after");
    assert_eq!(detector["snapshot"]["state"], "hot/alarm");
    let moves: Vec<&Json> = detector["transitions"].as_array().unwrap().iter().map(|event| &event["to"]).collect();
    assert_eq!(moves, ["hot/alarm", "hot/warming", "normal"]);
    assert_eq!(detector["transitions"][1]["explanation"]["inputs"][0]["value"], 83.0);
    assert_eq!(detector["alarms"][0]["verb"], "raise");
    let strip: Vec<&Json> = detector["strip"].as_array().unwrap().iter().map(|span| &span["state"]).collect();
    assert_eq!(strip, ["normal", "hot/warming", "hot/alarm"]);
    let inputs: Vec<&Json> = detector["inputs"].as_array().unwrap().iter().map(|input| &input["key"]).collect();
    assert_eq!(inputs, ["fill_temp", "temp_limit", "running"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_comes_in_time_order_with_its_quality() {
    let service = Service::start().await;
    let temp = series(&service.catalog, "Line 1/Filler 1", "fill_temp").0;
    let history = service.get(&format!("/api/series/{temp}/history?from={}&points=5000", before(10).as_millis())).await;
    let points = history["points"].as_array().unwrap();
    assert_eq!(points.len(), 10);
    assert_eq!(points[0], json!([before(9).as_millis(), 78.9, 0]));
    let trend = service.request(Method::GET, &format!("/api/trend?series={temp}&from={}&points=5000", before(10).as_millis()));
    let columns = trend.send().await.unwrap().bytes().await.unwrap();
    assert_eq!(columns[..8], [temp.to_le_bytes(), 10_u32.to_le_bytes()].concat());
    let first = [8, 8 + 10 * 8].map(|at| f64::from_le_bytes(columns[at..at + 8].try_into().unwrap()));
    assert_eq!(first, [before(9).as_millis() as f64, 78.9], "the same, as columns");
    let (status, error) = service.answer(service.request(Method::GET, "/api/series/99999/history")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(error["error"]["message"], "there is no series 99999");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_answers_tables_and_refuses_in_words() {
    let service = Service::start().await;
    let (status, answer) = service.post("/api/sql", &json!({"sql": "SELECT 1 + 1 AS two"})).await;
    assert_eq!((status, &answer["rows"]), (StatusCode::OK, &json!([[2]])));
    assert_eq!(answer["columns"][0]["name"], "two");
    assert!(answer["elapsed_ms"].is_u64());
    for statement in ["SELECT nothing FROM nowhere", "DROP TABLE asset", "SELEKT", "COPY (SELECT 1) TO '/tmp/x'"] {
        let (status, answer) = service.post("/api/sql", &json!({"sql": statement})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{statement}: {answer}");
        assert!(!answer["error"]["message"].as_str().unwrap().is_empty());
    }
    let (_, answer) = service.post("/api/sql", &json!({"sql": "SELECT count(*) FROM alarms"})).await;
    assert_eq!(answer["rows"], json!([[1]]));
    let schema = service.get("/api/schema").await;
    let tables: Vec<&str> = schema.as_array().unwrap().iter().map(|table| table["table"].as_str().unwrap()).collect();
    for table in ["asset", "asset_property", "raw_time_series", "events", "alarms", "commands", "filler"] {
        assert!(tables.contains(&table), "{table} is not in {tables:?}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_alarms_come_from_the_events() {
    let service = Service::start().await;
    let history = service.get("/api/alarms?view=history").await;
    assert_eq!(history.as_array().unwrap().len(), 1);
    assert_eq!((&history[0]["state"], &history[0]["since"]), (&json!("unacknowledged"), &json!(before(10))));
    assert_eq!(service.get("/api/alarms?view=shelved").await, json!([]));
    let active = service.get("/api/alarms").await;
    assert_eq!(active[0]["value_inputs"][0]["key"], "fill_temp");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_tells_how_it_is() {
    let service = Service::start().await;
    assert_eq!(service.get("/healthz").await, json!({"status": "ok", "version": "0.0.0-test"}));
    assert_eq!(service.get("/readyz").await["ready"], true);
    let (status, metrics) = service.answer(service.request(Method::GET, "/metrics")).await;
    assert_eq!((status, metrics), (StatusCode::OK, json!("andon_up 1\n")));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_is_not_ready_when_nobody_takes_requests() {
    let mut service = Service::start().await;
    service.requests.close();
    let (status, body) = service.answer(service.request(Method::GET, "/readyz")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body["problems"][0].as_str().unwrap().contains("takes no requests"));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_formula_is_tried_on_an_asset() {
    let service = Service::start().await;
    let tried = async |expression: &str| {
        let body = json!({"asset": "Line 1/Filler 1", "expression": expression});
        service.answer(service.request(Method::POST, "/api/expressions/preview").json(&body)).await
    };
    let (status, above) = tried("fill_temp - temp_limit").await;
    assert_eq!(status, StatusCode::OK, "{above}");
    assert_eq!((&above["kind"], &above["type"], &above["unit"]), (&json!("transform"), &json!("double"), &json!("K")));
    assert_eq!((&above["quality"], &above["diagnostics"]), (&json!("good"), &json!([])));
    // 82 is the limit: what the filler showed last is 78.
    assert_eq!(above["value"], json!(-4.0));
    let points = above["points"].as_array().unwrap();
    assert!(points.len() > 10 && points.len() <= 480, "{}", points.len());
    assert_eq!(points.last().unwrap(), &json!([before(0).as_millis(), -4.0, 0]));

    let (_, mean) = tried("avg(fill_temp)").await;
    assert_eq!((&mean["kind"], &mean["unit"], &mean["window_ms"]), (&json!("metric"), &json!("°C"), &json!(300_000)));
    assert_eq!(mean["points"].as_array().unwrap().last().unwrap()[0], json!(before(0).as_millis()));

    let (_, slip) = tried("fil_temp > 80").await;
    let told = &slip["diagnostics"][0];
    assert_eq!((&told["start"], &told["end"], &told["nearest"]), (&json!(0), &json!(8), &json!("fill_temp")));
    assert_eq!((&slip["kind"], &slip["points"]), (&Json::Null, &json!([])));

    let (_, clash) = tried("fill_temp + pressure").await;
    assert_eq!(clash["diagnostics"][0]["severity"], "error");
    assert_eq!(clash["diagnostics"][0]["message"], "`fill_temp + pressure` puts °C and bar together");

    let long = "1+".repeat(5_000);
    assert_eq!(tried(&long).await.0, StatusCode::BAD_REQUEST);
    let body = json!({"asset": "Line 1/Filler 1", "expression": "1", "from": "0", "to": NOW});
    let (status, _) = service.answer(service.request(Method::POST, "/api/expressions/preview").json(&body)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_values_of_a_trend_are_a_file() {
    let service = Service::start().await;
    let temp = series(&service.catalog, "Line 1/Filler 1", "fill_temp").0;
    let span = format!("from={}&to={}", before(120).as_millis(), before(0).as_millis());
    let get = async |query: &str| service.request(Method::GET, &format!("/api/export?{query}")).send().await.unwrap();

    let file = get(&format!("series={temp}&{span}")).await;
    assert_eq!(file.headers()["content-type"], "application/vnd.apache.parquet");
    assert!(file.headers()["content-disposition"].to_str().unwrap().ends_with(".parquet\""));
    let bytes = file.bytes().await.unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "{} bytes", bytes.len());

    let text = get(&format!("series={temp}&{span}&format=csv")).await.text().await.unwrap();
    let sql = "SELECT count(*) AS n FROM samples WHERE asset = 'Line 1/Filler 1' AND property = 'fill_temp'";
    let (_, counted) = service.post("/api/sql", &json!({"sql": sql})).await;
    assert_eq!(text.lines().count() as u64, counted["rows"][0][0].as_u64().unwrap() + 1, "{text}");
    assert!(text.starts_with("time,asset,property,value,string,quality"), "{text}");

    assert_eq!(get(&format!("series=4000000000&{span}")).await.status(), StatusCode::NOT_FOUND);
    for wrong in [format!("series=&{span}"), format!("series={temp}&{span}&format=xls"), format!("series={temp}&from=5&to=4")] {
        assert_eq!(get(&wrong).await.status(), StatusCode::BAD_REQUEST, "{wrong}");
    }
    service.stop().await;
}

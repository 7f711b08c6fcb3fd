//! Pages of the past: an answer as it was at an instant, values as they are stored, statements over a span.

use crate::{
    plant::{before, series},
    service::Service,
};
use serde_json::{Value as Json, json};

/// In the middle of the jam of Filler 1, which lasted from 08:20 to 08:40.
const SEEN: &str = "2026-03-02T08:25:00Z";
const FILLER: &str = "Line%201%2FFiller%201";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_is_shown_as_it_was_seen() {
    let service = Service::start().await;
    let line = service.get(&format!("/api/lines/Line%201?as_of={SEEN}")).await;
    assert_eq!((&line["as_of"], &line["shift"]["name"]), (&json!(SEEN), &json!("early")));
    let hours: Vec<&Json> = line["hours"].as_array().unwrap().iter().map(|hour| &hour["to"]).collect();
    assert_eq!(hours, ["2026-03-02T06:00:00Z", "2026-03-02T07:00:00Z", "2026-03-02T08:00:00Z", SEEN]);
    let strip = line["machines"][0]["strip"].as_array().unwrap();
    let last = strip.last().unwrap();
    assert_eq!((&last["state"], &last["reason"], &last["to"]), (&json!("stopped"), &json!("Cap jam"), &json!(SEEN)));
    // What is asked for later than now is seen now.
    let later = service.get("/api/lines/Line%201?as_of=2026-03-03T08:25:00Z").await;
    assert_eq!(later["hours"].as_array().unwrap().len(), 4);
    assert_eq!(later["shift"]["name"], "early");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_has_the_values_it_had_and_nothing_of_now() {
    let service = Service::start().await;
    let then = service.get(&format!("/api/assets/{FILLER}?as_of={SEEN}")).await;
    let property =
        |key: &str| then["properties"].as_array().unwrap().iter().find(|property| property["key"] == key).unwrap().clone();
    assert_eq!((&then["state"]["activity"], &then["state"]["reason"]), (&json!("stopped"), &json!("Cap jam")));
    assert_eq!((&property("state")["value"], &property("temp_limit")["value"]), (&json!(9), &json!(82.0)));
    assert!(property("fill_temp")["time"].as_str().is_none_or(|time| time <= SEEN), "{}", property("fill_temp"));
    assert_eq!((&then["alarms"], &then["detectors"], &then["highest_alarm"]), (&json!([]), &json!([]), &Json::Null));
    let now = service.get(&format!("/api/assets/{FILLER}")).await;
    assert_eq!((&now["state"]["activity"], now["alarms"].as_array().unwrap().len()), (&json!("running"), 1));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_stops_alarms_and_events_end_where_they_were_seen() {
    let service = Service::start().await;
    let oee = service.get(&format!("/api/oee?asset={FILLER}&as_of={SEEN}")).await;
    let last = oee["rows"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["provisional"], &last["end"]), (&json!(true), &json!(SEEN)));
    let stops = service.get(&format!("/api/stops?asset={FILLER}&from=2026-03-02T05:00:00Z&as_of={SEEN}")).await;
    let stop = stops["stops"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&stop["reason"], &stop["end"], &stop["open"]), (&json!("Cap jam"), &json!(SEEN), &json!(true)));
    assert_eq!(service.get(&format!("/api/alarms?view=history&as_of={SEEN}")).await, json!([]));
    assert_eq!(service.get("/api/alarms?view=history").await.as_array().unwrap().len(), 1);
    let kinds = |events: Json| -> Vec<String> {
        events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(service.get(&format!("/api/events?as_of={SEEN}")).await), ["transition"]);
    assert_eq!(kinds(service.get("/api/events").await).len(), 4);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_values_are_paged_back_to_the_first() {
    let service = Service::start().await;
    let number = series(&service.catalog, "Line 1/Filler 1", "state").0;
    let (mut address, mut found) = (format!("/api/series/{number}/samples?limit=2"), Vec::new());
    loop {
        let page = service.get(&address).await;
        let samples = page["samples"].as_array().unwrap().clone();
        assert!(samples.len() <= 2, "{page}");
        found.extend(samples.iter().map(|sample| (sample["time"].clone(), sample["value"].clone())));
        if page["more"] == json!(false) {
            break;
        }
        address = format!("/api/series/{number}/samples?limit=2&before={}", found.last().unwrap().0.as_str().unwrap());
    }
    let expected = [(20, 6), (40, 9), (300, 6)].map(|(minutes, state)| (json!(before(minutes)), json!(state)));
    assert_eq!(found, expected);
    let (status, _) = service.answer(service.request(reqwest::Method::GET, "/api/series/4000000000/samples")).await;
    assert_eq!(status, reqwest::StatusCode::NOT_FOUND);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_over_a_span_gets_its_instants_as_parameters() {
    let service = Service::start().await;
    let ask = async |sql: &str, from: Option<&str>, to: Option<&str>| {
        service.post("/api/sql", &json!({"sql": sql, "from": from, "to": to})).await
    };
    let sql = "SELECT reason FROM filler WHERE asset = 'Line 1/Filler 1' AND reason <> '' AND time > $from AND time <= $to";
    let (status, jam) = ask(sql, Some("2026-03-02T08:00:00Z"), Some(SEEN)).await;
    assert_eq!((status, &jam["rows"]), (reqwest::StatusCode::OK, &json!([["Cap jam"]])));
    let (_, before) = ask(sql, Some("2026-03-02T07:00:00Z"), Some("2026-03-02T08:00:00Z")).await;
    assert_eq!(before["rows"], json!([]));
    let (status, told) = ask("SELECT $to - $from AS span, $to - INTERVAL '1 hour' AS earlier", Some("0"), Some(SEEN)).await;
    assert_eq!((status, &told["rows"][0][1]), (reqwest::StatusCode::OK, &json!("2026-03-02T07:25:00Z")));
    // Plant time, which is an hour ahead in March, and an offset.
    let (_, told) = ask("SELECT $from, $to", Some("2026-03-02 06:00"), Some("2026-03-02T09:30:00+02:00")).await;
    assert_eq!(told["rows"], json!([["2026-03-02T05:00:00Z", "2026-03-02T07:30:00Z"]]), "{told}");
    assert_eq!((&told["columns"][0]["name"], &told["columns"][1]["name"]), (&json!("$from"), &json!("$to")));
    for (sql, from, to, expected) in [
        (sql, Some("yesterday"), Some(SEEN), "write 2026-11-01 06:00 in plant time"),
        (sql, None, None, "no span is given"),
        ("SELECT $since", Some("0"), Some(SEEN), "there is no parameter $since"),
        (sql, Some(SEEN), Some("0"), "must lie before"),
        (sql, Some(SEEN), None, "a start and an end"),
    ] {
        let (status, told) = ask(sql, from, to).await;
        let message = told["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(status == reqwest::StatusCode::BAD_REQUEST && message.contains(expected), "{status} {told}");
    }
    service.stop().await;
}

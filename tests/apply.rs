//! A running plant goes on with another definition: what was acknowledged stays, states and alarms stay, the new limit holds; what
//! does not check changes nothing; a crash in the middle leaves one definition, whole.

use crate::harness::{Andon, Site};
use serde_json::{Value, json};
use std::{
    path::Path,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const PLANT: &str = "
plant: { name: Test, timezone: UTC }
models:
  press:
    attributes: { limit: { default: 80 } }
    measurements: { temp: {}, n: { type: int } }
    detectors:
      hot:
        message: Too hot
        response: Look.
        initial: normal
        states:
          normal: { go: [ { when: temp > limit, to: hot } ] }
          hot: { enter: [raise], go: [ { when: temp < limit - 10, to: normal, do: [clear] } ] }
assets:
  Press 1: { model: press }
  Press 2: { model: press }
";

async fn write(andon: &Andon, line: &str) -> bool {
    let request = reqwest::Client::new().post(format!("{}/api/write", andon.url)).body(format!("{line}\n"));
    request.send().await.is_ok_and(|answer| answer.status() == reqwest::StatusCode::NO_CONTENT)
}

fn files(text: &str) -> Value {
    json!([{ "name": "plant.yaml", "text": text }])
}

fn hotter() -> String {
    PLANT.replace("limit: { default: 80 }", "limit: { default: 95 }")
}

async fn hash(andon: &Andon) -> String {
    andon.json("/api/definition").await["hash"].as_str().unwrap().to_owned()
}

async fn apply(andon: &Andon, text: &str) -> (u16, Value) {
    let body = json!({ "files": files(text), "base": hash(andon).await, "comment": "because", "name": "Kim" });
    andon.post("/api/definition/apply", &body).await
}

const MOVES: &str = "SELECT asset || ' ' || to_state FROM transitions WHERE from_state <> '' ORDER BY time";

#[tokio::test]
async fn a_limit_changes_while_values_flow_and_an_alarm_stands() {
    let site = Site::new(PLANT);
    let andon = Arc::new(site.run().await);
    assert!(write(&andon, "press,asset=Press\\ 1 temp=90").await);
    andon.wait_for_column(MOVES, &["Press 1 hot"]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (andon, stop) = (andon.clone(), stop.clone());
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for n in 0_i32.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let second = 1_772_445_600 + i64::from(n);
                if write(&andon, &format!("press,asset=Press\\ 2 n={n}i {second}000000000")).await {
                    acknowledged.push(f64::from(n));
                }
            }
            acknowledged
        })
    };
    let planned = andon.post("/api/definition/plan", &json!({ "files": files(&hotter()) })).await.1;
    assert_eq!(planned["changes"][0]["what"], "press.limit", "{planned}");
    assert_eq!((&planned["changes"][0]["before"], &planned["changes"][0]["after"]), (&json!("80"), &json!("95")));
    let (status, applied) = apply(&andon, &hotter()).await;
    assert_eq!((status, &applied["version"]), (200, &json!(2)), "{applied}\n{}", andon.output());

    // Where it stood it stands: 90 is below the new limit and above where it would clear.
    let alarms = andon.get("/api/alarms?view=active").await;
    assert!(alarms.contains("Press 1") && alarms.contains("unacknowledged"), "{alarms}");
    andon.wait_for_column(MOVES, &["Press 1 hot"]).await;
    // The new limit holds.
    assert!(write(&andon, "press,asset=Press\\ 2 temp=90").await);
    assert!(write(&andon, "press,asset=Press\\ 2 temp=96").await);
    andon.wait_for_column(MOVES, &["Press 1 hot", "Press 2 hot"]).await;
    let causes = "SELECT value FROM samples WHERE asset = 'Press 2' AND property = 'temp' ORDER BY time";
    andon.wait_for_column(causes, &["90.0", "96.0"]).await;
    // It is known who changed what.
    let deeds = andon.get("/api/events?kind=deed").await;
    for word in ["apply_definition", "Kim", "because", "press.limit  80 → 95", applied["hash"].as_str().unwrap()] {
        assert!(deeds.contains(word), "{word}: {deeds}");
    }
    assert!(std::fs::read_to_string(site.plant()).unwrap().contains("default: 95"));

    // Back again.
    let revert = json!({ "version": 1, "base": hash(&andon).await });
    let (status, reverted) = andon.post("/api/definition/revert", &revert).await;
    assert_eq!(status, 200, "{reverted}");
    assert_eq!(std::fs::read_to_string(site.plant()).unwrap(), PLANT);
    assert!(write(&andon, "press,asset=Press\\ 2 temp=60").await);
    assert!(write(&andon, "press,asset=Press\\ 2 temp=85").await);
    let both = ["Press 1 hot", "Press 2 hot", "Press 2 normal", "Press 2 hot"];
    andon.wait_for_column(MOVES, &both).await;
    stop.store(true, Ordering::Relaxed);
    let acknowledged = writer.await.unwrap();
    let stored = "SELECT value FROM samples WHERE asset = 'Press 2' AND property = 'n' ORDER BY time LIMIT 1000000";
    let stored: Vec<f64> = andon.sql(stored).await.iter().filter_map(|row| row[0].as_f64()).collect();
    let lost: Vec<&f64> = acknowledged.iter().filter(|n| !stored.contains(n)).collect();
    assert!(lost.is_empty() && !acknowledged.is_empty(), "{lost:?} of {} are lost", acknowledged.len());
}

#[tokio::test]
async fn what_cannot_be_applied_changes_nothing() {
    let site = Site::new(PLANT);
    let andon = site.run().await;
    let before = andon.json("/api/definition").await;
    let (status, refused) = apply(&andon, &PLANT.replace("temp > limit", "temp > limitt")).await;
    assert_eq!(status, 400, "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("limitt"), "{refused}");
    let stale = json!({ "files": files(&hotter()), "base": "0" });
    assert_eq!(andon.post("/api/definition/apply", &stale).await.0, 409);
    assert_eq!(apply(&andon, PLANT).await.0, 409, "the same is no change");
    let named = json!({ "files": [{ "name": "../x.yaml", "text": PLANT }], "base": before["hash"] });
    assert_eq!(andon.post("/api/definition/apply", &named).await.0, 400);
    // Edited by hand: not written over. What is on disk may be applied.
    let edited = format!("# mine\n{PLANT}");
    std::fs::write(site.plant(), &edited).unwrap();
    let (status, refused) = apply(&andon, &hotter()).await;
    assert_eq!(status, 409, "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("by hand"), "{refused}");
    assert_eq!(std::fs::read_to_string(site.plant()).unwrap(), edited);
    let now = andon.json("/api/definition").await;
    assert_eq!((&now["hash"], &now["versions"], &now["changed_on_disk"]), (&before["hash"], &before["versions"], &json!(true)));
    assert_eq!(apply(&andon, &edited).await.0, 200);
    assert_eq!(andon.json("/api/definition").await["changed_on_disk"], false);
}

/// Tenths of a second that an apply may take: as long as its answer may.
const SLOW_DISK: usize = 3_000;

/// Kills it at a moment in an apply, and says what it runs with after the next start.
async fn killed(moment: &str) -> (Value, String) {
    let site = Site::new(PLANT);
    let andon = site.run_until(moment).await;
    let request = json!({ "files": files(&hotter()), "base": hash(&andon).await });
    let url = format!("{}/api/definition/apply", andon.url);
    // It is never answered.
    let asked = tokio::spawn(reqwest::Client::new().post(url).json(&request).send());
    let still = format!("standing still: {moment}");
    // On a slow disk a clean stop alone takes a minute.
    for _ in 0..SLOW_DISK {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if andon.output().contains(&still) {
            break;
        }
    }
    assert!(andon.output().contains(&still), "{still}: {}", andon.output());
    assert!(std::fs::read_to_string(site.plant()).unwrap().contains("default: 95"));
    andon.kill();
    asked.await.unwrap().unwrap_err();
    let andon = site.run().await;
    let events = andon.get("/api/events?kind=system").await;
    assert!(events.contains("was interrupted"), "{events}");
    let limit = andon.sql("SELECT value FROM latest WHERE asset = 'Press 1' AND property = 'limit'").await;
    assert_eq!(limit[0][0].as_f64(), Some(80.0), "{limit:?}");
    let definition = andon.json("/api/definition").await;
    (definition, std::fs::read_to_string(site.plant()).unwrap())
}

#[tokio::test]
async fn a_crash_in_an_apply_leaves_the_definition_before() {
    for moment in ["definition replaced", "definition started"] {
        let (definition, on_disk) = killed(moment).await;
        assert_eq!(on_disk, PLANT, "{moment}");
        assert_eq!((&definition["files"], &definition["changed_on_disk"]), (&files(PLANT), &json!(false)), "{moment}");
    }
}

fn andon(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_andon")).current_dir(folder).args(arguments).output().unwrap()
}

fn fine(folder: &Path, arguments: &[&str]) -> String {
    let output = andon(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_plan_and_an_apply_by_command() {
    let site = Site::new(PLANT);
    let running = site.run().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("old.yaml"), PLANT).unwrap();
    std::fs::write(folder.path().join("new.yaml"), hotter()).unwrap();
    let apart = fine(folder.path(), &["plan", "new.yaml", "--against", "old.yaml"]);
    assert!(apart.starts_with("~ press.limit  80 → 95\n"), "{apart}");
    let planned = fine(folder.path(), &["plan", "new.yaml", "--running", &running.url]);
    assert_eq!(planned, apart);
    // Nobody is there to be asked.
    assert_eq!(andon(folder.path(), &["apply", "new.yaml", "--to", &running.url]).status.code(), Some(1));
    let applied = fine(folder.path(), &["apply", "new.yaml", "--to", &running.url, "--yes"]);
    assert!(applied.contains("version 2"), "{applied}");
    let again = fine(folder.path(), &["apply", "new.yaml", "--to", &running.url, "--yes"]);
    assert!(again.starts_with("Nothing changes"), "{again}");
    let reverted = fine(folder.path(), &["apply", "--revert", "1", "--to", &running.url, "--yes"]);
    assert!(reverted.contains("version 3"), "{reverted}");
    std::fs::write(folder.path().join("bad.yaml"), "plant: [").unwrap();
    let refused = andon(folder.path(), &["apply", "bad.yaml", "--to", &running.url, "--yes"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("nothing was changed"));
}

#[tokio::test]
async fn definitions_of_sitewise_are_applied_to_a_plant_that_runs() {
    let site = Site::new("plant: { name: Test, timezone: UTC }\n");
    let running = site.run().await;
    let folder = tempfile::tempdir().unwrap();
    let model = json!({
        "assetModelName": "pump", "assetModelId": "7b39b2b4-8a3c-4d8e-9d0f-0a3b4f4c5d6e",
        "assetModelProperties": [{ "name": "speed", "dataType": "DOUBLE", "type": { "measurement": {} } }],
    });
    let asset = json!({ "assetName": "Pump 1", "assetModelId": "7b39b2b4-8a3c-4d8e-9d0f-0a3b4f4c5d6e",
        "assetId": "1c39b2b4-8a3c-4d8e-9d0f-0a3b4f4c5d6e" });
    std::fs::write(folder.path().join("model.json"), model.to_string()).unwrap();
    std::fs::write(folder.path().join("asset.json"), asset.to_string()).unwrap();
    let import = ["import", "model.json", "asset.json", "--apply", "--url", &running.url];
    let planned = fine(folder.path(), &[&import[..], &["--dry-run"]].concat());
    assert!(planned.contains("+ Pump 1"), "{planned}");
    assert_eq!(running.json("/api/definition").await["versions"].as_array().unwrap().len(), 1);
    fine(folder.path(), &[&import[..], &["--yes"]].concat());
    let assets = running.get("/api/assets").await;
    assert!(assets.contains("1c39b2b4-8a3c-4d8e-9d0f-0a3b4f4c5d6e"), "ids are kept: {assets}");
    assert!(write(&running, "pump,asset=Pump\\ 1 speed=7").await);
    running.wait_for_column("SELECT value FROM samples WHERE asset = 'Pump 1'", &["7.0"]).await;
}

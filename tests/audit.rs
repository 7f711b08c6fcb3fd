//! The audit of a running plant: recorded before the answer, whole after every kill, and whoever changes it is found.

use crate::{
    controller::{Controller, collecting},
    harness::{Andon, Site, wait_for},
    overheat::site,
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const PLANT: &str = "
plant: { name: Audit, timezone: UTC }
models:
  press:
    attributes: { limit: 80 }
    measurements: { temp: }
assets:
  Press 1: { model: press }
";

/// How often it is killed.
const KILLS: usize = 4;

fn verify(data: &Path, more: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_andon")).args(["audit", "verify", "--data"]).arg(data).args(more).output();
    output.unwrap()
}

fn whole(data: &Path) -> String {
    let output = verify(data, &[]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    told
}

/// The only file of records.
fn file(data: &Path) -> PathBuf {
    let entries = fs::read_dir(data.join("audit")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")).collect();
    files.sort();
    files.pop().unwrap()
}

fn records(data: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file(data)).unwrap();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

async fn note(andon: &Andon, text: &str) {
    let (status, answer) = andon.post("/api/lines/Press%201/notes", &json!({ "text": text, "name": "kim" })).await;
    assert!((200..300).contains(&status), "{status} {answer}");
}

#[tokio::test]
async fn what_was_answered_is_in_the_chain_after_every_kill_once_and_in_order() {
    let site = Site::new(PLANT);
    let mut answered = Vec::new();
    for run in 0..KILLS {
        let andon = site.run().await;
        for number in 0..5 {
            let text = format!("note {run}.{number}");
            note(&andon, &text).await;
            answered.push(text);
        }
        // At once: the answer is the promise.
        andon.kill();
        whole(&site.data());
        // A record that the last moment of a process cut off.
        let mut torn = fs::read(file(&site.data())).unwrap();
        torn.extend_from_slice(br#"{"record":99,"time":"20"#);
        fs::write(file(&site.data()), torn).unwrap();
    }
    let told = whole(&site.data());
    assert!(told.contains("the last line has 23 bytes and no end"), "{told}");
    let andon = site.run().await;
    let told = whole(&site.data());
    assert!(told.contains(&format!("{KILLS} lines were cut off by a crash")) && !told.contains("no end"), "{told}");
    let records = records(&site.data());
    let noted: Vec<&str> =
        records.iter().filter(|record| record["verb"] == "note").map(|record| record["detail"].as_str().unwrap()).collect();
    assert_eq!(noted, answered);
    assert!(
        records
            .iter()
            .filter(|record| record["verb"] == "note")
            .all(|record| record["by"] == "kim (local engineer)" && record["asset"] == "Press 1")
    );
    assert_eq!(records.iter().filter(|record| record["verb"] == "start").count(), KILLS + 1);
    let state = wait_for("the chain being verified", async || {
        let state = andon.json("/api/audit/state").await;
        (state["verified_records"] == state["records"]).then_some(state)
    })
    .await;
    assert_eq!((&state["first_bad"], &state["trouble"], &state["torn_lines"]), (&Value::Null, &json!(""), &json!(KILLS)));
    let last = records.last().unwrap();
    assert_eq!((&state["records"], &state["head"]), (&last["record"], &last["hash"]));
    let noticed = verify(&site.data(), &["--expect", &state["head"].as_str().unwrap()[..12]]);
    assert!(noticed.status.success(), "{noticed:?}");
    let unknown = verify(&site.data(), &["--expect", "0123456789ab"]);
    assert_eq!(unknown.status.code(), Some(1));
}

#[tokio::test]
async fn a_chain_that_somebody_changed_is_told_everywhere() {
    let site = Site::new(PLANT);
    let andon = site.run().await;
    note(&andon, "the real words").await;
    note(&andon, "more").await;
    andon.kill();
    let path = file(&site.data());
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("the real words", "the nice words")).unwrap();
    let changed = records(&site.data()).iter().find(|record| record["detail"] == "the nice words").unwrap()["record"].clone();
    let output = verify(&site.data(), &[]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let place = format!("THE CHAIN IS BROKEN at record {changed} ({}, line {changed}, 20", path.display());
    assert!(told.contains(&place) && told.contains("changed after it was written") && told.contains("What to do: "), "{told}");
    // The plant runs, says so, and records on.
    let andon = site.run().await;
    let bad = wait_for("the bad record", async || {
        let bad = andon.json("/api/audit/state").await["first_bad"].clone();
        (!bad.is_null()).then_some(bad)
    })
    .await;
    assert_eq!((&bad["record"], &bad["line"]), (&changed, &changed));
    let event = "SELECT count(*) FROM events WHERE kind = 'system' AND body LIKE '%the chain is broken at record%'";
    andon.wait_for_column(event, &["1"]).await;
    assert!(andon.get("/metrics").await.contains("andon_audit_ok{part=\"chain\"} 0"));
    note(&andon, "after").await;
    assert_eq!(records(&site.data()).last().unwrap()["detail"], "after");
    // Put back, it is whole again, with what came since.
    andon.kill();
    let now = fs::read_to_string(&path).unwrap().replace("the nice words", "the real words");
    fs::write(&path, now).unwrap();
    whole(&site.data());
}

#[tokio::test]
async fn a_definition_that_is_applied_and_a_backup_have_their_records() {
    let site = Site::new(PLANT);
    let andon = site.run().await;
    let before = andon.json("/api/definition").await;
    let files = json!([{ "name": "plant.yaml", "text": PLANT.replace("limit: 80", "limit: 95") }]);
    let (status, answer) = andon
        .post("/api/definition/apply", &json!({ "files": files, "base": before["hash"], "name": "kim", "comment": "hotter" }))
        .await;
    assert_eq!(status, 200, "{answer}");
    note(&andon, "in the same chain").await;
    let verbs: Vec<String> = records(&site.data()).iter().map(|record| record["verb"].as_str().unwrap().to_owned()).collect();
    assert_eq!(verbs, ["start", "arm", "apply_definition", "start", "note"]);
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_andon")).current_dir(folder.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let data = site.data();
    run(&["backup", "--data", data.to_str().unwrap(), "-o", "b.tar.zst"]);
    note(&andon, "after the backup").await;
    run(&["restore", "b.tar.zst", "--data", "restored"]);
    let restored = folder.path().join("restored");
    whole(&restored);
    let records = records(&restored);
    assert_eq!((records.len(), &records[5]["verb"]), (6, &json!("restore")));
    // A copy of a chain that is not as it was written is found by verifying the backup.
    run(&["backup", "verify", "b.tar.zst"]);
    let mut month = fs::read_dir(restored.join("audit")).unwrap().map(|entry| entry.unwrap().path());
    let month = month.find(|path| !path.ends_with("head")).expect("a file of records");
    fs::write(&month, fs::read_to_string(&month).unwrap().replace("hotter", "cooler")).unwrap();
    run(&["backup", "--data", "restored", "-o", "changed"]);
    let verify =
        Command::new(env!("CARGO_BIN_EXE_andon")).current_dir(folder.path()).args(["backup", "verify", "changed"]).output();
    let verify = verify.unwrap();
    let told = String::from_utf8_lossy(&verify.stderr);
    assert!(!verify.status.success() && told.contains("its audit is not whole"), "{told}");
    assert!(told.contains("BROKEN at record 3") && told.contains("changed after it was written"), "{told}");
    // Beside the running plant.
    run(&["sql-user", "add", "grafana", "--generate", "--data", data.to_str().unwrap()]);
    note(&andon, "behind it").await;
    whole(&data);
    let verbs: Vec<String> =
        self::records(&data)[5..].iter().map(|record| record["verb"].as_str().unwrap().to_owned()).collect();
    assert_eq!(verbs, ["note", "put_sql_user", "note"]);
}

/// The record of a command is in the chain before the device gets it: killed at that moment, it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_in_the_chain_before_it_is_sent() {
    let controller = Controller::start().await;
    controller.heat(75.5);
    let site = site(&controller, "200ms", "200ms");
    let andon = site.run().await;
    collecting(&andon).await;
    controller.heat(91.5);
    wait_for("the write", async || (!controller.writes().is_empty()).then_some(())).await;
    andon.kill();
    whole(&site.data());
    let records = records(&site.data());
    let of = |verb: &str| records.iter().filter(|record| record["verb"] == verb).count();
    assert_eq!((of("command_requested"), of("command_sent")), (1, 1));
}

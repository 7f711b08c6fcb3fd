//! Import, export, backup and restore as a plant engineer meets them.

use crate::harness::{Site, wait_for};
use serde_json::json;
use std::{
    path::Path,
    process::{Command, Output},
};

const PLANT: &str = "
plant: { name: Test, timezone: Europe/Berlin }
sources:
  plc: { modbus: 'tcp://127.0.0.1:9', unit: 1 }
models:
  press:
    measurements:
      running: { type: bool, from: coil/0 @plc }
      temp: { unit: °C, from: holding/0 float32 @plc }
      recipe: { type: string, from: 'holding/10 string(4) @plc' }
    metrics:
      5m:
        temp_avg: avg(temp)
assets:
  Press A: { model: press, plc: plc }
  Press B: { model: press, plc: plc }
";

fn andon(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_andon")).current_dir(folder).args(arguments).output().unwrap()
}

/// What it printed, when it ended well.
fn fine(folder: &Path, arguments: &[&str]) -> String {
    let output = andon(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What it complained of, when it failed.
fn wrong(folder: &Path, arguments: &[&str]) -> String {
    let output = andon(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("plant.yaml"), PLANT).unwrap();
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

const VALUES: &str = "time,asset,property,value,quality
2026-01-05T06:00:00.000000001Z,Press A,temp,20.5,
2026-01-05T06:00:01Z,Press A,temp,21.5,uncertain
2026-01-05T06:00:01Z,Press B,running,true,
2026-01-06T06:00:01Z,Press B,recipe,\"a, \"\"b\"\"\",
2026-01-06T06:00:02Z,Press B,recipe,,bad
";

#[test]
fn nothing_is_imported_when_a_line_is_wrong_and_every_line_is_named() {
    let folder = folder();
    let folder = folder.path();
    assert!(wrong(folder, &["import", "plant.yaml"]).contains("this is a plant file already"));
    write(
        folder,
        "bad.csv",
        &format!("{VALUES}2026-01-05T06:00:00Z,Press C,temp,1,\n2026-01-05T06:00:00Z,Press A,temp,hot,\n"),
    );
    assert!(wrong(folder, &["import", "bad.csv"]).contains("knows no plant yet"));
    let shown = wrong(folder, &["import", "bad.csv", "--plant", "plant.yaml"]);
    for expected in [
        "bad.csv:7: there is no asset `Press C`; did you mean `Press A`?",
        "bad.csv:8: `hot` is no number",
        "2 lines are wrong",
    ] {
        assert!(shown.contains(expected), "{expected}\n{shown}");
    }
    assert!(!folder.join("data").exists(), "nothing was written");
    let shown = fine(folder, &["import", "bad.csv", "--plant", "plant.yaml", "--skip-errors"]);
    assert!(shown.contains("imported 5 rows of 3 series") && shown.contains("2 wrong lines were left out"), "{shown}");
    write(folder, "stream.csv", "time,alias,value\n2026-01-05T06:00:00Z,/Press A/temp,22\n2026-01-05T06:00:00Z,lab/ph,7.1\n");
    assert!(wrong(folder, &["import", "stream.csv"]).contains("--create-streams"));
    fine(folder, &["import", "stream.csv", "--create-streams"]);
    let stream = fine(folder, &["export", "--property", "lab/ph", "--format", "csv", "-o", "-"]);
    assert_eq!(stream.lines().nth(1), Some("2026-01-05T06:00:00Z,,lab/ph,7.1,good,0,\"\""), "{stream}");
}

#[test]
fn what_goes_out_comes_in_again_and_twice_is_once() {
    let folder = folder();
    let folder = folder.path();
    write(folder, "values.csv", VALUES);
    let dry = fine(folder, &["import", "values.csv", "--plant", "plant.yaml", "--dry-run"]);
    assert!(dry.contains("5 rows of 3 series, 2026-01-05T06:00:00.000000001Z to 2026-01-06T06:00:02Z"), "{dry}");
    assert!(!folder.join("data").exists());
    fine(folder, &["import", "values.csv", "values.csv", "--plant", "plant.yaml"]);
    let export = |data: &str| fine(folder, &["export", "--data", data, "--format", "csv", "-o", "-"]);
    let first = export("data");
    assert_eq!(first.lines().count(), 6, "{first}");
    fine(folder, &["export", "-o", "all.parquet"]);
    std::fs::write(folder.join("all.csv"), &first).unwrap();
    for (data, file) in [("from_parquet", "all.parquet"), ("from_csv", "all.csv")] {
        fine(folder, &["import", file, "--data", data, "--plant", "plant.yaml"]);
        assert_eq!(export(data), first, "{file}");
    }
    let one = fine(folder, &["export", "--asset", "*A", "--from", "2026-01-05T06:00:01Z", "--format", "csv", "-o", "-"]);
    assert_eq!(one.lines().skip(1).collect::<Vec<_>>(), ["2026-01-05T06:00:01Z,Press A,temp,21.5,uncertain,1073741824,°C"]);
    let answer = fine(folder, &["export", "--sql", "SELECT count(*) AS n FROM samples", "--format", "csv", "-o", "-"]);
    assert_eq!(answer, "n\n5\n");
    assert!(wrong(folder, &["export", "--asset", "Press X", "-o", "x.csv"]).contains("no property `*` of an asset `Press X`"));
    assert!(!folder.join("x.csv").exists() && !folder.join("x.csv.part").exists());
}

#[test]
fn a_backup_proves_that_it_is_whole_and_a_damaged_one_that_it_is_not() {
    let folder = folder();
    let folder = folder.path();
    write(folder, "values.csv", VALUES);
    fine(folder, &["import", "values.csv", "--plant", "plant.yaml"]);
    let export = |data: &str| fine(folder, &["export", "--data", data, "--format", "csv", "-o", "-"]);
    for (backup, restored) in [("monday.tar.zst", "one"), ("monday", "two")] {
        fine(folder, &["backup", "-o", backup]);
        assert!(!folder.join("data/.backup").exists());
        assert!(fine(folder, &["backup", "verify", backup]).contains("whole. 5 rows in files"));
        assert!(wrong(folder, &["backup", "-o", backup]).contains("is there already"));
        assert!(wrong(folder, &["restore", backup, "--data", "data"]).contains("is not empty"));
        assert!(fine(folder, &["restore", backup, "--data", restored]).contains("disarmed"));
        assert_eq!(export(restored), export("data"));
        let notice = fine(folder, &["query", "--data", restored, "-o", "csv", "SELECT message FROM events"]);
        assert!(notice.contains("restored from a backup"), "{notice}");
    }
    let mut bytes = std::fs::read(folder.join("monday.tar.zst")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(folder.join("flipped.tar.zst"), &bytes).unwrap();
    std::fs::write(folder.join("short.tar.zst"), &bytes[..middle]).unwrap();
    for damaged in ["flipped.tar.zst", "short.tar.zst"] {
        assert!(wrong(folder, &["backup", "verify", damaged]).contains(damaged));
        assert!(wrong(folder, &["restore", damaged, "--data", "three"]).contains(damaged));
        assert!(!folder.join("three/andon.db").exists());
    }
    std::fs::write(folder.join("monday/directory.json"), "{}").unwrap();
    assert!(wrong(folder, &["backup", "verify", "monday"]).contains("directory.json has 2 bytes instead of"));

    // A copy of rows that could not be read is no backup, however well it was copied.
    let days = std::fs::read_dir(folder.join("data/history/samples")).unwrap().map(|day| day.unwrap().path());
    let files = days.filter(|day| !day.ends_with("_delta_log")).flat_map(|day| std::fs::read_dir(day).unwrap());
    for file in files.map(|file| file.unwrap().path()) {
        let mut bytes = std::fs::read(&file).unwrap();
        let half = bytes.len() / 2;
        bytes[4..half].fill(0xA5);
        std::fs::write(&file, bytes).unwrap();
    }
    fine(folder, &["backup", "-o", "tuesday"]);
    assert!(wrong(folder, &["backup", "verify", "tuesday"]).contains("its rows cannot be read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_andon_is_left_alone_and_can_be_backed_up() {
    let site = Site::new(PLANT);
    let running = site.run().await;
    let folder = site.data().parent().unwrap().to_owned();
    write(&folder, "values.csv", VALUES);
    assert!(wrong(&folder, &["import", "values.csv"]).contains("an Andon is running on data"));
    fine(&folder, &["import", "values.csv", "--dry-run"]);
    let sent = fine(&folder, &["import", "values.csv", "--url", &running.url]);
    assert!(sent.contains("imported 5 rows of 3 series"), "{sent}");
    let there = running.sql("SELECT count(*) FROM samples WHERE time < '2026-01-07T00:00:00Z' AND asset = 'Press B'").await;
    assert_eq!(there[0][0], 3);
    assert!(running.get("/api/plant").await.contains("\"armed\":true"));
    // Its source is not there, so every poll is a point of Bad quality.
    wait_for("points", async || {
        let rows = running.try_sql("SELECT count(*) FROM samples").await?;
        rows[0][0].as_i64().filter(|count| *count > 0)
    })
    .await;
    let before = running.sql("SELECT time, asset, property, quality FROM samples ORDER BY 1, 2, 3").await;
    fine(&folder, &["backup", "-o", "live.tar.zst"]);
    // Plant time is that of the plant, whoever is asked.
    for of in [["--url", &running.url], ["--data", "data"]] {
        let ask = |from: &str| {
            andon(
                &folder,
                &[
                    &["query", "-o", "csv", "--from", from, "--to", "2026-01-06T00:00:00+01:00"],
                    &of[..],
                    &["SELECT $from, $to"],
                ]
                .concat(),
            )
        };
        let told = ask("2026-01-05 07:00");
        let told = (String::from_utf8_lossy(&told.stdout).into_owned(), String::from_utf8_lossy(&told.stderr).into_owned());
        assert_eq!(told, ("$from,$to\n2026-01-05T06:00:00Z,2026-01-05T23:00:00Z\n".to_owned(), String::new()), "{of:?}");
        let wrong = ask("yesterday");
        assert!(
            String::from_utf8_lossy(&wrong.stderr).contains("`yesterday` is no time: write 2026-11-01 06:00 in plant time"),
            "{wrong:?}"
        );
    }
    let one = fine(
        &folder,
        &[
            "export",
            "--asset",
            "Press A",
            "--property",
            "temp",
            "--from",
            "2026-01-05 07:00:01",
            "--to",
            "2026-01-05 08:00",
            "--format",
            "csv",
            "-o",
            "-",
        ],
    );
    assert_eq!(one.lines().count(), 2, "{one}");
    running.kill();
    fine(&folder, &["restore", "live.tar.zst", "--data", "restored"]);
    let all =
        fine(&folder, &["query", "--data", "restored", "-o", "json", "SELECT time, asset, property, quality FROM samples"]);
    let all: Vec<serde_json::Value> = serde_json::from_str(&all).unwrap();
    for row in before {
        let wanted = json!({ "time": row[0], "asset": row[1], "property": row[2], "quality": row[3] });
        assert!(all.contains(&wanted), "{wanted} was acknowledged before the backup");
    }
    let restored = site.run_on(&folder.join("restored")).await;
    assert!(restored.get("/api/plant").await.contains("\"armed\":false"));
}

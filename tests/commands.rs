//! Crashes in the life of a command, each at its exact moment, judged by the controller's own record of what was written: nothing
//! twice, nothing lost silently, what is unknown read back first, what is too late not sent.

use crate::{
    controller::{Controller, collecting},
    harness::{Andon, Site, shown, wait_for},
    overheat::{STOP_REQUEST, site},
};
use andon_models::Value;
use std::time::Duration;
use tokio::time::Instant;

/// How long a command may be sent after its decision.
const DEADLINE: Duration = Duration::from_secs(10);

/// Runs a command may take on a slow machine to get to its moment before its deadline.
const ATTEMPTS: usize = 5;

/// Runs until the command stands still at a moment, and kills it there.
async fn killed_at(moment: &str, controller: &Controller) -> Site {
    let standing_still = format!("standing still: {moment}");
    for _ in 0..ATTEMPTS {
        controller.heat(75.5);
        let site = site(controller, "200ms", "200ms");
        let andon = site.run_until(moment).await;
        collecting(&andon).await;
        controller.heat(91.5);
        let expired = "SELECT count(*) FROM commands WHERE state = 'expired'";
        let there = wait_for(moment, async || {
            let there = andon.output().contains(&standing_still);
            let late = !there && andon.try_sql(expired).await.is_some_and(|rows| rows[0][0].as_i64() > Some(0));
            (there || late).then_some(there)
        })
        .await;
        andon.kill();
        if there {
            return site;
        }
    }
    panic!("{moment}: the deadline of every command passed before it was there");
}

/// The end of a story on a machine so slow that the controller was not connected in time to be read back.
const TOO_SLOW: &str = "too slow";

/// The last state of the command.
async fn end_of_story(andon: &Andon) -> String {
    let last = "SELECT state, reason FROM commands ORDER BY time DESC, state IN ('requested', 'sent') LIMIT 1";
    wait_for("an end", async || {
        let rows = andon.try_sql(last).await?;
        let [state, reason] = [0, 1].map(|column| shown(&rows[0][column]));
        match state.as_str() {
            "requested" | "sent" => None,
            "unknown" if reason.contains("was not connected within") => Some(TOO_SLOW.to_owned()),
            _ => Some(state),
        }
    })
    .await
}

fn written(controller: &Controller) -> Vec<(String, Value)> {
    controller.writes()
}

/// Not sent yet: after the restart it is sent once, or it is too late by then and is not sent at all.
#[tokio::test(flavor = "multi_thread")]
async fn killed_before_it_was_sent() {
    for moment in ["decided", "recorded"] {
        let controller = Controller::start().await;
        let site = killed_at(moment, &controller).await;
        assert_eq!(written(&controller), [], "{moment}");
        let andon = site.run().await;
        let once = [(STOP_REQUEST.to_owned(), Value::Boolean(true))];
        match end_of_story(&andon).await.as_str() {
            "verified" => assert_eq!(written(&controller), once, "{moment}"),
            "expired" | TOO_SLOW => assert_eq!(written(&controller), [], "{moment}"),
            other => panic!("{moment}: {other}\n{}", andon.output()),
        }
    }
}

/// Sent and taken by the machine, nobody told: it is read back and not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_outcome_was_recorded() {
    let controller = Controller::start().await;
    let site = killed_at("answered", &controller).await;
    let once = [(STOP_REQUEST.to_owned(), Value::Boolean(true))];
    assert_eq!(written(&controller), once);
    let andon = site.run().await;
    let end = end_of_story(&andon).await;
    assert!(["verified", TOO_SLOW].contains(&end.as_str()), "{end}\n{}", andon.output());
    assert_eq!(written(&controller), once, "it was there already");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_too_late_after_a_restart_is_not_sent_and_told() {
    let controller = Controller::start().await;
    let site = killed_at("decided", &controller).await;
    let killed = Instant::now();
    wait_for("its deadline", async || (killed.elapsed() > DEADLINE).then_some(())).await;
    let andon = site.run().await;
    let end = end_of_story(&andon).await;
    assert_eq!(written(&controller), []);
    if end == TOO_SLOW {
        return;
    }
    assert_eq!(end, "expired");
    let told = "SELECT count(*) FROM events WHERE kind = 'system' AND body LIKE '%is expired%'";
    andon.wait_for_column(told, &["1"]).await;
}

/// A copy of the data folder beside the one that commands.
#[tokio::test(flavor = "multi_thread")]
async fn a_copied_data_folder_does_not_command() {
    let controller = Controller::start().await;
    let site = site(&controller, "200ms", "200ms");
    let andon = site.run().await;
    collecting(&andon).await;
    andon.kill();
    let copy = site.data().with_file_name("copy");
    copy_folder(&site.data(), &copy);
    let andon = site.run_on(&copy).await;
    assert!(andon.get("/api/plant").await.contains("\"armed\":false"));
    controller.heat(91.5);
    let refused = "SELECT count(*) > 0 FROM commands WHERE state = 'refused' AND reason LIKE '%is a copy%'";
    andon.wait_for_column(refused, &["true"]).await;
    assert_eq!(written(&controller), []);
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

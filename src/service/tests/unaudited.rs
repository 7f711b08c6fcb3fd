//! An audit that cannot be written.

use super::*;
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_log_is_done_and_said_so_while_the_audit_cannot_be_written() {
    let site = Site::new();
    let running = site.start(HELD).await;
    let folder = site.folder.path().join(audit::FOLDER);
    let month = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let month = month.into_iter().find(|path| path.extension().is_some()).expect("the start is recorded");
    let aside = folder.join("aside");
    fs::rename(&month, &aside).unwrap();
    // A folder where the file should be: for root as well, nothing can be written there.
    fs::create_dir(&month).unwrap();

    let deed = OperatorDeed::Arm { armed: true, span: None, take_over: false };
    let (reply, answered) = oneshot::channel();
    running.pages.requests.send((OperatorRequest { by: "Mara".into(), deed }, reply)).await.unwrap();
    let answer = soon("the answer", answered).await.unwrap();
    assert!(matches!(answer, Err(OperatorRefusal::NotAudited(_))), "{answer:?}");
    assert!(running.pages.live.armed(), "it is done, as was said");

    fs::remove_dir(&month).unwrap();
    fs::rename(&aside, &month).unwrap();
    soon("the stop", stop(running)).await.unwrap();
    drop(site.open(HELD).await);
    let verbs = fs::read_to_string(&month).unwrap();
    assert_eq!(verbs.matches("\"verb\":\"arm\"").count(), 1, "what was owed is there, once: {verbs}");
}

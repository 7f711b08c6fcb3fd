//! Reads the chain back beside the running plant: all of it after the start, then what came since.

use super::{Audit, check::Check};
use crate::service::pipeline::Message;
use andon_models::{
    EventId, Timestamp,
    audit::{AuditState, BadRecord},
    event::{Event, EventBody, SystemNotice},
};
use andon_query::Batch;
use std::time::Duration;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

/// How often what came since is read back, and what is owed is tried again. A round in which nothing came reads the head alone.
const EVERY: Duration = Duration::from_secs(10);

impl Audit {
    /// Verifies until the plant stops. What is found is shown, and told once.
    pub async fn watch(self, messages: mpsc::Sender<Message>) {
        let mut check = Check::live(self.inner.journal.folder());
        let mut rounds = interval(EVERY);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            if self.owes() {
                let audit = self.clone();
                // What goes wrong was told already.
                let _ = tokio::task::spawn_blocking(move || audit.write(Vec::new())).await;
            }
            // Nothing behind a bad record can be checked. What was put right is read at the next start.
            if self.inner.state.borrow().first_bad.is_some() {
                continue;
            }
            let before = check.clone();
            let round = tokio::task::spawn_blocking(move || {
                let outcome = check.go_on(&mut |_, _| {});
                (check, outcome)
            });
            let Ok((after, outcome)) = round.await else { return tracing::error!("the audit is not verified any more: a bug") };
            match outcome {
                Ok(Ok(())) => {
                    check = after;
                    self.inner.state.send_modify(|state| verified(state, &check, (self.inner.now)()));
                }
                Ok(Err(bad)) => {
                    check = after;
                    self.tell(&messages, &bad).await;
                    self.inner.state.send_modify(|state| state.first_bad = Some(bad));
                }
                Err(error) => {
                    check = before;
                    tracing::error!(%error, "the audit cannot be read back; it is tried again");
                }
            }
        }
    }

    async fn tell(&self, messages: &mpsc::Sender<Message>, bad: &BadRecord) {
        let BadRecord { record, file, line, wrong, advice, .. } = bad;
        tracing::error!(record, file, line, wrong, "the audit is broken");
        let message = format!("the chain is broken at record {record} ({file}, line {line}): {wrong}; {advice}");
        let now = (self.inner.now)();
        let event = Event {
            id: EventId::from_name(&format!("audit/{now}/{message}")),
            time: now,
            asset: None,
            asset_path: "".into(),
            detector: "".into(),
            body: EventBody::System(SystemNotice { subject: "audit".into(), level: "error".into(), message: message.into() }),
        };
        // A pipeline that has ended needs no more notices.
        let _ = messages.send(Message::Record(Batch { events: vec![event], ..Batch::default() })).await;
    }
}

fn verified(state: &mut AuditState, check: &Check, now: Timestamp) {
    state.verified = Some(now);
    state.verified_records = check.head().record;
    state.torn_lines = check.torn();
    let span = check.span();
    state.first = span.map(|(first, _)| first);
    state.last = span.map(|(_, last)| last).max(state.last);
    if check.head().record > state.records {
        // Written by another process: `andon sql-user` beside us.
        (state.records, state.head) = (check.head().record, check.head().hash.to_string());
    }
}

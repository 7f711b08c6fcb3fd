//! The audit of a plant: the one place that everything goes through that somebody did.
//!
//! What is recorded is told by the events ([`andon_models::audit::Entry::of`]), so whoever makes an event of a deed has it recorded
//! too. [`Audit::keep`] takes them from a batch on its way to the log and leaves a document in it: together with the event it is on
//! disk, and after a crash the next start adds to the chain what is missing there. [`Audit::append`] adds them to the chain once the
//! batch is on disk, and whoever waits for an answer waits for that as well.

pub mod check;
pub mod copy;
mod journal;
mod lines;
mod pointer;
#[cfg(test)]
mod tests;
mod watch;

pub use self::journal::Journal;

use super::clock::Now;
use andon_models::{
    EventId,
    audit::{ANDON, AuditState, Entry},
};
use andon_query::Batch;
use anyhow::Context;
use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch as state;

/// The folder in the data folder.
pub const FOLDER: &str = "audit";
/// What the keys of kept documents begin with: entries that may not be in the chain yet.
const KEPT: &str = "audit/";
/// Entries that wait in memory for a disk that takes none; beyond, they wait in the log for the next start.
const MAX_OWED: usize = 10_000;

/// Records what people do. Clones share one chain.
#[derive(Clone)]
pub struct Audit {
    inner: Arc<Inner>,
}

struct Inner {
    journal: Journal,
    now: Now,
    state: state::Sender<AuditState>,
    waiting: Mutex<Waiting>,
    /// Held while records are written: they keep the order in which they were handed in.
    turn: Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    /// What the disk has not taken, oldest first.
    owed: Vec<Pending>,
    /// Keys of documents whose entries are in the chain.
    done: Vec<String>,
}

/// Entries on their way into the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// The kept document that remembers them; none if they need not survive a crash before they are written.
    key: Option<String>,
    entries: Vec<Entry>,
}

impl Audit {
    /// Opens the chain of a data folder, or begins one, and adds what an earlier run left to be added.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn open(data: &Path, kept: &HashMap<String, Vec<u8>>, now: &Now) -> anyhow::Result<Self> {
        let journal = Journal::open(data)?;
        let tail = journal.tail().context("cannot read the audit")?;
        let begun = AuditState { records: tail.record, head: head_text(&tail), ..AuditState::default() };
        let inner = Inner {
            journal,
            now: now.clone(),
            state: state::Sender::new(begun),
            waiting: Mutex::default(),
            turn: Mutex::default(),
        };
        let audit = Self { inner: Arc::new(inner) };
        let left = left_over(kept);
        if !left.is_empty() {
            let there = audit.inner.journal.last_events().context("cannot read the audit")?;
            audit.write(left.into_iter().map(|pending| pending.without(&there)).collect())?;
        }
        Ok(audit)
    }

    /// How the chain stands, and how it goes on.
    pub fn state(&self) -> state::Receiver<AuditState> {
        self.inner.state.subscribe()
    }

    /// Takes from a batch what belongs to the audit, and has the batch remember it until it is in the chain.
    pub fn keep(&self, batch: &mut Batch) -> Option<Pending> {
        let done = std::mem::take(&mut self.waiting().done);
        batch.keep.extend(done.into_iter().map(|key| (key, Vec::new())));
        let entries: Vec<Entry> = batch.events.iter().filter_map(Entry::of).collect();
        let key = format!("{KEPT}{}", entries.first()?.event?);
        batch.keep.push((key.clone(), serde_json::to_vec(&entries).expect("entries are plain data")));
        Some(Pending { key: Some(key), entries })
    }

    /// Adds entries to the chain, and answers when they are on disk.
    ///
    /// # Errors
    /// When they could not be written. They are owed then, and come before the next ones.
    pub async fn append(&self, pending: Vec<Pending>) -> Result<(), Arc<str>> {
        if pending.iter().all(|pending| pending.entries.is_empty()) {
            return Ok(());
        }
        let audit = self.clone();
        let written = tokio::task::spawn_blocking(move || audit.write(pending)).await;
        written.map_err(anyhow::Error::from).flatten().map_err(|error| format!("the audit cannot be written: {error:#}").into())
    }

    /// Records that the service itself did something.
    ///
    /// # Errors
    /// When it could not be written. It is owed then.
    pub async fn note(&self, verb: &str, detail: &str) -> Result<(), Arc<str>> {
        let entry = Entry::new((self.inner.now)(), ANDON, verb, detail);
        self.append(vec![Pending { key: None, entries: vec![entry] }]).await
    }

    fn write(&self, pending: Vec<Pending>) -> anyhow::Result<()> {
        let inner = &*self.inner;
        let _turn = inner.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = std::mem::take(&mut self.waiting().owed);
        all.extend(pending);
        let entries: Vec<Entry> = all.iter().flat_map(|pending| pending.entries.iter().cloned()).collect();
        match inner.journal.append(&entries, (inner.now)()) {
            Ok(head) => {
                self.waiting().done.extend(all.into_iter().filter_map(|pending| pending.key));
                inner.state.send_modify(|state| {
                    (state.records, state.head) = (head.record, head_text(&head));
                    state.last = entries.last().map(|entry| entry.time).or(state.last);
                    state.trouble.clear();
                });
                Ok(())
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the audit cannot be written");
                inner.state.send_modify(|state| state.trouble = format!("{error:#}"));
                // What is beyond the bound is still in the log with its document, and comes with the next start.
                let room = all.iter().scan(0, |sum, pending| {
                    *sum += pending.entries.len();
                    (*sum <= MAX_OWED).then_some(())
                });
                let fits = room.count();
                all.truncate(fits);
                self.waiting().owed = all;
                Err(error)
            }
        }
    }

    fn owes(&self) -> bool {
        !self.waiting().owed.is_empty()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    /// The same without what is in the chain already.
    fn without(mut self, there: &HashSet<EventId>) -> Self {
        self.entries.retain(|entry| entry.event.is_none_or(|event| !there.contains(&event)));
        self
    }
}

/// What an earlier run may not have added to the chain, oldest first.
fn left_over(kept: &HashMap<String, Vec<u8>>) -> Vec<Pending> {
    let documents = kept.iter().filter(|(key, document)| key.starts_with(KEPT) && !document.is_empty());
    let read = |(key, document): (&String, &Vec<u8>)| {
        let entries = serde_json::from_slice::<Vec<Entry>>(document);
        let entries = entries.inspect_err(|error| tracing::error!(key, %error, "an entry of the audit cannot be read")).ok()?;
        Some(Pending { key: Some(key.clone()), entries })
    };
    let mut left: Vec<Pending> = documents.filter_map(read).collect();
    left.sort_by_cached_key(|pending| (pending.entries.first().map(|entry| entry.time), pending.key.clone()));
    left
}

/// Adds one record to the chain of a data folder from the command line, also beside a running Andon. Whoever is logged in did it.
///
/// # Errors
/// When it cannot be written.
pub fn note_by_hand(data: &Path, verb: &str, detail: &str, now: &Now) -> anyhow::Result<()> {
    let user = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let by = format!("{} by command", user.as_deref().unwrap_or("somebody"));
    let entry = Entry::new(now(), &by, verb, detail);
    Journal::open(data)?.append(&[entry], now())?;
    Ok(())
}

/// A hash as pages show it: none before the first record.
fn head_text(head: &andon_models::audit::Head) -> String {
    if head.record == 0 { String::new() } else { head.hash.to_string() }
}

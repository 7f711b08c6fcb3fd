//! Runs a plant, and runs it with another definition when somebody applies one: the plant is stopped cleanly and started again by
//! the very way it started first, so that state, timers, alarms, the switch for writes and unsent commands come over as they do over a
//! restart. The port of the pages stays.
//!
//! A definition that does not check changes nothing. One that does not start gives way to the one before. What was on disk is
//! replaced only in step with what runs ([`journal`]).

mod answers;

use super::{
    Opened, Running, SqlServer,
    clock::Now,
    definition::{Edition, Files, hash, journal, place::Place},
    effects::stand_still,
    open, record_notices, start,
    store::Store,
};
use andon_dashboards::{AppInfo, Applied, AskDefinition, DefinitionChange, DefinitionRefusal, FileText, Server};
use andon_models::{
    EventId,
    definition::Plant,
    difference::{self, Difference},
    event::{Deed, Event, EventBody, SystemNotice},
    plant_file::{self, Loaded},
};
use andon_query::HistorianOptions;
use anyhow::Context;
use std::{path::PathBuf, sync::Arc};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    task::{JoinError, spawn_blocking},
};

/// Questions about the definition that may wait; people are slower than that.
const MAX_ASKS: usize = 16;
/// Characters of a change that its event tells; the versions in the data folder have all of it.
const MAX_DETAIL: usize = 8_000;
/// Characters of a hash that people are shown.
const SHORT_HASH: usize = 8;

/// What `$NAME` stands for in plant files.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What stays when the definition changes.
#[derive(Clone)]
pub struct Site {
    /// Where the files are.
    pub place: Place,
    /// What `$NAME` stands for.
    pub variables: Variables,
    /// Where data is kept.
    pub storage: HistorianOptions,
    /// The folder whose programs notifications may run; none unless whoever starts it says so.
    pub programs: Option<PathBuf>,
    /// What pages say about this service.
    pub info: AppInfo,
    /// The clock.
    pub now: Now,
}

/// A plant that runs, and that may be given another definition.
pub struct Host {
    site: Site,
    server: Server,
    sql: Option<SqlServer>,
    asks: mpsc::Receiver<AskDefinition>,
    /// The files that it runs with.
    files: Files,
    /// Gone only when neither the new nor the old definition could be started.
    running: Option<Running>,
}

/// A change that was looked at and may be made.
struct Prepared {
    edition: Edition,
    plant: Plant,
    difference: Difference,
}

type Answer<T> = Result<T, DefinitionRefusal>;

impl Host {
    /// Starts a plant that was opened, and lets everybody in.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(
        site: Site,
        opened: Opened,
        files: Files,
        listener: TcpListener,
        sql: Option<SqlServer>,
    ) -> anyhow::Result<Self> {
        let (definitions, asks) = mpsc::channel(MAX_ASKS);
        let running = start(opened.at(&site), site.info.clone(), site.now.clone()).await?;
        let server = Server::start(listener, definitions);
        let mut host = Self { site, server, sql, asks, files, running: None };
        host.go(running).await?;
        Ok(host)
    }

    /// Serves until `stop` resolves; then none. Else why it cannot go on. A change under way is brought to its end first.
    pub async fn serve(&mut self, stop: impl Future<Output = ()>) -> Option<anyhow::Error> {
        tokio::pin!(stop);
        loop {
            let Some(running) = &mut self.running else { return Some(anyhow::anyhow!("no plant runs")) };
            tokio::select! {
                () = &mut stop => return None,
                error = running.failed() => return Some(error),
                error = self.server.failed() => return Some(anyhow::Error::from(error).context("the web server has failed")),
                ask = self.asks.recv() => match ask {
                    Some(AskDefinition::Apply(change, reply)) => {
                        let applied = self.apply(change).await;
                        let failed = applied.as_ref().err().map(ToString::to_string);
                        let answer = applied.unwrap_or_else(|error| {
                            let message = format!("{error:#}");
                            Err(DefinitionRefusal::NotStarted(message, "Andon has stopped; see its log and start it again".into()))
                        });
                        // Whoever asked may have gone.
                        let _ = reply.send(answer);
                        if let Some(failed) = failed {
                            return Some(anyhow::anyhow!(failed));
                        }
                    }
                    Some(ask) => self.answer(ask).await,
                    // The server holds the other end.
                    None => return Some(anyhow::anyhow!("the web server has ended")),
                },
            }
        }
    }

    /// Stops cleanly.
    ///
    /// # Errors
    /// When the history was not closed. Nothing acknowledged is lost: the log has it.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let stopped = match self.running.take() {
            Some(running) => running.stop(&self.server).await,
            None => Ok(()),
        };
        self.server.stop().await;
        stopped
    }

    /// Lets everybody in to a plant that was started.
    async fn go(&mut self, mut running: Running) -> anyhow::Result<()> {
        if let Some(sql) = &self.sql {
            running.serve_sql(sql)?;
        }
        running.let_in(&self.server).await;
        self.running = Some(running);
        Ok(())
    }

    /// Changes the definition. A refusal leaves everything as it was.
    ///
    /// # Errors
    /// When nothing runs any more.
    async fn apply(&mut self, change: DefinitionChange) -> anyhow::Result<Answer<Applied>> {
        let prepared = match self.prepare(change).await {
            Ok(prepared) => prepared,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let before = std::mem::take(&mut self.files);
        let outcome = self.change(&before, prepared).await;
        if !matches!(outcome, Ok(Ok(_))) {
            self.files = before;
        }
        outcome
    }

    /// Checks that a change may be made, and says what it changes.
    async fn prepare(&self, change: DefinitionChange) -> Answer<Prepared> {
        let present = hash(&self.files);
        if change.base != present {
            let message = format!("the definition was changed meanwhile: it is {} now", short(&present));
            let hint = "read it again (GET /api/definition) and make the change anew";
            return Err(DefinitionRefusal::Conflict(message, hint.into()));
        }
        let files = match change.files {
            Ok(files) => given(files),
            Err(version) => self.version(version).await?.1,
        };
        self.site.place.takes(&self.files, &files).map_err(|(message, hint)| DefinitionRefusal::Unusable(message, hint))?;
        if files == self.files {
            let message = "nothing changes: the plant runs with these files already";
            return Err(DefinitionRefusal::Conflict(message.into(), String::new()));
        }
        let on_disk = self.on_disk().await?;
        if on_disk.as_ref().is_some_and(|found| *found != self.files && *found != files) {
            let message = "the files on disk were edited by hand since they were loaded; nothing was changed";
            let hint = "apply what is on disk first (andon apply with that file or folder), or put it back";
            return Err(DefinitionRefusal::Conflict(message.into(), hint.into()));
        }
        let loaded = self.load(files.clone()).await?;
        let Some(plant) = loaded.plant else { return Err(unusable(&loaded, &files)) };
        let difference = self.difference(&plant);
        let edition = Edition { files, by: change.by.to_string(), comment: change.comment };
        Ok(Prepared { edition, plant, difference })
    }

    /// Stops the plant and starts it with the new definition, or with the one before if that fails.
    async fn change(&mut self, before: &Files, prepared: Prepared) -> anyhow::Result<Answer<Applied>> {
        let Prepared { edition, plant, difference } = prepared;
        if let Err(error) = self.put(before, &edition).await {
            let hint = "see the rights of the plant's files and of the data folder; nothing was changed";
            return Ok(Err(DefinitionRefusal::NotNow(format!("{error:#}"), hint.into())));
        }
        stand_still("definition replaced").await;
        let armed = self.is_armed();
        if let Some(running) = self.running.take()
            && let Err(error) = running.stop(&self.server).await
        {
            tracing::warn!(error = format!("{error:#}"), "on the way to another definition");
        }
        let deed = deed(before, &edition, &difference, &self.site.now);
        let started = Box::pin(self.restart(plant, edition.clone(), vec![deed])).await;
        stand_still("definition started").await;
        match started {
            Ok((running, version)) => {
                self.finish().await?;
                self.go(running).await?;
                self.files = edition.files;
                tracing::info!(by = edition.by, version, hash = hash(&self.files), "another definition");
                Ok(Ok(self.applied(version, difference, armed)))
            }
            Err(error) => self.go_back(before, &edition, error).await,
        }
    }

    /// Runs with the definition before, and says why.
    async fn go_back(&mut self, before: &Files, edition: &Edition, why: anyhow::Error) -> anyhow::Result<Answer<Applied>> {
        let message = format!("the definition of {} did not start, so the one before runs: {why:#}", edition.by);
        tracing::error!("{message}");
        let (place, from, to) = (self.site.place.clone(), edition.files.clone(), before.clone());
        spawn_blocking(move || place.replace(&from, &to)).await??;
        let plant = self.load(before.clone()).await.ok().and_then(|loaded| loaded.plant);
        let plant = plant.with_context(|| format!("{message}; and the one before does not check any more"))?;
        let notice = notice("error", &message);
        let event = notice_event(&notice, &self.site.now);
        let again = Box::pin(self.restart(plant, Edition::found(before), vec![event])).await;
        let (running, _) = again.context(message.clone())?;
        self.finish().await?;
        self.go(running).await?;
        let hint = "the plant runs as before; mend the definition, or report it if it should start";
        Ok(Err(DefinitionRefusal::NotStarted(message, hint.into())))
    }

    /// Notes the change and replaces the files.
    async fn put(&self, before: &Files, edition: &Edition) -> anyhow::Result<()> {
        let Some(path) = self.site.place.path().map(std::fs::canonicalize).transpose()? else { return Ok(()) };
        let (place, data) = (self.site.place.clone(), self.data());
        let (before, after, by) = (before.clone(), edition.files.clone(), edition.by.clone());
        let task = spawn_blocking(move || {
            let change = journal::Change { path, before, after, by };
            change.begin(&data)?;
            place.replace(&change.before, &change.after).or_else(|error| {
                place.replace(&change.after, &change.before)?;
                journal::end(&data)?;
                Err(error)
            })
        });
        task.await?
    }

    async fn restart(&self, plant: Plant, edition: Edition, events: Vec<Event>) -> anyhow::Result<(Running, i64)> {
        let Site { storage, now, info, .. } = &self.site;
        let opened = open(plant, edition, storage.clone(), now(), now).await?;
        let version = opened.version;
        let historian = opened.historian.clone();
        let started = async {
            opened.record(events).await?;
            start(opened.at(&self.site), info.clone(), now.clone()).await
        };
        match started.await {
            Ok(running) => Ok((running, version)),
            Err(error) => {
                // The folder is free for the definition before; what was acknowledged is in the log.
                let _ = historian.close().await;
                Err(error)
            }
        }
    }

    /// The plant runs with what is on disk: a crash from here on changes nothing any more.
    async fn finish(&self) -> anyhow::Result<()> {
        let data = self.data();
        spawn_blocking(move || journal::end(&data)).await?
    }

    fn data(&self) -> PathBuf {
        self.site.storage.dir.clone()
    }

    fn is_armed(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.pages.live.armed())
    }
}

/// A change that a crash left under way is taken back before anything is read. Says so in words. A folder that another Andon has is
/// left alone: its changes are its own.
///
/// # Errors
/// When files cannot be read or written.
pub fn take_back(storage: &HistorianOptions) -> anyhow::Result<Option<SystemNotice>> {
    if andon_query::transfer::in_use(&storage.dir) {
        return Ok(None);
    }
    Ok(journal::take_back(&storage.dir)?.map(|message| notice("warning", &message)))
}

/// Records what was noticed before anything was opened.
///
/// # Errors
/// When the log cannot be written.
pub async fn record(opened: &Opened, notices: &[SystemNotice], now: &Now) -> anyhow::Result<()> {
    record_notices(&opened.historian, notices, now()).await
}

fn notice(level: &str, message: &str) -> SystemNotice {
    SystemNotice { subject: "definition".into(), level: level.into(), message: message.into() }
}

fn notice_event(notice: &SystemNotice, now: &Now) -> Event {
    event(now, &notice.message, EventBody::System(notice.clone()))
}

/// Who changed what, with the hashes of before and after.
fn deed(before: &Files, edition: &Edition, difference: &Difference, now: &Now) -> Event {
    let (from, to) = (hash(before), hash(&edition.files));
    let comment = if edition.comment.is_empty() { String::new() } else { format!("{}\n", edition.comment) };
    let told = difference::text(difference);
    let detail = format!("{comment}{from} → {to}\n{told}");
    let detail: String = detail.trim_end().chars().take(MAX_DETAIL).collect();
    let deed = Deed { by: edition.by.as_str().into(), verb: "apply_definition".into(), detail: detail.into(), hour: None };
    event(now, &to, EventBody::Deed(deed))
}

fn event(now: &Now, name: &str, body: EventBody) -> Event {
    let time = now();
    let id = EventId::from_name(&format!("definition/{time}/{name}"));
    Event { id, time, asset: None, asset_path: "".into(), detector: "".into(), body }
}

/// Files as they are named here: sorted.
fn given(files: Vec<FileText>) -> Files {
    let mut files: Files = files.into_iter().map(|FileText { name, text }| (name, text)).collect();
    files.sort();
    files
}

fn short(hash: &str) -> &str {
    hash.get(..SHORT_HASH).unwrap_or(hash)
}

/// The first error in words, and how many more there are.
fn unusable(loaded: &Loaded, files: &Files) -> DefinitionRefusal {
    let errors: Vec<_> =
        loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity == plant_file::Severity::Error).collect();
    let first = errors.first().map_or_else(
        || format!("{} files do not make a plant", files.len()),
        |first| format!("{}:{}:{}: {}", first.file, first.line, first.column, first.message),
    );
    let more = match errors.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let hint = errors.first().map(|first| first.hint.clone()).unwrap_or_default();
    DefinitionRefusal::Unusable(format!("{first}{more}; nothing was changed"), hint)
}

fn panicked(error: JoinError) -> DefinitionRefusal {
    DefinitionRefusal::NotNow(format!("a bug in Andon stopped this request: {error}"), "please report it".into())
}

/// Reads from the data folder, away from the loop.
async fn of_store<T: Send + 'static>(
    data: PathBuf,
    read: impl FnOnce(&Store) -> anyhow::Result<T> + Send + 'static,
) -> Answer<T> {
    let read = spawn_blocking(move || read(&Store::open(&data)?)).await.map_err(panicked)?;
    read.map_err(|error| DefinitionRefusal::NotNow(format!("{error:#}"), "see the data folder".into()))
}

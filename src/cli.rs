//! The command line.

mod alarms;
mod apply;
mod arm;
mod ask;
mod audit;
mod backfill;
mod backtest;
mod backup;
mod browse;
mod check;
mod client;
mod correct;
mod data;
mod demo;
mod explain;
mod export;
mod import;
mod moment;
mod notify;
mod plan;
mod progress;
mod query;
mod remote;
mod run;
mod send;
mod simulate;
mod sql_listen;
mod sql_user;
mod stop;
mod storage;
mod template;
mod write;

use clap::{Parser, Subcommand};
use std::{io::Write, process::ExitCode, time::Duration};
use tokio::runtime::{Builder, Handle, Runtime};

/// Open, self-hosted industrial analytics and events.
#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Examples:\n  andon demo                                   a simulated bottling plant, in one minute\n  \
                  andon check plant.yaml                       check a plant file\n  \
                  andon run plant.yaml --data ./data           run it\n  \
                  andon apply plant.yaml                       have it go on with a changed file\n  \
                  andon query \"SELECT * FROM alarms LIMIT 10\"  ask the running plant"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a simulated bottling plant on real protocols, with seven days of history.
    Demo(demo::Demo),
    /// Runs a plant file.
    Run(run::Run),
    /// Checks a plant file; exit code 1 if it has errors.
    Check(check::Check),
    /// Says what a plant file would change in a running plant, in words of the plant.
    Plan(plan::Plan),
    /// Has a running plant go on with another plant file.
    Apply(apply::Apply),
    /// Runs a detector over a file of messages in virtual time.
    Simulate(simulate::Simulate),
    /// Hands a message to the detectors of a running Andon.
    Send(send::Send),
    /// Asks SQL, of a running Andon or of a data folder.
    Query(query::Query),
    /// Lists alarms, measures them, and acknowledges, shelves, suppresses, resets them.
    Alarms(alarms::Alarms),
    /// Tries whether a notification gets to its target.
    Notify(notify::Notify),
    /// Explains how a value came about, with its formula, numbers and inputs.
    Explain(explain::Explain),
    /// Imports values from CSV and Parquet files, or definitions of AWS IoT SiteWise.
    Import(import::Import),
    /// Exports values, or the answer to a statement, to Parquet or CSV; or models and assets for AWS IoT SiteWise.
    Export(export::Export),
    /// Plays recorded history through a detector: what it would have raised and written, compared with another definition of it.
    Backtest(backtest::Backtest),
    /// Computes metrics and transforms over history, as a running plant defines them now.
    Backfill(backfill::Backfill),
    /// Copies a data folder, also while Andon runs on it; `andon backup verify` checks a copy.
    Backup(backup::Backup),
    /// Makes a data folder out of a backup.
    Restore(backup::Restore),
    /// Checks the chain of who did what: whether any record was changed, removed, inserted or exchanged.
    Audit(audit::Audit),
    /// Shows what a source offers: a tree with live values, and lines for the plant file.
    Browse(browse::Browse),
    /// Allows writes to machines, for a while or until somebody forbids them.
    Arm(arm::Arm),
    /// Forbids all writes to machines.
    Disarm(arm::Disarm),
    /// Writes a control by hand: shown first, sent when it is confirmed.
    Write(write::Write),
    /// Says which value an attribute had from a time on; figures of that time follow.
    Set(correct::Set),
    /// Corrects one stored value, such as a wrong count; figures that it reaches follow.
    Correct(correct::Correct),
    /// Ends the dry run of a detector: from now on it writes.
    Release(arm::Release),
    /// Adds, lists and removes users of PostgreSQL's protocol.
    SqlUser(sql_user::SqlUsers),
    /// Prints the JSON Schema of the plant file, for editors.
    Schema,
    /// Prints a ready model to put beside a plant file, such as that of a machine with PackML.
    Template(template::Template),
}

impl Cli {
    /// Runs the chosen command to its end.
    pub fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Demo(demo) => demo.run(),
            Command::Run(run) => run.run(),
            Command::Check(check) => check.run(),
            Command::Plan(plan) => plan.run(),
            Command::Apply(apply) => apply.run(),
            Command::Simulate(simulate) => simulate.run(),
            Command::Send(send) => send.run(),
            Command::Query(query) => query.run(),
            Command::Alarms(alarms) => alarms.run(),
            Command::Notify(notify) => notify.run(),
            Command::Explain(explain) => explain.run(),
            Command::Import(import) => import.run(),
            Command::Export(export) => export.run(),
            Command::Backtest(backtest) => backtest.run(),
            Command::Backfill(backfill) => backfill.run(),
            Command::Backup(backup) => backup.run(),
            Command::Restore(restore) => restore.run(),
            Command::Audit(audit) => audit.run(),
            Command::Browse(browse) => browse.run(),
            Command::Arm(arm) => arm.run(),
            Command::Disarm(disarm) => disarm.run(),
            Command::Write(write) => write.run(),
            Command::Set(set) => set.run(),
            Command::Correct(correct) => correct.run(),
            Command::Release(release) => release.run(),
            Command::SqlUser(users) => users.run(),
            Command::Schema => print_schema(),
            Command::Template(template) => template.run(),
        };
        result.unwrap_or_else(|error| {
            eprintln!("andon: {error:#}");
            ExitCode::FAILURE
        })
    }
}

fn print_schema() -> anyhow::Result<ExitCode> {
    print(&serde_json::to_string_pretty(&andon_models::plant_file::schema())?)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints to standard output. Whoever reads it may have seen enough, as in `andon schema | head`: that is no error.
fn print(text: &str) -> std::io::Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// `1 row`, `2 rows`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Threads of a runtime at least: of two, one goes on while the other does a step that takes long.
const MIN_THREADS: usize = 2;

/// Stack of each thread: planning a statement of the largest size that is allowed goes that deep. Only what is used takes memory.
const STACK: usize = 64 << 20;

/// How long the end waits for what is still under way.
const FAREWELL: Duration = Duration::from_secs(5);

/// Starts the runtime that everything asynchronous of one command lives in.
fn block_on<F: Future>(future: F) -> anyhow::Result<F::Output> {
    let runtime = runtime("andon")?;
    let output = runtime.block_on(future);
    runtime.shutdown_timeout(FAREWELL);
    Ok(output)
}

/// The same for a service. What computes for long has a runtime of its own, which it is given: however many questions there are, the
/// system shares the cores between them and what watches the plant, and a decision waits for none of them.
fn serve<F: Future>(service: impl FnOnce(Handle) -> F) -> anyhow::Result<F::Output> {
    let workers = runtime("andon-worker")?;
    let output = block_on(service(workers.handle().clone()))?;
    workers.shutdown_timeout(FAREWELL);
    Ok(output)
}

fn runtime(name: &str) -> std::io::Result<Runtime> {
    let threads = std::thread::available_parallelism().map_or(MIN_THREADS, |cores| cores.get().max(MIN_THREADS));
    Builder::new_multi_thread().worker_threads(threads).thread_name(name).thread_stack_size(STACK).enable_all().build()
}

//! `andon backfill`: metrics and transforms computed over history, in a running plant.

use super::{arm::Whom, ask, block_on, client::Client, print, progress::Progress, stop::StopSignal};
use andon_models::time::parse_duration;
use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::{io::IsTerminal, process::ExitCode, time::Duration};
use tokio::task::spawn_blocking;

/// How often it is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Arguments of `andon backfill`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  andon backfill filler.temp_avg --last 30d           a metric, and what depends on it\n  \
                  andon backfill filler --last 7d                     all metrics and transforms of a model\n  \
                  andon backfill filler.overfill filler.giveaway --from 2026-01-01 --to 2026-02-01\n  \
                  andon backfill --list                               those that go on, and the last ones\n  \
                  andon backfill --cancel 3                           what is computed stays, and is right\n\n\
                  Windows that are closed are computed again as the metrics are defined now, with the plans of live figures; so are\n\
                  transforms, value by value. Figures that change are revisions that name the back-fill. Live windows come first, and a\n\
                  restart goes on. Ctrl+C asks whether to cancel it.")]
pub struct Backfill {
    /// Models, metrics or transforms: filler, filler.temp_avg.
    #[arg(required_unless_present_any = ["list", "cancel", "follow"])]
    targets: Vec<String>,
    /// The last so many days or hours: 30d, 12h.
    #[arg(long, conflicts_with_all = ["from", "to"], value_parser = span)]
    last: Option<Duration>,
    /// From this instant on: "2026-01-01 06:00" in plant time, or 2026-01-01T05:00:00Z.
    #[arg(long)]
    from: Option<String>,
    /// Up to this instant; now if left out.
    #[arg(long, requires = "from")]
    to: Option<String>,
    /// Does not wait until it is done.
    #[arg(long)]
    detach: bool,
    /// Lists back-fills.
    #[arg(long, conflicts_with_all = ["targets", "cancel", "follow"])]
    list: bool,
    /// Takes one back, by its number.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["targets", "follow"])]
    cancel: Option<u32>,
    /// Shows how far one is until it is over.
    #[arg(long, value_name = "NUMBER", conflicts_with = "targets")]
    follow: Option<u32>,
    #[command(flatten)]
    whom: Whom,
}

/// Reads a span such as `30d`.
pub fn span(text: &str) -> Result<Duration, String> {
    parse_duration(text).filter(|span| !span.is_zero()).ok_or_else(|| format!("`{text}` is no span; write 30d or 12h"))
}

/// How a back-fill stands, as a running Andon tells it.
#[derive(Deserialize)]
struct Standing {
    number: u32,
    targets: Vec<String>,
    from: String,
    to: String,
    state: String,
    transform_values: u64,
    windows_done: u64,
    windows_total: u64,
    figures: u64,
    progress: f64,
    note: String,
}

impl Backfill {
    /// Begins and waits.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(self.fill())?
    }

    async fn fill(&self) -> anyhow::Result<ExitCode> {
        let client = Client::new(&self.whom.url)?;
        if self.list {
            let all: Vec<Standing> = serde_json::from_value(client.get(&["api", "backfills"], &[]).await?)?;
            all.iter().try_for_each(|standing| print(&standing.line()))?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(number) = self.cancel {
            client.delete(&["api", "backfills", &number.to_string()]).await?;
            return follow(&client, number).await;
        }
        if let Some(number) = self.follow {
            return follow(&client, number).await;
        }
        let span = match (self.last, &self.from) {
            (Some(last), _) => json!({ "last_seconds": last.as_secs() }),
            (None, Some(from)) => json!({ "from": from, "to": self.to }),
            (None, None) => bail!("say over how much history: --last 30d, or --from"),
        };
        let number = begin(&client, &self.targets, span, &self.whom.name).await?;
        if self.detach { Ok(ExitCode::SUCCESS) } else { follow(&client, number).await }
    }
}

/// Begins a back-fill over a span, and says so.
///
/// # Errors
/// Why it does not begin.
pub async fn begin(client: &Client, targets: &[String], span: Json, name: &str) -> anyhow::Result<u32> {
    let mut order = json!({ "targets": targets, "name": name });
    for (key, value) in span.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        order[key] = value.clone();
    }
    let standing: Standing = serde_json::from_value(client.post(&["api", "backfills"], &order).await?)?;
    let Standing { number, targets, windows_total, from, to, note, .. } = &standing;
    let note = if note.is_empty() { String::new() } else { format!("; {note}") };
    eprintln!("Back-fill {number} of {} from {from} to {to} was begun: {windows_total} windows{note}", targets.join(", "));
    Ok(*number)
}

/// Shows how far a back-fill is until it is over.
async fn follow(client: &Client, number: u32) -> anyhow::Result<ExitCode> {
    let mut signal = StopSignal::listen()?;
    let progress = Progress::share(&format!("back-fill {number}"));
    loop {
        let answer = client.get(&["api", "backfills", &number.to_string()], &[]).await?;
        let standing: Standing = serde_json::from_value(answer).context("it did not answer as this Andon does")?;
        if matches!(standing.state.as_str(), "done" | "cancelled" | "failed") {
            progress.finish();
            print(&standing.line())?;
            return Ok(if standing.state == "done" { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        progress.say(standing.progress, &standing.counts());
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = signal.received() => {
                progress.finish();
                if !wants_to_cancel(number, &mut signal).await? {
                    eprintln!("It goes on: andon backfill --follow {number}");
                    return Ok(ExitCode::FAILURE);
                }
                client.delete(&["api", "backfills", &number.to_string()]).await?;
            }
        }
    }
}

/// Asks, where somebody can be asked. A second Ctrl+C is no answer.
async fn wants_to_cancel(number: u32, signal: &mut StopSignal) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    let question = format!("Cancel back-fill {number}? What is computed stays.");
    tokio::select! {
        answer = spawn_blocking(move || ask::agreed(&question)) => answer?,
        () = signal.received() => Ok(false),
    }
}

impl Standing {
    fn counts(&self) -> String {
        let values = if self.transform_values > 0 { format!("{} values  ", self.transform_values) } else { String::new() };
        format!("{values}{}/{} windows", self.windows_done, self.windows_total)
    }

    fn line(&self) -> String {
        let Self { number, targets, from, to, state, figures, note, .. } = self;
        let note = if note.is_empty() { String::new() } else { format!("; {note}") };
        let counts = self.counts();
        format!("{number}  {state}  {}  {from} .. {to}  {counts}, {figures} figures new or changed{note}", targets.join(", "))
    }
}

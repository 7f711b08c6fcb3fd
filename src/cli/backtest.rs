//! `andon backtest`: what a detector would have done over recorded history, beside what another definition of it would have.

use super::{backfill::span, block_on, check, print, progress::Progress};
use crate::service::{
    backtest::{self, Happening, Heard, Job, Note, Played, difference, words},
    clock, telemetry,
};
use andon_models::{definition::Plant, window::Window};
use andon_query::Historian;
use anyhow::{Context, bail, ensure};
use std::{num::NonZero, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

/// Arguments of `andon backtest`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  andon backtest plant.yaml --detector filler.overheat --last 30d\n  \
                  andon backtest plant.yaml --detector filler.overheat --last 7d --with edited.yaml\n  \
                  andon backtest plant.yaml --detector filler.overheat --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z --events\n\n\
                  Nothing is written, told or stored. Works while an Andon runs on the folder.")]
pub struct Backtest {
    /// A plant file, or a folder of them.
    plant: PathBuf,
    /// The detector: model.detector.
    #[arg(long)]
    detector: String,
    /// The data folder with the history.
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// From this instant on: "2026-01-01 06:00" in plant time, or 2026-01-01T05:00:00Z.
    #[arg(long, required_unless_present = "last", value_name = "TIME")]
    from: Option<String>,
    /// Up to this instant; now if left out.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// The last so many days or hours, instead of --from: 30d, 12h.
    #[arg(long, conflicts_with_all = ["from", "to"], value_parser = span)]
    last: Option<Duration>,
    /// Another plant file with the same detector, to compare.
    #[arg(long, value_name = "EDITED")]
    with: Option<PathBuf>,
    /// Prints every move, alarm and command.
    #[arg(long)]
    events: bool,
    /// Prints every event as JSON, one a line, as the column `body` of the table `events` has it, instead of the table.
    #[arg(long, conflicts_with_all = ["events", "with"])]
    json: bool,
}

impl Backtest {
    /// Plays and prints.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        telemetry::log_to_stderr("warn");
        let Some(plant) = self.load(&self.plant)? else { return Ok(ExitCode::FAILURE) };
        let other = match &self.with {
            Some(path) => match self.load(path)? {
                Some(plant) => Some(plant),
                None => return Ok(ExitCode::FAILURE),
            },
            None => None,
        };
        block_on(self.play(plant, other))??;
        Ok(ExitCode::SUCCESS)
    }

    fn load(&self, path: &std::path::Path) -> anyhow::Result<Option<Plant>> {
        let checked = check::load(path)?;
        checked.print();
        checked.loaded.plant.map(|plant| backtest::alone(&plant, &self.detector)).transpose()
    }

    async fn play(&self, plant: Plant, other: Option<Plant>) -> anyhow::Result<()> {
        let now = clock::system()();
        let instant = |text: &String| plant.calendar.parse_instant(text).map_err(anyhow::Error::msg);
        let window = match (self.last, &self.from) {
            (Some(last), _) => Window { start: now - last, end: now },
            (None, Some(from)) => {
                Window { start: instant(from)?, end: self.to.as_ref().map(instant).transpose()?.unwrap_or(now) }
            }
            (None, None) => bail!("say how much history: --last 30d, or --from"),
        };
        ensure!(window.start < window.end, "--from lies after --to");
        let historian = Historian::open_without_rollups(&self.data).await;
        let historian = historian.with_context(|| format!("cannot read {}", self.data.display()))?;
        let known = andon_query::known_series(&self.data)?;
        let (mut runs, sides) = (Vec::new(), 1 + usize::from(other.is_some()));
        let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
        for plant in [Some(plant), other].into_iter().flatten() {
            let progress = Progress::rows("playing");
            let side = if sides == 1 { "" } else { ["old  ", "new  "][runs.len().min(1)] };
            let mut printed = Ok(());
            let hear = |heard: Heard<String>| match heard {
                Heard::Points(points, _) => progress.set(points, points),
                Heard::Note(line) if printed.is_ok() => printed = progress.beside(|| print(&line)),
                Heard::Note(_) => {}
            };
            let job = Job {
                historian: &historian,
                known: &known,
                plant,
                window,
                workers,
                named: &self.detector,
                only: None,
                cancelled: Arc::default(),
            };
            let played = backtest::play(job, self.lines(side), hear).await?;
            progress.finish();
            printed?;
            runs.push(played);
        }
        if self.json {
            return Ok(());
        }
        print(&table(&self.detector, window, &runs))?;
        if let [one, other] = &runs[..] {
            print(&difference(one, other))?;
        }
        Ok(())
    }

    /// What is printed of events, if they were asked for.
    fn lines(&self, side: &'static str) -> Option<Note<String>> {
        let json = self.json;
        (json || self.events).then(|| -> Note<String> {
            Arc::new(move |happening| match happening {
                Happening::Event(event) if json => Some(serde_json::to_string(event).unwrap_or_else(|error| error.to_string())),
                Happening::Event(event) => {
                    words(event).map(|words| format!("{side}{}  {}  {words}", event.time, event.asset_path))
                }
                _ => None,
            })
        })
    }
}

/// What a row of the table counts.
type Row = (&'static str, fn(&Played) -> u64);

fn table(detector: &str, window: Window, runs: &[Played]) -> String {
    let mut text = format!("{detector} from {} to {}", window.start, window.end);
    let rows: [Row; 6] = [
        ("values played", |played| played.points),
        ("moves", |played| played.moves as u64),
        ("alarms raised", |played| played.raised as u64),
        ("notifications", |played| played.notices as u64),
        ("writes it would have sent", |played| played.commands as u64),
        ("writes refused by a rule", |played| played.refused as u64),
    ];
    if runs.len() > 1 {
        text.push_str(&format!("\n  {:<28}{:>12}{:>12}", "", "old", "new"));
    }
    for (name, count) in rows {
        text.push_str(&format!("\n  {name:<28}"));
        runs.iter().for_each(|played| text.push_str(&format!("{:>12}", count(played))));
    }
    text
}

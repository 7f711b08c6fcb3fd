//! `andon import`: files of values into a data folder. All files are checked first; only when every line is right, something is
//! written. Reading the same file twice changes nothing: a point is told by series, time and quality.
//! Files of definitions (JSON, or YAML of templates) become a plant file instead.

mod definitions;
mod folder;
mod report;
mod url;

use self::folder::Folder;
use super::{block_on, progress::Progress};
use crate::service::{clock, telemetry};
use andon_query::transfer::{self, Names, Problems, ReadOptions, Step, Tally, TimeForm, TimeUnit};
use anyhow::{Context, bail, ensure};
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Arguments of `andon import`.
#[derive(clap::Args)]
#[command(after_help = "Files name series by asset and property, or by alias; the header decides:\n  \
    time,asset,property,value[,quality]   one value per row\n  \
    time,alias,value                      /Line 2/Filler 2/fill_temp is an alias\n  \
    time,asset,fill_temp,running          one column per property\n  \
    time,/Line 2/Filler 2/fill_temp       one column per alias\n\n\
    Examples:\n  andon import history.parquet --data ./data --dry-run\n  \
    andon import 2024.csv.gz 2025.csv.gz --data ./data\n  \
    andon import excel.csv --data ./data --timezone Europe/Berlin --decimal-comma\n  \
    andon import yesterday.csv --url http://127.0.0.1:8080\n  \
    andon import lab.csv --data ./data --time-format '%d.%m.%Y %H:%M' --timezone Europe/Berlin --create-streams\n\n\
    Definitions of AWS IoT SiteWise and IoT Events (requests, answers, bulk files, CloudFormation) become a plant file:\n  \
    andon import motor.json --tidy -o plant.yaml\n  \
    andon import models.json assets.json --dry-run          says what would be made\n  \
    andon import stack.yaml --parameter Site=North -o plant.yaml\n  \
    andon import models.json assets.json --apply            into the plant that runs; asks first\n\n\
    Everything is in docs/transfer.md, and of definitions in docs/sitewise.md.")]
pub struct Import {
    /// Values: CSV (separated by , ; or tab, also as .gz) or Parquet. Or definitions: JSON or YAML of AWS IoT SiteWise and IoT Events.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The data folder. No Andon may be running on it.
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// A running Andon instead of a folder. There, values take the way of live ones: detectors see them.
    #[arg(long, conflicts_with_all = ["data", "plant"])]
    url: Option<String>,
    /// A plant file for a folder that no Andon has run on yet.
    #[arg(long)]
    plant: Option<PathBuf>,
    /// Checks everything and tells what would be imported; writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Leaves wrong lines out instead of importing nothing.
    #[arg(long)]
    skip_errors: bool,
    /// Makes a data stream of every name that is unknown.
    #[arg(long)]
    create_streams: bool,
    /// Unit of times that are numbers; otherwise by their size.
    #[arg(long, value_enum)]
    time_unit: Option<Unit>,
    /// The zone of times that do not say their offset, such as Europe/Berlin or UTC.
    #[arg(long)]
    timezone: Option<String>,
    /// The form of times, as of strptime, such as '%d.%m.%Y %H:%M:%S'.
    #[arg(long)]
    time_format: Option<String>,
    /// Decimal numbers have a comma: 7,25.
    #[arg(long)]
    decimal_comma: bool,
    /// Definitions: the plant file to write; without it, it is printed.
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// Definitions: writes over the plant file if it is there.
    #[arg(long, requires = "output")]
    force: bool,
    /// Definitions: applies them to the running plant at --url (http://127.0.0.1:8080 if not given). With --dry-run only shows the plan.
    #[arg(long, conflicts_with_all = ["output", "data", "plant"])]
    apply: bool,
    /// Definitions: applies without asking.
    #[arg(long, short, requires = "apply")]
    yes: bool,
    /// Definitions: why they are applied.
    #[arg(long, requires = "apply", default_value = "")]
    comment: String,
    /// Definitions: a parameter of a CloudFormation template, as NAME=VALUE; may be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    parameter: Vec<String>,
    /// Definitions: the plant's name.
    #[arg(long)]
    name: Option<String>,
    /// Definitions: folds rules that several states of a detector model repeat into a group around them; it behaves as before.
    #[arg(long)]
    tidy: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Unit {
    S,
    Ms,
    Us,
    Ns,
}

impl Import {
    /// Checks, and imports what is right.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        telemetry::log_to_stderr("warn");
        if definitions::are(&self.files)? {
            return self.definitions();
        }
        let only = self.apply || self.output.is_some() || self.name.is_some() || self.tidy || !self.parameter.is_empty();
        ensure!(
            !only,
            "--apply, -o, --name, --tidy and --parameter are for definitions, and {} holds values",
            self.files[0].display()
        );
        let options = self.options()?;
        ensure!(
            self.dry_run || self.url.is_some() || !transfer::in_use(&self.data),
            "an Andon is running on {}; import into it with --url http://127.0.0.1:8080, or stop it first (--dry-run works meanwhile)",
            self.data.display()
        );
        block_on(async {
            if self.dry_run || !self.skip_errors {
                let names = self.known_names().await?.create_streams(self.create_streams);
                ensure!(
                    !names.is_empty() || self.create_streams,
                    "{} knows no plant yet: run one on it first (andon run plant.yaml), or name its file with --plant",
                    self.data.display()
                );
                let (tally, problems) = self.check(&names, &options)?;
                if self.dry_run {
                    return report::dry_run(&names, tally, &problems, self.skip_errors);
                }
                if problems.count() > 0 {
                    report::problems(&problems);
                    bail!("nothing was imported; mend the lines above, or leave them out with --skip-errors");
                }
            }
            if let Some(url) = &self.url {
                let names = self.known_names().await?.create_streams(self.create_streams);
                url::import(url, names, &self.files, &options).await?;
                return Ok(ExitCode::SUCCESS);
            }
            let folder = Folder::open(&self.data, self.plant.as_deref()).await?;
            folder.import(&self.files, &options, self.create_streams).await?;
            Ok(ExitCode::SUCCESS)
        })?
    }

    fn options(&self) -> anyhow::Result<ReadOptions> {
        let unit = self.time_unit.map(|unit| match unit {
            Unit::S => TimeUnit::Seconds,
            Unit::Ms => TimeUnit::Millis,
            Unit::Us => TimeUnit::Micros,
            Unit::Ns => TimeUnit::Nanos,
        });
        let zone = self.timezone.as_deref().map(transfer::zone).transpose().map_err(anyhow::Error::msg)?;
        let time = TimeForm { unit, zone, pattern: self.time_format.clone() };
        Ok(ReadOptions { time, decimal_comma: self.decimal_comma, now: Some(clock::system()()) })
    }

    /// The names before anything is opened for writing.
    async fn known_names(&self) -> anyhow::Result<Names> {
        match (&self.url, &self.plant) {
            (Some(url), _) => url::names_at(url).await,
            (None, Some(plant)) => folder::names_of(plant),
            (None, None) => folder::names_in(&self.data).await,
        }
    }

    /// Reads all files and counts what they hold.
    fn check(&self, names: &Names, options: &ReadOptions) -> anyhow::Result<(Tally, Problems)> {
        let (mut tally, mut problems) = (Tally::new(self.dry_run), Problems::default());
        let progress = Progress::bytes("checking ", total_size(&self.files)?);
        let mut before = 0;
        let mut rows = 0;
        for file in &self.files {
            let read = transfer::read(file, names, options, &mut |step| {
                match step {
                    Step::Points(points) => {
                        rows += points.len() as u64;
                        tally.add(&points);
                    }
                    Step::Problem { line, message } => problems.add(file, line, message),
                    Step::Progress(bytes) => progress.set(before + bytes, rows),
                }
                ControlFlow::Continue(())
            });
            read?;
            before += size(file)?;
        }
        progress.finish();
        Ok((tally, problems))
    }
}

fn size(file: &Path) -> anyhow::Result<u64> {
    Ok(std::fs::metadata(file).with_context(|| format!("cannot open {}", file.display()))?.len())
}

fn total_size(files: &[PathBuf]) -> anyhow::Result<u64> {
    files.iter().map(|file| size(file)).sum()
}

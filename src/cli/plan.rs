//! `andon plan`: what a plant file would change, in words of the plant. Changes nothing.

use super::{block_on, check, counted, print, remote::Remote};
use crate::service::definition::place::Place;
use andon_models::difference::{self, Difference};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

/// Arguments of `andon plan`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  andon plan plant.yaml                            against the plant that runs at 127.0.0.1:8080\n  \
                  andon plan plant/ --running http://127.0.0.1:9090  a folder of files\n  \
                  andon plan new.yaml --against old.yaml             two files; nothing needs to run\n\n\
                  A line says + what comes, - what goes, ~ what changes, and below it what follows. `andon apply` does it.\n\
                  Exit code 1 if the files have errors."
)]
pub struct Plan {
    /// A plant file, or a folder of them.
    new: PathBuf,
    /// The Andon that runs the plant.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    running: String,
    /// Another plant file or folder to compare with, instead of a plant that runs.
    #[arg(long, value_name = "OLD", conflicts_with = "running")]
    against: Option<PathBuf>,
    /// Prints the changes as JSON.
    #[arg(long)]
    json: bool,
}

impl Plan {
    /// Compares and prints.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match &self.against {
            Some(old) => self.compare(old),
            None => block_on(self.ask())?,
        }
    }

    fn compare(&self, old: &std::path::Path) -> anyhow::Result<ExitCode> {
        let (old, new) = (check::load(old)?, check::load(&self.new)?);
        if old.loaded.plant.is_none() {
            old.print();
        }
        new.print();
        let (Some(before), Some(after)) = (&old.loaded.plant, &new.loaded.plant) else { return Ok(ExitCode::FAILURE) };
        let difference = Difference::of(before, after, []);
        let text = difference::text(&difference);
        match (self.json, difference.is_empty()) {
            (true, _) => print(&serde_json::to_string_pretty(&difference)?)?,
            (false, true) => print("Nothing changes: both say the same.")?,
            (false, false) => {
                print(text.trim_end())?;
                eprintln!("{}", counted(difference.changes.len(), "change"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn ask(&self) -> anyhow::Result<ExitCode> {
        let place = Place::of(&self.new);
        let remote = Remote::at(&self.running).await?;
        let files = remote.with(place.read()?, matches!(place, Place::Folder(_)));
        let plan = remote.plan(&files).await?;
        if self.json {
            print(&serde_json::to_string_pretty(&json!(plan))?)?;
            return Ok(if plan.has_errors() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        Ok(if plan.print()? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

//! `andon apply`: has a running plant go on with another definition.

use super::{
    block_on,
    remote::{Remote, plan_and_apply},
};
use crate::service::definition::place::Place;
use std::{path::PathBuf, process::ExitCode};

/// Arguments of `andon apply`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  andon apply plant.yaml                           shows the plan, asks, applies\n  \
                  andon apply line-2.yaml --to http://127.0.0.1:9090   of a plant in a folder: this file, others stay\n  \
                  andon apply plant/ --yes --comment 'new limit'   without asking, with a reason\n  \
                  andon apply --revert 7                           back to version 7\n\n\
                  The plant is stopped and started again, which takes about a second: values written over HTTP wait, states of\n\
                  detectors, alarms and timers stay. The files of the running plant are replaced; versions stay in its data folder.\n\
                  A file with errors changes nothing. One that does not start gives way to the one before.")]
pub struct Apply {
    /// A plant file, or a folder of them.
    #[arg(required_unless_present = "revert", conflicts_with = "revert")]
    new: Option<PathBuf>,
    /// The Andon that runs the plant.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    to: String,
    /// An earlier version of the running plant's definition, by its number.
    #[arg(long, value_name = "VERSION")]
    revert: Option<i64>,
    /// Applies without asking.
    #[arg(long, short)]
    yes: bool,
    /// Why; stands beside the version.
    #[arg(long, default_value = "")]
    comment: String,
    /// Who, where several people work under one log-in.
    #[arg(long = "as", value_name = "NAME", default_value = "")]
    name: String,
}

impl Apply {
    /// Plans, asks, applies.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let applied = block_on(self.apply())??;
        Ok(if applied { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn apply(&self) -> anyhow::Result<bool> {
        let remote = Remote::at(&self.to).await?;
        let files = match (&self.new, self.revert) {
            (Some(new), _) => {
                let place = Place::of(new);
                remote.with(place.read()?, matches!(place, Place::Folder(_)))
            }
            (None, Some(version)) if self.yes => {
                remote.revert(version, &self.comment, &self.name).await?;
                return Ok(true);
            }
            (None, version) => remote.version(version.unwrap_or_default()).await?,
        };
        plan_and_apply(&remote, &files, self.yes, &self.comment, &self.name).await
    }
}

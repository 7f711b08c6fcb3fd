//! `andon apply`: has a running plant go on with another definition.

use super::{
    backfill, block_on,
    remote::{Remote, plan_and_apply},
};
use crate::service::definition::place::Place;
use serde_json::json;
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Arguments of `andon apply`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  andon apply plant.yaml                           shows the plan, asks, applies\n  \
                  andon apply line-2.yaml --to http://127.0.0.1:9090   of a plant in a folder: this file, others stay\n  \
                  andon apply plant/ --yes --comment 'new limit'   without asking, with a reason\n  \
                  andon apply plant.yaml --backfill 30d            and computes what is new or changed over 30 days of history\n  \
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
    /// Computes new and changed metrics and transforms over so much history once it is applied, such as 30d.
    #[arg(long, value_name = "SPAN", value_parser = backfill::span)]
    backfill: Option<Duration>,
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
                let computed = remote.revert(version, &self.comment, &self.name).await?;
                self.fill(&remote, &computed).await?;
                return Ok(true);
            }
            (None, version) => remote.version(version.unwrap_or_default()).await?,
        };
        let applied = plan_and_apply(&remote, &files, self.yes, &self.comment, &self.name).await?;
        if let Some(computed) = &applied {
            self.fill(&remote, computed).await?;
        }
        Ok(applied.is_some())
    }

    /// Begins to compute over history what is new or was changed.
    async fn fill(&self, remote: &Remote, computed: &[String]) -> anyhow::Result<()> {
        let Some(span) = self.backfill else { return Ok(()) };
        if computed.is_empty() {
            eprintln!("No metric or transform is new or changed: there is nothing to compute over history.");
            return Ok(());
        }
        let span = json!({ "last_seconds": span.as_secs() });
        let number = backfill::begin(remote.client()?, computed, span, &self.name).await?;
        eprintln!("See how far it is: andon backfill --follow {number} --url {}", self.to);
        Ok(())
    }
}

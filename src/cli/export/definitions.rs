//! `andon export --as sitewise`: models and assets as bulk metadata of AWS IoT SiteWise.

use super::{Export, Target};
use crate::{
    cli::{check, counted, print},
    service::store::Store,
};
use andon_models::{definition::Plant, plant_file, sitewise};
use anyhow::Context;
use std::{io::Write, path::Path, process::ExitCode};

impl Export {
    /// Writes the plant's models and assets, and says what SiteWise has no place for.
    pub(super) fn definitions(&self) -> anyhow::Result<ExitCode> {
        let plant = match &self.plant {
            Some(path) => {
                let checked = check::load(path)?;
                checked.print();
                checked.loaded.plant.with_context(|| format!("{} has errors", path.display()))?
            }
            None => last_run(&self.data)?,
        };
        let exported = sitewise::export(&plant);
        let text = serde_json::to_string_pretty(&exported.bulk)?;
        match Target::new(&self.output)? {
            Target::Stdout => print(&text)?,
            mut target => {
                target.open()?.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", self.output.display()))?;
                target.finish()?;
            }
        }
        for lost in &exported.not_carried_over {
            eprintln!("not carried over: {lost}");
        }
        let (models, assets) = (counted(plant.models.len(), "model"), counted(plant.assets.len(), "asset"));
        eprintln!("exported {models} and {assets}; {} not carried over", exported.not_carried_over.len());
        Ok(ExitCode::SUCCESS)
    }
}

/// The plant that a data folder was last run with, also while it runs.
pub(in crate::cli) fn last_run(data: &Path) -> anyhow::Result<Plant> {
    let files = Store::last_definition(data)?;
    let missing = || format!("{} knows no plant yet: name a plant file with --plant", data.display());
    let loaded = plant_file::load(&files.with_context(missing)?, &|name| std::env::var(name).ok());
    let reason = || match loaded.diagnostics.first() {
        Some(first) => format!("the plant of {} has errors: {}", data.display(), first.message),
        None => format!("the plant of {} has errors", data.display()),
    };
    loaded.plant.with_context(reason)
}

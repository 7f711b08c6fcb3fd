//! `andon check`: compiler-style errors for a plant file, all in one run.

use andon_models::plant_file::{self, Loaded, Severity};
use anyhow::Context;
use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Arguments of `andon check`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  andon check plant.yaml\n  andon check plant/ --json    a folder of files, for an editor")]
pub struct Check {
    /// A plant file, or a folder of them.
    path: PathBuf,
    /// Prints the diagnostics as JSON, one array.
    #[arg(long)]
    json: bool,
}

/// A plant file as read from disk, with what checking it said.
pub struct CheckedFiles {
    /// Names and texts.
    pub files: Vec<(String, String)>,
    /// The plant, if it has no error, and the diagnostics.
    pub loaded: Loaded,
}

impl Check {
    /// Checks and prints; the exit code says whether the file may run.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let checked = load(&self.path)?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&checked.loaded.diagnostics)?);
        } else {
            checked.print();
            println!("{}", summary(&self.path, &checked.loaded));
        }
        Ok(if checked.loaded.plant.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl CheckedFiles {
    /// Prints the diagnostics to standard error.
    pub fn print(&self) {
        let color = std::io::stderr().is_terminal();
        eprint!("{}", plant_file::render(&self.loaded.diagnostics, &self.files, color));
    }
}

/// Reads and checks a plant file or a folder of them; `$NAME` comes from the environment.
pub fn load(path: &Path) -> anyhow::Result<CheckedFiles> {
    let files = read(path)?;
    let loaded = plant_file::load(&files, &|name| std::env::var(name).ok());
    Ok(CheckedFiles { files, loaded })
}

fn read(path: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut paths = vec![path.to_path_buf()];
    if path.is_dir() {
        let entries = std::fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        paths = entries
            .with_context(|| format!("cannot list {}", path.display()))?
            .into_iter()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"))
            .collect();
        paths.sort();
        anyhow::ensure!(!paths.is_empty(), "{} holds no .yaml file", path.display());
    }
    let read_one = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((path.display().to_string(), text))
    };
    paths.into_iter().map(read_one).collect()
}

fn summary(path: &Path, loaded: &Loaded) -> String {
    let count = |severity: Severity| loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    match &loaded.plant {
        Some(plant) => format!(
            "{}: fine. {}: {} models, {} assets, {} sources; {warnings} warnings",
            path.display(),
            plant.name,
            plant.models.len(),
            plant.assets.len(),
            plant.sources.len(),
        ),
        None => format!("{}: {errors} errors, {warnings} warnings", path.display()),
    }
}

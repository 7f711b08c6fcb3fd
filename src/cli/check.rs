//! `andon check`: compiler-style errors for a plant file, all in one run.

use super::{counted, print};
use crate::service::definition::{
    Files,
    place::{Place, bare, read_one},
};
use andon_models::{
    definition::Plant,
    iot_events::{self, Level},
    plant_file::{self, Diagnostic, Loaded, Severity},
};
use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Arguments of `andon check`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  andon check plant.yaml\n  andon check plant/ --json    a folder of files, for an editor\n  \
                  andon check motor.json       a detector model of IoT Events, or a template with some"
)]
pub struct Check {
    /// A plant file, a folder of them, or a detector model of IoT Events.
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
        if self.path.is_file()
            && let Ok(text) = read_one(&self.path)
            && iot_events::recognises(&text)
        {
            return self.detector_models(&text);
        }
        let checked = load(&self.path);
        if self.json {
            // A tool that asked for an array gets one, also when there is nothing to read.
            let loaded = checked.map_or_else(|error| unreadable(&self.path, &error), |checked| checked.loaded);
            print(&serde_json::to_string_pretty(&loaded.diagnostics)?)?;
            return Ok(exit_code(&loaded));
        }
        let checked = checked?;
        checked.print();
        if let Some(plant) = &checked.loaded.plant {
            print(&summary(&self.path, plant))?;
        }
        Ok(exit_code(&checked.loaded))
    }
}

impl Check {
    /// Detector models of IoT Events, in the words of AWS's analysis.
    fn detector_models(&self, text: &str) -> anyhow::Result<ExitCode> {
        let name = self.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let document = iot_events::read(text, &name);
        if self.json {
            print(&serde_json::to_string_pretty(&document.findings)?)?;
        } else {
            document.findings.iter().for_each(|finding| eprintln!("{finding}"));
        }
        if document.findings.iter().any(|finding| finding.level == Level::Error) {
            return Ok(ExitCode::FAILURE);
        }
        if !self.json {
            for model in &document.models {
                let states = counted(model.states.len(), "state");
                let events = counted(model.events().count(), "event");
                print(&format!("{}: runs. {}: {states}, {events}", self.path.display(), model.name))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn exit_code(loaded: &Loaded) -> ExitCode {
    if loaded.plant.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn unreadable(path: &Path, error: &anyhow::Error) -> Loaded {
    let diagnostic = Diagnostic {
        severity: Severity::Error,
        code: "unreadable",
        file: path.display().to_string(),
        line: 1,
        column: 1,
        end_column: 1,
        message: format!("{error:#}"),
        hint: "give a plant file, or a folder of them".into(),
    };
    Loaded { plant: None, diagnostics: vec![diagnostic] }
}

impl CheckedFiles {
    /// The files by their names alone, as a plant keeps them.
    pub fn kept(&self) -> Files {
        self.files.iter().map(|(name, text)| (bare(Path::new(name)), text.clone())).collect()
    }

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
    let place = Place::of(path);
    let files = place.read()?;
    Ok(files.into_iter().map(|(name, text)| (place.path_of(&name).display().to_string(), text)).collect())
}

fn summary(path: &Path, plant: &Plant) -> String {
    // Those of asset models are counted with their models.
    let detectors = match plant.detectors.len() {
        0 => String::new(),
        count => format!(", {} of messages", counted(count, "detector")),
    };
    format!(
        "{}: fine. {}: {}, {}, {}{detectors}",
        path.display(),
        plant.name,
        counted(plant.models.len(), "model"),
        counted(plant.assets.len(), "asset"),
        counted(plant.sources.len(), "source"),
    )
}

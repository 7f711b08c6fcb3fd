//! `andon simulate`: a detector model over a file of messages, in virtual time, without a service.

use super::{check, counted};
use crate::service::definition::place::read_one;
use andon_detectors::{
    AssetSimulation,
    iot_events::{MAX_LINE_BYTES, Remark, Simulation},
};
use andon_models::{
    catalog::{Catalog, SeriesDirectory},
    definition::Plant,
    expression::nearest,
    iot_events::{self, DetectorModel, Level},
};
use anyhow::{Context, bail, ensure};
use serde_json::Value;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// Remarks that are told one by one; the rest is counted. A file of the wrong kind has one per line.
const MAX_REMARKS: usize = 100;

/// Arguments of `andon simulate`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    andon simulate motor.json --messages run.jsonl\n  \
    andon simulate template.yaml --detector motorModel --messages run.jsonl --trace\n  \
    tail -f messages.jsonl | andon simulate motor.json --messages -\n\n\
    A line in: {\"time\":\"2026-01-01T00:00:00Z\",\"input\":\"Name\",\"payload\":{…}}; a line with only a time moves the clock.\n\
    A line out per evaluation: time, key, trigger, from, state, variables, timers, actions, failures.\n\
    An empty file of messages only loads and checks the model. Exit code 1 if a line could not be read.\n\n\
    For a detector of an asset model the input is an asset's path and the payload its values, or the input is a property and the payload\n\
    its value: {\"time\":…,\"input\":\"Line 2/Filler 2\",\"payload\":{\"fill_temp\":85}}")]
pub struct Simulate {
    /// A detector model of IoT Events (JSON, or a CloudFormation template), or a plant file.
    model: PathBuf,
    /// The messages, one JSON object a line; - is standard input.
    #[arg(long)]
    messages: PathBuf,
    /// The detector, if there is more than one.
    #[arg(long)]
    detector: Option<String>,
    /// Adds every condition with its result.
    #[arg(long)]
    trace: bool,
}

/// What is simulated.
enum Running {
    Messages(Box<Simulation>),
    Asset(Box<AssetSimulation>),
}

impl Running {
    /// Takes one line, and hands over every answer.
    fn line(&mut self, text: &str, out: &mut dyn FnMut(&Value) -> ControlFlow<()>) -> ControlFlow<(), Vec<Remark>> {
        match self {
            Self::Messages(simulation) => simulation.line(text, &mut |evaluation| out(&evaluation.to_json())),
            Self::Asset(simulation) => simulation.line(text, out),
        }
    }
}

impl Simulate {
    /// Loads the model and runs it over the messages.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Some(mut running) = self.load()? else { return Ok(ExitCode::FAILURE) };
        let mut told = Told::default();
        let mut out = io::BufWriter::new(io::stdout().lock());
        let mut written = Ok(());
        let read = each_line(&self.messages, &mut |number, line| {
            let mut write = |answer: &Value| {
                written = writeln!(out, "{answer}");
                if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            let flow = match line {
                Ok(line) => running.line(line, &mut write),
                Err(mistake) => ControlFlow::Continue(vec![Remark::Wrong(mistake)]),
            };
            let ControlFlow::Continue(remarks) = flow else { return ControlFlow::Break(()) };
            // Whoever follows the lines sees each as soon as its message is through.
            written = out.flush();
            remarks.into_iter().for_each(|remark| told.tell(number, remark));
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        told.finish();
        match written {
            // Whoever reads the lines may have seen enough, as in `andon simulate … | head`: that is no error.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            written => written.context("cannot write the lines")?,
        }
        read?;
        Ok(if told.wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// What to run, findings told; none if it cannot run.
    fn load(&self) -> anyhow::Result<Option<Running>> {
        if self.model.is_file() {
            let text = read_one(&self.model)?;
            if iot_events::recognises(&text) {
                return self.iot_events(&text);
            }
        }
        let checked = check::load(&self.model)?;
        checked.print();
        match checked.loaded.plant {
            Some(plant) => self.of_plant(plant).map(Some),
            None => Ok(None),
        }
    }

    fn iot_events(&self, text: &str) -> anyhow::Result<Option<Running>> {
        let name = self.model.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let document = iot_events::read(text, &name);
        document.findings.iter().for_each(|finding| eprintln!("{finding}"));
        if document.findings.iter().any(|finding| finding.level == Level::Error) {
            return Ok(None);
        }
        let names: Vec<&str> = document.models.iter().map(|model| &*model.name).collect();
        let chosen = self.choose(&names)?;
        Ok(Some(self.messages_of(&Arc::new(document.models[chosen].clone()))))
    }

    fn messages_of(&self, model: &Arc<DetectorModel>) -> Running {
        Running::Messages(Box::new(Simulation::new(model, self.trace)))
    }

    /// A detector of a plant file: one over messages by its name, one of an asset model also as `model.detector`.
    fn of_plant(&self, plant: Plant) -> anyhow::Result<Running> {
        let over_messages = plant.detectors.iter().map(|model| model.name.to_string());
        let of_assets = plant
            .models
            .iter()
            .flat_map(|model| model.detectors.iter().map(|detector| format!("{}.{}", model.name, detector.name)));
        let names: Vec<String> = over_messages.chain(of_assets).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let chosen = self.choose(&names)?;
        if let Some(model) = plant.detectors.get(chosen) {
            return Ok(self.messages_of(model));
        }
        ensure!(!self.trace, "--trace is for detectors over messages; `{}` belongs to an asset model", names[chosen]);
        let detector = names[chosen].rsplit_once('.').map_or(names[chosen], |(_, detector)| detector).to_owned();
        let catalog = Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()));
        Ok(Running::Asset(Box::new(AssetSimulation::new(&catalog, &detector))))
    }

    /// The position of the detector to run.
    fn choose(&self, names: &[&str]) -> anyhow::Result<usize> {
        let list = || names.join(", ");
        let Some(wanted) = &self.detector else {
            ensure!(!names.is_empty(), "{} holds no detector", self.model.display());
            ensure!(names.len() == 1, "{} holds several detectors; choose with --detector: {}", self.model.display(), list());
            return Ok(0);
        };
        let alike = |name: &&str| *name == wanted || name.rsplit_once('.').is_some_and(|(_, detector)| detector == wanted);
        let found: Vec<usize> = (0..names.len()).filter(|position| alike(&names[*position])).collect();
        match (found[..].first(), found.len()) {
            (Some(only), 1) => Ok(*only),
            (None, _) => {
                let near =
                    nearest(wanted, names.iter().copied()).map_or_else(String::new, |near| format!("did you mean `{near}`? "));
                bail!("there is no detector `{wanted}`; {near}there are {}", list())
            }
            (Some(_), _) => bail!("several detectors are called `{wanted}`; choose one of {}", list()),
        }
    }
}

/// What was said about lines.
#[derive(Default)]
struct Told {
    wrong: u64,
    doubts: u64,
}

impl Told {
    fn tell(&mut self, line: u64, remark: Remark) {
        let (count, text) = match remark {
            Remark::Wrong(text) => (&mut self.wrong, format!("error: line {line}: {text}")),
            Remark::Doubt(text) => (&mut self.doubts, format!("line {line}: {text}")),
        };
        *count += 1;
        if *count <= MAX_REMARKS as u64 {
            eprintln!("{text}");
        }
    }

    fn finish(&self) {
        let more = self.wrong.saturating_sub(MAX_REMARKS as u64) + self.doubts.saturating_sub(MAX_REMARKS as u64);
        if more > 0 {
            eprintln!("and {} more", counted(usize::try_from(more).unwrap_or(usize::MAX), "remark"));
        }
    }
}

/// Takes a line by its number, or what is wrong with it.
type TakeLine<'a> = dyn FnMut(u64, Result<&str, String>) -> ControlFlow<()> + 'a;

/// Hands over a file's lines with their numbers, from 1; one that is too long or no text is a mistake of its own.
fn each_line(path: &Path, take: &mut TakeLine<'_>) -> anyhow::Result<()> {
    let reading = || format!("cannot read {}", path.display());
    let mut reader: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).with_context(reading)?))
    };
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let limit = MAX_LINE_BYTES as u64 + 2;
        if (&mut reader).take(limit).read_until(b'\n', &mut bytes).with_context(reading)? == 0 {
            break;
        }
        let whole = bytes.ends_with(b"\n") || (bytes.len() as u64) < limit;
        let flow = match std::str::from_utf8(&bytes) {
            _ if !whole => {
                skip_line(&mut reader).with_context(reading)?;
                take(number, Err(format!("the line is longer than {MAX_LINE_BYTES} bytes")))
            }
            Ok(line) => take(number, Ok(line.trim_end_matches(['\n', '\r']))),
            Err(_) => take(number, Err("the line is not UTF-8 text".into())),
        };
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}

/// Reads to the end of a line without keeping it.
fn skip_line(reader: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let (length, done) = end.map_or((buffer.len(), buffer.is_empty()), |end| (end + 1, true));
        reader.consume(length);
        if done {
            return Ok(());
        }
    }
}

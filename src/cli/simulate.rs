//! `andon simulate`: a detector model over a file of messages, in virtual time, without a service.

use super::{check, counted};
use andon_detectors::iot_events::{Evaluation, MAX_LINE_BYTES, Remark, Simulation};
use andon_models::iot_events::{self, DetectorModel, Level};
use anyhow::{Context, bail, ensure};
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
    An empty file of messages only loads and checks the model. Exit code 1 if a line could not be read.")]
pub struct Simulate {
    /// A detector model of IoT Events: JSON, or a CloudFormation template.
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

impl Simulate {
    /// Loads the model and runs it over the messages.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let text = check::read_one(&self.model)?;
        let Some(model) = self.model_of(&text)? else { return Ok(ExitCode::FAILURE) };
        let mut simulation = Simulation::new(&Arc::new(model), self.trace);
        let mut told = Told::default();
        let mut out = io::BufWriter::new(io::stdout().lock());
        let mut written = Ok(());
        let broken = each_line(&self.messages, &mut |number, line| {
            let mut write = |evaluation: &Evaluation<'_>| {
                written = writeln!(out, "{}", evaluation.to_json());
                if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            let flow = match line {
                Ok(line) => simulation.line(line, &mut write),
                Err(mistake) => ControlFlow::Continue(vec![Remark::Wrong(mistake)]),
            };
            let ControlFlow::Continue(remarks) = flow else { return ControlFlow::Break(()) };
            // Whoever follows the lines sees each as soon as its message is through.
            written = out.flush();
            remarks.into_iter().for_each(|remark| told.tell(number, remark));
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        told.finish();
        // Whoever reads the lines may have seen enough, as in `andon simulate … | head`: that is no error.
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error).context("cannot write the lines"),
            _ => broken?,
        }
        Ok(if told.wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The model to run, its findings told; none if it cannot run.
    fn model_of(&self, text: &str) -> anyhow::Result<Option<DetectorModel>> {
        ensure!(
            iot_events::recognises(text),
            "{} is no detector model of IoT Events: expected JSON or a CloudFormation template",
            self.model.display()
        );
        let name = self.model.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let document = iot_events::read(text, &name);
        document.findings.iter().for_each(|finding| eprintln!("{finding}"));
        if document.findings.iter().any(|finding| finding.level == Level::Error) {
            return Ok(None);
        }
        let names = || document.models.iter().map(|model| &*model.name).collect::<Vec<_>>().join(", ");
        match (&self.detector, document.models.len()) {
            (_, 0) => bail!("{} holds no detector model", self.model.display()),
            (None, 1) => Ok(document.models.into_iter().next()),
            (None, _) => bail!("{} holds several detectors; choose with --detector: {}", self.model.display(), names()),
            (Some(wanted), _) => {
                let found = document.models.iter().find(|model| *model.name == **wanted);
                let found = found.with_context(|| format!("there is no detector `{wanted}`; there are {}", names()))?;
                Ok(Some(found.clone()))
            }
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

/// Hands over a file's lines with their numbers, from 1; one that is too long or no text is a mistake of its own.
fn each_line(path: &Path, take: &mut dyn FnMut(u64, Result<&str, String>) -> ControlFlow<()>) -> anyhow::Result<()> {
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

//! `andon export`: points, or the answer to a statement, as Parquet or CSV. Streams, whatever the size; a file appears when it is whole.

mod definitions;

pub(super) use definitions::last_run;

use super::{
    block_on, moment,
    progress::{Progress, grouped, rate},
};
use crate::service::telemetry;
use andon_query::{
    Historian, SqlLimits,
    transfer::{ExportFilter, FileWriter, Format},
};
use anyhow::{Context, bail};
use futures::StreamExt;
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use tokio::sync::mpsc;

/// Batches between reading and writing.
const MAX_BATCHES: usize = 4;
/// How long an exported statement may run: an export is a batch job.
const SQL_TIME: Duration = Duration::from_secs(24 * 3_600);

/// Arguments of `andon export`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  andon export --data ./data -o all.parquet\n  \
    andon export --data ./data --asset 'Line 2/*' --property fill_temp --from 2026-01-01T00:00:00Z -o line2.csv\n  \
    andon export --data ./data --sql \"SELECT * FROM alarms\" -o alarms.parquet\n  \
    andon export --data ./data --format csv -o - | gzip > all.csv.gz\n  \
    andon export --as sitewise --plant plant.yaml -o bulk.json     models and assets, for AWS IoT SiteWise\n\n\
    A file of values can be imported again with `andon import`, exactly. Works while an Andon runs on the folder.")]
pub struct Export {
    /// The data folder.
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// Only assets whose path is like this; * stands for any text, ? for one letter.
    #[arg(long)]
    asset: Option<String>,
    /// Only properties whose key is like this.
    #[arg(long)]
    property: Option<String>,
    /// Only from this instant on: "2026-01-01 06:00" in plant time, or 2026-01-01T05:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only before this instant.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// The answer to this statement instead of points.
    #[arg(long, conflicts_with_all = ["asset", "property", "from", "to"])]
    sql: Option<String>,
    /// The form of the file; otherwise by its name.
    #[arg(long, value_enum)]
    format: Option<Form>,
    /// The file; - is standard output.
    #[arg(
        short,
        long,
        required = false,
        required_unless_present = "definitions",
        default_value_if("definitions", clap::builder::ArgPredicate::IsPresent, "-")
    )]
    output: PathBuf,
    /// Models and assets instead of values, in the form of another system.
    #[arg(long = "as", id = "definitions", value_enum, conflicts_with_all = ["asset", "property", "from", "to", "sql", "format"])]
    definitions: Option<System>,
    /// With --as: a plant file, instead of the plant that the data folder was last run with.
    #[arg(long, requires = "definitions")]
    plant: Option<PathBuf>,
}

/// Systems that take definitions.
#[derive(Clone, Copy, clap::ValueEnum)]
enum System {
    /// Bulk metadata of AWS IoT SiteWise.
    Sitewise,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Form {
    Parquet,
    Csv,
}

impl Export {
    /// Exports.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        telemetry::log_to_stderr("warn");
        if let Some(System::Sitewise) = self.definitions {
            return self.definitions();
        }
        let format = self.form()?;
        block_on(async {
            let historian =
                Historian::open_read_only(&self.data).await.with_context(|| format!("cannot read {}", self.data.display()))?;
            self.write(&historian, format).await
        })??;
        Ok(ExitCode::SUCCESS)
    }

    fn form(&self) -> anyhow::Result<Format> {
        let by_name = self.output.extension().and_then(|extension| extension.to_str());
        Ok(match (self.format, by_name) {
            (Some(Form::Csv), _) => Format::Csv,
            (Some(Form::Parquet), _) => Format::Parquet,
            (None, Some(name)) if name.eq_ignore_ascii_case("csv") => Format::Csv,
            (None, Some(name)) if name.eq_ignore_ascii_case("parquet") => Format::Parquet,
            (None, _) => bail!("{} does not say its form; add --format parquet or --format csv", self.output.display()),
        })
    }

    async fn write(&self, historian: &Historian, format: Format) -> anyhow::Result<()> {
        let mut stream = match &self.sql {
            Some(sql) => {
                let limits = SqlLimits { time: SQL_TIME, rows: usize::MAX, memory: usize::MAX };
                historian.sql_stream(sql, limits).await?
            }
            None => {
                let Self { asset, property, .. } = self;
                let [from, to] = [&self.from, &self.to].map(|text| {
                    let text = text.as_deref();
                    text.map(|text| moment::of_folder(text, &self.data)).transpose()
                });
                let filter = ExportFilter { asset: asset.clone(), property: property.clone(), from: from?, to: to? };
                historian.export_stream(&filter)?
            }
        };
        let (batches, mut queue) = mpsc::channel(MAX_BATCHES);
        let (target, schema, points) = (Target::new(&self.output)?, stream.schema(), self.sql.is_none());
        let writing = tokio::task::spawn_blocking(move || {
            let mut target = target;
            let out = BufWriter::new(target.open()?);
            let mut writer = FileWriter::new(out, format, &schema, points)?;
            while let Some(batch) = queue.blocking_recv() {
                writer.write(&batch)?;
            }
            writer.finish()?.flush()?;
            anyhow::Ok(target)
        });
        let progress = Progress::rows("exporting");
        let mut rows = 0;
        let mut failed = None;
        while let Some(batch) = stream.next().await {
            match batch {
                Ok(batch) => {
                    rows += batch.num_rows() as u64;
                    // The writer has failed and says why below.
                    if batches.send(batch).await.is_err() {
                        break;
                    }
                    progress.set(rows, rows);
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        drop(batches);
        let written = writing.await?;
        let elapsed = progress.elapsed();
        progress.finish();
        if let Some(error) = failed {
            return Err(andon_query::transfer::statement(error).into());
        }
        match written {
            // `andon export … -o - | head` is no error.
            Err(error) if is_broken_pipe(&error) => return Ok(()),
            written => written.with_context(|| format!("cannot write {}", self.output.display()))?.finish()?,
        }
        eprintln!(
            "exported {} rows to {} in {:.1} s ({})",
            grouped(rows),
            self.output.display(),
            elapsed.as_secs_f64(),
            rate(rows, elapsed)
        );
        Ok(())
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
            || cause.to_string().contains("os error 32")
    })
}

/// Where an export goes. A file is written beside its place and moved there when it is whole.
enum Target {
    Stdout,
    File { part: PathBuf, path: PathBuf, whole: bool },
}

impl Target {
    fn new(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let name = path.file_name().with_context(|| format!("{} names no file", path.display()))?;
        let mut part = name.to_owned();
        part.push(".part");
        Ok(Self::File { part: path.with_file_name(part), path: path.to_owned(), whole: false })
    }

    fn open(&mut self) -> anyhow::Result<Box<dyn Write + Send>> {
        Ok(match self {
            Self::Stdout => Box::new(std::io::stdout()),
            Self::File { part, .. } => {
                Box::new(File::create(&*part).with_context(|| format!("cannot make {}", part.display()))?)
            }
        })
    }

    fn finish(mut self) -> anyhow::Result<()> {
        if let Self::File { part, path, whole } = &mut self {
            File::open(&*part)?.sync_all()?;
            std::fs::rename(&*part, &*path).with_context(|| format!("cannot make {}", path.display()))?;
            *whole = true;
        }
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Self::File { part, whole: false, .. } = self {
            // What is not whole is of no use; that it cannot be removed is no further harm.
            let _ = std::fs::remove_file(part);
        }
    }
}

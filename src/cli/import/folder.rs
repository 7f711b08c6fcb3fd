//! Imports into a data folder.

use super::{
    super::{
        check,
        progress::{Progress, grouped},
    },
    report, total_size,
};
use crate::service::{self, Opened, audit, clock, definition::Edition, store::Store};
use andon_models::{
    Point,
    catalog::{Catalog, SeriesDirectory},
    definition::Plant,
    plant_file,
};
use andon_query::{
    Batch, Historian, HistorianOptions, Receipt,
    transfer::{self, Names, Problems, ReadOptions, Step, Tally},
};
use anyhow::{Context, bail};
use std::{
    collections::VecDeque,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::mpsc;

/// Batches read ahead of the log: a few megabytes.
pub const MAX_READ_AHEAD: usize = 8;
/// Batches handed to the log and not on disk yet: enough for one sync to serve many.
const MAX_UNDER_WAY: usize = 32;

/// The names of a plant file.
pub fn names_of(plant: &Path) -> anyhow::Result<Names> {
    let (plant, _) = load(plant)?;
    Ok(Names::of_plant(&Catalog::build(Arc::new(plant), &mut SeriesDirectory::default())))
}

/// The names a data folder has.
pub async fn names_in(data: &Path) -> anyhow::Result<Names> {
    match Historian::open_read_only(data).await {
        // Data streams may be in the log only.
        Ok(historian) => Ok(historian.names()),
        Err(_) => Ok(Names::load(data)?),
    }
}

fn load(path: &Path) -> anyhow::Result<(Plant, Vec<(String, String)>)> {
    let checked = check::load(path)?;
    checked.print();
    let plant = checked.loaded.plant.with_context(|| format!("{} has errors", path.display()))?;
    Ok((plant, checked.files))
}

/// A data folder opened for writing.
pub struct Folder {
    opened: Opened,
    data: PathBuf,
}

/// What was read and imported so far.
#[derive(Default)]
pub struct Done {
    /// Rows read.
    pub rows: AtomicU64,
    /// Bytes of the files read.
    pub bytes: AtomicU64,
}

impl Folder {
    /// Opens a folder with the plant it has, or with another one.
    ///
    /// # Errors
    /// When another process has it, or it has no plant.
    pub async fn open(data: &Path, plant: Option<&Path>) -> anyhow::Result<Self> {
        let (plant, files) = match plant {
            Some(path) => load(path)?,
            None => kept_plant(data)?,
        };
        let now = clock::system();
        let opened = service::open(plant, Edition::found(&files), HistorianOptions::new(data), now(), &now).await?;
        Ok(Self { opened, data: data.to_owned() })
    }

    /// Reads all files and stores what is right in them. What was stored is on disk when this returns.
    ///
    /// # Errors
    /// When a file cannot be read or the folder not be written; what was stored until then stays.
    pub async fn import(mut self, files: &[PathBuf], options: &ReadOptions, create_streams: bool) -> anyhow::Result<()> {
        let named: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        audit::note_by_hand(&self.data, "import", &format!("values of {}", named.join(", ")), &clock::system())?;
        let names = self.opened.historian.names().create_streams(create_streams);
        let progress = Progress::bytes("importing", total_size(files)?);
        let done = Arc::new(Done::default());
        let (batches, mut queue) = mpsc::channel(MAX_READ_AHEAD);
        let reading = {
            let (files, options, done) = (files.to_vec(), options.clone(), done.clone());
            tokio::task::spawn_blocking(move || read_all(&files, &names, &options, &done, &batches))
        };
        let mut tally = Tally::new(false);
        let stored = self.store(&mut queue, &mut tally, &done, &progress).await;
        // Reading stops by itself when nobody takes its batches.
        drop(queue);
        let read = reading.await?;
        let elapsed = progress.elapsed();
        progress.finish();
        let closed = self.opened.historian.close().await;
        let rows = tally.rows();
        let so_far = || format!("{} rows are imported and stay; importing again goes over them", grouped(rows));
        stored.with_context(so_far)?;
        let problems = read.with_context(so_far)?;
        if problems.count() > 0 {
            report::problems(&problems);
        }
        closed.context("the rows are in the log, but not in files yet")?;
        report::imported(&tally, &problems, elapsed)?;
        Ok(())
    }

    async fn store(
        &mut self,
        queue: &mut mpsc::Receiver<Vec<Point>>,
        tally: &mut Tally,
        done: &Done,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        let mut under_way: VecDeque<(Receipt, Vec<Point>)> = VecDeque::new();
        while let Some(points) = queue.recv().await {
            // Metrics of these windows are computed anew when the plant runs again.
            let keep = self.opened.schedule.observe(&points);
            let batch = Batch { points: points.clone(), keep, ..Batch::default() };
            let receipt = self.opened.historian.enqueue(batch).await;
            under_way.push_back((receipt, points));
            if under_way.len() >= MAX_UNDER_WAY {
                settle(&mut under_way, tally).await?;
            }
            progress.set(done.bytes.load(Ordering::Relaxed), done.rows.load(Ordering::Relaxed));
        }
        while !under_way.is_empty() {
            settle(&mut under_way, tally).await?;
        }
        Ok(())
    }
}

/// Waits for the oldest batch to be on disk.
async fn settle(under_way: &mut VecDeque<(Receipt, Vec<Point>)>, tally: &mut Tally) -> anyhow::Result<()> {
    if let Some((receipt, points)) = under_way.pop_front() {
        receipt.await?;
        tally.add(&points);
    }
    Ok(())
}

/// The definition a folder was last run with.
fn kept_plant(data: &Path) -> anyhow::Result<(Plant, Vec<(String, String)>)> {
    let files = Store::last_definition(data)?.with_context(|| {
        format!(
            "{} knows no plant yet: run one on it first (andon run plant.yaml), or name its file with --plant",
            data.display()
        )
    })?;
    let loaded = plant_file::load(&files, &|name| std::env::var(name).ok());
    match loaded.plant {
        Some(plant) => Ok((plant, files)),
        None => {
            eprint!("{}", plant_file::render(&loaded.diagnostics, &files, false));
            bail!("the plant that {} was last run with does not load; name one that does with --plant", data.display())
        }
    }
}

/// Reads files into batches, until nobody takes them any more.
///
/// # Errors
/// When a file cannot be read.
pub fn read_all(
    files: &[PathBuf],
    names: &Names,
    options: &ReadOptions,
    done: &Done,
    batches: &mpsc::Sender<Vec<Point>>,
) -> anyhow::Result<Problems> {
    let mut problems = Problems::default();
    let mut before = 0;
    for file in files {
        let mut gone = false;
        transfer::read(file, names, options, &mut |step| {
            match step {
                Step::Points(points) => {
                    done.rows.fetch_add(points.len() as u64, Ordering::Relaxed);
                    gone = batches.blocking_send(points).is_err();
                }
                Step::Problem { line, message } => problems.add(file, line, message),
                Step::Progress(bytes) => done.bytes.store(before + bytes, Ordering::Relaxed),
            }
            if gone { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        before += super::size(file)?;
    }
    Ok(problems)
}

//! `andon backup` and `andon restore`: a copy of a data folder, made while Andon runs or not, that can prove that it is whole.

mod archive;
mod manifest;
mod restore;

pub use self::restore::Restore;

use self::{
    archive::Archive,
    manifest::{Counts, Manifest},
};
use super::{
    block_on,
    progress::{Progress, grouped},
};
use crate::service::{audit, clock, store::Store, telemetry};
use andon_query::{Historian, transfer};
use anyhow::{Context, bail, ensure};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Arguments of `andon backup`.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  andon backup --data ./data -o monday.tar.zst      while Andon runs, or not\n  \
                  andon backup --data ./data -o /mnt/backup/monday  as a folder\n  \
                  andon backup verify monday.tar.zst                is it whole?\n  \
                  andon restore monday.tar.zst --data ./restored    writes to machines are disarmed there\n\n\
                  Everything that was acknowledged when it began is in it. It holds keys of connections: keep it safe."
)]
pub struct Backup {
    #[command(subcommand)]
    command: Option<Command>,
    /// The data folder.
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// A file that ends in .tar.zst, or a folder that is not there yet.
    #[arg(short, long, required = true)]
    output: Option<PathBuf>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Checks every byte of a backup, opens it, counts what is in it and verifies its audit.
    Verify(Verify),
}

/// Arguments of `andon backup verify`.
#[derive(clap::Args)]
pub struct Verify {
    /// The backup. A .tar.zst is unpacked into the folder for temporary files (TMPDIR), which needs room for it.
    backup: PathBuf,
}

impl Backup {
    /// Copies or verifies.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        telemetry::log_to_stderr("warn");
        match (self.command, self.output) {
            (Some(Command::Verify(verify)), _) => verify.run(),
            (None, Some(output)) => block_on(backup(&self.data, &output))?,
            (None, None) => bail!("say where to with -o FILE.tar.zst"),
        }
    }
}

async fn backup(data: &Path, output: &Path) -> anyhow::Result<ExitCode> {
    ensure!(!output.exists(), "{} is there already; choose another name, or remove it", output.display());
    let pinned = Pinned::new(data).await?;
    let counts = Counts::of(&Historian::open_read_only(&pinned.folder).await?);
    let mut manifest = Manifest::new(clock::system()(), counts);
    let files = manifest::files(&pinned.folder)?;
    let total = files.iter().map(|file| file.size).sum();
    let progress = Progress::bytes("copying", total);
    let (folder, output) = (pinned.folder.clone(), output.to_owned());
    let (manifest, elapsed, shown) = tokio::task::spawn_blocking(move || {
        let mut archive = Archive::create(&output)?;
        let mut copied = 0;
        for mut file in files {
            file.sha256 = archive.add(&folder.join(&file.path), &file, &mut |bytes| progress.set(copied + bytes, 0))?;
            copied += file.size;
            manifest.files.push(file);
        }
        archive.finish(&manifest)?;
        progress.finish();
        anyhow::Ok((manifest, progress.elapsed(), output))
    })
    .await??;
    drop(pinned);
    super::print(&format!(
        "{}: {}, {} of {} files, in {:.1} s",
        shown.display(),
        manifest.counts,
        indicatif::HumanBytes(total),
        grouped(manifest.files.len() as u64),
        elapsed.as_secs_f64()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// A data folder held still.
struct Pinned {
    folder: PathBuf,
    /// Keeps a second backup out.
    _lock: File,
}

impl Pinned {
    async fn new(data: &Path) -> anyhow::Result<Self> {
        ensure!(data.join("history").is_dir(), "{} holds no history; is it the data folder of an Andon?", data.display());
        let folder = data.join(transfer::BACKUP_FOLDER);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let lock = File::create(folder.join("lock"))?;
        ensure!(lock.try_lock().is_ok(), "another backup of {} is being made", data.display());
        let pinned = Self { folder: folder.join("pinned"), _lock: lock };
        transfer::pin(data, &pinned.folder).await?;
        let (data, database) = (data.to_owned(), pinned.folder.join("andon.db"));
        // Last: series are numbered before anything is written under their numbers.
        tokio::task::spawn_blocking(move || {
            Store::copy_to(&data, &database)?;
            audit::copy::copy(&data, database.parent().expect("it is in the folder")).context("cannot copy the audit")
        })
        .await??;
        Ok(pinned)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // Links cost nothing; the next backup removes them.
        let _ = self.folder.parent().map(std::fs::remove_dir_all);
    }
}

impl Verify {
    fn run(self) -> anyhow::Result<ExitCode> {
        let unpacked =
            if self.backup.is_dir() { None } else { Some(tempfile::Builder::new().prefix("andon-verify-").tempdir()?) };
        let manifest = match &unpacked {
            Some(folder) => archive::unpack(&self.backup, folder.path())?,
            None => archive::check_folder(&self.backup)?,
        };
        let folder = unpacked.as_ref().map_or(&*self.backup, |folder| folder.path());
        block_on(manifest.check_counts(folder))??;
        let said = match super::audit::of_backup(folder) {
            Ok(audit) => audit.map_or_else(String::new, |audit| format!("\n{audit}")),
            Err(error) => {
                let backup = self.backup.display();
                return Err(error.context(format!("{backup}: every byte is as it was copied, but its audit is not whole")));
            }
        };
        super::print(&format!("{}: whole. {manifest}{said}", self.backup.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

//! `andon restore`: a data folder out of a backup. Writes to machines are disarmed there: the plant went on since then, and the
//! original may still be running.

use super::{
    super::{block_on, print},
    archive,
    manifest::Manifest,
};
use crate::service::{audit, clock, core, telemetry};
use andon_models::{
    EventId, Timestamp,
    event::{Event, EventBody, SystemNotice},
};
use andon_query::{Batch, transfer};
use anyhow::{Context, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Where a backup is unpacked before it takes its place, in the new folder.
const UNPACKED: &str = ".restore";

/// Arguments of `andon restore`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  andon restore monday.tar.zst --data ./restored\n  andon run plant.yaml --data ./restored\n\n\
                        Writes to machines are disarmed in the restored folder until somebody arms them."
)]
pub struct Restore {
    /// The backup: a .tar.zst, or a folder.
    backup: PathBuf,
    /// The new data folder; it must be empty.
    #[arg(long)]
    data: PathBuf,
}

impl Restore {
    /// Restores.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        telemetry::log_to_stderr("warn");
        let data = &self.data;
        let empty =
            !data.exists() || fs::read_dir(data).with_context(|| format!("cannot list {}", data.display()))?.next().is_none();
        ensure!(
            empty,
            "{} is not empty; restore into a new folder (what is there may be another plant's history)",
            data.display()
        );
        let unpacked = data.join(UNPACKED);
        fs::create_dir_all(&unpacked).with_context(|| format!("cannot make {}", unpacked.display()))?;
        let restored = block_on(self.restore(&unpacked))?;
        if restored.is_err() {
            // The backup is as it was; what came of it is of no use.
            let _ = fs::remove_dir_all(&unpacked);
        }
        let manifest = restored?;
        print(&format!(
            "{}: restored. {manifest}\nWrites to machines are disarmed there until somebody arms them. Run it with\n  \
             andon run plant.yaml --data {}",
            data.display(),
            data.display()
        ))?;
        Ok(ExitCode::SUCCESS)
    }

    async fn restore(&self, unpacked: &Path) -> anyhow::Result<Manifest> {
        let manifest = if self.backup.is_dir() {
            let manifest = archive::check_folder(&self.backup)?;
            archive::copy_folder(&self.backup, &manifest, unpacked)?;
            manifest
        } else {
            archive::unpack(&self.backup, unpacked)?
        };
        manifest.check_counts(unpacked).await?;
        transfer::append_offline(unpacked, disarmed(&manifest, clock::system()())).await?;
        let detail = format!("from a backup made at {}; what came after it is not in this folder", manifest.created);
        audit::note_by_hand(unpacked, "restore", &detail, &clock::system())?;
        for entry in fs::read_dir(unpacked)? {
            let entry = entry?;
            fs::rename(entry.path(), self.data.join(entry.file_name()))?;
        }
        fs::remove_dir(unpacked)?;
        fs::File::open(&self.data)?.sync_all()?;
        Ok(manifest)
    }
}

/// The record that a restored folder begins with.
fn disarmed(manifest: &Manifest, now: Timestamp) -> Batch {
    let message = format!("restored from a backup of {}; writes to machines are disarmed", manifest.created);
    let notice = SystemNotice { subject: "restore".into(), level: "warning".into(), message: message.into() };
    let event = Event {
        id: EventId::from_name(&format!("restore/{now}")),
        time: now,
        asset: None,
        asset_path: "".into(),
        detector: "".into(),
        body: EventBody::System(notice),
    };
    Batch { events: vec![event], keep: vec![core::disarmed(now, "this folder was restored from a backup")], ..Batch::default() }
}

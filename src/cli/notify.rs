//! `andon notify test`: whether a target of the plant file can be reached.

use super::{block_on, check, print};
use crate::service::{
    clock,
    notify::{
        Places,
        carrier::{Carrier, TIMEOUT},
    },
    sources::Sources,
};
use andon_models::{
    EventId,
    catalog::{Catalog, SeriesDirectory},
    definition::{NotifyChannel, Plant},
    notice::{Notice, NoticeAbout, outbox::Attempt},
};
use anyhow::bail;
use std::{path::PathBuf, process::ExitCode, sync::Arc};

/// Arguments of `andon notify`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  andon notify test shift_lead                        of the plant file plant.yaml\n  \
                  TEAMS_URL=… andon notify test shift_lead --plant plant/\n\n\
                  Secrets come from the environment, as when the plant runs.")]
pub struct Notify {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Sends one message to a target and says what came of it.
    Test {
        /// The target's name.
        target: String,
        /// A plant file, or a folder of them.
        #[arg(long, default_value = "plant.yaml")]
        plant: PathBuf,
        /// The data folder, in which files of notifications are.
        #[arg(long, default_value = "data")]
        data: PathBuf,
        /// The folder whose programs may be run.
        #[arg(long, value_name = "DIR")]
        allow_programs: Option<PathBuf>,
    },
}

impl Notify {
    /// Sends and tells.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Action::Test { target, plant, data, allow_programs } = self.action;
        let checked = check::load(&plant)?;
        let Some(plant) = checked.loaded.plant else {
            checked.print();
            return Ok(ExitCode::FAILURE);
        };
        let attempt = block_on(test(plant, &target, Places { data, programs: allow_programs }))??;
        match attempt {
            Attempt::Taken => print(&format!("{target} took the message"))?,
            Attempt::Later { reason, .. } => bail!("{target} did not take the message now: {reason}"),
            Attempt::Refused(reason) => bail!("{target} does not take the message: {reason}"),
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn test(mut plant: Plant, name: &str, places: Places) -> anyhow::Result<Attempt> {
    let Some(target) = plant.notify.iter().find(|target| &*target.name == name).cloned() else {
        let names: Vec<&str> = plant.notify.iter().map(|target| &*target.name).collect();
        bail!("the plant file has no notify target {name}; there are: {}", names.join(", "));
    };
    // Nothing of the plant is connected but the broker that the message goes through.
    let broker = match &target.channel {
        NotifyChannel::Mqtt { source, .. } => Some(source.clone()),
        _ => None,
    };
    plant.sources.retain(|source| broker.as_ref() == Some(&source.name));
    plant.models.clear();
    plant.assets.clear();
    let now = clock::system();
    let catalog = Arc::new(Catalog::build(Arc::new(plant), &mut SeriesDirectory::default()));
    let (deliver, _deliveries) = tokio::sync::mpsc::channel(1);
    let data = tempfile::tempdir()?;
    let sources = Arc::new(Sources::start(&catalog, data.path(), &deliver, &now));
    if let Some(broker) = &broker {
        sources.connected(broker).await?;
    }
    let notice = Notice {
        time: now(),
        target: target.name.clone(),
        message: "This is a test of Andon's notifications. Nothing is wrong.".into(),
        asset_path: "test".into(),
        detector: "test".into(),
        event: EventId::from_name(&format!("notify test {}", now())),
        about: NoticeAbout::default(),
    };
    let attempt = Carrier::new(sources.clone(), places, now)?.carry(&target, &[notice]).await;
    // What was published goes out before the connection ends.
    let _ = tokio::time::timeout(TIMEOUT, sources.stop()).await;
    Ok(attempt)
}

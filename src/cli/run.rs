//! `andon run`: runs a plant file until Ctrl+C.

use super::{
    check, serve,
    sql_listen::{self, SqlListen},
    stop::{StopSignal, run_until},
    storage::Storage,
};
use crate::service::{
    self, clock,
    definition::{Edition, place::Place},
    host::{self, Host, Site},
    telemetry,
};
use andon_dashboards::AppInfo;
use andon_models::{definition::Plant, notice::NotifyChannel};
use anyhow::{Context, ensure};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use tokio::net::TcpListener;

/// Arguments of `andon run`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  andon run plant.yaml\n  andon run plant/ --data /var/lib/andon --listen 127.0.0.1:9090\n  \
                  andon run plant.yaml --sql-listen 127.0.0.1:5433     and lets psql and Grafana ask\n\n\
                  The plant can be changed while it runs: andon plan, andon apply, or the Models page.\n\n\
                  Ctrl+C stops it cleanly. Without users and TLS it listens on loopback only."
)]
pub struct Run {
    /// A plant file, or a folder of them.
    plant: PathBuf,
    #[command(flatten)]
    storage: Storage,
    /// Address of the web interface and the API.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    #[command(flatten)]
    sql: SqlListen,
    /// Allows writes to machines in the first run of a data folder; after a restart somebody must arm (`andon arm`).
    #[arg(long)]
    arm: bool,
    /// Lets notifications run the programs in this folder, and no others (`notify: { horn: { program: [horn, loud] } }`).
    #[arg(long, value_name = "DIR")]
    allow_programs: Option<PathBuf>,
}

impl Run {
    /// Runs until Ctrl+C or SIGTERM.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        telemetry::log_to_stderr("info");
        let mut storage = self.storage.options();
        let unfinished = host::take_back(&storage)?;
        let checked = check::load(&self.plant)?;
        checked.print();
        let files = checked.kept();
        let Some(plant) = checked.loaded.plant else { return Ok(ExitCode::FAILURE) };
        ensure!(
            self.listen.ip().is_loopback(),
            "{} is not a loopback address; without users and TLS Andon listens on loopback only (put a proxy with log-in before it)",
            self.listen,
        );
        serve(async |workers| {
            storage.workers = Some(workers);
            let now = clock::system();
            let listener = TcpListener::bind(self.listen)
                .await
                .with_context(|| format!("cannot listen on {}; choose another --listen", self.listen))?;
            let address = listener.local_addr()?;
            let mut signal = StopSignal::listen()?;
            let sql = self.sql.bind(&storage.dir).await?;
            let mut opened = service::open(plant, Edition::found(&files), storage.clone(), now(), &now).await?;
            host::record(&opened, unfinished.as_slice(), &now).await?;
            warn_of_programs(&opened.catalog.plant, self.allow_programs.as_deref());
            if self.arm {
                opened.core.arm_first("`andon run --arm`", now(), false);
            }
            if opened.core.can_write() && !opened.core.armed() {
                eprintln!("Writes to machines are disarmed; `andon arm` arms them");
            }
            let doors = sql_listen::doors(address, sql.as_ref(), &storage.dir);
            let info = AppInfo { demo: false, version: env!("CARGO_PKG_VERSION").into(), guide: Vec::new(), doors };
            let variables = Arc::new(|name: &str| std::env::var(name).ok());
            let place = Place::of(&self.plant);
            let site = Site { place, variables, storage, programs: self.allow_programs, info, now };
            let host = Host::start(site, opened, files, listener, sql).await?;
            eprintln!("Andon runs at http://{address}/  (Ctrl+C stops it)");
            run_until(&mut signal, host).await?;
            Ok(ExitCode::SUCCESS)
        })?
    }
}

/// Says at the start which targets will not work, not only when the first alarm comes.
fn warn_of_programs(plant: &Plant, allowed: Option<&Path>) {
    let programs = plant.notify.iter().filter(|target| matches!(target.channel, NotifyChannel::Program { .. }));
    let names: Vec<&str> = programs.map(|target| &*target.name).collect();
    if allowed.is_none() && !names.is_empty() {
        eprintln!("The notify targets {} run programs, which only `--allow-programs DIR` allows", names.join(", "));
    }
}

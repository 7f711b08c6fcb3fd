//! `andon demo`: a simulated bottling plant on real protocol servers, run like any plant.

mod plant;

use self::plant::{DemoPlant, last_values};
use super::{
    serve,
    sql_listen::{self, SqlListen},
    stop::{StopSignal, run_until},
};
use crate::service::{
    self, Opened, clock,
    definition::{Edition, place::Place},
    history,
    host::{Host, Site},
    telemetry,
};
use andon_dashboards::{AppInfo, GuideStep};
use andon_fixtures::{BOTTLING, PreparedServers, Simulation};
use andon_models::{
    Timestamp, plant_file,
    time::{format_duration, parse_duration},
};
use andon_query::{HistorianOptions, QueryError};
use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::ErrorKind,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::net::TcpListener;

/// Ports tried after the one asked for, before the system chooses one.
const NEXT_PORTS: u16 = 9;
/// Longest history that is made at start.
const MAX_HISTORY: Duration = Duration::from_secs(60 * 86_400);

/// Arguments of `andon demo`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  andon demo\n  andon demo --calm --keep ./demo        nothing goes wrong, and the data stays\n  \
                  andon demo --speed 10 --seed 7         ten times as fast, another plant\n\n\
                  Loopback only, no log-in. Ctrl+C stops it cleanly."
)]
pub struct Demo {
    /// Address of the web interface and the API; if it is taken, the next free port.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    #[command(flatten)]
    sql: SqlListen,
    /// Keeps the data in this folder; otherwise it is deleted at the end.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Chooses the plant's chances; the same seed gives the same plant.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many times faster than real time the plant lives.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// Leaves out the scripted incidents.
    #[arg(long)]
    calm: bool,
    /// How much history is made at start.
    #[arg(long, default_value = "7d", value_parser = span, conflicts_with = "no_history")]
    history: Duration,
    /// Starts with an empty history.
    #[arg(long)]
    no_history: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if (0.1..=100.0).contains(&speed) { Ok(speed) } else { Err("the speed lies between 0.1 and 100".into()) }
}

fn span(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .filter(|span| *span <= MAX_HISTORY)
        .ok_or_else(|| format!("`{text}` is no span up to 60d; write 7d or 12h"))
}

impl Demo {
    /// Runs until Ctrl+C.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        telemetry::log_to_stderr("warn");
        ensure!(
            self.listen.ip().is_loopback(),
            "the demo has no log-in, so it listens on loopback only, not on {}",
            self.listen
        );
        // A temporary folder lives as long as this value.
        let temporary =
            if self.keep.is_none() { Some(tempfile::Builder::new().prefix("andon-demo-").tempdir()?) } else { None };
        let data = match (&self.keep, &temporary) {
            (Some(folder), _) => folder.clone(),
            (None, Some(folder)) => folder.path().to_owned(),
            (None, None) => unreachable!("without --keep there is a temporary folder"),
        };
        serve(|workers| self.live(HistorianOptions { workers: Some(workers), ..HistorianOptions::new(data) }))??;
        Ok(ExitCode::SUCCESS)
    }

    async fn live(&self, storage: HistorianOptions) -> anyhow::Result<()> {
        let data = storage.dir.clone();
        let mut signal = StopSignal::listen()?;
        let now = clock::faster(self.speed);
        let (listener, address) = listen(self.listen).await?;
        let span = if self.no_history { Duration::ZERO } else { self.history };
        let mut from = now() - span;
        let simulation = Arc::new(Mutex::new(Simulation::new(self.seed, from, self.calm)));
        let servers =
            PreparedServers::new(simulation.clone(), now.clone()).await.context("cannot start the simulated devices")?;
        let files = vec![("bottling.yaml".to_owned(), BOTTLING.to_owned())];
        let loaded = plant_file::load(&files, &|name| servers.variable(name));
        let plant = loaded.plant.with_context(|| plant_file::render(&loaded.diagnostics, &files, false))?;
        let opened = service::open(plant, Edition::found(&files), storage.clone(), from, &now).await;
        let mut opened = opened.map_err(|error| held(error, &data))?;
        // Simulated machines: whoever starts them wants to see them stopped.
        opened.core.arm_first("the demo", from, true);
        // A folder that was kept has its past; only what is missing since then is made.
        if let Some(stored) = opened.newest_value() {
            ensure!(
                stored <= now(),
                "{} reaches to {stored}: it lived faster than the clock. Choose another --keep",
                data.display()
            );
            from = from.max(stored);
            let mut simulation = simulation.lock().map_err(|_| anyhow::anyhow!("the simulation has panicked"))?;
            *simulation = Simulation::new(self.seed, from, self.calm);
            // Its machines were not exchanged meanwhile: their counters go on.
            let last = last_values(&opened, &simulation);
            simulation.carry_on(&last);
        }
        if !span.is_zero() {
            tokio::select! {
                made = self.make_history(&mut opened, &simulation, from, &now) => made?,
                () = signal.received() => return Ok(()),
            }
        }
        if !self.calm {
            simulation.lock().map_err(|_| anyhow::anyhow!("the simulation has panicked"))?.schedule_incidents(now());
        }
        let servers = servers.go_live();
        let known = servers.variables().to_vec();
        let variables = move |name: &str| known.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let sql = self.sql.bind_demo(&data).await?;
        let doors = sql_listen::doors(address, sql.as_ref(), &data);
        let info = AppInfo { demo: true, version: env!("CARGO_PKG_VERSION").into(), guide: self.guide(now()), doors };
        let site = Site { place: Place::Memory, variables: Arc::new(variables), storage, programs: None, info, now };
        let host = Host::start(site, opened, files, listener, sql).await?;
        self.introduce(address, &data);
        let ended = run_until(&mut signal, host).await;
        servers.stop().await;
        ended
    }

    async fn make_history(
        &self,
        opened: &mut Opened,
        simulation: &Arc<Mutex<Simulation>>,
        from: Timestamp,
        now: &clock::Now,
    ) -> anyhow::Result<()> {
        let bar = ProgressBar::new(now().since(from).as_secs());
        bar.set_style(ProgressStyle::with_template("making history  [{bar:40}] {percent} %  {elapsed}")?.progress_chars("━╸ "));
        let mut plant = DemoPlant::new(&opened.catalog, simulation.clone());
        let points = history::produce(opened, &mut plant, from, now, |at| bar.set_position(at.since(from).as_secs())).await?;
        bar.finish_and_clear();
        let seconds = now().since(from).as_secs();
        let span = Duration::from_secs(if seconds < 60 { seconds } else { seconds / 60 * 60 });
        println!("{} of history: {points} points in {:.1} s", format_duration(span), bar.elapsed().as_secs_f64());
        Ok(())
    }

    /// The steps of the guide on the pages.
    fn guide(&self, start: Timestamp) -> Vec<GuideStep> {
        let steps = if self.calm { &[] } else { &INCIDENTS[..] };
        let step = |(seconds, what, page): &(u64, &str, &str)| GuideStep {
            text: (*what).into(),
            page: (*page).into(),
            at_ms: Some((start + Duration::from_secs(*seconds)).as_millis()),
        };
        steps.iter().map(step).collect()
    }

    fn introduce(&self, address: SocketAddr, data: &Path) {
        println!("\n  Bottling North is running:  http://{address}/\n");
        println!("  Ask it:  andon query --url http://{address} \"SELECT * FROM alarms ORDER BY time DESC LIMIT 5\"");
        match &self.keep {
            Some(_) => println!("  Its data stays in {} (Parquet in history/, for any tool)", data.display()),
            None => println!("  Its data is in {} until you stop it (--keep DIR keeps it)", data.display()),
        }
        if !self.calm {
            println!("\n  What happens next, counted from now{}:", if self.speed == 1.0 { "" } else { " in plant time" });
            for (seconds, what, _) in INCIDENTS {
                println!("    {:>8}  {what}", format!("+{}", format_duration(Duration::from_secs(seconds))));
            }
        }
        println!("\n  Ctrl+C stops it.");
    }
}

/// The script of the incidents: seconds from the start, what happens, and the page to see it on. `fixtures` plays it.
const INCIDENTS: [(u64, &str, &str); 6] = [
    (25, "Filler 2 runs hot; its detector `overheat` starts warming", FILLER_2),
    (60, "the alarm is raised", "/alarms"),
    (75, "nobody acknowledged: the stop request is written to the machine and read back", FILLER_2),
    (120, "a labeller chatters", "/alarms"),
    (180, "a Modbus device drops for 40 s and comes back", "/sources"),
    (240, "a changeover begins on line 1", "/"),
];

const FILLER_2: &str = "/detectors/Line%202%2FFiller%202/overheat";

/// That another Andon has the folder, in the words of the demo: it takes no `--data`.
fn held(error: anyhow::Error, data: &Path) -> anyhow::Error {
    match error.downcast_ref() {
        Some(QueryError::Locked(_)) => {
            anyhow::anyhow!(
                "{} is in use by another Andon; stop that one, or choose another folder with --keep",
                data.display()
            )
        }
        _ => error,
    }
}

/// Binds the address asked for; if it is taken, one of the next ports, else any.
async fn listen(asked: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let next = (1..=NEXT_PORTS).filter_map(|step| asked.port().checked_add(step).filter(|_| asked.port() != 0));
    for port in [asked.port()].into_iter().chain(next).chain([0]) {
        match TcpListener::bind(SocketAddr::new(asked.ip(), port)).await {
            Ok(listener) => {
                let address = listener.local_addr()?;
                if port != asked.port() {
                    println!("{asked} is taken; using {address}");
                }
                return Ok((listener, address));
            }
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error).with_context(|| format!("cannot listen on {asked}; choose another --listen")),
        }
    }
    anyhow::bail!("cannot listen on {} at any port", asked.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_gives_way_to_the_next_free_one() {
        let (_taken, address) = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (_other, other) = listen(address).await.unwrap();
        assert_ne!(other.port(), address.port());
        assert_eq!(other.ip(), address.ip());
    }

    #[test]
    fn a_folder_that_is_taken_gives_way_to_another_keep() {
        let taken = anyhow::Error::from(QueryError::Locked("demo".into())).context("cannot open the history");
        let told = format!("{:#}", held(taken, Path::new("demo")));
        assert_eq!(told, "demo is in use by another Andon; stop that one, or choose another folder with --keep");
        assert_eq!(held(anyhow::anyhow!("else"), Path::new("demo")).to_string(), "else");
    }

    #[tokio::test]
    async fn what_is_not_a_taken_port_is_an_error() {
        // An address of documentation: no computer has it.
        let error = listen("192.0.2.1:8080".parse().unwrap()).await.unwrap_err();
        assert!(format!("{error:#}").starts_with("cannot listen on 192.0.2.1:8080"), "{error:#}");
    }
}

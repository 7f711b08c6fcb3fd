//! Logs of the program itself, and its metrics for Prometheus.
//!
//! What happens is counted where it happens, by the functions here; what stands is looked at when the page is asked for.

mod names;
mod standing;
#[cfg(test)]
mod tests;

pub use self::standing::Standing;

use self::names::*;
use super::core::Refused;
use andon_models::command::CommandState;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{
    io::IsTerminal as _,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tracing_subscriber::EnvFilter;

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Protocol libraries report as errors what their callers handle and say in better words; they speak when `ANDON_LOG` asks.
const QUIET: &str = "buoyant_kernel=warn,deltalake_core=warn,opcua_client=off,opcua_core=off,opcua_crypto=off,opcua_server=off,rumqttc=off,rumqttd=off";

/// Upper bounds of the classes durations are counted in, in seconds: from a step of a quiet plant to a long plan.
const SECONDS: [f64; 12] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0];

/// How often recorded durations are put into their classes. Between, each takes memory, whether the page is asked for or not.
const UPKEEP: Duration = Duration::from_secs(5);

/// Starts logging to standard error; `ANDON_LOG` chooses what (`info`, `andon_ingest=debug`).
pub fn log_to_stderr(default: &str) {
    let filter = EnvFilter::try_from_env("ANDON_LOG").unwrap_or_else(|_| EnvFilter::new(format!("{default},{QUIET}")));
    // A second start in one process (tests) keeps the first subscriber.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}

/// Starts counting. To be called before anything happens, on the runtime that outlives it; further calls change nothing.
pub fn start_metrics() {
    HANDLE.get_or_init(|| {
        let installed = builder().install_recorder();
        let handle = installed.inspect_err(|error| tracing::error!(%error, "no metrics of our own")).ok()?;
        describe();
        let upkeep = handle.clone();
        tokio::spawn(async move {
            let mut interval = tokio::time::interval(UPKEEP);
            loop {
                interval.tick().await;
                upkeep.run_upkeep();
            }
        });
        Some(handle)
    });
}

/// The metrics page in Prometheus' text format.
pub fn metrics_page(standing: Standing) -> Arc<dyn Fn() -> String + Send + Sync> {
    Arc::new(move || {
        standing.record();
        HANDLE.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default()
    })
}

fn builder() -> PrometheusBuilder {
    let durations = Matcher::Suffix("_seconds".into());
    PrometheusBuilder::new().set_buckets_for_metric(durations, &SECONDS).expect("there are classes")
}

/// Samples arrived at the pipeline.
pub fn samples(count: usize) {
    metrics::counter!(SAMPLES).increment(count as u64);
}

/// Samples were not let in.
pub fn refused(refused: &Refused) {
    let labels = [("source", refused.source.to_string()), ("reason", refused.reason.name().to_owned())];
    metrics::counter!(REFUSED, &labels).increment(refused.count);
}

/// The pipeline took in a message of some kind, up to handing its record to the log.
pub fn step(input: &'static str, took: Duration) {
    metrics::histogram!(STEP, "input" => input).record(took);
}

/// The metrics of a model's window kind were computed, or it failed.
pub fn metric_plan(model: &str, window: &str, took: Duration) {
    metrics::histogram!(METRIC_PLAN, "model" => model.to_owned(), "window" => window.to_owned()).record(took);
}

/// A command came to an end.
pub fn command_outcome(state: CommandState) {
    metrics::counter!(COMMAND_OUTCOMES, "state" => state.name()).increment(1);
}

/// A notification was delivered or given up.
pub fn notification(target: &str, state: &'static str) {
    metrics::counter!(NOTIFICATIONS, "target" => target.to_owned(), "state" => state).increment(1);
}

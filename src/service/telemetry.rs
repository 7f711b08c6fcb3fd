//! Logs of the program itself, and its metrics for Prometheus.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::{Arc, OnceLock};
use tracing_subscriber::EnvFilter;

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Protocol libraries report as errors what their callers handle and say in better words; they speak when `ANDON_LOG` asks.
const QUIET: &str = "opcua_client=off,opcua_core=off,opcua_crypto=off,opcua_server=off,rumqttc=off,rumqttd=off";

/// Starts logging to standard error; `ANDON_LOG` chooses what (`info`, `andon_ingest=debug`).
pub fn log_to_stderr(default: &str) {
    let filter = EnvFilter::try_from_env("ANDON_LOG").unwrap_or_else(|_| EnvFilter::new(format!("{default},{QUIET}")));
    // A second start in one process (tests) keeps the first subscriber.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// The metrics page in Prometheus' text format. Installs the recorder at the first call.
pub fn metrics_page() -> Arc<dyn Fn() -> String + Send + Sync> {
    let handle = HANDLE.get_or_init(|| {
        let installed = PrometheusBuilder::new().install_recorder();
        installed.inspect_err(|error| tracing::error!(%error, "no metrics of our own")).ok()
    });
    Arc::new(move || handle.as_ref().map(PrometheusHandle::render).unwrap_or_default())
}

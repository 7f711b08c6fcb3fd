//! Delivers notifications: into the log, or as JSON to a webhook.

#[cfg(test)]
mod tests;

use super::core::Notice;
use andon_models::definition::{NotifyChannel, NotifyTarget};
use anyhow::{Context, anyhow, bail};
use reqwest::StatusCode;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// A web server that takes longer is treated as down.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Attempts before a notification is given up, and recorded as failed.
const ATTEMPTS: u32 = 4;
/// Wait before the second attempt; doubles for each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Knows the targets of the plant file.
pub struct Notifier {
    targets: Vec<Target>,
    client: reqwest::Client,
    first_wait: Duration,
}

struct Target {
    definition: NotifyTarget,
    /// One notification at a time: they arrive in order, and a dead target keeps only its own waiting.
    turn: Semaphore,
}

/// One attempt that failed.
struct Refused {
    error: anyhow::Error,
    /// Whether the same may be taken a little later.
    may_pass: bool,
}

impl Notifier {
    /// A notifier for these targets.
    ///
    /// # Errors
    /// When the system's TLS cannot be set up.
    pub fn new(targets: &[NotifyTarget]) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).user_agent("andon").build();
        let target = |definition: &NotifyTarget| Target { definition: definition.clone(), turn: Semaphore::new(1) };
        Ok(Self {
            targets: targets.iter().map(target).collect(),
            client: client.context("cannot prepare notifications")?,
            first_wait: FIRST_WAIT,
        })
    }

    /// Delivers a notice when it is its turn, unless it is too `late` by then.
    ///
    /// # Errors
    /// Why not, after several attempts.
    pub async fn deliver(&self, notice: &Notice, late: &(impl Fn() -> bool + Sync)) -> anyhow::Result<()> {
        let target = self.targets.iter().find(|target| target.definition.name == notice.target);
        let target = target.with_context(|| format!("the plant file has no notify target {}", notice.target))?;
        let _turn = target.turn.acquire().await;
        if late() {
            bail!("it could not be delivered in time");
        }
        let Notice { target: name, asset_path, detector, message, .. } = notice;
        match &target.definition.channel {
            NotifyChannel::Log => {
                tracing::info!(target = %name, asset = %asset_path, detector = %detector, "notification: {message}");
                Ok(())
            }
            NotifyChannel::Email { address } => {
                bail!("no mail server is configured, so {address} got nothing; use a webhook")
            }
            NotifyChannel::Webhook { url } => self.post(&url.0, notice).await,
        }
    }

    async fn post(&self, url: &Arc<str>, notice: &Notice) -> anyhow::Result<()> {
        // `text` is what chat services show; `id` lets a receiver recognise a repetition.
        let body = serde_json::json!({
            "id": notice.event.to_string(),
            "asset": notice.asset_path,
            "detector": notice.detector,
            "text": notice.message,
        });
        let mut wait = self.first_wait;
        for attempt in 1.. {
            match self.post_once(url, &body).await {
                Ok(()) => return Ok(()),
                Err(Refused { error, may_pass }) if !may_pass || attempt == ATTEMPTS => return Err(error),
                Err(Refused { error, .. }) => tracing::debug!(target = %notice.target, attempt, "{error:#}"),
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        unreachable!("the last attempt returns")
    }

    async fn post_once(&self, url: &str, body: &serde_json::Value) -> Result<(), Refused> {
        // The URL is a secret: errors are shown without it.
        let sent = self.client.post(url).json(body).send().await;
        let status =
            sent.map_err(|error| Refused { may_pass: !error.is_builder(), error: error.without_url().into() })?.status();
        if status.is_success() {
            return Ok(());
        }
        let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        let may_pass = !status.is_client_error() || passing.contains(&status);
        Err(Refused { error: anyhow!("the target answered {status}"), may_pass })
    }
}

//! Delivers notifications: into the log, or as JSON to a webhook.

use super::core::Notice;
use andon_models::definition::{NotifyChannel, NotifyTarget};
use anyhow::{Context, ensure};
use std::time::Duration;

/// A web server that takes longer is treated as down.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Attempts before a notification is given up, and recorded as failed.
const ATTEMPTS: u32 = 4;
/// Wait before the second attempt; doubles for each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Knows the targets of the plant file.
pub struct Notifier {
    targets: Vec<NotifyTarget>,
    client: reqwest::Client,
}

impl Notifier {
    /// A notifier for these targets.
    pub fn new(targets: Vec<NotifyTarget>) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).user_agent("andon").build()?;
        Ok(Self { targets, client })
    }

    /// Delivers a notice, or says why not after several attempts.
    pub async fn deliver(&self, notice: &Notice) -> anyhow::Result<()> {
        let target = self.targets.iter().find(|target| target.name == notice.target);
        let target = target.with_context(|| format!("the plant file has no notify target {}", notice.target))?;
        tracing::info!(target = %notice.target, asset = %notice.asset_path, detector = %notice.detector, "notification: {}", notice.message);
        match &target.channel {
            NotifyChannel::Log => Ok(()),
            NotifyChannel::Email { address } => {
                anyhow::bail!("no mail server is configured, so {address} got nothing; use a webhook")
            }
            NotifyChannel::Webhook { url } => self.post(&url.0, notice).await,
        }
    }

    async fn post(&self, url: &str, notice: &Notice) -> anyhow::Result<()> {
        let body = serde_json::json!({
            "id": notice.event.to_string(),
            "asset": notice.asset_path,
            "detector": notice.detector,
            "text": notice.message,
        });
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            match self.post_once(url, &body).await {
                Ok(()) => return Ok(()),
                Err(error) if attempt == ATTEMPTS => return Err(error),
                Err(error) => tracing::debug!(target = %notice.target, attempt, "{error:#}"),
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        unreachable!("the last attempt returns")
    }

    async fn post_once(&self, url: &str, body: &serde_json::Value) -> anyhow::Result<()> {
        // The URL is a secret: errors are shown without it.
        let response = self.client.post(url).json(body).send().await.map_err(reqwest::Error::without_url)?;
        ensure!(response.status().is_success(), "the target answered {}", response.status());
        Ok(())
    }
}

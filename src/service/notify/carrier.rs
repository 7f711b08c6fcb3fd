//! The ways to the receivers: HTTP, mail, MQTT, the log. One attempt each; whether and when it is made again is not decided here.

use super::{file, mail, program, sign};
use crate::service::{clock::Now, sources::Sources};
use andon_models::{
    definition::{NotifyChannel, NotifyTarget, Secret},
    notice::{Notice, form, outbox::Attempt, retry_after},
};
use anyhow::Context;
use reqwest::{Response, StatusCode, header};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// A receiver that takes longer is treated as down.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// Of what a server says when it refuses, so much is told: enough for a sentence.
const LONGEST_ANSWER: usize = 200;

/// Where targets of this machine are. A plant file names files in these folders, never the folders.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The data folder: files of notifications have a folder in it.
    pub data: PathBuf,
    /// Whose programs may be run; none runs no program.
    pub programs: Option<PathBuf>,
}

/// Carries messages.
pub struct Carrier {
    client: reqwest::Client,
    places: Places,
    sources: Arc<Sources>,
    now: Now,
}

impl Carrier {
    /// A carrier that publishes through these sources.
    ///
    /// # Errors
    /// When the system's TLS cannot be set up.
    pub fn new(sources: Arc<Sources>, places: Places, now: Now) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).user_agent("andon").build();
        Ok(Self { client: client.context("cannot prepare notifications")?, places, sources, now })
    }

    /// Makes one attempt to deliver notices as one message.
    pub async fn carry(&self, target: &NotifyTarget, notices: &[Notice]) -> Attempt {
        let Some(first) = notices.first() else { return Attempt::Taken };
        match &target.channel {
            NotifyChannel::Log => {
                let Notice { asset_path, detector, .. } = first;
                tracing::info!(target = %target.name, asset = %asset_path, detector = %detector, "notification: {}", form::plain(target, notices));
                Attempt::Taken
            }
            NotifyChannel::Webhook { url, secret } => {
                let event = form::cloud_event(target, notices);
                self.post(url, "application/cloudevents+json", &event, secret.as_ref()).await
            }
            NotifyChannel::Teams { url } => self.post(url, JSON, &form::teams(target, notices), None).await,
            NotifyChannel::Slack { url } => self.post(url, JSON, &form::slack(target, notices), None).await,
            NotifyChannel::PagerDuty { key, url } => {
                let event = form::pagerduty(target, &key.0, first);
                self.post(&Secret(url.clone()), JSON, &event, None).await
            }
            NotifyChannel::Email(mail) => mail::send(mail, target, notices).await,
            NotifyChannel::File { name } => {
                file::append(&self.places.data.join(file::FOLDER), name, &form::cloud_event(target, notices)).await
            }
            NotifyChannel::Program { command } => {
                program::run(self.places.programs.as_deref(), command, &form::cloud_event(target, notices), TIMEOUT).await
            }
            NotifyChannel::Mqtt { source, topic } => self.publish(target, source, topic, notices).await,
        }
    }

    async fn publish(&self, target: &NotifyTarget, source: &str, topic: &str, notices: &[Notice]) -> Attempt {
        let Some(first) = notices.first() else { return Attempt::Taken };
        let topic = form::fill(topic, target, first);
        let payload = form::cloud_event(target, notices).to_string();
        match tokio::time::timeout(TIMEOUT, self.sources.publish_through(source, &topic, &payload)).await {
            Ok(Ok(())) => Attempt::Taken,
            Ok(Err(error)) => later(format!("{error:#}")),
            Err(_) => later(format!("{source} did not take it within {TIMEOUT:?}")),
        }
    }

    async fn post(&self, url: &Secret, content: &str, body: &serde_json::Value, secret: Option<&Secret>) -> Attempt {
        let body = body.to_string();
        let mut request = self.client.post(&*url.0).header(header::CONTENT_TYPE, content);
        if let Some(secret) = secret {
            for (name, value) in sign::headers(&secret.0, &body, (self.now)()) {
                request = request.header(name, value);
            }
        }
        match request.body(body).send().await {
            Ok(response) => self.answer(response).await,
            // The URL is a secret: errors are shown without it.
            Err(error) if error.is_builder() => Attempt::Refused(format!("{:#}", anyhow::Error::from(error.without_url()))),
            Err(error) => later(format!("{:#}", anyhow::Error::from(error.without_url()))),
        }
    }

    async fn answer(&self, response: Response) -> Attempt {
        let status = response.status();
        if status.is_success() {
            return Attempt::Taken;
        }
        let after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = after.and_then(|after| retry_after(after, (self.now)()));
        let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
        let reason = format!("the target answered {status}{}", said(response).await);
        if !status.is_client_error() || passing.contains(&status) {
            return Attempt::Later { reason, after };
        }
        Attempt::Refused(reason)
    }
}

const JSON: &str = "application/json";

fn later(reason: String) -> Attempt {
    Attempt::Later { reason, after: None }
}

/// The first words of a refusal.
async fn said(mut response: Response) -> String {
    // A body that breaks off says what came.
    let Ok(Some(chunk)) = response.chunk().await else { return String::new() };
    let text = String::from_utf8_lossy(&chunk);
    let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST_ANSWER).collect();
    if words.is_empty() { words } else { format!(": {words}") }
}

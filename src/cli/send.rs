//! `andon send`: hands messages to the detectors of a running Andon.

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use std::{
    io::{BufRead, Read},
    process::ExitCode,
};

/// Largest message; the server takes no larger body either.
const MAX_BYTES: usize = 256 << 10;

/// Arguments of `andon send`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    andon send PressureInput --payload '{\"motorid\":\"M-1\",\"sensorData\":{\"pressure\":72}}'\n  \
    andon send PressureInput --payload - < messages.jsonl     one message a line")]
pub struct Send {
    /// The input's name.
    input: String,
    /// The message as JSON; - reads one a line from standard input.
    #[arg(long)]
    payload: String,
    /// A running Andon.
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "ANDON_URL")]
    url: String,
}

impl Send {
    /// Sends, one message after the other; each is on disk before the next one goes.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        super::block_on(async {
            let client = reqwest::Client::new();
            if self.payload != "-" {
                self.send(&client, &self.payload).await?;
                return Ok(ExitCode::SUCCESS);
            }
            let mut lines = std::io::stdin().lock();
            let mut line = String::new();
            for number in 1.. {
                line.clear();
                let limit = MAX_BYTES as u64 + 1;
                if lines.by_ref().take(limit).read_line(&mut line).context("cannot read standard input")? == 0 {
                    break;
                }
                if !line.trim().is_empty() {
                    self.send(&client, line.trim()).await.with_context(|| format!("line {number}"))?;
                }
            }
            Ok(ExitCode::SUCCESS)
        })?
    }

    async fn send(&self, client: &reqwest::Client, payload: &str) -> anyhow::Result<()> {
        ensure!(payload.len() <= MAX_BYTES, "the message has {} bytes; at most {MAX_BYTES} are taken", payload.len());
        let payload: Value = serde_json::from_str(payload).context("the message is not JSON")?;
        let mut endpoint = url::Url::parse(&self.url).with_context(|| format!("{} is no URL", self.url))?;
        endpoint.path_segments_mut().map_err(|()| anyhow::anyhow!("{} is no URL", self.url))?.pop_if_empty().extend([
            "api",
            "inputs",
            &self.input,
        ]);
        let answer = client.post(endpoint).json(&payload).send().await;
        let answer = answer.with_context(|| format!("no Andon answers at {}; start one with andon run", self.url))?;
        if answer.status().is_success() {
            return Ok(());
        }
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        let told = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
        match (told("message"), told("hint")) {
            (message, _) if message.is_empty() => bail!("{} answered {status}", self.url),
            (message, hint) if hint.is_empty() => bail!("{message}"),
            (message, hint) => bail!("{message}; {hint}"),
        }
    }
}

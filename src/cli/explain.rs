//! `andon explain`: how a value came about, asked of a running Andon.

use super::{block_on, print};
use anyhow::{Context, bail};
use serde_json::Value;
use std::process::ExitCode;

/// Arguments of `andon explain`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  andon explain \"Line 2/Filler 2\" oee\n  \
    andon explain \"Line 2/Filler 2\" oee_1h --at 2026-03-02T10:00:00Z\n  \
    andon explain \"Line 2/Filler 2\" temp_avg --json\n\n\
    Of a figure of several windows the shift's is meant; oee_5m, oee_1h, … name the others.")]
pub struct Explain {
    /// The asset, by path.
    asset: String,
    /// The property, by key or name.
    property: String,
    /// An instant in the window, such as 2026-03-02T10:00:00Z; now if left out.
    #[arg(long)]
    at: Option<String>,
    /// Prints the whole explanation as JSON.
    #[arg(long)]
    json: bool,
    /// A running Andon.
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "ANDON_URL")]
    url: String,
}

impl Explain {
    /// Asks and prints.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let answer = block_on(self.ask())??;
        match (self.json, answer["text"].as_str()) {
            (false, Some(text)) => print(text.trim_end())?,
            _ => print(&serde_json::to_string_pretty(&answer)?)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn ask(&self) -> anyhow::Result<Value> {
        let endpoint = format!("{}/api/explain", self.url.trim_end_matches('/'));
        let mut url = reqwest::Url::parse(&endpoint).with_context(|| format!("{} is no URL", self.url))?;
        url.query_pairs_mut().append_pair("asset", &self.asset).append_pair("property", &self.property);
        if let Some(at) = &self.at {
            url.query_pairs_mut().append_pair("at", at);
        }
        let url_text = &self.url;
        let response = reqwest::Client::new()
            .get(url)
            .send()
            .await
            .with_context(|| format!("nothing answers at {url_text}; is Andon running there? Choose another --url"))?;
        let ok = response.status().is_success();
        let body: Value = response.json().await.context("the answer is no JSON; is that an Andon?")?;
        if !ok {
            let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
            let (message, hint) = (text("message"), text("hint"));
            bail!("{message}{}{hint}", if hint.is_empty() { "" } else { "\n  " });
        }
        Ok(body)
    }
}

//! `andon arm` and `andon disarm`: the one switch for all writes to machines. `andon release` ends the dry run of a detector.

use super::{block_on, write::post};
use andon_models::time::{format_duration, parse_duration};
use serde_json::json;
use std::{process::ExitCode, time::Duration};

/// Arguments of `andon arm`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  andon arm --for 8h                 allows writes to machines for a shift\n  \
                  andon arm                          until somebody disarms them\n  \
                  andon arm --take-over              also where the data folder is a copy: nothing else may command these machines\n\n\
                  Sources (`writes: allow`), controls with their limits and interlocks still decide about each write.\n\
                  Writes go off by themselves when the time is over, when the definition of what may be written changes,\n\
                  and when more than 60 commands come in a minute.")]
pub struct Arm {
    /// For how long: 30m, 8h, 7d; until somebody disarms them if left out.
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    span: Option<Duration>,
    /// Lets this data folder command from here, where it is a copy or came from another machine.
    #[arg(long)]
    take_over: bool,
    #[command(flatten)]
    whom: Whom,
}

/// Arguments of `andon disarm`.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  andon disarm       no writes to machines any more, by detectors or by hand; it works at once"
)]
pub struct Disarm {
    #[command(flatten)]
    whom: Whom,
}

/// Arguments of `andon release`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  andon release \"Line 2/Filler 2\" overheat\n\n\
                  A detector with `dry_run: 24h` does everything but send for so long; then somebody looks at what it would have\n\
                  written (SELECT * FROM commands WHERE state = 'dry_run') and releases it. Too early, this says how it stands.")]
pub struct Release {
    /// The path of its asset.
    asset: String,
    /// The detector.
    detector: String,
    #[command(flatten)]
    whom: Whom,
}

/// Which Andon, and who asks it.
#[derive(clap::Args)]
pub struct Whom {
    /// A running Andon.
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "ANDON_URL")]
    pub url: String,
    /// Your name, to stand beside what you do.
    #[arg(long = "as", value_name = "NAME", env = "ANDON_NAME", default_value = "")]
    pub name: String,
}

fn span(text: &str) -> Result<Duration, String> {
    parse_duration(text).filter(|span| !span.is_zero()).ok_or_else(|| format!("`{text}` is no span; write 30m, 8h or 7d"))
}

impl Arm {
    /// Arms.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let body = json!({
            "armed": true,
            "seconds": self.span.map(|span| span.as_secs()),
            "take_over": self.take_over,
            "name": self.whom.name,
        });
        block_on(post(&self.whom.url, "/api/arm", &body))??;
        let span =
            self.span.map_or_else(|| "until somebody disarms them".into(), |span| format!("for {}", format_duration(span)));
        super::print(&format!("Writes to machines are armed {span}."))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Disarm {
    /// Disarms.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(post(&self.whom.url, "/api/arm", &json!({ "armed": false, "name": self.whom.name })))??;
        super::print("Writes to machines are disarmed.")?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Release {
    /// Releases.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let encoded = |text: &str| percent_encode(text);
        let path = format!("/api/detectors/{}/{}/release", encoded(&self.asset), encoded(&self.detector));
        block_on(post(&self.whom.url, &path, &json!({})))??;
        super::print(&format!("{} of {} writes from now on.", self.detector, self.asset))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A part of a path: everything but letters, digits and a few signs as %XX.
fn percent_encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

//! `andon arm` and `andon disarm`: the one switch for all writes to machines. `andon release` ends the dry run of a detector.

use super::{block_on, client::Client};
use andon_models::time::{format_duration, parse_duration};
use serde_json::{Value, json};
use std::{process::ExitCode, time::Duration};

/// Different writes of a dry run that are told, the newest first; a terminal has some thirty lines.
const MOST_SHOWN: usize = 20;

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
                  written (SELECT * FROM commands WHERE state = 'dry_run') and releases it. This tells it once more; too early, it refuses and says how it stands.")]
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
    let span = parse_duration(text).filter(|span| !span.is_zero());
    let span = span.ok_or_else(|| format!("`{text}` is no span; write 30m, 8h or 7d"))?;
    // The switch is told in seconds: what would be dropped must not look as if it counted.
    if span.subsec_nanos() > 0 {
        return Err(format!("`{text}` is no whole number of seconds; write 30s, 30m, 8h or 7d"));
    }
    Ok(span)
}

/// Turns the switch.
async fn switch(url: &str, body: &Value) -> anyhow::Result<()> {
    Client::new(url)?.post(&["api", "arm"], body).await.map(drop)
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
        block_on(switch(&self.whom.url, &body))??;
        let span =
            self.span.map_or_else(|| "until somebody disarms them".into(), |span| format!("for {}", format_duration(span)));
        super::print(&format!("Writes to machines are armed {span}."))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Disarm {
    /// Disarms.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(switch(&self.whom.url, &json!({ "armed": false, "name": self.whom.name })))??;
        super::print("Writes to machines are disarmed.")?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Release {
    /// Tells what the detector would have written, and releases it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(self.release())??;
        super::print(&format!("{} of {} writes from now on.", self.detector, self.asset))?;
        Ok(ExitCode::SUCCESS)
    }

    async fn release(&self) -> anyhow::Result<()> {
        let client = Client::new(&self.whom.url)?;
        let rows = client.sql(&self.pretended()).await?.rows;
        super::print(&would_have_written(&self.detector, &self.asset, &rows))?;
        let path = ["api", "detectors", &self.asset, &self.detector, "release"];
        client.post(&path, &json!({ "name": self.whom.name })).await.map(drop)
    }

    /// Asks what was pretended, the newest first.
    fn pretended(&self) -> String {
        let [asset, detector] = [&self.asset, &self.detector].map(|text| text.replace('\'', "''"));
        format!(
            "SELECT control, value, count(*), max(time) FROM commands WHERE state = 'dry_run' AND detector = '{detector}' \
             AND (asset = '{asset}' OR CAST(asset_id AS VARCHAR) = '{asset}') GROUP BY control, value \
             ORDER BY max(time) DESC LIMIT {}",
            MOST_SHOWN + 1
        )
    }
}

/// Rows of control, value, how often and when last, in words.
fn would_have_written(detector: &str, asset: &str, rows: &[Vec<Value>]) -> String {
    if rows.is_empty() {
        return format!("In its dry run {detector} of {asset} would have written nothing.");
    }
    let text = |cell: Option<&Value>| match cell {
        Some(Value::String(text)) => text.clone(),
        cell => cell.map(Value::to_string).unwrap_or_default(),
    };
    let mut told = format!("In its dry run {detector} of {asset} would have written:");
    for row in rows.iter().take(MOST_SHOWN) {
        let [control, value, times, last] = [0, 1, 2, 3].map(|column| text(row.get(column)));
        told.push_str(&format!("\n  {control} = {value}    {times} times, last at {last}"));
    }
    if rows.len() > MOST_SHOWN {
        told.push_str("\n  and more: SELECT * FROM commands WHERE state = 'dry_run'");
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_tells_what_was_pretended() {
        assert_eq!(
            would_have_written("overheat", "Filler 1", &[]),
            "In its dry run overheat of Filler 1 would have written nothing."
        );
        let row = vec![json!("setpoint"), json!(78.5), json!(3), json!("2026-03-02T06:00:00Z")];
        assert_eq!(
            would_have_written("overheat", "Filler 1", std::slice::from_ref(&row)),
            "In its dry run overheat of Filler 1 would have written:\n  setpoint = 78.5    3 times, last at 2026-03-02T06:00:00Z"
        );
        let many = vec![row; MOST_SHOWN + 1];
        assert!(
            would_have_written("overheat", "Filler 1", &many)
                .ends_with("and more: SELECT * FROM commands WHERE state = 'dry_run'")
        );
    }

    #[test]
    fn an_arming_lasts_whole_seconds() {
        assert_eq!(span("8h"), Ok(Duration::from_secs(28_800)));
        for text in ["1ms", "1500ms"] {
            assert_eq!(span(text), Err(format!("`{text}` is no whole number of seconds; write 30s, 30m, 8h or 7d")));
        }
        assert!(span("0s").unwrap_err().contains("is no span"));
    }

    #[test]
    fn names_are_asked_for_as_they_are() {
        let whom = Whom { url: String::new(), name: String::new() };
        let release = Release { asset: "Kim's press".into(), detector: "hot".into(), whom };
        assert!(release.pretended().contains("asset = 'Kim''s press'"));
    }
}

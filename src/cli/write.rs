//! `andon write`: a write to a machine by hand, shown first and sent when it is confirmed.

use super::{arm::Whom, block_on, client::Client};
use andon_models::{CommandId, Value, command::Prepared};
use anyhow::{Context, bail};
use serde_json::{Value as Json, json};
use std::{process::ExitCode, time::Duration};

/// How long it is waited for the machine's answer: a command is given up within 10 s, its read-back and 10 s more.
const OUTCOME_PATIENCE: Duration = Duration::from_secs(40);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Arguments of `andon write`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  andon write \"Line 2/Filler 2\" stop_request true --as kim\n  \
                  andon write \"Line 2/Filler 2\" setpoint 78.5 --yes       without a question, in a script\n  \
                  andon write --confirm TOKEN --as sam                    the second person, where the control wants one\n\n\
                  Only controls with `by_hand:` in the plant file can be written, only while writes are armed (`andon arm`), and only\n\
                  within their limits and interlock. What is prepared must be confirmed within 30 s. Exit code 1 if it is not verified.")]
pub struct Write {
    /// The path of the asset.
    #[arg(required_unless_present = "confirm")]
    asset: Option<String>,
    /// The control.
    #[arg(required_unless_present = "confirm")]
    control: Option<String>,
    /// The value: true, 78.5, or a text.
    #[arg(required_unless_present = "confirm", allow_hyphen_values = true)]
    value: Option<String>,
    /// Confirms without asking.
    #[arg(long, short)]
    yes: bool,
    /// Confirms what somebody else prepared.
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["asset", "control", "value"])]
    confirm: Option<String>,
    #[command(flatten)]
    whom: Whom,
}

impl Write {
    /// Prepares, asks, confirms, and waits for the machine.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(self.write())?
    }

    async fn write(&self) -> anyhow::Result<ExitCode> {
        let Whom { url, name } = &self.whom;
        let client = Client::new(url)?;
        if let Some(token) = &self.confirm {
            return self.finish(&client, token).await;
        }
        let (Some(asset), Some(control), Some(value)) = (&self.asset, &self.control, &self.value) else {
            bail!("name the asset, the control and the value");
        };
        let body = json!({ "asset": asset, "control": control, "value": value_of(value), "name": name });
        let prepared: Prepared = serde_json::from_value(client.post(&["api", "commands", "prepare"], &body).await?)?;
        super::print(&shown(&prepared))?;
        if prepared.second_person {
            super::print(&format!(
                "Somebody else must confirm it until {}:\n  andon write --confirm {} --as NAME",
                prepared.until, prepared.token
            ))?;
            return Ok(ExitCode::SUCCESS);
        }
        if !self.yes && !super::ask::agreed("Write it?")? {
            super::print("Nothing was written.")?;
            return Ok(ExitCode::FAILURE);
        }
        self.finish(&client, &prepared.token).await
    }

    /// Confirms, and says what became of it.
    async fn finish(&self, client: &Client, token: &str) -> anyhow::Result<ExitCode> {
        client.post(&["api", "commands", "confirm"], &json!({ "token": token, "name": self.whom.name })).await?;
        // The token of a write is the id of its command.
        let command: CommandId = token.parse().context("the token is no id")?;
        let sql = format!(
            "SELECT state, reason FROM commands WHERE command = '{command}' \
             AND state NOT IN ('requested', 'sent') ORDER BY time DESC LIMIT 1"
        );
        let deadline = tokio::time::Instant::now() + OUTCOME_PATIENCE;
        while tokio::time::Instant::now() < deadline {
            if let [row, ..] = &client.sql(&sql).await?.rows[..] {
                let text = |column: usize| row.get(column).and_then(Json::as_str).unwrap_or_default();
                let (state, reason) = (text(0), text(1));
                super::print(&format!("{state}{}{reason}", if reason.is_empty() { "" } else { ": " }))?;
                return Ok(if state == "verified" || state == "dry_run" { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("it was recorded, and nothing is known of it after {} s: look at the machine", OUTCOME_PATIENCE.as_secs())
    }
}

/// What is about to happen, for whoever confirms it.
fn shown(prepared: &Prepared) -> String {
    let Prepared { asset, control, current, current_unknown, value, unit, effect, interlock, inputs, dry_run, .. } = prepared;
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let now = if current_unknown.is_empty() { format!("{current}{unit}") } else { format!("not known: {current_unknown}") };
    let mut text = format!("{asset}: {control}\n  now        {now}\n  new        {value}{unit}");
    if !effect.is_empty() {
        text.push_str(&format!("\n  effect     {effect}"));
    }
    if !interlock.is_empty() {
        let read: Vec<String> = inputs.iter().map(|input| format!("{} = {}", input.name, input.value)).collect();
        text.push_str(&format!("\n  interlock  {interlock} holds ({})", read.join(", ")));
    }
    if *dry_run {
        text.push_str("\n  dry run    everything is done but sending");
    }
    text
}

/// A number or a truth value where it looks like one, else a text.
fn value_of(text: &str) -> Value {
    match (text.parse::<bool>(), text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(truth), ..) => Value::Boolean(truth),
        (_, Ok(number), _) => Value::Integer(number),
        (_, _, Ok(number)) if number.is_finite() => Value::Double(number),
        _ => Value::String(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_they_look_like() {
        let values = ["true", "7", "-7.5", "on", "NaN"].map(value_of);
        assert_eq!(values, [true.into(), Value::Integer(7), (-7.5).into(), "on".into(), "NaN".into()]);
    }
}

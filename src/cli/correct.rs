//! `andon set` and `andon correct`: what an attribute was for a while, and the right value in place of a wrong one.

use super::{arm::Whom, block_on, client::Client, print};
use serde_json::{Value as Json, json};
use std::process::ExitCode;

/// Arguments of `andon set`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    andon set \"Line 2/Filler 2\" ideal_rate 34000 --from \"2026-11-01 06:00\" --to \"2026-11-01 14:00\" --note \"0.75 l bottles\"\n  \
    andon set \"Line 2/Filler 2\" ideal_rate 34000 --from \"2026-11-01 06:00\" --to now\n  \
    andon set \"Line 2/Filler 2\" ideal_rate 600 --unit 1/min --from 2026-11-01T05:00:00Z\n\n\
    Times without an offset are plant time. The plant file says what holds now, so a value that is another one needs an end\n\
    (--to); `andon apply` changes the file, and then --from alone says since when its value held already.\n\
    Transforms and figures over that time are computed again; each changed figure has a revision that names this.")]
pub struct Set {
    /// The path of the asset.
    asset: String,
    /// The attribute.
    attribute: String,
    /// The value it had: 34000, true, or a text.
    #[arg(allow_hyphen_values = true)]
    value: String,
    /// From when on it held.
    #[arg(long, value_name = "TIME")]
    from: String,
    /// Up to when it held, or now.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    #[command(flatten)]
    said: Said,
}

/// Arguments of `andon correct`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    andon correct \"Line 2/Filler 2\" bad_count 812 --at 2026-11-01T09:30:00Z --note \"counter was read during a test\"\n  \
    andon query \"SELECT time, value FROM samples WHERE asset = 'Line 2/Filler 2' AND property = 'bad_count' \
    ORDER BY time DESC LIMIT 20\"\n\n\
    The value that is stored at this instant becomes another one; the second example shows instants and values. Transforms and\n\
    figures that it reaches are computed again; each changed figure has a revision that names the correction.")]
pub struct Correct {
    /// The path of the asset.
    asset: String,
    /// The measurement.
    property: String,
    /// The right value.
    #[arg(allow_hyphen_values = true)]
    value: String,
    /// The instant of the wrong value.
    #[arg(long, value_name = "TIME")]
    at: String,
    #[command(flatten)]
    said: Said,
}

/// What belongs to either.
#[derive(clap::Args)]
struct Said {
    /// The value's unit, if not the property's; it is converted.
    #[arg(long, default_value = "")]
    unit: String,
    /// Why.
    #[arg(long, default_value = "")]
    note: String,
    #[command(flatten)]
    whom: Whom,
}

impl Set {
    /// Says what the attribute was.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Self { asset, attribute, value, from, to, said } = self;
        let body = json!({ "asset": asset, "attribute": attribute, "value": value, "from": from, "to": to });
        said.send("attributes", body)
    }
}

impl Correct {
    /// Corrects the value.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Self { asset, property, value, at, said } = self;
        let body = json!({ "asset": asset, "property": property, "value": value, "at": at });
        said.send("corrections", body)
    }
}

impl Said {
    fn send(self, resource: &str, mut body: Json) -> anyhow::Result<ExitCode> {
        let Self { unit, note, whom } = self;
        body["unit"] = unit.into();
        body["note"] = note.into();
        body["name"] = whom.name.into();
        let answer = block_on(async { Client::new(&whom.url)?.post(&["api", resource], &body).await })??;
        print(&told(&answer))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What was done, in words.
fn told(answer: &Json) -> String {
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    let plain = |value: &Json| match (value.as_str(), value.as_f64()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(number)) => number.to_string(),
        (None, None) => value.to_string(),
    };
    let before: Vec<String> = answer["before"].as_array().into_iter().flatten().map(plain).collect();
    let unit = if text("unit").is_empty() { String::new() } else { format!(" {}", text("unit")) };
    let to = answer["to"].as_str().unwrap_or("the next value");
    format!(
        "{} {}: {} → {}{unit}, from {} to {to}\nFigures of that time are computed again: SELECT * FROM events WHERE kind = 'revision'",
        text("asset"),
        text("property"),
        before.join(", "),
        plain(&answer["value"]),
        text("from"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_in_a_line() {
        let answer = json!({
            "asset": "Line 2/Filler 2", "property": "ideal_rate", "unit": "1/h", "before": [36000.0, 30000.0], "value": 34000.0,
            "from": "2026-11-01T05:00:00Z", "to": null,
        });
        let told = told(&answer);
        assert!(told.starts_with(
            "Line 2/Filler 2 ideal_rate: 36000, 30000 → 34000 1/h, from 2026-11-01T05:00:00Z to the next value\n"
        ));
    }
}

//! `andon alarms`: what stands, how the alarm system does, and what an operator does about it, on a running Andon.

mod show;

use super::{block_on, client::Client, print};
use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use serde_json::json;
use std::{process::ExitCode, time::Duration};

/// Arguments of `andon alarms`.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  andon alarms                                              what stands, the most urgent first\n  \
                  andon alarms --view shelved\n  \
                  andon alarms --measures --last 7d                         rates, floods, chattering, bad actors\n  \
                  andon alarms ack \"Line 2/Filler 2\" overheat --note \"steam valve closed\"\n  \
                  andon alarms shelve \"Line 2/Filler 2\" overheat --for 30m --note \"sensor is being changed\"\n  \
                  andon alarms out-of-service \"Line 2/Filler 2\" overheat --note \"until the rebuild\"\n\n\
                  docs/alarms.md tells what each of them does."
)]
pub struct Alarms {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// A running Andon.
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "ANDON_URL", global = true)]
    url: String,
    /// Which alarms.
    #[arg(long, value_enum, default_value_t = View::Active, conflicts_with = "measures")]
    view: View,
    /// How many at most.
    #[arg(long, default_value_t = 200)]
    limit: usize,
    /// Measures the alarm system by ISA-18.2 and EEMUA 191 instead.
    #[arg(long)]
    measures: bool,
    /// The span that is measured, until now.
    #[arg(long, default_value = "7d", requires = "measures")]
    last: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum View {
    Active,
    Shelved,
    Suppressed,
    OutOfService,
    History,
}

/// Which alarm, and why.
#[derive(clap::Args)]
struct Hand {
    /// Path or id of the asset: `Line 2/Filler 2`.
    asset: String,
    /// The detector.
    detector: String,
    /// What there is to say about it.
    #[arg(long, default_value = "")]
    note: String,
}

#[derive(Subcommand)]
enum Verb {
    /// Acknowledges an alarm.
    #[command(visible_alias = "acknowledge")]
    Ack(Hand),
    /// Hides an alarm for a while; needs a note.
    Shelve {
        #[command(flatten)]
        hand: Hand,
        /// For how long, seven days at most: 30m, 4h.
        #[arg(long = "for")]
        span: String,
    },
    /// Ends a shelving.
    Unshelve(Hand),
    /// Hides an alarm until it is shown again; needs a note.
    Suppress(Hand),
    /// Shows it again.
    Unsuppress(Hand),
    /// Takes an alarm out of service; needs a note.
    OutOfService(Hand),
    /// Puts it back into service.
    ReturnToService(Hand),
    /// Lets go of a latched alarm whose condition is gone.
    Reset(Hand),
    /// Says something about an alarm; needs a note.
    Comment(Hand),
}

impl Alarms {
    /// Asks, or does.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            match &self.verb {
                Some(verb) => act(&self.url, verb).await,
                None if self.measures => self.measure().await,
                None => self.list().await,
            }
        })?
    }

    async fn list(&self) -> anyhow::Result<ExitCode> {
        let view = match self.view {
            View::Active => "active",
            View::Shelved => "shelved",
            View::Suppressed => "suppressed",
            View::OutOfService => "out_of_service",
            View::History => "history",
        };
        let parameters = [("view", view), ("limit", &self.limit.to_string())];
        let alarms = Client::new(&self.url)?.get(&["api", "alarms"], &parameters).await?;
        print(&if self.json { serde_json::to_string_pretty(&alarms)? } else { show::alarms(&alarms, view) })?;
        Ok(ExitCode::SUCCESS)
    }

    async fn measure(&self) -> anyhow::Result<ExitCode> {
        let span = span(&self.last)?;
        let to = crate::service::clock::system()();
        let parameters = [("from", &*(to - span).to_string()), ("to", &to.to_string())];
        let measures = Client::new(&self.url)?.get(&["api", "alarms", "measures"], &parameters).await?;
        print(&if self.json { serde_json::to_string_pretty(&measures)? } else { show::measures(&measures) })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn span(text: &str) -> anyhow::Result<Duration> {
    andon_models::time::parse_duration(text).with_context(|| format!("{text} is not a span of time; write 30m, 4h or 7d"))
}

async fn act(url: &str, verb: &Verb) -> anyhow::Result<ExitCode> {
    let (hand, word, done) = match verb {
        Verb::Ack(hand) => (hand, "acknowledge", "acknowledged"),
        Verb::Shelve { hand, .. } => (hand, "shelve", "shelved"),
        Verb::Unshelve(hand) => (hand, "unshelve", "back from the shelf"),
        Verb::Suppress(hand) => (hand, "suppress", "suppressed"),
        Verb::Unsuppress(hand) => (hand, "unsuppress", "not suppressed by hand any more"),
        Verb::OutOfService(hand) => (hand, "out-of-service", "out of service"),
        Verb::ReturnToService(hand) => (hand, "return-to-service", "back in service"),
        Verb::Reset(hand) => (hand, "reset", "reset"),
        Verb::Comment(hand) => (hand, "comment", "commented"),
    };
    let body = match verb {
        Verb::Shelve { hand, span: text } => json!({ "minutes": span(text)?.as_secs().div_ceil(60), "note": hand.note }),
        Verb::Unshelve(_) => json!({}),
        _ => json!({ "note": hand.note }),
    };
    Client::new(url)?.post(&["api", "alarms", &hand.asset, &hand.detector, word], &body).await?;
    print(&format!("{}: {} is {done}", hand.asset, hand.detector))?;
    Ok(ExitCode::SUCCESS)
}
